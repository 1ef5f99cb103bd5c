"""Recipes: the book's zoos at every profile, and the thesis's zoos as data."""

import pytest

from hyperlib.study import published
from hyperlib.study.profiles import PROFILES
from hyperlib.study.recipes import BOOK_ZOOS, zoo_recipe
from hyperlib.study.thesis_recipes import all_zoos, thesis_recipe, why_not
from hyperlib.weightspace.architectures import ARCHITECTURES

GROWABLE = [name for name in published.zoos()["id"] if not why_not(published.zoo_record(name))]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", BOOK_ZOOS)
def test_every_zoo_of_the_book_has_a_recipe_at_every_profile(name, profile):
    recipe = zoo_recipe(name, profile)

    assert recipe.architecture_name in ARCHITECTURES
    assert len(recipe.design) >= 4
    assert recipe.design["seed"].min() == 1


def test_tetris_zoos_at_laptop_have_the_thesis_size():
    for name in ("tetris_seed", "tetris_hyp"):
        recipe = zoo_recipe(name, "laptop")
        record = published.zoo_record(recipe.thesis)
        assert (len(recipe.design), recipe.epochs) == (record["models"], record["epochs"])


def test_a_left_out_point_is_gone_with_all_its_seeds():
    design = zoo_recipe("tetris_hyp", "laptop").design
    points = design.groupby(["activation", "init", "lr"]).size()

    assert len(points) == 29
    assert set(points) == {100}
    assert ("relu", "uniform", 3e-3) not in points.index


@pytest.mark.parametrize("zoo_id", GROWABLE)
def test_a_recipe_of_the_thesis_has_as_many_models_as_the_thesis(zoo_id):
    recipe, record = thesis_recipe(zoo_id, "paper"), published.zoo_record(zoo_id)

    assert len(recipe.design) == record["models"]
    assert recipe.epochs == record["epochs"]
    assert recipe.batch_size == record["batch_size"]
    assert recipe.architecture.num_weights == published.architectures()["params"][record["architecture"]]
    image = recipe.architecture.image
    assert recipe.images.size == image[1]
    assert recipe.images.grey == (image[0] == 1)


def test_fixed_seeds_return_at_every_point_and_random_ones_never():
    fixed, random = thesis_recipe("mnist-hyp-fix", "paper").design, thesis_recipe("mnist-hyp-rand", "paper").design

    assert sorted(fixed["seed"].unique()) == list(range(1, 11))
    assert random["seed"].is_unique


def test_most_zoos_of_chapter_three_can_be_grown():
    zoos = all_zoos().query("chapter == 3 and models.notna()")

    assert (zoos["recipe"].str.startswith("yes")).sum() == 24  # 8 seed and 16 hyper-parameter zoos
    assert zoos[~zoos["recipe"].str.startswith("yes")]["id"].str.startswith("resnet18").all()


def test_mnist_seed_at_paper_is_the_thesis_own():
    recipe = zoo_recipe("mnist_seed", "paper")

    assert recipe == thesis_recipe("mnist-seed", "paper")
    assert set(recipe.design["init"]) == {"uniform"}
    assert recipe.images.name == "mnist"


@pytest.mark.parametrize(
    ("name", "profile", "message"),
    [
        ("tetris_sed", "quick", "no zoo of the thesis 'tetris-sed'.*book's own zoos"),
        ("resnet18-cifar10", "paper", "takes a cluster"),
        ("unterthiner-mnist", "paper", "sources do not give"),
        ("sparse-vd-twins", "paper", "no recipe"),
        ("fmnist-seed", "laptop", "at the profile paper only"),
        ("tetris_seed", "huge", "no profile 'huge'"),
    ],
)
def test_a_zoo_without_a_recipe_is_refused_with_the_reason(name, profile, message):
    with pytest.raises(ValueError, match=message):
        zoo_recipe(name, profile)
