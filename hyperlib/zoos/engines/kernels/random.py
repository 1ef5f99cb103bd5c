"""The library's keyed random numbers (`weightspace.randomness`), once more for compiled code: the same bits."""

from __future__ import annotations

import numpy as np

from hyperlib.zoos.engines.kernels.compiling import inlined, kernel

# ruff: noqa: ANN001, ANN201, ANN202 (compiled functions, their types are Numba's)

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_ONE = np.uint64(1)
_STEP = 2.0**-53


@inlined
def _mix(bits):
    bits = (bits ^ (bits >> np.uint64(30))) * _FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * _SECOND
    return bits ^ (bits >> np.uint64(31))


@kernel
def derived(key, number):
    """The key below `key` (uint64) that `number` leads to."""
    return _mix(key ^ _mix((np.uint64(number) + _ONE) * _GAMMA))


@inlined
def _draw(key, place):
    """A uniform integer below 2^53: draw number `place` of a key."""
    return _mix(key + (np.uint64(place) + _ONE) * _GAMMA) >> np.uint64(11)


@kernel
def unit(key, place):
    """U[0, 1) in float64: draw number `place` of a key."""
    return np.float64(_draw(key, place)) * _STEP


@kernel
def shuffle(key, places, draws, ends):
    """Fill `places` with the order in which a key's draws would be sorted, as `weightspace.randomness.orders` does.

    draws: room for as many uint64. ends: room for counts, a power of two of them and about as many as places. Draws
    are even over their range, so that sharing them out over buckets by their first bits leaves little to sort.
    """
    shift = np.uint64(53)
    for _ in range(int(np.log2(len(ends)) + 0.5)):
        shift -= _ONE
    ends[:] = 0
    for n in range(len(places)):
        draws[n] = _draw(key, n)
        ends[draws[n] >> shift] += 1
    begin = 0
    for bucket in range(len(ends)):
        begin, ends[bucket] = begin + ends[bucket], begin
    for n in range(len(places)):
        bucket = draws[n] >> shift
        places[ends[bucket]] = n
        ends[bucket] += 1
    for n in range(1, len(places)):
        place = places[n]
        at = n
        while at and draws[places[at - 1]] > draws[place]:
            places[at] = places[at - 1]
            at -= 1
        places[at] = place
