"""Every solution of an exercise runs on its own, and its assertions hold."""

from pathlib import Path

import jupytext
import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SOLUTIONS = [
    pytest.param(cell.source, id=f"{file.stem}-{number}")
    for file in sorted(NOTEBOOKS.glob("*.py"))
    for number, cell in enumerate(jupytext.read(file, fmt="py:percent").cells)
    if "solution" in cell.metadata.get("tags", [])
]


@pytest.mark.parametrize("solution", SOLUTIONS)
def test_a_solution_runs_by_itself_and_its_assertions_hold(solution):
    assert "assert " in solution, "a solution shows that it is right"

    exec(compile(solution, "solution", "exec"), {"__name__": "solution"})


@pytest.mark.parametrize("file", sorted(NOTEBOOKS.glob("*.py")), ids=lambda file: file.stem)
def test_every_exercise_has_a_solution(file):
    text = file.read_text(encoding="utf-8")
    exercises = [line.split()[-1] for line in text.splitlines() if line.startswith("# :label: ex-")]

    assert exercises
    for label in exercises:
        assert f"{{solution-start}} {label}" in text
