"""Dot plots side by side, under one legend: what stands for a table with more rows than a page can show."""

from __future__ import annotations

from math import ceil

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from hyperlib.figures.pictures import WIDTH, dot_plot


def dot_panels(
    table: pd.DataFrame,
    panel: str,
    value: str,
    rows: str,
    by: str,
    *,
    low: str | None = None,
    high: str | None = None,
    level: str | None = None,
    left: float | None = None,
    columns: int = 3,
    height: float = 2.8,
    label: str = "",
    zero: bool = False,
) -> Figure:
    """A `dot_plot` for every entry of the column `panel`, which is its title; all have the same entries of `by`.

    `value`, `rows`, `by`, `low`, `high`, `level` and `left` are those of `dot_plot`. columns: panels side by side, of
    which the first one names the rows if all have the same. height: of a row of panels, in inches. label: of the x-axes
    below. zero: draw a line there, for differences. Raises ValueError for a table without rows, and for panels with
    different entries of `by`, which would have different colours.
    """
    names = list(dict.fromkeys(table[panel]))
    if not names:
        raise ValueError("There is nothing to draw: the table has no rows.")
    if table.groupby(panel)[by].agg(lambda one: tuple(dict.fromkeys(one))).nunique() > 1:
        raise ValueError(f"Every panel needs the same entries of {by!r} in the same order, or colours would mislead.")
    lines = ceil(len(names) / columns)
    same = table.groupby(panel)[rows].agg(lambda one: tuple(dict.fromkeys(one))).nunique() == 1
    shape = {"nrows": lines, "ncols": min(columns, len(names)), "squeeze": False, "sharey": bool(same)}
    figure, axes = plt.subplots(figsize=(WIDTH, lines * height + 0.4), **shape)
    for number, (ax, name) in enumerate(zip(axes.flat, names, strict=False)):
        dot_plot(table[table[panel] == name], ax, value, rows, by, low=low, high=high, level=level, left=left)
        ax.set_title(name, fontsize=10)
        ax.set_xlabel(label if number >= len(names) - columns else "")
        if zero:
            ax.axvline(0, color=plt.rcParams["axes.edgecolor"], linewidth=0.9)
    for ax in axes.flat[len(names) :]:
        ax.set_visible(False)
    marks = {name: mark for ax in axes.flat for mark, name in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(marks.values(), marks.keys(), loc="outside lower center", ncols=min(len(marks), 5), fontsize=9)
    return figure
