"""One kernel per kind of layer: what it computes, and how a gradient passes through it.

Values stand as `[channels, height, width, groups, lanes]`: a vector holds one number of each of `LANES` images, and
`groups` such vectors of one place stand side by side. A step (`program.STEP`) says where a layer reads and writes.
Rows of images may have a margin of zeros at both ends, which stands for padding and for what lies beyond the border in
the gradient of a convolution; beyond the upper and lower border nothing is read.
"""

from __future__ import annotations

import numpy as np

from hyperlib.zoos.engines.kernels.compiling import inlined, kernel
from hyperlib.zoos.engines.kernels.functions import activate, slope
from hyperlib.zoos.engines.kernels.lanes import load, splat, store, total
from hyperlib.zoos.engines.kernels.tiles import NONE, add_up, multiply_up

# ruff: noqa: ANN001, ANN201, ANN202 (compiled functions, their types are Numba's)

_ZERO = np.float32(0)
_NEAR = 4  # outputs of a convolution whose gradients are summed up together


@inlined
def convolve(step, values, weights, job):
    """Forward: for every row of the output, a sum over channels and the window."""
    groups = step.groups
    job.channels, job.columns, job.outputs = step.channels, step.kernel, step.out_channels
    job.x_channel, job.x_row, job.x_column = step.plane, step.row, groups
    job.w_channel, job.w_row, job.w_column = step.kernel * step.kernel, step.kernel, 1
    job.w_output, job.y_output, job.adds = step.channels * step.kernel * step.kernel, step.out_plane, 0
    parts = 1 if step.stride == 1 else groups  # with stride 1, places and groups are one row of vectors
    job.places = step.out_width * groups // parts
    job.x_place, job.y_place = (1, 1) if step.stride == 1 else (step.stride * groups, groups)
    for y in range(step.out_height):
        top = y * step.stride - step.padding
        first, last = max(0, -top), min(step.kernel, step.height - top)
        job.rows = max(0, last - first)
        job.w, job.bias = step.weight + first * step.kernel, step.bias
        for part in range(parts):
            job.x = step.source + (top + first) * step.row - step.padding * groups + part
            job.y = step.target + y * step.out_row + part
            add_up(values, weights, job)


@inlined
def convolve_back(step, values, weights, gradient, job, work):
    """Gradients of the weights, then of the input, which may overwrite the input."""
    _convolution_weights(step, values, gradient, work)
    if step.bias != NONE:
        _biases(step, values, gradient)
    if step.passes:
        _convolution_input(step, values, weights, job)


