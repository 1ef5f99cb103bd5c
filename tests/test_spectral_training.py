"""Entropy over training and eigenvalues against random weights, on populations small enough to check by hand."""

import numpy as np
import pandas as pd
import pytest
import torch

from hyperlib import Samples, small_cnn, tetris_mlp
from hyperlib.tasks.spectral_training import (
    against_random,
    change_over_training,
    changes_of_models,
    eigenvalues_of,
    entropy_over_training,
    random_law,
    shuffled_exponents,
)
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.layers import Flatten, Linear
from hyperlib.weightspace.spectra import stable_rank, weight_entropy
from hyperlib.weightspace.spectral_laws import power_law

WIDE = Architecture("wide", (1, 8, 20), (Flatten(), Linear("fc", units="classes", width=80, bias=False)))


def drawn(architecture: Architecture, models: int, epochs: int, scale: float = 1.0) -> Samples:
    weights = scale * torch.randn(models * epochs, architecture.layout.size, generator=torch.Generator().manual_seed(1))
    table = pd.DataFrame({"model": np.repeat(range(models), epochs), "epoch": np.tile(range(epochs), models)})
    return Samples(weights, table, architecture)


def test_every_checkpoint_and_layer_has_its_entropies_and_their_mean():
    samples = drawn(small_cnn(), models=2, epochs=3)
    layout = samples.architecture.layout

    table = entropy_over_training(samples)

    assert list(dict.fromkeys(table["layer"])) == ["conv1", "conv2", "conv3", "fc1", "fc2", "mean"]
    assert len(table) == 6 * 6
    for column, values in {
        "matrix": weight_entropy(samples.weights, layout),
        "histogram": weight_entropy(samples.weights, layout, "histogram"),
        "stable_rank": stable_rank(samples.weights, layout),
    }.items():
        conv2, mean = (table[table["layer"] == name][column].to_numpy() for name in ("conv2", "mean"))
        np.testing.assert_allclose(conv2, values[:, 1])
        np.testing.assert_allclose(mean, values.mean(1))


def test_a_diverged_checkpoint_that_was_left_out_has_no_row():
    samples = drawn(tetris_mlp(), models=3, epochs=3).take([0, 1, 2, 3, 6])

    table = entropy_over_training(samples)

    assert table[table["layer"] == "mean"][["model", "epoch"]].to_numpy().tolist() == (
        samples.table[["model", "epoch"]].to_numpy().tolist()
    )


def changing(values: dict[int, list[float]]) -> pd.DataFrame:
    """One layer's table from {model: value per epoch}."""
    rows = [(model, epoch, "fc", v) for model, row in values.items() for epoch, v in enumerate(row)]
    return pd.DataFrame(rows, columns=["model", "epoch", "layer", "matrix"]).dropna()


def test_a_change_is_that_of_first_and_last_epoch():
    (row,) = change_over_training(changing({0: [0.5, 0.9, 0.4], 1: [0.6, 0.9, 0.3]}), "matrix").itertuples()

    assert (row.models, row.highest_at, row.fell, row.verdict) == (2, 1, 1.0, "falls")
    assert (row.first, row.last, row.change) == pytest.approx((0.55, 0.35, -0.2))
    assert row.std == pytest.approx(np.std([-0.1, -0.3], ddof=1))


@pytest.mark.parametrize(("falling", "verdict"), [(10, "falls"), (9, "falls"), (8, "mixed"), (1, "rises")])
def test_a_verdict_needs_nine_of_ten_models(falling, verdict):
    values = {model: [0.5, 0.4 if model < falling else 0.6] for model in range(10)}

    assert change_over_training(changing(values), "matrix")["verdict"].tolist() == [verdict]


def test_models_without_change_neither_fall_nor_rise():
    assert change_over_training(changing({0: [0.5, 0.5]}), "matrix")["verdict"].tolist() == ["mixed"]


def test_a_model_that_diverged_is_left_out_of_the_change():
    (row,) = change_over_training(changing({0: [0.5, 0.4], 1: [0.9, np.nan]}), "matrix").itertuples()

    assert (row.models, row.first) == (1, 0.5)


