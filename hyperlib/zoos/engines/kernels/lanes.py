"""Arithmetic on one number per image, as every kernel writes it: a lane per image, `LANES` images at once.

The vectors are a Numba type of our own (`vectors`). Where a release of Numba no longer knows what that file uses,
ordinary numbers take their place (`scalars`: one lane, the same names, the same kernels), slower and just as right.
Which of the two it is, is found out once, by compiling a few lines with all of them. `HYPERLIB_LANES=1` asks for one
lane.
"""

from __future__ import annotations

import logging
import os
from types import ModuleType

import numpy as np
from numba import njit

_LOG = logging.getLogger(__name__)


def _chosen() -> ModuleType:
    from hyperlib.zoos.engines.kernels import scalars

    if os.environ.get("HYPERLIB_LANES") == "1":
        return scalars
    try:
        from hyperlib.zoos.engines.kernels import vectors

        if _works(vectors):
            return vectors
        why = "their arithmetic was wrong"
    except Exception as error:  # whatever a changed Numba raises: the fall-back works in any case
        why = f"{type(error).__name__}: {error}"
    _LOG.warning("Numba cannot compile vectors here (%s); its engine runs with one lane, several times slower.", why)
    return scalars


def _works(vectors: ModuleType) -> bool:
    """Whether everything that `vectors` offers can be compiled, and gives what it should."""
    lanes, hold, get, put = vectors.LANES, vectors.registers(vectors.LANES), vectors.get, vectors.put
    load, load_from, spread, store = vectors.load, vectors.load_from, vectors.spread, vectors.store
    splat, fma, total, power_of_two = vectors.splat, vectors.fma, vectors.total, vectors.power_of_two
    greater, equal = vectors.where_greater, vectors.where_equal
    turn, sum_lanes, lane = vectors.turn, vectors.sum_lanes, vectors.lane

    @njit
    def try_all(numbers: np.ndarray) -> None:
        held = hold()
        for row in range(lanes):
            put(held, row, load(numbers, row))
        turn(held)
        sum_lanes(held)
        sums, first, one = get(held, 0), load_from(numbers, 1), splat(np.float32(1))
        chosen = greater(first, one, equal(first, spread(numbers, 2), power_of_two(one), first), one)
        store(numbers, 0, fma(sums, splat(lane(sums, 0)), chosen / one) - splat(total(one)) * one + one)

    numbers = np.arange(lanes * lanes, dtype=np.float32) % 7
    square, first = numbers.reshape(lanes, lanes).copy(), numbers[1 : lanes + 1].copy()
    chosen = np.where(first > 1, np.where(first == numbers[2], 2, first), 1)
    wanted = square.sum(0) * square[:, 0].sum() + chosen - lanes + 1
    try_all(numbers)
    return bool((numbers[:lanes] == wanted).all())


_LANES = _chosen()
LANES: int = _LANES.LANES
ACCUMULATORS: int = _LANES.ACCUMULATORS
load, store, load_from, spread, splat = _LANES.load, _LANES.store, _LANES.load_from, _LANES.spread, _LANES.splat
fma, total, power_of_two = _LANES.fma, _LANES.total, _LANES.power_of_two
where_greater, where_equal = _LANES.where_greater, _LANES.where_equal
registers, get, put = _LANES.registers, _LANES.get, _LANES.put
lane, turn, sum_lanes = _LANES.lane, _LANES.turn, _LANES.sum_lanes
