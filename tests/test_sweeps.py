"""A sweep gives every result once, here or on a cluster, and a command writes each down as it comes."""

import os
import sys
import time
from multiprocessing import active_children

import on_workers
import pandas as pd
import pytest

from hyperlib.files.cluster import ADDRESS
from hyperlib.study import sane_trials
from hyperlib.study.sweeps import sweep
from hyperlib.thesis import recipes

NAMES = {f"of {n}": (n,) for n in range(5)}


@pytest.mark.slow
@pytest.mark.parametrize("ray", [None, ""], ids=["here", "on a cluster"])
def test_every_call_gives_its_result_once(ray, monkeypatch):
    if ray is not None:
        pytest.importorskip("ray")
    monkeypatch.delenv(ADDRESS, raising=False)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    taken = []
    sweep(on_workers.square, NAMES, lambda *pair: taken.append(pair), jobs=2, ray=ray)

    assert sorted(taken) == [(f"of {n}", n * n) for n in range(5)]
    with pytest.raises(ValueError, match="^it is wrong$"):
        sweep(on_workers.fail, {"one": ("it",)}, lambda *pair: None, ray=ray)


def test_a_call_that_raises_ends_those_that_run():
    before, begun = active_children(), time.monotonic()
    with pytest.raises(ValueError, match="must be non-negative"):
        sweep(time.sleep, {"long": (100,), "wrong": (-1,), "later": (100,)}, lambda *pair: None, jobs=2)
    assert set(active_children()) <= set(before) and time.monotonic() - begun < 50


@pytest.fixture
def one_zoo(tmp_path, monkeypatch):
    """A tiny Tetris zoo, and calls that are made in this process."""
    tiny = recipes.BOOK_ZOOS["tetris_seed"]["quick"].but(batch_size=200, seeds=20, epochs=3)
    monkeypatch.setitem(recipes.BOOK_ZOOS, "tetris_seed", {"quick": tiny})
    monkeypatch.setenv("HYPERLIB_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("HYPERLIB_STORE", str(tmp_path / "store"))
    return tmp_path / "results" / "quick" / "sane-trials.csv"


def test_a_trial_is_written_down_before_the_next_one_ends(one_zoo, monkeypatch):
    seen = []

    def here(function, calls, take, **where):
        for name in calls:
            take(name, [{"zoos": name[0], "trial": name[1], "steps": 3, "r2": 0.5}])
            seen.append((len(pd.read_csv(one_zoo)), where))

    monkeypatch.setattr(sane_trials, "sweep", here)
    command = ["--profile", "quick", "--sets", "three", "--trials", "default", "untrained", "--steps", "3"]
    monkeypatch.setattr(sane_trials, "SETS", {"three": ("tetris_seed",)})
    sane_trials.main([*command, "--ray", "head:6379"])

    assert [count for count, _ in seen] == [1, 2]
    assert seen[0][1] == {"jobs": 2, "ray": "head:6379", "gpus": 0.0}
    sane_trials.main(command)
    assert len(seen) == 2, "what is in the table is not run again"


def test_a_command_without_ray_says_what_to_install(one_zoo, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(sane_trials, "SETS", {"three": ("tetris_seed",)})
    with pytest.raises(SystemExit):
        sane_trials.main(["--profile", "quick", "--sets", "three", "--trials", "default", "--ray"])

    assert "needs Ray, which is not installed here" in " ".join(capsys.readouterr().err.split())
