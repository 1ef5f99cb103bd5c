"""Probes against scikit-learn, intervals against resampled loops, tables against their parts."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import kendalltau
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.pipeline import Pipeline

from hyperlib.representations.baselines import Hyperparameters, LayerStatistics, RawWeights
from hyperlib.representations.controls import controls
from hyperlib.tasks.intervals import ModelBootstrap, paired_difference, score
from hyperlib.tasks.probes import PENALTIES, BesideClock, LinearProbe, SoftmaxProbe
from hyperlib.tasks.probing import BESIDE, CONTROL_PROBES, TABLE, probe_table, run_probes
from hyperlib.weightspace.architectures import tetris_mlp
from hyperlib.zoos.zoo import Samples

EMBEDDERS = {"W": RawWeights(), "s(W)": LayerStatistics()}


def problem(samples: int, latent: int, targets: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of very different scale, and noisy linear targets far from zero."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(samples, latent)) * 10.0 ** np.linspace(-2, 1, latent)
    noise = np.arange(1, targets + 1) * generator.normal(size=(samples, targets))
    return features, features @ np.random.default_rng(99).normal(size=(latent, targets)) + noise + 5


def models_with_signal(models: int, epochs: int = 4, first: int = 0, seed: int = 0) -> Samples:
    """Weights whose spread is the accuracy; the optimiser shows in the sign of the second layer."""
    generator = np.random.default_rng([seed, first])
    model = np.repeat(np.arange(first, first + models), epochs)
    accuracy = generator.uniform(0.2, 1.0, models * epochs)
    optimizer = generator.choice(["adam", "sgd"], models)[model - first]
    weights = generator.normal(size=(len(model), 100)) * accuracy[:, None]
    weights[:, 80:] += np.where(optimizer == "adam", 2.0, -2.0)[:, None]
    table = pd.DataFrame({"model": model, "epoch": np.tile(np.arange(epochs), models), "test_accuracy": accuracy})
    table = table.assign(optimizer=optimizer, lr=0.1, early=table["epoch"] < 2)
    return Samples(torch.from_numpy(weights).float(), table, tetris_mlp())


@pytest.fixture(scope="module")
def parts() -> tuple[Samples, Samples, Samples]:
    return models_with_signal(60), models_with_signal(15, first=100), models_with_signal(20, first=200)


# -- the linear probe ------------------------------------------------------------------------------------------


def test_penalties_are_the_published_grid():
    assert len(PENALTIES) == 17
    assert (PENALTIES[0], PENALTIES[1], PENALTIES[2], PENALTIES[-1]) == (1e3, 3e2, 1e2, 1e-5)
    assert list(PENALTIES) == sorted(PENALTIES, reverse=True)


@pytest.mark.parametrize("latent", [1, 12, 150], ids=["one", "few", "more-features-than-samples"])
@pytest.mark.parametrize("penalty", [1e3, 1.0, 1e-3])
def test_linear_probe_is_ridge_on_features_with_a_penalised_column_of_ones(latent, penalty):
    (features, targets), (unseen, _) = problem(80, latent), problem(30, latent, seed=1)
    probe = LinearProbe(penalties=(penalty,)).fit(features, targets, (features, targets))
    ridge = Ridge(alpha=penalty, fit_intercept=False, solver="svd")
    ridge.fit(np.column_stack([features, np.ones(80)]), targets)

    np.testing.assert_allclose(probe.coefficients_, ridge.coef_.T, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(probe.predict(unseen), ridge.predict(np.column_stack([unseen, np.ones(30)])), rtol=1e-6)


@pytest.mark.parametrize("latent", [10, 60])
def test_each_target_has_the_penalty_that_is_best_on_validation_models(latent):
    (features, targets), validation = problem(50, latent, targets=4), problem(40, latent, targets=4, seed=1)
    targets[:, 3] = np.random.default_rng(5).normal(size=50)  # nothing to learn: the strongest penalty wins

    probe = LinearProbe().fit(features, targets, validation)
    single = [LinearProbe(penalties=(p,)).fit(features, targets, validation) for p in PENALTIES]
    r2 = np.array([r2_score(validation[1], one.predict(validation[0]), multioutput="raw_values") for one in single])

    assert probe.penalty_.tolist() == [PENALTIES[place] for place in r2.argmax(0)]
    assert len(set(probe.penalty_)) > 1
    for target, place in enumerate(r2.argmax(0)):
        np.testing.assert_allclose(probe.coefficients_[:, target], single[place].coefficients_[:, target])


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e6 / 3, -7e-9])
@pytest.mark.parametrize("noise", [0.0, 1e-12, 0.1])
@pytest.mark.parametrize("next_to", ["itself", "its neighbour"])
def test_a_column_that_does_not_change_tells_nothing(value, noise, next_to):
    """Its deviation over the training samples is rounding, and must not be divided by."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(60, 5))
    targets = features[:, :1] * 2
    features[:, 2] = value
    features[:40:2, 2] = value if next_to == "itself" else np.nextafter(value, np.inf)
    features[50:, 2] *= 1 + noise
    probe = LinearProbe(standardise=True).fit(features[:40], targets[:40], (features[40:50], targets[40:50]))
    np.testing.assert_allclose(probe.predict(features[50:]), targets[50:], atol=1e-4)


def test_published_probe_depends_on_units_and_the_standardised_one_does_not():
    (features, targets), validation = problem(50, 12), problem(40, 12, seed=1)
    scale = 10.0 ** np.arange(-6, 6)
    shifted = (features * scale + scale, targets, (validation[0] * scale + scale, validation[1]))

    def predict(given, **variant) -> np.ndarray:
        return LinearProbe(penalties=(1.0,), **variant).fit(*given).predict(given[0])

    plain = (features, targets, validation)
    assert not np.allclose(predict(shifted), predict(plain), rtol=0.1)
    np.testing.assert_allclose(predict(shifted, standardise=True), predict(plain, standardise=True))


