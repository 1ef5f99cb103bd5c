"""Whatever lies under a name, a reader ends soon: with what was written, or with the project's own words."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from long_training import fit, small, walks
from safetensors import safe_open
from safetensors.torch import save_file

from hyperlib.files import plain, state
from hyperlib.files.inventory import is_inside, text_checksum
from hyperlib.files.plain import Damaged, Unreadable
from hyperlib.files.reading import read_json
from hyperlib.files.state import StateFile, _seal
from hyperlib.files.tensors import checksum, read_head
from hyperlib.images.files import PUBLISHED, Pixels, read_npz, write_npz
from hyperlib.press.staleness import Facts, File
from hyperlib.representations.hyper_rep import HyperRep
from hyperlib.store.manifest import Begun, Manifest, fault
from hyperlib.store.record import read_record
from hyperlib.store.store import Store, main
from hyperlib.weightspace.architectures import tetris_mlp
from hyperlib.zoos.design import grid
from hyperlib.zoos.gathered import read_checkpoint
from hyperlib.zoos.population import train_population
from hyperlib.zoos.zoo import Zoo

posix = pytest.mark.skipif(os.name != "posix", reason="pipes, and opening without waiting")
OWN = (ValueError, FileNotFoundError, Unreadable)  # Damaged is a ValueError


def pixels() -> Pixels:
    x, y = np.zeros((10, 28, 28), np.uint8), np.arange(10)
    return Pixels(x, y, x, y, source="a test")


def grown(images, folder: Path | None = None, **more) -> Zoo:
    return train_population(tetris_mlp(), images, grid(seeds=3), epochs=2, progress=False, checkpoint=folder, **more)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tetris_images) -> Path:
    """A good file of every kind."""
    folder = tmp_path_factory.mktemp("whole")
    grown(tetris_images, folder / "job").save(folder / "zoo")
    fit(small(steps=1)).save(folder / "rep.safetensors")
    write_npz(folder / "mnist.npz", pixels())
    torch.save({"weight": torch.ones(2)}, folder / "checkpoint.pt")
    save_file({"weight": torch.ones(2)}, folder / "checkpoint.safetensors")
    (folder / "record.jsonl").write_text('{"result": "/a"}\n{"seeds": ["a", "b"]}\n')
    entry = Store(folder / "store").make("zoo", "a", {"a": 1}, lambda at: (at / "x").write_text("x"), [], "none")
    entry.rename(folder / "entry")
    return folder


def loaded_state(file: Path) -> None:
    StateFile(file, "another").load()


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "zoo's manifest": ("zoo/manifest.json", lambda file: Zoo.load(file.parent)),
    "zoo's weights": ("zoo/weights.npy", lambda file: Zoo.load(file.parent)),
    "zoo's table": ("zoo/table.npz", lambda file: Zoo.load(file.parent)),
    "representation": ("rep.safetensors", HyperRep.load),
    "state": ("job/block-0000.safetensors", loaded_state),
    "images": ("mnist.npz", lambda file: read_npz(file, PUBLISHED["mnist"])),
    "torch": ("checkpoint.pt", read_checkpoint),
    "safetensors": ("checkpoint.safetensors", read_checkpoint),
    "manifest": ("entry/manifest.json", lambda file: Manifest.read(file.parent)),
    "begun": ("entry/manifest.json", lambda file: read_json(file, Begun)),
    "facts": ("entry/manifest.json", lambda file: read_json(file, Facts)),
    "record": ("record.jsonl", read_record),
}


def copied(whole: Path, kind: str, folder: Path) -> Path:
    """The file of a kind, with what lies beside it, for spoiling."""
    path = READERS[kind][0]
    shutil.copytree(whole / Path(path).parent, folder, dirs_exist_ok=True)
    return folder / Path(path).name


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
@pytest.mark.parametrize("kind", READERS)
def test_a_spoiled_file_ends_in_words_of_our_own(kind, data, whole, tmp_path_factory):
    file = copied(whole, kind, tmp_path_factory.mktemp("spoiled") / "x")
    content = bytearray(file.read_bytes())
    what = data.draw(st.sampled_from(["flip", "cut", "replace", "insert", "garbage"]))
    place = data.draw(st.integers(0, len(content) - 1) | st.integers(0, min(300, len(content) - 1)))
    piece = data.draw(st.binary(min_size=1, max_size=40))
    if what == "flip":
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    elif what == "cut":
        del content[place:]
    elif what == "replace":
        content[place : place + len(piece)] = piece
    elif what == "insert":
        content[place:place] = piece
    file.write_bytes(piece if what == "garbage" else content)
    try:
        READERS[kind][1](file)
    except OWN as error:
        assert "\n" not in str(error).strip() or kind in ("torch", "safetensors"), "one sentence"


@posix
@pytest.mark.parametrize("kind", READERS)
def test_a_pipe_is_not_waited_for(kind, whole, tmp_path):
    """In a process of its own, because a reader that waits can hold the interpreter."""
    file = copied(whole, kind, tmp_path / "x")
    file.unlink()
    os.mkfifo(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of the parent, which the child does not use
        child = os.fork()
    if not child:
        signal.alarm(20)
        try:
            READERS[kind][1](file)
        except OWN:
            os._exit(0)
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert text_checksum(file) is None


def refuses(monkeypatch, name: str, number: int) -> None:
    """Opening a file of this name fails from now on as a disk or a system does it."""
    real = os.open

    def opened(path, flags, *more, **how):
        if os.path.basename(os.fspath(path)) == name and not flags & os.O_CREAT:
            raise OSError(number, os.strerror(number), path)
        return real(path, flags, *more, **how)

    monkeypatch.setattr(plain.os, "open", opened)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
@pytest.mark.parametrize("kind", [kind for kind in READERS if kind != "record"])
def test_what_cannot_be_read_is_not_damaged_and_stays(kind, number, whole, tmp_path, monkeypatch):
    file = copied(whole, kind, tmp_path / "x")
    before = file.read_bytes()
    with monkeypatch.context() as patch, pytest.raises(Unreadable, match=r"cannot be read .* was left as it is; "):
        refuses(patch, file.name, number)
        READERS[kind][1](file)
    assert file.read_bytes() == before


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_a_training_whose_state_cannot_be_read_does_not_begin_anew(number, whole, tetris_images, tmp_path, monkeypatch):
    shutil.copytree(whole / "job", tmp_path / "job")
    file = tmp_path / "job" / "block-0000.safetensors"
    before = file.read_bytes()
    with monkeypatch.context() as patch, pytest.raises(Unreadable):
        refuses(patch, file.name, number)
        grown(tetris_images, tmp_path / "job")
    assert file.read_bytes() == before


def test_a_state_whose_disk_fails_while_it_is_read_is_not_damaged(whole, monkeypatch):
    def fails(file) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(state, "read_head", fails)
    with pytest.raises(Unreadable, match=r"cannot be read .* was left as it is; try again"):
        StateFile(whole / "job" / "block-0000.safetensors", "another")


def test_an_entry_that_cannot_be_read_is_not_set_aside(tmp_path, monkeypatch, capsys):
    store = Store(tmp_path)
    arguments = ("zoo", "a", {"a": 1}, lambda at: (at / "x").write_text("x"), [], "none")
    entry = store.make(*arguments)
    with monkeypatch.context() as patch:
        refuses(patch, "manifest.json", errno.EIO)
        with pytest.raises(OSError, match="cannot be read"):
            fault(entry, "key")
        with pytest.raises(OSError, match="cannot be used"):
            store.make(*arguments)
        assert store.entries()["state"].tolist() == ["unreadable"]
    assert store.make(*arguments) == entry and len(list(entry.parent.glob("*damaged*"))) == 0


def nan(tensors: dict) -> None:
    tensors["weights"][:] = torch.nan


CONTENTS = {
    "not-a-number": nan,
    "no trainer": lambda tensors: [tensors.pop(name) for name in list(tensors) if name.startswith("trainer")],
    "whole numbers": lambda tensors: tensors.update(weights=tensors["weights"].int()),
    "double": lambda tensors: tensors.update(weights=tensors["weights"].double()),
    "few measures": lambda tensors: tensors.update(measures=tensors["measures"][..., :3]),
    "truths": lambda tensors: tensors.update(measures=tensors["measures"].bool()),
    "two steps": lambda tensors: tensors.update({"trainer.steps": torch.tensor([1, 2])}),
    "step -5": lambda tensors: tensors.update({"trainer.steps": torch.tensor(-5)}),
    "a number": lambda tensors: tensors.update(weights=torch.tensor(1.0)),
    "other weights": lambda tensors: tensors["trainer.weights"].add_(1),
    "no moments": lambda tensors: tensors["trainer.first"].fill_(torch.nan),
}
REPRESENTATION = {
    "step -5": lambda tensors: tensors.update(step=torch.tensor(-5)),
    "too far": lambda tensors: tensors.update(step=torch.tensor(10**9)),
    "not-a-number": lambda tensors: next(v for n, v in tensors.items() if n.startswith("now.")).fill_(torch.nan),
    "flat history": lambda tensors: tensors.update(history=tensors["history"].flatten()),
    "no sums": lambda tensors: tensors.pop("sums"),
    "short sums": lambda tensors: tensors.update(sums=tensors["sums"][:2]),
    "foreign": lambda tensors: tensors.update(foreign=torch.zeros(1)),
    "moments": lambda tensors: tensors.update({"adam.0.exp_avg": torch.zeros(1)}),
}


def changed(file: Path, change: Callable[[dict], object]) -> None:
    """Other contents, sealed as if they were right."""
    with safe_open(file, framework="pt") as opened:
        words, tensors = opened.metadata(), {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    change(tensors)
    tensors = {name: value.contiguous() for name, value in tensors.items()}
    save_file(tensors, file, words | {"checksum": _seal(words["signature"]) + checksum(tensors)})


@pytest.mark.parametrize("content", CONTENTS)
def test_a_sealed_state_of_wrong_content_is_damaged(content, whole, tetris_images, tmp_path, capsys):
    shutil.copytree(whole / "job", tmp_path / "job")
    changed(tmp_path / "job" / "block-0000.safetensors", CONTENTS[content])
    again = grown(tetris_images, tmp_path / "job")
    assert torch.equal(again.weights, Zoo.load(whole / "zoo").weights)
    assert "is damaged" in capsys.readouterr().err


@pytest.mark.parametrize("content", REPRESENTATION)
def test_a_sealed_training_of_wrong_content_is_damaged(content, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(StateFile, "due", lambda self: True)
    first = fit(small(steps=6), validation=walks(models=4, seed=1), checkpoint=tmp_path)
    changed(tmp_path / "training.safetensors", REPRESENTATION[content])
    again = fit(small(steps=6), validation=walks(models=4, seed=1), checkpoint=tmp_path)
    assert "is damaged" in capsys.readouterr().err
    assert first.history_.equals(again.history_)


def test_no_flipped_bit_of_a_head_makes_it_another_job(whole, tetris_images, tmp_path):
    shutil.copytree(whole / "job", tmp_path / "job")
    file = tmp_path / "job" / "block-0000.safetensors"
    content = file.read_bytes()
    start = content.index(b'"signature":"') + 13
    for place in range(start, start + 64, 7):
        spoiled = bytearray(content)
        spoiled[place] ^= 1
        file.write_bytes(spoiled)
        assert len(grown(tetris_images, tmp_path / "job")) == 3


def test_a_column_that_is_named_again_and_again_is_refused_at_once(whole, tmp_path):
    shutil.copytree(whole / "zoo", tmp_path / "zoo")
    file = tmp_path / "zoo" / "manifest.json"
    said = json.loads(file.read_text())
    file.write_text(json.dumps(said | {"columns": said["columns"] + ["epoch"] * 150_000}))
    with pytest.raises(ValueError, match="damaged or not of the format"):
        Zoo.load(tmp_path / "zoo")


@pytest.mark.parametrize("shape", [(2**70, 0), (0, 2**70), (2**40, 2**40), (-1, 5)])
def test_a_shape_that_no_array_has_is_refused(shape, tmp_path):
    with zipfile.ZipFile(tmp_path / "mnist.npz", "w") as archive:
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(f"{name}.npy", head.getvalue())
    with pytest.raises(ValueError, match="is no usable MNIST"):
        read_npz(tmp_path / "mnist.npz", PUBLISHED["mnist"])


def test_a_head_without_end_is_not_read(tmp_path, monkeypatch):
    asked = []
    with zipfile.ZipFile(tmp_path / "mnist.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", b"\x93NUMPY\x02\x00" + struct.pack("<I", 5 * 10**7) + b" " * 5 * 10**7)
    read = zipfile.ZipExtFile.read
    monkeypatch.setattr(zipfile.ZipExtFile, "read", lambda file, n=-1: asked.append(n) or read(file, n))
    with pytest.raises(ValueError, match="no readable array header"):
        read_npz(tmp_path / "mnist.npz", PUBLISHED["mnist"])
    assert asked and max(asked) < 10**5


@pytest.mark.parametrize("change", [10**9, 1, -1])
def test_tensors_that_do_not_fill_their_file_are_refused_by_its_head(change, tmp_path):
    file = tmp_path / "f.safetensors"
    save_file({"a": torch.ones(1)}, file)
    with file.open("rb") as whole:
        assert read_head(whole).shapes == {"a": (1,)}
    os.truncate(file, file.stat().st_size + change)  # no disk is used for what nobody wrote
    with file.open("rb") as spoiled, pytest.raises(Damaged, match="its head"):
        read_head(spoiled)


@pytest.mark.parametrize("name", ["a\0b", "a" * 5000])
def test_names_that_no_file_has_are_not_there(name):
    for read in (Zoo.load, HyperRep.load, lambda name: read_checkpoint(Path(name))):
        with pytest.raises(FileNotFoundError):
            read(name)


PATHS = {"../../evil": False, "/evil": False, "a/../../b": False, "C:\\evil": False, "c:x": False, "": False, "a": True}


@pytest.mark.parametrize(("path", "inside"), PATHS.items())
def test_a_result_lies_in_its_folder(path, inside):
    assert is_inside(path) is inside
    if not inside:
        with pytest.raises(ValueError, match="leads out of its folder"):
            File(path, None)


def test_no_letter_of_an_entry_commands_the_terminal(tmp_path, capsys):
    Store(tmp_path).make("zoo", "a", {}, lambda at: (at / "x").write_text("x"), [], "none", profile="\x1b[31mred")
    main(["list", "--store", str(tmp_path)])
    told = capsys.readouterr()
    assert "\x1b" not in told.out + told.err and "\\x1b[31mred" in told.out and "\\x1b[31mred" in told.err


def test_what_is_no_zoo_names_its_folder(whole, tmp_path):
    zoo = Zoo.load(whole / "zoo")
    zoo.table["epoch"] = 0
    zoo.save(tmp_path / "zoo")
    with pytest.raises(ValueError, match=r"zoo holds no zoo: The zoo's table must go"):
        Zoo.load(tmp_path / "zoo")


def test_damaged_is_a_value_error_and_unreadable_a_fault_of_the_system():
    assert issubclass(Damaged, ValueError) and issubclass(Unreadable, OSError)
