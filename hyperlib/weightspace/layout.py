"""A checkpoint as one flat vector with named places.

A `Layout` says which part of which layer stands where in a weight vector. It can be read off any state dict, so
statistics, tokens and distances work on networks that nobody here trained. The order is the state dict's own: for each
layer its weight, then its bias, flattened row by row (Schürholt et al. 2021, notation of the weight vector).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hyperlib.weightspace.values import as_tensor


@dataclass(frozen=True)
class Slot:
    """One named tensor inside the weight vector.

    `learned` is False for what training updates without a gradient (the running statistics of a norm).
    """

    layer: str
    part: str
    start: int
    shape: tuple[int, ...]
    learned: bool = True

    @property
    def name(self) -> str:
        """The state dict's key."""
        return f"{self.layer}.{self.part}" if self.layer and self.part else self.layer or self.part

    @property
    def size(self) -> int:
        """Number of entries."""
        return prod(self.shape)

    @property
    def stop(self) -> int:
        """First place after this slot."""
        return self.start + self.size


@dataclass(frozen=True)
class Layout:
    """Named slots that cover a flat vector without gaps, in order.

    Raises ValueError when slots overlap, leave gaps or repeat a name.
    """

    slots: tuple[Slot, ...]

    def __post_init__(self) -> None:
        place = 0
        for slot in self.slots:
            if slot.start != place:
                raise ValueError(f"Slot {slot.name} starts at {slot.start}, but the one before it ends at {place}.")
            place = slot.stop
        names = [slot.name for slot in self.slots]
        repeated = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        if repeated:
            raise ValueError(f"Two slots of one layout are called {repeated[0]}; every slot needs its own name.")

    @classmethod
    def of_shapes(cls, shapes: Mapping[str, tuple[int, ...]], unlearned: frozenset[str] = frozenset()) -> Layout:
        """Layout of named shapes in the given order; a name's last part after the dot is the slot's part."""
        slots, place = [], 0
        for name, shape in shapes.items():
            layer, _, part = name.rpartition(".")
            slots.append(Slot(layer, part, place, tuple(shape), name not in unlearned))
            place = slots[-1].stop
        return cls(tuple(slots))

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Tensor]) -> Layout:
        """Layout of any network's state dict: every floating-point tensor is a slot, in the dict's order.

        Integer buffers (a norm's batch counter) are no weights and stay outside. Running statistics are slots that are
        not learned. Raises ValueError when nothing is left.
        """
        tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}  # no "extra state"
        floating = {name: tuple(value.shape) for name, value in tensors.items() if value.is_floating_point()}
        if not floating:
            raise ValueError("This state dict holds no floating-point tensor, so there is no weight vector to lay out.")
        statistics = ("running_mean", "running_var")
        unlearned = frozenset(name for name in floating if name.rpartition(".")[2] in statistics)
        return cls.of_shapes(floating, unlearned)

    @property
    def size(self) -> int:
        """Length of the weight vector."""
        return self.slots[-1].stop if self.slots else 0

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Layer names in order of their first slot."""
        return tuple(dict.fromkeys(slot.layer for slot in self.slots))

    @cached_property
    def learned(self) -> Bool[Tensor, " params"]:
        """True where training follows a gradient."""
        parts = [torch.full((slot.size,), slot.learned) for slot in self.slots]
        return torch.cat(parts) if parts else torch.ones(0, dtype=torch.bool)

    def __iter__(self) -> Iterator[Slot]:
        return iter(self.slots)

    def __getitem__(self, name: str) -> Slot:
        for slot in self.slots:
            if slot.name == name:
                return slot
        raise KeyError(f"There is no slot {name!r}; this layout has {', '.join(s.name for s in self.slots)}.")

    def check(self, weights: Tensor, owner: str = "this layout") -> None:
        """ValueError unless the last axis of `weights` has this layout's length."""
        if weights.ndim == 0 or weights.shape[-1] != self.size:
            length = weights.shape[-1] if weights.ndim else "no axis of"
            raise ValueError(
                f"{owner} has {self.size} weights, but these vectors have {length}. "
                "Do they belong to another architecture?"
            )

    def unflatten(self, weights: Float[Tensor, "*batch params"]) -> dict[str, Float[Tensor, "..."]]:
        """State dict (views, no copies) of one vector, or of many at once along leading axes."""
        self.check(weights)
        return {
            slot.name: weights[..., slot.start : slot.stop].unflatten(-1, slot.shape)
            if slot.shape
            else weights[..., slot.start]
            for slot in self.slots
        }

    def flatten(self, state: Mapping[str, Tensor]) -> Float[Tensor, " params"]:
        """Weight vector of a state dict with this layout; keys outside the layout are left out.

        Raises ValueError naming the slot that is missing or has another shape.
        """
        parts = []
        for slot in self.slots:
            if slot.name not in state:
                raise ValueError(f"The state dict lacks {slot.name}; it has {', '.join(state)}.")
            value = as_tensor(state[slot.name])
            if tuple(value.shape) != slot.shape:
                raise ValueError(f"{slot.name} has shape {tuple(value.shape)}, the layout says {slot.shape}.")
            parts.append(value.detach().reshape(-1))
        return torch.cat(parts)
