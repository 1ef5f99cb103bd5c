"""The Marchenko-Pastur law against drawn matrices, and power laws against drawn samples and scipy's fit."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.integrate import quad

from hyperlib.weightspace.layout import Layout
from hyperlib.weightspace.spectra import Spectrum, spectra
from hyperlib.weightspace.spectral_laws import MarchenkoPastur, power_law


def integral(law: MarchenkoPastur, end: float, power: int = 0) -> float:
    """Integral of x^power times the density up to `end`, in the root of x, where the density has no pole."""
    return quad(
        lambda root: 2 * root ** (2 * power + 1) * law.density(np.array([root**2]))[0], law.low**0.5, end**0.5
    )[0]


def spectrum_of(matrix: torch.Tensor) -> Spectrum:
    return spectra(matrix.flatten(), Layout.of_shapes({"layer.weight": tuple(matrix.shape)}))[0]


# ---------------------------------------------------------------- Marchenko-Pastur


@pytest.mark.parametrize("aspect", [1.0, 1.3, 3.0, 10.0])
@pytest.mark.parametrize("variance", [0.01, 1.0, 7.0])
def test_the_law_is_a_density_whose_mean_is_the_variance(aspect, variance):
    law = MarchenkoPastur(variance, aspect)

    total, mean = integral(law, law.high), integral(law, law.high, power=1)

    assert total == pytest.approx(1, abs=1e-5)
    assert mean == pytest.approx(variance, rel=1e-5)
    assert (law.density(np.array([-1.0, law.low / 2, 1.001 * law.high])) == 0).all()


@pytest.mark.parametrize("shape", [(300, 900), (900, 300), (400, 400)])
def test_eigenvalues_of_random_weights_follow_the_law(shape, generator):
    spectrum = spectrum_of(0.3 * torch.randn(*shape, generator=generator))
    values = spectrum.eigenvalues.numpy()
    law = MarchenkoPastur(float(spectrum.variance), spectrum.aspect)

    assert spectrum.variance == pytest.approx(0.09, rel=0.02)
    inside = (values > 0.98 * law.low) & (values < 1.02 * law.high)
    assert inside.mean() > 0.99
    assert (values < law.variance).mean() == pytest.approx(integral(law, law.variance), abs=0.01)


def test_a_planted_direction_stands_outside_of_the_law(generator):
    noise, planted = torch.randn(200, 600, generator=generator), torch.randn(2, 600, generator=generator)
    matrix = noise + 3 * torch.outer(planted[0, :200], planted[1]) / 20

    spectrum = spectrum_of(matrix)

    law = MarchenkoPastur(float(spectrum.variance), spectrum.aspect)
    assert (spectrum.eigenvalues > law.high).sum() == 1


@pytest.mark.parametrize(("variance", "aspect"), [(0.0, 2.0), (float("nan"), 2.0), (-1.0, 2.0)])
def test_a_variance_that_is_none_is_refused(variance, aspect):
    with pytest.raises(ValueError, match="variance of the weights must be positive"):
        MarchenkoPastur(variance, aspect)


def test_a_turned_aspect_is_refused():
    with pytest.raises(ValueError, match="larger side over the smaller one, so at least 1, not 0.5"):
        MarchenkoPastur(1.0, 0.5)


# ---------------------------------------------------------------- power law


def drawn_tail(alpha: float, count: int, seed: int) -> np.ndarray:
    """A body without a tail below 1, and a power law above it."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.uniform(0, 1, count // 2), 1 + rng.pareto(alpha - 1, count)])


@pytest.mark.parametrize("alpha", [1.8, 2.5, 3.5])
def test_the_exponent_of_drawn_samples_is_found_back(alpha):
    law = power_law(drawn_tail(alpha, 2000, seed=1))

    assert abs(law.alpha - alpha) < 4 * law.error
    assert law.xmin > 0.7 and law.tail > 200
    assert law.ks < 0.04


