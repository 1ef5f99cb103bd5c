"""What the book's diagrams are drawn with: boxes, cells, words, lines and arrows, in colours for light and dark pages.

Lengths are points of a drawing 468 points wide, so that 11-point words stay readable when a phone shows it at
400 pixels; on axes of another width everything scales along. Words stand on filled boxes, or in a grey of
middle lightness, so that the diagrams read the same on a white and on a dark page.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

WIDTH, MARGIN = 460, 4

# Hues of Okabe and Ito (2008), darkened until white words on them reach a contrast of 4.5 to 1.
BLUE, GREEN, VERMILLION, PURPLE = "#0072b2", "#007a59", "#b85000", "#a3557e"
SLATE = "#65717b"  # boxes that set the scene
GREY = "#7a7a7a"  # lines, arrows, and words outside boxes
WHITE = "#ffffff"


def page(ax: Axes, height: float) -> None:
    """An empty page of that height."""
    ax.set(xlim=(-MARGIN, WIDTH + MARGIN), ylim=(0, height), aspect="equal")
    ax.axis("off")


def box(
    ax: Axes,
    x: float,
    y: float,
    width: float,
    height: float,
    fill: str,
    text: str = "",
    *,
    size: float = 11,
    bold: bool = False,
) -> None:
    """A filled box from its lower left corner, with white words in its middle."""
    shape = f"round,pad=0,rounding_size={min(6, height / 4)}"
    ax.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=shape, facecolor=fill, edgecolor="none"))
    words(ax, x + width / 2, y + height / 2, text, size=size, bold=bold, color=WHITE)


def words(
    ax: Axes,
    x: float,
    y: float,
    text: str,
    *,
    size: float = 11,
    bold: bool = False,
    align: str = "center",
    color: str = GREY,
) -> None:
    """Words centred on the height y; lines stand on fixed baselines, so that neighbours align."""
    lines = text.splitlines()
    weight = "bold" if bold else "normal"
    for place, line in enumerate(lines):
        baseline = y + ((len(lines) - 1) / 2 - place) * 1.3 * size - 0.36 * size
        font = {"family": "DejaVu Sans", "weight": weight, "size": size * scale(ax)}
        ax.text(x, baseline, line, ha=align, va="baseline", color=color, fontdict=font)


def arrow(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], *, color: str = GREY, style: str = "-|>"
) -> None:
    """An arrow from start to end; `style` "<|-|>" has two heads."""
    size = scale(ax)
    look = {"arrowstyle": style, "mutation_scale": 13 * size, "linewidth": 2 * size, "color": color}
    ax.add_patch(FancyArrowPatch(start, end, shrinkA=0, shrinkB=0, **look))


def line(
    ax: Axes, x: Sequence[float], y: Sequence[float], *, color: str = GREY, width: float = 2, dashed: bool = False
) -> None:
    """A line through points, over other lines and under boxes."""
    dashes = (0, (3, 2)) if dashed else "-"
    ax.plot(x, y, color=color, linewidth=width * scale(ax), linestyle=dashes, solid_capstyle="round", zorder=0.9)


def cell(ax: Axes, x: float, y: float, width: float, height: float, fill: str | None) -> None:
    """One number of a matrix; without a fill its border alone."""
    edge = {"edgecolor": fill or GREY, "linewidth": scale(ax)}
    ax.add_patch(Rectangle((x, y), width, height, facecolor=fill or "none", **edge))


def scale(ax: Axes) -> float:
    """Points on paper for one unit of the drawing: 1 at the size for which it was made."""
    return ax.get_window_extent().width / ax.figure.dpi * 72 / (WIDTH + 2 * MARGIN)
