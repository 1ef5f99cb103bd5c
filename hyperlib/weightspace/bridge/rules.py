"""Rules: what an elementary operation does to the units of what it reads, and how a graph is walked with them.

A rule gets the operation's arguments, with a `Value` where a tensor stood, and what came out, as numbers. It says what
is known to the flow and gives a value, or several. Operations without a rule that work on single numbers (PyTorch says
which do) let orders pass and stop factors; all others are walls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils._pytree import tree_flatten, tree_map

from hyperlib.weightspace.layout import Layout
from hyperlib.weightspace.units.axes import Axis, fix, same, unknown
from hyperlib.weightspace.units.flow import Flow, Value

ORDERED = "their order is used"
CONSTANT = "a constant of the network meets these units"
Rule = Callable[..., Any]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Registers a function as what is known of these operators of `torch.ops.aten`, in-place forms too."""

    def registered(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return registered


class Walk(fx.Interpreter):
    """Runs a graph on its own inputs and tells the flow what every operation does."""

    def __init__(self, graph: fx.GraphModule, names: Sequence[str], layout: Layout) -> None:
        super().__init__(graph)
        self.flow, self.layout = Flow(), layout
        self.known: dict[fx.Node, Any] = {}  # values, by node
        self.waiting = list(names)  # of the tensors of the state, which come first
        self.slots = {slot.name for slot in layout.slots}
        self.numbers = 0  # that were computed
        self.walls: dict[str, None] = {}  # operators of which nothing is known
        self.node: fx.Node | None = None  # the present one
        self.uniform: set[Value] = set()  # constants of equal numbers, whose units are nobody's

    def run_node(self, node: fx.Node) -> Any:
        """Compute the node, then say what it does."""
        self.node, found = node, super().run_node(node)
        if node.op == "call_function" and isinstance(found, Tensor) and not _is_view(node.target):
            self.numbers += found.numel()
        if node.op == "placeholder":
            self.known[node] = self._placeholder(found, bool(node.users))
        elif node.op == "get_attr":
            self.known[node] = self.constant(found)
        elif node.op == "call_function":
            self.known[node] = self._called(node, found)
        elif node.op == "output":
            for value in tree_flatten(self._arguments(node.args))[0]:
                if isinstance(value, Value):
                    self.flow.output(value)
        return found

    def constant(self, tensor: Tensor) -> Value:
        """A tensor that is neither weight nor input: one of equal numbers lets every order pass."""
        if not tensor.numel() or (tensor == tensor.flatten()[0]).all():
            zero = tensor.numel() > 0 and not tensor.any()
            value = self.flow.value([unknown(size) for size in tensor.shape], zero=bool(zero))
            self.uniform.add(value)
            return value
        return self.flow.value([unknown(size, CONSTANT) for size in tensor.shape])

    def fresh(self, result: Tensor, reason: str) -> Value:
        """A result whose units keep their places."""
        return self.flow.value([unknown(size, reason) for size in result.shape])

    def rearranged(self, x: Value, axes: Sequence[Axis], places: Sequence[int]) -> Value:
        """Something linear in x that numbers some axes anew: where each of x's axes is in the result, -1 for these."""
        self.meets(x, [place for place, there in enumerate(places) if there < 0])
        return self.flow.multiply([x], axes, how=[places])

    def meets(self, x: Value, along: Sequence[int]) -> None:
        """Numbers meet along these axes: if these are blocks, what stands inside has one order for all of them."""
        self.flow.value([axis for place, axis in enumerate(x.axes) if place not in along])

    def broadcast(self, operands: Sequence[Value]) -> list[Axis]:
        """The axes of an operation on single numbers: what stands in the same place, from the right, is the same."""
        axes: list[Axis] = []
        for place in range(1, max(len(value.axes) for value in operands) + 1):
            there = [value.axes[-place] for value in operands if len(value.axes) >= place]
            wide = [axis for axis in there if axis.size > 1]
            for axis in wide[1:]:
                same(wide[0], axis)
            axes.insert(0, (wide or there)[0])
        return axes

    # -- inside -----------------------------------------------------------------------------------------------------

    def _placeholder(self, found: Any, read: bool) -> Value | None:
        if self.waiting:
            name = self.waiting.pop(0)
            if name in self.slots:
                return self.flow.parameter(self.layout[name]) if read else None
            return self.constant(found)
        return self.flow.input(found.shape) if isinstance(found, Tensor) else None

    def _arguments(self, arguments: Any) -> Any:
        found = fx.node.map_arg(arguments, lambda node: self.known[node])
        anew = {value: self._anew(value) for value in tree_flatten(found)[0] if isinstance(value, Value)}
        return tree_map(lambda leaf: anew.get(leaf, leaf) if isinstance(leaf, Value) else leaf, found)

    def _anew(self, value: Value) -> Value:
        """The value; a constant of equal numbers for this use alone: who meets it need not meet who else does."""
        if value not in self.uniform:
            return value
        new = self.flow.value([unknown(axis.size) for axis in value.axes], zero=value.zero)
        self.uniform.add(new)
        return new

    def _called(self, node: fx.Node, found: Any) -> Any:
        positional, named = self._arguments(node.args), self._arguments(node.kwargs)
        name = operator(node.target)
        if name == "getitem":
            return positional[0][positional[1]]
        operands = [value for value in tree_flatten((positional, named))[0] if isinstance(value, Value)]
        if operands and self.uniform.issuperset(operands):
            return tree_map(lambda leaf: self.constant(leaf) if isinstance(leaf, Tensor) else leaf, found)
        if name in RULES:
            return RULES[name](self, found, *positional, **named)
        if not operands and isinstance(found, Tensor):
            return self.constant(found)
        if torch.Tag.pointwise in getattr(node.target, "tags", ()) and isinstance(found, Tensor):
            return self.by_number(operands, f"{name} passes neither signs nor scales")
        self.walls[name] = None
        reason = f"nothing is known of what {name} does to units"
        self.flow.wall(operands, [], reason)
        return tree_map(lambda leaf: self.fresh(leaf, reason) if isinstance(leaf, Tensor) else leaf, found)

    def by_number(self, operands: Sequence[Value], reason: str) -> Value:
        """A function of single numbers that no factor passes."""
        axes = self.broadcast(operands)
        for value in operands:
            self.flow.pin(value, reason)
        return self.flow.value(axes)


def _is_view(target: Any) -> bool:
    """Whether an operator gives its operand's memory again."""
    schema = getattr(target, "_schema", None)
    return schema is not None and any(one.alias_info is not None for one in schema.returns)


def operator(target: Any) -> str:
    """The operator without its overload and without the mark of working in place."""
    packet = getattr(target, "overloadpacket", None)
    return getattr(packet or target, "__name__", str(target)).rstrip("_")


def places(count: int, axis: int) -> int:
    """An axis counted from the front."""
    return axis % count if count else 0


def keep_places(axes: Sequence[Axis], reason: str) -> None:
    """These axes are not units that could move."""
    for axis in axes:
        fix(axis, reason)
