"""Tables of chapter 6, and the microscope: right numbers of a network, a zoo and a window."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from long_training import walks

from hyperlib.figures.microscope import microscope, microscope_still, said
from hyperlib.representations.baselines import LayerStatistics
from hyperlib.representations.sane import Sane
from hyperlib.study.sane_tables import across_zoos, by_window, rebuilt_share
from hyperlib.study.study import Study
from hyperlib.tasks.reconstruction import few
from hyperlib.thesis.book_sane import SaneRecipe
from hyperlib.zoos.zoo import Samples

SHORT = {"token": 24, "window": 8, "latent": 6, "width": 16, "depth": 1, "batch_size": 12, "validations": 1}


@pytest.fixture(scope="module")
def samples() -> Samples:
    return walks("digits_cnn", models=6)


@pytest.fixture(scope="module")
def sane(samples) -> Sane:
    return Sane(**SHORT, steps=150, mix=0.0, rate=5e-3).fit(samples)


def test_what_is_rebuilt_is_everything_for_a_perfect_decoder_and_nothing_for_the_mean(sane, samples, monkeypatch):
    scale, mean = sane.scale(samples), samples.weights.mean(0)
    assert 0 < rebuilt_share(sane, samples, scale, mean) < 1
    monkeypatch.setattr(Sane, "reconstruct", lambda self, some, scale: some)
    assert rebuilt_share(sane, samples, scale, mean) == 1
    means = Samples(mean.expand_as(samples.weights), samples.table, samples.architecture)
    monkeypatch.setattr(Sane, "reconstruct", lambda self, some, scale: means)
    assert rebuilt_share(sane, samples, scale, mean) == pytest.approx(0, abs=1e-6)


def test_windows_of_other_lengths_do_not_change_the_representation(sane, samples):
    scale, mean = sane.scale(samples), samples.weights.mean(0)
    before = rebuilt_share(sane, samples, scale, mean)
    table = by_window(sane, samples, scale, mean, [(2, 0), (8, 0), (8, 3)])

    assert table["r2"][1] == before == rebuilt_share(sane, samples, scale, mean) and sane.window == 8
    assert table["r2"][0] < before and len(set(table["r2"])) == 3
    with pytest.raises(ValueError, match="halo"):
        by_window(sane, samples, scale, mean, [(8, 4)])


def test_few_samples_are_some_of_them_in_their_order(samples):
    some = few(samples, 5)
    numbers = [int((samples.weights == row).all(1).nonzero()[0]) for row in some.weights]
    assert len(some) == 5 and numbers == sorted(numbers)
    assert len(few(samples, 10_000)) == len(samples)


def test_every_pair_of_a_training_and_a_zoo_has_a_row(sane, monkeypatch, tmp_path):
    study, whole = Study("quick", store=tmp_path), Study.recipe
    monkeypatch.setattr(Study, "recipe", lambda self, name: whole(self, name).but(seeds=70, epochs=3))
    recipe = SaneRecipe("pair", ("tetris_seed", "digits_seed"), "quick", (), aligned=False)
    untrained = Sane(**SHORT, steps=0).fit(walks("digits_cnn", models=2))
    beside = {"s(W)": LayerStatistics()}
    table = across_zoos(study, {"one": sane, "none": untrained}, recipe, beside=beside, train=120, test=40)

    of_others = table[table["trained"] == "s(W)"]
    assert of_others["zoo"].tolist() == ["tetris_seed", "digits_seed"] and of_others["value"].notna().all()
    assert of_others["r2"].isna().all()
    table = table[table["trained"] != "s(W)"]
    assert table[["trained", "zoo"]].to_numpy().tolist() == [
        [name, zoo] for zoo in ("tetris_seed", "digits_seed") for name in ("one", "none")
    ]
    assert (table["value"] <= 1).all() and table[["r2", "agreement", "stranger", "gain"]].notna().all(axis=None)
    rebuilt = table.set_index(["trained", "zoo"])["r2"]
    assert rebuilt["one", "digits_seed"] > rebuilt["none", "digits_seed"]


def test_the_microscope_shows_each_token_with_its_own_words(sane, samples):
    network = samples.architecture
    tokenizer = sane.tokenizer(network)
    tokens = tokenizer.encode(samples.weights[:1])[0].numpy()
    held, positions = tokenizer.mask.numpy(), tokenizer.positions
    table = pd.DataFrame({"layer": [network.layout.layers[n] for n in positions[:, 1]], "unit": positions[:, 2]})
    table["piece"] = table.groupby(["layer", "unit"]).cumcount()
    table["error"] = np.arange(len(table)) / 100
    figure = microscope(tokens, 0.5 * tokens, held, table)

    steps = figure.layout.sliders[0].steps
    assert len(steps) == len(tokens)
    for number in (0, 7, len(tokens) - 1):
        (place, weights, again), words = steps[number].args[0]["y"], steps[number].args[1]["annotations[1].text"]
        shown = [value is not None for value in weights]
        assert place == (number,) or place == [number]
        assert shown == held[number].tolist()
        np.testing.assert_allclose(
            [value for value in weights if value is not None], tokens[number][held[number]], atol=1e-3
        )
        assert words == said(table, held, number) and f"{int(held[number].sum())} of 24 cells" in words
        np.testing.assert_allclose(
            [value for value in again if value is not None], 0.5 * tokens[number][held[number]], atol=1e-3
        )
    still = microscope_still(tokens, 0.5 * tokens, held, table, chosen=7)
    assert said(table, held, 7) in [ax.get_title() for ax in still.axes]
    plt.close(still)
