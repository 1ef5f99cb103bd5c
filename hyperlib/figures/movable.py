"""Figures that move: a Plotly figure for the page, and a still of the same for everywhere else.

Name, alt text and caption stand in the cell's metadata, as for every other figure. In print, without JavaScript and in
a notebook viewer the still stands. JupyterLab and VS Code, where Plotly's extension is there, draw its menus and
sliders; the site makes ordinary buttons, lists and sliders of them (`movable.js`). Nothing is loaded from another
address: the site brings the script along (`hyperlib.press.pages.figures`), and maps, for which it would fetch
something, are refused. The look is that of `hyperlib.figures.style`, legible on a light and on a dark page.
"""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import matplotlib.figure
import matplotlib.pyplot as plt

from hyperlib.figures.style import CYCLE, INK, RAMP

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

LIVE = "application/vnd.plotly.v1+json"  # what Plotly's own extensions of JupyterLab and VS Code draw
ALT = "A still of a figure that moves on the pages of the book."  # in a notebook, which knows no alt texts of cells
HEIGHT = 440  # pixels
MAPS = {  # they fetch tiles and outlines of countries from elsewhere
    *("choropleth", "scattergeo", "choroplethmap", "densitymap", "scattermap"),
    *("choroplethmapbox", "densitymapbox", "scattermapbox"),
}

_FAINT, _CLEAR = "rgba(118,118,118,0.25)", "rgba(0,0,0,0)"
_AXIS = {"automargin": True, "gridcolor": _FAINT, "linecolor": INK, "zeroline": False, "title": {"standoff": 6}}
_DEPTH = {"showbackground": False, "gridcolor": INK, "linecolor": INK, "zeroline": False}
_BAR = {"outlinewidth": 0, "thickness": 14}
_SCALE = [[step / (len(RAMP) - 1), colour] for step, colour in enumerate(RAMP)]
_SCALED = {"colorscale": _SCALE, "colorbar": _BAR}
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
        "colorscale": {"sequential": _SCALE, "sequentialminus": _SCALE},
        "coloraxis": {"colorbar": _BAR},
        "margin": {"l": 48, "r": 12, "t": 30, "b": 40},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "scene": {"xaxis": _DEPTH, "yaxis": _DEPTH, "zaxis": _DEPTH, "camera": {"eye": {"x": 1.3, "y": 1.3, "z": 1}}},
        "hovermode": "closest",
        "dragmode": False,  # or a finger that scrolls the page would draw a box
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "bgcolor": _CLEAR},
        "updatemenudefaults": {
            **{"type": "buttons", "direction": "right", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom"},
            **{"pad": {"b": 60}, "bgcolor": _CLEAR, "bordercolor": INK, "borderwidth": 1},
        },
        "sliderdefaults": {
            **{"pad": {"t": 52}, "bgcolor": INK, "activebgcolor": CYCLE[0], "borderwidth": 0},
            **{"tickcolor": INK, "currentvalue": {"xanchor": "left"}},
        },
    },
}
CONFIG = {"responsive": True, "displaylogo": False, "displayModeBar": False, "scrollZoom": False}


def movable(live: Figure, still: matplotlib.figure.Figure) -> MovableFigure:
    """What a cell ends with to show a Plotly figure that moves, and a matplotlib figure of the same that doesn't.

    The live figure shows all that the still shows; its menus and sliders change what is stressed or coloured. Their
    `name` is the label that a reader sees. What differs between screens stands in `layout.meta`, as `panels` writes
    it: `{"wide": {"xaxis2.domain": [0.5, 1]}, "narrow": {"xaxis2.domain": [0, 1], "height": 800}}`.
    `still` is drawn now, and closed. One such figure a cell.

    Raises TypeError for other kinds of figures and ValueError for one with a map.
    """
    from plotly.basedatatypes import BaseFigure

    if not isinstance(live, BaseFigure):
        raise TypeError(f"A figure that moves is a plotly Figure, and this is {type(live).__name__}.")
    if not isinstance(still, matplotlib.figure.Figure):
        raise TypeError(f"The still is a matplotlib Figure (as of plt.subplots), and this is {type(still).__name__}.")
    return MovableFigure(live, _drawn(still), _plain(live))


@dataclass(frozen=True, eq=False)
class MovableFigure:
    """A figure live and as an image. `figure` is the Plotly figure as it was given."""

    figure: Figure = field(repr=False)
    still: bytes = field(repr=False)
    live: dict[str, Any] = field(repr=False)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """All forms at once, from which a viewer takes the richest that it can show."""
        image = base64.b64encode(self.still).decode()
        page = f'<img alt="{ALT}" style="max-width: 100%" src="data:image/png;base64,{image}">'
        return {LIVE: self.live, "text/html": page, "image/png": image, "text/plain": ALT}


def live_html(live: dict[str, Any]) -> str:
    """The live figure as data that stand in a page and run nothing; the same bytes for the same figure."""
    text = json.dumps(live, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return f'<script type="application/json">{text.replace("<", _LESS_THAN)}</script>'


_LESS_THAN = r"\u003c"  # so that no text in the figure can end the script element


def _drawn(still: matplotlib.figure.Figure) -> bytes:
    """The still as PNG, cut like a notebook's other figures; closed, or the notebook would show it once more."""
    file = io.BytesIO()
    still.savefig(file, format="png", bbox_inches="tight", transparent=True)
    plt.close(still)
    return file.getvalue()


def _plain(figure: Figure) -> dict[str, Any]:
    """The figure as plain data, as wide as the page, in the book's style."""
    from plotly.io import to_json

    live = json.loads(to_json(figure, remove_uids=True, engine="json"))  # uids differ from run to run
    fetching = sorted({trace.get("type", "") for trace in live["data"]} & MAPS)
    if fetching:
        raise ValueError(f"The figure has a map ({', '.join(fetching)}), for which a page would need the network.")
    layout = {"height": HEIGHT, **live["layout"], "template": STYLE, "autosize": True}
    layout.pop("width", None)
    return {**live, "layout": layout, "config": CONFIG}