def test_constant_features_do_no_harm():
    (features, targets), validation = problem(50, 4), problem(40, 4, seed=1)
    features[:, 2] = validation[0][:, 2] = 3.0

    for standardise in (False, True):
        probe = LinearProbe(standardise=standardise).fit(features, targets, validation)
        assert np.isfinite(probe.coefficients_).all()


@pytest.mark.parametrize("place", ["features", "targets", "validation features", "validation targets"])
def test_a_probe_refuses_what_is_not_finite(place):
    values = dict(zip(["features", "targets"], problem(20, 3), strict=True))
    values |= dict(zip(["validation features", "validation targets"], problem(20, 3, seed=1), strict=True))
    values[place][4, 1] = np.nan
    features, targets, *validation = values.values()

    with pytest.raises(ValueError, match=f"The {place} are not finite in row 4"):
        LinearProbe().fit(features, targets, tuple(validation))


def test_a_linear_probe_refuses_meaningless_settings(no_shape_checks):
    features, targets = problem(20, 3)
    for penalties in ((), (1.0, 0.0), (-1.0,)):
        with pytest.raises(ValueError, match="penalties above zero"):
            LinearProbe(penalties=penalties).fit(features, targets, (features, targets))
    with pytest.raises(ValueError, match=r"targets \[samples, targets\], not \[20\]"):
        LinearProbe().fit(features, targets[:, 0], (features, targets))


# -- the other probes ------------------------------------------------------------------------------------------


def test_softmax_probe_finds_the_category_and_the_best_penalty(parts):
    train, val, test = ((s.weights.double().numpy(), s.table["optimizer"].to_numpy(dtype=object)) for s in parts)

    probe = SoftmaxProbe().fit(*train, val)
    mean, spread = train[0].mean(0), train[0].std(0)
    reference = LogisticRegression(C=1 / probe.penalty_, max_iter=500).fit((train[0] - mean) / spread, train[1])

    accuracy = {p: np.mean(SoftmaxProbe((p,)).fit(*train, val).predict(val[0]) == val[1]) for p in (1e3, 1e0, 1e-2)}

    assert probe.converged_
    assert np.mean(probe.predict(test[0]) == test[1]) > 0.95
    assert (probe.predict(test[0]) == reference.predict((test[0] - mean) / spread)).all()
    best = max(accuracy, key=accuracy.get)  # the first of equals: the strongest
    assert SoftmaxProbe((1e-2, 1e3, 1e0)).fit(*train, val).penalty_ == best
    assert not SoftmaxProbe(iterations=1).fit(*train, val).converged_
    with pytest.raises(ValueError, match="category 'adam'; there is nothing to tell apart"):
        SoftmaxProbe().fit(train[0], np.full(len(train[0]), "adam", dtype=object), val)


# -- intervals over models -------------------------------------------------------------------------------------


def test_r2_is_about_the_mean_of_the_test_samples():
    truth, prediction = np.random.default_rng(0).normal(size=(2, 50)) + 3

    assert score(truth, prediction) == pytest.approx(r2_score(truth, prediction))
    assert score(truth, np.full(50, truth.mean())) == pytest.approx(0)
    assert np.isnan(score(np.ones(5), np.arange(5.0)))


@pytest.mark.parametrize("metric", ["r2", "accuracy"])
def test_every_draw_scores_the_samples_of_the_drawn_models(metric):
    generator = np.random.default_rng(0)
    groups = np.repeat([7, 3, 11, 5], [4, 1, 6, 3])  # models have different numbers of checkpoints
    truth, prediction = generator.integers(3, size=(2, 14)).astype(float) + 1e3
    draws = ModelBootstrap.draw(groups, draws=50, seed=3)

    def plain(counts: np.ndarray) -> float:
        rows = np.repeat(np.arange(14), counts[np.searchsorted([3, 5, 7, 11], groups)])
        return score(truth[rows], prediction[rows], metric)

    assert draws.counts.sum(1).tolist() == [4] * 50
    np.testing.assert_allclose(
        draws.scores(truth, prediction, metric), [plain(row) for row in draws.counts], rtol=1e-8, atol=1e-9
    )


def inside(rows: list[int], whole: np.ndarray, truth: np.ndarray, prediction: np.ndarray, drawn: bool) -> float:
    """R² inside strata in plain Python, of all samples (`whole` names their strata) or of a draw of their rows."""
    found = []
    for stratum in sorted(set(whole.tolist())):
        own, n = [row for row in rows if whole[row] == stratum], int((whole == stratum).sum())
        if n < 2 or len({truth[row] for row in own}) < 2:
            continue
        mean = sum(truth[row] for row in own) / len(own)
        error = sum((truth[row] - prediction[row]) ** 2 for row in own) / len(own)
        variance = sum((truth[row] - mean) ** 2 for row in own) / (len(own) - 1)
        found.append(error / variance * ((n - 1) / n if drawn else 1))
    return 1 - sum(found) / len(found) if found else np.nan


