"""Whatever somebody puts into a folder ends in a zoo or in one sentence with its path.

Nothing in it runs, hangs or fills the memory.
"""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import pickle
import resource
import shutil
import tracemalloc
import warnings
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import published_forms as forms
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hyperlib import Zoo, form_of, open_zoo, tetris_mlp
from hyperlib.files.inventory import natural
from hyperlib.files.plain import Unreadable
from hyperlib.zoos.formats.small_cnn_zoo import _layout
from hyperlib.zoos.formats.strangers import csv_table, json_lines, mapped_rows

DROPOUTS = [0.0, 0.5]
NASTY = (
    *(b"NaN", b"-1", b"1e999", b"9" * 25, b'"../../../etc/passwd"', b"[" * 5000, b"null", b"true", b"{}"),
    *(b"(1,", b"__import__('os').abort()", "²".encode(), b"\x00", b"\xff\xfe", b",,,", b"\n\n", b'"', b"-0.5"),
)
WRITE = {
    "model zoo": lambda folder, models: forms.model_zoo(folder, models, DROPOUTS),
    "small CNN zoo": forms.small_cnn_zoo,
    "checkpoints": forms.checkpoints,
    "zoo of ours": lambda folder, models: ours(models).save(folder),
}


class Bomb:
    """What a pickle of strangers may hold: it says so in a file when somebody runs it."""

    def __reduce__(self):
        return os.mkdir, ("exploded",)


def ours(models) -> Zoo:
    network = tetris_mlp()
    vectors = [torch.cat([v.detach().flatten() for v in one.parameters()]) for row in models for one in row]
    table = {"model": [0, 0, 1, 1], "epoch": [0, 1] * 2, "activation": ["tanh"] * 4, "diverged": [False] * 4}
    return Zoo(network, torch.stack(vectors).view(2, 2, -1), pd.DataFrame(table))


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """A zoo of 100 weights in every form."""
    models = [[forms.plain_perceptron(10 * n + e, rate) for e in range(2)] for n, rate in enumerate(DROPOUTS)]
    root = tmp_path_factory.mktemp("forms")
    return {form: write(root / form.replace(" ", "_"), models) for form, write in WRITE.items()}


