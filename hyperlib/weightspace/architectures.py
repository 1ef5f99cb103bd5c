"""The networks of the thesis's zoos, by name.

Shapes and counts as reconstructed from the released code (`book/thesis/zoos.yml`); a test compares every count.
`digits_cnn` is our choice: the small CNN shrunk to 8x8 images, so that a zoo grows in seconds.
"""

from __future__ import annotations

from collections.abc import Callable

from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.base import BaseArchitecture
from hyperlib.weightspace.layers import (
    Activation,
    Add,
    Conv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    Linear,
    MaxPool,
    Norm,
)


def tetris_mlp() -> Architecture:
    """16-5-4 without biases, 100 weights (Schürholt et al. 2021)."""
    layers = (
        Flatten(),
        Linear("fc1", width=5, bias=False),
        Activation(),
        Linear("fc2", units="classes", width=4, bias=False),
    )
    return Architecture("tetris_mlp", (1, 4, 4), layers)


def digits_cnn() -> Architecture:
    """Two convolutions and two linear layers for 8x8 images, 988 weights (our choice)."""
    layers = (
        *(Conv("conv1", width=8, kernel=3), MaxPool(), Activation(), Dropout()),
        *(Conv("conv2", width=6, kernel=2), Activation(), Dropout(), Flatten()),
        *(Linear("fc1", width=20), Activation(), Dropout()),
        Linear("fc2", units="classes", width=10),
    )
    return Architecture("digits_cnn", (1, 8, 8), layers)


def small_cnn(channels: int = 1) -> Architecture:
    """Three convolutions and two linear layers for 28x28 images, 2,464 or 2,864 weights (Model Zoos, 2022)."""
    layers = (
        *(Conv("conv1", width=8, kernel=5), MaxPool(), Activation(), Dropout()),
        *(Conv("conv2", width=6, kernel=5), MaxPool(), Activation(), Dropout()),
        *(Conv("conv3", width=4, kernel=2), Activation(), Dropout(), Flatten()),
        *(Linear("fc1", width=20), Activation(), Dropout()),
        Linear("fc2", units="classes", width=10),
    )
    return Architecture(f"small_cnn_{channels}ch", (channels, 28, 28), layers)


def large_cnn(channels: int = 3) -> Architecture:
    """The larger zoo CNN for 32x32 images, 10,853 weights for three channels (Model Zoos, 2022)."""
    layers = (
        *(Conv("conv1", width=16, kernel=3), MaxPool(), Activation(), Dropout()),
        *(Conv("conv2", width=32, kernel=3), MaxPool(), Activation(), Dropout()),
        *(Conv("conv3", width=15, kernel=3), MaxPool(), Activation(), Dropout(), Flatten()),
        *(Linear("fc1", width=20), Activation()),
        Linear("fc2", units="classes", width=10),
    )
    return Architecture(f"large_cnn_{channels}ch", (channels, 32, 32), layers)


def unterthiner_cnn(channels: int = 1, side: int = 28) -> Architecture:
    """Three convolutions of stride 2 and a global average pool, 4,970 weights for grey images.

    Small CNN Zoo of Unterthiner et al. (2020). No padding is our choice: the sources that we opened do not say.
    """
    layers = (
        *(Conv("conv1", width=16, kernel=3, stride=2), Activation(), Dropout()),
        *(Conv("conv2", width=16, kernel=3, stride=2), Activation(), Dropout()),
        *(Conv("conv3", width=16, kernel=3, stride=2), Activation(), Dropout(), GlobalAveragePool()),
        Linear("fc", units="classes", width=10),
    )
    return Architecture(f"unterthiner_cnn_{channels}ch_{side}", (channels, side, side), layers)


def wide_mlp() -> Architecture:
    """784-256-256-10 for 28x28 images, 269,322 weights: layers wide enough for spectra (our choice)."""
    layers = (
        *(Flatten(), Linear("fc1", width=256), Activation()),
        *(Linear("fc2", width=256), Activation()),
        Linear("fc3", units="classes", width=10),
    )
    return Architecture("wide_mlp", (1, 28, 28), layers, "relu")


def mini_alexnet() -> Architecture:
    """Two convolutions with norms and three linear layers for 32x32 images, 1,873,930 learned weights.

    Sizes from `book/thesis/zoos.yml`; that each norm stands between its ReLU and its pool is the order of the group's
    later code (HSG-AIML).
    """
    layers = (
        *(Conv("conv1", width=96, kernel=3), Activation(), Norm("norm1"), MaxPool(kernel=3)),
        *(Conv("conv2", width=256, kernel=3), Activation(), Norm("norm2"), MaxPool(), Flatten()),
        *(Linear("fc1", width=384), Activation(), Linear("fc2", width=192), Activation()),
        Linear("fc3", units="classes", width=10),
    )
    return Architecture("mini_alexnet", (3, 32, 32), layers, "relu")


