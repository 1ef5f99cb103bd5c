"""An architecture as plain data, so that files can keep networks that are not in our list, and back.

A record has the network's name, image, activation and heads, and for each layer its kind and whatever is not at its
default. It names kinds and sets sizes; nothing in it is code. What comes from a stranger's file becomes an architecture
only if every kind, field and type is known and every number is sane, and that takes no memory beyond the list itself.

Source: our choice. `to_record`, `from_record` and `network_of` are all that files call.
"""

from __future__ import annotations

import json
from dataclasses import fields
from functools import reduce
from math import prod
from operator import or_
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
import numpy as np

from hyperlib.files.reading import as_form, decoded
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.architectures import architecture as architecture_called
from hyperlib.weightspace.architectures import is_registered
from hyperlib.weightspace.base import BaseArchitecture
from hyperlib.weightspace.layer import Layer
from hyperlib.weightspace.layers import (
    Activation,
    Add,
    AveragePool,
    Conv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Identity,
    LayerNorm,
    Linear,
    MaxPool,
    Norm,
    PadChannels,
    PReLU,
)
from hyperlib.weightspace.traced_module import TracedModule
from hyperlib.weightspace.traced_record import traced_from_record, traced_record

RECORD_LIMIT = 2**22  # characters, as JSON
LAYERS_LIMIT = 10_000
LARGEST_SIDE = 2**31  # and no width or kernel reaches it
LARGEST = 2**40  # weights of a network, or numbers that one layer gives

_KINDS: tuple[type[Layer], ...] = (
    *(Conv, Linear, Norm, LayerNorm, PReLU, Activation, Dropout, MaxPool, AveragePool, GlobalAveragePool, Flatten),
    *(Identity, Add, PadChannels),
)
_Size = Annotated[int, msgspec.Meta(gt=0, lt=LARGEST_SIDE)]


def _form(kind: type[Layer]) -> type[msgspec.Struct]:
    """The record of one layer of this kind: its fields, as the kind has them."""
    hints = get_type_hints(kind)
    parts = [(part.name, hints[part.name], part.default) for part in fields(kind)]
    return msgspec.defstruct(kind.__name__, parts, tag_field="layer", tag=True, forbid_unknown_fields=True, frozen=True)


_FORMS = {_form(kind): kind for kind in _KINDS}
_Entry = reduce(or_, _FORMS)


class _Record(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is kept of a network that is a list of layers."""

    kind: Literal["layers"]
    name: str
    image: tuple[_Size, _Size, _Size]
    activation: str
    layers: Annotated[tuple[_Entry, ...], msgspec.Meta(max_length=LAYERS_LIMIT)]
    heads: tuple[str, ...] = ()


def to_record(architecture: BaseArchitecture) -> dict[str, Any]:
    """The network as data for JSON, from which `from_record` makes an equal one.

    Raises ValueError for what is neither a list of the library's layers nor a traced module, and for what
    `from_record` would refuse.
    """
    if isinstance(architecture, TracedModule):
        record = traced_record(architecture)
        if (length := len(json.dumps(record))) > RECORD_LIMIT:
            raise ValueError(f"{architecture.name} takes {length} characters to describe, and {RECORD_LIMIT} is most.")
        return record
    if type(architecture) is not Architecture:
        raise ValueError(f"{architecture.name} is no list of layers, so no file can describe it; keep its weights.")
    record = {"kind": "layers", "name": architecture.name, "image": list(architecture.image)}
    record |= {"activation": architecture.activation, "layers": [_entry(layer) for layer in architecture.layers]}
    record |= {"heads": list(architecture.heads)} if architecture.heads else {}
    text = json.dumps(record)
    if len(text) > RECORD_LIMIT:
        raise ValueError(f"{architecture.name} takes {len(text)} characters to describe, and {RECORD_LIMIT} is most.")
    if from_record(decoded(text, dict[str, Any], "the record of a network")) != architecture:
        raise ValueError(f"{architecture.name} has settings that no file can describe; give plain numbers and names.")
    return record


def from_record(data: dict[str, Any]) -> BaseArchitecture:
    """The network that `to_record` described; a traced module comes without its code.

    Raises ValueError for anything else, before memory is taken (of a traced network, more than a byte a weight).
    """
    if isinstance(data, dict) and data.get("kind") == "traced":
        return traced_from_record(data)
    record = as_form(data, _Record, "the record of a network")
    layers = tuple(_layer(entry) for entry in record.layers)
    found = Architecture(record.name, record.image, layers, record.activation, record.heads)
    if found.layout.size > LARGEST or any(prod(step.outputs) > LARGEST for step in found.steps):
        raise ValueError(f"The network {found.name} has more than {LARGEST} weights, or numbers in one layer.")
    return found


def record_of(architecture: BaseArchitecture) -> dict[str, Any] | None:
    """What a file has to say of a network beyond its name and activation; None if it is one of ours."""
    return None if is_registered(architecture) else to_record(architecture)


def network_of(name: str, activation: str, record: dict[str, Any] | None) -> BaseArchitecture:
    """The network of a file: ours of that name, or the one of its record. Raises ValueError if there is none."""
    if record is None:
        return architecture_called(name).with_activation(activation)
    found = from_record(record)
    if (found.name, found.activation) != (name, activation):
        raise ValueError(f"A file of {name} with {activation} describes {found.name} with {found.activation}.")
    return found


def _layer(entry: msgspec.Struct) -> Layer:
    """The layer of its record; ValueError for numbers that are no sizes."""
    given = msgspec.structs.asdict(entry)
    for name, value in given.items():
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, int) and not 0 <= number < LARGEST_SIDE:
                raise ValueError(f"A layer's {name} is a whole number from 0 to below {LARGEST_SIDE}.")
    return _FORMS[type(entry)](**given)


def _entry(layer: Layer) -> dict[str, Any]:
    """A layer's kind, and its fields that are not at their defaults."""
    if type(layer) not in _KINDS:
        raise ValueError(
            f"A layer of kind {type(layer).__name__} cannot be described in a file; use the kinds of "
            "hyperlib.weightspace.layers."
        )
    given = [(part, getattr(layer, part.name)) for part in fields(layer)]
    changed = {part.name: _plain(value) for part, value in given if value != part.default}
    return {"layer": type(layer).__name__} | changed


def _plain(value: Any) -> Any:
    """A setting as JSON knows it, also one that came out of a NumPy array."""
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value.item() if isinstance(value, np.generic) else value
