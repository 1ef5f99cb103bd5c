"""The two sums behind every layer with weights, computed in tiles that stay in the processor's registers.

`add_up` gives sums over taps, out[o, p] = sum over t of w[o, t] * x[p, t], for outputs o and places p: a layer's
forward pass and the gradient of its input. `multiply_up` gives sums over places and images, g[o, t] += sum over p of
d[o, p] * x[p, t]: the gradient of its weights. Where everything stands is said by steps in a record, so one code serves
all layers, kernel sizes and strides. Rows and columns of a tile are known when it is compiled, and so the loops over
them are unrolled; one tile is chosen for every piece of the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hyperlib.zoos.engines.kernels.compiling import inlined, kernel, kernel_named
from hyperlib.zoos.engines.kernels.lanes import (
    ACCUMULATORS,
    LANES,
    fma,
    get,
    lane,
    load,
    put,
    registers,
    splat,
    spread,
    store,
    sum_lanes,
)

# ruff: noqa: ANN001, ANN201, ANN202 (compiled functions, their types are Numba's)

NONE = -1  # no bias
_ZERO = np.float32(0)
_WIDTHS = (1, 2, 3, 4, 6)  # places of a sum; a product's columns are mostly those of a window
_TAPS = (1, 2, 3, 4, 5)
_HEIGHTS, _PRODUCT_HEIGHTS = (1, 2, 4, 6), (1, 2, 4)

# Where a sum finds its numbers. Places are counted in vectors for x, y and d, in numbers for w, g and bias.
SUM = np.dtype(
    [
        (name, np.int64)
        for name in ("channels", "rows", "columns", "outputs", "places", "bias", "adds", "output", "place", "pieces")
    ]
    + [(name, np.int64) for name in ("x", "x_channel", "x_row", "x_column", "x_place")]
    + [(name, np.int64) for name in ("w", "w_channel", "w_row", "w_column", "w_output")]
    + [(name, np.int64) for name in ("y", "y_output", "y_place")]
)
PRODUCT = np.dtype(
    [(name, np.int64) for name in ("outputs", "taps", "rows", "places", "parts", "output", "tap", "pieces")]
    + [(name, np.int64) for name in ("d", "d_output", "d_row", "d_place", "d_part")]
    + [(name, np.int64) for name in ("x", "x_tap", "x_row", "x_place", "x_part")]
    + [(name, np.int64) for name in ("g", "g_output", "g_tap")]
)


def _sum_tile(height: int, width: int) -> Any:
    hold = registers(height * width)

    @kernel_named(height, width)
    def sum_tile(values, weights, job):
        held = hold()
        output, place = job.output, job.place
        x0, y0 = job.x + place * job.x_place, job.y + output * job.y_output + place * job.y_place
        w0 = job.w + output * job.w_output
        x_row, x_column, x_place = job.x_row, job.x_column, job.x_place
        w_row, w_column, w_output = job.w_row, job.w_column, job.w_output
        y_output, y_place = job.y_output, job.y_place
        rows, columns = job.rows, job.columns
        for _ in range(job.pieces):
            for o in range(height):
                for p in range(width):
                    if job.bias != NONE:
                        put(held, o * width + p, spread(weights, job.bias + output + o))
                    elif job.adds:
                        put(held, o * width + p, load(values, y0 + o * y_output + p * y_place))
                    else:
                        put(held, o * width + p, splat(_ZERO))
            for c in range(job.channels):
                for a in range(rows):
                    x1 = x0 + c * job.x_channel + a * x_row
                    w1 = w0 + c * job.w_channel + a * w_row
                    for b in range(columns):
                        for o in range(height):
                            w = spread(weights, w1 + b * w_column + o * w_output)
                            for p in range(width):
                                x = load(values, x1 + b * x_column + p * x_place)
                                put(held, o * width + p, fma(w, x, get(held, o * width + p)))
            for o in range(height):
                for p in range(width):
                    store(values, y0 + o * y_output + p * y_place, get(held, o * width + p))
            x0 += width * x_place
            y0 += width * y_place

    return sum_tile


def _product_tile(height: int, width: int) -> Any:
    hold = registers(height * width)

    @kernel_named(height, width)
    def product_tile(values, gradient, job):
        held = hold()
        output, tap = job.output, job.tap
        d_output, d_place, x_tap, x_place = job.d_output, job.d_place, job.x_tap, job.x_place
        places = job.places
        for _ in range(job.pieces):
            for n in range(height * width):
                put(held, n, splat(_ZERO))
            for part in range(job.parts):
                for row in range(job.rows):
                    d0 = job.d + output * d_output + row * job.d_row + part * job.d_part
                    x0 = job.x + tap * x_tap + row * job.x_row + part * job.x_part
                    for p in range(places):
                        for o in range(height):
                            d = load(values, d0 + o * d_output + p * d_place)
                            for t in range(width):
                                x = load(values, x0 + t * x_tap + p * x_place)
                                put(held, o * width + t, fma(d, x, get(held, o * width + t)))
            sum_lanes(held)
            for o in range(height):
                for t in range(width):
                    n = o * width + t
                    place = job.g + (output + o) * job.g_output + (tap + t) * job.g_tap
                    gradient[place] += lane(get(held, n // LANES), n % LANES)
            tap += width

    return product_tile


def _chosen(tiles: Sequence[Any], first: int = 0) -> Callable[..., Any]:
    """A kernel that calls the tile of a given number, found by halves."""
    middle = len(tiles) // 2
    if not middle:
        tile = tiles[0]

        @inlined
        def only(number, values, others, job):
            tile(values, others, job)

        return only
    border, low, high = first + middle, _chosen(tiles[:middle], first), _chosen(tiles[middle:], first + middle)

    @inlined
    def choose(number, values, others, job):
        if number < border:
            low(number, values, others, job)
        else:
            high(number, values, others, job)

    return choose


def _sizes(heights: Sequence[int], widths: Sequence[int]) -> list[tuple[int, int]]:
    """Tiles that the registers can hold, row by row."""
    return [(height, width) for height in heights for width in widths if height * width <= ACCUMULATORS]


def _choice(heights: tuple[int, ...], widths: tuple[int, ...]) -> Callable[..., Any]:
    """A kernel that says which tile comes next: its height, width and number, and how many of them side by side."""
    sizes = _sizes(heights, widths)
    firsts = tuple(sizes.index((height, 1)) for height in heights)
    widest = tuple(max(w for h, w in sizes if h == height) for height in heights)
    tall = heights[-1] == 6

    @kernel_named(*heights, *widths)
    def choice(outputs, places):
        row = 0
        for n in range(len(heights)):
            if heights[n] <= min(outputs, 4) or (tall and heights[n] == 6 and outputs >= 6 and outputs % 4 == 2):
                row = n
        width = widest[row]
        pieces, rest = places // width, places % width
        if 0 < rest <= width // 3:  # rather two middling tiles at the end than a wide one and a sliver
            pieces -= 1
        if pieces <= 0:
            most, width, pieces = places if places <= width else (places + 1) // 2, 1, 1
            for n in range(len(widths)):
                if widths[n] <= most:
                    width = widths[n]
        column = 0
        for n in range(len(widths)):
            if widths[n] == width:
                column = n
        return heights[row], width, firsts[row] + column, pieces

    return choice


_sum_choice, _product_choice = _choice(_HEIGHTS, _WIDTHS), _choice(_PRODUCT_HEIGHTS, _TAPS)
_sum_tiles = _chosen([_sum_tile(*size) for size in _sizes(_HEIGHTS, _WIDTHS)])
_product_tiles = _chosen([_product_tile(*size) for size in _sizes(_PRODUCT_HEIGHTS, _TAPS)])


@kernel
def add_up(values, weights, job):
    """All sums of a `SUM` record, from `values` and `weights` to `values`."""
    job.output = 0
    while job.output < job.outputs and job.places > 0:
        height, job.place = 0, 0
        while job.place < job.places:
            height, width, number, job.pieces = _sum_choice(job.outputs - job.output, job.places - job.place)
            _sum_tiles(number, values, weights, job)
            job.place += width * job.pieces
        job.output += height


@kernel
def multiply_up(values, gradient, job):
    """All sums of a `PRODUCT` record, from `values` onto `gradient`."""
    job.output = 0
    while job.output < job.outputs and job.taps > 0:
        height, job.tap = 0, 0
        while job.tap < job.taps:
            height, width, number, job.pieces = _product_choice(job.outputs - job.output, job.taps - job.tap)
            _product_tiles(number, values, gradient, job)
            job.tap += width * job.pieces
        job.output += height
