"""Rules of sums over axes, pools and norms.

A mean lets factors of what it does not sum through; a norm of each unit by itself divides a scale out and leaves a sign
to its gain; a norm over several units stops factors, and its gain begins new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, fx

from hyperlib.weightspace.bridge.computing_rules import added, multiplied
from hyperlib.weightspace.bridge.rules import ORDERED, Walk, keep_places, places, rule
from hyperlib.weightspace.units.axes import factored, same, unknown
from hyperlib.weightspace.units.flow import PLACES, Value

MAXIMUM = "a maximum is not odd"
SOFTMAX = "softmax mixes units"

# -- sums over axes, pools ---------------------------------------------------------------------------------------------


def _kept(x: Value, where: int | Sequence[int] | None, keep: bool) -> tuple[list, list]:
    """What a reduction leaves of the axes, and what it reduces."""
    chosen = range(len(x.axes)) if where is None or where == [] else [where] if isinstance(where, int) else where
    gone = {places(len(x.axes), place) for place in chosen}
    kept = [unknown(1) if n in gone else axis for n, axis in enumerate(x.axes) if keep or n not in gone]
    return kept, [axis for n, axis in enumerate(x.axes) if n in gone]


@rule("sum", "mean", "nansum")
def _summed(walk: Walk, found: Tensor, x: Value, where: Any = None, keep: bool = False, **_: Any) -> Value:
    kept, gone = _kept(x, where, keep)
    return walk.flow.multiply([x], kept, [gone])


@rule("amax", "amin", "max", "min", "logsumexp", "var", "std", "var_mean", "std_mean", "prod", "any", "all")
def _reduced(walk: Walk, found: Any, x: Value, *arguments: Any, **named: Any) -> Any:
    if arguments and isinstance(arguments[0], Value):
        return walk.by_number([x, arguments[0]], "a maximum passes no factor")
    where = named.get("dim", next((one for one in arguments if not isinstance(one, bool)), None))
    return _without_factors(walk, found, x, where)


@rule("linalg_vector_norm", "norm")
def _length(walk: Walk, found: Any, x: Value, *arguments: Any, **named: Any) -> Any:
    return _without_factors(walk, found, x, named.get("dim", arguments[1] if len(arguments) > 1 else None))


def _without_factors(walk: Walk, found: Any, x: Value, where: int | Sequence[int] | None) -> Any:
    """A reduction that passes no factor; where it tells places too (those of a maximum), units that are asked for."""
    walk.flow.pin(x, "a norm or a maximum over units passes no factor")
    many = isinstance(found, tuple | list)
    first = found[0] if many else found
    kept, gone = _kept(x, where, len(first.shape) == len(x.axes))
    if many and not found[-1].is_floating_point() and _asked_for(walk.node, len(found) - 1):
        keep_places(gone, ORDERED)
    value = walk.flow.value(kept)
    return [value] * len(found) if many else value


def _asked_for(node: fx.Node, number: int) -> bool:
    """Whether anything reads this one of a node's results."""
    return any(user.args[1] == number for user in node.users)


@rule("softmax", "_softmax", "log_softmax", "_log_softmax", "_safe_softmax")
def _softmax(walk: Walk, found: Tensor, x: Value, place: int = -1, *_: Any, **__: Any) -> Value:
    walk.meets(x, [places(len(x.axes), place)])
    return walk.flow.pointwise(x, SOFTMAX, SOFTMAX)


def _over_places(names: str, linear: bool) -> None:
    """Rules of pools and the like, which leave the axes before the places alone; the number in a name says how many."""
    for name in names.split():
        count = next(int(letter) for letter in name if letter.isdigit())

        def pooled(walk: Walk, found: Any, x: Value, *_: Any, count: int = count, **__: Any) -> Any:
            keep_places(x.axes[-count:], PLACES)
            many = isinstance(found, tuple | list)
            shape = (found[0] if many else found).shape
            axes = (*x.axes[:-count], *(unknown(size, PLACES) for size in shape[-count:]))
            where = [*range(len(axes) - count), *[-1] * count]
            walk.meets(x, range(len(axes) - count, len(axes)))
            value = walk.rearranged(x, axes, where) if linear else walk.flow.pointwise(x, MAXIMUM, "", axes=axes)
            return [value, walk.flow.value(axes)] if many else value

        rule(name)(pooled)


