"""Unknown notebook parameters are errors, also under a reader's plain papermill."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from small_book import HEADER

from hyperlib.study.parameters import assigned_names, check_parameters, fault_of

PARAMETERS = 'profile = "laptop"'


INJECTED = '# Parameters\nprofile = "quick"\n'


@pytest.mark.parametrize(
    "cells",
    [
        ["", PARAMETERS, INJECTED, "x = 1"],
        ["", PARAMETERS + "\nseed = 1", "# Parameters\nseed = 3\n"],
        ["# Parameters\n" + PARAMETERS + "\nmodels = 5", "study = 1"],  # the notebook's own, run by hand
        ["# Parameters\n" + PARAMETERS, INJECTED],
        ["profile, models = 'laptop', 5", "# Parameters\nmodels = 3\n"],
        ["models: int = 5", "# Parameters\nmodels = 3\n"],
        [own := "# Parameters\n" + PARAMETERS + "\nmodels = 5", "study = 1", own],  # run again by hand
        ["%matplotlib inline", "!ls"],
    ],
)
def test_known_names_pass(cells):
    assert fault_of(cells) is None


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["", PARAMETERS, "# Parameters\nprofil = 1\nseed: int = 3\n"], "parameter 'profil', 'seed'; it has profile."),
        (["", PARAMETERS + "\nmodels = 1", "# Parameters\nmodles = 3\n"], "'modles'; it has profile, models."),
        (["# Parameters\nmodels = 3\n"], "no parameter 'models'"),
        ([INJECTED, "import os", PARAMETERS], "'profile' was undone by a later cell"),
        (["# Parameters\nmodels = 3\n", PARAMETERS + "\nmodels = 5"], "'models' was undone by a later cell"),
    ],
)  # fmt: skip
def test_a_value_that_the_notebook_does_not_hear_is_an_error(cells, said):
    assert said in fault_of(cells)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('profile: Literal["quick", "laptop"] = "laptop"', ["profile"]),
        ('profile, models = "laptop", 5', ["profile", "models"]),
        ("first, *rest = 1, 2", ["first", "rest"]),
        ("a = b = 1\nc += 1", ["a", "b", "c"]),
        ("(profile := 'laptop')\na = (b := 1)\ndel c", ["profile", "a", "b"]),
        ("x = [y for y in z]\ntable[key] = 1\nowner.name = 2", ["x"]),
        ("def f():\n    g = 1", []),
        ("%magic", []),
    ],
)
def test_assigned_names_are_read_off_the_syntax(source, names):
    assert assigned_names(source) == names


def test_outside_a_notebook_there_is_nothing_to_check():
    check_parameters()


OWN = HEADER.replace('profile = "laptop"', '# Parameters\nprofile = "laptop"')
UNTAGGED = HEADER.replace(' tags=["parameters"]', "")


@pytest.mark.parametrize(
    ("header", "name", "said"),
    [
        (HEADER, "profile", ""),
        (OWN, "profile", ""),
        (HEADER, "profil", "This notebook has no parameter 'profil'; it has profile."),
        (UNTAGGED, "profile", "The value given for 'profile' was undone by a later cell"),
    ],
    ids=["known", "own comment", "misspelt", "no tag"],
)
@pytest.mark.slow
def test_plain_papermill_from_any_folder(tmp_path: Path, header: str, name: str, said: str):
    cells = "# %%\nfrom hyperlib.study.parameters import check_parameters\ncheck_parameters()\n"
    notebook = jupytext.reads(header + cells, fmt="py:percent")
    (tmp_path / "in").mkdir()
    nbformat.write(notebook, tmp_path / "in" / "page.ipynb")
    command = [sys.executable, "-m", "papermill", "in/page.ipynb", "out.ipynb", "-p", name, "quick"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode == 0) == (not said) and said in done.stderr, done.stderr
