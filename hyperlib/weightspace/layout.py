"""A checkpoint as one flat vector with named places.

A `Layout` says which part of which layer stands where in a weight vector. It can be read off any state dict, so
statistics, tokens and distances work on networks that nobody here trained. The order is the state dict's own: for each
layer its weight, then its bias, flattened row by row (Schürholt et al. 2021, notation of the weight vector). Two names
of one tensor have one place, under the first name, because a network has those numbers once.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from math import prod
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hyperlib.weightspace.state_dicts import find_state_dict, is_weight, owners, require_numbers, some
from hyperlib.weightspace.values import as_tensor

_SPECTRAL = re.compile(r"(^|\.)parametrizations\.[^.]+\.\d+\._[uv]$")  # `torch.nn.utils.parametrizations.spectral_norm`


@dataclass(frozen=True)
class Slot:
    """One named tensor inside the weight vector.

    Its name is `layer.part`; a name without a dot, or with one at an end, is all part. `learned` is False for what
    training updates without a gradient (the running statistics of a norm).
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
        if len(self._by_name) < len(self.slots):
            repeated = min(name for name, count in Counter(slot.name for slot in self.slots).items() if count > 1)
            raise ValueError(f"Two slots of one layout are called {repeated}; every slot needs its own name.")

    @classmethod
    def of_shapes(cls, shapes: Mapping[str, tuple[int, ...]], unlearned: frozenset[str] = frozenset()) -> Layout:
        """Layout of named shapes in the given order; a name's last part after the dot is the slot's part."""
        slots, place = [], 0
        for name, shape in shapes.items():
            layer, _, part = name.rpartition(".")
            layer, part = (layer, part) if layer and part else ("", name)
            slots.append(Slot(layer, part, place, tuple(shape), name not in unlearned))
            place = slots[-1].stop
        return cls(tuple(slots))

    @classmethod
    def from_state_dict(cls, state: Mapping[Any, Any] | nn.Module, *, unlearned: str | Iterable[str] = ()) -> Layout:
        """Layout of any network: every dense floating-point tensor of its state dict is a slot, in the dict's order.

        Of a checkpoint it is the state dict inside (`find_state_dict`), and a warning says which was taken. Integer
        buffers (a norm's batch counter) are no weights and stay outside. Tied tensors (same memory, shape and strides)
        are one slot under their first name. Not learned are, in a module, its buffers; in a state dict, which does not
        tell, running statistics and the vectors of a spectral norm by their names. `unlearned`: keys, or patterns such
        as "*.filters", of further tensors that are not learned. Tensors of the meta device have a layout too.

        Raises ValueError when nothing is left, for an entry of `unlearned` that no such tensor matches, and where two
        state dicts could be meant; TypeError for what is no state dict.
        """
        found = find_state_dict(state)
        if found.remark:
            warnings.warn(found.remark, stacklevel=2)
        floating = {name: value for name, value in found.state.items() if is_weight(value)}
        if not floating:
            raise ValueError("This state dict holds no floating-point tensor, so there is no weight vector to lay out.")
        if isinstance(state, nn.Module):
            fixed = {name for name, value in floating.items() if not isinstance(value, nn.Parameter)}
        else:
            fixed = {name for name in floating if _is_statistic(name, floating)}
        owner = owners(floating)
        fixed = {owner[name] for name in fixed | _matching(unlearned, floating)}
        return cls.of_shapes({name: tuple(floating[name].shape) for name in owner.values()}, frozenset(fixed))

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

    @cached_property
    def _by_name(self) -> dict[str, Slot]:
        return {slot.name: slot for slot in self.slots}

    def __getitem__(self, name: str) -> Slot:
        if name not in self._by_name:
            raise KeyError(f"There is no slot {name!r}; this layout has {some(self._by_name)}.")
        return self._by_name[name]

    def check(self, weights: Tensor, owner: str = "this layout") -> None:
        """ValueError unless the last axis of `weights` has this layout's length; TypeError for what is no tensor."""
        if not isinstance(weights, Tensor):
            become = "layout.flatten(state) makes one of a state dict"
            if not isinstance(weights, Mapping | nn.Module):
                become = "torch.as_tensor makes one of an array"
            raise TypeError(
                f"A tensor of weight vectors is expected here, and this is of type {type(weights).__name__}; {become}."
            )
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

    def flatten(self, state: Mapping[Any, Any] | nn.Module) -> Float[Tensor, " params"]:
        """Weight vector of a state dict with this layout, or of a checkpoint that holds one.

        Keys outside the layout are left out; of tied tensors the first name's is taken.

        Raises ValueError naming the slot that is missing, has another shape or no numbers; TypeError for what is no
        state dict.
        """
        if not (isinstance(state, Mapping) and all(name in state for name in self._by_name)):
            state = find_state_dict(state).state
        parts = []
        for slot in self.slots:
            if slot.name not in state:
                raise ValueError(f"The state dict lacks {slot.name}; it has {some(state)}.")
            value = as_tensor(state[slot.name])
            require_numbers(slot.name, value)
            if tuple(value.shape) != slot.shape:
                raise ValueError(f"{slot.name} has shape {tuple(value.shape)}, the layout says {slot.shape}.")
            parts.append(value.detach().reshape(-1))
        return torch.cat(parts)


def _is_statistic(name: str, names: Collection[str]) -> bool:
    """Whether a tensor's name is that of what training updates without a gradient.

    A norm's running statistics, and a spectral norm's two vectors: `weight_u` and `weight_v` beside `weight_orig`, or
    those of a parametrization.
    """
    if name.rpartition(".")[2] in ("running_mean", "running_var"):
        return True
    return (name[-2:] in ("_u", "_v") and f"{name[:-2]}_orig" in names) or bool(_SPECTRAL.search(name))


def _matching(patterns: str | Iterable[str], names: Collection[str]) -> set[str]:
    """The names that are among the patterns or match one."""
    found: set[str] = set()
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        own = {pattern} if pattern in names else {name for name in names if fnmatchcase(name, pattern)}
        if not own:
            raise ValueError(f"unlearned: no floating-point tensor is called {pattern!r}; there are {some(names)}.")
        found |= own
    return found
