"""Means over few models: an interval that knows how few they are."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

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
