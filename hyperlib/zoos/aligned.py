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

from hyperlib.weightspace.alignment import align
from hyperlib.zoos.zoo import Samples, Zoo

STARTS = 2


def aligned(
    parts: Sequence[Zoo], *, largest: float | None = None, epochs: Sequence[int] | None = None, checkpoints: int
) -> tuple[Samples, ...]:
    """The checkpoints of training, validation and test networks, all laid on the first network of the first part.

    epochs: those that are wanted, or so many `checkpoints`, evenly spaced. Models that diverged, or have a weight
    beyond the largest, are left out as a whole. Raises ValueError for several activations, because such networks are
    not comparable weight by weight.
    """
    if len(names := sorted({name for part in parts for name in part.table["activation"]})) != 1:
        raise ValueError(f"Networks have the activations {', '.join(names)}; take a zoo with one.")
    network, limit = parts[0].architecture.with_activation(names[0]), largest or torch.inf
    parts = [part.take((part.weights.abs().flatten(1).amax(1) <= limit).numpy() & _finite(part)) for part in parts]
    reference = parts[0].weights[0, -1]

    def laid(part: Zoo) -> Samples:
        moves = align(network, reference, part.weights[:, -1], restarts=STARTS, signs=True)
        weights = torch.stack([moves.apply(checkpoint) for checkpoint in part.weights.unbind(1)], 1)
        moved = Zoo(network, weights, part.table)
        return moved.spread(checkpoints) if epochs is None else moved.samples(epochs)

    return tuple(laid(part) for part in parts)


def _finite(part: Zoo) -> np.ndarray:
    return torch.isfinite(part.weights).flatten(1).all(1).numpy()
