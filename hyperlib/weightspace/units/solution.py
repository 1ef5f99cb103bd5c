"""From a flow to the structure: groups with names, pieces of the weight vector, and signals.

Source: our choice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from itertools import product as combinations
from math import prod

from hyperlib.weightspace.layout import Slot
from hyperlib.weightspace.units.axes import Axis, Unknown, boxes, found, units
from hyperlib.weightspace.units.factors import Factor, Factors
from hyperlib.weightspace.units.flow import NOT_HIDDEN, Flow, Value
from hyperlib.weightspace.units.structure import Piece, Power, Signal, UnitStructure


def solved(flow: Flow, slots: Sequence[Slot], *, together: bool = False) -> UnitStructure:
    """The structure of a network whose flow was told, over the slots of its layout.

    together: groups never stand within others; the order inside of blocks is then the same for all of them.
    """
    parameters = [flow.parameters.get(slot.name) or Value(_frozen(slot), slot) for slot in slots]
    names = _names(flow, parameters)
    outer = {} if together else _outer(flow, parameters, names)
    factors = Factors(flow)
    signals = _signals(flow, factors, parameters, names, outer)
    pieces = [piece for value in parameters for piece in _pieces(value, names, outer, factors, signals)]
    groups = {name: unit.size for unit, name in names.items()}
    within = {names[unit]: names.get(block, "") for unit, block in outer.items()}
    blocks = {name: outer[unit].size if unit in outer else 1 for unit, name in names.items()}
    carried = _carried(flow, factors, signals)
    used = {power.signal for piece in pieces for power in piece.powers}
    size = slots[-1].stop if slots else 0
    kept = {s.name: replace(s, carried=tuple(carried.get(s.name, ()))) for s in signals.values() if s.name in used}
    return UnitStructure(size, tuple(pieces), groups, _refused(flow, parameters), kept, within, blocks)


def _frozen(slot: Slot) -> tuple[Axis, ...]:
    """Axes of a parameter that no operation reads."""
    return tuple(Unknown(size, None, "nothing reads these weights") for size in slot.shape)


# -- groups ------------------------------------------------------------------------------------------------------------


def _names(flow: Flow, parameters: list[Value]) -> dict[Unknown, str]:
    """Units of parameters that may move, with their group's name: the given one, or that of the layer that has them."""
    own = {unit for value in parameters for axis in value.axes for unit in units(axis)}
    names: dict[Unknown, str] = {}
    taken: set[str] = set()
    axes = [
        *flow.names,
        *((axis, called(value.slot, parameters)) for value in parameters for axis in value.axes),
    ]
    for axis, name in axes:
        for number, (unit, wanted) in enumerate(_called(axis, name), start=1):
            if unit in own and not unit.fixed and unit not in names:
                names[unit] = wanted if wanted not in taken else _first_free(f"{name}#", number, taken)
                taken.add(names[unit])
    return {unit: name for unit, name in names.items() if unit.size > 1 or any(axis is unit for axis, _ in flow.names)}


def _called(axis: Axis, name: str) -> Iterator[tuple[Unknown, str]]:
    """The units of an axis of this name: by their range where they stand side by side, by number within products."""
    parts = [[(found(unit), unit.size) for unit, _ in box.units] for box in boxes(axis)]
    starts = [box.start for box in boxes(axis)]
    for start, own in zip(starts, parts, strict=True):
        for number, (unit, _) in enumerate(own, start=1):
            stop = start + prod(size for _, size in own)
            part = "" if all(other == own for other in parts) else f"[{start}:{stop}]"  # the gates of an LSTM are one
            yield unit, f"{name}{part}" + (f"#{number}" if len(own) > 1 else "")


def called(slot: Slot, parameters: list[Value]) -> str:
    """What the units of a slot are called: as their layer, or as the slot where the layer has several matrices."""
    beside = [value for value in parameters if value.slot.layer == slot.layer and len(value.slot.shape) > 1]
    return slot.name if len(beside) > 1 or not slot.layer else slot.layer


def _first_free(stem: str, number: int, taken: set[str]) -> str:
    """The first of these numbered names that is not taken."""
    return next(name for name in (f"{stem}{n}" for n in count(number)) if name not in taken)


def _outer(flow: Flow, parameters: list[Value], names: dict[Unknown, str]) -> dict[Unknown, Unknown]:
    """Units that stand in blocks wherever they stand, with the units that number the blocks."""
    company: dict[Unknown, set[Unknown]] = {}
    for value in [*flow.values, *parameters]:
        own = [[{found(unit) for unit, _ in box.units} for box in boxes(axis)] for axis in value.axes]
        for chosen in combinations(*own):  # with whom a unit stands wherever it stands
            there = set().union(*chosen)
            for unit in there & names.keys():
                company[unit] = company[unit] & there if unit in company else set(there)
    before: dict[Unknown, dict[Unknown, None]] = {}
    for value in parameters:
        for axis in value.axes:
            for box in boxes(axis):
                these = [found(unit) for unit, _ in box.units]
                for place, unit in enumerate(these):
                    before.setdefault(unit, {}).update(dict.fromkeys(these[:place]))
    outer = {}
    for unit in names:
        blocks = [one for one in before.get(unit, {}) if one in company[unit] and one.size > 1 and one is not unit]
        if blocks and blocks[-1] not in outer:
            outer[unit] = blocks[-1]
    return outer


