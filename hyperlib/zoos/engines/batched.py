"""A whole block of models in one batched job (`torch.func`), on the CPU or a GPU.

All models' weights are one `[models, params]` buffer; gradients of the summed losses are every model's own gradient,
because no model's loss depends on another's weights. Optimiser steps are a few operations on that buffer with one
learning rate and weight decay per row. On a GPU a step is recorded once and then played (see `recording`).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.weightspace.layers import Pass
from hyperlib.weightspace.recording import Recording
from hyperlib.zoos.engines.trainer import (
    ADAM_DECAYS,
    ADAM_EPSILON,
    MOMENTUM,
    RMSPROP_DECAY,
    RMSPROP_EPSILON,
    Block,
)
from hyperlib.zoos.evaluation import batch_losses, evaluate


class TorchTrainer:
    """Trainer of one block, batched over its models."""

    def __init__(self, block: Block, weights: Float[Tensor, "models params"]) -> None:
        self.block = block
        self.buffer = weights.to(block.device, copy=True)
        self.first = torch.zeros_like(self.buffer)  # momentum
        self.second = torch.zeros_like(self.buffer)  # running mean of squared gradients
        self.steps = 0
        self.lr, self.weight_decay = block.column("lr"), block.column("weight_decay")
        layout = block.architecture.layout
        self.frozen = None if bool(layout.learned.all()) else ~layout.learned.to(block.device)
        self.train_x = block.images.train_x.to(block.device)
        self.train_y = block.images.train_y.to(block.device)
        self.totals = torch.zeros(2, len(self.buffer), dtype=torch.float64, device=block.device)
        self.recording = Recording(block.device)

    @property
    def weights(self) -> Float[Tensor, "models params"]:
        return self.buffer.cpu()

    def train_epoch(self, epoch: int) -> tuple[Float[Tensor, " models"], Float[Tensor, " models"]]:
        device = self.block.device
        order = self.block.order(epoch).T.contiguous().to(device)
        batches = order.split(self.block.batch_size)
        clocks = torch.tensor([[epoch, step] for step in range(len(batches))]).to(device)
        biases = adam_biases(range(self.steps + 1, self.steps + 1 + len(batches))).to(device)
        beside = self._of_epoch(epoch)
        self.totals.zero_()
        for places, clock, bias in zip(batches, clocks, biases, strict=True):
            self.recording.play(self._step, places, clock, bias, *beside)
        self.steps += len(batches)
        loss, accuracy = (self.totals / self.block.num_images).cpu()
        return loss, accuracy

    def _of_epoch(self, epoch: int) -> tuple[Tensor, ...]:
        """What a step needs beside, by a trainer's kind."""
        return ()

    def _step(
        self, places: Int[Tensor, "batch models"], clock: Int[Tensor, " epoch_and_step"], bias: Float[Tensor, " both"]
    ) -> None:
        """One step: nothing in it changes but tensors, and none of them is made of Python's numbers."""
        now = Pass(self.block.architecture.activation, training=True)
        if self.block.drops:
            now.dropout = lambda place, shape: self.block.dropout_factors(*clock, place, shape)
        gradient, sums = torch.func.grad(self._loss, has_aux=True)(
            self.buffer, self.train_x[places], self.train_y[places], now
        )
        self._update(gradient, bias)
        self._keep_statistics(now)
        self.totals += sums

    def _loss(
        self, weights: Tensor, x: Tensor, y: Tensor, now: Pass
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "two models"]]:
        scores = self.block.architecture.forward(weights, x, now)
        losses, hits = batch_losses(scores, y)
        now.statistics = {name: value.detach() for name, value in now.statistics.items()}
        return losses.mean(0).sum(), torch.stack([losses.sum(0), hits.sum(0)]).detach()

    @torch.no_grad()
    def _update(self, gradient: Float[Tensor, "models params"], bias: Float[Tensor, " both"]) -> None:
        """One step of the block's optimiser, as `torch.optim` defines it (weight decay coupled to the gradient)."""
        gradient.addcmul_(self.buffer, self.weight_decay)
        if self.frozen is not None:
            gradient.masked_fill_(self.frozen, 0.0)
        if self.block.optimizer == "sgd":
            self.buffer.addcmul_(self.first.mul_(MOMENTUM).add_(gradient), self.lr, value=-1)
        elif self.block.optimizer == "adam":
            adam_step(self.buffer, gradient, self.first, self.second, self.lr, bias)
        else:
            self.second.mul_(RMSPROP_DECAY).addcmul_(gradient, gradient, value=1 - RMSPROP_DECAY)
            self.buffer.addcdiv_(gradient * self.lr, self.second.sqrt().add_(RMSPROP_EPSILON), value=-1)

    def _keep_statistics(self, now: Pass) -> None:
        for name, value in now.statistics.items():
            slot = self.block.architecture.layout[name]
            self.buffer[:, slot.start : slot.stop] = value

    def evaluate(
        self, x: Float[Tensor, "images c h w"], y: Int[Tensor, " images"]
    ) -> tuple[Float[Tensor, " models"], Float[Tensor, " models"]]:
        device = self.block.device
        return evaluate(self.block.architecture, self.buffer, x.to(device), y.to(device))

    def state(self) -> dict[str, Tensor]:
        held = {"weights": self.buffer, "first": self.first, "second": self.second}
        return {name: value.cpu() for name, value in held.items()} | {"steps": torch.tensor(self.steps)}

    def restore(self, state: dict[str, Tensor]) -> None:
        for name, held in (("weights", self.buffer), ("first", self.first), ("second", self.second)):
            held.copy_(state[name])  # in place, where a recording knows them
        self.steps = int(state["steps"])


def adam_biases(steps: Iterable[int]) -> Float[Tensor, "steps both"]:
    """What each step's moments are divided by, as they began at zero: the first, and the root of the second."""
    both = [(1 - ADAM_DECAYS[0] ** step, (1 - ADAM_DECAYS[1] ** step) ** 0.5) for step in steps]
    return torch.tensor(both, dtype=torch.float32)


@torch.no_grad()
def adam_step(
    values: Tensor,
    gradient: Tensor,
    first: Tensor,
    second: Tensor,
    rate: Float[Tensor, "models 1"],
    bias: Float[Tensor, " both"],
) -> None:
    """A step of Adam, in place, of values `[models, some]` and of their two moments; `bias` as `adam_biases` has it."""
    first.lerp_(gradient, 1 - ADAM_DECAYS[0])
    second.mul_(ADAM_DECAYS[1]).addcmul_(gradient, gradient, value=1 - ADAM_DECAYS[1])
    spread = (second.sqrt() / bias[1]).add_(ADAM_EPSILON)
    values.addcdiv_(first * (rate / bias[0]), spread, value=-1)
