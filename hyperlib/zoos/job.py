"""A training job: what a population's result depends on, checked before it costs anything.

A job is cut into blocks of models that can train side by side. The cut depends on the
design, the architecture, the batch size and on CPU or GPU, never on the number of workers, so that a job can be killed
and resumed block by block.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, prod

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.images.images import Images
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.layers import Norm
from hyperlib.weightspace.values import as_tensor, device_called, is_whole
from hyperlib.zoos.design import check_design
from hyperlib.zoos.engines.choice import DENSE, resolve_engine
from hyperlib.zoos.engines.cuda.covering import simulated
from hyperlib.zoos.engines.trainer import Method, images_used
from hyperlib.zoos.evaluation import PROPERTIES, clean_epochs

GROUPED = ("activation", "optimizer", "train_fraction")  # and whether dropout acts
_BLOCK_BYTES = 8 * 2**20  # activations of one training step that stay in the cache
_BLOCK_MODELS = 512  # beyond this no engine gains from more models side by side
_GPU_BLOCK_BYTES = 2**30  # a GPU wants large blocks, but activations and their gradients must fit its memory
_GPU_BLOCK_MODELS = 16 * _BLOCK_MODELS


@dataclass(frozen=True)
class Job:
    """Everything that the result of a training job depends on; made by `checked_job`."""

    architecture: Architecture
    images: Images
    design: pd.DataFrame
    epochs: int
    batch_size: int
    start: Float[Tensor, "models params"] | None
    seed: int
    engine: str
    device: torch.device
    clean: tuple[int, ...]
    method: Method = DENSE

    def signature(self) -> str:
        """A checksum of the job, by which its files on disk are told from another job's."""
        numbers = [self.epochs, self.batch_size, self.seed, self.clean]
        made_by = [self.engine, self.device.type, torch.__version__]
        settings = [repr(self.architecture), self.images.checksum, *numbers, *made_by, self.method.name]
        checksum = hashlib.sha256(json.dumps(settings).encode())
        checksum.update(self.design.to_csv(index=False).encode())
        if self.start is not None:
            checksum.update(np.ascontiguousarray(self.start.numpy()).data)
        return checksum.hexdigest()

    def blocks(self) -> Iterator[np.ndarray]:
        """Rows of each block, as `block_rows` cuts them."""
        yield from block_rows(self.architecture, self.design, self.batch_size, gpu=self.device.type != "cpu")


def block_rows(architecture: Architecture, design: pd.DataFrame, batch_size: int, *, gpu: bool) -> Iterator[np.ndarray]:
    """Rows of each block. Groups are cut into an even number of equal blocks that fit the cache."""
    footprint = 4 * batch_size * architecture.activations_per_input
    budget, most = (_GPU_BLOCK_BYTES, _GPU_BLOCK_MODELS) if gpu else (_BLOCK_BYTES, _BLOCK_MODELS)
    largest = int(np.clip(budget // footprint, 1, most))
    drops = design["dropout"] > 0
    for _, group in design.groupby([*(design[name] for name in GROUPED), drops], sort=True):
        count = ceil(len(group) / largest)
        count += count % 2 if count > 1 else 0
        yield from np.array_split(np.array(group.index, dtype=np.int64), min(count, len(group)))


def checked_job(
    architecture: Architecture,
    images: Images,
    design: pd.DataFrame,
    epochs: int,
    batch_size: int,
    start: Tensor | None,
    seed: int,
    engine: str = "auto",
    device: str | torch.device | None = None,
    clean: str | int = "last",
) -> Job:
    """The job, ready to run, with the engine that covers it.

    What an earlier zoo's table has besides its design (model, epoch, measures) is left out.

    Raises ValueError, in one sentence, for whatever cannot be trained, and TypeError for what is no list of layers.
    """
    if not isinstance(architecture, Architecture):
        raise TypeError(
            f"Populations of an Architecture can be trained, not of a {type(architecture).__name__}; train modules of "
            "your own with PyTorch and make a zoo of their checkpoints with hyperlib.gather."
        )
    _check_whole_numbers(epochs=(epochs, 0), batch_size=(batch_size, 1), seed=(seed, 0))
    cleanly = clean_epochs(int(epochs), clean)
    if not isinstance(design, pd.DataFrame):
        raise ValueError(
            f"The design is a table with one row per model (hyperlib.grid makes one), not {type(design).__name__}."
        )
    if "model" in design and design["model"].duplicated().any():
        raise ValueError("The design has several rows of one model; it was a zoo's table, take zoo.design instead.")
    design = check_design(design.drop(columns=["model", "epoch", *PROPERTIES, "diverged"], errors="ignore"))
    _check_images(architecture, images)
    _check_norms(architecture, images, design, batch_size)
    if start is not None:
        start = _check_start(start, (len(design), architecture.layout.size))
    epochs, batch_size, seed = int(epochs), int(batch_size), int(seed)
    if engine == "cuda" and device is None and not simulated():
        if not torch.cuda.is_available():
            raise ValueError("The engine cuda needs a CUDA device and PyTorch finds none here; leave out engine.")
        device = "cuda"
    where = device_called(device)
    engine = resolve_engine(engine, architecture, where)
    images = on_device(images, where)
    return Job(architecture, images, design, epochs, batch_size, start, seed, engine, where, cleanly)


def _check_whole_numbers(**numbers: tuple[object, int]) -> None:
    for name, (value, least) in numbers.items():
        if not is_whole(value, least) or value >= 2**62:
            raise ValueError(f"{name} is a whole number from {least} on, not {value!r}.")


def _check_images(architecture: Architecture, images: Images) -> None:
    if tuple(images.shape) != tuple(architecture.image):
        raise ValueError(
            f"{architecture.name} reads images of {architecture.image} (channels, height, width), but "
            f"{images.name} has {tuple(images.shape)}; resize them (load_images(..., size=...)) or choose another "
            "architecture."
        )
    if images.num_classes > architecture.num_classes:
        raise ValueError(
            f"{images.name} has {images.num_classes} classes, but {architecture.name} tells only "
            f"{architecture.num_classes} apart; choose an architecture with a wider last layer."
        )


def _check_norms(architecture: Architecture, images: Images, design: pd.DataFrame, batch_size: int) -> None:
    """A norm of flat features has no variance over a batch of one image; PyTorch refuses it too."""
    norms = [step for step in architecture.steps if isinstance(step.layer, Norm) and prod(step.inputs[1:]) == 1]
    for fraction in design["train_fraction"].unique() if norms else ():
        used = images_used(len(images.train_x), float(fraction))
        if batch_size == 1 or used % batch_size == 1:
            raise ValueError(
                f"{norms[0].layer.name} would see a batch of one image ({used} images per epoch in batches of "
                f"{batch_size}), which has no variance; choose a batch_size that leaves no single image over."
            )


def _check_start(start: Tensor | np.ndarray, shape: tuple[int, int]) -> Tensor:
    start = as_tensor(start)
    if tuple(start.shape) != shape:
        raise ValueError(f"start has shape {tuple(start.shape)}; {shape[0]} models of this network need {shape}.")
    return start.detach().to("cpu", torch.float32)


def on_device(images: Images, device: torch.device) -> Images:
    """The same images where training runs; moved once, not by every block."""
    if device.type == images.train_x.device.type:
        return images
    parts = ("train_x", "train_y", "test_x", "test_y")
    return replace(images, **{name: getattr(images, name).to(device) for name in parts})
