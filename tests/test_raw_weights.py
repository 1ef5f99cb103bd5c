"""Networks drawn in raw weights: what the controls are, what is refused, and the command."""

import numpy as np
import pandas as pd
import pytest
import torch
from long_training import walks

from hyperlib.study.raw_weights import LEAST, main
from hyperlib.study.resized import Resized
from hyperlib.tasks.generation import generate
from hyperlib.tasks.sampling import KDE
from hyperlib.tasks.weight_sampling import InWeights, drawn_in_weights
from hyperlib.zoos.zoo import Samples


def tanh(samples):
    return Samples(samples.weights, samples.table.assign(activation="tanh", epoch=0), samples.architecture)


def test_released_kernels_draw_what_was_seen_and_means_lie_between():
    known = tanh(walks())
    drawn = drawn_in_weights(known, 9)

    nearest = {name: torch.cdist(one.weights, known.weights).amin(1).max() for name, one in drawn.items()}
    assert nearest["KDE released"] < 0.1 < nearest["KDE independent"]  # a shift of .002 in 100 weights is .02 long
    assert torch.equal(drawn["mean of all"].weights[0], drawn["mean of all"].weights[8])
    torch.testing.assert_close(drawn["mean of all"].weights[0], known.weights.mean(0))
    assert all(len(one) == 9 and set(one.table["activation"]) == {"tanh"} for one in drawn.values())
    again = drawn_in_weights(known, 9)
    assert all(torch.equal(one.weights, again[name].weights) for name, one in drawn.items())


def test_the_command_writes_a_table_of_both_kinds_of_weights(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HYPERLIB_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("HYPERLIB_STORE", str(tmp_path / "store"))
    main(["--profile", "quick", "--zoo", "tetris_seed", "--models", "14", "--epochs", "3", "--drawn", "4"])

    table = pd.read_csv(next((tmp_path / "results").rglob("ghr-finetune.raw_weights.csv")))
    assert set(table["epoch"]) == {0, 1} and (table["models"] == 14).all() and (table["grown"] == 3).all()
    mean = table.set_index(["weights", "population", "epoch"])["mean"]
    given, laid = mean["as they are"], mean["aligned"]
    assert given["the networks", 0] == pytest.approx(laid["the networks", 0], abs=0.01)  # moves that change no answer
    assert given["means of two", 0] != laid["means of two", 0]  # and that change what lies between two networks
    zoo = Resized("quick", models=14, epochs=3).zoo("tetris_seed").samples(3).table
    fit = zoo["train_accuracy_clean"]
    known = zoo[fit >= fit.quantile(0.7)]
    assert (table["known"] == len(known)).all()
    assert given["the networks", 0] == pytest.approx(known["test_accuracy"].mean(), abs=1e-6)
    assert "KDE released" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models", str(LEAST - 1)], f"Give {LEAST} models at least"),
        (["--drawn", "0"], "one epoch and drawn network"),
        (["--zoo", "nothing"], "nothing"),
        (["--profile", "quick", "--zoo", "tetris_hyp", "--models", "2900"], "activations; take a zoo with one"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(arguments, message, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err


def test_weights_as_their_own_latents_come_back_and_are_standardised_by_layer():
    known = walks("digits_cnn", models=5)
    codec = InWeights().fit(known)
    latents = codec.latents(known)
    assert torch.allclose(codec.decode(latents), known.weights, atol=1e-5)
    slots = [slot for slot in known.architecture.layout if slot.layer == "conv1"]
    own = np.concatenate([latents[:, slot.start : slot.stop] for slot in slots], 1)
    assert np.isclose(np.sqrt(own.var(1).mean()), 1, atol=1e-3)  # within networks


def test_networks_drawn_jointly_in_weights_lie_around_those_that_are_known():
    known = walks("digits_cnn", models=5)
    known = tanh(known.take((known.table["epoch"] == known.table["epoch"].max()).to_numpy()))
    drawn = generate(InWeights().fit(known), KDE("joint", 0.01), known, 30, torch.Generator().manual_seed(0))
    nearest = torch.cdist(drawn.weights, known.weights).min(1).values
    assert nearest.max() < torch.pdist(known.weights).min() / 2
