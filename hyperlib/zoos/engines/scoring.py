"""What many networks answer to the same images, as fast as the processor allows.

`scores` gives what `zoos.evaluation.class_scores` gives, but for rounding: by compiled code on the CPU, where the
kernels cover the network, else by PyTorch. Our choice.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.weightspace.architecture import Architecture
from hyperlib.zoos.engines.choice import uncovered
from hyperlib.zoos.evaluation import class_scores

_LOG = logging.getLogger(__name__)
_PATIENCE = 2.0  # seconds; a kernel that is read from disk is ready long before
_PREPARING = threading.Lock()
_READY: list[Callable[..., None]] = []


def scores(
    architecture: Architecture, weights: Float[Tensor, "models params"], x: Float[Tensor, "images c h w"]
) -> Float[Tensor, "models images classes"]:
    """Class scores of every model on the same images, on the CPU, on as many cores as torch has threads.

    A model's scores do not depend on the others or on the number of cores. Raises ValueError for weights or images that
    are not those of the architecture.
    """
    architecture.layout.check(weights, architecture.name)
    fits = x.ndim == 4 and tuple(x.shape[1:]) == tuple(architecture.image)
    if not fits or uncovered(architecture) or not len(weights) or not len(x):
        return class_scores(architecture, weights, x)  # which refuses what does not fit
    from hyperlib.zoos.engines.compiled import packed  # takes a second, which only who needs it should wait for

    found = np.empty((len(weights), len(x), architecture.num_classes), np.float32)
    pixels, _ = packed(x.detach().cpu().float(), torch.zeros(len(x)))
    given = np.ascontiguousarray(weights.detach().cpu().float().numpy())
    rows, kernel = np.array_split(np.arange(len(weights)), torch.get_num_threads()), _ready()
    with ThreadPoolExecutor(len(rows)) as pool:
        list(pool.map(lambda some: _score(kernel, architecture, pixels, given[some], found, some, len(x)), rows))
    return torch.from_numpy(found)


def _score(
    kernel: Callable[..., None], architecture: Architecture, pixels: np.ndarray, weights: np.ndarray,
    found: np.ndarray, rows: np.ndarray, count: int,
) -> None:  # fmt: skip
    from hyperlib.zoos.engines.compiled import _aligned
    from hyperlib.zoos.engines.kernels.program import Program
    from hyperlib.zoos.engines.kernels.tiles import PRODUCT, SUM

    if len(rows):
        program = Program(architecture, count, drops=False)
        layout, records = (program.scores, program.d_scores, program.classes, program.groups), (SUM, PRODUCT)
        own, place = found[rows[0] : rows[-1] + 1], _aligned(program.size)
        records = tuple(np.zeros(1, kind) for kind in records)
        kernel(program.steps, program.pixels, layout, pixels, count, weights, place, records, own)


def _ready() -> Callable[..., None]:
    """The kernel: read from disk, or compiled now, which is said if it takes long; without a cache where that fails."""
    from hyperlib.zoos.engines.compiled import _say_compiling
    from hyperlib.zoos.engines.kernels.compiling import kernel
    from hyperlib.zoos.engines.kernels.scoring import score

    with _PREPARING:
        if not _READY:
            note = threading.Timer(_PATIENCE, _say_compiling)
            note.start()
            try:
                _call_with_nothing(score)
                _READY.append(score)
            except Exception as error:  # whatever a damaged cache raises; a fault of the kernel comes again below
                _LOG.warning("The cache of compiled kernels fails (%s); this process compiles its own.", error)
                _READY.append(kernel(score.py_func))
                _call_with_nothing(_READY[0])
            finally:
                note.cancel()
    return _READY[0]


def _call_with_nothing(kernel: Callable[..., None]) -> None:
    """Have it compiled for the types it will be called with: no steps, no images, no networks."""
    from hyperlib.zoos.engines.kernels.program import STEP
    from hyperlib.zoos.engines.kernels.tiles import PRODUCT, SUM

    none, records = np.zeros(0, np.float32), (np.zeros(1, SUM), np.zeros(1, PRODUCT))
    steps, layout = (np.zeros(0, STEP), np.zeros(0, np.int64)), (0, 0, 1, 1)
    kernel(*steps, layout, none, 0, np.zeros((0, 1), np.float32), none, records, np.zeros((0, 0, 1), np.float32))
