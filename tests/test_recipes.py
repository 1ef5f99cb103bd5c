"""Recipes: the book's zoos at every profile, and the thesis's zoos as data."""

import numpy as np
import pytest

from hyperlib.images.files import PUBLISHED
from hyperlib.images.images import IMAGE_SETS, OFFLINE
from hyperlib.thesis import published
from hyperlib.thesis.book_zoos import BOOK_ZOOS
from hyperlib.thesis.profiles import PROFILES
from hyperlib.thesis.published_zoos import published_recipe, why_not
from hyperlib.thesis.recipes import all_zoos, zoo_recipe
from hyperlib.thesis.zoo_recipe import ImageSet, ZooRecipe

DIGITS = ImageSet("digits").load()
AT_PAPER_ONLY = ("resnet18",)
RGB = ImageSet("cifar10", instead=("cifar10_jpeg", "photo_digits"))
GROWABLE = [name for name in published.zoos()["id"] if not why_not(published.zoo_record(name))]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", [name for name in BOOK_ZOOS if name not in AT_PAPER_ONLY])
def test_every_zoo_of_the_book_has_a_recipe_at_every_profile(name, profile):
    recipe = zoo_recipe(name, profile)

    assert recipe.name == name
    assert set(BOOK_ZOOS[name]) <= set(PROFILES)
    assert recipe.architecture.name == recipe.architecture_name
    assert {recipe.images.name, *recipe.images.instead} <= set(IMAGE_SETS)
    assert len(recipe.design) >= 2
    assert recipe.design["seed"].min() == 1


@pytest.mark.parametrize("name", AT_PAPER_ONLY)
def test_a_zoo_for_a_gpu_is_refused_at_other_profiles(name):
    assert list(BOOK_ZOOS[name]) == ["paper"]
    assert zoo_recipe(name, "paper").architecture.num_weights > 1e7
    with pytest.raises(ValueError, match=f"{name} has a recipe at the profile paper only .*, not at laptop"):
        zoo_recipe(name, "laptop")


@pytest.mark.parametrize("name", BOOK_ZOOS)
def test_a_zoo_without_a_recipe_at_a_profile_says_at_which_it_has_one(name, monkeypatch):
    some = next(iter(BOOK_ZOOS[name].values()))
    monkeypatch.setitem(BOOK_ZOOS, name, {"laptop": some})
    with pytest.raises(ValueError, match=f"{name} has a recipe at the profile laptop only .*, not at quick"):
        zoo_recipe(name, "quick")


def test_a_changed_recipe_keeps_the_order_of_its_factors_and_what_was_not_named():
    recipe = ZooRecipe("a", "tetris_mlp", ImageSet("tetris"), 5, (("seeds", 3), ("lr", 0.1)), choices="ours")

    other = recipe.but(epochs=7, seeds=2, dropout=0.5)

    assert other == ZooRecipe(
        "a", "tetris_mlp", ImageSet("tetris"), 7, (("seeds", 2), ("lr", 0.1), ("dropout", 0.5)), choices="ours"
    )
    with pytest.raises(TypeError, match="leraning_rate"):
        _ = recipe.but(leraning_rate=0.1).design


@pytest.mark.parametrize("profile", ["quick", "laptop"])
@pytest.mark.parametrize("name", [name for name in BOOK_ZOOS if name not in AT_PAPER_ONLY])
def test_a_small_zoo_needs_no_network(name, profile, tmp_path, no_download, monkeypatch):
    monkeypatch.setenv("HYPERLIB_DATA", str(tmp_path))
    recipe = zoo_recipe(name, profile)

    assert (recipe.images.name, *recipe.images.instead)[-1] in OFFLINE
    if recipe.images.instead:
        assert recipe.images.load().shape == recipe.architecture.image


@pytest.mark.parametrize("name", ["wide_mlp", "mini_alexnet", "small_resnet_1ch", "resnet18_10"])
def test_networks_with_relu_are_grown_with_relu(name):
    recipes = [recipe for profiles in BOOK_ZOOS.values() for recipe in profiles.values()]
    designs = [recipe.design for recipe in recipes if recipe.architecture_name == name]

    assert designs and all(set(design["activation"]) == {"relu"} for design in designs)


def test_zoos_of_the_three_batch_sizes_differ_in_nothing_else():
    small, middle, large = (zoo_recipe(f"wide_{size}_batch", "laptop") for size in ("small", "middle", "large"))

    assert small.batch_size < middle.batch_size < large.batch_size
    for other in (small, large):
        assert other.ingredients | {"batch_size": 32} == middle.ingredients
        assert other.images == middle.images


