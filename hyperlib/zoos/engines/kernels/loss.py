"""Cross-entropy of a group of images, its gradient, and the hits."""

from __future__ import annotations

import math

import numpy as np

from hyperlib.zoos.engines.kernels.compiling import kernel
from hyperlib.zoos.engines.kernels.functions import exponential
from hyperlib.zoos.engines.kernels.lanes import LANES, load, splat, store, total, where_equal, where_greater

# ruff: noqa: ANN001, ANN201, ANN202 (compiled functions, their types are Numba's)

_ZERO, _ONE = np.float32(0), np.float32(1)


@kernel
def cross_entropy(scores, gradient, classes, groups, values, labels, counts):
    """Sum of the losses and of the hits over a chunk's images; leaves the gradient of the loss.

    scores, gradient: where the classes' vectors begin in `values` (they may be one place). labels: `[groups, lanes]`,
    a class as a number. counts: `[groups, lanes]`, 1 / batch for an image, 0 for an empty lane.
    """
    loss, hits = 0.0, 0.0
    for g in range(groups):
        label, count = load(labels, g), load(counts, g)
        most, best, own = load(values, scores + g), splat(_ZERO), load(values, scores + g)
        for c in range(1, classes):
            number, score = splat(np.float32(c)), load(values, scores + c * groups + g)
            best = where_greater(score, most, number, best)
            most = where_greater(score, most, score, most)
            own = where_equal(label, number, score, own)
        sums = splat(_ZERO)
        for c in range(classes):
            share = exponential(load(values, scores + c * groups + g) - most)
            store(values, gradient + c * groups + g, share)
            sums = sums + share
        for c in range(classes):
            share = load(values, gradient + c * groups + g) / sums
            share = share - where_equal(label, splat(np.float32(c)), splat(_ONE), splat(_ZERO))
            store(values, gradient + c * groups + g, share * count)
        there = where_greater(count, splat(_ZERO), splat(_ONE), splat(_ZERO))
        store(labels, groups, where_greater(count, splat(_ZERO), sums, splat(_ONE)))
        product = 1.0  # of at most 16 numbers below the number of classes: one logarithm for all of them
        for lane in range(LANES):
            product *= labels[groups * LANES + lane]
        loss += math.log(product) + total(there * (most - own))
        hits += total(where_equal(label, best, there, splat(_ZERO)))
    return loss, hits
