"""A representation comes back from its file to the last bit, and no file can do more than be refused."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from elsewhere import elsewhere
from hostile_files import Metadata, Tensors, flips, rewrite
from long_training import COMBINATIONS, digest, digest_of_file, fit, learned, small, walks
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from sklearn.base import clone
from toys import network

from hyperlib.representations import hyper_rep, safe_file
from hyperlib.representations.augment import Augment
from hyperlib.representations.hyper_rep import HyperRep
from hyperlib.weightspace.architecture_record import to_record
from hyperlib.weightspace.architectures import tetris_mlp
from hyperlib.weightspace.layers import Dropout, Layer
from hyperlib.zoos.zoo import Samples

REFUSED = "is damaged or not of the format hyperlib-representation-2 .*; make or download it again"


@pytest.fixture(scope="module")
def fitted() -> HyperRep:
    return fit(small(augment=Augment(permute="orbit", noise=0.1, erased=(0.1, 0.2))), validation=walks(seed=1))


@pytest.fixture(scope="module")
def original(fitted, tmp_path_factory) -> Path:
    return fitted.save(tmp_path_factory.mktemp("saved") / "rep.safetensors")


@pytest.fixture
def saved(original, tmp_path) -> Path:
    """A file that a test may spoil."""
    return Path(shutil.copy(original, tmp_path / "rep.safetensors"))


@pytest.fixture(scope="module")
def own_original(tmp_path_factory) -> Path:
    rep = fit(small("odd_residual_net", steps=1), walks("odd_residual_net"))
    return rep.save(tmp_path_factory.mktemp("saved") / "rep.safetensors")


@pytest.fixture
def own_saved(own_original, tmp_path) -> Path:
    """The same of a network that is not in the library's list."""
    return Path(shutil.copy(own_original, tmp_path / "own.safetensors"))


class Strange(Layer):
    """A kind of layer that the library does not know."""


# -- there and back ----------------------------------------------------------------------------------------------------


def check_alike(loaded: HyperRep, rep: HyperRep, samples: Samples) -> None:
    assert loaded.get_params() == rep.get_params()
    assert {name: type(value) for name, value in loaded.get_params().items()} == {
        name: type(value) for name, value in rep.get_params().items()
    }
    pd.testing.assert_frame_equal(loaded.history_, rep.history_)
    assert all(torch.equal(value, learned(rep)[name]) for name, value in learned(loaded).items())
    np.testing.assert_array_equal(loaded.embed(samples), rep.embed(samples))
    latents = rep.latents(samples)
    np.testing.assert_array_equal(loaded.latents(samples), latents)
    assert torch.equal(loaded.decode(latents), rep.decode(latents))
    assert (loaded.latents_, loaded.dimensions_) == (rep.latents_, rep.dimensions_)
    assert loaded.get_feature_names_out().tolist() == rep.get_feature_names_out().tolist()


