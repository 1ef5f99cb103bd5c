"""Samplers of latents: one contract for all, and what each keeps of the latents it has seen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KernelDensity

from hyperlib.tasks.latent_samplers import GAN, SAMPLERS, Flow
from hyperlib.tasks.sampling import BANDWIDTHS, KDE, READINGS, Gaussian, Neighbourhood, Prior, Sampler, Uniform, best

ALL = [
    Uniform(),
    Uniform(range="latents"),
    Prior(),
    *(KDE(reading) for reading in READINGS),
    KDE("joint", "silverman"),
    Gaussian(),
    Neighbourhood(),
    GAN(steps=20, hidden=16),
    Flow(steps=20, hidden=16),
]
LIGHT = [each for each in ALL if not isinstance(each, Neighbourhood)]
every = pytest.mark.parametrize("sampler", ALL, ids=lambda sampler: repr(sampler)[:40])
FRESH = """
from test_sampling import LIGHT, Neighbourhood, clone, drawn, latents_of
for sampler in {}:
    print(drawn(clone(sampler).fit(latents_of(40, 6))).numpy().tobytes().hex())
"""


def latents_of(rows: int, width: int, seed: int = 0) -> torch.Tensor:
    """Latents between -1 and 1 whose dimensions hang together and differ in width."""
    random = torch.Generator().manual_seed(seed)
    inner = torch.randn(rows, 3, generator=random) @ torch.randn(3, width, generator=random)
    return (inner * torch.linspace(0.1, 1, width)).tanh()


def drawn(sampler: Sampler, n: int = 5, seed: int = 1) -> torch.Tensor:
    return sampler.sample(n, torch.Generator().manual_seed(seed))


def shift_from_nearest(samples: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
    return samples - latents[torch.cdist(samples, latents).argmin(1)]


# -- all samplers ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def latents() -> torch.Tensor:
    return latents_of(40, 6)


@pytest.fixture(scope="module")
def fitted(latents) -> dict[str, Sampler]:
    return {repr(sampler): clone(sampler).fit(latents) for sampler in ALL}


@every
def test_contract_of_a_sampler(sampler, fitted, latents):
    mine, state = clone(sampler), (torch.get_rng_state(), np.random.get_state()[1].copy())
    given = latents.numpy().copy()
    assert mine.fit(given) is mine
    assert (given == latents.numpy()).all() and mine.get_params() == sampler.get_params()
    given[:] = 0  # what it learned is its own

    samples = drawn(mine)

    assert samples.shape == (5, 6) and samples.dtype == torch.float32 and samples.isfinite().all()
    assert torch.equal(samples, drawn(mine)) and not torch.equal(samples, drawn(mine, seed=2))
    assert torch.equal(samples, drawn(fitted[repr(sampler)]))  # of a tensor or an array
    assert not samples.requires_grad and samples.unique(dim=0).shape == samples.shape
    assert torch.equal(state[0], torch.get_rng_state()) and (state[1] == np.random.get_state()[1]).all()


@pytest.mark.parametrize("which", ["LIGHT", pytest.param("[Neighbourhood()]", marks=pytest.mark.slow)])
def test_a_new_process_with_more_threads_draws_the_same(which, fitted):
    tests = Path(__file__).parent
    said = subprocess.run(
        [sys.executable, "-c", FRESH.format(which)],
        cwd=tests,
        env={**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "PYTHONPATH": str(tests.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    samplers = LIGHT if which == "LIGHT" else [Neighbourhood()]
    assert said.stdout.split() == [drawn(fitted[repr(sampler)]).numpy().tobytes().hex() for sampler in samplers]


@every
def test_what_no_sampler_can_use_is_refused(sampler, fitted, latents, generator):
    with pytest.raises(NotFittedError):
        clone(sampler).sample(1, generator)
    for n in (0, -1, 2.5, True, "3", None):
        with pytest.raises(ValueError, match="number of vectors to draw is a whole number from 1 on, not"):
            fitted[repr(sampler)].sample(n, generator)
    for wrong in (None, 3, np.random.default_rng(0)):
        with pytest.raises(TypeError, match="Draw with a torch.Generator of the CPU"):
            fitted[repr(sampler)].sample(1, wrong)
    for shape in ((40,), (4, 5, 6), (40, 0)):
        with pytest.raises(ValueError, match=r"matrix \[samples, latent\], not of shape"):
            clone(sampler).fit(np.zeros(shape))
    with pytest.raises(ValueError, match=f"learns from {sampler.needs} latents or more, not from {sampler.needs - 1}"):
        clone(sampler).fit(latents[: sampler.needs - 1])
    for value in (torch.nan, torch.inf):
        broken = latents.clone()
        broken[7, 2] = value
        with pytest.raises(ValueError, match="not finite in row 7"):
            clone(sampler).fit(broken)


@pytest.mark.parametrize("sampler", LIGHT, ids=repr)
@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_left_as_they_were(sampler, threads, latents, fitted):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    assert torch.equal(drawn(clone(sampler).fit(latents)), drawn(fitted[repr(sampler)]))
    assert torch.get_num_threads() == threads
    torch.set_num_threads(before)


RELATIVE = [Uniform("latents"), *(KDE(reading, 0.2, relative=True) for reading in READINGS), *ALL[6:]]


@pytest.mark.parametrize("sampler", RELATIVE, ids=lambda sampler: repr(sampler)[:40])
def test_a_dimension_that_never_changes_stays(sampler, latents):
    samples = drawn(clone(sampler).fit(torch.cat([latents, torch.full((40, 1), 0.3)], 1)))
    torch.testing.assert_close(samples[:, 6], torch.full((5,), 0.3))


def test_every_name_makes_a_new_sampler_with_published_settings_where_there_are_any():
    made = {name: (make(), make()) for name, make in SAMPLERS.items()}
    kernels = [f"kde_{reading}" for reading in ("released", "independent", "joint")]
    assert list(made) == ["uniform", "neighbourhood", *kernels, "gaussian", "gan", "flow"]
    assert all(isinstance(one, Sampler) and one is not two for one, two in made.values())
    assert [made[f"kde_{reading}"][0].reading for reading in READINGS] == list(READINGS)
    assert BANDWIDTHS["released"] == 0.002 and made["neighbourhood"][0].seed == 42


# -- uniform ---------------------------------------------------------------------------------------------------


def test_uniform_samples_fill_the_box_and_nothing_else(latents):
    apart = latents * 5 + 3
    for sampler, low, high in (
        (Uniform(), -torch.ones(6), torch.ones(6)),
        (Uniform(range="latents"), apart.amin(0), apart.amax(0)),
    ):
        inside = ((drawn(sampler.fit(apart), 4000) - low) / (high - low)).numpy()
        for column in inside.T:
            assert stats.kstest(column, "uniform").pvalue > 1e-3
        assert np.abs(np.corrcoef(inside.T)[np.triu_indices(6, 1)]).max() < 4 / 4000**0.5


# -- kernel density --------------------------------------------------------------------------------------------


def test_released_samples_are_training_latents_and_one_shift_as_with_one_random_state_for_all_dimensions(latents):
    released = [
        KernelDensity(bandwidth=0.002).fit(column[:, None]).sample(300, random_state=42)[:, 0]
        for column in latents.double().numpy().T
    ]
    theirs = torch.from_numpy(np.stack(released, 1))
    ours = drawn(KDE("released").fit(latents), 300).double()

    shifts = [shift_from_nearest(samples, latents.double()) for samples in (theirs, ours)]
    for shift in shifts:
        torch.testing.assert_close(shift, shift[:, :1].expand(-1, 6), rtol=0, atol=1e-6)
        assert stats.kstest(shift[:, 0].numpy() / 0.002, "norm").pvalue > 1e-3
    chosen = torch.cdist(ours, latents.double()).argmin(1).bincount(minlength=40)
    assert stats.chisquare(chosen).pvalue > 1e-3


def test_independent_samples_are_distributed_as_those_of_a_density_per_dimension(latents):
    ours = drawn(KDE("independent", 0.2).fit(latents), 3000).numpy()

    for place, column in enumerate(latents.numpy().T):
        theirs = KernelDensity(bandwidth=0.2).fit(column[:, None]).sample(3000, random_state=place)[:, 0]
        assert stats.ks_2samp(ours[:, place], theirs).pvalue > 1e-3
    correlations = np.corrcoef(ours.T)[np.triu_indices(6, 1)]
    assert np.abs(correlations).max() < 4.5 / 3000**0.5
    assert np.abs(np.corrcoef(latents.numpy().T)[np.triu_indices(6, 1)]).max() > 0.5


def test_joint_samples_are_likely_under_the_density_that_they_are_drawn_from(latents):
    density = KernelDensity(bandwidth=0.05).fit(latents.numpy())
    theirs = density.score_samples(density.sample(3000, random_state=0))
    ours = density.score_samples(drawn(KDE("joint", 0.05).fit(latents), 3000).numpy())
    moved = density.score_samples(drawn(KDE("independent", 0.05).fit(latents), 3000).numpy())

    assert stats.ks_2samp(ours, theirs).pvalue > 1e-3
    assert np.median(moved) < np.median(theirs) - 10


@pytest.mark.parametrize("reading", READINGS)
def test_covariance_of_samples_is_that_of_the_latents_as_far_as_the_reading_keeps_it(reading, latents):
    seen, width = np.cov(latents.double().numpy().T, ddof=0), 0.3
    noise = width**2 * (np.ones((6, 6)) if reading == "released" else np.eye(6))
    kept = np.diag(np.diag(seen)) if reading == "independent" else seen

    found = np.cov(drawn(KDE(reading, width).fit(latents), 40_000).double().numpy().T)

    np.testing.assert_allclose(found, kept + noise, atol=0.015)


@pytest.mark.parametrize("rule", ["scott", "silverman"])
def test_rules_are_those_of_scipy(rule, latents):
    x = latents.double().numpy()
    alone = [stats.gaussian_kde(column, bw_method=rule).covariance.item() ** 0.5 for column in x.T]
    together = stats.gaussian_kde(x.T + np.random.default_rng(0).normal(size=x.T.shape), bw_method=rule).factor

    np.testing.assert_allclose(KDE("independent", rule).fit(x).noise_, alone)
    np.testing.assert_allclose(KDE("released", rule).fit(x).noise_, alone)
    np.testing.assert_allclose(KDE("joint", rule).fit(x).noise_, together * x.std(0, ddof=1))
    many = KDE("joint", rule).fit(np.random.default_rng(0).normal(size=(1000, 700)))
    assert (many.noise_ / many.rows_.std(0) > 0.98).all()  # the rule says nothing any more


def test_a_number_counts_in_the_latents_units_or_in_deviations(latents):
    for bandwidth, number in ((0.2, 0.2), ("sane", 0.2), ("released", 0.002), (np.float32(0.5), 0.5), (1, 1)):
        assert KDE(bandwidth=bandwidth).fit(latents).noise_.tolist() == [number] * 6
        relative = KDE(bandwidth=bandwidth, relative=True).fit(latents).noise_
        torch.testing.assert_close(relative, number * latents.double().std(0))


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        (KDE("marginal"), "no reading 'marginal'; choose one of joint, independent, released"),
        (Uniform("tanh"), "no range 'tanh'; choose one of released, latents"),
        (Neighbourhood(-1), "UMAP's seed is a whole number from 0 on of at most 32 bits, not -1"),
        *(
            (KDE(bandwidth=wrong), "bandwidth is a number above 0, or one of released, sane, scott, silverman, not")
            for wrong in (0, -1, np.nan, np.inf, True, None, "wide", [0.1])
        ),
    ],
)
def test_settings_that_mean_nothing_are_refused(sampler, message, latents):
    with pytest.raises(ValueError, match=message):
        sampler.fit(latents)


# -- normal distribution and neighbourhood ---------------------------------------------------------------------


def test_a_block_of_dimensions_is_drawn_together(latents):
    """A token's latents come from one training vector, if there is hardly any noise; single dimensions do not."""
    rows = torch.as_tensor(latents).double()
    together = drawn(KDE("independent", 1e-9, block=3).fit(latents), 200).double()
    known = rows.unflatten(1, (2, 3)).transpose(0, 1)  # [blocks, rows, 3]
    nearest = torch.cdist(together.unflatten(1, (2, 3)).transpose(0, 1), known).min(2)
    assert nearest.values.max() < 1e-6
    assert not torch.equal(nearest.indices[0], nearest.indices[1])
    alone = drawn(KDE("independent", 1e-9).fit(latents), 200).double()
    apart = torch.cdist(alone.unflatten(1, (2, 3)).transpose(0, 1), known).min(2)
    assert apart.values.median() > 1e-3

    released = drawn(KDE("released", 0.2, block=3).fit(latents), 50).double()
    moved = released[:, None] - rows  # of one row the move is the same in both blocks
    same = (moved[..., :3] - moved[..., 3:]).abs().amax(-1).amin(1)
    assert same.max() < 1e-5
    whole = KDE("independent", 0.2, block=6).fit(latents)
    torch.testing.assert_close(drawn(whole, 20), drawn(KDE("joint", 0.2).fit(latents), 20))
    for wrong in (4, 0, 1.5):
        with pytest.raises(ValueError, match="6 latents are not evenly in blocks"):
            KDE(block=wrong).fit(latents)


