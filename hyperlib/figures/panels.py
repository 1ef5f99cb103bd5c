"""Several panels in one Plotly figure: beside each other on a wide screen, below each other on a narrow one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ASIDE, ABOVE = 0.09, 70  # between panels: a part of the figure's width, pixels for ticks and a title


def in_panels(
    figure: Figure,
    titles: list[str],
    *,
    columns: tuple[int, int],
    heights: tuple[int, int],
    scenes: bool = False,
    fills: bool = False,
) -> Figure:
    """Put a figure's axes `x`, `x2`, … (or scenes) into a grid, row by row, each with a title above its left end.

    columns, and heights of a row in pixels: on a wide and on a narrow screen; the page chooses (`movable`).
    `fills`: the last panel takes the rest of its row. Titles are the figure's first annotations.
    """
    look = {"xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom", "showarrow": False}
    figure.update_layout(annotations=[{"text": title, "font": {"size": 13}} | look for title in titles])
    wide, narrow = (_places(len(titles), *shape, scenes, fills) for shape in zip(columns, heights, strict=True))
    for number in range(1, len(titles) + 1):
        axes = {f"xaxis{number}": {"anchor": f"y{number}"}, f"yaxis{number}": {"anchor": f"x{number}"}}
        figure.update_layout({f"scene{number}": {"dragmode": "turntable"}} if scenes else axes)
    for path, value in wide.items():
        figure.layout[path] = value
    return figure.update_layout(meta={"wide": wide, "narrow": narrow})


def _places(count: int, columns: int, height: int, scenes: bool, fills: bool) -> dict[str, float | list[float]]:
    """Where each panel and its title stand, by path in the layout."""
    rows = -(-count // columns)
    between = ABOVE / (rows * height)
    across, down = (1 - (columns - 1) * ASIDE) / columns, (1 - (rows - 1) * between) / rows
    found: dict[str, float | list[float]] = {"height": rows * height + 70, "legend.y": 1 + 26 / (rows * height)}
    for panel in range(count):
        row, column = divmod(panel, columns)
        left, top = column * (across + ASIDE), 1 - row * (down + between)
        right = 1 if fills and panel == count - 1 else left + across
        number = panel + 1 if panel else ""  # Plotly's first axis has none
        where = ("scene{}.domain.x", "scene{}.domain.y") if scenes else ("xaxis{}.domain", "yaxis{}.domain")
        ends = {where[0].format(number): [left, right], where[1].format(number): [max(0, top - down), top]}
        ends |= {f"annotations[{panel}].x": left, f"annotations[{panel}].y": top}
        found |= {path: np.round(value, 4).tolist() for path, value in ends.items()}
    return found
