"""Moves of a traced network made number by number, and checks of what theory says about a module's units."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.testing import assert_close
from torch.utils._pytree import tree_map

from hyperlib import (
    align,
    canonical_index,
    canonical_signs,
    from_module,
    permutation_index,
    random_permutations,
    random_signs,
    unit_factors,
)
from hyperlib.weightspace.symmetry import random_scales
from hyperlib.weightspace.traced_module import TracedModule, arguments, outputs_of


@dataclass
class Case:
    """A module, what it reads, and what theory says: groups, which stands within which, and which signals are free.

    names: whether groups are compared by name, else by width alone; walls: whether it has operations that are unknown;
    one_form: whether all signs can be decided, so that copies have one canonical form.
    """

    module: nn.Module
    inputs: Any
    groups: dict[str, int]
    within: dict[str, str] = field(default_factory=dict)
    signs: set[str] | None = None
    scales: set[str] | None = None
    names: bool = True
    walls: bool = False
    one_form: bool = True
    network: TracedModule | None = None

    def traced(self) -> Case:
        """With the network that comes out."""
        self.network = from_module(self.module, self.inputs)
        return self

    def has_its_groups(self) -> None:
        """Groups, blocks and free signals are those that theory gives."""
        structure = self.network.structure
        if self.names:
            assert structure.groups == self.groups
            assert structure.within == self.within
        else:
            assert sorted(structure.groups.values()) == sorted(self.groups.values())
        signals = structure.signals.values()
        assert self.signs is None or {s.name for s in signals if not s.against_signs} == self.signs
        assert self.scales is None or {s.name for s in signals if not s.against_scaling} == self.scales
        assert bool(self.network.walls) == self.walls


def moved_by_hand(network: TracedModule, weights: Tensor, orders: dict[str, Tensor], factors: dict[str, Tensor]):
    """One network's weights [params] with units reordered and multiplied, number by number."""
    moved, old_weights = weights.numpy().copy(), weights.numpy()
    for piece in network.structure.pieces:
        new = np.indices(piece.sizes).reshape(len(piece.sizes), prod(piece.sizes))
        old = new.copy()
        for axis, (group, outer) in enumerate(zip(piece.groups, piece.outer, strict=True)):
            if group in orders:
                order = orders[group].numpy()
                old[axis] = order[new[outer], new[axis]] if outer >= 0 else order[new[axis]]
        strides = np.array(piece.strides, dtype=int)
        values = old_weights[piece.start + strides @ old]
        for power in piece.powers:
            if power.signal in factors:
                own = factors[power.signal].numpy().reshape(network.structure.signals[power.signal].sizes)
                values = values * own[tuple(old[axis] for axis in power.axes)] ** power.power
        moved[piece.start + strides @ new] = values
    return torch.from_numpy(moved)


def answer_by_hand(module: nn.Module, network: TracedModule, weights: Tensor, inputs: Any) -> Tensor:
    """What the module itself gives with these weights in float64: all its floating-point outputs in one row."""
    state = {slot.name: weights[slot.start : slot.stop].reshape(slot.shape).clone() for slot in network.layout}
    positional, named = arguments(inputs)
    with torch.no_grad():
        given = functional_call(module.double().eval(), state, positional, named)
    return torch.cat([one.flatten() for one in outputs_of(given)])


def drawn(inputs: Any, generator: torch.Generator) -> Any:
    """Inputs of the same shapes, the floating-point ones random and in float64."""

    def one(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or not leaf.is_floating_point():
            return leaf
        return torch.randn(leaf.shape, generator=generator, dtype=torch.float64)

    return tree_map(one, inputs)


def hold_by_hand(case: Case) -> None:
    """Every group, sign and scale by itself, and all together, leave the outputs where they are."""
    network, generator = case.network, torch.Generator().manual_seed(1)
    weights, inputs = network.trial_weights(1, seed=7)[0], drawn(case.inputs, generator)
    orders = {name: one[0] for name, one in random_permutations(network, 1, generator).items()}
    signs = {name: one[0].double() for name, one in random_signs(network, 1, generator).items()}
    scales = {name: one[0].double() for name, one in random_scales(network, 1, generator).items()}
    before = answer_by_hand(case.module, network, weights, inputs)
    assert torch.isfinite(before).all() and before.any()
    moves = [({name: order}, {}) for name, order in orders.items()]
    moves += [({}, {name: one}) for group in (signs, scales) for name, one in group.items()]
    for order, factors in [*moves, (orders, signs), (orders, scales)]:
        moved = moved_by_hand(network, weights, order, factors)
        assert_close(answer_by_hand(case.module, network, moved, inputs), before, rtol=1e-7, atol=1e-9)


def is_found_back(case: Case) -> None:
    """Copies that were permuted and flipped are laid back on the network, and have one canonical form."""
    network, generator = case.network, torch.Generator().manual_seed(2)
    weights = network.trial_weights(1, seed=8)[0]
    index = permutation_index(network, random_permutations(network, 5, generator), models=5)
    signs = unit_factors(network, random_signs(network, 5, generator), models=5)
    moved = (weights * signs).gather(-1, index)
    forms = [
        (one * canonical_signs(network, one)).gather(-1, canonical_index(network, one))
        for one in (weights[None], moved)
    ]

    assert torch.allclose(forms[1], forms[0].expand(5, -1)) == case.one_form
    assert (align(network, weights, moved, signs=True).distance < 1e-4).all()
