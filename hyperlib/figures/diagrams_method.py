"""The diagram of chapter 4: how an auto-encoder learns from two views of every network.

Drawn by us after our own code (`representations`): tokens are rows of weights, the embedding is mean and deviation over
the units of a layer, each view is to come out again as it was before noise, and the head behind the embedding is thrown
away after training.
"""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from hyperlib.figures.diagram_parts import (
    BLUE,
    GREEN,
    GREY,
    PURPLE,
    SLATE,
    VERMILLION,
    arrow,
    box,
    cell,
    page,
    scale,
    words,
)

HYPER_REPRESENTATION_HEIGHT = 508
MIDDLE, ROW = HYPER_REPRESENTATION_HEIGHT / 2, 189  # where a view passes encoder and decoder, from the middle
HIDDEN = (BLUE, VERMILLION, PURPLE)  # three hidden units in the network's own order
CLASSES = (SLATE, SLATE)  # whose order is fixed


def draw_hyper_representation(ax: Axes) -> None:
    """One network, two views of it on their way through the same parts, and the contrast between them."""
    page(ax, HYPER_REPRESENTATION_HEIGHT)
    words(ax, 28, MIDDLE + 46, "network", size=12, bold=True)
    _rows(ax, 0, MIDDLE, (0, 1, 2))
    for side, order, name in (
        (1, (1, 2, 0), "view 1:\nother order,\nnoise"),
        (-1, (2, 0, 1), "view 2:\nother order,\nnoise"),
    ):
        _view(ax, side, order)
        words(ax, 0, MIDDLE + ROW * side, name, align="left")
    words(ax, 108, MIDDLE + 238, "tokens: a unit's\nweights and bias")
    words(ax, 262, MIDDLE + 232, "latents")
    words(ax, 414, MIDDLE + 232, "weights again")
    words(ax, 395, MIDDLE + 134, "each view as it was\nbefore the noise")
    arrow(ax, (308, MIDDLE + 96), (326, MIDDLE + 96))
    box(ax, 328, MIDDLE + 76, 132, 40, SLATE, "later: probes read\naccuracy, epoch, gap")
    words(ax, 230, MIDDLE - 240, "both views go through the same encoder, decoder and head")
    box(
        ax,
        78,
        MIDDLE - 19,
        230,
        38,
        GREEN,
        "contrast: views of one network\ncome together, others move apart",
        bold=True,
    )


def _view(ax: Axes, side: int, order: tuple[int, ...]) -> None:
    """A view's way, above the middle (side 1) or mirrored below it (side -1)."""
    row = MIDDLE + ROW * side
    arrow(ax, (40, MIDDLE + (58 if side > 0 else -40)), (84, row - 40 * side))
    _rows(ax, 80, row, order)
    for start, end in ((141, 159), (229, 247), (277, 295), (363, 381)):
        arrow(ax, (start, row), (end, row))
    box(ax, 160, row - 22, 68, 44, BLUE, "encoder", size=12, bold=True)
    for place, fill in enumerate([*(HIDDEN[unit] for unit in order), *CLASSES]):
        for column in range(2):
            cell(ax, 251 + 12 * column, _height(row, place), 9, 9, fill)
    box(ax, 296, row - 22, 66, 44, BLUE, "decoder", size=12, bold=True)
    _rows(ax, 384, row, order)
    arrow(ax, (194, row - 22 * side), (194, MIDDLE + 117 * side))
    box(
        ax,
        78,
        MIDDLE + 96 * side - 20,
        230,
        40,
        PURPLE,
        "embedding: mean and deviation\nover the units of each layer",
        bold=True,
    )
    arrow(ax, (194, MIDDLE + 76 * side), (194, MIDDLE + 61 * side))
    _dashed(ax, 118, MIDDLE + 47 * side - 13, 152, 26, "projection head")
    arrow(ax, (194, MIDDLE + 34 * side), (194, MIDDLE + 20 * side))
    words(ax, 284, MIDDLE + 47 * side, "thrown away after training", align="left")


def _rows(ax: Axes, x: float, y: float, order: tuple[int, ...]) -> None:
    """A network as rows of weights: three hidden units with four inputs, two classes with three, biases set apart."""
    for place, (fill, count) in enumerate([*((HIDDEN[unit], 4) for unit in order), *((fill, 3) for fill in CLASSES)]):
        for column in range(count):
            cell(ax, x + 11 * column, _height(y, place), 8, 9, fill)
        cell(ax, x + 48, _height(y, place), 8, 9, fill)


def _height(y: float, place: int) -> float:
    """Lower edge of a row; the two layers have a gap between them."""
    return y + 23 - 12.5 * place - (7 if place >= len(HIDDEN) else 0)


def _dashed(ax: Axes, x: float, y: float, width: float, height: float, text: str) -> None:
    edge = {"facecolor": "none", "edgecolor": GREY, "linewidth": 1.6 * scale(ax), "linestyle": (0, (3, 2))}
    ax.add_patch(FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=6", **edge))
    words(ax, x + width / 2, y + height / 2, text, size=12)
