"""What a reader's slider or menu changes is in the figure from the start, and all that the still shows is in view."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from hyperlib.figures.interactive import barrier_lines, latent_map, playground, turning_trajectories
from hyperlib.figures.panels import in_panels
from hyperlib.figures.style import CYCLE
from hyperlib.tasks.playground import copies_in_all_orders, switching_lines
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.layers import Activation, Flatten, Linear

HIDDEN = (Flatten(), Linear("fc1", width=3), Activation())
TINY = Architecture("tiny", (2, 1, 1), (*HIDDEN, Linear("fc2", units="classes", width=2)), "relu")
TICKS = np.linspace(-1, 1, 5)


@pytest.fixture(scope="module")
def strips():
    weights = TINY.initialise(seeds=[1])[0]
    _, _, table = copies_in_all_orders(TINY, weights)
    return table.assign(change=1e-7), switching_lines(TINY, weights)


@pytest.fixture(scope="module")
def play(strips):
    table, lines = strips
    return playground(TICKS, np.zeros((5, 5)), lines, table)


def test_a_step_of_the_playground_shows_the_weights_of_that_order(strips, play):
    table, _ = strips
    steps = play.layout.sliders[0].steps
    assert [step.label for step in steps] == list(dict.fromkeys(table["order"]))
    for step in steps:
        part = table[table["order"] == step.label]
        bars, said, (trace,) = step.args
        assert play.data[trace].type == "bar" and play.data[trace].xaxis == "x3"
        assert bars["y"][0] == pytest.approx(part["value"].tolist(), abs=5e-4)
        ((path, words),) = said.items()
        assert f"{part['distance'].iloc[0]:.2f}" in words
        assert path == "annotations[2].text" and len(play.layout.annotations) == 3


def test_colours_follow_the_units(strips, play):
    table, _ = strips
    unit_colours = [trace.line.color for trace in play.data if trace.type == "scatter"]
    assert len(set(unit_colours)) == 3
    for step in play.layout.sliders[0].steps:
        units = table[table["order"] == step.label]["unit"].to_numpy()
        for unit, colour in zip(units, step.args[0]["marker.color"][0], strict=True):
            assert unit < 0 or colour == unit_colours[unit]


def test_a_row_of_the_strips_is_one_order(strips, play):
    table, _ = strips
    (rows,) = [trace for trace in play.data if trace.type == "bar" and trace.base is not None]
    assert play.layout.yaxis2.ticktext == tuple(table["order"].unique()), "three units have six orders"
    last = table[table["order"] == play.layout.yaxis2.ticktext[-1]]["value"].to_numpy()
    drawn = np.asarray(rows.y)[np.asarray(rows.base) == play.layout.yaxis2.tickvals[-1]]
    assert np.corrcoef(drawn, last)[0, 1] > 0.999 and np.abs(rows.y).max() < 0.5, "no row reaches into the next"


@pytest.fixture(scope="module")
def lines():
    alphas = torch.linspace(0, 1, 3).tolist()
    rows = [
        {"network": network, "setting": setting, "pair": pair, "alpha": alpha, "loss": 10 * pair + 1 + alpha}
        for network in ("a", "b")
        for setting in ("far", "near")
        for pair in range(3)
        for alpha in alphas
    ]
    return pd.DataFrame(rows)


def in_panel(figure, number):
    return [trace for trace in figure.data if (trace.xaxis or "x") == ("x" if number == 1 else f"x{number}")]


def test_every_network_has_a_panel_with_all_settings_in_view(lines):
    figure = barrier_lines(lines, ["far", "near"])
    assert [figure.layout.annotations[number].text for number in (0, 1)] == ["a, 3 pairs", "b, 3 pairs"]
    for number in (1, 2):
        shown = [trace for trace in in_panel(figure, number) if trace.visible is not False]
        assert [(trace.name, trace.fill) for trace in shown] == [
            (setting, kind) for setting in ("far", "near") for kind in ("toself", "toself", None)
        ]
    assert [trace.name for trace in figure.data if trace.showlegend] == ["far", "near"], "each once"


def test_thick_line_is_the_median_over_pairs_in_its_bands(lines):
    wide, narrow, pairs, median = barrier_lines(lines, ["far", "near"]).data[:4]
    assert list(median.x) == [0, 0.5, 1] and list(median.y) == [11, 11.5, 12]
    assert [list(row) for row in median.customdata] == [[6, 16], [6.5, 16.5], [7, 17]], "quartiles, for the hover text"
    assert list(narrow.y) == [6, 6.5, 7, 17, 16.5, 16], "there along the lower edge and back along the upper"
    assert min(wide.y) < min(narrow.y) and max(wide.y) > max(narrow.y)
    assert np.isnan(pairs.y).sum() == 3
    assert pairs.y[:3].tolist() == [1, 1.5, 2] and pairs.y[4:7].tolist() == [11, 11.5, 12]


def test_a_raised_setting_shows_its_pairs_and_leaves_the_others_faint(lines):
    figure = barrier_lines(lines, ["far", "near"])
    (menu,) = figure.layout.updatemenus
    assert [button.label for button in menu.buttons] == ["all alike", "far", "near"]
    for button in menu.buttons:
        (change,) = button.args
        for trace, visible, opacity in zip(figure.data, change["visible"], change["opacity"], strict=True):
            single = trace.fill is None and trace.customdata is None
            assert visible == (not single or trace.name == button.label)
            assert (opacity == 1) == (button.label in ("all alike", trace.name))


def test_a_network_that_was_not_asked_in_a_setting_has_no_line_of_it(lines):
    figure = barrier_lines(lines[(lines["network"] == "a") | (lines["setting"] == "far")], ["far", "near"])
    assert {trace.name for trace in in_panel(figure, 2)} == {"far"}
    assert len(figure.layout.updatemenus[0].buttons[2].args[0]["opacity"]) == len(figure.data)


def test_the_menu_of_the_latent_map_colours_all_maps_alike():
    table = pd.DataFrame({"model": [3, 3, 4], "epoch": [0, 1, 0], "gap": [0.1, 0.2, 0.3]})
    table["test_accuracy"] = [0.5, 0.6, 0.7]
    maps = {"W": np.arange(6.0).reshape(3, 2), "z": -np.arange(6.0).reshape(3, 2)}
    figure = latent_map(maps, table, {"test_accuracy": "test accuracy", "gap": "gap"})

    assert [note.text for note in figure.layout.annotations] == ["W", "z"]
    assert list(figure.data[0].x) == [0, 2, 4] and list(figure.data[1].y) == [-1, -3, -5]
    for trace in figure.data:
        assert trace.text == ("model 3, epoch 0", "model 3, epoch 1", "model 4, epoch 0")
        assert list(trace.marker.color) == [0.5, 0.6, 0.7] and "test accuracy %{marker.color" in trace.hovertemplate
    (menu,) = figure.layout.updatemenus
    assert [button.label for button in menu.buttons] == ["test accuracy", "gap"]
    dots, legend = menu.buttons[1].args
    assert dots["marker.color"] == [[0.1, 0.2, 0.3]], "one list serves all maps"
    assert "gap %{marker.color" in dots["hovertemplate"] and legend == {"coloraxis.colorbar.title.text": "gap"}


def test_trajectories_show_all_models_and_one_with_its_epochs():
    table = pd.DataFrame({"model": [5, 5, 7, 7], "epoch": [0, 10, 0, 10]})
    figure = turning_trajectories(np.arange(12.0).reshape(4, 3), table)
    every, one = ([trace for trace in figure.data if (trace.scene or "scene") == name] for name in ("scene", "scene2"))
    assert len(every) == 2 and {trace.mode for trace in every} == {"lines"}
    (line,) = one
    assert list(line.marker.color) == [0, 10] and list(line.x) == [0, 3]
    assert line.text == ("model 5, epoch 0", "model 5, epoch 10")


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("scenes", [False, True])
def test_panels_lie_beside_each_other_or_below_and_never_overlap(count, scenes):
    import plotly.graph_objects as go

    titles = [f"panel {number}" for number in range(count)]
    figure = in_panels(go.Figure(), titles, columns=(3, 1), heights=(200, 150), scenes=scenes, fills=True)
    for shape, columns in (("wide", 3), ("narrow", 1)):
        places = figure.layout.meta[shape]
        axes = ("scene{}.domain.x", "scene{}.domain.y") if scenes else ("xaxis{}.domain", "yaxis{}.domain")
        boxes = [[places[axis.format(number or "")] for axis in axes] for number in [0, *range(2, count + 1)]]
        assert len({tuple(y) for _, y in boxes}) == -(-count // columns), "rows"
        for one, (x, y) in enumerate(boxes):
            assert 0 <= x[0] < x[1] <= 1 and 0 <= y[0] < y[1] <= 1
            assert (places[f"annotations[{one}].x"], places[f"annotations[{one}].y"]) == (x[0], y[1])
            for left, low in boxes[:one]:
                assert left[1] < x[0] or y[1] < low[0]
        assert boxes[-1][0][1] == 1, "the last takes the rest of its row"
    assert figure.layout.height == figure.layout.meta["wide"]["height"], "as it is drawn where nobody looks at `meta`"


def test_colours_of_settings_are_those_of_the_still(lines):
    figure = barrier_lines(lines, ["far", "near"])
    assert [trace.line.color for trace in figure.data if trace.showlegend] == CYCLE[:2]
