"""Images and networks small enough for a test, and the same networks written by hand in plain PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hyperlib.files.cluster import raised
from hyperlib.images.images import Images
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.architectures import architecture
from hyperlib.weightspace.layers import (
    Activation,
    Add,
    Conv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Linear,
    MaxPool,
    Norm,
    PadChannels,
)


def some_images(shape: tuple[int, int, int], classes: int, *, train: int, test: int, seed: int = 0) -> Images:
    """Noise around one pattern per class."""
    generator = torch.Generator().manual_seed(seed)
    patterns = torch.randn(classes, *shape, generator=generator)
    parts = {}
    for part, count in (("train", train), ("test", test)):
        labels = torch.randint(classes, (count,), generator=generator)
        parts[f"{part}_x"] = patterns[labels] + torch.randn(count, *shape, generator=generator)
        parts[f"{part}_y"] = labels
    return Images("toy", **parts, classes=tuple(str(label) for label in range(classes)), source="drawn by a test")


def residual_net() -> Architecture:
    """Norms, padding, a residual stream that two convolutions write, a stride and a global average pool."""
    layers = (
        *(Conv("conv1", units="stream", width=4, kernel=3, padding=1), Norm("norm1"), Activation("act1")),
        *(Conv("conv2", units="stream", width=4, kernel=3, padding=1), Norm("norm2"), Add("sum", other="act1")),
        *(Activation(), Conv("conv3", width=5, kernel=3, stride=2, padding=1, bias=False), Activation()),
        *(GlobalAveragePool(), Linear("fc", units="classes", width=3)),
    )
    return Architecture("residual_net", (2, 6, 6), layers, "relu")


def branching_net() -> Architecture:
    """Dotted names, two layers that read the image, overlapping pool windows, a norm of flat features."""
    layers = (
        Conv("stage.conv1", units="stream", width=3, kernel=3, stride=2, padding=1),
        Conv("stage.shortcut", source="image", units="stream", width=3, kernel=1, stride=2),
        *(Add("sum", other="stage.conv1"), Activation(), MaxPool(kernel=2, stride=1), Dropout(), Flatten()),
        *(Linear("fc1", width=7), Norm("norm"), Activation(kind="sine"), Dropout()),
        Linear("fc2", units="classes", width=4, bias=False),
    )
    return Architecture("branching_net", (2, 7, 7), layers, "tanh")


def image_residual_net() -> Architecture:
    """A convolution that writes into the image's own channels, whose sum with the image is classified."""
    layers = (
        *(Conv("conv1", units="image", width=2, kernel=3, padding=1), Add("sum", other="image"), Activation()),
        *(Flatten(), Linear("fc", units="classes", width=3)),
    )
    return Architecture("image_residual_net", (2, 5, 5), layers, "gelu")


def compiled_net() -> Architecture:
    """All that the compiled engine knows, in one network over images that are no square and fill no whole vectors.

    Additions with the image and with a layer that is read twice, a convolution with padding and a stride, one of
    kernel 1, overlapping windows, windows that leave a border, a map with padding that is flattened, dropout before and
    after flattening, and three rows of scores that are added.
    """
    layers = (
        *(Conv("conv1", units="image", width=3, kernel=3, padding=1), Add("sum1", other="image")),
        *(Activation(kind="gelu"), MaxPool(kernel=3, stride=2), Dropout()),
        *(Conv("conv2", units="stream", width=5, kernel=3, stride=2, padding=1), Activation("act2")),
        *(Conv("conv3", units="stream", width=5, kernel=1), Add("sum2", other="act2")),
        *(Activation("bent", kind="sine"), Conv("conv4", width=4, kernel=3, padding=1, bias=False)),
        *(GlobalAveragePool(), Linear("scores1", units="classes", width=3)),
        *(MaxPool(source="bent"), Dropout(), Flatten(), Linear("scores2", units="classes", width=3, bias=False)),
        Add("sum3", other="scores1"),
        *(Flatten(source="bent"), Dropout(), Linear("scores3", units="classes", width=3), Add("sum4", other="sum3")),
    )
    return Architecture("compiled_net", (3, 15, 13), layers, "tanh")


