"""Three diagrams of the book that no experiment draws, made with matplotlib alone.

They are drawn by us, not copied: `intro-landscape` and `intro-contributions` follow the captions of
the thesis's Figs 1.0.1 and 1.0.2, `zoo-blueprint` follows the zoos' generator scripts; the wording is ours.
Lengths are points of a drawing 468 points wide, so that 11-point words stay readable when a phone shows it at
400 pixels; on axes of another width everything scales along. Words stand on filled boxes, or in a grey of
middle lightness, so that the diagrams read the same on a white and on a dark page.
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

from hyperlib.files.writing import write_whole

WIDTH, MARGIN = 460, 4
LANDSCAPE_HEIGHT, CONTRIBUTIONS_HEIGHT, BLUEPRINT_HEIGHT = 284, 278, 500

# Hues of Okabe and Ito (2008), darkened until white words on them reach a contrast of 4.5 to 1.
BLUE, GREEN, VERMILLION, PURPLE = "#0072b2", "#007a59", "#b85000", "#a3557e"
SLATE = "#65717b"  # boxes that set the scene
GREY = "#7a7a7a"  # lines, arrows, and words outside boxes
WHITE = "#ffffff"


def draw_landscape(ax: Axes) -> None:
    """Perspectives on a model (rows) against what one does with it (columns); the weights stand out."""
    _page(ax, LANDSCAPE_HEIGHT)
    rows = (
        (
            "weights",
            "what was\nlearned",
            "accuracy, epoch,\nhyper-parameters",
            "sampled networks:\nstart, transfer",
        ),
        (
            "activations",
            "what an input\nevokes",
            "likeness of layers,\nprobes",
            "matching a\nteacher's features",
        ),
        ("behaviour", "what comes\nout", "tests, agreement of\npredictions", "matching a\nteacher's outputs"),
    )
    for x, application, question in (
        (104, "analysis", "what is it like?"),
        (286, "generation", "how to make one?"),
    ):
        _words(ax, x + 87, 272, application, size=14, bold=True)
        _words(ax, x + 87, 254, question, size=12)
    for (perspective, meaning, analysis, generation), y in zip(rows, (168, 86, 4), strict=True):
        chosen = perspective == "weights"
        fill, size = (BLUE, 13) if chosen else (SLATE, 12)
        _words(ax, 0, y + 56, perspective, size=13, bold=True, align="left")
        _words(ax, 0, y + 27, meaning, align="left")
        _box(ax, 104, y, 174, 74, fill, analysis, size=size, bold=chosen)
        _box(ax, 286, y, 174, 74, fill, generation, size=size, bold=chosen)


def draw_contributions(ax: Axes) -> None:
    """The five contributions (a) to (e): what there is, how to embed it, what the embedding is good for."""
    _page(ax, CONTRIBUTIONS_HEIGHT)
    boxes = (
        (0, 190, 222, BLUE, "Weight space", "structure of weights, and\nwork on them directly"),
        (238, 190, 222, BLUE, "Model zoos", "diverse populations\nto learn from"),
        (0, 108, 460, GREEN, "Hyper-representations", "learned without labels, they tell what a network is"),
        (0, 4, 222, VERMILLION, "Generative", "sample new networks\nfor a task at hand"),
        (238, 4, 222, PURPLE, "Scalable", "larger networks, mixed\narchitectures"),
    )
    for chapter, letter, (x, y, width, fill, title, text) in zip(range(2, 7), "abcde", boxes, strict=True):
        height = 84 if "\n" in text else 62
        top = y + height - 22
        _box(ax, x, y, width, height, fill)
        ax.add_patch(Circle((x + 22, top), 12, facecolor=WHITE, edgecolor="none"))
        _words(ax, x + 22, top + 0.5, letter, size=14, bold=True, color=fill)
        _words(ax, x + 42, top, title, size=13, bold=True, align="left", color=WHITE)
        _words(ax, x + width - 12, top, f"ch. {chapter}", align="right", color=WHITE)
        _words(ax, x + 12, y + height / 2 - 16, text, size=12, align="left", color=WHITE)
    for x, y in ((111, 190), (349, 190), (111, 108), (349, 108)):
        _arrow(ax, (x, y - 1), (x, y - 19))


def draw_blueprint(ax: Axes) -> None:
    """How a zoo is grown: dataset, architecture, factors, checkpoints, properties, split by model."""
    _page(ax, BLUEPRINT_HEIGHT)
    for x, text in ((0, "dataset"), (238, "architecture")):
        _box(ax, x, 464, 222, 34, SLATE, text, size=13, bold=True)
        _arrow(ax, (x + 111, 463), (x + 111, 445))
        _arrow(ax, (x + 111, 393), (x + 111, 375))
    _two_lines(ax, 394, "grid of generating factors", "activation, initialisation, optimizer, learning rate, …")
    _seeds(ax, 0, "fixed seeds", itertools.cycle((1, 2, 3)))
    _words(ax, 230, 365, "or", size=12)
    _seeds(ax, 238, "random seeds", itertools.count(1))
    _arrow(ax, (230, 268), (230, 250))
    _words(ax, 242, 260, "training", size=12, align="left")
    _checkpoints(ax)
    _arrow(ax, (174, 74), (174, 56))
    _two_lines(ax, 4, "properties of every checkpoint", "loss, accuracy, generalization gap, factors, epoch")


def save_diagrams(folder: Path) -> list[Path]:
    """Write the three diagrams as SVG into `folder`, made if need be; returns their paths.

    The same matplotlib writes the same bytes: letters are paths, the background is transparent, and a file
    holds no date, no version and no reference to anything outside itself.
    """
    paths = []
    for name, draw, height in (
        ("intro-landscape", draw_landscape, LANDSCAPE_HEIGHT),
        ("intro-contributions", draw_contributions, CONTRIBUTIONS_HEIGHT),
        ("zoo-blueprint", draw_blueprint, BLUEPRINT_HEIGHT),
    ):
        paths.append(folder / f"{name}.svg")
        write_whole(paths[-1], _svg(draw, height))
    return paths


def _svg(draw: Callable[[Axes], None], height: float) -> str:
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "companion"}):
        figure = Figure(figsize=((WIDTH + 2 * MARGIN) / 72, height / 72))
        figure.patch.set_visible(False)
        draw(figure.add_axes((0, 0, 1, 1)))
        stream = io.StringIO()
        FigureCanvasSVG(figure).print_svg(stream, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return re.sub(r"<!(DOCTYPE[^>]*|--[^>]*--)>\n?", "", stream.getvalue())


def _seeds(ax: Axes, x: float, title: str, seeds: Iterator[int]) -> None:
    """Six grid points, each with three models named by their seeds."""
    _words(ax, x + 111, 365, title, size=12, bold=True)
    for row, column in itertools.product(range(3), range(2)):
        left, bottom = x + 113 * column, 328 - 29 * row
        _box(ax, left, bottom, 109, 25, SLATE)
        for place in range(3):
            _box(ax, left + 4 + 34.5 * place, bottom + 3, 32, 19, GREEN, str(next(seeds)), bold=True)


def _checkpoints(ax: Axes) -> None:
    """One row per model, one dot per checkpoint; a model goes with all its dots to one part of the split."""
    dots = [76 + 28 * place for place in range(8)]
    _words(ax, 0, 238, "epoch", size=12, align="left")
    _words(ax, 395, 238, "split by model", size=12)
    for x, epoch in zip(dots, ("0", "1", "2", "3", "4", "5", "…", "last"), strict=True):
        _words(ax, x, 238, epoch, size=12)
    parts = [(BLUE, "train 70 %")] * 4 + [(VERMILLION, "validate 15 %"), (PURPLE, "test 15 %")]
    for row, (fill, _) in enumerate(parts):
        y = 216 - 26 * row
        _words(ax, 0, y, f"model {row + 1}", size=12, align="left")
        ax.plot((dots[0], dots[-1]), (y, y), color=fill, linewidth=2 * _scale(ax))
        for x in dots:
            ax.add_patch(Circle((x, y), 8, facecolor=fill, edgecolor="none"))
    for fill, part in dict.fromkeys(parts):
        rows = [row for row, other in enumerate(parts) if other == (fill, part)]
        height = 26 * len(rows) - 4
        _box(ax, 330, 227 - 26 * rows[-1] - 22, 130, height, fill, part, size=12, bold=True)


def _two_lines(ax: Axes, y: float, title: str, text: str) -> None:
    _box(ax, 0, y, WIDTH, 50, SLATE)
    _words(ax, WIDTH / 2, y + 34, title, size=13, bold=True, color=WHITE)
    _words(ax, WIDTH / 2, y + 14, text, size=12, color=WHITE)


def _page(ax: Axes, height: float) -> None:
    ax.set(xlim=(-MARGIN, WIDTH + MARGIN), ylim=(0, height), aspect="equal")
    ax.axis("off")


def _box(
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
    shape = f"round,pad=0,rounding_size={min(6, height / 4)}"
    ax.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=shape, facecolor=fill, edgecolor="none"))
    _words(ax, x + width / 2, y + height / 2, text, size=size, bold=bold, color=WHITE)


def _words(
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
        font = {"family": "DejaVu Sans", "weight": weight, "size": size * _scale(ax)}
        ax.text(x, baseline, line, ha=align, va="baseline", color=color, fontdict=font)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    scale = _scale(ax)
    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=13 * scale,
            linewidth=2 * scale,
            color=GREY,
            shrinkA=0,
            shrinkB=0,
        )
    )


def _scale(ax: Axes) -> float:
    """Points on paper for one unit of the drawing: 1 at the size for which it was made."""
    return ax.get_window_extent().width / ax.figure.dpi * 72 / (WIDTH + 2 * MARGIN)
