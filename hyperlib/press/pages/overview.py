"""What the index says of all pages: their answers, and what each of them costs. From the last run, never typed."""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from hyperlib.press.edition import Chapter, Edition
from hyperlib.press.pages import frame
from hyperlib.thesis.claims import PUBLISHED


def connect(app: Sphinx) -> None:
    """Register the two directives."""
    app.add_directive("book-headlines", Headlines)
    app.add_directive("book-contents", Contents)


class _Overview(SphinxDirective):
    """MyST about all chapters of the edition; the page is read again when one of them was."""

    def run(self) -> list[nodes.Node]:
        vars(self.env).setdefault("hyperlib_overviews", set()).add(self.env.docname)
        profile = self.config.hyperlib_profile
        chapters = Edition(Path(self.env.app.srcdir), profile).chapters()
        body = nodes.container(classes=["overview"])
        self.state.nested_parse(StringList(self.lines(chapters), self.env.docname), 0, body)
        return [body]

    def lines(self, chapters: list[Chapter]) -> list[str]:
        raise NotImplementedError


class Headlines(_Overview):
    """The headline verdicts of every page, below its title."""

    def lines(self, chapters: list[Chapter]) -> list[str]:
        lines: list[str] = []
        for chapter in chapters:
            if found := list(frame.answers(chapter, chapter.last_execution(), linked=False)):
                lines += [f"{{doc}}`/{chapter.name}`", "", *found, ""]
        profile = self.config.hyperlib_profile
        small = "" if profile == PUBLISHED else f" The book publishes what the profile `{PUBLISHED}` finds."
        return [f"As run here, at profile `{profile}`.{small}", "", *lines] if lines else ["Nothing is executed yet."]


class Contents(_Overview):
    """Every page with its place in the thesis and the time that it took here."""

    def lines(self, chapters: list[Chapter]) -> list[str]:
        pages = frame.about(Path(self.env.app.srcdir))
        lines = ["| page | thesis | networks | time to run, here |", "|---|---|---:|---:|"]
        for chapter in chapters:
            facts, page = chapter.last_execution(), pages.get(chapter.name)
            models = f"{sum(facts.models.values()):,}" if facts and facts.models else "–"
            cost = f"{models} | {frame.minutes(facts.seconds) if facts else 'not run'}"
            lines.append(f"| {{doc}}`/{chapter.name}` | {page.thesis if page else '–'} | {cost} |")
        return lines
