"""Every zoo that the book can grow, as data: what is trained on what, how long, at which profile.

The book's own zoos stand here, one recipe per profile (those that only chapter 4 needs in `representation_zoos`). All
other zoos of the thesis are read from `book/thesis/zoos.yml` (`thesis_recipe`), at their published size and therefore
at the profile `paper` only.
"""

from __future__ import annotations

from dataclasses import replace

from hyperlib.thesis.profiles import check_profile
from hyperlib.thesis.representation_zoos import REPRESENTATION_ZOOS
from hyperlib.thesis.zoo_recipe import ImageSet, ZooRecipe, with_seeds

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
_WIDE = ZooRecipe(
    name="wide_middle_batch",
    architecture_name="wide_mlp",
    images=ImageSet("mnist5k"),
    epochs=25,
    batch_size=32,
    factors=(("seeds", 4), ("activation", "relu"), ("optimizer", "sgd"), ("lr", 1e-2)),
    choices="the whole zoo: three batch sizes (8, 32, 256), the same seeds, SGD with momentum 0.9 and one learning "
    "rate for all, because the thesis's setting was not found",
)
_RGB = ImageSet("cifar10", train=3000, test=1000, instead=("cifar10_jpeg", "photo_digits"))
_RGB_WORDS = "CIFAR-10 where its file is in the data folder, else its JPEG subset, else the offline set photo_digits"
_RGB_LARGE = ZooRecipe(
    name="rgb_large",
    architecture_name="large_cnn_3ch",
    images=_RGB,
    epochs=25,
    factors=(("seeds", 12), ("activation", "gelu"), ("optimizer", "adam"), ("lr", 3e-3)),
    choices=f"images ({_RGB_WORDS}; 3,000 for training), learning rate and batch size; the activation is that of "
    "cifar10-large-seed",
)
_RGB_LARGE_PAPER = ZooRecipe(
    name="rgb_large",
    architecture_name="large_cnn_3ch",
    images=ImageSet("cifar10", size=32),
    epochs=50,
    batch_size=10,
    factors=(("seeds", 1000), ("activation", "gelu"), ("optimizer", "adam"), ("lr", 1e-4), ("weight_decay", 1e-2)),
    thesis="cifar10-large-seed",
)
_ALEXNET = ZooRecipe(
    name="alexnet",
    architecture_name="mini_alexnet",
    images=replace(_RGB, train=900, test=300),
    epochs=10,
    factors=(("seeds", 2), ("activation", "relu"), ("optimizer", "sgd"), ("lr", 1e-2)),
    choices=f"the whole zoo: two models on 900 images ({_RGB_WORDS}), SGD with momentum 0.9; the thesis's training "
    "settings were not found",
)
_RESNET_SEED = ZooRecipe(
    name="resnet_seed",
    architecture_name="small_resnet_1ch",
    images=ImageSet("mnist5k"),
    epochs=4,
    factors=(("seeds", 8), ("activation", "relu"), ("optimizer", "adam"), ("lr", 3e-3)),
    choices="the whole zoo: a residual network with norms, small enough for a laptop",
)
_RESNET18 = ZooRecipe(
    name="resnet18",
    architecture_name="resnet18_10",
    images=ImageSet("cifar10", size=32),
    epochs=50,
    batch_size=256,
    factors=(("seeds", 4), ("activation", "relu"), ("optimizer", "sgd"), ("lr", 5e-2), ("weight_decay", 5e-4)),
    choices="4 models instead of the 1,000 of resnet18-cifar10, a constant learning rate instead of a OneCycle "
    "schedule, images without augmentation; optimiser, learning rate, weight decay, batch size and epochs as recorded",
)


def _thinned(recipe: ZooRecipe, count: int, epochs: int) -> ZooRecipe:
    """A thinned grid for a first look: two activations, two initialisations, one weight decay."""
    thin = {"init": ("normal", "kaiming_uniform"), "weight_decay": 1e-4, "activation": ("tanh", "relu")}
    factors = tuple((name, thin.get(name, value)) for name, value in recipe.factors)
    return replace(recipe, factors=factors, epochs=epochs, models=count)


def _wide(name: str, batch_size: int) -> dict[str, ZooRecipe]:
    """The wide networks at one batch size, at every profile."""
    laptop = replace(_WIDE, name=name, batch_size=batch_size)
    quick = with_seeds(replace(laptop, images=ImageSet("mnist5k", train=1000, test=500)), 2, 4)
    return {"quick": quick, "laptop": laptop, "paper": with_seeds(replace(laptop, images=ImageSet("mnist")), 10, 50)}


BOOK_ZOOS: dict[str, dict[str, ZooRecipe]] = {
    "tetris_seed": dict.fromkeys(("quick", "laptop", "paper"), _TETRIS_SEED),
    "tetris_hyp": {"quick": with_seeds(_TETRIS_HYP, 10), "laptop": _TETRIS_HYP, "paper": _TETRIS_HYP},
    "digits_seed": {
        "quick": with_seeds(_DIGITS_SEED, 60, 12),
        "laptop": _DIGITS_SEED,
        "paper": with_seeds(_DIGITS_SEED, 1000, 50),
    },
    "digits_hyp": {
        "quick": _thinned(_DIGITS_HYP, 32, 12),
        "laptop": _DIGITS_HYP,
        "paper": with_seeds(replace(_DIGITS_HYP, epochs=50), 10),
    },
    "mnist_seed": {"quick": with_seeds(_MNIST_SEED, 40, 6), "laptop": _MNIST_SEED},
    "mnist_steps": {"quick": with_seeds(_MNIST_STEPS, 6, 6), "laptop": _MNIST_STEPS, "paper": _MNIST_STEPS},
    "wide_small_batch": _wide("wide_small_batch", 8),
    "wide_middle_batch": _wide("wide_middle_batch", 32),
    "wide_large_batch": _wide("wide_large_batch", 256),
    "rgb_large": {
        "quick": with_seeds(replace(_RGB_LARGE, images=replace(_RGB, train=500, test=200)), 2, 3),
        "laptop": _RGB_LARGE,
        "paper": _RGB_LARGE_PAPER,
    },
    "alexnet": {
        "quick": with_seeds(replace(_ALEXNET, images=replace(_RGB, train=96, test=48)), 2, 2),
        "laptop": _ALEXNET,
        "paper": with_seeds(replace(_ALEXNET, images=ImageSet("cifar10", size=32)), 10, 50),
    },
    "resnet_seed": {
        "quick": with_seeds(replace(_RESNET_SEED, images=ImageSet("mnist5k", train=500, test=200)), 4, 2),
        "laptop": _RESNET_SEED,
        "paper": with_seeds(replace(_RESNET_SEED, images=ImageSet("mnist")), 100, 25),
    },
    "resnet18": {"paper": _RESNET18},
    **REPRESENTATION_ZOOS,
}


def zoo_recipe(name: str, profile: str) -> ZooRecipe:
    """The recipe of that name at that profile.

    `name` is one of `BOOK_ZOOS`, or a zoo of the thesis by its id (`fmnist-seed` or `fmnist_seed`) at `paper`. Raises
    ValueError for unknown names and profiles, and where a zoo has no recipe at this profile.
    """
    from hyperlib.thesis.published_zoos import thesis_recipe

    check_profile(profile)
    name = name.replace("-", "_")
    if profile in BOOK_ZOOS.get(name, {}):
        return BOOK_ZOOS[name][profile]
    if name == "resnet18":
        raise ValueError(f"resnet18 has a recipe at the profile paper only, for a GPU, not at {profile}.")
    return thesis_recipe(name.replace("_", "-"), profile)
