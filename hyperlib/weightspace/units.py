"""Which units every weight belongs to: the structure from which all symmetries of a network follow.

Seen from its units, a slot of the weight vector is a table: the units that it writes by the units that it reads, each
with so many places. A unit may change places with another of its *group* if every slot of the group follows. It may
also be multiplied by a number, and there a group is too coarse: between a convolution and its norm the units have a
scale of their own. We call a *signal* what layers pass on without mixing units or changing their scale; a writer and a
norm begin a new signal, an addition joins two. Both are derived here, once, from the list of layers.

Source: thesis, ch. 2 (permutations); groups as in Ainsworth et al. (2023). Signals are our own word.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod

from hyperlib.weightspace.architecture import Architecture, Step
from hyperlib.weightspace.layers import (
    Activation,
    Add,
    Dropout,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    Norm,
)
from hyperlib.weightspace.layout import Slot

ODD = ("tanh", "sine")  # f(-x) = -f(x)
HOMOGENEOUS = ("relu", "leaky_relu")  # f(a x) = a f(x) for a > 0
_TRANSPARENT = (Flatten, Dropout, GlobalAveragePool, Add)  # to a factor of any sign


@dataclass(frozen=True)
class Power:
    """A slot carries the factor of `signal` to this power, along its units written (axis 0) or read (axis 1)."""

    signal: str
    axis: int
    power: int


@dataclass(frozen=True)
class UnitSlot:
    """A slot as a table `[units written, places, units read, places]`; biases and norms read one unit, of no group."""

    slot: Slot
    shape: tuple[int, int, int, int]
    writes: str
    reads: str
    powers: tuple[Power, ...]


@dataclass(frozen=True)
class Signal:
    """Activations that share one scale per unit; the reasons say why a factor is refused, empty if it is not."""

    name: str
    group: str
    width: int
    steps: tuple[int, ...]  # places of the layers that carry it
    against_signs: str
    against_scaling: str


@dataclass(frozen=True)
class UnitStructure:
    """All that is known of a network's units: its slots, its groups and its signals."""

    slots: tuple[UnitSlot, ...]
    groups: dict[str, int]  # that may be permuted, with their widths
    refused: dict[str, str]  # hidden groups that may not, with the reason
    signals: dict[str, Signal]  # of hidden groups


@lru_cache(maxsize=64)
def unit_structure(architecture: Architecture) -> UnitStructure:
    """The units of an architecture's weights, derived from its layers."""
    names = _signal_names(architecture.steps)
    tied = _tied_groups(architecture.steps)
    groups = {group: width for group, width in architecture.hidden.items() if group not in tied}
    return UnitStructure(
        tuple(_unit_slots(architecture, names)),
        groups,
        {group: reason for group, reason in tied.items() if group in architecture.hidden},
        _signals(architecture, names, tied),
    )


def _signal_names(steps: tuple[Step, ...]) -> list[str]:
    """The signal that leaves each layer, named after the layer where it begins."""
    names: list[str] = []
    for place, step in enumerate(steps):
        came_in = names[step.source] if step.source >= 0 else "image"
        if step.other is not None:
            other = names[step.other] if step.other >= 0 else "image"
            joined = "image" if "image" in (came_in, other) else min(came_in, other, key=names.index)  # the earlier one
            names = [joined if name in (came_in, other) else name for name in names]
            names.append(joined)
        elif step.layer.parameters(step.inputs) or step.layer.ties:
            names.append(step.layer.name or f"layer {place}")
        else:
            names.append(came_in)
    return names


def _tied_groups(steps: tuple[Step, ...]) -> dict[str, str]:
    """Groups whose units are tied to their places by a shortcut without weights, with the reason."""
    tied = {}
    for step in steps:
        if not step.layer.ties:
            continue
        source = steps[step.source].group if step.source >= 0 else "image"
        for group in (source, step.group):
            tied[group] = (
                f"{step.layer.name or type(step.layer).__name__} carries unit k of {source!r} to unit k of "
                f"{step.group!r} without weights, so these units keep their places"
            )
    return tied


def _unit_slots(architecture: Architecture, names: list[str]) -> list[UnitSlot]:
    """Every slot of the layout, in its order."""
    steps, found = architecture.steps, []
    widths = architecture.hidden | {"image": architecture.image[0], steps[-1].group: architecture.num_classes}
    by_layer = {step.layer.name: (place, step) for place, step in enumerate(steps) if step.layer.name}
    for slot in architecture.slots:
        place, step = by_layer[slot.layer]
        source = steps[step.source] if step.source >= 0 else None
        source_group, source_signal = (source.group, names[step.source]) if source else ("image", "image")
        written, read, own = slot.shape[0], prod(slot.shape[1:]), names[place]
        if len(slot.shape) > 1:
            units = widths[source_group]
            shape, reads = (written, 1, units, read // units), source_group
            powers = (Power(own, 0, 1), Power(source_signal, 1, -1))
        else:
            units = widths[step.group]
            shape, reads = (units, written // units, 1, 1), ""
            is_norm = isinstance(step.layer, Norm)
            powers = _NORM_POWERS[slot.part](own, source_signal) if is_norm else (Power(own, 0, 1),)
        found.append(UnitSlot(slot, shape, step.group, reads, powers))
    return found


_NORM_POWERS = {  # of a norm that reads `old` and writes `new`; its statistics are those of the old
    "weight": lambda new, old: (Power(new, 0, 1), Power(old, 0, -1)),
    "bias": lambda new, old: (Power(new, 0, 1),),
    "running_mean": lambda new, old: (Power(old, 0, 1),),
    "running_var": lambda new, old: (Power(old, 0, 2),),
}


def _signals(architecture: Architecture, names: list[str], tied: dict[str, str]) -> dict[str, Signal]:
    """Signals of hidden groups, with what may be done to them."""
    steps, signals = architecture.steps, {}
    fixed = {"image", names[-1]}
    for name in dict.fromkeys(names):
        places = tuple(place for place, other in enumerate(names) if other == name)
        group = steps[places[0]].group
        if group not in architecture.hidden or name in fixed:
            continue
        passing = [steps[place] for place in places if not steps[place].layer.parameters(steps[place].inputs)]
        kinds = [_kind(step, architecture) for step in passing]
        normed = any(isinstance(step.layer, Norm) and names[step.source] == name for step in steps if step.source >= 0)
        signals[name] = Signal(
            name,
            group,
            architecture.hidden[group],
            places,
            tied.get(group) or next(filter(None, (_against_signs(kind) for kind in kinds)), ""),
            tied.get(group)
            or next(filter(None, (_against_scaling(kind) for kind in kinds)), "")
            or ("a norm divides the factor out again, but for its epsilon" if normed else ""),
        )
    return signals


def _kind(step: Step, architecture: Architecture) -> str:
    """The activation's name, or the kind of layer."""
    if isinstance(step.layer, Activation):
        return step.layer.kind or architecture.activation
    return "" if isinstance(step.layer, _TRANSPARENT) else type(step.layer).__name__


def _against_signs(kind: str) -> str:
    if kind in ("", *ODD):
        return ""
    if kind == MaxPool.__name__:
        return "the maximum over a window is not odd"
    return f"{kind} is not odd"


def _against_scaling(kind: str) -> str:
    return "" if kind in ("", MaxPool.__name__, *HOMOGENEOUS) else f"{kind} is not positively homogeneous"
