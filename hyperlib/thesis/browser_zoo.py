"""The zoo that a reader grows in the page: what a browser must know of `tetris_seed`, and the same zoo grown here.

The browser's code (`book/_static/zoo`) types no setting of its own: images, sizes, streams of random numbers, optimiser
and probe come from here. What it covers is what this recipe asks for: a network with one hidden layer of tanh units and
without biases, Kaiming-uniform weights, Adam. A recipe with anything else is refused rather than half obeyed.
"""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from torch import Tensor

from hyperlib.tasks.probes import PENALTIES
from hyperlib.thesis.recipes import zoo_recipe
from hyperlib.thesis.zoo_recipe import ZooRecipe
from hyperlib.weightspace.architecture import _INITIAL as INITIAL_STREAM  # another name there would regrow all zoos
from hyperlib.weightspace.statistics import READINGS, layer_statistics_names
from hyperlib.zoos.design import COLUMNS
from hyperlib.zoos.engines.trainer import ADAM_DECAYS, ADAM_EPSILON, ORDER_STREAM
from hyperlib.zoos.engines.variational import NOISE_STREAM
from hyperlib.zoos.population import train_population
from hyperlib.zoos.zoo import Zoo

NAME, PROFILE = "tetris_seed", "quick"
COVERED: dict[str, Any] = {
    **{"init": "kaiming_uniform", "activation": "tanh", "optimizer": "adam"},
    **{"weight_decay": 0.0, "dropout": 0.0, "train_fraction": 1.0},
}
PERMUTATION_STREAM = NOISE_STREAM + 1  # below a model's key: orders of its units
ENDS = (0.7, 0.85, 1.0)  # shares of the models at which the parts end that a probe is trained, chosen and judged on
SPREAD = 16  # epochs of each model that map and probe see, evenly spaced
LIMITS = {"models": (10, 200), "epochs": (1, 150), "rate": (1e-5, 1.0), "seed": (0, 2**32 - 1)}


@dataclass(frozen=True)
class Settings:
    """What a reader can set, within `LIMITS`; `rate` is the learning rate, `seed` the zoo's."""

    models: int = 50
    epochs: int = 75
    rate: float = 1e-3
    seed: int = 0


def browser_recipe() -> dict[str, Any]:
    """All that the browser's code needs, as plain data; ValueError where the recipe asks for what it does not cover."""
    recipe = covered(zoo_recipe(NAME, PROFILE))
    images = recipe.images.load()
    first, last = recipe.architecture.layout.slots
    return {
        **{"units": first.shape[0], "inputs": first.shape[1], "classes": last.shape[0]},
        "layers": [first.layer, last.layer],
        "labels": images.classes,
        "train": _in_text(images.train_x, images.train_y),
        "test": _in_text(images.test_x, images.test_y),
        "batch": recipe.batch_size,
        "adam": {"decays": ADAM_DECAYS, "epsilon": ADAM_EPSILON},
        "streams": {"initial": INITIAL_STREAM, "order": ORDER_STREAM, "permutation": PERMUTATION_STREAM},
        "percentiles": READINGS["percentiles"][1],
        "statistics": [name.rpartition(".")[2] for name in layer_statistics_names(recipe.architecture)],
        **{"penalties": PENALTIES, "ends": ENDS, "spread": SPREAD},
        "settings": asdict(Settings()),
        "limits": LIMITS,
    }


def grown(settings: Settings, engine: str = "torch") -> Zoo:
    """The zoo that a browser grows at these settings."""
    recipe = covered(zoo_recipe(NAME, PROFILE)).but(seeds=settings.models, lr=settings.rate)
    return train_population(
        recipe.architecture,
        recipe.images.load(),
        recipe.design,
        epochs=settings.epochs,
        batch_size=recipe.batch_size,
        seed=settings.seed,
        engine=engine,
        progress=False,
    )


def parts_of(zoo: Zoo) -> list[Zoo]:
    """The parts of a zoo as the browser has them: its first models, the next, the rest, as seeds are exchangeable."""
    ends = [int(len(zoo) * end + 0.5) for end in ENDS]
    return [zoo.take(places) for places in np.split(np.arange(len(zoo)), ends[:-1])]


def covered(recipe: ZooRecipe) -> ZooRecipe:
    """The recipe, if the browser's code does what it asks for; ValueError, naming what it does not do, otherwise."""
    for name in COLUMNS:
        if name in COVERED and (recipe.design[name] != COVERED[name]).any():
            raise ValueError(f"The zoo in the browser has {name} {COVERED[name]!r}, and {recipe.name} has another.")
    kinds = [type(step.layer).__name__ for step in recipe.architecture.steps]
    if kinds != ["Flatten", "Linear", "Activation", "Linear"] or len(recipe.architecture.layout.slots) != 2:
        raise ValueError(f"The zoo in the browser has two layers without biases, and {recipe.name} has {kinds}.")
    return recipe


def _in_text(x: Tensor, y: Tensor) -> dict[str, str]:
    """Images as float32, labels as bytes, both little-endian in base64: what a script can hold."""
    parts = {"pixels": x.numpy().astype("<f4"), "labels": y.numpy().astype(np.uint8)}
    return {name: base64.b64encode(part.tobytes()).decode() for name, part in parts.items()}
