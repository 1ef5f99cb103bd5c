"""The prose stays true: what it names exists, and what exists is named."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BOOK = [*(ROOT / "book").glob("*.md"), *(ROOT / "book" / "api").glob("*.md")]
PAGES = [*sorted(BOOK), *sorted((ROOT / "notebooks").glob("*.py"))]
MODULES = sorted(path for path in (ROOT / "hyperlib").rglob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_the_architecture_page_names_every_module(module):
    rows = (ROOT / "book" / "architecture.md").read_text(encoding="utf-8").splitlines()
    (row,) = [row for row in rows if row.startswith(f"| `{module.parent.relative_to(ROOT).as_posix()}`")]

    assert f"`{module.stem}`" in row


def test_every_page_is_in_the_table_of_contents_and_the_words_come_before_the_developers_pages():
    named = re.findall(r"(?:file|root): (\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
    assert {page.relative_to(ROOT).with_suffix("").as_posix() for page in PAGES} == set(named) - {"genindex"}
    assert named[:2] == ["book/index", "book/how_to_read"] and named[-1] == "book/architecture"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_citation_is_in_the_bibliography(page):
    known = set(re.findall(r"^@\w+\{([^,\s]+),", (ROOT / "book" / "references.bib").read_text(encoding="utf-8"), re.M))
    cited = re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", page.read_text(encoding="utf-8"))

    assert {key.strip() for keys in cited for key in keys.split(",")} <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_no_page_prints_a_thesis_figure_number_that_is_not_known(page):
    known = {"1.0.1", "1.0.2", "2.3.1", "2.6.1", "2.6.2"}
    printed = re.findall(r"(?:Fig(?:ure|\.)?|Tab(?:le|\.)?) ?(\d+\.\d+(?:\.\d+)?)", page.read_text(encoding="utf-8"))

    assert set(printed) <= known


def test_every_entry_of_the_bibliography_is_cited_once_at_least_and_stands_there_once():
    keys = re.findall(r"^@\w+\{([^,\s]+),", (ROOT / "book" / "references.bib").read_text(encoding="utf-8"), re.M)
    texts = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    cited = ",".join(re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", texts))

    assert len(keys) == len(set(keys))
    assert set(keys) == {key.strip() for key in cited.split(",")}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_of_the_front_pages_lead_to_files_and_headings(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]

    for place, _, heading in (link.partition("#") for link in links):
        assert (ROOT / (place or page)).is_file(), place
        titles = re.findall(r"^#+ (.+)$", (ROOT / (place or page)).read_text(encoding="utf-8"), re.MULTILINE)
        assert not heading or heading in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
    assert links or page != "README.md"


def test_the_readme_names_every_chapter_and_counts_them():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    chapters = re.findall(r"file: (notebooks/\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))

    assert [name for name in chapters if f"({name}.ipynb)" not in text] == []
    assert f"`{len(chapters)} up to date, 0 to run`" in text
