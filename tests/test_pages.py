"""What a page has beyond its text: numbered tables with their CSV, a head with the answer, words from the run."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from small_book import make_book

from hyperlib.figures.tables import show_table
from hyperlib.files.paths import root as clone
from hyperlib.files.reading import Damaged
from hyperlib.press.edition import Edition
from hyperlib.press.execute import execute
from hyperlib.press.pages import frame, tables
from hyperlib.press.pairs import synchronise
from hyperlib.press.site import build_site
from hyperlib.press.sphinxext import _as_text

ASKS = '''# %% [markdown]
# A picture is {numref}`fig-line`, numbers are in {numref}`tab-numbers`.

# %% tags=["hide-input"]
import os
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from hyperlib.figures.tables import show_table
from hyperlib.figures.words import say
from hyperlib.store.record import record_models, record_result
from hyperlib.tasks import verdicts

folder = Path(os.environ["HYPERLIB_RESULTS"]) / profile


def publish(table, name):
    """As a study does, without its check of names."""
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / f"{name}.csv", index=False)
    record_result(folder / f"{name}.csv")
    table.attrs |= {"csv": f"{profile}/{name}.csv", "columns": list(table.columns)}
    return table


# %% tags=["remove-input"]
record_models("toys", 1200)
say(f"We ask **{len('abc')}** networks, see {{numref}}`tab-numbers`.")

# %% table={"name": "tab-numbers", "caption": "Twenty numbers, with $a^2$."}
show_table(publish(pd.DataFrame({"n": range(20), "half": [n / 2 for n in range(20)]}), "numbers"))

# %% mystnb={"image": {"alt": "A line that rises."}, "figure": {"name": "fig-line", "caption": "A line."}}
plt.plot([0, 1])
plt.show()

# %% [markdown]
# :::{admonition} Our run (laptop)
# :class: published-run
#
# **It is so.**
# :::

# %% table={"name": "tab-verdicts", "caption": "All verdicts."}
words = {"source": "ours", "shown": "tab-numbers", "headline": True}
card = verdicts.scorecard(
    [
        verdicts.tested("one beats two", {"a": (1.0, 0.9, 1.1), "b": (0.0, -1.0, 1.0)}, **words),
        verdicts.counted("sums are equal", {"all": (True, "3 = 3")}, **words),
    ]
)
publish(card, "disc-scorecard.asks")
show_table(verdicts.summary(card), of=card)
'''
INDEX = "# A small book\n\n```{book-headlines}\n```\n\n```{book-contents}\n```\n"
INDEX += "\n```{glossary}\nprofile\n  The size of a run.\n```\n"  # a head names it
PAGES = "notebooks/asks: {thesis: chapter 9, needs: [book/index], figure: fig-line}\n"


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    root = make_book(tmp_path_factory.mktemp("clone") / "book", asks=ASKS)
    shutil.copytree(clone() / "book" / "_static", root / "book" / "_static")
    shutil.copy(clone() / "_config.yml", root)
    (root / "book" / "references.bib").write_text("@misc{one, title={One}, author={A. Person}, year={2020}}\n")
    (root / "book" / "index.md").write_text(INDEX)
    (root / "book" / "pages.yml").write_text(PAGES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HYPERLIB_RESULTS", str(root / "results"))
        assert [run.failure for run in execute(Edition(root, "quick"), say=lambda _: None)] == [None]
        yield root


def chapter(book: Path):
    (only,) = Edition(book, "quick").chapters()
    return only


def test_the_head_says_where_the_page_belongs_what_it_cost_and_its_answer(book):
    one = chapter(book)
    page = frame.about(book)[one.name]
    text = frame.head(one, page, one.last_execution())
    assert "chapter 9 · {term}`profile` quick, 1,200 networks · " in text and "needs: {doc}`/book/index`" in text
    assert "- **~** one beats two: 1 of 2 (undecided: b), {numref}`tab-numbers`" in text
    assert "- **✓** sums are equal: 3 = 3, {numref}`tab-numbers`" in text
    assert "```{best-figure} fig-line" in text
    without = frame.head(one, page, replace(one.last_execution(), models={}))
    assert "profile` quick · " in without and " networks" not in without


def test_seeds_of_many_things_are_counted_and_those_of_few_are_named():
    seeds = {"a": "1 to 9"} | {f"rep{number}": "0" for number in range(7)} | {"b": "1 to 9"}
    assert frame.seeds_in_words(seeds) == "a, b: 1 to 9; 7 things: 0"


def test_a_page_that_was_not_executed_has_a_head_without_an_answer(book):
    (one,) = Edition(book, "laptop").chapters()
    text = frame.head(one, frame.about(book)[one.name], one.last_execution())
    assert "chapter 9 · {term}`profile` laptop · needs" in text and "answer" not in text


def test_a_reading_tells_at_other_profiles_that_the_tables_are_not_its_own(book):
    for profile, told in (("quick", True), ("laptop", False)):
        (one,) = Edition(book, profile).chapters()
        notebook = one.shown()
        frame.add(notebook, one, None)
        (reading,) = [cell.source for cell in notebook.cells if "published-run" in cell.source]
        assert ("the tables of this page are of profile quick" in reading) is told


def test_a_page_that_shows_the_published_run_at_any_profile_tells_no_difference(book):
    one, file = chapter(book), book / "book" / "pages.yml"
    file.write_text(PAGES.replace("figure: fig-line", "figure: fig-line, published: true"))
    notebook = one.shown()
    frame.add(notebook, one, None)
    file.write_text(PAGES)
    assert not [cell for cell in notebook.cells if "tables of this page are of profile" in cell.source]


@pytest.mark.parametrize("text", ["[]", "a: 1", "a: {thesis: 2, needs: [], figure: x}", "a: {thesis: x}"])
def test_damaged_facts_of_pages_are_refused(tmp_path, text):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "pages.yml").write_text(text)
    with pytest.raises(Damaged, match="pages.yml"):
        frame.about(tmp_path)


def test_every_chapter_of_the_book_says_what_it_needs_and_names_a_figure_that_it_has():
    pages = frame.about(clone())
    chapters = {one.name: one for one in Edition(clone(), "quick").chapters()}
    assert pages.keys() == chapters.keys()
    for name, page in pages.items():
        assert f'"name": "{page.figure}"' in chapters[name].source.read_text(encoding="utf-8"), name
        assert all((clone() / f"{need}.md").is_file() or need in chapters for need in page.needs)


def cell_of(shown, **metadata) -> nbformat.NotebookNode:
    data, about = shown._repr_mimebundle_()
    cell = nbformat.v4.new_code_cell("show_table(t)", metadata=metadata)
    cell.outputs = [nbformat.v4.new_output("execute_result", data, metadata=about)]
    return cell


def test_a_table_without_words_and_a_cell_of_two_are_warned_of(monkeypatch):
    told = []
    monkeypatch.setattr(tables.LOGGER, "warning", lambda text, *parts, **_: told.append(text % parts))
    shown = show_table(pd.DataFrame({"a": [1]}))
    tables.prepare(cell_of(shown), "notebooks/x")
    two = cell_of(shown, table={"name": "tab-a", "caption": "A."})
    two.outputs = two.outputs * 2
    tables.prepare(two, "notebooks/x")
    assert "says its name and caption" in told[0] and "shows nothing else" in told[1]
    tables.prepare(nbformat.v4.new_code_cell("1"), "notebooks/x")
    assert len(told) == 2


def test_what_is_said_becomes_text_only_where_the_code_is_hidden():
    cell = nbformat.v4.new_code_cell("say('a')", metadata={"tags": ["remove-input"]})
    cell.outputs = [nbformat.v4.new_output("execute_result", {"text/markdown": "**a**", "text/plain": "Said"})]
    assert _as_text(cell).cell_type == "markdown" and _as_text(cell).source == "**a**"
    cell.metadata.tags = []
    assert _as_text(cell) is cell


@pytest.mark.slow
def test_the_site_numbers_tables_links_their_csv_and_gathers_the_answers(book):
    synchronise(book / "notebooks")
    assert build_site(Edition(book, "quick"))
    site = book / "_build" / "html"
    page = BeautifulSoup((site / "notebooks/asks.html").read_text(encoding="utf-8"), "html.parser")
    table = page.select_one("figure.results-table#tab-numbers")
    assert table.select_one(".caption-number").get_text(strip=True) == "Table 1"
    assert table.find(["p", "table"])["id"] == table["aria-labelledby"]  # the caption, above the table
    assert [len(part.select("tbody tr")) for part in table.select("table")] == [8, 20]
    assert all(cell.get_text(strip=True) for cell in page.select("figure.results-table th"))
    target = (site / "notebooks" / table.select_one("a.csv")["href"]).resolve()
    assert pd.read_csv(target)["n"].tolist() == list(range(20))
    assert "We ask 3 networks, see Table 1" in page.get_text() and "say(" not in page.get_text()
    best = page.select_one("a.best-figure")
    assert best["href"] == "#fig-line" and best.img["alt"] == "A line that rises."
    assert page.select_one(".take-away").get_text().count("Table 1") == 2
    index = BeautifulSoup((site / "book/index.html").read_text(encoding="utf-8"), "html.parser").get_text()
    assert "one beats two: 1 of 2" in index and "chapter 9" in index and "1,200" in index


def test_cases_with_commas_of_their_own_are_told_apart():
    assert frame._listed(["a", "b"]) == "a, b"
    assert frame._listed(["digits", "digits, settings"]) == "digits · digits, settings"
