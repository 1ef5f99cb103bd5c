"""Every zoo that the book can grow, as data: what is trained on what, how long, at which profile.

A recipe is everything that a zoo depends on besides the code. The book's own zoos stand here, one recipe per profile;
what no source tells about them is our choice and said in `choices`. All other zoos of the thesis are read from
`book/thesis/zoos.yml` (`thesis_recipe`), at their published size and therefore at the profile `paper` only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from hyperlib.study.profiles import check_profile
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.architectures import architecture
from hyperlib.zoos.design import grid
from hyperlib.zoos.images import Images, load_images


@dataclass(frozen=True)
class ImageSet:
    """Which images, in which form; `train` and `test` keep the first so many of each (all without)."""

    name: str
    size: int | None = None
    grey: bool = False
    train: int | None = None
    test: int | None = None

    def load(self) -> Images:
        """The images; see `load_images` for where they come from and what can go wrong."""
        images = load_images(self.name, size=self.size, grey=self.grey)
        return images if self.train is None and self.test is None else images.subset(self.train, self.test)


@dataclass(frozen=True)
class ZooRecipe:
    """One zoo at one profile.

    factors: arguments of `grid`, as pairs; left_out: points of the grid that are not grown, as tuples of pairs;
    models: keep the first so many rows of the design. thesis: id in `book/thesis/zoos.yml`. choices: what no source
    says and is ours.
    """

    name: str
    architecture_name: str
    images: ImageSet
    epochs: int
    factors: tuple[tuple[str, Any], ...]
    batch_size: int = 32
    left_out: tuple[tuple[tuple[str, Any], ...], ...] = ()
    models: int | None = None
    thesis: str | None = None
    choices: str = ""

    @property
    def architecture(self) -> Architecture:
        """The network all models share (activations are the design's)."""
        return architecture(self.architecture_name)

    @cached_property
    def design(self) -> pd.DataFrame:
        """One row of generating factors per model."""
        design = grid(**dict(self.factors))
        for point in self.left_out:
            hit = pd.Series(True, index=design.index)
            for column, value in point:
                hit &= design[column] == value
            design = design[~hit]
        return design.reset_index(drop=True).head(self.models or len(design))

    @property
    def ingredients(self) -> dict[str, Any]:
        """What the store knows a zoo of this recipe by, beside the checksum of its images."""
        return {
            "architecture": repr(self.architecture),
            "design": self.design.to_csv(index=False),
            "epochs": self.epochs,
            "batch_size": self.batch_size,
        }

    @property
    def seeds(self) -> str:
        """The model seeds in words, for the page's provenance."""
        seeds = self.design["seed"]
        return f"{seeds.min()} to {seeds.max()}"


_TETRIS_SEED = ZooRecipe(
    name="tetris_seed",
    architecture_name="tetris_mlp",
    images=ImageSet("tetris"),
    epochs=75,
    factors=(("seeds", 1000), ("init", "kaiming_uniform"), ("activation", "tanh"), ("optimizer", "adam"), ("lr", 1e-3)),
    thesis="tetris-seed",
    choices="image set, Kaiming-uniform initialisation, Adam with learning rate 1e-3 and batch size 32",
)
_TETRIS_HYP = ZooRecipe(
    name="tetris_hyp",
    architecture_name="tetris_mlp",
    images=ImageSet("tetris"),
    epochs=75,
    factors=(
        ("seeds", 100),
        ("seed_mode", "fix"),
        ("activation", ("tanh", "relu")),
        ("init", ("uniform", "normal", "kaiming_uniform", "kaiming_normal", "xavier_uniform")),
        ("lr", (3e-3, 1e-3, 3e-4)),
    ),
    left_out=((("activation", "relu"), ("init", "uniform"), ("lr", 3e-3)),),
    thesis="tetris-hyp",
    choices="image set, Adam, batch size 32 and the values of activation, initialisation and learning rate; of their "
    "30 combinations one (ReLU, U(0,1), 3e-3) is left out to meet the 29 that are recalled of the thesis",
)
_DIGITS_SEED = ZooRecipe(
    name="digits_seed",
    architecture_name="digits_cnn",
    images=ImageSet("digits"),
    epochs=25,
    factors=(("seeds", 300), ("init", "kaiming_uniform"), ("activation", "tanh"), ("optimizer", "adam"), ("lr", 1e-3)),
    choices="the whole zoo: the thesis has none on digits; it stands for the seed zoos on small images",
)
_DIGITS_HYP = ZooRecipe(
    name="digits_hyp",
    architecture_name="digits_cnn",
    images=ImageSet("digits"),
    epochs=25,
    factors=(
        ("seeds", 1),
        ("activation", ("tanh", "relu", "sigmoid", "gelu")),
        ("dropout", (0.0, 0.5)),
        ("init", ("uniform", "normal", "kaiming_uniform", "kaiming_normal")),
        ("optimizer", ("adam", "sgd")),
        ("lr", (1e-2, 1e-3)),
        ("weight_decay", (1e-3, 1e-4)),
    ),
    choices="points of the thesis's grid (256 of them) on another image set, with learning rates ten times higher: an "
    "epoch of digits at batch 32 has 45 steps, one of MNIST at batch 10 has 5,000",
)
_MNIST_SEED = ZooRecipe(
    name="mnist_seed",
    architecture_name="small_cnn_1ch",
    images=ImageSet("mnist5k"),
    epochs=25,
    factors=(("seeds", 300), ("init", "kaiming_uniform"), ("activation", "tanh"), ("optimizer", "adam"), ("lr", 1e-3)),
    thesis="mnist-seed",
    choices="5,000 of MNIST's 70,000 images, Kaiming-uniform initialisation, learning rate 1e-3, batch size 32; the "
    "thesis's own settings need 5,000 steps per epoch to learn, so the curves are not like for like",
)
_MNIST_STEPS = ZooRecipe(
    name="mnist_steps",
    architecture_name="small_cnn_1ch",
    images=ImageSet("mnist5k"),
    epochs=25,
    batch_size=10,
    factors=(("seeds", 24), ("init", "uniform"), ("activation", "tanh"), ("optimizer", "adam"), ("lr", 3e-4)),
    choices="5,000 of MNIST's 70,000 images; all else as recorded of mnist-seed, whose epochs have 5,000 steps",
)


def _seeds(recipe: ZooRecipe, seeds: int, epochs: int | None = None) -> ZooRecipe:
    """The recipe with another number of seeds per point (and epochs)."""
    factors = tuple((name, seeds if name == "seeds" else value) for name, value in recipe.factors)
    return replace(recipe, factors=factors, epochs=epochs or recipe.epochs)


def _thinned(recipe: ZooRecipe, count: int, epochs: int) -> ZooRecipe:
    """A thinned grid for a first look: two activations, two initialisations, one weight decay."""
    thin = {"init": ("normal", "kaiming_uniform"), "weight_decay": 1e-4, "activation": ("tanh", "relu")}
    factors = tuple((name, thin.get(name, value)) for name, value in recipe.factors)
    return replace(recipe, factors=factors, epochs=epochs, models=count)


BOOK_ZOOS: dict[str, dict[str, ZooRecipe]] = {
    "tetris_seed": dict.fromkeys(("quick", "laptop", "paper"), _TETRIS_SEED),
    "tetris_hyp": {"quick": _seeds(_TETRIS_HYP, 10), "laptop": _TETRIS_HYP, "paper": _TETRIS_HYP},
    "digits_seed": {
        "quick": _seeds(_DIGITS_SEED, 60, 12),
        "laptop": _DIGITS_SEED,
        "paper": _seeds(_DIGITS_SEED, 1000, 50),
    },
    "digits_hyp": {
        "quick": _thinned(_DIGITS_HYP, 32, 12),
        "laptop": _DIGITS_HYP,
        "paper": _seeds(replace(_DIGITS_HYP, epochs=50), 10),
    },
    "mnist_seed": {"quick": _seeds(_MNIST_SEED, 40, 6), "laptop": _MNIST_SEED},
    "mnist_steps": {"quick": _seeds(_MNIST_STEPS, 6, 6), "laptop": _MNIST_STEPS, "paper": _MNIST_STEPS},
}


def zoo_recipe(name: str, profile: str) -> ZooRecipe:
    """The recipe of that name at that profile.

    `name` is one of `BOOK_ZOOS`, or a zoo of the thesis by its id (`fmnist-seed` or `fmnist_seed`) at `paper`. Raises
    ValueError for unknown names and profiles, and where a zoo has no recipe at this profile.
    """
    from hyperlib.study.thesis_recipes import thesis_recipe

    check_profile(profile)
    name = name.replace("-", "_")
    if profile in BOOK_ZOOS.get(name, {}):
        return BOOK_ZOOS[name][profile]
    return thesis_recipe(name.replace("_", "-"), profile)
