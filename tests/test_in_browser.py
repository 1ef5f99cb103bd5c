"""Figures that move, as a reader moves them: by keyboard, on a phone, in the dark, and not before they are in view.
And what else our scripts do on a page: its formulas, and boxes that scroll.

In Chromium, on a small book that is built for it, from files: no server, no network. Skipped where the extra `browser`
or a Chromium is missing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from in_browser import PHONE, opened, violations, wait_for_formulas
from small_book import FILLS, MOVES, TURNS, dress, make_book

from hyperlib.press.edition import Edition
from hyperlib.press.execute import execute
from hyperlib.press.pairs import synchronise
from hyperlib.press.site import build_site

pytestmark = pytest.mark.slow

FORMULAS = """# %% [markdown]
# Of $a^2$, $b$ and $\\sqrt{c}$.

# %% tags=["hide-input"]
text = "a line that is wider than its box" + "WIDE"
""".replace("WIDE", "e" * 200)
WAVE = "#fig-wave"
LINE = f"{WAVE} .movable-live .scatterlayer path.js-line"  # the first is the one that controls change
CONTRAST = """([words, ground]) => {
  const light = (colour) => {
    const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
    const [red, green, blue] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [low, high] = [light(words), light(ground)].sort((one, other) => one - other);
  return (high + 0.05) / (low + 0.05);
}"""
COLOURS = """(element) => {
  let ground = element;
  while (/rgba\\(.*, 0\\)|transparent/.test(getComputedStyle(ground).backgroundColor)) ground = ground.parentElement;
  const style = getComputedStyle(element);
  const drawn = style.fill === "none" ? style.stroke : style.fill;
  return [element.namespaceURI.endsWith("svg") ? drawn : style.color, getComputedStyle(ground).backgroundColor];
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built book whose figures stand below the screen: one that moves in the plane, one in three dimensions.

    A third page has formulas and a fold with a line that is wider than its box.
    """
    root = make_book(
        tmp_path_factory.mktemp("clone") / "book",
        moves=FILLS + MOVES + FILLS,
        turns=FILLS + TURNS + FILLS,
        formulas=FORMULAS,
    )
    dress(root)
    synchronise(root / "notebooks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HYPERLIB_RESULTS", str(root / "results"))
        assert [run.failure for run in execute(Edition(root, "quick"), say=lambda _: None)] == [None, None, None]
        assert build_site(Edition(root, "quick"))
    return root / "_build" / "html" / "notebooks"


@pytest.fixture
def at(site, chromium):
    """A function that opens a page of the small site as a test wants it; faults of its scripts fail the test."""
    pages = []

    def open_page(name: str, **options: Any):
        context = opened(chromium, site / f"{name}.html", **options)
        pages.append((context, context.__enter__()))
        return pages[-1][1]

    yield open_page
    faults = [fault for _, page in pages for fault in page.faults]
    for context, _ in pages:
        context.__exit__(None, None, None)
    assert faults == []


def come_near(page: Any) -> None:
    """Scroll to the figure, and wait until it is drawn."""
    page.locator(WAVE).scroll_into_view_if_needed()
    page.wait_for_selector(LINE)


def tab_until(page: Any, selector: str) -> None:
    """Press Tab until the focus is where the selector says."""
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab never led to {selector}")


def contrast(page: Any, selector: str) -> float:
    return page.evaluate(CONTRAST, page.eval_on_selector(selector, COLOURS))


def drawn(page: Any, attribute: str = "d") -> str:
    return page.locator(LINE).first.get_attribute(attribute)


def changed(page: Any, before: str, attribute: str = "d") -> str:
    """What the line becomes, waited for."""
    page.wait_for_function(
        "([line, name, before]) => document.querySelector(line).getAttribute(name) !== before",
        arg=[LINE, attribute, before],
    )
    return drawn(page, attribute)


def test_script_is_asked_for_when_the_figure_comes_into_view_and_not_before(at):
    page = at("moves")
    page.wait_for_timeout(500)
    assert not [url for url in page.asked if "plotly" in url]
    assert page.locator(f"{WAVE} > img").count() == 1 and page.locator(LINE).count() == 0
    come_near(page)
    assert len([url for url in page.asked if "plotly" in url]) == 1
    assert not page.locator(f"{WAVE} > img").is_visible(), "the live figure stands in the place of its still"
    assert [url for url in page.asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_controls_are_reached_by_tab_and_moved_by_keys(at):
    page = at("moves")
    come_near(page)
    before = drawn(page)
    tab_until(page, f"{WAVE} button")
    tab_until(page, f"{WAVE} button:nth-of-type(2)")
    page.keyboard.press("Enter")
    after = changed(page, before)
    pressed = [button.get_attribute("aria-pressed") for button in page.locator(f"{WAVE} button").all()]
    assert pressed == ["false", "true"]

    colour = drawn(page, "style")
    tab_until(page, f"{WAVE} select")
    page.keyboard.press("ArrowDown")
    assert "rgb(255, 0, 0)" in changed(page, colour, "style")

    tab_until(page, f"{WAVE} input[type=range]")
    page.keyboard.press("ArrowRight")
    assert changed(page, after) != before
    slider = page.locator(f"{WAVE} input")
    assert slider.get_attribute("aria-valuetext") == page.locator(f"{WAVE} output").text_content() == "2"


def test_screen_readers_hear_names_of_controls_and_the_words_of_the_still(at):
    page = at("moves")
    come_near(page)
    figure = page.locator(WAVE)
    assert figure.get_by_role("img", name="A wave that rises and falls once.").count() == 1
    assert figure.get_by_role("group", name="Sign").get_by_role("button").count() == 2
    assert figure.get_by_role("combobox", name="Show").count() == figure.get_by_role("slider", name="rate").count() == 1
    assert page.locator(f"{WAVE} [role=img] :is(button, select, input)").count() == 0
    assert page.locator(f"{WAVE} .updatemenu-container, {WAVE} .slider-container").count() == 0, "Plotly's own are gone"


def test_pointer_over_a_line_says_the_value(at):
    page = at("moves")
    come_near(page)
    box = page.locator(LINE).first.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2  # of a wave: on its line, off the axes' handles
    page.mouse.move(middle[0] + 3, middle[1])
    page.mouse.move(*middle, steps=3)
    page.wait_for_selector(f"{WAVE} .hoverlayer .hovertext")


def test_phone_holds_the_figure_and_its_controls(at):
    page = at("moves", viewport=PHONE, has_touch=True, is_mobile=True)
    come_near(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for control in page.locator(f"{WAVE} :is(button, select, input, output), {WAVE} .movable-live").all():
        box = control.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
    assert page.locator(f"{WAVE} .main-svg").first.bounding_box()["height"] == 380, "what the figure asks for on phones"


def swipe(page: Any, x: float, y: float) -> None:
    """A finger that goes 200 pixels up in small steps, as the browser's own input makes it."""
    touch = page.context.new_cdp_session(page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 11):
        point = {"x": x, "y": y - 20 * step}
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def scrolls(page: Any, selector: str, move: Any) -> bool:
    """Whether the page goes down when something is moved over the middle of an element."""
    page.locator(selector).first.evaluate(
        "(element) => element.scrollIntoView({ block: 'center', behavior: 'instant' })"
    )
    box, before = page.locator(selector).first.bounding_box(), page.evaluate("scrollY")
    move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    try:
        page.wait_for_function("(before) => scrollY > before + 50", arg=before, timeout=3000)
    except Exception:
        return False
    return True


def wheel(page: Any, x: float, y: float) -> None:
    page.mouse.move(x, y)
    page.mouse.wheel(0, 200)


def test_wheel_and_swipe_over_a_figure_scroll_the_page(at):
    page = at("moves", viewport=PHONE, has_touch=True, is_mobile=True)
    come_near(page)
    place = f"{WAVE} .nsewdrag"
    assert scrolls(page, place, lambda x, y: wheel(page, x, y))
    assert scrolls(page, place, lambda x, y: swipe(page, x, y))


def test_three_dimensions_wait_for_a_button_and_do_not_hold_the_page(at):
    page = at("turns", viewport=PHONE, has_touch=True, is_mobile=True)
    figure = page.locator("#fig-curve")
    figure.scroll_into_view_if_needed()
    button = figure.get_by_role("button", name="Turn it in 3-D")
    button.wait_for()
    page.wait_for_timeout(500)
    assert figure.locator("> img").is_visible() and not [url for url in page.asked if "plotly" in url]
    assert figure.get_by_role("slider").count() == 0, "hidden while there is nothing to turn"

    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#fig-curve .gl-container canvas", state="attached", timeout=60_000)
    slider = figure.get_by_role("slider", name="Turn")
    slider.wait_for()
    eye = "document.querySelector('#fig-curve .movable-live')._fullLayout.scene.camera.eye.x"
    before = page.evaluate(eye)
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"(before) => {eye} !== before", arg=before)
    assert slider.get_attribute("aria-valuetext") == "60°"
    assert scrolls(page, "#fig-curve .gl-container canvas", lambda x, y: wheel(page, x, y))
    assert scrolls(page, "#fig-curve .gl-container canvas", lambda x, y: swipe(page, x, y))

    figure.get_by_role("button", name="Back to the still").click()
    assert figure.locator("> img").is_visible() and figure.get_by_role("slider").count() == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_controls_words_and_marks_stand_out_from_the_page(at, dark):
    page = at("moves", dark=dark)
    come_near(page)
    assert page.evaluate("document.documentElement.dataset.theme") == ("dark" if dark else "light")
    words = [
        f"{WAVE} {part}" for part in ("legend", "button[aria-pressed=true]", "button[aria-pressed=false]", "select")
    ]
    words += [f"{WAVE} {part}" for part in ("div > label", "output", ".xtick text", ".legendtext")]
    assert {part: ratio for part in words if (ratio := contrast(page, part)) < 4.5} == {}
    assert contrast(page, LINE) >= 3


def test_without_scripts_and_in_print_the_still_stands(at):
    page = at("moves", java_script_enabled=False)
    assert page.locator(f"{WAVE} > img").is_visible() and not page.locator(f"{WAVE} .movable-live").is_visible()
    page = at("moves")
    come_near(page)
    page.emulate_media(media="print")
    assert page.locator(f"{WAVE} > img").is_visible()
    for part in (".movable-live", ".movable-controls"):
        assert not page.locator(f"{WAVE} {part}").is_visible()


def test_still_stays_where_plotly_does_not_come(at, site):
    script = site.parent / "_static" / "plotly.min.js"
    script.rename(script.with_suffix(".gone"))
    try:
        page = at("moves")
        with page.expect_console_message(lambda message: "its still is shown" in message.text):
            page.locator(WAVE).scroll_into_view_if_needed()
    finally:
        script.with_suffix(".gone").rename(script)
    assert page.locator(f"{WAVE} > img").is_visible() and page.locator(f"{WAVE} .movable-controls").count() == 0


def test_narrowed_window_asks_for_the_layout_of_a_phone(at):
    page = at("moves")
    come_near(page)
    page.set_viewport_size(PHONE)
    page.wait_for_function("(svg) => document.querySelector(svg).clientHeight === 380", arg=f"{WAVE} .main-svg")


def test_formulas_are_set_after_all_else_and_one_by_one(at):
    page = at("formulas")
    wait_for_formulas(page)
    assert page.locator(".math").count() == 3 and page.locator(".math mjx-assistive-mml math").count() == 3
    first = next(at for at, url in enumerate(page.asked) if "/mathjax/" in url)
    assert first > 10 and all("/mathjax/" in url for url in page.asked[first:])
    turns = page.evaluate("""async () => {
        const turns = [];
        MathJax.typesetPromise = async () => {
            turns.push("formula");
            setTimeout(() => turns.push("reader"));
        };
        await MathJax.config.startup.pageReady();
        return turns;
    }""")
    assert turns == ["formula", "reader", "formula", "reader", "formula"]


def test_a_box_that_scrolls_is_reached_by_keyboard_when_its_fold_is_opened(at):
    page = at("formulas")
    wait_for_formulas(page)
    page.wait_for_timeout(500)  # the theme, too, measures some boxes, a moment after formulas are set
    fold = page.locator("details", has_text="a line that is wider")
    box = fold.locator("pre")
    box.evaluate("(box) => box.removeAttribute('tabindex')")  # as where closed folds have no layout to measure
    fold.locator("summary").click()
    page.wait_for_function("(box) => box.tabIndex === 0", arg=box.element_handle())


@pytest.mark.parametrize("options", [{}, {"viewport": PHONE}, {"dark": True}], ids=["desktop", "phone", "dark"])
@pytest.mark.parametrize("name", ["moves", "turns", "../book/index"])
def test_axe_finds_nothing_that_is_ours(at, name, options):
    page = at(name, **options)
    for figure in page.locator("figure.movable").all():
        figure.scroll_into_view_if_needed()
        page.wait_for_selector("figure.movable .movable-controls :is(button, input)")
    page.wait_for_timeout(500)
    assert violations(page) == []
