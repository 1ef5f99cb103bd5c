"""The parts of a zoo with all networks laid on one of them, which is what generating starts from.

A permutation of hidden units changes no answer, so two networks that do the same lie anywhere in weight space. Whoever
draws a new network from the distribution of others must take that away before: the networks are aligned with the first
one of the training part (weights, with signs where the activation is odd, the better of two starts), at the last epoch,
and the moves found there are applied to all checkpoints.

Source: our choice; the generative chapters of the thesis align or use permutations as augmentation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from hyperlib.study.study import CHECKPOINTS, FIRST_SPLIT, Study
from hyperlib.weightspace.alignment import align
from hyperlib.zoos.zoo import Samples, Zoo

STARTS = 2


def aligned_parts(
    study: Study, name: str, epochs: Sequence[int] | None = None, *, split: int = 0
) -> tuple[Samples, Samples, Samples]:
    """Training, validation and test checkpoints, split as by `Study.parts`, all laid on the first training model.

    epochs: those that are wanted, or evenly spaced ones. Models that diverged, or have a weight beyond the recipe's
    largest, are left out as a whole. Raises ValueError for a zoo of several activations, whose networks are not
    comparable weight by weight.
    """
    zoo, recipe = study.zoo(name), study.recipe(name)
    if len(names := sorted(set(zoo.table["activation"]))) != 1:
        raise ValueError(f"Networks of {name} have the activations {', '.join(names)}; take a zoo with one.")
    network, largest = zoo.architecture.with_activation(names[0]), recipe.largest or torch.inf
    parts = [
        part.take((part.weights.abs().flatten(1).amax(1) <= largest).numpy() & _finite(part))
        for part in zoo.split(seed=FIRST_SPLIT + split, by=recipe.split_by)
    ]
    reference = parts[0].weights[0, -1]

    def laid(part: Zoo) -> Samples:
        moves = align(network, reference, part.weights[:, -1], restarts=STARTS, signs=True)
        weights = torch.stack([moves.apply(checkpoint) for checkpoint in part.weights.unbind(1)], 1)
        moved = Zoo(network, weights, part.table)
        return moved.spread(CHECKPOINTS) if epochs is None else moved.samples(epochs)

    return tuple(laid(part) for part in parts)


def comparable_parts(study: Study, name: str, *, split: int = 0) -> tuple[Samples, Samples, Samples]:
    """Evenly spaced checkpoints of the parts: aligned where all networks have one activation, else as they are."""
    one = study.recipe(name).design["activation"].nunique() == 1
    return aligned_parts(study, name, split=split) if one else study.parts(name, split=split)


def _finite(part: Zoo) -> np.ndarray:
    return torch.isfinite(part.weights).flatten(1).all(1).numpy()
