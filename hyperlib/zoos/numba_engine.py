"""Compiled training on the CPU: one model at a time per thread, its mini-batch in vectors of images.

A small network's activations then stay in the processor's cache, which batching over models (`torch_engine`) cannot
have. The kernels (`hyperlib.zoos.kernels`) are compiled by Numba at first use, for all architectures at once, and kept
on disk. A model's result is the same to the bit whatever trains beside it.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.weightspace.randomness import key
from hyperlib.zoos.kernels.lanes import LANES
from hyperlib.zoos.kernels.optimisers import KINDS
from hyperlib.zoos.kernels.program import Program
from hyperlib.zoos.kernels.tiles import PRODUCT, SUM
from hyperlib.zoos.kernels.training import run_epoch
from hyperlib.zoos.training import DROPOUT_STREAM, ORDER_STREAM, Block


class NumbaTrainer:
    """Trainer of one block, model by model, in compiled code that holds no interpreter lock."""

    def __init__(self, block: Block, weights: Float[Tensor, "models params"]) -> None:
        self.block = block
        self.program = Program(block.architecture, block.batch_size, block.drops)
        self.workspace = _aligned(self.program.size)
        self.records = (np.zeros(1, SUM), np.zeros(1, PRODUCT))
        self.held, self.first, self.second = (np.array(weights.numpy(), np.float32, order="C") for _ in range(3))
        self.first[:], self.second[:] = 0, 0
        self.steps = 0
        settings = block.design[["lr", "weight_decay", "dropout"]].to_numpy(np.float64)
        self.settings = np.ascontiguousarray(settings)

    @property
    def weights(self) -> Float[Tensor, "models params"]:
        return torch.from_numpy(self.held.copy())

    def train_epoch(self, epoch: int) -> tuple[Float[Tensor, " models"], Float[Tensor, " models"]]:
        keys = [key(self.block.keys, stream, epoch) for stream in (ORDER_STREAM, DROPOUT_STREAM)]
        count = self.block.num_images
        measures = self._run(self.block.images.train_x, self.block.images.train_y, count, torch.stack(keys, 1))
        self.steps += -(-count // self.block.batch_size)
        return measures

    def evaluate(
        self, x: Float[Tensor, "images c h w"], y: Int[Tensor, " images"]
    ) -> tuple[Float[Tensor, " models"], Float[Tensor, " models"]]:
        return self._run(x, y, len(x), None)

    def _run(
        self, x: Tensor, y: Tensor, count: int, keys: Int[Tensor, "models two"] | None
    ) -> tuple[Float[Tensor, " models"], Float[Tensor, " models"]]:
        """Mean loss and accuracy over an epoch; without keys nothing is learned."""
        program, models, learning = self.program, len(self.held), int(keys is not None)
        images, classes = packed(x, y)
        results = np.empty((models, 2))
        run_epoch(
            program.steps,
            program.pixels,
            (program.scores, program.d_scores, program.classes, program.groups),
            images,
            classes,
            count,
            self.block.batch_size if learning else program.groups * LANES,
            learning,
            KINDS[self.block.optimizer],
            self.settings,
            np.zeros((models, 2), np.uint64) if keys is None else keys.numpy().view(np.uint64),
            self.steps,
            self.held,
            self.first,
            self.second,
            self.workspace,
            self.records,
            results,
        )
        loss, accuracy = torch.from_numpy(results).T / count
        return loss, accuracy

    def state(self) -> dict[str, Tensor]:
        held = {"weights": self.held, "first": self.first, "second": self.second}
        return {name: torch.from_numpy(value) for name, value in held.items()} | {"steps": torch.tensor(self.steps)}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.held, self.first, self.second = (
            np.array(state[name].numpy(), np.float32, order="C") for name in ("weights", "first", "second")
        )
        self.steps = int(state["steps"])


def packed(
    x: Float[Tensor, "images c h w"], y: Int[Tensor, " images"]
) -> tuple[Float[np.ndarray, " numbers"], Float[np.ndarray, " images"]]:
    """Images as the kernels read them: one after the other, each filled up to whole vectors; classes as numbers."""
    flat = x.flatten(1)
    rest = -flat.shape[1] % LANES
    if rest:
        flat = torch.nn.functional.pad(flat, (0, rest))
    return flat.contiguous().numpy().reshape(-1), y.numpy().astype(np.float32)


def _aligned(size: int) -> np.ndarray:
    """Zeros that begin where a vector of any processor may begin."""
    raw = np.zeros(size + 16, np.float32)
    skipped = (-raw.ctypes.data // 4) % 16
    return raw[skipped : skipped + size]
