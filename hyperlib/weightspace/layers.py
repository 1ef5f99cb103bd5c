"""The kinds of layer that a network of the book can have.

A layer names the group of units that it writes; layers that write the same group share their units (a residual
stream). Each kind says four things: the shape it makes, the parameters it owns, how it runs for a whole population at
once, and which `torch.nn` module it is. Activations travel as `[batch, models, ...]`, so that a population's
convolution is one grouped convolution and its linear layer one batched matrix product, without copies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Sine(nn.Module):
    """sin(x), the activation of implicit neural representations."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x)


ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[], nn.Module]]] = {
    "tanh": (torch.tanh, nn.Tanh),
    "relu": (F.relu, nn.ReLU),
    "sigmoid": (torch.sigmoid, nn.Sigmoid),
    "gelu": (F.gelu, nn.GELU),
    "silu": (F.silu, nn.SiLU),
    "leaky_relu": (F.leaky_relu, nn.LeakyReLU),
    "sine": (torch.sin, Sine),
}


@dataclass
class Pass:
    """What one forward pass needs besides weights and activations, and what it leaves behind.

    `dropout(place, shape)` gives the factors of the dropout layer at that place, or is None when nothing is dropped.
    In training, norms use the batch's statistics and leave updated running statistics in `statistics`.
    """

    activation: str
    training: bool = False
    dropout: Callable[[int, tuple[int, ...]], Tensor] | None = None
    place: int = 0
    statistics: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Layer:
    """What all kinds share: a name (needed where parameters or a later layer refer to it) and an optional source.

    `source` names the earlier layer to read from; None reads from the layer before.
    """

    name: str = ""
    source: str | None = None

    units: ClassVar[str] = ""  # the group this layer writes; empty where it passes its input's units on
    writes: ClassVar[bool] = False  # its output is a group of its own, not its input's
    ties: ClassVar[bool] = False  # it carries unit k of one group to unit k of another without weights

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """Output shape of one image, from its input shape."""
        return inputs

    def parameters(self, inputs: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """Shapes of the layer's own tensors by part, in the order of the usual state dict."""
        return {}

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        """Apply to `[batch, models, ...]` with `own[part]` of shape `[models, ...]`."""
        raise NotImplementedError

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        """The same layer as a `torch.nn` module of one network."""
        raise NotImplementedError


@dataclass(frozen=True)
class Conv(Layer):
    """Convolution with a square kernel; `width` output channels form the group `units`."""

    writes: ClassVar[bool] = True

    units: str = ""
    width: int = 1
    kernel: int = 3
    stride: int = 1
    padding: int = 0
    bias: bool = True

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        _need_image(self, inputs)
        _need_positive(self, width=self.width, kernel=self.kernel, stride=self.stride, padding=self.padding + 1)
        return (self.width, *_windows(self, inputs, self.kernel, self.stride, self.padding))

    def parameters(self, inputs: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        weight = {"weight": (self.width, inputs[0], self.kernel, self.kernel)}
        return weight | ({"bias": (self.width,)} if self.bias else {})

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        weight = own["weight"]
        bias = own["bias"].flatten() if self.bias else None
        # images shared by all models (one group) meet every model's filters in one dense convolution
        y = F.conv2d(x.flatten(1, 2), weight.flatten(0, 1), bias, self.stride, self.padding, groups=x.shape[1])
        return y.unflatten(1, weight.shape[:2])

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        return nn.Conv2d(inputs[0], self.width, self.kernel, self.stride, self.padding, bias=self.bias)


@dataclass(frozen=True)
class Linear(Layer):
    """Fully connected layer on flat features; `width` outputs form the group `units`."""

    writes: ClassVar[bool] = True

    units: str = ""
    width: int = 1
    bias: bool = True

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        if len(inputs) != 1:
            raise ValueError(
                f"{self.name}: a linear layer reads flat features, but gets {inputs}; put Flatten() before."
            )
        _need_positive(self, width=self.width)
        return (self.width,)

    def parameters(self, inputs: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.width, inputs[0])} | ({"bias": (self.width,)} if self.bias else {})

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        rows, turned = x.transpose(0, 1), own["weight"].transpose(1, 2)
        models = max(rows.shape[0], turned.shape[0])
        rows = rows.expand(models, -1, -1)
        y = torch.baddbmm(own["bias"][:, None], rows, turned) if self.bias else torch.bmm(rows, turned)
        return y.transpose(0, 1)

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        return nn.Linear(inputs[0], self.width, bias=self.bias)


@dataclass(frozen=True)
class Norm(Layer):
    """Batch normalisation with affine parameters and running statistics (momentum 0.1, as in PyTorch)."""

    momentum: ClassVar[float] = 0.1
    epsilon: ClassVar[float] = 1e-5

    def parameters(self, inputs: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (inputs[0],))

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        models = own["weight"].shape[0]
        flat = {part: values.flatten() for part, values in own.items()}  # every model's channels side by side
        mean, variance = flat["running_mean"], flat["running_var"]
        if now.training:  # PyTorch writes the new statistics over the old
            mean, variance = mean.detach().clone(), variance.detach().clone()
        x = x.expand(-1, models, *x.shape[2:]).flatten(1, 2)
        y = F.batch_norm(x, mean, variance, flat["weight"], flat["bias"], now.training, self.momentum, self.epsilon)
        if now.training:
            for part, new in (("running_mean", mean), ("running_var", variance)):
                now.statistics[f"{self.name}.{part}"] = new.unflatten(0, (models, -1))
        return y.unflatten(1, (models, -1))

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        return nn.BatchNorm2d(inputs[0]) if len(inputs) == 3 else nn.BatchNorm1d(inputs[0])


@dataclass(frozen=True)
class MaxPool(Layer):
    """Maximum over square windows that do not overlap unless `stride` says so."""

    kernel: int = 2
    stride: int | None = None

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        _need_image(self, inputs)
        stride = self.kernel if self.stride is None else self.stride
        _need_positive(self, kernel=self.kernel, stride=stride)
        return (inputs[0], *_windows(self, inputs, self.kernel, stride))

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        return F.max_pool2d(x.flatten(1, 2), self.kernel, self.stride).unflatten(1, x.shape[1:3])

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        return nn.MaxPool2d(self.kernel, self.stride)


@dataclass(frozen=True)
class GlobalAveragePool(Layer):
    """Mean over all places of a channel; the result is flat."""

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        _need_image(self, inputs)
        return inputs[:1]

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        return x.mean((3, 4))

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


@dataclass(frozen=True)
class Flatten(Layer):
    """Channels and places become one row of features, channel by channel."""

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        size = 1
        for side in inputs:
            size *= side
        return (size,)

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        return x.flatten(2)

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        return nn.Flatten()


@dataclass(frozen=True)
class Activation(Layer):
    """Element-wise nonlinearity; without a `kind` it is the architecture's own."""

    kind: str | None = None

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        return ACTIVATIONS[self.kind or now.activation][0](x)

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        return ACTIVATIONS[self.kind or activation][1]()


@dataclass(frozen=True)
class Dropout(Layer):
    """A place where single activations may be dropped in training; the rate belongs to the model's design."""

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        if not now.training or now.dropout is None:
            return x
        return x * now.dropout(now.place, tuple(x.shape))

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        return nn.Dropout(dropout)


@dataclass(frozen=True)
class Add(Layer):
    """Residual addition: what comes in plus the output of the earlier layer called `other`."""

    other: str = ""


@dataclass(frozen=True)
class PadChannels(Layer):
    """Shortcut without weights into a wider group: the input's channels first, then channels of zeros.

    With a `stride` it keeps every so many places per direction, as a convolution of kernel 1 would. It writes the
    group `units`, whose unit k it ties to its input's unit k. Source: He et al. (2016), option A; where the zeros
    stand is our choice.
    """

    writes: ClassVar[bool] = True
    ties: ClassVar[bool] = True

    units: str = ""
    width: int = 1
    stride: int = 1

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        _need_image(self, inputs)
        _need_positive(self, width=self.width, stride=self.stride)
        if self.width < inputs[0]:
            raise ValueError(
                f"PadChannels {self.name} makes {self.width} channels out of {inputs[0]}; it can only add some, so "
                f"give a width of {inputs[0]} or more."
            )
        return (self.width, *_windows(self, inputs, 1, self.stride))

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        return _padded(x, self.width, self.stride)

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        return Padding(self.width, self.stride)


class Padding(nn.Module):
    """`PadChannels` of one network."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.width, self.stride = width, stride

    def forward(self, x: Tensor) -> Tensor:
        return _padded(x, self.width, self.stride)


def _padded(x: Tensor, width: int, stride: int) -> Tensor:
    """Zeros behind the channels, which are the third axis from the end."""
    return F.pad(x[..., ::stride, ::stride], (0, 0, 0, 0, 0, width - x.shape[-3]))


def _need_image(layer: Layer, inputs: tuple[int, ...]) -> None:
    if len(inputs) != 3:
        kind = type(layer).__name__
        raise ValueError(f"{kind} {layer.name} reads channels x height x width, but gets flat features of {inputs}.")


def _need_positive(layer: Layer, **numbers: int) -> None:
    for what, number in numbers.items():
        if number < 1:
            kind = type(layer).__name__
            raise ValueError(f"{kind} {layer.name} has too small a {what}; a layer's sizes are whole and positive.")


def _windows(layer: Layer, inputs: tuple[int, ...], kernel: int, stride: int, padding: int = 0) -> tuple[int, ...]:
    """How many windows stand side by side, per direction."""
    sides = tuple((side + 2 * padding - kernel) // stride + 1 for side in inputs[1:])
    if min(sides) < 1:
        what = f"{type(layer).__name__} {layer.name}".rstrip()
        raise ValueError(f"{what}: a kernel of {kernel} does not fit into {inputs[1]}x{inputs[2]} places.")
    return sides
