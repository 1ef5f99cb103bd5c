"""The book's figures: one house style, and plots that take a table and an axis and compute nothing.

Colours are those of Okabe and Ito (2008), which stay apart for colour-blind readers and in grey; backgrounds are
transparent and text mid-grey, so that a figure is legible on a light and on a dark page.
"""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from pandas.io.formats.style import Styler

INK = "#808080"  # readable on white and on near-black
COLOURS = {
    "raw weights W": "#999999",
    "layer statistics s(W)": "#0072B2",
    "hyper-parameters": "#E69F00",
    "thesis": "#D55E00",
}
CYCLE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999"]
POINTS = 5000  # plots show at most this many


def use_house_style() -> None:
    """Set matplotlib's defaults for the book."""
    mpl.rcParams.update(
        {
            "figure.figsize": (7.0, 3.4),
            "figure.dpi": 110,
            "figure.facecolor": "none",
            "figure.constrained_layout.use": True,
            "savefig.facecolor": "none",
            "axes.facecolor": "none",
            "axes.prop_cycle": mpl.cycler(color=CYCLE),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.alpha": 0.25,
            "legend.frameon": False,
            "font.size": 10,
            "image.cmap": "viridis",
            **dict.fromkeys(
                ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "grid.color"), INK
            ),
        }
    )


def show_table(table: pd.DataFrame, precision: int = 3) -> Styler:
    """A table as a page shows it: without row numbers, so many decimals, a dash where there is no value."""
    return table.style.hide(axis="index").format(precision=precision, na_rep="–")


def bands_over_epochs(
    table: pd.DataFrame, column: str, ax: Axes, label: str, colour: str, percent: bool = True
) -> None:
    """Median over models per epoch, with bands from the 5th to the 95th and the 25th to the 75th percentile.

    `table` has one row per (model, epoch); fractions are drawn in percent unless told otherwise.
    """
    levels = table.groupby("epoch")[column].quantile([0.05, 0.25, 0.5, 0.75, 0.95]).unstack() * (100 if percent else 1)
    ax.fill_between(levels.index, levels[0.05], levels[0.95], color=colour, alpha=0.15, linewidth=0)
    ax.fill_between(levels.index, levels[0.25], levels[0.75], color=colour, alpha=0.3, linewidth=0)
    ax.plot(levels.index, levels[0.5], color=colour, label=label)
    ax.set_xlabel("epoch")


def map_points(points: np.ndarray, values: np.ndarray, ax: Axes, label: str) -> None:
    """A two-dimensional map of checkpoints coloured by one property; at most `POINTS` of them, evenly picked."""
    rows = np.linspace(0, len(points) - 1, min(len(points), POINTS)).astype(int)
    drawn = ax.scatter(*points[rows].T, c=values[rows], s=4, linewidths=0, alpha=0.8)
    bar = ax.figure.colorbar(drawn, ax=ax, shrink=0.85)
    bar.outline.set_visible(False)
    ax.set_title(label, fontsize=10)
    ax.set(xticks=[], yticks=[])
    ax.grid(False)


def intervals(table: pd.DataFrame, ax: Axes, by: str, label: str) -> None:
    """Values with their intervals as horizontal bars: one row per entry of `label`, one colour per entry of `by`.

    `table` has the columns `value`, `low` and `high`. Values below the axis's left end are marked by an arrow.
    """
    rows = list(dict.fromkeys(table[label]))
    groups = list(dict.fromkeys(table[by]))
    for number, group in enumerate(groups):
        part = table[table[by] == group]
        places = np.array([rows.index(name) for name in part[label]]) + (number - (len(groups) - 1) / 2) * 0.8 / len(
            groups
        )
        colour = COLOURS.get(group, CYCLE[number % len(CYCLE)])
        shown = part["value"].clip(lower=-0.2)
        ax.barh(places, shown, height=0.75 / len(groups), color=colour, alpha=0.75, label=group)
        ax.hlines(places, part["low"].clip(lower=-0.2), part["high"].clip(lower=-0.2), color=INK, linewidth=1)
        for place, value in zip(places, part["value"], strict=True):
            if value < -0.2:
                ax.annotate("◂", (-0.2, place), color=colour, va="center", ha="right", fontsize=8)
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylim(len(rows) - 0.5, -0.5)  # first row on top, also where axes are shared
    ax.grid(axis="y", visible=False)
    ax.axvline(0, color=INK, linewidth=0.8)
