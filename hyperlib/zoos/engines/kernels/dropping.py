"""Dropout, with the factors that the model's key gives to every image, step and place.

See `layers` for how values stand.
"""

from __future__ import annotations

import numpy as np

from hyperlib.zoos.engines.kernels.compiling import kernel
from hyperlib.zoos.engines.kernels.lanes import LANES, load, store
from hyperlib.zoos.engines.kernels.layers import give
from hyperlib.zoos.engines.kernels.random import derived, unit

# ruff: noqa: ANN001, ANN201, ANN202 (compiled functions, their types are Numba's)

_ZERO = np.float32(0)


@kernel
def drop(step, values, key, rate, first):
    """Forward of dropout: draw the factors of images `first` and on of the batch, keep them, and apply them."""
    kept = np.float32(1.0 / (1.0 - rate))
    own = derived(key, step.place)
    features = step.lines * step.length // step.groups
    width = step.length // step.groups
    for row in range(step.lines):
        for x in range(width):
            feature = row * width + x
            for g in range(step.groups):
                for lane in range(LANES):
                    image = first + g * LANES + lane
                    kind = unit(own, image * features + feature) >= rate
                    values[(step.factors + feature * step.groups + g) * LANES + lane] = kept if kind else _ZERO
                at = x * step.groups + g
                factor = load(values, step.factors + feature * step.groups + g)
                value = load(values, step.source + row * step.row + at)
                store(values, step.target + row * step.out_row + at, value * factor)


@kernel
def drop_back(step, values):
    """The gradient times the factors of the forward pass."""
    for row in range(step.lines):
        for place in range(step.length):
            factor = load(values, step.factors + row * step.length + place)
            gradient = load(values, step.d_target + row * step.out_row + place)
            give(step, values, row * step.row + place, gradient * factor)
