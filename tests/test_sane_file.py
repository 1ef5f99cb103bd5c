"""A Sane comes back from its file to the last bit, and no file can do more than be refused."""

from __future__ import annotations

import json
import shutil
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hostile_files import flips, rewrite
from long_training import walks

from hyperlib.representations import safe_file, sane_file
from hyperlib.representations.sane import Sane
from hyperlib.weightspace.architecture_record import record_of
from hyperlib.weightspace.architectures import resnet18
from hyperlib.weightspace.bridge.from_module import from_module
from hyperlib.zoos.zoo import Samples

SMALL = {
    **{"token": 24, "window": 8, "latent": 3, "width": 16, "depth": 1, "steps": 2, "batch_size": 12, "validations": 1},
    **{"projection": (2, 8, 4), "precision": "float32", "tables": (900, 30, 80)},
}
REFUSED = "is damaged or not of the format hyperlib-sane-1 .*; make or download it again"


@pytest.fixture(scope="module")
def sane() -> Sane:
    return Sane(**SMALL).fit({name: walks(name, models=3) for name in ("tetris_mlp", "small_resnet_1ch")})


@pytest.fixture(scope="module")
def original(sane, tmp_path_factory) -> Path:
    return sane.save(tmp_path_factory.mktemp("saved") / "sane.safetensors")


@pytest.fixture
def saved(original, tmp_path) -> Path:
    """A file that a test may spoil."""
    return Path(shutil.copy(original, tmp_path / "sane.safetensors"))


def refused(path: Path) -> None:
    with pytest.raises(ValueError, match=REFUSED) as caught:
        Sane.load(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


def test_zoos_scales_and_history_come_back(sane, original):
    loaded = Sane.load(original)

    assert [zoo.name for zoo in loaded.zoos_] == ["tetris_mlp", "small_resnet_1ch"]
    for one, other in zip(loaded.zoos_, sane.zoos_, strict=True):
        assert one.architecture == other.architecture
        for part in ("mean", "deviation", "layer_of"):
            assert torch.equal(getattr(one.scale, part), getattr(other.scale, part))
    pd.testing.assert_frame_equal(loaded.history_, sane.history_)


def test_traced_modules_come_back_as_layouts(tmp_path):
    module = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
    network = from_module(module, torch.rand(2, 6))
    samples = Samples(network.trial_weights(6).float(), pd.DataFrame({"model": range(6), "epoch": 0}), network)
    sane = Sane(**SMALL).fit({"mine": samples})

    loaded = Sane.load(sane.save(tmp_path / "it"))
    assert loaded.zoos_[0].architecture.layout == network.layout
    np.testing.assert_array_equal(loaded.embed(samples), sane.embed(samples))


def test_nothing_is_written_that_could_not_be_read(sane, tmp_path, monkeypatch):
    monkeypatch.setattr(safe_file, "WEIGHTS_LIMIT", 1000)
    with pytest.raises(ValueError, match=r"small_resnet_1ch have \d+ weights in all"):
        sane.save(tmp_path / "it")
    monkeypatch.undo()
    monkeypatch.setattr(sane_file, "RECORD_LIMIT", 20)
    with pytest.raises(ValueError, match="architectures of its zoos take"):
        sane.save(tmp_path / "it")
    assert list(tmp_path.iterdir()) == []


def zoos(*entries: object):
    return lambda words, tensors: words.update(zoos=json.dumps(entries))


def settings(**changes: object):
    return lambda words, tensors: words.update(settings=json.dumps(json.loads(words["settings"]) | changes))


TETRIS, RESNET = ["tetris_mlp", "tetris_mlp", "tanh", None], ["small_resnet_1ch", "small_resnet_1ch", "relu", None]


@pytest.mark.parametrize(
    "change",
    [
        zoos(),
        zoos(TETRIS),
        zoos(TETRIS, TETRIS, RESNET),
        zoos(TETRIS, ["a", "no_such_network", "tanh", None]),
        zoos(TETRIS, [0, "small_resnet_1ch", "relu", None]),
        zoos(TETRIS, ["a", "small_resnet_1ch", "relu", {"kind": "module"}]),
        lambda words, tensors: words.update(zoos="[" * 5000),
        lambda words, tensors: words.update(zoos="{}"),
        settings(projection=[-1, 1, 1]),
        settings(projection=[2**40, 1, 1]),
        settings(depth=2**30),
        settings(width=2**30),
        settings(tables=[2**40, 1, 1], places="tables"),
        settings(window=0),
        settings(unknown=1),
        settings(augment={"permute": 3}),
        settings(steps=[1]),
        lambda words, tensors: tensors.update({"scale.0.deviation": -tensors["scale.0.deviation"]}),
        lambda words, tensors: tensors.update({"scale.1.mean": tensors["scale.1.mean"] * torch.nan}),
        lambda words, tensors: tensors.pop("scale.1.mean"),
        lambda words, tensors: tensors.update({"more": torch.zeros(3)}),
    ],
)
def test_a_hostile_file_is_refused_soon_and_with_little_memory(change, saved):
    rewrite(saved, change)
    tracemalloc.start()
    started = time.perf_counter()
    refused(saved)
    assert time.perf_counter() - started < 5 and tracemalloc.get_traced_memory()[1] < 2**28
    tracemalloc.stop()


def test_many_large_networks_in_a_small_file_are_refused(saved):
    """A network of our list is a name in the file, and a scale of eight bytes a weight when it is read."""
    network = resnet18()
    large = ["resnet", network.name, network.activation, record_of(network)]

    def change(words: dict[str, str], tensors: dict[str, torch.Tensor]) -> None:
        words["zoos"] = json.dumps([large] * 13)
        for name in [name for name in tensors if name.startswith("scale.")]:
            del tensors[name]
        for number in range(13):
            tensors |= {f"scale.{number}.{part}": torch.ones(62) for part in ("mean", "deviation")}

    rewrite(saved, change)
    with pytest.raises(ValueError, match=r"weights in all; a representation's file takes 2\*\*27"):
        Sane.load(saved)


def test_no_change_of_a_single_byte_goes_unseen(saved):
    for _ in flips(saved, 60, 30):
        refused(saved)
