"""Every move of a traced network, tried on numbers: what changes an output is not offered.

All groups move at once first, then all signs, then all scales. Only where that changes something is each tried by
itself, so most networks take four runs.

Source: our choice.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from hyperlib.weightspace.symmetry import SPREAD, unchecked_factors, unchecked_index, unsaid_permutations
from hyperlib.weightspace.traced_module import TracedModule
from hyperlib.weightspace.units.structure import Signal, UnitStructure
from hyperlib.weightspace.values import generator

TOLERANCE = 1e-8  # of float64 outputs, relative to the largest
_SEED = 0


def tried(network: TracedModule, inputs: Any, together: UnitStructure) -> TracedModule:
    """The network with those moves alone that keep its outputs.

    Raises ValueError where the outputs are not finite, so that nothing can be tried.
    """
    trial = _Trial(network, inputs)
    structure = network.structure
    if not trial.groups_hold(structure, list(structure.groups)):
        if structure.within and trial.groups_hold(together, list(together.groups)):
            structure = together
        else:
            structure = _without(
                structure,
                {
                    group: "the graph promises that they move, and outputs change when they do"
                    for group in structure.groups
                    if not trial.groups_hold(structure, [group])
                },
            )
    signals = dict(structure.signals)
    for what, values in (("against_signs", trial.signs), ("against_scaling", trial.scales)):
        free = [signal for signal in signals.values() if not getattr(signal, what)]
        if free and not trial.factors_hold(structure, {signal.name: values(signal) for signal in free}):
            for signal in free:
                if not trial.factors_hold(structure, {signal.name: values(signal)}):
                    signals[signal.name] = replace(signals[signal.name], **{what: "outputs change with it"})
    return network.with_structure(replace(structure, signals=signals))


class _Trial:
    """Random weights and inputs of a network, and what it answers."""

    def __init__(self, network: TracedModule, inputs: Any) -> None:
        self.network, self.random = network, generator(_SEED)
        self.weights = network.trial_weights(1, _SEED)
        drawn = tree_map(self._drawn, inputs)
        for self.inputs in (drawn, inputs):  # drawn ones show more, but some networks take no others
            self.before = self._answer(self.weights)
            if torch.isfinite(self.before).all() and self.before.abs().max() > 0:
                return
        raise ValueError(
            f"{network.name} gives no finite numbers on these inputs, or zeros alone, so that no move can be tried; "
            "give other example inputs."
        )

    def groups_hold(self, structure: UnitStructure, groups: list[str]) -> bool:
        """Whether these groups can be reordered without a change."""
        orders = unsaid_permutations(structure, 1, self.random)
        index = unchecked_index(structure, {group: orders[group] for group in groups}, 1)
        return self._same(self.weights.gather(-1, index))

    def factors_hold(self, structure: UnitStructure, factors: dict[str, Tensor]) -> bool:
        """Whether signals can have these factors without a change."""
        return self._same(self.weights * unchecked_factors(structure, factors, 1))

    def signs(self, signal: Signal) -> Tensor:
        """A sign for every unit, one of them negative at least."""
        signs = torch.randint(2, (1, signal.width), generator=self.random) * 2.0 - 1.0
        signs[0, 0] = -1.0
        return signs.double()

    def scales(self, signal: Signal) -> Tensor:
        """A positive factor for every unit."""
        return (SPREAD * torch.randn(1, signal.width, generator=self.random, dtype=torch.float64)).exp()

    def _same(self, moved: Tensor) -> bool:
        after = self._answer(moved)
        return bool((after - self.before).abs().max() < TOLERANCE * self.before.abs().max())

    @torch.no_grad()
    def _answer(self, weights: Tensor) -> Tensor:
        return self.network.logits(weights[0], self.inputs)

    def _drawn(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or not leaf.is_floating_point():
            return leaf
        return torch.randn(leaf.shape, generator=self.random, dtype=torch.float64)


def _without(structure: UnitStructure, refused: dict[str, str]) -> UnitStructure:
    """The structure whose groups of these names keep their places, and with them those inside."""
    gone = set(refused) | {name for name, outer in structure.within.items() if outer in refused}
    pieces = tuple(
        replace(
            piece,
            groups=tuple("" if group in gone else group for group in piece.groups),
        )
        for piece in structure.pieces
    )
    return replace(
        structure,
        pieces=pieces,
        groups={name: width for name, width in structure.groups.items() if name not in gone},
        refused=structure.refused | refused,
        within={name: outer for name, outer in structure.within.items() if name not in gone},
        blocks={name: count for name, count in structure.blocks.items() if name not in gone},
        signals={
            name: replace(signal, group="" if signal.group in gone else signal.group)
            for name, signal in structure.signals.items()
        },
    )
