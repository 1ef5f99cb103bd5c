"""A block that is too large for its device, as several smaller ones.

How many models fit is known by trying. A block that finds no memory before or in its first epoch is cut in two, and
again if need be, until a single model does not fit. Rows of a block do not depend on each other, so nothing else
changes. Our choice.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from dataclasses import replace
from math import ceil

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.zoos.engines.trainer import Block, Trainer

_LOG = logging.getLogger(__name__)
_OUT_OF_MEMORY = (torch.OutOfMemoryError, MemoryError)
_Pair = tuple[Float[Tensor, " models"], Float[Tensor, " models"]]


class Halves:
    """A trainer of a block: one that was made for it where that fits, else as many as have room one after the other."""

    def __init__(
        self, make: Callable[[Block, Tensor], Trainer], block: Block, weights: Float[Tensor, "models params"]
    ) -> None:
        self._make, self._block, self._begun = make, block, False
        self._start = weights
        self._parts = self._made(1, None)

    def _made(self, pieces: int, state: dict[str, Tensor] | None) -> list[Trainer]:
        """So many trainers, or more where these have no room, with a state to go on from."""
        while True:
            try:
                return self._tried(pieces, state)
            except _OUT_OF_MEMORY:
                if pieces == len(self._start):
                    raise
            pieces = self._more(pieces)  # out here, because an error holds on to all that had no room

    def _tried(self, pieces: int, state: dict[str, Tensor] | None) -> list[Trainer]:
        parts: list[Trainer] = []
        for rows in np.array_split(np.arange(len(self._start)), pieces):
            block = replace(self._block, design=self._block.design.iloc[rows].reset_index(drop=True))
            parts.append(self._make(block, self._start[torch.from_numpy(rows)]))
            if state is not None:
                parts[-1].restore({name: _rows(value, rows, len(self._start)) for name, value in state.items()})
        return parts

    def _more(self, pieces: int) -> int:
        """Twice as many pieces, if there are as many models; the memory of the former is given back."""
        models = len(self._start)
        more = min(2 * pieces, models)
        too_many, fewer = ceil(models / pieces), ceil(models / more)
        _LOG.warning("%d models side by side have no room; %d at a time go on.", too_many, fewer)
        self._parts = []
        gc.collect()  # what holds itself, such as closures of a step, goes only so
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return more

    @property
    def weights(self) -> Float[Tensor, "models params"]:
        return torch.cat([part.weights for part in self._parts])

    def train_epoch(self, epoch: int) -> _Pair:
        told = self._all(lambda part: part.train_epoch(epoch))
        self._begun = True
        return told

    def evaluate(self, x: Float[Tensor, "images c h w"], y: Int[Tensor, " images"]) -> _Pair:
        return self._all(lambda part: part.evaluate(x, y))

    def _all(self, work: Callable[[Trainer], _Pair]) -> _Pair:
        """What all parts tell; until the first epoch is done, smaller ones are tried where these have no room."""
        before = None if self._begun else self.state()
        while True:
            try:
                told = [work(part) for part in self._parts]
                break
            except _OUT_OF_MEMORY:
                if before is None or len(self._parts) == len(self._start):
                    raise
            self._parts = self._made(self._more(len(self._parts)), before)
        loss, accuracy = zip(*told, strict=True)
        return torch.cat(loss), torch.cat(accuracy)

    def state(self) -> dict[str, Tensor]:
        states = [part.state() for part in self._parts]
        return {
            name: torch.cat([state[name] for state in states]) if value.ndim else value
            for name, value in states[0].items()
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        self._parts = self._made(len(self._parts), state)


def _rows(value: Tensor, rows: Int[np.ndarray, " some"], models: int) -> Tensor:
    return value[torch.from_numpy(rows)] if value.ndim and len(value) == models else value
