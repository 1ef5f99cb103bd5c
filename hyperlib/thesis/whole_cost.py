"""What the zoos of the thesis would cost to grow again, all of them: core-hours, GPU-hours and bytes.

Core-hours come from the rates that the benchmarks measured; GPU-hours are arithmetic, the counted operations at a share
of one card's peak, and no measurement. The populations of ResNet-18, which have no recipe of ours, count
by their published models and epochs; every model has a sparse twin, which counts as so many more epochs of the same
network. Source: the counts of `book/thesis/zoos.yml`; what twins cost, the peak's share and images of 32 pixels for all
ResNets (which makes Tiny-ImageNet too cheap) are our choice.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from hyperlib.thesis import published
from hyperlib.thesis.estimate import estimate, image_counts
from hyperlib.thesis.published_zoos import published_recipe, why_not
from hyperlib.thesis.sane_cost import SHARE
from hyperlib.thesis.zoo_recipe import ImageSet, ZooRecipe
from hyperlib.weightspace.work import multiply_adds
from hyperlib.zoos.evaluation import clean_epochs

TWINS = "sparse-vd-twins"
PEAK = 67e12  # operations per second of an H100 (SXM) in float32, as zoos are trained: its data sheet
_RESNETS = {  # network and images by data set; what the published sets lack, by the sets' own descriptions
    "CIFAR10": ("resnet18_10", ImageSet("cifar10")),
    "CIFAR100": ("resnet18_100", ImageSet("cifar10", train=50_000, test=10_000)),
    "Tiny-ImageNet": ("resnet18_100", ImageSet("cifar10", train=100_000, test=10_000)),
}


def whole_cost(rates: pd.DataFrame) -> pd.DataFrame:
    """One row per zoo of chapter 3: `models`, `states` (twins included), `core_hours`, `gpu_hours` and `bytes`.

    rates: the table `architectures` of the benchmarks. Bytes are four for every weight of every state.
    """
    zoos, more = published.zoos(), published.zoo_record(TWINS)["states_per_model"]
    named = zoos[(zoos["chapter"] == 3) & zoos["models"].notna()]
    return pd.DataFrame(
        _row(published.zoo_record(name), int(weights), more, rates)
        for name, weights in zip(named["id"], named["weights"], strict=True)
    )


def with_total(table: pd.DataFrame) -> pd.DataFrame:
    """The same rows, and their sum as the last."""
    return pd.concat([table, table.sum(numeric_only=True).to_frame().T.assign(zoo="all")], ignore_index=True)[[*table]]


def _row(record: dict[str, Any], weights: int, more: int, rates: pd.DataFrame) -> dict[str, Any]:
    once = published_recipe(record["id"]) if not why_not(record) else _of_resnets(record)
    recipe = replace(once, epochs=once.epochs + more)
    models, states = record["models"], record["models"] * (record["states_per_model"] + more)
    return {
        "zoo": record["id"],
        "models": models,
        "states": states,
        "core_hours": estimate(recipe, rates) / 3600,
        "gpu_hours": operations(recipe) / (SHARE * PEAK) / 3600,
        "bytes": 4 * weights * states,
    }


def operations(recipe: ZooRecipe) -> float:
    """Operations of growing a zoo."""
    work, images = multiply_adds(recipe.architecture), image_counts(recipe.images)
    clean = len(clean_epochs(recipe.epochs, recipe.clean))
    return float(work.operations(len(recipe.design), recipe.epochs, *images, clean=clean))


def _of_resnets(record: dict[str, Any]) -> ZooRecipe:
    """As much work as a population of ResNet-18, without its schedule and its augmentation."""
    network, images = _RESNETS[record["dataset"]]
    factors = (("seeds", record["models"]),)
    return ZooRecipe(record["id"], network, images, record["epochs"], factors, record["batch_size"])
