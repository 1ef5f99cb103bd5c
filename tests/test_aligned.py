"""The parts of a zoo that a generator learns from: laid on one network, and still the same functions."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hyperlib.representations.augment import Augment
from hyperlib.study.aligned import aligned_parts
from hyperlib.study.queries import queries_of
from hyperlib.study.representations import parts_of, representation
from hyperlib.study.study import Study
from hyperlib.thesis import recipes
from hyperlib.thesis.book_representations import RepresentationRecipe
from hyperlib.zoos.evaluation import class_scores
from hyperlib.zoos.zoo import Zoo

SMALL = (("width", 8), ("depth", 1), ("latent", 4), ("batch_size", 16), ("steps", 2), ("behaviour", 1.0))


@pytest.fixture
def study(tmp_path, monkeypatch):
    tiny = recipes.BOOK_ZOOS["tetris_seed"]["quick"].but(batch_size=200, seeds=20, epochs=4)
    monkeypatch.setitem(recipes.BOOK_ZOOS, "tetris_seed", {"quick": tiny})
    monkeypatch.setenv("HYPERLIB_STORE", str(tmp_path / "store"))
    return Study("quick")


@pytest.mark.parametrize("split", [0, 1])
def test_networks_answer_as_before_and_lie_nearer_to_the_first_one(study, split):
    plain, laid = study.parts("tetris_seed", split=split), aligned_parts(study, "tetris_seed", split=split)
    images = study.recipe("tetris_seed").images.load().test_x

    for before, after in zip(plain, laid, strict=True):
        assert before.table.equals(after.table)
        answers = (class_scores(after.architecture, part.weights, images) for part in (before, after))
        torch.testing.assert_close(*answers, rtol=1e-4, atol=1e-5)
    last = [part[0].table["epoch"].to_numpy() == 4 for part in (plain, laid)]
    ends = [part[0].weights[torch.from_numpy(rows)] for part, rows in zip((plain, laid), last, strict=True)]
    before, after = ((end[1:] - ends[1][0]).norm(dim=1).mean() for end in ends)
    assert torch.equal(ends[0][0], ends[1][0]) and after < 0.95 * before


def test_epochs_are_those_asked_for_and_no_model_is_in_two_parts(study):
    parts = aligned_parts(study, "tetris_seed", (1, 3))

    assert all(sorted(set(part.table["epoch"])) == [1, 3] for part in parts)
    models = [set(part.table["model"]) for part in parts]
    assert sum(map(len, models)) == len(set.union(*models)) == 20


def test_a_zoo_of_several_activations_is_refused(study):
    with pytest.raises(ValueError, match="Networks have the activations .*; take a zoo with one") as refused:
        aligned_parts(study, "tetris_hyp")
    assert refused.value.__notes__ == ["The zoo is tetris_hyp."]


def test_a_recipe_is_trained_on_the_aligned_networks_once_and_apart_from_one_that_is_not(study):
    laid = RepresentationRecipe("small", "tetris_seed", "quick", SMALL, aligned=(2, 4))
    plain = RepresentationRecipe("small", "tetris_seed", "quick", SMALL)
    one, again, other = (representation(study, recipe) for recipe in (laid, laid, plain))

    samples = parts_of(study, laid)[2]
    np.testing.assert_array_equal(one.embed(samples), again.embed(samples))
    assert not np.allclose(one.embed(samples), other.embed(samples))
    assert len(list((study.store.folder / "representations").glob("small-0-*[!k]"))) == 2


def test_models_that_diverged_are_left_out_and_all_others_stay_in_their_part(study, monkeypatch):
    zoo = study.zoo("tetris_seed")
    weights = zoo.weights.clone()
    weights[4, 3:] = torch.nan
    monkeypatch.setattr(study, "zoo", lambda name: Zoo(zoo.architecture, weights, zoo.table))
    plain, laid = zoo.split(seed=42), aligned_parts(study, "tetris_seed", (1,))

    for before, after in zip(plain, laid, strict=True):
        assert set(after.table["model"]) == set(before.models.tolist()) - {4}


def test_a_control_is_kept_apart_and_comes_back_from_its_file(study):
    views = Augment(permute=False)
    recipes_ = [
        RepresentationRecipe("small", "tetris_seed", "quick", (*SMALL, ("augment", one)), aligned=(2, 4))
        for one in (views, replace(views, target="other"))
    ]
    one, other = (representation(study, recipe) for recipe in recipes_)

    assert other.augment.target == "other" and one.augment.target == "clean"
    samples = parts_of(study, recipes_[0])[2]
    assert not np.allclose(one.embed(samples), other.embed(samples))


# -- what is asked -----------------------------------------------------------------------------------------------------


def test_queries_are_the_same_in_every_call_and_what_they_say(study):
    images = study.recipe("tetris_seed").images.load().train_x
    kinds = {kind: queries_of(study, "tetris_seed", kind) for kind in ("images", "disturbed", "noise")}

    assert torch.equal(kinds["images"], images)
    assert all(torch.equal(found, queries_of(study, "tetris_seed", kind)) for kind, found in kinds.items())
    assert kinds["noise"].shape == images.shape and len(kinds["disturbed"]) == 4 * len(images)
    torch.testing.assert_close(kinds["noise"].mean(), images.mean(), rtol=0, atol=0.05)
    torch.testing.assert_close(kinds["noise"].std(), images.std(), rtol=0.05, atol=0)
    blends, shifted = kinds["disturbed"].chunk(2)
    assert (blends >= images.min()).all() and (blends <= images.max()).all()
    torch.testing.assert_close(shifted.flatten(1).sort(1)[0], images.repeat(2, 1, 1, 1).flatten(1).sort(1)[0])
    assert not torch.equal(shifted[: len(images)], images)


def test_networks_can_be_asked_the_images_of_another_zoo_and_of_no_zoo_that_is_not_there(study):
    other = study.recipe("tetris_hyp").images.load().train_x

    assert torch.equal(queries_of(study, "tetris_seed", "tetris_hyp"), other)
    with pytest.raises(ValueError, match="no zoo 'blue'"):
        queries_of(study, "tetris_seed", "blue")


def test_other_queries_mean_another_training(study):
    about = ("small", "tetris_seed", "quick", SMALL, (2, 4))
    recipes_ = [RepresentationRecipe(*about, kind) for kind in ("images", "noise")]
    one, other = (representation(study, recipe) for recipe in recipes_)

    assert not np.allclose(*(rep.embed(parts_of(study, recipes_[0])[2]) for rep in (one, other)))
