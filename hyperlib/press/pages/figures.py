"""Figures that move, on a page: an ordinary, numbered figure that holds both its still and its live form.

Such a figure (`hyperlib.figures.movable`) becomes a figure of the page, which holds its still as an image file and the
live one as data. Our script makes controls of it when a reader comes near, and only then asks for Plotly's (5 MB),
which comes from its wheel and into the site only where some page has a figure that moves.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from hyperlib.figures.movable import LIVE, live_html
from hyperlib.files.inventory import text_checksum
from hyperlib.press.pages.assets import wheel

LOGGER = logging.getLogger(__name__)
MOVABLE = "movable"  # class of figures that move, also in movable.js and movable.css
PLOTLY, OURS = "plotly.min.js", "movable.js"  # the second loads the first, from the same folder


def connect(app: Sphinx) -> None:
    """Register the hooks of figures that move."""
    app.connect("doctree-read", join_still_and_live)
    app.connect("html-page-context", bring_plotly)


def prepare(cell: nbformat.NotebookNode, docname: str) -> None:
    """Let myst-nb make a figure of class `movable` of a cell's movable figure, with the words of the cell's metadata.

    Without name, caption and alt text there, or with other outputs beside it, it warns. What lacks words
    is shown as its still.
    """
    shown = [output for output in cell.get("outputs", []) if "data" in output]
    ours = [output for output in shown if {LIVE, "image/png"} <= output.data.keys()]
    if not ours:
        return
    if len(shown) > 1:
        _warn(cell, docname, f"shows nothing else, and this one shows {len(shown)} things")
    words = cell.metadata.get("mystnb", {})
    figure, image = words.get("figure", {}), words.get("image", {})
    wanted = {"figure.name": figure.get("name"), "figure.caption": figure.get("caption"), "image.alt": image.get("alt")}
    missing = [name for name, text in wanted.items() if not str(text or "").strip()]
    if missing:
        _warn(cell, docname, f"says in its metadata `mystnb` what it shows, and this one lacks {', '.join(missing)}")
    data = ours[0].data
    ours[0].data = {"image/png": data["image/png"]}
    if not missing:
        figure["classes"] = f"{figure.get('classes', '')} {MOVABLE}".strip()
        ours[0].data["text/html"] = live_html(data[LIVE])


def join_still_and_live(app: Sphinx, doctree: nodes.document) -> None:
    """Let a movable figure hold both its still and its live form; of two forms myst-nb would show one."""
    for figure in filter(_moves, doctree.findall(nodes.figure)):
        for bundle in list(figure.findall(nodes.container)):
            forms = [form for form in bundle.children if isinstance(form, nodes.container)]
            if [form.get("mime_type") for form in forms] == ["image/png", "text/html"]:
                (still,), (live,) = (form.children for form in forms)
                live["classes"] = ["movable-live"]
                bundle.replace_self([still, live])


def bring_plotly(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Copy Plotly's script into the site for the first page with a live figure, and load ours on such pages only."""
    if doctree is None or not any(map(_moves, doctree.findall(nodes.figure))):
        return
    target = Path(app.outdir) / "_static" / PLOTLY
    target.parent.mkdir(parents=True, exist_ok=True)
    source = wheel("plotly", "A figure that moves") / "package_data" / PLOTLY
    if text_checksum(target) != text_checksum(source):
        shutil.copyfile(source, target)
    app.add_js_file(OURS, loading_method="defer")


def _moves(figure: nodes.figure) -> bool:
    return MOVABLE in figure["classes"]


def _warn(cell: nbformat.NotebookNode, docname: str, fault: str) -> None:
    text = "%s: a cell with a figure that moves %s:\n%s"
    LOGGER.warning(text, docname, fault, cell.source, location=docname, type="hyperlib", subtype="movable")
