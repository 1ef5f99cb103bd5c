"""Ordinary modules that the page trains: the same from a seed, and what the page says of them."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from hyperlib.images.images import load_images
from hyperlib.study import foreign, foreign_modules

DIGITS = load_images("digits")
SMALL = DIGITS.subset(train=200, test=60)


@pytest.mark.parametrize("kind", foreign_modules.DIGITS)
def test_training_depends_on_its_seed_alone_and_learns(kind):
    before = torch.get_rng_state()
    make = foreign_modules.DIGITS[kind]
    first, again, other = (foreign.trained(make, SMALL, seed=seed, epochs=2) for seed in (3, 3, 4))

    assert len(first) == 3 and torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[-1][name], again[-1][name]) for name in first[-1])
    assert any(not torch.equal(first[-1][name], other[-1][name]) for name in first[-1])


@pytest.mark.parametrize("kind", foreign_modules.DIGITS)
def test_a_foreign_zoo_has_every_epoch_of_every_model_and_its_accuracy(kind):
    zoo = foreign.foreign_zoo(kind, SMALL, seeds=2, epochs=2, lrs=(1e-3, 1e-2))

    assert zoo.weights.shape[:2] == (4, 3) and sorted(set(zoo.table["lr"])) == [1e-3, 1e-2]
    scores = zoo.module(3, 2)(SMALL.test_x)
    accuracy = float((scores.argmax(-1) == SMALL.test_y).double().mean())
    assert accuracy == pytest.approx(zoo.table["test_accuracy"].iloc[-1])


def test_groups_of_the_traced_modules_are_those_of_theory():
    expected = {
        "actor and critic": {"trunk.0": 64, "trunk.2": 64},
        "Fourier transform": {"between": 16},
        "grouped queries": {"embed": 32, "q#1": 2, "q#2": 2, "q#3": 8, "out#3": 8, "gate": 64},
    }
    found = {kind: network.structure.groups for kind, (network, _) in foreign_modules.traced().items()}
    assert {kind: found[kind] for kind in expected} == expected
    padded = found["ResNet that pads"]
    streams, inner = [16, 8, 8, 16, 16], [16, 32, 32, 64, 64]  # the first stream, and the rims of the others
    assert sorted(padded.values()) == sorted(streams + inner)


def test_traced_networks_and_their_inputs_come_from_the_seed_alone():
    tables, state = [], torch.random.get_rng_state()
    try:
        for other in (1, 2):  # whatever the process has drawn before
            torch.random.manual_seed(other)
            tables.append(foreign.every_move(foreign_modules.traced()))
            assert torch.equal(torch.random.get_rng_state(), torch.Generator().manual_seed(other).get_state())
    finally:
        torch.random.set_rng_state(state)
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    drawn = {seed: foreign_modules.traced(seed)["ResNet that pads"][1] for seed in (0, 1)}
    assert not torch.equal(drawn[0], drawn[1])


def test_lines_and_planted_copies_have_a_row_for_all_that_was_asked():
    zoos = {"CNN with norms": foreign.foreign_zoo("CNN with norms", SMALL, seeds=3, epochs=1)}
    pairs = torch.combinations(torch.arange(3), 2)
    beside = {kind: foreign.twins(kind, zoo, SMALL) for kind, zoo in zoos.items()}
    lines, heights = foreign.lines_between_seeds(zoos, beside, SMALL, pairs)

    far = heights.pivot(index="pair", columns="setting", values="distance")
    assert set(far) == {"own copy", "same start", "two seeds", "aligned", "with signs"} and len(far) == len(pairs)
    assert (far["with signs"] <= far["two seeds"]).all() and (far["same start"] < far["own copy"]).all()
    assert set(lines.columns) >= {"alpha", "loss", "network", "pair"}
    planted = foreign.planted_orders(zoos, beside).set_index("moved")
    assert planted["found"].eq(planted["copies"]).all() and len(planted) == 2
    assert planted.loc["own copy", "distance"] == 0 < planted.loc["twin", "distance"]


def test_a_twin_begins_as_its_model_and_spectra_of_shuffled_matrices_have_their_entries():
    zoo = foreign.foreign_zoo("MLP", SMALL, seeds=2, epochs=1)
    first = foreign.trained(foreign_modules.DIGITS["MLP"], SMALL, seed=0, epochs=1, batches=1000)
    assert torch.equal(zoo.architecture.layout.flatten(first[0]), zoo.weights[0, 0])
    assert torch.equal(foreign.twins("MLP", zoo, SMALL)[0], zoo.architecture.layout.flatten(first[1]))
    assert not torch.equal(foreign.twins("MLP", zoo, SMALL)[0], zoo.weights[0, 1])
    rows = foreign.spectra_by_epoch(zoo, (0, 1)).set_index(["name", "state"])
    assert (rows.xs("epoch 1, shuffled", level=1)["stable_rank"] > rows.xs("epoch 1", level=1)["stable_rank"]).any()


def test_a_readers_folder_is_read_whatever_lies_in_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HYPERLIB_DATA", str(tmp_path))
    assert foreign.own_folder() == tmp_path / "checkpoints" and not len(foreign.read_folder(foreign.own_folder()))
    foreign.own_folder().mkdir()
    save_file({"a.weight": torch.randn(60, 60), "a.bias": torch.randn(60)}, foreign.own_folder() / "a.safetensors")
    (foreign.own_folder() / "b.pt").write_bytes(b"nothing")

    found = foreign.read_folder(foreign.own_folder())

    assert list(found["file"]) == ["a.safetensors", "b.pt"] and found["numbers"].iloc[0] == 3660
    assert found["alpha"].iloc[0] > 1 and found["fault"].iloc[0] == "" and "damaged" in found["fault"].iloc[1]
    assert isinstance(found, pd.DataFrame)
