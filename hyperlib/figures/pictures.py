"""Pictures of what is in a zoo, and plots that stand in for long tables: they draw what they are given.

Images, one network's weights, a dot plot, a map with one model enlarged, and many lines of which a few are raised.
Lines and marks are opaque, so that they keep the contrast of their colour on a white and on a dark page; a method has a
colour and a shape of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Rectangle

from hyperlib.figures.style import INK, RAISED, RAMP_MAP, SIGNED_MAP, method_colours

if TYPE_CHECKING:
    from torch import Tensor

    from hyperlib.images.images import Images
    from hyperlib.weightspace.layout import Layout, Slot

MARKERS = "osD^vPX"  # a shape per method
WIDTH = 8.0  # inches; a page shows them at about 100 pixels each
PANELS = 5  # layers side by side


def image_samples(sets: Mapping[str, Images], per_set: int = 4) -> Figure:
    """Training images of every set with the names of their classes, two sets side by side.

    Of each set the first images of different classes, in the order in which they come; where classes are fewer, more of
    each. Pixels are stretched from the set's least to its largest value.
    """
    lines = ceil(len(sets) / 2)
    figure = plt.figure(figsize=(WIDTH, 1.45 * lines))
    blocks = figure.subfigures(lines, min(2, len(sets)), squeeze=False).flat
    for block, (name, images) in zip(blocks, sets.items(), strict=False):
        channels, height, width = images.shape
        block.suptitle(f"{name}, {height} × {width}" + (" in colour" if channels == 3 else ""), fontsize=10)
        pixels, labels = images.train_x.numpy(), images.train_y.numpy()
        low, high = pixels.min(), pixels.max()
        axes = block.subplots(1, per_set, squeeze=False).flat
        for ax, row in zip(axes, _of_each_class(labels, per_set), strict=False):
            shown = (pixels[row] - low) / max(high - low, 1e-9)
            ax.imshow(shown.transpose(1, 2, 0) if channels == 3 else shown[0], cmap="gray", vmin=0, vmax=1)
            ax.set_xlabel(images.classes[labels[row]], fontsize=9)
            _framed(ax)
    return figure


def weights_by_layer(layout: Layout, weights: Tensor | np.ndarray, limit: float | None = None) -> Figure:
    """One network's weights, a heat map per layer: a row per unit, a column per incoming weight, the bias set apart.

    weights: one vector `[params]`. Kernels are laid out in a row; the vectors of a norm are columns. Zero is as clear
    as the page, blue negative, red positive. Each layer has a symmetric scale of its own, whose end stands below it;
    with `limit` all have that one.

    Raises ValueError for a vector of another length.
    """
    vector = np.asarray(weights, dtype=np.float64)
    if vector.shape != (layout.size,):
        raise ValueError(f"One network of this layout is a vector of {layout.size} weights, not {list(vector.shape)}.")
    layers = {layer: [slot for slot in layout if slot.layer == layer] for layer in layout.layers}
    lines = ceil(len(layers) / PANELS)
    across = ceil(len(layers) / lines)
    figure = plt.figure(figsize=(WIDTH, 2.5 * lines), layout="constrained")
    names, axes = list(layers), []
    for number, line in enumerate(figure.subfigures(lines, 1, squeeze=False).flat):
        some = names[number * across : (number + 1) * across]
        ratios = [max(4.0, *(slot.size / _units(slot) for slot in layers[name])) ** 0.5 for name in some]
        row = line.subplots(1, len(some), squeeze=False, width_ratios=ratios).flat
        for ax, name in zip(row, some, strict=True):
            own = np.concatenate([vector[slot.start : slot.stop] for slot in layers[name]])
            end = (float(np.abs(own).max()) or 1.0) if limit is None else limit
            drawn = _layer(ax, layers[name], vector, end)
            ax.set_title(f"{name}\n{' × '.join(map(str, layers[name][0].shape))}", fontsize=9)
            ax.set_xlabel(f"± {end:.2g}", fontsize=9)
            axes.append(ax)
        bar = line.colorbar(drawn, ax=axes[-len(some) :], aspect=16, pad=0.02, ticks=[-end, 0, end])
        bar.ax.set_yticklabels(["−", "0", "+"])
        bar.outline.set_edgecolor(INK)
    axes[0].set_ylabel("units")
    return figure


def dot_plot(
    table: pd.DataFrame,
    ax: Axes,
    value: str,
    rows: str,
    by: str,
    *,
    low: str | None = None,
    high: str | None = None,
    level: str | None = None,
    published: str | None = None,
    left: float | None = None,
) -> None:
    """Values as dots, one line per entry of `rows`, one colour and shape per entry of `by` (at most six, and grey).

    All names are columns of `table`. low, high: ends of an interval. level: what there is once per line (what a guess
    would reach, the most that can be expected), a dotted tick called as the column. published: hollow marks. left:
    where the axis begins; an arrow marks what lies beyond.

    Raises ValueError for columns that are not there and for more methods than there are hues.
    """
    columns = [name for name in (value, rows, by, low, high, level, published) if name is not None]
    if missing := [name for name in columns if name not in table]:
        raise ValueError(f"This table has no column {', '.join(missing)}; it has {', '.join(map(str, table.columns))}.")
    lines, colours = list(dict.fromkeys(table[rows])), method_colours(table[by])
    start = -np.inf if left is None else left
    for number, (name, colour) in enumerate(colours.items()):
        part, shape = table[table[by] == name], MARKERS[number % len(MARKERS)]
        places = np.array([lines.index(line) for line in part[rows]]) + _beside(number, len(colours))
        values = part[value].to_numpy(float)
        inside = values >= start
        ax.scatter(values[inside], places[inside], marker=shape, color=colour, s=30, label=name, zorder=3)
        if low is not None and high is not None:
            ends = (part[end].clip(lower=start).to_numpy(float) for end in (low, high))
            ax.hlines(places, *ends, color=colour, linewidth=1.6)
        if published is not None:
            hollow = {"facecolors": "none", "edgecolors": colour, "linewidths": 1.4, "zorder": 3}
            printed = part[published].to_numpy(float)
            for those, mark in ((printed >= start, shape), (printed < start, "<")):
                ax.scatter(printed[those].clip(start), places[those], marker=mark, s=46, clip_on=False, **hollow)
        beyond = (values < start) | ((part[low].to_numpy(float) < start) if low is not None else False)
        arrows = {"marker": "<", "color": colour, "s": 24, "clip_on": False, "zorder": 4}
        ax.scatter(np.full(beyond.sum(), start), places[beyond], **arrows).set_in_layout(False)
    if published is not None:
        ax.scatter([], [], facecolors="none", edgecolors=INK, linewidths=1.4, s=46, label="published")
    if level is not None and len(once := table.groupby(rows, sort=False)[level].first().dropna()):
        places = np.array([lines.index(line) for line in once.index])
        ax.vlines(once, places - 0.42, places + 0.42, color=INK, linewidth=1.6, linestyle=":", label=level)
    ax.set_yticks(range(len(lines)), lines)
    ax.set_ylim(len(lines) - 0.5, -0.5)  # the first line on top, also where axes are shared
    ax.set_xlim(left=left)
    for edge in np.arange(len(lines) - 1) + 0.5:
        ax.axhline(edge, color=INK, linewidth=0.5, alpha=0.35)
    ax.grid(axis="y", visible=False)


def map_with_island(
    points: np.ndarray,
    values: np.ndarray,
    models: np.ndarray,
    model: int,
    axes: Sequence[Axes],
    title: str = "",
    label: str = "",
) -> None:
    """A map of checkpoints on the first axis, and on the second the island of one model, enlarged, as a line in order.

    points: coordinates `[samples, 2]`; values: the property that colours them, `label` with its unit; models: of each
    sample. A box on the map, large enough to be seen, is around what is enlarged. Raises ValueError for a model that is
    not on the map.
    """
    whole, panel = axes
    own = points[models == model]
    if not len(own):
        raise ValueError(f"No sample on this map is of model {model}.")
    colours = {"cmap": RAMP_MAP, "vmin": values.min(), "vmax": values.max(), "linewidths": 0}
    whole.scatter(*points.T, c=values, s=4, **colours)
    middle, extent = (own.max(0) + own.min(0)) / 2, np.ptp(points, axis=0).max()
    half = max(0.6 * np.ptp(own, axis=0).max(), 1e-6 * extent)
    box = max(half, 0.012 * extent)
    panel.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half), aspect="equal")
    others = (np.abs(points - middle) <= half).all(1) & (models != model)
    panel.scatter(*points[others].T, c=values[others], s=8, **colours)
    panel.plot(*own.T, color=INK, linewidth=1)
    drawn = panel.scatter(*own.T, c=values[models == model], s=40, zorder=3, **colours)
    whole.add_patch(Rectangle(middle - box, 2 * box, 2 * box, fill=False, edgecolor=INK, linewidth=1.2))
    for side in (-1, 1):
        ends = {"xyA": middle + box * np.array([1, side]), "xyB": (0, (side + 1) / 2)}
        line = ConnectionPatch(**ends, coordsA=whole.transData, coordsB=panel.transAxes, color=INK, linewidth=0.8)
        line.set_in_layout(False)
        whole.figure.add_artist(line)
    panel.figure.colorbar(drawn, ax=panel, shrink=0.85, label=label).outline.set_visible(False)
    whole.set_title(title, fontsize=10)
    panel.set_title(f"model {model}", fontsize=10)
    _framed(whole)
    _framed(panel)


def raised_lines(lines: Mapping[str, pd.Series], raised: Sequence[str], ax: Axes) -> None:
    """Many lines in grey, and up to three of them in colour with their names at their ends.

    lines: values by place on the x-axis (the index), one series per name. Set the axis's scales before: names keep
    clear of each other on the axis as it is. Raises ValueError for more than three, and for names without a line.
    """
    if len(raised) > len(RAISED) or (unknown := [name for name in raised if name not in lines]):
        known = f"; no line is called {', '.join(unknown)}" if len(raised) <= len(RAISED) else ""
        raise ValueError(f"Raise at most {len(RAISED)} of the lines {', '.join(lines)}{known}.")
    for name, line in lines.items():
        if name not in raised:
            ax.plot(line.index, line, color=INK, linewidth=0.8)
    ends = []
    for name, colour in zip(raised, RAISED, strict=False):
        line = lines[name].dropna()
        ax.plot(line.index, line, color=colour, linewidth=2.2, label=name, zorder=3)
        ends.append((line.index[-1], line.iloc[-1]))
    ax.autoscale_view()
    heights = ax.transData.transform(ends)[:, 1] * 72 / ax.figure.dpi if ends else []
    for name, colour, end, height, place in zip(raised, RAISED, ends, heights, _apart(heights, 13), strict=False):
        pointer = {"arrowstyle": "-", "color": colour, "linewidth": 1, "shrinkA": 1, "shrinkB": 2}
        how = {"xytext": (14, place - height), "textcoords": "offset points", "va": "center", "fontsize": 9}
        ax.annotate(name, end, **how, color=INK, arrowprops=pointer, annotation_clip=False)


def _of_each_class(labels: np.ndarray, count: int) -> np.ndarray:
    """Rows of the first images of different classes, then of the second ones."""
    earlier = pd.Series(labels).groupby(labels).cumcount().to_numpy()
    return np.argsort(earlier, kind="stable")[:count]


def _layer(ax: Axes, slots: list[Slot], vector: np.ndarray, limit: float):
    """A layer's matrix, and its vectors as columns to the right of it; they are drawn wide enough to be seen."""
    matrices = [slot for slot in slots if len(slot.shape) > 1]
    vectors = [slot for slot in slots if len(slot.shape) < 2]
    at, column = 0.0, max(1.0, max((slot.size / _units(slot) for slot in matrices), default=0) / 12)
    for slot in [*matrices, *vectors]:
        values = vector[slot.start : slot.stop].reshape(_units(slot), -1)
        width = values.shape[1] if slot in matrices else column
        place = (at, at + width, len(values), 0)
        drawn = ax.imshow(
            values, SIGNED_MAP, aspect="auto", extent=place, vmin=-limit, vmax=limit, interpolation="nearest"
        )
        ax.add_patch(Rectangle((at, 0), width, len(values), fill=False, edgecolor=INK, linewidth=0.8, clip_on=False))
        at += width + column / 2
    ax.set(xlim=(0, at - column / 2), ylim=(len(values), 0), yticks=[])
    middles = [at - column * (1.5 * number - 0.5) for number in range(len(vectors), 0, -1)]
    parts, turned = [slot.part.replace("_", " ") for slot in vectors], 90 if len(vectors) > 1 else 0
    ax.set_xticks(middles, parts, rotation=turned, fontsize=8)
    ax.tick_params(length=0)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    return drawn


def _units(slot: Slot) -> int:
    return slot.shape[0] if slot.shape else 1


def _framed(ax: Axes) -> None:
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    ax.spines[:].set(visible=True, color=INK)


def _beside(number: int, count: int) -> float:
    """Where in its line the mark of a method stands, so that those of all do not hide each other."""
    return (number - (count - 1) / 2) * 0.7 / count


def _apart(heights: Sequence[float], gap: float) -> np.ndarray:
    """The heights, moved up as little as keeps each `gap` above the one below it."""
    heights = np.asarray(heights, dtype=float)
    moved, lowest = heights.copy(), -np.inf
    for place in np.argsort(heights, kind="stable"):
        moved[place] = max(heights[place], lowest + gap)
        lowest = moved[place]
    return moved
