"""Badges behind a claim: how we know it. Sources write `*(seen)*`, which reads well in a plain notebook, too."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

CLASS = "provenance-badge"  # also in words.css
MEANINGS = {  # as on the page `book/how_to_read`
    "seen": "read in the source that is named",
    "digitised": "a number measured in a picture of the source",
    "recalled": "known from memory of the papers, not looked up",
    "inferred": "our conclusion; no source that we opened says so",
    "our choice": "the sources are silent, and we had to decide",
}


def connect(app: Sphinx) -> None:
    """Register the badges."""
    app.add_transform(Badges)


class Badges(SphinxTransform):
    """Turn an emphasised word in parentheses into a badge that says what the word means."""

    default_priority = 800

    def apply(self, **_: Any) -> None:
        for words in list(self.document.findall(nodes.emphasis)):
            word = words.astext()[1:-1]
            if word in MEANINGS and words.astext() == f"({word})":
                words.replace_self(nodes.abbreviation("", word, explanation=MEANINGS[word], classes=[CLASS]))
