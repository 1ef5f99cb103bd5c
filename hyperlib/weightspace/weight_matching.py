"""Weight matching: go round the groups of units, solving one assignment after the other, until nothing changes.

With the order of all other groups fixed, the inner product of a network with the reference is a sum over pairs (unit of
the reference, unit of the network), so the best order of one group is an assignment problem, solved exactly. The same
holds with signs: a pair then counts with the better of its signs. Only where a layer reads the group that it writes is
the sum a linearisation; such a step is taken back if it does not help.

Where groups stand within another (the numbers inside attention heads), a pair of blocks counts with the best order of
their insides, so heads and insides are matched in one exact step.

All networks of a chunk take each step together, so their gains are one matrix product.

Source: Ainsworth et al. (2023), algorithm 1. Signs, starts, blocks and the treatment of chunks are ours.
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

from hyperlib.weightspace.canonical import canonical_orders, canonical_unit_signs
from hyperlib.weightspace.randomness import key, orders
from hyperlib.weightspace.relaxation import Relaxation, rows_of
from hyperlib.weightspace.symmetry import along, unchecked_factors, unchecked_index
from hyperlib.weightspace.units.structure import Piece, UnitStructure

_SWEEPS = 200  # far more than any alignment was seen to need
_MOST_SIGNALS = 8  # of one group, whose signs are tried in all combinations
RELAXED, CANONICAL = 2, 2**20  # numbers of starts


@dataclass
class Match:
    """Where the units of every network stand now: old unit and sign at each new place, and the weights so moved.

    Orders are [models, width], or [models, blocks, width] for a group within another; signs are flat, [models, units].
    """

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

    def factors(self, structure: UnitStructure) -> Float[Tensor, "models params"]:
        """The signs as factors of the weights as they were given, before they were reordered."""
        old = {name: self._by_old_unit(structure, name) for name in self.signs}
        return unchecked_factors(structure, old, len(self.sweeps))

    def _by_old_unit(self, structure: UnitStructure, name: str) -> Tensor:
        signal = structure.signals[name]
        signs, inner = self.signs[name].unflatten(1, signal.sizes), self.orders[signal.group]
        signs = torch.empty_like(signs).scatter_(-1, inner, signs)
        if (outer := structure.within.get(signal.group)) in self.orders:
            signs = torch.empty_like(signs).scatter_(1, self.orders[outer][:, :, None].expand_as(signs), signs)
        return signs.flatten(1)


@dataclass(frozen=True)
class _Table:
    """A piece seen from one group's units: its axis, the signals whose signs a row carries, the reference's rows."""

    piece: Piece
    axis: int
    signals: frozenset[str]
    rows: Float[Tensor, "blocks width others"] = field(repr=False)

    @property
    def inside(self) -> list[int]:
        """Axes of the piece whose groups stand within this one."""
        return [axis for axis, outer in enumerate(self.piece.outer) if outer == self.axis]

    @property
    def alone(self) -> bool:
        """Whether no other group stands within the same blocks here."""
        outer = self.piece.outer[self.axis]
        return outer >= 0 and self.piece.outer.count(outer) == 1


class WeightMatching:
    """The reference, prepared; `match` then lays chunks of networks on it. Signs are tried where `signs` says so."""

    def __init__(
        self, structure: UnitStructure, reference: Float[Tensor, " params"], *, signs: bool = False, seed: int = 0
    ) -> None:
        self.structure, self.seed, self.reference = structure, seed, reference.double()[None]
        self.learned = structure.learned()
        self.target = torch.where(self.learned, reference.double(), 0.0)
        free = [signal for signal in structure.signals.values() if signs and not signal.against_signs]
        self.signals = {group: [signal.name for signal in free if signal.group == group] for group in structure.groups}
        for group, names in self.signals.items():
            if len(names) > _MOST_SIGNALS:
                raise ValueError(
                    f"{group!r} has {len(names)} signals with a sign each, and their combinations are too many "
                    f"beyond {_MOST_SIGNALS}; align without signs."
                )
        self.tables = {group: list(self._tables(group)) for group in structure.groups}
        self.inside = {group: self._apart(group) for group in structure.groups}
        ways = {group: self._combinations(group)[1] for group in structure.groups}
        self.relaxation = Relaxation(structure, self.target, self.signals, ways)

    def match(self, weights: Float[Tensor, "models params"], start: int = 0) -> Match:
        """The nearest order that descent finds from one start: as given (0), by bounds (1), RELAXED, CANONICAL.

        By bounds every group stands in its best conceivable order: the gain of a pair is largest when the units that
        both are connected with stand in the order of their weights (the rearrangement inequality), whatever their true
        order is. CANONICAL puts units where their like in the reference stands when both networks are in canonical
        form, which is the very place for a copy of the reference, and for others no better than any order: no descent
        follows. RELAXED begins where a climb over averages of orders ends (see `relaxation`), from the middle of all
        orders; higher numbers climb from nearer to random ones. All are our addition.
        """
        begin = self._canonical if start == CANONICAL else self._start if start < RELAXED else self._relaxed
        state = begin(weights.double(), start)
        active, groups = torch.arange(len(weights)), list(self.structure.groups)
        for sweep in range(_SWEEPS if groups and start != CANONICAL else 0):
            part = state.take(active)
            improved = torch.zeros(len(active), dtype=torch.bool)
            for number in orders(key([self.seed], start, sweep), len(groups))[0].tolist():
                improved |= self._improve(part, groups[number])
            part.sweeps += 1
            state.put(active, part)
            active = active[improved]
            if not len(active):
                break
        return state

    def _apart(self, group: str) -> list[str]:
        """The groups inside of this one, where each can be ordered whatever the others are; else none."""
        inside = self.structure.inside(group)
        return inside if all(table.alone for name in inside for table in self.tables[name]) else []

    # -- starts -----------------------------------------------------------------------------------------------------

    def _start(self, weights: Tensor, start: int) -> Match:
        """As given, or with every group in its best conceivable order."""
        chosen, models = {}, len(weights)
        for group, width in self.structure.groups.items():
            blocks = self.structure.blocks[group]
            given = torch.arange(width).expand(models, blocks, -1)
            order = _assignments(self._bounds(weights, group)) if start else given
            chosen[group] = (order if group in self.structure.within else order[:, 0]).clone()
        signs = {
            name: torch.ones(models, self.structure.signals[name].width, dtype=torch.float64)
            for names in self.signals.values()
            for name in names
        }
        return self._moved(weights, chosen, signs)

    def _relaxed(self, weights: Tensor, start: int) -> Match:
        """Where a climb over averages of orders ends; a random one is the same for all networks."""
        state, towards = self._start(weights, 0), {}
        for number, (group, width) in enumerate(self.structure.groups.items() if start > RELAXED else ()):
            blocks = self.structure.blocks[group]
            keys = [key([self.seed], start, _SWEEPS, number, *([b] if b else [])) for b in range(blocks)]
            towards[group] = torch.stack([orders(one, width) for one in keys], 1)
        found, signs = self.relaxation.start(weights, towards, _assignments)
        for group, order in found.items():
            state.orders[group] = order if group in self.structure.within else order[:, 0]
        return self._moved(weights, state.orders, state.signs | signs)

    def _canonical(self, weights: Tensor, start: int) -> Match:
        """Every unit where the reference has the unit of the same rank, with its sign."""
        there = canonical_orders(self.structure, self.reference)
        found, chosen = canonical_orders(self.structure, weights), {}
        for group, order in found.items():
            ranks = there[group].argsort(-1)
            order = order.gather(-1, ranks.expand_as(order))
            if (outer := self.structure.within.get(group)) in there:
                blocks = there[outer].argsort(-1)[:, :, None].expand_as(order)
                order = order.gather(1, blocks)
            chosen[group] = order
        names = [name for names in self.signals.values() for name in names]
        state = self._moved(weights, chosen, {})
        signs = {}
        if names:
            theirs = canonical_unit_signs(self.structure, self.reference, names)
            signs = canonical_unit_signs(self.structure, state.current, names)
            signs = {name: values * theirs[name] for name, values in signs.items()}
        return self._moved(weights, chosen, signs)

    def _moved(self, weights: Tensor, chosen: dict[str, Tensor], signs: dict[str, Tensor]) -> Match:
        """The networks with their units in these orders and signs."""
        models = len(weights)
        state = Match(weights, chosen, signs, torch.zeros(models, dtype=torch.int64))
        index = unchecked_index(self.structure, chosen, models)
        state.current = (weights * state.factors(self.structure) if signs else weights).gather(-1, index)
        return state

    def _bounds(self, weights: Tensor, group: str) -> Float[Tensor, "models blocks width width"]:
        """The largest gain that putting old unit j at place i can have, if all other groups could be ordered for it."""
        bounds = 0
        for table in self.tables[group]:
            sides = []
            for values in (self.target[None], weights):
                block = table.piece.of(values.abs() if any(self.signals.values()) else values)
                for axis, other in enumerate(table.piece.groups):
                    if axis != table.axis and other in self.structure.groups:
                        block = block.sort(dim=1 + axis).values
                sides.append(rows_of(block, table.piece, table.axis))
            bounds += (sides[1] @ sides[0].mT).mT
        return bounds

    def _tables(self, group: str) -> Iterator[_Table]:
        for piece in self.structure.pieces:
            for axis, units in enumerate(piece.groups):
                if units == group and piece.slot.learned:
                    odd = {power.signal for power in piece.powers if power.axes[-1] == axis and power.power % 2}
                    rows = rows_of(piece.of(self.target[None]), piece, axis)[0]
                    yield _Table(piece, axis, frozenset(odd & set(self.signals[group])), rows)

    # -- one group after the other ----------------------------------------------------------------------------------

    def _improve(self, state: Match, group: str) -> Tensor:
        """Solve one group's assignment in every network, in place; True where that brought it nearer."""
        inside, names, combinations = self.inside[group], *self._combinations(group)
        each = self._gains(state.current, group, combinations)
        now = each[0].diagonal(dim1=-2, dim2=-1).sum(-1)
        gains, choices = each.max(0)
        for name in inside:
            within, as_it_is = self._gains_inside(state.current, name)
            gains, now = gains + within[:, None], now + as_it_is[:, None]
        found = _assignments(gains)
        reached = gains.gather(-1, found[..., None])[..., 0].sum(-1)
        improved = reached > now + 1e-9 * gains.abs().amax((-2, -1))
        order = torch.where(improved[..., None], found, torch.arange(found.shape[-1]))
        signs = combinations[choices.gather(-1, order[..., None])[..., 0]]
        signs = signs.masked_fill(~improved[..., None, None], 1.0)
        improved = improved.any(1)
        coupled = bool(inside) or any(table.piece.groups.count(group) > 1 for table in self.tables[group])
        before = state.take(torch.arange(len(improved))) if coupled else None
        self._move(state, group, order, {name: signs[..., number] for number, name in enumerate(names)})
        for name in inside:
            improved |= self._improve(state, name)
        if before is not None:  # the gains were a linearisation: take back what did not help
            back = (state.current @ self.target <= before.current @ self.target).nonzero()[:, 0]
            state.put(back, before.take(back))
            improved[back] = False
        return improved

    def _gains(
        self, current: Tensor, group: str, combinations: Float[Tensor, "combinations signals"]
    ) -> Float[Tensor, "combinations models blocks width width"]:
        """What putting old unit j at place i adds to the inner product, under every combination of its signs."""
        names, width, blocks = self.signals[group], self.structure.groups[group], self.structure.blocks[group]
        gains = current.new_zeros(len(combinations), len(current), blocks, width, width)
        for table in self.tables[group]:
            if table.inside and self.inside[group]:  # counted with the best order inside
                continue
            pairs = (rows_of(table.piece.of(current), table.piece, table.axis) @ table.rows.mT).mT
            carried = combinations[:, [name in table.signals for name in names]].prod(1)
            gains += carried[:, None, None, None, None] * pairs
        return gains

    def _gains_inside(self, current: Tensor, group: str) -> tuple[Float[Tensor, "models blocks blocks"], Tensor]:
        """What putting old block j at place i adds with the best order inside; and what the blocks give as they are."""
        names, combinations = self._combinations(group)
        blocks, width = self.structure.blocks[group], self.structure.groups[group]
        gains = current.new_zeros(len(combinations), len(current), blocks, blocks, width, width)
        now = current.new_zeros(len(current))
        for table in self.tables[group]:
            if table.alone:
                rows = rows_of(table.piece.of(current), table.piece, table.axis)
                pairs = table.rows[:, None] @ rows[:, None].mT
                carried = combinations[:, [name in table.signals for name in names]].prod(1)
                gains += carried[:, None, None, None, None, None] * pairs
                now += pairs.diagonal(dim1=1, dim2=2).diagonal(dim1=1, dim2=2).sum((1, 2))
        gains = gains.max(0).values
        best = gains.gather(-1, _assignments(gains)[..., None])[..., 0].sum(-1)
        return best, now

    def _combinations(self, group: str) -> tuple[list[str], Float[Tensor, "combinations signals"]]:
        """The signals of a group whose signs are free, and all signs that a unit can have in them."""
        names = self.signals[group]
        return names, torch.tensor(list(product((1.0, -1.0), repeat=len(names))), dtype=torch.float64)

    def _move(self, state: Match, group: str, order: Tensor, signs: dict[str, Tensor]) -> None:
        """Reorder (and flip) one group's units: all pieces that hold them, and the insides of its blocks with them."""
        within = group in self.structure.within
        flat = order if within else order[:, 0]
        for piece in self.structure.pieces:
            block = piece.of(state.current)
            for axis, units in enumerate(piece.groups):
                if units == group:
                    index = along(flat, len(piece.sizes), *((piece.outer[axis], axis) if within else (axis,)))
                    block.copy_(block.gather(1 + axis, index.expand_as(block)))
            for power in piece.powers:
                if power.signal in signs and power.power % 2:
                    values = signs[power.signal] if within else signs[power.signal][:, 0]
                    block *= along(values, len(piece.sizes), *power.axes)
        state.orders[group] = state.orders[group].gather(-1, flat)
        for name, values in signs.items():
            turned = state.signs[name].view_as(order).gather(-1, order) * values
            state.signs[name] = turned.flatten(1)
        for name in self.structure.inside(group):
            blocks = flat[:, :, None].expand_as(state.orders[name])
            state.orders[name] = state.orders[name].gather(1, blocks)
            for signal in self.signals[name]:
                own = state.signs[signal].view_as(blocks)
                state.signs[signal] = own.gather(1, blocks).flatten(1)


def _assignments(gains: Float[Tensor, "*cases width width"]) -> Int[Tensor, "*cases width"]:
    """For every case the old unit at each place that makes the sum of gains largest (scipy's exact solver)."""
    flat = gains.flatten(0, -3).numpy()
    found = [linear_sum_assignment(matrix, maximize=True)[1] for matrix in flat]
    return torch.from_numpy(np.array(found, dtype=np.int64).reshape(gains.shape[:-1]))