def padded_net() -> Architecture:
    """A residual block whose shortcut has no weights: it halves the side and pads channels with zeros."""
    layers = (
        *(Conv("conv1", units="narrow", width=3, kernel=3, padding=1), Activation("act1")),
        *(Conv("inner", width=4, kernel=3, stride=2, padding=1), Activation()),
        *(Conv("back", units="wide", width=5, kernel=3, padding=1),),
        *(PadChannels("shortcut", "act1", units="wide", width=5, stride=2), Add("sum", other="back")),
        *(Activation(), GlobalAveragePool(), Linear("fc", units="classes", width=3)),
    )
    return Architecture("padded_net", (2, 7, 7), layers, "relu")


def coupled_residual(stream: int, inner: int, *, side: int = 2, classes: int = 3) -> Architecture:
    """A tanh network of linear layers: a stream that a stem and two blocks write, each block through its own units.

    Without norms and pools every unit's sign is free, and the stream's order couples all layers but none alone.
    """
    blocks = []
    for number in (1, 2):
        came = f"sum{number - 1}" if number > 1 else "stem"
        blocks += [Activation(), Linear(f"block{number}.fc1", width=inner), Activation()]
        blocks += [Linear(f"block{number}.fc2", units="stream", width=stream), Add(f"sum{number}", other=came)]
    layers = (
        *(Flatten(), Linear("stem", units="stream", width=stream), *blocks),
        *(Activation(), Linear("fc", units="classes", width=classes)),
    )
    return Architecture(f"coupled_residual_{stream}_{inner}", (1, side, side), layers, "tanh")


def odd_residual_net() -> Architecture:
    """The coupled residual toy at a size for every test."""
    return replace(coupled_residual(4, 3), name="odd_residual_net")


TOYS: dict[str, Callable[[], Architecture]] = {
    net().name: net
    for net in (residual_net, branching_net, image_residual_net, compiled_net, padded_net, odd_residual_net)
}


def network(name: str) -> Architecture:
    """An architecture of the library or of the toys."""
    return TOYS[name]() if name in TOYS else architecture(name)


# -- the same by hand ----------------------------------------------------------------------------------------

NONLINEARITIES = {
    "tanh": torch.tanh,
    "relu": torch.relu,  # slope 0 at 0, which Adam reaches: bias 0.01 minus its first step of lr 0.01
    "sigmoid": lambda x: 1 / (1 + torch.exp(-x)),
    "gelu": lambda x: x * 0.5 * (1 + torch.erf(x / 2**0.5)),
    "silu": lambda x: x / (1 + torch.exp(-x)),
    "leaky_relu": lambda x: torch.where(x > 0, x, 0.01 * x),
    "sine": torch.sin,
}


class Plain(nn.Module):
    """A hand-written network: layers by name, and a function that runs them.

    `drop(place, x)` stands where the architecture's layer number `place` is a Dropout.
    """

    def __init__(self, layers: dict[str, nn.Module], run: Callable[[Plain, Tensor], Tensor], activation: str) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({name.replace(".", "/"): layer for name, layer in layers.items()})
        self.run, self.act = run, NONLINEARITIES[activation]
        self.drop: Callable[[int, Tensor], Tensor] = lambda place, x: x

    def __getitem__(self, name: str) -> nn.Module:
        return self.layers[name.replace(".", "/")]

    def __contains__(self, name: str) -> bool:
        return name.replace(".", "/") in self.layers

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)

    def state(self) -> dict[str, Tensor]:
        """The state dict by the names of the architecture, without the norms' batch counters."""
        state = {name.removeprefix("layers.").replace("/", "."): value for name, value in self.state_dict().items()}
        return {name: value for name, value in state.items() if "num_batches" not in name}

    def load(self, state: dict[str, Tensor]) -> Plain:
        """Take over weights; the names must be the same."""
        own = self.state()
        assert set(own) == set(state)
        with torch.no_grad():
            for name, value in own.items():
                value.copy_(state[name])
        return self


def _tetris(net: Plain, x: Tensor) -> Tensor:
    return net["fc2"](net.act(net["fc1"](x.reshape(len(x), 16))))


