"""What a tensor carries: factors, each along some of its units, to a power; and which of them share units.

Source: our choice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hyperlib.weightspace.units.axes import Axis, Unknown, aligned, boxes, found, product
from hyperlib.weightspace.units.flow import BROADCAST, PART, RESHAPED, Product, Value

Home = tuple[Unknown, ...]  # units as they stand in a tensor


@dataclass(eq=False)
class Factor:
    """One number for each combination of some units. Of two that are equal the one of lower rank stays."""

    space: tuple[Unknown, ...]
    name: str
    rank: tuple[int, int]
    against_signs: str = ""
    against_scaling: str = ""


Powers = dict[Factor, int]
Carried = dict[tuple[Factor, Home], int]


def places_in(operand: Value, result: Value, how: str | tuple[int, ...]) -> dict[Unknown, Unknown]:
    """The result's units that stand where those of an operand stand."""
    if how == PART:
        return {}
    if how == RESHAPED:
        return aligned(operand.axes, result.axes)
    if how == BROADCAST:
        how = tuple(range(len(result.axes) - len(operand.axes), len(result.axes)))
    pairs: dict[Unknown, Unknown] = {}
    for axis, place in zip(operand.axes, how, strict=True):
        if place >= 0 and axis.size == result.axes[place].size:
            pairs |= aligned([axis], [result.axes[place]])
    return pairs


def blocks_beside(
    operand: Value, home: Home, axes: tuple[Axis, ...], how: str | tuple[tuple[int, ...], ...], number: int
) -> frozenset[int]:
    """The result's axes of those units of a factor that are not summed over, which number its blocks."""
    if isinstance(how, str):
        return frozenset()
    summed = units_here(axes)
    places = ((place, units_here([axis])) for axis, place in zip(operand.axes, how[number], strict=True))
    return frozenset(place for place, there in places if there & (set(home) - summed))


def units_here(axes: Iterable[Axis]) -> set[Unknown]:
    """The units of these axes, as they stand there."""
    return {unit for axis in axes for box in boxes(axis) for unit, _ in box.units}


def boxes_of(axes: Sequence[Axis]) -> list[set[Unknown]]:
    """The units of every box of a tensor: what stands side by side along an axis is never in one box."""
    sets = {frozenset(unit for unit, _ in box.units) for box in boxes(product(*axes))}
    return [set(units) for units in sets if units]


def within(carried: Carried, box: set[Unknown], among: set[Unknown]) -> Carried:
    """The factors that a box has, as far as they have units among these."""
    return {where: p for where, p in carried.items() if set(where[1]) & among and set(where[1]) & among <= box}


def powers_of(carried: Carried) -> Powers:
    """The factors, wherever they stand."""
    result: Powers = {}
    for (factor, _), power in carried.items():
        result[factor] = result.get(factor, 0) + power
    return {factor: power for factor, power in result.items() if power}


def clusters_of(*sides: Carried) -> list[Carried]:
    """Factors of all sides that share units, directly or by others, apart from the rest; the powers are the last's."""
    clusters: list[tuple[set[Unknown], Carried]] = []
    for side in sides:
        for where, power in side.items():
            space, members = set(where[1]), {where: power}
            for entry in [entry for entry in clusters if entry[0] & space]:
                space |= entry[0]
                members = entry[1] | members
                clusters.remove(entry)
            clusters.append((space, members))
    return [members for _, members in clusters]


def stands(axes: Iterable[Axis]) -> Counter[Unknown]:
    """In how many boxes of these axes every unit stands."""
    return Counter(unit for axis in axes for box in boxes(axis) for unit, _ in box.units)


def twins(places: Iterable[tuple[Factor, Home]]) -> bool:
    """Whether different units as they stand are the same."""
    there = {unit for _, home in places for unit in home}
    return len({found(unit) for unit in there}) < len(there)


def along_both(one: Product) -> set[Unknown]:
    """Units that a weight has along an axis that is summed over and along one that is not."""
    return {
        unit
        for operand, axes in zip(one.operands, one.summed, strict=True)
        if operand.slot is not None
        for unit in units_here(axes) & units_here(axis for axis in operand.axes if all(axis is not o for o in axes))
    }
