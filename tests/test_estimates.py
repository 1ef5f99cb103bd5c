"""Means over few models and over pairs of few models: intervals that know how few they are."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr, ttest_1samp, ttest_ind

from hyperlib.tasks.estimates import Estimate, between, jackknife, mean_of, mean_over_both, mean_over_pairs, with_errors


def test_the_interval_is_that_of_students_test():
    values = np.random.default_rng(0).normal(size=7)
    expected = ttest_1samp(values, 0).confidence_interval(0.95)

    assert mean_of(values) == pytest.approx((values.mean(), expected.low, expected.high, 6))


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=12))
def test_leaving_out_models_of_a_mean_gives_students_interval(values):
    without = [np.mean(np.delete(values, model)) for model in range(len(values))]
    assert jackknife(np.mean(values), without) == pytest.approx(mean_of(values), abs=1e-9)


@pytest.mark.parametrize("without", [[], [1.0], [1.0, 2.0, np.nan]])
def test_where_nothing_is_left_without_a_model_there_is_no_interval(without):
    found = jackknife(1.5, without)
    assert found.value == 1.5 and np.isnan([found.low, found.high]).all() and found.freedom == np.inf


@pytest.mark.parametrize("models", [2, 5, 12])
def test_students_interval_covers_the_truth_as_often_as_it_says(models):
    found = [mean_of(values) for values in np.random.default_rng(models).normal(size=(600, models))]
    assert np.mean([one.low <= 0 <= one.high for one in found]) == pytest.approx(0.95, abs=0.03)


def test_two_models_say_little_and_one_nothing():
    mean, low, high, _ = mean_of([0.0, 1.0])
    assert (mean, low < -5, high > 5) == (0.5, True, True)
    assert np.isnan(mean_of([1.0])[1:3]).all()


def test_equal_values_leave_no_doubt():
    assert mean_of([2.0, 2.0, 2.0])[:3] == (2.0, 2.0, 2.0)


@pytest.mark.parametrize("values", [[], [1.0, np.nan], [np.inf]])
def test_what_has_no_mean_is_refused(values):
    with pytest.raises(ValueError, match="finite values"):
        mean_of(values)
    with pytest.raises(ValueError, match="finite values"):
        mean_over_pairs(values, np.arange(2 * len(values)).reshape(-1, 2))


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=12))
def test_pairs_without_a_common_model_are_independent(values):
    pairs = np.random.default_rng(0).permutation(2 * len(values)).reshape(-1, 2)
    assert mean_over_pairs(values, pairs) == pytest.approx(mean_of(values), abs=1e-9)


def test_all_pairs_are_the_jackknife_by_hand():
    pairs = np.array(list(combinations(range(5), 2)))
    values = np.random.default_rng(1).normal(size=len(pairs))
    without = [values[~(pairs == model).any(1)].mean() for model in range(5)]
    error = np.sqrt(4 / 5 * np.square(without - np.mean(without)).sum())

    found = mean_over_pairs(values, pairs)
    assert found == pytest.approx((values.mean(), found.low, found.high, 4))
    assert (found.high - found.low) / 2 == pytest.approx(2.776445 * error)  # t of 4 degrees


@pytest.mark.parametrize("own", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("models", [4, 6, 9])
def test_the_interval_covers_the_truth_as_often_as_it_says_whatever_pairs_share(models, own):
    """`own`: how much of a value comes from its two models, in units of what belongs to the pair alone."""
    random, pairs = np.random.default_rng(models), np.array(list(combinations(range(models), 2)))
    hits = []
    for _ in range(400):
        values = own * random.normal(size=models)[pairs].sum(1) + random.normal(size=len(pairs))
        found = mean_over_pairs(values, pairs)
        hits.append(found.low <= 0 <= found.high)
    assert np.mean(hits) > 0.92


@pytest.mark.parametrize("pairs", [[[0, 1]], [[0, 1], [1, 2]]])
def test_too_few_models_give_no_interval(pairs):
    found = mean_over_pairs(np.arange(len(pairs)), pairs)
    assert found.value == (len(pairs) - 1) / 2 and np.isnan([found.low, found.high]).all()


@pytest.mark.parametrize("pairs", [[[0, 1]], [[0, 1], [2, 2]], [0, 1]])
def test_other_things_than_pairs_are_refused(pairs):
    with pytest.raises(ValueError, match="Pairs name two different models"):
        mean_over_pairs([1.0, 2.0], pairs)


def rank_correlation(pairs) -> float:
    """Of drawn pairs, as scipy has it."""
    return float(spearmanr(pairs[:, 0], pairs[:, 1]).statistic)


@given(st.integers(4, 12), st.floats(-1, 1), st.integers(0, 99))
def test_no_end_of_a_correlation_passes_one(models, slope, seed):
    """However few models there are, and however close they stand to a line."""
    drawn = np.random.default_rng(seed).normal(size=(models, 2))
    drawn[:, 1] = slope * drawn[:, 0] + 0.1 * drawn[:, 1]
    plain = jackknife(rank_correlation(drawn), [rank_correlation(np.delete(drawn, n, 0)) for n in range(models)])
    found = between(plain)

    assert -1 <= found.low <= found.value <= found.high <= 1 and found.freedom == plain.freedom
    assert found.value == pytest.approx(plain.value)
    if plain.high - plain.low < 0.01:
        assert found == pytest.approx(plain, abs=1e-3)


def test_the_interval_of_a_correlation_is_fishers_where_pairs_are_normal():
    drawn = np.random.default_rng(0).multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=2000)
    r = pearsonr(*drawn.T)
    without = [np.corrcoef(np.delete(drawn, n, 0).T)[0, 1] for n in range(len(drawn))]
    found, expected = between(jackknife(r.statistic, without)), r.confidence_interval()
    assert found[:3] == pytest.approx((r.statistic, expected.low, expected.high), abs=0.004)


def test_a_perfect_correlation_and_one_of_nothing_keep_what_they_say():
    assert between(Estimate(1.0, 1.0, 1.0 + 1e-9, 3))[:3] == (1, 1, 1) and between(Estimate(-1.0, -1.4, 0.2))[1] == -1
    assert np.isnan(between(Estimate(np.nan))[:3]).all() and np.isnan(between(Estimate(0.5))[1:3]).all()
    assert between(Estimate(0.5)).value == 0.5


# -- several trainings


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=9), st.lists(st.floats(-10, 10), min_size=2, max_size=9))
def test_two_errors_are_those_of_welchs_test(one, other):
    if min(np.ptp(one), np.ptp(other)) > 1e-3:
        found, theirs = with_errors(np.mean(one) - np.mean(other), one, other), ttest_ind(one, other, equal_var=False)
        assert found == pytest.approx((np.mean(one) - np.mean(other), *theirs.confidence_interval(0.95), theirs.df))


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=9), st.integers(2, 4))
def test_trainings_that_agree_add_no_doubt_and_their_order_and_whose_they_are_says_nothing(values, trainings):
    same = np.tile(np.array(values)[:, None], trainings)
    assert mean_over_both(same)[:3] == pytest.approx(mean_of(values)[:3], abs=1e-9)
    mixed = same + np.arange(trainings)
    assert mean_over_both(mixed) == pytest.approx(mean_over_both(mixed[::-1, ::-1].T), abs=1e-9)
    assert mean_over_both(same[:, :1]) == mean_of(values) == mean_over_both(same[:, :1].T)


def test_rounding_is_no_error():
    values = np.full((8, 3), np.sqrt(0.75))
    values[::2] += 1e-16
    found = mean_over_both(values)
    assert found.low == found.high == found.value and found.freedom == mean_over_both(np.ones((8, 3))).freedom


def test_many_models_do_not_make_up_for_trainings_that_contradict_each_other():
    """The case that asked for it: all models say the same of each training, and trainings have other signs."""
    _, low, high, freedom = mean_over_both(np.tile([-0.5, 0.5, 0.5], (8, 1)))
    assert low < -1 and high > 1 and freedom == pytest.approx(2)


@pytest.mark.parametrize(("models", "trainings", "own"), [(8, 3, 0.0), (8, 3, 2.0), (30, 3, 0.5), (4, 4, 1.0)])
@pytest.mark.parametrize("of_models", [0.3, 1.0])
def test_the_interval_of_both_covers_the_truth_about_as_often_as_it_says(of_models, models, trainings, own):
    draws = np.random.default_rng(models)
    shapes = [(800, models, 1), (800, 1, trainings), (800, models, trainings)]
    values = sum(scale * draws.normal(size=shape) for scale, shape in zip((of_models, 0.5, own), shapes, strict=True))
    assert np.mean([one.low <= 0 <= one.high for one in map(mean_over_both, values)]) > 0.92


def test_what_has_no_mean_over_both_is_refused():
    for values in (np.zeros((0, 3)), np.zeros((3, 0)), np.array([[1.0, np.nan], [1.0, 2.0]])):
        known = f"{np.isfinite(values).sum()} of {values.size}"
        with pytest.raises(ValueError, match=f"finite values, and {known}"):
            mean_over_both(values)
    with pytest.raises(ValueError, match=r"\[models, trainings\], not \[3\]"):
        mean_over_both(np.ones(3))
    with pytest.raises(ValueError, match="finite values"):
        with_errors(1.0, [np.nan, 1.0, 2.0], [1.0, 1.0])
