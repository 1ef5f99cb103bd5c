"""The GAN and the flow: they learn shapes that no normal distribution has, and do not copy what they have seen."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.base import clone

from hyperlib.tasks.latent_samplers import GAN, Flow
from hyperlib.tasks.sampling import KDE, Gaussian, Sampler

LEARNED = [GAN(steps=700, hidden=64), Flow(steps=700, hidden=64, rate=5e-3)]
learned = pytest.mark.parametrize("sampler", LEARNED, ids=lambda sampler: type(sampler).__name__)


def ring(rows: int, seed: int) -> torch.Tensor:
    """Points on an ellipse off the centre, with a little noise: its middle is empty."""
    random = torch.Generator().manual_seed(seed)
    angle, radius = torch.rand(rows, generator=random) * 2 * math.pi, 1 + 0.05 * torch.randn(rows, generator=random)
    return torch.stack([3 * radius * angle.cos(), radius * angle.sin()], 1) + 5


def radius(points: torch.Tensor) -> torch.Tensor:
    return ((points - 5) / torch.tensor([3.0, 1.0])).norm(dim=1)


def clusters(rows: int, seed: int, width: int = 60) -> torch.Tensor:
    """Four correlated clusters in ten dimensions, seen in more of them with a little noise."""
    fixed, random = torch.Generator().manual_seed(0), torch.Generator().manual_seed(seed)
    centres, stretch = 3 * torch.randn(4, 10, generator=fixed), torch.randn(10, 10, generator=fixed) / 4
    seen_as = torch.randn(10, width, generator=fixed) / 10**0.5
    inner = centres[torch.randint(4, (rows,), generator=random)] + torch.randn(rows, 10, generator=random) @ stretch
    return inner @ seen_as + 0.05 * torch.randn(rows, width, generator=random)


def apart(some: torch.Tensor, others: torch.Tensor) -> float:
    """Energy distance (Székely and Rizzo 2013) between two distributions, without bias: 0 if they are one."""
    within = [torch.cdist(x, x).sum() / (len(x) * (len(x) - 1)) for x in (some, others)]
    return float(2 * torch.cdist(some, others).mean() - sum(within))


def nearest(points: torch.Tensor, train: torch.Tensor) -> float:
    """Median distance to the nearest of the points that were seen."""
    return float(torch.cdist(points, train).amin(1).median())


def drawn(sampler: Sampler, n: int = 1000) -> torch.Tensor:
    return sampler.sample(n, torch.Generator().manual_seed(9))


@pytest.fixture(scope="module")
def rings() -> tuple[torch.Tensor, torch.Tensor]:
    return ring(800, 0), ring(1000, 1)


@pytest.fixture(scope="module")
def on_rings(rings) -> dict[str, torch.Tensor]:
    """Samples of each sampler after it has seen the first ring."""
    return {type(sampler).__name__: drawn(clone(sampler).fit(rings[0])) for sampler in (*LEARNED, Gaussian())}


@learned
@pytest.mark.slow
def test_a_ring_comes_out_as_a_ring(sampler, rings, on_rings):
    samples, (_, fresh) = on_rings[type(sampler).__name__], rings

    assert ((radius(samples) - 1).abs() < 0.3).float().mean() > 0.8
    assert ((radius(on_rings["Gaussian"]) - 1).abs() < 0.3).float().mean() < 0.5
    assert apart(samples, fresh) < 0.6 * apart(on_rings["Gaussian"], fresh)
    torch.testing.assert_close(samples.mean(0), fresh.mean(0), rtol=0, atol=0.4)
    torch.testing.assert_close(samples.std(0), fresh.std(0), rtol=0.2, atol=0)
    angles = torch.atan2(samples[:, 1] - 5, (samples[:, 0] - 5) / 3)
    assert (torch.histc(angles, 8, -math.pi, math.pi) > 40).all()  # no part of it is left out


@learned
def test_samples_are_as_far_from_those_seen_as_fresh_points_are(sampler, rings, on_rings):
    train, fresh = rings
    copies = drawn(KDE("released").fit(train))

    assert nearest(on_rings[type(sampler).__name__], train) > 0.7 * nearest(fresh, train)
    assert nearest(copies, train) < 0.2 * nearest(fresh, train)


@pytest.mark.slow
def test_a_flow_learns_clusters_in_many_dimensions_and_copies_none():
    train, fresh = clusters(600, 1), clusters(1000, 2)
    flow, gaussian = Flow(components=10, steps=1000, hidden=128, rate=5e-3).fit(train), Gaussian().fit(train)
    samples = drawn(flow)

    assert apart(samples, fresh) < 0.2 * apart(drawn(gaussian), fresh)
    assert 0.8 < nearest(samples, train) / nearest(fresh, train) < 1.5
    assert flow.axes_.shape == (10, 60) and flow.history_["val_loss"].min() < 0.95 * flow.history_["val_loss"][0]


@pytest.mark.parametrize("components", [3, 12, None])
@pytest.mark.parametrize("steps", [0, 100])
@pytest.mark.slow
def test_mean_and_covariance_of_a_flow_are_those_of_the_latents(components, steps):
    train = clusters(200, 1, width=20)
    samples = drawn(Flow(components=components, steps=steps, hidden=32).fit(train), 20_000)

    covariance = train.T.cov()
    torch.testing.assert_close(samples.mean(0), train.mean(0), rtol=0, atol=0.3)  # of about 3
    assert (samples.T.cov() - covariance).norm() < 0.08 * covariance.norm()


def test_an_untrained_flow_is_the_normal_distribution(rings):
    train, _ = rings
    samples = drawn(Flow(steps=0).fit(train))

    assert apart(samples, drawn(Gaussian().fit(train))) < 0.01
    assert ((radius(samples) - 1).abs() < 0.3).float().mean() < 0.5


@pytest.mark.slow
def test_a_flow_that_has_nothing_to_learn_stops_where_it_began():
    noise = torch.randn(60, 30, generator=torch.Generator().manual_seed(0))
    flow = Flow(steps=200, hidden=256).fit(noise)

    least = flow.history_["val_loss"].idxmin()
    assert flow.steps_ == flow.history_["step"][least] < 100
    assert flow.history_["val_loss"].iloc[-1] > 1.1 * flow.history_["val_loss"][least]  # it learned these by heart
    fresh = torch.randn(1000, 30, generator=torch.Generator().manual_seed(1))
    assert nearest(drawn(flow), noise) > 0.85 * nearest(fresh, noise)


def test_a_flow_in_fewer_latents_than_dimensions_stays_in_their_flat():
    few = clusters(25, 1, width=100)
    samples = drawn(Flow(steps=20, hidden=16).fit(few), 60)

    centred = (few - few.mean(0)).double()
    outside = (samples - few.mean(0)).double()
    outside = outside - outside @ torch.linalg.pinv(centred) @ centred
    assert outside.norm() < 1e-4 * samples.norm()


@learned
def test_training_depends_on_its_seed_alone(sampler, rings):
    train, _ = rings
    short = clone(sampler).set_params(steps=15)
    one, same, other = (drawn(clone(short).set_params(seed=seed).fit(train)) for seed in (1, 1, 2))

    assert torch.equal(one, same) and not torch.equal(one, other)


@learned
def test_units_do_not_matter(sampler, rings):
    train = rings[0].double().numpy()
    short = clone(sampler).set_params(steps=15)
    small, large = (drawn(clone(short).fit(train * unit)) for unit in (2.0**-20, 2.0**20))

    torch.testing.assert_close(small * 2.0**40, large, rtol=1e-3, atol=1e-3 * float(large.abs().max()))


@learned
def test_latents_that_are_all_equal_have_nothing_to_teach_a_flow(sampler):
    same = np.full((30, 4), 0.1)
    if isinstance(sampler, GAN):
        assert (drawn(GAN(steps=2, hidden=4).fit(same)) == np.float32(0.1)).all()
        return
    with pytest.raises(ValueError, match="all equal, so there is nothing for a flow to learn"):
        clone(sampler).fit(same)


@learned
def test_training_that_diverges_says_so(sampler, rings):
    with pytest.raises(ValueError, match=f"training of this {type(sampler).__name__} diverged; give it a lower rate"):
        clone(sampler).set_params(rate=1e30, steps=10).fit(rings[0])


@learned
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        *(({"steps": wrong}, "steps is a whole number from 0 on, not") for wrong in (-1, 1.5, None, True)),
        ({"hidden": 0}, "hidden is a whole number from 1 on, not 0"),
        ({"batch_size": 0.5}, "batch_size is a whole number from 1 on, not 0.5"),
        *(({"rate": wrong}, "rate is a number above 0, not") for wrong in (0, -1e-3, math.nan, math.inf, "fast")),
        ({"seed": 0.5}, "seed is a whole number"),
    ],
)
def test_settings_that_mean_nothing_are_refused(sampler, setting, message, rings):
    with pytest.raises(ValueError, match=message):
        clone(sampler).set_params(**setting).fit(rings[0])


@pytest.mark.parametrize("components", [0, -1, 2.5, "all"])
def test_components_are_a_count_or_none(components, rings):
    with pytest.raises(ValueError, match="components is a whole number from 1 on, not"):
        Flow(components=components).fit(rings[0])


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.slow
def test_one_component_is_enough(width, generator):
    line = torch.randn(60, 1, generator=generator) @ torch.ones(1, width) * 2 + 5
    drawn = Flow(components=1, steps=20).fit(line).sample(500, generator)

    assert drawn.shape == (500, width)
    torch.testing.assert_close(drawn.mean(0), line.mean(0), rtol=0.1, atol=0.3)
    torch.testing.assert_close(drawn.std(0), line.std(0), rtol=0.15, atol=0)
