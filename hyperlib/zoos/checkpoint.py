"""The state of a population on its way: one `StateFile` for each block, with the epochs done and the trainer's state.

What a file holds is checked against what the job asks for, in form and in what must agree, before any of it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hyperlib.files.state import StateFile, alike
from hyperlib.zoos.evaluation import ALWAYS


@dataclass(frozen=True)
class Saved:
    """What a block's file holds: the first `epochs` checkpoints, their measures, and how to go on."""

    epochs: int
    weights: Tensor
    measures: np.ndarray
    trainer: dict[str, Tensor]


class BlockCheckpoint:
    """One block's file in the job's folder. Raises ValueError when the file belongs to another job."""

    def __init__(self, folder: Path, number: int, job: str, rows: np.ndarray) -> None:
        self.file = StateFile(folder / f"block-{number:04d}.safetensors", f"{job} {rows.tolist()}")

    def due(self) -> bool:
        """Whether enough time has passed since the last write."""
        return self.file.due()

    def save(self, weights: Tensor, measures: np.ndarray, trainer: dict[str, Tensor]) -> None:
        """Replace the file; weights and measures `[models, epochs, ...]` are those of the epochs done."""
        tensors = {f"trainer.{name}": value for name, value in trainer.items()}
        tensors |= {"weights": weights, "measures": torch.from_numpy(np.ascontiguousarray(measures))}
        self.file.save(tensors)

    def load(
        self, weights: tuple[int, ...], measures: tuple[int, ...], trainer: dict[str, Tensor] | None = None
    ) -> Saved | None:
        """What is there, None as in `StateFile.load`.

        weights and measures are shapes `[models, epochs, ...]` with room for all epochs, and `trainer` is a state as it
        is before the first; what is there must have their form. Without one only finished epochs are wanted.
        """
        if (tensors := self.file.load()) is None:
            return None
        saved = {name.removeprefix("trainer."): t for name, t in tensors.items() if name.startswith("trainer.")}
        done, seen = tensors.get("weights"), tensors.get("measures")
        if done is None or seen is None or not (
            _is_part(done, weights, torch.float32) and _is_part(seen, measures, torch.float64)
            and all(alike(saved.get(name), value) for name, value in (trainer or {}).items())
            and _agree(done, seen, saved)
        ):  # fmt: skip
            self.file.say_damaged()
            return None
        return Saved(done.shape[1], done, seen.numpy(), saved)


def _is_part(done: Tensor, whole: tuple[int, ...], dtype: torch.dtype) -> bool:
    """Whether these are the first epochs of such a tensor, one at least."""
    models, epochs, values = whole
    return done.dtype == dtype and done.shape[::2] == (models, values) and 1 <= done.shape[1] <= epochs


def _agree(weights: Tensor, measures: Tensor, trainer: dict[str, Tensor]) -> bool:
    """Whether all tell of the same models: what is lost is so everywhere and from then on, and the rest has numbers."""
    found = torch.isfinite(measures[:, :, ALWAYS]).all(2)
    if weights.shape[:2] != found.shape or (torch.isfinite(weights).all(2) != found).any():
        return False
    sound = found[:, -1]
    own, last = trainer.get("weights"), weights[sound, -1]
    if (found[:, 1:] & ~found[:, :-1]).any() or own is None or own.shape[0] != len(sound):
        return False
    if not bool(((own[sound] == last) | (last == 0)).all()):  # a sparse twin shows zeros where its weights are pruned
        return False
    own = [value[sound] if value.shape[:1] == sound.shape else value for value in trainer.values()]
    return not any(value.isnan().any() or (value < 0).any() and not value.is_floating_point() for value in own)
