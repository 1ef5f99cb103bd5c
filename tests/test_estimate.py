"""What a zoo will cost: the counts of its own loop, times rates."""

from dataclasses import replace

import pandas as pd
import pytest

from hyperlib import Study, load_images
from hyperlib.thesis import recipes
from hyperlib.thesis.book_zoos import BOOK_ZOOS
from hyperlib.thesis.estimate import (
    benchmark,
    beside_measured,
    card_table,
    cost_table,
    estimate,
    growth_rates,
    image_counts,
    kept_bytes,
)
from hyperlib.thesis.recipes import all_zoos, zoo_recipe
from hyperlib.thesis.zoo_recipe import ImageSet
from hyperlib.weightspace.architectures import ARCHITECTURES, LARGE_ARCHITECTURES

NETWORKS = [*ARCHITECTURES, *LARGE_ARCHITECTURES]
RATES = pd.DataFrame(
    {
        "architecture": NETWORKS,
        "evaluate_us": [1.0 + place for place in range(len(NETWORKS))],
        "train_us_batch_32": [3.0 + place for place in range(len(NETWORKS))],
        "train_us_batch_10": [7.0 + place for place in range(len(NETWORKS))],
    }
)
FREE_EVALUATION = RATES.assign(evaluate_us=0.0)
TETRIS = replace(BOOK_ZOOS["tetris_seed"]["quick"], models=10, epochs=4)


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study whose Tetris zoo takes a moment to grow."""
    tiny = replace(TETRIS, models=3, epochs=2, images=ImageSet("tetris", train=64, test=32))
    monkeypatch.setitem(recipes.BOOK_ZOOS, "tetris_seed", {"quick": tiny})
    return Study("quick", store=tmp_path / "store")


def test_an_estimate_is_the_loop_of_training_counted_by_hand():
    microseconds = 0.0
    for _ in range(10):
        microseconds += (1400 + 600) * 1.0  # before training, both splits
        for _ in range(4):
            microseconds += 1400 * 3.0 + (1400 + 600) * 1.0

    assert estimate(TETRIS, RATES) == pytest.approx(microseconds / 1e6)


@pytest.mark.parametrize(("name", "value"), [("models", 20), ("epochs", 8)])
def test_twice_the_models_or_epochs_train_twice_as_long(name, value):
    double = replace(TETRIS, **{name: value})

    assert estimate(double, FREE_EVALUATION) == pytest.approx(2 * estimate(TETRIS, FREE_EVALUATION))


def test_cores_share_the_models():
    assert estimate(TETRIS, RATES, cores=4) == pytest.approx(estimate(TETRIS, RATES) / 4)


@pytest.mark.parametrize(("batch_size", "rate"), [(10, 7.0), (17, 7.0), (18, 3.0), (32, 3.0), (512, 3.0), (1, 7.0)])
def test_the_nearest_measured_batch_size_stands_for_a_recipes_own(batch_size, rate):
    recipe = replace(TETRIS, batch_size=batch_size)

    assert estimate(recipe, FREE_EVALUATION) == pytest.approx(10 * 4 * 1400 * rate / 1e6)


def test_models_that_see_a_part_of_the_images_cost_that_part():
    half = replace(TETRIS, factors=(*TETRIS.factors, ("train_fraction", 0.5)))

    assert estimate(half, FREE_EVALUATION) == pytest.approx(estimate(TETRIS, FREE_EVALUATION) / 2)


@pytest.mark.parametrize("name", ["tetris", "digits", "mnist5k"])
def test_known_sizes_are_those_of_the_images(name):
    images = load_images(name)

    assert image_counts(ImageSet(name)) == (len(images.train_x), len(images.test_x))
    assert image_counts(ImageSet(name, train=9, test=4)) == (9, 4)


def test_published_sets_count_the_images_that_the_zoos_use():
    assert image_counts(ImageSet("mnist")) == (50_000, 10_000)
    assert image_counts(ImageSet("cifar10_jpeg")) == (10_000, 2_000)


def test_the_table_has_every_zoo_that_has_a_recipe_once_at_each_profile():
    table = cost_table(RATES, cores=2)
    listed = [
        (zoo, profile) for zoo, p in zip(table["zoo"], table["profile"], strict=True) for profile in p.split(", ")
    ]

    thesis = all_zoos().query("recipe.str.startswith('yes')")["id"].str.replace("-", "_")
    book = {(name, profile) for name, at in BOOK_ZOOS.items() for profile in (*at, "paper")}
    wanted = book | {(name, "paper") for name in thesis}
    assert sorted(listed) == sorted(wanted)
    assert (table[["estimated_s", "bytes", "weights", "models"]] > 0).all(axis=None)


def test_a_row_of_the_table_is_the_estimate_of_its_recipe():
    row = cost_table(RATES, cores=2).set_index(["zoo", "profile"]).loc[("usps_seed", "paper")]
    recipe = zoo_recipe("usps_seed", "paper")

    assert row["estimated_s"] == estimate(recipe, RATES, cores=2)
    assert row["bytes"] == kept_bytes(recipe) == 4 * 1000 * 51 * 2464


def test_kept_bytes_are_those_of_the_grown_zoo(study):
    assert kept_bytes(study.recipe("tetris_seed")) == study.zoo("tetris_seed").weights.nbytes


def test_an_estimate_stands_beside_what_the_store_says_of_the_same_recipe(study):
    study.zoo("tetris_seed")
    ours = study.recipe("tetris_seed")
    entry = study.store.entries().query("state == 'made'").iloc[0]
    other = replace(ours, epochs=9)  # the same name, never made

    table = beside_measured(study.store, [ours, other], RATES, cores=2)

    assert table["measured_s"].tolist()[0] == entry["seconds"]
    assert table["ratio"].tolist()[0] == pytest.approx(entry["seconds"] / estimate(ours, RATES, cores=2))
    assert table["engine"].tolist()[0] == "numba"
    assert table.loc[1, ["engine", "made", "measured_s", "ratio"]].isna().all()


def test_a_missing_benchmark_says_how_to_measure_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"architectures\.csv is missing; `make bench`.*`make results`"):
        benchmark("architectures", tmp_path)


def test_a_benchmark_is_read_as_it_was_written(tmp_path):
    RATES.to_csv(tmp_path / "architectures.csv", index=False)

    pd.testing.assert_frame_equal(benchmark("architectures", tmp_path), RATES)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: estimate(TETRIS, RATES.iloc[1:]), "no rate for tetris_mlp; run `make bench`"),
        (lambda: estimate(TETRIS, RATES, cores=0), "one core or more, not on 0"),
        (lambda: image_counts(ImageSet("imagenet")), "size of 'imagenet' is not known; choose tetris"),
    ],
)
def test_what_cannot_be_estimated_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_growth_rates_are_the_factors_of_a_doubling():
    sizes = [1, 2, 4, 8]
    rows = [("models", size, 1, 3.0 * size, 5.0) for size in sizes] + [
        ("weights", 1, size, 1.0, size**2.0) for size in sizes
    ]
    table = pd.DataFrame(rows, columns=["grows", "models", "weights", "seconds", "multiply_adds"])
    found = growth_rates(table).set_index("grows")
    assert found["time"].tolist() == pytest.approx([2, 1]) and found["work"].tolist() == pytest.approx([1, 4])
    assert found.loc["models", ["from", "to"]].tolist() == [1, 8]


def test_rates_of_a_card_are_those_committed_or_none(tmp_path):
    assert card_table("rates", tmp_path) is None
    table = pd.DataFrame({"network": ["Tetris MLP"], "engine": "cuda", "per_s": 1e5, "ratio": 100.0})
    table.to_csv(tmp_path / "rates.csv", index=False)
    pd.testing.assert_frame_equal(card_table("rates", tmp_path), table)
