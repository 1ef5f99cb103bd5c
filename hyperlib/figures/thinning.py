"""What happens to a population while more and more of its weights are taken: a figure with a slider, and its still."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure as Still

from hyperlib.figures.panels import in_panels
from hyperlib.figures.style import HUES, INK

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TITLES = ["share of the test images", "share of a layer's weights that is gone"]
SPARSITY = "sparsity: share of all prunable weights that is gone"


def thinning_still(answers: pd.DataFrame, layers: pd.DataFrame) -> Still:
    """Two panels over sparsity, the index of both tables; one line per column: what networks answer, and each layer."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 3))
    for ax, table, title in zip(axes, (answers, layers), TITLES, strict=True):
        for (name, line), colour in zip(table.items(), HUES, strict=False):
            ax.plot(line.index, line, color=colour, label=name, linewidth=2)
        ax.set(xlabel=SPARSITY, ylim=(0, 1.02))
        ax.xaxis.label.set_size(8)
        ax.set_title(title, fontsize=10)
        ax.legend(fontsize=8)
    return figure


def thinning(answers: pd.DataFrame, layers: pd.DataFrame) -> Figure:
    """The same with a slider over the sparsities: dots go along the lines, and the titles say where they are."""
    import plotly.graph_objects as go

    figure, places = go.Figure(), list(answers.index)
    for number, table in enumerate((answers, layers), 1):
        axes = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
        for (name, line), colour in zip(table.items(), HUES, strict=False):
            words = f"{name}: %{{y:.2f}} at sparsity %{{x:.2f}}<extra></extra>"
            look = {"mode": "lines", "line": {"width": 2.5, "color": colour}, "hovertemplate": words}
            figure.add_scatter(x=places, y=line.round(4), name=name, **look, **axes)
        figure.update_layout({f"yaxis{number}": {"range": [0, 1.04]}, f"xaxis{number}": {"range": [0, 1.02]}})
    dots = [len(figure.data), len(figure.data) + 1]
    for number, table in enumerate((answers, layers), 1):
        figure.add_scatter(
            x=[places[0]] * table.shape[1], y=table.iloc[0].round(4), mode="markers", showlegend=False,
            marker={"size": 10, "color": list(HUES[: table.shape[1]]), "line": {"width": 1, "color": INK}},
            xaxis=f"x{number}", yaxis=f"y{number}", hoverinfo="skip",
        )  # fmt: skip
    steps = [
        {
            "label": f"{place:.2f}",
            "method": "update",
            "args": [
                {"x": [[place] * table.shape[1] for table in (answers, layers)],
                 "y": [table.loc[place].round(4).tolist() for table in (answers, layers)]},
                {f"annotations[{n}].text": said(table, place, TITLES[n]) for n, table in enumerate((answers, layers))},
                dots,
            ],
        }
        for place in places
    ]  # fmt: skip
    figure.update_layout(sliders=[{"name": "Sparsity", "steps": steps, "currentvalue": {"prefix": "sparsity: "}}])
    titles = [said(table, places[0], title) for table, title in zip((answers, layers), TITLES, strict=True)]
    return in_panels(figure, titles, columns=(2, 1), heights=(280, 230))


def said(table: pd.DataFrame, place: float, title: str) -> str:
    """A panel's title, with what its lines are at a place."""
    return f"{title}<br>" + ", ".join(f"{name} {value:.2f}" for name, value in table.loc[place].items())
