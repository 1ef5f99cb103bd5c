"""Whatever is written appears whole or not at all, and what a killed writer left is removed by the next one."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from long_training import fit, small

from hyperlib.figures.diagrams import save_diagrams
from hyperlib.files.reading import Damaged, decoded, read_json
from hyperlib.files.state import StateFile
from hyperlib.files.writing import Occupied, appearing, left_in, sweep, workplace, write_json, write_whole
from hyperlib.images.files import Pixels, write_npz
from hyperlib.press.site import _copied

posix = pytest.mark.skipif(os.name != "posix", reason="forks and signals")


def pixels() -> Pixels:
    x, y = np.zeros((2, 28, 28), np.uint8), np.zeros(2, np.int64)
    return Pixels(x, y, x, y, source="a test")


@pytest.fixture(scope="module")
def rep():
    return fit(small(steps=0))


@pytest.fixture
def writers(tiny_zoo, rep, tmp_path_factory) -> dict[str, Callable[[Path], object]]:
    """Everything in the library that writes something under a name that somebody gave."""
    source = tmp_path_factory.mktemp("source") / "table.csv"
    source.write_text("a\n1\n")
    return {
        "text": lambda target: write_whole(target, "text"),
        "json": lambda target: write_json(target, {"a": 1}),
        "zoo": tiny_zoo.save,
        "representation": rep.save,
        "state": lambda target: StateFile(target, "job").save({"a": torch.zeros(3)}),
        "images": lambda target: write_npz(target, pixels()),
        "results": lambda target: _copied(source, target),
        "diagrams": save_diagrams,
    }


KINDS = ("text", "json", "zoo", "representation", "state", "images", "results", "diagrams")


def killed_while_it_flushes(write: Callable[[], object]) -> None:
    """Run this in a process of its own that is killed when all is written and nothing is in its place yet."""
    reads, writes = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of torch, which the child does not use
        child = os.fork()
    if not child:

        def told(_: int) -> None:
            os.write(writes, b"x")
            time.sleep(60)

        os.fsync = told
        write()
        os._exit(1)
    assert os.read(reads, 1) == b"x"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@posix
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_what_a_killed_writer_left_is_removed_by_the_next_one(kind, writers, tmp_path):
    name = "thing [1]*"  # letters that a search for files reads in its own way
    writers[kind](tmp_path / "whole" / name)
    killed_while_it_flushes(lambda: writers[kind](tmp_path / "killed" / name))
    assert names(tmp_path / "killed") and not (tmp_path / "killed" / name).is_file()

    writers[kind](tmp_path / "killed" / name)

    assert names(tmp_path / "killed") == names(tmp_path / "whole")


@posix
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("zoo", "representation")])
def test_the_old_state_stays_until_the_new_one_is_whole(kind, writers, tmp_path):
    target = tmp_path / "thing"
    writers["diagrams"](target) if kind == "diagrams" else target.write_text("old")
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    killed_while_it_flushes(lambda: writers[kind](target))
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_writer_that_fails_leaves_nothing(kind, writers, tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        writers[kind](tmp_path / "thing")
    assert names(tmp_path) == []


@posix
@pytest.mark.parametrize("kind", KINDS)
def test_what_appeared_survives_a_power_cut(kind, writers, tmp_path, monkeypatch):
    """Every file, every folder and, once it is in its place, its name were flushed."""
    target, flushed, named = tmp_path / "a" / "thing", set(), set()

    def told(handle: int) -> None:
        number = os.fstat(handle).st_ino
        flushed.add(number)
        named.update([number] if target.exists() else [])

    monkeypatch.setattr(os, "fsync", told)
    writers[kind](target)
    kept = [path for path in [target, *target.rglob("*")] if path.is_file() or kind == "zoo"]
    assert {path.stat().st_ino for path in kept} <= flushed
    assert (kept[-1].parent if kind == "diagrams" else target.parent).stat().st_ino in named


@posix
@pytest.mark.parametrize("umask", [0o002, 0o022, 0o077])
@pytest.mark.parametrize("kind", KINDS)
def test_what_appears_has_the_rights_that_the_user_wants(kind, umask, writers, tmp_path):
    before = os.umask(umask)
    try:
        writers[kind](tmp_path / "thing")
    finally:
        os.umask(before)
    for path in [*(tmp_path / "thing").rglob("*"), tmp_path / "thing"]:
        wanted = (0o777 if path.is_dir() else 0o666) & ~umask
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_another_writer_of_the_same_name_is_left_alone(tmp_path):
    target = tmp_path / "thing[1]*"
    with appearing(target) as ours:
        ours.write_text("ours")
        write_whole(target, "theirs")
        sweep(tmp_path)
        assert ours.read_text() == "ours" and target.read_text() == "theirs"
    assert target.read_text() == "ours" and names(tmp_path) == ["thing[1]*"]


@posix
def test_sweeping_follows_no_link(tmp_path):
    theirs, folder = tmp_path / "theirs", tmp_path / "ours"
    (theirs / "kept").mkdir(parents=True)
    (theirs / "file").write_text("text")
    left = folder / ".f.partial-12345678"
    left.mkdir(parents=True)
    (left / ".lock").symlink_to(theirs / "file")
    (folder / ".f.partial-87654321").symlink_to(theirs / "kept")
    write_whole(folder / "f", "text")
    assert names(theirs) == ["file"] and (theirs / "file").read_text() == "text" and left_in(folder, False) == []


def test_many_writers_at_once_leave_one_whole_file(tmp_path):
    texts = [letter * 10_000 for letter in "abcdefgh"]
    with ThreadPoolExecutor(len(texts)) as pool:
        list(pool.map(lambda text: [write_whole(tmp_path / "f", text) for _ in range(5)], texts))
    assert (tmp_path / "f").read_text() in texts and names(tmp_path) == ["f"]


def test_a_folder_that_is_swept_before_it_could_be_locked_is_made_again(tmp_path, monkeypatch):
    look, swept = Path.is_dir, []

    def swept_meanwhile(path: Path, **how: bool) -> bool:
        if not swept and ".partial-" in path.name:
            swept.append(path)
            shutil.rmtree(path)
        return look(path, **how)

    monkeypatch.setattr(Path, "is_dir", swept_meanwhile)
    write_whole(tmp_path / "f", "text")
    assert swept and names(tmp_path) == ["f"] and (tmp_path / "f").read_text() == "text"


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("folder", [True, False])
def test_a_new_thing_takes_nobodys_place(folder, before, tmp_path):
    """Also not that of something that appears while it is written."""
    target = tmp_path / "thing"
    with pytest.raises(Occupied, match="thing exists already"):
        if before:
            target.write_text("theirs")
        with appearing(target, new=True) as aside:
            assert not before  # refused before any work
            aside.mkdir() if folder else aside.write_text("ours")
            target.write_text("theirs")
    assert target.read_text() == "theirs" and names(tmp_path) == ["thing"]


def test_a_workplace_is_gone_when_its_block_ends(tmp_path):
    with pytest.raises(KeyError), workplace(tmp_path / "a" / "thing") as folder:
        (folder / "half").write_text("x")
        raise KeyError
    assert names(tmp_path) == []


BROKEN = [b"", b"{", b"[1]", b'{"a": 1.5}', b'{"a": "1"}', b'{"a": NaN}', b"[" * 10**5, b"\xff"]


@pytest.mark.parametrize("text", BROKEN)
def test_json_of_another_form_is_damaged(text, tmp_path):
    (tmp_path / "f.json").write_bytes(text)
    with pytest.raises(Damaged, match="f.json cannot be read"):
        read_json(tmp_path / "f.json", dict[str, int])


def test_a_link_a_device_and_a_huge_file_are_not_read(tmp_path):
    write_json(tmp_path / "f.json", {"a": 1})
    (tmp_path / "link").symlink_to(tmp_path / "f.json")
    assert read_json(tmp_path / "f.json", dict[str, int]) == {"a": 1}
    for path, largest in ((tmp_path / "link", 100), (Path(os.devnull), 100), (tmp_path / "f.json", 5)):
        with pytest.raises(Damaged, match="is no plain file|is too large"):
            read_json(path, dict[str, int], largest)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "absent", dict[str, int])
    assert decoded('{"a": 1}', dict[str, int], "it") == {"a": 1}