@pytest.mark.parametrize(("encoding", "readout"), COMBINATIONS)
@pytest.mark.parametrize("normalise", [True, False])
def test_every_kind_comes_back_as_it_was(encoding, readout, normalise, tmp_path):
    rep = fit(small(encoding=encoding, readout=readout, normalise=normalise, steps=2))

    check_alike(HyperRep.load(rep.save(tmp_path / "rep")), rep, walks())


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 0},
        {"statistics": False, "hidden": 5},
        {"augment": Augment(permute=False, fixed_views=1, multiplicative=0.1, erase=0.5, target="view")},
        {"mix": 0.0, "per_model": None, "projection": (2, 6, 3)},
        {"precision": "bfloat16"},
        {"precision": "auto", "seed": -(2**63)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_setting_comes_back_as_it_was(changes, tmp_path):
    rep = fit(small(**changes))

    check_alike(HyperRep.load(rep.save(str(tmp_path / "new" / "folder" / "rep"))), rep, walks())


def test_a_network_with_norms_and_the_activation_of_its_samples_come_back(tmp_path):
    samples = walks("small_resnet_1ch", models=3)
    rep = small("small_resnet_1ch", steps=1, augment=Augment(permute=False))
    other = samples.architecture.with_activation("tanh")
    rep.fit(Samples(samples.weights, samples.table, other))

    loaded = HyperRep.load(rep.save(tmp_path / "rep"))

    check_alike(loaded, rep, samples)
    assert (loaded.architecture.activation, loaded.architecture_.activation) == ("relu", "tanh")


def test_another_process_reads_the_same_bits(original, fitted):
    assert elsewhere(digest_of_file, original) == digest(fitted)


def test_a_loaded_representation_trains_again_as_the_first_did(original, fitted):
    again = fit(clone(HyperRep.load(original)), validation=walks(seed=1))

    assert digest(again) == digest(fitted)


def test_loading_draws_nothing_from_the_global_generator(original):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    HyperRep.load(original)

    assert torch.equal(torch.get_rng_state(), before)


def test_settings_out_of_an_array_are_saved_as_plain_numbers(tmp_path):
    rep = fit(small(normalise=np.bool_(True), rate=np.float32(0.25), mix=np.float64(0.5), steps=0))

    loaded = HyperRep.load(rep.save(tmp_path / "rep"))

    assert loaded.get_params() == rep.get_params()
    assert [type(value) for value in (loaded.normalise, loaded.rate, loaded.mix)] == [bool, float, float]


@pytest.mark.parametrize("name", ["residual_net", "padded_net"])
def test_a_representation_of_an_own_network_comes_back(name, tmp_path):
    samples = walks(name, models=4)
    rep = small(name, steps=2, augment=Augment(permute=False)).fit(samples)

    loaded = HyperRep.load(rep.save(tmp_path / "rep"))

    assert loaded.architecture == rep.architecture and loaded.architecture_ == rep.architecture_
    check_alike(loaded, rep, samples)


def test_a_changed_network_of_ours_is_kept_as_it_was_changed(tmp_path):
    rep = fit(small(steps=0))
    rep.architecture = rep.architecture_ = replace(rep.architecture, layers=(Dropout(), *rep.architecture.layers))

    assert HyperRep.load(rep.save(tmp_path / "rep")).architecture == rep.architecture != tetris_mlp()


def test_only_an_own_network_is_described_in_the_file(original, own_saved):
    with safe_open(original, framework="pt") as ours, safe_open(own_saved, framework="pt") as own:
        assert "record" not in ours.metadata()
        assert json.loads(own.metadata()["record"]) == to_record(network("odd_residual_net"))


# -- writing -----------------------------------------------------------------------------------------------------------


def test_nothing_is_overwritten(fitted, saved, tmp_path):
    before = saved.read_bytes()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder").mkdir()

    for path in (saved, tmp_path / "link", tmp_path / "folder"):
        with pytest.raises(FileExistsError, match="exists already; choose another name or remove it first"):
            fitted.save(path)
    assert saved.read_bytes() == before and not (tmp_path / "nowhere").exists()


def test_a_network_that_was_changed_after_fitting_is_refused(tmp_path):
    changed = fit(small(steps=0))
    changed.architecture = replace(changed.architecture, layers=changed.architecture.layers[:2])

    with pytest.raises(ValueError, match="network was changed to tetris_mlp since it was fitted; fit it again"):
        changed.save(tmp_path / "rep")
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_could_not_be_read_back_is_refused(tmp_path):
    rep = fit(small(steps=0))
    rep.architecture = replace(rep.architecture, layers=(Strange(), *rep.architecture.layers))

    with pytest.raises(ValueError, match="A layer of kind Strange cannot be described in a file"):
        rep.save(tmp_path / "rep")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), SafetensorError("I/O error")])
def test_a_full_disk_leaves_nothing_behind(error, fitted, tmp_path, monkeypatch):
    def full(tensors: dict, path: Path, metadata: dict) -> None:
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(safe_file, "save_file", full)
    with pytest.raises(OSError, match="cannot be written to .*; free some space there"):
        fitted.save(tmp_path / "rep")
    assert list(tmp_path.iterdir()) == []


