"""Figures that move: a Plotly figure for the page, and a still of the same for everywhere else.

A reader moves a slider on the built site and, where Plotly's own extension is there, in JupyterLab and VS Code. In
print, without JavaScript, in a notebook viewer and for a screen reader the still and its words stand in. Nothing is
loaded from another address: the site brings the script along (`hyperlib.press.sphinxext`), and maps, for which it would
fetch something, are refused. The look is that of `hyperlib.figures.style`, legible on a light and on a dark page.
"""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import matplotlib.figure
import matplotlib.pyplot as plt

from hyperlib.figures.style import CYCLE, INK

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

LIVE = "application/vnd.plotly.v1+json"  # what Plotly's own extensions of JupyterLab and VS Code draw
WORDS = "hyperlib_movable"  # name, alt and caption in the metadata of a notebook's output
HEIGHT = 440  # pixels; with buttons above and a slider below it fits on a phone
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
MAPS = {  # they fetch tiles and outlines of countries from elsewhere
    *("choropleth", "scattergeo", "choroplethmap", "densitymap", "scattermap"),
    *("choroplethmapbox", "densitymapbox", "scattermapbox"),
}

_FAINT, _CLEAR = "rgba(118,118,118,0.25)", "rgba(0,0,0,0)"
_AXIS = {"automargin": True, "gridcolor": _FAINT, "linecolor": INK, "zeroline": False, "title": {"standoff": 6}}
_DEPTH = {"showbackground": False, "gridcolor": INK, "linecolor": INK, "zeroline": False}
_BAR = {"outlinewidth": 0, "thickness": 14}
_SCALED = {"colorscale": "Viridis", "colorbar": _BAR}
STYLE = {  # a template: what the figure says itself goes first
    "data": {
        **{kind: [{"type": kind, **_SCALED}] for kind in ("heatmap", "contour", "surface", "histogram2d")},
        "scatter": [{"type": "scatter", "marker": {"colorbar": _BAR}}],
    },
    "layout": {
        "paper_bgcolor": _CLEAR,
        "plot_bgcolor": _CLEAR,
        "font": {"color": INK, "size": 12},
        "colorway": CYCLE,
        "colorscale": {"sequential": "Viridis", "sequentialminus": "Viridis", "diverging": "RdBu"},
        "coloraxis": {"colorbar": _BAR},
        "margin": {"l": 48, "r": 12, "t": 30, "b": 40},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "scene": {"xaxis": _DEPTH, "yaxis": _DEPTH, "zaxis": _DEPTH, "camera": {"eye": {"x": 1.6, "y": 1.6, "z": 1.2}}},
        "hovermode": "closest",
        "dragmode": False,  # or a finger that scrolls the page would draw a box
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "bgcolor": _CLEAR},
        "updatemenudefaults": {
            **{"type": "buttons", "direction": "right", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom"},
            **{"pad": {"b": 46}, "bgcolor": _CLEAR, "bordercolor": INK, "borderwidth": 1},
        },
        "sliderdefaults": {
            **{"pad": {"t": 52}, "bgcolor": INK, "activebgcolor": CYCLE[0], "borderwidth": 0},
            **{"tickcolor": INK, "currentvalue": {"xanchor": "left"}},
        },
    },
}
CONFIG = {"responsive": True, "displaylogo": False, "displayModeBar": False, "scrollZoom": False}


def movable(figure: Figure, still: matplotlib.figure.Figure, *, name: str, alt: str, caption: str) -> MovableFigure:
    """What a cell ends with to show a Plotly figure that moves, and a matplotlib figure of the same that doesn't.

    `name` is what the text refers to it by (``{numref}`fig-landscape` ``), `alt` says in words what the still shows,
    `caption` is a paragraph of MyST. `still` is drawn now and closed. One such figure per cell.

    Raises TypeError for other kinds of figures and ValueError for words that are missing, a name with other signs than
    a-z, 0-9 and single hyphens, and a figure with a map.
    """
    from plotly.basedatatypes import BaseFigure

    if not isinstance(figure, BaseFigure):
        raise TypeError(f"A figure that moves is a plotly Figure, and this is {type(figure).__name__}.")
    if not isinstance(still, matplotlib.figure.Figure):
        raise TypeError(f"The still is a matplotlib Figure (as of plt.subplots), and this is {type(still).__name__}.")
    if not NAME.fullmatch(name):
        raise ValueError(f"A figure's name is like fig-landscape: a-z, 0-9 and single hyphens; this is {name!r}.")
    for what, words in {"alt": alt, "caption": caption}.items():
        if not words.strip():
            raise ValueError(f"{name} needs words for `{what}`: {_WANTED[what]}.")
    return MovableFigure(figure, name, " ".join(alt.split()), caption.strip(), _drawn(still), _live(figure, name))


@dataclass(frozen=True, eq=False)
class MovableFigure:
    """A figure in three forms: live, as an image, in words. `figure` is the Plotly figure as it was given."""

    figure: Figure = field(repr=False)
    name: str
    alt: str
    caption: str
    still: bytes = field(repr=False)
    live: dict[str, Any] = field(repr=False)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """All forms at once, from which a viewer takes the richest that it can show; and the words, as metadata."""
        image = base64.b64encode(self.still).decode()
        picture = f'<img alt="{escape(self.alt)}" style="max-width: 100%" src="data:image/png;base64,{image}">'
        page = f'<figure id="{self.name}">{picture}<figcaption>{escape(self.caption)}</figcaption></figure>'
        words = {WORDS: {"name": self.name, "alt": self.alt, "caption": self.caption}}
        return {LIVE: self.live, "text/html": page, "image/png": image, "text/plain": self.alt}, words


def live_html(live: dict[str, Any]) -> str:
    """The live figure as data that stand in a page and run nothing; the same bytes for the same figure."""
    text = json.dumps(live, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return f'<script type="application/json">{text.replace("<", _LESS_THAN)}</script>'


_LESS_THAN = r"\u003c"  # so that no text in the figure can end the script element
_WANTED = {"alt": "what one who doesn't see the figure should know", "caption": "what the figure shows"}


def _drawn(still: matplotlib.figure.Figure) -> bytes:
    """The still as PNG, cut like a notebook's other figures; closed, or the notebook would show it once more."""
    file = io.BytesIO()
    still.savefig(file, format="png", bbox_inches="tight", transparent=True)
    plt.close(still)
    return file.getvalue()


def _live(figure: Figure, name: str) -> dict[str, Any]:
    """The figure as plain data, as wide as the page, in the book's style."""
    from plotly.io import to_json

    live = json.loads(to_json(figure, remove_uids=True, engine="json"))  # uids differ from run to run
    fetching = sorted({trace.get("type", "") for trace in live["data"]} & MAPS)
    if fetching:
        raise ValueError(f"{name} has a map ({', '.join(fetching)}), for which a page would need the network.")
    layout = {"height": HEIGHT, **live["layout"], "template": STYLE, "autosize": True}
    layout.pop("width", None)
    return {**live, "layout": layout, "config": CONFIG}
