"""The diagrams of the book that no experiment draws, made with matplotlib alone, and how they become files.

They are drawn by us, not copied: `intro-landscape` and `intro-contributions` follow the captions of
the thesis's Figs 1.0.1 and 1.0.2, `zoo-blueprint` follows the zoos' generator scripts; the wording is ours. What is of
chapter 2 stands in `diagrams_symmetry`, of chapter 4 in `diagrams_method`, of chapter 6 in `diagrams_tokens`.
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
from matplotlib.patches import Circle

from hyperlib.figures.diagram_parts import (
    BLUE,
    GREEN,
    MARGIN,
    PURPLE,
    SLATE,
    VERMILLION,
    WHITE,
    WIDTH,
    arrow,
    box,
    page,
    scale,
    words,
)
from hyperlib.figures.diagrams_method import HYPER_REPRESENTATION_HEIGHT, draw_hyper_representation
from hyperlib.figures.diagrams_symmetry import (
    BARRIER_HEIGHT,
    SHORTCUT_HEIGHT,
    SWAP_HEIGHT,
    draw_barrier_hill,
    draw_padding_shortcut,
    draw_unit_swap,
)
from hyperlib.figures.diagrams_tokens import SANE_HEIGHT, draw_sane
from hyperlib.files.writing import write_whole

LANDSCAPE_HEIGHT, CONTRIBUTIONS_HEIGHT, BLUEPRINT_HEIGHT = 284, 278, 500


def draw_landscape(ax: Axes) -> None:
    """Perspectives on a model (rows) against what one does with it (columns); the weights stand out."""
    page(ax, LANDSCAPE_HEIGHT)
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
        words(ax, x + 87, 272, application, size=14, bold=True)
        words(ax, x + 87, 254, question, size=12)
    for (perspective, meaning, analysis, generation), y in zip(rows, (168, 86, 4), strict=True):
        chosen = perspective == "weights"
        fill, size = (BLUE, 13) if chosen else (SLATE, 12)
        words(ax, 0, y + 56, perspective, size=13, bold=True, align="left")
        words(ax, 0, y + 27, meaning, align="left")
        box(ax, 104, y, 174, 74, fill, analysis, size=size, bold=chosen)
        box(ax, 286, y, 174, 74, fill, generation, size=size, bold=chosen)


def draw_contributions(ax: Axes) -> None:
    """The five contributions (a) to (e): what there is, how to embed it, what the embedding is good for."""
    page(ax, CONTRIBUTIONS_HEIGHT)
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
        box(ax, x, y, width, height, fill)
        ax.add_patch(Circle((x + 22, top), 12, facecolor=WHITE, edgecolor="none"))
        words(ax, x + 22, top + 0.5, letter, size=14, bold=True, color=fill)
        words(ax, x + 42, top, title, size=13, bold=True, align="left", color=WHITE)
        words(ax, x + width - 12, top, f"ch. {chapter}", align="right", color=WHITE)
        words(ax, x + 12, y + height / 2 - 16, text, size=12, align="left", color=WHITE)
    for x, y in ((111, 190), (349, 190), (111, 108), (349, 108)):
        arrow(ax, (x, y - 1), (x, y - 19))


def draw_blueprint(ax: Axes) -> None:
    """How a zoo is grown: dataset, architecture, factors, checkpoints, properties, split by model."""
    page(ax, BLUEPRINT_HEIGHT)
    for x, text in ((0, "dataset"), (238, "architecture")):
        box(ax, x, 464, 222, 34, SLATE, text, size=13, bold=True)
        arrow(ax, (x + 111, 463), (x + 111, 445))
        arrow(ax, (x + 111, 393), (x + 111, 375))
    _two_lines(ax, 394, "grid of generating factors", "activation, initialisation, optimizer, learning rate, …")
    _seeds(ax, 0, "fixed seeds", itertools.cycle((1, 2, 3)))
    words(ax, 230, 365, "or", size=12)
    _seeds(ax, 238, "random seeds", itertools.count(1))
    arrow(ax, (230, 268), (230, 250))
    words(ax, 242, 260, "training", size=12, align="left")
    _checkpoints(ax)
    arrow(ax, (174, 74), (174, 56))
    _two_lines(ax, 4, "properties of every checkpoint", "loss, accuracy, generalization gap, factors, epoch")


DIAGRAMS: dict[str, tuple[Callable[[Axes], None], float]] = {  # by the name of the file; the height of the page
    "intro-landscape": (draw_landscape, LANDSCAPE_HEIGHT),
    "intro-contributions": (draw_contributions, CONTRIBUTIONS_HEIGHT),
    "zoo-blueprint": (draw_blueprint, BLUEPRINT_HEIGHT),
    "unit-swap": (draw_unit_swap, SWAP_HEIGHT),
    "padding-shortcut": (draw_padding_shortcut, SHORTCUT_HEIGHT),
    "barrier-hill": (draw_barrier_hill, BARRIER_HEIGHT),
    "hyper-representation": (draw_hyper_representation, HYPER_REPRESENTATION_HEIGHT),
    "sane-method": (draw_sane, SANE_HEIGHT),
}


def save_diagrams(folder: Path) -> list[Path]:
    """Write all diagrams as SVG into `folder`, made if need be; returns their paths.

    The same matplotlib writes the same bytes: letters are paths, the background is transparent, and a file
    holds no date, no version and no reference to anything outside itself.
    """
    paths = []
    for name, (draw, height) in DIAGRAMS.items():
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
    words(ax, x + 111, 365, title, size=12, bold=True)
    for row, column in itertools.product(range(3), range(2)):
        left, bottom = x + 113 * column, 328 - 29 * row
        box(ax, left, bottom, 109, 25, SLATE)
        for place in range(3):
            box(ax, left + 4 + 34.5 * place, bottom + 3, 32, 19, GREEN, str(next(seeds)), bold=True)


def _checkpoints(ax: Axes) -> None:
    """One row per model, one dot per checkpoint; a model goes with all its dots to one part of the split."""
    dots = [76 + 28 * place for place in range(8)]
    words(ax, 0, 238, "epoch", size=12, align="left")
    words(ax, 395, 238, "split by model", size=12)
    for x, epoch in zip(dots, ("0", "1", "2", "3", "4", "5", "…", "last"), strict=True):
        words(ax, x, 238, epoch, size=12)
    parts = [(BLUE, "train 70 %")] * 4 + [(VERMILLION, "validate 15 %"), (PURPLE, "test 15 %")]
    for row, (fill, _) in enumerate(parts):
        y = 216 - 26 * row
        words(ax, 0, y, f"model {row + 1}", size=12, align="left")
        ax.plot((dots[0], dots[-1]), (y, y), color=fill, linewidth=2 * scale(ax))
        for x in dots:
            ax.add_patch(Circle((x, y), 8, facecolor=fill, edgecolor="none"))
    for fill, part in dict.fromkeys(parts):
        rows = [row for row, other in enumerate(parts) if other == (fill, part)]
        height = 26 * len(rows) - 4
        box(ax, 330, 227 - 26 * rows[-1] - 22, 130, height, fill, part, size=12, bold=True)


def _two_lines(ax: Axes, y: float, title: str, text: str) -> None:
    box(ax, 0, y, WIDTH, 50, SLATE)
    words(ax, WIDTH / 2, y + 34, title, size=13, bold=True, color=WHITE)
    words(ax, WIDTH / 2, y + 14, text, size=12, color=WHITE)
