"""A zoo is one tensor and one table, on disk as in memory; nothing foreign or damaged is ever taken for one."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import pickle
import random
import shutil
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.testing import assert_close

from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.architecture_record import to_record
from hyperlib.weightspace.architectures import small_cnn, tetris_mlp
from hyperlib.weightspace.layers import Activation, Flatten, Layer, Linear
from hyperlib.zoos import zoo_files
from hyperlib.zoos.evaluation import PROPERTIES
from hyperlib.zoos.zoo import Samples, Zoo


def made_up(models: int, epochs: int = 3, **columns: object) -> Zoo:
    """A zoo of random weights, model numbers from 100 on."""
    weights = torch.randn(models, epochs, 100, generator=torch.Generator().manual_seed(0))
    table = pd.DataFrame(
        {"model": np.repeat(np.arange(models) + 100, epochs), "epoch": np.tile(np.arange(epochs), models)}
    )
    table = table.assign(activation="tanh", test_accuracy=0.5, diverged=False, **columns)
    return Zoo(tetris_mlp(), weights, table)


# -- parts of a zoo ------------------------------------------------------------------------------------------


def test_a_split_is_by_model_and_complete():
    zoo = made_up(200)
    train, validation, test = zoo.split()

    assert [len(part) for part in (train, validation, test)] == [140, 30, 30]
    numbers = [set(part.table["model"]) for part in (train, validation, test)]
    assert set.union(*numbers) == set(zoo.table["model"])
    assert not numbers[0] & numbers[1] and not numbers[0] & numbers[2] and not numbers[1] & numbers[2]


def test_a_split_is_the_shuffle_of_the_released_code():
    places = list(range(50))
    random.Random(42).shuffle(places)
    parts = made_up(50).split()

    assert sorted(places[:35]) == (parts[0].models - 100).tolist()
    assert {len(part) for part in parts[1:]} == {7, 8} and sum(len(part) for part in parts) == 50
    assert sorted(places[35:]) == sorted((np.concatenate([parts[1].models, parts[2].models]) - 100).tolist())


def test_parts_keep_weights_beside_their_rows():
    zoo = made_up(20)
    for part in zoo.split((0.5, 0.5), seed=1):
        for place, model in enumerate(part.models):
            assert torch.equal(part.weights[place], zoo.weights[model - 100])
    assert not torch.equal(zoo.split(seed=1)[0].weights, zoo.split(seed=2)[0].weights)


@pytest.mark.parametrize("models", [3, 4, 7])
def test_small_zoos_lose_no_model(models):
    assert sum(len(part) for part in made_up(models).split()) == models


@pytest.mark.parametrize("parts", [(), (0.5, 0.4), (1.2, -0.2), (0.7, 0.2, 0.2)])
def test_parts_that_are_no_shares_are_refused(parts):
    with pytest.raises(ValueError, match="shares that add up to 1"):
        made_up(4).split(parts)


def test_samples_are_the_chosen_epochs_model_by_model():
    zoo = made_up(5, 4)
    samples = zoo.samples([3, 1])

    assert samples.table["epoch"].tolist() == [1, 3] * 5
    assert torch.equal(samples.weights, zoo.weights[:, [1, 3]].flatten(0, 1))
    assert len(zoo.samples()) == 20 and zoo.samples(2).shape == (5, 100)
    assert samples.architecture == zoo.architecture


def test_diverged_checkpoints_come_only_if_asked_for():
    zoo = made_up(4)
    zoo.table.loc[[4, 5], "diverged"] = True

    assert zoo.samples().table.index.tolist() == list(range(10))
    assert (zoo.samples().table["model"] == 101).sum() == 1
    assert len(zoo.samples(2)) == 3 and len(zoo.samples(diverged=True)) == 12


def test_all_samples_share_the_zoos_memory():
    zoo = made_up(4)

    assert zoo.samples().weights.data_ptr() == zoo.weights.data_ptr()


def test_an_epoch_that_was_not_kept_is_said():
    with pytest.raises(ValueError, match="Epoch 7 was not kept; this zoo has epochs 0, 1, 2"):
        made_up(2).samples([0, 7])
    with pytest.raises(ValueError, match="Epoch 9 was not kept; this zoo has epochs 0 to 5"):
        made_up(2, 6).module(0, 9)
    with pytest.raises(ValueError, match="no model 2; this zoo has 2 models"):
        made_up(2).module(2, 0)


@pytest.mark.parametrize(
    "rows", [[3, 1], np.array([True] * 3 + [False] * 9), slice(None, None, -1), slice(2, 5), np.array([-1])]
)
def test_samples_are_taken_by_place_mask_or_slice(rows):
    samples = made_up(4).samples()
    taken, places = samples[rows], np.arange(12)[rows]

    assert torch.equal(taken.weights, samples.weights[places.tolist()])
    pd.testing.assert_frame_equal(taken.table, samples.table.iloc[places].reset_index(drop=True))


def test_a_module_computes_with_the_models_own_activation(tiny_zoo, generator):
    images = torch.randn(6, 1, 4, 4, generator=generator)
    seen = set()
    for model in range(len(tiny_zoo)):
        activation = tiny_zoo.design["activation"][model]
        network = tetris_mlp().with_activation(activation)
        assert_close(tiny_zoo.module(model, 3)(images).detach(), network.logits(tiny_zoo.weights[model, 3], images))
        seen.add(activation)
    assert seen == {"tanh", "relu"}


def test_the_design_has_one_row_per_model(tiny_zoo):
    assert tiny_zoo.design["model"].tolist() == list(range(20))
    assert tiny_zoo.design["optimizer"].tolist() == (["adam"] * 5 + ["sgd"] * 5) * 2
    assert repr(tiny_zoo) == "Zoo(tetris_mlp: 20 models x 4 epochs x 100 weights)"


def shuffled(table: pd.DataFrame) -> pd.DataFrame:
    return table.iloc[::-1]


@pytest.mark.parametrize(
    ("weights", "change", "message"),
    [
        (torch.zeros(4, 3, 99), lambda table: table, "tetris_mlp has 100 weights, but these vectors have 99"),
        (torch.zeros(4, 100), lambda table: table, r"float32 \[models, epochs, params\]"),
        (torch.zeros(4, 3, 100).double(), lambda table: table, r"not torch.float64 \(4, 3, 100\)"),
        (torch.zeros(4, 0, 100), lambda table: table, "with an epoch at least"),
        (torch.zeros(4, 3, 100), lambda table: table[1:], "need 12 table rows, not 11"),
        (torch.zeros(4, 3, 100), lambda table: table.drop(columns="epoch"), "lacks the column 'epoch'"),
        (torch.zeros(4, 3, 100), lambda table: table.sort_values("epoch"), "must go model by model"),
        (torch.zeros(4, 3, 100), lambda table: table.assign(model=1), "must go model by model"),
        (torch.zeros(4, 3, 100), lambda table: table.assign(epoch=1), "must go model by model"),
        (torch.zeros(4, 3, 100), lambda table: table.assign(epoch=0.5), "'epoch' must hold whole numbers"),
        (torch.zeros(4, 3, 100), lambda table: table.assign(model="a"), "'model' must hold whole numbers"),
    ],
)
@pytest.mark.usefixtures("no_shape_checks")
def test_a_table_that_does_not_fit_the_weights_is_refused(weights, change, message):
    with pytest.raises(ValueError, match=message):
        Zoo(tetris_mlp(), weights, change(made_up(4).table))


@pytest.mark.usefixtures("no_shape_checks")
def test_samples_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="3 weight vectors came with a table of 2 rows"):
        Samples(torch.zeros(3, 100), pd.DataFrame({"model": [1, 2]}), tetris_mlp())
    with pytest.raises(ValueError, match="100 weights, but these vectors have 5"):
        Samples(torch.zeros(3, 5), pd.DataFrame({"model": [1, 2, 3]}), tetris_mlp())


# -- on disk -------------------------------------------------------------------------------------------------


def test_a_saved_zoo_comes_back_exactly(tiny_zoo, tmp_path):
    table = tiny_zoo.table.assign(note='naïve, with "signs"', flag=tiny_zoo.table.index % 2 == 0, small=np.float32(0.1))
    table.loc[3, "test_loss"] = np.nan
    weights = tiny_zoo.weights.clone()
    weights[0, 1] = torch.nan
    weights[0, 2, 0] = -0.0
    zoo = Zoo(tiny_zoo.architecture.with_activation("gelu"), weights, table)

    folder = zoo.save(tmp_path / "deep" / "zoo")
    loaded = Zoo.load(folder)

    assert loaded.architecture == zoo.architecture
    assert loaded.weights.numpy().tobytes() == weights.numpy().tobytes()
    pd.testing.assert_frame_equal(loaded.table, table, check_exact=True)
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "manifest.json", "table.npz", "weights.npy"]
    assert [path.name for path in folder.parent.iterdir()] == ["zoo"]


@pytest.mark.parametrize(
    ("column", "back"),
    [
        (lambda rows: ["", "naïve, 'signs'\n", "x" * 300, "零"] * (rows // 4), lambda given: given),
        (lambda rows: pd.Categorical(["tanh", "relu"] * (rows // 2)), lambda given: given.astype("str")),
        (lambda rows: np.arange(rows) % 3 == 0, lambda given: given),
        (lambda rows: pd.array([True, False] * (rows // 2), dtype="boolean"), lambda given: given.astype(bool)),
        (lambda rows: [np.nan, np.inf, -np.inf, -0.0] * (rows // 4), lambda given: given),
        (lambda rows: np.linspace(0, 1, rows, dtype=np.float32), lambda given: given),
        (lambda rows: pd.array([1, None] * (rows // 2), dtype="Int64"), lambda given: given.astype("float64")),
        (lambda rows: np.full(rows, 2**63 - 1), lambda given: given),
        (lambda rows: np.arange(rows, dtype=np.uint8), lambda given: given),
    ],
    ids=["text", "categories", "truth", "nullable truth", "not finite", "float32", "nullable int", "int64", "uint8"],
)
def test_columns_of_every_kind_come_back(column, back, tiny_zoo, tmp_path):
    table = tiny_zoo.table.assign(extra=column(len(tiny_zoo.table)))
    loaded = Zoo.load(Zoo(tiny_zoo.architecture, tiny_zoo.weights, table).save(tmp_path / "zoo"))

    expected = table.assign(extra=back(table["extra"]))
    pd.testing.assert_frame_equal(loaded.table, expected, check_exact=True)
    if expected["extra"].dtype == float:
        assert (np.signbit(loaded.table["extra"]) == np.signbit(expected["extra"])).all()


STRIDES = {
    "whole": lambda weights: weights,
    "part": lambda weights: weights[3:7],
    "every other epoch": lambda weights: weights[:, ::2],
    "one model for all": lambda weights: weights[:1].expand(5, -1, -1),
    "epochs outermost": lambda weights: weights.transpose(0, 1).contiguous().transpose(0, 1),
    "with gradient": lambda weights: weights.clone().requires_grad_(),
}


@pytest.mark.parametrize("view", STRIDES.values(), ids=STRIDES)
def test_the_manifests_checksums_are_those_of_the_files(view, tmp_path):
    weights = view(made_up(20, 4).weights)
    models, epochs = weights.shape[:2]
    folder = Zoo(tetris_mlp(), weights, made_up(models, epochs).table).save(tmp_path / "zoo")
    files = json.loads((folder / "manifest.json").read_text())["files"]

    assert set(files) == {"weights.npy", "table.npz", "README.md"}
    for name, said in files.items():
        content = (folder / name).read_bytes()
        assert said == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert np.array_equal(np.load(folder / "weights.npy", allow_pickle=False), weights.detach().numpy())


def test_weights_that_went_wrong_on_their_way_to_the_disk_are_found_on_load(tiny_zoo, tmp_path, monkeypatch):
    def faulty(file: Path, array: np.ndarray, **settings: object) -> None:
        wrong = array.copy()
        wrong[7, 2, 50] += 1
        save(file, wrong, **settings)

    save = np.save
    monkeypatch.setattr(np, "save", faulty)
    folder = tiny_zoo.save(tmp_path / "zoo")

    with pytest.raises(ValueError, match=r"weights\.npy is damaged .its size or checksum is not the manifest's"):
        Zoo.load(folder)


def test_loaded_weights_are_mapped_and_never_written_back(tiny_zoo, tmp_path):
    folder = tiny_zoo.save(tmp_path / "zoo")
    before = (folder / "weights.npy").read_bytes()
    loaded = Zoo.load(folder)
    with open("/proc/self/maps") if os.path.exists("/proc/self/maps") else io.StringIO(str(folder)) as maps:
        assert str(folder) in maps.read()

    loaded.weights.mul_(2)
    loaded.samples().weights.add_(1)

    assert torch.equal(loaded.weights, 2 * tiny_zoo.weights + 1)
    assert (folder / "weights.npy").read_bytes() == before
    assert torch.equal(Zoo.load(folder).weights, tiny_zoo.weights)


def test_a_part_of_a_loaded_zoo_can_be_saved_again(tiny_zoo, tmp_path):
    part = Zoo.load(tiny_zoo.save(tmp_path / "zoo")).split()[0]

    pd.testing.assert_frame_equal(Zoo.load(part.save(tmp_path / "part")).table, part.table)


def test_arrays_that_cannot_be_written_are_copied(tiny_zoo):
    array = tiny_zoo.weights.numpy().copy()
    array.flags.writeable = False
    zoo = Zoo(tiny_zoo.architecture, array, tiny_zoo.table)
    zoo.weights[0] = 0

    assert np.array_equal(array, tiny_zoo.weights.numpy())


def test_the_card_says_what_the_zoo_holds(tiny_zoo, tmp_path):
    card = (tiny_zoo.save(tmp_path / "zoo") / "README.md").read_text(encoding="utf-8")
    last = tiny_zoo.table[tiny_zoo.table["epoch"] == 3]

    assert "# Zoo of 20 models" in card and "tetris_mlp, 100 weights" in card
    assert "4 per model, epochs 0 to 3" in card
    assert "- activation: tanh, relu" in card and "- seed: 1, 2, 3, 4, 5" in card
    assert "Diverged: 0 of 20" in card
    assert f"- test_accuracy: {last['test_accuracy'].mean():.4f}, {last['test_accuracy'].std():.4f}" in card
    assert all(f"- {name}: " in card for name in PROPERTIES)


def refresh(folder: Path) -> None:
    """Make the manifest agree with whatever the files now are, as somebody of ill will could."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name in manifest["files"]:
        content = (folder / name).read_bytes()
        manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def change_manifest(**values: object):
    def change(folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps(manifest | values))

    return change


