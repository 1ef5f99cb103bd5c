"""Axes that turn out to be the same, products or rows: what is unified is what numbering by hand says."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from hyperlib.weightspace.units.axes import (
    Axis,
    Unknown,
    aligned,
    boxes,
    cut,
    factored,
    fix,
    found,
    product,
    row,
    same,
    units,
    unknown,
)

SEEDS = range(40)


def places_of(axis: Axis, orders: dict[Unknown, np.ndarray]) -> np.ndarray:
    """The old place at every place of an axis whose units are reordered, written down from the tree alone."""
    tree = found(axis)
    if isinstance(tree, Unknown):
        return orders.get(tree, np.arange(tree.size))
    if hasattr(tree, "parts"):
        start, made = 0, []
        for part in tree.parts:
            made.append(start + places_of(part, orders))
            start += part.size
        return np.concatenate(made)
    result = np.zeros(1, dtype=int)
    for factor in tree.factors:
        result = (result[:, None] * factor.size + places_of(factor, orders)[None]).ravel()
    return result


def places_by_boxes(axis: Axis, orders: dict[Unknown, np.ndarray]) -> np.ndarray:
    """The same from the boxes of the axis."""
    made = np.empty(axis.size, dtype=int)
    for box in boxes(axis):
        here, old = np.array([box.start]), np.array([box.start])
        for unit, stride in box.units:
            order = orders.get(found(unit), np.arange(unit.size))
            here = (here[:, None] + np.arange(unit.size) * stride).ravel()
            old = (old[:, None] + order * stride).ravel()
        made[here] = old
    return made


def some_orders(random: np.random.Generator, *axes: Axis) -> dict[Unknown, np.ndarray]:
    """An order of all units of these axes that may move."""
    free = {unit: None for axis in axes for unit in units(axis) if not unit.fixed}
    return {unit: random.permutation(unit.size) for unit in free}


def some_axis(random: np.random.Generator, depth: int = 3) -> Axis:
    """A random tree of products and rows."""
    if not depth or random.random() < 0.3:
        return unknown(int(random.integers(1, 5)))
    made = product if random.random() < 0.5 else row
    return made(*(some_axis(random, depth - 1) for _ in range(random.integers(2, 4))))


# -- trees -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_boxes_are_what_numbering_by_hand_says(seed):
    random = np.random.default_rng(seed)
    axis = some_axis(random)
    orders = some_orders(random, axis)

    assert np.array_equal(places_by_boxes(axis, orders), places_of(axis, orders))
    assert sum(prod(unit.size for unit, _ in box.units) for box in boxes(axis)) == axis.size


def test_factors_of_size_one_and_empty_parts_make_no_difference():
    one, nothing, units_here = unknown(1), unknown(0), unknown(5)

    assert product(one, units_here) is units_here is row(nothing, units_here)
    assert product().size == 1 and row().size == 0
    assert boxes(one)[0].units == ()


# -- the same ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_the_same_moves_in_the_same_way(seed):
    random = np.random.default_rng(seed)
    one = some_axis(random)
    sizes = [n for n in range(1, one.size + 1) if one.size % n == 0]
    first = int(random.choice(sizes))
    place = int(random.integers(0, one.size + 1))
    for other in (
        unknown(one.size),
        product(unknown(first), unknown(one.size // first)),
        row(unknown(place), unknown(one.size - place)),
    ):
        same(one, other)

        orders = some_orders(random, one, other)
        assert np.array_equal(places_of(one, orders), places_of(other, orders))


def test_axes_that_are_the_same_of_a_third_are_the_same():
    one, two, three = (unknown(6) for _ in range(3))
    same(one, two)
    same(two, three)

    assert found(one) is found(two) is found(three)


def test_an_axis_is_the_same_as_itself_and_stays_free():
    axis = product(unknown(2), unknown(3))
    same(axis, axis)

    assert not any(unit.fixed for unit in units(axis))


def test_axes_of_different_sizes_are_fixed():
    one, other = unknown(4), unknown(5)
    same(one, other, "they do not fit")

    assert one.fixed == other.fixed == "they do not fit"


def test_products_that_divide_otherwise_have_a_common_refinement():
    two, six, four, three = (unknown(size) for size in (2, 6, 4, 3))
    same(product(two, six), product(four, three))

    assert [unit.size for unit in units(product(two, six))] == [2, 2, 3]
    assert [found(unit) for unit in units(four)] == [found(unit) for unit in list(units(product(two, six)))[:2]]


def test_products_without_a_common_refinement_are_fixed():
    axes = [unknown(size) for size in (2, 3, 3, 2)]
    same(product(*axes[:2]), product(*axes[2:]))

    assert all(unit.fixed for axis in axes for unit in units(axis))


def test_rows_are_cut_where_either_is():
    one, other = row(unknown(3), unknown(5)), row(unknown(6), unknown(2))
    same(one, other)

    assert [unit.size for unit in units(one)] == [unit.size for unit in units(other)] == [3, 3, 2]


def test_an_axis_cannot_be_a_part_of_itself():
    unit = unknown(4)
    same(unit, row(unknown(2), unknown(2)))
    inner = next(units(unit))
    same(inner, product(unknown(1), inner))
    assert not inner.fixed

    looped = unknown(4)
    same(product(looped, unknown(1)), looped)
    assert not looped.fixed


def test_a_half_of_itself_is_fixed():
    half = unknown(3)
    whole = row(half, unknown(3))
    same(row(whole, half), row(half, whole))  # three equal thirds, which is no contradiction
    assert not any(unit.fixed for unit in units(whole))

    same(half, whole)
    assert all(unit.fixed for unit in units(whole))


def test_two_halves_that_change_places_are_one_unit():
    before, behind = unknown(3), unknown(3)
    same(row(before, behind), row(behind, before))

    assert found(before) is found(behind)


# -- cut, factored -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_both_parts_of_a_cut_lie_side_by_side(seed):
    random = np.random.default_rng(seed)
    axis = some_axis(random)
    before, behind = cut(axis, place := int(random.integers(0, axis.size + 1)))
    orders = some_orders(random, axis, before, behind)

    assert (before.size, behind.size) == (place, axis.size - place)
    whole = [*places_of(before, orders), *(place + places_of(behind, orders))]
    assert np.array_equal(places_of(axis, orders), whole)


@pytest.mark.parametrize("seed", SEEDS)
def test_blocks_and_what_stands_in_them_make_up_the_axis(seed):
    random = np.random.default_rng(seed)
    axis = some_axis(random)
    count = int(random.choice([n for n in range(1, axis.size + 1) if axis.size % n == 0]))
    outer, inner = factored(axis, count)
    orders = some_orders(random, axis, outer, inner)
    blocks, inside = places_of(outer, orders), places_of(inner, orders)

    assert (outer.size, inner.size) == (count, axis.size // count)
    assert np.array_equal(places_of(axis, orders), (blocks[:, None] * inner.size + inside).ravel())


def test_a_cut_at_an_end_leaves_the_axis_whole():
    axis = unknown(4)

    assert cut(axis, 0)[1] is axis is cut(axis, 4)[0]
    assert axis.bound is None


def test_a_cut_through_a_block_fixes_the_units():
    axis = product(unknown(2), unknown(3))
    before, behind = cut(axis, 2, "half a head is used")

    assert {unit.fixed for unit in units(axis)} == {"half a head is used"} == {before.fixed, behind.fixed}
    assert (before.size, behind.size) == (2, 4)


def test_a_row_falls_into_blocks_only_where_its_parts_do():
    good, bad = row(unknown(4), unknown(6)), row(unknown(3), unknown(5))
    outer, inner = factored(good, 5)
    factored(bad, 4, "no blocks")

    assert [part.size for part in units(outer)] == [2, 3] and inner.size == 2
    assert all(unit.fixed == "no blocks" for unit in units(bad))


# -- fixed -------------------------------------------------------------------------------------------------------------


def test_what_is_fixed_stays_fixed_in_all_its_forms_and_keeps_the_first_reason():
    axis = unknown(12)
    fix(axis, "first")
    fix(axis, "second")
    outer, inner = factored(axis, 3)
    before, _ = cut(outer, 1)
    other = unknown(12)
    same(other, axis)

    assert {unit.fixed for part in (inner, before, other) for unit in units(part)} == {"first"}


def test_a_reason_reaches_what_an_axis_was_bound_to():
    parts = unknown(2), unknown(3)
    whole = unknown(5)
    fix(whole, "kept")
    same(whole, row(*parts))

    assert [part.fixed for part in parts] == ["kept", "kept"]


def test_units_of_two_axes_are_paired_by_their_places():
    heads, inside, flat = unknown(2), unknown(3), unknown(6)
    same(flat, product(heads, inside))

    assert aligned([heads, inside], [flat]) == {heads: heads, inside: inside}
    assert aligned([unknown(6)], [row(unknown(2), unknown(4))]) == {}
