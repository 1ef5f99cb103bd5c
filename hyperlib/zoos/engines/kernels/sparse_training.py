"""One epoch of networks that lose weights: with some held at zero, or with noise on all of them.

The noise is that of variational dropout (Molchanov, Ashukha and Vetrov 2017, arXiv:1701.05369), see `engines.sparse`.
"""

from __future__ import annotations

import math

import numpy as np

from hyperlib.zoos.engines.kernels.compiling import cached_kernel, kernel
from hyperlib.zoos.engines.kernels.lanes import LANES
from hyperlib.zoos.engines.kernels.loss import cross_entropy
from hyperlib.zoos.engines.kernels.noise import join_back, shake, shake_back, square, square_back
from hyperlib.zoos.engines.kernels.optimisers import KINDS, step_down
from hyperlib.zoos.engines.kernels.program import CONV, LINEAR
from hyperlib.zoos.engines.kernels.random import derived, shuffle

# the same passes as in training, which are not to change for the sake of this file: zoos are kept by their code
from hyperlib.zoos.engines.kernels.training import _backward, _forward, _gather

# ruff: noqa: ANN001, ANN201, ANN202 (compiled functions, their types are Numba's)

K1, K2, K3 = 0.63576, 1.87320, 1.48695  # of the divergence's approximation, from the paper
LEAST = 1e-8  # added to the size of a weight before its logarithm
_ADAM = KINDS["adam"]
_K13, _K2, _K3, _LEAST = np.float32(K1 * K3), np.float32(K2), np.float32(K3), np.float32(LEAST)
_HALF, _ONE, _TWO = np.float32(0.5), np.float32(1), np.float32(2)


@kernel
def _up(steps, values, weights, job, learning, key, rate, first):
    _forward(steps, values, weights, job, learning, key, rate, first)


@kernel
def _down(steps, values, weights, gradient, job, work):
    _backward(steps, values, weights, gradient, job, work)


@kernel
def _noisy_up(steps, twins, values, weights, variances, job, key, first, table, drawn):
    for n in range(len(steps)):
        noisy = steps[n].layer == CONV or steps[n].layer == LINEAR
        if noisy:
            square(steps[n], twins[n], values)
        _up(steps[n : n + 1], values, weights, job, 0, key, 0.0, first)
        if noisy:
            _up(twins[n : n + 1], values, variances, job, 0, key, 0.0, first)
            shake(steps[n], twins[n], values, key, first, table, drawn)


@kernel
def _noisy_down(steps, twins, values, weights, variances, gradient, d_variances, job, work):
    for n in range(len(steps) - 1, -1, -1):
        noisy = steps[n].learns and (steps[n].layer == CONV or steps[n].layer == LINEAR)
        if noisy:
            shake_back(steps[n], twins[n], values)
            _down(twins[n : n + 1], values, variances, d_variances, job, work)
            if steps[n].passes:
                square_back(steps[n], twins[n], values)
        _down(steps[n : n + 1], values, weights, gradient, job, work)
        if noisy and steps[n].passes:
            join_back(steps[n], twins[n], values)


@kernel
def _add_divergence(weights, log_variances, noisy, gradient, d_variances, scale):
    """Gradients by weights and by log variances: of the loss, whose variances' gradient is given, and the divergence.

    Without noise on a weight its log variance gets no gradient.
    """
    share = np.float32(scale)
    for n in range(len(weights)):
        if not noisy[n]:
            d_variances[n] = 0
            continue
        size = np.float32(abs(weights[n])) + _LEAST
        log_alpha = log_variances[n] - _TWO * np.float32(math.log(size))
        up = _ONE / (_ONE + np.float32(math.exp(-(_K2 + _K3 * log_alpha))))
        slope = _K13 * up * (_ONE - up) + _HALF / (_ONE + np.float32(math.exp(log_alpha)))  # of minus the divergence
        d_variances[n] = d_variances[n] * np.float32(math.exp(log_variances[n])) - share * slope
        if weights[n] != 0:
            gradient[n] += share * slope * _TWO / (size if weights[n] > 0 else -size)


@cached_kernel
def run_sparse_epoch(
    steps, twins, pixels, layout, images, classes, count, batch_size, optimizer, settings, keys, done,
    weights, first, second, kept, spread, noisy, table, values, records, results,
):  # fmt: skip
    """Train every model for one epoch: with weights held at zero, or with noise where there are `twins`.

    As `training.run_epoch`, whose arguments they are, but: settings `[models, 5]` have the rate of the log variances
    and the divergence's weight behind the others; keys `[models, 2]` are of the order and of dropout or noise.
    kept `[models, params]` is 0 where a weight does not move. spread `[3, models, params]`: log variances and their
    optimiser's means; noisy `[params]`: which weights have noise; table: the noise's values.
    """
    scores, d_scores, num_classes, groups = layout
    job, work, shaken = records[0][0], records[1][0], len(twins) > 0
    gradient, d_variances = np.zeros(weights.shape[1], np.float32), np.zeros(weights.shape[1], np.float32)
    variances = np.zeros(weights.shape[1], np.float32)
    labels, counts = np.zeros((groups + 1) * LANES, np.float32), np.zeros(groups * LANES, np.float32)
    places, draws, chunk = np.arange(count), np.zeros(count, np.uint64), groups * LANES
    ends = np.zeros(2 ** int(np.ceil(np.log2(count + 1))), np.int64)
    widest = 0
    for n in range(len(steps)):
        widest = max(widest, steps[n].out_width)
    drawn = np.zeros(widest * groups * LANES, np.float32)
    for model in range(len(weights)):
        number, loss, hits = done, 0.0, 0.0
        own, deviations = weights[model], spread[0, model] if shaken else variances
        shuffle(keys[model, 0], places, draws, ends)
        for batch in range(0, count, batch_size):
            size = min(batch_size, count - batch)
            key = derived(keys[model, 1], batch // batch_size)
            gradient[:] = 0
            d_variances[:] = 0
            if shaken:
                for n in range(len(own)):
                    variances[n] = np.float32(math.exp(deviations[n]))
            for start in range(0, size, chunk):
                there, share = min(chunk, size - start), np.float32(1 / size)
                _gather(images, classes, places, batch + start, there, pixels, groups, values, labels, counts, share)
                if shaken:
                    _noisy_up(steps, twins, values, own, variances, job, key, start, table, drawn)
                else:
                    _up(steps, values, own, job, 1, key, settings[model, 2], start)
                sums = cross_entropy(scores, d_scores, num_classes, groups, values, labels, counts)
                loss, hits = loss + sums[0], hits + sums[1]
                if shaken:
                    _noisy_down(steps, twins, values, own, variances, gradient, d_variances, job, work)
                else:
                    _down(steps, values, own, gradient, job, work)
            number += 1
            if shaken:
                _add_divergence(own, deviations, noisy, gradient, d_variances, settings[model, 4])
                step_down(
                    _ADAM, deviations, d_variances, spread[1, model], spread[2, model], settings[model, 3], 0.0, number
                )
            for n in range(len(own)):
                gradient[n] *= kept[model, n]
            step_down(
                optimizer, own, gradient, first[model], second[model], settings[model, 0], settings[model, 1], number
            )
        results[model, 0], results[model, 1] = loss, hits
