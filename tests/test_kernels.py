"""The parts of the compiled engine: chance, functions, vectors, sums in tiles, and where everything stands.

Each part is called on its own and held against NumPy or PyTorch in double precision; it is compiled for that, which
takes most of the time, so the slowest two are kept as the engine's own kernels are. Layers are tested in
`test_compiled_layers`, whole training runs in `test_numba_engine`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy import special
from toys import NONLINEARITIES

from hyperlib.weightspace.randomness import key, orders, uniform
from hyperlib.zoos.engines.kernels import functions, lanes, random, scalars, tiles, vectors
from hyperlib.zoos.engines.kernels.compiling import cached_kernel
from hyperlib.zoos.engines.kernels.lanes import LANES, get, load, put, registers, store

# -- chance ----------------------------------------------------------------------------------------------------


@njit
def _shuffled(own, count, room):
    places, draws, ends = np.zeros(count, np.int64), np.zeros(count, np.uint64), np.zeros(room, np.int64)
    random.shuffle(own, places, draws, ends)
    return places


@njit
def _units(own, count):
    numbers = np.zeros(count)
    for place in range(count):
        numbers[place] = random.unit(own, place)
    return numbers


def own_keys(count: int = 3) -> torch.Tensor:
    return key(torch.arange(-1, count - 1) * 12345, 7)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 63, 64, 65, 1000, 1024, 5000])
def test_compiled_orders_are_the_librarys(count):
    wanted = orders(own_keys(), count)
    for number, own in enumerate(own_keys().numpy().view(np.uint64)):
        room = 2 ** int(np.ceil(np.log2(count + 1)))
        assert _shuffled(own, count, room).tolist() == wanted[number].tolist()
        assert _shuffled(own, count, 1).tolist() == wanted[number].tolist()  # one bucket: sorted by insertion alone


def test_compiled_draws_are_the_librarys_to_the_bit():
    wanted = uniform(own_keys(), 500).numpy()

    for number, own in enumerate(own_keys().numpy().view(np.uint64)):
        assert np.array_equal(_units(own, 500), wanted[number])


@pytest.mark.parametrize("number", [0, 1, 17, 2**31])
def test_compiled_keys_are_the_librarys(number):
    wanted = key([5, -3], 3, 2, number)

    for above, below in zip(key([5, -3], 3, 2).numpy().view(np.uint64), wanted, strict=True):
        assert np.uint64(random.derived(above, number)).astype(np.int64) == int(below)


# -- functions -------------------------------------------------------------------------------------------------


def on_vectors(function: Callable) -> Callable[[np.ndarray], np.ndarray]:
    """A compiled function of a vector, for arrays of any length."""

    @njit(error_model="numpy")
    def apply(x, y):
        for n in range(len(x) // LANES):
            store(y, n, function(load(x, n)))

    def run(x: np.ndarray) -> np.ndarray:
        filled = np.append(x, np.zeros(-len(x) % LANES)).astype(np.float32)
        result = np.empty_like(filled)
        apply(filled, result)
        return result[: len(x)]

    return run


def line(low: float, high: float, count: int = 400_001) -> np.ndarray:
    return np.linspace(low, high, count).astype(np.float32)


def with_small(x: np.ndarray) -> np.ndarray:
    """The same and numbers of every size near zero."""
    small = np.logspace(-37, 0, 20_000).astype(np.float32)
    return np.concatenate([x, small[small <= x.max()], -small[small <= -x.min()]])


FUNCTIONS = {  # the range that is tested, what is meant, the highest absolute error, the highest relative error
    "exponential": (-87, 88, np.exp, np.inf, 2e-7),
    "hyperbolic_tangent": (-30, 30, np.tanh, 4e-7, 4e-7),
    "error_function": (-10, 10, special.erf, 4e-7, 6e-7),
    "logistic": (-87, 88, special.expit, 2e-7, 3e-7),
    "sine": (-3000, 3000, np.sin, 3e-7, np.inf),
}


@pytest.fixture(scope="module", params=FUNCTIONS)
def function(request: pytest.FixtureRequest) -> tuple[str, Callable[[np.ndarray], np.ndarray]]:
    return request.param, on_vectors(getattr(functions, request.param))


def test_functions_are_those_of_numpy_in_double_precision(function):
    name, apply = function
    low, high, meant, absolute, relative = FUNCTIONS[name]
    x = with_small(line(low, high))
    wanted = meant(x.astype(np.float64))
    error = np.abs(apply(x) - wanted)

    assert error.max() <= absolute
    assert np.isinf(relative) or (error <= relative * np.abs(wanted) + 1e-44).all()


def test_not_a_number_stays_and_infinities_end_at_their_limits(function):
    name, apply = function
    ends = apply(np.array([np.nan, -np.inf, np.inf, -1e30, 1e30, 0.0]))
    below, above = {
        "exponential": (0.0, np.exp(88)),  # the largest there is in float32, about
        "hyperbolic_tangent": (-1, 1),
        "error_function": (-1, 1),
        "logistic": (0, 1),
        "sine": (np.sin(-1e6), np.sin(1e6)),  # so far it goes
    }[name]

    assert np.isnan(ends[0])
    np.testing.assert_allclose(ends[1:3], [below, above], rtol=3e-6, atol=4e-5 if name == "sine" else 1e-6)
    assert (ends[3:5] == ends[1:3]).all()
    neighbours = apply(np.array([np.nan, *[1.0] * (LANES - 1)] if LANES > 1 else [1.0]))
    assert np.isnan(neighbours).sum() == (LANES > 1)


@pytest.mark.parametrize("function", ["sine"], indirect=True)
def test_sine_keeps_to_one_part_in_ten_thousand_up_to_a_million(function):
    x = line(-1e6, 1e6)
    assert np.abs(function[1](x) - np.sin(x.astype(np.float64))).max() < 1e-4


@njit(error_model="numpy")
def _activated(kind, x, y, slopes):
    for n in range(len(x) // LANES):
        value = functions.activate(kind, load(x, n))
        store(y, n, value)
        store(slopes, n, functions.slope(kind, load(x, n), value))


@pytest.mark.parametrize("name", NONLINEARITIES)
def test_activations_and_their_slopes_are_pytorchs_in_double_precision(name):
    x = with_small(line(-30, 30, 160_001))
    x = x[: len(x) // LANES * LANES]
    exact = torch.from_numpy(x).double().requires_grad_()
    wanted = NONLINEARITIES[name](exact)
    wanted.sum().backward()
    y, slopes = np.empty_like(x), np.empty_like(x)
    _activated(functions.KINDS[name], x, y, slopes)
    size = np.maximum(1, np.abs(x))

    assert (np.abs(y - wanted.detach().numpy()) / size).max() < 4e-7
    away = x != 0 if "relu" in name else np.isfinite(x)  # where a slope is defined
    assert (np.abs(slopes - exact.grad.numpy()) / size)[away].max() < 8e-7


@pytest.mark.parametrize("name", NONLINEARITIES)
def test_a_diverged_activation_is_seen(name):
    x = np.full(LANES, np.nan, np.float32)
    y, slopes = np.zeros_like(x), np.zeros_like(x)
    _activated(functions.KINDS[name], x, y, slopes)

    assert np.isnan(y).all()


# -- vectors ---------------------------------------------------------------------------------------------------

_square, _many = registers(LANES), registers(3 * LANES + 2)


@njit
def _turned(numbers):
    held = _square()
    for row in range(LANES):
        put(held, row, load(numbers, row))
    lanes.turn(held)
    for row in range(LANES):
        store(numbers, row, get(held, row))


@njit
def _lane_sums(numbers, sums, count):
    held = _many()
    for row in range(count):
        put(held, row, load(numbers, row))
    lanes.sum_lanes(held)
    for row in range(count):
        sums[row] = lanes.lane(get(held, row // LANES), row % LANES)


@njit
def _arithmetic(numbers, results):
    a, b, c = load(numbers, 0), load(numbers, 1), load(numbers, 2)
    store(results, 0, a + b)
    store(results, 1, a - b)
    store(results, 2, a * b)
    store(results, 3, a / b)
    store(results, 4, lanes.fma(a, b, c))
    store(results, 5, lanes.where_greater(a, b, c, a))
    store(results, 6, lanes.where_equal(a, b, c, a))
    store(results, 7, lanes.splat(lanes.total(a)))
    store(results, 8, lanes.spread(numbers, 1))
    store(results, 9, lanes.load_from(numbers, 1))


def test_turning_transposes_a_square_of_numbers():
    numbers = np.arange(LANES * LANES, dtype=np.float32)
    turned = numbers.copy()
    _turned(turned)

    assert np.array_equal(turned.reshape(LANES, LANES), numbers.reshape(LANES, LANES).T)


def test_sums_over_lanes_stand_side_by_side():
    count = 3 * LANES + 2
    numbers = np.random.default_rng(0).integers(-9, 9, count * LANES).astype(np.float32)
    sums = np.zeros(count, np.float32)
    _lane_sums(numbers, sums, count)

    assert np.array_equal(sums, numbers.reshape(count, LANES).sum(1))


def test_vectors_compute_as_numbers_do():
    a, b, c = numbers = np.random.default_rng(1).integers(1, 5, (3, LANES)).astype(np.float32)
    results = np.zeros((10, LANES), np.float32)
    _arithmetic(numbers.reshape(-1), results.reshape(-1))
    wanted = [a + b, a - b, a * b, a / b, a * b + c, np.where(a > b, c, a), np.where(a == b, c, a)]
    wanted += [np.full(LANES, a.sum()), np.full(LANES, numbers.reshape(-1)[1]), numbers.reshape(-1)[1 : LANES + 1]]

    assert np.array_equal(results, wanted)


def test_both_kinds_of_lanes_have_the_same_names():
    named = {name for name in vars(lanes) if not name.startswith("_") and hasattr(vectors, name)}

    assert {"load", "store", "turn", "sum_lanes", "LANES"} <= named
    assert all(hasattr(scalars, name) for name in named)
    assert all(getattr(lanes, name) is getattr(lanes._LANES, name) for name in named - {"np", "njit", "annotations"})


# -- sums in tiles ---------------------------------------------------------------------------------------------


@cached_kernel
def _add_up(values, weights, jobs):
    tiles.add_up(values, weights, jobs[0])


@cached_kernel
def _multiply_up(values, gradient, jobs):
    tiles.multiply_up(values, gradient, jobs[0])


@pytest.mark.slow
@given(
    sizes=st.tuples(*(st.integers(1, 3) for _ in range(3)), st.integers(1, 15), st.integers(0, 20)),
    stride=st.integers(1, 3),
    start=st.sampled_from(["bias", "adds", "nothing"]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=150, deadline=None)
def test_a_sum_over_taps_is_that_of_einsum_for_every_size(sizes, stride, start, seed):
    channels, rows, columns, outputs, places = sizes
    generator = np.random.default_rng(seed)
    wide = columns + stride * max(places - 1, 0)
    x = generator.integers(-4, 5, (channels, rows, wide, LANES)).astype(np.float32)
    y = generator.integers(-4, 5, (outputs, places + 1, LANES)).astype(np.float32)
    w = generator.integers(-4, 5, (outputs, channels, rows, columns)).astype(np.float32)
    bias = generator.integers(-4, 5, outputs).astype(np.float32)
    job = np.zeros(1, tiles.SUM)
    job["channels"], job["rows"], job["columns"], job["outputs"], job["places"] = sizes
    job["bias"], job["adds"] = w.size if start == "bias" else tiles.NONE, start == "adds"
    job["x_channel"], job["x_row"], job["x_column"], job["x_place"] = rows * wide, wide, 1, stride
    job["w_channel"], job["w_row"], job["w_column"], job["w_output"] = rows * columns, columns, 1, w[0].size
    job["y"], job["y_output"], job["y_place"] = x.size // LANES, places + 1, 1
    values = np.concatenate([x.reshape(-1), y.reshape(-1)])
    _add_up(values, np.concatenate([w.reshape(-1), bias]), job)

    windows = np.lib.stride_tricks.sliding_window_view(x, columns, axis=2)[:, :, ::stride][:, :, :places]
    wanted = y.copy()
    first = {"bias": bias[:, None, None], "adds": y[:, :places], "nothing": 0}[start]
    wanted[:, :places] = np.einsum("ocab,capnb->opn", w, windows) + first
    assert np.array_equal(values[: x.size], x.reshape(-1))
    assert np.array_equal(values[x.size :].reshape(y.shape), wanted)


@pytest.mark.slow
@given(
    sizes=st.tuples(st.integers(1, 9), st.integers(0, 11), *(st.integers(1, 4) for _ in range(3))),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=150, deadline=None)
def test_a_sum_over_places_is_that_of_einsum_for_every_size_and_adds_to_what_is_there(sizes, seed):
    outputs, taps, rows, places, parts = sizes
    generator = np.random.default_rng(seed)
    d = generator.integers(-4, 5, (outputs, rows, places, parts, LANES)).astype(np.float32)
    x = generator.integers(-4, 5, (rows, places + taps, parts, LANES)).astype(np.float32)  # taps are shifted places
    before = generator.integers(-4, 5, (outputs, taps + 1)).astype(np.float32)
    work = np.zeros(1, tiles.PRODUCT)
    for name, size in zip(("outputs", "taps", "rows", "places", "parts"), sizes, strict=True):
        work[name] = size
    work["d_output"], work["d_row"], work["d_place"], work["d_part"] = rows * places * parts, places * parts, parts, 1
    work["x"], work["x_tap"], work["x_row"] = d.size // LANES, parts, (places + taps) * parts
    work["x_place"], work["x_part"], work["g_output"], work["g_tap"] = parts, 1, taps + 1, 1
    gradient = before.reshape(-1).copy()
    _multiply_up(np.concatenate([d.reshape(-1), x.reshape(-1)]), gradient, work)

    wanted = before.copy()
    for tap in range(taps):
        wanted[:, tap] += np.einsum("orpqn,rpqn->o", d, x[:, tap : tap + places])
    assert np.array_equal(gradient.reshape(before.shape), wanted)
