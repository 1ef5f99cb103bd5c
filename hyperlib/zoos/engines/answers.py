"""How differently pairs of networks answer the same images, by compiled code on one core of the CPU."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.weightspace.architecture import Architecture
from hyperlib.zoos.engines.compiled import _aligned, packed
from hyperlib.zoos.engines.kernels.answering import compare_answers
from hyperlib.zoos.engines.kernels.program import STEP, Program
from hyperlib.zoos.engines.kernels.tiles import PRODUCT, SUM
from hyperlib.zoos.engines.ready import ready


def compared(
    architecture: Architecture,
    rebuilt: Float[Tensor, "networks params"],
    originals: Float[Tensor, "networks params"],
    images: Float[Tensor, "images c h w"],
    reading: int,
) -> tuple[Float[Tensor, " networks"], Float[Tensor, "networks params"]]:
    """Mean divergence of each rebuilt network from its original, and the gradient by its weights, in float32.

    reading: a constant of `kernels.answering`. The architecture has layers that the compiled engine covers.
    """
    program = _program(architecture, len(images))
    pixels, _ = packed(images.detach().float(), torch.zeros(len(images), dtype=torch.int64))
    weights = [np.array(part.detach().numpy(), np.float32, order="C") for part in (originals, rebuilt)]
    losses, gradients = np.empty(len(rebuilt), np.float32), np.empty(tuple(rebuilt.shape), np.float32)
    ready(compare_answers, _nothing())(
        program.steps, program.pixels, (program.scores, program.d_scores, program.classes, program.groups), pixels,
        len(images), reading, *weights, _aligned(program.size), _records(), gradients, losses,
    )  # fmt: skip
    return torch.from_numpy(losses), torch.from_numpy(gradients)


@lru_cache(16)
def _program(architecture: Architecture, images: int) -> Program:
    return Program(architecture, images, drops=False)


def _records() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(1, SUM), np.zeros(1, PRODUCT)


def _nothing() -> tuple:
    none, weights = np.zeros(0, np.float32), np.zeros((0, 1), np.float32)
    program = (np.zeros(0, STEP), np.zeros(0, np.int64), (0, 0, 1, 1))
    return (*program, none, 0, 0, weights, weights, none, _records(), weights, none)
