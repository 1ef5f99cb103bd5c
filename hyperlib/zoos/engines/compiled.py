"""Compiled training on the CPU: one model at a time per thread, its mini-batch in vectors of images.

A small network's activations then stay in the processor's cache, which batching over models (`batched`) cannot have.
The `kernels` are compiled by Numba at first use, for all architectures at once, and kept on disk. A model's result is
the same to the bit whatever trains beside it.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.weightspace.randomness import key
from hyperlib.zoos.engines.kernels.compiling import kernel
from hyperlib.zoos.engines.kernels.lanes import LANES
from hyperlib.zoos.engines.kernels.optimisers import KINDS
from hyperlib.zoos.engines.kernels.program import STEP, Program
from hyperlib.zoos.engines.kernels.tiles import PRODUCT, SUM
from hyperlib.zoos.engines.kernels.training import run_epoch
from hyperlib.zoos.engines.trainer import DROPOUT_STREAM, ORDER_STREAM, Block

_LOG = logging.getLogger(__name__)
_PATIENCE = 2.0  # seconds; kernels that are read from disk are ready long before
_PREPARING = threading.Lock()
_READY: list[Callable[..., None]] = []  # the compiled kernel, once there is one


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
        settings = block.design[["lr", "weight_decay", "dropout"]]  # an own array: one kind for the compiler
        self.settings = np.array(settings, np.float64, order="C")
        self.run_epoch = compiled()

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
        self.run_epoch(
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
        shape = self.held.shape
        for name in ("weights", "first", "second"):  # compiled code would not notice that one is too small
            if name not in state or tuple(state[name].shape) != shape or state[name].dtype != torch.float32:
                raise ValueError(
                    f"This training state has no float32 {name!r} of shape {shape}; it belongs to another job or is "
                    "damaged, remove it."
                )
        self.held, self.first, self.second = (
            np.array(state[name].numpy(), order="C") for name in ("weights", "first", "second")
        )
        self.steps = int(state["steps"])


def compiled() -> Callable[..., None]:
    """The kernel `run_epoch`, ready to be called: read from disk, or compiled now, which is said if it takes long.

    A cache that cannot be read or written (a full disk, a damaged file) costs the compiled code's survival, no more.
    """
    with _PREPARING:
        if not _READY:
            note = threading.Timer(_PATIENCE, _say_compiling)
            note.start()
            try:
                _call_with_nothing(run_epoch)
                _READY.append(run_epoch)
            except Exception as error:  # whatever a damaged cache raises; a fault of the kernels comes again below
                _LOG.warning("The cache of compiled kernels fails (%s); this process compiles its own.", error)
                _READY.append(kernel(run_epoch.py_func))
                _call_with_nothing(_READY[0])
            finally:
                note.cancel()
    return _READY[0]


def _call_with_nothing(compiled_kernel: Callable[..., None]) -> None:
    """Have it compiled for the types it will be called with: no steps, no images, no models."""
    none, weights = np.zeros(0, np.float32), np.zeros((0, 1), np.float32)
    records = (np.zeros(1, SUM), np.zeros(1, PRODUCT))
    compiled_kernel(
        *(np.zeros(0, STEP), np.zeros(0, np.int64), (0, 0, 1, 1), none, none, 0, 1, 0, 0),
        *(np.zeros((0, 3)), np.zeros((0, 2), np.uint64), 0, weights, weights, weights, none, records, np.zeros((0, 2))),
    )


def _say_compiling() -> None:
    print("Compiling the training kernels, once for this machine: about half a minute.", file=sys.stderr, flush=True)


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