def opened(folder: Path, **options) -> Zoo | None:
    """The zoo of a folder, or None where it is refused by a sentence that names a place; any other error is a fault."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return open_zoo(folder, progress=False, **options)
    except (ValueError, FileNotFoundError) as error:
        assert str(folder) in str(error) and len(str(error)) < 2000, error
        return None


def is_sound(zoo: Zoo) -> None:
    """Everything that a zoo is read for can be read."""
    assert zoo.weights.shape[2] == zoo.architecture.layout.size
    finite = np.isfinite(zoo.weights.numpy()).all(2).ravel()
    assert (finite == ~zoo.table["diverged"].to_numpy(bool)).all()
    assert (zoo.epochs >= 0).all() and len(zoo.samples()) == finite.sum()


def spoil(path: Path, how: str, place: float, nasty: bytes, other: Path) -> None:
    """Change one file in one way."""
    whole = path.read_bytes()
    at = int(place * max(len(whole) - 1, 0))
    match how:
        case "cut":
            path.write_bytes(whole[:at])
        case "flip" if whole:
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        case "insert":
            path.write_bytes(whole[:at] + nasty + whole[at:])
        case "replace":
            path.write_bytes(whole[:at] + nasty + whole[at + len(nasty) :])
        case "unpacked insert" if path.suffix == ".gz":
            with suppress(OSError, EOFError, zlib.error):  # spoilt already
                text = gzip.decompress(whole)
                at = int(place * len(text))
                path.write_bytes(gzip.compress(text[:at] + nasty + text[at + 1 :]))
        case "swap":
            path.write_bytes(other.read_bytes())
        case "remove":
            path.unlink()
        case "pipe":
            path.unlink()
            os.mkfifo(path)
        case "link":
            path.unlink()
            path.symlink_to("/etc/passwd")
        case "folder":
            path.unlink()
            path.mkdir()
        case "bomb":
            path.write_bytes(pickle.dumps({"state_dict": Bomb()}))
        case "torch bomb":
            torch.save({"state_dict": Bomb()}, path)


HOWS = (
    *("cut", "flip", "insert", "replace", "unpacked insert", "swap", "remove"),
    *("pipe", "link", "folder", "bomb", "torch bomb"),
)
some_file, some_bytes = st.integers(0, 99), st.sampled_from(NASTY) | st.binary(max_size=20)
changes = st.tuples(some_file, st.sampled_from(HOWS), st.floats(0, 1), some_bytes, some_file)


@pytest.mark.parametrize("form", WRITE)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spoilt=st.lists(changes, min_size=1, max_size=2))
@pytest.mark.slow
def test_a_spoilt_folder_is_a_zoo_or_refused_in_words(form, spoilt, folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "zoo"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(folders[form], folder)
    for which, how, place, nasty, other in spoilt:
        files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        if files:
            spoil(files[which % len(files)], how, place, nasty, files[other % len(files)])

    zoo = opened(folder)

    if zoo is not None and form_of(folder) != "zoo of ours":  # whose contents are not looked at
        is_sound(zoo)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("form", ["model zoo", "checkpoints"])
def test_orders_in_a_pickle_are_not_obeyed_and_nobody_is_told_to(form, folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = shutil.copytree(folders[form], tmp_path / "zoo")
    file = next(path for path in sorted(folder.rglob("*")) if path.suffix == ".pt" or path.name == "checkpoints")
    torch.save({"state_dict": Bomb()}, file)

    with pytest.raises(ValueError, match="without running code from it") as told:
        open_zoo(folder)

    assert str(file) in str(told.value) and "weights_only" not in str(told.value)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("form", ["model zoo", "small CNN zoo", "checkpoints"])
def test_untouched_folders_are_sound_and_equal(form, folders):
    zoo = opened(folders[form])

    is_sound(zoo)
    assert torch.equal(zoo.weights, opened(folders["zoo of ours"]).weights)


def test_a_link_to_a_model_outside_is_refused(folders, tmp_path):
    folder = shutil.copytree(folders["model zoo"], tmp_path / "zoo")
    checkpoint = folder / "NN_tune_trainable_0" / "checkpoint_000001"
    shutil.rmtree(checkpoint)
    checkpoint.symlink_to(folders["model zoo"] / "NN_tune_trainable_1" / "checkpoint_000001")
    with pytest.warns(UserWarning, match="1 of 4 checkpoints are missing"):
        assert open_zoo(folder, progress=False).table["missing"].sum() == 1  # no folder, so it is not there
    (folder.parent / "link").symlink_to(folder)
    with pytest.raises(ValueError, match="is a link"):
        open_zoo(folder.parent / "link")


def test_packed_zeros_do_not_fill_the_memory(folders, tmp_path):
    folder = shutil.copytree(folders["small CNN zoo"], tmp_path / "zoo")
    with gzip.open(folder / "metrics.csv.gz", "wb") as file:
        file.write(b"modeldir,step,train_loss,train_accuracy,test_loss,test_accuracy\n")
        for _ in range(200):
            file.write(b"0" * 2**20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match="unpacks to more than"):
        open_zoo(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**16  # KiB


@pytest.mark.parametrize(
    "header",
    [
        {"descr": "|O", "fortran_order": False, "shape": (4, 100)},
        {"descr": "<f4", "fortran_order": True, "shape": (4, 100)},
        {"descr": "<f4", "fortran_order": False, "shape": (2**40, 2**20)},
        {"descr": "<f4", "fortran_order": False, "shape": (400,)},
        {"descr": "<i4", "fortran_order": False, "shape": (4, 100)},
        {"descr": [("a", "<f4")], "fortran_order": False, "shape": (4, 100)},
        {"descr": "<f4", "fortran_order": False, "shape": (-4, -100)},
    ],
)
def test_a_matrix_that_is_none_is_refused_by_its_header(header, tmp_path):
    text = io.BytesIO()
    np.lib.format.write_array_header_1_0(text, header)
    (tmp_path / "weights.npy").write_bytes(text.getvalue() + bytes(1600))
    with pytest.raises(ValueError, match="weights.npy"):
        mapped_rows(tmp_path / "weights.npy")


def test_endless_lines_and_deep_objects_are_refused(tmp_path):
    path = tmp_path / "result.json"
    for text in (b" " * 2**21, b'{"a":' * 10**5 + b"\n", b'{"epoch": "' + b"a" * 2**21):
        path.write_bytes(text)
        with pytest.raises(ValueError, match="result.json"):
            list(json_lines(path))
    path.write_bytes(b"")
    os.truncate(path, 2**40)  # a file with a hole
    with pytest.raises(ValueError, match="bytes where"):
        list(json_lines(path))


def test_a_table_names_each_column_once(tmp_path):
    for text in ("a,a\n1,2\n", "", "\n", "a\n1,2,3\n4\n", 'a,b\n"'):
        (tmp_path / "t.csv").write_text(text)
        if text != "a\n1,2,3\n4\n":
            with pytest.raises(ValueError, match="t.csv"):
                csv_table(tmp_path / "t.csv", 1000)


@pytest.mark.parametrize("line", [0, 1])
def test_a_table_of_endless_columns_is_refused_before_it_is_read(line, tmp_path, monkeypatch):
    wide, short = b",".join(b"c%d" % n for n in range(20_000)), b"file,acc"
    (tmp_path / "table.csv").write_bytes(b"\n".join([wide, short] if line == 0 else [short, wide]) + b"\n")
    monkeypatch.setattr(pd, "read_csv", None)
    with pytest.raises(ValueError, match="more than 10,000 columns"):
        csv_table(tmp_path / "table.csv", 2**28)


def test_places_in_a_layout_stay_inside_and_cover_all(folders, tmp_path):
    folder = shutil.copytree(folders["small CNN zoo"], tmp_path / "zoo")
    whole = (folder / "layout.csv").read_text()
    for before, after in (("0,80", "0,90"), ("0,80", "-1,79"), ("(16, 5)", "(5, 5)"), ("kernel:0", "gamma:0"),
                          ("80,100", "0,20"), ("(16, 5)", "(" * 90), ("80,100", "99999999999,100")):  # fmt: skip
        assert before in whole
        (folder / "layout.csv").write_text(whole.replace(before, after))
        with pytest.raises(ValueError, match="layout.csv"):
            open_zoo(folder)


def test_tensors_on_one_place_are_refused_before_they_fill_the_memory(tmp_path):
    side = 2**10
    row = f'"a/kernel:0",0,{side**2},"({side}, {side})"\n'
    (tmp_path / "layout.csv").write_text("varname,start_idx,end_idx,shape\n" + 40 * row)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="where another tensor stands"):
            _layout(tmp_path / "layout.csv", side**2)
        assert tracemalloc.get_traced_memory()[1] < 3 * 8 * side**2  # bytes: the places of the first
    finally:
        tracemalloc.stop()


def test_a_table_of_checkpoints_names_files_in_the_folder(folders, tmp_path):
    folder = shutil.copytree(folders["checkpoints"], tmp_path / "zoo")
    whole = (folder / "table.csv").read_text()
    names = [("m0_0,", "m0_1,"), ("file", "name"), ("m0_", "../m0_"), ("m0_0,0,0", "m0_0,,0")]
    for before, after in [*names, *(("m0_0,0,0", f"m0_0,0,{epoch}") for epoch in (-1, 0.5, 1, "last"))]:
        assert before in whole
        (folder / "table.csv").write_text(whole.replace(before, after, 1) if before != "m0_" else "file\n../m0_0\n")
        with pytest.raises(ValueError, match="zoo"):
            open_zoo(folder)
    for outside in ("../m0_0", str(folders["checkpoints"] / "m0_0")):
        (folder / "table.csv").write_text(whole.replace("m0_0,", f"{outside},", 1))
        with pytest.warns(UserWarning, match=rf"whose files are not there \(1\): {outside}"):
            assert open_zoo(folder).table["missing"].tolist() == [True, False, False, False]


def test_a_checkpoint_that_holds_itself_is_not_looked_into_for_ever(folders, tmp_path):
    endless = {"epoch": 1}
    endless["inside"] = endless
    torch.save(endless, tmp_path / "one.pt")
    for key in (None, "net"):
        with pytest.raises(ValueError, match=r"one\.pt"):
            open_zoo(tmp_path, key=key)


def test_files_of_results_name_no_more_than_a_table_can_have(folders, tmp_path):
    folder = shutil.copytree(folders["model zoo"], tmp_path / "zoo")
    for name, other in (("params.json", {}), ("result.json", {"training_iteration": 0})):
        path = folder / "NN_tune_trainable_0" / name
        whole = path.read_bytes()
        path.write_text(json.dumps({f"a{number}": number for number in range(10**4)} | other))
        with pytest.raises(ValueError, match=f"{name} of NN_tune_trainable_0.* more than 1,000 names"):
            open_zoo(folder)
        path.write_bytes(whole)
    for number in (-1, 0.5, True, "1", None, 2**31):
        path.write_text(json.dumps({"training_iteration": number}) + "\n")
        with pytest.raises(ValueError, match="training_iteration is no whole number"):
            open_zoo(folder)


def test_numbers_of_other_scripts_sort_names_and_stop_nobody():
    assert sorted(["1²2", "a10", "a9", "٣", "²"], key=natural)


def test_a_cache_says_what_it_was_made_of_or_is_none(folders, tmp_path):
    cache = tmp_path / "cache"
    open_zoo(folders["checkpoints"], cache=cache, progress=False)
    origin = cache / "origin.json"
    whole = json.loads(origin.read_text())
    others = [json.dumps(whole | {"remarks": [1]}), json.dumps(whole | {"signature": "0"})]
    for wrong in ("[]", "{}", "[" * 10**5, *others):
        origin.write_text(wrong)
        assert "cache" in str(pytest.raises(ValueError, open_zoo, folders["checkpoints"], cache=cache).value)
    origin.unlink()
    origin.symlink_to("/dev/zero")
    with pytest.raises(ValueError, match="no cache that open_zoo made"):
        open_zoo(folders["checkpoints"], cache=cache)


def test_a_cache_that_cannot_be_read_now_is_not_said_to_be_none(folders, tmp_path, monkeypatch):
    cache, opens = tmp_path / "cache", os.open
    open_zoo(folders["checkpoints"], cache=cache, progress=False)

    def refused(path, *arguments, **options):
        if Path(path).name == "origin.json":
            raise PermissionError(errno.EACCES, "Permission denied")
        return opens(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(Unreadable, match="origin.json cannot be read .*give yourself permission"):
        open_zoo(folders["checkpoints"], cache=cache)


@pytest.mark.parametrize("read", [csv_table, mapped_rows, json_lines])
def test_a_file_that_cannot_be_read_now_is_not_called_damaged(read, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("a\n1\n")

    def refused(*arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refused)
    arguments = (1000,) if read is csv_table else ()
    with pytest.raises(Unreadable, match="file cannot be read"):
        [*read(tmp_path / "file", *arguments)]
