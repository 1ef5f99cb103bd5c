"""One model trained alone, as a reader would write it: torch.nn, torch.optim and a loop.

Nothing of the engines is used; only what is random (order of images, dropped activations, first weights) is taken
from the model's key, because chance is the one thing that two programs cannot otherwise share.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor
from toys import Plain, by_hand

from hyperlib.images.images import Images
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.randomness import key, orders, uniform

ORDER, DROPOUT = 2, 3  # streams below a model's key


@dataclass
class Course:
    """Checkpoints and measures of one model, epoch by epoch."""

    weights: list[Tensor] = field(default_factory=list)
    train: list[tuple[float, float]] = field(default_factory=list)
    clean: list[tuple[float, float]] = field(default_factory=list)
    test: list[tuple[float, float]] = field(default_factory=list)


def optimizer_of(row: pd.Series, model: Plain) -> torch.optim.Optimizer:
    settings = {"lr": row["lr"], "weight_decay": row["weight_decay"]}
    if row["optimizer"] == "sgd":
        return torch.optim.SGD(model.parameters(), momentum=0.9, **settings)
    return {"adam": torch.optim.Adam, "rmsprop": torch.optim.RMSprop}[row["optimizer"]](model.parameters(), **settings)


def train_alone(
    net: Architecture, images: Images, row: pd.Series, *, epochs: int, batch_size: int, zoo_seed: int = 0
) -> Course:
    """The course of the design's row."""
    own = key([int(row["seed"])], zoo_seed)
    start = net.initialise(own.tolist(), row["init"], std=row["init_std"], bias=row["bias_init"])[0]
    model = by_hand(net.name, row["activation"]).load(net.layout.unflatten(start))
    optimizer, used = optimizer_of(row, model), max(1, round(row["train_fraction"] * len(images.train_x)))
    course = Course()
    for epoch in range(epochs + 1):
        if epoch:
            course.train.append(_epoch(model, optimizer, images, row, own, epoch, used, batch_size))
        course.weights.append(net.layout.flatten(model.state()))
        course.clean.append(_measured(model, images.train_x[:used], images.train_y[:used]))
        course.test.append(_measured(model, images.test_x, images.test_y))
    course.train.insert(0, course.clean[0])
    return course


def _epoch(
    model: Plain,
    optimizer: torch.optim.Optimizer,
    images: Images,
    row: pd.Series,
    own: Tensor,
    epoch: int,
    used: int,
    batch_size: int,
) -> tuple[float, float]:
    model.train()
    losses, hits = 0.0, 0
    for step, places in enumerate(orders(key(own, ORDER, epoch), used)[0].split(batch_size)):

        def drop(place: int, x: Tensor, step: int = step) -> Tensor:
            numbers = uniform(key(own, DROPOUT, epoch, step, place), x.numel()).reshape(x.shape)
            return torch.where(numbers < row["dropout"], 0, x / (1 - row["dropout"]))

        model.drop = drop
        scores = model(images.train_x[places])
        loss = F.cross_entropy(scores, images.train_y[places])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses += float(loss.detach()) * len(places)
        hits += int((scores.argmax(1) == images.train_y[places]).sum())
    return losses / used, hits / used


@torch.no_grad()
def _measured(model: Plain, x: Tensor, y: Tensor) -> tuple[float, float]:
    model.eval()
    model.drop = lambda place, x: x
    scores = model(x)
    return float(F.cross_entropy(scores, y)), float((scores.argmax(1) == y).double().mean())
