"""The frame of a page: its head with the answer, and the box at its foot that says how it was made.

Both come from the record of the run and from `book/pages.yml`, which says of every chapter what no run knows: which
chapter of the thesis it belongs to, what it needs, and which of its figures stands beside the answer. The answer is
made from the verdicts that the page published (`hyperlib.tasks.verdicts`), those that it calls headlines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import yaml
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from hyperlib.files.cost import clock
from hyperlib.files.reading import Damaged, as_form
from hyperlib.press.edition import Chapter
from hyperlib.press.staleness import Facts, fingerprint
from hyperlib.store.manifest import KEYED_PACKAGES
from hyperlib.tasks.verdicts import FAILS, HOLDS, symbol
from hyperlib.thesis.claims import PUBLISHED, SCORECARD

READING = "published-run"  # class of the boxes that interpret it
LEGEND = "✓ holds · ✗ does not · ~ undecided, or mixed"
PAGES = "book/pages.yml"
FEW = 3  # cases that an answer names though all of them hold


@dataclass(frozen=True)
class About:
    """What `book/pages.yml` says of a chapter: `thesis` in words, names of pages it `needs`, its best `figure`, and
    whether it shows the `published` run at any profile."""

    thesis: str
    needs: list[str]
    figure: str
    published: bool = False


def about(root: Path) -> dict[str, About]:
    """All chapters of `book/pages.yml` by name, none without it. Raises Damaged for a file of another form."""
    file = root / PAGES
    pages = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if not isinstance(pages, dict):
        raise Damaged(f"{PAGES} is no list of pages by name; restore it with `git checkout -- {PAGES}`.")
    return {name: as_form(facts, About, f"{name} in {PAGES}") for name, facts in pages.items()}


def connect(app: Sphinx) -> None:
    """Register the figure beside the answer."""
    app.add_directive("best-figure", _BestFigure)
    app.add_transform(FiguresBesideAnswers)


def add(notebook: nbformat.NotebookNode, chapter: Chapter, stale: str | None) -> None:
    """Put the head behind the title, the foot at the end, and at other profiles a word into every reading."""
    facts, profile = chapter.last_execution(), chapter.edition.profile
    page = about(chapter.edition.root).get(chapter.name)
    first = next(cell for cell in notebook.cells if cell.cell_type == "markdown")
    title, _, rest = first.source.partition("\n")
    if page is not None:
        first.source = f"{title}\n\n{head(chapter, page, facts)}\n{rest}"
    own = profile != PUBLISHED and not (page and page.published)
    for cell in notebook.cells if own else ():
        if cell.cell_type == "markdown" and READING in cell.source:
            named = f"Our run ({PUBLISHED})"
            cell.source = cell.source.replace(named, f"{named}; the tables of this page are of profile {profile}")
    box = nbformat.v4.new_markdown_cell(foot(chapter, facts, stale))
    box["id"] = "provenance"
    notebook.cells.append(box)


def head(chapter: Chapter, page: About, facts: Facts | None) -> str:
    """What a reader meets below the title, as MyST: where the page belongs, what it cost, and its answer."""
    profile = chapter.edition.profile
    parts = [page.thesis, f"{{term}}`profile` {profile}" + (f", {size(facts)}" if facts and facts.models else "")]
    parts += [f"{minutes(facts.seconds)} to run"] if facts else []
    parts += ["needs: " + ", ".join(f"{{doc}}`/{name}`" for name in page.needs)] if page.needs else []
    lines = ["```{div} page-head", " · ".join(parts), "```", ""]
    if answer := list(answers(chapter, facts)):
        lines += [f":::{{admonition}} The answer ({LEGEND})", ":class: take-away", "", *answer, ":::", ""]
    return "\n".join([*lines, f"```{{best-figure}} {page.figure}", "```", ""])


def answers(chapter: Chapter, facts: Facts | None, linked: bool = True) -> Iterator[str]:
    """A line of a list for every headline among the verdicts of the page's run, with a link to what shows it."""
    card = verdicts_of(chapter, facts)
    if card is None:
        return
    for claim, cases in card[card["headline"]].groupby("claim", sort=False):
        held = int((cases["verdict"] == HOLDS).sum())
        others = cases[cases["verdict"] != HOLDS].groupby("verdict", sort=False)["case"].agg(list)
        named = [f"{_verdict(kind)}: {_listed(those)}" for kind, those in others.items()]
        words = "; ".join(named) or (_listed(cases["case"]) if len(cases) <= FEW else "")
        said = f"{held} of {len(cases)}" + (f" ({words})" if words else "")
        alone = cases["measured"].iloc[0] if len(cases) == 1 else said
        link = f", {{numref}}`{cases['shown'].iloc[0]}`" if linked else ""
        yield f"- **{symbol(cases['verdict'])}** {claim}: {alone}{link}"


