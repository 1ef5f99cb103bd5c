"""What every training engine shares: the block of models, its random choices, and the verbs of a trainer.

A block is a set of models that train side by side: one architecture with one activation, one optimiser and one amount
of data, everything else per model. All randomness of a model comes from its own key (batch order per epoch, dropout
factors per step), so engines, block sizes and worker counts see the same choices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.images.images import Images
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.randomness import key, orders, uniform

ORDER_STREAM, DROPOUT_STREAM = 2, 3  # below a model's key; 1 is the initial weights

MOMENTUM = 0.9  # SGD of the thesis's zoos
ADAM_DECAYS, ADAM_EPSILON = (0.9, 0.999), 1e-8  # PyTorch's defaults, as in the released generators
RMSPROP_DECAY, RMSPROP_EPSILON = 0.99, 1e-8

Number = int | Int[Tensor, ""]


@dataclass(frozen=True)
class Block:
    """Models that train side by side: `design` has one row per model, all with the same `GROUPED` columns."""

    architecture: Architecture
    images: Images
    design: pd.DataFrame
    batch_size: int
    seed: int
    device: torch.device

    @cached_property
    def keys(self) -> Int[Tensor, " models"]:
        """One key per model, from its own seed and the zoo's."""
        return key(self.design["seed"].tolist(), self.seed)

    @cached_property
    def keys_there(self) -> Int[Tensor, " models"]:
        """The same where training runs, so that random numbers are made there: the same bits on every device."""
        return self.keys.to(self.device)

    @property
    def optimizer(self) -> str:
        """The block's optimiser."""
        return str(self.design["optimizer"].iloc[0])

    @property
    def drops(self) -> bool:
        """Whether dropout acts at all in this block."""
        return bool((self.design["dropout"] > 0).any())

    @cached_property
    def num_images(self) -> int:
        """Training images that each model sees per epoch: the first part of the (shuffled) training set."""
        return images_used(len(self.images.train_x), float(self.design["train_fraction"].iloc[0]))

    def column(self, name: str) -> Float[Tensor, "models 1"]:
        """A numeric design column, ready to multiply weight vectors."""
        values = torch.tensor(self.design[name].to_numpy(), dtype=torch.float32)
        return values[:, None].to(self.device)

    def order(self, epoch: int) -> Int[Tensor, "models images"]:
        """Each model's order of the training images in that epoch."""
        return orders(key(self.keys_there, ORDER_STREAM, epoch), self.num_images)

    @cached_property
    def dropout_rates(self) -> Float[Tensor, "models 1"]:
        """Each model's share of dropped activations, in float64."""
        return torch.tensor(self.design["dropout"].to_numpy(), dtype=torch.float64, device=self.device)[:, None]

    def dropout_factors(self, epoch: Number, step: Number, place: int, shape: tuple[int, ...]) -> Float[Tensor, "..."]:
        """0 for dropped activations, 1 / (1 - rate) for kept ones; `shape` is `[batch, models, ...]`."""
        keys = key(self.keys_there, DROPOUT_STREAM, epoch, step, place)
        count = 1
        for side in (shape[0], *shape[2:]):
            count *= side
        factors = (uniform(keys, count) >= self.dropout_rates) / (1 - self.dropout_rates)
        return factors.float().unflatten(1, (shape[0], *shape[2:])).transpose(0, 1)

    def initial_weights(self) -> Float[Tensor, "models params"]:
        """The models' weights before training (on the CPU)."""
        return self.architecture.initialise(
            self.keys.tolist(),
            self.design["init"].tolist(),
            std=self.design["init_std"].tolist(),
            bias=self.design["bias_init"].tolist(),
        )


def images_used(images: int, fraction: float) -> int:
    """How many of a training set's images the given fraction of it is; at least one."""
    return max(1, round(fraction * images))


@runtime_checkable
class Trainer(Protocol):
    """One engine at work on one block. Engines differ in speed, never in meaning."""

    @property
    def weights(self) -> Float[Tensor, "models params"]:
        """Current weights, on the CPU, not to be changed."""

    def train_epoch(self, epoch: int) -> tuple[Float[Tensor, " models"], Float[Tensor, " models"]]:
        """Train one epoch; mean loss and accuracy over it, measured on each batch before its step."""

    def evaluate(
        self, x: Float[Tensor, "images c h w"], y: Int[Tensor, " images"]
    ) -> tuple[Float[Tensor, " models"], Float[Tensor, " models"]]:
        """Loss and accuracy of every model on the same images, in evaluation mode."""

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on after a kill."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from such a state."""


@dataclass(frozen=True)
class Method:
    """A way to train a block: what it is called in signatures, and its trainer in each engine that has one."""

    name: str
    trainers: Mapping[str, Callable[[Block, Tensor], Trainer]]
