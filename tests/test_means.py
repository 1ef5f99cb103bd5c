"""Means over few models: an interval that knows how few they are."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from hyperlib.tasks.intervals import median_interval
from hyperlib.tasks.means import mean_interval


def test_the_interval_is_that_of_students_test():
    values = np.random.default_rng(0).normal(size=7)
    expected = ttest_1samp(values, 0).confidence_interval(0.95)

    assert mean_interval(values) == pytest.approx((values.mean(), expected.low, expected.high))


def test_two_models_say_little_and_one_nothing():
    mean, low, high = mean_interval([0.0, 1.0])
    assert (mean, low < -5, high > 5) == (0.5, True, True)
    assert np.isnan(mean_interval([1.0])[1:]).all()


def test_equal_values_leave_no_doubt():
    assert mean_interval([2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0)


@pytest.mark.parametrize("values", [[], [1.0, np.nan]])
def test_what_has_no_mean_is_refused(values):
    with pytest.raises(ValueError, match="finite values, one per model"):
        mean_interval(values)


def test_the_interval_of_a_median_covers_it_and_narrows_with_more_values():
    random = np.random.default_rng(0)
    few, many = random.normal(size=20), random.normal(size=2000)
    widths = []
    for values in (few, many):
        median, low, high = median_interval(values)
        assert low <= median == np.median(values) <= high
        widths.append(high - low)
    assert widths[1] < widths[0] / 4
    shifted = median_interval(few + 5)
    assert shifted == pytest.approx([value + 5 for value in median_interval(few)])


def test_the_interval_of_a_median_covers_the_truth_as_often_as_it_says():
    random = np.random.default_rng(1)
    hits = [
        low <= 0 <= high for _, low, high in (median_interval(random.normal(size=40), draws=300) for _ in range(200))
    ]
    assert 0.88 < np.mean(hits) <= 0.99


@pytest.mark.parametrize("values", [[], [1.0, np.nan], [np.inf]])
def test_a_median_of_nothing_or_of_what_is_not_finite_is_refused(values):
    with pytest.raises(ValueError, match="finite"):
        median_interval(values)


def test_one_value_says_nothing_about_others():
    median, *ends = median_interval([2.0])
    assert median == 2 and np.isnan(ends).all()
