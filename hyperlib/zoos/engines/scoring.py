"""What many networks answer to the same images, as fast as the processor allows.

`scores` gives what `zoos.evaluation.class_scores` gives, but for rounding: by compiled code on the CPU, where the
kernels cover the network, else by PyTorch. Our choice.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.weightspace.architecture import Architecture
from hyperlib.zoos.engines.choice import uncovered
from hyperlib.zoos.evaluation import class_scores


def scores(
    architecture: Architecture, weights: Float[Tensor, "models params"], x: Float[Tensor, "images c h w"]
) -> Float[Tensor, "models images classes"]:
    """Class scores of every model on the same images, on the CPU, on as many cores as torch has threads.

    A model's scores do not depend on the others or on the number of cores. Raises ValueError for weights or images that
    are not those of the architecture.
    """
    architecture.layout.check(weights, architecture.name)
    if weights.ndim != 2:
        raise ValueError(f"Scores are of models [models, params], not of weights {list(weights.shape)}.")
    fits = x.ndim == 4 and tuple(x.shape[1:]) == tuple(architecture.image)
    if not fits or uncovered(architecture) or not len(weights) or not len(x):
        return class_scores(architecture, weights, x)  # which refuses what does not fit
    from hyperlib.zoos.engines.compiled import packed  # takes a second, which only who needs it should wait for
    from hyperlib.zoos.engines.kernels.scoring import score
    from hyperlib.zoos.engines.ready import ready

    found = np.empty((len(weights), len(x), architecture.num_classes), np.float32)
    pixels, _ = packed(x.detach().cpu().float(), torch.zeros(len(x), dtype=torch.int64))
    given = np.ascontiguousarray(weights.detach().cpu().float().numpy())
    rows, kernel = np.array_split(np.arange(len(weights)), torch.get_num_threads()), ready(score, _nothing())
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


def _nothing() -> tuple:
    from hyperlib.zoos.engines.kernels.program import STEP
    from hyperlib.zoos.engines.kernels.tiles import PRODUCT, SUM

    none, records = np.zeros(0, np.float32), (np.zeros(1, SUM), np.zeros(1, PRODUCT))
    program = (np.zeros(0, STEP), np.zeros(0, np.int64), (0, 0, 1, 1))
    return (*program, none, 0, np.zeros((0, 1), np.float32), none, records, np.zeros((0, 0, 1), np.float32))
