"""How units pass through a network: the operations of which every network is made, as facts about its axes and factors.

A front end (`layer_units` for a list of layers, `bridge` for a module) walks through a network and tells what happens
to the axes of every tensor. What is multiplied, added, passed through a nonlinearity or normalised is noted on the way,
and read a second time when all axes are known: a unit's factor goes through a product, has to be the same in all
summands, and passes a nonlinearity only if that is odd (signs) or positively homogeneous (scales).

Source: our choice. Signs after Chen et al. (1993), scales after Neyshabur et al. (2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hyperlib.weightspace.layout import Slot
from hyperlib.weightspace.units.axes import Axis, fix, unknown

PART, RESHAPED, BROADCAST = "part", "reshaped", "broadcast"
INPUT, OUTPUT = "these are inputs of the network", "these are outputs of the network"
PLACES, TABLE = "these are places of an image or a sequence", "these are rows of a table"
NOT_HIDDEN = (INPUT, OUTPUT, PLACES, TABLE)


@dataclass(eq=False)
class Value:
    """A tensor by its axes.

    slot: where it is a parameter. zero: it holds zeros alone, which any unit's factor leaves alone; padding: so do
    these of its units. tag, channels: which layer gave it, and its axis of channels.
    """

    axes: tuple[Axis, ...]
    slot: Slot | None = None
    zero: bool = False
    padding: tuple[Axis, ...] = ()
    tag: int | None = None
    channels: int = 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Size of every axis."""
        return tuple(axis.size for axis in self.axes)


@dataclass(frozen=True, eq=False)
class Product:
    """Something linear in each operand. summed: over which axes of every operand; powers: -1 for a divisor.

    how: where an operand's axes are in the result. PART: they are some of its axes, or parts of them; what is left out
    is not used. RESHAPED: they are all of its axes, divided otherwise. BROADCAST: they stand in the same places from
    the right. Or for every operand the result's axis of each of its axes, -1 for none.
    """

    operands: tuple[Value, ...]
    result: Value
    summed: tuple[tuple[Axis, ...], ...]
    powers: tuple[int, ...]
    how: str | tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Sum:
    """Summands, or anything else that only keeps a factor which all operands have."""

    operands: tuple[Value, ...]
    result: Value


@dataclass(frozen=True, eq=False)
class Pointwise:
    """A function of each number by itself, with the reasons against signs and scales; `power` where it is one."""

    operand: Value
    result: Value
    against_signs: str
    against_scaling: str
    power: int = 1


@dataclass(frozen=True, eq=False)
class Normalised:
    """Each unit by itself, by statistics that are parameters or taken from the data; then gain and bias, if there are.

    All of these stand along the operand's axis `channels`.
    """

    channels: int
    operand: Value
    result: Value
    gain: Value | None
    bias: Value | None
    mean: Value | None
    variance: Value | None


@dataclass(frozen=True, eq=False)
class Mixed:
    """Units are mixed, or met by something that does not follow: no factor passes. Then gain and bias, if there are.

    along: the result's axes that those of gain and bias are.
    """

    operand: Value
    result: Value
    reason: str
    along: tuple[int, ...] = ()
    gain: Value | None = None
    bias: Value | None = None


Operation = Product | Sum | Pointwise | Normalised | Mixed


@dataclass
class Flow:
    """A network's operations in order, its parameters, and names for axes (the first name of a unit counts)."""

    operations: list[Operation] = field(default_factory=list)
    parameters: dict[str, Value] = field(default_factory=dict)
    values: list[Value] = field(default_factory=list)
    names: list[tuple[Axis, str]] = field(default_factory=list)

    def parameter(self, slot: Slot) -> Value:
        """A slot of the layout as a tensor, the same one whenever it is asked for."""
        if slot.name not in self.parameters:
            self.parameters[slot.name] = Value(tuple(unknown(size) for size in slot.shape), slot)
        return self.parameters[slot.name]

    def value(self, axes: Sequence[Axis], **more: object) -> Value:
        """A tensor of these axes."""
        self.values.append(Value(tuple(axes), **more))
        return self.values[-1]

    def input(self, shape: Sequence[int]) -> Value:
        """A tensor that comes from outside: all its units keep their places."""
        return self.value([unknown(size, INPUT) for size in shape])

    def output(self, value: Value) -> None:
        """A tensor that goes outside: its units keep their places and their scale."""
        for axis in value.axes:
            fix(axis, OUTPUT)
        self.pin(value, OUTPUT)

    def pin(self, value: Value, reason: str) -> None:
        """This tensor can be multiplied by nothing; its units may still move."""
        self.operations.append(Mixed(value, value, reason))

    def multiply(
        self,
        operands: Sequence[Value],
        axes: Sequence[Axis],
        summed: Sequence[Sequence[Axis]] | None = None,
        powers: Sequence[int] | None = None,
        how: str | Sequence[Sequence[int]] = PART,
        **more: object,
    ) -> Value:
        """A product of all operands, summed over some axes of each; with one operand, any selection of its numbers."""
        result = self.value(axes, **more)
        summed = tuple(map(tuple, summed or [()] * len(operands)))
        how = how if isinstance(how, str) else tuple(map(tuple, how))
        self.operations.append(Product(tuple(operands), result, summed, tuple(powers or [1] * len(operands)), how))
        return result

    def add(self, operands: Sequence[Value], axes: Sequence[Axis], **more: object) -> Value:
        """A sum of all operands."""
        result = self.value(axes, **more)
        self.operations.append(Sum(tuple(operands), result))
        return result

    def pointwise(
        self,
        operand: Value,
        against_signs: str,
        against_scaling: str,
        power: int = 1,
        axes: Sequence[Axis] | None = None,
        **more: object,
    ) -> Value:
        """A function of single numbers, or of the numbers of one unit (a maximum over a window: then `axes`)."""
        result = self.value(operand.axes if axes is None else axes, **more)
        self.operations.append(Pointwise(operand, result, against_signs, against_scaling, power))
        return result

    def normalise(
        self,
        operand: Value,
        gain: Value | None = None,
        bias: Value | None = None,
        mean: Value | None = None,
        variance: Value | None = None,
        channels: int = 0,
        **more: object,
    ) -> Value:
        """Every unit normalised by itself; statistics that are parameters belong to what comes in."""
        result = self.value(operand.axes, **more)
        self.operations.append(Normalised(channels, operand, result, gain, bias, mean, variance))
        return result

    def mix(
        self,
        operand: Value,
        axes: Sequence[Axis],
        reason: str,
        gain: Value | None = None,
        bias: Value | None = None,
        along: Sequence[int] = (),
        **more: object,
    ) -> Value:
        """Units meet each other: no factor of what comes in can be taken back behind."""
        result = self.value(axes, **more)
        self.operations.append(Mixed(operand, result, reason, tuple(along), gain, bias))
        return result

    def wall(self, operands: Sequence[Value], shapes: Sequence[Sequence[int]], reason: str) -> list[Value]:
        """An operation of which nothing is known: whatever touches it stays where it is."""
        for operand in operands:
            for axis in operand.axes:
                fix(axis, reason)
            self.pin(operand, reason)
        return [self.value([unknown(size, reason) for size in shape]) for shape in shapes]
