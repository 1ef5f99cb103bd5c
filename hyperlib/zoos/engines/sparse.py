"""Methods that make networks sparse: `MASKED` holds zeros at zero, `VARIATIONAL` learns which weights can go.

Each has a trainer in PyTorch, for any architecture and device, and one in compiled code for the CPU.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.weightspace.pruning import prunable
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


class MaskedTorchTrainer(TorchTrainer):
    """Weights that are zero at the start, and could be pruned, stay zero."""

    def __init__(self, block: Block, weights: Float[Tensor, "models params"]) -> None:
        super().__init__(block, weights)
        held = (self.buffer == 0) & prunable(block.architecture).to(block.device)
        self.frozen = held if self.frozen is None else held | self.frozen


_SPREAD = ("log_variances", "noise_first", "noise_second")  # a state's names; models come first in each


class MaskedNumbaTrainer(NumbaTrainer):
    """The same, compiled."""

    noisy = False

    def __init__(self, block: Block, weights: Float[Tensor, "models params"]) -> None:
        super().__init__(block, weights)
        self.places = prunable(block.architecture).numpy()
        self.kept = np.ones_like(self.held)
        if not self.noisy:
            self.kept[(self.held == 0) & self.places] = 0
        self.spread = np.zeros((3, *self.held.shape) if self.noisy else (3, 0, 0), np.float32)
        self.spread[:1] = FIRST_LOG_VARIANCE
        self.twins = np.zeros(0, STEP)
        self.table = noise_table()
        self.run_sparse = ready(run_sparse_epoch, _nothing())

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
VARIATIONAL = Method("variational", {"torch": VariationalTorchTrainer, "numba": VariationalNumbaTrainer})
