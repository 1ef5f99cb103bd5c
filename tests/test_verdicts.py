"""One rule for all verdicts, and Holm's for many of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import ttest_1samp

from hyperlib.tasks import verdicts
from hyperlib.tasks.estimates import mean_of

NUMBERS = st.floats(-3, 3)
WORDS = {"source": "ours", "shown": "tab-a"}


@given(NUMBERS, NUMBERS, st.floats(0, 2))
def test_verdicts_of_a_claim_and_of_its_opposite_agree(one, other, margin):
    low, high = sorted([one, other])
    opposite = {"holds": "fails", "fails": "holds", "undecided": "undecided"}
    assert verdicts.verdict(-high, -low, margin) == opposite[verdicts.verdict(low, high, margin)]


@given(NUMBERS, NUMBERS, st.floats(0, 2), st.floats(0, 1))
def test_a_wider_margin_decides_no_more(one, other, margin, more):
    low, high = sorted([one, other])
    wide = verdicts.verdict(low, high, margin + more)
    assert wide in ("undecided", verdicts.verdict(low, high, margin))


@pytest.mark.parametrize("less", [False, True])
@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.floats(0, 2), st.sampled_from([1.0, 2.0, 5.0, np.inf]))
@example(0.05, 0.1, 0.3, 0.0, 0.0, np.inf)  # outside on the side of the margin
@example(0.4, 0.1, 0.3, 0.0, 0.0, np.inf)  # on the other side
@example(-0.1, 0.1, 0.3, 0.0, 0.0, np.inf)  # and beyond zero
@example(0.1, 0.1, 0.3, 0.0, 0.0, np.inf)
@example(0.2, 0.2, 0.2, 0.0, 0.0, 5.0)  # no width
@example(0.3, 0.2, 0.2, 0.0, 0.1, 5.0)
def test_a_verdict_is_decided_exactly_where_its_p_is_below_five_percent(less, value, one, two, threshold, margin, of):
    """Wherever the value lies; only where an end is within rounding of the margin either may be."""
    estimate = (value, *sorted([one, two]), of)
    (row,) = verdicts.tested("c", {"a": estimate}, threshold=threshold, margin=margin, less=less, **WORDS).itertuples()

    assert 0 <= row.p <= 1
    if not np.isclose(row.p, 0.05, rtol=1e-6):
        assert (row.p < 0.05) == (row.verdict != "undecided")


@given(NUMBERS, NUMBERS, NUMBERS, st.floats(0, 2))
def test_a_value_outside_of_its_interval_is_no_surer_than_one_inside(value, one, two, margin):
    low, high = sorted([one, two])
    inside = np.linspace(low, high, 5)[1:-1] if low < high else []
    chance, *others = (
        verdicts.tested("c", {"a": (found, low, high)}, margin=margin, **WORDS)["p"].item()
        for found in (value, *inside)
    )
    if not low < value < high and verdicts.verdict(low, high, margin) != "undecided":
        assert all(chance >= other for other in others)


@pytest.mark.parametrize("ends", [(np.nan, np.nan), (0.5, np.nan), (np.nan, -1.0), (0.5, np.inf), (-np.inf, np.inf)])
def test_where_an_end_is_missing_there_is_neither_verdict_nor_p(ends):
    (row,) = verdicts.tested("c", {"a": (1.0, *ends)}, **WORDS).itertuples()
    assert row.verdict == "undecided" and np.isnan(row.p)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.floats(0, 2))
def test_less_than_a_threshold_is_the_opposite_of_more_than_it(one, two, three, threshold, margin):
    low, value, high = sorted([one, two, three])
    more, less = (
        verdicts.tested("c", {"a": (value, low, high)}, threshold=threshold, margin=margin, less=less, **WORDS).iloc[0]
        for less in (False, True)
    )
    assert verdicts.verdict(low - threshold, high - threshold, margin) == more.verdict
    opposite = {"holds": "fails", "fails": "holds", "undecided": "undecided"}
    assert opposite[more.verdict] == less.verdict and more.measured == less.measured
    assert more.p == less.p


def test_a_p_value_is_that_of_students_test():
    values = np.random.default_rng(0).normal(0.5, size=5)
    (row,) = verdicts.tested("c", {"a": mean_of(values)}, threshold=0.1, **WORDS).itertuples()
    assert row.p == pytest.approx(ttest_1samp(values, 0.1).pvalue)


def test_a_sure_difference_within_the_margin_is_no_finding():
    assert verdicts.verdict(0.001, 0.002, 0.01) == "undecided"


@pytest.mark.parametrize(("low", "high", "margin"), [(0, 1, -0.1), (0, 1, np.nan), (1, 0, 0)])
def test_impossible_intervals_and_margins_are_refused(low, high, margin):
    with pytest.raises(ValueError, match="margin|interval"):
        verdicts.verdict(low, high, margin)


@given(arrays(float, st.integers(1, 12), elements=st.floats(0, 1)))
def test_holm_is_between_bonferroni_and_none(chances):
    stands = verdicts.holm(chances)
    assert (stands >= (chances <= 0.05 / len(chances))).all() and (stands <= (chances <= 0.05)).all()
    if stands.any():  # whoever is surer stands too
        assert stands[chances <= chances[stands].max()].all()


def test_holm_by_hand():
    assert verdicts.holm(np.array([0.01, 0.04, 0.03, np.nan, 0.005])).tolist() == [True, False, False, False, True]


def test_a_scorecard_judges_all_its_verdicts_together_and_leaves_facts_alone():
    unsure = {"a": (0.1, 0.001, 0.199), "b": (-0.1, -0.11, -0.09), "c": (0.0, -0.2, 0.2)}
    many = {f"{case}": (1.0, -0.5, 2.5) for case in range(9)}
    card = verdicts.scorecard(
        [
            verdicts.tested("one beats two", unsure, **WORDS),
            verdicts.tested("three beats four", many, **WORDS),
            verdicts.counted("sums are equal", {"all": (True, "3 = 3")}, **WORDS, headline=True),
        ]
    )
    assert list(card.columns) == list(verdicts.COLUMNS)
    found = card.set_index(["claim", "case"])[["verdict", "holm"]].agg(tuple, axis=1)
    assert found["one beats two", "a"] == ("holds", "falls")  # alone it would stand
    assert found["one beats two", "b"] == ("fails", "stands")
    assert found["one beats two", "c"] == ("undecided", "")
    assert found["sums are equal", "all"] == ("holds", "")
    alone = verdicts.scorecard([verdicts.tested("one beats two", {"a": unsure["a"]}, **WORDS)])
    assert alone["holm"].tolist() == ["stands"]


def test_the_summary_counts_cases_and_names_the_others():
    card = verdicts.scorecard(
        [
            verdicts.counted("it is so", {"a": (True, ""), "b": (False, "")}, **WORDS),
            verdicts.counted("never", {"a": (False, "")}, **WORDS),
        ]
    )
    shown = verdicts.summary(card)
    assert shown[""].tolist() == ["~", "✗"] and shown.columns[0] == ""
    assert shown["holds in"].tolist() == ["1 of 2", "0 of 1"]
    assert shown["but not in"].tolist() == ["b (fails)", "a (fails)"]


def test_a_table_of_cases_means_the_same_as_a_mapping():
    cases = {"a": (0.1, 0.0, 0.2), "b": (0.3, 0.2, 0.4)}
    table = pd.DataFrame([(case, *found) for case, found in cases.items()], columns=["case", "value", "low", "high"])
    pd.testing.assert_frame_equal(verdicts.tested("c", table, **WORDS), verdicts.tested("c", cases, **WORDS))


def test_an_empty_scorecard_and_two_verdicts_on_one_case_are_refused():
    with pytest.raises(ValueError, match="needs claims"):
        verdicts.scorecard([])
    one = verdicts.counted("c", {"a": (True, "")}, **WORDS)
    with pytest.raises(ValueError, match="two verdicts on 'a'"):
        verdicts.scorecard([one, one])
