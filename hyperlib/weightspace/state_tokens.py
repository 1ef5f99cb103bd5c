"""Any state dict as tokens: a round trip that loses nothing and says what it covers.

A layout holds a network's floating-point numbers. A state dict holds more: counters, buffers of other types, tensors
under two names, numbers of several precisions, a module's own notes. Here every entry has one of three fates: it goes
into the tokens, it is tied to another entry that does, or it is kept beside the tokens as it is. A tie stays a tie,
because tokens that a model changes must not say two things of one tensor.

Source: our choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.weightspace.layout import Layout
from hyperlib.weightspace.tokens import Tokenizer

TOKENS, TIED, KEPT = "tokens", "tied", "kept"


@dataclass(frozen=True)
class Entry:
    """One key of a state dict: where its value goes, and under which `owner` its numbers stand if it is tied."""

    name: str
    goes: str
    shape: tuple[int, ...] = ()
    dtype: torch.dtype | None = None  # None for what is no tensor
    owner: str = ""


@dataclass(frozen=True)
class StateTokenizer:
    """Tokens of whole state dicts of one network; made by `StateTokenizer.of`."""

    tokenizer: Tokenizer
    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, state: Mapping[str, Any], width: int | None = None) -> StateTokenizer:
        """From a state dict of the network; `width` as in `Tokenizer`.

        Dense floating-point tensors go into the tokens. Names of one tensor (same memory, same shape and strides) are
        tied to the first of them. Integers, booleans, complex numbers, sparse tensors and what is no tensor are kept.

        Raises ValueError when no floating-point tensor is there.
        """
        first: dict[tuple, str] = {}
        entries = []
        for name, value in state.items():
            if not _fits(value):
                kind = (tuple(value.shape), value.dtype) if isinstance(value, Tensor) else ()
                entries.append(Entry(name, KEPT, *kind))
                continue
            owner = first.setdefault(_memory(value), name) if value.numel() else name
            goes, owner = (TOKENS, "") if owner == name else (TIED, owner)
            entries.append(Entry(name, goes, tuple(value.shape), value.dtype, owner))
        layout = Layout.from_state_dict({entry.name: state[entry.name] for entry in entries if entry.goes == TOKENS})
        return cls(Tokenizer(layout, width), tuple(entries))

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the tokens: the narrowest of float32, float64 (or the one half precision) that loses nothing."""
        kinds = {entry.dtype for entry in self.entries if entry.goes == TOKENS}
        if torch.float64 in kinds:
            return torch.float64
        return kinds.pop() if len(kinds) == 1 and kinds <= {torch.float16, torch.bfloat16} else torch.float32

    @property
    def coverage(self) -> pd.DataFrame:
        """One row per entry: `name`, where it `goes` (tokens, tied, kept), its `owner`, `dtype`, `shape`, `numbers`."""
        rows = []
        for entry in self.entries:
            kind = str(entry.dtype).removeprefix("torch.") if entry.dtype else "no tensor"
            numbers = torch.Size(entry.shape).numel() if entry.dtype else 0
            rows.append((entry.name, entry.goes, entry.owner, kind, entry.shape, numbers))
        return pd.DataFrame(rows, columns=["name", "goes", "owner", "dtype", "shape", "numbers"])

    def encode(self, state: Mapping[str, Any]) -> tuple[Float[Tensor, "tokens width"], dict[str, Any]]:
        """Tokens of a state dict, and a copy of what is kept beside them.

        Raises ValueError for a state dict with other names, shapes or types, and where tied tensors differ.
        """
        self._check(state)
        weights = {entry.name: state[entry.name].detach() for entry in self.entries if entry.goes == TOKENS}
        vector = self.tokenizer.layout.flatten({name: value.to(self.dtype) for name, value in weights.items()})
        kept = {entry.name: _copy(state[entry.name]) for entry in self.entries if entry.goes == KEPT}
        return self.tokenizer.encode(vector), kept

    def decode(self, tokens: Float[Tensor, "tokens width"], kept: Mapping[str, Any]) -> dict[str, Any]:
        """The whole state dict, in its order, with its types and its ties.

        Every number comes back to the bit (of a not-a-number only that it is one); strides are those of new tensors.

        Raises ValueError for tokens of another shape and where something kept is missing.
        """
        values = self.tokenizer.layout.unflatten(self.tokenizer.decode(tokens))
        state: dict[str, Any] = {}
        for entry in self.entries:
            if entry.goes == TOKENS:
                state[entry.name] = values[entry.name].to(entry.dtype, copy=True)
            elif entry.goes == TIED:
                state[entry.name] = state[entry.owner]
            elif entry.name in kept:
                state[entry.name] = _copy(kept[entry.name])
            else:
                raise ValueError(f"{entry.name} is not in the tokens and not among what was kept; give both results.")
        return state

    def _check(self, state: Mapping[str, Any]) -> None:
        names = [entry.name for entry in self.entries]
        if set(state) != set(names):
            other = sorted(set(state) ^ set(names))
            raise ValueError(f"This state dict is of another network: {', '.join(other[:3])} is in one of them only.")
        for entry in self.entries:
            value = state[entry.name]
            kind = (tuple(value.shape), value.dtype) if isinstance(value, Tensor) else ((), None)
            if kind != (entry.shape, entry.dtype) or (entry.goes != KEPT) != _fits(value):
                was = f"{entry.dtype} {list(entry.shape)}" if entry.dtype else "no tensor"
                raise ValueError(f"{entry.name} was {was} when this tokenizer was made, and is not now.")
            if entry.goes == TIED and not _same(value, state[entry.owner]):
                raise ValueError(f"{entry.name} was tied to {entry.owner} and differs here; make a new tokenizer.")


def _fits(value: object) -> bool:
    """Whether a value is one that tokens can hold."""
    return isinstance(value, Tensor) and value.is_floating_point() and value.layout == torch.strided


def _memory(value: Tensor) -> tuple:
    """Where a tensor's numbers lie and how they are read: equal for two names of one tensor."""
    return value.device, value.data_ptr(), tuple(value.shape), value.stride(), value.dtype


def _same(one: Tensor, other: Tensor) -> bool:
    """Equal numbers; a not-a-number equals itself."""
    return torch.equal(one.isnan(), other.isnan()) and torch.equal(one.nan_to_num(), other.nan_to_num())


def _copy(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else deepcopy(value)
