"""Terms and badges: links say what terms mean, the index leads to first uses, and the book explains what it uses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from hyperlib.files.paths import root
from hyperlib.press.pages import badges

GLOSSARY = """# Words

```{glossary}
barrier
  How far the *loss* rises
  between two networks. With $a$, e.g. a formula.

soup
  The mean of networks; a {term}`barrier` spoils it

W
raw weights
  A vector (as it is).
```
"""
PAGE = """# Is there a {term}`soup`?

Between seeds lies a {term}`barrier`, and more {term}`barriers <barrier>` follow.

| way | what |
|---|---|
| mean | {term}`soup` of {term}`raw weights` |

> A claim. *(seen)*, not *(our choice)* but *seen* and *(as one says)*.
"""
CONF = """
extensions = ["myst_parser"]
root_doc = "index"

def setup(app):
    from hyperlib.press.pages import badges, terms
    badges.connect(app)
    terms.connect(app)
"""
ON_PAGES = re.compile(r"\{term\}`(?:[^`<]*<)?([^`<>]+)>?`")


def build(folder: Path) -> None:
    with docutils_namespace():
        Sphinx(folder, folder, folder / "html", folder / "doctrees", "html", status=None, warningiserror=True).build()


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A small site of a glossary and a page that uses it, built with every warning an error."""
    folder = tmp_path_factory.mktemp("site")
    pages = {"index.md": "# A book\n\n```{toctree}\nwords\npage\n```\n", "words.md": GLOSSARY, "page.md": PAGE}
    for name, text in {**pages, "conf.py": CONF}.items():
        (folder / name).write_text(text, encoding="utf-8")
    build(folder)
    return folder


def page(site: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((site / "html" / name).read_text(encoding="utf-8"), "html.parser")


def test_links_to_the_glossary_say_the_first_sentence(site):
    links = page(site, "page.html").select("[role=main] a.glossary-term")
    meant = [(link.get_text(), link["title"]) for link in links]
    rises, mean = "How far the loss rises between two networks.", "The mean of networks; a barrier spoils it"
    assert meant[:3] == [("soup", mean), ("barrier", rises), ("barriers", rises)]
    assert meant[3:] == [("soup", mean), ("raw weights", "A vector (as it is).")]
    (within,) = page(site, "words.html").select("dd a.glossary-term")
    assert within["title"] == rises and within["href"] == "#term-barrier"


def test_index_leads_to_first_uses_under_the_titles_of_pages(site):
    found = {}
    for word in page(site, "genindex.html").select("table > tr > td > ul > li"):
        below = {link.get_text(strip=True): link["href"] for link in word.select("ul a")}
        found[word.find(string=True).strip()] = below
    assert found == {
        "barrier": {"Words": "words.html#term-barrier", "Is there a soup?": "page.html#use-barrier"},
        "raw weights": {"Words": "words.html#term-raw-weights", "Is there a soup?": "page.html#use-raw-weights"},
        "soup": {"Words": "words.html#term-soup", "Is there a soup?": "page.html#use-soup"},
        "W": {"Words": "words.html#term-W"},
    }
    text = page(site, "page.html")
    assert text.select_one("#use-barrier").find_next("a").get_text() == "barrier"
    assert text.select_one("td #use-soup")  # not the one in the title, which the contents repeat


def test_search_finds_first_uses_as_it_finds_definitions(site):
    index = (site / "html" / "searchindex.js").read_text(encoding="utf-8")
    places = re.search(r'"barrier": ?(\[\[.*?\]\])', index)[1]
    assert '"term-barrier", true' in places and '"use-barrier", true' in places


def test_a_changed_definition_reaches_pages_that_were_not_touched(site):
    words = site / "words.md"
    before = words.read_text(encoding="utf-8")
    words.write_text(before.replace("A vector (as it is).", "One row of numbers."), encoding="utf-8")
    build(site)
    title = page(site, "page.html").select("a.glossary-term")[-1]["title"]
    words.write_text(before, encoding="utf-8")
    assert title == "One row of numbers."


def test_badges_are_what_stands_in_parentheses_and_say_what_they_mean(site):
    found = page(site, "page.html").select("blockquote abbr")
    assert [(badge.get_text(), badge["title"]) for badge in found] == [
        (word, badges.MEANINGS[word]) for word in ("seen", "our choice")
    ]
    assert [words.get_text() for words in page(site, "page.html").select("blockquote em")] == ["seen", "(as one says)"]


def test_readers_are_told_what_every_badge_means():
    rows = (root() / "book" / "how_to_read.md").read_text(encoding="utf-8")
    for word, meaning in badges.MEANINGS.items():
        assert f"| *({word})* | {meaning.split(';')[0]}" in rows


def glossary() -> dict[str, str]:
    """Terms of the book's glossary and what stands below each, as it is written."""
    block = (root() / "book" / "glossary.md").read_text(encoding="utf-8").split(":sorted:")[1].strip("`\n ")
    meaning = {}
    for entry in block.split("\n\n"):
        lines = entry.splitlines()
        body = " ".join(line.strip() for line in lines if line.startswith(" "))
        meaning |= dict.fromkeys((line for line in lines if not line.startswith(" ")), body)
    return meaning


def test_first_sentences_of_the_glossary_are_short_and_plain():
    for term, text in glossary().items():
        first = re.match(r".*?[.!?](?=\s|$)", text)[0]
        assert 20 < len(first) <= 160, term
        assert not re.search(r"[`$*{\\]", first), term


def test_pages_use_terms_that_the_glossary_has_in_its_own_spelling():
    """Sphinx would take another spelling of capitals, and the index would then have two words for one."""
    pages = [*(root() / "book").glob("*.md"), *(root() / "notebooks").glob("*.py")]
    texts = {file.name: re.sub(r"\n#? ?", " ", file.read_text(encoding="utf-8")) for file in pages}
    used = {(name, term.strip()) for name, text in texts.items() for term in ON_PAGES.findall(text)}
    assert {(name, term) for name, term in used if term not in glossary()} == set()
