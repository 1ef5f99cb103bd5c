"""Whose weights a state dict holds: by the names of its tensors, or by their roles.

A role is a tensor's place in the order of layers, and its shape. Module lists number what stands between layers as
well, so a rate of dropout moves every number behind it; the order stays. Roles say enough for networks whose layers
stand in a row. Others (residual networks) are known by names alone, because two shortcuts may have one shape.

Source: our choice; that numbers shift by dropout is seen in the Model Zoos' own definition of their networks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from hyperlib.files.inventory import natural
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.architectures import ARCHITECTURES, LARGE_ARCHITECTURES
from hyperlib.weightspace.base import BaseArchitecture
from hyperlib.weightspace.state_dicts import find_state_dict, is_weight, some

_PARTS = ("weight", "bias", "running_mean", "running_var")  # of one layer, in the order of a layout
Shapes = tuple[tuple[int, ...], ...]


def is_row(network: BaseArchitecture) -> bool:
    """Whether every layer reads the one before it, so that order and shapes say which is which."""
    return isinstance(network, Architecture) and all(
        step.other is None and step.source == place - 1 for place, step in enumerate(network.steps)
    )


def vector_of(network: BaseArchitecture, checkpoint: Mapping[str, Any]) -> Float[np.ndarray, " params"]:
    """The weights of a checkpoint, float32, in the order of the network's layout.

    Raises ValueError for another network's, and where two orders of its layers fit.
    """
    state = weights_in(checkpoint)
    names = names_in(network, state)
    if names is None:
        shapes = some(f"{name} {_told(tuple(value.shape))}" for name, value in state.items())
        raise ValueError(f"its tensors are not those of {network.name}, by name or by order and shape: {shapes}")
    slots = network.layout.slots
    flat = network.layout.flatten({slot.name: state[name] for slot, name in zip(slots, names, strict=True)})
    return flat.float().cpu().numpy()


def weights_in(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of the state dict inside a checkpoint that are weights, by name. ValueError, TypeError for none."""
    found = {str(name): value for name, value in find_state_dict(checkpoint).state.items() if is_weight(value)}
    if not found:
        raise ValueError("it holds no floating-point tensor, so there are no weights")
    return found


def names_in(network: BaseArchitecture, state: Mapping[str, Tensor]) -> list[str] | None:
    """The name in a state dict of every slot of a network; None where it is no such network.

    A state dict may name the network as a part of something larger ("model." before each name).
    """
    slots = network.layout.slots
    first = slots[0].name
    for before in {"", *(name.removesuffix(first) for name in state if name.endswith(f".{first}"))}:
        names = [f"{before}{slot.name}" for slot in slots]
        if all(name in state for name in names) and _shapes(state, names) == _layout_shapes(network):
            return names
    if not is_row(network) or len(state) != len(slots):
        return None
    fitting = [names for names in _orders(state) if _shapes(state, names) == _layout_shapes(network)]
    if len(fitting) > 1 and fitting[0] != fitting[1]:
        raise ValueError(
            f"its layers fit {network.name} in two orders ({some(fitting[0])}; {some(fitting[1])}); rename its tensors "
            f"to those of the network: {some(slot.name for slot in slots)}"
        )
    return fitting[0] if fitting else None


def recognised(state: Mapping[str, Tensor], side: int = 28) -> Architecture:
    """The network of our list whose weights these are; of two that differ in the size of images alone, by `side`.

    Raises ValueError, with what to do, where there is none.
    """
    shapes = sorted(tuple(value.shape) for value in state.values())
    fitting = []
    for make in (ARCHITECTURES | LARGE_ARCHITECTURES).values():
        network = make()
        if sorted(_layout_shapes(network)) == shapes and names_in(network, state) is not None:
            fitting.append(network)
    if not fitting:
        told = some(f"{name} {_told(tuple(value.shape))}" for name, value in state.items())
        raise ValueError(
            f"No network of our list has these weights: {told}. Make one of the module they belong to, "
            "network = hyperlib.from_module(module, example_inputs), and pass architecture=network."
        )
    return min(fitting, key=lambda network: network.image[-1] != side)


def _orders(state: Mapping[str, Tensor]) -> list[list[str]]:
    """The names layer by layer: by the numbers of layers where they have nothing else, else as given and by name."""
    layers: dict[str, list[str]] = {}
    for name in state:
        layers.setdefault(name.rpartition(".")[0], []).append(name)
    counted = sorted(layers, key=natural)
    before = {re.sub(r"\d+$", "", layer) for layer in layers}
    only_numbers = len(before) == 1 and all(re.search(r"(^|\.)\d+$", layer) for layer in layers)
    orders = [counted] if only_numbers else [list(layers), counted]
    return [[name for layer in order for name in sorted(layers[layer], key=_part)] for order in orders]


def _part(name: str) -> tuple[int, str]:
    part = name.rpartition(".")[2]
    return (_PARTS.index(part) if part in _PARTS else len(_PARTS)), part


def _shapes(state: Mapping[str, Tensor], names: list[str]) -> Shapes:
    return tuple(tuple(state[name].shape) for name in names)


def _layout_shapes(network: BaseArchitecture) -> Shapes:
    return tuple(slot.shape for slot in network.layout.slots)


def _told(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a number"
