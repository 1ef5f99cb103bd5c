"""Three diagrams of the book that no experiment draws, made with matplotlib alone.

They are drawn by us, not copied: `intro-landscape` and `intro-contributions` follow the captions of the thesis's
Figs 1.0.1 and 1.0.2, `zoo-blueprint` follows the zoos' generator scripts; the wording is ours. Lengths are points
of a drawing 460 points wide, so that 11-point words stay readable when a phone shows it at 400 pixels; on axes of
another width everything scales along. Words stand on filled boxes, or in a grey of middle lightness, so that the
diagrams read the same on a white and on a dark page.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

WIDTH = 460
LANDSCAPE_HEIGHT, CONTRIBUTIONS_HEIGHT, BLUEPRINT_HEIGHT = 264, 300, 456

# Hues of Okabe and Ito (2008), darkened until white words on them reach a contrast of 4.5 to 1.
BLUE, GREEN, VERMILLION, PURPLE = "#0072b2", "#007a59", "#b85000", "#a3557e"
SLATE = "#65717b"  # boxes that set the scene
GREY = "#7a7a7a"  # lines, arrows, and words outside boxes
WHITE = "#ffffff"


def draw_landscape(ax: Axes) -> None:
    """Perspectives on a model (rows) against what one does with it (columns); the weights stand out."""
    _page(ax, LANDSCAPE_HEIGHT)
    rows = (
        ("weights", "what was\nlearned", "read off accuracy,\nepoch, settings", "sample networks:\nstart, transfer"),
        ("activations", "what an input\nevokes", "compare layers,\nprobe features", "match features\nof a teacher"),
        ("behaviour", "what comes\nout", "test, compare\npredictions", "match outputs\nof a teacher"),
    )
    for x, application in ((104, "analysis"), (286, "generation")):
        _words(ax, x + 87, 250, application, size=14, bold=True)
    for (perspective, meaning, analysis, generation), y in zip(rows, (162, 81, 4), strict=True):
        chosen = perspective == "weights"
        fill, size = (BLUE, 13) if chosen else (SLATE, 12)
        _words(ax, 0, y + 54, perspective, size=13, bold=True, align="left")
        _words(ax, 0, y + 26, meaning, align="left")
        _box(ax, 104, y, 174, 73, fill, analysis, size=size, bold=chosen)
        _box(ax, 286, y, 174, 73, fill, generation, size=size, bold=chosen)


def draw_contributions(ax: Axes) -> None:
    """The five contributions (a) to (e): what there is, how to embed it, what the embedding is good for."""
    _page(ax, CONTRIBUTIONS_HEIGHT)
    for x, y, width, fill, letter, title, text in (
        (0, 212, 222, BLUE, "a", "Weight space", "structure of weights, and\nwork on them directly"),
        (238, 212, 222, BLUE, "b", "Model zoos", "diverse populations\nto learn from"),
        (59, 108, 342, GREEN, "c", "Hyper-representations", "learned without labels, they tell\nwhat a network is"),
        (0, 4, 222, VERMILLION, "d", "Generative", "sample new networks\nfor a task at hand"),
        (238, 4, 222, PURPLE, "e", "Scalable", "larger networks, mixed\narchitectures"),
    ):
        _box(ax, x, y, width, 84, fill)
        ax.add_patch(Circle((x + 22, y + 62), 12, facecolor=WHITE, edgecolor="none"))
        _words(ax, x + 22, y + 61, letter, size=14, bold=True, color=fill)
        _words(ax, x + 42, y + 61, title, size=13, bold=True, align="left", color=WHITE)
        _words(ax, x + 12, y + 26, text, size=12, align="left", color=WHITE)
    for x, y in ((140, 212), (320, 212), (140, 108), (320, 108)):
        _arrow(ax, (x, y - 1), (x, y - 19))


def draw_blueprint(ax: Axes) -> None:
    """How a zoo is grown: dataset, architecture, generating factors, checkpoints, properties, split by model."""
    _page(ax, BLUEPRINT_HEIGHT)
    for x, text in ((0, "dataset"), (162, "architecture"), (324, "factors")):
        _box(ax, x, 414, 136, 38, SLATE, text, size=13, bold=True)
    _arrow(ax, (138, 433), (160, 433))
    _arrow(ax, (300, 433), (322, 433))
    _arrow(ax, (392, 413), (392, 393))
    _seeds(ax, 0, "fixed seeds", itertools.cycle((1, 2, 3)))
    _seeds(ax, 238, "random seeds", itertools.count(1))
    _arrow(ax, (230, 279), (230, 259))
    _checkpoints(ax)
    _arrow(ax, (170, 62), (170, 44))
    _box(ax, 0, 4, WIDTH, 38, SLATE, "of each: loss, accuracy, gap, factors", size=13, bold=True)


def save_diagrams(folder: Path) -> list[Path]:
    """Write the three diagrams as SVG into `folder`, made if need be; returns their paths.

    The same matplotlib writes the same bytes: letters are paths, the background is transparent, and a file holds
    no date, no version and no reference to anything outside itself.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, draw, height in (
        ("intro-landscape", draw_landscape, LANDSCAPE_HEIGHT),
        ("intro-contributions", draw_contributions, CONTRIBUTIONS_HEIGHT),
        ("zoo-blueprint", draw_blueprint, BLUEPRINT_HEIGHT),
    ):
        paths.append(folder / f"{name}.svg")
        paths[-1].write_text(_svg(draw, height), encoding="utf-8", newline="\n")
    return paths


