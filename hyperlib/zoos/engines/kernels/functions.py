"""The activations of the zoos and their slopes, on vectors.

Exponential, hyperbolic tangent, error function and sine are polynomials or their quotients, fitted by us (least squares
with weights that even out the relative error); a test holds them against NumPy in double precision. Not-a-number goes
through every activation.
"""

from __future__ import annotations

import numpy as np

from hyperlib.weightspace.layers import ACTIVATIONS
from hyperlib.zoos.engines.kernels.compiling import inlined, kernel, kernel_named
from hyperlib.zoos.engines.kernels.lanes import fma, power_of_two, splat, where_greater

# ruff: noqa: ANN001, ANN201, ANN202 (compiled functions, their types are Numba's)

KINDS = {name: number for number, name in enumerate(ACTIVATIONS)}
_TANH, _RELU, _SIGMOID, _GELU, _SILU, _LEAKY, _SINE = (
    KINDS[name] for name in ("tanh", "relu", "sigmoid", "gelu", "silu", "leaky_relu", "sine")
)


def _numbers(*values: float) -> tuple[np.float32, ...]:
    return tuple(np.float32(value) for value in values)


_ZERO, _HALF, _ONE = _numbers(0, 0.5, 1)
_NO_FRACTION = np.float32(1.5 * 2**23)
_LEAK = np.float32(0.01)
_LOWEST, _HIGHEST = _numbers(-87.0, 88.0)  # beyond these, exp leaves float32
_PER_LN2, _LN2, _LN2_REST = _numbers(1.4426950408889634, 0.693145751953125, 1.428606765330187e-06)
_EXP = _numbers(1, 1, 0.49999991, 0.1666642, 0.041668225, 0.0083748177, 0.001383684)
_TANH_END, _ERF_END = _numbers(8.6, 3.95)  # 1 from here on, in float32
_TANH_OVER = _numbers(1.0, 0.13406895, 0.003526425, 2.1122736e-05, 1.4082904e-08)
_TANH_UNDER = _numbers(1.0, 0.46740216, 0.02599399, 0.0003336307, 8.0708264e-07)
_ERF_OVER = _numbers(1.1283791, 0.19154647, 0.05287476, 0.0038079417, 0.00028467356, 2.0258212e-06)
_ERF_UNDER = _numbers(1.0, 0.50308633, 0.11455787, 0.015054665, 0.0011706547, 3.7830148e-05)
_SIN = _numbers(1.0, -0.16666657, 0.0083330255, -0.00019807412, 2.6018877e-06)
_FARTHEST = np.float32(1e6)
_PER_PI = np.float32(0.3183098861837907)
_PI, _PI_REST, _PI_LAST = _numbers(3.140625, 9.67025756835938e-04, 6.277114152908325e-07)
_ROOT_HALF, _DENSITY = _numbers(0.7071067811865476, 0.3989422804014327)


def _polynomial(*coefficients: np.float32):
    last, rest = coefficients[-1], coefficients[-2::-1]
    terms = len(rest)

    @kernel_named(*(f"{coefficient:.8g}" for coefficient in coefficients))
    def polynomial(x):
        value = splat(last)
        for term in range(terms):
            value = fma(value, x, splat(rest[term]))
        return value

    return polynomial


_exp_part, _sin_part = _polynomial(*_EXP), _polynomial(*_SIN)
_tanh_over, _tanh_under = _polynomial(*_TANH_OVER), _polynomial(*_TANH_UNDER)
_erf_over, _erf_under = _polynomial(*_ERF_OVER), _polynomial(*_ERF_UNDER)


@inlined
def _between(x, low, high):
    """x, cut to these ends."""
    x = where_greater(x, splat(high), splat(high), x)
    return where_greater(splat(low), x, splat(low), x)


@inlined
def _rounded(x):
    """The nearest whole number, for |x| below 4 million: this large summand leaves no room for a fraction."""
    return (x + splat(_NO_FRACTION)) - splat(_NO_FRACTION)


@kernel
def exponential(x):
    """exp(x), and its value at the end of the range where x is below -87 or above 88."""
    x = _between(x, _LOWEST, _HIGHEST)
    whole = _rounded(x * splat(_PER_LN2))
    rest = fma(whole, splat(-_LN2_REST), fma(whole, splat(-_LN2), x))
    return _exp_part(rest) * power_of_two(whole)


@kernel
def hyperbolic_tangent(x):
    """tanh(x), to a few units of float32's last place."""
    x = _between(x, -_TANH_END, _TANH_END)
    square = x * x
    return x * _tanh_over(square) / _tanh_under(square)


@kernel
def error_function(x):
    """erf(x), to a few units of float32's last place."""
    x = _between(x, -_ERF_END, _ERF_END)
    square = x * x
    return _between(x * _erf_over(square) / _erf_under(square), -_ONE, _ONE)


@kernel
def sine(x):
    """sin(x), to float32's precision where |x| is below some thousands; beyond a million it stands still."""
    x = _between(x, -_FARTHEST, _FARTHEST)
    half_turns = _rounded(x * splat(_PER_PI))
    rest = fma(half_turns, splat(-_PI), x)
    rest = fma(half_turns, splat(-_PI_LAST), fma(half_turns, splat(-_PI_REST), rest))
    odd = half_turns - _rounded(half_turns * splat(_HALF)) * splat(np.float32(2))  # -1, 0 or 1
    sign = fma(odd * odd, splat(np.float32(-2)), splat(_ONE))
    return sign * rest * _sin_part(rest * rest)


@kernel
def logistic(x):
    """1 / (1 + exp(-x))."""
    return splat(_ONE) / (splat(_ONE) + exponential(splat(_ZERO) - x))


@inlined
def _share_below(x):
    """Of a standard normal variable, the share below x."""
    return fma(error_function(x * splat(_ROOT_HALF)), splat(_HALF), splat(_HALF))


@inlined
def activate(kind, x):
    """The activation of that kind (see `KINDS`)."""
    if kind == _TANH:
        return hyperbolic_tangent(x)
    if kind == _RELU:
        return where_greater(splat(_ZERO), x, splat(_ZERO), x)
    if kind == _SIGMOID:
        return logistic(x)
    if kind == _GELU:
        return x * _share_below(x)
    if kind == _SILU:
        return x * logistic(x)
    if kind == _LEAKY:
        return where_greater(splat(_ZERO), x, splat(_LEAK) * x, x)
    return sine(x)


@inlined
def slope(kind, x, y):
    """Derivative of the activation where its input is x and its output y."""
    one = splat(_ONE)
    if kind == _TANH:
        return one - y * y
    if kind == _RELU:
        return where_greater(y, splat(_ZERO), one, splat(_ZERO))
    if kind == _SIGMOID:
        return y * (one - y)
    if kind == _GELU:
        density = exponential(x * x * splat(-_HALF)) * splat(_DENSITY)
        return fma(x, density, _share_below(x))
    if kind == _SILU:
        share = logistic(x)
        return share + y * (one - share)
    if kind == _LEAKY:
        return where_greater(y, splat(_ZERO), one, splat(_LEAK))
    return sine(x + splat(np.float32(1.5707963267948966)))
