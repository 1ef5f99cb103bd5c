"""Every move of a traced network, tried on numbers: what changes an output is not offered.

All groups move at once first, then all signs, then all scales. Only where that changes something is each tried by
itself. What is wrongly free may stay unseen by chance, if two groups that belong together happen to move alike: so
orders and signs are drawn until that is as unlikely as CHANCE says, which takes many runs only where widths are small.

Floating-point inputs are drawn. Whole numbers and truth values decide what a network looks up or leaves out: they are
kept as given, and drawn for as many runs again where the network takes that.

Source: our choice.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, factorial, log2
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from hyperlib.weightspace.symmetry import SPREAD, unchecked_factors, unchecked_index, unsaid_permutations
from hyperlib.weightspace.traced_module import TracedModule
from hyperlib.weightspace.units.structure import Signal, UnitStructure
from hyperlib.weightspace.values import generator

TOLERANCE = 1e-8  # of float64 outputs, relative to the largest that this output had
ROUNDING = 1e-11  # relative to the largest of all outputs
CHANCE = 20  # bits: a wrong group or sign stays unseen once in 2**20
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
    for what, hold in (("against_signs", trial.signs_hold), ("against_scaling", trial.scales_hold)):
        free = [signal for signal in signals.values() if not getattr(signal, what)]
        if free and not hold(structure, free):
            for signal in free:
                if not hold(structure, [signal]):
                    signals[signal.name] = replace(signals[signal.name], **{what: "outputs change with it"})
    return network.with_structure(replace(structure, signals=signals))


class _Trial:
    """Random weights and inputs of a network, and what it answers."""

    def __init__(self, network: TracedModule, inputs: Any) -> None:
        self.network, self.random = network, generator(_SEED)
        self.weights = network.trial_weights(1, _SEED)
        drawn = tree_map(self._drawn, inputs)
        self.runs = self._told(drawn) or self._told(inputs)  # drawn ones show more, but some networks take no others
        if not self.runs:
            raise ValueError(
                f"{network.name} gives no finite numbers on these inputs, or zeros alone, so that no move can be "
                "tried; give other example inputs."
            )
        if any(isinstance(leaf, Tensor) and not leaf.is_floating_point() for leaf in tree_leaves(inputs)):
            self.runs += self._told(tree_map(self._redrawn, drawn))

    def groups_hold(self, structure: UnitStructure, groups: list[str]) -> bool:
        """Whether these groups can be reordered without a change."""
        bits = min((log2(factorial(structure.groups[group])) for group in groups), default=CHANCE)
        for _ in range(ceil(CHANCE / max(bits, 1)) if groups else 0):
            orders = unsaid_permutations(structure, 1, self.random)
            index = unchecked_index(structure, {group: orders[group] for group in groups}, 1)
            if not self._same(self.weights.gather(-1, index)):
                return False
        return True

    def signs_hold(self, structure: UnitStructure, signals: list[Signal]) -> bool:
        """Whether every unit of these signals can change its sign without a change."""
        for _ in range(ceil(CHANCE / min(signal.width for signal in signals))):
            signs = {
                signal.name: torch.randint(2, (1, signal.width), generator=self.random).double() * 2 - 1
                for signal in signals
            }
            if not self._factors_hold(structure, signs):
                return False
        return True

    def scales_hold(self, structure: UnitStructure, signals: list[Signal]) -> bool:
        """Whether every unit of these signals can have a positive factor without a change."""
        shapes = {signal.name: (1, signal.width) for signal in signals}
        drawn = {name: torch.randn(s, generator=self.random, dtype=torch.float64) for name, s in shapes.items()}
        return self._factors_hold(structure, {name: (SPREAD * values).exp() for name, values in drawn.items()})

    def _factors_hold(self, structure: UnitStructure, factors: dict[str, Tensor]) -> bool:
        return self._same(self.weights * unchecked_factors(structure, factors, 1))

    def _same(self, moved: Tensor) -> bool:
        """Whether no output changes by more than rounding, be it as small as it may beside the others."""
        for inputs, before in self.runs:
            largest = before.abs().max()
            own = before.abs().amax(0) if before.ndim > 1 else before.abs()
            limit = torch.maximum(TOLERANCE * own, ROUNDING * largest)
            if not ((self._answer(moved, inputs) - before).abs() <= limit).all():
                return False
        return True

    def _told(self, inputs: Any) -> list[tuple[Any, Tensor]]:
        """These inputs with what the network gives, if that is finite and not all zero; else none."""
        try:
            answer = self._answer(self.weights, inputs)
        except Exception:  # whatever a stranger's module makes of inputs that it was not given
            return []
        return [(inputs, answer)] if torch.isfinite(answer).all() and answer.abs().max() > 0 else []

    @torch.no_grad()
    def _answer(self, weights: Tensor, inputs: Any) -> Tensor:
        inputs = tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, inputs)
        return self.network.logits(weights[0].clone(), inputs)  # a module may write into both

    def _drawn(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or not leaf.is_floating_point():
            return leaf
        return torch.randn(leaf.shape, generator=self.random, dtype=torch.float64)

    def _redrawn(self, leaf: Any) -> Any:
        """Other whole numbers of the given range, 0 and 1 among them; other truth values."""
        if not isinstance(leaf, Tensor) or leaf.is_floating_point() or leaf.is_complex() or not leaf.numel():
            return leaf
        low, high = min(int(leaf.min()), 0), max(int(leaf.max()), 1)
        return torch.randint(low, high + 1, leaf.shape, generator=self.random).to(leaf.dtype)


def _without(structure: UnitStructure, refused: dict[str, str]) -> UnitStructure:
    """The structure whose groups of these names keep their places, and with them those inside."""
    gone = set(refused) | {name for name, outer in structure.within.items() if outer in refused}
    pieces = tuple(
        replace(
            piece,
            groups=tuple("" if group in gone else group for group in piece.groups),
            outer=tuple(-1 if group in gone else outer for group, outer in zip(piece.groups, piece.outer, strict=True)),
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