def _digits(net: Plain, x: Tensor) -> Tensor:
    x = net.drop(3, net.act(F.max_pool2d(net["conv1"](x), 2)))
    x = net.drop(6, net.act(net["conv2"](x)))
    return net["fc2"](net.drop(10, net.act(net["fc1"](x.reshape(len(x), 24)))))


def _small(net: Plain, x: Tensor) -> Tensor:
    x = net.drop(3, net.act(F.max_pool2d(net["conv1"](x), 2)))
    x = net.drop(7, net.act(F.max_pool2d(net["conv2"](x), 2)))
    x = net.drop(10, net.act(net["conv3"](x)))
    return net["fc2"](net.drop(14, net.act(net["fc1"](x.reshape(len(x), 36)))))


def _large(net: Plain, x: Tensor) -> Tensor:
    for place, name in ((3, "conv1"), (7, "conv2"), (11, "conv3")):
        x = net.drop(place, net.act(F.max_pool2d(net[name](x), 2)))
    return net["fc2"](net.act(net["fc1"](x.reshape(len(x), 60))))


def _unterthiner(net: Plain, x: Tensor) -> Tensor:
    for place, name in ((2, "conv1"), (5, "conv2"), (8, "conv3")):
        x = net.drop(place, net.act(net[name](x)))
    return net["fc"](x.mean((2, 3)))


def _residual(net: Plain, x: Tensor) -> Tensor:
    first = net.act(net["norm1"](net["conv1"](x)))
    x = net.act(first + net["norm2"](net["conv2"](first)))
    return net["fc"](net.act(net["conv3"](x)).mean((2, 3)))


def _branching(net: Plain, x: Tensor) -> Tensor:
    x = net.act(net["stage.conv1"](x) + net["stage.shortcut"](x))
    x = net.drop(5, F.max_pool2d(x, 2, 1)).reshape(len(x), 27)
    return net["fc2"](net.drop(10, torch.sin(net["norm"](net["fc1"](x)))))


def _image_residual(net: Plain, x: Tensor) -> Tensor:
    return net["fc"](net.act(x + net["conv1"](x)).reshape(len(x), 50))


def _compiled(net: Plain, x: Tensor) -> Tensor:
    x = net.drop(4, F.max_pool2d(F.gelu(x + net["conv1"](x)), 3, 2))
    first = net.act(net["conv2"](x))
    bent = torch.sin(first + net["conv3"](first))
    scores = net["scores1"](net["conv4"](bent).mean((2, 3)))
    scores = scores + net["scores2"](net.drop(14, F.max_pool2d(bent, 2)).reshape(len(x), 10))
    return scores + net["scores3"](net.drop(19, bent.reshape(len(x), 60)))


def _padded(net: Plain, x: Tensor) -> Tensor:
    first = net.act(net["conv1"](x))
    x = net["back"](net.act(net["inner"](first)))
    shortcut = torch.zeros_like(x)
    shortcut[:, :3] = first[:, :, ::2, ::2]
    return net["fc"](net.act(x + shortcut).mean((2, 3)))


def _odd_residual(net: Plain, x: Tensor) -> Tensor:
    x = net["stem"](x.reshape(len(x), 4))
    for block in ("block1", "block2"):
        x = x + net[f"{block}.fc2"](net.act(net[f"{block}.fc1"](net.act(x))))
    return net["fc"](net.act(x))


def _wide(net: Plain, x: Tensor) -> Tensor:
    x = net.act(net["fc1"](x.reshape(len(x), 784)))
    return net["fc3"](net.act(net["fc2"](x)))


def _alexnet(net: Plain, x: Tensor) -> Tensor:
    x = F.max_pool2d(net["norm1"](net.act(net["conv1"](x))), 3)
    x = F.max_pool2d(net["norm2"](net.act(net["conv2"](x))), 2).reshape(len(x), 4096)
    return net["fc3"](net.act(net["fc2"](net.act(net["fc1"](x)))))


