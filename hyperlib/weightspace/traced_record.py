"""A traced network as plain data: its layout and its units, without its code, and back.

Everything in it is a number or a name; the class of the module is a name for people and is never imported. A stranger's
record is checked in full: every piece lies inside of its slot, all of them cover the weight vector once, and what they
refer to is there.

Source: our choice.
"""

from __future__ import annotations

from math import prod
from typing import Annotated, Any, Literal

import msgspec
import torch

from hyperlib.files.reading import as_form
from hyperlib.weightspace.layout import Layout, Slot
from hyperlib.weightspace.traced_module import TracedModule
from hyperlib.weightspace.units.structure import Piece, Power, Signal, UnitStructure

LARGEST = 2**28  # weights, since reading marks each of them once
_MANY = 2**20
_Name = Annotated[str, msgspec.Meta(max_length=1000)]
_Number = Annotated[int, msgspec.Meta(ge=0, lt=2**40)]
_Sizes = Annotated[tuple[_Number, ...], msgspec.Meta(max_length=24)]  # axes; PyTorch views at most 64
_Slots = Annotated[tuple["_Slot", ...], msgspec.Meta(max_length=_MANY)]


class _Slot(msgspec.Struct, forbid_unknown_fields=True, frozen=True, array_like=True):
    layer: _Name
    part: _Name
    shape: _Sizes
    learned: bool


class _Power(msgspec.Struct, forbid_unknown_fields=True, frozen=True, array_like=True):
    signal: _Name
    axes: _Sizes
    power: Annotated[int, msgspec.Meta(ge=-8, le=8)]


class _Piece(msgspec.Struct, forbid_unknown_fields=True, frozen=True, array_like=True):
    slot: _Number
    start: _Number
    sizes: _Sizes
    strides: _Sizes
    groups: tuple[_Name, ...]
    outer: tuple[Annotated[int, msgspec.Meta(ge=-1, le=64)], ...]
    reads: tuple[bool, ...]
    powers: tuple[_Power, ...]


class _Signal(msgspec.Struct, forbid_unknown_fields=True, frozen=True, array_like=True):
    name: _Name
    group: _Name
    sizes: _Sizes
    against_signs: _Name
    against_scaling: _Name


