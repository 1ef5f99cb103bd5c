"""Sparse twins of a zoo: the same networks with most of their weights gone.

A twin begins as a model's last checkpoint and is made sparse in one of two ways: by magnitude (the smallest weights go
at once, and the rest is trained on) or by variational dropout (noise on every weight is learned, and what drowns in it
goes, epoch by epoch). Twins are a `Zoo`: a pruned weight is a zero, so that all that reads zoos reads them, and the
masks are where weights are not zero. Beside the design's and the measured columns their table has `twin_of`, the
original's number, and `sparsity`, the share of the prunable weights that are zero.

Sources: Schürholt et al. (2022, arXiv:2209.14764) and the abstract of the twins' paper (arXiv:2304.13718) for the
protocol: 25 epochs from the last checkpoint, magnitude pruning to the same shares and fine-tuning. How long and at
which rate the fine-tuning went was not found: as many epochs, at the zoo's own rate. Our choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.images.images import Images
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.pruning import pruned, sparsity
from hyperlib.zoos.design import COLUMNS
from hyperlib.zoos.engines.sparse import MASKED, VARIATIONAL
from hyperlib.zoos.engines.trainer import Method
from hyperlib.zoos.engines.variational import KAPPA, RATE
from hyperlib.zoos.job import checked_job
from hyperlib.zoos.population import grown
from hyperlib.zoos.zoo import Zoo

EPOCHS, LAST_KAPPA = 25, 0.01  # of the released script


def magnitude_twins(
    zoo: Zoo,
    images: Images,
    ratio: float | Float[Tensor, " models"] | Float[Tensor, "models layers"],
    *,
    within: str = "network",
    by: str = "size",
    seed: int = 0,
    **training: Any,
) -> Zoo:
    """Twins whose smallest weights are zero, at epoch 0 as pruned, then trained on with these weights held at zero.

    ratio: the share of prunable weights that go. It, within and by are those of `weightspace.pruning.pruned`; ratio 0
    trains whole networks on, for comparison. training: what `held_twins` takes besides. Raises ValueError for a share
    outside of 0 to 1, for a zoo with diverged models, and for whatever `train_population` refuses.
    """
    start = pruned(zoo.architecture, last_weights(zoo), ratio, within=within, by=by, seed=seed)
    return held_twins(zoo, images, start, seed=seed, **training)


def held_twins(
    zoo: Zoo,
    images: Images,
    start: Float[Tensor, "models params"],
    *,
    epochs: int = EPOCHS,
    batch_size: int = 32,
    seed: int = 0,
    engine: str = "auto",
    device: str | torch.device | None = None,
    checkpoint: Path | str | None = None,
    progress: bool | Callable[[int, int], None] = True,
) -> Zoo:
    """Twins that begin at `start`, whose prunable zeros are held, for a mask of any origin.

    The other arguments are those of `train_population`, and errors too. With the seed of the zoo a twin sees its
    batches in the order in which its original did.
    """
    return _twins(zoo, images, start, {}, MASKED, epochs, batch_size, seed, (engine, device), checkpoint, progress)


def variational_twins(
    zoo: Zoo,
    images: Images,
    *,
    rate: float,
    strength: float = 1.0,
    epochs: int = EPOCHS,
    batch_size: int = 32,
    seed: int = 0,
    engine: str = "auto",
    device: str | torch.device | None = None,
    checkpoint: Path | str | None = None,
    progress: bool | Callable[[int, int], None] = True,
) -> Zoo:
    """Twins by variational dropout, every epoch kept; see `engines.variational` for the method.

    rate: Adam's learning rate of the log variances. How far they come is rate times steps, so a run with few steps
    needs a larger one than the weights have. strength: multiplies the released weight of the divergence, which grows
    evenly to 0.01 in the last epoch. Dropout of the originals is left out, because the noise takes its place, and
    training measures are those of the noisy networks. Errors as in `magnitude_twins`.
    """
    for name, value in (("rate", rate), ("strength", strength)):
        if not (isfinite(value) and value >= 0):
            raise ValueError(f"The {name} of variational dropout is a number from 0 on, not {value}.")
    made_with = {RATE: float(rate), KAPPA: strength * LAST_KAPPA / max(1, epochs), "dropout": 0.0}
    start = last_weights(zoo)
    return _twins(
        zoo, images, start, made_with, VARIATIONAL, epochs, batch_size, seed, (engine, device), checkpoint, progress
    )


def last_weights(zoo: Zoo) -> Float[Tensor, "models params"]:
    """The last checkpoints of a zoo whose models can have twins.

    Raises TypeError for networks that cannot be trained on, ValueError where models diverged.
    """
    if not isinstance(zoo.architecture, Architecture):
        raise TypeError(f"Twins are trained, and only models of an Architecture can be, not {zoo.architecture.name}.")
    last = zoo.weights[:, -1]
    if lost := int((~torch.isfinite(last).all(1)).sum()):
        raise ValueError(f"{lost} of the {len(zoo)} models diverged and can have no twins; leave them out (zoo.take).")
    return last


def _twins(
    zoo: Zoo, images: Images, start: Tensor, made_with: dict[str, object], method: Method, epochs: int,
    batch_size: int, seed: int, where: tuple[str, Any], checkpoint: Path | str | None,
    progress: bool | Callable[[int, int], None],
) -> Zoo:  # fmt: skip
    if missing := [name for name in COLUMNS if name not in zoo.design]:
        raise ValueError(f"The zoo does not say its {missing[0]}, without which nobody can train it on.")
    design = zoo.design[list(COLUMNS)].assign(twin_of=zoo.models, **made_with)
    job = checked_job(zoo.architecture, images, design, epochs, batch_size, start, seed, *where)
    if job.engine not in method.trainers:
        raise ValueError(f"Twins are trained by the engines {' and '.join(method.trainers)}, not by {job.engine}.")
    twins = grown(replace(job, method=method), where[0], checkpoint, progress)
    flat = twins.weights.flatten(0, 1)
    return Zoo(twins.architecture, twins.weights, twins.table.assign(sparsity=sparsity(zoo.architecture, flat).numpy()))
