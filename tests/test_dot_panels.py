"""Panels of dots: one per group, under one legend."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from hyperlib.figures.dot_panels import dot_panels

TABLE = pd.DataFrame(
    {
        "zoo": ["a", "a", "a", "b", "b", "b"],
        "property": ["accuracy", "accuracy", "epoch"] * 2,
        "method": ["W", "s(W)", "W"] * 2,
        "score": [0.1, 0.9, 0.3, -4.0, 0.8, 0.2],
    }
)


@pytest.fixture
def figure():
    yield dot_panels(TABLE, "zoo", "score", "property", "method", left=-1)
    plt.close("all")


def test_every_group_is_a_panel_in_the_order_of_the_table(figure):
    assert [ax.get_title() for ax in figure.axes] == ["a", "b"]


def test_the_legend_names_every_method_once(figure):
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["W", "s(W)"]


def test_rows_are_named_once_where_all_panels_have_the_same(figure):
    first, second = figure.axes
    assert [text.get_text() for text in first.get_yticklabels()] == ["accuracy", "epoch"]
    assert not second.yaxis.get_tick_params()["labelleft"]
    assert first.get_ylim() == second.get_ylim()


def test_panels_with_rows_of_their_own_keep_their_names():
    own = TABLE[~((TABLE["zoo"] == "b") & (TABLE["property"] == "epoch"))]
    first, second = dot_panels(own, "zoo", "score", "property", "method").axes
    assert [text.get_text() for text in second.get_yticklabels()] == ["accuracy"]
    plt.close("all")


def test_places_without_a_panel_stay_empty():
    third = pd.concat([TABLE, TABLE.assign(zoo="c").iloc[:3]])
    axes = dot_panels(third, "zoo", "score", "property", "method", columns=2).axes
    assert [ax.get_visible() for ax in axes] == [True, True, True, False]
    plt.close("all")


def test_a_level_is_a_tick_of_its_line_where_there_is_one_and_in_the_legend_once():
    one = TABLE.assign(ceiling=TABLE["score"].where(TABLE["zoo"] == "a"))
    drawn = dot_panels(one, "zoo", "score", "property", "method", level="ceiling")
    ticks = [[mark for mark in ax.collections if mark.get_label() == "ceiling"] for ax in drawn.axes]
    assert [len(marks) for marks in ticks] == [1, 0]
    assert [segment[0][0] for segment in ticks[0][0].get_segments()] == [0.1, 0.3]  # the first of each line
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ["W", "s(W)", "ceiling"]
    plt.close("all")


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="no rows"):
        dot_panels(TABLE.iloc[:0], "zoo", "score", "property", "method")


def test_panels_with_other_entries_would_mislead_by_their_colours_and_are_refused():
    fewer = TABLE[~((TABLE["zoo"] == TABLE["zoo"].iloc[0]) & (TABLE["method"] == TABLE["method"].iloc[0]))]
    with pytest.raises(ValueError, match="same entries of 'method'"):
        dot_panels(fewer, "zoo", "score", "property", "method")
