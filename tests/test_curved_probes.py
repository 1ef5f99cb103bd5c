"""Probes that bend: what they read that a line cannot, and that what they choose is chosen on validation samples."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.kernel_ridge import KernelRidge
from threadpoolctl import threadpool_info, threadpool_limits

from hyperlib.tasks.curved_probes import KernelProbe, NetworkProbe, TreeProbe
from hyperlib.tasks.intervals import score
from hyperlib.tasks.probes import LinearProbe

OF_MANY = [KernelProbe(), NetworkProbe(passes=80)]
of_many = pytest.mark.parametrize("probe", OF_MANY, ids=lambda probe: type(probe).__name__)


def curved(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features on very different scales; targets that no line fits, one of them noise alone."""
    random = np.random.default_rng(seed)
    features = random.uniform(-1, 1, size=(rows, 3))
    targets = np.column_stack([np.abs(features[:, 0]), np.sin(3 * features[:, 1]) ** 2, random.normal(size=rows)])
    return features * [1e-3, 1, 1e3], 1000 * targets + 5


@pytest.fixture(scope="module")
def parts():
    return [curved(rows, seed) for seed, rows in enumerate((600, 200, 300))]


@of_many
def test_many_targets_are_read_that_no_line_fits(probe, parts):
    train, val, test = parts
    said = clone(probe).fit(*train, val).predict(test[0])
    linear = LinearProbe().fit(*train, val).predict(test[0])

    for target in (0, 1):
        assert score(test[1][:, target], said[:, target]) > 0.85 > 0.3 > score(test[1][:, target], linear[:, target])
    assert score(test[1][:, 2], said[:, 2]) > -0.2  # nothing to learn, and little made up


@of_many
def test_a_probe_gives_the_same_again_and_each_row_alone(probe, parts):
    train, val, test = parts
    once, twice = (clone(probe).fit(*train, val) for _ in range(2))
    assert (once.predict(test[0]) == twice.predict(test[0])).all()
    np.testing.assert_allclose(once.predict(test[0][:1]), once.predict(test[0])[:1], rtol=1e-6)


@of_many
def test_a_target_alone_and_a_feature_that_never_changes_do_no_harm(probe, parts):
    train, val, test = ((np.column_stack([x, np.ones(len(x))]), y[:, :1]) for x, y in parts)
    said = clone(probe).fit(*train, val).predict(test[0])
    assert said.shape == test[1].shape and score(test[1][:, 0], said[:, 0]) > 0.8


@of_many
def test_what_is_not_finite_is_refused(probe, parts):
    train, val, _ = parts
    with pytest.raises(ValueError, match="features are not finite in row 0"):
        clone(probe).fit(np.full_like(train[0], np.nan), train[1], val)


def test_with_all_rows_as_landmarks_it_is_kernel_ridge_regression(parts):
    (x, y), val, (unseen, _) = parts
    x, y = x[:120], y[:120]
    probe = KernelProbe(widths=(0.3,), landmarks=120).fit(x, y[:, :1], (val[0], val[1][:, :1]))
    mean, spread = x.mean(0), x.std(0)
    reference = KernelRidge(alpha=probe.penalty_[0], kernel="rbf", gamma=0.3 / 3)
    reference.fit((x - mean) / spread, y[:, 0] - y[:, 0].mean())
    expected = reference.predict((unseen - mean) / spread) + y[:, 0].mean()
    assert np.corrcoef(expected, probe.predict(unseen)[:, 0])[0, 1] > 0.999


def test_width_and_penalty_are_those_with_the_least_error_on_validation_samples(parts):
    train, val, _ = parts
    found = KernelProbe(widths=(1e-3, 0.3, 30)).fit(*train, val)
    for target in (0, 1):
        losses = {}
        for width in (1e-3, 0.3, 30):
            one = KernelProbe(widths=(width,)).fit(*train, val)
            losses[width] = np.square(val[1] - one.predict(val[0])).sum(0)[target]
        assert found.width_[target] == min(losses, key=losses.get)
    with pytest.raises(ValueError, match="widths above zero"):
        KernelProbe(widths=(0.0,)).fit(*train, val)


def test_a_network_is_that_of_its_best_pass(parts):
    train, val, _ = parts
    long = NetworkProbe(passes=30).fit(*train, val)
    best = int(long.passes_[0])
    short = NetworkProbe(passes=best).fit(*train, val)
    assert (short.predict(val[0])[:, 0] == long.predict(val[0])[:, 0]).all()
    assert long.passes_[2] < 30  # noise: the first passes are the best


def test_a_stray_feature_sends_no_answer_of_a_network_far_off(parts):
    train, val, (unseen, truth) = parts
    probe = NetworkProbe(passes=20).fit(*train, val)
    unseen = unseen.copy()
    unseen[0] = 1e6
    assert np.ptp(probe.predict(unseen)[:, 0]) < 3 * np.ptp(truth[:, 0])


def test_trees_read_what_a_linear_probe_cannot():
    generator = np.random.default_rng(0)
    features, unseen = generator.uniform(-1, 1, size=(2, 400, 3))
    train, test = np.abs(features[:, 0]), np.abs(unseen[:, 0])

    trees = TreeProbe(trees=60).fit(features, train)
    linear = LinearProbe().fit(features, train[:, None], (features, train[:, None]))
    signs = TreeProbe(trees=20).fit(features, np.where(features[:, 1] > 0, "up", "down"))

    assert score(test, trees.predict(unseen)) > 0.9 > 0.2 > score(test, linear.predict(unseen)[:, 0])
    assert np.mean(signs.predict(unseen) == np.where(unseen[:, 1] > 0, "up", "down")) > 0.95


def test_as_many_trees_answer_as_are_best_on_validation_samples(parts):
    (x, y), (seen, truth), (unseen, _) = parts
    noise = TreeProbe(trees=40).fit(x, y[:, 2], (seen, truth[:, 2]))
    signal = TreeProbe(trees=40).fit(x, y[:, 0], (seen, truth[:, 0]))
    assert noise.trees_ < 10 < signal.trees_
    fewer = TreeProbe(trees=noise.trees_).fit(x, y[:, 2])
    np.testing.assert_allclose(noise.predict(unseen), fewer.predict(unseen))
    words = np.where(y[:, 0] > y[:, 0].mean(), "much", "little")
    named = TreeProbe(trees=40).fit(x, words, (seen, np.where(truth[:, 0] > y[:, 0].mean(), "much", "little")))
    assert set(named.predict(unseen)) == {"much", "little"} and 1 <= named.trees_ <= 40


def test_trees_take_one_core_whatever_the_process_has(parts, monkeypatch):
    (x, y), (seen, truth), _ = parts
    threads, fit = [], HistGradientBoostingRegressor.fit

    def watched(self, *given):
        threads.extend(pool["num_threads"] for pool in threadpool_info())
        return fit(self, *given)

    monkeypatch.setattr(HistGradientBoostingRegressor, "fit", watched)
    with threadpool_limits(2):
        TreeProbe(trees=3).fit(x, y[:, 0], (seen, truth[:, 0]))
    assert threads and set(threads) == {1}


def test_trees_are_fitted_on_a_capped_number_of_rows_the_same_ones_for_a_seed(parts):
    features, targets = parts[0]
    fitted = [TreeProbe(trees=5, rows=100, seed=seed).fit(features, targets[:, 0]) for seed in (1, 1, 2)]

    assert {probe.rows_ for probe in fitted} == {100}
    assert (fitted[0].predict(features) == fitted[1].predict(features)).all()
    assert (fitted[0].predict(features) != fitted[2].predict(features)).any()
