"""The built site of this clone, checked: `pytest tests/site_of_this_clone.py` after `make book`.

Not collected by `make test`, which needs no built site.
"""

from __future__ import annotations

import check_site
import pytest
import yaml

from hyperlib.files.paths import root
from hyperlib.press.edition import Edition
from hyperlib.press.pages import ledger
from hyperlib.thesis.ledger import records, shown_by

SITE = root() / "_build" / "html"
BRANCH = yaml.safe_load((root() / "_config.yml").read_text(encoding="utf-8"))["repository"]["branch"]


@pytest.fixture(scope="module")
def pages() -> list[str]:
    names = [file.relative_to(SITE).as_posix() for file in SITE.rglob("*.html")]
    assert names, "there is no site; run `make book` first"
    return names


def test_site_is_whole_and_needs_no_network(pages):
    assert check_site.faults(SITE) == []


def test_every_chapter_says_how_it_was_made(pages):
    for chapter in Edition(root(), "quick").chapters():
        text = (SITE / f"{chapter.name}.html").read_text(encoding="utf-8")
        assert "How this page was made" in text and "was not executed" not in text, chapter.name


def test_chapters_are_edited_in_their_source_and_opened_as_notebooks(pages):
    for chapter in Edition(root(), "quick").chapters():
        text = (SITE / f"{chapter.name}.html").read_text(encoding="utf-8")
        assert f"/edit/{BRANCH}/{chapter.name}.py" in text, chapter.name
        assert f"/blob/{BRANCH}/{chapter.name}.ipynb" in text, chapter.name  # Colab


def test_formulas_come_from_the_site_itself(pages):
    assert (SITE / "_static/mathjax/tex-chtml.js").is_file()
    assert list((SITE / "_static/mathjax/output/chtml/fonts/woff-v2").glob("*.woff"))


def test_a_row_of_the_ledger_leads_to_its_figures_and_they_lead_back(pages):
    book = {name: check_site.Page(SITE, name) for name in pages if not name.startswith("_static/")}
    rows = book[f"{ledger.PAGE}.html"].soup.select("table.ledger tbody tr")
    assert {row["id"] for row in rows} == {ledger.anchor(name) for name in records()}
    for row in rows:
        entry = records()[row["id"].removeprefix("ledger-")]
        addresses = [link["href"] for link in row.find_all("a")]
        for label in entry["shown"][: ledger.MOST]:
            assert any(address.endswith(f"#{label}") for address in addresses), f"{row['id']} lacks {label}"
        assert any("/hyperlib/" in address and "#L" in address for address in addresses), row["id"]
    shown = {label: page for page in book.values() for label in page.anchors & shown_by().keys()}
    assert shown.keys() == shown_by().keys()
    for label, page in shown.items():
        if page.name != f"{ledger.PAGE}.html":
            figure = page.soup.find(id=label)
            back = [link["href"].partition("#")[2] for link in figure.select("a.to-ledger")]
            assert back == [ledger.anchor(name) for name in shown_by()[label]], label


def test_no_table_is_shown_as_a_notebook_would(pages):
    for name in pages:
        assert 'class="dataframe"' not in (SITE / name).read_text(encoding="utf-8"), name
