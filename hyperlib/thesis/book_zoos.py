"""The zoos that the book grows itself, as data: each once, and beside it what is other at which profile.

Seed zoos vary nothing but the seed, hyp zoos vary hyper-parameters. Chapter 4 alone needs `mnist_hyp`, `photo_hyp` (of
which no choice knew, see `untouched`) and the last five. Four of these have one or five seeds, fixed or random: the
thesis's four are of MNIST, 1,152 or 1,280 models whose activation, initialisation and learning rate vary over values
that no source gives; ours are of digits. The fifth is made as the Small CNN Zoo of Unterthiner et al. (2020), with
their network and all factors drawn at random, and is much smaller.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from hyperlib.thesis.profiles import PROFILES
from hyperlib.thesis.zoo_recipe import ImageSet, ZooRecipe
from hyperlib.zoos.design import Between

_Zoo = tuple[str, dict[str, ZooRecipe]]  # its name, and its recipe at each profile that has one


def _zoo(recipe: ZooRecipe, factors: dict[str, Any], choices: str, **other: dict[str, Any] | None) -> _Zoo:
    """other: what is other at a profile, as arguments of `ZooRecipe.but`; None where there is no recipe."""
    recipe, at = recipe.but(choices=choices, **factors), dict.fromkeys(PROFILES, {}) | other
    return recipe.name, {profile: recipe.but(**changes) for profile, changes in at.items() if changes is not None}


# fmt: off
def _wide(size: str, batch_size: int) -> _Zoo:
    """The wide networks at one batch size."""
    return _zoo(
        ZooRecipe(f"wide_{size}_batch", "wide_mlp", ImageSet("mnist5k"), epochs=25, batch_size=batch_size),
        {"seeds": 4, **_RELU_SGD},
        "the whole zoo: three batch sizes (8, 32, 256), the same seeds, SGD with momentum 0.9 and one learning rate "
        "for all, because the thesis's setting was not found",
        quick={"seeds": 2, "epochs": 4, "images": ImageSet("mnist5k", train=1000, test=500)},
        paper={"seeds": 10, "epochs": 50, "images": ImageSet("mnist")})


def _few_seeds(seeds: int, mode: str) -> _Zoo:
    """One of chapter 4's four: as many learning rates as its number of models asks for."""

    def size(models: int, epochs: int) -> dict[str, Any]:
        rates = np.geomspace(3e-4, 1e-2, -(-models // (4 * seeds))).tolist()
        return {"models": models, "epochs": epochs, "lr": tuple(rates)}

    return _zoo(
        ZooRecipe(f"digits_{seeds}_{mode}", "digits_cnn", ImageSet("digits"), epochs=25),
        {"seeds": seeds, "seed_mode": mode, "activation": ("tanh", "relu"), "init": ("kaiming_uniform", "normal")},
        "256 models per zoo on digits: tanh or ReLU, Kaiming-uniform or standard-normal start, and learning rates "
        "evenly spaced in their logarithm from 3e-4 to 1e-2 (64 of them with one seed, 13 with five); Adam, batch size "
        "32",
        quick=size(60, epochs=8), laptop=size(256, epochs=25), paper=size(1280, epochs=50))


_RGB = partial(ImageSet, "cifar10", instead=("cifar10_jpeg", "photo_digits"))
_RGB_WORDS = "CIFAR-10 where its file is in the data folder, else its JPEG subset, else the offline set photo_digits"
_CIFAR10 = ImageSet("cifar10", size=32)
_PLAIN = {"init": "kaiming_uniform", "activation": "tanh", "optimizer": "adam", "lr": 1e-3}
_HYP_GRID = {  # the thesis's, with learning rates ten times higher
    "activation": ("tanh", "relu", "sigmoid", "gelu"), "dropout": (0.0, 0.5), "optimizer": ("adam", "sgd"),
    "init": ("uniform", "normal", "kaiming_uniform", "kaiming_normal"), "lr": (1e-2, 1e-3),
    "weight_decay": (1e-3, 1e-4)}
_CLEAN = {"clean": "all"}  # pages probe the clean gap of any epoch, or choose networks by it
_RELU_SGD = {"activation": "relu", "optimizer": "sgd", "lr": 1e-2}


def _rgb_large(name: str, decay: float) -> _Zoo:
    """Large CNNs on coloured images, without and with the weight decay that is recorded of the thesis's."""
    factors = {"seeds": 12, "activation": "gelu", "optimizer": "adam", "lr": 3e-3}
    same = {"epochs": 50, "images": _CIFAR10, "batch_size": 10, "lr": 1e-4}
    thesis = {"seeds": 1000, "thesis": "cifar10-large-seed", "choices": ""}
    without = {"seeds": 100, "choices": "no weight decay; all else as recorded of cifar10-large-seed"}
    return _zoo(
        ZooRecipe(name, "large_cnn_3ch", _RGB(train=3000, test=1000), epochs=25),
        factors | ({"weight_decay": decay} if decay else {}),
        f"images ({_RGB_WORDS}; 3,000 for training), learning rate and batch size; the activation"
        f"{' and the weight decay are those' if decay else ' is that'} of cifar10-large-seed",
        quick={"seeds": 2, "epochs": 3, "images": _RGB(train=500, test=200)},
        paper=same | (thesis if decay else without))


BOOK_ZOOS: dict[str, dict[str, ZooRecipe]] = dict([
    _zoo(
        ZooRecipe("tetris_seed", "tetris_mlp", ImageSet("tetris"), epochs=75, thesis="tetris-seed", **_CLEAN),
        {"seeds": 1000, **_PLAIN},
        "image set, Kaiming-uniform initialisation, Adam with learning rate 1e-3 and batch size 32"),
    _zoo(
        ZooRecipe("tetris_positive", "tetris_mlp", ImageSet("tetris"), epochs=75, thesis="tetris-seed", **_CLEAN),
        {"seeds": 500, **_PLAIN, "init": "uniform"},
        "as tetris_seed, but for the start in U(0,1), which is that of the thesis's grey-image seed zoos",
        quick={"seeds": 100}),
    _zoo(
        ZooRecipe("tetris_hyp", "tetris_mlp", ImageSet("tetris"), epochs=75, thesis="tetris-hyp",
                  split_by="seed", **_CLEAN),
        {"seeds": 100, "seed_mode": "fix", "activation": ("tanh", "relu"),
         "init": ("uniform", "normal", "kaiming_uniform", "kaiming_normal", "xavier_uniform"), "lr": (3e-3, 1e-3, 3e-4),
         "left_out": ((("activation", "relu"), ("init", "uniform"), ("lr", 3e-3)),)},
        "image set, Adam, batch size 32 and the values of activation, initialisation and learning rate; of their 30 "
        "combinations one (ReLU, U(0,1), 3e-3) is left out to meet the 29 that are recalled of the thesis",
        quick={"seeds": 10}),
    _zoo(
        ZooRecipe("digits_seed", "digits_cnn", ImageSet("digits"), epochs=25, **_CLEAN),
        {"seeds": 300, **_PLAIN},
        "the whole zoo: the thesis has none on digits; it stands for the seed zoos on small images",
        quick={"seeds": 60, "epochs": 12}, paper={"seeds": 1000, "epochs": 50}),
    _zoo(
        ZooRecipe("digits_hyp", "digits_cnn", ImageSet("digits"), epochs=25, largest=5.0, **_CLEAN),
        {"seeds": 1, **_HYP_GRID},
        "points of the thesis's grid (256 of them) on another image set, with learning rates ten times higher: an "
        "epoch of digits at batch 32 has 45 steps, one of MNIST at batch 10 has 5,000; chapter 4 leaves out "
        "checkpoints with a weight beyond 5, as the loader of the Model Zoos does",
        quick={"models": 32, "epochs": 12, "activation": ("tanh", "relu"), "init": ("normal", "kaiming_uniform"),
               "weight_decay": 1e-4},
        paper={"seeds": 10, "epochs": 50}),
    _zoo(
        ZooRecipe("mnist_seed", "small_cnn_1ch", ImageSet("mnist5k"), epochs=25, thesis="mnist-seed", **_CLEAN),
        {"seeds": 300, **_PLAIN},
        "5,000 of MNIST's 70,000 images, Kaiming-uniform initialisation, learning rate 1e-3, batch size 32; the "
        "thesis's own settings need 5,000 steps per epoch to learn, so the curves are not like for like",
        quick={"seeds": 40, "epochs": 6}, paper=None),  # there the thesis's own
    _zoo(
        ZooRecipe("mnist_hyp", "small_cnn_1ch", ImageSet("mnist5k"), epochs=15, drawn=1, thesis="mnist-hyp-rand",
                  largest=5.0),
        {"models": 400, **_HYP_GRID},
        "400 models drawn from the 256 points of the thesis's grid instead of ten at each, 5,000 of MNIST's 70,000 "
        "images, batch size 32, learning rates ten times higher (an epoch has 125 steps instead of 5,000); chapter 4 "
        "leaves out checkpoints with a weight beyond 5, as the loader of the Model Zoos does",
        quick={"models": 60, "epochs": 6}),
    _zoo(
        ZooRecipe("photo_hyp", "small_cnn_1ch", ImageSet("photo_digits", size=28, grey=True), epochs=10, drawn=2,
                  largest=5.0),
        {"models": 240, **_HYP_GRID, "lr": (3e-3, 1e-3)},
        "the whole zoo: the thesis has none on these images; no choice of chapter 4 has seen it",
        quick={"models": 40, "epochs": 4}),
    _zoo(
        ZooRecipe("mnist_steps", "small_cnn_1ch", ImageSet("mnist5k"), epochs=25, batch_size=10),
        {"seeds": 24, **_PLAIN, "init": "uniform", "lr": 3e-4},
        "5,000 of MNIST's 70,000 images; all else as recorded of mnist-seed, whose epochs have 5,000 steps",
        quick={"seeds": 6, "epochs": 6}),
    *(_wide(size, batch_size) for size, batch_size in (("small", 8), ("middle", 32), ("large", 256))),
    *(_rgb_large(name, decay) for name, decay in (("rgb_large", 0.0), ("rgb_large_decay", 1e-2))),
    _zoo(
        ZooRecipe("alexnet", "mini_alexnet", _RGB(train=900, test=300), epochs=10),
        {"seeds": 2, **_RELU_SGD},
        f"the whole zoo: two models on 900 images ({_RGB_WORDS}), SGD with momentum 0.9; the thesis's training "
        "settings were not found",
        quick={"epochs": 2, "images": _RGB(train=96, test=48)},
        paper={"seeds": 10, "epochs": 50, "images": _CIFAR10}),
    _zoo(
        ZooRecipe("resnet_seed", "small_resnet_1ch", ImageSet("mnist5k"), epochs=4),
        {"seeds": 8, "activation": "relu", "optimizer": "adam", "lr": 3e-3},
        "the whole zoo: a residual network with norms, small enough for a laptop",
        quick={"seeds": 4, "epochs": 2, "images": ImageSet("mnist5k", train=500, test=200)},
        paper={"seeds": 100, "epochs": 25, "images": ImageSet("mnist")}),
    _zoo(
        ZooRecipe("resnet18", "resnet18_10", _CIFAR10, epochs=50, batch_size=256),
        {"seeds": 4, **_RELU_SGD, "lr": 5e-2, "weight_decay": 5e-4},
        "4 models instead of the 1,000 of resnet18-cifar10, a constant learning rate instead of a OneCycle schedule, "
        "images without augmentation; optimiser, learning rate, weight decay, batch size and epochs as recorded",
        quick=None, laptop=None),  # for a GPU
    *(_few_seeds(seeds, mode) for seeds in (1, 5) for mode in ("fix", "rand")),
    _zoo(
        ZooRecipe("mnist_drawn", "unterthiner_cnn_1ch_28", ImageSet("mnist5k", train=2000), epochs=20, batch_size=64),
        {"models": 600, "drawn": 1, "activation": ("relu", "tanh"),
         "init": ("xavier_normal", "kaiming_normal", "orthogonal", "normal", "truncated_normal"),
         "init_std": Between(1e-2, 0.5, log=True), "optimizer": ("adam", "rmsprop", "sgd"),
         "lr": Between(5e-4, 5e-2, log=True), "weight_decay": Between(1e-8, 1e-2, log=True),
         "dropout": Between(0.0, 0.7), "train_fraction": (0.1, 0.25, 0.5, 1.0)},
        "600 models instead of 30,000, 20 epochs instead of 86, 2,000 of the images, batch size 64 instead of 512, "
        "biases that start at 0.01; ranges of the factors are ours where the thesis data only say that they vary",
        quick={"models": 60, "epochs": 6, "images": ImageSet("mnist5k", train=500, test=200)},
        paper={"models": 30_000, "epochs": 86, "batch_size": 512, "images": ImageSet("mnist")}),
])