@pytest.mark.parametrize("strata", ["three", "one of a single sample", "one that is constant", "single samples alone"])
def test_inside_strata_scores_and_draws_are_means_of_what_each_stratum_gives(strata):
    generator = np.random.default_rng(0)
    groups, epochs = np.repeat([7, 3, 11, 5], [4, 1, 6, 3]), generator.choice([2, 5, 30], 14)
    truth, prediction = generator.normal(size=(2, 14)) + 10 * epochs
    if strata == "one of a single sample":
        epochs[4] = 1
    elif strata == "one that is constant":
        truth[epochs == 5] = 0.1
    elif strata == "single samples alone":
        epochs = np.arange(14)
    draws = ModelBootstrap.draw(groups, draws=50, seed=3)
    drawn = [np.repeat(np.arange(14), row[np.searchsorted([3, 5, 7, 11], groups)]).tolist() for row in draws.counts]

    expected = [inside(rows, epochs, truth, prediction, drawn=True) for rows in drawn]
    np.testing.assert_allclose(draws.scores(truth, prediction, strata=epochs), expected, rtol=1e-7, atol=1e-8)
    whole = inside(list(range(14)), epochs, truth, prediction, drawn=False)
    assert score(truth, prediction, strata=epochs) == pytest.approx(whole, nan_ok=True)
    assert np.isnan(whole) == np.isnan(expected).all() == (strata == "single samples alone")


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e6 / 3, -7e-9])
def test_a_constant_stratum_and_a_single_sample_say_nothing_about_the_others(value):
    generator, models, epochs = np.random.default_rng(0), np.repeat(np.arange(20), 3), np.tile([1, 5, 30], 20)
    truth, prediction = generator.normal(size=(2, 60))
    truth[epochs == 5] = value
    epochs[0], others = 77, epochs != 5  # and a sample that is alone
    others[0] = False
    draws = ModelBootstrap.draw(models, draws=50)
    rest = ModelBootstrap(draws.model[others], draws.counts)

    assert score(truth, prediction, strata=epochs) == score(truth[others], prediction[others], strata=epochs[others])
    np.testing.assert_allclose(
        draws.scores(truth, prediction, strata=epochs),
        rest.scores(truth[others], prediction[others], strata=epochs[others]),
    )
    assert np.isnan(score(truth[epochs == 5], prediction[epochs == 5], strata=epochs[epochs == 5]))
    assert np.isnan(score(epochs.astype(float), truth, strata=epochs))  # nothing to tell inside any


def test_who_knows_the_epoch_alone_scores_zero_inside_epochs_however_much_these_vary():
    generator, epochs = np.random.default_rng(0), np.repeat([0, 1, 2], 20)
    spread = np.array([1e-3, 1.0, 1e3])[epochs]
    groups, found, drawn = np.tile(np.arange(20), 3), [], []
    for trial in range(400):
        clock = 10.0 * epochs + spread * (generator.normal(size=3) / np.sqrt(1000))[epochs]  # means of 1000 others
        truth = 10.0 * epochs + spread * generator.normal(size=60)
        draws = ModelBootstrap.draw(groups, draws=40, seed=trial)
        found.append(score(truth, clock, strata=epochs))
        drawn.append(draws.scores(truth, clock, strata=epochs).mean())
    assert np.mean(found) == pytest.approx(0, abs=0.01)  # with SSE / SST it would be -0.05
    assert np.mean(drawn) == pytest.approx(0, abs=0.02)
    assert score(truth[:40], clock[:40]) > 0.95 > abs(score(truth[:40], clock[:40], strata=epochs[:40]))


def test_inside_epochs_each_counts_the_same_whatever_its_units_and_its_number_of_samples():
    generator, epochs = np.random.default_rng(0), np.repeat([0, 1, 2], [40, 10, 25])
    truth, error = generator.normal(size=(2, 75))
    prediction = truth + np.array([0.1, 1.0, 0.5])[epochs] * error
    draws = ModelBootstrap.draw(np.arange(75) % 10, draws=60)
    unit, level = np.where(epochs == 1, 1000.0, 1.0), np.where(epochs == 2, 5.0, 0.0)
    other, said = unit * truth + level, unit * prediction + level

    assert score(other, said, strata=epochs) == pytest.approx(score(truth, prediction, strata=epochs))
    np.testing.assert_allclose(
        draws.scores(other, said, strata=epochs), draws.scores(truth, prediction, strata=epochs), rtol=1e-9
    )
    alone = [score(truth[epochs == one], prediction[epochs == one], strata=epochs[epochs == one]) for one in range(3)]
    assert score(truth, prediction, strata=epochs) == pytest.approx(np.mean(alone))


def test_intervals_are_wider_over_models_than_over_checkpoints():
    generator = np.random.default_rng(0)
    model = np.repeat(np.arange(30), 20)
    truth = generator.normal(size=600)
    prediction = truth + generator.normal(size=30)[model]  # one error per model, shared by its checkpoints

    def width(groups: np.ndarray) -> float:
        draws = ModelBootstrap.draw(groups)
        return float(np.diff(draws.interval(draws.scores(truth, prediction)))[0])

    assert width(model) > 2 * width(np.arange(600))


def test_interval_covers_the_true_score_about_as_often_as_it_says():
    generator, hits = np.random.default_rng(0), 0
    for trial in range(200):
        model = np.repeat(np.arange(60), 3)
        truth = generator.normal(size=180)
        prediction = truth + 0.5 * generator.normal(size=60)[model]  # R² of the whole population: 1 - 0.25
        draws = ModelBootstrap.draw(model, draws=300, seed=trial)
        low, high = draws.interval(draws.scores(truth, prediction))
        hits += low <= 0.75 <= high

    assert 0.87 <= hits / 200 <= 0.99


def test_interval_inside_epochs_covers_the_true_score_about_as_often_as_it_says():
    generator, hits = np.random.default_rng(0), 0
    model, epochs, spread = np.repeat(np.arange(60), 3), np.tile([1, 5, 30], 60), np.tile([1e-2, 1.0, 30.0], 60)
    for trial in range(200):
        truth = epochs + spread * generator.normal(size=180)
        prediction = truth + spread * 0.5 * generator.normal(size=60)[model]  # in every epoch R² is 1 - 0.25
        draws = ModelBootstrap.draw(model, draws=300, seed=trial)
        low, high = draws.interval(draws.scores(truth, prediction, strata=epochs))
        hits += low <= 0.75 <= high

    assert 0.87 <= hits / 200 <= 0.99


def test_one_model_gives_no_interval():
    draws = ModelBootstrap.draw(np.zeros(9, dtype=int))

    assert np.isnan(draws.interval(draws.scores(np.arange(9.0), np.arange(9.0)))).all()