def test_a_place_below_a_file_is_refused(fitted, tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(OSError, match="The representation cannot be written to .*; free some space there"):
        fitted.save(tmp_path / "file" / "rep")


# -- damaged files -----------------------------------------------------------------------------------------------------


def refused(path: Path) -> str:
    """What is said about a file that does not load; one sentence, whatever is in it."""
    with pytest.raises(ValueError, match=REFUSED) as caught:
        HyperRep.load(path)
    said = str(caught.value)
    assert "\n" not in said and len(said) < 600
    return said


def test_where_there_is_no_file_it_is_said(original, tmp_path):
    (tmp_path / "link").symlink_to(original)
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path / "absent", tmp_path, tmp_path / "link", tmp_path / "pipe", tmp_path / "file" / "below"):
        with pytest.raises(FileNotFoundError, match="no representation at .*; HyperRep.save writes one"):
            HyperRep.load(path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_not_taken_for_damage(original):
    with pytest.raises(ValueError, match="finds no CUDA device here"):
        HyperRep.load(original, device="cuda")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.99])
def test_a_file_cut_short_is_refused(share, saved):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(len(content) * share)])

    refused(saved)


@pytest.mark.parametrize("content", [b"no tensors here", b"\0" * 100, b"\xff" * 100, b"PK\x03\x04" * 50])
def test_what_is_no_such_file_is_refused(content, tmp_path):
    (tmp_path / "rep").write_bytes(content)

    refused(tmp_path / "rep")


def test_no_change_of_a_single_byte_goes_unseen(saved):
    """But for the order of what the header lists, and blanks."""
    for _ in flips(saved, 150, 50):
        refused(saved)


def test_a_pickle_is_not_opened(tmp_path, monkeypatch, fitted):
    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    torch.save({"network": Payload(), "settings": fitted.get_params(deep=False)}, tmp_path / "rep")

    refused(tmp_path / "rep")
    assert not (tmp_path / "executed").exists()
    with (tmp_path / "plain").open("wb") as file:
        pickle.dump(Payload(), file)
    refused(tmp_path / "plain")
    assert not (tmp_path / "executed").exists()
    pickle.loads((tmp_path / "plain").read_bytes())
    assert (tmp_path / "executed").exists()  # this payload would have shown


# -- hostile files: well formed, with a checksum that agrees -----------------------------------------------------------


def settings(**changes) -> Callable[[Metadata, Tensors], None]:
    """A change of some settings."""

    def change(metadata: Metadata, tensors: Tensors) -> None:
        metadata["settings"] = json.dumps(json.loads(metadata["settings"]) | changes)

    return change


def words(**changes: str | None) -> Callable[[Metadata, Tensors], None]:
    """A change of metadata; None takes an entry out."""

    def change(metadata: Metadata, tensors: Tensors) -> None:
        metadata.update(changes)
        for name in [name for name, value in metadata.items() if value is None]:
            del metadata[name]

    return change


def tensors(**changes: Callable[[torch.Tensor], torch.Tensor] | None) -> Callable[[Metadata, Tensors], None]:
    """A change of tensors, by the name's start; None takes them out."""

    def change(metadata: Metadata, found: Tensors) -> None:
        for start, function in changes.items():
            names = [name for name in found if name.startswith(start.replace("_", "."))]
            assert names
            for name in names:
                if function is None:
                    del found[name]
                else:
                    found[name] = function(found[name]).contiguous()

    return change


