"""Any state dict as tokens: a round trip that loses nothing and says what it covers.

A layout holds a network's floating-point numbers. A state dict holds more: counters, buffers of other types, tensors
under two names, numbers of several precisions, a module's own notes. Here every entry has one of three fates: it goes
into the tokens, it is tied to another entry that does, or it is kept beside the tokens as it is. A tie stays a tie,
because tokens that a model changes must not say two things of one tensor. The tokenizer itself remembers the notes on
versions (`_metadata`) that PyTorch hangs on a state dict, without which some modules refuse to load it.

Source: our choice.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor, nn

from hyperlib.weightspace.layout import Layout
from hyperlib.weightspace.state_dicts import find_state_dict, is_weight, owners, require_numbers
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
    metadata: Any = field(default=None, compare=False, repr=False)  # the state dict's `_metadata`

    @classmethod
    def of(
        cls, state: Mapping[Any, Any] | nn.Module, width: int | None = None, *, unlearned: str | Iterable[str] = ()
    ) -> StateTokenizer:
        """From a state dict of the network, or a checkpoint that holds one; `width` as in `Tokenizer`.

        Dense floating-point tensors go into the tokens. Names of one tensor (same memory, same shape and strides) are
        tied to the first of them. Integers, booleans, complex numbers, sparse tensors and what is no tensor are kept.
        Of a checkpoint only its state dict is covered. `unlearned`, and all that is raised or warned of, is as in
        `Layout.from_state_dict`.
        """
        layout = Layout.from_state_dict(state, unlearned=unlearned)
        found = find_state_dict(state).state
        owner = owners({name: value for name, value in found.items() if is_weight(value)})
        entries = []
        for name, value in found.items():
            kind = (tuple(value.shape), value.dtype) if isinstance(value, Tensor) else ()
            if name not in owner:
                entries.append(Entry(name, KEPT, *kind))
            elif owner[name] == name:
                entries.append(Entry(name, TOKENS, *kind))
            else:
                entries.append(Entry(name, TIED, *kind, owner=owner[name]))
        return cls(Tokenizer(layout, width), tuple(entries), deepcopy(getattr(found, "_metadata", None)))

    @cached_property
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

    def encode(self, state: Mapping[Any, Any] | nn.Module) -> tuple[Float[Tensor, "tokens width"], dict[str, Any]]:
        """Tokens of a state dict, or of one inside a checkpoint, and a copy of what is kept beside them.

        Raises ValueError for a state dict with other names, shapes or types, where tied tensors differ, and where a
        tensor has no numbers (on the meta device, say); TypeError for what is no state dict.
        """
        state = self._checked(state)
        device = next(state[entry.name].device for entry in self.entries if entry.goes == TOKENS)
        tokens = torch.empty(self.tokenizer.shape, dtype=self.dtype, device=device)
        self.tokenizer.write(tokens, lambda slot: state[slot.name].detach().reshape(-1))
        kept = {entry.name: _copy(state[entry.name]) for entry in self.entries if entry.goes == KEPT}
        return tokens, kept

    def decode(self, tokens: Float[Tensor, "tokens width"], kept: Mapping[str, Any]) -> OrderedDict[str, Any]:
        """The whole state dict, in its order, with its types, its ties and the notes that loading needs.

        Every number comes back to the bit (of a not-a-number only that it is one); strides are those of new tensors.
        Keys are names, also where numbers were given, without a prefix that wrappers had put before all of them.

        Raises ValueError for tokens of another shape and where something kept is missing.
        """
        values = {slot.name: part for slot, part in self.tokenizer.read(tokens)}
        state: OrderedDict[str, Any] = OrderedDict()
        if self.metadata is not None:
            state._metadata = deepcopy(self.metadata)
        for entry in self.entries:
            if entry.goes == TOKENS:
                part = values[entry.name] if entry.name in values else tokens.new_empty(0)
                state[entry.name] = part.to(entry.dtype, copy=True).reshape(entry.shape)
            elif entry.goes == TIED:
                state[entry.name] = state[entry.owner]
            elif entry.name in kept:
                state[entry.name] = _copy(kept[entry.name])
            else:
                raise ValueError(f"{entry.name} is not in the tokens and not among what was kept; give both results.")
        return state

    def _checked(self, state: Mapping[Any, Any] | nn.Module) -> Mapping[str, Any]:
        names = {entry.name for entry in self.entries}
        if not (isinstance(state, Mapping) and set(state) == names):
            state = find_state_dict(state).state
        if set(state) != names:
            other = sorted(set(state) ^ names)
            raise ValueError(f"This state dict is of another network: {', '.join(other[:3])} is in one of them only.")
        for entry in self.entries:
            value = state[entry.name]
            kind = (tuple(value.shape), value.dtype) if isinstance(value, Tensor) else ((), None)
            if kind != (entry.shape, entry.dtype) or (entry.goes != KEPT) != is_weight(value):
                was = f"{entry.dtype} {list(entry.shape)}" if entry.dtype else "no tensor"
                raise ValueError(f"{entry.name} was {was} when this tokenizer was made, and is not now.")
            if isinstance(value, Tensor):
                require_numbers(entry.name, value)
            if entry.goes == TIED and not _same(value, state[entry.owner]):
                raise ValueError(f"{entry.name} was tied to {entry.owner} and differs here; make a new tokenizer.")
        return state


def _same(one: Tensor, other: Tensor) -> bool:
    """Equal numbers; a not-a-number equals itself."""
    return torch.equal(one.isnan(), other.isnan()) and torch.equal(one.nan_to_num(), other.nan_to_num())


def _copy(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else deepcopy(value)
