"""One network as a sequence of tokens, and each of them up close: what it holds, where it stands, how it is rebuilt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from hyperlib.figures.panels import in_panels
from hyperlib.figures.style import BLUE, CYCLE, INK, SIGNED_MAP

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Cells = np.ndarray  # [tokens, width]
_SIGNED = [[0, CYCLE[5]], [0.5, "rgba(118,118,118,0.08)"], [1, BLUE]]


def microscope(tokens: Cells, rebuilt: Cells, held: Cells, table: pd.DataFrame) -> Figure:
    """A slider goes through the tokens of a network: all of them above, below the weights of the chosen one.

    held: True for cells that hold a weight. `table` has for every token its `layer`, `unit`, `piece` and `error`.
    """
    import plotly.graph_objects as go

    figure, width = go.Figure(), tokens.shape[1]
    shown, limit = np.where(held, tokens, np.nan).round(3), float(np.abs(tokens[held]).max())
    look = {"zmin": -limit, "zmax": limit, "colorscale": _SIGNED, "colorbar": {"thickness": 10, "len": 0.4, "y": 0.8}}
    figure.add_heatmap(z=shown, **look, hovertemplate="token %{y}, place %{x}: %{z:.3g}<extra></extra>")
    pointer = {"mode": "markers", "marker": {"symbol": "triangle-right", "size": 11, "color": INK}}
    figure.add_scatter(x=[-1.6], y=[0], **pointer, hoverinfo="skip", showlegend=False)
    weights, again = _bars(tokens, held, 0), _bars(rebuilt, held, 0)
    below = {"xaxis": "x2", "yaxis": "y2"}
    words = "%{fullData.name}: %{y:.3g}<extra></extra>"
    figure.add_bar(x=list(range(width)), y=weights, name="weight", marker={"color": BLUE}, hovertemplate=words, **below)
    dots = {"mode": "markers", "marker": {"color": CYCLE[1], "size": 7}, "name": "as it is rebuilt"}
    figure.add_scatter(x=list(range(width)), y=again, hovertemplate=words, **dots, **below)
    steps = [
        {
            "label": str(token),
            "method": "update",
            "args": [
                {"y": [[token], _bars(tokens, held, token), _bars(rebuilt, held, token)]},
                {"annotations[1].text": said(table, held, token)},
                [1, 2, 3],
            ],
        }
        for token in range(len(tokens))
    ]
    figure.update_layout(
        xaxis={"title": {"text": "place in the token"}, "range": [-2.5, width - 0.5], "showgrid": False},
        yaxis={"title": {"text": "token"}, "autorange": "reversed", "showgrid": False},
        xaxis2={"title": {"text": "place in the token"}, "range": [-2.5, width - 0.5]},
        yaxis2={"title": {"text": "weight, standardised"}, "range": [-1.1 * limit, 1.1 * limit]},
        sliders=[{"name": "Token", "steps": steps, "currentvalue": {"prefix": "token: "}}],
    )
    titles = [f"all {len(tokens)} tokens", said(table, held, 0)]
    return in_panels(figure, titles, columns=(1, 1), heights=(330, 330))


def microscope_still(
    tokens: Cells, rebuilt: Cells, held: Cells, table: pd.DataFrame, chosen: int
) -> matplotlib.figure.Figure:
    """The same with one chosen token."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(8, 6), height_ratios=(3, 2))
    limit = float(np.abs(tokens[held]).max())
    drawn = above.imshow(
        np.where(held, tokens, np.nan), cmap=SIGNED_MAP, vmin=-limit, vmax=limit, aspect="auto", interpolation="none"
    )
    above.set(xlabel="place in the token", ylabel="token", title=f"all {len(tokens)} tokens")
    above.plot([-1.6], [chosen], marker=">", color=INK, clip_on=False)
    figure.colorbar(drawn, ax=above, label="weight, standardised")
    places = np.flatnonzero(held[chosen])
    below.bar(places, tokens[chosen][places], color=BLUE, label="weight")
    below.plot(places, rebuilt[chosen][places], "o", color=CYCLE[1], markersize=5, label="as it is rebuilt")
    below.set(xlim=(-2.5, tokens.shape[1] - 0.5), ylim=(-1.1 * limit, 1.1 * limit))
    below.set(xlabel="place in the token", ylabel="weight, standardised", title=said(table, held, chosen))
    below.legend(loc="upper right", fontsize=9)
    return figure


def said(table: pd.DataFrame, held: Cells, token: int) -> str:
    """A token in words: whose row it is part of, how much of it is padding, and its error."""
    row, count = table.iloc[token], int(held[token].sum())
    piece = f", piece {row.piece + 1}" if table["piece"].max() else ""
    return f"{row.layer}, unit {row.unit + 1}{piece}: {count} of {held.shape[1]} cells; error {row.error:.2g}"


def _bars(values: Cells, held: Cells, token: int) -> list[float | None]:
    """A token's cells, none where they are padding."""
    pairs = zip(values[token].round(3).tolist(), held[token].tolist(), strict=True)
    return [value if there else None for value, there in pairs]
