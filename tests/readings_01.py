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


@says("01", "Whoever knows the epoch alone, and no weight at all, tells it better (.90) than a *straight line* from statistics; trees on the same statistics have .93")
def _(t):
    told = _told(t)
    assert told["the clock"] > max(0.5, told["statistics"])
    rows = t("zoo-property-benchmark").query("zoo == 'tetris_seed' and target == 'test_accuracy' and probe == 'trees'")
    return told["the clock"], rows.set_index("features").loc["s(W)", "value"]


@says("01", "In this zoo most of what there is to tell is how long a network was trained.")
def _(t):
    return bool(_told(t)["the clock"] > 0.5)
