"""Rules of what computes: sums and products of tensors, layers with weights, nonlinearities.

Whatever is linear lets a factor through, a contraction takes it back; a nonlinearity passes signs if it is odd and
positive scales if it is homogeneous.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from hyperlib.weightspace.bridge.rules import Walk, keep_places, places, rule
from hyperlib.weightspace.units.axes import factored, same, unknown
from hyperlib.weightspace.units.flow import BROADCAST, PLACES, Value

# -- single numbers ----------------------------------------------------------------------------------------------------


def _single(name: str, odd: bool, homogeneous: bool) -> None:
    """A rule for a function of one number."""

    def passed(walk: Walk, found: Tensor, x: Value, *_: Any, **__: Any) -> Value:
        signs = "" if odd else f"{name} is not odd"
        return walk.flow.pointwise(x, signs, "" if homogeneous else f"{name} is not positively homogeneous")

    rule(name)(passed)


for _name in ("tanh", "sin", "asinh", "atan", "erf", "asin", "sinh", "softshrink", "hardshrink", "round", "trunc"):
    _single(_name, odd=True, homogeneous=False)
for _name in ("relu", "leaky_relu", "rrelu_with_noise"):
    _single(_name, odd=False, homogeneous=True)
_single("abs", odd=False, homogeneous=True)


@rule("hardswish", "hardsigmoid", "mish", "selu", "celu", "gelu", "silu", "log_sigmoid_forward", "softplus", "elu")
def _neither(walk: Walk, found: Any, x: Value, *_: Any, **__: Any) -> Any:
    value = walk.by_number([x], "this nonlinearity passes neither signs nor scales")
    return [value, *found[1:]] if isinstance(found, tuple | list) else value


@rule("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full")
def _filled(walk: Walk, found: Tensor, *_: Any, **__: Any) -> Value:
    return walk.constant(found)


@rule("fill")
def _filled_with(walk: Walk, found: Tensor, x: Value, number: Value | float) -> Value:
    if isinstance(number, Value):
        return walk.flow.multiply([number], [unknown(size) for size in found.shape])
    return walk.constant(found)


@rule("empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "empty_permuted")
def _yet_to_be_filled(walk: Walk, found: Tensor, *_: Any, **__: Any) -> Value:
    return walk.constant(found.new_zeros(found.shape))


@rule("zero")
def _emptied(walk: Walk, found: Tensor, *_: Any) -> Value:
    return walk.constant(found)


@rule("neg", "negative", "real", "conj")
def _linear(walk: Walk, found: Tensor, x: Value, *_: Any, **__: Any) -> Value:
    return walk.flow.multiply([x], x.axes)


@rule("prelu", "_prelu_kernel")
def _prelu(walk: Walk, found: Tensor, x: Value, slope: Value) -> Value:
    channel = x.axes[1] if len(x.axes) > 1 else x.axes[0]
    for axis in slope.axes:
        if axis.size > 1 and axis.size == channel.size:
            same(axis, channel)
    walk.flow.pin(slope, "it is a slope")
    return walk.flow.pointwise(x, "PReLU is not odd", "")


@rule("pow")
def _power(walk: Walk, found: Tensor, x: Value | float, exponent: Value | float) -> Value:
    if isinstance(x, Value) and isinstance(exponent, int | float) and exponent > 0 and exponent == int(exponent):
        return walk.flow.pointwise(x, "", "", power=int(exponent))
    return walk.by_number([one for one in (x, exponent) if isinstance(one, Value)], "a power passes no factor")


@rule("add", "sub", "subtract", "rsub")
def added(walk: Walk, found: Tensor | None, one: Value | float, other: Value | float, **_: Any) -> Value:
    """A sum: both must have the same factors, and a number that is added has none."""
    values = [value for value in (one, other) if isinstance(value, Value)]
    if len(values) == 2:
        return walk.flow.add(values, walk.broadcast(values))
    number = other if isinstance(one, Value) else one
    reason = "a number is added to all units"
    return values[0] if number == 0 else walk.flow.pointwise(values[0], reason, reason)


@rule("mul", "multiply")
def multiplied(walk: Walk, found: Tensor | None, one: Value | float, other: Value | float) -> Value:
    """A product of numbers that stand in the same place."""
    values = [value for value in (one, other) if isinstance(value, Value)]
    return walk.flow.multiply(values, walk.broadcast(values), how=BROADCAST)


@rule("div", "divide", "true_divide")
def _divided(walk: Walk, found: Tensor, one: Value | float, other: Value | float, **how: Any) -> Value:
    values = [value for value in (one, other) if isinstance(value, Value)]
    if how.get("rounding_mode"):
        return walk.by_number(values, "a division with rest passes no factor")
    powers = [1, -1] if isinstance(one, Value) else [-1]
    return walk.flow.multiply(values, walk.broadcast(values), powers=powers[: len(values)], how=BROADCAST)


@rule("where")
def _either(walk: Walk, found: Tensor, condition: Value, one: Value | float, other: Value | float) -> Value:
    values = [value for value in (one, other) if isinstance(value, Value)]
    axes = walk.broadcast([condition, *values])
    walk.flow.pin(condition, "it decides between others")
    for number in (one, other):
        if not isinstance(number, Value) and number != 0:
            return walk.by_number(values, "some are numbers")
    return walk.flow.add(values, axes) if values else walk.flow.value(axes)


@rule("masked_fill")
def _masked(walk: Walk, found: Tensor, x: Value, mask: Value, number: Value | float) -> Value:
    axes = walk.broadcast([x, mask])
    walk.flow.pin(mask, "it is a mask")
    if number == 0:
        return walk.flow.multiply([x], axes, how=BROADCAST)
    return walk.flow.mix(x, axes, "it is filled with numbers")


@rule("addcmul")
def _added_product(walk: Walk, found: Tensor, x: Value, one: Value, other: Value, **_: Any) -> Value:
    return added(walk, found, x, multiplied(walk, found, one, other))


@rule("glu")
def _gated(walk: Walk, found: Tensor, x: Value, place: int = -1) -> Value:
    from hyperlib.weightspace.bridge.moving_rules import part

    place = places(len(x.axes), place)
    half = found.shape[place]
    value, gate = part(walk, x, place, 0, half), part(walk, x, place, half, 2 * half)
    reason = "sigmoid passes neither signs nor scales"
    return multiplied(walk, found, value, walk.flow.pointwise(gate, reason, reason))


# -- products of tensors -----------------------------------------------------------------------------------------------


@rule("mm")
def _product(walk: Walk, found: Tensor, one: Value, other: Value) -> Value:
    same(one.axes[1], other.axes[0])
    summed = [(one.axes[1],), (other.axes[0],)]
    return walk.flow.multiply([one, other], (one.axes[0], other.axes[1]), summed, how=[(0, -1), (-1, 1)])


@rule("addmm")
def _product_and_sum(walk: Walk, found: Tensor, bias: Value, one: Value, other: Value, **_: Any) -> Value:
    return added(walk, found, _product(walk, found, one, other), bias)


@rule("bmm")
def _products(walk: Walk, found: Tensor, one: Value, other: Value) -> Value:
    same(one.axes[0], other.axes[0])
    same(one.axes[2], other.axes[1])
    axes, summed = (one.axes[0], one.axes[1], other.axes[2]), [(one.axes[2],), (other.axes[1],)]
    return walk.flow.multiply([one, other], axes, summed, how=[(0, 1, -1), (0, -1, 2)])


@rule("baddbmm")
def _products_and_sum(walk: Walk, found: Tensor, bias: Value, one: Value, other: Value, **_: Any) -> Value:
    return added(walk, found, _products(walk, found, one, other), bias)


@rule("mv")
def _product_with_vector(walk: Walk, found: Tensor, one: Value, other: Value) -> Value:
    same(one.axes[1], other.axes[0])
    return walk.flow.multiply([one, other], one.axes[:1], [(one.axes[1],), (other.axes[0],)], how=[(0, -1), (-1,)])


@rule("addmv")
def _product_with_vector_and_sum(walk: Walk, found: Tensor, bias: Value, one: Value, other: Value, **_: Any) -> Value:
    return added(walk, found, _product_with_vector(walk, found, one, other), bias)


@rule("_trilinear")
def _products_of_three(
    walk: Walk,
    found: Tensor,
    one: Value,
    two: Value,
    three: Value,
    new_one: Sequence[int],
    new_two: Sequence[int],
    new_three: Sequence[int],
    summed: Sequence[int],
    *_: Any,
) -> Value:
    wide = []
    for value, new in ((one, new_one), (two, new_two), (three, new_three)):
        axes = list(value.axes)
        for place in sorted(new):
            axes.insert(place, unknown(1))
        wide.append(walk.flow.multiply([value], axes))
    whole = multiplied(walk, None, multiplied(walk, None, wide[0], wide[1]), wide[2])
    kept = [axis for place, axis in enumerate(whole.axes) if place not in summed]
    return walk.flow.multiply([whole], kept, [[whole.axes[place] for place in summed]])


@rule("dot", "vdot")
def _inner_product(walk: Walk, found: Tensor, one: Value, other: Value) -> Value:
    same(one.axes[0], other.axes[0])
    return walk.flow.multiply([one, other], (), [one.axes, other.axes], how=[(-1,), (-1,)])


@rule("convolution", "_convolution")
def _convolution(
    walk: Walk,
    found: Tensor,
    x: Value,
    weight: Value,
    bias: Value | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    more: Any,
    groups: int = 1,
    *_: Any,
) -> Value:
    first, second, *window = weight.axes
    keep_places([*window, *x.axes[2:]], PLACES)
    blocks, inside = factored(x.axes[1], groups)
    if transposed:  # [read, written in each block, window]
        read_blocks, read = factored(first, groups)
        same(blocks, read_blocks)
        channels = unknown(groups * second.size)
        own, each = factored(channels, groups)
        same(own, blocks)
        same(each, second)
        where = (1 if groups == 1 else -1, 1 if groups == 1 else -1, *(-1 for _ in window))
        summed, where = (read,), (-1, where[1], *(-1 for _ in window))
    else:
        channels, read = first, second
        same(blocks, factored(first, groups)[0])
        summed, where = (read,), (1, -1, *(-1 for _ in window))
    same(inside, read)
    axes = (x.axes[0], channels, *(unknown(size, PLACES) for size in found.shape[2:]))
    of_x = (0, 1 if x.axes[1].size == channels.size and groups > 1 else -1, *(-1 for _ in x.axes[2:]))
    result = walk.flow.multiply([x, weight], axes, [(inside,), summed], how=[of_x, where])
    if bias is None:
        return result
    same(bias.axes[0], channels)
    turned = walk.flow.multiply([bias], (bias.axes[0], *(unknown(1) for _ in found.shape[2:])))
    return walk.flow.add([result, turned], axes)
