"""The book's Sphinx extension: executed chapters in place of their sources, provenance, and what pages load.

Sphinx reads `notebooks/03_model_zoos`, as the table of contents says, so every Edit, Colab, Binder and
Download button points at the source; just before it parses the page, this hook puts the outputs of the
execution under the current cells. A chapter that is stale or was never executed is a warning, and so an
error of a strict build.

MathJax and Plotly come from installed wheels. Only what pages load is copied: 2 MB of MathJax's 24, and Plotly's
script (5 MB) if some page has a figure that moves. Such a figure (`hyperlib.figures.movable`) becomes an ordinary,
numbered figure of the page, which holds its still as an image file and the live one as data.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util import logging

from hyperlib.figures.movable import LIVE, WORDS, live_html
from hyperlib.files.inventory import text_checksum
from hyperlib.press.cost import clock
from hyperlib.press.edition import Chapter, Edition
from hyperlib.press.staleness import fingerprint
from hyperlib.store.manifest import KEYED_PACKAGES

LOGGER = logging.getLogger(__name__)
MATHJAX = ("tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions")
MOVABLE = "movable"  # class of figures that move, also in movable.js and book.css
PLOTLY, OURS = "plotly.min.js", "movable.js"  # scripts of a page with a live figure, in the order in which they run


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the hooks; called by Sphinx."""
    app.add_config_value("hyperlib_profile", os.environ.get("HYPERLIB_PROFILE", "quick"), "env", str)
    app.connect("config-inited", silence_thebe)
    app.connect("env-get-outdated", chapters_to_read_again)
    app.connect("source-read", show_execution)
    app.connect("doctree-read", join_still_and_live)
    app.connect("html-page-context", bring_plotly)
    app.connect("html-page-context", edit_the_source, priority=900)  # after the theme has made its buttons
    app.connect("build-finished", copy_mathjax)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def chapters_to_read_again(app: Sphinx, env: BuildEnvironment, *_: Any) -> list[str]:
    """Chapters whose source, execution or freshness changed since the site was last built."""
    states = {chapter.name: _state(chapter) for chapter in _chapters(app)}
    before = getattr(env, "hyperlib_states", {})
    env.hyperlib_states = states  # type: ignore[attr-defined]
    return [name for name, state in states.items() if before.get(name) != state and name in env.found_docs]


def show_execution(app: Sphinx, docname: str, content: list[str]) -> None:
    """Replace a chapter's text by its source with outputs and the box of provenance."""
    chapter = {chapter.name: chapter for chapter in _chapters(app)}.get(docname)
    if chapter is None:
        return
    stale = chapter.staleness()
    if stale:
        LOGGER.warning(
            "%s: %s; run `make run PROFILE=%s`", docname, stale, chapter.edition.profile,
            location=docname, type="hyperlib", subtype="stale",
        )  # fmt: skip
    elif not chapter.fits():
        LOGGER.warning(
            "%s: its executed notebook has other code cells, so no outputs are shown; run it with --force", docname,
            location=docname, type="hyperlib", subtype="outputs",
        )  # fmt: skip
    notebook = chapter.shown()
    for cell in notebook.cells:
        figure_that_moves(cell, docname)
    box = nbformat.v4.new_markdown_cell(provenance(chapter, stale))
    box["id"] = "provenance"
    notebook.cells.append(box)
    content[0] = nbformat.writes(notebook)


