"""Rules of what looks numbers up, picks them by their place, or puts them in order.

What is picked from, or ordered, keeps its places; all other axes are left alone. Whatever says what is picked can have
no factor, and where it is a number of units, these keep their places too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from hyperlib.weightspace.bridge.rules import ORDERED, Walk, keep_places, places, rule
from hyperlib.weightspace.units.axes import fix, same, unknown
from hyperlib.weightspace.units.flow import TABLE, Value

PICKS = "it says what is picked"


@rule("embedding")
def _looked_up(walk: Walk, found: Tensor, table: Value, numbers: Value, *_: Any, **__: Any) -> Value:
    fix(table.axes[0], TABLE)
    walk.flow.pin(numbers, PICKS)
    return walk.flow.multiply([table], [*numbers.axes, table.axes[1]])


@rule("index_select")
def _chosen(walk: Walk, found: Tensor, x: Value, place: int, numbers: Value) -> Value:
    return _picked(walk, found, x, places(len(x.axes), place), numbers)


@rule("index")
def _indexed(walk: Walk, found: Tensor, x: Value, numbers: Sequence[Value | None]) -> Value:
    where = [place for place, one in enumerate(numbers) if one is not None]
    for place in where:
        fix(x.axes[place], ORDERED)
    if len(where) == 1 and found.ndim == len(x.axes) - 1 + len(numbers[where[0]].axes):
        return _picked(walk, found, x, where[0], numbers[where[0]])
    operands = [x, *(one for one in numbers if one is not None)]
    return walk.flow.wall(operands, [found.shape], "these units are picked by number")[0]


def _picked(walk: Walk, found: Tensor, x: Value, place: int, numbers: Value) -> Value:
    """Those of one axis that have these numbers, or are marked."""
    for axis in (x.axes[place], *numbers.axes):
        fix(axis, ORDERED)
    walk.flow.pin(numbers, PICKS)
    new = [unknown(size, ORDERED) for size in found.shape[place : place + len(numbers.axes)]]
    behind = range(place + len(new), place + len(new) + len(x.axes) - place - 1)
    return walk.rearranged(x, [*x.axes[:place], *new, *x.axes[place + 1 :]], [*range(place), -1, *behind])


@rule("gather")
def _gathered(walk: Walk, found: Tensor, x: Value, place: int, numbers: Value, **_: Any) -> Value:
    place = places(len(x.axes), place)
    keep_places((x.axes[place], numbers.axes[place]), ORDERED)
    walk.flow.pin(numbers, PICKS)
    axes = list(x.axes)
    for number, (one, other) in enumerate(zip(x.axes, numbers.axes, strict=True)):
        if number == place or one.size != other.size:
            keep_places((one, other), ORDERED)
            axes[number] = unknown(other.size, ORDERED)
        else:
            same(one, other)
    return walk.rearranged(x, axes, [n if axis is axes[n] else -1 for n, axis in enumerate(x.axes)])


# -- orders ------------------------------------------------------------------------------------------------------------


def _linear(name: str, where: int) -> None:
    """A rule for what is linear along some axes and uses their order; `where` is the argument that names them."""

    def passed(walk: Walk, found: Tensor, x: Value, *arguments: Any, **named: Any) -> Value:
        return _again(walk, x, _along(x, arguments, where, named))

    rule(name)(passed)


for _name, _where in (("flip", 0), ("roll", 1), ("cumsum", 0)):
    _linear(_name, _where)


@rule("tril", "triu")
def _triangle(walk: Walk, found: Tensor, x: Value, *_: Any) -> Value:
    return _again(walk, x, {len(x.axes) - 2, len(x.axes) - 1})


def _again(walk: Walk, x: Value, gone: set[int]) -> Value:
    """The same tensor, some axes of which are numbered anew."""
    keep_places([x.axes[place] for place in gone], ORDERED)
    axes = [unknown(axis.size, ORDERED) if n in gone else axis for n, axis in enumerate(x.axes)]
    return walk.rearranged(x, axes, [-1 if n in gone else n for n in range(len(axes))])


def _ordering(name: str, where: int) -> None:
    """A rule for what puts the numbers along an axis in order, or finds a place there."""

    def ordered(walk: Walk, found: Any, x: Value, *arguments: Any, **named: Any) -> Any:
        walk.flow.pin(x, ORDERED)
        gone = _along(x, arguments, where, named)
        keep_places([x.axes[place] for place in gone], ORDERED)
        walk.meets(x, list(gone))
        many = isinstance(found, tuple | list)
        shape = (found[0] if many else found).shape
        if len(shape) == len(x.axes):
            axes = [unknown(shape[n], ORDERED) if n in gone else axis for n, axis in enumerate(x.axes)]
        else:
            axes = [axis for n, axis in enumerate(x.axes) if n not in gone]
        value = walk.flow.value(axes)
        return [value] * len(found) if many else value

    rule(name)(ordered)


for _name, _where in (("cumprod", 0), ("logcumsumexp", 0), ("sort", 0), ("argsort", 0), ("topk", 1)):
    _ordering(_name, _where)
for _name in ("cummax", "cummin", "argmax", "argmin", "median", "mode"):
    _ordering(_name, 0)
_ordering("kthvalue", 1)


def _along(x: Value, arguments: Sequence[Any], where: int, named: dict[str, Any]) -> set[int]:
    """The axes that an operation names, as its argument of this number or by a keyword; all where it names none."""
    told = named.get("dim", named.get("dims", arguments[where] if len(arguments) > where else None))
    if told is None or told == [] or isinstance(told, bool):
        return set(range(len(x.axes)))
    return {places(len(x.axes), place) for place in (told if isinstance(told, list | tuple) else [told])}
