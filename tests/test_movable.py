"""A figure that moves has a still and live data, which are plain, the same at every run, and need no network."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys

import matplotlib as mpl
import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup

mpl.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
import plotly.graph_objects as go  # noqa: E402
from IPython.core.formatters import DisplayFormatter  # noqa: E402

from hyperlib.figures.movable import ALT, HEIGHT, LIVE, MAPS, STYLE, live_html, movable  # noqa: E402
from hyperlib.figures.style import CYCLE  # noqa: E402

HEIGHTS = np.linspace(0, 1, 200) ** 2
LABEL = 'height </script><!-- "<b>m</b>" — µ'


def wave() -> go.Figure:
    """A curve with a hostile label."""
    return go.Figure(go.Scatter(y=HEIGHTS, name="curve"), layout={"yaxis": {"title": {"text": LABEL}}})


def still() -> mpl.figure.Figure:
    fig, ax = plt.subplots(figsize=(3, 2))
    ax.plot(HEIGHTS)
    return fig


def moved(figure=None, image=None):
    """A movable figure of parts that are in order, but for those given."""
    return movable(wave() if figure is None else figure, still() if image is None else image)


def test_a_notebook_gets_all_forms():
    data, metadata = DisplayFormatter().format(moved())

    image = BeautifulSoup(data["text/html"], "html.parser").img
    assert image["alt"] == data["text/plain"] == ALT
    assert image["src"] == "data:image/png;base64," + data["image/png"]
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert set(data) == {LIVE, "text/html", "image/png", "text/plain"} and metadata == {}
    output = nbformat.v4.new_output("display_data", data, metadata=metadata)
    nbformat.validate(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[output])]))


def test_live_data_hold_the_numbers_and_labels_of_the_figure():
    (trace,) = moved().live["data"]
    values = np.frombuffer(base64.b64decode(trace["y"]["bdata"]), dtype=trace["y"]["dtype"])
    assert values.tolist() == HEIGHTS.tolist()
    assert moved().live["layout"]["yaxis"]["title"]["text"] == LABEL
    assert moved(go.Figure(go.Scatter(y=[1.0, float("nan")]))).live["data"][0]["y"] == [1.0, None]


def test_no_text_of_a_figure_ends_its_script_element():
    html = live_html(moved().live)
    (script,) = BeautifulSoup(html, "html.parser").find_all(True)
    assert script.name == "script" and script["type"] == "application/json"
    assert json.loads(script.get_text()) == moved().live
    assert html.count("<") == 2


def test_same_figure_gives_the_same_bytes():
    one, other = wave(), wave()
    one.data[0].uid, other.data[0].uid = "one", "other"  # as Plotly's widgets set them, at random
    assert live_html(moved(one).live) == live_html(moved(other).live)
    assert moved().still == moved().still


def test_live_data_are_compact():
    numbers = len(HEIGHTS) * 8 * 4 / 3  # in base64
    assert len(live_html(moved().live)) < numbers + 6000, "the numbers once, and the style"


def test_figure_is_as_wide_as_the_page_and_in_the_books_style():
    figure = wave().update_layout(width=900)
    layout = moved(figure).live["layout"]
    assert "width" not in layout and layout["autosize"] is True and layout["height"] == HEIGHT
    assert layout["template"]["layout"]["colorway"] == CYCLE
    assert figure.layout.width == 900, "the figure that was given stays as it was"


def test_what_the_figure_says_itself_goes_before_the_style():
    layout = moved(wave().update_layout(height=300, dragmode="zoom")).live["layout"]
    assert (layout["height"], layout["dragmode"]) == (300, "zoom")


def test_style_is_one_that_plotly_knows():
    template = go.layout.Template(STYLE)  # raises for a word that Plotly does not know
    assert template.layout.paper_bgcolor == "rgba(0,0,0,0)"


def test_still_is_transparent_and_is_not_shown_once_more():
    before = plt.get_fignums()
    image = plt.imread(io.BytesIO(moved().still))
    assert plt.get_fignums() == before
    assert image[0, 0, 3] == 0 and image[..., 3].max() == 1


def test_buttons_and_frames_come_along():
    frames = [go.Frame(name="end", data=[go.Scatter(y=HEIGHTS[::-1])])]
    figure = go.Figure(wave().data, frames=frames)
    figure.update_layout(updatemenus=[{"buttons": [{"label": "end", "method": "animate", "args": [["end"]]}]}])
    live = moved(figure).live
    assert live["frames"][0]["name"] == live["layout"]["updatemenus"][0]["buttons"][0]["label"] == "end"


def test_other_kinds_of_figures_are_refused():
    with pytest.raises(TypeError, match="a plotly Figure, and this is Figure"):
        moved(figure=still())
    with pytest.raises(TypeError, match=r"as of plt\.subplots\), and this is Figure"):
        moved(image=wave())
    plt.close("all")


@pytest.mark.parametrize("trace", [go.Scattergeo(), go.Choropleth(), go.Densitymap()], ids=lambda trace: trace.type)
def test_map_is_refused_because_a_page_would_need_the_network(trace):
    assert trace.type in MAPS
    image = still()
    with pytest.raises(ValueError, match=f"has a map \\({trace.type}\\)"):
        moved(go.Figure([go.Scatter(), trace]), image)


def test_library_and_its_figures_load_without_plotly():
    code = "import sys, hyperlib, hyperlib.figures.plots, hyperlib.figures.movable; sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