def figure_that_moves(cell: nbformat.NotebookNode, docname: str) -> None:
    """Make a cell's movable figure one that myst-nb numbers and names: as if its metadata had said so by hand."""
    shown = [output for output in cell.get("outputs", []) if "data" in output]
    ours = [output for output in shown if WORDS in output.metadata]
    if not ours:
        return
    if len(shown) > 1:
        LOGGER.warning(
            "%s: a cell with a figure that moves shows nothing else, and this one shows %d things:\n%s",
            docname, len(shown), cell.source, location=docname, type="hyperlib", subtype="movable",
        )  # fmt: skip
    words, data = ours[0].metadata[WORDS], ours[0].data
    figure = {"name": words["name"], "caption": words["caption"], "classes": MOVABLE}
    cell.metadata["mystnb"] = {"figure": figure, "image": {"alt": words["alt"]}}
    ours[0].data = {"image/png": data["image/png"], "text/html": live_html(data[LIVE])}


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
    """Copy Plotly's script into the site for the first page with a live figure, and load it on such pages only."""
    if doctree is None or not any(map(_moves, doctree.findall(nodes.figure))):
        return
    target = Path(app.outdir) / "_static" / PLOTLY
    target.parent.mkdir(parents=True, exist_ok=True)
    source = _wheel("plotly", "A figure that moves") / "package_data" / PLOTLY
    if text_checksum(target) != text_checksum(source):
        shutil.copyfile(source, target)
    for script in (PLOTLY, OURS):
        app.add_js_file(script, loading_method="defer")


def edit_the_source(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Let a chapter's Edit button open the `.py`, the one file of the pair that is edited by hand."""
    if pagename not in {chapter.name for chapter in _chapters(app)}:
        return
    groups = context.get("header_buttons", [])
    for button in [button for group in groups for button in group.get("buttons", [group])]:
        if button.get("label") == "source-edit-button":
            button["url"] = button["url"].removesuffix(".ipynb") + ".py"


def silence_thebe(app: Sphinx, *_: Any) -> None:
    """Take out thebe, which Jupyter Book always adds to every page: its script names an address elsewhere."""
    for event in list(app.events.listeners.values()):
        for listener in [one for one in event if one.handler.__module__.startswith("sphinx_thebe")]:
            app.disconnect(listener.id)
    app.registry.css_files = [sheet for sheet in app.registry.css_files if "thebe" not in sheet[0]]


def provenance(chapter: Chapter, stale: str | None = None) -> str:
    """The box at the end of a page, as MyST: what was run, with what, when, and for how long."""
    facts = chapter.last_execution()
    profile = chapter.edition.profile
    if facts is None:
        return f"```{{warning}}\nThis chapter was not executed at profile {profile}.\n```"
    used = facts.ingredients
    rows = {
        "Profile": profile,
        "Seeds": "; ".join(f"{what}: {seeds}" for what, seeds in facts.seeds.items()),
        "Code": f"hyperlib `{fingerprint(used.library)[:12]}`, this chapter `{used.code[:12]}`",
        "Versions": ", ".join(f"{name} {used.versions[name]}" for name in ("python", *KEYED_PACKAGES)),
        "Executed": f"{facts.date.replace('T', ' ')[:16]} UTC, in {clock(facts.seconds)}",
        "Out of date": stale or "",
    }
    lines = [f"{name}\n: {value}\n" for name, value in rows.items() if value]
    return "\n".join(["```{admonition} How this page was made", ":class: provenance", "", *lines, "```"])


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Copy from the wheel what the pages load; ExtensionError if the wheel is not installed."""
    if error is not None or app.builder.format != "html":
        return
    source = _wheel("sphinx-mathjax-offline", "A page with formulas") / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for part in MATHJAX:
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / part, target / part)


def _moves(figure: nodes.figure) -> bool:
    return MOVABLE in figure["classes"]


def _wheel(package: str, what: str) -> Path:
    wheel = importlib.util.find_spec(package)
    if wheel is None or wheel.origin is None:
        raise ExtensionError(f"{what} needs the package {package}; `make env` installs it.")
    return Path(wheel.origin).parent


def _chapters(app: Sphinx) -> list[Chapter]:
    return Edition(Path(app.srcdir), app.config.hyperlib_profile).chapters()


def _state(chapter: Chapter) -> list[str | None]:
    files = (chapter.source, chapter.executed, chapter.sidecar)
    return [*map(text_checksum, files), chapter.staleness()]
