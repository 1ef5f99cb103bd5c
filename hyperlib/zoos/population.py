"""Growing a zoo: a whole population trained in blocks, every epoch kept.

The design's rows are put into blocks of models that can train side by side (same activation, optimiser, dropout on or
off, amount of data); a block trains on one engine, several blocks at once on the CPU. The cut into blocks depends on
the design and the architecture alone, never on the machine, and every model's randomness on its own seed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from hyperlib.weightspace.architecture import Architecture
from hyperlib.zoos.checkpoint import BlockCheckpoint, job_signature
from hyperlib.zoos.design import check_design
from hyperlib.zoos.evaluation import activations_per_image
from hyperlib.zoos.images import Images
from hyperlib.zoos.sequential_engine import SequentialTrainer
from hyperlib.zoos.torch_engine import TorchTrainer
from hyperlib.zoos.training import Block, Trainer
from hyperlib.zoos.zoo import PROPERTIES, Zoo

ENGINES: dict[str, Callable[[Block, Tensor], Trainer]] = {"sequential": SequentialTrainer, "torch": TorchTrainer}
GROUPED = ("activation", "optimizer", "train_fraction")  # and whether dropout acts
_BLOCK_BYTES = 8 * 2**20  # activations of one training step that stay in the cache
_BLOCK_MODELS = 512  # beyond this no engine gains from more models side by side


def resolve_engine(engine: str) -> str:
    """The engine that `engine` stands for; "auto" is the fastest one that covers the job, today "torch"."""
    if engine == "auto":
        return "torch"
    if engine not in ENGINES:
        raise ValueError(f"There is no engine {engine!r}; choose auto, {' or '.join(ENGINES)}.")
    return engine


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
    progress: bool = True,
) -> Zoo:
    """Train one model per row of `design` and keep every epoch, epoch 0 (before training) included.

    Per (model, epoch) the table has losses and accuracies (fractions): `train_*` are running means over the epoch, each
    batch measured before its step, as in the released code; `train_*_clean` are evaluated after it; `gap` and
    `gap_clean` are the generalization gap, train minus test accuracy, in both readings. At epoch 0 both are evaluated.
    A model whose weights or loss stop being finite is `diverged` from that epoch on: NaN there, nothing elsewhere.

    start: initial weights instead of the design's (fine-tuning). seed: of the zoo; with a row's own seed it fixes all
    that is random about the row. checkpoint: a folder for the state of a long job; calling again after a kill goes on
    from there with the same result. device: CPU, or CUDA where torch finds one and you name it ("cuda").

    Raises ValueError for a wrong design, images of another shape or class count, or another job's checkpoint folder.
    """
    design = check_design(design)
    _check_images(architecture, images)
    if epochs < 0 or batch_size < 1:
        raise ValueError(f"Training needs epochs >= 0 and batch_size >= 1, not {epochs} and {batch_size}.")
    if start is not None and tuple(start.shape) != (len(design), architecture.layout.size):
        raise ValueError(f"start has shape {tuple(start.shape)}; {len(design)} models need ({len(design)}, {architecture.layout.size}).")
    engine, device = resolve_engine(engine), torch.device(device or "cpu")
    job = _Job(architecture, images, design, epochs, batch_size, start, seed, engine, device)
    signature = job_signature(architecture, images, design, epochs, batch_size, start, seed, engine) if checkpoint else ""
    weights = torch.empty(len(design), epochs + 1, architecture.layout.size)
    measures = np.empty((len(design), epochs + 1, len(PROPERTIES)))
    bar = tqdm(total=len(design) * epochs, unit=" model-epochs", disable=not progress, smoothing=0.05, mininterval=1.0)
    with bar, _one_thread_each(device) as workers:
        stop = threading.Event()
        with ThreadPoolExecutor(workers) as pool:
            tasks = {}
            for number, rows in enumerate(_blocks(job)):
                kept = BlockCheckpoint(Path(checkpoint) / f"block-{number:04d}.safetensors", signature) if checkpoint else None
                tasks[pool.submit(_train_block, job, rows, kept, bar, stop)] = rows
            try:
                for task in as_completed(tasks):
                    rows = tasks[task]
                    block_weights, block_measures = task.result()
                    weights[torch.from_numpy(rows)] = block_weights
                    measures[rows] = block_measures
            except BaseException:
                stop.set()  # the other blocks end at their next epoch instead of going on unseen
                pool.shutdown(cancel_futures=True)
                raise
    return Zoo(architecture, weights, _table(design, measures))


@dataclass(frozen=True)
class _Job:
    architecture: Architecture
    images: Images
    design: pd.DataFrame
    epochs: int
    batch_size: int
    start: Tensor | None
    seed: int
    engine: str
    device: torch.device


def _blocks(job: _Job) -> Iterator[np.ndarray]:
    """Rows of each block. Groups are cut into an even number of equal blocks that fit the cache."""
    footprint = 4 * job.batch_size * activations_per_image(job.architecture)
    largest = int(np.clip(_BLOCK_BYTES // footprint, 1, _BLOCK_MODELS))
    if job.device.type != "cpu":
        largest = 16 * _BLOCK_MODELS
    drops = job.design["dropout"] > 0
    for _, group in job.design.groupby([*(job.design[name] for name in GROUPED), drops], sort=True):
        count = ceil(len(group) / largest)
        count += count % 2 if count > 1 else 0
        yield from np.array_split(group.index.to_numpy(), count)


def _train_block(
    job: _Job, rows: np.ndarray, kept: BlockCheckpoint | None, bar: tqdm, stop: threading.Event
) -> tuple[Tensor, np.ndarray]:
    design = job.design.iloc[rows].reset_index(drop=True)
    network = job.architecture.with_activation(design["activation"].iloc[0])
    block = Block(network, job.images, design, job.batch_size, job.seed, job.device)
    start = block.initial_weights() if job.start is None else job.start[torch.from_numpy(rows)].clone()
    trainer = ENGINES[job.engine](block, start)
    weights = torch.full((len(rows), job.epochs + 1, network.layout.size), torch.nan)
    measures = np.full((len(rows), job.epochs + 1, len(PROPERTIES)), np.nan)
    first = 0
    if kept is not None and (saved := kept.load()) is not None:
        first = saved.epochs
        weights[:, :first], measures[:, :first] = saved.weights, saved.measures
        trainer.restore(saved.trainer)
        bar.update(len(rows) * (first - 1))
    for epoch in range(first, job.epochs + 1):
        if stop.is_set():
            break
        running = trainer.train_epoch(epoch) if epoch else None
        weights[:, epoch], measures[:, epoch] = trainer.weights, _measure(trainer, block, running)
        lost = ~torch.isfinite(weights[:, epoch]).all(1).numpy() | ~np.isfinite(measures[:, epoch]).all(1)
        if epoch:
            lost |= np.isnan(measures[:, epoch - 1, 0])
        weights[torch.from_numpy(lost), epoch], measures[lost, epoch] = torch.nan, np.nan
        bar.update(len(rows) if epoch else 0)
        if kept is not None and (kept.due() or epoch == job.epochs):
            kept.save(epoch + 1, weights, measures, trainer.state())
    return weights, measures


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


def _check_images(architecture: Architecture, images: Images) -> None:
    if tuple(images.shape) != tuple(architecture.image):
        raise ValueError(
            f"{architecture.name} reads images of {architecture.image} (channels, height, width), but {images.name} has "
            f"{tuple(images.shape)}; resize them (load_images(..., size=...)) or choose another architecture."
        )
    if images.num_classes > architecture.num_classes:
        raise ValueError(
            f"{images.name} has {images.num_classes} classes, but {architecture.name} tells only {architecture.num_classes} apart."
        )


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
