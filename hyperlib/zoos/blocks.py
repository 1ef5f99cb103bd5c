"""One block of a job: models that train side by side, from the start or from their last state to the last epoch.

Where a block trains (a thread here, a core of another machine) is the business of `population` and `distributed`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.files.state import job_folder
from hyperlib.weightspace.precision import full_precision
from hyperlib.zoos.checkpoint import BlockCheckpoint, Saved
from hyperlib.zoos.engines.halves import Halves
from hyperlib.zoos.engines.trainer import Block, Trainer
from hyperlib.zoos.evaluation import ALWAYS, PROPERTIES
from hyperlib.zoos.job import Job

Shape = tuple[int, ...]
_LARGE = 4 * 2**30  # bytes of weights that stand on disk rather than in memory


@runtime_checkable
class Kept(Protocol):
    """Where a block's state is kept: a file (`BlockCheckpoint`), or one at an address."""

    def due(self) -> bool:
        """Whether enough time has passed since the last write."""

    def save(self, weights: Tensor, measures: np.ndarray, trainer: dict[str, Tensor]) -> None:
        """Replace what is there by the epochs done."""

    def load(self, weights: Shape, measures: Shape, trainer: dict[str, Tensor] | None = None) -> Saved | None:
        """What is there, if it has this form, or None."""


class Course(NamedTuple):
    """The epochs of models: `weights [models, epochs, params]` and `measures [models, epochs, properties]`."""

    weights: Float[Tensor, "models epochs params"]
    measures: Float[np.ndarray, "models epochs properties"]

    @classmethod
    def empty(cls, job: Job, models: int, folder: Path | None = None) -> Course:
        """Room for all epochs of so many models of a job; for large ones in a file of that folder, if one is named.

        The file has no name and goes when nobody reads it any more. Raises OSError where the disk has no room.
        """
        shape = (models, job.epochs + 1, job.architecture.layout.size)
        measures = np.empty((*shape[:2], len(PROPERTIES)))
        size = 4 * models * shape[1] * shape[2]
        if folder is None or size < _LARGE:
            return cls(torch.empty(shape), measures)
        with TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):  # a disk that is full later would end the process
                os.posix_fallocate(file.fileno(), 0, size)
            return cls(torch.from_numpy(np.memmap(file, np.float32, "w+", shape=shape)), measures)

    def put(self, rows: Int[np.ndarray, " models"], other: Course) -> None:
        """The first epochs of these rows are those of `other`."""
        epochs = other.weights.shape[1]
        self.weights[torch.from_numpy(rows), :epochs] = other.weights
        self.measures[rows, :epochs] = other.measures

    def head(self, rows: Int[np.ndarray, " models"], epochs: int) -> Course:
        """A copy of the first epochs of these rows."""
        return Course(self.weights[torch.from_numpy(rows), :epochs], self.measures[rows, :epochs])


@contextmanager
def block_files(
    job: Job, folder: Path | None
) -> Iterator[list[tuple[Int[np.ndarray, " models"], BlockCheckpoint | None]]]:
    """The blocks' rows, each with its file; no block begins where one finds another job's file."""
    if folder is None:
        yield [(rows, None) for rows in job.blocks()]
        return
    with job_folder(folder) as place:
        signature = job.signature()
        yield [(rows, BlockCheckpoint(place, n, signature, rows)) for n, rows in enumerate(job.blocks())]


@full_precision()
def train_block(
    job: Job,
    rows: Int[np.ndarray, " models"],
    kept: Kept | None,
    course: Course,
    places: Int[np.ndarray, " models"],
    advance: Callable[[int], None],
    stopped: Callable[[], bool] = lambda: False,
) -> dict[str, Tensor]:
    """Train the job's models of these rows into `places` of `course`; the trainer's state at the end.

    advance: hears of model-epochs done. stopped: ends the block after its epoch, with its state kept.
    """
    design = job.design.iloc[rows].reset_index(drop=True)
    network = job.architecture.with_activation(design["activation"].iloc[0])
    block = Block(network, job.images, design, job.batch_size, job.seed, job.device)
    start = block.initial_weights() if job.start is None else job.start[torch.from_numpy(rows)]
    trainer = Halves(job.method.trainers[job.engine], block, start)
    first = done = _resume(trainer, kept, course, places)
    advance(len(rows) * max(0, done - 1))
    while done <= job.epochs and not stopped():
        _train_epoch(trainer, block, done, course, places, done in job.clean)
        advance(len(rows) if done else 0)
        done += 1
        if kept is not None and kept.due():
            _keep(kept, trainer, course.head(places, done))
    if kept is not None and done > first:  # whole, or stopped by the user or by another block's fault
        _keep(kept, trainer, course.head(places, done))
    return trainer.state()


def _train_epoch(
    trainer: Trainer, block: Block, epoch: int, course: Course, places: np.ndarray, clean: bool
) -> None:
    running = trainer.train_epoch(epoch) if epoch else None
    weights, measures = trainer.weights, _measure(trainer, block, running, clean)
    lost = ~torch.isfinite(weights).all(1).numpy() | ~np.isfinite(measures if clean else measures[:, ALWAYS]).all(1)
    if epoch:
        lost |= np.isnan(course.measures[places, epoch - 1, 0])
    measures[lost] = np.nan
    course.weights[torch.from_numpy(places), epoch] = weights
    course.weights[torch.from_numpy(places[lost]), epoch] = torch.nan
    course.measures[places, epoch] = measures


def _resume(trainer: Trainer, kept: Kept | None, course: Course, places: np.ndarray) -> int:
    """Epochs that a former run has done; they stand in `course` then, and the trainer goes on from there."""
    if kept is None:
        return 0
    room = [(len(places), *part.shape[1:]) for part in course]
    if (saved := kept.load(*room, trainer.state())) is None:
        return 0
    course.put(places, Course(saved.weights, saved.measures))
    trainer.restore(saved.trainer)
    return saved.epochs


def _keep(kept: Kept, trainer: Trainer, done: Course) -> None:
    kept.save(done.weights, done.measures, trainer.state())


def _measure(
    trainer: Trainer, block: Block, running: tuple[Tensor, Tensor] | None, cleanly: bool
) -> np.ndarray:
    """The properties of a block's models now, `[models, properties]`, in the order of `PROPERTIES`."""
    images = block.images
    test = trainer.evaluate(images.test_x, images.test_y)
    clean = (torch.full_like(test[0], torch.nan),) * 2
    if cleanly:
        clean = trainer.evaluate(images.train_x[: block.num_images], images.train_y[: block.num_images])
    loss, accuracy = running or clean
    columns = (loss, accuracy, *test, *clean, accuracy - test[1], clean[1] - test[1])
    return torch.stack([column.double() for column in columns], 1).numpy()
