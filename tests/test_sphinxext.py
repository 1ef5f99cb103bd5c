"""Pages show executions in place of sources, say how they were made, and fail a strict build when stale."""

from __future__ import annotations

import gc
import json
import shutil
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import check_site
import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from docutils import nodes
from docutils.utils import new_document
from small_book import MOVES, PUBLISHES, dress, make_book

from hyperlib.files.paths import root as clone
from hyperlib.press import sphinxext
from hyperlib.press.colab import colab_cell
from hyperlib.press.edition import Chapter, Edition
from hyperlib.press.execute import execute
from hyperlib.press.pages import figures
from hyperlib.press.site import build_site
from hyperlib.store import fingerprint

DRAWS = """# %% mystnb={"image": {"alt": "A line that rises."}, "figure": {"name": "fig-a", "caption": "A line."}}
import matplotlib.pyplot as plt

plt.plot([0, 1])
plt.show()
"""
GOES_ON = "A formula $a^2$, {doc}`/notebooks/good`, and {numref}`fig-wave` that moves."


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A book of two executed chapters, with the site's own configuration."""
    root = make_book(tmp_path_factory.mktemp("clone") / "book", good=PUBLISHES + "\n" + DRAWS, moves=MOVES)
    dress(root)
    (root / "book" / "index.md").write_text(f"# A small book\n\n{GOES_ON}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HYPERLIB_RESULTS", str(root / "results"))
        assert [run.failure for run in execute(Edition(root, "quick"), say=lambda _: None)] == [None, None]
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


def test_outputs_that_belong_to_no_cell_of_the_source_are_a_warning(book, monkeypatch):
    told = []
    monkeypatch.setattr(sphinxext.LOGGER, "warning", lambda text, *parts, **_: told.append(text % parts))
    read(book, "notebooks/good")
    assert told == []
    monkeypatch.setattr(Chapter, "staleness", lambda _: None)
    source = book / "notebooks" / "good.py"
    before = source.read_text()
    source.write_text(before.replace("1 + 1", "2"))
    notebook = nbformat.reads(read(book, "notebooks/good"), as_version=4)
    source.write_text(before)
    words = "its executed notebook has other code cells, so no outputs are shown; run it with --force"
    assert told == [f"notebooks/good: {words}"]
    assert not [cell for cell in notebook.cells if cell.get("outputs")]


def test_chapter_is_read_again_when_its_source_or_freshness_changes(book):
    app, env = app_of(book), SimpleNamespace(found_docs={"notebooks/good"})
    assert sphinxext.chapters_to_read_again(app, env) == ["notebooks/good"]
    assert sphinxext.chapters_to_read_again(app, env) == []
    source = book / "notebooks" / "good.py"
    before = source.read_text()
    source.write_text(before.replace("A sentence", "Another sentence"))
    assert sphinxext.chapters_to_read_again(app, env) == ["notebooks/good"]
    source.write_text(before)


def test_two_chapters_that_start_together_survive_a_garbage_collection(book):
    chapters, failures, threshold = Edition(book, "quick").chapters(), [], gc.get_threshold()

    def read_at(depth, chapter):  # CPython's fault shows between threads whose stacks are of different depth
        if depth:
            return read_at(depth - 1, chapter)
        fingerprint._parsed.cache_clear()
        try:
            chapter.ingredients()
        except SystemError as error:
            failures.append(error)

    def let_others_in(*_):
        time.sleep(0.0005)

    threads = [threading.Thread(target=read_at, args=(20 * place, one)) for place, one in enumerate(chapters)]
    gc.callbacks.append(let_others_in)
    gc.set_threshold(500)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.callbacks.remove(let_others_in)
        gc.set_threshold(*threshold)
    assert failures == []


def test_edit_button_opens_the_source(book):
    button = {"label": "source-edit-button", "url": "https://a.org/edit/main/notebooks/good.ipynb"}
    other = {"label": "source-issues-button", "url": "https://a.org/issues"}
    context = {"header_buttons": [{"label": "source-buttons", "buttons": [button, other]}]}
    sphinxext.edit_the_source(app_of(book), "notebooks/good", "page.html", context, None)
    assert button["url"].endswith("/edit/main/notebooks/good.py") and other["url"] == "https://a.org/issues"


def moving_cell(book: Path) -> nbformat.NotebookNode:
    """The cell of the chapter `moves` that shows a figure, as it was executed."""
    chapter = next(one for one in Edition(book, "quick").chapters() if one.name == "notebooks/moves")
    return next(cell for cell in chapter.shown().cells if cell.get("outputs"))


def test_figure_that_moves_becomes_one_that_is_numbered_and_has_words(book):
    notebook = nbformat.reads(read(book, "notebooks/moves"), as_version=4)
    nbformat.validate(notebook)
    (cell,) = (cell for cell in notebook.cells if cell.get("outputs"))
    shown = cell.metadata["mystnb"]
    assert shown["figure"] == {"name": "fig-wave", "caption": "A wave, with $a^2 < 1$.", "classes": "movable"}
    assert shown["image"] == {"alt": "A wave that rises and falls once."}
    (output,) = cell.outputs
    assert set(output.data) == {"image/png", "text/html"}
    assert output.data["text/html"].startswith('<script type="application/json">{"config":')


def test_classes_of_a_figure_that_moves_stay(book):
    cell = moving_cell(book)
    cell.metadata["mystnb"]["figure"]["classes"] = "wide"
    figures.prepare(cell, "notebooks/moves")
    assert cell.metadata["mystnb"]["figure"]["classes"] == "wide movable"


