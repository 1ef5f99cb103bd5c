"""What a reader's slider or button changes is in the figure from the start, and the controls don't undo each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from hyperlib.figures.interactive import barrier_lines, latent_map, playground
from hyperlib.tasks.playground import copies_in_all_orders, switching_lines
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.layers import Activation, Flatten, Linear

HIDDEN = (Flatten(), Linear("fc1", width=3), Activation())
TINY = Architecture("tiny", (2, 1, 1), (*HIDDEN, Linear("fc2", units="classes", width=2)), "relu")


@pytest.fixture
def strips():
    weights = TINY.initialise(seeds=[1])[0]
    _, _, table = copies_in_all_orders(TINY, weights)
    return table.assign(change=1e-7), switching_lines(TINY, weights)


def test_a_step_of_the_playground_shows_the_weights_of_that_order(strips):
    table, lines = strips
    ticks = np.linspace(-1, 1, 5)
    figure = playground(ticks, np.zeros((5, 5)), lines, table)
    steps = figure.layout.sliders[0].steps
    assert [step.label for step in steps] == list(dict.fromkeys(table["order"]))
    for step in steps:
        part = table[table["order"] == step.label]
        bars, said, (trace,) = step.args
        assert figure.data[trace].type == "bar"
        assert bars["y"][0] == pytest.approx(part["value"].tolist(), abs=5e-4)
        assert f"{part['distance'].iloc[0]:.2f}" in said["annotations"][0]["text"]


def test_colours_follow_the_units(strips):
    table, lines = strips
    figure = playground(np.linspace(-1, 1, 5), np.zeros((5, 5)), lines, table)
    unit_colours = [trace.line.color for trace in figure.data if trace.type == "scatter"]
    assert len(set(unit_colours)) == 3
    for step in figure.layout.sliders[0].steps:
        units = table[table["order"] == step.label]["unit"].to_numpy()
        for unit, colour in zip(units, step.args[0]["marker.color"][0], strict=True):
            assert unit < 0 or colour == unit_colours[unit]


@pytest.fixture
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


def test_pairs_are_separate_lines_and_the_thick_one_is_their_median(lines):
    figure = barrier_lines(lines, ["far", "near"])
    pairs, median = figure.data[:2]
    assert np.isnan(pairs.y).sum() == 3
    assert pairs.y[:3].tolist() == [1, 1.5, 2] and pairs.y[4:7].tolist() == [11, 11.5, 12]
    assert list(median.y) == [11, 11.5, 12] and list(median.x) == [0, 0.5, 1]


def test_buttons_and_slider_change_different_things_of_every_line(lines):
    figure = barrier_lines(lines, ["far", "near"])
    (menu,), (slider,) = figure.layout.updatemenus, figure.layout.sliders
    assert [button.label for button in menu.buttons] == ["far", "near"]
    assert [step.label for step in slider.steps] == ["a", "b"]
    for button in menu.buttons:
        assert set(button.args[0]) == {"opacity"} and len(button.args[0]["opacity"]) == len(figure.data)
    for step in slider.steps:
        assert set(step.args[0]) == {"visible"} and len(step.args[0]["visible"]) == len(figure.data)
    shown = [trace for trace in figure.data if trace.visible and trace.opacity == 1]
    assert len(shown) == 2  # at first: the pairs and the median of one network in one setting
    both = zip(menu.buttons[1].args[0]["opacity"], slider.steps[1].args[0]["visible"], strict=True)
    assert sum(opacity == 1 and visible for opacity, visible in both) == 2


def test_a_network_that_was_not_asked_in_a_setting_leaves_its_line_empty(lines):
    figure = barrier_lines(lines[(lines["network"] == "a") | (lines["setting"] == "far")], ["far", "near"])
    assert len(figure.data) == 8


def test_the_menus_of_the_latent_map_choose_map_and_colour_apart():
    table = pd.DataFrame({"model": [3, 3, 4], "epoch": [0, 1, 0], "gap": [0.1, 0.2, 0.3]})
    table["test_accuracy"] = [0.5, 0.6, 0.7]
    maps = {"W": np.arange(6.0).reshape(3, 2), "z": -np.arange(6.0).reshape(3, 2)}
    figure = latent_map(maps, table, {"test_accuracy": "test accuracy", "gap": "gap"})

    of_maps, of_values = figure.layout.updatemenus
    assert figure.data[0].text == ("model 3, epoch 0", "model 3, epoch 1", "model 4, epoch 0")
    assert list(figure.data[0].x) == [0, 2, 4] and list(figure.data[0].marker.color) == [0.5, 0.6, 0.7]
    assert [button.label for button in of_maps.buttons] == ["W", "z"]
    assert of_maps.buttons[1].args[0] == {"x": [[-0.0, -2.0, -4.0]], "y": [[-1.0, -3.0, -5.0]]}
    assert of_values.buttons[1].args[0] == {"marker.color": [[0.1, 0.2, 0.3]]}
