"""What a zoo will cost before it is grown: seconds and bytes, from its recipe and the rates of one benchmark run.

Growing a zoo is one large loop, models x epochs x images, whose body takes a time that depends on the architecture and
the batch size, and hardly on more (dropout adds a fifth to a third). `make bench` measures that time on one core; a
multiplication gives the rest, for any recipe and any profile, without an image being loaded. How good it is stands on
the page *Cost and speed*, beside what the store says the making took.

Source: our choice; measured rates, the loop's own counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from hyperlib.files import paths
from hyperlib.images.files import PUBLISHED
from hyperlib.store.manifest import Manifest, plain
from hyperlib.store.record import record_source
from hyperlib.store.store import Store
from hyperlib.thesis import published
from hyperlib.thesis.committed import committed_table
from hyperlib.thesis.profiles import PROFILES
from hyperlib.thesis.recipes import BOOK_ZOOS, zoo_recipe
from hyperlib.thesis.zoo_recipe import ImageSet, ZooRecipe
from hyperlib.zoos.engines.trainer import images_used
from hyperlib.zoos.evaluation import clean_epochs

# Training and test images of the sets that need no download, as `load_images` divides them; `PUBLISHED` has the rest.
_OFFLINE = {"tetris": (1400, 600), "digits": (1437, 360), "mnist5k": (4000, 1000), "photo_digits": (4000, 1000)}
_TRAIN = "train_us_batch_"  # column of the rates, followed by the batch size
COLUMNS = [
    *("zoo", "profile", "architecture", "image_set", "models", "epochs", "train_images", "batch_size", "weights"),
    *("estimated_s", "bytes"),
]


def benchmark(table: str, folder: Path | None = None) -> pd.DataFrame:
    """One committed table of the benchmarks (`training`, `architectures`, ...), from `book/results/benchmarks`.

    Raises FileNotFoundError, with what to do, where it is not there.
    """
    file = (folder or paths.committed_folder("benchmarks")) / f"{table}.csv"
    return committed_table(file, "`make bench` measures it in minutes and `make results` puts it there.")


def card_table(table: str, folder: Path | None = None) -> pd.DataFrame | None:
    """A table (`rates`, `claims`, ...) of a run on a GPU (`make gpu`), from `book/results/gpu`.

    None where no such run is committed.
    """
    folder = folder or paths.committed_folder("gpu")
    record_source(folder / f"{table}.csv")
    return benchmark(table, folder) if (folder / f"{table}.csv").is_file() else None


def growth_rates(growth: pd.DataFrame) -> pd.DataFrame:
    """By what factor `time` and counted `work` per image grow where one quantity doubles, from the benchmark `growth`.

    The slope of a line through the logarithms of all its sizes; `from` and `to` are the smallest and the largest.
    """
    rows = []
    for what, part in growth.groupby("grows", sort=False):
        logs = np.log2(part[[what, "seconds", "multiply_adds"]].to_numpy(dtype=float))
        time, work = 2 ** np.polyfit(logs[:, 0], logs[:, 1:], 1)[0]
        rows.append({"grows": what, "from": part[what].iloc[0], "to": part[what].iloc[-1], "time": time, "work": work})
    return pd.DataFrame(rows)


def estimate(recipe: ZooRecipe, rates: pd.DataFrame, cores: int = 1) -> float:
    """Seconds of wall time to grow the zoo of a recipe on so many cores, each growing its share of the models.

    rates: the table `architectures` of the benchmarks, microseconds per image on one core. Each epoch trains on the
    training images and evaluates the test images, as does the start; training images are evaluated as often as the
    recipe says. Of the measured batch sizes the nearest one (in its ratio) stands for the recipe's. What is not
    counted: compiling, reading images, writing files.

    Raises ValueError for an architecture without a rate and for numbers of cores below one.
    """
    if cores < 1:
        raise ValueError(f"A zoo grows on one core or more, not on {cores}.")
    train_us, evaluate_us = _rate(recipe, rates)
    train, test = image_counts(recipe.images)
    used = sum(images_used(train, fraction) for fraction in recipe.design["train_fraction"])  # over models
    cleanly = len(clean_epochs(recipe.epochs, recipe.clean))
    evaluated = cleanly * used + (recipe.epochs + 1) * len(recipe.design) * test
    return 1e-6 * (recipe.epochs * used * train_us + evaluated * evaluate_us) / cores


def kept_bytes(recipe: ZooRecipe) -> int:
    """Bytes of the weights that the zoo keeps: four for each of models x (epochs + 1) x weights."""
    return 4 * len(recipe.design) * (recipe.epochs + 1) * recipe.architecture.layout.size


def image_counts(images: ImageSet) -> tuple[int, int]:
    """Training and test images of a recipe, known without loading them. Raises ValueError for an unknown set."""
    if images.name in _OFFLINE:
        train, test = _OFFLINE[images.name]
    elif images.name in PUBLISHED:
        known = PUBLISHED[images.name]
        train, test = known.zoo_train or known.train_images, known.test_images
    else:
        raise ValueError(f"The size of {images.name!r} is not known; choose {', '.join([*_OFFLINE, *PUBLISHED])}.")
    return (train if images.train is None else images.train), (test if images.test is None else images.test)


def cost_table(rates: pd.DataFrame, cores: int = 1) -> pd.DataFrame:
    """Every zoo that can be grown, with its estimate: the book's at each profile, the thesis's others at `paper`.

    One row per recipe; profiles that share one stand together. Seconds of wall time on so many cores, bytes of the kept
    weights.
    """
    rows = {}
    for name, profile in recipe_names():
        recipe = zoo_recipe(name, profile)
        if recipe in rows:
            rows[recipe]["profile"] += f", {profile}"
        else:
            rows[recipe] = {"profile": profile} | _row(recipe, rates, cores)
    return pd.DataFrame(rows.values(), columns=COLUMNS)


def beside_measured(store: Store, recipes: Iterable[ZooRecipe], rates: pd.DataFrame, cores: int = 1) -> pd.DataFrame:
    """The estimate of each recipe beside the seconds that making its zoo took, by the store's own record.

    `ratio` is measured by estimated; zoos that the store does not have are missing values. The record does not know the
    machine, nor what else it did meanwhile.
    """
    rows = []
    for recipe in recipes:
        made, row = _made(store, recipe), _row(recipe, rates, cores)
        measured = {"engine": None, "made": None, "measured_s": math.nan}
        if made is not None:
            measured = {"engine": made.engine, "made": made.created[:10], "measured_s": made.seconds}
        rows.append(row | measured | {"ratio": measured["measured_s"] / row["estimated_s"]})
    columns = ["zoo", "models", "epochs", "train_images", "engine", "made", "measured_s", "estimated_s", "ratio"]
    return pd.DataFrame(rows, columns=columns)


def _rate(recipe: ZooRecipe, rates: pd.DataFrame) -> tuple[float, float]:
    """Microseconds per training image and per evaluated image."""
    found = rates[rates["architecture"] == recipe.architecture_name]
    if found.empty:
        raise ValueError(f"There is no rate for {recipe.architecture_name}; run `make bench` and `make results` again.")
    sizes = [int(column.removeprefix(_TRAIN)) for column in rates if column.startswith(_TRAIN)]
    nearest = min(sizes, key=lambda size: abs(math.log(size / recipe.batch_size)))
    return float(found[f"{_TRAIN}{nearest}"].iloc[0]), float(found["evaluate_us"].iloc[0])


def recipe_names() -> Iterator[tuple[str, str]]:
    """Name and profile of everything that has a recipe."""
    for name in BOOK_ZOOS:
        yield from ((name, profile) for profile in PROFILES if profile in BOOK_ZOOS[name])
    for zoo_id in published.zoos()["id"]:
        if "paper" not in BOOK_ZOOS.get(zoo_id.replace("-", "_"), {}) and _has_recipe(zoo_id):
            yield zoo_id, "paper"


def _has_recipe(zoo_id: str) -> bool:
    try:
        return bool(zoo_recipe(zoo_id, "paper").name)
    except ValueError:
        return False


def _row(recipe: ZooRecipe, rates: pd.DataFrame, cores: int) -> dict[str, object]:
    return {
        "zoo": recipe.name,
        "architecture": recipe.architecture_name,
        "image_set": recipe.images.name,
        "models": len(recipe.design),
        "epochs": recipe.epochs,
        "train_images": image_counts(recipe.images)[0],
        "batch_size": recipe.batch_size,
        "weights": recipe.architecture.num_weights,
        "estimated_s": estimate(recipe, rates, cores),
        "bytes": kept_bytes(recipe),
    }


def _made(store: Store, recipe: ZooRecipe) -> Manifest | None:
    """The newest record of this zoo that today's code would make again."""
    wanted = plain(recipe.ingredients).items()
    found = [Manifest.find(folder) for folder in store.folder.glob(f"zoos/{recipe.name}-*") if folder.is_dir()]
    fitting = [one for one in found if one and wanted <= one.recipe.items() and one.is_current()]
    return max(fitting, key=lambda one: one.created, default=None)
