"""The book's plots: each takes a table and an axis, and computes nothing.

Lines, points and the edges of bars are opaque, so that they keep the contrast of their colour; bands may be faint.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hyperlib.figures.pictures import raised_lines
from hyperlib.figures.style import CYCLE, HUES, INK, RAMP_MAP, ZOO, method_colours, model_colours

if TYPE_CHECKING:
    from hyperlib.weightspace.spectral_laws import MarchenkoPastur

POINTS = 5000  # plots show at most this many


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
    drawn = ax.scatter(*points[rows].T, c=values[rows], cmap=RAMP_MAP, s=4, linewidths=0)
    bar = ax.figure.colorbar(drawn, ax=ax, shrink=0.85, label=label)
    bar.outline.set_visible(False)
    ax.set_title(title, fontsize=10)
    ax.set(xticks=[], yticks=[])
    ax.grid(False)


def intervals(table: pd.DataFrame, ax: Axes, by: str, label: str, left: float = -0.3) -> None:
    """Values with their intervals as horizontal bars: one row per entry of `label`, one colour per entry of `by`.

    `table` has the columns `value`, `low` and `high`; the axis goes from `left` to 1. Bars are outlines with a faint
    inside, on which the interval can be seen. An arrow marks a bar or an interval that goes on beyond the left end.
    """
    rows = list(dict.fromkeys(table[label]))
    groups, colours = list(dict.fromkeys(table[by])), method_colours(table[by])
    for number, group in enumerate(groups):
        part = table[table[by] == group]
        offset = (number - (len(groups) - 1) / 2) * 0.8 / len(groups)
        places = np.array([rows.index(name) for name in part[label]]) + offset
        colour, values = colours[group], part["value"].clip(lower=left)
        look = {"facecolor": (colour, 0.25), "edgecolor": colour, "linewidth": 1.2}
        ax.barh(places, values, height=0.66 / len(groups), label=group, **look)
        ax.hlines(places, part["low"].clip(lower=left), part["high"].clip(lower=left), color=colour, linewidth=2)
        cut = (part[["value", "low"]].min(axis=1) < left).to_numpy()
        if cut.any():
            arrows = {"marker": "<", "color": colour, "s": 14, "clip_on": False, "zorder": 3}
            ax.scatter(np.full(cut.sum(), left), places[cut], **arrows).set_in_layout(False)
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylim(len(rows) - 0.5, -0.5)  # first row on top, also where axes are shared
    ax.set_xlim(left, 1.02)
    ax.grid(axis="y", visible=False)
    ax.axvline(0, color=INK, linewidth=0.8)


def added(table: pd.DataFrame, ax: Axes) -> None:
    """Horizontal bars, one per row of the table, made of what each column adds to the one before, left to right.

    What takes something away adds nothing, and neither does what stays below zero.
    """
    tops = np.maximum.accumulate(table.to_numpy(dtype=float).clip(min=0), axis=1)
    starts = np.column_stack([np.zeros(len(table)), tops[:, :-1]])
    places, colours = np.arange(len(table)), method_colours(table.columns)
    for column, name in enumerate(table.columns):
        look = {"facecolor": (colours[name], 0.45), "edgecolor": colours[name], "linewidth": 1.2}
        ax.barh(places, tops[:, column] - starts[:, column], left=starts[:, column], height=0.7, label=name, **look)
    ax.set_yticks(places, table.index)
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_xlim(0, 1.02)
    ax.grid(axis="y", visible=False)


def tree(linkage: np.ndarray, models: np.ndarray, ax: Axes) -> None:
    """Dendrogram of checkpoints (rows of scipy's `linkage`); a branch of one model has a hue, others are grey.

    The six hues are given in turn, in the order of the leaves, so that models side by side differ.
    """
    from scipy.cluster.hierarchy import dendrogram, leaves_list

    owners = list(dict.fromkeys(models[leaves_list(linkage)].tolist()))
    owner = models.tolist()
    for left, right in linkage[:, :2].astype(int):
        owner.append(owner[left] if owner[left] == owner[right] else None)
    branch = [INK if one is None else HUES[owners.index(one) % len(HUES)] for one in owner]
    dendrogram(linkage, ax=ax, no_labels=True, link_color_func=branch.__getitem__)
    ax.set_xticks([])
    ax.grid(axis="x", visible=False)


def trajectories(points: np.ndarray, models: np.ndarray, values: np.ndarray | None, ax: Axes, title: str) -> None:
    """Lines through the checkpoints of each model, in order, on a three-dimensional axis.

    One colour per model (of more than six all but three are grey), or, with `values` (a property of every
    checkpoint), grey lines with coloured points.
    """
    colours = model_colours(models)
    for model, colour in colours.items():
        own = points[models == model]
        grey = values is not None or colour == mpl.colors.to_rgb(INK)
        ax.plot(*own.T, linewidth=0.8 if grey else 1.8, color=INK if grey else colour)
    if values is not None:
        drawn = ax.scatter(*points.T, c=values, cmap=RAMP_MAP, s=10, linewidths=0, depthshade=False)
        ax.figure.colorbar(drawn, ax=ax, shrink=0.6, pad=0.02, label="epoch").outline.set_visible(False)
    ax.set_title(title, fontsize=10)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_ticklabels([])
        axis.set_pane_color((0, 0, 0, 0))
        axis._axinfo["grid"].update(color=(*mpl.colors.to_rgb(INK), 0.25), linewidth=0.6)  # the style's alpha is 2-D


def spectrum_against(values: np.ndarray, law: MarchenkoPastur, ax: Axes, title: str) -> None:
    """Density of eigenvalues with the law of random weights and its upper edge, both axes logarithmic.

    Bins are 40 of equal width in the logarithm; eigenvalues below a thousandth of the edge are not shown.
    """
    shown = values[values > 1e-3 * law.high]
    bins = np.geomspace(shown.min(), shown.max() * 1.001, 41)
    outlined_histogram(shown, bins, ax, "eigenvalues", ZOO, density=True)
    places = np.geomspace(max(law.low, shown.min()), law.high, 400)[1:-1]
    ax.plot(places, law.density(places), color=INK, linewidth=1.5, label="independent weights")
    ax.axvline(law.high, color=INK, linewidth=0.8, linestyle=":")
    ax.set(xscale="log", yscale="log")
    ax.set_title(title, fontsize=9)


def outlined_histogram(
    values: np.ndarray, bins: np.ndarray | int, ax: Axes, label: str, colour: str, *, density: bool = False
) -> None:
    """A histogram as an outline with a faint inside, so that several can lie over each other and all be seen."""
    look = {"histtype": "stepfilled", "facecolor": (colour, 0.25), "edgecolor": colour, "linewidth": 1.2}
    ax.hist(values, bins, density=density, label=label, **look)


def bands(table: pd.DataFrame, x: str, column: str, ax: Axes, label: str, colour: str) -> None:
    """Median of `column` per value of `x`, with bands from the 5th to the 95th and the 25th to the 75th percentile."""
    percentiles = table.groupby(x)[column].quantile([0.05, 0.25, 0.5, 0.75, 0.95]).unstack()
    for low, high, alpha in ((0.05, 0.95, 0.12), (0.25, 0.75, 0.25)):
        ax.fill_between(percentiles.index, percentiles[low], percentiles[high], color=colour, alpha=alpha, linewidth=0)
    ax.plot(percentiles.index, percentiles[0.5], color=colour, label=label, linewidth=1.5)
    ax.set(xlabel=x, ylabel=column)


def unit_lines(ticks: np.ndarray, margins: np.ndarray, lines: pd.DataFrame, ax: Axes) -> None:
    """The plane of a network with two inputs: decision boundary, and the line on which each hidden unit switches."""
    for line in lines.itertuples():
        ax.plot([line.x0, line.x1], [line.y0, line.y1], color=CYCLE[line.unit], linewidth=1.5)
    ax.contour(ticks, ticks, margins, levels=[0], colors=INK, linewidths=3)
    ends = (ticks[0], ticks[-1])
    ax.set(xlim=ends, ylim=ends, aspect="equal", xlabel="first input", ylabel="second input")


def weight_strips(strips: pd.DataFrame, orders: list[str], ax: Axes) -> None:
    """The weight vector in several orders of the units, one row of bars each, in the colours of the units."""
    largest = strips["value"].abs().max()
    for row, order in enumerate(orders):
        part = strips[strips["order"] == order]
        colours = [CYCLE[unit] if unit >= 0 else INK for unit in part["unit"]]
        ax.bar(part["place"], 0.45 * part["value"] / largest, bottom=-row, color=colours, width=0.85)
    ax.set_yticks([-row for row in range(len(orders))], orders)
    ax.set(xlabel="place in the weight vector", ylabel="order of the units")
    ax.grid(False)


def panels_of_lines(lines: pd.DataFrame, settings: list[str]) -> Figure:
    """Loss on the way between two networks, a panel per network: median and bands over pairs, a colour per setting.

    `lines` has the columns `network`, `setting`, `pair`, `alpha` and `loss`; five networks at most. The legend stands
    in the free place.
    """
    figure, axes = plt.subplots(2, 3, figsize=(8, 4.6))
    for ax, (network, part) in zip(axes.flat[:5], lines.groupby("network", sort=False), strict=False):
        for setting, colour in zip(settings, CYCLE, strict=False):
            bands(part[part["setting"] == setting], "alpha", "loss", ax, setting, colour)
        ax.set_title(f"{network}, {part['pair'].nunique()} pairs", fontsize=9)
        ax.set(xlabel="", ylabel="")
    axes[1, 2].axis("off")
    axes[1, 2].legend(*axes[0, 0].get_legend_handles_labels(), loc="center", fontsize=9)
    figure.supxlabel("part of the way from one network to the other", fontsize=10)
    figure.supylabel("test loss", fontsize=10)
    return figure


def learning_curves(
    histories: dict[str, pd.DataFrame], axes: Sequence[Axes], raised: Sequence[str] | None = None
) -> None:
    """Loss over steps on logarithmic axes, contrast on the first axis and reconstruction on the second.

    Up to six entries have a colour each: training (thin, means between two rows) and validation (thick). More are grey,
    and only validation is drawn; three are `raised` in colour with their names at the ends, the first three unless said
    otherwise.
    """
    for ax, part in zip(axes, ("contrast", "reconstruction"), strict=True):
        ax.set(xlabel="step", xscale="log", yscale="log")
        ax.set_title(part, fontsize=10)
        if raised is None and len(histories) <= len(HUES):
            for (name, history), colour in zip(histories.items(), HUES, strict=False):
                ax.plot(history["step"], history[part], color=colour, linewidth=0.8)
                ax.plot(history["step"], history[f"val_{part}"], color=colour, linewidth=2, label=name)
            continue
        lines = {name: history.set_index("step")[f"val_{part}"] for name, history in histories.items()}
        raised_lines(lines, list(histories)[:3] if raised is None else raised, ax)


def scaling(table: pd.DataFrame) -> Figure:
    """Times as fast as one node against nodes: dots where `how` is measured, a line per job where it is modelled.

    `table` has the columns `job`, `how`, `nodes` and `speedup`; both axes are logarithmic.
    """
    figure, ax = plt.subplots(figsize=(6, 3.4))
    for style, (job, part) in zip(cycle(("-", "--", ":")), table.groupby("job", sort=False), strict=False):
        model, seen = (part[part["how"] == how] for how in ("modelled", "measured"))
        (line,) = ax.plot(model["nodes"], model["speedup"], style, label=f"{job}, modelled")
        if len(seen):
            ax.plot(seen["nodes"], seen["speedup"], "o", color=line.get_color(), label=f"{job}, measured")
    ax.axline((1, 1), (2, 2), linestyle="--", linewidth=1, color=INK, label="in proportion")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:g}")
    ax.set(xlabel="nodes of one core", ylabel="times as fast as one")
    ax.legend()
    return figure


def growth(table: pd.DataFrame) -> Figure:
    """Seconds of a job against how many times larger one quantity is than at first, a line per quantity.

    `table` has the columns `grows` (the name of the column that grows) and `seconds`; both axes are logarithmic.
    """
    figure, ax = plt.subplots(figsize=(6, 3.4))
    for marker, (what, part) in zip(cycle("os^D"), table.groupby("grows", sort=False), strict=False):
        ax.plot(part[what] / part[what].iloc[0], part["seconds"], marker=marker, label=what)
    base = table["seconds"].iloc[0]
    widest = max(part[what].max() / part[what].min() for what, part in table.groupby("grows"))
    ax.plot([1, widest], [base, widest * base], "--", color=INK, label="in proportion")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:g}")
    ax.set(xlabel="times the base setting", ylabel="seconds of the job")
    ax.legend()
    return figure
