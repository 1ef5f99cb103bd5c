"""Layers whose weights are noisy: what variational dropout adds to a convolution or a linear layer.

With weights drawn from N(w, v) a layer's outputs are normal too: their means are what the layer makes of its inputs
with the weights w, their variances what it makes of the squared inputs with the weights v and without a bias (the
local reparametrisation of Kingma, Salimans and Welling 2015). So a noisy layer is the layer and its *twin*: the same
record with other places, computed by the same code. Values stand as in `layers`.

The noise is normal: 4,096 equally likely values, each drawn with twelve bits of a hash of (model, epoch, step, layer,
image, row, four outputs), our choice, because it costs little and is the same to the bit in PyTorch.
"""

from __future__ import annotations

import math

import numpy as np

from hyperlib.weightspace.architecture import Architecture
from hyperlib.zoos.engines.kernels.compiling import inlined, kernel
from hyperlib.zoos.engines.kernels.lanes import LANES
from hyperlib.zoos.engines.kernels.program import CONV, LINEAR, Program

# the same draws as everywhere, from a file that is not to change for the sake of this one: zoos are kept by their code
from hyperlib.zoos.engines.kernels.random import _draw, derived
from hyperlib.zoos.engines.kernels.tiles import NONE

# ruff: noqa: ANN001, ANN201, ANN202 (compiled functions, their types are Numba's)

BITS, PER_HASH = 12, 4
_BITS, _MASK = np.uint64(BITS), np.uint64(2**BITS - 1)
_LEAST = np.float32(1e-8)  # below the square root, whose slope has no end at 0
_HALF, _TWO = np.float32(0.5), np.float32(2)


class NoisyProgram(Program):
    """A `Program` whose convolutions and linear layers have twins for the variances; `twins` are their records."""

    def __init__(self, architecture: Architecture, batch_size: int) -> None:
        super().__init__(architecture, batch_size, drops=False)
        self.twins = self.steps.copy()
        end = self.size // LANES
        for twin in self.twins:
            step = architecture.steps[twin["place"]]
            if twin["layer"] not in (CONV, LINEAR):
                continue
            twin["bias"], twin["adds"] = NONE, 0
            for name, place in (("source", step.source), ("target", int(twin["place"]))):
                value = self._of(place)
                twin[name] = twin[f"d_{name}"] = end + value.margin * self.groups
                end += value.size * self.groups
        self.size = (end + self.groups) * LANES


@kernel
def square(step, twin, values):
    """The twin's source: the layer's, squared."""
    for row in range(step.lines):
        source = _row(values, step.source + row * step.row, step.length)
        squares = _row(values, twin.source + row * step.row, step.length)
        for n in range(len(source)):
            squares[n] = source[n] * source[n]


@kernel
def shake(step, twin, values, key, first, table, drawn):
    """Add noise of the twin's variances to the layer's outputs; leaves d output / d variance in the variances' place.

    drawn: room for one row's noise.
    """
    own, hashes = derived(key, step.place), (step.out_width + PER_HASH - 1) // PER_HASH
    rows = step.out_channels * step.out_height
    bits = np.zeros(LANES, np.uint64)
    for row in range(rows):
        for g in range(step.groups):
            for n in range(hashes):
                for lane in range(LANES):
                    bits[lane] = _draw(own, ((first + g * LANES + lane) * rows + row) * hashes + n)
                for x in range(n * PER_HASH, min((n + 1) * PER_HASH, step.out_width)):
                    some = _row(drawn, x * step.groups + g, 1)
                    for lane in range(LANES):
                        some[lane] = table[bits[lane] & _MASK]
                        bits[lane] = bits[lane] >> _BITS
        outputs = _row(values, step.target + row * step.out_row, step.out_width * step.groups)
        variances = _row(values, twin.target + row * step.out_row, step.out_width * step.groups)
        for n in range(len(outputs)):
            width = math.sqrt(variances[n] + _LEAST)
            outputs[n] += width * drawn[n]
            variances[n] = _HALF * drawn[n] / width


@kernel
def shake_back(step, twin, values):
    """The gradient of the variances, from that of the outputs."""
    for row in range(step.out_channels * step.out_height):
        gradient = _row(values, step.d_target + row * step.out_row, step.out_width * step.groups)
        variances = _row(values, twin.target + row * step.out_row, step.out_width * step.groups)
        for n in range(len(gradient)):
            variances[n] *= gradient[n]


@kernel
def square_back(step, twin, values):
    """From the gradient of the squares to their share in that of the source, while the source is still there."""
    for row in range(step.lines):
        source = _row(values, step.source + row * step.row, step.length)
        squares = _row(values, twin.source + row * step.row, step.length)
        for n in range(len(source)):
            squares[n] *= _TWO * source[n]


@kernel
def join_back(step, twin, values):
    """Add that share to the gradient of the source."""
    for row in range(step.lines):
        gradient = _row(values, step.d_source + row * step.row, step.length)
        squares = _row(values, twin.source + row * step.row, step.length)
        for n in range(len(gradient)):
            gradient[n] += squares[n]


@inlined
def _row(values, place, length):
    """Some vectors as a row of numbers: counted from its own begin, which lets the compiler make vectors of it."""
    return values[place * LANES : (place + length) * LANES]
