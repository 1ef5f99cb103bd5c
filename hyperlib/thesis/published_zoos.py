"""The thesis's zoos at their published size, from `book/thesis/zoos.yml` to recipes.

Where the sources name every factor, the recipe is complete and any machine with enough time can grow it; where values
are not known, or a network needs a cluster, the refusal says so. What we had to add stands in a recipe's `choices`.
"""

from __future__ import annotations

from typing import Any

from hyperlib.thesis import published
from hyperlib.thesis.zoo_recipe import ImageSet, ZooRecipe

_ARCHITECTURES = {
    "cnn_small_1ch": "small_cnn_1ch",
    "cnn_small_3ch": "small_cnn_3ch",
    "cnn_large_3ch": "large_cnn_3ch",
    "tetris_mlp": "tetris_mlp",
    "unterthiner_cnn": "unterthiner_cnn_1ch_28",
}
_IMAGES = {
    "MNIST": "mnist",
    "F-MNIST": "fmnist",
    "SVHN": "svhn",
    "USPS": "usps",
    "CIFAR10": "cifar10",
    "STL10": "stl10",
}
_FACTORS = {name: name for name in ("activation", "dropout", "init", "optimizer", "lr")} | {"wd": "weight_decay"}
_CHOICES = {"svhn-hyp": "grey images, cut to 28x28 as in the seed zoo: the released script does neither and fails"}


def published_recipe(zoo_id: str) -> ZooRecipe:
    """Recipe of one zoo of the thesis; ValueError for an unknown id, and where the sources leave values open."""
    record = published.zoo_record(zoo_id)
    if reason := why_not(record):
        raise ValueError(f"{zoo_id} has no recipe: {reason}")
    settings = record.get("fixed", {}) | record["varied"]
    factors = {_FACTORS[name]: _values(value) for name, value in settings.items() if name in _FACTORS}
    seeds = record["models"] if set(record["varied"]) == {"seed"} else record["seeds_per_point"]
    side = 32 if "large" in record["architecture"] else 28
    return ZooRecipe(
        name=zoo_id.replace("-", "_"),
        architecture_name=_ARCHITECTURES[record["architecture"]],
        images=ImageSet(_IMAGES[record["dataset"]], size=side, grey=record["architecture"] == "cnn_small_1ch"),
        epochs=record["epochs"],
        batch_size=record["batch_size"],
        factors=(("seeds", seeds), ("seed_mode", record.get("seed_mode", "rand")), *factors.items()),
        thesis=zoo_id,
        clean="all",  # a zoo to be read by anybody has all measures
        choices=_CHOICES.get(zoo_id.rsplit("-", 1)[0], ""),
    )


def why_not(record: dict[str, Any]) -> str:
    """Why a zoo of the thesis cannot be grown from its record alone; empty if it can."""
    if record.get("scale") == "cluster":
        return (
            "a population of ResNet-18 takes a cluster, and our designs have neither its learning-rate schedule nor "
            "its augmented images; the book shows its published numbers, and its own recipe resnet18 grows a few such "
            "models at the profile paper."
        )
    if record.get("architecture") not in _ARCHITECTURES or record.get("dataset") not in _IMAGES:
        return "it is not a population of one known network on one known image set."
    varied = record.get("varied", {})
    if unknown := [name for name, value in varied.items() if name != "seed" and not isinstance(value, list)]:
        return f"the sources do not give the values of {', '.join(unknown)}."
    if not varied or "batch_size" not in record or not {**record.get("fixed", {}), **varied}.keys() >= {"init", "lr"}:
        return "the sources do not give its training settings."
    return ""


def _values(value: Any) -> Any:
    """Values of a factor in the words of `grid`."""
    if isinstance(value, list):
        return tuple(_values(one) for one in value)
    return value.removesuffix(" momentum 0.9") if isinstance(value, str) else float(value)
