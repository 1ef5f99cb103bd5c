"""Layers as a `Sane` shows them: right numbers, right controls, and correlations that are those of a plain loop."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from long_training import walks
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

import hyperlib
from hyperlib.representations.sane import Sane
from hyperlib.study import sane_layers
from hyperlib.study.foreign_modules import Recurrent, made
from hyperlib.zoos.zoo import Samples

SHORT = {"token": 24, "window": 8, "latent": 6, "width": 16, "depth": 1, "steps": 0}


@pytest.fixture(scope="module")
def samples() -> Samples:
    return walks("digits_cnn", models=4)


@pytest.fixture(scope="module")
def sanes(samples) -> dict[str, Sane]:
    return {name: Sane(**SHORT, seed=seed).fit(samples) for seed, name in enumerate(("one", "two"))}


def longer(samples: Samples, layer: str, factor: float) -> Samples:
    """The same networks with one layer's weights so many times as large."""
    weights = samples.weights.clone()
    for slot in samples.architecture.layout:
        if slot.layer == layer:
            weights[:, slot.start : slot.stop] *= factor
    return Samples(weights, samples.table, samples.architecture)


def test_every_matrix_of_every_network_has_a_row_with_the_spread_of_its_tokens(sanes, samples):
    table = sane_layers.layer_table(sanes, samples)
    network, sane = samples.architecture, sanes["two"]
    assert list(table["name"].unique()) == ["conv1.weight", "conv2.weight", "fc1.weight", "fc2.weight"]
    assert len(table) == len(samples) * table["name"].nunique()
    tokens = sane.embed_tokens(samples, scale=sane.scale(samples))
    positions = sane.tokenizer(network).positions
    for number, (_, rows) in enumerate(table.groupby("name", sort=False)):
        own = tokens[:, positions[:, 1].numpy() == number]
        by_hand = [np.sqrt(np.mean([np.var(one[:, n]) for n in range(6)])) for one in own]
        assert np.allclose(rows["two"], by_hand, rtol=1e-4)
        assert np.square(rows["weights"]).mean() == pytest.approx(1, rel=0.02)  # each layer's own unit


def test_an_lstm_has_two_matrices_in_one_layer():
    network = hyperlib.from_module(made(Recurrent, 0), torch.rand(2, 1, 8, 8))
    table = pd.DataFrame({"model": range(3), "epoch": 0})
    some = Samples(network.trial_weights(3).float(), table, network)
    sane = Sane(**SHORT).fit(some)
    rows = sane_layers.layer_table({"sane": sane}, some).set_index(["name", "model"])
    both = (rows.loc[f"lstm.weight_{end}_l0"] for end in ("ih", "hh"))
    first, second = both
    assert first["sane"].equals(second["sane"]) and not first["log_spectral_norm"].equals(second["log_spectral_norm"])


def test_only_one_unit_for_all_layers_shows_their_sizes(sanes, samples):
    one = {"one": sanes["one"]}


    def in_units(some: Samples) -> dict[str, pd.DataFrame]:
        tables = {units: sane_layers.layer_table(one, some, units) for units in sane_layers.UNITS}
        return {units: table.set_index(["name", "model", "epoch"]) for units, table in tables.items()}

    before, after = in_units(samples), in_units(longer(samples, "conv1", 10))
    for column in ("one", "weights"):
        assert np.allclose(before["each layer"][column], after["each layer"][column], rtol=1e-3)
    ratio = after["one for all"]["weights"] / before["one for all"]["weights"]
    others = ratio.drop("conv1.weight").mean()
    assert ratio["conv1.weight"].mean() / others == pytest.approx(10, rel=1e-3)
    with pytest.raises(ValueError, match="no units 'metres'; choose from each layer, one for all"):
        sane_layers.layer_table(one, samples, "metres")
    with pytest.raises(ValueError, match="needs a Sane"):
        sane_layers.layer_table({}, samples)


def a_table(models: int = 5, layers: int = 6) -> pd.DataFrame:
    random = np.random.default_rng(0)
    places = [{"model": m, "epoch": 1, "name": f"layer{n}"} for m in range(models) for n in range(layers)]
    table = pd.DataFrame(places).assign(metric=random.normal(size=len(places)), noise=random.normal(size=len(places)))
    return table.assign(same=np.exp(table["metric"]), reverse=-table["metric"], constant=1.0)


def test_rank_correlations_inside_of_networks():
    table = a_table()
    found = sane_layers.within_networks(
        table, {"same": ["same"], "both": ["same", "reverse"], "constant": ["constant"], "noise": ["noise"]}, "metric"
    )
    assert list(found.index) == list(range(5))
    assert (found["same"] == 1).all() and (found["both"] == 0).all() and (found["constant"] == 0).all()
    by_hand = [spearmanr(one["noise"], one["metric"]).statistic for _, one in table.groupby("model")]
    assert np.allclose(found["noise"], by_hand)


def test_networks_without_a_metric_have_no_correlation():
    table = a_table(models=2).assign(metric=np.nan)
    found = sane_layers.within_networks(table, {"same": ["same"]}, "metric")
    assert len(found) == 0 and list(found) == ["same"]


def test_over_networks_leaves_out_one_model_at_a_time():
    table = a_table(models=7)
    table["accuracy"] = table.groupby("model")["noise"].transform("mean") ** 3
    found = sane_layers.over_networks(table, {"noise": ["noise"], "same": ["same"]}, "accuracy")
    assert len(found) == 1 + 7 and np.allclose(found["noise"], 1)
    means = table.groupby("model")[["same", "accuracy"]].mean()
    assert found["same"][0] == pytest.approx(spearmanr(means["same"], means["accuracy"]).statistic)
    assert found["same"][3] == pytest.approx(spearmanr(*means.drop(index=2).to_numpy().T).statistic)


def test_distances_of_tokens_are_those_of_a_plain_loop_and_know_no_size(sanes, samples):
    table, apart = sane_layers.token_distances(sanes, samples, "conv1")
    assert set(apart) == {"one", "two", "weights"} and len(table) == 3 * len(samples)
    sane, network = sanes["one"], samples.architecture
    first = sane.tokenizer(network).positions[:, 1].numpy() == 0
    tokens = sane.embed_tokens(samples, scale=sane.scale(samples))[:, first]
    by_hand = pdist(tokens[0])
    assert np.allclose(apart["one"][0], by_hand / by_hand.mean(), rtol=1e-5)
    assert np.allclose([one.mean() for one in apart["one"]], 1)
    again, _ = sane_layers.token_distances(sanes, longer(samples, "conv1", 10), "conv1")
    assert np.allclose(again["width"], table["width"], rtol=1e-3)
    _, fewer = sane_layers.token_distances(sanes, samples, "conv1", tokens=3)
    assert {one.shape for one in fewer.values()} == {(len(samples), 3)}
    with pytest.raises(ValueError, match="no weight matrix"):
        sane_layers.token_distances(sanes, samples, "conv9")
