"""One epoch of many models in one launch: a block of threads has a model, and goes through its mini-batches.

Forward, backward and the optimiser's step follow each other inside; threads wait for each other between layers.
"""

from __future__ import annotations

import math

import numpy as np
from numba import config, cuda

from hyperlib.zoos.engines.cuda import layers
from hyperlib.zoos.engines.cuda.arithmetic import derived
from hyperlib.zoos.engines.cuda.layers import LAYER, LEARNS, PASSES
from hyperlib.zoos.engines.cuda.plan import ADD, AVERAGE, BEND, CONV, DROP, POOL
from hyperlib.zoos.engines.kernels.optimisers import KINDS
from hyperlib.zoos.engines.trainer import ADAM_DECAYS, ADAM_EPSILON, MOMENTUM, RMSPROP_DECAY, RMSPROP_EPSILON

# ruff: noqa: ANN001, ANN201, ANN202 (compiled functions, their types are Numba's)

_REGISTERS = {} if config.ENABLE_CUDASIM else {"max_registers": 128}  # so that a multiprocessor holds two blocks
SHARED = 10_240  # weights that fit beside all else into the memory that a block shares
_SGD, _ADAM = KINDS["sgd"], KINDS["adam"]
_ZERO, _ONE, _KEPT = np.float32(0), np.float32(1), np.float32(MOMENTUM)
_FIRST, _NEW_FIRST = np.float32(ADAM_DECAYS[0]), np.float32(1 - ADAM_DECAYS[0])
_SECOND, _NEW_SECOND = np.float32(ADAM_DECAYS[1]), np.float32(1 - ADAM_DECAYS[1])
_ADAM_END, _RMSPROP_END = np.float32(ADAM_EPSILON), np.float32(RMSPROP_EPSILON)
_OLD_SQUARE, _NEW_SQUARE = np.float32(RMSPROP_DECAY), np.float32(1 - RMSPROP_DECAY)


@cuda.jit(device=True)
def _forward(rows, values, weights, learning, key, rate, first, count, chunk, thread, threads):
    for number in range(len(rows)):
        row = rows[number]
        layer = row[LAYER]
        if layer == CONV:
            layers.convolve(row, values, weights, count, chunk, thread, threads)
        elif layer == POOL:
            layers.pool(row, values, count, chunk, thread, threads)
        elif layer == AVERAGE:
            layers.average(row, values, count, chunk, thread, threads)
        elif layer == BEND:
            layers.bend(row, values, count, chunk, thread, threads)
        elif layer == ADD:
            layers.add(row, values, count, chunk, thread, threads)
        else:
            layers.drop(row, values, key, rate if learning else 0.0, first, False, count, chunk, thread, threads)
        cuda.syncthreads()


@cuda.jit(device=True)
def _backward(rows, values, weights, gradient, scratch, key, rate, first, count, chunk, thread, threads):
    for number in range(len(rows) - 1, -1, -1):
        row = rows[number]
        layer = row[LAYER]
        if row[LEARNS]:
            if layer == CONV:
                layers.weigh(row, values, gradient, scratch, count, chunk, thread, threads)
                if row[PASSES]:
                    layers.convolve_back(row, values, weights, count, chunk, thread, threads)
            elif layer == ADD:
                layers.add_back(row, values, count, chunk, thread, threads)
            elif row[PASSES]:
                if layer == POOL:
                    layers.pool_back(row, values, count, chunk, thread, threads)
                elif layer == AVERAGE:
                    layers.average_back(row, values, count, chunk, thread, threads)
                elif layer == BEND:
                    layers.bend_back(row, values, count, chunk, thread, threads)
                elif layer == DROP:
                    layers.drop(row, values, key, rate, first, True, count, chunk, thread, threads)
        cuda.syncthreads()


@cuda.jit(device=True)
def _cross_entropy(values, scores, d_scores, classes, labels, sums, size, count, chunk, thread, threads):
    """Adds each image's loss and hit to its own place in `sums`, and leaves the gradient of the batch's mean loss."""
    for image in range(thread, count, threads):
        start, d_start = scores * chunk + image * classes, d_scores * chunk + image * classes
        most, best, label = values[start], 0, labels[image]
        for c in range(1, classes):
            if values[start + c] > most:
                most, best = values[start + c], c
        total, own = _ZERO, values[start + label]
        for c in range(classes):
            total += math.exp(values[start + c] - most)
        sums[image, 0] += math.log(total) + most - own
        sums[image, 1] += _ONE if best == label else _ZERO
        for c in range(classes):
            share = math.exp(values[start + c] - most) / total
            values[d_start + c] = (share - (_ONE if c == label else _ZERO)) / np.float32(size)
    cuda.syncthreads()