@pytest.mark.parametrize("profile", ["quick", "laptop"])
def test_large_networks_on_coloured_images_have_a_twin_with_the_recorded_weight_decay(profile):
    plain, decayed = (zoo_recipe(name, profile) for name in ("rgb_large", "rgb_large_decay"))

    assert set(decayed.design["weight_decay"]) == {published.zoo_record("cifar10-large-seed")["fixed"]["wd"]}
    assert decayed.design.assign(weight_decay=0.0).equals(plain.design)
    assert (plain.images, plain.epochs, plain.batch_size) == (decayed.images, decayed.epochs, decayed.batch_size)
    assert zoo_recipe("rgb_large_decay", "paper").thesis == "cifar10-large-seed"


# -- sets that stand in ----------------------------------------------------------------------------------------


@pytest.fixture
def no_download(monkeypatch):
    """Any attempt to download is a failure of the test."""

    def forbidden(*arguments):
        raise AssertionError("nothing may be downloaded here")

    monkeypatch.setattr("hyperlib.images.images.fetched", forbidden)


def put(folder, name):
    random = np.random.default_rng(0)
    parts = {f"x_{part}": random.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8) for part in ("train", "test")}
    labels = {f"y_{part}": np.arange(20) % 10 for part in ("train", "test")}
    np.savez_compressed(folder / PUBLISHED[name].file, **parts, **labels)


@pytest.mark.parametrize(
    ("there", "taken"),
    [((), "photo_digits"), (("cifar10_jpeg",), "cifar10_jpeg"), (("cifar10", "cifar10_jpeg"), "cifar10")],
)
def test_the_first_set_whose_file_is_there_is_taken_and_says_so(there, taken, tmp_path, monkeypatch, no_download):
    monkeypatch.setenv("HYPERLIB_DATA", str(tmp_path))
    for name in there:
        put(tmp_path, name)

    images = RGB.load()

    assert images.name == taken
    assert ("in place of cifar10" in images.source) == (taken != "cifar10")
    assert images.shape == (3, 32, 32)


def test_a_damaged_file_is_no_reason_to_take_the_next_set(tmp_path, monkeypatch, no_download):
    monkeypatch.setenv("HYPERLIB_DATA", str(tmp_path))
    put(tmp_path, "cifar10_jpeg")
    (tmp_path / PUBLISHED["cifar10"].file).write_bytes(b"half a file")

    with pytest.raises(ValueError, match=r"cifar10\.npz is no usable CIFAR-10"):
        RGB.load()


def test_a_set_without_another_to_stand_in_may_be_downloaded(tmp_path, monkeypatch, no_download):
    monkeypatch.setenv("HYPERLIB_DATA", str(tmp_path))

    with pytest.raises(AssertionError, match="nothing may be downloaded"):
        ImageSet("cifar10").load()
    with pytest.raises(AssertionError, match="nothing may be downloaded"):
        ImageSet("cifar10_jpeg", instead=("cifar10",)).load()


# -- recipes of the thesis -------------------------------------------------------------------------------------


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
    recipe, record = published_recipe(zoo_id), published.zoo_record(zoo_id)

    assert len(recipe.design) == record["models"]
    assert recipe.epochs == record["epochs"]
    assert recipe.batch_size == record["batch_size"]
    assert recipe.architecture.num_weights == published.architectures()["params"][record["architecture"]]
    image = recipe.architecture.image
    assert recipe.images.size == image[1]
    assert recipe.images.grey == (image[0] == 1)


def test_fixed_seeds_return_at_every_point_and_random_ones_never():
    fixed, random = published_recipe("mnist-hyp-fix").design, published_recipe("mnist-hyp-rand").design

    assert sorted(fixed["seed"].unique()) == list(range(1, 11))
    assert random["seed"].is_unique


def test_most_zoos_of_chapter_three_can_be_grown():
    zoos = all_zoos().query("chapter == 3 and models.notna()")

    assert (zoos["recipe"].str.startswith("yes")).sum() == 24  # 8 seed and 16 hyper-parameter zoos
    assert zoos[~zoos["recipe"].str.startswith("yes")]["id"].str.startswith("resnet18").all()


def test_mnist_seed_at_paper_is_the_thesis_own():
    recipe = zoo_recipe("mnist_seed", "paper")

    assert recipe == published_recipe("mnist-seed")
    assert set(recipe.design["init"]) == {"uniform"}
    assert recipe.images.name == "mnist"


@pytest.mark.parametrize(
    ("name", "profile", "message"),
    [
        ("tetris_sed", "quick", "no zoo 'tetris-sed'; did you mean tetris-seed"),
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
