"""Batches of checkpoints to learn from: which rows a step sees, and of which model each is.

A batch may hold several checkpoints of each of its models: the hardest negatives for the contrast are other epochs of
the same network (our choice; with one per model it is the released code's random batch).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.representations.estimator import Values


@dataclass(frozen=True)
class Population:
    """Training or validation weights, standardised, with the rows of each model `[models, epochs]` (-1 fills up)."""

    weights: Float[Tensor, "samples params"]
    rows: Int[Tensor, "models epochs"]

    @cached_property
    def models(self) -> Int[Tensor, " samples"]:
        """The model that each row is of, as a place in `rows`."""
        places = torch.arange(len(self.rows))[:, None].expand_as(self.rows)
        there, found = self.rows >= 0, torch.empty(len(self.weights), dtype=torch.int64)
        found[self.rows[there]] = places[there]
        return found

    def batch(self, size: int, per_model: int | None, generator: torch.Generator) -> Int[Tensor, " batch"]:
        """Rows of random checkpoints without repetition: any (`per_model` None), or so many of each of some models.

        A model with fewer checkpoints gives all of its own.
        """
        if per_model is None:
            return torch.randperm(len(self.weights), generator=generator)[:size]
        models = torch.randperm(len(self.rows), generator=generator)[: self._models(size, per_model)]
        rows = self.rows[models]
        order = torch.rand(rows.shape, generator=generator).masked_fill_(rows < 0, 2).argsort(-1)[:, :per_model]
        drawn = rows.gather(1, order).flatten()
        return drawn[drawn >= 0]

    def smallest_batch(self, size: int, per_model: int | None) -> int:
        """So many checkpoints are in each batch at least."""
        if per_model is None:
            return min(size, len(self.weights))
        counts = (self.rows >= 0).sum(1).clamp(max=per_model).sort().values
        return int(counts[: self._models(size, per_model)].sum())

    def _models(self, size: int, per_model: int) -> int:
        """Models of a batch, where no model has more checkpoints than `rows` is wide."""
        return max(1, size // min(per_model, self.rows.shape[1]))


def rows_by_group(groups: Values | None, count: int) -> Tensor:
    """Rows of each model, `[models, epochs]`, filled up with -1."""
    if groups is None:
        return torch.arange(count)[:, None]
    _, model = np.unique(np.asarray(groups), return_inverse=True)
    order, sizes = np.argsort(model, kind="stable"), np.bincount(model)
    rows = torch.full((len(sizes), int(sizes.max())), -1)
    place = np.arange(count) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows[torch.from_numpy(model[order]), torch.from_numpy(place)] = torch.from_numpy(order)
    return rows
