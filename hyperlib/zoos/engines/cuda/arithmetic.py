"""What every kernel on a card needs: keyed random numbers, activations and their slopes.

The random numbers are those of `weightspace.randomness`, to the bit. Activations are the card's own functions.
"""

from __future__ import annotations

import math

import numpy as np
from numba import cuda

from hyperlib.weightspace.layers import ACTIVATIONS

# ruff: noqa: ANN001, ANN201 (compiled functions, their types are Numba's)

_KINDS = list(ACTIVATIONS)
_TANH, _RELU, _SIGMOID, _GELU, _SILU, _LEAKY = (
    _KINDS.index(name) for name in ("tanh", "relu", "sigmoid", "gelu", "silu", "leaky_relu")
)
_LEAK, _ONE, _HALF, _ZERO = np.float32(0.01), np.float32(1), np.float32(0.5), np.float32(0)
_ROOT_HALF, _DENSITY = np.float32(math.sqrt(0.5)), np.float32(1 / math.sqrt(2 * math.pi))
_GAMMA, _FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_STEP = 2.0**-53


@cuda.jit(device=True)
def mixed(bits):
    """SplitMix64's finish."""
    bits = (bits ^ (bits >> np.uint64(30))) * _FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * _SECOND
    return bits ^ (bits >> np.uint64(31))


@cuda.jit(device=True)
def derived(key, number):
    """The key below `key` that `number` leads to."""
    return mixed(key ^ mixed(np.uint64(number + 1) * _GAMMA))


@cuda.jit(device=True)
def unit(key, place):
    """U[0, 1) in float64: draw number `place` of a key."""
    return np.float64(mixed(key + np.uint64(place + 1) * _GAMMA) >> np.uint64(11)) * _STEP


@cuda.jit(device=True)
def _logistic(x):
    return _ONE / (_ONE + math.exp(-x))


@cuda.jit(device=True)
def _share_below(x):
    return _HALF * (_ONE + math.erf(x * _ROOT_HALF))


@cuda.jit(device=True)
def activated(kind, x):
    """The activation of that kind, a place in `ACTIVATIONS`."""
    if kind == _TANH:
        return math.tanh(x)
    if kind == _RELU:
        return max(x, _ZERO) if x == x else x
    if kind == _SIGMOID:
        return _logistic(x)
    if kind == _GELU:
        return x * _share_below(x)
    if kind == _SILU:
        return x * _logistic(x)
    if kind == _LEAKY:
        return _LEAK * x if x < _ZERO else x
    return math.sin(x)


@cuda.jit(device=True)
def slope(kind, x):
    """Derivative of the activation at x."""
    if kind == _TANH:
        y = math.tanh(x)
        return _ONE - y * y
    if kind == _RELU:
        return _ONE if x > _ZERO else _ZERO
    if kind == _SIGMOID:
        y = _logistic(x)
        return y * (_ONE - y)
    if kind == _GELU:
        return _share_below(x) + x * _DENSITY * math.exp(-_HALF * x * x)
    if kind == _SILU:
        share = _logistic(x)
        return share + x * share * (_ONE - share)
    if kind == _LEAKY:
        return _ONE if x > _ZERO else _LEAK
    return math.cos(x)
