"""The state of a long training job on disk, so that a kill loses seconds.

Each block has one file, replaced as a whole (written beside, then renamed), with the epochs done so far and the
trainer's state. A signature of the job stands in it, so that another job's folder is refused rather than mixed in.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from hyperlib.weightspace.architecture import Architecture
from hyperlib.zoos.images import Images

_SECONDS = 15.0  # between two writes of one block


def job_signature(
    architecture: Architecture,
    images: Images,
    design: pd.DataFrame,
    epochs: int,
    batch_size: int,
    start: Tensor | None,
    seed: int,
    engine: str,
) -> str:
    """A checksum of everything that a training job's result depends on."""
    checksum = hashlib.sha256()
    settings = [repr(architecture), images.checksum, epochs, batch_size, seed, engine]
    checksum.update(json.dumps(settings).encode())
    checksum.update(design.to_csv(index=False).encode())
    if start is not None:
        checksum.update(np.ascontiguousarray(start.numpy()).tobytes())
    return checksum.hexdigest()


@dataclass(frozen=True)
class Saved:
    """What a block's file holds: the first `epochs` checkpoints, their measures, and how to go on."""

    epochs: int
    weights: Tensor
    measures: np.ndarray
    trainer: dict[str, Tensor]


class BlockCheckpoint:
    """One block's file in the job's folder."""

    def __init__(self, path: Path, signature: str) -> None:
        self.path, self.signature = path, signature
        self.written = time.monotonic()
        path.parent.mkdir(parents=True, exist_ok=True)

    def due(self) -> bool:
        """Whether enough time has passed since the last write."""
        return time.monotonic() - self.written > _SECONDS

    def save(self, epochs: int, weights: Tensor, measures: np.ndarray, trainer: dict[str, Tensor]) -> None:
        """Replace the file. Weights and measures are of all epochs; only the first `epochs` are written."""
        tensors = {f"trainer.{name}": value.contiguous() for name, value in trainer.items()}
        tensors["weights"] = weights[:, :epochs].contiguous()
        tensors["measures"] = torch.from_numpy(np.ascontiguousarray(measures[:, :epochs]))
        beside = self.path.with_suffix(".partial")
        save_file(tensors, beside, metadata={"epochs": str(epochs), "signature": self.signature})
        os.replace(beside, self.path)
        self.written = time.monotonic()

    def load(self) -> Saved | None:
        """What is there; None without a file or with a damaged one (said on stderr, the block is trained anew).

        Raises ValueError when the file belongs to another job.
        """
        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            signature, epochs = metadata["signature"], int(metadata["epochs"])
        except (SafetensorError, OSError, KeyError, ValueError):
            print(f"{self.path} is damaged; its models are trained again from the start.", file=sys.stderr)
            return None
        if signature != self.signature:
            raise ValueError(
                f"{self.path.parent} holds the state of another training job; name another folder as checkpoint or remove it."
            )
        trainer = {name.removeprefix("trainer."): t for name, t in tensors.items() if name.startswith("trainer.")}
        return Saved(epochs, tensors["weights"], tensors["measures"].numpy(), trainer)
