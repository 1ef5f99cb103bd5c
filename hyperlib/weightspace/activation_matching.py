"""Activation matching: units that answer alike belong together.

For every hidden group, the answers of the reference's units to some images are correlated with those of the network's
units, and the assignment with the largest sum of correlations is taken. Groups are independent of each other, so there
is nothing to iterate; but images are needed, and what the weights do with rare inputs is not seen.

Source: Li et al. (2016) for correlation, Ainsworth et al. (2023) for the assignment. Which activations stand for a
group (those behind its nonlinearities) and signs are our choice.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.layers import Activation, Pass
from hyperlib.weightspace.units.structure import Signal
from hyperlib.weightspace.weight_matching import Match


def match_activations(
    architecture: Architecture,
    reference: Float[Tensor, " params"],
    weights: Float[Tensor, "models params"],
    *,
    images: Float[Tensor, "batch c h w"],
    signs: bool = False,
) -> Match:
    """Orders (and signs) of every group's units under which their answers correlate best with the reference's."""
    structure = architecture.structure
    signals = {group: [s for s in structure.signals.values() if s.group == group] for group in structure.groups}
    if unheard := [group for group, own in signals.items() if not own or group in structure.within]:
        raise ValueError(
            f"Activations of {architecture.name} cannot be matched: its units {unheard[0]!r} number blocks, or stand "
            "in some; match weights."
        )
    target = _answers(architecture, reference[None], images)
    found = [_one(signals, target, _answers(architecture, row[None], images), signs) for row in weights]
    orders = {group: torch.stack([one[0][group] for one in found]) for group in signals}
    names = found[0][1] if found else {}
    flips = {name: torch.stack([one[1][name] for one in found]) for name in names}
    return Match(weights.double(), orders, flips, torch.zeros(len(weights), dtype=torch.int64))


def _one(
    signals: dict[str, list[Signal]], target: dict[str, Tensor], answers: dict[str, Tensor], signs: bool
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The orders and signs of one network."""
    orders, flips = {}, {}
    for group, members in signals.items():
        like = {signal.name: target[signal.name] @ answers[signal.name].T for signal in members}
        free = [signal.name for signal in members if signs and not signal.against_signs]
        gains = sum(values.abs() if name in free else values for name, values in like.items())
        places, chosen = linear_sum_assignment(np.asarray(gains), maximize=True)
        orders[group] = torch.from_numpy(chosen.astype(np.int64))
        for name in free:
            flips[name] = torch.where(like[name][places, chosen] < 0, -1.0, 1.0).double()
    return orders, flips


def _answers(
    architecture: Architecture, weights: Float[Tensor, "one params"], images: Tensor
) -> dict[str, Float[Tensor, "units answers"]]:
    """Of every hidden signal, its units' answers at all places of all images, centred and of length one."""
    outputs = architecture.outputs(weights, images[:, None], Pass(architecture.activation))
    answers = {}
    for signal in architecture.structure.signals.values():
        if not signal.group:
            continue
        nonlinear = [one for one in signal.carried if isinstance(architecture.steps[one[0]].layer, Activation)]
        rows = []
        for place, start, inner in nonlinear or signal.carried[-1:]:
            units = outputs[place][:, 0, start : start + signal.width * inner].unflatten(1, (signal.width, inner))
            rows.append(units.movedim(1, 0).flatten(1).double())
        values = torch.cat(rows, 1)
        centred = values - values.mean(1, keepdim=True)
        answers[signal.name] = centred / centred.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return answers
