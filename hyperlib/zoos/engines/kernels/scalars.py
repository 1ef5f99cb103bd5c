"""The names of `vectors` for ordinary numbers: one lane, in plain Numba.

Slower, and free of everything that a new release of Numba could take away; `lanes` falls back to it. Its arrays check
their bounds where `NUMBA_BOUNDSCHECK=1` asks for it, so the tests use it to prove that no kernel leaves its memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

LANES, ACCUMULATORS = 1, 12


@njit
def load(array: Any, index: int) -> float:
    """The number at place `index`."""
    return array[index]


@njit
def store(array: Any, index: int, value: float) -> None:
    """Put a number at place `index`."""
    array[index] = value


load_from = spread = load


@njit
def splat(number: float) -> float:
    """The number itself: there is one lane."""
    return number


total = splat


@njit
def fma(a: float, b: float, c: float) -> float:
    """a * b + c."""
    return a * b + c


@njit
def where_greater(a: float, b: float, yes: float, no: float) -> float:
    """`yes` where a > b, else `no`."""
    return yes if a > b else no


@njit
def where_equal(a: float, b: float, yes: float, no: float) -> float:
    """`yes` where a == b, else `no`."""
    return yes if a == b else no


@njit
def power_of_two(whole: float) -> float:
    """2 to a whole number between -126 and 127."""
    return np.float32(2.0) ** whole


def registers(count: int) -> Callable[[], Any]:
    """A maker of `count` numbers; see `get` and `put`."""

    @njit
    def make() -> Any:
        return np.zeros(count, np.float32)

    return make


get, put = load, store


@njit
def turn(held: Any) -> None:
    """One number is its own transpose."""


sum_lanes = turn  # and its own total


@njit
def lane(value: float, number: int) -> float:
    """The number itself, which is lane 0."""
    return value
