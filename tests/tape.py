"""A recorder for the CPU, nearly as strict as a card's: operations are noted, undone and played on the same memory.

What Python does in a recorded step happens once; its numbers stay as they were. What a card refuses inside a recording
is refused here: questions to it, and tensors made of Python's numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

REFUSED = ("_local_scalar_dense", "is_nonzero", "nonzero", "lift_fresh", "masked_select", "equal", "unique", "item")


class _Tape(TorchDispatchMode):
    def __init__(self, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.calls: list[tuple[Callable[..., Any], tuple, dict, list[Any]]] = []
        self.before: dict[int, tuple[Tensor, Tensor]] = {}
        self.held: list[Any] = []
        self.states = [(generator, generator.get_state()) for generator in generators]

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.split("::")[-1]
        masks = name in ("index", "index_put", "index_put_") and any(
            part is not None and part.dtype in (torch.bool, torch.uint8) for part in args[1]
        )
        if name in REFUSED or masks:
            raise RuntimeError(f"{name} is not permitted while a step is recorded")
        for place, argument in enumerate(func._schema.arguments):
            unsaid = "batch_norm" in name and argument.name.startswith("running_")  # its schema does not say it
            if unsaid or (argument.alias_info is not None and argument.alias_info.is_write):
                value = args[place] if place < len(args) else kwargs.get(argument.name)
                for part in tree_flatten(value)[0]:
                    if isinstance(part, Tensor):
                        base = part if part._base is None else part._base
                        self.before.setdefault(base.untyped_storage().data_ptr(), (base, base.detach().clone()))
        given = func(*args, **kwargs)
        self.held.append((args, kwargs, given))  # no memory is used twice
        kept = func.is_view or func._schema.is_mutable
        fresh = [] if kept else tree_flatten(given)[0]
        self.calls.append((func, args, kwargs, fresh))
        return given

    def undo(self) -> None:
        with torch.no_grad():
            for tensor, value in self.before.values():
                tensor.copy_(value)
        for generator, state in self.states:
            generator.set_state(state)

    def play(self) -> None:
        with torch.no_grad():
            for func, args, kwargs, fresh in self.calls:
                if func.is_view:
                    continue
                given = func(*args, **kwargs)
                for place, value in zip(fresh, tree_flatten(given)[0], strict=True) if fresh else ():
                    if isinstance(place, Tensor):
                        place.copy_(value)


def record(step: Callable[..., Any], held: Sequence[Tensor], generators: Sequence[torch.Generator]) -> tuple[Any, Any]:
    """As `recording.RECORDERS` wants it."""
    tape = _Tape(generators)
    try:
        with tape:
            given = step(*held)
    finally:
        tape.undo()
    return tape.play, given
