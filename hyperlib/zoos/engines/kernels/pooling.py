"""Layers that make one value of many places: the maximum of a window, the mean of a channel.

See `layers` for how values stand.
"""

from __future__ import annotations

import numpy as np

from hyperlib.zoos.engines.kernels.compiling import kernel, kernel_named
from hyperlib.zoos.engines.kernels.lanes import load, splat, store, where_equal, where_greater
from hyperlib.zoos.engines.kernels.layers import give

# ruff: noqa: ANN001, ANN201, ANN202 (compiled functions, their types are Numba's)

_ZERO = np.float32(0)


def _pooling(side):
    """Kernels of a maximum over windows of that side; of any side, if it is 0."""

    @kernel_named(side)
    def forward(step, values):
        window = step.kernel if side == 0 else side
        for c in range(step.channels):
            for y in range(step.out_height):
                for x in range(step.out_width):
                    for g in range(step.groups):
                        start = step.source + c * step.plane + (y * step.row + x * step.groups) * step.stride + g
                        most = load(values, start)
                        for a in range(window):
                            for b in range(window):
                                value = load(values, start + a * step.row + b * step.groups)
                                most = where_greater(most, value, most, value)
                        store(values, step.target + c * step.out_plane + y * step.out_row + x * step.groups + g, most)

    @kernel_named(side)
    def backward(step, values, adds):
        window = step.kernel if side == 0 else side
        for c in range(step.channels):
            for y in range(step.out_height):
                for x in range(step.out_width):
                    for g in range(step.groups):
                        place = c * step.plane + (y * step.row + x * step.groups) * step.stride + g
                        target = c * step.out_plane + y * step.out_row + x * step.groups + g
                        most, left = load(values, step.target + target), load(values, step.d_target + target)
                        for a in range(window):
                            for b in range(window):
                                at = place + a * step.row + b * step.groups
                                value = load(values, step.source + at)
                                own = where_equal(value, most, left, splat(_ZERO))
                                left = where_equal(value, most, splat(_ZERO), left)
                                if adds:
                                    own = own + load(values, step.d_source + at)
                                store(values, step.d_source + at, own)

    return forward, backward


_pool_any, _pool_any_back = _pooling(0)
_pool_two, _pool_two_back = _pooling(2)


@kernel
def pool(step, values):
    """Forward of a maximum over windows."""
    if step.kernel == 2:
        _pool_two(step, values)
    else:
        _pool_any(step, values)


@kernel
def pool_back(step, values):
    """The gradient goes to the first of the window's largest values, as in PyTorch.

    Windows side by side may overwrite their input; others add to a gradient of its own.
    """
    parted = step.stride == step.kernel
    adds = step.adds or not parted
    if not step.adds:
        covered = step.kernel if parted else 0
        _clear(step, values, covered * step.out_height, covered * step.out_width)
    if step.kernel == 2:
        _pool_two_back(step, values, adds)
    else:
        _pool_any_back(step, values, adds)


@kernel
def _clear(step, values, rows, columns):
    """Zero the gradient of all places from that row or column on."""
    for c in range(step.channels):
        for y in range(step.height):
            start = step.d_source + c * step.plane + y * step.row
            for place in range((columns if y < rows else 0) * step.groups, step.width * step.groups):
                store(values, start + place, splat(_ZERO))


@kernel
def average(step, values):
    """Forward of the mean over all places of a channel."""
    share = splat(np.float32(1.0 / (step.height * step.width)))
    for c in range(step.channels):
        for g in range(step.groups):
            sums = splat(_ZERO)
            for y in range(step.height):
                for x in range(step.width):
                    sums = sums + load(values, step.source + c * step.plane + y * step.row + x * step.groups + g)
            store(values, step.target + c * step.groups + g, sums * share)


@kernel
def average_back(step, values):
    """Every place gets its share of the gradient."""
    share = splat(np.float32(1.0 / (step.height * step.width)))
    for c in range(step.channels):
        for y in range(step.height):
            for place in range(step.width * step.groups):
                gradient = share * load(values, step.d_target + c * step.groups + place % step.groups)
                give(step, values, c * step.plane + y * step.row + place, gradient)