def test_the_changes_of_models_are_those_behind_the_mean():
    table = changing({0: [0.5, 0.9, 0.4], 1: [0.9, np.nan, np.nan], 2: [0.6, 0.9, 0.3]})

    changes = changes_of_models(table, "matrix", "fc")

    assert changes.to_dict() == pytest.approx({0: -0.1, 2: -0.3})
    assert changes.mean() == pytest.approx(change_over_training(table, "matrix")["change"].iloc[0])


def test_eigenvalues_come_with_their_checkpoint():
    samples = drawn(tetris_mlp(), models=2, epochs=2)
    matrix = samples.architecture.layout.unflatten(samples.weights[3])["fc1.weight"].double().numpy()

    table = eigenvalues_of(samples, "fc1")

    assert len(table) == 4 * 5
    one = table[(table["model"] == 1) & (table["epoch"] == 1)]["eigenvalue"]
    np.testing.assert_allclose(one, np.linalg.eigvalsh(matrix @ matrix.T / 16)[::-1], rtol=1e-9)


def test_random_weights_stay_inside_of_their_law_and_a_planted_direction_does_not():
    samples = drawn(WIDE, models=20, epochs=1, scale=0.05)
    planted = Samples(samples.weights + 0.02, samples.table, WIDE)  # a mean is one direction

    assert random_law(samples, "fc").variance == pytest.approx(0.05**2, rel=0.02)
    assert random_law(samples, "fc").aspect == 2
    assert against_random(samples, "fc")["outside"].mean() < 0.2 / 80
    found = against_random(planted, "fc")
    np.testing.assert_allclose(found["outside"], 1 / 80)
    assert (found["largest"] > 2).all()


def test_the_tail_is_that_of_the_power_law():
    samples = drawn(WIDE, models=2, epochs=1)

    row = against_random(samples, "fc").iloc[1]

    law = power_law(eigenvalues_of(samples, "fc").query("model == 1")["eigenvalue"].to_numpy())
    assert (row["alpha"], row["alpha_error"], row["tail"], row["ks"]) == (law.alpha, law.error, law.tail, law.ks)
    assert row["refused"] == ""


def test_shuffled_weights_lose_a_planted_tail_and_nothing_else():
    samples = drawn(WIDE, models=2, epochs=1)
    directions = torch.randn(2, 80, 3, generator=torch.Generator().manual_seed(2))
    planted = samples.weights + (directions @ directions.mT).repeat(1, 1, 2).flatten(1)
    before = planted.clone()

    null = shuffled_exponents(Samples(planted, samples.table, WIDE), "fc", draws=5)

    assert len(null) == 10 and torch.equal(planted, before)
    assert np.isfinite(null).all() and (null > 1).all()
    assert (null == shuffled_exponents(Samples(planted, samples.table, WIDE), "fc", draws=5)).all()
    assert against_random(Samples(planted, samples.table, WIDE), "fc")["alpha"].max() < null.min()


def test_a_null_without_draws_or_eigenvalues_is_refused():
    with pytest.raises(ValueError, match="one draw at least, not 0"):
        shuffled_exponents(drawn(WIDE, models=1, epochs=1), "fc", draws=0)
    with pytest.raises(ValueError, match="needs 50 positive eigenvalues"):
        shuffled_exponents(drawn(tetris_mlp(), models=1, epochs=1), "fc2", draws=1)


def test_a_layer_that_is_too_small_for_a_power_law_says_so():
    row = against_random(drawn(tetris_mlp(), models=1, epochs=1), "fc2").iloc[0]

    assert np.isnan(row["alpha"]) and "needs 50 positive eigenvalues" in row["refused"]


def test_a_layer_without_a_matrix_is_refused():
    with pytest.raises(ValueError, match="no weight matrix in a layer 'norm1'; choose one of fc1, fc2"):
        random_law(drawn(tetris_mlp(), models=1, epochs=1), "norm1")
