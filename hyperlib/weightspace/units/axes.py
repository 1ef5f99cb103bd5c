"""Axes of tensors whose units may turn out to be the same, or to be made of others.

An axis begins as something unknown of a size. What a network does with it tells more: that two axes number the same
units (an addition), that one is a product of others (what a reshape to attention heads splits), or that it is a row of
others (what a concatenation joins and a chunk takes apart). `same` states such facts; an axis whose units have to keep
their places is *fixed*, with the reason. Facts that contradict each other fix everything that they are about.

Source: our choice; it is the unification of terms (Robinson, 1965) with two constructors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import prod


@dataclass(eq=False)
class Axis:
    """Something that is numbered from 0 to size - 1."""

    size: int


@dataclass(eq=False)
class Unknown(Axis):
    """Units of which nothing more is known yet; `bound` is what they turned out to be, `fixed` why they cannot move."""

    bound: Axis | None = None
    fixed: str = ""


@dataclass(eq=False)
class Product(Axis):
    """All combinations of its factors, those of the last one fastest."""

    factors: tuple[Axis, ...] = ()


@dataclass(eq=False)
class Row(Axis):
    """Its parts side by side."""

    parts: tuple[Axis, ...] = ()


@dataclass(frozen=True)
class Box:
    """A part of an axis that is a plain product: where it begins, and each of its units with size and stride."""

    start: int
    units: tuple[tuple[Unknown, int], ...] = field(default=())  # with their strides


def unknown(size: int, fixed: str = "") -> Unknown:
    """A new axis."""
    return Unknown(size, None, fixed)


def product(*factors: Axis) -> Axis:
    """The combinations of these axes; a factor of size 1 makes no difference."""
    kept = [factor for factor in factors if factor.size != 1]
    return kept[0] if len(kept) == 1 else Product(prod(f.size for f in kept), tuple(kept))


def row(*parts: Axis) -> Axis:
    """These axes one behind the other; an empty one makes no difference."""
    kept = [part for part in parts if part.size]
    return kept[0] if len(kept) == 1 else Row(sum(part.size for part in kept), tuple(kept))


def found(axis: Axis) -> Axis:
    """What the axis turned out to be."""
    while isinstance(axis, Unknown) and axis.bound is not None:
        axis = axis.bound
    return axis


def units(axis: Axis) -> Iterator[Unknown]:
    """All units that an axis is made of, from left to right."""
    axis = found(axis)
    if isinstance(axis, Unknown):
        yield axis
    else:
        for part in axis.factors if isinstance(axis, Product) else axis.parts:
            yield from units(part)


def fix(axis: Axis, reason: str) -> None:
    """These units keep their places; the first reason stays."""
    for unit in units(axis):
        unit.fixed = unit.fixed or reason


def boxes(axis: Axis) -> list[Box]:
    """The axis as plain products, one behind the other; units of size 1 are left out.

    Units are given as they stand here: of two that turned out to be the same (the gates of an LSTM) each is itself, and
    `found` says that they are one.
    """
    here, axis = axis, found(axis)
    if isinstance(axis, Unknown):
        return [Box(0, ((here, 1),) if axis.size > 1 else ())]
    if isinstance(axis, Row):
        made, start = [], 0
        for part in axis.parts:
            made += [Box(start + box.start, box.units) for box in boxes(part)]
            start += part.size
        return made
    made, inner = [Box(0)], axis.size
    for factor in axis.factors:
        inner //= factor.size
        made = [
            Box(left.start + inner * right.start, (*left.units, *((unit, inner * step) for unit, step in right.units)))
            for left in made
            for right in boxes(factor)
        ]
    return made


# -- facts -------------------------------------------------------------------------------------------------------------


class _Contradiction(Exception):
    """Two ways of numbering that have no common refinement."""


def same(one: Axis, other: Axis, reason: str = "its units are numbered in two ways that do not fit") -> None:
    """Both axes number the same units. Where that cannot be, all of them are fixed, with the reason."""
    try:
        _same(one, other)
    except _Contradiction:
        fix(one, reason)
        fix(other, reason)


def cut(axis: Axis, place: int, reason: str = "only some of its units are used") -> tuple[Axis, Axis]:
    """The axis as two parts, before and from `place` on. Where it cannot be cut there, it is fixed."""
    if not 0 < place < axis.size:
        empty = unknown(0)
        return (empty, axis) if not place else (axis, empty)
    try:
        return _cut(axis, place)
    except _Contradiction:
        fix(axis, reason)
        return unknown(place, reason), unknown(axis.size - place, reason)


def factored(axis: Axis, outer: int, reason: str = "its units do not fall into blocks") -> tuple[Axis, Axis]:
    """The axis as so many blocks and what stands in each. Where it cannot be, it is fixed."""
    if outer == 1:
        return unknown(1), axis
    try:
        return _factored(axis, outer)
    except _Contradiction:
        fix(axis, reason)
        return unknown(outer, reason), unknown(axis.size // outer, reason)


def _same(one: Axis, other: Axis) -> None:
    one, other = found(one), found(other)
    if one is other or one.size == other.size == 1:
        return
    if one.size != other.size:
        raise _Contradiction
    if isinstance(one, Unknown):
        _bind(one, other)
    elif isinstance(other, Unknown):
        _bind(other, one)
    elif isinstance(one, Product) and isinstance(other, Product):
        _match(_factors(one), _factors(other), _factored)
    else:
        _match(_parts(one), _parts(other), _cut)


def _bind(unit: Unknown, axis: Axis) -> None:
    if any(part is unit for part in units(axis)):  # made of itself and more
        raise _Contradiction
    unit.bound = axis
    if unit.fixed:
        fix(axis, unit.fixed)


def _match(left: list[Axis], right: list[Axis], split) -> None:
    """Go through both lists, splitting the larger one of each pair of heads."""
    while left and right:
        one, other = left.pop(0), right.pop(0)
        if one.size > other.size:
            one, rest = split(one, other.size)
            left.insert(0, rest)
        elif other.size > one.size:
            other, rest = split(other, one.size)
            right.insert(0, rest)
        _same(one, other)


def _factors(axis: Axis) -> list[Axis]:
    """The factors of a product, none of which is a product or of size 1."""
    tree = found(axis)
    if not isinstance(tree, Product):
        return [axis] if axis.size != 1 else []
    return [factor for one in tree.factors for factor in _factors(one)]


def _parts(axis: Axis) -> list[Axis]:
    """The parts of a row, none of which is a row or empty."""
    tree = found(axis)
    if not isinstance(tree, Row):
        return [axis] if axis.size else []
    return [part for one in tree.parts for part in _parts(one)]


def _factored(axis: Axis, outer: int) -> tuple[Axis, Axis]:
    """The axis as a product whose first factor has this size."""
    axis = found(axis)
    if axis.size % outer:
        raise _Contradiction
    inner = axis.size // outer
    if isinstance(axis, Unknown):
        halves = unknown(outer, axis.fixed), unknown(inner, axis.fixed)
        axis.bound = product(*halves)
        return halves
    if isinstance(axis, Row):
        if any(part.size % inner for part in _parts(axis)):
            raise _Contradiction
        shared, firsts = unknown(inner), []
        for part in _parts(axis):
            firsts.append(unknown(part.size // inner))
            _same(part, product(firsts[-1], shared))
        return row(*firsts), shared
    lead: list[Axis] = []
    rest = _factors(axis)
    while outer > 1:
        factor = rest.pop(0)
        if factor.size > outer:
            factor, tail = _factored(factor, outer)
            rest.insert(0, tail)
        if outer % factor.size:
            raise _Contradiction
        outer //= factor.size
        lead.append(factor)
    return product(*lead), product(*rest)


def _cut(axis: Axis, place: int) -> tuple[Axis, Axis]:
    """The axis as a row of two parts, the first of this size."""
    axis = found(axis)
    if isinstance(axis, Unknown):
        halves = unknown(place, axis.fixed), unknown(axis.size - place, axis.fixed)
        axis.bound = row(*halves)
        return halves
    if isinstance(axis, Product):
        first, *others = _factors(axis)
        inner = axis.size // first.size
        if place % inner:
            raise _Contradiction
        before, behind = _cut(first, place // inner)
        return product(before, *others), product(behind, *others)
    before, rest = [], _parts(axis)
    while place:
        part = rest.pop(0)
        if part.size > place:
            part, tail = _cut(part, place)
            rest.insert(0, tail)
        before.append(part)
        place -= part.size
    return row(*before), row(*rest)


def aligned(these: Sequence[Axis], those: Sequence[Axis]) -> dict[Unknown, Unknown]:
    """For the units as they stand in some axes, those that stand in the same places of others of the same sizes."""
    left, right = (boxes(product(*axes)) for axes in (these, those))
    if [box.start for box in left] != [box.start for box in right]:
        return {}
    pairs: dict[Unknown, Unknown] = {}
    for one, other in zip(left, right, strict=True):
        if len(one.units) == len(other.units):
            pairs |= {a: b for (a, _), (b, _) in zip(one.units, other.units, strict=True)}
    return pairs
