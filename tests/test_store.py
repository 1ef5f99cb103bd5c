"""The store: made once, never half there, never stale; no fault of a disk or a neighbour goes unnoticed."""

from __future__ import annotations

import errno
import json
import math
import os
import platform
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from hyperlib.files import inventory
from hyperlib.store import fingerprint, manifest
from hyperlib.store.manifest import MANIFEST, Manifest, plain
from hyperlib.store.shared import beside
from hyperlib.store.store import Store, StoreError, main

STEPS = 12
RECIPE = {"models": 3, "rate": 0.1}


def grow(work: Path, gate: Path | None = None) -> None:
    """A long making in small: a random walk that keeps its state after every step and resumes from it.

    With a gate it stops half-way until there is a file of that name.
    """
    checkpoint = work / "checkpoint.npy"
    state = np.load(checkpoint) if checkpoint.exists() else np.zeros(5)
    for step in range(int(state[0]), STEPS):
        while gate and step == STEPS // 2 and not gate.exists():
            time.sleep(0.01)
        state[1:] = 0.9 * state[1:] + np.random.default_rng((7, step)).normal(size=4)
        state[0] = step + 1
        with (work / "next.npy").open("wb") as file:
            np.save(file, state)
        os.replace(work / "next.npy", checkpoint)
    (work / "inner").mkdir(exist_ok=True)
    np.save(work / "inner" / "weights.npy", state)
    checkpoint.unlink()


def fix_fingerprint() -> None:
    """One code and one set of versions for every process of a test."""
    fingerprint.code_fingerprint = lambda module: "0" * 64
    fingerprint.versions = lambda packages=(): {"python": "3.11.4", **dict.fromkeys(packages, "1.0")}


def make(store: Store, maker=grow, *, name="seed", recipe=RECIPE, engine="torch", **keywords) -> Path:
    return store.make("zoo", name, recipe, maker, ["hyperlib.zoos.population"], engine, **keywords)


@pytest.fixture(autouse=True)
def fixed_fingerprint(monkeypatch):
    monkeypatch.setattr(fingerprint, "code_fingerprint", fingerprint.code_fingerprint)
    monkeypatch.setattr(fingerprint, "versions", fingerprint.versions)
    monkeypatch.setattr("hyperlib.store.store.git_state", lambda: ("c" * 40, True))
    fix_fingerprint()


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("may not mount a small disk here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def another_process(store, tmp_path):
    """Starts processes that make the same entry; each stops half-way until `gate` exists."""
    started = []

    def start() -> subprocess.Popen:
        command = [sys.executable, __file__, str(store.folder), str(tmp_path / "gate")]
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_for_half(store: Store) -> Path:
    """The work folder of another process, once that stands half-way."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for checkpoint in store.folder.glob("zoo/*.partial/checkpoint.npy"):
            if np.load(checkpoint)[0] == STEPS // 2:
                return checkpoint.parent
        time.sleep(0.01)
    raise AssertionError("no process got half-way within a minute")


def contents(folder: Path) -> dict[str, bytes]:
    return {path: (folder / path).read_bytes() for path in inventory.inventory(folder) if path != MANIFEST}


class Counted:
    """A maker that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, work: Path) -> None:
        self.calls += 1
        grow(work)


# ---------------------------------------------------------------- made once


def test_an_entry_is_made_once_and_found_in_silence(store, capfd):
    maker = Counted()
    first = make(store, maker)
    assert "making zoo seed" in capfd.readouterr().err

    again = make(Store(store.folder), maker)

    assert again == first and maker.calls == 1
    assert capfd.readouterr().err == ""
    assert sorted(contents(first)) == ["inner/weights.npy"]


def test_nothing_but_the_entry_and_its_lock_stays_behind(store):
    entry = make(store)
    assert {path.name for path in entry.parent.iterdir()} == {entry.name, entry.name + ".lock"}


