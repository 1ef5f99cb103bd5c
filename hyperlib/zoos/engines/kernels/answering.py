"""How differently two networks answer the same images, and the gradient of that by the weights of one of them.

The networks run as in training, one pair after the other, each chunk of images first through the network that is to be
matched and then through the other one. Our choice.
"""

from __future__ import annotations

import math

import numpy as np

from hyperlib.zoos.engines.kernels.compiling import cached_kernel, kernel
from hyperlib.zoos.engines.kernels.functions import exponential
from hyperlib.zoos.engines.kernels.lanes import LANES, load, splat, store, total, where_greater

# the same passes as in training, which are not to change for the sake of this file: zoos are kept by their code
from hyperlib.zoos.engines.kernels.training import _backward, _forward, _gather

# ruff: noqa: ANN001, ANN201, ANN202 (compiled functions, their types are Numba's)

KL, SQUARES = range(2)
_ZERO, _ONE = np.float32(0), np.float32(1)


@kernel
def _answer(scores, classes, groups, values, kept, spare):
    """Leave class probabilities in `kept`, as `[classes, groups, lanes]`.

    `spare` gets, per group, the sum of p times (score - largest score), which is minus the entropy but for the
    logarithm of the sum of exponentials, and behind all of these the sums of exponentials.
    """
    for g in range(groups):
        most = load(values, scores + g)
        for c in range(1, classes):
            score = load(values, scores + c * groups + g)
            most = where_greater(score, most, score, most)
        sums, own = splat(_ZERO), splat(_ZERO)
        for c in range(classes):
            shifted = load(values, scores + c * groups + g) - most
            share = exponential(shifted)
            store(kept, c * groups + g, share)
            sums, own = sums + share, own + share * shifted
        for c in range(classes):
            store(kept, c * groups + g, load(kept, c * groups + g) / sums)
        store(spare, g, own / sums)
        store(spare, groups + g, sums)


@kernel
def _diverge(scores, d_scores, classes, groups, reading, values, wanted, spare, counts):
    """Sum of the divergences of a chunk's images; leaves its gradient by the scores.

    wanted: probabilities to match, `[classes, groups, lanes]`; spare: what `_answer` left of them, `[2 * groups]`, and
    room for two vectors. counts: `[groups, lanes]`, the weight of an image, 0 for an empty lane.
    """
    loss = 0.0
    for g in range(groups):
        count = load(counts, g)
        there = where_greater(count, splat(_ZERO), splat(_ONE), splat(_ZERO))
        most = load(values, scores + g)
        for c in range(1, classes):
            score = load(values, scores + c * groups + g)
            most = where_greater(score, most, score, most)
        sums, cross = splat(_ZERO), splat(_ZERO)
        for c in range(classes):
            shifted = load(values, scores + c * groups + g) - most
            share = exponential(shifted)
            store(values, d_scores + c * groups + g, share)
            sums, cross = sums + share, cross + load(wanted, c * groups + g) * shifted
        if reading == KL:
            store(spare, 2 * groups, where_greater(count, splat(_ZERO), sums, splat(_ONE)))
            store(spare, 2 * groups + 1, where_greater(count, splat(_ZERO), load(spare, groups + g), splat(_ONE)))
            over, under = 1.0, 1.0  # of at most 16 sums of exponentials: two logarithms for all of them
            for lane in range(LANES):
                over *= spare[2 * groups * LANES + lane]
                under *= spare[(2 * groups + 1) * LANES + lane]
            loss += math.log(over) - math.log(under) + total(there * (load(spare, g) - cross))
            for c in range(classes):
                share = load(values, d_scores + c * groups + g) / sums - load(wanted, c * groups + g)
                store(values, d_scores + c * groups + g, share * count)
        else:
            apart, mixed = splat(_ZERO), splat(_ZERO)
            for c in range(classes):
                share = load(values, d_scores + c * groups + g) / sums
                error = share - load(wanted, c * groups + g)
                apart, mixed = apart + error * error, mixed + error * share
            loss += total(there * apart) / 2
            for c in range(classes):
                share = load(values, d_scores + c * groups + g) / sums
                error = share - load(wanted, c * groups + g)
                store(values, d_scores + c * groups + g, share * (error - mixed) * count)
    return loss


@cached_kernel
def compare_answers(
    steps, pixels, layout, images, count, reading, originals, rebuilt, values, records, gradients, losses
):  # fmt: skip
    """Mean divergence of each rebuilt network from its original on the first `count` images, and its gradient.

    steps, pixels, layout, images, values and records as in `run_epoch`. originals, rebuilt, gradients
    `[models, params]` and losses `[models]`, of which the last two are filled.
    """
    scores, d_scores, classes, groups = layout
    job, work, chunk = records[0][0], records[1][0], groups * LANES
    labels, counts = np.zeros((groups + 1) * LANES, np.float32), np.zeros(groups * LANES, np.float32)
    wanted, spare = np.zeros(classes * groups * LANES, np.float32), np.zeros((2 * groups + 2) * LANES, np.float32)
    places, nothing = np.arange(count), np.zeros(count, np.float32)
    share, none = np.float32(1 / max(count, 1)), np.uint64(0)
    for model in range(len(rebuilt)):
        gradients[model] = 0
        loss = 0.0
        for start in range(0, count, chunk):
            there = min(chunk, count - start)
            _gather(images, nothing, places, start, there, pixels, groups, values, labels, counts, share)
            _forward(steps, values, originals[model], job, 0, none, 0.0, start)
            _answer(scores, classes, groups, values, wanted, spare)
            _forward(steps, values, rebuilt[model], job, 0, none, 0.0, start)
            loss += _diverge(scores, d_scores, classes, groups, reading, values, wanted, spare, counts)
            _backward(steps, values, rebuilt[model], gradients[model], job, work)
        losses[model] = loss / max(count, 1)
