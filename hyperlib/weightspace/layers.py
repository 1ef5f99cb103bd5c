"""The kinds of layer that a network of the book can have.

A layer names the group of units that it writes; layers that write the same group share their units (a residual
stream). Each kind says four things: the shape it makes, the parameters it owns, how it runs for a whole population at
once, and which `torch.nn` module it is. Activations travel as `[batch, models, ...]`, so that a population's
convolution is one grouped convolution and its linear layer one batched matrix product, without copies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, prod
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hyperlib.weightspace.layer import ACTIVATIONS, Layer, Pass, Sine, called, need_image, need_sizes
from hyperlib.weightspace.window_layers import AveragePool, Conv, MaxPool

__all__ = [  # with what the two files above hold
    "ACTIVATIONS",
    "Activation",
    "Add",
    "AveragePool",
    "Conv",
    "Dropout",
    "Flatten",
    "GlobalAveragePool",
    "Identity",
    "Layer",
    "LayerNorm",
    "Linear",
    "MaxPool",
    "Norm",
    "PReLU",
    "PadChannels",
    "Pass",
]


@dataclass(frozen=True, repr=False)
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
        need_sizes(self, width=self.width)
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


@dataclass(frozen=True, repr=False)
class Norm(Layer):
    """Batch normalisation with affine parameters and running statistics (momentum 0.1, as in PyTorch)."""

    starts: ClassVar[Mapping[str, float]] = {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}
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


@dataclass(frozen=True, repr=False)
class LayerNorm(Layer):
    """Normalisation of each image by its own mean and variance, over all channels and places or all flat features.

    Weight and bias have the shape of what comes in, as `nn.LayerNorm` of that shape (Ba et al. 2016).
    """

    starts: ClassVar[Mapping[str, float]] = {"weight": 1.0, "bias": 0.0}
    epsilon: ClassVar[float] = 1e-5

    def parameters(self, inputs: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        return {"weight": inputs, "bias": inputs}

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        return F.layer_norm(x, x.shape[2:], eps=self.epsilon) * own["weight"] + own["bias"]

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        return nn.LayerNorm(inputs, self.epsilon)


@dataclass(frozen=True, repr=False)
class PReLU(Layer):
    """max(0, x) + weight min(0, x) with one learned weight per channel or feature, or one `shared` by all.

    He et al. (2015), as `nn.PReLU`.
    """

    starts: ClassVar[Mapping[str, float]] = {"weight": 0.25}

    shared: bool = False

    def parameters(self, inputs: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        return {"weight": (1 if self.shared else inputs[0],)}

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        weight = own["weight"].reshape(len(own["weight"]), -1, *(1,) * (x.ndim - 3))
        return torch.where(x > 0, x, weight * x)

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        return nn.PReLU(1 if self.shared else inputs[0])


@dataclass(frozen=True, repr=False)
class GlobalAveragePool(Layer):
    """Mean over all places of a channel; the result is flat."""

    by_channel: ClassVar[bool] = True

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        need_image(self, inputs)
        return inputs[:1]

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        return x.mean((3, 4))

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


@dataclass(frozen=True, repr=False)
class Flatten(Layer):
    """Channels and places become one row of features, channel by channel."""

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        return (prod(inputs),)

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        return x.flatten(2)

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        return nn.Flatten()


@dataclass(frozen=True, repr=False)
class Identity(Layer):
    """Passes its source on under a name of its own, so that a list of layers can go on from there."""

    by_channel: ClassVar[bool] = True

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        return x

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        return nn.Identity()


@dataclass(frozen=True, repr=False)
class Activation(Layer):
    """Element-wise nonlinearity; without a `kind` it is the architecture's own.

    `frequency` belongs to the kind "sine": sin(frequency x). Sitzmann et al. (2020) take 30.
    """

    later: ClassVar[tuple[str, ...]] = ("frequency",)

    kind: str | None = None
    frequency: float = 1.0

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        if self.kind is not None and self.kind not in ACTIVATIONS:
            raise ValueError(f"There is no activation {self.kind!r}; choose one of {', '.join(ACTIVATIONS)}.")
        if self.frequency != 1 and self.kind != "sine":
            raise ValueError(f"{called(self)} has a frequency, which only the kind 'sine' knows, not {self.kind!r}.")
        if not (isfinite(self.frequency) and self.frequency > 0):
            raise ValueError(f"{called(self)} has the frequency {self.frequency}; it is a finite number above 0.")
        return inputs

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        return ACTIVATIONS[self.kind or now.activation][0](x if self.frequency == 1 else self.frequency * x)

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        return ACTIVATIONS[self.kind or activation][1]() if self.frequency == 1 else Sine(self.frequency)


@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """A place where single activations may be dropped in training; the rate belongs to the model's design."""

    by_channel: ClassVar[bool] = True

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        if not now.training or now.dropout is None:
            return x
        return x * now.dropout(now.place, tuple(x.shape))

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        return nn.Dropout(dropout)


@dataclass(frozen=True, repr=False)
class Add(Layer):
    """Residual addition: what comes in plus the output of the earlier layer called `other`."""

    other: str = ""


@dataclass(frozen=True, repr=False)
class PadChannels(Layer):
    """Shortcut without weights into a wider group: channels of zeros before and behind those of the input.

    Channel k of the input is channel `before + k` of the output, which has `width` channels. Give `width`, or `after`
    (the zeros behind), or both where they agree. With a `stride` it keeps every so many places per direction, as a
    convolution of kernel 1 would. It writes the group `units`, whose unit before + k it ties to its input's unit k.

    Source: He et al. (2016), option A, which does not say where the zeros stand. The usual ResNet for CIFAR puts half
    of them on each side; that all stand behind by default is our choice.
    """

    writes: ClassVar[bool] = True
    ties: ClassVar[bool] = True
    later: ClassVar[tuple[str, ...]] = ("before", "after")

    units: str = ""
    width: int = 0
    stride: int = 1
    before: int = 0
    after: int | None = None

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        need_image(self, inputs)
        need_sizes(self, stride=self.stride)
        zeros = {"number of zeros before": self.before, "number of zeros after": self.after}
        need_sizes(self, 0, width=self.width, **{what: size for what, size in zeros.items() if size is not None})
        channels, height, width = inputs
        if not self.width and self.after is None:
            raise ValueError(f"{called(self)} needs a width, or how many channels of zeros come after.")
        made = self.width or self.before + channels + self.after
        if made < self.before + channels:
            raise ValueError(
                f"{called(self)} makes {made} channels out of {channels}; it can only add some, so give a width of "
                f"{self.before + channels} or more."
            )
        if self.after is not None and made != self.before + channels + self.after:
            raise ValueError(
                f"{called(self)} makes {made} channels, but {self.before} before, {channels} of its input and "
                f"{self.after} after are {self.before + channels + self.after}; leave out width or after."
            )
        return (made, -(-height // self.stride), -(-width // self.stride))

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        return self.padded(x)

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        return Padding(self)

    def padded(self, x: Tensor) -> Tensor:
        """Zeros beside the channels, which are the third axis from the end."""
        after = self.width - self.before - x.shape[-3] if self.after is None else self.after
        return F.pad(x[..., :: self.stride, :: self.stride], (0, 0, 0, 0, self.before, after))


class Padding(nn.Module):
    """`PadChannels` of one network."""

    def __init__(self, layer: PadChannels) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer.padded(x)
