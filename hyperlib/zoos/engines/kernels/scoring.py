"""Class scores of many networks on the same images, nothing else. Our choice."""

from __future__ import annotations

import numpy as np

from hyperlib.zoos.engines.kernels.compiling import cached_kernel
from hyperlib.zoos.engines.kernels.lanes import LANES

# the same passes as in training, which are not to change for the sake of this file: zoos are kept by their code
from hyperlib.zoos.engines.kernels.training import _forward, _gather

# ruff: noqa: ANN001, ANN201 (compiled functions, their types are Numba's)


@cached_kernel
def score(steps, pixels, layout, images, count, weights, values, records, scores):
    """Fill `scores [models, images, classes]`; all else as in `run_epoch`."""
    place, _, classes, groups = layout
    job, chunk = records[0][0], groups * LANES
    labels, counts = np.zeros((groups + 1) * LANES, np.float32), np.zeros(groups * LANES, np.float32)
    places, nothing, none = np.arange(count), np.zeros(count, np.float32), np.uint64(0)
    for model in range(len(weights)):
        for start in range(0, count, chunk):
            there = min(chunk, count - start)
            _gather(images, nothing, places, start, there, pixels, groups, values, labels, counts, np.float32(1))
            _forward(steps, values, weights[model], job, 0, none, 0.0, start)
            for number in range(there):
                group, lane = number // LANES, number % LANES
                for label in range(classes):
                    scores[model, start + number, label] = values[(place + label * groups + group) * LANES + lane]
