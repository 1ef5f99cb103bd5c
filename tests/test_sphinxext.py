"""Pages show executions in place of sources, say how they were made, and fail a strict build when stale."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import check_site
import nbformat
import pytest
import yaml
from small_book import PUBLISHES, make_book

from hyperlib.study import sphinxext
from hyperlib.study.edition import Edition
from hyperlib.study.execute import execute
from hyperlib.study.paths import root as clone
from hyperlib.study.site import build_site

DRAWS = """# %% mystnb={"image": {"alt": "A line that rises."}, "figure": {"name": "fig-a", "caption": "A line."}}
import matplotlib.pyplot as plt

plt.plot([0, 1])
plt.show()
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A book of one executed chapter, with the site's own configuration."""
    root = make_book(tmp_path_factory.mktemp("clone") / "book", good=PUBLISHES + "\n" + DRAWS)
    shutil.copytree(clone() / "book" / "_static", root / "book" / "_static")
    shutil.copy(clone() / "_config.yml", root)
    (root / "book" / "references.bib").write_text("@misc{one, title={One}, author={A. Person}, year={2020}}\n")
    (root / "book" / "index.md").write_text("# A small book\n\nA formula $a^2$, and {doc}`/notebooks/good`.\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HYPERLIB_RESULTS", str(root / "results"))
        assert [run.failure for run in execute(Edition(root, "quick"), say=lambda _: None)] == [None]
        yield root


def app_of(root: Path, profile: str = "quick") -> SimpleNamespace:
    """As much of a Sphinx application as the hooks use."""
    return SimpleNamespace(srcdir=str(root), config=SimpleNamespace(hyperlib_profile=profile))


def read(root: Path, name: str, profile: str = "quick") -> str:
    content = ["as it was"]
    sphinxext.show_execution(app_of(root, profile), name, content)
    return content[0]


def test_page_shows_outputs_and_ends_with_its_provenance(book):
    notebook = nbformat.reads(read(book, "notebooks/good"), as_version=4)
    nbformat.validate(notebook)
    assert [cell for cell in notebook.cells if cell.get("outputs")]
    box = notebook.cells[-1].source
    assert box.startswith("```{admonition} How this page was made")
    for word in ("Profile\n: quick", "Seeds\n: sums: 1 to 3", "hyperlib `", "python 3.", "torch", "Executed\n: 20"):
        assert word in box


def test_other_pages_are_left_as_they_are(book):
    assert read(book, "book/index") == "as it was"


def test_missing_execution_warns_and_shows_no_outputs(book, monkeypatch):
    told = []
    monkeypatch.setattr(sphinxext.LOGGER, "warning", lambda text, *parts, **_: told.append(text % parts))
    notebook = nbformat.reads(read(book, "notebooks/good", "laptop"), as_version=4)
    assert told == ["notebooks/good: not executed yet; run `make run PROFILE=laptop`"]
    assert not [cell for cell in notebook.cells if cell.get("outputs")]
    assert "was not executed at profile laptop" in notebook.cells[-1].source


def test_chapter_is_read_again_when_its_source_or_freshness_changes(book):
    app, env = app_of(book), SimpleNamespace(found_docs={"notebooks/good"})
    assert sphinxext.chapters_to_read_again(app, env) == ["notebooks/good"]
    assert sphinxext.chapters_to_read_again(app, env) == []
    source = book / "notebooks" / "good.py"
    before = source.read_text()
    source.write_text(before.replace("A sentence", "Another sentence"))
    assert sphinxext.chapters_to_read_again(app, env) == ["notebooks/good"]
    source.write_text(before)


def test_edit_button_opens_the_source(book):
    button = {"label": "source-edit-button", "url": "https://a.org/edit/main/notebooks/good.ipynb"}
    other = {"label": "source-issues-button", "url": "https://a.org/issues"}
    context = {"header_buttons": [{"label": "source-buttons", "buttons": [button, other]}]}
    sphinxext.edit_the_source(app_of(book), "notebooks/good", "page.html", context, None)
    assert button["url"].endswith("/edit/main/notebooks/good.py") and other["url"] == "https://a.org/issues"


def test_address_of_the_repository_stands_in_one_place():
    address = yaml.safe_load((clone() / "_config.yml").read_text())["repository"]["url"]
    files = [*clone().glob("*.*"), *(clone() / "book").glob("*.md"), *(clone() / "notebooks").glob("*.py")]
    holders = [file.name for file in files if file.is_file() and address in file.read_text(errors="ignore")]
    assert holders == ["_config.yml"]


@pytest.mark.slow
def test_strict_build_is_whole_offline_and_the_same_twice(book, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    from hyperlib.study.pairs import synchronise

    synchronise(book / "notebooks")
    quick = Edition(book, "quick")
    pages = []
    for _ in range(2):
        shutil.rmtree(book / "_build/html", ignore_errors=True)
        shutil.rmtree(book / "_build/.doctrees", ignore_errors=True)
        assert build_site(quick)
        pages.append({file: file.read_bytes() for file in (book / "_build/html").rglob("*") if file.is_file()})
    assert pages[0] == pages[1]
    assert check_site.faults(book / "_build/html") == []
    page = (book / "_build/html/notebooks/good.html").read_text()
    assert 'alt="A line that rises."' in page and "one and one is 2" in page and "thebe" not in page.lower()
    assert not build_site(Edition(book, "laptop")) and not build_site(Edition(book, "laptop"))
