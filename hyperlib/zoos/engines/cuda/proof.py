"""One small job by the card's kernels and by PyTorch, to see that both do the same here."""

from __future__ import annotations

from itertools import cycle

import torch

from hyperlib.images.images import Images
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.layers import (
    ACTIVATIONS,
    Activation,
    Add,
    Conv,
    Dropout,
    GlobalAveragePool,
    Linear,
    MaxPool,
)
from hyperlib.zoos.design import OPTIMIZERS, grid
from hyperlib.zoos.engines.batched import TorchTrainer
from hyperlib.zoos.engines.cuda.trainer import CudaTrainer
from hyperlib.zoos.engines.trainer import Block

SPARED = 40


def proof_network() -> Architecture:
    """A small network of every layer that the kernels know."""
    return Architecture(
        "proof", (2, 7, 7),
        (
            Conv("c1", width=3, kernel=3, padding=1, units="a"), Activation(), MaxPool(kernel=3, stride=2),
            Conv("c2", width=4, kernel=3, padding=1, stride=2, bias=False, units="b"), Activation("bent"), Dropout(),
            Conv("c3", width=4, kernel=1, units="b"), Add("sum", other="bent"), Activation(), GlobalAveragePool(),
            Linear("fc", width=3, units="classes"),
        ),
    )  # fmt: skip


def difference(device: torch.device) -> float:
    """Largest difference of weights, losses and accuracies between the kernels on a device and PyTorch on the CPU.

    Every activation has an epoch of two models, each optimiser in turn, with weights near the threads and far from
    them. The CPU, because a card's PyTorch may round as its user asks (see `weightspace.precision`). NaN where a number
    is none. Adam and RMSprop make whole steps of a gradient that is nothing but rounding, so one weight in `SPARED` may
    differ there.
    """
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(12, 2, 7, 7, generator=generator), torch.randint(3, (12,), generator=generator)
    images = Images("proof", x, y, x, y, ("a", "b", "c"), "normal noise")
    apart = []
    for number, (activation, optimizer) in enumerate(zip(ACTIVATIONS, cycle(OPTIMIZERS), strict=False)):
        network = proof_network().with_activation(activation)
        design = grid(seeds=2, dropout=0.3, weight_decay=0.1, lr=1e-2, optimizer=optimizer)
        ends = []
        for kind, where in ((CudaTrainer, device), (TorchTrainer, torch.device("cpu"))):
            block = Block(network, images, design, 4, 0, where)
            trainer = kind(block, block.initial_weights())
            if isinstance(trainer, CudaTrainer):
                trainer.in_shared = number % 2 == 0
            measures = [*trainer.train_epoch(1), *trainer.evaluate(images.test_x, images.test_y)]
            ends.append(torch.cat([trainer.weights.double().flatten(), *(one.double().flatten() for one in measures)]))
        gaps = (ends[0] - ends[1]).abs().sort().values  # NaN last
        spared = 0 if optimizer == "sgd" or bool(gaps.isnan().any()) else len(gaps) // SPARED
        apart.append(gaps[len(gaps) - 1 - spared])
    return float(torch.stack(apart).max())
