"""The page on which a zoo grows, as readers meet it: by pointer or keyboard, on a phone, in the dark, without scripts.

In Chromium, on a small book that is built for it, from files: no server, no network. Skipped where the extra `browser`
or a Chromium is missing. `HYPERLIB_SLACK` (default 2) is how many times slower than aimed at a machine may be.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_browser import PHONE, opened, violations
from small_book import dress, make_book

from hyperlib.files.paths import root
from hyperlib.press.edition import Edition
from hyperlib.press.site import build_site
from hyperlib.thesis.browser_zoo import Settings, grown
from hyperlib.weightspace.statistics import layer_statistics

pytestmark = pytest.mark.slow

RATE, SLACK = 200, float(os.environ.get("HYPERLIB_SLACK", "2"))  # model-epochs a second
STATUS, PANELS = ".zoo-live > [role=status]", ".zoo-grown"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built book whose one page has the zoo, with the words of the book's own page."""
    folder = make_book(tmp_path_factory.mktemp("clone") / "book")
    dress(folder)
    text = (root() / "book" / "zoo_in_the_browser.md").read_text(encoding="utf-8")
    (figure,) = re.findall(r"^```\{browser-zoo\}.*?^```$", text, re.MULTILINE | re.DOTALL)
    (folder / "book" / "index.md").write_text(f"# A page\n\n## A zoo\n\n{figure}\n", encoding="utf-8")
    (folder / "book" / "other.md").write_text("# Another page\n\nWithout a zoo.\n", encoding="utf-8")
    (folder / "_toc.yml").write_text("format: jb-book\nroot: book/index\nchapters:\n  - file: book/other\n")
    assert build_site(Edition(folder, "quick"))
    return folder / "_build" / "html" / "book"


@pytest.fixture
def at(site, chromium):
    """A function that opens the page as a test wants it; whatever the page complains of fails the test."""
    pages = []

    def open_page(name: str = "index", **options: Any):
        context = opened(chromium, site / f"{name}.html", **options)
        page = context.__enter__()
        page.said = []
        page.on("console", lambda message: page.said.append(message.text) if message.type == "error" else None)
        pages.append((context, page))
        return page

    yield open_page
    faults = [fault for _, page in pages for fault in (*page.faults, *page.said)]
    for context, _ in pages:
        context.__exit__(None, None, None)
    assert faults == []


def grow(page: Any, **settings: float) -> None:
    for name, value in settings.items():
        page.locator(f".zoo-live [name={name}]").fill(str(value))
    page.get_by_role("button", name="Grow").click()


def wait_for(page: Any, beginning: str) -> str:
    ask = "([place, words]) => document.querySelector(place).textContent.startsWith(words)"
    page.wait_for_function(ask, arg=[STATUS, beginning], timeout=120_000)
    page.wait_for_timeout(200)  # the next frame draws
    return page.locator(STATUS).text_content()


def lines(page: Any, number: int) -> dict[str, list[str]]:
    """Rows of one of the tables: scores, statistics, network."""
    rows = page.locator(f"{PANELS} table").nth(number).locator("tbody tr").all()
    return {row.locator("th").text_content(): row.locator("td").all_text_contents() for row in rows}


