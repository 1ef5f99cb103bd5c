"""Pictures and dot plots draw what they are given, in marks that keep their contrast."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch

mpl.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from eyesight import contrast  # noqa: E402
from matplotlib.colors import to_hex  # noqa: E402

import hyperlib  # noqa: E402
from hyperlib.figures import pictures, style  # noqa: E402


@pytest.fixture(autouse=True)
def closed():
    style.use_house_style()
    yield
    plt.close("all")
    mpl.rcdefaults()
    mpl.use("Agg")


@pytest.fixture
def table() -> pd.DataFrame:
    rows = [(f"row {row}", method) for row in range(3) for method in ("W", "s(W)", "ours")]
    values = np.linspace(-0.9, 0.9, 9)
    return pd.DataFrame(rows, columns=["target", "method"]).assign(
        value=values, low=values - 0.05, high=values + 0.1, printed=values / 2, chance=np.repeat([0.1, 0.2, 0.3], 3)
    )


def dots(ax, label: str):
    return next(drawn for drawn in ax.collections if drawn.get_label() == label)


def smallest_words(figure) -> float:
    return min(text.get_fontsize() for text in figure.findobj(mpl.text.Text) if text.get_text())


def test_images_are_of_different_classes_with_their_names():
    sets = {name: hyperlib.load_images(name) for name in ("tetris", "digits")}
    figure = pictures.image_samples(sets)

    panels = np.reshape(np.array(figure.findobj(mpl.axes.Axes), dtype=object), (2, 4))
    for row, images in zip(panels, sets.values(), strict=True):
        names = [ax.get_xlabel() for ax in row]
        assert len(set(names)) == 4 and set(names) <= set(images.classes)
        low, high = images.train_x.min(), images.train_x.max()
        stretched = ((images.train_x[:, 0] - low) / (high - low)).numpy()
        for ax, name in zip(row, names, strict=True):
            shown = ax.images[0].get_array()
            first = images.classes.index(name)
            assert np.abs(stretched[(images.train_y == first).numpy()][0] - shown).max() < 1e-6
    assert smallest_words(figure) >= 8


def test_images_in_colour_stay_in_colour_and_few_classes_give_more_of_each():
    x = torch.rand(12, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    y = torch.arange(12) % 2
    images = hyperlib.Images("two", x, y, x, y, ("left", "right"), "drawn here")
    figure = pictures.image_samples({"two": images})

    axes = figure.findobj(mpl.axes.Axes)
    assert [ax.get_xlabel() for ax in axes] == ["left", "right"] * 2
    assert [ax.images[0].get_array().shape for ax in axes] == [(5, 6, 3)] * 4


@pytest.mark.parametrize(
    "network", [hyperlib.tetris_mlp(), hyperlib.small_cnn(), hyperlib.small_resnet(1)], ids=lambda a: a.name
)
def test_every_weight_is_drawn_once_in_its_layer_on_a_symmetric_scale(network):
    weights = network.initialise([3])[0]
    figure = pictures.weights_by_layer(network.layout, weights)

    panels = [ax for ax in figure.findobj(mpl.axes.Axes) if ax.images]
    assert [ax.get_title().split("\n")[0] for ax in panels] == list(network.layout.layers)
    for ax, layer in zip(panels, network.layout.layers, strict=True):
        own = np.concatenate([weights[s.start : s.stop].numpy() for s in network.layout if s.layer == layer])
        drawn = np.concatenate([np.ravel(image.get_array()) for image in ax.images])
        np.testing.assert_allclose(np.sort(drawn), np.sort(own))
        (low, high), *others = {image.get_clim() for image in ax.images}
        assert not others and low == -high and high == pytest.approx(np.abs(own).max())
    assert smallest_words(figure) >= 8


def test_rows_of_a_heat_map_are_units_and_one_limit_serves_all_layers():
    network = hyperlib.digits_cnn()
    weights = network.initialise([0])[0]
    figure = pictures.weights_by_layer(network.layout, weights.numpy(), limit=0.7)

    panel = next(ax for ax in figure.findobj(mpl.axes.Axes) if ax.get_title().startswith("conv2"))
    slot = network.layout["conv2.weight"]
    np.testing.assert_allclose(panel.images[0].get_array(), weights[slot.start : slot.stop].view(6, -1))
    assert panel.get_title() == "conv2\n6 × 8 × 2 × 2"
    assert {image.get_clim() for ax in figure.findobj(mpl.axes.Axes) for image in ax.images} == {(-0.7, 0.7)}


def test_weights_of_another_network_are_refused():
    with pytest.raises(ValueError, match="vector of 100 weights, not \\[2, 100\\]"):
        pictures.weights_by_layer(hyperlib.tetris_mlp().layout, torch.zeros(2, 100))


def test_dots_and_intervals_stand_at_the_tables_values(table):
    _, ax = plt.subplots()
    pictures.dot_plot(table, ax, "value", "target", "method", low="low", high="high")

    assert [text.get_text() for text in ax.get_yticklabels()] == ["row 0", "row 1", "row 2"]
    heights = []
    for method, part in table.groupby("method"):
        x, y = dots(ax, method).get_offsets().T
        np.testing.assert_allclose(x, part["value"])
        assert np.round(y).tolist() == [0, 1, 2]
        heights.append(y[0])
    assert len(set(heights)) == 3  # in one line, and none hides another
    drawn = [line for one in ax.collections if hasattr(one, "get_segments") for line in one.get_segments()]
    ends = sorted((left, right) for (left, _), (right, _) in drawn)
    np.testing.assert_allclose(ends, sorted(zip(table["low"], table["high"], strict=True)))


def test_methods_have_colour_and_shape_and_published_values_are_hollow(table):
    _, ax = plt.subplots()
    pictures.dot_plot(table, ax, "value", "target", "method", published="printed", level="chance")

    colours = {name: to_hex(dots(ax, name).get_facecolor()[0]) for name in ("W", "s(W)", "ours")}
    assert colours["W"] == style.COLOURS["W"] and colours["s(W)"] == style.COLOURS["s(W)"]
    assert len({*colours.values()}) == 3 and min(contrast(c, g) for c in colours.values() for g in style.GROUNDS) >= 3
    shapes = {tuple(map(tuple, dots(ax, name).get_paths()[0].vertices)) for name in colours}
    assert len(shapes) == 3
    hollow = [c for c in ax.collections if len(c.get_offsets()) == 3 and not len(c.get_facecolor())]
    assert len(hollow) == 3
    np.testing.assert_allclose(
        [c.get_offsets()[:, 0] for c in hollow], [part["printed"] for _, part in table.groupby("method", sort=False)]
    )
    assert [to_hex(c.get_edgecolor()[0]) for c in hollow] == list(colours.values())
    levels = dots(ax, "chance").get_segments()
    assert [segment[0][0] for segment in levels] == [0.1, 0.2, 0.3]
    assert all(drawn.get_alpha() is None for drawn in ax.collections)


def test_what_lies_beyond_the_left_end_is_an_arrow_there(table):
    _, ax = plt.subplots()
    pictures.dot_plot(table, ax, "value", "target", "method", low="low", high="high", left=-0.5)

    inside = sum(len(dots(ax, name).get_offsets()) for name in ("W", "s(W)", "ours"))
    arrows = [c for c in ax.collections if len(c.get_offsets()) and (c.get_offsets()[:, 0] == -0.5).all()]
    assert inside == (table["value"] >= -0.5).sum()
    assert sum(len(c.get_offsets()) for c in arrows) == (table["low"] < -0.5).sum()
    assert ax.get_xlim()[0] == -0.5


def test_a_dot_plot_refuses_unknown_columns_and_a_seventh_hue(table):
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match="no column r2; it has target, method"):
        pictures.dot_plot(table, ax, "r2", "target", "method")
    many = pd.DataFrame({"value": 0.0, "row": "one", "method": [f"method {number}" for number in range(7)]})
    with pytest.raises(ValueError, match="six hues and grey"):
        pictures.dot_plot(many, ax, "value", "row", "method")


def test_an_island_is_enlarged_with_all_its_checkpoints_in_order():
    random = np.random.default_rng(0)
    models = np.repeat(np.arange(8), 5)
    points = 20 * random.normal(size=(8, 2))[models] + random.normal(size=(40, 2))
    values = np.tile(np.arange(5.0), 8)
    _, axes = plt.subplots(1, 2)
    pictures.map_with_island(points, values, models, 3, axes, "map", "epoch")

    own, (whole, panel) = points[models == 3], axes
    assert whole.collections[0].get_offsets().tolist() == points.tolist()
    np.testing.assert_allclose(panel.lines[0].get_xydata(), own)
    np.testing.assert_allclose(panel.collections[-1].get_offsets(), own)
    assert panel.collections[-1].get_array().tolist() == [0, 1, 2, 3, 4]
    for low, high, ends in ((*panel.get_xlim(), own[:, 0]), (*panel.get_ylim(), own[:, 1])):
        assert low < ends.min() and ends.max() < high
    box = whole.patches[0].get_bbox()
    assert all(box.contains(*point) for point in own)
    scales = {drawn.get_clim() for ax in axes for drawn in ax.collections}
    assert scales == {(0, 4)}  # the same colours on both sides
    with pytest.raises(ValueError, match="model 99"):
        pictures.map_with_island(points, values, models, 99, axes)


def test_raised_lines_are_in_colour_over_grey_ones_and_their_names_keep_clear():
    lines = {f"line {number}": pd.Series([1.0, 1 + number / 1000], index=[0, 10]) for number in range(13)}
    raised = ["line 3", "line 4", "line 12"]
    figure, ax = plt.subplots(layout="constrained")
    pictures.raised_lines(lines, raised, ax)
    figure.canvas.draw()

    assert len(ax.lines) == 13 and [line.get_label() for line in ax.lines[-3:]] == raised
    assert [to_hex(line.get_color()) for line in ax.lines] == [style.INK] * 10 + style.RAISED
    np.testing.assert_allclose(ax.lines[-1].get_ydata(), lines["line 12"])
    words = sorted((text.get_window_extent() for text in ax.texts), key=lambda box: box.y0)
    assert all(lower.y1 <= upper.y0 for lower, upper in zip(words, words[1:], strict=False))
    assert all(figure.bbox.contains(box.x1, box.y1) for box in words)


def test_no_more_than_three_lines_are_raised_and_all_must_be_there():
    lines = {name: pd.Series([1.0, 2.0]) for name in "abcd"}
    _, ax = plt.subplots()
    for wrong in (list("abcd"), ["a", "z"]):
        with pytest.raises(ValueError, match="Raise at most 3 of the lines a, b, c, d"):
            pictures.raised_lines(lines, wrong, ax)
    assert not ax.lines