def verdicts_of(chapter: Chapter, facts: Facts | None) -> pd.DataFrame | None:
    """The scorecard that the page's run published, whatever else it has of that name; None if there is none."""
    for result in facts.results if facts else ():
        file = chapter.edition.results / result.path
        if file.name.startswith(f"{SCORECARD}.") and file.is_file():
            card = pd.read_csv(file, keep_default_na=False)
            if {"claim", "case", "verdict", "shown", "headline"} <= set(card):
                return card.assign(headline=card["headline"].astype(str) == "True")
    return None


def size(facts: Facts) -> str:
    """How many models the run looked at, in words."""
    total = sum(facts.models.values())
    return f"{total:,} networks in {len(facts.models)} zoos" if len(facts.models) > 1 else f"{total:,} networks"


def minutes(seconds: float) -> str:
    """A time that a reader plans with."""
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def foot(chapter: Chapter, facts: Facts | None, stale: str | None = None) -> str:
    """The box at the end of a page, as MyST: what was run, with what, when, and for how long."""
    profile = chapter.edition.profile
    if facts is None:
        return f"```{{warning}}\nThis chapter was not executed at profile {profile}.\n```"
    used = facts.ingredients
    rows = {
        "Profile": profile,
        "Seeds": seeds_in_words(facts.seeds),
        "Code": f"hyperlib `{fingerprint(used.library)[:12]}`, this chapter `{used.code[:12]}`",
        "Versions": ", ".join(f"{name} {used.versions[name]}" for name in ("python", *KEYED_PACKAGES)),
        "Executed": f"{facts.date.replace('T', ' ')[:16]} UTC, in {clock(facts.seconds)}",
        "Out of date": stale or "",
    }
    lines = [f"{name}\n: {value}\n" for name, value in rows.items() if value]
    return "\n".join(["```{admonition} How this page was made", ":class: provenance dropdown", "", *lines, "```"])


def seeds_in_words(seeds: dict[str, str], named: int = 3) -> str:
    """What was made from which seeds; of many things from the same ones, only how many."""
    alike: dict[str, list[str]] = {}
    for what, those in seeds.items():
        alike.setdefault(those, []).append(what)
    told = {those: ", ".join(what) if len(what) <= named else f"{len(what)} things" for those, what in alike.items()}
    return "; ".join(f"{what}: {those}" for those, what in told.items())


class best_figure(nodes.General, nodes.Element):  # noqa: N801 (nodes of docutils have small letters)
    """Where a smaller picture of one of the page's figures goes."""


class _BestFigure(Directive):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        return [best_figure(figure=self.arguments[0])]


class FiguresBesideAnswers(SphinxTransform):
    """Repeat the picture of the page's best figure below its answer, as a link to the figure."""

    default_priority = 420

    def apply(self, **_: Any) -> None:
        for place in list(self.document.findall(best_figure)):
            figure = self.document.ids.get(self.document.nameids.get(place["figure"]) or "")
            image = next(figure.findall(nodes.image), None) if figure is not None else None
            if image is None:  # the page was not executed
                place.parent.remove(place)
                continue
            link = nodes.reference("", "", image.deepcopy(), refid=figure["ids"][0], classes=["best-figure"])
            place.replace_self(nodes.paragraph("", "", link))


def _listed(cases: Iterable[str]) -> str:
    """Cases side by side, told apart also where one has a comma of its own."""
    cases = list(cases)
    return (" · " if any("," in case for case in cases) else ", ").join(cases)


def _verdict(word: str) -> str:
    return "no" if word == FAILS else word
