"""The drawn diagrams: reproducible to the byte, whole in themselves, and legible on light and dark pages."""

from __future__ import annotations

import itertools
import re
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from eyesight import contrast
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hyperlib.figures import diagram_parts as parts
from hyperlib.figures import diagrams
from hyperlib.figures.diagrams import DIAGRAMS
from hyperlib.figures.style import GROUNDS

ROOT = Path(__file__).resolve().parents[1]
NAMES, DRAWN = tuple(DIAGRAMS), tuple(DIAGRAMS.values())
LOCKED = re.search(r"^matplotlib==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)[1]


def drawn_on_paper(draw, height: float, inches: float) -> Figure:
    width = parts.WIDTH + 2 * parts.MARGIN
    figure = Figure(figsize=(inches, inches * height / width), dpi=100)
    FigureCanvasAgg(figure)
    draw(figure.add_axes((0, 0, 1, 1)))
    figure.canvas.draw()
    return figure


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> list[Path]:
    """All diagrams, as drawn without a page's style."""
    return diagrams.save_diagrams(tmp_path_factory.mktemp("plain"))


@pytest.mark.skipif(version("matplotlib") != LOCKED, reason="another matplotlib may write other bytes")
@pytest.mark.parametrize("name", NAMES)
def test_the_committed_diagram_is_the_one_that_the_code_draws(plain, name: str):
    committed = ROOT / "book" / "figures" / f"{name}.svg"
    assert plain[NAMES.index(name)].read_bytes() == committed.read_bytes()


def test_the_book_s_folder_holds_these_diagrams_and_no_others():
    assert sorted(path.stem for path in (ROOT / "book" / "figures").iterdir()) == sorted(NAMES)


def test_a_page_s_own_style_does_not_change_the_diagrams(plain, tmp_path):
    with mpl.rc_context({"font.size": 30, "font.family": "serif", "axes.facecolor": "red", "savefig.dpi": 17}):
        styled = diagrams.save_diagrams(tmp_path / "new" / "styled")

    assert [path.name for path in plain] == [f"{name}.svg" for name in NAMES]
    for one, other in zip(plain, styled, strict=True):
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_diagram_needs_nothing_outside_itself(name: str):
    text = (ROOT / "book" / "figures" / f"{name}.svg").read_text(encoding="utf-8")
    elements = list(ElementTree.fromstring(text).iter())
    tags = {element.tag.rpartition("}")[2] for element in elements}
    links = [value for e in elements for key, value in e.attrib.items() if key.endswith(("href", "src"))]

    assert links and all(link.startswith("#") for link in links)
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", text))
    assert tags.isdisjoint({"image", "text", "script", "foreignObject", "metadata"})
    assert "<!" not in text and "@import" not in text and "font-family" not in text


@pytest.mark.parametrize(("draw", "height"), DRAWN, ids=NAMES)
def test_words_neither_overlap_nor_leave_the_page(draw, height: float):
    figure = drawn_on_paper(draw, height, inches=6.5)
    words = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
    page = figure.bbox

    assert len(words) >= 10
    for box in words:
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
    for one, other in itertools.combinations(words, 2):
        assert not one.overlaps(other)


@pytest.mark.parametrize(("draw", "height"), DRAWN, ids=NAMES)
def test_words_grow_with_the_drawing_and_stay_readable_on_a_phone(draw, height: float):
    small, large = (
        [text.get_fontsize() for text in drawn_on_paper(draw, height, inches).axes[0].texts] for inches in (3.25, 6.5)
    )

    assert large == pytest.approx([2 * size for size in small])
    points_at_400_pixels = min(large) * 400 / (6.5 * 72)
    assert points_at_400_pixels >= 9


@pytest.mark.parametrize(("draw", "height"), DRAWN, ids=NAMES)
def test_colours_are_legible_on_light_and_dark_pages(draw, height: float):
    axes = drawn_on_paper(draw, height, inches=6.5).axes[0]
    fills = {to_hex(patch.get_facecolor()) for patch in axes.patches if patch.get_facecolor()[3]} - {parts.WHITE}
    hollow = {to_hex(patch.get_edgecolor()) for patch in axes.patches if not patch.get_facecolor()[3]}
    inks = {text.get_color() for text in axes.texts} - {parts.WHITE} - fills

    assert inks == {parts.GREY} or not inks
    for fill in fills - {parts.GREY}:
        assert contrast(fill, parts.WHITE) >= 4.5  # words on a box, and the box on a white page
        assert contrast(fill, "#14181e") >= 3  # the box on a dark page
    assert min(contrast(parts.GREY, page) for page in GROUNDS) >= 4
    for colour in hollow | {to_hex(line.get_color()) for line in axes.lines}:
        assert min(contrast(colour, page) for page in GROUNDS) >= 3
    assert all(artist.get_alpha() is None for artist in (*axes.patches, *axes.lines, *axes.texts))


def test_in_the_swap_columns_follow_their_rows_and_nothing_else_changes():
    axes = drawn_on_paper(*DIAGRAMS["unit-swap"], inches=6.5).axes[0]
    cells = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    orders = []
    for side in (cells[: len(cells) // 2], cells[len(cells) // 2 :]):
        rows, columns = {}, {}
        left = min(cell.get_x() for cell in side)
        for cell in side:
            behind = cell.get_x() - left > 100
            place = cell.get_x() if behind else -cell.get_y()
            (columns if behind else rows).setdefault(place, set()).add(to_hex(cell.get_facecolor(), keep_alpha=True))
        in_front, behind = ([row[place] for place in sorted(row)] for row in (rows, columns))
        assert in_front == behind and all(len(colours) == 1 for colours in behind)
        orders.append([colours.pop() for colours in behind])
    before, after = orders
    assert before != after == [before[place] for place in (0, 3, 2, 1)]


def test_the_height_that_is_marked_is_the_barrier_by_its_formula():
    axes = drawn_on_paper(*DIAGRAMS["barrier-hill"], inches=6.5).axes[0]
    chord, aligned, as_trained = (line.get_ydata() for line in axes.lines)
    part = np.linspace(0, 1, len(as_trained))
    rise = as_trained - ((1 - part) * as_trained[0] + part * as_trained[-1])
    marked = [patch for patch in axes.patches if to_hex(patch.get_facecolor()) == parts.VERMILLION]
    reach = marked[0].get_path().get_extents()

    assert reach.height == pytest.approx(rise.max(), rel=0.05)  # the heads' tips are blunt
    assert (aligned <= as_trained).all() and (aligned[[0, -1]] == as_trained[[0, -1]]).all()
    assert chord.tolist() == as_trained[[0, -1]].tolist()
