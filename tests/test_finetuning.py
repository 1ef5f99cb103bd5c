"""Populations trained on: against the zoo that they come from, plain training, and scipy called directly."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from toys import some_images

from hyperlib.tasks import verdicts
from hyperlib.tasks.estimates import Estimate
from hyperlib.tasks.finetuning import accuracy_table, by_epoch, compared, fine_tuned, fine_tuned_zoos
from hyperlib.thesis.other_architectures import cnn_4conv
from hyperlib.weightspace.architectures import digits_cnn, small_cnn, tetris_mlp
from hyperlib.zoos.design import grid
from hyperlib.zoos.population import train_population
from hyperlib.zoos.zoo import Samples, Zoo

NETWORK, SETTING = tetris_mlp(), grid(lr=0.01)
OPTIONS = {"batch_size": 8, "progress": False}


@pytest.fixture(scope="module")
def populations(tiny_zoo):
    """Trained networks of a zoo with two activations, the same weights alone, and new networks."""
    trained = tiny_zoo.samples(3)
    return {"new": None, "trained": trained, "weights": trained.weights[:6]}


@pytest.fixture(scope="module")
def zoos(populations, tetris_images):
    return fine_tuned_zoos(populations, NETWORK, tetris_images, SETTING, epochs=(0, 1, 4), **OPTIONS)


def of_accuracies(*epochs: np.ndarray) -> Zoo:
    """A zoo with these test accuracies, one array per epoch."""
    models = len(epochs[0])
    columns = {"model": np.repeat(np.arange(models), len(epochs)), "epoch": np.tile(np.arange(len(epochs)), models)}
    table = pd.DataFrame(columns | {"activation": "tanh", "test_accuracy": np.stack(epochs, 1).ravel()})
    return Zoo(NETWORK, torch.zeros(models, len(epochs), 100), table)


# -- training ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("epoch", [0, 2])
def test_before_training_networks_have_the_accuracies_of_their_zoo(tiny_zoo, tetris_images, epoch):
    one = {"zoo": tiny_zoo.samples(epoch)}
    found = fine_tuned_zoos(one, NETWORK, tetris_images, SETTING, epochs=(0,), **OPTIONS)["zoo"]

    assert torch.equal(found.weights[:, 0], one["zoo"].weights)
    assert found.table["test_accuracy"].tolist() == pytest.approx(one["zoo"].table["test_accuracy"].tolist())
    assert found.table["activation"].tolist() == one["zoo"].table["activation"].tolist()


def test_every_population_is_a_zoo_of_the_asked_epochs(zoos):
    assert {name: tuple(zoo.weights.shape) for name, zoo in zoos.items()} == {
        "new": (20, 3, 100), "trained": (20, 3, 100), "weights": (6, 3, 100)
    }  # fmt: skip
    for zoo in zoos.values():
        assert zoo.epochs.tolist() == [0, 1, 4] and zoo.models.tolist() == list(range(len(zoo)))
        assert zoo.design["seed"].tolist() == list(range(1, len(zoo) + 1))


def test_new_networks_are_those_of_an_ordinary_zoo(zoos, tetris_images):
    plain = train_population(NETWORK, tetris_images, grid(seeds=20, lr=0.01), epochs=4, **OPTIONS)

    torch.testing.assert_close(zoos["new"].weights, plain.weights[:, [0, 1, 4]])


def test_weights_alone_have_the_activation_of_the_design(populations, zoos, tetris_images):
    same = populations["trained"].take(slice(6))
    same.table["activation"] = "relu"
    as_relu = fine_tuned_zoos({"a": same.weights}, NETWORK, tetris_images, grid(lr=0.01, activation="relu"),
                              epochs=(0, 1), **OPTIONS)["a"]  # fmt: skip
    samples = fine_tuned_zoos({"a": same}, NETWORK, tetris_images, SETTING, epochs=(0, 1), **OPTIONS)["a"]

    assert set(zoos["weights"].table["activation"]) == {"tanh"}
    torch.testing.assert_close(as_relu.weights, samples.weights)


def test_a_network_trains_on_as_it_would_alone_and_in_any_order_of_populations(populations, zoos, tetris_images):
    turned = fine_tuned_zoos(
        dict(reversed(populations.items())), NETWORK, tetris_images, SETTING, epochs=(1, 4), **OPTIONS
    )
    alone = fine_tuned_zoos(
        {"w": populations["weights"]}, NETWORK, tetris_images, SETTING, epochs=(4,), engine="sequential", **OPTIONS
    )["w"]

    for name, zoo in turned.items():
        torch.testing.assert_close(zoo.weights, zoos[name].weights[:, 1:])
    torch.testing.assert_close(alone.weights[:, 0], zoos["weights"].weights[:, 2], rtol=1e-3, atol=1e-5)


def test_the_seed_decides_the_order_of_batches_and_new_networks(populations, zoos, tetris_images):
    again, other = (
        fine_tuned_zoos(populations, NETWORK, tetris_images, SETTING, epochs=(0, 1), seed=seed, **OPTIONS)
        for seed in (0, 1)
    )
    for name in zoos:
        assert torch.equal(again[name].weights, zoos[name].weights[:, :2])
        assert torch.equal(other[name].weights[:, 0], again[name].weights[:, 0]) == (name != "new")
        assert not torch.equal(other[name].weights[:, 1], again[name].weights[:, 1])


def test_a_job_goes_on_from_its_folder(populations, zoos, tetris_images, tmp_path):
    for _ in range(2):
        found = fine_tuned(populations, NETWORK, tetris_images, SETTING, against="new", epochs=(0, 1, 4),
                           checkpoint=tmp_path / "job", **OPTIONS)  # fmt: skip
        pd.testing.assert_frame_equal(found, accuracy_table(zoos, against="new"))


# -- the table ---------------------------------------------------------------------------------------------------------


def test_means_and_deviations_are_those_over_networks(zoos):
    table = accuracy_table(zoos).set_index(["population", "epoch"])

    assert len(table) == 9 and not {"difference", "p", "holm"} & set(table)
    for (name, epoch), row in table.iterrows():
        own = zoos[name].samples(epoch).table["test_accuracy"]
        assert row["mean"] == pytest.approx(own.mean()) and row["std"] == pytest.approx(own.std(ddof=0))
        interval = stats.ttest_1samp(own, 0).confidence_interval(0.95)
        assert (row["low"], row["high"]) == pytest.approx(tuple(interval)) and row["n"] == len(own)


def test_the_interval_is_that_of_the_published_bootstrap_where_networks_are_many():
    own = np.random.default_rng(0).beta(8, 3, 150)
    row = accuracy_table({"a": of_accuracies(own)}).iloc[0]
    published = stats.bootstrap((own,), np.mean, rng=np.random.default_rng(42)).confidence_interval

    assert (row["low"], row["high"]) == pytest.approx(tuple(published), abs=0.1 * (published.high - published.low))


def test_a_population_like_the_baseline_does_not_differ(zoos):
    table = accuracy_table({"new": zoos["new"], "copy": zoos["new"]}, against="new").set_index("population")
    pairs = accuracy_table({"new": zoos["new"], "copy": zoos["new"]}, against="new", paired=True)

    assert (table.loc["copy", "difference"] == 0).all() and (table.loc["copy", "p"] > 0.9).all()
    assert table.loc["new", ["difference", "p"]].isna().all(axis=None) and (table["holm"] == "").all()
    assert (pairs["difference"].dropna() == 0).all() and (pairs["p"].dropna() == 1).all()


@pytest.mark.parametrize("draw", ["normal", "exponential"])
def test_statistics_are_those_of_scipy(draw):
    random = np.random.default_rng(0)
    own, base = getattr(random, draw)(size=30) + 0.4, getattr(random, draw)(size=40)
    mate = own - getattr(random, draw)(size=30)
    found, pairs = compared(own, base), compared(own, mate, paired=True)
    welch, paired = stats.ttest_ind(own, base, equal_var=False), stats.ttest_rel(own, mate)

    for one, test in ((found, welch), (pairs, paired)):
        ends = one["difference_low"], one["difference_high"], one["freedom"]
        assert ends == pytest.approx((*test.confidence_interval(0.95), test.df))
    if all(stats.shapiro(side).pvalue > 0.05 for side in (own, base, own - mate)):
        assert draw == "normal" and (found["test"], pairs["test"]) == ("t-test", "paired t-test")
        assert (found["p"], pairs["p"]) == pytest.approx((welch.pvalue, paired.pvalue))
    else:
        assert draw == "exponential" and (found["test"], pairs["test"]) == ("Mann-Whitney", "Wilcoxon")
        assert found["p"] == pytest.approx(stats.mannwhitneyu(own, base).pvalue)
        assert pairs["p"] == pytest.approx(stats.wilcoxon(own, mate).pvalue)
    assert (found["base_n"], pairs["base_n"]) == (40, 30)


ACCURACIES = st.lists(st.sampled_from([0.0, 0.1, 0.1, 0.5, 0.7, np.nan]), max_size=8).map(np.array)


@given(own=ACCURACIES, base=ACCURACIES)
def test_sides_can_be_exchanged_whatever_they_are(own, base):
    there, back = compared(own, base), compared(base, own)

    assert there["difference"] == pytest.approx(-back["difference"], nan_ok=True)
    assert there["difference_low"] == pytest.approx(-back["difference_high"], nan_ok=True)
    assert there["p"] == pytest.approx(back["p"], nan_ok=True) and there["test"] == back["test"]
    assert np.isnan(there["p"]) == (np.isnan(own).all() or np.isnan(base).all())


def test_networks_that_choose_one_class_are_not_taken_for_normal():
    found = compared(np.full(10, 0.1), np.linspace(0.4, 0.6, 10))

    assert found["test"] == "Mann-Whitney" and found["p"] < 1e-3


def test_pairs_see_a_gain_that_is_smaller_than_networks_differ():
    base = np.linspace(0.3, 0.9, 12)
    own = base + np.random.default_rng(0).normal(0.01, 0.002, 12)

    assert compared(own, base)["p"] > 0.5 and compared(own, base, paired=True)["p"] < 1e-4


def test_diverged_networks_are_counted_and_left_out():
    own = np.array([0.5, np.nan, 0.7, np.nan])
    table = accuracy_table({"a": of_accuracies(own), "b": of_accuracies(own * np.nan)}, against="a")

    assert table["n"].tolist() == [2, 0] and table["diverged"].tolist() == [2, 4]
    assert table["mean"].tolist() == pytest.approx([0.6, np.nan], nan_ok=True) and table["p"].isna().all()


def test_holm_judges_all_rows_together_and_a_row_is_an_estimate_for_verdicts():
    random = np.random.default_rng(1)
    shifts = {"base": (0, 0), "a": (0.1, 0.004), "b": (0.05, 0.0)}
    zoos = {
        name: of_accuracies(*(random.normal(0.5 + by, 0.02, 60) for by in both)) for name, both in shifts.items()
    }
    table = accuracy_table(zoos, against="base")

    assert np.array_equal(table["holm"] == "stands", verdicts.holm(table["p"].to_numpy()))
    assert ((table["holm"] != "") == (table["p"] <= 0.05)).all() and (table["holm"] == "stands").sum() == 2
    row = table.iloc[2]
    estimate = Estimate(row["difference"], row["difference_low"], row["difference_high"], row["freedom"])
    assert verdicts.tested("a", {"case": estimate}, source="", shown="")["p"].item() == pytest.approx(row["p"])


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [(), (0, 0), (5, 1), (-1, 2), (0.5,), (True,)])
def test_epochs_must_increase(populations, tetris_images, epochs):
    with pytest.raises(ValueError, match="Epochs are whole numbers"):
        fine_tuned_zoos(populations, NETWORK, tetris_images, SETTING, epochs=epochs, **OPTIONS)


@pytest.mark.parametrize("shape", [(0, 100), (3, 99), (100,), (2, 3, 100)])
def test_weights_must_be_the_networks(tetris_images, shape):
    with pytest.raises(ValueError, match=r"'odd' has shape .* tetris_mlp are \[networks, 100\]"):
        fine_tuned_zoos({"new": None, "odd": torch.zeros(shape)}, NETWORK, tetris_images, SETTING, **OPTIONS)


@pytest.mark.parametrize("none", [{}, {"new": None}])
def test_some_population_must_have_weights(tetris_images, none):
    with pytest.raises(ValueError, match="no weights to fine-tune"):
        fine_tuned_zoos(none, NETWORK, tetris_images, SETTING, **OPTIONS)


def test_one_setting_is_for_all(populations, tetris_images):
    with pytest.raises(ValueError, match="2 rows; give one"):
        fine_tuned_zoos(populations, NETWORK, tetris_images, grid(seeds=2), **OPTIONS)
    with pytest.raises(ValueError, match="digits_cnn reads images"):
        fine_tuned_zoos({"a": torch.zeros(1, 988)}, digits_cnn(), tetris_images, SETTING, **OPTIONS)


def test_the_baseline_must_be_there_before_anything_is_trained(populations, zoos, tetris_images):
    with pytest.raises(ValueError, match="no population 'old' to compare with; choose one of new, trained, weights"):
        fine_tuned(populations, NETWORK, tetris_images, SETTING, against="old", epochs=(10**6,), **OPTIONS)
    with pytest.raises(ValueError, match="no population"):
        accuracy_table({})
    with pytest.raises(ValueError, match="Epoch 2 was not kept"):
        accuracy_table(zoos, epochs=[2])
    with pytest.raises(ValueError, match="6 networks and 20 make no pairs"):
        accuracy_table(zoos, against="new", paired=True)


def test_samples_of_another_architecture_are_not_poured_in_by_chance():
    small, deeper = small_cnn(), cnn_4conv()
    table = pd.DataFrame({"model": range(2), "epoch": 0, "activation": "tanh"})
    samples = Samples(small.initialise(range(2)), table, small)
    with pytest.raises(ValueError, match="networks of small_cnn_1ch, not of cnn_4conv; .* hand over the weights alone"):
        fine_tuned_zoos({"drawn": samples}, deeper, some_images((1, 28, 28), 10, train=8, test=4), grid(seeds=1))


def test_a_table_by_epoch_keeps_the_order_of_its_rows_and_sorts_its_epochs():
    table = pd.DataFrame({
        "task": ["two", "two", "one", "one", "one"], "population": ["b", "b", "b", "a", "b"],
        "epoch": [5.0, 0.0, 0.0, 0.0, 5.0], "mean": [0.5, 0.1, 0.2, 0.3, 0.4],
    })  # fmt: skip
    wide = by_epoch(table, "task", "population")
    assert list(wide) == ["task", "population", "epoch 0", "epoch 5"]
    assert wide[["task", "population"]].to_numpy().tolist() == [["two", "b"], ["one", "b"], ["one", "a"]]
    np.testing.assert_array_equal(wide[["epoch 0", "epoch 5"]], [[0.1, 0.5], [0.2, 0.4], [0.3, np.nan]])
    assert by_epoch(table[table["task"] == "one"])["population"].tolist() == ["b", "a"]
    with pytest.raises(ValueError, match="duplicate"):
        by_epoch(table)
