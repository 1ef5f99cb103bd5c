"""The state of a long training job on disk, so that a kill loses seconds.

A `StateFile` is replaced as a whole. Each block of a population has one, with the
epochs done so far and the trainer's state; the training of a hyper-representation has one. A signature of the job
stands in it, so that another job's folder is refused rather than mixed in, and a checksum, so that a damaged file is
seen. One process at a time uses a folder.
"""

from __future__ import annotations

import hashlib
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from hyperlib.files.writing import appearing

_SECONDS = 15.0  # between two writes of one block
_SHARE = 20  # and this many times as long as the last write took, so that writing stays a small part of the work


@contextmanager
def job_folder(folder: Path) -> Iterator[Path]:
    """The folder, made if need be, and locked against a second process while the job runs.

    Raises OSError when it cannot be made and ValueError when another process trains there; both say what to do.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(
            f"Another process is training in {folder}; wait for it or name another folder as checkpoint."
        ) from None
    except OSError as error:
        raise _cannot_write(folder, error) from error
    try:
        yield folder
    finally:
        lock.release()


class StateFile:
    """One file of tensors in a job's folder, signed with what the job is.

    Raises ValueError when the file is there and belongs to another job.
    """

    def __init__(self, path: Path, signature: str) -> None:
        self.path, self.signature = path, hashlib.sha256(signature.encode()).hexdigest()
        self.written, self.cost = time.monotonic(), 0.0
        if (there := self._metadata().get("signature")) is not None and there != self.signature:
            raise ValueError(
                f"{path.parent} holds the state of another training job; name another folder as checkpoint or remove "
                "it."
            )

    def due(self) -> bool:
        """Whether enough time has passed since the last write."""
        return time.monotonic() - self.written > max(_SECONDS, _SHARE * self.cost)

    def save(self, tensors: dict[str, Tensor]) -> None:
        """Replace the file as a whole.

        Raises OSError when the disk is full or refuses; the file of the last time stays then.
        """
        begun = time.monotonic()
        tensors = {name: value.contiguous() for name, value in tensors.items()}
        metadata = {"signature": self.signature, "checksum": checksum(tensors)}
        try:
            with appearing(self.path) as aside:
                save_file(tensors, aside, metadata=metadata)
        except (OSError, SafetensorError) as error:
            raise _cannot_write(self.path.parent, error) from error
        self.written = time.monotonic()
        self.cost = self.written - begun

    def load(self) -> dict[str, Tensor] | None:
        """What is there, None without a file or with a damaged one (said on stderr; the work begins anew)."""
        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            if self._metadata()["checksum"] == checksum(tensors):
                return tensors
        except (SafetensorError, OSError, KeyError, ValueError, IndexError):
            pass
        self.say_damaged()
        return None

    def say_damaged(self) -> None:
        """Tell the user that the file cannot be used."""
        print(f"{self.path} is damaged; its models are trained again from the start.", file=sys.stderr)

    def _metadata(self) -> dict[str, str]:
        """What the file says about itself; nothing where there is none to read."""
        try:
            with safe_open(self.path, framework="pt") as file:
                return file.metadata() or {}
        except (SafetensorError, OSError, ValueError):
            return {}


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

    def load(self, models: int, epochs: int, params: int) -> Saved | None:
        """What is there, of `models` models and at most `epochs` epochs with epoch 0; None as in `StateFile.load`."""
        if (tensors := self.file.load()) is None:
            return None
        weights, measures = tensors.get("weights"), tensors.get("measures")
        good = weights is not None and measures is not None and weights.shape[::2] == (models, params)
        if not (good and weights.shape[:2] == measures.shape[:2] and 1 <= weights.shape[1] <= epochs):
            self.file.say_damaged()
            return None
        trainer = {name.removeprefix("trainer."): t for name, t in tensors.items() if name.startswith("trainer.")}
        return Saved(weights.shape[1], weights, measures.numpy(), trainer)


def checksum(tensors: dict[str, Tensor]) -> str:
    """Tells a damaged file from a whole one (no defence against intent; nothing here is executed)."""
    number = 0
    for name in sorted(tensors):
        number = zlib.crc32(f"{name} {tuple(tensors[name].shape)}".encode(), number)
        number = zlib.crc32(np.ascontiguousarray(tensors[name].numpy()).data, number)
    return f"{number:08x}"


def _cannot_write(folder: Path, error: Exception) -> OSError:
    why = getattr(error, "strerror", None) or str(error)
    return OSError(
        f"The state of the training job cannot be written to {folder} ({why}); free some space there or name "
        "another folder as checkpoint. What was saved before is kept, and the same call goes on from it."
    )
