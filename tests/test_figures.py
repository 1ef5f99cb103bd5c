"""Figures draw what the table says."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from hyperlib.figures import interactive, plots, style  # noqa: E402
from hyperlib.weightspace.spectral_laws import MarchenkoPastur  # noqa: E402


@pytest.fixture
def ax():
    fig, ax = plt.subplots()
    yield ax
    plt.close(fig)


def test_the_line_is_the_median_over_models_in_percent(ax):
    table = pd.DataFrame({"epoch": np.repeat([0, 1], 5), "test_accuracy": [0, 0.1, 0.2, 0.3, 0.9, *[0.5] * 5]})

    plots.bands_over_epochs(table, "test_accuracy", ax, "zoo", "C0")

    for line in ax.lines:
        assert line.get_ydata().tolist() == [20.0, 50.0]
    wide, narrow = (band.get_paths()[0].vertices[:, 1] for band in ax.collections)
    assert wide.max() == pytest.approx(np.percentile([0, 10, 20, 30, 90], 95))
    assert narrow.min() == pytest.approx(np.percentile([0, 10, 20, 30, 90], 25))


def test_a_map_shows_at_most_its_limit_of_points(ax):
    points = np.random.default_rng(0).normal(size=(plots.POINTS + 10, 2))

    plots.map_points(points, points[:, 0], ax, "map", "x")

    assert len(ax.collections[0].get_offsets()) == plots.POINTS


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

    plots.intervals(table, ax, by="features", label="target")

    assert sorted(bar.get_width() for bar in ax.patches) == pytest.approx([-0.3, 0.1, 0.5, 0.9])
    arrows = [drawn for drawn in ax.collections if len(drawn.get_offsets()) and drawn.get_offsets()[0][0] == -0.3]
    assert len(arrows) == 1
    assert [text.get_text() for text in ax.get_yticklabels()] == ["x", "y"]


def test_a_branch_of_one_model_has_its_colour_and_one_of_several_is_grey(ax):
    linkage = np.array([[0, 1, 0.1, 2], [2, 3, 0.2, 2], [4, 5, 1.0, 4]])

    plots.tree(linkage, np.array([7, 7, 9, 9]), ax)

    drawn = {mpl.colors.to_hex(part.get_color()[0]): len(part.get_segments()) for part in ax.collections}
    own = [mpl.colors.to_hex(colour) for colour in style.model_colours(np.array([7, 9])).values()]
    assert drawn == {own[0]: 1, own[1]: 1, style.INK: 1}


def test_models_side_by_side_in_a_tree_differ_and_there_are_no_more_than_six_hues(ax):
    from scipy.cluster.hierarchy import linkage

    models = np.repeat(np.arange(14), 2)
    plots.tree(linkage((10.0 * models + np.tile([0, 1], 14))[:, None], "average"), models, ax)

    pairs = {}  # colour of the branch over each model's two leaves, by its place
    for part in ax.collections:
        for branch in part.get_segments():
            if branch[:, 1].max() <= 1:
                pairs[branch[:, 0].mean()] = mpl.colors.to_hex(part.get_color()[0])
    in_order = [pairs[place] for place in sorted(pairs)]
    assert len(in_order) == 14 and set(in_order) == set(style.HUES)
    assert all(one != other for one, other in zip(in_order, in_order[1:], strict=False))


def test_a_spectrum_is_drawn_with_its_law_and_edge(ax):
    law = MarchenkoPastur(1.0, 4.0)
    values = np.linspace(law.low, 3 * law.high, 500)

    plots.spectrum_against(values, law, ax, "layer")

    curve, edge = ax.lines
    assert curve.get_ydata().tolist() == law.density(curve.get_xdata()).tolist()
    assert edge.get_xdata()[0] == law.high
    x, y = ax.patches[0].get_xy().T
    area = abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2
    assert area == pytest.approx(1)


def test_every_run_is_one_line_in_both_forms_of_the_map():
    points = np.random.default_rng(0).normal(size=(6, 3))
    table = pd.DataFrame({"model": [0, 0, 0, 4, 4, 4], "epoch": [0, 1, 2] * 2})
    fig, ax = plt.subplots(subplot_kw={"projection": "3d"})

    plots.trajectories(points, table["model"].to_numpy(), None, ax, "runs")
    turning = interactive.turning_trajectories(points, table)

    assert len(ax.lines) == 2
    np.testing.assert_allclose(ax.lines[1].get_data_3d(), points[3:].T)
    together = [trace for trace in turning.data if trace.scene in (None, "scene")]
    np.testing.assert_allclose([trace.x for trace in together], points[:, 0].reshape(2, 3).round(3))
    assert together[1].text[2] == "model 4, epoch 2"
    plt.close(fig)


def test_panels_of_lines_draw_the_median_of_every_setting():
    columns = ["network", "setting", "pair", "alpha", "loss"]
    settings, alphas = ["as is", "moved"], (0.0, 0.5, 1.0)
    rows = [(n, s, p, a, a * p) for n in ("one", "two") for s in settings for p in range(3) for a in alphas]
    figure = plots.panels_of_lines(pd.DataFrame(rows, columns=columns), settings)

    panels = figure.axes[:2]
    assert [ax.get_title() for ax in panels] == ["one, 3 pairs", "two, 3 pairs"]
    np.testing.assert_allclose(panels[0].lines[1].get_ydata(), [0, 0.5, 1.0])
    assert [text.get_text() for text in figure.axes[5].get_legend().get_texts()] == ["as is", "moved"]
    plt.close(figure)


def test_learning_curves_show_training_and_validation_of_both_losses():
    history = pd.DataFrame({"step": [1, 2], "contrast": [2.0, 1.0], "reconstruction": [1.0, 0.5],
                            "val_contrast": [3.0, 2.0], "val_reconstruction": [1.5, 1.0]})  # fmt: skip
    _, axes = plt.subplots(1, 2)
    plots.learning_curves({"one": history, "two": history}, axes)

    for ax, part in zip(axes, ("contrast", "reconstruction"), strict=True):
        drawn = [line.get_ydata().tolist() for line in ax.lines]
        assert drawn == 2 * [history[part].tolist(), history[f"val_{part}"].tolist()]
        assert [line.get_label() for line in ax.lines if not line.get_label().startswith("_")] == ["one", "two"]


def test_of_many_learning_curves_three_are_raised_and_named():
    steps = {"step": [1, 10], "contrast": [2.0, 1.0], "reconstruction": [1.0, 0.5]}
    runs = {}
    for number in range(13):
        runs[f"run {number}"] = pd.DataFrame(
            steps | {"val_contrast": [3.0, 1 + number], "val_reconstruction": [1.0, 2.0]}
        )
    figure, axes = plt.subplots(1, 2)
    plots.learning_curves(runs, axes, raised=["run 4", "run 2"])

    for ax in axes:
        colours = [mpl.colors.to_hex(line.get_color()) for line in ax.lines]
        assert colours.count(style.INK) == 11 and len(set(colours)) == 3
        assert [text.get_text() for text in ax.texts] == ["run 4", "run 2"]
    assert {line.get_label(): line.get_ydata()[-1] for line in axes[0].lines[-2:]} == {"run 4": 5, "run 2": 3}
    plt.close(figure)


def test_marks_are_opaque_and_words_are_large_enough(ax):
    table = pd.DataFrame(
        {"m": ["a", "b"], "target": ["x"] * 2, "value": [0.5, 0.2], "low": [0.4, 0.1], "high": [0.6, 0.3]}
    )
    plots.intervals(table, ax, by="m", label="target")
    for bar in ax.patches:
        assert mpl.colors.to_hex(bar.get_edgecolor()) in style.HUES and bar.get_edgecolor()[3] == 1
    assert all(lines.get_alpha() is None for lines in ax.collections)

    points = np.random.default_rng(0).normal(size=(30, 2))
    plots.map_points(points, points[:, 0], ax, "map", "x")
    assert ax.collections[-1].get_alpha() is None
    assert min(text.get_fontsize() for text in ax.figure.findobj(mpl.text.Text) if text.get_text()) >= 8


def test_growth_is_drawn_as_multiples_of_the_first_job():
    table = pd.DataFrame({"grows": ["models"] * 2 + ["epochs"] * 2, "models": [10, 20, 10, 10],
                          "epochs": [3, 3, 3, 12], "seconds": [1.0, 2.5, 1.0, 4.5]})  # fmt: skip
    figure = plots.growth(table)
    lines = {line.get_label(): line.get_xydata().tolist() for line in figure.axes[0].lines}
    plt.close(figure)
    assert lines["models"] == [[1, 1.0], [2, 2.5]] and lines["epochs"] == [[1, 1.0], [4, 4.5]]
    assert lines["in proportion"] == [[1, 1.0], [4, 4.0]]


def test_what_is_added_stands_end_to_end_and_nothing_goes_back(ax):
    table = pd.DataFrame({"clock": [0.5, -0.2], "s(W)": [0.4, 0.1], "ours": [0.8, 0.3]}, index=["a", "b"])

    plots.added(table, ax)

    ends = [[(bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars] for bars in ax.containers]
    np.testing.assert_allclose([one[0] for one in ends], [(0, 0.5), (0.5, 0.5), (0.5, 0.8)])  # s(W) takes some away
    np.testing.assert_allclose([one[1] for one in ends], [(0, 0), (0, 0.1), (0.1, 0.3)])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"] and ax.yaxis_inverted()
    assert ax.get_legend_handles_labels()[1] == ["clock", "s(W)", "ours"]
