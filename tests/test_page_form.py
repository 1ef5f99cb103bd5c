"""The form of every page: what a reader can take in at once, and no number that a run did not make."""

from __future__ import annotations

import ast
import re
from functools import cache

import jupytext
import pytest
from readings import BOX, plain

from hyperlib.files.paths import root

SOURCES = sorted((root() / "notebooks").glob("*.py"))
TEACHING = {"prerequisites", "lab_weight_space", "misconceptions"}  # they ask nothing of the thesis
WIDEST, LONGEST = 88, 10  # characters of a visible line, lines of a visible cell
FOLDED = {"hide-input", "remove-input", "hide-cell", "remove-cell", "parameters"}
NAMES = re.compile(  # digits in prose that are names and no measurements
    r"\b(?:[Cc]hapters?|ch\.|[Ff]igs?\.|[Tt]ables?|[Ss]ections?|[Ee]pochs?|arXiv|seeds?) [\d.,:]+(?: and \d+| to \d+)?"
    r"|\b\d+ ?[x×] ?\d+\b|\bU\(\d, ?\d\)|\b(?:19|20)\d\d\b|\b[2-3]-?D\b|\bL?l2\b"
    r"|\b(?:CIFAR|STL|ResNet|MNIST|float|conv|fc|bfloat)-?\w*\d+\b"
    r"|\b\d+/\d+/\d+\b|\bR2\b|\d+(?:th|st)\b|\b95 %|\b0 (?:and|to) 1\b",
)

RAW = re.compile(  # what a cell ends with that is a table, and that a notebook shows in its own way
    r"study\.publish\(|pd\.DataFrame\(|\w*table$|.*\.(?:table|frame|history_)$|.*\.(?:head|tail|query)\(.*\)$"
)


@pytest.fixture(params=SOURCES, ids=lambda source: source.stem)
def cells(request):
    return _cells(request.param)


@cache
def _cells(source):
    return jupytext.read(source, fmt="py:percent").cells


def code(cells, *tags: str):
    return [cell for cell in cells if cell.cell_type == "code" and not {*tags} & {*cell.metadata.get("tags", [])}]


def prose(cells) -> str:
    """Text outside of readings, quotations, code, formulas, exercises and their solutions."""
    text = "\n\n".join(cell.source if cell.cell_type == "markdown" else "" for cell in cells)
    text = BOX.sub("", text)
    text = re.sub(r"^```\{exercise\}.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^```\{solution-start\}.*?\{solution-end\}\n```$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^>.*$", "", text, flags=re.MULTILINE)
    return plain(
        re.sub(
            r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|\]\([^)]*\)", "", re.sub(r"\{[\w:-]+\}`[^`]*`", "", text), flags=re.DOTALL
        )
    )


def test_visible_lines_fit_the_page(cells):
    for cell in code(cells, *FOLDED):
        assert all(len(line) <= WIDEST for line in cell.source.splitlines()), cell.source


def test_visible_cells_hold_one_idea(cells):
    for cell in code(cells, *FOLDED, "solution"):
        assert len(cell.source.splitlines()) <= LONGEST, cell.source


def test_nothing_scrolls_unseen(cells):
    assert not [cell for cell in cells if "output_scroll" in cell.metadata.get("tags", [])]


def test_no_table_is_shown_raw(cells):
    for cell in code(cells, "solution"):
        last = ast.parse(cell.source).body[-1]  # without its semicolon
        raw = isinstance(last, ast.Expr) and RAW.match(ast.unparse(last))
        assert not raw or cell.source.rstrip().endswith(";"), "end it with ; or show_table"


def test_imports_are_folded(cells):
    for cell in code(cells, *FOLDED, "solution"):
        assert not re.search(r"^(?:from .* )?import ", cell.source, re.MULTILINE), cell.source


def test_every_table_and_figure_has_a_name_of_its_own_a_caption_and_words(cells):
    names = []
    for cell in code(cells, "solution"):
        if re.search(r"^show_table\(", cell.source, re.MULTILINE):
            table = cell.metadata.get("table", {})
            assert table.get("name", "").startswith("tab-") and table.get("caption"), cell.source
            names.append(table["name"])
        if re.search(r"plt\.show\(\)|^movable\(", cell.source, re.MULTILINE):
            shown = cell.metadata.get("mystnb", {})
            assert shown["figure"]["name"].startswith("fig-") and shown["figure"]["caption"], cell.source
            assert len(shown["image"]["alt"]) > 20, cell.source
            names.append(shown["figure"]["name"])
    assert len(names) == len({*names})


def test_names_of_tables_and_figures_are_unique_in_the_book():
    names = [
        part["name"]
        for source in SOURCES
        for cell in _cells(source)
        for part in (cell.metadata.get("table", {}), cell.metadata.get("mystnb", {}).get("figure", {}))
        if "name" in part
    ]
    assert len(names) == len({*names})


def test_captions_and_alternative_texts_carry_no_numbers_of_a_run(cells):
    for cell in cells:
        shown = cell.metadata.get("mystnb", {})
        words = [cell.metadata.get("table", {}).get("caption", ""), shown.get("figure", {}).get("caption", "")]
        for text in (*words, shown.get("image", {}).get("alt", "")):
            assert not re.search(r"\d", NAMES.sub("", re.sub(r"\$[^$]*\$|\{[\w:-]+\}`[^`]*`", "", text))), text


def test_no_number_of_a_run_is_typed_in_prose(cells):
    text = NAMES.sub("", prose(cells))
    assert not [
        text[max(0, found.start() - 50) : found.end() + 30] for found in re.finditer(r"(?<![\w.])[.\d]*\d", text)
    ]


def test_no_large_number_is_spelled_out_in_prose(cells):
    words = r"\b(?:eleven|twelve|\w+teen|twenty|thirty|forty|fifty|sixty|hundreds?|thousands?|millions?|dozens?)\b"
    assert not re.findall(words, prose(cells), re.IGNORECASE)


def test_a_reading_is_one_answer_and_at_most_four_points(cells):
    for cell in cells:
        for box in BOX.findall(cell.source) if cell.cell_type == "markdown" else ():
            assert re.match(r":class: published-run\n\n\*\*", box), box
            assert len(re.findall(r"^- ", box, re.MULTILINE)) <= 4, box
            assert len(plain(box).split()) <= 170, box


def test_a_page_begins_with_a_question_and_what_one_will_see(cells):
    first = cells[0].source
    assert first.splitlines()[0].startswith("# ") and "?" in first.splitlines()[0], first
    assert "**You will see**" in first and len(re.findall(r"^- ", first, re.MULTILINE)) == 3, first


@pytest.mark.parametrize("name", [source.stem for source in SOURCES if source.stem not in TEACHING])
def test_a_page_ends_with_its_scorecard(name):
    cells = _cells(root() / "notebooks" / f"{name}.py")
    assert 'study.publish("disc-scorecard"' in "\n".join(cell.source for cell in cells)