def test_manifest_says_what_was_made_from_what(store):
    entry = make(store, profile="quick")
    content = json.loads((entry / MANIFEST).read_text())
    size = (entry / "inner" / "weights.npy").stat().st_size

    assert content["recipe"] == RECIPE and content["engine"] == "torch" and content["profile"] == "quick"
    assert content["code"] == {"hyperlib.zoos.population": "0" * 64}
    assert content["versions"]["torch"] == "1.0" and content["versions"]["python"] == "3.11.4"
    assert content["files"]["inner/weights.npy"] == [
        size,
        sha256(contents(entry)["inner/weights.npy"]).hexdigest(),
    ]
    assert content["commit"] == "c" * 40 and content["dirty"] is True
    assert entry.name == f"seed-{content['key'][:12]}"
    assert 0 <= content["seconds"] < 10 and content["created"].endswith("+00:00")


def test_commit_is_the_clones_own_or_absent(monkeypatch, tmp_path):
    commit, dirty = manifest.git_state()
    assert (commit is None and dirty is None) or (len(commit) == 40 and isinstance(dirty, bool))
    monkeypatch.setattr(manifest, "__file__", str(tmp_path / "hyperlib" / "study" / "manifest.py"))
    assert manifest.git_state() == (None, None)
    monkeypatch.setenv("PATH", str(tmp_path))  # no git at all
    assert manifest.git_state() == (None, None)


def test_commit_and_changes_are_read_from_the_clone(monkeypatch, tmp_path):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    (tmp_path / "file").write_text("1")
    for command in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "One"]):
        subprocess.run([*git, *command], check=True)
    monkeypatch.setattr(manifest, "__file__", str(tmp_path / "hyperlib" / "study" / "manifest.py"))

    commit, dirty = manifest.git_state()
    (tmp_path / "file").write_text("2")

    assert len(commit) == 40 and dirty is False
    assert manifest.git_state() == (commit, True)


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": {"models": 3, "rate": 0.2}},
        {"recipe": {"models": 3}},
        {"engine": "sequential"},
        {"name": "other"},
    ],
    ids=str,
)
def test_another_recipe_engine_or_name_is_another_entry(store, change):
    assert make(store) != make(store, **change)


@pytest.mark.parametrize("package", ["torch", "numpy", "numba", "scikit-learn"])
def test_another_version_makes_another_entry(store, monkeypatch, package):
    before, known = make(store), fingerprint.versions
    monkeypatch.setattr(fingerprint, "versions", lambda packages=(): {**known(packages), package: "1.1"})
    assert make(store) != before


def test_other_code_makes_another_entry_and_other_python_does_not(store, monkeypatch):
    before, known = make(store), fingerprint.versions
    monkeypatch.setattr(fingerprint, "versions", lambda packages=(): {**known(packages), "python": "3.12.0"})
    assert make(store) == before
    monkeypatch.setattr(fingerprint, "code_fingerprint", lambda module: "1" * 64)
    assert make(store) != before


def test_a_recipe_shared_by_two_profiles_is_made_once(store):
    maker = Counted()
    assert make(store, maker, profile="quick") == make(store, maker, profile="laptop")
    assert maker.calls == 1


def test_order_of_keys_and_kind_of_sequence_do_not_change_the_key(store):
    assert make(store, recipe={"a": 1, "b": (1, 2)}) == make(store, recipe={"b": [1, 2], "a": np.int64(1)})


def test_real_fingerprint_and_versions_reach_the_manifest(store, monkeypatch):
    monkeypatch.undo()
    entry = store.make("zoo", "seed", RECIPE, grow, ["hyperlib.thesis.profiles"], "torch")
    order = Manifest.read(entry)
    assert len(order.code["hyperlib.thesis.profiles"]) == 64
    assert order.versions["numpy"] == np.__version__
    assert store.entries()["current"].tolist() == [True]


# ---------------------------------------------------------------- recipes


