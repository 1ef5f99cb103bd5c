"""The published run bears out every sentence that the pages say of it."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import readings

from hyperlib.files.paths import root

PAGES = ["README", *sorted(source.stem for source in (root() / "notebooks").glob("*.py"))]
for file in sorted(Path(__file__).parent.glob("readings_*.py")):
    importlib.import_module(file.stem)


def named(check: readings.Check) -> str:
    return f"{check.page}: {check.phrase}"


@pytest.mark.parametrize("check", readings.CHECKS, ids=named)
def test_the_published_run_bears_it_out(check):
    assert check.fault() is None


@pytest.mark.parametrize("check", readings.CHECKS, ids=named)
def test_the_page_says_what_is_checked(check):
    assert readings.plain(check.phrase) in readings.readings(check.page)


@pytest.mark.parametrize("page", PAGES)
def test_no_number_of_a_reading_goes_unchecked(page):
    assert readings.unchecked(page) == []


@pytest.mark.parametrize(
    ("printed", "value", "right"),
    [(".89", 0.8949, True), ("0.89", 0.896, False), ("86", 86.4, True), ("1,642", 1642, True), ("three", 3, True),
     ("three", 3.1, False), ("−2.1", -2.13, True), ("1e-3", 0.0012, True), ("1e-3", 0.0016, False)],
)  # fmt: skip
def test_a_printed_number_is_the_rounded_value(printed, value, right):
    assert readings.same(printed, value) is right


def test_a_phrase_that_the_tables_do_not_bear_out_is_a_fault():
    assert readings.Check("x", "two of 7 zoos, at .91", lambda _: (2, 7, 0.913)).fault() is None
    assert readings.Check("x", "two of 7 zoos", lambda _: (3, 7)).fault() == "two is 3"
    assert readings.Check("x", "two of 7 zoos", lambda _: (3,)).fault().startswith("it prints")
    assert readings.Check("x", "reversed in all", lambda _: False).fault()


def test_words_of_quantity_are_found():
    for text in ("in all three", "half of it", "fell by 3 %", "is reversed", "one of them", ".5", "a tenth"):
        assert readings.QUANTITY.search(text), text


def test_names_and_pronouns_are_no_quantities():
    assert not readings.QUANTITY.search(readings.plain("the one that s(W) of fc1 has, {cite}`he2016`, {numref}`tab-2`"))
