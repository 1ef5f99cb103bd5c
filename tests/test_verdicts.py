"""One rule for all verdicts, and Holm's for many of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
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


@given(NUMBERS, NUMBERS, NUMBERS, st.floats(0, 2), st.sampled_from([1.0, 2.0, 5.0, np.inf]))
def test_what_is_decided_has_a_small_p_and_nothing_else_has(one, two, three, margin, freedom):
    low, value, high = sorted([one, two, three])
    (row,) = verdicts.tested("c", {"a": (value, low, high, freedom)}, margin=margin, **WORDS).itertuples()
    if np.isnan(row.p):  # the interval has no width towards the margin
        assert value in (low, high)
    elif not np.isclose(row.p, 0.05, rtol=1e-6):
        assert (row.p < 0.05) == (row.verdict != "undecided")


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
    assert more.p == less.p or np.isnan([more.p, less.p]).all()


def test_a_p_value_is_that_of_students_test():
    values = np.random.default_rng(0).normal(0.5, size=5)
    (row,) = verdicts.tested("c", {"a": mean_of(values)}, threshold=0.1, **WORDS).itertuples()
    assert row.p == pytest.approx(ttest_1samp(values, 0.1).pvalue)


def test_a_sure_difference_within_the_margin_is_no_finding():
    assert verdicts.verdict(0.001, 0.002, 0.01) == "undecided"
    for missing in ((np.nan, np.nan), (1.0, np.nan), (np.nan, -1.0)):
        assert verdicts.verdict(*missing) == "undecided"


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