def _refused(flow: Flow, parameters: list[Value]) -> dict[str, str]:
    """Hidden units that keep their places, by the name of their group or layer, with the reason."""
    refused: dict[str, str] = {}
    first = [(value.axes[0], called(value.slot, parameters)) for value in parameters if value.axes]
    for axis, name in flow.names or first:
        reasons = [unit.fixed for unit in units(axis) if unit.fixed and unit.fixed not in NOT_HIDDEN]
        if reasons:
            refused.setdefault(name, reasons[0])
    return refused


# -- signals and pieces ------------------------------------------------------------------------------------------------


def _signals(
    flow: Flow,
    factors: Factors,
    parameters: list[Value],
    names: dict[Unknown, str],
    outer: dict[Unknown, Unknown],
) -> dict[Factor, Signal]:
    """The factors that are left over, each with a name of its own."""
    left: dict[Factor, None] = {}
    for value in parameters:
        for own in (*(axis.values() for axis in factors.parts.get(value, [])), factors.crossing.get(value, [])):
            for factor in own:
                left.update(dict.fromkeys(factors.solved({factor: 1})))
    counts = Counter(factor.name for factor in left)
    signals, seen = {}, Counter()
    for factor in sorted(left, key=lambda one: one.rank[1]):
        seen[factor.name] += 1
        name = factor.name if counts[factor.name] == 1 else f"{factor.name}#{seen[factor.name]}"
        signals[factor] = Signal(
            name,
            _group(factor, names, outer),
            tuple(unit.size for unit in factor.space),
            factor.against_signs,
            factor.against_scaling,
        )
    return signals


def _group(factor: Factor, names: dict[Unknown, str], outer: dict[Unknown, Unknown]) -> str:
    """The group whose units a factor's are, one for each; "" where there is none."""
    *blocks, unit = factor.space
    return names.get(unit, "") if blocks == ([outer[unit]] if unit in outer else []) else ""


def _carried(flow: Flow, factors: Factors, signals: dict[Factor, Signal]) -> dict[str, list[tuple[int, int, int]]]:
    """For every signal the layers that carry it: place, first channel, and stride of its units."""
    carried: dict[str, list[tuple[int, int, int]]] = {}
    for value in (one for one in flow.values if one.tag is not None):
        parts = [(box.start, dict(box.units)) for box in boxes(value.axes[value.channels])]
        for factor, home in factors.of(value):
            for start, strides in parts:
                if factor in signals and strides.keys() >= set(home):
                    stride = min(strides[unit] for unit in home)
                    carried.setdefault(signals[factor].name, []).append((value.tag, start, stride))
    return carried


def _pieces(
    value: Value,
    names: dict[Unknown, str],
    outer: dict[Unknown, Unknown],
    factors: Factors,
    signals: dict[Factor, Signal],
) -> Iterator[Piece]:
    """The boxes of one parameter."""
    slot, strides, step = value.slot, [], 1
    for axis in reversed(value.axes):
        strides.insert(0, step)
        step *= axis.size
    parts = factors.parts.get(value) or [{} for _ in value.axes]
    for chosen in combinations(*(list(enumerate(boxes(axis))) for axis in value.axes)):
        start, columns, powers = slot.start, [], []
        for place, (number, box) in enumerate(chosen):
            start += box.start * strides[place]
            columns += [(found(unit), strides[place] * stride, place) for unit, stride in box.units]
            if number in parts[place]:
                powers += [(place, f, p) for f, p in factors.solved({parts[place][number]: 1}).items()]
        there = {unit for unit, *_ in columns}
        for crossing in factors.crossing.get(value, []):
            if set(crossing.space) <= there:
                powers += [(len(strides), f, p) for f, p in factors.solved({crossing: 1}).items()]
        yield _piece(slot, start, columns, powers, names, outer, signals)


def _piece(
    slot: Slot,
    start: int,
    columns: list[tuple[Unknown, int, int]],
    powers: list[tuple[int, Factor, int]],
    names: dict[Unknown, str],
    outer: dict[Unknown, Unknown],
    signals: dict[Factor, Signal],
) -> Piece:
    """One box; neighbouring axes that nothing moves or multiplies become one."""
    needed = {unit for _, factor, _ in powers for unit in factor.space} | {outer[u] for u, *_ in columns if u in outer}
    merged: list[tuple[list[Unknown], int, int, int]] = []  # units, size, stride, axis of the slot
    for unit, stride, place in columns:
        plain = unit not in names and unit not in needed
        if plain and merged and not merged[-1][0] and merged[-1][2] == unit.size * stride:
            merged[-1] = ([], merged[-1][1] * unit.size, stride, merged[-1][3])
        else:
            merged.append(([] if plain else [unit], unit.size, stride, place))
    where = {(unit, place): number for number, (own, _, _, place) in enumerate(merged) for unit in own}
    blocks = [
        next((where[outer[u], p] for p in (place, *range(len(merged))) if u in outer and (outer[u], p) in where), -1)
        for u, place in ((own[0] if own else None, place) for own, _, _, place in merged)
    ]
    return Piece(
        slot,
        start,
        tuple(size for _, size, _, _ in merged),
        tuple(stride for _, _, stride, _ in merged),
        tuple(names.get(own[0], "") if own else "" for own, _, _, _ in merged),
        tuple(blocks),
        tuple(place > 0 for _, _, _, place in merged),
        tuple(
            Power(signals[factor].name, tuple(_nearest(where, unit, place) for unit in factor.space), power)
            for place, factor, power in powers
        ),
    )


def _nearest(where: dict[tuple[Unknown, int], int], unit: Unknown, place: int) -> int:
    """The axis of a piece with this unit: of that axis of the slot, else (a factor of several) of the last with it."""
    if (unit, place) in where:
        return where[unit, place]
    return max(number for (other, _), number in where.items() if other is unit)