def _basic_block(net: Plain, x: Tensor, name: str, norm: str, shortcut: str, shortcut_norm: str) -> Tensor:
    y = net.act(net[f"{name}.{norm}1"](net[f"{name}.conv1"](x)))
    y = net[f"{name}.{norm}2"](net[f"{name}.conv2"](y))
    if f"{name}.{shortcut}" in net:
        x = net[f"{name}.{shortcut_norm}"](net[f"{name}.{shortcut}"](x))
    return net.act(x + y)


def _small_resnet(net: Plain, x: Tensor) -> Tensor:
    x = net.act(net["norm1"](net["conv1"](x)))
    for block in ("block1", "block2"):
        x = _basic_block(net, x, block, "norm", "shortcut", "shortcut_norm")
    return net["fc"](x.mean((2, 3)))


def _resnet18(net: Plain, x: Tensor) -> Tensor:
    x = net.act(net["bn1"](net["conv1"](x)))
    for stage in (1, 2, 3, 4):
        for number in (0, 1):
            x = _basic_block(net, x, f"layer{stage}.{number}", "bn", "downsample.0", "downsample.1")
    return net["fc"](x.mean((2, 3)))


def _conv3(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)


def _small_resnet_layers(colours: int) -> dict[str, nn.Module]:
    layers = {"conv1": _conv3(colours, 8, 2), "norm1": nn.BatchNorm2d(8)}
    layers |= {"block1.conv1": _conv3(8, 8), "block1.norm1": nn.BatchNorm2d(8)}
    layers |= {"block1.conv2": _conv3(8, 8), "block1.norm2": nn.BatchNorm2d(8)}
    layers |= {"block2.conv1": _conv3(8, 16, 2), "block2.norm1": nn.BatchNorm2d(16)}
    layers |= {"block2.conv2": _conv3(16, 16), "block2.norm2": nn.BatchNorm2d(16)}
    layers |= {"block2.shortcut": nn.Conv2d(8, 16, 1, 2, bias=False), "block2.shortcut_norm": nn.BatchNorm2d(16)}
    return layers | {"fc": nn.Linear(16, 10)}


def _resnet18_layers() -> dict[str, nn.Module]:
    layers, before = {"conv1": _conv3(3, 64), "bn1": nn.BatchNorm2d(64)}, 64
    for stage, width in ((1, 64), (2, 128), (3, 256), (4, 512)):
        for name, inputs, stride in ((f"layer{stage}.0", before, 1 + (stage > 1)), (f"layer{stage}.1", width, 1)):
            layers |= {f"{name}.conv1": _conv3(inputs, width, stride), f"{name}.bn1": nn.BatchNorm2d(width)}
            layers |= {f"{name}.conv2": _conv3(width, width), f"{name}.bn2": nn.BatchNorm2d(width)}
            if inputs != width:
                layers[f"{name}.downsample.0"] = nn.Conv2d(inputs, width, 1, stride, bias=False)
                layers[f"{name}.downsample.1"] = nn.BatchNorm2d(width)
        before = width
    return layers | {"fc": nn.Linear(512, 10)}


