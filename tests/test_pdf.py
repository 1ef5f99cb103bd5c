"""The book on paper: its pages in order, links that stay inside, and a word for whatever is missing."""

from __future__ import annotations

import builtins
from pathlib import Path

import pytest

from hyperlib.press import pdf

TOC = """root: book/index
parts:
  - chapters:
      - file: book/how
        sections:
          - file: book/more
  - caption: Other
    chapters:
      - file: notebooks/one
      - url: https://example.org
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "book").mkdir()
    for name, link in (("book/index", "one.html#there"), ("book/one", "index.html")):
        words = f"<title>{name} — site</title><p>Words and <a href=\'{link}\'>a link</a>.</p>"
        (tmp_path / f"{name}.html").write_text(words + '<a href="https://example.org/x">away</a>')
    return tmp_path


def test_pages_come_in_the_order_of_the_contents():
    assert pdf.pages_in_order(TOC) == ["book/index", "book/how", "book/more", "notebooks/one"]


@pytest.mark.parametrize("package", ["playwright", "pypdf"])
def test_a_missing_package_is_named_with_what_brings_it(package, site, monkeypatch):
    bring = builtins.__import__

    def without(name, *rest, **named):
        if name.split(".")[0] == package:
            raise ImportError(name)
        return bring(name, *rest, **named)

    pytest.importorskip("pypdf")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ValueError, match=rf"{package}; pip install .*browser"):
        pdf.print_book(site, ["book/index"], site / "book.pdf")
    assert not (site / "book.pdf").exists()


def test_a_page_that_is_not_built_is_named(site):
    pytest.importorskip("pypdf")
    with pytest.raises(ValueError, match="lacks book/two.html; build the pages first"):
        pdf.print_book(site, ["book/index", "book/two"], site / "book.pdf")


def test_a_missing_browser_is_said(site, monkeypatch):
    pytest.importorskip("playwright")
    pytest.importorskip("pypdf")
    monkeypatch.setattr(pdf, "chromium", lambda: None)
    with pytest.raises(ValueError, match="There is no chromium, .* on the path"):
        pdf.print_book(site, ["book/index"], site / "book.pdf")


def test_a_browser_that_is_none_is_said(site, monkeypatch):
    pytest.importorskip("playwright")
    pytest.importorskip("pypdf")
    monkeypatch.setenv("CHROMIUM", str(site / "no-browser"))
    with pytest.raises(ValueError, match="no-browser does not print .*CHROMIUM"):
        pdf.print_book(site, ["book/index"], site / "book.pdf")
    assert not (site / "book.pdf").exists()


def test_contents_that_are_no_yaml_are_said():
    with pytest.raises(ValueError, match="_toc.yml is no YAML; mend it"):
        pdf.pages_in_order("root: [")


def test_links_between_pages_stay_in_the_file(site):
    pytest.importorskip("playwright")
    pypdf = pytest.importorskip("pypdf")
    if pdf.chromium() is None:
        pytest.skip("No Chromium is on the path.")
    assert pdf.print_book(site, ["book/index", "book/one"], site / "book.pdf") == 2
    made = pypdf.PdfReader(site / "book.pdf")
    assert [item.title for item in made.outline] == ["book/index", "book/one"]
    found = [[note.get_object()["/A"] for note in page["/Annots"]] for page in made.pages]
    for number, (inside, away) in enumerate(found):
        assert inside["/S"] == "/GoTo" and inside["/D"][0].get_object() == made.pages[1 - number].get_object()
        assert away["/URI"] == "https://example.org/x"
