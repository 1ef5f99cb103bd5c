"""Does a move leave the function where it is? Every symmetry that the library offers or refuses, tried on numbers.

The library derives a network's symmetries from its list of layers. This is the proof, for the networks of the book and
for your own: if a layer of yours mixes units, the table names the group that breaks.

Source: our choice.
"""

from __future__ import annotations

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.symmetry import SPREAD, unchecked_factors, unchecked_index
from hyperlib.weightspace.units import unit_structure
from hyperlib.weightspace.values import generator

_TOLERANCE = 1e-8  # of float64 answers, relative to the largest; far above rounding, far below any real change


def verify_symmetry(
    architecture: Architecture, images: Float[Tensor, "batch c h w"], *, models: int = 2, seed: int = 0
) -> pd.DataFrame:
    """Move one group of units at a time and compare the answers before and after, in float64.

    One row per move: `symmetry` (permutation, sign, scaling), `units` (the group, or the signal), `width`, `offered`
    (whether the library makes this move), `holds` (whether the function stayed), `difference` (largest change of an
    answer, relative to the largest answer) and `reason`: why a move is refused, or between which layers an offered one
    broke. Refused moves are made all the same, to show that the refusal is not idle. Random weights, our choice.
    """
    random = generator(seed)
    structure, weights = unit_structure(architecture), _some_weights(architecture, models, seed)
    before = architecture.logits(weights, images.double())
    rows = []

    def tried(symmetry: str, units: str, width: int, reason: str, moved: Tensor) -> None:
        after = architecture.logits(moved, images.double())
        difference = float((after - before).abs().max() / before.abs().max())
        holds = difference < _TOLERANCE
        why = reason or ("" if holds else f"{units} is changed or mixed by {_between(architecture, units)}")
        rows.append((symmetry, units, width, not reason, holds, difference, why))

    for group, width in architecture.hidden.items():
        orders = {group: torch.rand(models, width, generator=random).argsort(-1)}
        moved = weights.gather(-1, unchecked_index(structure, orders, models))
        tried("permutation", group, width, structure.refused.get(group, ""), moved)
    for signal in structure.signals.values():
        signs = torch.randint(2, (models, signal.width), generator=random) * 2.0 - 1.0
        scales = (SPREAD * torch.randn(models, signal.width, generator=random)).exp()
        for symmetry, values, reason in (
            ("sign", signs, signal.against_signs),
            ("scaling", scales, signal.against_scaling),
        ):
            moved = weights * unchecked_factors(structure, {signal.name: values.double()}, models)
            tried(symmetry, signal.name, signal.width, reason, moved)
    columns = ["symmetry", "units", "width", "offered", "holds", "difference", "reason"]
    return pd.DataFrame(rows, columns=columns)


def _some_weights(architecture: Architecture, models: int, seed: int) -> Float[Tensor, "models params"]:
    """Random weights in which no part is trivial: biases and norms are positive numbers around one."""
    weights = architecture.initialise([seed + model for model in range(models)], "kaiming_normal").double()
    random = generator(seed)
    for slot in architecture.slots:
        if len(slot.shape) == 1:
            drawn = torch.rand(models, slot.size, generator=random, dtype=torch.float64)
            weights[:, slot.start : slot.stop] = 0.5 + drawn
    return weights


def _between(architecture: Architecture, units: str) -> str:
    """The layers without weights that see these units, in words."""
    signals = unit_structure(architecture).signals.values()
    places = sorted({place for signal in signals if units in (signal.name, signal.group) for place in signal.steps})
    kinds = [type(architecture.steps[place].layer).__name__ for place in places]
    return "one of the layers that carry it: " + ", ".join(dict.fromkeys(kinds))
