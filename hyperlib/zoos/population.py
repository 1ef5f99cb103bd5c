"""Growing a zoo: a whole population trained in blocks, every epoch kept.

The design's rows are put into blocks of models that can train side by side (same activation, optimiser, dropout on or
off, amount of data); a block trains on one engine, several blocks at once on the CPU. The cut into blocks depends on
the job alone (see `job`), never on the number of workers, and every model's randomness on its own seed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from hyperlib.files.state import job_folder
from hyperlib.images.images import Images
from hyperlib.weightspace.architecture import Architecture
from hyperlib.zoos.checkpoint import BlockCheckpoint
from hyperlib.zoos.engines.trainer import Block, Trainer
from hyperlib.zoos.evaluation import PROPERTIES
from hyperlib.zoos.job import Job, checked_job
from hyperlib.zoos.zoo import Zoo


def train_population(
    architecture: Architecture,
    images: Images,
    design: pd.DataFrame,
    *,
    epochs: int,
    batch_size: int = 32,
    start: Float[Tensor, "models params"] | None = None,
    seed: int = 0,
    engine: str = "auto",
    device: str | torch.device | None = None,
    checkpoint: Path | str | None = None,
    progress: bool | Callable[[int, int], None] = True,
) -> Zoo:
    """Train one model per row of `design` and keep every epoch, epoch 0 (before training) included.

    Per (model, epoch) the table has losses and accuracies (fractions): `train_*` are running means over the epoch, each
    batch measured before its step, as in the released code; `train_*_clean` are evaluated after it; `gap` and
    `gap_clean` are the generalization gap, train minus test accuracy, in both readings. At epoch 0 both are evaluated.
    A model whose weights or loss stop being finite is `diverged` from that epoch on: NaN there, nothing elsewhere.

    start: initial weights instead of the design's (fine-tuning). seed: of the zoo; with a row's own seed it fixes all
    that is random about the row (epoch 0 is therefore not `architecture.initialise` of the row's seed alone).
    checkpoint: a folder for the state of a long job; calling again after a kill goes on from there with the same
    result, and once the zoo is saved the folder may go. progress: a bar with the rate, silence, or a function that
    hears of (done, all) model-epochs. engine: "numba" (compiled, on the CPU; the first job on a machine compiles it,
    about half a minute), "torch" (batched, also on a GPU), "sequential" (plain PyTorch) or "auto", which is "numba"
    where that covers network and device. Engines agree to float tolerance, with one exception: a norm divides what it
    sees by its deviation over the batch, so on nearly constant inputs rounding becomes a gradient, of which Adam makes
    whole steps. device: CPU, or CUDA where torch finds one and you name it ("cuda").

    Raises ValueError for a wrong design, images of another shape or class count, or another job's checkpoint folder,
    and OSError when the state cannot be written there.
    """
    job = checked_job(architecture, images, design, epochs, batch_size, start, seed, engine, device)
    return grown(job, checkpoint, progress)


def grown(job: Job, checkpoint: Path | str | None, progress: bool | Callable[[int, int], None]) -> Zoo:
    """The zoo of a job that was checked; see `train_population`."""
    shape = (len(job.design), job.epochs + 1)
    weights = torch.empty(*shape, job.architecture.layout.size, dtype=torch.float32)
    measures = np.empty((*shape, len(PROPERTIES)))
    total = len(job.design) * job.epochs
    bar = tqdm(total=total, unit=" model-epochs", disable=progress is not True, smoothing=0.05, mininterval=1.0)
    tell = progress if callable(progress) else None
    with bar, _checkpoints(job, checkpoint) as kept, _one_thread_each(job.device) as workers:
        _train_blocks(job, kept, workers, _Results(weights, measures, bar, tell))
    return Zoo(job.architecture, weights, _table(job.design, measures))


@dataclass(frozen=True)
class _Results:
    """Where the blocks put what they have: each its own rows, so that they need no lock but the bar's."""

    weights: Tensor
    measures: np.ndarray
    bar: tqdm
    tell: Callable[[int, int], None] | None
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def advance(self, model_epochs: int) -> None:
        with self.lock:
            if self.tell is None:
                self.bar.update(model_epochs)
            else:
                self.bar.n += model_epochs
                self.tell(int(self.bar.n), int(self.bar.total))


@contextmanager
def _checkpoints(job: Job, folder: Path | str | None) -> Iterator[list[tuple[np.ndarray, BlockCheckpoint | None]]]:
    """The blocks' rows, each with its file; no block begins where one finds another job's file."""
    if folder is None:
        yield [(rows, None) for rows in job.blocks()]
        return
    with job_folder(Path(folder)) as place:
        signature = job.signature()
        yield [(rows, BlockCheckpoint(place, n, signature, rows)) for n, rows in enumerate(job.blocks())]


def _train_blocks(
    job: Job, blocks: list[tuple[np.ndarray, BlockCheckpoint | None]], workers: int, results: _Results
) -> None:
    with ThreadPoolExecutor(workers) as pool:
        try:
            tasks = [pool.submit(_train_block, job, rows, kept, results) for rows, kept in blocks]
            for task in as_completed(tasks):
                task.result()
        except BaseException:
            results.stop.set()  # the other blocks end at their next epoch instead of going on unseen
            pool.shutdown(cancel_futures=True)
            raise


def _train_block(job: Job, rows: np.ndarray, kept: BlockCheckpoint | None, results: _Results) -> None:
    if results.stop.is_set():
        return
    design = job.design.iloc[rows].reset_index(drop=True)
    network = job.architecture.with_activation(design["activation"].iloc[0])
    block = Block(network, job.images, design, job.batch_size, job.seed, job.device)
    start = block.initial_weights() if job.start is None else job.start[torch.from_numpy(rows)]
    trainer = job.method.trainers[job.engine](block, start)
    first = done = _resume(trainer, rows, kept, results)
    while done <= job.epochs and not results.stop.is_set():
        _train_epoch(trainer, block, rows, done, results)
        done += 1
        if kept is not None and kept.due():
            _keep(kept, trainer, rows, done, results)
    if kept is not None and done > first:  # whole, or stopped by the user or by another block's fault
        _keep(kept, trainer, rows, done, results)


def _train_epoch(trainer: Trainer, block: Block, rows: np.ndarray, epoch: int, results: _Results) -> None:
    running = trainer.train_epoch(epoch) if epoch else None
    weights, measures = trainer.weights, _measure(trainer, block, running)
    lost = ~torch.isfinite(weights).all(1).numpy() | ~np.isfinite(measures).all(1)
    if epoch:
        lost |= np.isnan(results.measures[rows, epoch - 1, 0])
    measures[lost] = np.nan
    results.weights[torch.from_numpy(rows), epoch] = weights
    results.weights[torch.from_numpy(rows[lost]), epoch] = torch.nan
    results.measures[rows, epoch] = measures
    results.advance(len(rows) if epoch else 0)


def _resume(trainer: Trainer, rows: np.ndarray, kept: BlockCheckpoint | None, results: _Results) -> int:
    """Epochs that a former run has done; they stand in `results` then, and the trainer goes on from there."""
    if kept is None:
        return 0
    room = [(len(rows), *kind.shape[1:]) for kind in (results.weights, results.measures)]
    if (saved := kept.load(*room, trainer.state())) is None:
        return 0
    results.weights[torch.from_numpy(rows), : saved.epochs] = saved.weights
    results.measures[rows, : saved.epochs] = saved.measures
    trainer.restore(saved.trainer)
    results.advance(len(rows) * (saved.epochs - 1))
    return saved.epochs


def _keep(kept: BlockCheckpoint, trainer: Trainer, rows: np.ndarray, done: int, results: _Results) -> None:
    kept.save(results.weights[torch.from_numpy(rows), :done], results.measures[rows, :done], trainer.state())


def _measure(trainer: Trainer, block: Block, running: tuple[Tensor, Tensor] | None) -> np.ndarray:
    """The properties of a block's models now, `[models, properties]`, in the order of `PROPERTIES`."""
    images = block.images
    clean = trainer.evaluate(images.train_x[: block.num_images], images.train_y[: block.num_images])
    test = trainer.evaluate(images.test_x, images.test_y)
    loss, accuracy = running or clean
    columns = (loss, accuracy, *test, *clean, accuracy - test[1], clean[1] - test[1])
    return torch.stack([column.double() for column in columns], 1).numpy()


def _table(design: pd.DataFrame, measures: np.ndarray) -> pd.DataFrame:
    models, epochs = measures.shape[:2]
    table = design.loc[np.repeat(np.arange(models), epochs)].reset_index(drop=True)
    table.insert(0, "model", np.repeat(np.arange(models), epochs))
    table.insert(1, "epoch", np.tile(np.arange(epochs), models))
    for number, name in enumerate(PROPERTIES):
        table[name] = measures[:, :, number].ravel()
    table["diverged"] = np.isnan(measures[:, :, 0]).ravel()
    return table


@contextmanager
def _one_thread_each(device: torch.device) -> Iterator[int]:
    """As many workers as torch has threads, each with one thread: small operations gain nothing from sharing."""
    threads = torch.get_num_threads()
    if device.type != "cpu":
        yield 1
        return
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)
