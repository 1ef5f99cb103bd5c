"""Layers that slide a window over an image: convolutions and pools.

Kernel, stride, padding and dilation are one number for both directions or a pair (height, width), as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from hyperlib.weightspace.layer import Layer, Pass, Sides, called, keep_sides, need_image, need_sides, need_sizes, pair


@dataclass(frozen=True, repr=False)
class Conv(Layer):
    """Convolution; `width` output channels form the group `units`.

    `groups` shares input and output channels among so many convolutions that do not see each other; as many groups as
    input channels make it depthwise. The weight is `[width, inputs / groups, kernel height, kernel width]`.
    """

    writes: ClassVar[bool] = True
    later: ClassVar[tuple[str, ...]] = ("dilation", "groups")

    units: str = ""
    width: int = 1
    kernel: Sides = 3
    stride: Sides = 1
    padding: Sides = 0
    bias: bool = True
    dilation: Sides = 1
    groups: int = 1

    def __post_init__(self) -> None:
        keep_sides(self, "kernel", "stride", "padding", "dilation")

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        need_image(self, inputs)
        need_sizes(self, width=self.width, **{"number of groups": self.groups})
        need_sides(self, kernel=self.kernel, stride=self.stride, dilation=self.dilation)
        need_sides(self, 0, padding=self.padding)
        if inputs[0] % self.groups or self.width % self.groups:
            raise ValueError(
                f"{called(self)} shares {inputs[0]} channels and {self.width} units among {self.groups} groups; the "
                "groups must divide both."
            )
        return (self.width, *_windows(self, inputs, self.dilation))

    def parameters(self, inputs: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        weight = {"weight": (self.width, inputs[0] // self.groups, *pair(self.kernel))}
        return weight | ({"bias": (self.width,)} if self.bias else {})

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        weight = own["weight"]
        bias = own["bias"].flatten() if self.bias else None
        if self.groups > 1:  # PyTorch's groups lie side by side, so every model needs its own images
            x = x.expand(-1, len(weight), -1, -1, -1)
        groups = x.shape[1] * self.groups
        # images shared by all models (one group) meet every model's filters in one dense convolution
        y = F.conv2d(
            x.flatten(1, 2), weight.flatten(0, 1), bias, self.stride, self.padding, self.dilation, groups=groups
        )
        return y.unflatten(1, weight.shape[:2])

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        windows = (self.kernel, self.stride, self.padding, self.dilation)
        return nn.Conv2d(inputs[0], self.width, *windows, self.groups, bias=self.bias)


@dataclass(frozen=True, repr=False)
class Pool(Layer):
    """What both pools share: windows that do not overlap unless `stride` says so."""

    later: ClassVar[tuple[str, ...]] = ("padding",)

    kernel: Sides = 2
    stride: Sides | None = None
    padding: Sides = 0

    def __post_init__(self) -> None:
        keep_sides(self, "kernel", "stride", "padding")

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        need_image(self, inputs)
        need_sides(self, kernel=self.kernel)
        if self.stride is not None:
            need_sides(self, stride=self.stride)
        need_sides(self, 0, padding=self.padding)
        if any(2 * padding > side for padding, side in zip(pair(self.padding), pair(self.kernel), strict=True)):
            raise ValueError(
                f"{called(self)} has a padding of {self.padding} for a kernel of {self.kernel}; PyTorch pools pad by "
                "half of a kernel at most."
            )
        return (inputs[0], *_windows(self, inputs))


class MaxPool(Pool):
    """Maximum over windows; padding never is the maximum."""

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        return F.max_pool2d(x.flatten(1, 2), self.kernel, self.stride, self.padding).unflatten(1, x.shape[1:3])

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        return nn.MaxPool2d(self.kernel, self.stride, self.padding)


class AveragePool(Pool):
    """Mean over windows; the zeros of the padding count, as by PyTorch's default."""

    by_channel: ClassVar[bool] = True

    def run(self, x: Tensor, own: Mapping[str, Tensor], now: Pass) -> Tensor:
        return F.avg_pool2d(x.flatten(1, 2), self.kernel, self.stride, self.padding).unflatten(1, x.shape[1:3])

    def module(self, inputs: tuple[int, ...], activation: str, dropout: float) -> nn.Module:
        return nn.AvgPool2d(self.kernel, self.stride, self.padding)


def _windows(layer: Conv | Pool, inputs: tuple[int, ...], dilation: Sides = 1) -> tuple[int, ...]:
    """How many windows stand side by side, per direction."""
    stride = layer.kernel if layer.stride is None else layer.stride
    numbers = zip(inputs[1:], *map(pair, (layer.kernel, stride, layer.padding, dilation)), strict=True)
    sides = tuple((side + 2 * pad - apart * (kernel - 1) - 1) // step + 1 for side, kernel, step, pad, apart in numbers)
    if min(sides) < 1:
        spread = "" if dilation == 1 else f" (dilation {dilation})"
        raise ValueError(
            f"{called(layer)}: a kernel of {layer.kernel}{spread} does not fit into {inputs[1]}x{inputs[2]} places."
        )
    return sides
