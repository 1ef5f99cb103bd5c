"""The ledger on its page: a row for every artefact, with links to its figures, and links from these back to the row.

The table is made of the published run's tables (`hyperlib.thesis.ledger`) when the page is read, at any profile.
Without JavaScript it stands whole; `ledger.js` adds menus that leave some rows out. On a phone a row is a card.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pandas as pd
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from hyperlib.files.paths import committed_folder, thesis_folder
from hyperlib.press.pages.tables import results_table
from hyperlib.thesis import ledger
from hyperlib.thesis.claims import PUBLISHED

PAGE = "notebooks/07b_what_holds"
CLASS = "ledger"  # also in ledger.css and ledger.js
SCRIPT, BACK = "ledger.js", "to-ledger"
SYMBOLS = dict(zip(ledger.VERDICTS, "✓≈✗~≠–", strict=True))
COLUMNS = ("artefact, and where it is", "scale here", "published", "ours", "verdict")
MOST = 3  # figures and tables of a row that are named


def connect(app: Sphinx) -> None:
    """Register the directive, the links back, and the script of its page."""
    app.add_directive("ledger", Ledger)
    app.connect("doctree-resolved", link_back)
    app.connect("html-page-context", bring_script)


class Ledger(SphinxDirective):
    """The table; its argument is its name on the site, its content the caption."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        files = [*committed_folder(PUBLISHED).glob("*.csv"), *thesis_folder().glob("*.yml")]
        for file in files:
            self.env.note_dependency(str(file))
        try:
            rows = ledger.ledger()
        except (OSError, ValueError) as error:  # a damaged table of the published run is an error of this page
            raise self.error(str(error)) from None
        table = nodes.table(classes=[CLASS], names=[self.arguments[0]])
        table += nodes.title("", "", *self._inline(" ".join(self.content)))
        group = nodes.tgroup(cols=len(COLUMNS))
        group += [nodes.colspec(colwidth=1) for _ in COLUMNS]
        group += nodes.thead("", nodes.row("", *(nodes.entry("", nodes.paragraph("", name)) for name in COLUMNS)))
        group += nodes.tbody("", *(self._row(name, row) for name, row in rows.iterrows()))
        table += group
        self.state.document.note_explicit_target(table, table)
        return [table]

    def _row(self, name: str, row: pd.Series) -> nodes.row:
        classes = [slug(f"chapter {chapter_of(row)}"), slug(f"scale {row['scale']}"), slug(f"verdict {row['verdict']}")]
        return nodes.row("", *(self._entry(cell) for cell in cells(name, row)), ids=[anchor(name)], classes=classes)

    def _entry(self, text: str) -> nodes.entry:
        entry = nodes.entry()
        self.state.nested_parse(StringList(text.split("\n"), self.env.docname), 0, entry)
        return entry

    def _inline(self, text: str) -> list[nodes.Node]:
        found, _ = self.state.inline_text(text, self.lineno)
        return found


def cells(name: str, row: pd.Series) -> Iterator[str]:
    """A row of the ledger as MyST, cell by cell; empty ones are a dash."""
    known = f" · {plain(row['number'])}" if row["number"] else ""
    shown = [f"{{numref}}`{label}`" for label in row["shown"].split(", ") if label]
    links = ", ".join([*shown[:MOST], f"{{source}}`{row['made_by']}`"])
    yield f"**{row['title']}**\n\n`{name}` · {chapter_of(row)}{known}\n\n{links}"
    yield f"{row['scale']}" + (f"\n\n{row['why']}" if row["why"] else "")
    yield theirs(row)
    yield f"{row['found']}\n\n{plain(row['measures'])}" if row["found"] else "–"
    yield f"{SYMBOLS[row['verdict']]} {row['verdict']}\n\n{votes(row)}".strip()


def theirs(row: pd.Series) -> str:
    """The published number that stands beside ours, or how many are recorded."""
    if pd.isna(row["published"]):
        return f"{row['numbers']} numbers" if row["numbers"] else "–"
    return ledger.number(row["published"]) + ("\n\nnot like for like" if row["alike"] == "no" else "")


def votes(row: pd.Series) -> str:
    """Of how many cases the verdict is made, whose claims these are, and what Holm's method leaves of it."""
    total = int(row[["holds", "fails", "undecided"]].sum())
    if not total:
        return ""
    counted = "; its number is a case" if row["alike"] == "yes" else ""
    said = f"{row['holds']} of {total} hold, {row['fails']} fail; {plain(row['sources'])}{counted}"
    return said + (f"; after Holm {row['after Holm']}" if row["after Holm"] != row["verdict"] else "")


def plain(text: str) -> str:
    """Words of a table in one line, that mean nothing to MyST."""
    return re.sub(r"([\\`*_{}\[\]<>|$])", r"\\\1", " ".join(text.split()))


def chapter_of(row: pd.Series) -> str:
    """Where a row belongs, in words that a menu can have."""
    return "later papers" if row["companion"] else f"chapter {row['chapter']}"


def slug(words: str) -> str:
    """Words as a class: "scale recipe only" is `scale-recipe-only`."""
    return nodes.make_id(words)


def anchor(name: str) -> str:
    """The place of an artefact's row on the page."""
    return f"ledger-{name}"


def link_back(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Behind the caption of every figure and table that shows artefacts, a link to their rows in the ledger."""
    if PAGE not in app.env.found_docs or app.builder.format != "html" or docname == PAGE:
        return
    labels = ledger.shown_by()
    page = app.builder.get_relative_uri(docname, PAGE)
    for shown in doctree.findall(lambda node: isinstance(node, nodes.figure | results_table)):
        names = [name for label in shown["ids"] for name in labels.get(label, ())]
        caption = next(shown.findall(nodes.caption), None)
        for name in names if caption is not None else ():
            said = f"ledger: {name}" if len(names) > 1 else "ledger"
            how = {"refuri": f"{page}#{anchor(name)}", "reftitle": f"Does it hold? {name}", "classes": [BACK]}
            caption += [nodes.Text(" "), nodes.reference("", said, internal=True, **how)]


def bring_script(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Load the menus on the ledger's page alone."""
    if doctree is not None and any(CLASS in table["classes"] for table in doctree.findall(nodes.table)):
        app.add_js_file(SCRIPT, loading_method="defer")
