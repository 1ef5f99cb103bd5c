"""How differently pairs of networks answer the same images, by compiled code on one core of the CPU."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.weightspace.architecture import Architecture
from hyperlib.zoos.engines.compiled import _aligned, _say_compiling, packed
from hyperlib.zoos.engines.kernels.answering import compare_answers
from hyperlib.zoos.engines.kernels.compiling import kernel
from hyperlib.zoos.engines.kernels.program import STEP, Program
from hyperlib.zoos.engines.kernels.tiles import PRODUCT, SUM

_LOG = logging.getLogger(__name__)
_PATIENCE = 2.0  # seconds; a kernel that is read from disk is ready long before
_PREPARING = threading.Lock()
_READY: list[Callable[..., None]] = []


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
    pixels, _ = packed(images.detach().float(), torch.zeros(len(images)))
    weights = [np.array(part.detach().numpy(), np.float32, order="C") for part in (originals, rebuilt)]
    losses, gradients = np.empty(len(rebuilt), np.float32), np.empty(tuple(rebuilt.shape), np.float32)
    _ready()(
        program.steps, program.pixels, (program.scores, program.d_scores, program.classes, program.groups), pixels,
        len(images), reading, *weights, _aligned(program.size), _records(), gradients, losses,
    )  # fmt: skip
    return torch.from_numpy(losses), torch.from_numpy(gradients)


@lru_cache(16)
def _program(architecture: Architecture, images: int) -> Program:
    return Program(architecture, images, drops=False)


def _records() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(1, SUM), np.zeros(1, PRODUCT)


def _ready() -> Callable[..., None]:
    """The kernel: read from disk, or compiled now, which is said if it takes long; without a cache where that fails."""
    with _PREPARING:
        if not _READY:
            note = threading.Timer(_PATIENCE, _say_compiling)
            note.start()
            try:
                _call_with_nothing(compare_answers)
                _READY.append(compare_answers)
            except Exception as error:  # whatever a damaged cache raises; a fault of the kernel comes again below
                _LOG.warning("The cache of compiled kernels fails (%s); this process compiles its own.", error)
                _READY.append(kernel(compare_answers.py_func))
                _call_with_nothing(_READY[0])
            finally:
                note.cancel()
    return _READY[0]


def _call_with_nothing(compiled_kernel: Callable[..., None]) -> None:
    """Have it compiled for the types it will be called with: no steps, no images, no networks."""
    none, weights = np.zeros(0, np.float32), np.zeros((0, 1), np.float32)
    layout = (0, 0, 1, 1)
    compiled_kernel(
        *(np.zeros(0, STEP), np.zeros(0, np.int64), layout, none, 0, 0),
        *(weights, weights, none, _records(), weights, none),
    )
