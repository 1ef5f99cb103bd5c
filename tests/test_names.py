"""A path that can name no file ends in one sentence of ours, whoever is given it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from long_training import fit, small
from toys import some_images

import hyperlib
from hyperlib.figures.diagrams import save_diagrams
from hyperlib.files.plain import nameable
from hyperlib.files.writing import write_whole
from hyperlib.store.store import Store
from hyperlib.weightspace.architectures import tetris_mlp

NAMES = {
    "a null byte": "a\0b",
    "a null byte above": "a\0b/c",
    "half a letter": "a\ud800b",
    "too long": "x" * 300,
    "too long above": "x" * 300 + "/c",
    "too deep": "/".join(["d" * 200] * 30),
}

SENTENCES = ("No file can be called", "There is no", "'?[^ ]* is not a zoo", ".* was not found at")


@pytest.fixture(scope="module")
def things(tmp_path_factory):
    """A zoo, representations of both kinds, images, and the zoo as others publish it."""
    images = some_images((1, 4, 4), 4, train=40, test=30)
    zoo = hyperlib.train_population(tetris_mlp(), images, hyperlib.grid(seeds=6), epochs=2, progress=False)
    published = tmp_path_factory.mktemp("published") / "zoo"
    hyperlib.export_zoo(zoo, published, "checkpoints")
    sane = hyperlib.Sane(steps=0).fit({"a": zoo.samples()})
    return {"zoo": zoo, "images": images, "published": published, "rep": fit(small(steps=0)), "sane": sane}


def calls(zoo, images, published, rep, sane):
    """Every public name that takes a path, and how it is given one."""
    samples, design = zoo.samples(), hyperlib.grid(seeds=2)
    job = {"epochs": 1, "progress": False}
    return {
        "Zoo.save folder": zoo.save,
        "Zoo.load folder": hyperlib.Zoo.load,
        "HyperRep.save path": rep.save,
        "HyperRep.load path": hyperlib.HyperRep.load,
        "HyperRep.fit checkpoint": lambda at: fit(small(steps=2), checkpoint=at),
        "Sane.save path": sane.save,
        "Sane.load path": hyperlib.Sane.load,
        "Sane.fit checkpoint": lambda at: hyperlib.Sane(steps=1).fit({"a": samples}, checkpoint=at),
        "train_population checkpoint": lambda at: hyperlib.train_population(
            tetris_mlp(), images, design, checkpoint=at, **job
        ),
        "magnitude_twins checkpoint": lambda at: hyperlib.magnitude_twins(zoo, images, 0.5, checkpoint=at, **job),
        "held_twins checkpoint": lambda at: hyperlib.held_twins(
            zoo, images, zoo.weights[:, -1] != 0, checkpoint=at, **job
        ),
        "variational_twins checkpoint": lambda at: hyperlib.variational_twins(
            zoo, images, rate=0.01, checkpoint=at, **job
        ),
        "load_images folder": lambda at: hyperlib.load_images("mnist", folder=at, download=False),
        "gather checkpoints": lambda at: hyperlib.gather(zoo.architecture, at),
        "open_zoo folder": hyperlib.open_zoo,
        "open_zoo cache": lambda at: hyperlib.open_zoo(published, cache=at),
        "form_of folder": hyperlib.form_of,
        "export_zoo folder": lambda at: hyperlib.export_zoo(zoo, at, "checkpoints"),
        "Study store": lambda at: hyperlib.Study("quick", store=at),
        "Store": Store,
        "write_whole": lambda at: write_whole(Path(at), "text"),
        "save_diagrams": lambda at: save_diagrams(Path(at)),
    }


@pytest.mark.parametrize("kind", NAMES)
def test_a_path_that_names_nothing_ends_in_a_sentence(kind, things, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong = {}
    for call, take in calls(**things).items():
        try:
            take(NAMES[kind])
            wrong[call] = "nothing"
        except (ValueError, OSError) as error:
            if not re.fullmatch(rf"({'|'.join(SENTENCES)})[^\n]*\.", str(error)):
                wrong[call] = f"{type(error).__name__}: {str(error)[:200]}"
    assert not wrong


def test_a_name_that_is_too_long_for_what_stands_beside_it_while_it_is_written_is_refused(things, tmp_path):
    for write in (things["zoo"].save, things["rep"].save, things["sane"].save, lambda at: write_whole(at, "text")):
        with pytest.raises(ValueError, match=r"^No file can be called [^ ]*, it is too long; choose another name\.$"):
            write(tmp_path / ("x" * 250))
    assert not list(tmp_path.iterdir()) and nameable(tmp_path / ("x" * 250)) == tmp_path / ("x" * 250)


def test_every_public_name_that_takes_a_path_is_among_them(things):
    known, seen = calls(**things), set()
    for name in hyperlib.__all__:
        thing = getattr(hyperlib, name)
        parts = {name: thing} if inspect.isfunction(thing) else {}
        if inspect.isclass(thing):
            parts = {f"{name}.{own}": getattr(thing, own) for own in vars(thing) if not own.startswith("_")}
            parts |= {name: thing.__init__}
        for called, function in parts.items():
            if callable(function) and not isinstance(function, type):
                takes = inspect.signature(function).parameters.values()
                seen |= {f"{called} {one.name}" for one in takes if "Path" in str(one.annotation)}
    assert seen and seen <= set(known), seen - set(known)
