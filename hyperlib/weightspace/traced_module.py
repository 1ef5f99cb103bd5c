"""A network that came as a PyTorch module: its layout, its units, and how it runs with other weights.

What is known of its units was read from a trace by `bridge`, or from a file; here it runs, by `torch.func`, with
whatever weights it is given.

Source: our choice.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_flatten, tree_map

from hyperlib.weightspace.base import BaseArchitecture
from hyperlib.weightspace.layout import Layout
from hyperlib.weightspace.units.structure import UnitStructure
from hyperlib.weightspace.values import generator, usual_precision

_ONE_AT_A_TIME = threading.RLock()


class TracedModule(BaseArchitecture):
    """A module of yours as a network: it stands wherever an `Architecture` does, except where layers are listed.

    name: the module's class, or as given. layout: parameters and float buffers in the order of the state dict, of tied
    ones the first. structure: groups and signals, each tried. walls: operations of which nothing was known; units that
    touch them stay where they are, and `structure.refused` says which. kind: where the class was defined, for messages;
    it is never imported. Made by `from_module`.
    """

    activation = ""

    def __init__(
        self,
        name: str,
        layout: Layout,
        structure: UnitStructure,
        *,
        kind: str,
        outputs: int,
        activations: int,
        walls: Sequence[str] = (),
        module: nn.Module | None = None,
    ) -> None:
        self.name, self.kind, self.walls = name, kind, tuple(walls)
        self.num_classes, self.activations_per_input = outputs, activations
        self._layout, self._structure, self._module = layout, structure, module
        self._one_by_one = False  # until vmap was seen to fail
        self._copies: dict[tuple[torch.device, torch.dtype], nn.Module] = {}  # to run with, by where and how precise

    @property
    def layout(self) -> Layout:
        """Where every weight stands in the flat vector."""
        return self._layout

    @property
    def structure(self) -> UnitStructure:
        """Groups of units that may change places, signals that may have factors, and where both stand."""
        return self._structure

    def __repr__(self) -> str:
        walls = f", walls {', '.join(self.walls)}" if self.walls else ""
        return f"TracedModule({self.name}: {self.num_weights:,} weights, {len(self.structure.groups)} groups{walls})"

    def with_activation(self, activation: str) -> TracedModule:
        """The network itself; ValueError for another activation, which a module's code has and no setting changes."""
        if activation not in ("", self.activation):
            raise ValueError(f"{self.name} is a traced module; its activation cannot be exchanged for {activation!r}.")
        return self

    def with_module(self, module: nn.Module) -> TracedModule:
        """This network with code to run: after loading from a file. ValueError where the module's layout is another."""
        if Layout.from_state_dict(module).slots != self.layout.slots and not self._fits(module):
            raise ValueError(f"The weights of this {type(module).__name__} are not laid out as those of {self.name}.")
        return self._with(self.structure, bare(module))

    def with_structure(self, structure: UnitStructure) -> TracedModule:
        """The network with other moves, for whoever tried them."""
        return self._with(structure, self._module)

    def _with(self, structure: UnitStructure, module: nn.Module | None) -> TracedModule:
        return TracedModule(
            self.name,
            self.layout,
            structure,
            kind=self.kind,
            outputs=self.num_classes,
            activations=self.activations_per_input,
            walls=self.walls,
            module=module,
        )

    def _fits(self, module: nn.Module) -> bool:
        """Whether names and shapes are the same, whatever is learned."""
        own = {slot.name: slot.shape for slot in self.layout}
        return {slot.name: slot.shape for slot in Layout.from_state_dict(module)} == own

    # -- running ----------------------------------------------------------------------------------------------------

    def logits(self, weights: Float[Tensor, "..."], images: Any) -> Float[Tensor, "..."]:
        """What the module gives in evaluation mode, with these weights.

        weights: [params] for one model, [models, params] for a population. images: what the module is called with (a
        tensor, a tuple of positional or a dict of named arguments). Gives the module's output, for a population with
        an axis of models before; several outputs are flattened behind their first axis and put side by side. Computed
        in the type of the weights, in float32 where that is a half one; batched over models where PyTorch can.

        Raises ValueError where the weights are of another layout, and where the network was loaded without its code.
        """
        self.layout.check(weights, self.name)
        self._runnable()  # or say that it is not
        weights = usual_precision(weights)
        if weights.ndim not in (1, 2):
            raise ValueError(f"Give weights [params] or [models, params], not {list(weights.shape)}.")
        given = tree_map(lambda leaf: _as(leaf, weights) if isinstance(leaf, Tensor) else leaf, arguments(images))

        def one(row: Tensor) -> Tensor:
            return _side_by_side(outputs_of(functional_call(running, self._state(row), *given)))

        with _ONE_AT_A_TIME, plainly():  # a call puts its weights into the module, and settings belong to the process
            running = self._copied(weights)
            if weights.ndim == 1:
                return one(weights)
            if len(weights) > 1 and not self._one_by_one:
                try:
                    return vmap(one, randomness="error")(weights)
                except (RuntimeError, NotImplementedError, ValueError):
                    pass  # an operation without a batched form, or inputs that do not fit: then the loop says so
            rows = [one(row) for row in weights]
            self._one_by_one = len(rows) > 1
            return torch.stack(rows) if rows else one(weights.new_zeros(self.layout.size))[None][:0]

    def _copied(self, weights: Tensor) -> nn.Module:
        """The module where these weights are and as precise; the one that came stays as it is."""
        where = weights.device, weights.dtype
        if where not in self._copies:
            self._copies[where] = deepcopy(self._runnable()).to(*where)
        return self._copies[where]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_copies": {}}

    def _state(self, row: Float[Tensor, " params"]) -> dict[str, Tensor]:
        """The state dict of one model; what is not learned as a copy without gradient: modules may write to it."""
        state = self.layout.unflatten(row)
        return state | {slot.name: state[slot.name].detach().clone() for slot in self.layout if not slot.learned}

    def module(self, weights: Float[Tensor, " params"]) -> nn.Module:
        """One model as a module of the class that was traced, in evaluation mode. Raises ValueError as `logits`."""
        self.layout.check(weights, self.name)
        if weights.ndim != 1:
            raise ValueError(f"A module is one model; these weights have shape {tuple(weights.shape)}, take one row.")
        module = deepcopy(self._runnable()).to(usual_precision(weights).dtype)
        module.load_state_dict({n: v.clone() for n, v in self.layout.unflatten(weights).items()}, strict=False)
        return module.eval()

    def trial_weights(self, models: int, seed: int = 0) -> Float[Tensor, "models params"]:
        """The module's own weights in float64, disturbed by as much as they scatter; vectors by numbers of size one."""
        own = self.layout.flatten(self._runnable().state_dict()).double()
        random = generator(seed)
        weights = own.repeat(models, 1)
        for slot in self.layout:
            part = weights[:, slot.start : slot.stop]
            usual = prod(slot.shape[1:]) ** -0.5 if len(slot.shape) > 1 and slot.size else 0.0  # of an initial weight
            scatter = max(usual, float(own[slot.start : slot.stop].std())) if usual and slot.size > 1 else 0.0
            drawn = torch.randn(part.shape, generator=random, dtype=torch.float64)
            if slot.part == "running_var" or (not slot.learned and bool((part > 0).all())):
                part *= 0.5 + drawn.sigmoid()
            else:
                part += drawn * (scatter or 0.3)
        return weights

    def _runnable(self) -> nn.Module:
        if self._module is None:
            raise ValueError(
                f"{self.name} was loaded without the code of its class {self.kind}; give it a module of that class: "
                "network.with_module(module)."
            )
        return self._module