def wrong_checksum(name: str):
    def change(folder: Path) -> None:
        files = json.loads((folder / "manifest.json").read_text())["files"]
        said = files[name]["sha256"]
        files[name]["sha256"] = said[:-1] + ("0" if said[-1] != "0" else "1")
        change_manifest(files=files)(folder)

    return change


def write(name: str, content: bytes):
    return lambda folder: (folder / name).write_bytes(content)


def flip(name: str):
    def change(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)

    return change


def cut(name: str):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-20])


def link(name: str):
    def change(folder: Path) -> None:
        (folder / name).rename(folder.parent / "elsewhere")
        (folder / name).symlink_to(folder.parent / "elsewhere")

    return change


@pytest.mark.parametrize(
    "damage",
    [
        *(flip(name) for name in ("weights.npy", "table.npz", "README.md")),
        *(cut(name) for name in ("weights.npy", "table.npz", "manifest.json")),
        *(link(name) for name in ("weights.npy", "table.npz")),
        *(wrong_checksum(name) for name in ("weights.npy", "table.npz", "README.md")),
        lambda folder: (folder / "weights.npy").unlink(),
        lambda folder: (folder / "table.npz").unlink(),
        write("manifest.json", b"\xff\xfe"),
        write("manifest.json", b"[" * 100_000),
        write("manifest.json", b"[]"),
        write("manifest.json", b"{}"),
        write("manifest.json", b" " * (2**20 + 1)),
        write("manifest.json", b'{"format": ' + b"9" * 5000 + b"}"),
        change_manifest(format="hyperlib-zoo-2"),
        change_manifest(shape=[20, 4]),
        change_manifest(shape=[20, 4, -100]),
        change_manifest(shape=[2**39, 2**39, 2**39]),
        change_manifest(shape=[20, 4, 100.0]),
        change_manifest(shape=[True, 80, 100]),
        change_manifest(shape=[10, 8, 100]),
        change_manifest(shape=[80, 1, 100]),
        change_manifest(architecture="../../etc/passwd"),
        change_manifest(architecture="digits_cnn"),
        change_manifest(architecture=None),
        change_manifest(activation="swish"),
        change_manifest(columns=["model", "epoch", "activation", "../../x"]),
        change_manifest(columns="model"),
        change_manifest(columns=["epoch"]),
        change_manifest(files={"../x": {"bytes": 1, "sha256": ""}}),
        change_manifest(files={name: {"bytes": 1, "sha256": "0"} for name in zoo_files._FILES}),
    ],
)
def test_a_damaged_zoo_is_refused_in_a_sentence(damage, tiny_zoo, tmp_path):
    folder = tiny_zoo.save(tmp_path / "zoo")
    damage(folder)
    with pytest.raises(ValueError) as caught:
        Zoo.load(folder)
    assert "\n" not in str(caught.value) and len(str(caught.value)) > 30


