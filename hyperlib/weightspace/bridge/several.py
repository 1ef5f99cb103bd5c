"""An axis along which a reshape puts several tensors that a layer wrote at once, for a selection to take them apart.

Attention often writes queries, keys and values by one layer, reshapes its output to [..., 3, heads, inside] and selects
along the 3. Seen as a product, all three would have one order inside of heads. But they are three rows of units, one
behind the other, and are taken apart here as if the output had been chunked.
"""

from __future__ import annotations

from math import prod

from torch import Tensor, fx

from hyperlib.weightspace.bridge.rules import Walk, operator, places
from hyperlib.weightspace.units.axes import Axis, Unknown, cut, product, same, unknown
from hyperlib.weightspace.units.flow import Value

_MOST = 16  # tensors at once


class Several(Unknown):
    """The axis that numbers the tensors. `inside`: the axes of one, with what they are in each; `source`: whence."""

    def __init__(self, count: int, source: Value, inside: dict[Axis, list[Axis]]) -> None:
        super().__init__(count, None, "these are several tensors side by side")
        self.source, self.inside = source, inside

    def one(self, walk: Walk, x: Value, number: int) -> Value:
        """The tensor of this number."""
        axes = [self.inside[axis][number] if axis in self.inside else axis for axis in x.axes if axis is not self]
        return walk.flow.multiply([self.source], axes)


def several_at_once(walk: Walk, found: Tensor, x: Value) -> Value | None:
    """The result of a reshape one of whose axes is only ever selected from; None where there is no such axis."""
    shape = tuple(found.shape)
    for place, count in enumerate(shape):
        if not 1 < count <= _MOST or not _selected_from(walk.node, place):
            continue
        before = [n for n in range(len(x.axes)) if prod(x.shape[:n]) == prod(shape[:place]) and x.shape[n] > 1]
        if not before or x.shape[before[-1]] % count:
            continue
        number = before[-1]
        size, behind = x.shape[number] // count, place + 1
        while behind < len(shape) and prod(shape[place + 1 : behind]) < size:
            behind += 1
        if prod(shape[place + 1 : behind]) != size:
            continue
        inside: dict[Axis, list[Axis]] = {unknown(width): [] for width in shape[place + 1 : behind]}
        rest = x.axes[number]
        for _ in range(count):
            one, rest = cut(rest, size)
            own = [unknown(axis.size) for axis in inside]
            same(one, product(*own))
            for parts, axis in zip(inside.values(), own, strict=True):
                parts.append(axis)
        left, right = ([unknown(width) for width in part] for part in (shape[:place], shape[behind:]))
        same(product(*x.axes[:number]), product(*left))
        same(product(*x.axes[number + 1 :]), product(*right))
        return walk.flow.value([*left, Several(count, x, inside), *inside, *right])
    return None


def _selected_from(node: fx.Node, place: int) -> bool:
    """Whether all that is done with this axis of a node's result, behind moves of axes, is to select from it."""
    users = list(node.users)
    return bool(users) and all(_selects(user, node, place) for user in users)


def _selects(user: fx.Node, node: fx.Node, place: int) -> bool:
    name, arguments = operator(user.target), user.args
    rank = len(node.meta["tensor_meta"].shape) if "tensor_meta" in node.meta else 0
    if not rank or not arguments or arguments[0] is not node:
        return False
    if name in ("select", "unbind"):
        return places(rank, arguments[1] if len(arguments) > 1 else 0) == place
    if name in ("clone", "contiguous", "detach"):
        return _selected_from(user, place)
    if name == "unsqueeze":
        return _selected_from(user, place + (places(rank + 1, arguments[1]) <= place))
    if name == "squeeze" and len(arguments) > 1:
        gone = arguments[1] if isinstance(arguments[1], list | tuple) else [arguments[1]]
        gone = [places(rank, one) for one in gone]
        return place not in gone and _selected_from(user, place - sum(one < place for one in gone))
    if name == "transpose":
        one, other = places(rank, arguments[1]), places(rank, arguments[2])
        return _selected_from(user, {one: other, other: one}.get(place, place))
    if name == "permute":
        return _selected_from(user, [places(rank, one) for one in arguments[1]].index(place))
    return False
