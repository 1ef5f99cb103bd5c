"""Ours beside theirs: one unit, no row lost, and tables that do not fit are refused."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperlib.thesis import published as thesis
from hyperlib.thesis.comparison import as_fractions, beside

OURS = pd.DataFrame({"method": ["B", "A"], "epoch": [1, 1], "value": [0.5, 0.25], "std": [0.1, 0.2]})
THEIRS = pd.DataFrame(
    {"method": ["A", "C"], "epoch": [1, 1], "value": [0.75, 0.9], "source": ["x", "y"], "note": ["", "z"]}
)


def test_rows_of_only_one_side_stay():
    table = beside(OURS, THEIRS, ["method", "epoch"])

    assert table["method"].tolist() == ["B", "A", "C"]  # ours in our order, then theirs
    assert table["ours"].fillna(-1).tolist() == [0.5, 0.25, -1]
    assert table["published"].fillna(-1).tolist() == [-1, 0.75, 0.9]
    assert table["difference"].fillna(-1).tolist() == [-1, -0.5, -1]
    assert table["source"].fillna("").tolist() == ["", "x", "y"]
    assert table["ours_std"].fillna(-1).tolist() == [0.1, 0.2, -1]


def test_what_we_do_not_ask_for_may_be_published_many_times():
    theirs = pd.concat([THEIRS, THEIRS.iloc[[1]].assign(value=0.8)])

    table = beside(OURS, theirs, ["method"])

    assert table["method"].tolist() == ["B", "A", "C", "C"]
    assert table["published"].tolist()[1:] == [0.75, 0.9, 0.8]
    with pytest.raises(ValueError, match="published table has {'method': 'C'} twice"):
        beside(OURS.assign(method=["C", "A"]), theirs, ["method"])


KEYS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 3)), unique=True)


@given(KEYS, KEYS)
def test_nothing_is_lost_and_nothing_invented(ours, theirs):
    def table(keys, sign):
        frame = pd.DataFrame(keys, columns=["name", "epoch"]).astype({"name": "str", "epoch": "int64"})
        return frame.assign(value=[float(sign * (10 * ord(name) + epoch)) for name, epoch in keys])

    both = beside(table(ours, 1), table(theirs, -1), ["name", "epoch"])

    found = dict(zip(zip(both["name"], both["epoch"], strict=True), both[["ours", "published"]].values, strict=True))
    assert len(both) == len(found) and set(found) == {*ours, *theirs}
    for (name, epoch), (left, right) in found.items():
        number = 10 * ord(name) + epoch
        assert left == number if (name, epoch) in ours else math.isnan(left)
        assert right == -number if (name, epoch) in theirs else math.isnan(right)


@pytest.mark.parametrize(
    ("ours", "theirs", "on", "says"),
    [
        (pd.concat([OURS, OURS]), THEIRS, ["method", "epoch"], "our table has .* twice"),
        (OURS, pd.concat([THEIRS, THEIRS]), ["method"], "published table has .* twice"),
        (OURS.drop(columns="value"), THEIRS, ["method"], "no column value"),
        (OURS, THEIRS, ["dataset"], "no column dataset"),
        (OURS, THEIRS, [], "no column to be matched on"),
        (OURS.assign(method=[None, "A"]), THEIRS, ["method"], "rows without method"),
        (OURS, THEIRS.assign(epoch=["1", "1"]), ["method", "epoch"], "Nothing can match on 'epoch'"),
        (OURS, THEIRS.assign(unit="percent"), ["method"], "as_fractions"),
    ],
)
def test_tables_that_do_not_fit_are_refused(ours, theirs, on: list[str], says: str):
    with pytest.raises(ValueError, match=says):
        beside(ours, theirs, on)


def test_percent_becomes_a_fraction_once():
    printed = thesis.published("ghr-finetune")
    fractions = as_fractions(printed)

    assert fractions["value"].tolist() == [value / 100 for value in printed["value"]]
    assert fractions["metric"].iloc[0] == "test accuracy, fine-tuning epoch 0"
    assert as_fractions(fractions).equals(fractions)
    counts = thesis.published("sane-arch-table")
    assert as_fractions(counts)["value"].equals(counts["value"])
    assert as_fractions(thesis.accuracy_statistics())["mean"].dropna().between(0, 1).all()


def test_only_percent_becomes_a_fraction():
    table = pd.DataFrame(
        {"value": [12.5, 3.0, 7.0, 0.5], "std": [1.0, 0.5, math.nan, 0.1], "unit": ["percent", "hours", "million", "1"]}
    )

    fractions = as_fractions(table)

    assert fractions["value"].tolist() == [0.125, 3.0, 7.0, 0.5]
    assert fractions["std"].fillna(-1).tolist() == [0.01, 0.5, -1, 0.1]
    assert fractions["unit"].tolist() == ["1", "hours", "million", "1"]
    with pytest.raises(ValueError, match="has unit 1, the published one hours"):
        beside(OURS, THEIRS.assign(unit="hours"), ["method"])
