"""Growing a zoo: a whole population trained in blocks, every epoch kept.

The design's rows are put into blocks of models that can train side by side (same activation, optimiser, dropout on or
off, amount of data); a block trains on one engine, several blocks at once on the CPU. The cut into blocks depends on
the job alone (see `job`), never on the number of workers, and every model's randomness on its own seed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from hyperlib.files.lending import share_out
from hyperlib.images.images import Images
from hyperlib.weightspace.architecture import Architecture
from hyperlib.zoos.blocks import Course, block_files, train_block
from hyperlib.zoos.checkpoint import BlockCheckpoint
from hyperlib.zoos.distributed import is_address, train_on_cluster
from hyperlib.zoos.engines.choice import on_cluster
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
    clean: str | int = "last",
    checkpoint: Path | str | None = None,
    progress: bool | Callable[[int, int], None] = True,
) -> Zoo:
    """Train one model per row of `design` and keep every epoch, epoch 0 (before training) included.

    Per (model, epoch) the table has losses and accuracies (fractions): `train_*` are running means over the epoch, each
    batch measured before its step, as in the released code; `train_*_clean` are evaluated after it, which costs up to a
    third of the time, so `clean` says when: after the "last" epoch, after "all", or every so many; `gap` and
    `gap_clean` are the generalization gap, train minus test accuracy, in both readings. At epoch 0 both are evaluated.
    A model whose weights or loss stop being finite is `diverged` from that epoch on: NaN there, nothing elsewhere.

    start: initial weights instead of the design's (fine-tuning). seed: of the zoo; with a row's own seed it fixes all
    that is random about the row (epoch 0 is therefore not `architecture.initialise` of the row's seed alone).
    checkpoint: a folder for the state of a long job (for "ray" an fsspec address as well); calling again after a kill
    goes on from there with the same result, and once the zoo is saved the folder may go. progress: a bar with the rate,
    silence, or a function that hears of (done, all) model-epochs. engine: "numba" (compiled, on the CPU; the first job
    on a machine compiles it, about half a minute), "cuda" (that for a GPU, with the extra `cuda`), "torch" (batched,
    also on a GPU), "sequential" (plain PyTorch) or "auto", which is "numba" or "cuda" where these cover network and
    device. "ray" trains the blocks of "auto" on a Ray cluster ("ray:torch" those of "torch"), to the bit as here: the
    one that this program is connected to or that RAY_ADDRESS names, else this machine's cores. Engines agree to float
    tolerance, with one exception: a norm divides what it sees by its deviation over the batch, so on nearly constant
    inputs rounding becomes a gradient, of which Adam makes whole steps. device: CPU, or CUDA where torch finds one and
    you name it ("cuda"); there, too, in full float32, unless called inside `hyperlib.tf32()`.

    Raises ValueError for a wrong design, images of another shape or class count, or another job's checkpoint folder,
    OSError when the state cannot be written there, and for "ray" what `cluster` raises without Ray or a cluster.
    """
    job = checked_job(architecture, images, design, epochs, batch_size, start, seed, engine, device, clean)
    return grown(job, engine, checkpoint, progress)


def grown(
    job: Job, engine: str, checkpoint: Path | str | None, progress: bool | Callable[[int, int], None]
) -> Zoo:
    """The zoo of a job that was checked, with the other arguments and the errors of `train_population`."""
    if is_address(checkpoint) and not on_cluster(engine):
        raise ValueError(f"{checkpoint} is an address, which engine='ray' writes to; {engine!r} needs a folder.")
    with tqdm(unit=" model-epochs", disable=progress is not True, smoothing=0.05, mininterval=1.0) as bar:
        bar.total = len(job.design) * job.epochs
        heard = _Progress(bar, progress if callable(progress) else None)
        if on_cluster(engine):
            course = train_on_cluster(job, checkpoint, heard.reached)
        else:
            course = _train_here(job, None if checkpoint is None else Path(checkpoint), heard)
    return Zoo(job.architecture, course.weights, _table(job.design, course.measures))


@dataclass(frozen=True)
class _Progress:
    """How far the job is, told to the bar or to whoever listens."""

    bar: tqdm
    tell: Callable[[int, int], None] | None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def advance(self, model_epochs: int) -> None:
        with self.lock:
            if self.tell is None:
                self.bar.update(model_epochs)
            else:
                self.bar.n += model_epochs
                self.tell(int(self.bar.n), int(self.bar.total))

    def reached(self, model_epochs: int, where: str) -> None:
        """So many in all, by these nodes; what a lost one does again is not counted back."""
        self.bar.set_postfix_str(where, refresh=not self.bar.n)
        if model_epochs > self.bar.n:
            self.advance(model_epochs - int(self.bar.n))


def _train_here(job: Job, folder: Path | None, heard: _Progress) -> Course:
    """All blocks, in threads of this process; a block that ends early ends the others at their next epoch."""

    def train(block: tuple[np.ndarray, BlockCheckpoint | None], stopped: Callable[[], bool]) -> None:
        rows, kept = block
        train_block(job, rows, kept, course, rows, heard.advance, stopped)

    with block_files(job, folder) as blocks, _one_thread_each(job.device) as cores:
        course = Course.empty(job, len(job.design), folder)
        share_out(blocks, train, cores, more=(os.cpu_count() or 1) - cores if job.device.type == "cpu" else 0)
    return course


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
