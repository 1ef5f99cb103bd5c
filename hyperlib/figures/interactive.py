"""The book's figures that a reader moves: Plotly, a table in, nothing computed but percentiles.

Each shows in panels all that its still shows. What a menu or a slider changes is in the figure from the start, so a
page needs no program behind it. `movable` shows one of these beside its still.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pandas as pd

from hyperlib.figures.panels import in_panels
from hyperlib.figures.style import CYCLE, INK, RAMP, model_colours

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_CLEAR = "rgba(0,0,0,0)"
_BARE = {"showticklabels": False, "title": {"text": ""}, "showgrid": False}
_FLAT_BAR = {"orientation": "h", "x": 1, "xanchor": "right", "y": 0, "yanchor": "top", "len": 0.5}
_FLAT_BAR |= {"thickness": 10, "outlinewidth": 0}


def turning_trajectories(points: np.ndarray, table: pd.DataFrame) -> Figure:
    """The lines of `trajectories` in two scenes that turn: all models, and the first one with its epochs in colour.

    points: coordinates `[samples, 3]`. `table` has `model` and `epoch` of each.
    """
    import plotly.graph_objects as go

    figure, models = go.Figure(), table["model"].to_numpy()
    for model, colour in model_colours(models).items():
        own, epochs = points[models == model].round(3), table["epoch"][models == model].tolist()
        line = dict(zip("xyz", own.T.tolist(), strict=True)) | {"showlegend": False, "hoverinfo": "text"}
        line["text"] = [f"model {model}, epoch {epoch}" for epoch in epochs]
        style = {"color": mpl.colors.to_hex(colour), "width": 3}
        figure.add_scatter3d(**line, mode="lines", line=style)
        if model == models[0]:
            bar = _FLAT_BAR | {"title": {"text": "epoch", "side": "top"}}
            marker = {"size": 4, "color": epochs, "colorscale": RAMP, "colorbar": bar}
            figure.add_scatter3d(**line, mode="lines+markers", line=style, marker=marker, scene="scene2")
    bare = {f"{axis}axis": {"showticklabels": False, "title": ""} for axis in "xyz"}
    figure.update_layout(scene=bare, scene2=bare, margin={"l": 12})
    titles = [f"{len(set(models.tolist()))} models", f"model {models[0]}, enlarged"]
    return in_panels(figure, titles, columns=(2, 1), heights=(380, 320), scenes=True)


def playground(ticks: np.ndarray, margins: np.ndarray, lines: pd.DataFrame, strips: pd.DataFrame) -> Figure:
    """Units of a small network change places by a slider: their lines and the decision boundary stay, weights move.

    ticks, margins: a grid's coordinates `[n]` and the differences of the two scores `[n, n]`, whose rows are the second
    input. lines and strips: as from `tasks.playground`; a column `change` of strips says by how much answers changed.
    Beside the plane stand the weights in six orders, below it those in the chosen order, over hollow ones in the first.
    """
    import plotly.graph_objects as go

    figure, orders = go.Figure(), list(dict.fromkeys(strips["order"]))
    for line in lines.itertuples():
        ends = {"x": [line.x0, line.x1], "y": [line.y0, line.y1]}
        style = {"color": CYCLE[line.unit], "width": 2}
        figure.add_scatter(**ends, mode="lines", line=style, name=f"unit {line.unit + 1}", hoverinfo="name")
    edge = {"contours": {"start": 0, "end": 0, "coloring": "lines"}, "colorscale": [[0, INK], [1, INK]]}
    edge |= {
        "line": {"width": 4},
        "showscale": False,
        "hovertemplate": "difference of the scores %{z:.3g}<extra></extra>",
    }
    figure.add_contour(x=ticks.round(4), y=ticks.round(4), z=margins.round(3), **edge)
    shown = orders[:: max(1, len(orders) // 6)]
    some, start = strips[strips["order"].isin(shown)], strips[strips["order"] == orders[0]]
    heights = (0.45 * some["value"] / strips["value"].abs().max()).round(3)
    figure.add_bar(y=heights, base=[-shown.index(order) for order in some["order"]], **_weights(some, 2))
    chosen = _weights(start, 3) | {"y": start["value"].round(3)}
    figure.add_bar(**chosen | {"marker": {"color": _CLEAR, "line": {"color": INK, "width": 1}}, "hoverinfo": "skip"})
    figure.add_bar(**chosen)
    steps = [_step(order, strips[strips["order"] == order], len(figure.data) - 1) for order in orders]
    plane = {"range": [float(ticks[0]), float(ticks[-1])], "constrain": "domain"}
    figure.update_layout(
        barmode="overlay",
        xaxis=plane | {"title": {"text": "first input"}},
        yaxis=plane | {"title": {"text": "second input"}, "scaleanchor": "x"},
        xaxis2={"showgrid": False},
        yaxis2={"showgrid": False, "tickvals": [-row for row in range(len(shown))], "ticktext": shown},
        xaxis3={"title": {"text": "place in the weight vector"}},
        yaxis3={"title": {"text": "weight"}},
        sliders=[{"name": "Order of the units", "steps": steps, "currentvalue": {"prefix": "order of the units: "}}],
    )
    titles = ["the plane of the two inputs", "weights in some orders", _said(start)]
    return in_panels(figure, titles, columns=(2, 1), heights=(290, 290), fills=True)


def barrier_lines(lines: pd.DataFrame, settings: list[str]) -> Figure:
    """Loss on the way between the models of every pair, a panel per network; buttons raise a setting and its pairs.

    `lines` has the columns `network`, `setting`, `pair`, `alpha` and `loss`. As in the still: median over pairs, bands
    from the 5th to the 95th and from the 25th to the 75th percentile. Of a raised setting every pair is a thin line.
    """
    import plotly.graph_objects as go

    figure, networks, drawn = go.Figure(), list(dict.fromkeys(lines["network"])), []
    for number, network in enumerate(networks, 1):
        for setting, colour in zip(settings, CYCLE, strict=False):
            part = lines[(lines["network"] == network) & (lines["setting"] == setting)]
            if part.empty:
                continue
            wide = part.pivot(index="alpha", columns="pair", values="loss").round(4)
            look = {"name": setting, "showlegend": False, "mode": "lines", "line": {"width": 0}, **_axes(number)}
            levels = wide.quantile([0.05, 0.25, 0.5, 0.75, 0.95], axis=1).round(4).to_numpy()
            for low, high, alpha in ((0, 4, 0.12), (1, 3, 0.25)):
                band = {"x": [*wide.index, *wide.index[::-1]], "y": [*levels[low], *levels[high][::-1]]}
                figure.add_scatter(**band | look, fill="toself", fillcolor=_faint(colour, alpha), hoverinfo="skip")
            gaps = wide.reindex([*wide.index, np.nan])  # a gap ends each pair's line
            pairs = {"x": np.tile(gaps.index, gaps.shape[1]).round(4), "y": gaps.to_numpy().T.ravel()}
            figure.add_scatter(**pairs | look | {"line": {"width": 1, "color": colour}}, visible=False, hoverinfo="y")
            words = f"{setting}: %{{y:.3g}}, half of the pairs %{{customdata[0]:.3g}} to %{{customdata[1]:.3g}}"
            look |= {"line": {"width": 2.5, "color": colour}, "showlegend": number == 1, "customdata": levels[[1, 3]].T}
            figure.add_scatter(x=wide.index, y=levels[2], **look, hovertemplate=words + "<extra></extra>")
            drawn += [(setting, "band"), (setting, "band"), (setting, "pairs"), (setting, "median")]
        figure.update_layout({f"yaxis{number}": {"rangemode": "tozero"}, f"xaxis{number}": {"tickvals": [0, 0.5, 1]}})
    buttons = [{"label": "all alike", "method": "restyle", "args": [_raised(drawn, None)]}]
    buttons += [{"label": one, "method": "restyle", "args": [_raised(drawn, one)]} for one in settings]
    figure.update_layout(
        updatemenus=[{"name": "Raise", "buttons": buttons}],
        legend={"itemclick": False, "itemdoubleclick": False},
        margin={"l": 66, "b": 66},
    )
    count = lines.groupby("network")["pair"].nunique()
    titles = [f"{network}, {count[network]} pairs" for network in networks]
    label = {"xref": "paper", "yref": "paper", "showarrow": False}
    in_panels(figure, titles, columns=(3, 1), heights=(210, 190))
    figure.add_annotation(text="part of the way from one network to the other", x=0.5, y=0, yshift=-50, **label)
    return figure.add_annotation(text="test loss", x=0, y=0.5, xshift=-56, textangle=-90, **label)


def latent_map(maps: dict[str, np.ndarray], table: pd.DataFrame, properties: dict[str, str]) -> Figure:
    """Checkpoints on several maps side by side; a menu chooses the property that colours them, hover says its value.

    maps: coordinates `[samples, 2]` by name. `table` has one row per sample, with `model` and `epoch`; `properties`
    names its columns in words.
    """
    import plotly.graph_objects as go

    texts = [f"model {model}, epoch {epoch}" for model, epoch in zip(table["model"], table["epoch"], strict=True)]
    said = {words: f"%{{text}}: {words} %{{marker.color:.3g}}<extra></extra>" for words in properties.values()}
    colours = {words: table[column].round(4).tolist() for column, words in properties.items()}
    first, figure = next(iter(said)), go.Figure()
    for number, points in enumerate(maps.values(), 1):
        places = dict(zip("xy", points.round(2).T.tolist(), strict=True)) | _axes(number)
        marker = {"size": 4, "opacity": 0.8, "color": colours[first], "coloraxis": "coloraxis"}
        look = {"mode": "markers", "text": texts, "hovertemplate": said[first], "showlegend": False}
        figure.add_scatter(**places, **look, marker=marker)
        figure.update_layout({f"xaxis{number}": _BARE, f"yaxis{number}": _BARE})
    changes = {words: [{"marker.color": [colours[words]], "hovertemplate": said[words]}] for words in said}
    buttons = [
        {"label": words, "method": "update", "args": [*change, {"coloraxis.colorbar.title.text": words}]}
        for words, change in changes.items()
    ]
    bar = _FLAT_BAR | {"title": {"text": first, "side": "top"}}
    figure.update_layout(
        coloraxis={"colorscale": RAMP, "colorbar": bar},
        margin={"l": 12},
        updatemenus=[{"name": "Colour", "buttons": buttons, "type": "dropdown"}],
    )
    return in_panels(figure, list(maps), columns=(3, 1), heights=(300, 240))


def _axes(panel: int) -> dict[str, str]:
    return {"xaxis": f"x{panel}", "yaxis": f"y{panel}"}


def _raised(drawn: list[tuple[str, str]], raised: str | None) -> dict[str, list]:
    """What becomes of all lines of `barrier_lines` when one setting, or none, is raised."""
    mine = [raised in (None, setting) for setting, _ in drawn]
    pairs = [kind == "pairs" for _, kind in drawn]
    visible = [setting == raised if pair else True for (setting, _), pair in zip(drawn, pairs, strict=True)]
    return {"visible": visible, "opacity": [1 if one else 0.15 for one in mine]}


def _faint(colour: str, alpha: float) -> str:
    red, green, blue = (round(255 * part) for part in mpl.colors.to_rgb(colour))
    return f"rgba({red},{green},{blue},{alpha})"


def _step(order: str, move: pd.DataFrame, trace: int) -> dict:
    """A step of the playground's slider: the weights at their new places, and what became of the answers."""
    moved = _weights(move, 3)
    bars = {"y": [move["value"].round(3).tolist()], "marker.color": [moved["marker"]["color"]], "text": [moved["text"]]}
    return {"label": order, "method": "update", "args": [bars, {"annotations[2].text": _said(move)}, [trace]]}


def _weights(part: pd.DataFrame, panel: int) -> dict:
    """What bars of weights share: place, panel, the colours of their units, and words for each."""
    whose = ["class" if unit < 0 else f"unit {unit + 1}" for unit in part["unit"]]
    rows = zip(part["place"], whose, part["value"], strict=True)
    return {
        "x": part["place"],
        "marker": {"color": [CYCLE[unit] if unit >= 0 else INK for unit in part["unit"]]},
        "text": [f"place {place}, {owner}: {value:.3g}" for place, owner, value in rows],
        "textposition": "none",
        "hoverinfo": "text",
        "showlegend": False,
        **_axes(panel),
    }


def _said(move: pd.DataFrame) -> str:
    """Distance and change of the answers, above the weights."""
    first = move.iloc[0]
    return f"weights moved by {first['distance']:.2f}, answers by {first['change']:.1g}"
