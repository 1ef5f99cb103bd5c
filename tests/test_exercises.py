"""Every exercise of the book: its solution passes its check, its stub fails it, and what is wrong is told in words."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jupytext
import nbformat
import pytest

import hyperlib
from hyperlib.images.images import Images
from hyperlib.press.exercises import Exercise, exercise_of
from hyperlib.press.teach import pieces

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
PAGES = {file.stem: list(pieces(jupytext.read(file, fmt="py:percent"))) for file in sorted(NOTEBOOKS.glob("*.py"))}
EXERCISES = [piece.exercise for page in PAGES.values() for piece in page if piece.exercise]
ALONE = [pytest.param(one, id=one.label) for one in EXERCISES if one.imports]
GOING_ON = [name for name, page in PAGES.items() if any(one.exercise and not one.exercise.imports for one in page)]
WRONG = {  # what a student of the lab may come up with, and what the check answers
    "ex-lab-rates": {
        "mine, ahead, lead = zoo, 3e-3, 0.1": "ten seeds at each of two rates",
        "mine = hyperlib.train_population(network, images, two, epochs=2, progress=False)": "make eleven checkpoints",
        "ahead = means.idxmin()": "The other rate is ahead",
        "lead = -lead": "as a fraction and positive",
        "mine = list(range(20))": "not of the kind that was asked for",
    },
    "ex-lab-distance": {
        "travelled = (final - first).norm().reshape(1)": "one distance for each model",
        "travelled = (final - first).square().sum(1)": "with its square root",
        "apart = torch.cdist(final, final).sum()": "mean over pairs",
    },
    "ex-lab-symmetry": {
        "swapped = one": "has not moved",
        "swapped = one + 1": "A swap moves numbers",
        'swapped = network.layout.flatten(swap | {"fc2.weight": outgoing})': "columns 0 and 3",
        "flipped = one": "should differ",
        'flipped = network.layout.flatten(flip | {"fc2.weight": outgoing})': "must turn, too",
        "flipped = -one": "Only unit 2",
    },
    "ex-lab-clock": {
        "clock = by_epoch": "one prediction for each row",
        'clock = test.table["test_accuracy"].to_numpy()': "one number for each",
        "clock = clock + 0.2": "those of `train`",
        "clock_r2 = clock_r2 - 0.1": "truth first",
    },
    "ex-lab-leak": {
        "leaked = divided[:2]": "every checkpoint of the bag",
        "leaked = [bag.take(range(3720)), bag.take(range(3720, 4650))]": "Was the bag shuffled",
        "leaked_r2 = honest_r2": "all epochs in the bag",
        "honest_r2 = leaked_r2": "never seen",
    },
    "ex-lab-draw": {
        'drawn = {"joint": drawn["joint"]}': "60 vectors for each",
        "works = new": "not far from chance",
        "new = works": "are replicas",
    },
}  # fmt: skip


load_once = cache(hyperlib.load_images)


def load_few(name: str) -> Images:
    """At most 1,000 training images; all test images, which solutions measure."""
    images = load_once(name)
    return images.subset(train=min(1000, len(images.train_y)))


def ran(*code: str, within: dict | None = None) -> dict:
    """What is there after some code has run, without a change of what was there before."""
    names = dict(within or {"__name__": "solution"})
    for text in code:
        exec(compile(text, "cell", "exec"), names)
    return names


def fails(exercise: Exercise, *code: str, within: dict | None = None) -> str:
    """What the check says of a wrong answer."""
    with pytest.raises(AssertionError) as failure:
        ran(*code, exercise.check, within=within)
    return str(failure.value)


@pytest.mark.parametrize("load", [load_few, pytest.param(load_once, marks=pytest.mark.slow)], ids=["few", "all"])
@pytest.mark.parametrize("exercise", ALONE)
def test_a_solution_runs_by_itself_and_passes_its_check(exercise, load, monkeypatch, capsys):
    monkeypatch.setattr(hyperlib, "load_images", load)
    ran(exercise.solution, exercise.check)
    assert capsys.readouterr().out.endswith("✓ Right.\n")


@pytest.mark.parametrize("exercise", ALONE)
def test_a_stub_runs_and_its_check_says_what_is_missing(exercise):
    said = fails(exercise, exercise.stub)
    assert said.startswith("Still missing: ") and all(name in said for name in exercise.asks)


@pytest.mark.slow
@pytest.mark.parametrize("name", GOING_ON)
def test_exercises_that_go_on_from_their_page_tell_right_from_wrong(name, tmp_path, monkeypatch):
    import matplotlib

    matplotlib.use("Agg")
    monkeypatch.setenv("HYPERLIB_RESULTS", str(tmp_path))
    names: dict = {}
    for piece in PAGES[name]:
        if piece.code is not None:
            names = ran(piece.code.source, within=names)
        elif piece.exercise and not piece.exercise.imports:
            asked = piece.exercise
            assert fails(asked, asked.stub, within=names).startswith("Still missing: ")
            names = ran(asked.solution, asked.check, within=names)
            for code, words in WRONG[asked.label].items():
                assert words in fails(asked, code, within=names), code


def test_every_assertion_of_the_lab_has_a_wrong_answer_that_it_catches():
    for exercise in EXERCISES:
        if not exercise.imports:
            told = WRONG[exercise.label].values()
            caught = [hint for hint in exercise.hints if any(words in hint for words in told)]
            assert caught == list(exercise.hints), exercise.label


@pytest.mark.parametrize("file", sorted(NOTEBOOKS.glob("*.py")), ids=lambda file: file.stem)
def test_every_exercise_has_a_solution(file):
    text = file.read_text(encoding="utf-8")
    exercises = [line.split()[-1] for line in text.splitlines() if line.startswith("# :label: ex-")]

    assert exercises, "a page asks its reader something"
    assert exercises == [piece.exercise.label for piece in PAGES[file.stem] if piece.exercise]


def test_labels_are_unique_in_the_book():
    assert len({one.label for one in EXERCISES}) == len(EXERCISES)


def test_hints_are_sentences():
    for exercise in EXERCISES:
        assert all(len(hint) > 30 and hint[-1] in ".?" for hint in exercise.hints), exercise.label


SOLUTION = "import torch\n\na = torch.ones(2)\nassert (\n    a.sum()\n    == 2\n)\nassert len(a) == 2\na"
SAID = {"asks": {"a": "two ones"}, "hints": ["The sum should be two.", "There should be two."]}


def solution(source: str = SOLUTION, **said: object) -> nbformat.NotebookNode:
    return nbformat.v4.new_code_cell(source, metadata={"tags": ["solution"], **SAID, **said})


def test_a_solution_is_taken_apart():
    exercise = exercise_of(solution(), "ex-a")
    assert exercise.solution == "import torch\n\na = torch.ones(2)\na"
    assert exercise.stub == "import torch\n\n# Yours:\na = ...  # two ones"
    assert ran(exercise.solution, exercise.check)["a"].sum() == 2
    assert fails(exercise, "a = [1, 1, 0]").startswith("An answer is not of the kind that was asked for (Attr")
    assert fails(exercise, "import torch; a = torch.zeros(2)") == "The sum should be two."


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (solution("a = 1"), "asserts nothing"),
        (solution("a = "), "is no Python"),
        (solution("def a(): return zoo\nassert a()", asks={}, hints=["It should give all."]), r"\['a'\]"),
        (solution("for a in (1, 2):\n    assert a"), "an assert inside of another statement"),
        (solution(hints=["One."]), "2 assertions, 1 hints"),
        (solution(asks={}), r"reads \['a'\], and its cell's `asks` explains \[\]"),
        (solution(asks={"a": "two", "b": "more"}), "explains"),
    ],
)
def test_a_solution_that_does_not_say_enough_is_refused(cell, words):
    with pytest.raises(ValueError, match=f"ex-a.*{words}"):
        exercise_of(cell, "ex-a")
