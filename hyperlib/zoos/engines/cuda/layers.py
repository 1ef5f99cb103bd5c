"""Layers of one model for a chunk of images, forward and backward, shared out over the threads of a block.

`row` is a layer's row of a `Plan`, `values` the model's workspace, `count` the images that are there and `chunk` those
that there is room for. Number n of image i of a value that begins at s stands at `s * chunk + i * size + n`. Every
number is written by one thread, which sums in a fixed order; so a result depends on nothing but its own model.
"""

from __future__ import annotations

import numpy as np
from numba import cuda, float32, int64

from hyperlib.zoos.engines.cuda.arithmetic import activated, derived, slope, unit
from hyperlib.zoos.engines.cuda.plan import FIELDS, MOST_SIDE, NO_BIAS

# ruff: noqa: ANN001, ANN201, ANN202 (compiled functions, their types are Numba's)

(
    LAYER, KIND, PLACE, LEARNS, PASSES, ADDS, OTHER_PASSES, OTHER_ADDS, SOURCE, D_SOURCE, TARGET, D_TARGET, OTHER,
    D_OTHER, WINNER, CHANNELS, HEIGHT, WIDTH, OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH, WEIGHT, BIAS, KERNEL, STRIDE,
    PADDING,
) = range(len(FIELDS))  # fmt: skip
TILE = 8  # channels that a thread sums at once, in registers
_ZERO = np.float32(0)


@cuda.jit(device=True)
def _size(row):
    return row[CHANNELS] * row[HEIGHT] * row[WIDTH]


@cuda.jit(device=True)
def _out_size(row):
    return row[OUT_CHANNELS] * row[OUT_HEIGHT] * row[OUT_WIDTH]


@cuda.jit(device=True)
def _give(values, place, gradient, adds):
    """Leave a gradient where none is yet, or add it."""
    values[place] = values[place] + gradient if adds else gradient


@cuda.jit(device=True)
def convolve(row, values, weights, count, chunk, thread, threads):
    """Forward: a thread has one place of one image, and up to `TILE` output channels."""
    channels, height, width, side = row[CHANNELS], row[HEIGHT], row[WIDTH], row[KERNEL]
    out_channels, places = row[OUT_CHANNELS], row[OUT_HEIGHT] * row[OUT_WIDTH]
    square, tiles = side * side, (out_channels + TILE - 1) // TILE
    sums, apart = cuda.local.array(TILE, float32), cuda.local.array(TILE, int64)
    for item in range(thread, count * tiles * places, threads):
        place, rest = item % places, item // places
        image, first = rest % count, rest // count * TILE
        top = place // row[OUT_WIDTH] * row[STRIDE] - row[PADDING]
        left = place % row[OUT_WIDTH] * row[STRIDE] - row[PADDING]
        there = min(TILE, out_channels - first)
        for n in range(TILE):  # a sum beyond the last channel is one that is thrown away
            apart[n] = min(n, there - 1) * channels * square
            sums[n] = weights[row[BIAS] + first + n] if n < there and row[BIAS] != NO_BIAS else _ZERO
        for channel in range(channels):
            source = row[SOURCE] * chunk + image * _size(row) + channel * height * width
            weight = row[WEIGHT] + (first * channels + channel) * square
            for a in range(side):
                if 0 <= top + a < height:
                    for b in range(side):
                        if 0 <= left + b < width:
                            value = values[source + (top + a) * width + left + b]
                            for n in range(TILE):
                                sums[n] += value * weights[weight + apart[n] + a * side + b]
        target = row[TARGET] * chunk + image * _out_size(row) + first * places + place
        for n in range(TILE):
            if n < there:
                values[target + n * places] = sums[n]


