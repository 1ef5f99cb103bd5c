"""What page 01 says of the published runs."""

from __future__ import annotations

from readings import says

TOLD = "intro-landscape.first_reading"


def _told(t):
    return t(TOLD).set_index("features")["value"]


@says("01", "Seven numbers per layer tell unseen networks' accuracy (R² of .85); raw weights by a straight line tell nothing of it (-.02).")
def _(t):
    table = t(TOLD).set_index("features")
    layers = 2  # of the Tetris network, which has no biases
    assert table.loc["raw weights", "low"] < 0 < table.loc["raw weights", "high"]
    return table.loc["statistics", "dimensions"] / layers, table.loc["statistics", "value"], table.loc["raw weights", "value"]


@says("01", "Whoever knows the epoch alone, and no weight at all, tells it better (.90). In this zoo most of what there is to tell")
def _(t):
    told = _told(t)
    assert told["the clock"] > max(0.5, told["statistics"])
    return told["the clock"]