def test_a_recipe_of_dataclasses_becomes_plain_json():
    @dataclass
    class Grid:
        rates: tuple
        seeds: np.int64

    @dataclass
    class Tanh:
        pass

    assert plain(Grid((0.1, 1), np.int64(3))) == {"class": "Grid", "rates": [0.1, 1], "seeds": 3}
    assert plain([Tanh()]) == [{"class": "Tanh"}]
    assert json.dumps(plain({"x": np.float64(0.1)})) == '{"x": 0.1}'


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_a_recipe_with_nan_is_refused_and_says_where(store, number):
    with pytest.raises(ValueError, match=r"recipe\.grid\[1\] is"):
        make(store, recipe={"grid": [1.0, number]})


@pytest.mark.parametrize("thing", [{1: 2}, {1, 2}, np.zeros(2), Path("x"), b"x"], ids=str)
def test_a_recipe_that_json_cannot_hold_is_refused(store, thing):
    with pytest.raises(TypeError, match=r"recipe\.x is a"):
        make(store, recipe={"x": thing})


def test_a_recipe_is_a_table(store):
    with pytest.raises(TypeError, match="A recipe is a dict or a dataclass, not list"):
        make(store, recipe=[1])


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../x", "a\\b", "a.partial", "-x", "a b", "a\n", "é", "x" * 101]
)
def test_names_that_lead_elsewhere_are_refused(store, name):
    with pytest.raises(ValueError, match="cannot name an entry of the store"):
        make(store, name=name)
    with pytest.raises(ValueError, match="cannot name an entry of the store"):
        store.make(name, "seed", RECIPE, grow, [], "torch")
    assert not store.folder.exists()


# ---------------------------------------------------------------- kills and neighbours


def test_killed_and_resumed_equals_uninterrupted(store, tmp_path, another_process, capfd):
    whole = make(Store(tmp_path / "other"))
    process = another_process()
    partial = wait_for_half(store)
    process.kill()
    assert process.wait() == -9
    assert (partial / "checkpoint.npy").exists() and not (store.folder / "zoo" / whole.name).exists()
    capfd.readouterr()

    entry = make(store)

    assert contents(entry) == contents(whole) and entry.name == whole.name
    assert Manifest.read(entry).seconds > 0 and "resuming zoo seed" in capfd.readouterr().err
    assert {path.name for path in entry.parent.iterdir()} == {entry.name, entry.name + ".lock"}


def test_a_killed_process_worked_until_the_last_file_that_it_wrote(store, another_process):
    process = another_process()
    partial = wait_for_half(store)
    process.kill()
    process.wait()
    record = partial.with_suffix(".making.json")
    content = json.loads(record.read_text())
    touched = (partial / "checkpoint.npy").stat().st_mtime
    record.write_text(json.dumps({**content, "seconds": 20.0, "started": touched - 100.0}))
    assert 120 <= Manifest.read(make(store)).seconds < 125


def test_two_processes_make_it_once(store, tmp_path, another_process):
    first = another_process()
    wait_for_half(store)
    second = another_process()
    who = f"pid {first.pid} on {platform.node()}"
    assert second.stderr.readline() == f"waiting for another process ({who}) that is making zoo seed\n"
    (tmp_path / "gate").touch()
    said = [process.communicate(timeout=60)[1] for process in (first, second)]

    assert (first.returncode, second.returncode) == (0, 0)
    assert "made zoo seed" in said[0] and said[1] == ""
    assert store.entries()["state"].tolist() == ["made"]


@pytest.mark.slow
def test_who_waits_for_a_killed_process_takes_over(store, tmp_path, another_process):
    first = another_process()
    wait_for_half(store)
    second = another_process()
    assert second.stderr.readline().startswith("waiting for another process")
    first.kill()
    first.wait()
    (tmp_path / "gate").touch()

    said = second.communicate(timeout=60)[1]

    assert second.returncode == 0 and "resuming zoo seed" in said
    (entry,) = store.entries()["folder"]
    assert contents(Path(entry)) == contents(make(Store(tmp_path / "other")))


