"""Equations and code: every labelled equation names what computes it, whose docstring names it, and the other way."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import hyperlib
from hyperlib.files.paths import root
from hyperlib.press.pages import equations
from hyperlib.press.pages.sources import _found

EQUATIONS = equations.equations(root())
PACKAGE = Path(hyperlib.__file__).parent


def docstrings():
    """Full names of all functions, classes and methods with a docstring, and these."""
    for file in sorted(PACKAGE.rglob("*.py")):
        home = ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
        inside = [(home, ast.parse(file.read_text(encoding="utf-8")))]
        for name, node in inside:
            if text := ast.get_docstring(node):
                yield name, text
            parts = [one for one in node.body if isinstance(one, ast.FunctionDef | ast.ClassDef)]
            inside += [(f"{name}.{one.name}", one) for one in parts]


def test_labels_are_unique_and_every_displayed_equation_has_one():
    labels = [one.label for one in EQUATIONS]
    assert labels and len(labels) == len(set(labels)) and all(label.startswith("eq-") for label in labels)
    texts = {page.name: page.read_text(encoding="utf-8") for page in (root() / "notebooks").glob("*.py")}
    texts |= {page.name: page.read_text(encoding="utf-8") for page in (root() / "book").glob("*.md")}
    recap = "prerequisites.py"  # which recalls formulas of others, without code of ours
    assert not [name for name, text in texts.items() if "$$" in text and name != recap]
    assert sum(text.count("```{math}") for text in texts.values()) == len(EQUATIONS)


@pytest.mark.parametrize("one", EQUATIONS, ids=lambda one: one.label)
def test_an_equation_names_a_function_whose_docstring_names_it(one):
    assert one.function.startswith("hyperlib."), "say In code: below it"
    told = equations.BACK.findall(_found(one.function.removeprefix("hyperlib.")).__doc__)
    assert (one.label, one.page.removeprefix("notebooks/").partition("_")[0]) in told


def test_a_docstring_names_equations_that_exist_and_are_its_own():
    known = {(one.label, one.function) for one in EQUATIONS}
    named = {(found["label"], name) for name, text in docstrings() for found in equations.BACK.finditer(text)}
    assert named == known


def test_a_docstring_names_an_equation_in_no_other_form():
    loose = [name for name, text in docstrings() if re.search(r"`eq-", equations.BACK.sub("", text))]
    assert loose == []


def test_the_book_s_own_form_is_read(tmp_path):
    (tmp_path / "notebooks").mkdir()
    text = "# ```{math}\n# :label: eq-a\n# x = 1\n# ```\n#\n# In code: {py:obj}`~hyperlib.align`.\n"
    text += "#\n# ```{math}\n# :label: eq-b\n# y\n# ```\n"
    (tmp_path / "notebooks" / "02_x.py").write_text(text)
    found = equations.equations(tmp_path)
    assert found == [
        equations.Equation("eq-a", "notebooks/02_x", "hyperlib.align"), equations.Equation("eq-b", "notebooks/02_x", "")
    ]  # fmt: skip
    rows = list(equations.Table.lines(None, tmp_path))
    assert rows[-2].endswith("| {py:obj}`~hyperlib.align` |") and rows[-1].endswith("| – |")


def test_docstrings_lead_to_their_equation():
    lines = ["What it is.", "", "Equation: ``eq-ntxent`` on page 04a."]
    equations.link(None, "function", "x", None, None, lines)
    assert lines[-1] == "Equation :eq:`eq-ntxent` on page 04a."
