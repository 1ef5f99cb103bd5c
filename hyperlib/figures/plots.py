"""The book's plots: each takes a table and an axis, and computes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hyperlib.figures.style import COLOURS, CYCLE, INK, ZOO, model_colours

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


def lines_over_epochs(table: pd.DataFrame, column: str, ax: Axes, by: str) -> None:
    """Mean over models per epoch, one line per entry of `by`, with bands of one standard deviation."""
    for number, (name, part) in enumerate(table.groupby(by, sort=False)):
        moments = part.groupby("epoch")[column].agg(["mean", "std"])
        style = {"color": INK, "linestyle": "--"} if name == "mean" else {"color": CYCLE[number % len(CYCLE)]}
        ax.plot(moments.index, moments["mean"], label=name, linewidth=1.5, **style)
        low, high = moments["mean"] - moments["std"], moments["mean"] + moments["std"]
        ax.fill_between(moments.index, low, high, color=style["color"], alpha=0.15, linewidth=0)
    ax.set_xlabel("epoch")


def tree(linkage: np.ndarray, models: np.ndarray, ax: Axes) -> None:
    """Dendrogram of checkpoints (rows of scipy's `linkage`); a branch has the colour of its model, if it is of one."""
    from scipy.cluster.hierarchy import dendrogram

    colours = {model: mpl.colors.to_hex(colour) for model, colour in model_colours(models).items()}
    branch = [colours[model] for model in models.tolist()]
    for left, right in linkage[:, :2].astype(int):
        branch.append(branch[left] if branch[left] == branch[right] else INK)
    dendrogram(linkage, ax=ax, no_labels=True, link_color_func=branch.__getitem__)
    ax.set_xticks([])
    ax.grid(axis="x", visible=False)


def trajectories(points: np.ndarray, models: np.ndarray, values: np.ndarray | None, ax: Axes, title: str) -> None:
    """Lines through the checkpoints of each model, in order, on a three-dimensional axis.

    One colour per model, or, with `values` (a property of every checkpoint), grey lines with coloured points.
    """
    colours = model_colours(models)
    for model, colour in colours.items():
        own = points[models == model]
        style = {"color": INK, "alpha": 0.3} if values is not None else {"color": colour}
        ax.plot(*own.T, linewidth=1.2, **style)
    if values is not None:
        drawn = ax.scatter(*points.T, c=values, s=10, linewidths=0, depthshade=False)
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
    ax.hist(shown, bins, density=True, color=ZOO, alpha=0.5, label="eigenvalues")
    places = np.geomspace(max(law.low, shown.min()), law.high, 400)[1:-1]
    ax.plot(places, law.density(places), color=INK, linewidth=1.5, label="independent weights")
    ax.axvline(law.high, color=INK, linewidth=0.8, linestyle=":")
    ax.set(xscale="log", yscale="log")
    ax.set_title(title, fontsize=9)


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


def learning_curves(histories: dict[str, pd.DataFrame], axes: list[Axes]) -> None:
    """Loss over steps on logarithmic axes, contrast on the first axis and reconstruction on the second.

    One colour per entry; training (thin, means between two rows) and validation (thick) where there is one.
    """
    for ax, part in zip(axes, ("contrast", "reconstruction"), strict=True):
        colours = sns.husl_palette(len(histories), s=0.9, l=0.55)
        for (name, history), colour in zip(histories.items(), colours, strict=True):
            ax.plot(history["step"], history[part], color=colour, linewidth=0.7, alpha=0.7)
            ax.plot(history["step"], history[f"val_{part}"], color=colour, linewidth=1.6, label=name)
        ax.set(xlabel="step", xscale="log", yscale="log")
        ax.set_title(part, fontsize=10)
