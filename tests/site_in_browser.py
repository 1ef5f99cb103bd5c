"""The built site of this clone as readers meet it: `pytest tests/site_in_browser.py` after `make book`.

Every page in Chromium, from its file: what axe-core finds on a desktop, on a phone and in the dark, how long it takes
to load, how long it cannot answer, how high it is, and what is wider than its place. Not collected by `make test`;
skipped where the extra `browser` or a Chromium is missing. `HYPERLIB_SLACK` (default 2) is how many times slower than
aimed at a machine may be. All of it waits until the formulas are set, and one that never is fails.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from in_browser import DESKTOP, PHONE, cost, opened, violations

from hyperlib.files.paths import root

SITE = root() / "_build" / "html"
PAGES = sorted(
    file.relative_to(SITE).as_posix() for folder in ("book", "notebooks") for file in (SITE / folder).glob("*.html")
)
LEDGER = "notebooks/07b_what_holds.html"
LOADED, PAINTED, BLOCKED, SCREENS = 1.2, 2, 0.3, 14  # seconds, and screens of 900 pixels with all folds closed
SLACK = float(os.environ.get("HYPERLIB_SLACK", "2"))
WIDE = """() => [...document.querySelectorAll("article.bd-article *")]
  .filter((one) => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0
    && ["auto", "scroll"].includes(getComputedStyle(one).overflowX))
  .map((one) => `${one.tagName} in ${one.closest("[id]")?.id}: ${one.scrollWidth} > ${one.clientWidth}`)"""
FIRST = """() => [...document.querySelectorAll("figure.results-table > .output table, figure.results-table table")]
  .filter((one) => one.offsetParent && one.querySelector("td"))
  .map((one) => one.querySelector("td").getBoundingClientRect())
  .filter((cell) => cell.left < 0 || cell.left > window.innerWidth - 20).length"""


@pytest.fixture(params=PAGES)
def file(request) -> Path:
    return SITE / request.param


def test_there_are_pages():
    assert PAGES, "there is no site; run `make book` first"


@pytest.mark.parametrize("how", ["desktop", "phone", "dark"])
def test_nothing_hinders_a_reader(chromium, file, how):
    options = {"viewport": PHONE} if how == "phone" else {"dark": how == "dark"}
    with opened(chromium, file, **options) as page:
        assert violations(page) == []


def test_a_page_is_there_at_once_and_answers(chromium, file, record_property):
    with opened(chromium, file) as page:
        loaded, painted, blocked = cost(page)
    print(f"{file.stem}: loaded after {loaded:.2f} s, drawn after {painted:.2f} s, blocked for {1000 * blocked:.0f} ms")
    assert loaded <= SLACK * LOADED and 0 < painted <= SLACK * PAINTED and blocked <= SLACK * BLOCKED


def test_a_page_is_of_a_readable_length_and_nothing_in_it_scrolls_sideways(chromium, file):
    with opened(chromium, file, viewport=DESKTOP) as page:
        height = page.evaluate("document.querySelector('article.bd-article').getBoundingClientRect().height")
        print(f"{file.stem}: {height / 900:.1f} screens")
        assert page.evaluate(WIDE) == []
        assert height <= SCREENS * 900


def test_the_zoo_of_a_page_grows_from_disk(chromium):
    with opened(chromium, SITE / "book" / "zoo_in_the_browser.html") as page:
        for name, value in {"models": "10", "epochs": "2"}.items():
            page.locator(f".zoo-live [name={name}]").fill(value)
        page.get_by_role("button", name="Grow").click()
        page.get_by_role("status").filter(has_text="Grown: 10 models, 2 epochs").wait_for()
        assert page.locator(".zoo-grown [data-model]").count() == 10 and page.faults == []
        assert [url for url in page.asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_a_phone_shows_the_first_column_of_every_table_and_no_page_is_wider_than_it(chromium, file):
    with opened(chromium, file, viewport=PHONE) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"] + 1
        assert page.evaluate(FIRST) == 0


def test_menus_of_the_ledger_leave_rows_out_by_keyboard_and_a_link_to_one_brings_it_back(chromium):
    with opened(chromium, SITE / LEDGER) as page:
        shown, said = "table.ledger tbody tr:not([hidden])", "form.ledger-menus output"
        every = page.locator("table.ledger tbody tr").count()
        assert page.locator(shown).count() == every > 60 and page.inner_text(said) == f"{every} of {every} rows"
        page.get_by_role("combobox", name="Verdict", exact=True).focus()
        page.keyboard.type("does not")
        left = page.locator(shown).count()
        assert 0 < left < every and page.inner_text(said) == f"{left} of {every} rows"
        assert page.locator(shown).evaluate_all("rows => rows.every((row) => row.matches('.verdict-does-not-hold'))")
        page.evaluate("location.hash = 'ledger-intro-landscape'")
        page.wait_for_function("!document.getElementById('ledger-intro-landscape').hidden")
        assert page.locator(shown).count() == every and page.faults == []


def test_without_scripts_the_ledger_is_whole_and_on_a_phone_still_a_table(chromium):
    with opened(chromium, SITE / LEDGER, java_script_enabled=False) as page:
        rows = page.locator("table.ledger tbody tr")
        assert rows.count() > 60 and all(rows.nth(place).is_visible() for place in range(rows.count()))
        assert page.locator("form.ledger-menus").count() == 0
    with opened(chromium, SITE / LEDGER, viewport=PHONE) as page:
        assert page.get_by_role("row").count() > 60
        assert page.get_by_role("columnheader", name="verdict", include_hidden=True).count() >= 1
