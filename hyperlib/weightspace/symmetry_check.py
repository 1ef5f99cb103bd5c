"""Does a move leave the function where it is? Every symmetry that the library offers or refuses, tried on numbers.

The library derives a network's symmetries from its list of layers, or from what a module does. This is the proof, for
the networks of the book and for your own: if a layer of yours mixes units, the table names the group that breaks.

Source: our choice.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from torch import Tensor

from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.base import BaseArchitecture, require_architecture
from hyperlib.weightspace.symmetry import SPREAD, unchecked_factors, unchecked_index, unsaid_permutations
from hyperlib.weightspace.values import generator

_TOLERANCE = 1e-8  # of float64 answers, relative to the largest; far above rounding, far below any real change


def verify_symmetry(
    architecture: BaseArchitecture, images: Any, *, models: int = 2, seed: int = 0
) -> pd.DataFrame:
    """Move one group of units at a time and compare all outputs before and after, in float64.

    images: [batch, channels, height, width], or for a traced module its inputs. One row per move: `symmetry`
    (permutation, sign, scaling), `units` (the group, or the signal), `width`, `offered` (whether the library makes this
    move), `holds` (whether the function stayed), `difference` (largest change of an answer, relative to the largest
    answer) and `reason`: why a move is refused, or between which layers an offered one broke. Refused signs and scales
    are tried all the same, to show that the refusal is not idle; units that are tied to their places are not, and have
    no `difference`. Random weights, our choice.
    """
    require_architecture(architecture, "verify_symmetry")
    random = generator(seed)
    structure, weights = architecture.structure, architecture.trial_weights(models, seed)
    before = architecture.logits(weights, double(images))
    rows = []

    def tried(symmetry: str, units: str, width: int, reason: str, moved: Tensor) -> None:
        after = architecture.logits(moved, double(images))
        difference = float((after - before).abs().max() / before.abs().max())
        holds = difference < _TOLERANCE
        why = reason or ("" if holds else f"{units} is changed or mixed by {_between(architecture, units)}")
        rows.append((symmetry, units, width, not reason, holds, difference, why))

    for group, order in unsaid_permutations(structure, models, random).items():
        moved = weights.gather(-1, unchecked_index(structure, {group: order}, models))
        tried("permutation", group, structure.groups[group], "", moved)
    for group, reason in structure.refused.items():
        rows.append(("permutation", group, None, False, None, None, reason))
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


def double(inputs: Any) -> Any:
    """The inputs of a network with their floating-point numbers in float64."""
    if isinstance(inputs, Tensor):
        return inputs.double() if inputs.is_floating_point() else inputs
    if isinstance(inputs, dict):
        return {name: double(value) for name, value in inputs.items()}
    return tuple(map(double, inputs)) if isinstance(inputs, tuple | list) else inputs


def _between(architecture: BaseArchitecture, units: str) -> str:
    """The layers without weights that see these units, in words."""
    if not isinstance(architecture, Architecture):
        return "something on their way"
    signals = architecture.structure.signals.values()
    places = sorted({place for s in signals if units in (s.name, s.group) for place, *_ in s.carried})
    kinds = [type(architecture.steps[place].layer).__name__ for place in places]
    return "one of the layers that carry it: " + ", ".join(dict.fromkeys(kinds))
