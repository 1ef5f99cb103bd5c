"""The walk between two networks: still and moving figure show the same numbers."""

import numpy as np
import pandas as pd
import pytest

from hyperlib.figures.walks import MEASURES, walk_lines, walk_still


@pytest.fixture
def walks():
    rows = [
        {"way": way, "pair": pair, "place": place, "accuracy": 0.5 + 0.1 * pair + place / 10, "nearest": 5 + pair}
        for way in ("weights", "latents")
        for pair in range(3)
        for place in (0.0, 0.5, 1.0)
    ]
    return pd.DataFrame(rows)


def test_each_measure_has_a_panel_and_each_way_a_line_of_means(walks):
    figure = walk_lines(walks)

    assert [figure.layout.annotations[number].text for number in (0, 1)] == list(MEASURES.values())
    assert [trace.name for trace in figure.data] == ["weights", "latents"] * 2
    assert list(figure.data[0].y) == [0.6, 0.65, 0.7] and list(figure.data[2].y) == [6, 6, 6]
    still = walk_still(walks)
    for ax, first in zip(still.axes, (0, 2), strict=True):
        for line, trace in zip(ax.get_lines(), figure.data[first : first + 2], strict=True):
            np.testing.assert_allclose(line.get_ydata(), trace.y)
            assert line.get_color() == trace.line.color and line.get_label() == trace.name


def test_a_button_puts_one_pair_in_the_place_of_the_mean(walks):
    figure = walk_lines(walks)

    (menu,) = figure.layout.updatemenus
    assert [button.label for button in menu.buttons] == ["mean of all", "pair 0", "pair 1", "pair 2"]
    for button in menu.buttons:
        (change,) = button.args
        assert len(change["y"]) == len(figure.data)
    assert menu.buttons[3].args[0]["y"][0] == [0.7, 0.75, 0.8] and menu.buttons[3].args[0]["y"][2] == [7, 7, 7]
    assert menu.buttons[0].args[0]["y"] == [list(trace.y) for trace in figure.data]


def test_a_pair_that_was_not_walked_in_every_way_is_refused(walks):
    with pytest.raises(ValueError, match="in every way"):
        walk_lines(walks[(walks["way"] == "weights") | (walks["pair"] > 0)])
