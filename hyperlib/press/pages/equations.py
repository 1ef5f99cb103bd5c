"""Equations and the code that computes them: a table of all, made from the pages, and links both ways.

Below an equation with a label a page says `In code:` and the name of one function, and the docstring of that function
says `Equation:`, the label, and on which page it is. A test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

BACK = re.compile(r"Equation: `(?P<label>eq-[\w-]+)` on page (?P<page>\w+)\.")
_LABELLED = re.compile(  # on a page, as its source has it
    r"^# ```\{math\}\n# :label: (?P<label>\S+)\n(?:# .*\n)+?# ```\n"
    r"(?:#\n# In code: \{py:obj\}`~(?P<function>[\w.]+)`)?",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Equation:
    """A labelled equation: `page` is its document, `function` the full name of what computes it, empty for none."""

    label: str
    page: str
    function: str


def connect(app: Sphinx) -> None:
    """Register the table, and the links from docstrings to equations."""
    app.add_directive("book-equations", Table)
    app.connect("autodoc-process-docstring", link, priority=900)  # after `api` has made reStructuredText of it


def equations(root: Path) -> list[Equation]:
    """All labelled equations of the book's notebooks, in their order."""
    sources = sorted((root / "notebooks").glob("*.py"))
    return [
        Equation(found["label"], f"notebooks/{source.stem}", found["function"] or "")
        for source in sources
        for found in _LABELLED.finditer(source.read_text(encoding="utf-8"))
    ]


def link(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Let what a docstring says of its equation lead there."""
    lines[:] = [re.sub(r"Equation: ``(eq-[\w-]+)``", r"Equation :eq:`\1`", line) for line in lines]


class Table(SphinxDirective):
    """Number, page and function of every equation; the page is read again when a notebook was changed."""

    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        for source in (root / "notebooks").glob("*.py"):
            self.env.note_dependency(str(source))
        body = nodes.container()
        self.state.nested_parse(StringList(list(self.lines(root))), 0, body)
        return [body]

    def lines(self, root: Path) -> Iterator[str]:
        yield from ("| equation | page | in code |", "|---|---|---|")
        for one in equations(root):
            code = f"{{py:obj}}`~{one.function}`" if one.function else "–"
            yield f"| {{eq}}`{one.label}` | {{doc}}`/{one.page}` | {code} |"
