"""The book's Sphinx extension: executed chapters in place of their sources, and what `pages` makes of them.

Sphinx reads `notebooks/03_model_zoos`, as the table of contents says, so every Edit, Colab, Binder and
Download button points at the source; just before it parses the page, this hook puts the outputs of the
execution under the current cells. A chapter that is stale or was never executed is a warning, and so an
error of a strict build.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from hyperlib.files.inventory import text_checksum
from hyperlib.press.edition import Chapter, Edition
from hyperlib.press.pages import (
    addresses,
    api,
    assets,
    badges,
    browser_zoo,
    changes,
    equations,
    figures,
    frame,
    ledger,
    overview,
    sources,
    tables,
    terms,
)

LOGGER = logging.getLogger(__name__)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the hooks; called by Sphinx."""
    app.add_config_value("hyperlib_profile", os.environ.get("HYPERLIB_PROFILE", "quick"), "env", str)
    app.connect("env-get-outdated", chapters_to_read_again)
    app.connect("source-read", show_execution)
    app.connect("html-page-context", edit_the_source, priority=900)  # after the theme has made its buttons
    of_text = (api, badges, equations, sources, terms)  # the first brings events that others listen to
    for part in (*of_text, addresses, assets, browser_zoo, changes, figures, frame, ledger, overview, tables):
        part.connect(app)
    # not safe: `overview` notes in the environment where it is used, and parallel readers would not bring that back
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}


def chapters_to_read_again(app: Sphinx, env: BuildEnvironment, *_: Any) -> list[str]:
    """Chapters whose source, execution or freshness changed since the site was last built, and what tells of them."""
    states = {chapter.name: _state(chapter) for chapter in _chapters(app)}
    before = getattr(env, "hyperlib_states", {})
    env.hyperlib_states = states  # type: ignore[attr-defined]
    changed = [name for name, state in states.items() if before.get(name) != state and name in env.found_docs]
    return changed + (sorted(getattr(env, "hyperlib_overviews", ())) if changed else [])


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
        figures.prepare(cell, docname)
        tables.prepare(cell, docname)
    notebook.cells = [_as_text(cell) for cell in notebook.cells]
    frame.add(notebook, chapter, stale)
    content[0] = nbformat.writes(notebook)


def edit_the_source(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Let a chapter's Edit button open the `.py`, the one file of the pair that is edited by hand."""
    if pagename not in {chapter.name for chapter in _chapters(app)}:
        return
    groups = context.get("header_buttons", [])
    for button in [button for group in groups for button in group.get("buttons", [group])]:
        if button.get("label") == "source-edit-button":
            button["url"] = button["url"].removesuffix(".ipynb") + ".py"


def _as_text(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A cell that says a sentence (`hyperlib.figures.words`) and hides its code, as the text that it says."""
    said = [output.get("data", {}).get("text/markdown") for output in cell.get("outputs", [])]
    if "remove-input" not in cell.metadata.get("tags", []) or len(said) != 1 or not said[0]:
        return cell
    text = nbformat.v4.new_markdown_cell(said[0])
    text["id"] = cell["id"]
    return text


def _chapters(app: Sphinx) -> list[Chapter]:
    return Edition(Path(app.srcdir), app.config.hyperlib_profile).chapters()


def _state(chapter: Chapter) -> list[str | None]:
    files = (chapter.source, chapter.executed, chapter.sidecar, chapter.edition.root / frame.PAGES)
    return [*map(text_checksum, files), chapter.staleness()]
