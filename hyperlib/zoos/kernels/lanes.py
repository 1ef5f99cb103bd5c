"""Arithmetic on one number per image, as every kernel writes it: a lane per image, `LANES` images at once.

The vectors are a Numba type of our own (`vectors`). Where a release of Numba no longer knows what that file uses,
ordinary numbers take their place (`scalars`: one lane, the same names, the same kernels), slower and just as right.
Which of the two it is, is found out once, by compiling a small sum. `HYPERLIB_LANES=1` asks for one lane.
"""

from __future__ import annotations

import logging
import os
from types import ModuleType

import numpy as np
from numba import njit

_LOG = logging.getLogger(__name__)


def _chosen() -> ModuleType:
    from hyperlib.zoos.kernels import scalars

    if os.environ.get("HYPERLIB_LANES") == "1":
        return scalars
    try:
        from hyperlib.zoos.kernels import vectors

        if _adds(vectors):
            return vectors
        why = "a sum of vectors was wrong"
    except Exception as error:  # whatever a changed Numba raises: the fall-back works in any case
        why = f"{type(error).__name__}: {error}"
    _LOG.warning("Numba cannot compile vectors here (%s); its engine runs with one lane, several times slower.", why)
    return scalars


def _adds(vectors: ModuleType) -> bool:
    """Whether vectors can be loaded, multiplied, added and stored."""
    load, store, fma, splat = vectors.load, vectors.store, vectors.fma, vectors.splat

    @njit
    def small_sum(numbers: np.ndarray) -> None:
        store(numbers, 0, fma(load(numbers, 0), load(numbers, 1), load(numbers, 1) + splat(np.float32(1))))

    numbers = np.arange(2 * vectors.LANES, dtype=np.float32)
    left, right = numbers[: vectors.LANES].copy(), numbers[vectors.LANES :].copy()
    small_sum(numbers)
    return bool((numbers[: vectors.LANES] == left * right + right + 1).all())


_LANES = _chosen()
LANES: int = _LANES.LANES
ACCUMULATORS: int = _LANES.ACCUMULATORS
load, store, load_from, spread, splat = _LANES.load, _LANES.store, _LANES.load_from, _LANES.spread, _LANES.splat
fma, total, power_of_two = _LANES.fma, _LANES.total, _LANES.power_of_two
where_greater, where_equal = _LANES.where_greater, _LANES.where_equal
registers, get, put = _LANES.registers, _LANES.get, _LANES.put
lane, turn, sum_lanes = _LANES.lane, _LANES.turn, _LANES.sum_lanes
