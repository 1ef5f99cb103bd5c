"""Sentences that a page takes from its run, so that no number is typed."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent


@dataclass(frozen=True)
class Said:
    """Markdown that a notebook shows as text."""

    text: str

    def _repr_markdown_(self) -> str:
        return self.text


def say(text: str) -> Said:
    """What a cell ends with to say a sentence, or several, in Markdown: an f-string with the numbers of this run.

    On the site it is read as MyST, like all text of the page. The cell carries the tag `remove-input`, so that readers
    meet the sentence and not its code. Raises ValueError for an empty text.
    """
    words = dedent(text).strip()
    if not words:
        raise ValueError("There is nothing to say; give a sentence.")
    return Said(words)