def by_hand(name: str, activation: str) -> Plain:
    """The network of that name as one would write it without the library."""
    colours = 3 if "3ch" in name else 1
    if name == "tetris_mlp":
        layers = {"fc1": nn.Linear(16, 5, bias=False), "fc2": nn.Linear(5, 4, bias=False)}
        return Plain(layers, _tetris, activation)
    if name == "digits_cnn":
        layers = {"conv1": nn.Conv2d(1, 8, 3), "conv2": nn.Conv2d(8, 6, 2)}
        return Plain(layers | {"fc1": nn.Linear(24, 20), "fc2": nn.Linear(20, 10)}, _digits, activation)
    if name.startswith("small_cnn"):
        layers = {"conv1": nn.Conv2d(colours, 8, 5), "conv2": nn.Conv2d(8, 6, 5), "conv3": nn.Conv2d(6, 4, 2)}
        return Plain(layers | {"fc1": nn.Linear(36, 20), "fc2": nn.Linear(20, 10)}, _small, activation)
    if name.startswith("large_cnn"):
        layers = {"conv1": nn.Conv2d(colours, 16, 3), "conv2": nn.Conv2d(16, 32, 3), "conv3": nn.Conv2d(32, 15, 3)}
        return Plain(layers | {"fc1": nn.Linear(60, 20), "fc2": nn.Linear(20, 10)}, _large, activation)
    if name.startswith("unterthiner"):
        layers = {"conv1": nn.Conv2d(1, 16, 3, 2), "conv2": nn.Conv2d(16, 16, 3, 2), "conv3": nn.Conv2d(16, 16, 3, 2)}
        return Plain(layers | {"fc": nn.Linear(16, 10)}, _unterthiner, activation)
    if name.startswith("small_resnet"):
        return Plain(_small_resnet_layers(colours), _small_resnet, activation)
    if name == "resnet18_10":
        return Plain(_resnet18_layers(), _resnet18, activation)
    if name == "mini_alexnet":
        layers = {"conv1": nn.Conv2d(3, 96, 3), "norm1": nn.BatchNorm2d(96)}
        layers |= {"conv2": nn.Conv2d(96, 256, 3), "norm2": nn.BatchNorm2d(256)}
        layers |= {"fc1": nn.Linear(4096, 384), "fc2": nn.Linear(384, 192), "fc3": nn.Linear(192, 10)}
        return Plain(layers, _alexnet, activation)
    if name == "wide_mlp":
        layers = {"fc1": nn.Linear(784, 256), "fc2": nn.Linear(256, 256), "fc3": nn.Linear(256, 10)}
        return Plain(layers, _wide, activation)
    if name == "padded_net":
        layers = {"conv1": nn.Conv2d(2, 3, 3, padding=1), "inner": nn.Conv2d(3, 4, 3, 2, 1)}
        return Plain(layers | {"back": nn.Conv2d(4, 5, 3, padding=1), "fc": nn.Linear(5, 3)}, _padded, activation)
    if name == "odd_residual_net":
        layers = {"stem": nn.Linear(4, 4), "block1.fc1": nn.Linear(4, 3), "block1.fc2": nn.Linear(3, 4)}
        layers |= {"block2.fc1": nn.Linear(4, 3), "block2.fc2": nn.Linear(3, 4), "fc": nn.Linear(4, 3)}
        return Plain(layers, _odd_residual, activation)
    if name == "residual_net":
        layers = {"conv1": nn.Conv2d(2, 4, 3, padding=1), "norm1": nn.BatchNorm2d(4)}
        layers |= {"conv2": nn.Conv2d(4, 4, 3, padding=1), "norm2": nn.BatchNorm2d(4)}
        layers |= {"conv3": nn.Conv2d(4, 5, 3, 2, 1, bias=False), "fc": nn.Linear(5, 3)}
        return Plain(layers, _residual, activation)
    if name == "branching_net":
        layers = {"stage.conv1": nn.Conv2d(2, 3, 3, 2, 1), "stage.shortcut": nn.Conv2d(2, 3, 1, 2)}
        layers |= {"fc1": nn.Linear(27, 7), "norm": nn.BatchNorm1d(7), "fc2": nn.Linear(7, 4, bias=False)}
        return Plain(layers, _branching, activation)
    if name == "compiled_net":
        layers = {
            "conv1": nn.Conv2d(3, 3, 3, padding=1),
            "conv2": nn.Conv2d(3, 5, 3, 2, 1),
            "conv3": nn.Conv2d(5, 5, 1),
        }
        layers |= {"conv4": nn.Conv2d(5, 4, 3, padding=1, bias=False), "scores1": nn.Linear(4, 3)}
        layers |= {"scores2": nn.Linear(10, 3, bias=False), "scores3": nn.Linear(60, 3)}
        return Plain(layers, _compiled, activation)
    layers = {"conv1": nn.Conv2d(2, 2, 3, padding=1), "fc": nn.Linear(50, 3)}
    return Plain(layers, _image_residual, activation)


def sweep_here(function, calls, take, miss=raised, **where):
    """Calls of a sweep, one after the other in this process."""
    for name, arguments in calls.items():
        try:
            result = function(*arguments)
        except Exception as error:
            miss(name, error)
        else:
            take(name, result)