class Payload:
    """What an attacker would have unpickled."""

    def __reduce__(self):
        return (os.mkdir, (str(Path(os.environ["PAYLOAD"])),))


def npy(array: object, **settings) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **settings)
    return file.getvalue()


def header(shape: str, descr: str = "'<f4'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (117 - len(text)) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def table_with(change) -> object:
    """Replace members of the table's archive."""

    def attack(folder: Path) -> None:
        with zipfile.ZipFile(folder / "table.npz") as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        (folder / "table.npz").write_bytes(change(members))

    return attack


ATTACKS = {
    "pickled weights": lambda folder: (folder / "weights.npy").write_bytes(
        npy(np.array([[[Payload()]]], dtype=object), allow_pickle=True)
    ),
    "bare pickle as weights": lambda folder: (folder / "weights.npy").write_bytes(pickle.dumps(Payload())),
    "bare pickle as table": lambda folder: (folder / "table.npz").write_bytes(pickle.dumps(Payload())),
    "huge shape": lambda folder: (folder / "weights.npy").write_bytes(header(f"({2**40}, {2**40}, 100)")),
    "negative shape": lambda folder: (folder / "weights.npy").write_bytes(header("(-20, -4, 100)")),
    "broken header": lambda folder: (folder / "weights.npy").write_bytes(header("(20, 4, 100")),
    "nested header": lambda folder: (folder / "weights.npy").write_bytes(header("(" * 60 + ")" * 60)),
    "double weights": lambda folder: (folder / "weights.npy").write_bytes(npy(np.zeros((20, 4, 100)))),
    "turned weights": lambda folder: (folder / "weights.npy").write_bytes(
        npy(np.asfortranarray(np.zeros((20, 4, 100), np.float32)))
    ),
    "too short": lambda folder: (folder / "weights.npy").write_bytes(header("(20, 4, 100)") + b"\0" * 31_999),
    "too long": lambda folder: (folder / "weights.npy").write_bytes(header("(20, 4, 100)") + b"\0" * 32_001),
    "other version": lambda folder: (folder / "weights.npy").write_bytes(
        b"\x93NUMPY\x09\x00" + (folder / "weights.npy").read_bytes()[8:]
    ),
    "pickled column": table_with(
        lambda members: zipped(
            members | {"model.npy": npy(np.array([Payload()] * 80, dtype=object), allow_pickle=True)}
        )
    ),
    "compressed table": table_with(lambda members: zipped(members, zipfile.ZIP_DEFLATED)),
    "no archive": lambda folder: (folder / "table.npz").write_bytes(b"PK but not really" * 10),
    "short column": table_with(lambda members: zipped(members | {"epoch.npy": npy(np.arange(79))})),
    "two-dimensional column": table_with(lambda members: zipped(members | {"epoch.npy": npy(np.zeros((80, 2), int))})),
    "column of dates": table_with(lambda members: zipped(members | {"epoch.npy": npy(np.zeros(80, "M8[s]"))})),
    "column of records": table_with(lambda members: zipped(members | {"lr.npy": npy(np.zeros(80, "f4,f4"))})),
    "huge column": table_with(lambda members: zipped(members | {"epoch.npy": header(f"({2**60},)", "'<i8'")})),
    "column of text as divergence": table_with(
        lambda members: zipped(members | {"diverged.npy": npy(np.array(["False"] * 80))})
    ),
    "column that is no array": table_with(lambda members: zipped(members | {"epoch.npy": b"1, 2, 3"})),
    "fractional epochs": table_with(lambda members: zipped(members | {"epoch.npy": npy(np.arange(80) / 2)})),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_hostile_zoo_with_right_checksums_is_refused_and_nothing_is_executed(attack, tiny_zoo, tmp_path, monkeypatch):
    monkeypatch.setenv("PAYLOAD", str(tmp_path / "executed"))
    folder = tiny_zoo.save(tmp_path / "zoo")
    attack(folder)
    refresh(folder)

    with pytest.raises(ValueError) as caught:
        Zoo.load(folder)

    assert "\n" not in str(caught.value) and len(str(caught.value)) > 30
    assert not (tmp_path / "executed").exists()


def test_the_payload_of_these_tests_would_show(tmp_path, monkeypatch):
    monkeypatch.setenv("PAYLOAD", str(tmp_path / "executed"))
    pickle.loads(pickle.dumps(Payload()))

    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize("seed", range(3))
def test_no_change_of_a_single_byte_goes_unseen_or_unhandled(seed, tiny_zoo, tmp_path):
    folder = tiny_zoo.save(tmp_path / "zoo")
    generator = np.random.default_rng(seed)
    for name in ("weights.npy", "table.npz", "manifest.json"):
        whole = (folder / name).read_bytes()
        for place in generator.integers(min(len(whole), 400), size=25):
            content = bytearray(whole)
            content[place] ^= 1 << int(generator.integers(8))
            (folder / name).write_bytes(content)
            if name != "manifest.json":
                refresh(folder)
            try:
                loaded = Zoo.load(folder)
            except ValueError as error:
                assert "\n" not in str(error)
            else:  # a byte that bears no meaning for the form, with checksums made to agree
                assert loaded.weights.shape == tiny_zoo.weights.shape and len(loaded.table) == 80
        (folder / name).write_bytes(whole)
        refresh(folder)


def test_a_folder_without_a_zoo_is_said(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(FileNotFoundError, match="is not a zoo .no manifest.json there.; .*Zoo.save"):
            Zoo.load(folder)


def test_an_existing_folder_is_not_overwritten(tiny_zoo, tmp_path):
    tiny_zoo.save(tmp_path / "zoo")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("zoo", "file", "dangling"):
        with pytest.raises(FileExistsError, match=f"{name} exists already; choose another name or remove it"):
            tiny_zoo.save(tmp_path / name)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_that_appears_meanwhile_is_not_overwritten(tiny_zoo, tmp_path, monkeypatch):
    def somebody_elses(*_: object) -> str:
        (tmp_path / "zoo").mkdir()
        (tmp_path / "zoo" / "theirs").write_text("theirs")
        return "card"

    monkeypatch.setattr(zoo_files, "zoo_card", somebody_elses)
    with pytest.raises(FileExistsError, match="zoo exists already; choose another name"):
        tiny_zoo.save(tmp_path / "zoo")
    assert [path.name for path in tmp_path.rglob("*")] == ["zoo", "theirs"]


@pytest.mark.parametrize("function", ["save", "savez"])
def test_a_full_disk_leaves_nothing_behind(function, tiny_zoo, tmp_path, monkeypatch):
    def full(file: Path, *arrays: object, **columns: object) -> None:
        Path(file).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, function, full)
    with pytest.raises(OSError, match=r"zoo cannot be written to .*No space left on device.; free some space"):
        tiny_zoo.save(tmp_path / "zoo")
    assert not list(tmp_path.iterdir())


def test_a_checksum_that_cannot_be_taken_leaves_nothing_behind(tiny_zoo, tmp_path, monkeypatch):
    def exhausted(array: np.ndarray) -> str:
        raise MemoryError

    monkeypatch.setattr(zoo_files, "_digest_as_file", exhausted)
    with pytest.raises(MemoryError):
        tiny_zoo.save(tmp_path / "zoo")
    assert not list(tmp_path.iterdir())


def test_an_interrupted_write_leaves_nothing_behind(tiny_zoo, tmp_path, monkeypatch):
    def stop(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(zoo_files, "zoo_card", stop)
    with pytest.raises(KeyboardInterrupt):
        tiny_zoo.save(tmp_path / "zoo")
    assert not list(tmp_path.iterdir())


def test_a_place_where_nothing_can_be_written_is_said(tiny_zoo, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="The zoo cannot be written to .*choose another folder"):
        tiny_zoo.save(tmp_path / "file" / "zoo")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_said(tiny_zoo, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match=r"cannot be written to .*Permission denied"):
        tiny_zoo.save(tmp_path / "zoo")
    tmp_path.chmod(0o700)


def test_what_could_not_be_read_back_is_not_saved(tiny_zoo, tmp_path):
    with pytest.raises(ValueError, match="no models, so there is nothing to save"):
        tiny_zoo.take([]).save(tmp_path / "zoo")
    with pytest.raises(ValueError, match="column 'a/b' cannot be saved under this name"):
        Zoo(tiny_zoo.architecture, tiny_zoo.weights, tiny_zoo.table.assign(**{"a/b": 1})).save(tmp_path / "zoo")
    strange = replace(tiny_zoo.architecture, layers=(Strange(), *tiny_zoo.architecture.layers))
    with pytest.raises(ValueError, match="A layer of kind Strange cannot be described in a file"):
        Zoo(strange, tiny_zoo.weights, tiny_zoo.table).save(tmp_path / "zoo")
    assert not list(tmp_path.iterdir())


class Strange(Layer):
    """A kind of layer that the library does not know."""

    def run(self, x, own, now):
        return x


def zoo_of_its_own(tiny_zoo: Zoo, name: str = "mine") -> Zoo:
    """The same weights in a network that is not in the library's list: its activation is a layer's own."""
    layers = (Flatten(), Linear("fc1", width=5, bias=False), Activation(kind="sine", frequency=30.0))
    layers = (*layers, Linear("fc2", units="classes", width=4, bias=False))
    return Zoo(Architecture(name, (1, 4, 4), layers, "relu"), tiny_zoo.weights, tiny_zoo.table)


@pytest.mark.parametrize("name", ["mine", "tetris_mlp", "Netz 1\n"])
def test_a_zoo_of_an_own_network_comes_back_exactly(name, tiny_zoo, tmp_path):
    zoo = zoo_of_its_own(tiny_zoo, name)

    loaded = Zoo.load(zoo.save(tmp_path / "zoo"))

    assert loaded.architecture == zoo.architecture != tiny_zoo.architecture
    assert torch.equal(loaded.weights, zoo.weights)
    pd.testing.assert_frame_equal(loaded.table, zoo.table, check_exact=True)


def test_only_an_own_network_is_described_in_the_manifest(tiny_zoo, tmp_path):
    one, other = tiny_zoo.save(tmp_path / "ours"), zoo_of_its_own(tiny_zoo).save(tmp_path / "mine")
    ours, mine = (json.loads((folder / "manifest.json").read_text()) for folder in (one, other))

    assert list(ours) == ["format", "architecture", "activation", "shape", "columns", "files"]
    assert list(mine) == [*ours, "record"]
    assert mine["record"] == to_record(zoo_of_its_own(tiny_zoo).architecture)


def test_a_zoo_of_a_large_network_of_ones_own_comes_back(tmp_path):
    layers = tuple(Linear(f"layer{number}", width=1) for number in range(9_000))
    net = Architecture("deep", (1, 1, 1), (Flatten(), *layers))
    zoo = Zoo(net, torch.zeros(1, 1, net.layout.size), made_up(1, 1).table.assign(**dict.fromkeys(PROPERTIES, 0.5)))

    assert Zoo.load(zoo.save(tmp_path / "zoo")).architecture == net


WIDER = Architecture("mine", (1, 4, 4), (Flatten(), Linear("fc1", width=5), Linear("fc2", width=4)))


@pytest.mark.parametrize(
    "record",
    [
        {},
        [],
        "tetris_mlp",
        {"kind": "python", "code": "__import__('os').mkdir('executed')"},
        to_record(WIDER),
        to_record(tetris_mlp()),
        to_record(replace(WIDER, activation="relu")),
        to_record(WIDER) | {"layers": [{"layer": "Flatten"}, {"layer": "Linear", "name": "fc", "width": 2**31 - 1}]},
        to_record(WIDER) | {"layers": [{"layer": "Flatten"}] * 20_000},
        to_record(WIDER) | {"name": "\n" * 1000},
    ],
)
def test_a_manifest_with_a_wrong_record_is_refused_in_a_sentence(record, tiny_zoo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = zoo_of_its_own(tiny_zoo).save(tmp_path / "zoo")
    change_manifest(record=record)(folder)

    with pytest.raises(ValueError) as caught:
        Zoo.load(folder)

    assert "\n" not in str(caught.value) and 30 < len(str(caught.value)) < 600
    assert [path.name for path in tmp_path.iterdir()] == ["zoo"]


def test_an_own_network_without_its_record_is_not_known(tiny_zoo, tmp_path):
    folder = zoo_of_its_own(tiny_zoo).save(tmp_path / "zoo")
    change_manifest(record=None)(folder)

    with pytest.raises(ValueError, match="names no network that can be read: There is no architecture 'mine'"):
        Zoo.load(folder)


@pytest.mark.parametrize("seed", range(3))
def test_no_change_of_a_byte_of_a_record_goes_unhandled(seed, tiny_zoo, tmp_path):
    folder, generator = zoo_of_its_own(tiny_zoo).save(tmp_path / "zoo"), np.random.default_rng(seed)
    whole = (folder / "manifest.json").read_bytes()
    for place in generator.integers(whole.index(b'"record"'), len(whole), size=150):
        content = bytearray(whole)
        content[place] = int(generator.integers(256)) if generator.random() < 0.5 else content[place] ^ 1
        (folder / "manifest.json").write_bytes(content)
        try:
            loaded = Zoo.load(folder)
        except ValueError as error:
            assert "\n" not in str(error)
        else:
            assert loaded.architecture.layout.size == 100


def test_a_zoo_moved_or_copied_elsewhere_still_loads(tiny_zoo, tmp_path):
    folder = tiny_zoo.save(tmp_path / "zoo")
    shutil.copytree(folder, tmp_path / "copy")
    folder.rename(tmp_path / "moved")

    for name in ("copy", "moved"):
        assert torch.equal(Zoo.load(tmp_path / name).weights, tiny_zoo.weights)


def test_two_hundred_models_are_written_and_read_within_a_second(tmp_path):
    models, epochs, net = 200, 26, small_cnn()
    table = pd.DataFrame({"model": np.repeat(np.arange(models), epochs), "epoch": np.tile(np.arange(epochs), models)})
    table = table.assign(activation="tanh", diverged=False, **dict.fromkeys(PROPERTIES, 0.5))
    zoo = Zoo(net, torch.randn(models, epochs, net.num_weights), table)

    times = []
    for attempt in range(3):  # the quickest counts: the machine has other work
        begun = time.perf_counter()
        folder = zoo.save(tmp_path / f"zoo{attempt}")
        written = time.perf_counter()
        Zoo.load(folder)
        times.append((written - begun, time.perf_counter() - written))

    write_seconds, read_seconds = np.min(times, axis=0)
    assert write_seconds < 1 and read_seconds < 1, times


def test_a_split_by_seed_keeps_models_that_began_alike_together(tiny_zoo):
    parts = tiny_zoo.split((0.6, 0.4), by="seed")

    seeds = [set(part.design["seed"]) for part in parts]
    assert seeds[0].isdisjoint(seeds[1])
    assert sum(len(part) for part in parts) == len(tiny_zoo)
    with pytest.raises(ValueError, match="no column 'colour' to split by"):
        tiny_zoo.split(by="colour")