def test_draws_without_spread_are_left_out_of_the_interval():
    truth = np.repeat([0.1, 0.1, 0.1, 0.1, 0.2], 3)  # the target is a property of the model, as a learning rate
    draws = ModelBootstrap.draw(np.repeat(range(5), 3), draws=200)
    scores = draws.scores(truth, truth + 0.01)
    alone = (draws.counts[:, 4] == 0) | (draws.counts[:, 4] == 5)

    assert alone.any() and np.isnan(scores[alone]).all() and np.isfinite(scores[~alone]).all()
    assert draws.interval(scores) == pytest.approx(np.quantile(scores[~alone], [0.025, 0.975]))


@pytest.mark.parametrize("models", range(1, 5))
def test_few_models_give_no_interval(models):
    draws = ModelBootstrap.draw(np.arange(models), draws=50)
    assert np.isnan(draws.interval(np.linspace(0, 1, 50))).all()


def test_paired_difference_is_surer_than_two_intervals():
    generator = np.random.default_rng(0)
    model = np.repeat(np.arange(30), 5)
    truth, shared = generator.normal(size=150), generator.normal(size=30)[model]
    first = truth + shared  # both miss the same models; the second misses a bit more
    second = truth + 1.1 * shared
    draws = ModelBootstrap.draw(model)

    found = paired_difference(truth, [first], [second], draws)
    low, _ = draws.interval(draws.scores(truth, first))
    _, high = draws.interval(draws.scores(truth, second))

    assert found.value == pytest.approx(r2_score(truth, first) - r2_score(truth, second))
    assert 0 < found.low < found.value < found.high
    assert low < high  # the two intervals overlap: apart they would not tell


def test_unknown_metrics_and_empty_bootstraps_are_refused():
    with pytest.raises(ValueError, match="no metric 'rmse'; choose one of r2, accuracy"):
        score(np.ones(2), np.ones(2), "rmse")
    with pytest.raises(ValueError, match="needs draws and models"):
        ModelBootstrap.draw(np.array([]))


# -- beside the clock ------------------------------------------------------------------------------------------


SCALES = {1: 1e-4, 5: 1.0, 30: 1e4}  # of the target, by epoch


