"""The state dict inside a checkpoint, and which of its names mean one tensor.

Trainers save more than weights: an epoch, an accuracy, the optimiser's own tensors, with the state dict a level or two
below, under a name of their choice. Wrappers for many devices or for a compiler put their own name before every key.
Read as it stands, such a file is a network of one weight, its accuracy. So we look for the mapping that holds the
matrices, say where it was, and refuse to choose between two.

Source: our choice; the prefixes are those of PyTorch's wrappers.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

PREFIXES = ("module.", "_orig_mod.")  # of DataParallel and its kin, of torch.compile
DEPTH = 8  # levels of mappings that are looked into
SHOWN = 5  # names in a sentence


@dataclass(frozen=True, eq=False)
class Found:
    """A state dict, and where in its checkpoint it stood.

    `path`: the keys that lead to it, none where it is the checkpoint itself. `prefix`: what was taken off every name.
    `beside`: what stands next to it on the way there, and is left out.
    """

    state: Mapping[str, Any]
    path: tuple[Any, ...] = ()
    prefix: str = ""
    beside: tuple[str, ...] = ()

    @property
    def remark(self) -> str:
        """One sentence on what was taken, or nothing where that is all that was given, as it was."""
        if not self.path and not self.prefix:
            return ""
        taken = f"The state dict taken is {_place(self.path)}"
        prefix = f", without the prefix {self.prefix!r} of its names" if self.prefix else ""
        return f"{taken}{prefix}{f'; left out: {some(self.beside)}' if self.beside else ''}."


def find_state_dict(checkpoint: Mapping[Any, Any] | nn.Module) -> Found:
    """The state dict that a checkpoint holds, or is; a module's own one, with its `nn.Parameter`s as they are.

    Of all mappings up to eight levels down it is the one with matrices (or with two vectors); where there is none, with
    a vector; then with any floating-point tensor. What is less stays outside as metrics, and an optimiser's state (with
    `param_groups`) or a module's extra state is none of them. A prefix of `PREFIXES` that all names share goes. Whole
    numbers become names by their digits. The order stays, and so do the notes for loading that PyTorch keeps in
    `_metadata`. Without any tensor, it is the checkpoint as it stands.

    Raises TypeError for what is no mapping; ValueError where two mappings could be meant, for an optimiser's state, for
    keys that are no names and for mappings nested too deeply.
    """
    if isinstance(checkpoint, nn.Module):
        checkpoint = checkpoint.state_dict(keep_vars=True)
    _require_checkpoint(checkpoint)
    path, state, beside = _meant(checkpoint)
    names = _names(state)
    prefix = _shared_prefix(names)
    if prefix or any(name is not key for name, key in zip(names, state, strict=True)):
        state = _renamed(state, [name.removeprefix(prefix) for name in names], prefix)
    return Found(state, path, prefix, beside)


def is_weight(value: object) -> bool:
    """Whether a value is one that weight vectors and tokens hold: a dense tensor of floating-point numbers."""
    return isinstance(value, Tensor) and value.is_floating_point() and value.layout == torch.strided


def owners(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """For every name the first name of the same tensor; a tensor without entries is one of its own."""
    first: dict[tuple, str] = {}
    return {name: first.setdefault(memory(value), name) if value.numel() else name for name, value in tensors.items()}


def memory(tensor: Tensor) -> tuple:
    """Where a tensor's numbers lie and how they are read: equal for two names of one tensor.

    Tensors without memory (sparse, of the meta device, with a freed storage) all have the address zero, which says
    nothing: each of them equals itself alone.
    """
    if tensor.layout != torch.strided or not _address(tensor):
        return (id(tensor),)
    start, shape = tensor.data_ptr(), tuple(tensor.shape)
    return tensor.device, start, shape, tensor.stride(), tensor.dtype, tensor.is_neg()


def require_numbers(name: str, tensor: Tensor) -> None:
    """ValueError for a tensor that has a shape but no numbers: of the meta device, or with a freed storage."""
    if tensor.numel() and (tensor.is_meta or _address(tensor) == 0):
        where = "is on the meta device" if tensor.is_meta else "has lost its storage"
        raise ValueError(f"{name} {where}: it has a shape and no numbers. Load the weights first.")


def some(names: Iterable[object]) -> str:
    """The first few of many names, and how many more there are: a network may have thousands."""
    shown = [str(name) for name in names]
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return ", ".join(shown[:SHOWN]) + more


# -- which mapping is meant --------------------------------------------------------------------------------------------


def _require_checkpoint(given: Any) -> None:
    if not isinstance(given, Mapping):
        vector = " A weight vector becomes one by layout.unflatten(weights)."
        raise TypeError(
            "A state dict is expected here, as model.state_dict() gives it, or a checkpoint that holds one, and this "
            f"is of type {type(given).__name__}.{vector if isinstance(given, Tensor | np.ndarray) else ''}"
        )
    if _is_optimiser(given):
        raise ValueError("This is the state of an optimiser and not of a network; pass that of the network.")


def _meant(checkpoint: Mapping[Any, Any]) -> tuple[tuple[Any, ...], Mapping[Any, Any], tuple[str, ...]]:
    """Path, mapping and what is left out, of the one that looks most like weights."""
    mappings, deeper = _mappings(checkpoint)
    axes = [_axes(mapping) for _, mapping in mappings]
    most = max(axes)
    if most < 0 and deeper:
        raise ValueError(f"This checkpoint holds no tensor in the first {DEPTH} levels; pass its state dict itself.")
    if most < 0:
        return (), checkpoint, ()
    candidates = [one for one, count in zip(mappings, axes, strict=True) if count == most]
    if len(candidates) > 1:
        places = [_place(path) if path else f"its own {some(_tensors(mapping))}" for path, mapping in candidates]
        nested = next(_place(path) for path, _ in candidates if path)
        raise ValueError(
            f"Several state dicts of this checkpoint could be meant: {some(places)}. Pass the one that is, for "
            f"instance {nested}."
        )
    path, state = candidates[0]
    beside, level = [], checkpoint
    for key in path:
        beside += [str(other) for other in level if other != key]
        level = level[key]
    return path, state, tuple(beside)


def _mappings(checkpoint: Mapping[Any, Any]) -> tuple[list[tuple[tuple[Any, ...], Mapping[Any, Any]]], bool]:
    """The checkpoint and the mappings in it with their paths, level by level, and whether there are deeper ones.

    Each comes once, so that a circle ends.
    """
    found, level, seen = [], [((), checkpoint)], {id(checkpoint)}
    for _ in range(DEPTH + 1):
        found += level
        inner = [
            ((*path, key), value)
            for path, mapping in level
            for key, value in mapping.items()
            if isinstance(value, Mapping) and not _is_optimiser(value) and not str(key).endswith("_extra_state")
        ]
        level = []
        for path, value in inner:
            if id(value) not in seen:
                seen.add(id(value))
                level.append((path, value))
    return found, bool(level)


def _axes(mapping: Mapping[Any, Any]) -> int:
    """How much it looks like weights: axes of its floating-point tensors taken together, up to 2; -1 for no tensor."""
    values = _tensors(mapping).values()
    return min(2, sum(value.ndim for value in values)) if values else -1


def _tensors(mapping: Mapping[Any, Any]) -> dict[Any, Tensor]:
    return {key: value for key, value in mapping.items() if isinstance(value, Tensor) and value.is_floating_point()}


def _is_optimiser(mapping: Mapping[Any, Any]) -> bool:
    return "param_groups" in mapping and "state" in mapping


def _place(path: tuple[Any, ...]) -> str:
    """As one writes it in Python."""
    return "checkpoint" + "".join(f'["{key}"]' if isinstance(key, str) else f"[{key!r}]" for key in path)


# -- what its names are ------------------------------------------------------------------------------------------------


def _names(state: Mapping[Any, Any]) -> list[str]:
    for key in state:
        if not isinstance(key, str | Integral) or isinstance(key, bool):
            raise ValueError(f"Keys of a state dict are names or whole numbers, and this one has {key!r}; rename it.")
    names = [key if isinstance(key, str) else str(key) for key in state]
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise ValueError(f"This state dict has the number {twice} and the text {twice!r} for keys; rename one of them.")
    return names


def _shared_prefix(names: list[str]) -> str:
    """What wrappers put before all names, one wrapper around the other."""
    prefix = ""
    while names:
        longer = [prefix + one for one in PREFIXES]
        shared = [one for one in longer if all(name.startswith(one) and name != one for name in names)]
        if not shared:
            break
        prefix = shared[0]
    return prefix


def _renamed(state: Mapping[Any, Any], names: list[str], prefix: str) -> OrderedDict[str, Any]:
    renamed = OrderedDict(zip(names, state.values(), strict=True))
    if isinstance(notes := getattr(state, "_metadata", None), Mapping):
        dotted = {f"{module}.": note for module, note in notes.items()}
        renamed._metadata = OrderedDict(  # those of the wrapper itself have no place any more
            (module.removeprefix(prefix)[:-1], note) for module, note in dotted.items() if module.startswith(prefix)
        )
    return renamed


def _address(tensor: Tensor) -> int | None:
    """Of its storage, 0 for none, None where PyTorch keeps it to itself (sparse tensors, inside `torch.func.vmap`)."""
    try:
        return tensor.untyped_storage().data_ptr()
    except (NotImplementedError, RuntimeError):
        return None
