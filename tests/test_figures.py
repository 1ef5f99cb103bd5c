"""Figures draw what the table says."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from hyperlib.study import figures  # noqa: E402


@pytest.fixture
def ax():
    fig, ax = plt.subplots()
    yield ax
    plt.close(fig)


def test_the_line_is_the_median_over_models_in_percent(ax):
    table = pd.DataFrame({"epoch": np.repeat([0, 1], 5), "test_accuracy": [0, 0.1, 0.2, 0.3, 0.9, *[0.5] * 5]})

    figures.bands_over_epochs(table, "test_accuracy", ax, "zoo", "C0")

    for line in ax.lines:
        assert line.get_ydata().tolist() == [20.0, 50.0]
    wide, narrow = (band.get_paths()[0].vertices[:, 1] for band in ax.collections)
    assert wide.max() == pytest.approx(np.percentile([0, 10, 20, 30, 90], 95))
    assert narrow.min() == pytest.approx(np.percentile([0, 10, 20, 30, 90], 25))


def test_a_map_shows_at_most_its_limit_of_points(ax):
    points = np.random.default_rng(0).normal(size=(figures.POINTS + 10, 2))

    figures.map_points(points, points[:, 0], ax, "map", "x")

    assert len(ax.collections[0].get_offsets()) == figures.POINTS


def test_bars_have_the_tables_values_and_mark_what_lies_outside(ax):
    table = pd.DataFrame(
        {
            "features": ["a", "a", "b", "b"],
            "target": ["x", "y"] * 2,
            "value": [0.9, -3.0, 0.5, 0.1],
            "low": [0.8, -4.0, 0.4, 0.0],
            "high": [1.0, -2.0, 0.6, 0.2],
        }
    )

    figures.intervals(table, ax, by="features", label="target")

    assert sorted(bar.get_width() for bar in ax.patches) == pytest.approx([-0.3, 0.1, 0.5, 0.9])
    arrows = [drawn for drawn in ax.collections if len(drawn.get_offsets()) and drawn.get_offsets()[0][0] == -0.3]
    assert len(arrows) == 1
    assert [text.get_text() for text in ax.get_yticklabels()] == ["x", "y"]


def test_a_table_is_shown_the_same_every_time_with_a_dash_for_nothing():
    table = pd.DataFrame({"zoo": ["a", "b"], "value": [1 / 3, np.nan], "why": ["short", "long words " * 9]})

    html = figures.show_table(table).to_html()

    assert html == figures.show_table(table.copy()).to_html()
    assert "0.333" in html
    assert "–" in html
    assert html.count("min-width: 16rem") == 1
