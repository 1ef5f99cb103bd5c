"""From a trace to the structure of a network's units."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch

import hyperlib.weightspace.bridge.moving_rules
import hyperlib.weightspace.bridge.picking_rules
import hyperlib.weightspace.bridge.reducing_rules  # noqa: F401 (these register all rules)
from hyperlib.weightspace.bridge.rules import Walk
from hyperlib.weightspace.bridge.tracing import Trace
from hyperlib.weightspace.layout import Layout
from hyperlib.weightspace.units.axes import boxes, fix, found, units
from hyperlib.weightspace.units.flow import Flow, Product, Sum
from hyperlib.weightspace.units.solution import solved
from hyperlib.weightspace.units.structure import UnitStructure


@dataclass(frozen=True)
class Walked:
    """The structure that the graph promises, and what a run gave.

    together: the structure in which the insides of all blocks have one order. walls: operations of which nothing is
    known. outputs, activations: numbers that one input gives in the end, and on the way.
    """

    structure: UnitStructure
    together: UnitStructure
    walls: tuple[str, ...]
    outputs: int
    activations: int


def walked(trace: Trace, layout: Layout) -> Walked:
    """Walk through the operations of a trace, over the slots of the module's layout."""
    walk = Walk(trace.graph, trace.names, layout)
    with torch.no_grad():
        given = walk.run(*trace.state.values(), *trace.inputs)
    _tell_twice(walk.flow)
    _tell_sums(walk.flow)
    structure, together = (solved(walk.flow, layout.slots, together=one) for one in (False, True))
    batch = max(1, trace.inputs[0].shape[0]) if trace.inputs and trace.inputs[0].ndim else 1
    outputs = sum(one.numel() for one in given) // batch
    return Walked(structure, together, tuple(walk.walls), outputs, walk.numbers // batch)


def _tell_twice(flow: Flow) -> None:
    """Where operands meet along two axes that number the same units, what each of these is told.

    Pairs of attention heads meet so: the numbers inside of heads then need one order for all heads, and no factor of a
    head can be taken back, as if it were summed over. Units that stand twice along one axis of weights, which read such
    a meeting, keep their places.
    """
    for value in flow.parameters.values():
        for box in (box for axis in value.axes for box in boxes(axis)):
            there = [found(unit) for unit, _ in box.units]
            for unit in there if len(set(there)) < len(there) else ():
                fix(unit, "they stand twice along one axis")
    for one in list(flow.operations):
        if isinstance(one, Product | Sum) and len(one.operands) > 1:
            met = Counter(unit for axis in one.result.axes for unit in set(units(axis)))
            twice = {unit for unit, count in met.items() if count > 1 and unit.size > 1}
            for operand in one.operands if twice else ():
                gone = [axis for axis in operand.axes if not twice.isdisjoint(units(axis))]
                flow.multiply([operand], [axis for axis in operand.axes if axis not in gone], [gone])


def _tell_sums(flow: Flow) -> None:
    """Where blocks are summed over, what is left has one order for all of them, whatever blocks the sum stands in."""
    for one in list(flow.operations):
        for operand, axes in zip(one.operands, one.summed, strict=True) if isinstance(one, Product) else ():
            gone = {unit for axis in axes for unit in units(axis)}
            if gone:
                flow.value([unit for axis in operand.axes for unit in units(axis) if unit not in gone])
