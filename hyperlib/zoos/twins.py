"""Sparse twins of a zoo: the same networks with most of their weights gone.

A twin begins as a model's last checkpoint and is made sparse in one of two ways: by magnitude (the smallest weights go,
at once or epoch by epoch, and the rest is trained on) or by variational dropout (noise on every weight is learned, and
what drowns in it goes). Twins are a `Zoo`: a pruned weight is a zero, so that all that reads zoos reads them, and the
masks are where weights are not zero. Prunable, and so counted, are the weights of convolutions and linear layers.
Beside the design's and the measured columns their table has `twin_of`, the original's number, `sparsity`, the share of
the prunable weights that are zero, and how they were made.

Sources: Schürholt et al. (2022, arXiv:2209.14764) and the abstract of the twins' paper (arXiv:2304.13718) for the
protocol: 25 epochs from the last checkpoint, magnitude pruning to the same shares and fine-tuning. How long and at
which rate the fine-tuning went was not found: as many epochs, at the zoo's own rate. Our choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import isfinite
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.images.images import Images
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.pruning import pruned, sparsity
from hyperlib.weightspace.values import as_tensor, is_whole
from hyperlib.zoos.design import COLUMNS
from hyperlib.zoos.engines.choice import CLUSTER
from hyperlib.zoos.engines.sparse import GRADUAL, MASKED, OVER, RATIO, VARIATIONAL, WITHIN
from hyperlib.zoos.engines.trainer import Method, images_used
from hyperlib.zoos.engines.variational import KAPPA, RATE
from hyperlib.zoos.job import checked_job
from hyperlib.zoos.population import grown
from hyperlib.zoos.zoo import Zoo

EPOCHS, LAST_KAPPA = 25, 0.01  # of the released script
REACH = 30.0  # how far log variances come when all their steps go one way; about that of the book's MNIST twins


def magnitude_twins(
    zoo: Zoo,
    images: Images,
    ratio: float | Float[Tensor, " models"] | Float[Tensor, "models layers"],
    *,
    within: str = "network",
    by: str = "size",
    over: int = 0,
    epochs: int = EPOCHS,
    batch_size: int = 32,
    seed: int = 0,
    **training: Any,
) -> Zoo:
    """Twins whose smallest weights are zero, at epoch 0 as pruned, then trained on with these weights held at zero.

    ratio: the share of prunable weights that go. It, within and by are those of `weightspace.pruning.pruned`; ratio 0
    trains whole networks on, for comparison. over: so many epochs in which they go bit by bit instead of at once (Zhu
    and Gupta 2017), then with one ratio per model and by size. training: what `held_twins` takes besides. The table
    has within, by and over as `pruned_within`, `pruned_by` and `pruned_over`.

    Raises ValueError for a share outside of 0 to 1, for a zoo with diverged models, and for whatever `train_population`
    refuses.
    """
    last = last_weights(zoo)
    start = pruned(zoo.architecture, last, ratio, within=within, by=by, seed=seed)
    made_with: dict[str, object] = {WITHIN: within, "pruned_by": by, OVER: over}
    if not is_whole(over, 0) or over > max(0, epochs):
        raise ValueError(f"Weights go over 0 epochs, at once, or over some of these {epochs}, not over {over!r}.")
    if not over:
        return _twins(zoo, images, start, made_with, MASKED, epochs, batch_size, seed, **training)
    shares = as_tensor(ratio, torch.float64)
    if by != "size" or shares.ndim > 1:
        raise ValueError("Over epochs only the smallest weights go, one share per model; or prune at once (over=0).")
    made_with[RATIO] = shares.expand(len(zoo)).numpy()
    return _twins(zoo, images, last, made_with, GRADUAL, epochs, batch_size, seed, **training)


def held_twins(
    zoo: Zoo,
    images: Images,
    start: Float[Tensor, "models params"],
    *,
    epochs: int = EPOCHS,
    batch_size: int = 32,
    seed: int = 0,
    **training: Any,
) -> Zoo:
    """Twins that begin at `start`, whose prunable zeros are held, for a mask of any origin.

    training: `engine`, `device`, `clean`, `checkpoint` and `progress` of `train_population`, where the other arguments
    are told, and errors too. With the seed of the zoo a twin sees its batches in the order in which its original did.
    Raises ValueError for weights that are not finite.
    """
    if not bool(torch.isfinite(as_tensor(start)).all()):
        raise ValueError("Some twins would begin at weights that are not finite.")
    return _twins(zoo, images, start, {}, MASKED, epochs, batch_size, seed, **training)


def variational_twins(
    zoo: Zoo,
    images: Images,
    *,
    rate: float | None = None,
    strength: float = 1.0,
    epochs: int = EPOCHS,
    batch_size: int = 32,
    seed: int = 0,
    **training: Any,
) -> Zoo:
    """Twins by variational dropout, every epoch kept; see `engines.variational` for the method.

    rate: Adam's learning rate of the log variances. How far they come is rate times steps; without a rate it is such
    that they can come as far as in the book's MNIST zoo, `REACH` in all (our choice). strength: multiplies the
    released weight of the divergence, which grows evenly to 0.01 in the last epoch. training: as in `held_twins`.
    Dropout of the originals is left out, because the noise takes its place, and training measures are those of the
    noisy networks. Errors as in `magnitude_twins`.

    Equation: `eq-dropout` on page 03c.
    """
    for name, value in (("rate", rate), ("strength", strength)):
        if not (value is None and name == "rate" or isinstance(value, Real) and isfinite(value) and value >= 0):
            raise ValueError(f"The {name} of variational dropout is a number from 0 on, not {value!r}.")
    start, rates = last_weights(zoo), rate
    if rate is None:
        shares = zoo.design.get("train_fraction", [1.0])
        used = np.array([images_used(len(images.train_x), float(share)) for share in shares])
        rates = REACH / np.maximum(1, epochs * np.ceil(used / batch_size))
    made_with = {RATE: rates, KAPPA: float(strength) * LAST_KAPPA / max(1, epochs), "dropout": 0.0}
    return _twins(zoo, images, start, made_with, VARIATIONAL, epochs, batch_size, seed, **training)


def last_weights(zoo: Zoo) -> Float[Tensor, "models params"]:
    """The last checkpoints of a zoo whose models can have twins.

    Raises TypeError for networks that cannot be trained on, ValueError where models diverged.
    """
    if not isinstance(zoo, Zoo):
        raise TypeError(f"Twins are of the models of a Zoo, not of a {type(zoo).__name__}.")
    if not isinstance(zoo.architecture, Architecture):
        raise TypeError(
            f"Twins are trained, and only models of an Architecture can be, not {zoo.architecture.name}; "
            "hyperlib.pruned makes its weights sparse without training."
        )
    last = zoo.weights[:, -1]
    if lost := int((~torch.isfinite(last).all(1)).sum()):
        raise ValueError(f"{lost} of the {len(zoo)} models diverged and can have no twins; leave them out (zoo.take).")
    return last


def _twins(
    zoo: Zoo, images: Images, start: Tensor, made_with: Mapping[str, object], method: Method, epochs: int,
    batch_size: int, seed: int, *, engine: str = "auto", device: str | torch.device | None = None,
    clean: str | int = "last", checkpoint: Path | str | None = None, progress: bool | Callable[[int, int], None] = True,
) -> Zoo:  # fmt: skip
    if missing := [name for name in COLUMNS if name not in zoo.design]:
        raise ValueError(
            f"The zoo does not say its {', '.join(missing)}, without which nobody can train it on. Where you know, put "
            "them into its table (zoo.table.assign; hyperlib.grid shows the columns and their usual values)."
        )
    design = zoo.design[list(COLUMNS)].assign(twin_of=zoo.models, **made_with)
    job = checked_job(zoo.architecture, images, design, epochs, batch_size, start, seed, engine, device, clean)
    if engine in ("auto", CLUSTER) and job.engine not in method.trainers:
        job = replace(job, engine="torch")
    if job.engine not in method.trainers:
        raise ValueError(f"Twins are trained by the engines {' and '.join(method.trainers)}, not by {job.engine}.")
    twins = grown(replace(job, method=method), engine, checkpoint, progress)
    flat = twins.weights.flatten(0, 1)
    return Zoo(twins.architecture, twins.weights, twins.table.assign(sparsity=sparsity(zoo.architecture, flat).numpy()))
