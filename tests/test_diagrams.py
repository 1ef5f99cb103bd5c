"""The drawn diagrams: reproducible to the byte, whole in themselves, and legible on light and dark pages."""

from __future__ import annotations

import itertools
import re
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from hyperlib.figures import diagrams

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("intro-landscape", "intro-contributions", "zoo-blueprint")
DRAWN = (
    (diagrams.draw_landscape, diagrams.LANDSCAPE_HEIGHT),
    (diagrams.draw_contributions, diagrams.CONTRIBUTIONS_HEIGHT),
    (diagrams.draw_blueprint, diagrams.BLUEPRINT_HEIGHT),
)
LOCKED = re.search(r"^matplotlib==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)[1]


def drawn_on_paper(draw, height: float, inches: float) -> Figure:
    width = diagrams.WIDTH + 2 * diagrams.MARGIN
    figure = Figure(figsize=(inches, inches * height / width), dpi=100)
    FigureCanvasAgg(figure)
    draw(figure.add_axes((0, 0, 1, 1)))
    figure.canvas.draw()
    return figure


def contrast(one: str, other: str) -> float:
    """Ratio of WCAG 2, from 1 to 21."""

    def luminance(colour: str) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.skipif(version("matplotlib") != LOCKED, reason="another matplotlib may write other bytes")
@pytest.mark.parametrize("name", NAMES)
def test_the_committed_diagram_is_the_one_that_the_code_draws(tmp_path, name: str):
    diagrams.save_diagrams(tmp_path)

    committed = ROOT / "book" / "figures" / f"{name}.svg"
    assert (tmp_path / f"{name}.svg").read_bytes() == committed.read_bytes()


def test_a_page_s_own_style_does_not_change_the_diagrams(tmp_path):
    plain = diagrams.save_diagrams(tmp_path / "plain")
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

    assert len(words) > 10
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
    fills = {mpl.colors.to_hex(patch.get_facecolor()) for patch in axes.patches} - {diagrams.WHITE}
    inks = {text.get_color() for text in axes.texts} - {diagrams.WHITE} - fills

    assert inks == {diagrams.GREY} or not inks
    for fill in fills - {diagrams.GREY}:
        assert contrast(fill, diagrams.WHITE) >= 4.5  # words on a box, and the box on a white page
        assert contrast(fill, "#14181e") >= 3  # the box on a dark page
    assert min(contrast(diagrams.GREY, page) for page in ("#ffffff", "#14181e")) >= 4