def small_resnet(channels: int = 3) -> Architecture:
    """Two residual blocks behind a stem of stride 2, 5,122 or 5,266 learned weights (our choice).

    One channel means 28x28 images, three mean 32x32. `stream1` has 8 units; the second block halves the side and goes
    on with the 16 units of `stream2`, which a strided 1x1 convolution with its norm writes too.
    """
    side = 28 if channels == 1 else 32
    layers = (
        Conv("conv1", units="stream1", width=8, kernel=3, stride=2, padding=1, bias=False),
        *(Norm("norm1"), Activation("act1")),
        *_block("block1", "act1", "stream1", "stream1", 8, 1, ("norm", "shortcut", "shortcut_norm")),
        *_block("block2", "block1.act2", "stream1", "stream2", 16, 2, ("norm", "shortcut", "shortcut_norm")),
        *(GlobalAveragePool(), Linear("fc", units="classes", width=10)),
    )
    return Architecture(f"small_resnet_{channels}ch", (channels, side, side), layers, "relu")


def resnet18(classes: int = 10) -> Architecture:
    """ResNet-18 for 32x32 images: a 3x3 stem without a pool, 11,173,962 learned weights for 10 classes.

    He et al. (2016), with the stem of the Model Zoos (2022). Weights are named as in torchvision's state dict, so
    `layout.flatten` takes a public checkpoint of this form.
    """
    layers = [
        Conv("conv1", units="stream1", width=64, kernel=3, padding=1, bias=False),
        *(Norm("bn1"), Activation("relu")),
    ]
    came, stream = "relu", "stream1"
    for stage, width in enumerate((64, 128, 256, 512), start=1):
        for number in (0, 1):
            name, onward = f"layer{stage}.{number}", f"stream{stage}"
            stride = 2 if stage > 1 and number == 0 else 1
            layers += _block(name, came, stream, onward, width, stride, ("bn", "downsample.0", "downsample.1"))
            came, stream = f"{name}.act2", onward
    layers += [GlobalAveragePool(), Linear("fc", units="classes", width=classes)]
    return Architecture(f"resnet18_{classes}", (3, 32, 32), tuple(layers), "relu")


def _block(
    name: str, came: str, stream: str, onward: str, width: int, stride: int, called: tuple[str, str, str]
) -> list[Layer]:
    """A basic residual block from the layer `came`, which holds `stream`, to the units `onward`.

    `called`: what norms (with a number behind), the shortcut and its norm are called. Its output is `name.act2`.
    """
    norm, shortcut, shortcut_norm = called
    inner = Conv(f"{name}.conv1", source=came, width=width, kernel=3, stride=stride, padding=1, bias=False)
    back = Conv(f"{name}.conv2", units=onward, width=width, kernel=3, padding=1, bias=False)
    layers = [inner, Norm(f"{name}.{norm}1"), Activation(), back, Norm(f"{name}.{norm}2")]
    if stream == onward:
        return [*layers, Add(other=came), Activation(f"{name}.act2")]
    across = Conv(f"{name}.{shortcut}", came, onward, width, kernel=1, stride=stride, bias=False)
    beside = Norm(f"{name}.{shortcut_norm}")
    return [*layers, across, beside, Add(other=f"{name}.{norm}2"), Activation(f"{name}.act2")]


ARCHITECTURES: dict[str, Callable[[], Architecture]] = {
    "tetris_mlp": tetris_mlp,
    "digits_cnn": digits_cnn,
    "small_cnn_1ch": small_cnn,
    "small_cnn_3ch": lambda: small_cnn(3),
    "large_cnn_1ch": lambda: large_cnn(1),
    "large_cnn_3ch": large_cnn,
    "unterthiner_cnn_1ch_28": unterthiner_cnn,
    "unterthiner_cnn_1ch_32": lambda: unterthiner_cnn(1, 32),
    "small_resnet_1ch": lambda: small_resnet(1),
    "small_resnet_3ch": small_resnet,
    "wide_mlp": wide_mlp,
}
LARGE_ARCHITECTURES: dict[str, Callable[[], Architecture]] = {  # apart: what is done to every network takes seconds
    "mini_alexnet": mini_alexnet,
    "resnet18_10": resnet18,
    "resnet18_100": lambda: resnet18(100),
}


def architecture(name: str) -> Architecture:
    """The architecture of that name, large ones too; ValueError with the known names if there is none."""
    known = ARCHITECTURES | LARGE_ARCHITECTURES
    if name not in known:
        raise ValueError(f"There is no architecture {name!r}; choose one of {', '.join(known)}.")
    return known[name]()


def is_registered(network: BaseArchitecture) -> bool:
    """Whether `architecture(network.name)` gives this very network back, up to its activation: what files rely on."""
    made = (ARCHITECTURES | LARGE_ARCHITECTURES).get(network.name)
    return isinstance(network, Architecture) and bool(made) and made().with_activation(network.activation) == network