def timed(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, targets and epochs: each target has the epoch's own level and unit and a little of the first feature.

    The second target hangs on the epoch alone.
    """
    random = np.random.default_rng(seed)
    epochs, features = random.choice(list(SCALES), rows), random.normal(size=(rows, 8)) * 10.0 ** np.arange(-4, 4)
    unit = np.array([SCALES[epoch] for epoch in epochs.tolist()])
    told = unit * (3 + 1e4 * features[:, 0] + random.normal(size=rows))
    return features, np.column_stack([told, np.sqrt(epochs)]), epochs


def read_beside_clock(probe: LinearProbe, train: tuple, val: tuple, test: tuple) -> np.ndarray:
    """The first target of test samples, told by a probe of numbers that sees what `BesideClock` makes of all."""
    beside = BesideClock(*train)
    seen, inside = (
        [tell(part[place], part[2]) for part in (train, val)]
        for place, tell in enumerate((beside.features, beside.targets))
    )
    said = probe.fit(seen[0], inside[0], (seen[1], inside[1])).predict(beside.features(test[0], test[2]))
    return beside.back(said, test[2])[:, 0]


def test_beside_the_clock_targets_are_standardised_inside_every_epoch_and_come_back():
    features, targets, epochs = timed(300, 0)
    _, unseen, when = timed(80, 1)
    beside = BesideClock(features, targets, epochs)
    inside = beside.targets(targets, epochs)

    for epoch in SCALES:
        own = inside[epochs == epoch]
        assert own[:, 0].mean() == pytest.approx(0, abs=1e-9) and own[:, 0].std() == pytest.approx(1)
        assert (own[:, 1] == 0).all()
    for given, its in ((targets, epochs), (unseen, when)):
        np.testing.assert_allclose(beside.back(beside.targets(given, its), its), given, rtol=1e-9)
    anything = beside.back(np.full((80, 2), 5.0), when)
    np.testing.assert_allclose(anything[:, 1], unseen[:, 1])  # a target that does not vary is its epoch's mean


def test_a_target_that_varies_in_some_epochs_only_is_told_in_these():
    features, targets, epochs = timed(300, 0)
    targets[epochs == 5, 0] = 0.1
    beside = BesideClock(features, targets, epochs)
    inside = beside.targets(targets, epochs)[:, 0]

    assert (inside[epochs == 5] == 0).all() and inside[epochs != 5].std() == pytest.approx(1)
    np.testing.assert_allclose(beside.back(inside[:, None], epochs)[:, 0], targets[:, 0])


def test_beside_the_clock_a_strong_penalty_leaves_the_mean_of_every_epoch():
    train = timed(900, 0)
    alone = read_beside_clock(LinearProbe((max(PENALTIES),)), train, train, train)
    free = read_beside_clock(LinearProbe((1e-5,)), train, train, train)
    told, epochs = train[1][:, 0], train[2]

    for epoch in SCALES:
        own = told[epochs == epoch]
        assert np.abs(alone[epochs == epoch] - own.mean()).max() < 0.05 * own.std()
    assert abs(score(told, alone, strata=epochs)) < 0.05 < 0.4 < score(told, free, strata=epochs)


def test_beside_the_clock_units_of_features_do_not_matter():
    features, targets, epochs = timed(50, 1)
    plain = BesideClock(features, targets, epochs).features(features, epochs)
    units, levels = 10.0 ** np.arange(-4, 4), np.arange(8.0)
    moved = features * units + levels * units

    np.testing.assert_allclose(BesideClock(moved, targets, epochs).features(moved, epochs), plain, rtol=1e-6, atol=1e-9)
    turned = BesideClock(-features, targets, epochs).features(-features, epochs)
    np.testing.assert_allclose(turned[:, :-1], -plain[:, :-1], rtol=1e-9, atol=1e-12)
    assert plain.shape == (50, 9) and np.unique(plain[:, -1]).tolist() == [-0.03, 0, 0.03]  # the epoch stands last


@pytest.mark.parametrize("what", ["constant", "the epoch's own", "rounding"])
def test_features_that_say_nothing_inside_epochs_are_zero_beside_the_clock(what):
    features, targets, epochs = timed(300, 1)
    values = {"constant": np.full(300, 0.1), "the epoch's own": np.log(epochs + 0.1) / 3}
    values["rounding"] = np.where(np.arange(300) % 2, 0.1 + 0.2, 0.3)
    more = np.column_stack([features, values[what]])
    found = BesideClock(more, targets, epochs).features(more, epochs)

    assert (found[:, 8] == 0).all()
    plain = BesideClock(features, targets, epochs).features(features, epochs)
    np.testing.assert_array_equal(np.delete(found, 8, axis=1), plain)


def test_a_stray_test_feature_counts_no_more_than_the_extreme_of_training_samples():
    train, val, test = (timed(rows, seed) for seed, rows in enumerate((600, 300, 300)))
    for stray, extreme in ((1e12, train[0].max(0)), (-1e12, train[0].min(0))):
        said = []
        for value in (stray, extreme):
            unseen = test[0].copy()
            unseen[7] = value
            said.append(read_beside_clock(LinearProbe(), train, val, (unseen, *test[1:])))
        np.testing.assert_array_equal(*said)
    train[0][5, 0] = 1e12  # a stray training sample costs the others nothing
    assert score(test[1][:, 0], read_beside_clock(LinearProbe(), train, val, test), strata=test[2]) > 0.4


def test_an_epoch_that_no_training_sample_has_is_refused():
    features, targets, epochs = timed(50, 1)
    beside = BesideClock(features, targets, epochs)
    for unknown in (0, 7, 31):
        when = np.where(np.arange(50) == 3, unknown, epochs)
        for ask, values in ((beside.features, features), (beside.targets, targets), (beside.back, targets)):
            with pytest.raises(ValueError, match=f"no training samples of epoch {unknown}"):
                ask(values, when)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_noise_beside_the_clock_loses_next_to_nothing_and_a_signal_gains(unit):
    parts = [timed(rows, seed) for seed, rows in enumerate((600, 300, 300))]
    parts = [(features, unit * targets, epochs) for features, targets, epochs in parts]
    random = np.random.default_rng(9)
    noise = [(random.normal(size=features.shape), *rest) for features, *rest in parts]
    told, epochs = parts[2][1][:, 0], parts[2][2]

    assert abs(score(told, read_beside_clock(LinearProbe(), *noise), strata=epochs)) < 0.05
    said = read_beside_clock(LinearProbe(), *parts)
    for epoch in SCALES:  # the epoch of small differences is read as well as that of large ones
        assert score(told[epochs == epoch], said[epochs == epoch]) > 0.4


# -- the table -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def result(parts):
    return run_probes(
        EMBEDDERS,
        *parts,
        columns=["test_accuracy", "optimizer", "epoch", "early"],
        probes={"linear": ["W", "s(W)"], "trees": ["s(W)"]},
        bootstrap=200,
    )


def test_table_has_one_row_per_question_in_order(result):
    rows = result.table[["features", "probe", "target"]].agg(" ".join, axis=1).tolist()
    targets = ["test_accuracy", "optimizer", "epoch", "early"]

    assert tuple(result.table.columns) == TABLE
    expected = [*(("W", "linear"), ("s(W)", "linear"), ("s(W)", "trees"))]
    assert {(row.features, row.probe) for row in result.table.itertuples()} == set(expected)
    assert len(rows) == len(set(rows)) == len(expected) * len(targets)
    for _, part in result.table.groupby(["features", "probe"]):
        assert part["target"].tolist() == targets


def test_table_says_how_many_models_and_samples_it_rests_on(result):
    counts = result.table[["n_train_models", "n_test_models", "n_train_samples", "n_test_samples"]]

    assert counts.drop_duplicates().to_numpy().tolist() == [[60, 20, 240, 80]]
    assert dict(zip(result.table["features"], result.table["dimensions"], strict=True)) == {"W": 100, "s(W)": 14}


def test_table_finds_the_signal_and_only_the_signal(result):
    value = result.table.set_index(["features", "probe", "target"])["value"]

    assert value["s(W)", "linear", "test_accuracy"] > 0.7 > 0.2 > value["W", "linear", "test_accuracy"]
    assert value["s(W)", "trees", "test_accuracy"] > 0.7
    assert value["W", "linear", "optimizer"] > 0.95
    assert value.loc[:, :, "epoch"].max() < 0.2
    assert value.loc[:, :, "early"].max() < 0.8


def test_row_is_what_its_parts_give(result, parts):
    train, val, test = parts
    features = [LayerStatistics().fit_transform(part).astype(np.float64) for part in parts]
    truth = [part.table[["test_accuracy"]].to_numpy() for part in parts]
    probe = LinearProbe().fit(features[0], truth[0], (features[1], truth[1]))
    prediction = probe.predict(features[2])[:, 0]
    row = result.table.query("features == 's(W)' and probe == 'linear' and target == 'test_accuracy'").iloc[0]

    assert row["metric"] == "r2"
    assert row["penalty"] == probe.penalty_[0]
    assert row["value"] == pytest.approx(r2_score(truth[2], prediction))
    assert row["tau"] == pytest.approx(kendalltau(truth[2][:, 0], prediction).statistic)
    assert row["low"] < row["value"] < row["high"]


def test_words_and_truth_values_are_classified(result):
    categories = result.table[result.table["target"].isin(["optimizer", "early"])]

    assert set(categories["metric"]) == {"accuracy"}
    assert categories["tau"].isna().all()
    assert categories["value"].between(0, 1).all()
    assert result.table["penalty"].isna().equals(result.table["probe"] == "trees")


def test_the_best_reading_is_chosen_on_validation_samples(result):
    readings = [("W", "linear"), ("s(W)", "linear"), ("s(W)", "trees")]
    rows = result.table.query("target == 'test_accuracy'").set_index(["features", "probe"])["val"]
    assert result.best(readings, "test_accuracy") == rows[readings].idxmax() != ("W", "linear")
    assert result.best(readings[2:], "test_accuracy") == ("s(W)", "trees")

    worse = result.table.assign(val=-result.table["value"])  # whatever test samples say
    worst = result.table.query("target == 'test_accuracy'").set_index(["features", "probe"])["value"].idxmin()
    assert replace(result, table=worse).best(readings, "test_accuracy") == worst
    without = replace(result, table=worse.assign(val=worse["val"].where(worse["features"] == "W")))
    assert without.best(readings[1:], "test_accuracy") == readings[1]  # no score at all: the first
    assert without.best(readings[::-1], "test_accuracy") == ("W", "linear")


def test_a_best_reading_is_one_of_those_that_were_run_and_of_one_kind(result, parts):
    for unknown, message in ((("s(W)", "kernel"), r"s\(W\), kernel, epoch"), (("U", "linear"), "U, linear, epoch")):
        with pytest.raises(ValueError, match=f"No probe was run for {message}"):
            result.best([("s(W)", "linear"), unknown], "epoch")
    with pytest.raises(ValueError, match=r"No probe was run for s\(W\), linear, flatness"):
        result.best([("s(W)", "linear")], "flatness")
    both = run_probes(EMBEDDERS, *parts, ["test_accuracy"], ["linear", "beside the clock"], bootstrap=10)
    with pytest.raises(ValueError, match="give readings of one kind"):
        both.best([("s(W)", "linear"), ("s(W)", "beside the clock")], "test_accuracy")
    with pytest.raises(ValueError, match="give readings of one kind"):
        both.best([], "test_accuracy")
    assert both.best([(name, "beside the clock") for name in EMBEDDERS], "test_accuracy")[0] == "s(W)"


def test_inside_epochs_rows_and_differences_are_scored_anew(result):
    rows = result.table.query("target == 'test_accuracy' and probe == 'linear'").set_index("features")
    truth, epochs = result.truth["test_accuracy"], result.epochs
    for name, row in rows.iterrows():
        said = result.predictions[name, "linear", "test_accuracy"]
        assert row["within"] == pytest.approx(score(truth, said, strata=epochs))
        assert row["within_low"] < row["within"] < row["within_high"]
        taus = [kendalltau(truth[epochs == e], said[epochs == e]).statistic for e in np.unique(epochs)]
        assert row["within_tau"] == pytest.approx(np.mean(taus))
    found = result.compare("s(W)", "W", "test_accuracy", within=True)
    assert found.value == pytest.approx(rows.loc["s(W)", "within"] - rows.loc["W", "within"])
    of_epoch = result.table.query("target == 'epoch'")
    assert of_epoch["within"].isna().all() and of_epoch["within_tau"].isna().all()


def test_rows_are_compared_on_the_same_draws(result):
    better = result.compare("s(W)", "W", "test_accuracy")
    probes = result.compare("s(W)", "s(W)", "test_accuracy", probe="linear", second_probe="trees")
    category = result.compare("W", "s(W)", "optimizer")
    value = result.table.set_index(["features", "probe", "target"])["value"]
    accuracy, optimizer = value.loc[:, "linear", "test_accuracy"], value.loc[:, "linear", "optimizer"]

    assert better.value == pytest.approx(accuracy["s(W)"] - accuracy["W"])
    assert 0 < better.low < better.value < better.high
    assert probes.low < probes.high
    assert category.value == pytest.approx(optimizer["W"] - optimizer["s(W)"])
    with pytest.raises(ValueError, match="No probe was run for W, trees, test_accuracy; there are: W, linear"):
        result.compare("W", "W", "test_accuracy", probe="trees")


def test_table_is_the_same_for_a_seed_and_intervals_move_with_it(parts):
    def table(seed: int) -> pd.DataFrame:
        return probe_table({"s(W)": LayerStatistics()}, *parts, ["test_accuracy"], seed=seed, bootstrap=50)

    pd.testing.assert_frame_equal(table(1), table(1))
    assert table(1)["value"].equals(table(2)["value"])
    assert not table(1)["low"].equals(table(2)["low"])


def test_a_fitted_representation_is_used_as_it_is_and_others_are_left_unfitted(parts):
    fitted, fresh = Hyperparameters(["lr"]).fit(parts[0]), Hyperparameters(["lr"])
    fitted.smallest_["lr"] = 1e-9
    before = dict(fitted.__dict__)

    probe_table({"fitted": fitted, "fresh": fresh}, *parts, ["test_accuracy"], bootstrap=10)

    assert fitted.__dict__ == before
    assert not hasattr(fresh, "architecture_")


def test_pipelines_over_samples_are_probed_like_representations(parts):
    reduced = Pipeline([("rep", RawWeights()), ("pca", PCA(5, random_state=0))])

    table = probe_table({"PCA": reduced}, *parts, "test_accuracy", ["linear", "linear-standardised"], bootstrap=10)

    assert table["dimensions"].tolist() == [5, 5]
    assert table["probe"].tolist() == ["linear", "linear-standardised"]


def test_constant_target_has_no_score(parts):
    row = probe_table({"W": RawWeights()}, *parts, ["lr"], bootstrap=10).iloc[0]

    assert row[["value", "low", "high", "tau"]].isna().all()


# -- wrong input -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), [(0, 1), (0, 2), (1, 2)], ids=["train-val", "train-test", "val-test"])
def test_a_split_by_checkpoint_is_refused(parts, first, second):
    leaky = list(parts)
    leaky[second] = leaky[first].take(slice(3, 8))  # checkpoints of models 0 and 1 of that part

    with pytest.raises(ValueError, match=r"is in \w+ and in \w+ \(2 shared models\); split by model"):
        probe_table(EMBEDDERS, *leaky, ["test_accuracy"])


def test_models_of_another_zoo_may_have_the_same_numbers(parts):
    other = models_with_signal(20, first=0, seed=1)

    table = probe_table(EMBEDDERS, *parts[:2], other, ["test_accuracy"], bootstrap=10, other_zoo=True)

    assert table["n_test_models"].tolist() == [20, 20]
    with pytest.raises(ValueError, match="is in train and in val"):
        probe_table(EMBEDDERS, parts[0], parts[0], other, ["test_accuracy"], other_zoo=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"columns": ["flatness"]}, "no column 'flatness' to predict; there are model, epoch, test_accuracy"),
        ({"columns": []}, "no column to predict"),
        ({"probes": ["mlp"]}, "no probe 'mlp'; choose from linear, linear-standardised, kernel, network"),
        ({"probes": {"trees": ["U"]}}, r"'trees' is to read 'U', but the embedders are W, s\(W\)"),
        ({"probes": []}, "nothing to probe"),
        ({"embedders": {}}, "nothing to probe"),
    ],
)
def test_unknown_names_are_refused(parts, settings, message):
    given = {"embedders": EMBEDDERS, "columns": ["test_accuracy"]} | settings

    with pytest.raises(ValueError, match=message):
        probe_table(given.pop("embedders"), *parts, **given)


# -- rows beside the clock, and controls -----------------------------------------------------------------------


def growing(samples: Samples) -> Samples:
    """Samples with a target that is the accuracy in each epoch's own unit, on each epoch's own level."""
    epoch = samples.table["epoch"]
    table = samples.table.assign(growing=3 * epoch + 2.0 ** (epoch - 3) * samples.table["test_accuracy"])
    return Samples(samples.weights, table, samples.architecture)


@pytest.fixture(scope="module")
def beside(parts):
    embedders = {"s(W)": LayerStatistics(), "twin": Hyperparameters(["test_accuracy"]), "lr": Hyperparameters(["lr"])}
    own = [growing(part) for part in parts]
    return own, run_probes(embedders, *own, ["growing", "lr"], [*BESIDE], bootstrap=50)


def test_every_probe_beside_the_clock_tells_targets_in_their_own_units(beside):
    _, result = beside
    rows = result.table.query("target == 'growing'").set_index(["features", "probe"])

    bending = [f"{name}, beside the clock" for name in ("trees", "kernel", "network")]
    assert set(BESIDE) == {"beside the clock", *bending}
    assert len(rows) == 3 * len(BESIDE)
    numbers = ["value", "low", "high", "tau", "within", "within_low", "within_high", "within_tau", "val"]
    told = rows.loc[["s(W)", "twin"], numbers]
    assert np.isfinite(told.to_numpy()).all()
    assert (rows.loc["twin", ["value", "within", "val"]] > 0.9).all(axis=None)
    assert (rows.loc["s(W)", ["within", "val"]] > 0.3).all(axis=None)
    assert rows["dimensions"].to_dict()["twin", "beside the clock"] == 1  # the epoch is not the features' own
    assert rows["penalty"].isna().groupby("probe").all().to_dict() == {name: "trees" in name for name in BESIDE}


def test_features_that_say_nothing_beside_the_clock_give_the_mean_of_every_epoch(beside):
    (train, *_), result = beside
    means = train.table.groupby("epoch")["growing"].mean()
    for probe in ("beside the clock", "kernel, beside the clock"):
        said = result.predictions["lr", probe, "growing"]
        np.testing.assert_allclose(said, means[result.epochs], atol=0.02)
    for name, probe in (("twin", "beside the clock"), ("lr", "trees, beside the clock")):
        np.testing.assert_allclose(result.predictions[name, probe, "lr"], 0.1)  # a target that is constant


def test_a_row_beside_the_clock_is_what_its_parts_give(beside):
    own, result = beside
    features = [LayerStatistics().fit_transform(part).astype(np.float64) for part in own]
    truth, epochs = ([part.table[name].to_numpy() for part in own] for name in ("growing", "epoch"))
    low, high = np.quantile(features[0], [0.005, 0.995], axis=0)
    cut = [pd.DataFrame(np.clip(values, low, high)) for values in features]
    centre = cut[0].groupby(epochs[0]).mean()
    moved = [values.to_numpy() - centre.loc[when].to_numpy() for values, when in zip(cut, epochs, strict=True)]
    seen = [
        0.03 * np.column_stack([inside / moved[0].std(0), (when - 1.5) / 1.5])
        for inside, when in zip(moved, epochs, strict=True)
    ]
    levels = pd.Series(truth[0]).groupby(epochs[0]).agg(["mean", lambda values: values.std(ddof=0)])
    level, unit = ([levels.iloc[when, place].to_numpy() for when in epochs] for place in (0, 1))
    y = [((values - level[part]) / unit[part])[:, None] for part, values in enumerate(truth)]
    probe = LinearProbe().fit(seen[0], y[0], (seen[1], y[1]))
    on_val, on_test = (level[part] + unit[part] * probe.predict(seen[part])[:, 0] for part in (1, 2))
    row = result.table.query("features == 's(W)' and probe == 'beside the clock' and target == 'growing'").iloc[0]

    np.testing.assert_allclose(result.predictions["s(W)", "beside the clock", "growing"], on_test, rtol=1e-6)
    assert row["within"] == pytest.approx(score(truth[2], on_test, strata=epochs[2]))
    assert row["val"] == pytest.approx(score(truth[1], on_val, strata=epochs[1])) != score(truth[1], on_val)
    assert row["penalty"] == probe.penalty_[0]


def test_an_epoch_without_training_samples_is_no_row_beside_the_clock(parts):
    early = parts[0].take(np.flatnonzero(parts[0].table["epoch"] < 3))
    with pytest.raises(ValueError, match="no training samples of epoch 3"):
        probe_table(EMBEDDERS, early, *parts[1:], ["test_accuracy"], ["beside the clock"])


@pytest.fixture(scope="module")
def of_a_zoo(tiny_zoo) -> list[Samples]:
    return [part.samples() for part in tiny_zoo.split((0.6, 0.2, 0.2))]


def test_controls_are_the_rows_of_their_own_probes_and_stand_in_front(of_a_zoo):
    columns = ["test_accuracy", "epoch"]
    mine = {"mine": RawWeights()}
    found = run_probes(mine, *of_a_zoo, columns, {"linear": ["mine"], "kernel": ["mine"]}, controls=8, bootstrap=10)
    alone = run_probes({}, *of_a_zoo, columns, controls=8, bootstrap=10)
    asked = {(name, probe, target) for probe, names in CONTROL_PROBES.items() for name in names for target in columns}
    own = {("mine", probe, target) for probe in ("linear", "kernel") for target in columns}

    assert set(alone.predictions) == asked and set(found.predictions) == asked | own
    assert len(found.table) == len(asked | own)
    assert list(found.table["features"].unique()) == [*controls(), "mine"]
    pd.testing.assert_frame_equal(found.table.query("features != 'mine'").reset_index(drop=True), alone.table)
    sizes = alone.table.drop_duplicates("features").set_index("features")["dimensions"]
    assert sizes["clock"] == 4 and sizes["random features"] == 8
    activations = of_a_zoo[0].table["activation"].nunique()
    assert sizes["all statistics"] == sizes["s(W)"] + sizes["pooled rows"] + activations


def test_a_control_is_probed_as_features_of_ones_own_are(of_a_zoo):
    with_controls = run_probes({}, *of_a_zoo, ["test_accuracy"], controls=8, seed=3, bootstrap=10)
    own = {name: one for name, one in controls(8, seed=3).items() if name != "clock"}
    plain = run_probes(own, *of_a_zoo, ["test_accuracy"], ["linear", "beside the clock"], seed=3, bootstrap=10)

    for row, said in plain.predictions.items():
        np.testing.assert_array_equal(with_controls.predictions[row], said)


def test_controls_are_asked_for_numbers_only(of_a_zoo):
    with pytest.raises(ValueError, match="'beside the clock' tells numbers, and optimizer holds words"):
        run_probes({}, *of_a_zoo, ["test_accuracy", "optimizer"], controls=8)


def test_names_of_controls_are_taken(of_a_zoo):
    with pytest.raises(ValueError, match=r"'s\(W\)' is among the controls; give your own features another name"):
        run_probes({"s(W)": RawWeights()}, *of_a_zoo, ["test_accuracy"], controls=8)
    with pytest.raises(ValueError, match="dimension is a whole number from 1 on, not 0"):
        run_probes({}, *of_a_zoo, ["test_accuracy"], controls=0)


# -- more wrong input ------------------------------------------------------------------------------------------


def test_probes_of_numbers_refuse_words_before_anything_is_fitted(parts):
    with pytest.raises(ValueError, match="'kernel' tells numbers, and optimizer holds words"):
        probe_table(EMBEDDERS, *parts, ["test_accuracy", "optimizer"], probes=["kernel"])


@pytest.mark.parametrize(
    ("column", "bad", "message"),
    [
        ("test_accuracy", np.nan, r"values of test_accuracy \(val\) are not finite in row 2"),
        ("optimizer", None, "optimizer has no value in row 2 of val"),
    ],
)
def test_targets_without_a_value_are_refused(parts, column, bad, message):
    table = parts[1].table.copy()
    table.loc[2, column] = bad
    holed = Samples(parts[1].weights, table, parts[1].architecture)

    with pytest.raises(ValueError, match=message):
        probe_table(EMBEDDERS, parts[0], holed, parts[2], [column])


def test_a_measure_that_is_not_there_at_every_epoch_is_named_with_what_measures_it(parts):
    some = [Samples(one.weights, one.table.assign(gap_clean=0.1), one.architecture) for one in parts]
    some[1].table.loc[2, "gap_clean"] = np.nan

    with pytest.raises(ValueError, match=r'gap_clean was not measured after epoch \d+; .*clean="all"'):
        probe_table(EMBEDDERS, *some, ["gap_clean"])


def test_parts_that_are_no_samples_or_empty_are_refused(parts, tiny_zoo, no_shape_checks):
    with pytest.raises(TypeError, match=r"val must be Samples, not Zoo; take them from zoo.samples\(\)"):
        probe_table(EMBEDDERS, parts[0], tiny_zoo, parts[2], ["test_accuracy"])
    with pytest.raises(ValueError, match="no samples in test"):
        probe_table(EMBEDDERS, parts[0], parts[1], parts[2].take([]), ["test_accuracy"])


def test_features_that_are_not_finite_are_refused_by_name(parts):
    class Broken(LayerStatistics):
        def transform(self, samples):
            return np.full((len(samples), 2), np.nan)

    with pytest.raises(ValueError, match=r"features of mine \(train\) are not finite in row 0"):
        probe_table({"mine": Broken()}, *parts, ["test_accuracy"])


def test_a_real_zoo_is_probed_from_end_to_end(of_a_zoo):
    table = probe_table(
        EMBEDDERS | {"H": Hyperparameters()}, *of_a_zoo, ["test_accuracy", "epoch", "optimizer"], bootstrap=20
    )

    assert len(table) == 9
    assert table["value"].notna().all()
    assert table["n_test_models"].unique().tolist() == [4]
