"""The units of a list of layers: each kind says what it does to the axes of channels and of places.

Source: our choice; groups are named as the layers name them.
"""

from __future__ import annotations

from hyperlib.weightspace.layers import (
    Activation,
    Add,
    Conv,
    Flatten,
    LayerNorm,
    Linear,
    MaxPool,
    Norm,
    PadChannels,
    PReLU,
)
from hyperlib.weightspace.layout import Layout
from hyperlib.weightspace.steps import Step
from hyperlib.weightspace.units.axes import Axis, factored, fix, product, row, same, unknown
from hyperlib.weightspace.units.flow import PLACES, RESHAPED, Flow, Value
from hyperlib.weightspace.units.solution import solved
from hyperlib.weightspace.units.structure import UnitStructure

ODD = ("tanh", "sine")  # f(-x) = -f(x)
HOMOGENEOUS = ("relu", "leaky_relu")  # f(a x) = a f(x) for a > 0
_KINDS = (Conv, Linear, Norm, LayerNorm, PReLU, Activation, MaxPool, Flatten, Add, PadChannels)
MAXIMUM = "the maximum over a window is not odd"


def layer_units(
    steps: tuple[Step, ...], heads: tuple[int, ...], image: tuple[int, int, int], layout: Layout, activation: str
) -> UnitStructure:
    """The units of a wired list of layers whose outputs stand at the places `heads`."""
    walk = _Walk(layout, activation)
    images, values = walk.flow.input((image[0], image[1] * image[2])), []
    for place, step in enumerate(steps):
        came = values[step.source] if step.source >= 0 else images
        other = None if step.other is None else values[step.other] if step.other >= 0 else images
        value = walk.through(step, came, other)
        value.tag, value.channels = place, 0
        values.append(value)
    for head in heads:
        walk.flow.output(values[head])
    return solved(walk.flow, layout.slots)


class _Walk:
    """A flow on its way through the layers; values have the axes (channels, places), or features alone."""

    def __init__(self, layout: Layout, activation: str) -> None:
        self.flow, self.layout, self.activation = Flow(), layout, activation
        self.groups: dict[str, Axis] = {}

    def through(self, step: Step, x: Value, other: Value | None) -> Value:
        """What the step gives."""
        layer, flow = step.layer, self.flow
        channels, *places = x.axes
        behind = [unknown(_cells(step.outputs), PLACES)] if len(step.outputs) == 3 else []
        if type(layer) not in _KINDS:  # a kind that derives from one of these may do something else
            if vars(type(layer)).get("by_channel"):
                return flow.multiply([x], (channels, *behind))
            kind = f"{type(layer).__name__} {layer.name}".strip()
            return flow.wall([x], [_two(step.outputs)], f"nothing is known of what {kind} does to units")[0]
        match layer:
            case Conv() | Linear():
                return self._weighted(step, x, behind)
            case Norm():
                parts = [self._own(step, part, channels) for part in ("weight", "bias", "running_mean", "running_var")]
                return flow.normalise(x, *parts)
            case LayerNorm():
                parts = [self._own(step, part, channels) for part in ("weight", "bias")]
                return flow.mix(x, x.axes, "LayerNorm mixes units", *parts, along=(0,))
            case PReLU():
                flow.pin(self._own(step, "weight", None if layer.shared else channels), "it is the slope of PReLU")
                return flow.pointwise(x, "PReLU is not odd", "")
            case Activation():
                kind = layer.kind or self.activation
                signs = "" if kind in ODD else f"{kind} is not odd"
                return flow.pointwise(x, signs, "" if kind in HOMOGENEOUS else f"{kind} is not positively homogeneous")
            case MaxPool():
                return flow.pointwise(x, MAXIMUM, "", axes=(channels, *behind))
            case Flatten():
                return flow.multiply([x], (product(channels, *places),), how=RESHAPED)
            case Add():
                for one, another in zip(x.axes, other.axes, strict=True):
                    same(one, another)
                return flow.add([x, other], x.axes)
            case PadChannels():
                before = unknown(layer.before)
                after = unknown(step.outputs[0] - step.inputs[0] - layer.before)
                wide = self._grouped(step, row(before, channels, after))
                return flow.multiply([x], (wide, *behind), padding=(before, after))
        raise AssertionError(f"{type(layer).__name__} has no case")

    def _weighted(self, step: Step, x: Value, behind: list[Axis]) -> Value:
        """A linear layer, or a convolution, whose groups of channels read groups of channels."""
        weight = self.flow.parameter(self.layout[f"{step.layer.name}.weight"])
        written, read, *window = weight.axes
        for axis in window:
            fix(axis, PLACES)
        blocks, inside = factored(x.axes[0], getattr(step.layer, "groups", 1))
        same(inside, read)
        same(blocks, factored(written, blocks.size)[0])
        axes, deep = (self._grouped(step, written), *behind), blocks.size > 1 and written.size == x.axes[0].size
        where = [(0 if deep else -1, *(-1 for _ in x.axes[1:])), (0, *(-1 for _ in weight.axes[1:]))]
        result = self.flow.multiply([x, weight], axes, [(inside,), (read,)], how=where)
        if step.layer.bias:
            bias = self._own(step, "bias", written)
            bias = self.flow.multiply([bias], (bias.axes[0], *(unknown(1) for _ in behind)))
            result = self.flow.add([result, bias], result.axes)
        return result

    def _own(self, step: Step, part: str, channels: Axis | None) -> Value:
        """A parameter whose first axis are the channels; others are places."""
        value = self.flow.parameter(self.layout[f"{step.layer.name}.{part}"])
        first, *others = value.axes
        if channels is not None:
            same(first, channels)
        for axis in others:
            fix(axis, PLACES)
        return value

    def _grouped(self, step: Step, axis: Axis) -> Axis:
        """The units that a layer writes: those of its group."""
        if step.group in self.groups:
            same(self.groups[step.group], axis)
        else:
            self.groups[step.group] = axis
            self.flow.names.append((axis, step.group))
        return axis


def _cells(shape: tuple[int, ...]) -> int:
    return shape[1] * shape[2]


def _two(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes of our axes: channels and places, or features."""
    return (shape[0], _cells(shape)) if len(shape) == 3 else shape
