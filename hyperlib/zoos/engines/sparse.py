"""Methods that make networks sparse: `MASKED` holds zeros at zero, `GRADUAL` takes the smallest weights epoch by epoch,
`VARIATIONAL` learns which weights can go.

Each has a trainer in PyTorch, for any architecture and device, and one in compiled code for the CPU.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.weightspace.pruning import prunable, pruned
from hyperlib.weightspace.randomness import key
from hyperlib.zoos.engines.batched import TorchTrainer
from hyperlib.zoos.engines.compiled import NumbaTrainer, _aligned, packed
from hyperlib.zoos.engines.kernels.noise import NoisyProgram
from hyperlib.zoos.engines.kernels.optimisers import KINDS
from hyperlib.zoos.engines.kernels.program import STEP
from hyperlib.zoos.engines.kernels.sparse_training import run_sparse_epoch
from hyperlib.zoos.engines.kernels.tiles import PRODUCT, SUM
from hyperlib.zoos.engines.ready import ready
from hyperlib.zoos.engines.trainer import DROPOUT_STREAM, ORDER_STREAM, Block, Method
from hyperlib.zoos.engines.variational import (
    FIRST_LOG_VARIANCE,
    KAPPA,
    NOISE_STREAM,
    RATE,
    THRESHOLD,
    VariationalTorchTrainer,
    kappas,
    log_alpha,
    noise_table,
)

RATIO, WITHIN, OVER = "pruned_ratio", "pruned_within", "pruned_over"  # the design's columns, of `GRADUAL`


def gradual_share(ratio: Float[Tensor, " models"], epoch: int, over: int) -> Float[Tensor, " models"]:
    """The share that is gone while that epoch (from 1) trains: most early, `ratio` from epoch `over` on.

    Source: Zhu and Gupta (2017, arXiv:1710.01878), eq. 1, from zero, with a step per epoch. Our choice.
    """
    return ratio * (1 - (1 - min(1.0, epoch / over)) ** 3)


class MaskedTorchTrainer(TorchTrainer):
    """Weights that are zero at the start, and could be pruned, stay zero."""

    frozen: Tensor

    def __init__(self, block: Block, weights: Float[Tensor, "models params"]) -> None:
        super().__init__(block, weights)
        self.fixed, self.frozen = self.frozen, torch.zeros_like(self.buffer, dtype=torch.bool)
        self.hold(weights)

    def hold(self, weights: Float[Tensor, "models params"]) -> None:
        """Go on from these weights, and hold their zeros: without gradient, and without what moved them before."""
        self.buffer.copy_(weights)  # in place, where a recorded step knows it
        held = (self.buffer == 0) & prunable(self.block.architecture).to(self.block.device)
        self.first.masked_fill_(held, 0.0)
        self.frozen.copy_(held if self.fixed is None else held | self.fixed)


_SPREAD = ("log_variances", "noise_first", "noise_second")  # a state's names; models come first in each


class MaskedNumbaTrainer(NumbaTrainer):
    """The same, compiled."""

    noisy = False

    def __init__(self, block: Block, weights: Float[Tensor, "models params"]) -> None:
        super().__init__(block, weights)
        self.places = prunable(block.architecture).numpy()
        self.kept = np.ones_like(self.held)
        if not self.noisy:
            self.hold(weights)
        self.spread = np.zeros((3, *self.held.shape) if self.noisy else (3, 0, 0), np.float32)
        self.spread[:1] = FIRST_LOG_VARIANCE
        self.twins = np.zeros(0, STEP)
        self.table = noise_table()
        self.run_sparse = ready(run_sparse_epoch, _nothing())

    def hold(self, weights: Float[Tensor, "models params"]) -> None:
        """Go on from these weights, and hold their zeros, as above."""
        self.held = np.array(weights.numpy(), np.float32, order="C")
        self.first[(self.held == 0) & self.places] = 0
        self.kept = np.where((self.held == 0) & self.places, np.float32(0), np.float32(1))

    def train_epoch(self, epoch: int) -> tuple[Float[Tensor, " models"], Float[Tensor, " models"]]:
        keys = [key(self.block.keys, stream, epoch) for stream in (ORDER_STREAM, self.stream)]
        images, classes = packed(self.block.images.train_x, self.block.images.train_y)
        program, count, results = self.program, self.block.num_images, np.empty((len(self.held), 2))
        self.run_sparse(
            program.steps, self.twins, program.pixels,
            (program.scores, program.d_scores, program.classes, program.groups),
            images, classes, count, self.block.batch_size, KINDS[self.block.optimizer], self._settings(epoch),
            torch.stack(keys, 1).numpy().view(np.uint64), self.steps, self.held, self.first, self.second, self.kept,
            self.spread, self.places, self.table, self.workspace, self.records, results,
        )  # fmt: skip
        self.steps += -(-count // self.block.batch_size)
        loss, accuracy = torch.from_numpy(results).T / count
        return loss, accuracy

    stream = DROPOUT_STREAM

    def _settings(self, epoch: int) -> Float[np.ndarray, "models five"]:
        return np.pad(self.settings, ((0, 0), (0, 2)))


class _Gradual:
    """Before an epoch trains, so many of the smallest weights go as its place in the schedule says.

    What is gone is smallest of all and stays. Models that diverged are left alone.
    """

    block: Block
    weights: Float[Tensor, "models params"]
    hold: Callable[[Tensor], None]

    def train_epoch(self, epoch: int) -> tuple[Float[Tensor, " models"], Float[Tensor, " models"]]:
        design, weights = self.block.design, self.weights.clone()
        shares = gradual_share(torch.tensor(design[RATIO].to_numpy()), epoch, int(design[OVER].iloc[0]))
        sound = torch.isfinite(weights).all(1)
        within = str(design[WITHIN].iloc[0])
        weights[sound] = pruned(self.block.architecture, weights[sound], shares[sound], within=within)
        self.hold(weights)
        return super().train_epoch(epoch)  # type: ignore[misc]


class GradualTorchTrainer(_Gradual, MaskedTorchTrainer):
    """Magnitude pruning in steps."""


class GradualNumbaTrainer(_Gradual, MaskedNumbaTrainer):
    """The same, compiled."""


class VariationalNumbaTrainer(MaskedNumbaTrainer):
    """Variational dropout, compiled: each noisy layer is computed twice, for means and for variances."""

    noisy, stream = True, NOISE_STREAM

    def __init__(self, block: Block, weights: Float[Tensor, "models params"]) -> None:
        super().__init__(block, weights)
        self.program = NoisyProgram(block.architecture, block.batch_size)
        self.twins = self.program.twins
        self.workspace = _aligned(self.program.size)

    @property
    def weights(self) -> Float[Tensor, "models params"]:
        return torch.from_numpy(self._pruned())

    def _settings(self, epoch: int) -> Float[np.ndarray, "models five"]:
        design = self.block.design
        shares = kappas(design[KAPPA].to_numpy(np.float64), epoch)
        return np.column_stack([self.settings, design[RATE].to_numpy(np.float64), shares])

    def _pruned(self) -> Float[np.ndarray, "models params"]:
        alphas = log_alpha(torch.from_numpy(self.held), torch.from_numpy(self.spread[0])).numpy()
        return np.where((alphas > THRESHOLD) & self.places, np.float32(0), self.held)

    def evaluate(
        self, x: Float[Tensor, "images c h w"], y: Int[Tensor, " images"]
    ) -> tuple[Float[Tensor, " models"], Float[Tensor, " models"]]:
        held, self.held = self.held, self._pruned()
        try:
            return super().evaluate(x, y)
        finally:
            self.held = held

    def state(self) -> dict[str, Tensor]:
        return super().state() | dict(zip(_SPREAD, torch.from_numpy(self.spread), strict=True))

    def restore(self, state: dict[str, Tensor]) -> None:
        super().restore(state)
        self.spread = np.stack([state[name].numpy() for name in _SPREAD])


def _nothing() -> tuple:
    none, weights = np.zeros(0, np.float32), np.zeros((0, 1), np.float32)
    records = (np.zeros(1, SUM), np.zeros(1, PRODUCT))
    return (
        *(np.zeros(0, STEP), np.zeros(0, STEP), np.zeros(0, np.int64), (0, 0, 1, 1), none, none, 0, 1, 0),
        *(np.zeros((0, 5)), np.zeros((0, 2), np.uint64), 0, weights, weights, weights, weights),
        *(np.zeros((3, 0, 0), np.float32), np.zeros(0, bool), none, none, records, np.zeros((0, 2))),
    )


MASKED = Method("masked", {"torch": MaskedTorchTrainer, "numba": MaskedNumbaTrainer})
GRADUAL = Method("gradual", {"torch": GradualTorchTrainer, "numba": GradualNumbaTrainer})
VARIATIONAL = Method("variational", {"torch": VariationalTorchTrainer, "numba": VariationalNumbaTrainer})