@cuda.jit(device=True)
def _step_down(kind, weights, gradient, first, second, rate, decay, pace, width, thread, threads):
    """One step as `torch.optim` defines it; pace and width are Adam's corrections for this step."""
    for n in range(thread, len(weights), threads):
        slope = gradient[n] + decay * weights[n]
        gradient[n] = _ZERO
        if kind == _SGD:
            first[n] = _KEPT * first[n] + slope
            weights[n] -= rate * first[n]
        elif kind == _ADAM:
            first[n] += _NEW_FIRST * (slope - first[n])
            second[n] = _SECOND * second[n] + _NEW_SECOND * slope * slope
            weights[n] -= rate * pace * first[n] / (math.sqrt(second[n]) * width + _ADAM_END)
        else:
            second[n] = _OLD_SQUARE * second[n] + _NEW_SQUARE * slope * slope
            weights[n] -= rate * slope / (math.sqrt(second[n]) + _RMSPROP_END)
    cuda.syncthreads()


@cuda.jit(device=True)
def _epoch(
    rows, layout, images, classes, order, begin, end, batch_size, learning, optimizer, settings, key, corrections,
    weights, first, second, gradient, values, scratch, labels, sums, thread, threads,
):  # fmt: skip
    """Images number `begin` to `end` of the order, in mini-batches and their chunks."""
    scores, d_scores, num_classes, pixels, chunk = layout[0], layout[1], layout[2], layout[3], layout[4]
    for start in range(begin, end, batch_size):
        size = min(batch_size, end - start)
        own = derived(key, start // batch_size)
        for part in range(0, size, chunk):
            count = min(chunk, size - part)
            for item in range(thread, count * pixels, threads):
                values[item] = images[order[start + part + item // pixels] * pixels + item % pixels]
            for image in range(thread, count, threads):
                labels[image] = classes[order[start + part + image]]
            cuda.syncthreads()
            _forward(rows, values, weights, learning, own, settings[2], part, count, chunk, thread, threads)
            _cross_entropy(
                values, scores, d_scores, num_classes, labels, sums, size, count, chunk, thread, threads
            )
            if learning:
                _backward(
                    rows, values, weights, gradient, scratch, own, settings[2], part, count, chunk, thread, threads
                )
        if learning:
            step = start // batch_size
            rate, decay = np.float32(settings[0]), np.float32(settings[1])
            pace, width = np.float32(corrections[step, 0]), np.float32(corrections[step, 1])
            _step_down(optimizer, weights, gradient, first, second, rate, decay, pace, width, thread, threads)


@cuda.jit(**_REGISTERS)
def run(
    rows, layout, images, classes, orders, count, batch_size, learning, optimizer, settings, keys, corrections,
    weights, first, second, gradient, values, scratch, labels, sums, shares, in_shared,
):  # fmt: skip
    """Train every model for one epoch, or (`learning` 0) only evaluate it, each on its own block of threads.

    rows: of a `Plan`; layout: its scores, d_scores, classes, pixels and chunk. images `[images * pixels]`, float32;
    classes `[images]`, int64. orders `[models or 1, count]`: which image comes when. settings `[models, 3]`: learning
    rate, weight decay and dropout rate. keys `[models]`: of the epoch's dropout. corrections `[steps, 2]`: of
    Adam. weights, first, second, gradient `[models, params]` change in place. values, scratch, labels and sums are room
    for each block; sums `[blocks, chunk, 2]`, zeros before, get losses and hits. shares: blocks of a model that is only
    evaluated, each with its share of the images.
    """
    model, share = cuda.blockIdx.x // shares, cuda.blockIdx.x % shares
    thread, threads, block = cuda.threadIdx.x, cuda.blockDim.x, cuda.blockIdx.x
    near = cuda.shared.array(SHARED, np.float32)
    begin, end = count * share // shares, count * (share + 1) // shares
    order = orders[model % len(orders)]
    dropout, set_to = np.uint64(keys[model]), settings[model]
    if in_shared:
        own = near[: weights.shape[1]]
        for n in range(thread, weights.shape[1], threads):
            own[n] = weights[model, n]
        cuda.syncthreads()
        _epoch(
            rows, layout, images, classes, order, begin, end, batch_size, learning, optimizer, set_to, dropout,
            corrections, own, first[model], second[model], gradient[model], values[block], scratch[block],
            labels[block], sums[block], thread, threads,
        )  # fmt: skip
        if learning:
            for n in range(thread, weights.shape[1], threads):
                weights[model, n] = own[n]
    else:
        _epoch(
            rows, layout, images, classes, order, begin, end, batch_size, learning, optimizer, set_to, dropout,
            corrections, weights[model], first[model], second[model], gradient[model], values[block], scratch[block],
            labels[block], sums[block], thread, threads,
        )  # fmt: skip
