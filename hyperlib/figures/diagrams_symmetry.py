"""Diagrams of chapter 2: two units that change places, a shortcut that lets none do so, and the hill of a barrier.

Drawn by us after our own pages; the barrier's formula is that of Frankle et al. (2020) as we measure it.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle

from hyperlib.figures.diagram_parts import (
    BLUE,
    GREEN,
    GREY,
    PURPLE,
    SLATE,
    VERMILLION,
    WHITE,
    arrow,
    box,
    cell,
    line,
    page,
    words,
)

SWAP_HEIGHT, SHORTCUT_HEIGHT, BARRIER_HEIGHT = 330, 300, 318
UNIT_COLOURS = {2: BLUE, 4: VERMILLION}  # the two that change places


def draw_unit_swap(ax: Axes) -> None:
    """Two of four hidden units change places: rows of the weights before, columns of those behind."""
    page(ax, SWAP_HEIGHT)
    for x, title, order in ((0, "before", (1, 2, 3, 4)), (262, "after", (1, 4, 3, 2))):
        words(ax, x + 99, 318, title, size=13, bold=True)
        _matrices(ax, x, order)
        _network(ax, x + 22, order)
    words(ax, 230, 246, "units\n2 and 4\nswap", size=12)
    arrow(ax, (206, 214), (254, 214))
    arrow(ax, (206, 110), (254, 110))
    words(ax, 230, 36, "the same function, for P the swap of two places:", size=12)
    formula = r"$W_2 P^{\top}\,\varphi(P W_1 x + P b_1) + b_2 \;=\; W_2\,\varphi(W_1 x + b_1) + b_2$"
    words(ax, 230, 13, formula, size=13)


def draw_padding_shortcut(ax: Axes) -> None:
    """A shortcut that adds channels of zeros ties each unit before to the unit with its number behind."""
    page(ax, SHORTCUT_HEIGHT)
    words(ax, 52, 288, "before: 4 units", size=12, bold=True)
    words(ax, 408, 288, "behind: 6 units", size=12, bold=True)
    heights = [196 - 27 * unit for unit in range(6)]
    for unit, y in enumerate(heights):
        if unit < 4:
            line(ax, (52, 408), (y, y), color=VERMILLION, width=3)
            _unit(ax, 52, y, unit + 1, BLUE)
        else:
            line(ax, (230, 408), (y, y), dashed=True)
            words(ax, 218, y, "0", size=13, bold=True)
        _unit(ax, 408, y, unit + 1, PURPLE)
    line(ax, (52, 52, 130), (212, 252, 252))
    line(ax, (330, 408), (252, 252))
    arrow(ax, (408, 253), (408, 209))
    box(ax, 130, 232, 200, 40, GREEN, "convolution: its rows and\ncolumns follow any order", size=12)
    words(ax, 230, 210, "shortcut: no weights", size=12, bold=True)
    words(ax, 120, 74, "padding\nwith zeros", size=12)
    words(
        ax, 230, 22, "unit k behind gets unit k from before, unchanged:\nin another order nothing could follow", size=12
    )


def draw_barrier_hill(ax: Axes) -> None:
    """Loss on the straight line between two networks, the chord between its ends, and the height between the two."""
    page(ax, BARRIER_HEIGHT)
    left, right, ground = 40, 420, 96
    part = np.linspace(0, 1, 81)
    chord = ground + 36 + 22 * part
    x, bump = left + (right - left) * part, np.sin(np.pi * part) ** 2
    as_trained, aligned = chord + 118 * bump, chord + 34 * bump
    arrow(ax, (left - 12, ground), (left - 12, 300))
    arrow(ax, (left - 12, ground), (456, ground))
    line(ax, x[[0, -1]], chord[[0, -1]], dashed=True)
    line(ax, x, aligned, color=GREEN, width=3)
    line(ax, x, as_trained, color=BLUE, width=3)
    top = int((as_trained - chord).argmax())
    arrow(ax, (x[top], chord[top]), (x[top], as_trained[top]), color=VERMILLION, style="<|-|>")
    words(ax, x[top] + 14, as_trained[top] - 30, "$B$", size=16)
    for place in (0, -1):
        ax.add_patch(Circle((x[place], chord[place]), 6, facecolor=SLATE, edgecolor="none"))
    words(ax, left, 298, "loss", size=12, align="left")
    words(ax, x[top], as_trained[top] + 18, "as trained", size=12, bold=True)
    words(ax, 284, 197, "aligned", size=12, bold=True)
    words(ax, 96, 118, "chord", size=12)
    words(ax, left, ground - 14, r"$\theta_A$, $\alpha = 0$", size=13)
    words(ax, right, ground - 14, r"$\theta_B$, $\alpha = 1$", size=13)
    words(ax, 230, ground - 14, r"$\theta_\alpha = (1 - \alpha)\,\theta_A + \alpha\,\theta_B$", size=13)
    formula = r"$B \;=\; \max_{\alpha}\,[\,L(\theta_\alpha) - (1 - \alpha)\,L(\theta_A) - \alpha\,L(\theta_B)\,]$"
    words(ax, 230, 40, formula, size=15)
    words(ax, 230, 12, "the barrier: how far the hill rises above the chord", size=12)


def _matrices(ax: Axes, x: float, order: tuple[int, ...]) -> None:
    """Weights in front of four hidden units (rows), their biases, and the weights behind (columns)."""
    for name, middle, which in (("$W_1$", 47, "rows"), ("$b_1$", 97, "entries"), ("$W_2$", 159, "columns")):
        words(ax, x + middle, 294, name, size=13)
        words(ax, x + middle, 185, which)
    for place, unit in enumerate(order):
        fill, y = UNIT_COLOURS.get(unit), 258 - 20 * place
        words(ax, x + 8, y + 9, str(unit), size=12, bold=unit in UNIT_COLOURS)
        for column in range(3):
            cell(ax, x + 19 + 20 * column, y, 17, 17, fill)
        cell(ax, x + 89, y, 17, 17, fill)
        across = x + 121 + 20 * place
        words(ax, across + 8.5, 266, str(unit), size=12, bold=unit in UNIT_COLOURS)
        for row in range(2):
            cell(ax, across, 238 - 20 * row, 17, 17, fill)


def _network(ax: Axes, x: float, order: tuple[int, ...]) -> None:
    """Three inputs, four hidden units in this order, two outputs; the edges of a unit go with it."""
    inputs, outputs = [110 + 36 * step for step in (1, 0, -1)], [110 + 36 * step for step in (0.5, -0.5)]
    for place, unit in sorted(enumerate(order), key=lambda one: one[1] in UNIT_COLOURS):
        fill, y = UNIT_COLOURS.get(unit), 158 - 32 * place
        for side, ends in ((x, inputs), (x + 154, outputs)):
            for end in ends:
                line(ax, (side, x + 77), (end, y), color=fill or GREY, width=2.4 if fill else 1)
    for place, unit in enumerate(order):
        _unit(ax, x + 77, 158 - 32 * place, unit, UNIT_COLOURS.get(unit, SLATE))
    for side, ends in ((x, inputs), (x + 154, outputs)):
        for end in ends:
            ax.add_patch(Circle((side, end), 7, facecolor=SLATE, edgecolor="none"))


def _unit(ax: Axes, x: float, y: float, number: int, fill: str) -> None:
    ax.add_patch(Circle((x, y), 11, facecolor=fill, edgecolor="none"))
    words(ax, x, y, str(number), size=12, bold=True, color=WHITE)
