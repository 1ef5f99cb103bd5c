"""The zoos that only chapter 4 needs: four with one or five seeds, fixed or random, and one with all factors drawn.

The thesis's four are of MNIST, 1,152 or 1,280 models whose activation, initialisation and learning rate vary over
values that no source gives; ours are of digits. The last one is made as the Small CNN Zoo of Unterthiner et al. (2020),
with their network and all factors drawn at random, and is much smaller.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hyperlib.thesis.zoo_recipe import ImageSet, ZooRecipe
from hyperlib.zoos.design import Between

_RATES = (3e-4, 1e-2)  # lowest and highest
_SEEDS = ZooRecipe(
    name="digits_1_fix",
    architecture_name="digits_cnn",
    images=ImageSet("digits"),
    epochs=25,
    factors=(),
    models=256,
    choices="256 models per zoo on digits: tanh or ReLU, Kaiming-uniform or standard-normal start, and learning rates "
    "evenly spaced in their logarithm from 3e-4 to 1e-2 (64 of them with one seed, 13 with five); Adam, batch size 32",
)
_DRAWN = ZooRecipe(
    name="mnist_drawn",
    architecture_name="unterthiner_cnn_1ch_28",
    images=ImageSet("mnist5k", train=2000),
    epochs=20,
    batch_size=64,
    factors=(
        ("activation", ("relu", "tanh")),
        ("init", ("xavier_normal", "kaiming_normal", "orthogonal", "normal", "truncated_normal")),
        ("init_std", Between(1e-2, 0.5, log=True)),
        ("optimizer", ("adam", "rmsprop", "sgd")),
        ("lr", Between(5e-4, 5e-2, log=True)),
        ("weight_decay", Between(1e-8, 1e-2, log=True)),
        ("dropout", Between(0.0, 0.7)),
        ("train_fraction", (0.1, 0.25, 0.5, 1.0)),
    ),
    models=600,
    drawn=1,
    choices="600 models instead of 30,000, 20 epochs instead of 86, 2,000 of the images, batch size 64 instead of 512, "
    "biases that start at 0.01; ranges of the factors are ours where the thesis data only say that they vary",
)


def _with(seeds: int, mode: str, epochs: int = 25, models: int = 256) -> ZooRecipe:
    """One of the four zoos: as many learning rates as the number of models asks for."""
    rates = np.geomspace(*_RATES, -(-models // (4 * seeds))).tolist()
    factors = (("seeds", seeds), ("seed_mode", mode), ("activation", ("tanh", "relu")))
    factors += (("init", ("kaiming_uniform", "normal")), ("lr", tuple(rates)))
    return replace(_SEEDS, name=f"digits_{seeds}_{mode}", factors=factors, epochs=epochs, models=models)


def _at_profiles(seeds: int, mode: str) -> dict[str, ZooRecipe]:
    laptop = _with(seeds, mode)
    return {"quick": _with(seeds, mode, 8, 60), "laptop": laptop, "paper": _with(seeds, mode, 50, 1280)}


REPRESENTATION_ZOOS: dict[str, dict[str, ZooRecipe]] = {
    **{f"digits_{seeds}_{mode}": _at_profiles(seeds, mode) for seeds in (1, 5) for mode in ("fix", "rand")},
    "mnist_drawn": {
        "quick": replace(_DRAWN, models=60, epochs=6, images=ImageSet("mnist5k", train=500, test=200)),
        "laptop": _DRAWN,
        "paper": replace(_DRAWN, models=30_000, epochs=86, batch_size=512, images=ImageSet("mnist")),
    },
}