@cuda.jit(device=True)
def weigh(row, values, gradient, scratch, count, chunk, thread, threads):
    """Gradients of a convolution's weights and bias, added to `gradient`.

    A task is a row of a kernel (one output channel, one input channel); its share of images and of output rows goes to
    as many threads as there are, whose sums lie in `scratch` and are added in their order.
    """
    channels, height, width, side = row[CHANNELS], row[HEIGHT], row[WIDTH], row[KERNEL]
    rows, columns = row[OUT_HEIGHT], row[OUT_WIDTH]
    tasks = row[OUT_CHANNELS] * channels * side
    shares = max(1, min(threads // tasks, count * rows))
    sums = cuda.local.array(MOST_SIDE, float32)
    for first in range(0, tasks, threads):
        now = min(tasks - first, threads)
        if thread < now * shares:
            task, share = first + thread % now, thread // now
            a, channel, out = task % side, task // side % channels, task // (side * channels)
            bias = _ZERO
            for n in range(MOST_SIDE):
                sums[n] = _ZERO
            for line in range(share, count * rows, shares):
                image, y = line // rows, line % rows * row[STRIDE] + a - row[PADDING]
                d_target = row[D_TARGET] * chunk + image * _out_size(row) + (out * rows + line % rows) * columns
                source = row[SOURCE] * chunk + image * _size(row) + (channel * height + y) * width
                inside = 0 <= y < height
                for x in range(columns):
                    given = values[d_target + x]
                    bias += given
                    left = x * row[STRIDE] - row[PADDING]
                    for b in range(MOST_SIDE):
                        if inside and b < side and 0 <= left + b < width:
                            sums[b] += given * values[source + left + b]
            for n in range(MOST_SIDE):
                scratch[(n * shares + share) * now + task - first] = sums[n]
            scratch[(MOST_SIDE * shares + share) * now + task - first] = bias
        cuda.syncthreads()
        for n in range(thread, now * (side + 1), threads):
            task, b = first + n % now, n // now
            a, channel, out = task % side, task // side % channels, task // (side * channels)
            kept = MOST_SIDE if b == side else b
            total = _ZERO
            for share in range(shares):
                total += scratch[(kept * shares + share) * now + n % now]
            if b < side:
                gradient[row[WEIGHT] + ((out * channels + channel) * side + a) * side + b] += total
            elif row[BIAS] != NO_BIAS and a == 0 and channel == 0:
                gradient[row[BIAS] + out] += total
        cuda.syncthreads()


@cuda.jit(device=True)
def convolve_back(row, values, weights, count, chunk, thread, threads):
    """Gradient of a convolution's inputs: a thread has one place of one image, and up to `TILE` input channels."""
    channels, height, width, side = row[CHANNELS], row[HEIGHT], row[WIDTH], row[KERNEL]
    places, stride, square = height * width, row[STRIDE], side * side
    tiles = (channels + TILE - 1) // TILE
    sums, apart = cuda.local.array(TILE, float32), cuda.local.array(TILE, int64)
    for item in range(thread, count * tiles * places, threads):
        place, rest = item % places, item // places
        image, first = rest % count, rest // count * TILE
        there = min(TILE, channels - first)
        for n in range(TILE):
            apart[n], sums[n] = min(n, there - 1) * square, _ZERO
        for a in range(side):
            y = place // width + row[PADDING] - a
            if y >= 0 and y % stride == 0 and y // stride < row[OUT_HEIGHT]:
                for b in range(side):
                    x = place % width + row[PADDING] - b
                    if x >= 0 and x % stride == 0 and x // stride < row[OUT_WIDTH]:
                        d_target = row[D_TARGET] * chunk + image * _out_size(row)
                        d_target += y // stride * row[OUT_WIDTH] + x // stride
                        for out in range(row[OUT_CHANNELS]):
                            given = values[d_target + out * row[OUT_HEIGHT] * row[OUT_WIDTH]]
                            weight = row[WEIGHT] + (out * channels + first) * square + a * side + b
                            for n in range(TILE):
                                sums[n] += given * weights[weight + apart[n]]
        d_source = row[D_SOURCE] * chunk + image * _size(row) + first * places + place
        for n in range(TILE):
            if n < there:
                _give(values, d_source + n * places, sums[n], row[ADDS])


@cuda.jit(device=True)
def pool(row, values, count, chunk, thread, threads):
    """Forward of a maximum over windows; the number of the first largest value is kept for the way back."""
    size, places = _out_size(row), row[OUT_HEIGHT] * row[OUT_WIDTH]
    for item in range(thread, count * size, threads):
        image, number = item // size, item % size
        channel, place = number // places, number % places
        top, left = place // row[OUT_WIDTH] * row[STRIDE], place % row[OUT_WIDTH] * row[STRIDE]
        source = row[SOURCE] * chunk + image * _size(row) + channel * row[HEIGHT] * row[WIDTH]
        winner = top * row[WIDTH] + left
        most = values[source + winner]
        for a in range(row[KERNEL]):
            for b in range(row[KERNEL]):
                at = (top + a) * row[WIDTH] + left + b
                value = values[source + at]
                if value > most or (value != value and most == most):  # as PyTorch, what is no number wins
                    most, winner = value, at
        values[row[TARGET] * chunk + item] = most
        values[row[WINNER] * chunk + item] = np.float32(winner)


@cuda.jit(device=True)
def pool_back(row, values, count, chunk, thread, threads):
    """Every place gathers the gradients of the windows in which it won."""
    size, places = _size(row), row[HEIGHT] * row[WIDTH]
    for item in range(thread, count * size, threads):
        image, number = item // size, item % size
        channel, place = number // places, number % places
        y, x = place // row[WIDTH], place % row[WIDTH]
        start = image * _out_size(row) + channel * row[OUT_HEIGHT] * row[OUT_WIDTH]
        total = _ZERO
        first = max(0, (y - row[KERNEL]) // row[STRIDE] + 1)
        for a in range(first, min(row[OUT_HEIGHT], y // row[STRIDE] + 1)):
            begin = max(0, (x - row[KERNEL]) // row[STRIDE] + 1)
            for b in range(begin, min(row[OUT_WIDTH], x // row[STRIDE] + 1)):
                at = start + a * row[OUT_WIDTH] + b
                if values[row[WINNER] * chunk + at] == np.float32(place):
                    total += values[row[D_TARGET] * chunk + at]
        _give(values, row[D_SOURCE] * chunk + item, total, row[ADDS])


@cuda.jit(device=True)
def average(row, values, count, chunk, thread, threads):
    """Forward of the mean over all places of a channel."""
    places = row[HEIGHT] * row[WIDTH]
    for item in range(thread, count * row[CHANNELS], threads):
        total = _ZERO
        for place in range(places):
            total += values[row[SOURCE] * chunk + item * places + place]
        values[row[TARGET] * chunk + item] = total / np.float32(places)


@cuda.jit(device=True)
def average_back(row, values, count, chunk, thread, threads):
    """Every place gets its share of the gradient."""
    places = row[HEIGHT] * row[WIDTH]
    for item in range(thread, count * row[CHANNELS] * places, threads):
        share = values[row[D_TARGET] * chunk + item // places] / np.float32(places)
        _give(values, row[D_SOURCE] * chunk + item, share, row[ADDS])


@cuda.jit(device=True)
def bend(row, values, count, chunk, thread, threads):
    """Forward of an activation."""
    for item in range(thread, count * _size(row), threads):
        values[row[TARGET] * chunk + item] = activated(row[KIND], values[row[SOURCE] * chunk + item])


@cuda.jit(device=True)
def bend_back(row, values, count, chunk, thread, threads):
    """The gradient times the slope at the input."""
    for item in range(thread, count * _size(row), threads):
        gradient = values[row[D_TARGET] * chunk + item] * slope(row[KIND], values[row[SOURCE] * chunk + item])
        _give(values, row[D_SOURCE] * chunk + item, gradient, row[ADDS])


@cuda.jit(device=True)
def add(row, values, count, chunk, thread, threads):
    """Forward of a sum of two values."""
    for item in range(thread, count * _size(row), threads):
        total = values[row[SOURCE] * chunk + item] + values[row[OTHER] * chunk + item]
        values[row[TARGET] * chunk + item] = total


@cuda.jit(device=True)
def add_back(row, values, count, chunk, thread, threads):
    """Both get the gradient."""
    for item in range(thread, count * _size(row), threads):
        gradient = values[row[D_TARGET] * chunk + item]
        if row[PASSES]:
            _give(values, row[D_SOURCE] * chunk + item, gradient, row[ADDS])
        if row[OTHER_PASSES]:
            _give(values, row[D_OTHER] * chunk + item, gradient, row[OTHER_ADDS])


@cuda.jit(device=True)
def drop(row, values, key, rate, first, back, count, chunk, thread, threads):
    """Dropout, forward or back, by the factors that the model's key gives to images `first` and on of the batch."""
    size, own = _size(row), derived(key, row[PLACE])
    kept = np.float32(1 / (1 - rate))
    for item in range(thread, count * size, threads):
        factor = kept if unit(own, first * size + item) >= rate else _ZERO
        if back:
            _give(values, row[D_SOURCE] * chunk + item, values[row[D_TARGET] * chunk + item] * factor, row[ADDS])
        else:
            values[row[TARGET] * chunk + item] = values[row[SOURCE] * chunk + item] * factor
