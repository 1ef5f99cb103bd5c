"""The diagram of chapter 6: a network becomes tokens, a window of them goes through one auto-encoder.

Drawn by us after our own code (`representations.sane`): rows longer than a token are cut, shorter ones filled up; all
windows go through the same encoder; the mean of all latents is the embedding.
"""

from __future__ import annotations

from matplotlib.axes import Axes

from hyperlib.figures.diagram_parts import BLUE, GREEN, PURPLE, SLATE, VERMILLION, arrow, box, cell, line, page, words

SANE_HEIGHT = 266
WIDTH, TOP = 5, 204  # cells of a token; where the first row stands
LAYERS = ((VERMILLION, (3, 3, 3)), (PURPLE, (7, 7)), (SLATE, (4, 4)))  # colours, and weights of each row
STEP, SIDE = 16, 10


def draw_sane(ax: Axes) -> None:
    """Rows of weights on the left, tokens beside them, a window on its way through encoder and decoder."""
    page(ax, SANE_HEIGHT)
    words(ax, 54, TOP + 42, "rows of weights\nand biases", bold=True)
    words(ax, 168, TOP + 42, "tokens of one\nwidth, padded", bold=True)
    tokens = _rows(ax)
    for place, (fill, count) in enumerate(tokens):
        for column in range(WIDTH):
            _square(ax, 138 + 12 * column, place, fill if column < count else None)
    for row in (0.5, 4, 8):
        arrow(ax, (102, TOP - STEP * row), (130, TOP - STEP * row))
    window = range(2, 6)
    left, right, low, high = 132, 202, TOP - STEP * window[-1] - 8, TOP - STEP * window[0] + 8
    line(ax, [left, right, right, left, left], [low, low, high, high, low], dashed=True)
    words(ax, 168, TOP - STEP * len(tokens) - 20, "a window goes\nthrough at a time")
    middle = (low + high) / 2
    arrow(ax, (206, middle), (232, middle))
    box(ax, 234, middle - 26, 68, 52, BLUE, "encoder", bold=True)
    words(ax, 268, middle + 50, "token + place,\nlayer, unit")
    arrow(ax, (304, middle), (326, middle))
    for place, token in enumerate(window):
        for column in range(2):
            cell(ax, 330 + 12 * column, middle + 19 - 14 * place, SIDE, SIDE, tokens[token][0])
    words(ax, 341, middle + 50, "latents")
    arrow(ax, (358, middle), (378, middle))
    box(ax, 380, middle - 26, 76, 52, BLUE, "decoder", bold=True)
    words(ax, 418, middle + 50, "tokens again")
    arrow(ax, (341, middle - 36), (341, middle - 74))
    box(ax, 252, middle - 116, 178, 40, GREEN, "mean over all tokens:\nembedding of the network", bold=True)
    words(ax, 341, middle - 140, "of one length for all architectures")


def _rows(ax: Axes) -> list[tuple[str, int]]:
    """Draw the rows of a small network; colour and number of weights of each token that they become."""
    tokens, place = [], 0
    for fill, rows in LAYERS:
        for weights in rows:
            pieces = [min(WIDTH, weights - start) for start in range(0, weights, WIDTH)]
            for column in range(weights):
                _square(ax, 12 * column, place + (len(pieces) - 1) / 2, fill)
            tokens += [(fill, count) for count in pieces]
            place += len(pieces)
    return tokens


def _square(ax: Axes, x: float, place: float, fill: str | None) -> None:
    cell(ax, x, TOP - STEP * place - SIDE / 2, SIDE, SIDE, fill)