@pytest.mark.parametrize("seed", range(3))
def test_the_power_law_equals_scipy_s_at_the_best_of_all_begins(seed):
    values = np.sort(drawn_tail(2.2, 60, seed))
    best = (np.inf, None, None, 0)
    for begin in values[:-1]:
        tail = values[values >= begin]
        exponent = stats.pareto.fit(tail, floc=0, fscale=begin)[0]
        distance = stats.kstest(tail, "pareto", args=(exponent, 0, begin)).statistic
        best = min(best, (distance, begin, exponent + 1, len(tail)))

    law = power_law(torch.from_numpy(values).flip(0))

    assert law.ks == pytest.approx(best[0], rel=1e-9)
    assert (law.xmin, law.tail) == (pytest.approx(best[1]), best[3])
    assert law.alpha == pytest.approx(best[2], rel=1e-6)


def test_the_exponent_does_not_depend_on_the_scale():
    values = drawn_tail(2.2, 100, seed=0)

    assert power_law(1e-6 * values).alpha == pytest.approx(power_law(values).alpha)


def test_too_few_eigenvalues_are_refused_with_the_reason():
    with pytest.raises(ValueError, match="needs 50 positive eigenvalues and this matrix has 49.*mostly chance"):
        power_law(np.linspace(1, 2, 49))
    with pytest.raises(ValueError, match="this matrix has 10"):
        power_law(np.concatenate([np.zeros(60), np.linspace(1, 2, 10)]))
    assert power_law(np.linspace(1, 2, 50)).tail >= 2


@pytest.mark.parametrize("bad", [[-1.0], [np.nan], [np.inf]])
def test_what_is_no_eigenvalue_is_refused(bad):
    with pytest.raises(ValueError, match="finite eigenvalues, none of them negative"):
        power_law(np.array(bad * 60))
    with pytest.raises(ValueError, match="one axis"):
        power_law(np.ones((60, 2)))


def test_equal_eigenvalues_have_no_tail():
    with pytest.raises(ValueError, match="All eigenvalues are equal"):
        power_law(np.ones(60))


def one_by_one(values: np.ndarray, ks: str) -> tuple[float, float, float, int]:
    """The law by one fit after another, each on its own tail: exponent, begin, distance and size of the tail."""
    values, fits = np.sort(values[values > 0]), []
    for begin in np.unique(values)[:-1]:
        rest = values[values >= begin]
        tail, count = np.log(rest / rest[0]), len(rest)
        alpha = 1 + count / tail.sum()
        expected = -np.expm1(-(alpha - 1) * tail)
        steps = np.arange(count + 1) / count
        two = max((steps[1:] - expected).max(), (expected - steps[:-1]).max())
        fits.append((two if ks == "two-sided" else np.abs(expected - steps[:-1]).max(), alpha, begin, count))
    distance, alpha, begin, count = min(fits, key=lambda fit: fit[0])
    return alpha, begin, distance, count


@pytest.mark.parametrize("ks", ["two-sided", "one-sided"])
@pytest.mark.parametrize("count", [50, 127, 128, 129, 700])
@pytest.mark.parametrize("ties", [False, True])
def test_trying_begins_in_blocks_gives_the_same_law_to_the_bit(ks, count, ties):
    values = np.random.default_rng(count).pareto(1.5, count)
    values = np.concatenate([np.zeros(3), values.round(1) + 0.1 if ties else values])

    law = power_law(values, ks=ks)

    assert (law.alpha, law.xmin, law.ks, law.tail) == one_by_one(values, ks)


def test_eigenvalues_come_as_arrays_or_as_tensors_of_any_precision():
    coarse = torch.from_numpy(drawn_tail(2.2, 100, seed=0)).bfloat16()
    law = power_law(coarse.double().numpy())

    assert power_law(coarse) == power_law(coarse.clone().requires_grad_()) == law


def test_other_distances_and_bounds_are_refused():
    with pytest.raises(ValueError, match="no distance 'left' between tail and law; choose one of two-sided, one-sided"):
        power_law(np.linspace(1, 2, 60), ks="left")
    with pytest.raises(ValueError, match="two eigenvalues at the very least, so `least` cannot be 1"):
        power_law(np.linspace(1, 2, 60), least=1)
    assert power_law(np.linspace(1, 2, 9), least=9).tail >= 2