def test_threads_of_one_process_make_it_once(store):
    maker, found = Counted(), []
    threads = [threading.Thread(target=lambda: found.append(make(store, maker))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert maker.calls == 1 and len(found) == 4 and len(set(found)) == 1


def test_a_kill_just_before_the_rename_is_mended(store, monkeypatch):
    def killed(source, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            make(store)
    assert [path.name for path in store.folder.glob("zoo/*/manifest.json")] == [MANIFEST]
    assert store.entries()["state"].tolist() == ["partial"]
    assert contents(make(store)).keys() == {"inner/weights.npy"}


def test_what_a_maker_raises_passes_with_a_note_and_its_work_stays(store):
    def stumbling(work):
        (work / "half.npy").write_bytes(b"half")
        raise RuntimeError("the loss is not finite")

    with pytest.raises(RuntimeError, match="the loss is not finite") as caught:
        make(store, stumbling)
    assert "making zoo seed" in caught.value.__notes__[0]
    (partial,) = store.folder.glob("zoo/*.partial")
    assert str(partial) in caught.value.__notes__[0]
    assert (partial / "half.npy").read_bytes() == b"half"
    assert store.entries()["state"].tolist() == ["partial"]


def test_seconds_add_up_over_failures(store):
    def slow(work):
        time.sleep(0.15)
        done = (work / "done").exists()
        (work / "done").touch()
        if not done:
            raise RuntimeError("once")

    with pytest.raises(RuntimeError):
        make(store, slow)
    assert 0.3 <= Manifest.read(make(store, slow)).seconds < 2


@pytest.mark.parametrize("record", ['{"seconds": NaN, "started": 0}', "[", '{"seconds": "x"}', "{}"])
def test_an_unreadable_record_of_unfinished_work_costs_only_its_seconds(store, record):
    with pytest.raises(RuntimeError):
        make(store, lambda work: [(work / "half").touch(), stop()])
    (path,) = store.folder.glob("zoo/*.making.json")
    path.write_text(record)
    (row,) = store.entries().to_dict("records")
    assert row["state"] == "partial" and row["current"] is None
    assert Manifest.read(make(store)).seconds < 5


def stop() -> None:
    raise RuntimeError("stopped")


@pytest.mark.parametrize("what", ["nothing", "manifest", "link"])
def test_a_maker_that_leaves_no_proper_files_is_an_error(store, what):
    def careless(work):
        if what == "manifest":
            (work / MANIFEST).write_text("{}")
        if what == "link":
            (work / "weights.npy").symlink_to("/etc/hostname")

    said = {"nothing": "wrote nothing", "manifest": "use a subfolder", "link": "weights.npy is a link"}[what]
    with pytest.raises(ValueError, match=said):
        make(store, careless)
    assert contents(make(store)).keys() == {"inner/weights.npy"}


def test_the_next_making_says_what_the_last_one_took(store, capfd):
    def slow(work):
        time.sleep(0.1)
        (work / "x").touch()

    make(store, slow, profile="laptop")
    make(store, slow, profile="quick", recipe={"models": 1})
    assert "last time" not in capfd.readouterr().err
    make(store, slow, profile="laptop", recipe={"models": 4})
    assert "making zoo seed (laptop); it took 0.1 s last time" in capfd.readouterr().err


# ---------------------------------------------------------------- damage


def truncate(entry):
    with (entry / "inner" / "weights.npy").open("r+b") as file:
        file.truncate(100)
    return "inner/weights.npy has 100 bytes where"


def flip(entry):
    path = entry / "inner" / "weights.npy"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    return "inner/weights.npy has changed"


def lose(entry):
    (entry / "inner" / "weights.npy").unlink()
    return "inner/weights.npy is missing"


def lose_manifest(entry):
    (entry / MANIFEST).unlink()
    return "manifest.json is missing"


def halve_manifest(entry):
    text = (entry / MANIFEST).read_text()
    (entry / MANIFEST).write_text(text[: len(text) // 2])
    return "manifest.json cannot be read as JSON"


def bury_manifest(entry):
    (entry / MANIFEST).write_text("[" * 200_000)
    return "manifest.json cannot be read as JSON"


def bury_recipe(entry):
    edit(entry, recipe=json.loads('{"a":' * 700 + "1" + "}" * 700))
    return "manifest.json|no order"


def edit_recipe(entry):
    edit(entry, recipe={"models": 4})
    return "contradicts its own key"


def strip_files(entry):
    edit(entry, files=None)
    return "cannot be read as JSON of its form"


def plant_link(entry):
    (entry / "weights.npy").symlink_to("/etc/hostname")
    return "weights.npy is a link"


def replace_by_link(entry):
    path = entry / "inner" / "weights.npy"
    path.rename(entry.parent / "elsewhere.npy")
    path.symlink_to(entry.parent / "elsewhere.npy")
    return "inner/weights.npy is a link"


def replace_folder_by_link(entry):
    entry.rename(entry.parent / "elsewhere")
    entry.symlink_to("elsewhere")
    return "is a link or a file, not a folder"


def plant_pipe(entry):
    os.mkfifo(entry / "pipe")
    return "pipe is a link or a device"


def plant_file(entry):
    (entry / "inner" / "more.npy").write_bytes(b"x")
    return "inner/more.npy was not written by its maker"


def point_outside(entry, path="../../../secret"):
    files = json.loads((entry / MANIFEST).read_text())["files"]
    edit(entry, files={**files, path: [1, "0" * 64]})
    return "names a file outside the entry"


def point_to_root(entry):
    return point_outside(entry, "/etc/hostname")


def become_a_file(entry):
    entry.rename(entry.parent / "elsewhere")
    entry.write_text("")
    return "is a link or a file, not a folder"


def edit(entry, **changes):
    content = json.loads((entry / MANIFEST).read_text())
    (entry / MANIFEST).write_text(json.dumps({**content, **changes}))


DAMAGES = [
    truncate, flip, lose, lose_manifest, halve_manifest, bury_manifest, bury_recipe, edit_recipe, strip_files,
    plant_link, replace_by_link, replace_folder_by_link, plant_pipe, plant_file, point_outside, point_to_root,
    become_a_file,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("opened_before", [False, True], ids=["first", "again"])
def test_a_damaged_entry_is_set_aside_and_made_again(store, capfd, damage, opened_before):
    entry = make(store)
    whole = contents(entry)
    if opened_before:
        make(store)
    why = damage(entry)
    capfd.readouterr()

    assert make(store) == entry

    said = capfd.readouterr().err
    assert contents(entry) == whole
    assert [line.startswith("damaged: zoo seed: ") for line in said.splitlines()].count(True) == 1
    assert any(part in said for part in why.split("|"))
    aside = entry.with_name(entry.name + ".damaged-1")
    assert str(aside) in said and os.path.lexists(aside)


def test_every_damaged_copy_is_kept(store):
    for _ in range(3):
        entry = make(store)
        truncate(entry)
    make(store)
    kept = [entry.with_name(f"{entry.name}.damaged-{number}") for number in (1, 2, 3)]
    assert all((folder / "inner" / "weights.npy").stat().st_size == 100 for folder in kept)


@pytest.mark.parametrize("name", [MANIFEST, "weights.npy"])
def test_what_a_killed_writer_left_in_the_work_folder_is_no_part_of_the_entry(name, store):
    def killed(folder: Path) -> None:
        grow(folder)
        left = folder / f".{name}.partial-ab12"
        left.mkdir()
        (left / ".lock").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(store, maker=killed)
    entry = make(store)
    assert not list(entry.glob(".*")) and make(store) == entry


def test_an_entry_under_anothers_name_is_not_taken_for_it(store, capfd):
    entry, other = make(store), make(store, recipe={"models": 4})
    entry.rename(entry.with_name("gone"))
    other.rename(entry)
    assert Manifest.read(make(store)).recipe == RECIPE
    assert "belongs to another entry" in capfd.readouterr().err


def test_a_link_planted_in_unfinished_work_is_never_written_through(store, tmp_path, capfd):
    treasure = tmp_path / "treasure"
    treasure.write_text("mine")
    with pytest.raises(RuntimeError):
        make(store, lambda work: stop())
    (partial,) = store.folder.glob("zoo/*.partial")
    (partial / "next.npy").symlink_to(treasure)

    entry = make(store)

    assert treasure.read_text() == "mine" and contents(entry).keys() == {"inner/weights.npy"}
    assert "unfinished zoo seed: next.npy is a link" in capfd.readouterr().err


def test_files_that_desktops_leave_are_no_damage(store, capfd):
    entry = make(store)
    (entry / ".DS_Store").write_bytes(b"x")
    capfd.readouterr()
    assert make(store) == entry and capfd.readouterr().err == ""


def test_checksums_are_taken_once_per_process(store, monkeypatch):
    taken = []
    monkeypatch.setattr(manifest, "checksum", lambda path: taken.append(path) or inventory.checksum(path))
    entry = make(store)
    for _ in range(3):
        make(store)
    assert taken == [entry / "inner" / "weights.npy"]


# ---------------------------------------------------------------- disks and permissions


def test_full_disk_keeps_the_work_and_says_what_to_do(store):
    def unlucky(work):
        (work / "half.npy").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(work / "more.npy"))

    with pytest.raises(StoreError) as caught:
        make(store, unlucky)
    assert caught.value.errno == errno.ENOSPC
    said = str(caught.value)
    assert "MB free" in said and "HYPERLIB_STORE" in said and "is kept" in said and "\n" not in said
    (partial,) = store.folder.glob("zoo/*.partial")
    assert str(partial) in said and (partial / "half.npy").exists()


def test_full_disk_behind_another_error_is_still_a_full_disk(store):
    def wrapped(work):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise RuntimeError("could not save") from error

    with pytest.raises(StoreError, match="is full"):
        make(store, wrapped)


def test_a_disk_that_fills_up_is_named_and_the_making_resumes_after_space_is_freed(small_disk):
    store = Store(small_disk / "store")
    filler = small_disk / "filler"
    filler.write_bytes(bytes(400_000))

    def big(work):
        for part in range(4):
            if not (work / f"{part}.npy").exists():
                np.save(work / "next", np.full(25_000, part, dtype=np.float64))
                os.replace(work / "next.npy", work / f"{part}.npy")

    with pytest.raises(StoreError, match=f"The disk that holds {small_disk}.* is full") as caught:
        make(store, big)
    assert caught.value.errno == errno.ENOSPC
    filler.unlink()

    entry = make(store, big)

    assert [int(np.load(entry / f"{part}.npy")[-1]) for part in range(4)] == [0, 1, 2, 3]


def test_an_entry_is_read_from_a_store_that_may_not_be_written(small_disk):
    store = Store(small_disk / "store")
    entry = make(store)
    beside(entry, ".making.json").write_text("{}")  # as a kill leaves it, and now nobody can remove it
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    assert make(store) == entry
    with pytest.raises(StoreError, match="cannot be used .*HYPERLIB_STORE") as caught:
        make(store, recipe={"models": 5})
    assert caught.value.errno == errno.EROFS


def test_a_file_in_place_of_the_store_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used .*; HYPERLIB_STORE must be a folder"):
        make(Store(tmp_path / "file" / "store"))


def test_missing_permission_is_said(store, monkeypatch):
    def refused(self, *args, **keywords):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(StoreError, match="Permission denied.*HYPERLIB_STORE") as caught:
        make(store)
    assert caught.value.errno == errno.EACCES


def test_an_entry_that_may_not_be_read_is_not_taken_for_damaged(store, monkeypatch):
    entry = make(store)

    def refused(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(manifest, "read_json", refused)
    with pytest.raises(StoreError, match="Permission denied"):
        make(store)
    assert entry.is_dir()


def test_an_error_of_the_maker_about_its_own_files_passes_as_it_is(store):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        make(store, lambda work: Path("/nowhere/at/all").read_text())


# ---------------------------------------------------------------- listing and cleaning


def test_entries_lists_what_is_there(store, monkeypatch):
    assert store.entries().empty
    make(store, profile="quick")
    make(store, name="hyp")
    truncate(make(store, name="hyp"))
    make(store, name="hyp")
    with pytest.raises(RuntimeError):
        make(store, lambda work: stop(), name="later")

    table = store.entries()

    assert list(zip(table["name"], table["state"], strict=True)) == [
        ("hyp", "made"), ("hyp", "damaged"), ("later", "partial"), ("seed", "made"),
    ]  # fmt: skip
    assert table["current"].eq(True).all() and (table["bytes"][[0, 1, 3]] > 0).all()
    assert table["profile"].tolist()[-1] == "quick" and table["key"].str.len().eq(64).all()
    monkeypatch.setattr(fingerprint, "code_fingerprint", lambda module: "1" * 64)
    assert store.entries()["current"].eq(False).all()


def test_entries_whose_code_has_gone_are_not_current(store, monkeypatch):
    make(store)

    def gone(module):
        raise ModuleNotFoundError(module)

    monkeypatch.setattr(fingerprint, "code_fingerprint", gone)
    assert store.entries()["current"].tolist() == [False]


def test_clean_shows_first_and_deletes_on_yes(store, capsys, monkeypatch):
    entry = make(store)
    truncate(entry)
    make(store)
    monkeypatch.setenv("HYPERLIB_STORE", str(store.folder))

    assert main(["clean", "--damaged"]) == 0
    assert "--yes" in capsys.readouterr().out and len(store.entries()) == 2
    assert main(["clean", "--damaged", "--yes"]) == 0
    assert "Freed" in capsys.readouterr().out
    assert store.entries()["state"].tolist() == ["made"]
    assert main(["clean", "--stale", "--partial", "--yes"]) == 0
    assert store.entries()["folder"].tolist() == [str(entry)]
    monkeypatch.setattr(fingerprint, "code_fingerprint", lambda module: "1" * 64)
    assert main(["clean", "--stale", "--yes"]) == 0
    assert store.entries().empty


def test_a_store_that_is_no_folder_is_not_an_empty_one(tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("not a store", encoding="utf-8")
    for verb in (["list"], ["clean", "--stale", "--yes"]):
        assert main([*verb, "--store", str(file)]) == 2
        told = capsys.readouterr().err
        assert told == f"error: The store {file} is no folder; --store and HYPERLIB_STORE name another.\n"
    assert main(["list", "--store", str(tmp_path / "none")]) == 0
    assert capsys.readouterr().out.endswith(" (no such folder)\n")


def test_clean_needs_to_know_what(store, capsys):
    with pytest.raises(SystemExit):
        main(["clean", "--yes", "--store", str(store.folder)])
    assert "say what to clean" in capsys.readouterr().err


def test_list_shows_every_entry(store, capsys):
    make(store)
    assert main(["list", "--store", str(store.folder)]) == 0
    assert "seed" in capsys.readouterr().out
    assert main(["list", "--damaged", "--store", str(store.folder)]) == 0
    assert "0 entries" in capsys.readouterr().out


def test_deleting_a_linked_entry_spares_what_it_points_to(store):
    entry = make(store)
    replace_folder_by_link(entry)
    (row,) = store.entries().to_dict("records")
    assert row["kind"] == "zoo"
    store.remove(store.entries())
    assert not os.path.lexists(entry) and (entry.parent / "elsewhere" / MANIFEST).exists()


def test_only_entries_of_this_store_can_be_removed(store, tmp_path):
    make(store)
    rows = store.entries().assign(folder=str(tmp_path))
    with pytest.raises(ValueError, match="is no entry of the store"):
        store.remove(rows)


def test_what_is_being_made_is_not_removed(store, capfd):
    def cleaning(work):
        (work / "x").touch()
        assert store.remove(store.entries()) == 0

    assert (make(store, cleaning) / "x").exists()
    assert "left: " in capfd.readouterr().err


if __name__ == "__main__":  # the other process
    fix_fingerprint()
    make(Store(sys.argv[1]), lambda work: grow(work, gate=Path(sys.argv[2])))