def spoiled(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    def change(tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.clone()
        if tensor.is_floating_point():
            tensor.view(-1)[0] = value
        return tensor

    return change


CODE = "__import__('os').mkdir('executed')"
CHANGES = {
    "no change": lambda metadata, tensors: None,
    "words that say the same": settings(seed=5, weight_decay=0.5),
}
GIANTS = {
    **{
        f"{name} {value:.0e}": settings(**{name: value})
        for name in ("width", "latent", "hidden", "depth")
        for value in (10**9, 10**30)
    },
    "wide enough to be real": settings(width=20_000, hidden=20_000),
    **{
        f"projection {place}": settings(projection=[10**9 if number == place else 1 for number in range(3)])
        for place in range(3)
    },
    "dense": settings(encoding="dense", readout="latent", latent=10**9),
    "weights": settings(encoding="weight", width=10**6),
    "a large network": words(architecture="resnet18_100"),
    "a large network, every weight a token": lambda metadata, tensors: (
        words(architecture="resnet18_100")(metadata, tensors),
        settings(encoding="weight")(metadata, tensors),
    ),
}
ATTACKS = {
    "other format": words(format="hyperlib-zoo-1"),
    "later format": words(format="hyperlib-representation-3"),
    **{f"no {name}": words(**{name: None}) for name in ("format", "architecture", "activation", "fitted_activation")},
    **{f"no {name}": words(**{name: None}) for name in ("settings", "checksum")},
    "unknown architecture": words(architecture="../../etc/passwd"),
    "other architecture": words(architecture="digits_cnn"),
    "unknown activation": words(activation=CODE),
    "unknown fitted activation": words(fitted_activation=CODE),
    **{f"settings {text[:12]!r}": words(settings=text) for text in ("", "{}", "[]", "null", "3", '"augment"', CODE)},
    "settings that nest": words(settings="[" * 60_000),
    "settings without end": words(settings=json.dumps({"augment": None, "projection": [1] * 100_000})),
    "settings with a huge number": words(settings='{"seed": ' + "9" * 5000 + "}"),
    **{f"unknown setting {name}": settings(**{name: 1}) for name in ("widht", "__class__", "self", "network_")},
    "device": settings(device="cuda"),
    "architecture among settings": settings(architecture="tetris_mlp"),
    **{f"{name} as code": settings(**{name: CODE}) for name in ("encoding", "readout", "contrast", "precision", "mix")},
    **{f"{name} as code": settings(**{name: CODE}) for name in ("width", "projection", "augment", "positions", "seed")},
    **{f"augment {value!r}": settings(augment=value) for value in ({}, {"erased": [0, 1], "__class__": 1}, [1], 1)},
    **{f"{name} nan": settings(**{name: float("nan")}) for name in ("depth", "mix", "rate", "positions", "steps")},
    **{f"depth {value!r}": settings(depth=value) for value in (0, -1, 2, 1.0, "1", None, True, [1])},
    **{f"projection {value!r}": settings(projection=value) for value in ([], [1, 8], [-1, 8, 4], [2, 8, 4], None)},
    "seed beyond 64 bits": settings(seed=2**70),
    "other sizes": settings(width=16),
    "other encoding": settings(encoding="weight"),
    "other readout": settings(readout="summary"),
    "without statistics": settings(statistics=False),
    "not normalised": settings(normalise=False),
    **{f"no {name}": tensors(**{name: None}) for name in ("history", "scale_mean", "head_0_bias", "network_places")},
    "a tensor more": lambda metadata, tensors: tensors.update(extra=torch.zeros(1)),
    "history of another width": tensors(history=lambda history: history[:, :-1]),
    "history in one row": tensors(history=lambda history: history.flatten()),
    "history of no steps": tensors(history=lambda history: history.fill_(torch.nan)),
    "turned matrix": tensors(network_tokens_into_0_weight=lambda matrix: matrix.T),
    **{
        f"{value} in {name}": tensors(**{name: spoiled(value)})
        for name in ("network_places", "head", "scale_deviation", "network_tokens_centre")
        for value in (float("nan"), float("inf"))
    },
}  # fmt: skip


@pytest.fixture
def nothing_large(monkeypatch) -> None:
    """Fails where a network is made in memory, and not only its shapes."""

    def made(*arguments) -> None:
        raise AssertionError("networks were made of settings that do not belong to the file")

    monkeypatch.setattr(hyper_rep, "initialise", made)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_way_these_files_are_made_leaves_good_ones_good(change, saved, fitted):
    rewrite(saved, change)

    assert digest(HyperRep.load(saved)) == digest(fitted)


@pytest.mark.parametrize("attack", GIANTS.values(), ids=GIANTS)
def test_a_file_cannot_ask_for_more_than_it_holds(attack, saved, nothing_large):
    rewrite(saved, attack)

    assert "memory" not in refused(saved)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_hostile_file_is_refused_and_nothing_is_executed(attack, saved, monkeypatch):
    monkeypatch.chdir(saved.parent)
    rewrite(saved, attack)

    refused(saved)

    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_numbers_of_another_precision_are_read_as_those_of_the_library(dtype, saved):
    rewrite(saved, tensors(scale=lambda values: values.to(dtype), network_places=lambda values: values.to(dtype)))

    assert HyperRep.load(saved).embed(walks()).dtype == np.float32


def test_settings_that_were_changed_by_hand_are_seen(saved):
    with safe_open(saved, framework="pt") as file:
        metadata, found = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    settings(heads=1)(metadata, found)  # which no shape tells
    save_file(found, saved, metadata)

    assert "what it holds is not what was written" in refused(saved)


# -- hostile records of networks -------------------------------------------------------------------------------------


def record(**changes: object) -> Callable[[Metadata, Tensors], None]:
    """A change of the network's record."""

    def change(metadata: Metadata, tensors: Tensors) -> None:
        metadata["record"] = json.dumps(json.loads(metadata["record"]) | changes)

    return change


def linear(name: str, width: int) -> dict:
    return {"layer": "Linear", "name": name, "width": width}


FLAT = {"layer": "Flatten"}
RECORDS = {
    "no record": words(record=None),
    **{f"record {text[:12]!r}": words(record=text) for text in ("", "{}", "[]", "null", "3", CODE, "[" * 60_000)},
    "a long record": words(record=" " * (2**20 + 1)),
    "a record of ours": words(record=json.dumps(to_record(tetris_mlp()))),
    "another name": record(name="digits_cnn"),
    "another activation": record(activation="relu"),
    "a kind of code": record(kind=CODE),
    "a layer of code": record(layers=[{"layer": CODE}]),
    "a layer less": record(layers=to_record(network("odd_residual_net"))["layers"][:-1]),
    "wider": record(image=[4, 2, 2]),
    "ours by the name of another": lambda metadata, tensors: (
        words(architecture="tetris_mlp")(metadata, tensors),
        record(name="tetris_mlp")(metadata, tensors),
        words(record=None)(metadata, tensors),
    ),
}
GIANT_RECORDS = {
    "10^9 weights": record(layers=[FLAT, linear("a", 10**8), linear("b", 3)]),
    "10^12 weights": record(layers=[FLAT, linear("a", 10**6), linear("b", 10**6)]),
    "10^30 weights": record(layers=[FLAT, linear("a", 10**9), linear("b", 10**30)]),
    "10^8 weights": record(layers=[FLAT, linear("a", 10**4), linear("b", 10**4)]),
    "10^8 weights, each a token": lambda metadata, tensors: (
        record(layers=[FLAT, linear("a", 10**4), linear("b", 10**4)])(metadata, tensors),
        settings(encoding="weight")(metadata, tensors),
    ),
    "many layers": record(layers=[FLAT, *(linear(f"l{number}", 2) for number in range(9_000))]),
    "a large image": record(image=[1, 2**31 - 1, 2**31 - 1]),
}


@pytest.mark.parametrize("attack", (RECORDS | GIANT_RECORDS).values(), ids=RECORDS | GIANT_RECORDS)
def test_a_hostile_record_is_refused_and_makes_nothing(attack, own_saved, nothing_large, monkeypatch):
    monkeypatch.chdir(own_saved.parent)
    rewrite(own_saved, attack)
    begun = time.perf_counter()

    assert "memory" not in refused(own_saved)

    assert time.perf_counter() - begun < 10
    assert [path.name for path in own_saved.parent.iterdir()] == [own_saved.name]