class _Record(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is kept of a traced module."""

    kind: Literal["traced"]
    name: _Name
    module: _Name
    outputs: _Number
    activations: _Number
    slots: _Slots
    pieces: Annotated[tuple[_Piece, ...], msgspec.Meta(max_length=_MANY)]
    groups: dict[_Name, _Number]
    within: dict[_Name, _Name]
    blocks: dict[_Name, _Number]
    refused: dict[_Name, _Name]
    signals: Annotated[tuple[_Signal, ...], msgspec.Meta(max_length=_MANY)]
    walls: tuple[_Name, ...] = ()


def traced_record(network: TracedModule) -> dict[str, Any]:
    """The network as data for JSON. Raises ValueError for one that is too large to be read back."""
    if network.layout.size > LARGEST:
        raise ValueError(f"{network.name} has more than {LARGEST} numbers, and no file describes such a network here.")
    structure = network.structure
    numbers = {slot: number for number, slot in enumerate(network.slots)}
    record = _Record(
        "traced",
        network.name,
        network.kind,
        network.num_classes,
        network.activations_per_input,
        tuple(_Slot(slot.layer, slot.part, slot.shape, slot.learned) for slot in network.slots),
        tuple(_piece(piece, numbers) for piece in structure.pieces),
        structure.groups,
        structure.within,
        structure.blocks,
        structure.refused,
        tuple(_signal(signal) for signal in structure.signals.values()),
        network.walls,
    )
    return msgspec.to_builtins(record)


def _signal(signal: Signal) -> _Signal:
    return _Signal(signal.name, signal.group, signal.sizes, signal.against_signs, signal.against_scaling)


def _piece(piece: Piece, numbers: dict[Slot, int]) -> _Piece:
    powers = tuple(_Power(power.signal, power.axes, power.power) for power in piece.powers)
    number, start = numbers[piece.slot], piece.start - piece.slot.start
    return _Piece(number, start, piece.sizes, piece.strides, piece.groups, piece.outer, piece.reads, powers)


def traced_from_record(data: Any) -> TracedModule:
    """The network of a record, without code to run. Raises ValueError for what no traced network can be."""
    record = as_form(data, _Record, "the record of a traced network")
    slots, place = [], 0
    for one in record.slots:
        slots.append(Slot(one.layer, one.part, place, one.shape, one.learned))
        place = slots[-1].stop
    if place > LARGEST:
        raise ValueError(f"The network {record.name} has more than {LARGEST} numbers.")
    sizes = {signal.name: signal.sizes for signal in record.signals}
    pieces = tuple(_read(piece, slots, record, sizes) for piece in record.pieces)
    if sum(prod(piece.sizes) for piece in pieces) != place:
        raise ValueError(f"The pieces of {record.name} do not cover its weights once.")
    seen = torch.zeros(1, place, dtype=torch.uint8)
    for piece in pieces:
        piece.of(seen).fill_(1)
    if not seen.all():
        raise ValueError(f"The pieces of {record.name} do not cover its weights once.")
    signals = {s.name: Signal(s.name, s.group, s.sizes, s.against_signs, s.against_scaling) for s in record.signals}
    structure = UnitStructure(place, pieces, record.groups, record.refused, signals, record.within, record.blocks)
    _check(record, structure)
    return TracedModule(
        record.name,
        Layout(tuple(slots)),
        structure,
        kind=record.module,
        outputs=record.outputs,
        activations=record.activations,
        walls=record.walls,
    )


def _read(piece: _Piece, slots: list[Slot], record: _Record, sizes: dict[str, tuple[int, ...]]) -> Piece:
    """One piece, if it lies inside of its slot and its axes are what the record says of groups and signals."""
    count = len(piece.sizes)
    lengths = {len(part) for part in (piece.strides, piece.groups, piece.outer, piece.reads)}
    good = piece.slot < len(slots) and lengths == {count}
    last = piece.start + sum((size - 1) * step for size, step in zip(piece.sizes, piece.strides, strict=False))
    good = good and all(piece.sizes) and last < slots[piece.slot].size
    for size, group, outer in zip(piece.sizes, piece.groups, piece.outer, strict=False):
        good = good and (not group or record.groups.get(group) == size)
        good = good and (outer < count) and (bool(group in record.within) == (outer >= 0) if group else outer < 0)
        good = good and (outer < 0 or record.blocks.get(group) == piece.sizes[outer])
        good = good and (outer < 0 or record.within[group] == piece.groups[outer])
    for power in piece.powers:
        inside = len(set(power.axes)) == len(power.axes) and all(axis < count for axis in power.axes)
        good = good and inside and sizes.get(power.signal) == tuple(piece.sizes[axis] for axis in power.axes)
    if not good:
        raise ValueError(f"A piece of {record.name} does not fit its slot, its groups or its signals.")
    slot = slots[piece.slot]
    powers = tuple(Power(power.signal, power.axes, power.power) for power in piece.powers)
    start = slot.start + piece.start
    return Piece(slot, start, piece.sizes, piece.strides, piece.groups, piece.outer, piece.reads, powers)


def _check(record: _Record, structure: UnitStructure) -> None:
    """Groups and signals refer to each other and to what is there."""
    used = {group for piece in structure.pieces for group in piece.groups if group}
    groups, signals = structure.groups, structure.signals
    good = used == set(groups) and set(structure.blocks) == used and set(structure.within) <= used
    good = good and all(count == 1 for name, count in structure.blocks.items() if name not in structure.within)
    outside = set(structure.within.values()) - {""}
    good = good and outside <= used and not outside & set(structure.within)  # blocks stand in no blocks
    good = good and all(count >= 1 for count in (*structure.blocks.values(), *groups.values()))
    good = good and len(signals) == len(record.signals)
    for signal in signals.values():
        if signal.group:
            blocks = (structure.blocks.get(signal.group),) if signal.group in structure.within else ()
            good = good and signal.group in groups and signal.sizes == (*blocks, groups[signal.group])
    if not good:
        raise ValueError(f"The groups and signals of {record.name} contradict each other.")
