"""What every kind of layer is made of: its base, its sizes and their checks, the activations, one forward pass.

The kinds themselves are in `layers`, those that slide a window over an image in `window_layers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hyperlib.weightspace.values import is_whole

Sides = int | tuple[int, int]  # one number for both directions, or (height, width)


class Sine(nn.Module):
    """sin(frequency x), the activation of implicit neural representations."""

    def __init__(self, frequency: float = 1.0) -> None:
        super().__init__()
        self.frequency = frequency

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x if self.frequency == 1 else self.frequency * x)


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
    `after(layer, x, own, given)` is asked, if there is one, for what a layer passes on instead of `given`.
    """

    activation: str
    training: bool = False
    dropout: Callable[[int, tuple[int, ...]], Tensor] | None = None
    after: Callable[[Layer, Tensor, Mapping[str, Tensor], Tensor], Tensor] | None = None
    place: int = 0
    statistics: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Layer:
    """What all kinds share: a name (needed where parameters or a later layer refer to it) and an optional source.

    `source` names the earlier layer to read from; None reads from the layer before.
    """

    name: str = ""
    source: str | None = None

    units: ClassVar[str] = ""  # the group this layer writes; empty where it passes its input's units on
    writes: ClassVar[bool] = False  # its output is a group of its own, not its input's
    ties: ClassVar[bool] = False  # it carries unit k of one group to unit k of another without weights
    by_channel: ClassVar[bool] = False  # linear in every channel by itself: orders and factors of units pass
    starts: ClassVar[Mapping[str, float]] = {}  # parts that begin as a constant
    later: ClassVar[tuple[str, ...]] = ()  # fields that came after zoos were stored

    def __repr__(self) -> str:
        """As of any dataclass, but silent on `later` fields at their defaults: stores know networks by this text."""
        values = [(part, getattr(self, part.name)) for part in fields(self)]
        shown = [(part.name, value) for part, value in values if part.name not in self.later or value != part.default]
        return f"{type(self).__qualname__}({', '.join(f'{name}={value!r}' for name, value in shown)})"

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """Output shape of one image, from its input shape. Raises ValueError where the layer does not fit."""
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


def called(layer: Layer) -> str:
    """The layer's kind and name, for messages."""
    return f"{type(layer).__name__} {layer.name}".rstrip()


def need_image(layer: Layer, inputs: tuple[int, ...]) -> None:
    """ValueError for flat features."""
    if len(inputs) != 3:
        raise ValueError(f"{called(layer)} reads channels x height x width, but gets flat features of {inputs}.")


def need_sizes(layer: Layer, least: int = 1, **sizes: Any) -> None:
    """ValueError unless these are whole numbers from `least` on."""
    for what, size in sizes.items():
        if not is_whole(size):
            raise ValueError(f"{called(layer)} has {size!r} as its {what}; a layer's sizes are whole numbers.")
        if size < least:
            raise ValueError(f"{called(layer)} has too small a {what}; a layer's sizes are whole and positive.")


def need_sides(layer: Layer, least: int = 1, **sizes: Any) -> None:
    """ValueError unless these are whole numbers from `least` on, or pairs (height, width) of such."""
    for what, size in sizes.items():
        for side in size if isinstance(size, tuple) and len(size) == 2 else (size,):
            need_sizes(layer, least, **{what: side})


def pair(sides: Sides) -> tuple[int, int]:
    """(height, width)."""
    return sides if isinstance(sides, tuple) else (sides, sides)


def keep_sides(layer: Layer, *names: str) -> None:
    """Keep a pair of equal numbers as one number, so that equal layers are equal."""
    for name in names:
        sides = getattr(layer, name)
        if isinstance(sides, tuple) and len(sides) == 2 and sides[0] == sides[1]:
            object.__setattr__(layer, name, sides[0])
