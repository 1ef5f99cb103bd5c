"""The book's figures that a reader moves: Plotly, a table in, nothing computed.

What a slider or a button changes is in the figure from the start, so a page needs no program behind it. `movable` shows
one of these beside its still.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pandas as pd

from hyperlib.figures.style import CYCLE, INK, model_colours

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_CLEAR = "rgba(0,0,0,0)"
_THIN, _THICK = {"width": 1, "color": CYCLE[4]}, {"width": 4, "color": INK}


def turning_trajectories(points: np.ndarray, table: pd.DataFrame) -> Figure:
    """The lines of `trajectories` as a Plotly figure that a reader turns; `table` has model and epoch of each point."""
    import plotly.graph_objects as go

    figure, models = go.Figure(), table["model"].to_numpy()
    for model, colour in model_colours(models).items():
        own, epochs = points[models == model].round(3), table["epoch"][models == model]
        line = {"color": mpl.colors.to_hex(colour), "width": 3}
        words = [f"model {model}, epoch {epoch}" for epoch in epochs]
        axes = dict(zip("xyz", own.T.tolist(), strict=True))
        figure.add_scatter3d(**axes, mode="lines", line=line, text=words, hoverinfo="text", showlegend=False)
    bare = {"showticklabels": False, "title": ""}
    return figure.update_layout(scene={f"{axis}axis": bare for axis in "xyz"} | {"dragmode": "turntable"})


def playground(ticks: np.ndarray, margins: np.ndarray, lines: pd.DataFrame, strips: pd.DataFrame) -> Figure:
    """Units of a small network change places by a slider: their lines and the decision boundary stay, weights move.

    ticks, margins: a grid's coordinates `[n]` and the differences of the two scores `[n, n]`, whose rows are the second
    input. lines and strips: as from `tasks.playground`; a column `change` of strips says by how much answers changed.
    """
    import plotly.graph_objects as go

    figure, orders = go.Figure(), list(dict.fromkeys(strips["order"]))
    for line in lines.itertuples():
        ends = {"x": [line.x0, line.x1], "y": [line.y0, line.y1]}
        style = {"color": CYCLE[line.unit], "width": 2}
        figure.add_scatter(**ends, mode="lines", line=style, name=f"unit {line.unit + 1}", hoverinfo="skip")
    edge = {"contours": {"start": 0, "end": 0, "coloring": "lines"}, "colorscale": [[0, INK], [1, INK]]}
    edge |= {"line": {"width": 4}, "showscale": False, "hoverinfo": "skip"}
    figure.add_contour(x=ticks.round(4), y=ticks.round(4), z=margins.round(3), **edge)
    start = strips[strips["order"] == orders[0]]
    values = {"x": start["place"], "y": start["value"].round(3), "xaxis": "x2", "yaxis": "y2", "showlegend": False}
    figure.add_bar(**values, marker={"color": _CLEAR, "line": {"color": INK, "width": 1}}, hoverinfo="skip")
    figure.add_bar(**values, marker={"color": _colours(start)}, hoverinfo="y")
    bars = len(figure.data) - 1
    plane = {"range": [float(ticks[0]), float(ticks[-1])], "constrain": "domain"}
    steps = [_step(order, strips[strips["order"] == order], bars) for order in orders]
    return figure.update_layout(
        height=620,
        barmode="overlay",
        xaxis=plane | {"anchor": "y"},
        yaxis=plane | {"domain": [0.4, 1], "scaleanchor": "x", "anchor": "x"},
        xaxis2={"anchor": "y2", "showticklabels": False, "title": {"text": "place in the weight vector"}},
        yaxis2={"domain": [0, 0.24], "anchor": "x2", "title": {"text": "weight"}},
        annotations=[_said(start)],
        sliders=[{"steps": steps, "currentvalue": {"prefix": "order of the units: "}}],
    )


def barrier_lines(lines: pd.DataFrame, settings: list[str]) -> Figure:
    """Loss on the way between the models of every pair: buttons choose the setting, a slider the network.

    `lines` has the columns `network`, `setting`, `pair`, `alpha` and `loss`. Thin lines are pairs, the thick one is
    their median. The slider shows and hides lines, the buttons make them opaque, so neither undoes the other.
    """
    import plotly.graph_objects as go

    figure, networks, drawn = go.Figure(), list(dict.fromkeys(lines["network"])), []
    for network in networks:
        for setting in settings:
            part = lines[(lines["network"] == network) & (lines["setting"] == setting)]
            wide = part.pivot(index="alpha", columns="pair", values="loss").round(4)
            wide.loc[np.nan] = np.nan  # a gap ends each pair's line
            look = {"mode": "lines", "visible": network == networks[0], "opacity": float(setting == settings[0])}
            pairs = {"x": np.tile(wide.index.to_numpy().round(4), wide.shape[1]), "y": wide.to_numpy().T.ravel()}
            figure.add_scatter(**pairs, line=_THIN, **look)
            figure.add_scatter(x=wide.index[:-1], y=wide.median(axis=1)[:-1], line=_THICK, **look)
            drawn += [(network, setting)] * 2
    buttons = [
        {"label": one, "method": "restyle", "args": [{"opacity": [float(one == setting) for _, setting in drawn]}]}
        for one in settings
    ]
    steps = [
        {"label": one, "method": "restyle", "args": [{"visible": [one == network for network, _ in drawn]}]}
        for one in networks
    ]
    return figure.update_layout(
        xaxis={"title": {"text": "part of the way from one network to the other"}},
        yaxis={"title": {"text": "test loss"}, "rangemode": "tozero"},
        showlegend=False,
        hovermode=False,
        updatemenus=[{"buttons": buttons}],
        sliders=[{"steps": steps, "currentvalue": {"prefix": "network: "}, "len": 0.84, "x": 0.06}],  # room for words
    )


def latent_map(maps: dict[str, np.ndarray], table: pd.DataFrame, properties: dict[str, str]) -> Figure:
    """Checkpoints on several maps: one menu chooses the map, another the property that colours them; hover says which.

    maps: coordinates `[samples, 2]` by name. `table` has one row per sample, with `model` and `epoch`; `properties`
    names its columns in words.
    """
    import plotly.graph_objects as go

    places = {name: points.round(2).T.tolist() for name, points in maps.items()}
    values = {words: table[column].round(4).tolist() for column, words in properties.items()}
    (x, y), colours = next(iter(places.values())), next(iter(values.values()))
    texts = [f"model {model}, epoch {epoch}" for model, epoch in zip(table["model"], table["epoch"], strict=True)]
    figure = go.Figure()
    marker = {"size": 5, "color": colours, "colorscale": "Viridis", "showscale": True, "opacity": 0.8}
    figure.add_scatter(x=x, y=y, mode="markers", marker=marker, text=texts, hoverinfo="text")
    of_maps = [{"label": name, "method": "restyle", "args": [{"x": [x], "y": [y]}]} for name, (x, y) in places.items()]
    of_values = [
        {"label": words, "method": "restyle", "args": [{"marker.color": [colour]}]} for words, colour in values.items()
    ]
    bare = {"showticklabels": False, "title": {"text": ""}, "showgrid": False}
    return figure.update_layout(
        xaxis=bare,
        yaxis=bare,
        updatemenus=[
            {"buttons": of_maps, "type": "dropdown", "x": 0, "xanchor": "left", "y": 1.16},
            {"buttons": of_values, "type": "dropdown", "x": 0.5, "xanchor": "left", "y": 1.16},
        ],
    )


def _step(order: str, move: pd.DataFrame, trace: int) -> dict:
    """A step of the playground's slider: the weights at their new places, and what became of the answers."""
    bars = {"y": [move["value"].round(3).tolist()], "marker.color": [_colours(move)]}
    return {"label": order, "method": "update", "args": [bars, {"annotations": [_said(move)]}, [trace]]}


def _colours(move: pd.DataFrame) -> list[str]:
    return [CYCLE[unit] if unit >= 0 else INK for unit in move["unit"]]


def _said(move: pd.DataFrame) -> dict:
    """Distance and change of the answers, above the weights."""
    first = move.iloc[0]
    text = f"weights moved by {first['distance']:.2f}, answers changed by {first['change']:.1g}"
    return {"text": text, "x": 0, "y": 0.3, "xref": "paper", "yref": "paper", "xanchor": "left", "showarrow": False}
