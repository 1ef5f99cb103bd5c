"""Weight matching: go round the groups of units, solving one assignment after the other, until nothing changes.

With the order of all other groups fixed, the inner product of a network with the reference is a sum over pairs (unit of
the reference, unit of the network), so the best order of one group is an assignment problem, solved exactly. The same
holds with signs: a pair then counts with the better of its signs. Only where a layer reads the group that it writes is
the sum a linearisation; such a step is taken back if it does not help.

All networks of a chunk take each step together, so their gains are one matrix product.

Source: Ainsworth et al. (2023), algorithm 1. Signs, restarts and the treatment of chunks are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from hyperlib.weightspace.randomness import key, orders
from hyperlib.weightspace.symmetry import unchecked_index
from hyperlib.weightspace.units import UnitSlot, UnitStructure

_SWEEPS = 200  # far more than any alignment was seen to need
_MOST_SIGNALS = 8  # of one group, whose signs are tried in all combinations


@dataclass
class Match:
    """Where the units of every network stand now: old unit and sign at each new place, and the weights so moved."""

    current: Float[Tensor, "models params"]
    orders: dict[str, Int[Tensor, "models _"]]
    signs: dict[str, Float[Tensor, "models _"]]
    sweeps: Int[Tensor, " models"]

    def take(self, rows: Tensor) -> Match:
        """Some of the networks (a copy)."""
        picked = ({name: values[rows] for name, values in part.items()} for part in (self.orders, self.signs))
        return Match(self.current[rows], *picked, self.sweeps[rows])

    def put(self, rows: Tensor, other: Match) -> None:
        """Write other states of some of the networks back."""
        self.current[rows], self.sweeps[rows] = other.current, other.sweeps
        for mine, theirs in ((self.orders, other.orders), (self.signs, other.signs)):
            for name, values in theirs.items():
                mine[name][rows] = values


@dataclass(frozen=True)
class _Table:
    """A slot seen from one group's units: its axis, the reference's rows and the signals whose signs a row carries."""

    entry: UnitSlot
    axis: int
    signals: frozenset[str]
    rows: Float[Tensor, "width others"] = field(repr=False)


class WeightMatching:
    """The reference, prepared; `match` then lays chunks of networks on it. Signs are tried where `signs` says so."""

    def __init__(
        self, structure: UnitStructure, reference: Float[Tensor, " params"], *, signs: bool = False, seed: int = 0
    ) -> None:
        self.structure, self.seed = structure, seed
        learned = torch.cat([torch.full((entry.slot.size,), entry.slot.learned) for entry in structure.slots])
        self.target = torch.where(learned, reference.double(), 0.0)
        free = [signal for signal in structure.signals.values() if signs and not signal.against_signs]
        self.signals = {group: [signal.name for signal in free if signal.group == group] for group in structure.groups}
        for group, names in self.signals.items():
            if len(names) > _MOST_SIGNALS:
                raise ValueError(
                    f"{group!r} has {len(names)} signals with a sign each, and their combinations are too many "
                    f"beyond {_MOST_SIGNALS}; align without signs."
                )
        self.tables = {group: list(self._tables(group)) for group in structure.groups}

    def match(self, weights: Float[Tensor, "models params"], restart: int = 0) -> Match:
        """The nearest order that descent finds from one start: as given (0), by bounds of the gains (1), or random.

        The gain of a pair is largest when the units that both are connected with stand in the order of their weights
        (the rearrangement inequality), whatever their true order is; start 1 puts every group in the best order by
        these bounds, and is our addition.
        """
        state = self._start(weights, restart)
        active, groups = torch.arange(len(weights)), list(self.structure.groups)
        for sweep in range(_SWEEPS if groups else 0):
            part = state.take(active)
            improved = torch.zeros(len(active), dtype=torch.bool)
            for number in orders(key([self.seed], restart, sweep), len(groups))[0].tolist():
                improved |= self._improve(part, groups[number])
            part.sweeps += 1
            state.put(active, part)
            active = active[improved]
            if not len(active):
                break
        return state

    def _start(self, weights: Tensor, restart: int) -> Match:
        """No start depends on a network's place in the call: a random one is the same for all of them."""
        models, chosen = len(weights), {}
        for number, (group, width) in enumerate(self.structure.groups.items()):
            if restart == 1:
                chosen[group] = torch.from_numpy(_assignments(self._bounds(weights.double(), group).numpy()))
            else:
                order = orders(key([self.seed], restart, _SWEEPS, number), width)[0] if restart else torch.arange(width)
                chosen[group] = order.expand(models, -1).clone()
        signs = {
            name: torch.ones(models, self.structure.groups[group], dtype=torch.float64)
            for group, names in self.signals.items()
            for name in names
        }
        index = unchecked_index(self.structure, chosen, models)
        return Match(weights.double().gather(-1, index), chosen, signs, torch.zeros(models, dtype=torch.int64))

    def _bounds(self, weights: Tensor, group: str) -> Float[Tensor, "models width width"]:
        """The largest gain that putting old unit j at place i can have, if all other groups could be ordered for it."""
        bounds = 0
        for table in self.tables[group]:
            sides = []
            for values in (self.target[None], weights):
                block = _block(values.abs() if any(self.signals.values()) else values, table.entry)
                others = (table.entry.reads, table.entry.writes)[table.axis]
                if others in self.structure.groups:
                    block = block.sort(dim=3 if table.axis == 0 else 1).values
                sides.append(_rows(block, table.axis))
            reference, rows = sides[0][0], sides[1]
            bounds += (rows.flatten(0, 1) @ reference.T).unflatten(0, rows.shape[:2]).mT
        return bounds

    def _tables(self, group: str) -> Iterator[_Table]:
        for entry in self.structure.slots:
            for axis, units in enumerate((entry.writes, entry.reads)):
                if units == group and entry.slot.learned:
                    odd = {power.signal for power in entry.powers if power.axis == axis and power.power % 2}
                    rows = _rows(_block(self.target[None], entry), axis)[0]
                    yield _Table(entry, axis, frozenset(odd & set(self.signals[group])), rows)

    def _improve(self, state: Match, group: str) -> Tensor:
        """Solve one group's assignment in every network, in place; True where that brought it nearer."""
        names = self.signals[group]
        combinations = torch.tensor(list(product((1.0, -1.0), repeat=len(names))), dtype=torch.float64)
        each = self._gains(state.current, group, combinations)
        gains, choices = each.max(0)
        found = torch.from_numpy(_assignments(gains.numpy()))
        now = each[0].diagonal(dim1=1, dim2=2).sum(1)
        reached = gains.gather(2, found[:, :, None])[:, :, 0].sum(1)
        improved = reached > now + 1e-9 * gains.abs().amax((1, 2))
        order = torch.where(improved[:, None], found, torch.arange(found.shape[1]))
        signs = combinations[choices.gather(2, order[:, :, None])[:, :, 0]].masked_fill(~improved[:, None, None], 1.0)
        coupled = any(table.entry.writes == table.entry.reads for table in self.tables[group])
        before = state.take(torch.arange(len(now))) if coupled else None
        self._move(state, group, order, dict(zip(names, signs.unbind(-1), strict=True)))
        if before is not None:  # the gains were a linearisation: take back what did not help
            back = (state.current @ self.target <= before.current @ self.target).nonzero()[:, 0]
            state.put(back, before.take(back))
            improved[back] = False
        return improved

    def _gains(
        self, current: Tensor, group: str, combinations: Float[Tensor, "combinations signals"]
    ) -> Float[Tensor, "combinations models width width"]:
        """What putting old unit j at place i adds to the inner product, under every combination of its signs."""
        names, width = self.signals[group], self.structure.groups[group]
        gains = current.new_zeros(len(combinations), len(current), width, width)
        for table in self.tables[group]:
            rows = _rows(_block(current, table.entry), table.axis)
            pairs = (rows.flatten(0, 1) @ table.rows.T).unflatten(0, rows.shape[:2]).mT
            carried = combinations[:, [name in table.signals for name in names]].prod(1)
            gains += carried[:, None, None, None] * pairs
        return gains

    def _move(self, state: Match, group: str, order: Tensor, signs: dict[str, Tensor]) -> None:
        """Reorder (and flip) one group's units: all slots that write or read them."""
        for entry in self.structure.slots:
            block = _block(state.current, entry)
            for axis, units in enumerate((entry.writes, entry.reads)):
                if units == group:
                    index = _along(order, axis).expand_as(block)
                    block.copy_(block.gather(1 + 2 * axis, index))
                for power in entry.powers:
                    if power.axis == axis and power.power % 2 and power.signal in signs:
                        block *= _along(signs[power.signal], axis)
        state.orders[group] = state.orders[group].gather(1, order)
        for name, values in signs.items():
            state.signs[name] = state.signs[name].gather(1, order) * values


def _block(weights: Tensor, entry: UnitSlot) -> Float[Tensor, "models written places read inner"]:
    """A slot of every network as a table of units (a view)."""
    return weights[:, entry.slot.start : entry.slot.stop].unflatten(1, entry.shape)


def _rows(block: Tensor, axis: int) -> Float[Tensor, "models width others"]:
    """One row per unit of the axis, with everything that this unit writes or reads there."""
    return block.flatten(2) if axis == 0 else block.movedim(3, 1).flatten(2)


def _along(values: Tensor, axis: int) -> Tensor:
    """Values per unit, shaped to meet a table of units."""
    return values[:, :, None, None, None] if axis == 0 else values[:, None, None, :, None]


def _assignments(gains: np.ndarray) -> np.ndarray:
    """For every network the old unit at each place that makes the sum of gains largest (scipy's exact solver)."""
    found = [linear_sum_assignment(matrix, maximize=True)[1] for matrix in gains]
    return np.array(found, dtype=np.int64).reshape(gains.shape[:2])