# -- calling a module --------------------------------------------------------------------------------------------------


def arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and named arguments: of a tensor, a tuple or list of the former, or a dict of the latter."""
    if isinstance(inputs, Mapping):
        return (), dict(inputs)
    return (tuple(inputs), {}) if isinstance(inputs, tuple | list) else ((inputs,), {})


def outputs_of(given: Any) -> list[Tensor]:
    """All floating-point tensors of what a module gives, in order."""
    return [leaf for leaf in tree_flatten(given)[0] if isinstance(leaf, Tensor) and leaf.is_floating_point()]


@contextmanager
def plainly() -> Iterator[None]:
    """Inside, attention and encoder layers are made of elementary operations, not of fused ones."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings(), sdpa_kernel(SDPBackend.MATH):
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def bare(module: nn.Module) -> nn.Module:
    """A copy to run with, on the CPU, whose parameters ask for no gradients."""
    return deepcopy(module).to("cpu").eval().requires_grad_(False)


def _as(leaf: Tensor, weights: Tensor) -> Tensor:
    """An input where the weights are, in their precision if it is a floating-point one."""
    return leaf.to(weights.device, weights.dtype) if leaf.is_floating_point() else leaf.to(weights.device)


def _side_by_side(outputs: list[Tensor]) -> Tensor:
    """One output as it is, several flattened behind their first axis, or whole where that differs."""
    if len(outputs) == 1:
        return outputs[0]
    batches = {one.shape[0] if one.ndim else -1 for one in outputs}
    first = int(len(batches) == 1 and -1 not in batches)
    return torch.cat([one.flatten(first) if one.ndim > first else one[..., None] for one in outputs], -1)
