"""Recipes of hyper-representations: all can be made, differ where they say so, and are trained once by the study."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hyperlib.representations.hyper_rep import HyperRep
from hyperlib.study.representations import representation, representations
from hyperlib.study.study import Study
from hyperlib.tasks.estimates import mean_of
from hyperlib.tasks.reconstruction import agreement_with_strangers, gain_over_strangers, labels, reconstruction_table
from hyperlib.thesis import recipes
from hyperlib.thesis.book_representations import REPRESENTATIONS, names, representation_recipe
from hyperlib.thesis.profiles import PROFILES

EVERY = [name for name in REPRESENTATIONS if name == "tetris_seed-untrained" or not name.endswith("-untrained")]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", EVERY)
def test_every_recipe_makes_an_estimator_whose_settings_are_in_range(name, profile):
    recipe = representation_recipe(name, profile)
    rep = recipe.estimator(seed=3)

    rep.build(None)  # refuses what cannot be
    assert (rep.seed, rep.steps == 0) == (3, name.endswith("-untrained"))
    assert rep.architecture == recipes.zoo_recipe(recipe.zoo, profile).architecture


def test_a_larger_profile_trains_longer():
    for name in EVERY:
        steps = [representation_recipe(name, profile).estimator(0).steps for profile in PROFILES]
        assert steps == sorted(steps)


def test_ablations_of_the_thesis_grid_differ_pairwise():
    recipes_of_family = [representation_recipe(name, "laptop") for name in names("augment")]
    settings = [str(sorted(recipe.settings, key=lambda pair: pair[0])) for recipe in recipes_of_family]

    assert len(names("augment")) == len(set(settings)) == 13
    assert len(names("arch")) == 5 and len(names("compression")) == 6


@pytest.mark.parametrize(("name", "profile", "message"), [("tetris", "quick", "no representation 'tetris'; there are"),
                                                          ("tetris_seed", "huge", "no profile 'huge'")])  # fmt: skip
def test_unknown_names_are_refused_with_the_known_ones(name, profile, message):
    with pytest.raises(ValueError, match=message):
        representation_recipe(name, profile)


@pytest.fixture
def study(monkeypatch, tmp_path):
    """A study whose Tetris zoo and representation are tiny."""
    tiny = recipes.BOOK_ZOOS["tetris_seed"]["quick"].but(batch_size=200, seeds=12, epochs=3)
    monkeypatch.setitem(recipes.BOOK_ZOOS, "tetris_seed", {"quick": tiny})
    settings = {"width": 8, "heads": 1, "depth": 1, "latent": 4, "batch_size": 16}
    monkeypatch.setitem(REPRESENTATIONS, "tetris_seed", ("tetris_seed", settings, (3, 3, 3)))
    return Study("quick", store=tmp_path)


def test_a_representation_is_trained_once_and_found_again(study, monkeypatch, capsys):
    first, other = representations(study, [("tetris_seed", 0), ("tetris_seed", 1)])

    def trained(*arguments, **more):
        raise AssertionError("what is in the store is not trained again")

    monkeypatch.setattr(HyperRep, "fit", trained)
    again = representation(study, "tetris_seed")
    test = study.parts("tetris_seed")[2]
    assert np.array_equal(first.embed(test), again.embed(test))
    assert not np.array_equal(first.embed(test), other.embed(test))
    assert "making representations tetris_seed-0" in capsys.readouterr().err


def test_the_parts_of_a_zoo_share_no_model_and_have_the_same_epochs(study):
    parts = study.parts("tetris_seed", epochs=3)

    models = [set(part.table["model"]) for part in parts]
    assert sum(map(len, models)) == len(set.union(*models)) == 12
    assert all(sorted(set(part.table["epoch"])) == [0, 2, 3] for part in parts)


def test_repeats_have_other_splits_and_other_seeds(study):
    first, second = (study.parts("tetris_seed", split=split) for split in (0, 1))
    models = [set(parts[2].table["model"]) for parts in (first, second)]
    one, other = representations(study, [("tetris_seed", 0), ("tetris_seed", 1)])

    assert models[0] != models[1] and len(models[0]) == len(models[1])
    assert models[0] == set(study.zoo("tetris_seed").split()[2].table["model"])  # the first is the released one
    assert (one.seed, other.seed) == (0, 1)
    assert not torch.equal(one.scale_.mean, other.scale_.mean)  # fitted on other networks


def test_a_recipe_can_leave_out_large_weights(study, monkeypatch):
    whole, limit = study.parts("tetris_seed"), 1.0
    assert max(part.weights.abs().max() for part in whole) > limit
    tiny = recipes.BOOK_ZOOS["tetris_seed"]["quick"].but(largest=limit)
    monkeypatch.setitem(recipes.BOOK_ZOOS, "tetris_seed", {"quick": tiny})

    for few, all_ in zip(study.parts("tetris_seed"), whole, strict=True):
        kept = (all_.weights.abs() <= limit).all(1)
        assert torch.equal(few.weights, all_.weights[kept])


def test_a_failure_stops_the_trainings_beside_it(study, monkeypatch):
    def broken(self, folder):
        raise RuntimeError("no place")

    monkeypatch.setattr(HyperRep, "save", broken)
    with pytest.raises(RuntimeError, match="no place"):
        representations(study, [("tetris_seed", 0), ("tetris_seed", 1)])


def test_a_network_agrees_with_itself(study):
    """A stand-in that rebuilds perfectly: agreement 1, R² 1, and the accuracy of the original."""
    rep, (train, _, test) = representation(study, "tetris_seed"), study.parts("tetris_seed")
    images = study.recipe("tetris_seed").images.load()
    rep.reconstruct = lambda samples: samples
    row = reconstruction_table([rep], train, test, images).iloc[0]

    assert row["agreement"] == 1 and row["r2"] == pytest.approx(1) and row["stranger"] < 1
    assert row["gain"] == pytest.approx(1 - row["stranger"])
    assert row["accuracy"] == row["accuracy_before"] == pytest.approx(test.table["test_accuracy"].mean(), abs=1e-6)
    assert row["latents"] == rep.latents_


def test_strangers_are_all_other_models_of_the_same_epoch(tiny_zoo, tetris_images):
    samples = tiny_zoo.samples().take(np.random.default_rng(0).permutation(4 * len(tiny_zoo))[:50])
    chosen, table = labels(samples, samples.weights, tetris_images.test_x), samples.table
    found = agreement_with_strangers(chosen, table["model"].to_numpy(), table["epoch"].to_numpy())

    assert found.columns.tolist() == sorted(set(table["model"]))
    for row, other in np.ndindex(50, 50):
        if table["epoch"][row] == table["epoch"][other] and row != other:
            expected = (chosen[row] == chosen[other]).double().mean().item()
            assert found[table["model"][other]][row] == pytest.approx(expected)
    pairs = sum(len(rows) * (len(rows) - 1) for rows in table.groupby("epoch").groups.values())
    assert found.notna().to_numpy().sum() == pairs  # and nothing else


def test_the_gain_leaves_out_each_model_as_a_stranger_too():
    random, epoch = np.random.default_rng(0), np.repeat([0, 1, 2], [5, 3, 1])
    model, same = np.array([0, 1, 2, 3, 4, 3, 1, 0, 5]), random.random(9)  # the last is alone at its epoch
    chosen = torch.from_numpy(random.integers(3, size=(9, 20)))

    def gain(kept):
        strangers = agreement_with_strangers(chosen[kept], model[kept], epoch[kept])
        return gain_over_strangers(same[kept], strangers, model[kept])

    found = gain(np.arange(9))
    without = np.array([gain(np.flatnonzero(model != left_out)).value for left_out in range(5)])
    error = np.sqrt(4 / 5 * np.square(without - without.mean()).sum())
    assert found.value == pytest.approx(gain(np.arange(8)).value) and found.freedom == 4
    assert (found.high - found.low) / 2 == pytest.approx(2.776445 * error)  # t of 4 degrees


@pytest.mark.parametrize("models", [4, 12])
@pytest.mark.slow
def test_the_interval_of_the_gain_covers_the_truth_as_often_as_it_says(models):
    """Networks of different accuracy err each on its own images, into one of three classes; rebuilt ones alike."""
    random, hits = np.random.default_rng(models), []
    mean = 0.6
    truth = mean - (mean**2 + (1 - mean) ** 2 / 3)  # a network agrees with its reconstruction as often as it is right
    for _ in range(300):
        accuracy = random.beta(3, 2, size=models)
        right = random.random((models, 50)) < accuracy[:, None]
        chosen = torch.from_numpy(np.where(right, 0, random.integers(1, 4, size=right.shape)))
        strangers = agreement_with_strangers(chosen, np.arange(models), np.zeros(models))
        found = gain_over_strangers(accuracy, strangers, np.arange(models))
        hits.append(found.low <= truth <= found.high)
    assert np.mean(hits) > 0.9


@pytest.mark.parametrize(("model", "epoch"), [([0, 1, 2], [0, 1, 2]), ([0], [0]), ([3, 3], [0, 1])])
def test_without_strangers_the_gain_is_unknown(model, epoch):
    model, epoch = np.array(model), np.array(epoch)
    strangers = agreement_with_strangers(torch.zeros(len(model), 4, dtype=torch.int64), model, epoch)
    assert np.isnan(gain_over_strangers(np.ones(len(model)), strangers, model)[:3]).all()


@pytest.mark.parametrize("pairs", [1, 2, 5])
def test_two_models_that_have_but_each_other_are_one_case(pairs):
    model, epoch = np.arange(2 * pairs), np.repeat(np.arange(pairs), 2)
    chosen = torch.from_numpy(np.random.default_rng(0).integers(3, size=(2 * pairs, 20)))
    strangers = agreement_with_strangers(chosen, model, epoch)

    expected = mean_of(1 - strangers.mean(axis=1)[::2])
    assert gain_over_strangers(np.ones(2 * pairs), strangers, model) == pytest.approx(expected, nan_ok=True)


def test_labels_follow_each_samples_own_activation(tiny_zoo, tetris_images):
    samples = tiny_zoo.samples(3)
    found = labels(samples, samples.weights, tetris_images.test_x)

    assert samples.table["activation"].nunique() == 2
    for row in (0, len(samples) - 1):
        module = tiny_zoo.module(row, 3)
        assert found[row].tolist() == module(tetris_images.test_x).argmax(-1).tolist()
