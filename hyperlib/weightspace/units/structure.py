"""What is known of a network's units: groups that may change places, signals that may have factors, where both stand.

Seen from its units the weight vector is a set of *pieces*: boxes with an axis per group of units. A plain layer is one
piece, units written by units read by places; a layer that reads a concatenation, or that writes several things at once
(queries, keys and values; the gates of an LSTM), is several. A unit may change places with another of its *group* if
every piece follows. It may also be multiplied by a number, and there a group is too coarse: between a convolution and
its norm the units have a scale of their own. We call a *signal* what layers pass on without mixing units or changing
their scale.

A group may stand *within* another: the order of the numbers inside each attention head, or inside each group of a
grouped convolution, is free for every head by itself, and goes with its head when heads change places.

Source: thesis, ch. 2 (permutations); groups as in Ainsworth et al. (2023). Signals and pieces are our own words.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from hyperlib.weightspace.layout import Slot


@dataclass(frozen=True)
class Power:
    """A piece carries the factor of `signal` to this power; the signal's units stand along these axes of the piece."""

    signal: str
    axes: tuple[int, ...]
    power: int


@dataclass(frozen=True)
class Piece:
    """A box of the weight vector: `weights[..., start + Σ place * stride]`, with an axis per group of units or of none.

    groups: the group along every axis, "" where places are fixed. outer: for an axis whose group stands within another,
    the axis of the blocks, else -1. reads: whether the axis is one along which units are read rather than written.
    """

    slot: Slot
    start: int
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    groups: tuple[str, ...]
    outer: tuple[int, ...]
    reads: tuple[bool, ...]
    powers: tuple[Power, ...]

    def of(self, weights: Tensor) -> Tensor:
        """This box of weight vectors [models, params], a view [models, *sizes]."""
        models, strides = len(weights), weights.stride()
        return weights.as_strided(
            (models, *self.sizes),
            (strides[0], *(strides[1] * step for step in self.strides)),
            weights.storage_offset() + strides[1] * self.start,
        )


@dataclass(frozen=True)
class Signal:
    """Activations that share one factor per unit; the reasons say why one is refused, empty if it is not.

    group: whose units these are, "" where they are of several groups. sizes: of the units, the blocks first where the
    group stands within another; width is their product. carried: of the layers that carry it (place, first
    channel, stride of the units).
    """

    name: str
    group: str
    sizes: tuple[int, ...]
    against_signs: str
    against_scaling: str
    carried: tuple[tuple[int, int, int], ...] = ()

    @property
    def width(self) -> int:
        """Number of factors."""
        return torch.Size(self.sizes).numel()


@dataclass(frozen=True)
class UnitStructure:
    """All that is known of a network's units.

    pieces: they cover the weight vector once. groups: that may be permuted, with their widths. within: of those that
    stand within another group, its name ("" where the blocks keep their places). blocks: in how many blocks each group
    stands, 1 for most. refused: groups that keep their places, with the reason. signals: by name.
    """

    size: int
    pieces: tuple[Piece, ...]
    groups: dict[str, int]
    refused: dict[str, str]
    signals: dict[str, Signal]
    within: dict[str, str] = field(default_factory=dict)
    blocks: dict[str, int] = field(default_factory=dict)

    def inside(self, group: str) -> list[str]:
        """The groups that stand within this one."""
        return [name for name, outer in self.within.items() if outer == group]

    def learned(self) -> Tensor:
        """True where training follows a gradient [params]."""
        places = torch.zeros(self.size, dtype=torch.bool)
        for piece in self.pieces:
            places[piece.slot.start : piece.slot.stop] = piece.slot.learned
        return places