def test_the_prior_does_not_look_at_latents(latents):
    samples = drawn(Prior().fit(latents), 5000)
    assert torch.equal(samples, drawn(Prior().fit(100 + 3 * torch.as_tensor(latents)), 5000))
    assert samples.std() == pytest.approx(10, rel=0.02) and abs(float(samples.mean())) < 0.2
    with pytest.raises(ValueError, match="deviation is a number above 0, not 0"):
        Prior(0).fit(latents)


def test_gaussian_samples_have_mean_and_covariance_of_the_latents(latents):
    x = latents.double().numpy()
    samples = drawn(Gaussian().fit(x), 40_000).double().numpy()

    np.testing.assert_allclose(samples.mean(0), x.mean(0), atol=0.015)
    np.testing.assert_allclose(np.cov(samples.T), np.cov(x.T), atol=0.015)
    direction = np.linalg.eigh(np.cov(x.T))[1][:, -1]
    assert stats.kstest(stats.zscore(samples @ direction), "norm").pvalue > 1e-3


def test_gaussian_samples_of_few_latents_lie_in_the_flat_that_these_span():
    few = latents_of(3, 50)
    samples = drawn(Gaussian().fit(few), 20)

    flat = few[1:] - few[0]
    assert torch.linalg.matrix_rank(torch.cat([flat, samples - few[0]]), atol=1e-4) == 2
    assert torch.cdist(samples, few).min() > 1e-3


