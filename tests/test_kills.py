"""Whenever a process is killed: nothing is lost, nothing is left, and the next run ends in the same bytes."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from long_training import digest, fit, small, walks
from small_book import PUBLISHES, make_book
from toys import some_images

from hyperlib.files import state
from hyperlib.files.locking import held
from hyperlib.files.writing import appearing, left_aside, workplace
from hyperlib.press.edition import Edition
from hyperlib.press.execute import execute
from hyperlib.representations.hyper_rep import HyperRep
from hyperlib.store import store as store_module
from hyperlib.store.shared import beside, locked
from hyperlib.store.store import Store, main
from hyperlib.weightspace.architectures import tetris_mlp
from hyperlib.zoos.design import grid
from hyperlib.zoos.population import train_population

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks and signals")
MADE_AT = ("manifest.json",)  # has the date and the seconds of its making


def grow(folder: Path) -> None:
    images = some_images((1, 4, 4), 4, train=40, test=30)
    zoo = train_population(tetris_mlp(), images, grid(seeds=6), epochs=12, progress=False, checkpoint=folder / "job")
    shutil.rmtree(folder / "zoo", ignore_errors=True)
    zoo.save(folder / "zoo")
    shutil.rmtree(folder / "job")


def learn(folder: Path) -> None:
    rep = fit(small(steps=60, validations=6), validation=walks(models=4, seed=1), checkpoint=folder / "job")
    (folder / "rep").unlink(missing_ok=True)
    rep.save(folder / "rep")
    shutil.rmtree(folder / "job")


def keep(folder: Path) -> None:
    for number in range(2):
        Store(folder).make("zoo", f"n{number}", {"a": 1}, grow, [], "none")


def content(folder: Path) -> dict[str, str]:
    """What every file holds; a representation by all that it learned, because the order in its file is free."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    held = {name: path for name, path in files.items() if not name.endswith((".lock", *MADE_AT))}
    return {
        name: digest(HyperRep.load(path)) if name == "rep" else hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in held.items()
    }


