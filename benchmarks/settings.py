"""What is measured: four networks with their images, and how much of each a contestant gets.

One model-epoch is one model trained on the whole training split and evaluated afterwards. The slower a contestant, the
fewer model-epochs it is timed on, so that every measurement takes about a second: rates are compared, not times. There
is no RGB image set that needs no network, so the 32x32x3 images are random numbers from a fixed seed: training costs
the same whatever the images show.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hyperlib import Images, digits_cnn, large_cnn, load_images, small_cnn, tetris_mlp
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.work import multiply_adds

FASTEST = "numba"  # of the engines on a CPU
RANDOM = "random 32x32x3"


@dataclass(frozen=True)
class Options:
    """How often everything is measured (medians count), and whether only to prove that it can be."""

    repetitions: int = 3
    quick: bool = False


@dataclass(frozen=True)
class Setting:
    """One network on one image set; models per measurement of each kind of contestant, epochs of the engines."""

    network: str
    architecture: Architecture
    image_set: str
    plain_models: int
    torch_models: int
    numba_models: int
    epochs: int

    def images(self, quick: bool = False) -> Images:
        """The images, a handful of them if `quick`."""
        images = random_images((3, 32, 32), 2000, 500) if self.image_set == RANDOM else load_images(self.image_set)
        return images.subset(train=48, test=16) if quick else images

    def models(self, engine: str) -> int:
        """How many models an engine is timed on."""
        return self.numba_models if engine == "numba" else self.torch_models

    def operations(self, images: Images, models: int, epochs: int) -> int:
        """Floating-point operations of a whole job, whose training images are evaluated first and last."""
        sizes = len(images.train_x), len(images.test_x)
        return multiply_adds(self.architecture).operations(models, epochs, *sizes, clean=min(2, epochs + 1))


def settings(options: Options) -> list[Setting]:
    """The four networks; the smallest two, two models and one epoch, if only to prove that it runs."""
    every = list(SETTINGS.values())
    return [_tiny(setting) for setting in every[:2]] if options.quick else every


def random_images(shape: tuple[int, int, int], train: int, test: int, classes: int = 10) -> Images:
    """Normal noise with random labels, always the same."""
    generator = torch.Generator().manual_seed(0)
    parts = {}
    for part, count in (("train", train), ("test", test)):
        parts[f"{part}_x"] = torch.randn(count, *shape, generator=generator)
        parts[f"{part}_y"] = torch.randint(classes, (count,), generator=generator)
    return Images("random", **parts, classes=tuple(map(str, range(classes))), source="normal noise, seed 0")


def _tiny(setting: Setting) -> Setting:
    return Setting(setting.network, setting.architecture, setting.image_set, 1, 2, 2, 1)


SETTINGS = {
    setting.network: setting
    for setting in (
        Setting("Tetris MLP", tetris_mlp(), "tetris", 40, 1000, 1000, 10),
        Setting("digits CNN 8x8", digits_cnn(), "digits", 24, 128, 256, 5),
        Setting("small CNN 28x28", small_cnn(), "mnist5k", 2, 4, 12, 5),
        Setting("large CNN 32x32x3", large_cnn(), RANDOM, 1, 2, 4, 5),
    )
}