@pytest.mark.parametrize(
    ("shown", "missing"),
    [
        (None, "figure.name, figure.caption, image.alt"),
        ({"figure": {"name": "fig-a", "caption": "A wave."}}, "image.alt"),
        ({"figure": {"name": "fig-a", "caption": " "}, "image": {"alt": "A wave."}}, "figure.caption"),
    ],
)
def test_figure_that_moves_and_lacks_words_is_a_warning_and_shows_its_still(book, monkeypatch, shown, missing):
    told = []
    monkeypatch.setattr(figures.LOGGER, "warning", lambda text, *parts, **_: told.append(text % parts))
    cell = moving_cell(book)
    del cell.metadata["mystnb"]
    if shown is not None:
        cell.metadata["mystnb"] = shown
    figures.prepare(cell, "notebooks/moves")
    assert len(told) == 1 and f"lacks {missing}:" in told[0]
    assert set(cell.outputs[0].data) == {"image/png"}


def test_two_things_in_a_cell_with_a_figure_that_moves_are_a_warning(book, monkeypatch):
    told = []
    monkeypatch.setattr(figures.LOGGER, "warning", lambda text, *parts, **_: told.append(text % parts))
    cell = moving_cell(book)
    figures.prepare(cell, "notebooks/moves")
    assert told == []
    cell = moving_cell(book)
    cell.outputs.append(nbformat.v4.new_output("display_data", {"text/plain": "more"}))
    figures.prepare(cell, "notebooks/moves")
    assert len(told) == 1 and "shows nothing else, and this one shows 2 things" in told[0]


def test_cells_without_a_figure_that_moves_are_left_alone():
    output = nbformat.v4.new_output("display_data", {"image/png": "", "text/plain": "a figure"})
    for cell in (nbformat.v4.new_code_cell(outputs=[output]), nbformat.v4.new_markdown_cell("words")):
        before = nbformat.from_dict(cell)
        figures.prepare(cell, "notebooks/good")
        assert cell == before


def figure_node(*classes: str) -> nodes.figure:
    """A figure as myst-nb reads it: two forms of one output, and a caption."""
    forms = {"image/png": nodes.image(uri="a.png"), "text/html": nodes.raw("", "<script></script>", format="html")}
    bundle = nodes.container("", *(nodes.container("", form, mime_type=kind) for kind, form in forms.items()))
    return nodes.figure("", bundle, nodes.caption("", "words"), classes=list(classes))


def test_movable_figure_holds_both_its_still_and_its_live_form():
    doctree = new_document("page")
    doctree.extend([figure_node("movable"), figure_node()])
    figures.join_still_and_live(None, doctree)
    moving, other = doctree.children
    assert [type(part) for part in moving] == [nodes.image, nodes.raw, nodes.caption]
    assert moving[1]["classes"] == ["movable-live"]
    assert [type(part) for part in other] == [nodes.container, nodes.caption]


def test_plotly_comes_from_the_wheel_once_and_only_to_pages_that_need_it(tmp_path):
    scripts = []
    app = SimpleNamespace(outdir=tmp_path, add_js_file=lambda name, **how: scripts.append((name, how)))
    page = new_document("page")
    page.append(figure_node())
    for doctree in (None, page):
        figures.bring_plotly(app, "page", "page.html", {}, doctree)
    assert scripts == [] and not (tmp_path / "_static").exists()

    page.append(figure_node("movable"))
    figures.bring_plotly(app, "page", "page.html", {}, page)
    assert scripts == [("movable.js", {"loading_method": "defer"})], "which asks for Plotly's when it is needed"
    copy = tmp_path / "_static" / "plotly.min.js"
    assert b"plotly.js v" in copy.read_bytes()[:100]
    before = copy.stat().st_mtime_ns
    figures.bring_plotly(app, "other", "page.html", {}, page)
    assert copy.stat().st_mtime_ns == before


def test_address_of_the_repository_stands_in_one_place():
    address = yaml.safe_load((clone() / "_config.yml").read_text())["repository"]["url"]
    files = [*clone().glob("*.*"), *(clone() / "book").glob("*.md"), *(clone() / "notebooks").glob("*.py")]
    files = [file for file in files if file.is_file() and not file.match("out*.ipynb")]  # as README's papermill leaves
    texts = {file.name: file.read_text(errors="ignore") for file in files}
    copies = colab_cell(address)  # which `make sync` writes
    assert [name for name, text in texts.items() if address in text.replace(copies, "")] == ["_config.yml"]


@pytest.mark.slow
def test_strict_build_is_whole_offline_and_the_same_twice(book, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    from hyperlib.press.pairs import synchronise

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
    check_moving_page(book / "_build/html")
    page = (book / "_build/html/notebooks/good.html").read_text()
    assert 'alt="A line that rises."' in page and "one and one is 2" in page and "thebe" not in page.lower()
    assert not build_site(Edition(book, "laptop")) and not build_site(Edition(book, "laptop"))


def check_moving_page(site: Path) -> None:
    """The built page of a movable figure has number, caption, still and live form; other pages load nothing of it."""
    page = BeautifulSoup((site / "notebooks/moves.html").read_text(), "html.parser")
    figure = page.select_one("figure.movable#fig-wave")
    assert figure.select_one(".caption-number").get_text(strip=True) == "Fig. 2"
    assert figure.img["alt"] == "A wave that rises and falls once." and figure.img["src"].startswith("../_images/")
    live = json.loads(figure.select_one(".movable-live > script").get_text())
    assert live["layout"]["yaxis"]["title"]["text"] == "height </script><b>m</b>"
    index = BeautifulSoup((site / "book/index.html").read_text(), "html.parser")
    assert "Fig. 2 that moves" in index.get_text()
    texts = {file.name: file.read_text() for file in site.rglob("*.html")}
    assert [name for name, text in texts.items() if "movable.js" in text] == ["moves.html"]
    assert not [name for name, text in texts.items() if "plotly.min.js" in text]
