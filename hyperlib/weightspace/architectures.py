"""The networks of the thesis's zoos, by name.

Shapes and counts as reconstructed from the released code (`book/thesis/zoos.yml`); a test compares every count.
`digits_cnn` is our choice: the small CNN shrunk to 8x8 images, so that a zoo grows in seconds.
"""

from __future__ import annotations

from collections.abc import Callable

from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.layers import Activation, Conv, Dropout, Flatten, GlobalAveragePool, Linear, MaxPool


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


ARCHITECTURES: dict[str, Callable[[], Architecture]] = {
    "tetris_mlp": tetris_mlp,
    "digits_cnn": digits_cnn,
    "small_cnn_1ch": small_cnn,
    "small_cnn_3ch": lambda: small_cnn(3),
    "large_cnn_1ch": lambda: large_cnn(1),
    "large_cnn_3ch": large_cnn,
    "unterthiner_cnn_1ch_28": unterthiner_cnn,
    "unterthiner_cnn_1ch_32": lambda: unterthiner_cnn(1, 32),
}


def architecture(name: str) -> Architecture:
    """The architecture of that name; ValueError with the known names if there is none."""
    if name not in ARCHITECTURES:
        raise ValueError(f"There is no architecture {name!r}; choose one of {', '.join(ARCHITECTURES)}.")
    return ARCHITECTURES[name]()
