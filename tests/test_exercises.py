"""Every solution of an exercise runs on its own, and its assertions hold."""

from functools import cache
from pathlib import Path

import jupytext
import pytest

import hyperlib
from hyperlib.images.images import Images

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SOLUTIONS = [
    pytest.param(cell.source, id=f"{file.stem}-{number}")
    for file in sorted(NOTEBOOKS.glob("*.py"))
    for number, cell in enumerate(jupytext.read(file, fmt="py:percent").cells)
    if "solution" in cell.metadata.get("tags", [])
]


load_once = cache(hyperlib.load_images)


def load_few(name: str) -> Images:
    """At most 1,000 training images; all test images, which solutions measure."""
    images = load_once(name)
    return images.subset(train=min(1000, len(images.train_y)))


@pytest.mark.parametrize("load", [load_few, pytest.param(load_once, marks=pytest.mark.slow)], ids=["few", "all"])
@pytest.mark.parametrize("solution", SOLUTIONS)
def test_a_solution_runs_by_itself_and_its_assertions_hold(solution, load, monkeypatch):
    assert "assert " in solution, "a solution shows that it is right"
    monkeypatch.setattr(hyperlib, "load_images", load)

    exec(compile(solution, "solution", "exec"), {"__name__": "solution"})


@pytest.mark.parametrize("file", sorted(NOTEBOOKS.glob("*.py")), ids=lambda file: file.stem)
def test_every_exercise_has_a_solution(file):
    text = file.read_text(encoding="utf-8")
    exercises = [line.split()[-1] for line in text.splitlines() if line.startswith("# :label: ex-")]

    assert exercises
    for label in exercises:
        assert f"{{solution-start}} {label}" in text