@inlined
def _convolution_weights(step, values, gradient, work):
    """For some outputs, and every channel and row of the window, a sum over places and images.

    Few outputs at a time, because their gradients are read again for every channel and row and should be near.
    """
    groups, stride, window = step.groups, step.stride, step.channels * step.kernel * step.kernel
    work.parts = 1 if stride == 1 else groups
    work.places = step.out_width * groups // work.parts
    work.d_output, work.d_row, work.d_part, work.x_part = step.out_plane, step.out_row, 1, 1
    work.d_place, work.x_place = (1, 1) if stride == 1 else (groups, stride * groups)
    work.x_row, work.g_output = stride * step.row, window
    across = step.channels if step.kernel < 3 else 1  # small windows make small tiles: there, taps are channels
    work.taps = across if across > 1 else step.kernel
    work.x_tap, work.g_tap = (step.plane, step.kernel * step.kernel) if across > 1 else (groups, 1)
    for output in range(0, step.out_channels, _NEAR):
        work.outputs = min(_NEAR, step.out_channels - output)
        for a in range(step.kernel):
            first = max(0, (step.padding - a + stride - 1) // stride)
            last = min(step.out_height, (step.height - 1 + step.padding - a) // stride + 1)
            work.rows = max(0, last - first)
            work.d = step.d_target + output * step.out_plane + first * step.out_row
            corner = step.source + (first * stride + a - step.padding) * step.row - step.padding * groups
            for one in range(step.kernel if across > 1 else step.channels):
                c, b = (0, one) if across > 1 else (one, 0)
                work.x = corner + c * step.plane + b * groups
                work.g = step.weight + output * window + (c * step.kernel + a) * step.kernel + b
                multiply_up(values, gradient, work)


@inlined
def _convolution_input(step, values, weights, job):
    """For every row of the input, a sum over the outputs whose windows it lies in, phase by phase of the stride."""
    groups, stride, kernel_side = step.groups, step.stride, step.kernel
    job.channels, job.outputs, job.bias, job.adds = step.out_channels, step.channels, NONE, step.adds
    job.x_channel, job.x_row, job.x_column = step.out_plane, -step.out_row, -groups
    job.w_channel, job.w_row, job.w_column = step.channels * kernel_side * kernel_side, stride * kernel_side, stride
    job.w_output, job.y_output = kernel_side * kernel_side, step.plane
    parts = 1 if stride == 1 else groups
    job.x_place, job.y_place = (1, 1) if stride == 1 else (groups, stride * groups)
    for y in range(step.height):
        a = (y + step.padding) % stride  # rows of the window that meet this row: a, a + stride, ...
        below = (y + step.padding - a) // stride  # the output row that row a belongs to
        skipped = max(0, below - step.out_height + 1)
        a += skipped * stride
        below -= skipped
        job.rows = max(0, min(below, (kernel_side - 1 - a) // stride) + 1)
        for phase in range(min(stride, step.width)):
            b = (phase + step.padding) % stride
            beside = (phase + step.padding - b) // stride
            job.columns = max(0, (kernel_side - 1 - b) // stride + 1)
            job.places = ((step.width - phase + stride - 1) // stride) * groups // parts
            job.w = step.weight + a * kernel_side + b
            for part in range(parts):
                job.x = step.d_target + below * step.out_row + beside * groups + part
                job.y = step.d_source + y * step.row + phase * groups + part
                add_up(values, weights, job)


@kernel
def _biases(step, values, gradient):
    for o in range(step.out_channels):
        sums = splat(_ZERO)
        for y in range(step.out_height):
            start = step.d_target + o * step.out_plane + y * step.out_row
            for place in range(step.out_width * step.groups):
                sums = sums + load(values, start + place)
        gradient[step.bias + o] += total(sums)


@inlined
def connect(step, values, weights, job):
    """Forward of a linear layer: features are the columns of the sum, groups its places."""
    job.channels, job.rows, job.columns = 1, 1, step.channels
    job.outputs, job.places, job.bias, job.adds = step.out_channels, step.groups, step.bias, 0
    job.x, job.x_column, job.x_place = step.source, step.groups, 1
    job.w, job.w_column, job.w_output = step.weight, 1, step.channels
    job.y, job.y_output, job.y_place = step.target, step.groups, 1
    add_up(values, weights, job)


@inlined
def connect_back(step, values, weights, gradient, job, work):
    """Gradients of the weights, then of the input, which may overwrite the input."""
    work.outputs, work.taps, work.rows, work.places, work.parts = step.out_channels, step.channels, 1, step.groups, 1
    work.d, work.d_output, work.d_place = step.d_target, step.groups, 1
    work.x, work.x_tap, work.x_place = step.source, step.groups, 1
    work.g, work.g_output, work.g_tap = step.weight, step.channels, 1
    multiply_up(values, gradient, work)
    if step.bias != NONE:
        _biases(step, values, gradient)
    if step.passes:
        job.channels, job.rows, job.columns = 1, 1, step.out_channels
        job.outputs, job.places, job.bias, job.adds = step.channels, step.groups, NONE, step.adds
        job.x, job.x_column, job.x_place = step.d_target, step.groups, 1
        job.w, job.w_column, job.w_output = step.weight, step.channels, 1
        job.y, job.y_output, job.y_place = step.d_source, step.groups, 1
        add_up(values, weights, job)


@inlined
def give(step, values, place, gradient):
    """Write a gradient of the source, or add it to what another layer gave."""
    if step.adds:
        gradient = gradient + load(values, step.d_source + place)
    store(values, step.d_source + place, gradient)


@kernel
def bend(step, values):
    """Forward of an activation."""
    for row in range(step.lines):
        for place in range(step.length):
            x = load(values, step.source + row * step.row + place)
            store(values, step.target + row * step.out_row + place, activate(step.kind_of, x))


@kernel
def bend_back(step, values):
    """The gradient times the slope of the activation."""
    for row in range(step.lines):
        for place in range(step.length):
            x = load(values, step.source + row * step.row + place)
            y = load(values, step.target + row * step.out_row + place)
            gradient = load(values, step.d_target + row * step.out_row + place)
            give(step, values, row * step.row + place, gradient * slope(step.kind_of, x, y))


@kernel
def pass_on(step, values):
    """Forward of a layer that only moves values."""
    for row in range(step.lines):
        for place in range(step.length):
            store(values, step.target + row * step.out_row + place, load(values, step.source + row * step.row + place))


@kernel
def pass_on_back(step, values):
    """The gradient as it is."""
    for row in range(step.lines):
        for place in range(step.length):
            give(step, values, row * step.row + place, load(values, step.d_target + row * step.out_row + place))


@kernel
def add(step, values):
    """Forward of a residual addition."""
    for row in range(step.lines):
        for place in range(step.length):
            one = load(values, step.source + row * step.row + place)
            other = load(values, step.other + row * step.other_row + place)
            store(values, step.target + row * step.out_row + place, one + other)


@inlined
def add_back(step, values):
    """Both summands get the gradient."""
    if step.passes:
        pass_on_back(step, values)
    if step.other_passes:
        for row in range(step.lines):
            for place in range(step.length):
                gradient = load(values, step.d_target + row * step.out_row + place)
                at = step.d_other + row * step.other_row + place
                if step.other_adds:
                    gradient = gradient + load(values, at)
                store(values, at, gradient)
