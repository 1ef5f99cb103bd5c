"""Tables of results: readable, folded, the same every time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from hyperlib.figures.tables import show_table
from hyperlib.figures.words import say


def cells(shown, part: int = 0) -> list[list[str]]:
    table = BeautifulSoup(shown.to_html(), "html.parser").find_all("table")[part]
    return [[cell.get_text(strip=True) for cell in row.find_all(["td", "th"])] for row in table.find_all("tr")]


def test_numbers_are_read_as_what_they_are():
    table = pd.DataFrame(
        {"zoo_name": ["a", "b"], "r2": [1 / 3, np.nan], "models": [1000.0, 20.0], "epoch": [1, 25],
         "share": [1.0, 0.0], "off": [-0.0, -2e-9], "held": [True, False]}
    )  # fmt: skip
    assert cells(show_table(table)) == [
        ["zoo name", "r2", "models", "epoch", "share", "off", "held"],
        ["a", "0.333", "1,000", "1", "1.000", "0.000", "yes"],
        ["b", "–", "20", "25", "0.000", "-2e-09", "no"],
    ]


def test_a_small_number_among_larger_ones_is_nothing_and_has_no_sign():
    table = pd.DataFrame({"r2": [0.5, 2e-3, -2e-3, 0.0, np.nan], "error": [0.0, 2e-16, -3e-9, 1e-15, np.nan]})
    shown = show_table(table, 2, rows=[1, 2])  # of what is visible nothing would be left, of the whole column it is
    few, whole = ([list(column) for column in zip(*cells(shown, part)[1:], strict=True)] for part in (0, 1))
    assert few == [["0.00", "0.00"], ["2e-16", "-3e-09"]]
    assert whole == [["0.50", "0.00", "0.00", "0.00", "–"], ["0.00", "2e-16", "-3e-09", "1e-15", "–"]]
    assert [row[0] for row in cells(show_table(table, 0))[1:]] == ["0", "0", "0", "0", "–"]


def test_numbers_of_all_sizes_can_have_the_same_digits():
    table = pd.DataFrame({"s": [12345.6, 0.00123456, 2.0, -0.0]})
    assert [row[0] for row in cells(show_table(table, digits=3))[1:]] == ["12300", "0.00123", "2", "0"]


def test_numbers_stand_to_the_right_and_words_do_not():
    html = show_table(pd.DataFrame({"zoo": ["a"], "models": [3], "mixed": [None]}, dtype=object)).to_html()
    assert ".col1 {\n  text-align: right" in html and ".col0 {\n  text-align: right" not in html


def test_a_long_table_is_folded_and_none_of_it_is_lost():
    table = pd.DataFrame({"n": range(20)})
    shown = show_table(table)
    assert [len(cells(shown, part)) - 1 for part in (0, 1)] == [8, 20]
    assert "All 20 rows" in shown.to_html()
    assert "<details>" not in show_table(table.head(8)).to_html()


def test_the_rows_that_decide_can_be_named():
    shown = show_table(pd.DataFrame({"n": range(20)}), rows=[3, 17])
    assert [row[0] for row in cells(shown)[1:]] == ["3", "17"]
    with pytest.raises(ValueError, match="no row 99"):
        show_table(pd.DataFrame({"n": [1]}), rows=[99])
    with pytest.raises(TypeError, match="DataFrame"):
        show_table([1, 2])


def test_the_csv_is_that_of_the_published_table_also_of_a_part_of_it():
    published = pd.DataFrame({"a": range(9), "b": range(9)})
    published.attrs |= {"csv": "quick/ws-entropy.csv", "columns": ["a", "b"]}
    assert 'class="csv">quick/ws-entropy.csv<' in show_table(published[["a"]]).to_html()
    made = published.groupby("a").sum().reset_index()
    assert 'class="csv">quick/ws-entropy.csv<' in show_table(made, of=published).to_html()
    assert "csv" not in show_table(pd.DataFrame({"a": [1]})).to_html()
    assert "csv" not in show_table(published.rename(columns={"b": "c"})).to_html()  # no file has a column c


def test_text_is_no_markup_and_the_same_table_gives_the_same_bytes():
    table = pd.DataFrame({"<b>": ["<script>", "x & y"]})
    html = show_table(table).to_html()
    assert html == show_table(table.copy()).to_html()
    assert "<script>" not in html and "<b>" not in html and "x &amp; y" in html


def test_a_notebook_gets_the_table_and_the_name_of_its_csv():
    data, metadata = show_table(pd.DataFrame({"a": [1]}))._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain"} and metadata == {"hyperlib_table": {"csv": None}}


def test_what_is_said_is_markdown_and_never_nothing():
    assert say("  **Two** models.\n")._repr_markdown_() == "**Two** models."
    with pytest.raises(ValueError, match="nothing to say"):
        say("  \n")
