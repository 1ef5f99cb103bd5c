"""Tables of results, on a page: numbered, captioned, referable, and linked to the CSV that holds them.

A cell that shows a table (`hyperlib.figures.tables`) says its name and caption in its metadata, `table={"name": ...,
"caption": ...}`. The notebook reader makes a figure of it, and this module makes that a table, so that `numref` counts
the two kinds apart. The CSVs of the chapters are copied into the site.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

from hyperlib.figures.tables import ABOUT
from hyperlib.files.inventory import text_checksum
from hyperlib.press.edition import Edition

LOGGER = logging.getLogger(__name__)
TABLE = "results-table"  # class of such tables, also in tables.css
UNNAMED = re.compile(r"(<th[^>]*>)\s*</th>")  # the column of symbols, which only eyes need no name for
FOLDER = "_static/results"  # of the site, with a folder for each profile


class results_table(nodes.General, nodes.Element):  # noqa: N801 (nodes of docutils have small letters)
    """A table of results with its caption: HTML that is ready, so no table in docutils' sense."""


class TablesOfResults(SphinxTransform):
    """Turn the figures that the notebook reader made of tables into tables, before names are collected."""

    default_priority = 400

    def apply(self, **_: Any) -> None:
        for figure in [one for one in self.document.findall(nodes.figure) if TABLE in one["classes"]]:
            table = results_table("", *figure.children, **figure.attributes)
            figure.replace_self(table)
            for name in table["ids"]:
                self.document.ids[name] = table
            for caption in table.findall(nodes.caption):
                caption["ids"] = [f"{table['ids'][0]}-caption"]


def connect(app: Sphinx) -> None:
    """Register the node, the transform and the hook that copies CSVs."""
    app.add_enumerable_node(results_table, "table", _caption, html=(_open, _close))
    app.add_transform(TablesOfResults)
    app.connect("build-finished", copy_results)


def prepare(cell: nbformat.NotebookNode, docname: str) -> None:
    """Give a cell's table its name and caption, and let the name of its CSV lead there."""
    tables = [output for output in cell.get("outputs", []) if ABOUT in output.get("metadata", {})]
    words = cell.metadata.get("table")
    if not tables:
        return
    shown = [output for output in cell.outputs if output.get("name") != "stderr"]  # progress, which no page shows
    if not words or len(shown) > 1:
        reason = "shows nothing else" if words else 'says its name and caption: table={"name": ..., "caption": ...}'
        LOGGER.warning(
            "%s: a cell with a table %s:\n%s", docname, reason, cell.source,
            location=docname, type="hyperlib", subtype="table",
        )  # fmt: skip
        return
    (output,) = tables
    cell.metadata.setdefault("mystnb", {})["figure"] = {**words, "classes": TABLE, "caption_before": True}
    csv = output.metadata[ABOUT]["csv"]
    html = output.data["text/html"]
    if csv:
        place = posixpath.relpath(f"{FOLDER}/{csv}", posixpath.dirname(docname) or ".")
        plain, link = f'<span class="csv">{escape(csv)}</span>', f'<a class="csv" href="{escape(place)}">CSV</a>'
        html = html.replace(plain, link)
    output.data = {"text/html": UNNAMED.sub(r'\1<span class="visually-hidden">verdict</span></th>', html)}


def copy_results(app: Sphinx, error: Exception | None) -> None:
    """Copy into the site every CSV that its tables can name: those of this profile's run and the committed ones."""
    if error is not None or app.builder.format != "html":
        return
    root, profile = Path(app.srcdir), app.config.hyperlib_profile
    committed = root / "book" / "results"
    files = {file.relative_to(committed).as_posix(): file for file in committed.rglob("*.csv")}
    fresh = Edition(root, profile).results
    files |= {f"{profile}/{file.relative_to(fresh).as_posix()}": file for file in fresh.rglob("*.csv")}
    for name, file in files.items():
        target = Path(app.outdir) / FOLDER / name
        if text_checksum(target) != text_checksum(file):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


def _caption(node: nodes.Element) -> str | None:
    return next((child.astext() for child in node.children if isinstance(child, nodes.caption)), None)


def _open(writer: HTML5Translator, node: nodes.Element) -> None:
    named = {"aria-labelledby": f"{node['ids'][0]}-caption"} if node["ids"] else {}
    writer.body.append(writer.starttag(node, "figure", **named))


def _close(writer: HTML5Translator, node: nodes.Element) -> None:
    writer.body.append("</figure>\n")
