"""Unknown notebook parameters are errors, also under a reader's plain papermill."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from small_book import HEADER

from hyperlib.study.parameters import check_parameters, unknown_parameters

PARAMETERS = 'profile = "laptop"'


def test_known_names_pass():
    assert unknown_parameters(["", PARAMETERS, '# Parameters\nprofile = "quick"\n', "x = 1"]) == []


def test_unknown_names_are_found_in_order():
    cells = ["", PARAMETERS, '# Parameters\nprofil = "quick"\nseed: int = 3\n']
    assert unknown_parameters(cells) == ["profil", "seed"]


def test_names_of_the_parameters_cell_are_known():
    assert unknown_parameters(["", PARAMETERS + "\nseed = 1", "# Parameters\nseed = 3\n"]) == []


def test_without_a_parameters_cell_papermill_injects_first():
    assert unknown_parameters(["# Parameters\nmodels = 3\n"]) == ["models"]


def test_cells_with_magics_are_no_parameters():
    assert unknown_parameters(["%matplotlib inline", "!ls"]) == []


def test_outside_a_notebook_there_is_nothing_to_check():
    check_parameters()


@pytest.mark.parametrize(("name", "works"), [("profile", True), ("profil", False)])
def test_plain_papermill_from_any_folder(tmp_path: Path, name: str, works: bool):
    cells = "# %%\nfrom hyperlib.study.parameters import check_parameters\ncheck_parameters()\n"
    notebook = jupytext.reads(HEADER + cells, fmt="py:percent")
    (tmp_path / "in").mkdir()
    nbformat.write(notebook, tmp_path / "in" / "page.ipynb")
    command = [sys.executable, "-m", "papermill", "in/page.ipynb", "out.ipynb", "-p", name, "quick"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode == 0) == works, done.stderr
    if not works:
        assert "This notebook has no parameter 'profil'; it has profile." in done.stderr