def test_neighbourhood_draws_between_the_latents_and_near_their_mean(latents):
    wide = torch.cat([latents] * 10, 1) + 5
    sampler = Neighbourhood(seed=3).fit(wide)
    samples = drawn(sampler, 20)

    assert sampler.low_.shape == (3,) and (sampler.low_ < sampler.high_).all()
    assert sampler.mapper_.n_neighbors == 15
    centre = wide.mean(0)
    assert (samples - centre).norm(dim=1).mean() < (wide - centre).norm(dim=1).mean()
    assert torch.cdist(samples, wide).min() > 1e-3  # new ones


def test_neighbourhood_of_few_latents_takes_all_others_as_neighbours(latents):
    sampler = Neighbourhood().fit(latents[:6])
    assert sampler.mapper_.n_neighbors == 5 and drawn(sampler, 1).isfinite().all()


# -- the best --------------------------------------------------------------------------------------------------


def test_the_best_are_those_at_or_above_the_quantile_in_their_order(latents):
    scores = np.random.default_rng(0).permutation(40) / 40
    chosen = best(latents, scores)

    assert isinstance(chosen, torch.Tensor) and torch.equal(chosen, latents[torch.from_numpy(scores >= 28 / 40)])
    np.testing.assert_array_equal(best(latents.numpy(), torch.from_numpy(scores)), chosen.numpy())
    assert len(best(latents, scores, share=1)) == 40 and len(best(latents, scores, share=0.01)) == 1
    assert len(best(latents, np.ones(40))) == 40  # all are as good


@pytest.mark.parametrize(
    ("scores", "share", "message"),
    [
        (np.zeros(39), 0.3, r"one score for each of the 40 latents, not scores of shape \(39,\)"),
        (np.zeros((40, 1)), 0.3, r"not scores of shape \(40, 1\)"),
        (np.where(np.arange(40) == 4, np.nan, 1), 0.3, "Score 4 is not finite"),
        *((np.zeros(40), share, "share is above 0 and at most 1, not") for share in (0, 30, -0.3, np.nan, True, "30")),
    ],
)
def test_the_best_of_what_cannot_be_ranked_are_refused(scores, share, message, latents):
    with pytest.raises(ValueError, match=message):
        best(latents, scores, share)
