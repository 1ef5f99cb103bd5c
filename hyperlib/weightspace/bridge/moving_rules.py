"""Rules of what only moves numbers: other shapes, parts, joints and copies.

What is cut off an axis, chosen from it or joined to it divides its units into parts; a reshape divides them into
products (attention heads) or makes one axis of several.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from hyperlib.weightspace.bridge.rules import ORDERED, Walk, keep_places, places, rule
from hyperlib.weightspace.bridge.several import Several, several_at_once
from hyperlib.weightspace.units.axes import Axis, cut, factored, fix, product, row, same, unknown
from hyperlib.weightspace.units.flow import PLACES, RESHAPED, Value


@rule("clone", "detach", "alias", "contiguous", "_to_copy", "to", "lift_fresh", "lift_fresh_copy", "lift", "dropout")
def _as_it_is(walk: Walk, found: Tensor, x: Value, *_: Any, **__: Any) -> Value:
    if found.is_floating_point() or found.is_complex():
        return x
    return walk.by_number([x], "whole numbers and truth values pass no factor")


@rule("view", "_unsafe_view", "reshape", "view_copy", "_reshape_copy", "flatten", "unflatten", "_reshape_alias")
def _reshaped(walk: Walk, found: Tensor, x: Value, *_: Any, **__: Any) -> Value:
    if tuple(found.shape) == x.shape:
        return x
    if (value := several_at_once(walk, found, x)) is not None:
        return value
    axes = [unknown(size) for size in found.shape]
    same(product(*x.axes), product(*axes))
    return walk.flow.multiply([x], axes, how=RESHAPED)


@rule("t")
def _turned(walk: Walk, found: Tensor, x: Value) -> Value:
    return walk.flow.multiply([x], x.axes[::-1])


@rule("transpose", "swapaxes")
def _swapped(walk: Walk, found: Tensor, x: Value, one: int, other: int) -> Value:
    axes = list(x.axes)
    one, other = places(len(axes), one), places(len(axes), other)
    axes[one], axes[other] = axes[other], axes[one]
    return walk.flow.multiply([x], axes)


@rule("permute")
def _permuted(walk: Walk, found: Tensor, x: Value, order: Sequence[int]) -> Value:
    return walk.flow.multiply([x], [x.axes[places(len(x.axes), place)] for place in order])


@rule("unsqueeze")
def _unsqueezed(walk: Walk, found: Tensor, x: Value, place: int) -> Value:
    axes = list(x.axes)
    axes.insert(places(found.ndim, place), unknown(1))
    return walk.flow.multiply([x], axes)


@rule("squeeze")
def _squeezed(walk: Walk, found: Tensor, x: Value, where: int | Sequence[int] | None = None) -> Value:
    chosen = range(len(x.axes)) if where is None else [where] if isinstance(where, int) else where
    gone = {place for place in (places(len(x.axes), place) for place in chosen) if x.axes[place].size == 1}
    return walk.flow.multiply([x], [axis for place, axis in enumerate(x.axes) if place not in gone])


@rule("expand", "broadcast_to")
def _expanded(walk: Walk, found: Tensor, x: Value, *_: Any, **__: Any) -> Value:
    new = found.ndim - len(x.axes)
    axes = [unknown(size) for size in found.shape[:new]]
    for axis, size in zip(x.axes, found.shape[new:], strict=True):
        axes.append(axis if axis.size == size else unknown(size))
    return x if axes == list(x.axes) else walk.flow.multiply([x], axes)


@rule("repeat")
def _repeated(walk: Walk, found: Tensor, x: Value, times: Sequence[int]) -> Value:
    own = [*(unknown(1) for _ in range(len(times) - len(x.axes))), *x.axes]
    axes = [axis if count == 1 else product(unknown(count), axis) for axis, count in zip(own, times, strict=True)]
    return walk.flow.multiply([x], axes)


# -- parts -------------------------------------------------------------------------------------------------------------


def _with(x: Value, place: int, *axes: Axis) -> list[Axis]:
    return [*x.axes[:place], *axes, *x.axes[place + 1 :]]


def part(walk: Walk, x: Value, place: int, start: int, stop: int, *, drop: bool = False) -> Value:
    """The units from start to stop of one axis."""
    _, rest = cut(x.axes[place], start)
    middle, _ = cut(rest, stop - start)
    return walk.flow.multiply([x], _with(x, place, *([] if drop else [middle])))


@rule("select", "select_copy")
def _selected(walk: Walk, found: Tensor, x: Value, place: int, number: int) -> Value:
    place = places(len(x.axes), place)
    number %= x.axes[place].size
    if isinstance(x.axes[place], Several):
        return x.axes[place].one(walk, x, number)
    return part(walk, x, place, number, number + 1, drop=True)


@rule("slice", "slice_copy", "narrow")
def _sliced(
    walk: Walk,
    found: Tensor,
    x: Value,
    place: int = 0,
    start: int | None = None,
    stop: int | None = None,
    step: int = 1,
) -> Value:
    place = places(len(x.axes), place)
    size, kept = x.axes[place].size, found.shape[place]
    if kept == size:
        return x
    if step != 1:
        fix(x.axes[place], ORDERED)
        where = [-1 if n == place else n for n in range(len(x.axes))]
        return walk.rearranged(x, _with(x, place, unknown(kept, ORDERED)), where)
    first = min(max((start or 0) + (size if (start or 0) < 0 else 0), 0), size)
    return part(walk, x, place, first, first + kept)


@rule("split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes", "chunk", "unsafe_chunk", "split_copy")
def _split(walk: Walk, found: Sequence[Tensor], x: Value, sizes: Any, place: int = 0) -> list[Value]:
    place, start, parts = places(len(x.axes), place), 0, []
    for one in found:
        parts.append(part(walk, x, place, start, start + one.shape[place]))
        start += one.shape[place]
    return parts


@rule("unbind", "unbind_copy")
def _unbound(walk: Walk, found: Sequence[Tensor], x: Value, place: int = 0) -> list[Value]:
    place = places(len(x.axes), place)
    return [_selected(walk, one, x, place, number) for number, one in enumerate(found)]


@rule("cat", "concat", "concatenate")
def _joined(walk: Walk, found: Tensor, values: Sequence[Value], place: int = 0) -> Value:
    values = [value for value in values if value.shape != (0,)]
    place = places(found.ndim, place)
    for value in values[1:]:
        for number, (one, other) in enumerate(zip(values[0].axes, value.axes, strict=True)):
            if number != place:
                same(one, other)
    axes = _with(values[0], place, row(*(value.axes[place] for value in values)))
    parts = []
    for value in values:  # each says where it stands; the others are zeros there
        others = tuple(other.axes[place] for other in values if other is not value)
        own = [axis if number == place else axes[number] for number, axis in enumerate(value.axes)]
        mapped = walk.flow.multiply([value], own, how=[range(len(own))])
        parts.append(walk.flow.multiply([mapped], axes, padding=others))
    return walk.flow.add(parts, axes)


@rule("slice_scatter")
def _put(
    walk: Walk,
    found: Tensor,
    x: Value,
    new: Value,
    place: int = 0,
    start: int | None = None,
    stop: int | None = None,
    step: int = 1,
) -> Value:
    place = places(len(x.axes), place)
    size, kept = x.axes[place].size, new.axes[place].size
    if kept == size:
        return _joined(walk, found, [new], place)
    if step != 1:
        for value in (x, new):
            fix(value.axes[place], ORDERED)
            walk.flow.pin(value, ORDERED)
        for number, (one, other) in enumerate(zip(x.axes, new.axes, strict=True)):
            if number != place:
                same(one, other)
        return walk.flow.value(x.axes)
    first = min(max((start or 0) + (size if (start or 0) < 0 else 0), 0), size)
    ends = [(0, first), (first + kept, size)]
    before, behind = ([part(walk, x, place, *end)] if end[0] < end[1] else [] for end in ends)
    return _joined(walk, found, [*before, new, *behind], place)


@rule("select_scatter")
def _put_one(walk: Walk, found: Tensor, x: Value, new: Value, place: int, number: int) -> Value:
    place = places(len(x.axes), place)
    number %= x.axes[place].size
    return _put(walk, found, x, _unsqueezed(walk, found, new, place), place, number, number + 1)


@rule("copy")
def _copied(walk: Walk, found: Tensor, x: Value, new: Value, *_: Any) -> Value:
    return _expanded(walk, found, _as_it_is(walk, found, new))


@rule("stack")
def _stacked(walk: Walk, found: Tensor, values: Sequence[Value], place: int = 0) -> Value:
    place = places(found.ndim, place)
    for value in values[1:]:
        for one, other in zip(values[0].axes, value.axes, strict=True):
            same(one, other)
    beside = unknown(len(values), "these are several tensors side by side")
    result = walk.flow.add(list(values), values[0].axes)
    return walk.flow.multiply([result], [*values[0].axes[:place], beside, *values[0].axes[place:]])


@rule("constant_pad_nd")
def _padded(walk: Walk, found: Tensor, x: Value, pads: Sequence[int], value: float = 0.0) -> Value:
    axes, zeros = list(x.axes), []
    for number in range(len(pads) // 2):
        place, before, after = len(axes) - 1 - number, pads[2 * number], pads[2 * number + 1]
        axis = axes[place]
        axis = cut(axis, max(-before, 0))[1] if before < 0 else axis
        axis = cut(axis, axis.size + after)[0] if after < 0 else axis
        beside = unknown(max(before, 0)), unknown(max(after, 0))
        axes[place] = row(beside[0], axis, beside[1])
        zeros += [one for one in beside if one.size]
    if value:
        return walk.flow.mix(x, axes, "it is padded with numbers")
    return walk.flow.multiply([x], axes, padding=tuple(zeros))


@rule("channel_shuffle", "native_channel_shuffle")
def _shuffled(walk: Walk, found: Tensor, x: Value, groups: int) -> Value:
    outer, inner = factored(x.axes[1], groups)
    return walk.flow.multiply([x], _with(x, 1, product(inner, outer)))


@rule("pixel_unshuffle")
def _places_to_channels(walk: Walk, found: Tensor, x: Value, factor: int) -> Value:
    keep_places(x.axes[-2:], PLACES)
    inside = unknown(factor * factor, PLACES)
    axes = [*x.axes[:-2], inside, *(unknown(size, PLACES) for size in found.shape[-2:])]
    apart = walk.rearranged(x, axes, [*range(len(x.axes) - 2), -1, -1])
    return walk.flow.multiply([apart], [*axes[:-4], product(*axes[-4:-2]), *axes[-2:]])


@rule("im2col")
def _windows(walk: Walk, found: Tensor, x: Value, window: Sequence[int], *_: Any) -> Value:
    keep_places(x.axes[-2:], PLACES)
    axes = [*x.axes[:-2], unknown(window[0] * window[1], PLACES), unknown(found.shape[-1], PLACES)]
    apart = walk.rearranged(x, axes, [*range(len(x.axes) - 2), -1, -1])
    return walk.flow.multiply([apart], [*axes[:-3], product(*axes[-3:-1]), axes[-1]])


@rule("unfold")
def _windows_of_one(walk: Walk, found: Tensor, x: Value, place: int, size: int, step: int) -> Value:
    place = places(len(x.axes), place)
    fix(x.axes[place], PLACES)
    axes = [*_with(x, place, unknown(found.shape[place], PLACES)), unknown(size, PLACES)]
    return walk.rearranged(x, axes, [-1 if n == place else n for n in range(len(x.axes))])


@rule("pixel_shuffle")
def _channels_to_places(walk: Walk, found: Tensor, x: Value, factor: int) -> Value:
    channels, places_of = factored(x.axes[-3], found.shape[-3])
    keep_places([places_of, *x.axes[-2:]], PLACES)
    apart = walk.flow.multiply([x], [*x.axes[:-3], channels, places_of, *x.axes[-2:]])
    axes = [*x.axes[:-3], channels, *(unknown(size, PLACES) for size in found.shape[-2:])]
    return walk.rearranged(apart, axes, [*range(len(axes) - 2), -1, -1, -1])