_over_places(
    "max_pool1d max_pool2d max_pool3d max_pool2d_with_indices max_pool3d_with_indices adaptive_max_pool1d "
    "adaptive_max_pool2d adaptive_max_pool3d",
    linear=False,
)
_over_places(
    "avg_pool1d avg_pool2d avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool1d upsample_nearest1d "
    "upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d upsample_trilinear3d "
    "upsample_bicubic2d reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d "
    "replication_pad3d _upsample_nearest_exact2d _upsample_bilinear2d_aa",
    linear=True,
)

# -- norms -------------------------------------------------------------------------------------------------------------


@rule("native_layer_norm", "layer_norm")
def _layer_norm(
    walk: Walk,
    found: Any,
    x: Value,
    shape: Sequence[int],
    gain: Value | None = None,
    bias: Value | None = None,
    *_: Any,
) -> Any:
    along = range(len(x.axes) - len(shape), len(x.axes))
    for value in (gain, bias):
        for axis, place in zip(value.axes if value else (), along, strict=False):
            same(axis, x.axes[place])
    walk.meets(x, along)
    result = _mixed(walk, x, "LayerNorm mixes units", gain, bias, along)
    return [result, *(walk.flow.value([unknown(s) for s in one.shape]) for one in found[1:])]


@rule("native_group_norm", "group_norm")
def _group_norm(
    walk: Walk,
    found: Any,
    x: Value,
    gain: Value | None,
    bias: Value | None,
    n: int,
    c: int,
    cells: int,
    groups: int,
    epsilon: float,
) -> Any:
    factored(x.axes[1], groups)
    for value in (gain, bias):
        if value is not None:
            same(value.axes[0], x.axes[1])
    result = _mixed(walk, x, "GroupNorm mixes units", gain, bias, [1])
    return [result, *(walk.fresh(one, PLACES) for one in found[1:])]


def _mixed(
    walk: Walk, x: Value, reason: str, gain: Value | None, bias: Value | None, along: Sequence[int]
) -> Value:
    """A norm over several units; gain and bias begin factors of their own where they are parameters."""
    own = all(value is None or value.slot is not None for value in (gain, bias))
    if own and gain is not None:
        return walk.flow.mix(x, x.axes, reason, gain, bias, along)
    return _affine(walk, walk.flow.mix(x, x.axes, reason), gain, bias, along)


def _affine(walk: Walk, x: Value, gain: Value | None, bias: Value | None, along: Sequence[int]) -> Value:
    """Times gain, plus bias, along some axes."""
    for value, operation in ((gain, multiplied), (bias, added)):
        if value is not None:
            behind = len(x.axes) - 1 - max(along)
            turned = walk.flow.multiply([value], (*value.axes, *(unknown(1) for _ in range(behind))))
            x = operation(walk, None, x, turned)
    return x


@rule("_weight_norm_interface", "_weight_norm")
def _weight_norm(walk: Walk, found: Any, direction: Value, length: Value, place: int = 0) -> Any:
    unit = walk.flow.pointwise(direction, "", "its length is divided out")
    many = isinstance(found, tuple | list)
    result = multiplied(walk, None, unit, length)
    return [result, walk.flow.value(length.axes)] if many else result


@rule("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "cudnn_batch_norm")
def _batch_norm(
    walk: Walk, found: Any, x: Value, gain: Value | None, bias: Value | None, *statistics: Any, **_: Any
) -> Any:
    mean, variance = ([*statistics, None, None])[:2]
    mean, variance = (one if isinstance(one, Value) else None for one in (mean, variance))
    own = [value for value in (gain, bias, mean, variance) if value is not None]
    for value in own:
        same(value.axes[0], x.axes[1])
    if mean is None:  # statistics of the data sum over all other axes
        walk.flow.multiply([x], [x.axes[1]], [[*x.axes[:1], *x.axes[2:]]])
    if gain is not None and all(value.slot is not None for value in own):
        result = walk.flow.normalise(x, gain, bias, mean, variance, channels=1)
    else:
        result = walk.flow.normalise(x, None, None, mean, variance, channels=1)
        result = _affine(walk, result, gain, bias, [1])
    return [result, *(walk.fresh(one, PLACES) for one in found[1:])]
