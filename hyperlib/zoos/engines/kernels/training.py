"""One epoch of many models, one after the other: the function that Python calls, and all that it needs inside.

A model's mini-batch goes through the network in chunks of `groups * LANES` images; the gradient is their sum, and the
optimiser steps once per mini-batch. Nothing here depends on another model, on a thread or on the time, so a model's
weights are the same to the bit whatever trains beside it.
"""

from __future__ import annotations

import numpy as np

from hyperlib.zoos.engines.kernels.compiling import cached_kernel, inlined, kernel
from hyperlib.zoos.engines.kernels.dropping import drop, drop_back
from hyperlib.zoos.engines.kernels.lanes import LANES, get, load_from, put, registers, store, turn
from hyperlib.zoos.engines.kernels.layers import (
    add,
    add_back,
    bend,
    bend_back,
    connect,
    connect_back,
    convolve,
    convolve_back,
    pass_on,
    pass_on_back,
)
from hyperlib.zoos.engines.kernels.loss import cross_entropy
from hyperlib.zoos.engines.kernels.optimisers import step_down
from hyperlib.zoos.engines.kernels.pooling import average, average_back, pool, pool_back
from hyperlib.zoos.engines.kernels.program import ADD, AVERAGE, BEND, CONV, DROP, LINEAR, POOL
from hyperlib.zoos.engines.kernels.random import derived, shuffle

# ruff: noqa: ANN001, ANN201, ANN202 (compiled functions, their types are Numba's)

_image_lanes = registers(LANES)


@inlined
def _forward(steps, values, weights, job, learning, key, rate, first):
    for number in range(len(steps)):
        step = steps[number]
        layer = step.layer
        if layer == CONV:
            convolve(step, values, weights, job)
        elif layer == LINEAR:
            connect(step, values, weights, job)
        elif layer == POOL:
            pool(step, values)
        elif layer == AVERAGE:
            average(step, values)
        elif layer == BEND:
            bend(step, values)
        elif layer == ADD:
            add(step, values)
        elif layer == DROP and learning:
            drop(step, values, key, rate, first)
        else:  # flattening, and dropout where nothing is learned
            pass_on(step, values)


@inlined
def _backward(steps, values, weights, gradient, job, work):
    for number in range(len(steps) - 1, -1, -1):
        step = steps[number]
        if not step.learns:
            continue
        layer = step.layer
        if layer == CONV:
            convolve_back(step, values, weights, gradient, job, work)
        elif layer == LINEAR:
            connect_back(step, values, weights, gradient, job, work)
        elif layer == ADD:
            add_back(step, values)
        elif not step.passes:
            continue
        elif layer == POOL:
            pool_back(step, values)
        elif layer == AVERAGE:
            average_back(step, values)
        elif layer == BEND:
            bend_back(step, values)
        elif layer == DROP:
            drop_back(step, values)
        else:
            pass_on_back(step, values)


@kernel
def _gather(images, own, places, first, count, pixels, groups, values, labels, counts, share):
    """Put `count` images, from number `first` of `places` on, into their lanes; empty lanes repeat the first."""
    held = _image_lanes()
    for g in range(groups):
        for lane in range(LANES):
            number = g * LANES + lane
            there = number < count
            labels[number] = own[places[first + number if there else first]]
            counts[number] = share if there else np.float32(0)
        for block in range(len(pixels) // LANES):
            for lane in range(LANES):
                number = g * LANES + lane
                image = places[first + number if number < count else first]
                put(held, lane, load_from(images, image * len(pixels) + block * LANES))
            turn(held)
            for n in range(LANES):
                store(values, pixels[block * LANES + n] + g, get(held, n))


@cached_kernel
def run_epoch(
    steps, pixels, layout, images, classes, count, batch_size, learning, optimizer, settings, keys, done,
    weights, first, second, values, records, results,
):  # fmt: skip
    """Train every model for one epoch, or (`learning` 0) only evaluate it.

    steps, pixels: of a `Program`; layout: its (scores, d_scores, classes, groups). images `[images * pixels]` and
    classes `[images]`, float32, of which the first `count` are used. settings `[models, 3]`: learning rate, weight
    decay and dropout rate. keys `[models, 2]`, uint64: of the epoch's order and of its dropout. done: optimiser steps
    so far. weights, first, second `[models, params]` change in place; values is the workspace, zeros at first.
    records: one `SUM` and one `PRODUCT`, in arrays that outlive the call (a record does not keep its array alive).
    results `[models, 2]` get the sums of losses and hits, measured on each batch before its step.
    """
    scores, d_scores, num_classes, groups = layout
    job, work = records[0][0], records[1][0]
    gradient = np.zeros(weights.shape[1], np.float32)
    labels, counts = np.zeros((groups + 1) * LANES, np.float32), np.zeros(groups * LANES, np.float32)
    places, draws, chunk = np.arange(count), np.zeros(count, np.uint64), groups * LANES
    ends = np.zeros(2 ** int(np.ceil(np.log2(count + 1))), np.int64)
    for model in range(len(weights)):
        number, loss, hits = done, 0.0, 0.0
        if learning:
            shuffle(keys[model, 0], places, draws, ends)
        for batch in range(0, count, batch_size):
            size = min(batch_size, count - batch)
            key = derived(keys[model, 1], batch // batch_size)
            gradient[:] = 0
            for start in range(0, size, chunk):
                there, share = min(chunk, size - start), np.float32(1 / size)
                _gather(images, classes, places, batch + start, there, pixels, groups, values, labels, counts, share)
                _forward(steps, values, weights[model], job, learning, key, settings[model, 2], start)
                sums = cross_entropy(scores, d_scores, num_classes, groups, values, labels, counts)
                loss, hits = loss + sums[0], hits + sums[1]
                if learning:
                    _backward(steps, values, weights[model], gradient, job, work)
            if learning:
                number += 1
                step_down(
                    optimizer, weights[model], gradient, first[model], second[model],
                    settings[model, 0], settings[model, 1], number,
                )  # fmt: skip
        results[model, 0], results[model, 1] = loss, hits
