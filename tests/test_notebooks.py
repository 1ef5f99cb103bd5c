"""Every chapter is a pair in step, without outputs, and reads as the book's chapters do."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import jupytext
import nbformat
import pytest

from hyperlib.files.paths import root
from hyperlib.press import pairs
from hyperlib.study.parameters import assigned_names

SOURCES = sorted((root() / "notebooks").glob("*.py"))
LONGEST = 60  # lines of a folded cell, as long as the list of a page's claims; what is visible has ten (test_page_form)


@pytest.fixture(params=SOURCES, ids=lambda source: source.stem)
def source(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_there_are_chapters():
    assert SOURCES


def test_pairs_are_in_step():
    assert pairs.outdated(root() / "notebooks") == [], "run `make sync`"


def test_cells_of_the_pair_are_equal(source):
    ours, theirs = jupytext.read(source), nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    cells = [[(c.cell_type, c.source, c.metadata.get("tags"), c.metadata.get("mystnb")) for c in notebook.cells]
             for notebook in (ours, theirs)]  # fmt: skip
    assert cells[0] == cells[1]


def test_notebook_has_no_outputs(source):
    for cell in nbformat.read(source.with_suffix(".ipynb"), as_version=4).cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None


def test_notebook_is_valid_and_names_its_kernel_without_versions(source):
    notebook = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert "version" not in json.dumps(notebook.metadata)


def test_one_cell_of_parameters_begins_with_the_profile_and_holds_plain_values(source):
    (cell,) = (cell for cell in jupytext.read(source).cells if "parameters" in cell.metadata.get("tags", []))
    assert cell.source.splitlines()[0].startswith('profile = "quick"  # '), "what Run all starts"
    for node in ast.parse(cell.source).body:
        assert isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    assert assigned_names(cell.source)[0] == "profile"


def test_first_code_cell_is_the_parameters(source):
    code = [cell for cell in jupytext.read(source).cells if cell.cell_type == "code"]
    assert code[0].metadata.get("tags") == ["parameters"]


def test_code_cells_are_short(source):
    for cell in jupytext.read(source).cells:
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= LONGEST, cell.source


def test_figures_have_name_caption_and_words(source):
    for cell in jupytext.read(source).cells:
        shown = cell.metadata.get("mystnb", {})
        if "figure" in shown or "image" in shown:
            assert shown["figure"]["name"].startswith("fig-") and shown["figure"]["caption"]
            assert len(shown["image"]["alt"]) > 20, "say what the figure shows"


def test_synchronising_makes_a_pair_and_notices_an_edit(tmp_path):
    source = tmp_path / "01_a.py"
    source.write_text("# %% [markdown]\n# # A\n\n# %%\nx = 1\n")
    assert pairs.outdated(tmp_path) == [source]
    assert pairs.synchronise(tmp_path) == [source] and pairs.outdated(tmp_path) == []
    first = source.with_suffix(".ipynb").read_text()
    assert pairs.synchronise(tmp_path) == [] and source.with_suffix(".ipynb").read_text() == first
    source.write_text(source.read_text().replace("x = 1", "x = 2"))
    assert pairs.main(["--check"], tmp_path) == 1 and pairs.outdated(tmp_path) == [source]
    assert pairs.main([], tmp_path) == 0


def test_outputs_left_in_a_notebook_are_noticed(tmp_path):
    source = tmp_path / "01_a.py"
    source.write_text("# %%\nx = 1\n")
    pairs.synchronise(tmp_path)
    notebook = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    notebook.cells[0].execution_count = 3
    nbformat.write(notebook, source.with_suffix(".ipynb"))
    assert pairs.outdated(tmp_path) == [source]


def test_notebook_without_source_is_noticed(tmp_path, capsys):
    (tmp_path / "01_lone.ipynb").write_text("{}")
    assert pairs.main([], tmp_path) == 1
    assert "01_lone.ipynb has no .py source" in capsys.readouterr().out


def test_alike_cells_have_ids_of_their_own(tmp_path):
    source = tmp_path / "01_a.py"
    source.write_text("# %%\nx = 1\n\n# %%\nx = 1\n")
    nbformat.validate(nbformat.reads(pairs.paired_text(source), as_version=4))


def test_no_cell_gives_an_imported_name_to_something_else(source):
    """The cells below it would meet the other thing, at whichever size they are reached first."""
    cells = [cell.source for cell in jupytext.read(source, fmt="py:percent").cells if cell.cell_type == "code"]
    nodes = list(ast.walk(ast.parse("\n".join(cells))))
    imported = [alias for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
    given = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    assert given.isdisjoint(alias.asname or alias.name.split(".")[0] for alias in imported)
