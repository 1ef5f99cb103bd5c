"""The palette: visible on a white and on a dark page, apart for every eye, and the same names everywhere."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from eyesight import SEEING, contrast, distance
from matplotlib.colors import to_hex

from hyperlib.figures import style

APART = {"as most": 13, "without green": 9, "without red": 9, "without blue": 7.5}
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")


def test_contrast_is_that_of_the_guideline():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(
        4.48, abs=0.01
    )  # the usual example of a grey that just fails
    assert contrast("#123456", "#123456") == 1


def test_the_dark_ground_is_that_of_the_theme():
    theme = pytest.importorskip("pydata_sphinx_theme")
    sheets = "".join(path.read_text(encoding="utf-8") for path in Path(theme.__file__).parent.rglob("*.css"))

    assert set(re.findall(r"--pst-color-background: ?(#\w+)", sheets)) == {"#fff", style.GROUNDS[1]}


@pytest.mark.parametrize("ground", style.GROUNDS)
def test_every_mark_can_be_seen_on_both_pages(ground: str):
    named = [*style.CYCLE, *style.COLOURS.values(), *style.PAIR, *style.RAISED, style.ZOO, style.INK]
    ramp = [style.RAMP_MAP(place)[:3] for place in np.linspace(0, 1, 101)]

    for colour in [*named, *style.RAMP, *ramp]:
        assert contrast(colour, ground) >= 3
    assert contrast(style.INK, ground) >= 3.9  # words


def test_there_are_six_hues_and_a_grey():
    hues = {colour.lower() for colour in (*style.CYCLE, *style.COLOURS.values(), *style.PAIR, style.ZOO)} - {style.INK}

    assert hues == set(style.HUES) and len(hues) == 6
    assert len({style.COLOURS[name] for name in ("W", "s(W)", "untrained", "ours", "thesis")}) == 5
    assert style.PAIR[0] != style.PAIR[1] and not set(style.PAIR) & {style.COLOURS["W"], style.ZOO}


@pytest.mark.parametrize("eye", SEEING)
def test_any_two_colours_are_apart_for_every_eye(eye: str):
    nearest = min(distance(*pair, eye) for pair in itertools.combinations(style.CYCLE, 2))

    assert nearest >= APART[eye]


def test_the_usual_palette_is_nearer_for_eyes_without_green():
    usual = min(distance(*pair, "without green") for pair in itertools.combinations(OKABE_ITO, 2))

    assert usual < 2  # it was made for words and areas on white


@pytest.mark.parametrize("eye", SEEING)
def test_the_ramp_goes_one_way_for_every_eye(eye: str):
    from_start = [distance(style.RAMP[0], colour, eye) for colour in style.RAMP]

    assert from_start[-1] > 25
    assert all(later > earlier - 3 for earlier, later in itertools.pairwise(from_start))


def test_signed_values_are_clear_at_zero_and_as_strong_on_both_sides():
    minus, zero, plus = style.SIGNED_MAP([0.0, 0.5, 1.0])

    assert zero[3] == 0 and minus[3] == plus[3] == 1
    assert [to_hex(end) for end in (minus, plus)] == [style.BLUE, style.RED]
    strength = style.SIGNED_MAP(np.linspace(0, 1, 255))[:, 3]
    np.testing.assert_allclose(strength, strength[::-1])


def test_few_models_have_a_hue_each_and_of_many_three_are_raised_on_top():
    few, many = style.model_colours(np.array([5, 5, 3, 9])), style.model_colours(np.repeat(np.arange(20), 3))

    assert list(few) == [5, 3, 9] and len(set(few.values())) == 3
    assert sorted(many) == list(range(20)) and list(many)[-3:] == [0, 10, 19]
    assert {to_hex(colour) for colour in list(many.values())[:-3]} == {style.INK}
    assert len(set(many.values())) == 4


def test_methods_keep_their_colour_and_others_get_hues_that_are_free():
    colours = style.method_colours(["W", "ours", "ours, trees", "mine", "ours", "theirs"])

    assert list(colours) == ["W", "ours", "ours, trees", "mine", "theirs"]
    assert colours["W"] == style.INK and colours["ours"] == colours["ours, trees"] == style.COLOURS["ours"]
    assert len(set(colours.values())) == 4
    with pytest.raises(ValueError, match="six hues"):
        style.method_colours([f"method {number}" for number in range(7)])
