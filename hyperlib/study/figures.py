"""The book's figures: one house style, and plots that take a table and an axis and compute nothing.

Colours are those of Okabe and Ito (2008), which stay apart for colour-blind readers and in grey; backgrounds are
transparent and text mid-grey, so that a figure is legible on a light and on a dark page.
"""

from __future__ import annotations

import hashlib

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from pandas.io.formats.style import Styler

INK = "#767676"  # 4.5 to 1 on white, and as much on near-black
COLOURS = {
    "W": "#999999",
    "s(W)": "#0072B2",
    "hyper-parameters": "#E69F00",
    "thesis": "#D55E00",
}
CYCLE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999"]
ZOO = "#009E73"  # populations; the colours above stand for methods
PAIR = ["#56B4E9", "#CC79A7"]  # two readings of one thing
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
    name = hashlib.sha256(table.to_csv().encode()).hexdigest()[:8]  # pandas would draw another one at every run
    prose = [column for column in table if table[column].astype(str).str.len().max() > 40]
    shown = table.style.hide(axis="index").set_uuid(name).format(precision=precision, na_rep="–")
    return shown.set_properties(subset=prose, **{"min-width": "16rem"})  # else a phone makes it one word wide


def bands_over_epochs(
    table: pd.DataFrame, column: str, ax: Axes, label: str, colour: str = ZOO, percent: bool = True
) -> None:
    """Median over models per epoch, with bands from the 5th to the 95th and the 25th to the 75th percentile.

    `table` has one row per (model, epoch); fractions are drawn in percent unless told otherwise.
    """
    drawn = table[["epoch"]].assign(value=table[column] * (100 if percent else 1))
    for width, alpha in ((90, 0.15), (50, 0.3)):
        band = {"alpha": alpha, "linewidth": 0}
        sns.lineplot(
            drawn, x="epoch", y="value", estimator="median", errorbar=("pi", width), err_kws=band, color=colour, ax=ax,
            label=label if width == 50 else None, linewidth=1.5 if width == 50 else 0, legend=False,
        )  # fmt: skip
    ax.set(xlabel="epoch", ylabel="")


def map_points(points: np.ndarray, values: np.ndarray, ax: Axes, title: str, label: str) -> None:
    """A two-dimensional map of checkpoints coloured by one property, `label` with its unit.

    At most `POINTS` of them, drawn in a random order (always the same), so that none hides the others of its place.
    """
    rows = np.random.default_rng(0).permutation(len(points))[:POINTS]
    drawn = ax.scatter(*points[rows].T, c=values[rows], s=4, linewidths=0, alpha=0.8)
    bar = ax.figure.colorbar(drawn, ax=ax, shrink=0.85, label=label)
    bar.outline.set_visible(False)
    ax.set_title(title, fontsize=10)
    ax.set(xticks=[], yticks=[])
    ax.grid(False)


def intervals(table: pd.DataFrame, ax: Axes, by: str, label: str, left: float = -0.3) -> None:
    """Values with their intervals as horizontal bars: one row per entry of `label`, one colour per entry of `by`.

    `table` has the columns `value`, `low` and `high`; the axis goes from `left` to 1. An arrow marks a bar or an
    interval that goes on beyond the axis's left end.
    """
    rows = list(dict.fromkeys(table[label]))
    groups = list(dict.fromkeys(table[by]))
    for number, group in enumerate(groups):
        part = table[table[by] == group]
        offset = (number - (len(groups) - 1) / 2) * 0.8 / len(groups)
        places = np.array([rows.index(name) for name in part[label]]) + offset
        colour = COLOURS.get(group, CYCLE[number % len(CYCLE)])
        ax.barh(
            places, part["value"].clip(lower=left), height=0.75 / len(groups), color=colour, alpha=0.75, label=group
        )
        ax.hlines(places, part["low"].clip(lower=left), part["high"].clip(lower=left), color=INK, linewidth=1)
        cut = (part[["value", "low"]].min(axis=1) < left).to_numpy()
        if cut.any():
            arrows = {"marker": "<", "color": INK, "s": 14, "clip_on": False, "zorder": 3}
            ax.scatter(np.full(cut.sum(), left), places[cut], **arrows).set_in_layout(False)
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylim(len(rows) - 0.5, -0.5)  # first row on top, also where axes are shared
    ax.set_xlim(left, 1.02)
    ax.grid(axis="y", visible=False)
    ax.axvline(0, color=INK, linewidth=0.8)
