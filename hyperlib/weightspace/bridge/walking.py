"""From a trace to the structure of a network's units."""

from __future__ import annotations

from dataclasses import dataclass

import torch

import hyperlib.weightspace.bridge.moving_rules
import hyperlib.weightspace.bridge.reducing_rules  # noqa: F401 (these register all rules)
from hyperlib.weightspace.bridge.rules import Walk
from hyperlib.weightspace.bridge.tracing import Trace
from hyperlib.weightspace.layout import Layout
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
    structure, together = (solved(walk.flow, layout.slots, together=one) for one in (False, True))
    batch = max(1, trace.inputs[0].shape[0]) if trace.inputs and trace.inputs[0].ndim else 1
    outputs = sum(one.numel() for one in given) // batch
    return Walked(structure, together, tuple(walk.walls), outputs, walk.numbers // batch)