def test_page_grows_the_library_s_zoo_from_a_file_and_asks_for_nothing_else(at):
    page = at()
    grow(page, models=12, epochs=4, rate=0.01, seed=3)
    said = wait_for(page, "Grown")

    library = grown(Settings(models=12, epochs=4, rate=0.01, seed=3))
    last = library.samples([4]).table["test_accuracy"]
    assert "12 models, 4 epochs" in said and f"Median accuracy {100 * last.median():.1f}\u00a0%" in said
    assert page.locator(f"{PANELS} [data-model]").count() == 12
    statistics = np.median(layer_statistics(library.weights[:, -1], library.architecture).numpy(), axis=0)
    shown = np.array([[float(text.replace("−", "-")) for text in row] for row in lines(page, 1).values()])
    assert np.abs(shown - statistics.reshape(2, -1).T).max() < 6e-4
    assert {*lines(page, 0)} == {"raw weights W", "layer statistics s(W)", "clock: the epoch alone"}
    assert [url for url in page.asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_other_pages_load_none_of_it(at):
    page = at("other")
    page.wait_for_timeout(500)
    assert not [url for url in page.asked if "/zoo/" in url]


def test_units_change_places_and_only_the_reading_of_raw_weights_changes(at):
    page = at()
    grow(page, models=20, epochs=3, rate=0.01)
    wait_for(page, "Grown")
    page.get_by_role("spinbutton", name="Model", exact=True).fill("7")
    page.get_by_role("spinbutton", name="Model", exact=True).press("Tab")
    page.keyboard.press("Enter")  # the button is next
    page.wait_for_function("() => document.querySelectorAll('.zoo-grown table')[2].rows[0].cells.length === 3")
    page.wait_for_timeout(200)
    changed = [name for name, (before, after) in lines(page, 2).items() if before != after]
    assert changed == ["… as the probe reads it off W"]
    words = page.locator(f"{PANELS} [role=status]").text_content()
    moved, length = (float(number) for number in re.findall(r"\d+\.\d\d", words)[:2])
    assert moved > 0.1 and length > 1 and float(words.split()[-1].rstrip(".").replace("−", "-")) < 1e-12
    assert page.locator("caption", has_text="Model 7 after epoch 3").count() == 1
    seventh = grown(Settings(models=20, epochs=3, rate=0.01)).samples([3]).table["test_accuracy"].iloc[6]
    assert lines(page, 2)["test accuracy"] == [f"{100 * seventh:.1f}\u00a0%"] * 2


def test_it_stops_goes_on_and_ends_as_without_a_stop(at):
    page = at()
    grow(page, models=100, epochs=15)
    page.wait_for_selector(f"{PANELS} path", state="attached")
    page.get_by_role("button", name="Stop").click()
    assert wait_for(page, "Stopped")
    bar = page.locator("progress").evaluate("(bar) => bar.value")
    page.wait_for_timeout(700)
    assert page.locator("progress").evaluate("(bar) => bar.value") == bar < 1, "it rests"
    page.get_by_role("button", name="Go on").click()
    said = wait_for(page, "Grown")
    last = grown(Settings(models=100, epochs=15)).samples([15]).table["test_accuracy"]
    assert f"Median accuracy {100 * last.median():.1f}\u00a0%" in said


def test_another_zoo_can_begin_while_one_grows(at):
    page = at()
    grow(page, models=100, epochs=50)
    page.wait_for_selector(f"{PANELS} path", state="attached")
    grow(page, models=11, epochs=2, seed=9)
    said = wait_for(page, "Grown")
    last = grown(Settings(models=11, epochs=2, seed=9)).samples([2]).table["test_accuracy"]
    assert "11 models, 2 epochs" in said and f"Median accuracy {100 * last.median():.1f}\u00a0%" in said
    assert page.locator(f"{PANELS} [data-model]").count() == 11


@pytest.mark.parametrize(
    ("name", "value"),
    [*(("models", wrong) for wrong in ("1000", "2.5")), ("epochs", "0"), ("rate", "0"), ("rate", "-1"), ("seed", "")],
)
def test_wrong_settings_are_named_by_the_browser_and_grow_nothing(at, name, value):
    page = at()
    grow(page, **{name: value})
    assert page.evaluate("document.activeElement.name") == name, "the field that is wrong"
    assert page.locator(f"[name={name}]").evaluate("(field) => field.validationMessage")
    assert page.locator(STATUS).text_content().startswith("Nothing is grown here yet")
    assert page.locator("figure img").is_visible()


def test_all_is_reached_by_keyboard(at):
    page = at()
    page.locator("[name=models]").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("10")
    for wanted in ("epochs", "rate", "seed"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.name") == wanted
    page.keyboard.press("Enter")
    page.wait_for_selector(f"{PANELS} path", state="attached")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Stop"
    page.keyboard.press("Enter")
    wait_for(page, "Stopped")


def test_who_asks_for_less_motion_sees_the_end_and_not_the_way(at):
    page = at(reduced_motion="reduce")
    grow(page, models=60, epochs=6)
    page.wait_for_function("document.querySelector('progress').value > 0.3")
    assert page.locator(f"{PANELS} path").count() == 0
    wait_for(page, "Grown")
    assert page.locator(f"{PANELS} path").count() > 60


def test_without_scripts_and_in_print_the_still_stands_with_words(at):
    page = at(java_script_enabled=False)
    assert page.locator("figure.browser-zoo > img").evaluate("(image) => image.naturalWidth") > 500
    assert page.get_by_text("With JavaScript the zoo grows here").is_visible()
    assert page.locator("figure.browser-zoo :is(button, input)").count() == 0
    page = at()
    assert page.locator("figure img").is_visible() and not page.get_by_text("With JavaScript the zoo").is_visible()
    grow(page, models=10, epochs=1)
    wait_for(page, "Grown")
    assert not page.locator("figure img").is_visible()
    page.emulate_media(media="print")
    assert page.locator("figure img").is_visible() and not page.locator(".zoo-live").is_visible()


def test_a_browser_that_starts_no_worker_keeps_the_still_and_says_so(at):
    page = at()
    page.add_init_script("window.Worker = class { constructor() { throw new Error('not here'); } };")
    page.reload()
    assert "not here" in page.locator(STATUS).text_content() and page.locator("figure img").is_visible()
    assert page.get_by_role("button", name="Grow").is_disabled()


def test_what_goes_wrong_in_the_worker_is_said_and_the_still_comes_back(at):
    page = at()
    grow(page, models=10, epochs=1)
    wait_for(page, "Grown")
    page.evaluate("document.querySelector('.zoo-live form').noValidate = true")
    grow(page, models=10**12)  # more than memory has room for
    assert "RangeError" in wait_for(page, "Your browser does not grow the zoo")
    assert page.locator("figure img").is_visible() and page.get_by_role("button", name="Grow").is_disabled()


@pytest.mark.parametrize("options", [{}, {"viewport": PHONE}, {"dark": True}], ids=["desktop", "phone", "dark"])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_page(at, options):
    page = at(**options)
    grow(page, models=30, epochs=2)
    wait_for(page, "Grown")
    page.get_by_role("button", name="Put its units").click()
    page.wait_for_function("() => document.querySelectorAll('.zoo-grown table')[2].rows[0].cells.length === 3")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    said, page.said = page.said, []
    assert said == [] and violations(page) == []
    page.said = []  # axe itself asks for style sheets, which a browser refuses to read from files


def test_rate_on_one_core(at):
    page, rates = at(), []
    for _ in range(3):
        grow(page, models=50, epochs=20)
        page.wait_for_function(f"!document.querySelector('{STATUS}').textContent.startsWith('Grown')")
        rates.append(float(re.search(r"(\d+) model-epochs a second", wait_for(page, "Grown"))[1]))
    print(f"{np.median(rates):.0f} model-epochs a second (median of {rates})")
    assert max(rates) >= RATE / SLACK
