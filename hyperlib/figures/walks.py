"""A walk between two networks: what the networks on the way can do, and how far they are from any known one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure as Still

from hyperlib.figures.panels import in_panels
from hyperlib.figures.style import method_colours

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MEASURES = {"accuracy": "test accuracy", "nearest": "distance to the nearest training network"}
WAY = "part of the way from one network to the other"


def walk_still(walks: pd.DataFrame) -> Still:
    """Mean over pairs, one panel per measure, one line per way: columns `way`, `pair`, `place` and `MEASURES`."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 2.8))
    for (column, title), ax in zip(MEASURES.items(), axes, strict=True):
        for way, colour in method_colours(walks["way"]).items():
            line = walks[walks["way"] == way].groupby("place")[column].mean()
            ax.plot(line.index, line, color=colour, label=way, linewidth=2)
        ax.set_title(title, fontsize=10)
        ax.set(ylim=(0, None), xlabel=WAY)
    axes[0].legend(fontsize=9)
    return figure


def walk_lines(walks: pd.DataFrame) -> Figure:
    """The same to be moved along: buttons choose the mean over pairs or one pair; hover says the value at a place.

    Raises ValueError where a pair lacks a way.
    """
    import plotly.graph_objects as go

    if len(walks[["way", "pair"]].drop_duplicates()) != walks["way"].nunique() * walks["pair"].nunique():
        raise ValueError("Every pair has to be walked in every way; leave out pairs that were not.")

    figure, colours = go.Figure(), method_colours(walks["way"])
    pairs = {"mean of all": walks.groupby(["way", "place"], sort=False)[list(MEASURES)].mean()}
    pairs |= {f"pair {pair}": part.set_index(["way", "place"]) for pair, part in walks.groupby("pair")}
    for number, (column, title) in enumerate(MEASURES.items(), 1):
        for way, colour in colours.items():
            line = pairs["mean of all"].loc[way, column].round(4)
            figure.add_scatter(
                x=line.index, y=line, name=way, mode="lines", line={"width": 2.5, "color": colour},
                showlegend=number == 1, xaxis=f"x{number}", yaxis=f"y{number}",
                hovertemplate=f"{way}: {title} %{{y:.3g}} at %{{x:.2g}} of the way<extra></extra>",
            )  # fmt: skip
        figure.update_layout({f"yaxis{number}": {"rangemode": "tozero"}, f"xaxis{number}": {"tickvals": [0, 0.5, 1]}})
    buttons = [
        {"label": name, "method": "restyle", "args": [{"y": [table.loc[way, column].round(4).tolist()
                                                             for column in MEASURES for way in colours]}]}
        for name, table in pairs.items()
    ]  # fmt: skip
    figure.update_layout(updatemenus=[{"name": "Walk", "buttons": buttons}], margin={"b": 66})
    in_panels(figure, list(MEASURES.values()), columns=(2, 1), heights=(250, 210))
    label = {"xref": "paper", "yref": "paper", "showarrow": False}
    return figure.add_annotation(text=WAY, x=0.5, y=0, yshift=-50, **label)
