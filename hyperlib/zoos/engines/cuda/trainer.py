"""Training on a card by our own kernels: one launch per epoch, a thread block per model.

The torch engine launches hundreds of small kernels for every step of a block; here a model's mini-batch stays near one
multiprocessor from the images to the optimiser's step, as it does near one core in `compiled`. Numba's own CUDA target
compiles them on the user's machine without a compiler there (Triton, which comes with PyTorch, calls one for its
launcher), and its simulator runs them without a card, for tests. Our choice.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil

import numpy as np
import torch
from jaxtyping import Float, Int
from numba import config, cuda
from torch import Tensor

from hyperlib.weightspace.randomness import key
from hyperlib.zoos.engines.cuda.plan import MOST_SIDE, Plan
from hyperlib.zoos.engines.cuda.training import SHARED, run
from hyperlib.zoos.engines.kernels.optimisers import KINDS
from hyperlib.zoos.engines.trainer import ADAM_DECAYS, DROPOUT_STREAM, Block

THREADS = 4 if config.ENABLE_CUDASIM else 256  # of a block; the simulator's are Python's
_BLOCKS = 1024  # that an evaluation is cut into, at least, if there are images enough
_PIECE = 256  # images of an evaluation that are worth a block


class CudaTrainer:
    """Trainer of one block on a card."""

    def __init__(self, block: Block, weights: Float[Tensor, "models params"]) -> None:
        self.block, self.device = block, block.device
        self.plan = Plan(block.architecture, block.batch_size, block.drops)
        self.buffer = weights.to(self.device, torch.float32, copy=True).contiguous()
        self.first, self.second, self.gradient = (torch.zeros_like(self.buffer) for _ in range(3))
        self.steps = 0
        self.settings = self._moved(torch.tensor(block.design[["lr", "weight_decay", "dropout"]].to_numpy(float)))
        self.rows = self._moved(torch.from_numpy(self.plan.rows))
        plan = self.plan
        self.layout = self._moved(torch.tensor([plan.scores, plan.d_scores, plan.classes, plan.pixels, plan.chunk]))
        self.no_corrections = self._moved(torch.zeros(1, 2, dtype=torch.float64))
        self.in_shared = weights.shape[1] <= SHARED
        self.room: tuple[Tensor, ...] = ()

    @property
    def weights(self) -> Float[Tensor, "models params"]:
        return self.buffer.cpu().clone()

    def train_epoch(self, epoch: int) -> tuple[Float[Tensor, " models"], Float[Tensor, " models"]]:
        block, count = self.block, self.block.num_images
        steps = ceil(count / block.batch_size)
        numbers = np.arange(self.steps + 1, self.steps + steps + 1)
        first, second = (1 - decay**numbers for decay in ADAM_DECAYS)
        corrections = self._moved(torch.from_numpy(np.column_stack([1 / first, 1 / np.sqrt(second)])))
        self.steps += steps
        keys = key(block.keys_there, DROPOUT_STREAM, epoch)
        return self._run(block.images.train_x, block.images.train_y, block.order(epoch), keys, corrections)

    def evaluate(
        self, x: Float[Tensor, "images c h w"], y: Int[Tensor, " images"]
    ) -> tuple[Float[Tensor, " models"], Float[Tensor, " models"]]:
        return self._run(x, y, torch.arange(len(x), device=self.device)[None], self.block.keys_there, None)

    def _run(
        self, x: Tensor, y: Tensor, orders: Int[Tensor, "models images"], keys: Int[Tensor, " models"],
        corrections: Float[Tensor, "steps two"] | None,
    ) -> tuple[Float[Tensor, " models"], Float[Tensor, " models"]]:  # fmt: skip
        """Mean loss and accuracy over these images in that order; without corrections nothing is learned."""
        models, count, learning = len(self.buffer), orders.shape[1], corrections is not None
        shares = 1 if learning else max(1, min(ceil(_BLOCKS / models), count // _PIECE))
        values, scratch, labels, sums = self._room(models * shares)
        given = (
            self.rows, self.layout, self._moved(x).float().reshape(-1), self._moved(y).long(), orders, count,
            self.block.batch_size if learning else self.plan.chunk, int(learning), KINDS[self.block.optimizer],
            self.settings, keys, self.no_corrections if corrections is None else corrections,
            self.buffer, self.first, self.second, self.gradient, values, scratch, labels, sums.zero_(), shares,
            int(self.in_shared),
        )  # fmt: skip
        with _here(self.device) as stream:
            with warnings.catch_warnings():  # Numba warns of few blocks; whoever trains few models has few
                warnings.simplefilter("ignore")
                launch = run[models * shares, THREADS, stream]
            launch(*(_as_array(value) for value in given))
        loss, hits = sums.view(models, -1, 2).sum(1).T.cpu() / count
        return loss, hits

    def _room(self, blocks: int) -> tuple[Tensor, ...]:
        """Workspaces of so many blocks, kept from call to call."""
        if not self.room or len(self.room[0]) != blocks:
            self.room = ()  # given back before the next are asked for
            chunk, new = self.plan.chunk, lambda *shape, of: torch.zeros(blocks, *shape, dtype=of, device=self.device)
            self.room = (
                new(self.plan.numbers * chunk, of=torch.float32), new((MOST_SIDE + 1) * THREADS, of=torch.float32),
                new(chunk, of=torch.int64), new(chunk, 2, of=torch.float64),
            )  # fmt: skip
        return self.room

    def _moved(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device).contiguous()

    def state(self) -> dict[str, Tensor]:
        held = {"weights": self.buffer, "first": self.first, "second": self.second}
        return {name: value.cpu() for name, value in held.items()} | {"steps": torch.tensor(self.steps)}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.buffer, self.first, self.second = (
            state[name].to(self.device, copy=True).contiguous() for name in ("weights", "first", "second")
        )
        self.steps = int(state["steps"])


@contextmanager
def _here(device: torch.device) -> Iterator[object]:
    """Where Numba works on this device, among all cards, and PyTorch's stream there, so that both work in order."""
    if device.type == "cpu":
        yield 0
        return
    with torch.cuda.device(device):
        handle = torch.cuda.current_stream().cuda_stream
        yield cuda.external_stream(handle) if handle else 0


def _as_array(value: object) -> object:
    """What a kernel takes: the card's own memory as it is, and in the simulator NumPy's view of the tensor's."""
    if not isinstance(value, Tensor):
        return value
    return value.numpy() if value.device.type == "cpu" else cuda.as_cuda_array(value)
