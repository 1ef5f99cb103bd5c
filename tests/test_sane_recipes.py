"""Recipes of Sane: all can be made, and one training of several zoos is done once and found again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hyperlib.representations.sane import Sane
from hyperlib.study.representations import parts_of, representation
from hyperlib.study.study import Study
from hyperlib.thesis import sane_cost
from hyperlib.thesis.book_sane import CNNS, SANES, SaneRecipe, sane_recipe
from hyperlib.thesis.profiles import PROFILES
from hyperlib.thesis.recipes import zoo_recipe

SHORT = (("token", 24), ("window", 8), ("latent", 3), ("width", 8), ("depth", 1), ("heads", 1), ("steps", 2))
PAIR = SaneRecipe("pair", ("tetris_seed", "digits_seed"), "quick", (*SHORT, ("batch_size", 8), ("validations", 1)))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", SANES)
def test_every_recipe_makes_an_estimator_whose_settings_are_in_range(name, profile):
    recipe = sane_recipe(name, profile)
    with torch.device("meta"):
        sane = recipe.estimator(seed=3)
        sane.build()  # refuses what cannot be
    assert sane.seed == 3 and all(zoo_recipe(zoo, profile) for zoo in recipe.zoos)
    assert recipe.aligned in (True, False) or profile != "laptop" or recipe.aligned == (5, 10, 15, 20, 25)


def test_a_larger_profile_trains_longer_and_more_zoos_share_its_batches():
    for name in SANES:
        steps = [sane_recipe(name, profile).estimator(0).steps for profile in PROFILES]
        assert steps == sorted(steps)
    assert sane_recipe("all", "laptop").zoos == CNNS
    assert sane_recipe("all", "laptop").estimator(0).batch_size % len(CNNS) == 0


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="There is no Sane 'none'; there are tetris_seed, digits_seed"):
        sane_recipe("none", "quick")


@pytest.fixture
def study(monkeypatch, tmp_path) -> Study:
    study, whole = Study("quick", store=tmp_path), Study.recipe
    monkeypatch.setattr(Study, "recipe", lambda self, name: whole(self, name).but(seeds=14, epochs=2))
    return study


def test_one_training_on_several_zoos_is_kept_and_found_again(study, monkeypatch):
    first = representation(study, PAIR)
    monkeypatch.setattr(Sane, "fit", lambda *args, **known: pytest.fail("trained again"))
    again = representation(study, PAIR)

    assert [zoo.name for zoo in again.zoos_] == ["tetris_seed", "digits_seed"]
    for name in PAIR.zoos:
        test = parts_of(study, PAIR, 0, name)[2]
        np.testing.assert_array_equal(first.embed(test), again.embed(test))
    with pytest.raises(ValueError, match="pair learns from tetris_seed, digits_seed; name one of them"):
        parts_of(study, PAIR)


def test_networks_are_laid_on_one_where_the_recipe_says_so(study):
    as_they_are = SaneRecipe("pair", PAIR.zoos, "quick", PAIR.settings, aligned=False)
    laid, plain = (parts_of(study, recipe, 0, "digits_seed")[0] for recipe in (PAIR, as_they_are))

    assert laid.table["model"].equals(plain.table["model"]) and not torch.equal(laid.weights, plain.weights)
    late = SaneRecipe("pair", PAIR.zoos, "quick", PAIR.settings, aligned=(1, 2))
    assert set(parts_of(study, late, 0, "digits_seed")[0].table["epoch"]) == {1, 2}


def test_at_paper_the_resnets_have_the_published_sizes_and_elsewhere_small_ones_stand_in():
    for name, norms, heads in (("resnets", "left_out", 8), ("resnets-norms_tokens", "tokens", 16)):
        large, small = (sane_recipe(name, profile) for profile in ("paper", "laptop"))
        settings = dict(large.settings)
        assert large.zoos == ("resnet18",) and small.zoos == ("resnet_seed",)
        assert [settings[key] for key in ("token", "window", "width", "depth")] == [288, 256, 2048, 8]
        assert (settings["heads"], settings["norms"]) == (heads, norms) and "width" not in dict(small.settings)
        assert dict(small.settings).get("norms", "left_out") == norms


# ---- cost


def test_operations_of_a_step_are_six_per_weight_and_token_and_those_of_attention():
    sane = Sane(token=10, latent=4, width=8, depth=3, heads=2, window=16, batch_size=5)
    cost = sane_cost.step_cost(sane)
    block = 3 * 8 * 8 + 8 * 8 + 2 * 8 * 16  # read, write, up and down
    network = 2 * 3 * block + 96 * 8 + 10 * 8 + 8 * 4 + 4 * 8 + 8 * 10
    norms = 2 * 3 * 2 * 8  # of one number per feature
    tokens = 2 * 5 * 16
    head = cost["operations"] / 6 - tokens * (network + norms + 2 * 3 * 2 * 8 * 16)
    assert cost["tokens"] == tokens and head == 2 * 5 * sum(one.numel() for one in sane.head_.parameters())
    larger = Sane(token=10, latent=4, width=8, depth=3, heads=2, window=16, batch_size=10)
    assert sane_cost.step_cost(larger)["operations"] == 2 * cost["operations"]


def test_the_released_size_for_cnns_has_the_parameters_that_were_counted_in_the_released_code():
    table = sane_cost.cost_table(0.0).set_index("sizes")
    assert table.loc["CNNs, released code", "parameters"] == pytest.approx(202.5e6, rel=2e-3)
    assert table["milliseconds"].idxmax().startswith("ResNets")
    longer = sane_cost.cost_table(50.0).set_index("sizes")
    assert longer["milliseconds"].min() == 50 and (longer["minutes"] >= table["minutes"]).all()
