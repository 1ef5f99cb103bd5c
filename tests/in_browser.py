"""A Chromium that tests drive: where it is, pages of a site in it, what axe-core finds and what loading costs.

Needs the optional packages of the extra `browser` and a Chromium of the system (`CHROMIUM` names another one). Tests
that import this module skip themselves where one of the two is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hyperlib.press.pdf import NAMES, READY, chromium, launch_options

HOW = "`pip install -c constraints.txt -e .[browser]` brings it"
playwright = pytest.importorskip("playwright.sync_api", reason=f"playwright drives the browser; {HOW}")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason=f"axe finds faults of access; {HOW}")

CHROMIUM = chromium()
if CHROMIUM is None:
    pytest.skip(f"No {', '.join(NAMES)} is on the path, and CHROMIUM names none.", allow_module_level=True)

DESKTOP, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
KNOWN = {  # faults that are not ours to mend: rule of axe, part of the element, whose it is
    ("aria-allowed-role", "doc-biblioentry"): "the role that Sphinx gives to entries of the bibliography",
    ("aria-deprecated-role", "doc-biblioentry"): "the same",
    ("aria-required-children", "citation-list"): "the list that Sphinx makes of them",
    ("region", "sidebar-primary-item"): "the theme's logo stands outside of its landmarks",
}
_WATCH = """window.tasks = [];
window.painted = 0;
new PerformanceObserver((list) => tasks.push(...list.getEntries().map((one) => one.duration)))
  .observe({ type: "longtask", buffered: true });
new PerformanceObserver((list) => { painted = list.getEntries().at(-1).startTime; })
  .observe({ type: "largest-contentful-paint", buffered: true });"""


@contextmanager
def browser() -> Iterator[Any]:
    """A browser without a window, that draws in three dimensions also where there is no graphics card."""
    drawn = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(**launch_options(*drawn))
        yield chromium
        chromium.close()


@contextmanager
def opened(chromium: Any, file: Path, *, dark: bool = False, **options: Any) -> Iterator[Any]:
    """A page of a site, from its file, light or dark. `asked` lists what it asked for, `faults` what went wrong."""
    page = chromium.new_page(**{"viewport": DESKTOP, **options})
    page.asked, page.faults = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda fault: page.faults.append(str(fault)))
    theme = "dark" if dark else "light"
    page.add_init_script(_WATCH + f"for (const key of ['mode', 'theme']) localStorage.setItem(key, '{theme}');")
    page.goto(file.resolve().as_uri())
    yield page
    page.close()


def wait_for_formulas(page: Any) -> None:
    """Wait until every formula of a page is set, which begins only when the page is loaded."""
    page.wait_for_function(READY)


def violations(page: Any) -> list[str]:
    """What axe-core finds on a page, without what is known: rule, element, and what is wrong."""
    wait_for_formulas(page)
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:200]}: {'; '.join(check['message'] for check in [*node['any'], *node['all']])}"
        for rule in found
        for node in rule["nodes"]
        if not any(rule["id"] == known and part in node["html"] for known, part in KNOWN)
    ]


def cost(page: Any) -> tuple[float, float, float]:
    """Seconds until the page was loaded, until the largest thing in view was drawn (its largest contentful paint), and
    in which it could not answer (long tasks above 50 ms each)."""
    page.wait_for_load_state("load")
    wait_for_formulas(page)
    page.wait_for_timeout(1500)  # scripts that wait for a quiet moment have had theirs
    loaded = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    blocked = sum(max(0, task - 50) for task in page.evaluate("tasks"))
    return loaded / 1000, page.evaluate("painted") / 1000, blocked / 1000
