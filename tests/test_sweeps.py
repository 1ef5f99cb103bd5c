"""A sweep gives every result once, here or on a cluster, and a command writes each down as it comes."""

import os
import re
import runpy
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import active_children

import on_workers
import pandas as pd
import pytest

from hyperlib.files.cluster import ADDRESS
from hyperlib.press import build, pairs
from hyperlib.store import store
from hyperlib.study import ablations, generator_changes, generator_trials, raw_weights, sane_trials, trials
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
    taken, missed = [], []
    calls = {"good": (3,), "wrong": ("it",), "later": (4,)}
    heard = [lambda *pair, into=into: into.append(pair) for into in (taken, missed)]
    sweep(on_workers.square, calls, *heard, jobs=2, ray=ray)

    assert sorted(taken) == [("good", 9), ("later", 16)]
    assert [(name, type(error)) for name, error in missed] == [("wrong", TypeError)]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_process_that_is_killed_takes_no_other_call_with_it():
    taken, missed = [], []
    calls = {"killed": (signal.SIGKILL,), "good": (0,), "also killed": (signal.SIGKILL,), "later": (0,)}
    heard = [lambda *pair, into=into: into.append(pair) for into in (taken, missed)]
    sweep(on_workers.end, calls, *heard, jobs=2)

    assert sorted(name for name, _ in taken) == ["good", "later"]
    assert {name: type(error) for name, error in missed} == dict.fromkeys(["killed", "also killed"], BrokenProcessPool)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_at_a_command_line_ends_it_and_its_processes_in_one_line():
    """As a shell does it: every process of the group gets the signal, and none of them has a traceback to show."""
    code = "import sys; sys.path[:0] = sys.argv[1:]; import on_workers; on_workers.sweep_for_minutes()"
    command = [sys.executable, "-c", code, *sys.path]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's background job would not hear it
    with subprocess.Popen(command, **pipes, start_new_session=True, preexec_fn=heard) as process:
        assert process.stdout.readline() == b"begun\n"
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=60)[1].decode()

    assert process.returncode == 130 and re.fullmatch(r"\nStopped\. What is finished is kept; [^\n]*\n", said), said
    end = time.monotonic() + 20
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < end:
            os.killpg(process.pid, 0)
            time.sleep(0.2)


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


@pytest.mark.parametrize("module", [sane_trials, trials, generator_trials], ids=lambda module: module.__name__)
@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
def test_what_a_command_hands_to_other_processes_has_a_name_that_they_find(module, monkeypatch):
    """Not that of `__main__`, which is another module in each of them: run as a command it calls itself by name."""
    called = []
    monkeypatch.setattr(module, "main", lambda: called.append(module.__name__) or 7)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module.__name__, run_name="__main__")
    assert called == [module.__name__] and ended.value.code == 7


COMMANDS = [sane_trials, trials, ablations, generator_changes, generator_trials, raw_weights, build, pairs, store]


@pytest.mark.parametrize("module", COMMANDS, ids=lambda module: module.__name__)
def test_the_help_of_a_command_names_every_choice_once(module, capsys):
    with pytest.raises(SystemExit):
        module.main(["--help"])
    usage, _, rest = capsys.readouterr().out.partition("\n\n")

    assert len(usage) < 800, "long lists stand below"
    assert all(" ".join(rest.split()).count(f"; {choice};") <= 1 for choice in sane_trials.CHANGES)


@pytest.mark.parametrize(("device", "gpus"), [("cpu", 0.0), ("cuda", 1.0)])
def test_a_training_on_a_gpu_asks_for_one(device, gpus, one_zoo, monkeypatch):
    asked = []
    for module in (sane_trials, generator_trials):
        monkeypatch.setattr(module, "device_called", str)
        monkeypatch.setattr(module, "sweep", lambda *given, **where: asked.append(where["gpus"]))
    monkeypatch.setattr(sane_trials, "SETS", {"three": ("tetris_seed",)})
    monkeypatch.setattr(generator_trials.Larger, "laid", lambda *given: None)
    sane_trials.main(["--profile", "quick", "--sets", "three", "--trials", "default", "--device", device, "--ray"])
    generator_trials.main(["--device", device, "--ray"])
    assert asked == [gpus, gpus]