def started(work: Callable[[Path], None], folder: Path) -> int:
    """A process that does this work, as a copy of this one: nothing is imported or compiled anew."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of the parent, which the child does not use
        child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        code = 1
        try:
            work(folder)
            code = 0
        finally:
            os._exit(code)
    return child


@pytest.mark.slow
@pytest.mark.parametrize(("work", "kills"), [(grow, 20), (learn, 14), (keep, 16)])
def test_a_kill_at_any_moment_changes_nothing(work, kills, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(state, "SECONDS", 0.0)
    monkeypatch.setattr(state, "SHARE", 0)
    torch.set_num_threads(1)
    (tmp_path / "warm").mkdir()
    work(tmp_path / "warm")  # compiles what is compiled
    (tmp_path / "whole").mkdir()
    begun = time.monotonic()
    work(tmp_path / "whole")
    seconds, whole, chance = time.monotonic() - begun, content(tmp_path / "whole"), random.Random(0)
    ended = []
    for number in range(kills):
        folder = tmp_path / f"killed-{number}"
        folder.mkdir()
        child = started(work, folder)
        time.sleep(chance.uniform(0, 0.9 * seconds))
        os.kill(child, signal.SIGKILL)
        ended.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        work(folder)
        assert content(folder) == whole, number
    assert set(ended) <= {0, -signal.SIGKILL} and ended.count(-signal.SIGKILL) >= kills * 0.6, ended


def put(folder: Path) -> None:
    """A small entry of a store, with a folder in it that appears whole."""

    def write(at: Path) -> None:
        if not (at / "folder").exists():
            with appearing(at / "folder") as aside:
                aside.mkdir()
                (aside / "x").write_text("x")

    Store(folder).make("zoo", "one", {"a": 1}, write, [], "none")


# How the interpreter calls what it asks of a disk. What rmtree removes inside a folder has no path, and is left out.
STEPS = {"open", "os.chmod", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link"}


def killed_before(step: int, work: Callable[[Path], None], folder: Path) -> Callable[[Path], None]:
    """The work, in a process that is killed just before one of its steps in this folder, counted from 0."""
    steps = iter(range(step + 1))

    def kill(event: str, arguments: tuple[object, ...]) -> None:
        if event in STEPS and str(folder) in str(arguments[0]) and next(steps, None) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def killed(at: Path) -> None:
        sys.addaudithook(kill)
        work(at)

    return killed


def test_a_kill_before_any_step_on_the_disk_leaves_nothing_that_the_next_run_does_not_end(tmp_path, capsys):
    (tmp_path / "whole").mkdir()
    put(tmp_path / "whole")
    whole, step, ended = content(tmp_path / "whole"), 0, -signal.SIGKILL
    while ended == -signal.SIGKILL:
        (folder := tmp_path / f"killed-{step}").mkdir()
        child = started(killed_before(step, put, folder), folder)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        put(folder)
        assert content(folder) == whole and not list(folder.rglob(".*.partial-*")), step
        step += 1
    assert ended == 0 and step > 40


@pytest.fixture
def made(tmp_path):
    """An entry, and the note that a kill just after its making leaves."""
    put(tmp_path)
    (entry,) = (path for path in (tmp_path / "zoo").iterdir() if path.is_dir())
    (note := beside(entry, ".making.json")).write_text("{}")
    return entry, note


def test_what_lies_beside_a_whole_entry_stays_while_it_is_held(made, tmp_path):
    entry, note = made
    with locked(entry, "one"):
        put(tmp_path)
        assert note.exists() and beside(entry, ".lock.owner").exists()
    put(tmp_path)
    assert not note.exists() and not beside(entry, ".lock.owner").exists()


def test_who_waited_for_an_entry_removes_what_its_killed_maker_left(made, tmp_path, monkeypatch, capsys):
    entry, note = made
    looked = iter([False])  # as it was when this process began to wait
    is_whole = store_module._is_whole
    monkeypatch.setattr(store_module, "_is_whole", lambda *of: next(looked, True) and is_whole(*of))
    put(tmp_path)
    assert not note.exists() and entry.is_dir()


def test_the_note_of_work_that_was_begun_again_stays(made, tmp_path):
    entry, note = made
    beside(entry, ".partial").mkdir()
    put(tmp_path)
    assert note.exists()


@pytest.mark.slow
def test_a_build_that_is_killed_at_any_moment_ends_in_the_same_results(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("HYPERLIB_RESULTS", str(tmp_path / "clone" / "_build" / "results"))
    root, chance = make_book(tmp_path / "clone", good=PUBLISHES), random.Random(0)
    edition = Edition(root, "quick")
    path = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
    code = path + f"from pathlib import Path; from hyperlib.press.build import main; main(['run'], Path({str(root)!r}))"
    for _ in range(5):
        shutil.rmtree(root / "_build", ignore_errors=True)
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL) as build:
            time.sleep(chance.uniform(1, 9))
            build.kill()
        time.sleep(1.5)  # in which its workers notice
        execute(edition, say=lambda _: None)
        assert (edition.results / "sum.csv").read_text() == "a,sum\n1,2\n"
        assert not [left for left in (root / "_build").rglob(".*.partial-*")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_process_that_is_asked_to_end_leaves_nothing_and_ends_as_asked(number, tmp_path):
    reads, writes = os.pipe()

    def work(folder: Path) -> None:
        with held(folder / ".lock", str), workplace(folder / "outer"), workplace(folder / "thing") as place:
            (place / "half").write_text("x")
            os.write(writes, b"x")
            time.sleep(60)

    child = started(work, tmp_path)
    os.read(reads, 1)
    os.kill(child, number)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -number
    assert {path.name for path in tmp_path.iterdir()} <= {".lock"}, "nor the name of its owner"


def test_signals_are_as_before_when_a_block_has_ended(tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    with workplace(tmp_path / "thing"):
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == before


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A temporary folder of the system's own kind, where others keep things, too."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return tmp_path / "temporary"


def old(path: Path, hours: float = 25.0) -> None:
    """Nobody has touched this, or what is in it, for so long."""
    for one in [*path.rglob("*"), path]:
        os.utime(one, (time.time() - 3600 * hours,) * 2, follow_symlinks=False)


def test_clean_finds_what_earlier_versions_left_in_the_temporary_folder(temporary, tmp_path, capsys):
    ours = [temporary / f"{prefix}{'a_9bcdef'}" for prefix in ("hyperlib-aside-", "hyperlib-download-", "chapter-")]
    theirs = [temporary / name for name in ("hyperlib-companion", "chapter-one", "tmpabcdefgh", "chapter-12345678")]
    fresh = [temporary / f"{prefix}12345678" for prefix in ("hyperlib-aside-", "hyperlib-download-")]
    for folder in (*ours, *theirs, *fresh):
        folder.mkdir()
        (folder / ("record.jsonl" if folder in ours else "thesis.tex")).write_text("x")
        old(folder)
    (fresh[0] / "now").write_text("x")
    old(fresh[1], hours=23)
    (temporary / "hyperlib-aside-87654321").symlink_to(theirs[0])
    (temporary / "hyperlib-aside-abcdefgh").write_text("a file")
    old(temporary)
    os.utime(fresh[0] / "now")
    os.utime(fresh[1], None)
    before = set(temporary.rglob("*"))

    assert main(["clean", "--left", "--store", str(tmp_path / "store")]) == 0 and set(temporary.rglob("*")) == before
    assert {line.rpartition(": ")[2] for line in capsys.readouterr().out.splitlines() if "left by" in line} == {
        str(path) for path in ours
    }
    assert main(["clean", "--left", "--yes", "--store", str(tmp_path / "store")]) == 0
    gone = before - set(temporary.rglob("*"))
    assert gone == {place for folder in ours for place in (folder, folder / "record.jsonl")}


def test_what_another_user_left_stays(temporary, tmp_path, monkeypatch):
    (left := temporary / "hyperlib-aside-12345678").mkdir()
    old(left)
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    assert left_aside(remove=True) == [] and left.is_dir()


def test_clean_finds_what_killed_processes_left(temporary, tmp_path, capsys):
    store = Store(tmp_path)
    entry = store.make("zoo", "a", {}, lambda at: (at / "x").write_text("x"), [], "none")
    left = [entry.parent / ".b.partial-12345678", entry.parent / f"{entry.name}.making.json"]
    left[0].mkdir()
    left[1].write_text("{}")
    (entry.parent / "mine.txt").write_text("x")
    assert main(["clean", "--left", "--store", str(tmp_path)]) == 0 and all(path.exists() for path in left)
    said = capsys.readouterr().out
    assert all(f"left by a killed process: {path}" in said for path in left)
    assert main(["clean", "--left", "--yes", "--store", str(tmp_path)]) == 0
    assert not any(path.exists() for path in left) and entry.is_dir() and (entry.parent / "mine.txt").exists()
    assert store.entries()["state"].tolist() == ["made"]
