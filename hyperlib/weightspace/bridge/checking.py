"""Is this network the one that a module is? Equal names and shapes do not say so: a shortcut can pad on another side.

Source: our choice.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hyperlib.weightspace.base import BaseArchitecture, require_architecture
from hyperlib.weightspace.bridge.tracing import evaluated, in_double
from hyperlib.weightspace.traced_module import arguments, outputs_of, plainly

TOLERANCE = 1e-8  # of float64 outputs, relative to the largest


@torch.no_grad()
def check_against(architecture: BaseArchitecture, module: nn.Module, inputs: Any) -> float:
    """The largest difference between what both answer to the inputs with the module's weights, relative to the largest.

    Raises ValueError where the module's state dict is not of the architecture's layout, where the outputs have other
    shapes, and where the answers differ by more than rounding in float64: then the architecture is another network, for
    whatever it was used. TypeError for anything but an architecture and a module.
    """
    require_architecture(architecture, "check_against")
    module, inputs = evaluated(module), in_double(inputs)
    weights = architecture.layout.flatten(module.state_dict())
    positional, named = arguments(inputs)
    with plainly():
        given = outputs_of(module(*positional, **named))
    theirs = given[0] if len(given) == 1 else torch.cat([one.flatten(1) for one in given], -1)
    ours = architecture.logits(weights, inputs)
    if ours.shape != theirs.shape:
        raise ValueError(f"{architecture.name} gives {list(ours.shape)} and the module {list(theirs.shape)}.")
    difference = _relative(ours, theirs)
    if not difference < TOLERANCE:
        raise ValueError(
            f"{architecture.name} has the layout of this {type(module).__name__} and is another network: with its "
            f"weights an answer differs by {difference:.2g} of the largest one. Do strides, paddings, activations and "
            "the order of layers agree?"
        )
    return difference


def _relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-300))