def _svg(draw: Callable[[Axes], None], height: float) -> str:
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "companion"}):
        figure = Figure(figsize=(WIDTH / 72, height / 72))
        figure.patch.set_visible(False)
        draw(figure.add_axes((0, 0, 1, 1)))
        stream = io.StringIO()
        FigureCanvasSVG(figure).print_svg(stream, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return re.sub(r"<!(DOCTYPE[^>]*|--[^>]*--)>\n?", "", stream.getvalue())


def _seeds(ax: Axes, x: float, title: str, seeds: Iterator[int]) -> None:
    """A grid of six points, each with three networks, named by their seeds."""
    _words(ax, x + 111, 378, title, size=12, bold=True)
    for row, column in itertools.product(range(3), range(2)):
        left, bottom = x + 113 * column, 340 - 29 * row
        _box(ax, left, bottom, 109, 25, SLATE)
        for place in range(3):
            _box(ax, left + 4 + 34.5 * place, bottom + 3, 32, 19, GREEN, str(next(seeds)), bold=True)


def _checkpoints(ax: Axes) -> None:
    """One row per network, one dot per checkpoint; a network belongs to one part with all its dots."""
    _words(ax, 80, 246, "before training", align="center")
    _words(ax, 262, 246, "last epoch", align="center")
    y = 226.0
    for fill, networks, part in ((BLUE, 4, "train 70 %"), (VERMILLION, 1, "validate 15 %"), (PURPLE, 1, "test 15 %")):
        for row in range(networks):
            at = y - 26 * row
            ax.plot((80, 262), (at, at), color=fill, linewidth=2 * _scale(ax))
            for place in range(8):
                ax.add_patch(Circle((80 + 26 * place, at), 8, facecolor=fill, edgecolor="none"))
        _box(ax, 330, y - 26 * networks + 15, 130, 26 * networks - 4, fill, part, size=12, bold=True)
        y -= 26 * networks


def _page(ax: Axes, height: float) -> None:
    ax.set(xlim=(0, WIDTH), ylim=(0, height), aspect="equal")
    ax.axis("off")


def _box(
    ax: Axes, x: float, y: float, width: float, height: float, fill: str,
    text: str = "", *, size: float = 11, bold: bool = False,
) -> None:
    shape = f"round,pad=0,rounding_size={min(6, height / 4)}"
    ax.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=shape, facecolor=fill, edgecolor="none"))
    _words(ax, x + width / 2, y + height / 2, text, size=size, bold=bold, color=WHITE)


def _words(
    ax: Axes, x: float, y: float, text: str,
    *, size: float = 11, bold: bool = False, align: str = "center", color: str = GREY,
) -> None:
    weight = "bold" if bold else "normal"
    font = {"family": "DejaVu Sans", "weight": weight, "size": size * _scale(ax)}
    ax.text(x, y, text, ha=align, va="center_baseline", color=color, linespacing=1.25, fontdict=font)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    scale = _scale(ax)
    ax.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=13 * scale, linewidth=2 * scale, color=GREY, shrinkA=0, shrinkB=0
        )
    )


def _scale(ax: Axes) -> float:
    """Points on paper for one unit of the drawing: 1 at the size for which it was made."""
    return ax.get_window_extent().width / ax.figure.dpi * 72 / WIDTH
