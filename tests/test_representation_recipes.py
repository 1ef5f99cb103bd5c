"""Recipes of hyper-representations: all can be made, differ where they say so, and are trained once by the study."""

from __future__ import annotations

import numpy as np
import pytest

from hyperlib.representations.hyper_rep import HyperRep
from hyperlib.study.representations import representation, representations
from hyperlib.study.study import Study
from hyperlib.tasks.reconstruction import labels, reconstruction_table, strangers
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
    assert len(names("arch")) == 5 and len(names("compression")) == 9


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


def test_a_stranger_is_another_model_of_the_same_epoch(tiny_zoo):
    samples = tiny_zoo.samples().take(np.random.default_rng(0).permutation(3 * len(tiny_zoo)))
    found = samples.table.iloc[strangers(samples)].reset_index(drop=True)
    assert (found["epoch"] == samples.table["epoch"]).all() and (found["model"] != samples.table["model"]).all()
    assert strangers(samples.take([4])).tolist() == [0]  # alone at its epoch


def test_labels_follow_each_samples_own_activation(tiny_zoo, tetris_images):
    samples = tiny_zoo.samples(3)
    found = labels(samples, samples.weights, tetris_images.test_x)

    assert samples.table["activation"].nunique() == 2
    for row in (0, len(samples) - 1):
        module = tiny_zoo.module(row, 3)
        assert found[row].tolist() == module(tetris_images.test_x).argmax(-1).tolist()
