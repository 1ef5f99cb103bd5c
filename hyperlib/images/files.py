"""Published image sets on disk: what each one is, and how its file is read and written.

A set lies in the data folder as one `npz` with x_train, y_train, x_test, y_test: uint8 images
[n, height, width] or [n, height, width, 3], integer labels, no pickle. Whatever lies there came from
somewhere else, so sizes are checked in the archive's directory and in every array's header before values are
read. Fashion-MNIST is also read from the four idx files of Debian's package dataset-fashion-mnist.

Source: the published sets; how many training images a zoo uses and how they are scaled is that of the
released zoo scripts (ModelZoos/ModelZooDataset): a random part of the training set, the rest of it unused,
and the whole test set.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from platformdirs import user_cache_dir

from hyperlib.files.paths import folder_named
from hyperlib.files.plain import Damaged, Unreadable, nameable, opened
from hyperlib.files.writing import appearing

DEBIAN_FASHION = Path("/usr/share/datasets/fashion-mnist")
_HEADER = 2**14  # bytes that an array may take to say its shape
MAX_BYTES = 2**30  # of one array; the largest published one has 0.23 GB
DIGITS = tuple("0123456789")
THINGS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
STL_THINGS = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
WEAR = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat")
CLOTHES = (*WEAR, "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


@dataclass(frozen=True)
class PublishedSet:
    """One published image set and what the published zoos do with it."""

    title: str
    file: str  # in the data folder
    image: tuple[int, int, int]  # channels, height, width
    train_classes: tuple[int, ...]  # images of each class in the training part
    test_images: int
    zoo_train: int | None  # training images that the published zoos use; None: all of them
    mean: float
    std: float
    classes: tuple[str, ...] = DIGITS
    openml: tuple[int, str] | None = None  # number and name at OpenML
    values: tuple[float, float] = (0.0, 255.0)  # range of a pixel at OpenML
    megabytes: int = 0  # of text to download, roughly
    sha256: str | None = None  # of all pixels and labels in the published order, where we know it
    crop: bool = False  # made smaller by cutting its border, not by resizing

    @property
    def train_images(self) -> int:
        """Images in the published training part."""
        return sum(self.train_classes)


@dataclass(frozen=True, eq=False)
class Pixels:
    """An image set as on disk: uint8 images [n, height, width] or [n, height, width, 3], labels [n]."""

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    source: str

    @property
    def sha256(self) -> str:
        """Of pixels and labels as bytes, x_train, y_train, x_test and y_test in turn."""
        found = hashlib.sha256()
        for part in (self.train_x, self.train_y, self.test_x, self.test_y):
            found.update(np.ascontiguousarray(part, dtype=np.uint8))
        return found.hexdigest()


_MNIST_TRAIN = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
_USPS_TRAIN = (1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644)
_SVHN_TRAIN = (4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659)

# fmt: off
PUBLISHED: dict[str, PublishedSet] = {
    "mnist": PublishedSet(
        "MNIST", "mnist.npz", (1, 28, 28), _MNIST_TRAIN, 10_000, 50_000, 0.1307, 0.3081,
        openml=(554, "mnist_784"), megabytes=120,
        sha256="3191f9bad0cdccc1388e8c89e76674c606f26066ea0ebf366f760d1647b63f43",
    ),
    "fmnist": PublishedSet(
        "Fashion-MNIST", "fmnist.npz", (1, 28, 28), (6000,) * 10, 10_000, 50_000, 0.5, 0.5, CLOTHES,
        openml=(40996, "Fashion-MNIST"), megabytes=150,
    ),
    "usps": PublishedSet(  # all three released scripts keep MNIST's mean and std
        "USPS", "usps.npz", (1, 16, 16), _USPS_TRAIN, 2_007, 6_000, 0.1307, 0.3081,
        openml=(41082, "USPS"), values=(-1.0, 1.0), megabytes=20,
    ),
    "svhn": PublishedSet(
        "SVHN", "svhn.npz", (3, 32, 32), _SVHN_TRAIN, 26_032, 60_000, 0.5, 0.5,
        openml=(41081, "SVHN"), megabytes=1_000, crop=True,
    ),
    "cifar10": PublishedSet(
        "CIFAR-10", "cifar10.npz", (3, 32, 32), (5000,) * 10, 10_000, 42_000, 0.5, 0.5, THINGS,
        openml=(40927, "CIFAR_10"), megabytes=650,
    ),
    "stl10": PublishedSet(
        "STL-10", "stl10.npz", (3, 96, 96), (500,) * 10, 8_000, 4_200, 0.5, 0.5, STL_THINGS,
        openml=(41103, "STL-10"), megabytes=1_300,
    ),
    "cifar10_jpeg": PublishedSet(
        "CIFAR-10 subset with JPEG loss", "cifar10_jpeg_subset.npz", (3, 32, 32), (1000,) * 10, 2_000, None,
        0.5, 0.5, THINGS,
    ),
}
# fmt: on


def data_folder(folder: Path | str | None = None) -> Path:
    """Where image sets lie: `folder`, else `HYPERLIB_DATA`, else a cache folder of this user."""
    cache = user_cache_dir("hyperlib-thesis-companion", appauthor=False)
    return nameable(Path(folder).expanduser().absolute() if folder else folder_named("HYPERLIB_DATA", cache))


_PARTS = (("train", "x"), ("train", "y"), ("test", "x"), ("test", "y"))


class _Unusable(Exception):
    """Why a file's contents are refused, in half a sentence."""


# -- npz: the data folder ------------------------------------------------------------------------------------


def read_npz(path: Path, published: PublishedSet) -> Pixels:
    """The image set in one `npz` file of the data folder.

    Raises ValueError, with the file and the remedy, for anything but four plain arrays of the right kind.
    """
    try:
        with opened(path, links=True) as file, zipfile.ZipFile(file) as archive:
            arrays = {f"{part}_{axis}": _array(archive, f"{axis}_{part}") for part, axis in _PARTS}
            note = _note(archive)
        for part in ("train", "test"):
            y = arrays[f"{part}_y"]
            arrays[f"{part}_y"] = y.reshape(len(y)) if y.ndim and y.size == len(y) else y  # some have [images, 1]
            _check_part(arrays[f"{part}_x"], arrays[f"{part}_y"], part, published)
    except (_Unusable, Damaged, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        why = str(error) or "it ends too early"
        raise ValueError(f"{path} is no usable {published.title}: {why}; remove or replace it.") from error
    except OSError as error:
        raise error if isinstance(error, Unreadable | FileNotFoundError) else Unreadable(path, error) from error
    return Pixels(**arrays, source=note or f"file {path.name}")


def _array(archive: zipfile.ZipFile, key: str, kinds: str = "ui") -> np.ndarray:
    """One member, read only after its header and its size agree and are small enough."""
    if f"{key}.npy" not in archive.namelist():
        raise _Unusable(f"it has no array {key}")
    info = archive.getinfo(f"{key}.npy")
    if info.file_size > MAX_BYTES:
        raise _Unusable(f"{key} unpacks to {info.file_size / 1e6:,.0f} MB, over the limit of 1 GiB")
    with archive.open(info) as stream:
        head = io.BytesIO(stream.read(_HEADER))
        shape, fortran, dtype = _header(head, key)
        if dtype.hasobject or dtype.kind not in kinds:
            raise _Unusable(f"{key} holds {dtype}, but only whole numbers are read")
        size = math.prod(shape) * dtype.itemsize
        if any(not 0 <= axis <= MAX_BYTES for axis in shape) or head.tell() + size != info.file_size:
            raise _Unusable(f"{key} says shape {shape}, which its {info.file_size} bytes do not fit")
        data = head.read() + stream.read(size)
    if len(data) != size:
        raise _Unusable(f"{key} ends too early")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _header(stream: io.BytesIO, key: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        return readers[np.lib.format.read_magic(stream)](stream)
    except (ValueError, KeyError, TypeError, SyntaxError) as error:
        raise _Unusable(f"{key} has no readable array header") from error


def _note(archive: zipfile.ZipFile) -> str:
    """The sentence on its origin that a file written by `write_npz` carries; empty for others."""
    if "source.npy" not in archive.namelist() or archive.getinfo("source.npy").file_size > 10_000:
        return ""
    note = _array(archive, "source", kinds="U")
    return str(note) if note.shape == () else ""


def _check_part(x: np.ndarray, y: np.ndarray, part: str, published: PublishedSet) -> None:
    channels, height, width = published.image
    allowed = [(height, width), (height, width, 1)] if channels == 1 else [(height, width, channels)]
    if x.dtype != np.uint8 or x.ndim < 3 or x.shape[1:] not in allowed:
        raise _Unusable(f"x_{part} is {x.dtype} {x.shape}, expected uint8 images {allowed[0]}")
    if y.shape != x.shape[:1] or not len(y):
        raise _Unusable(f"y_{part} has shape {y.shape}, expected a label for each of {len(x)} images")
    if y.min() < 0 or y.max() >= len(published.classes):
        last = len(published.classes) - 1
        raise _Unusable(f"y_{part} has labels {y.min()} to {y.max()}, expected 0 to {last}")


def write_npz(path: Path, pixels: Pixels) -> None:
    """The image set as one file that appears whole or not at all; OSError where it cannot be written."""
    arrays = {f"{axis}_{part}": getattr(pixels, f"{part}_{axis}") for part, axis in _PARTS}
    with appearing(path) as aside, aside.open("wb") as stream:  # by name, numpy would add an ending
        np.savez_compressed(stream, **arrays, source=np.array(pixels.source))


# -- idx: Debian's Fashion-MNIST -----------------------------------------------------------------------------


def read_idx(folder: Path, published: PublishedSet) -> Pixels:
    """The four `idx.gz` files of an MNIST-like set, named as MNIST's own. ValueError for damaged ones."""
    arrays = {}
    for part, prefix in (("train", "train"), ("test", "t10k")):
        x = _idx(folder / f"{prefix}-images-idx3-ubyte.gz", published.image[1:])
        y = _idx(folder / f"{prefix}-labels-idx1-ubyte.gz", ())
        try:
            _check_part(x, y, part, published)
        except _Unusable as error:
            raise ValueError(f"The files in {folder} do not fit: {error}; install them anew.") from error
        arrays |= {f"{part}_x": x, f"{part}_y": y}
    return Pixels(**arrays, source="idx files of Debian's dataset-fashion-mnist")


def _idx(path: Path, item: tuple[int, ...]) -> np.ndarray:
    """One idx file: two zero bytes, type 8 (uint8), number of axes, big-endian sizes, values in C order."""
    axes = 1 + len(item)
    try:
        with opened(path, links=True) as file, gzip.open(file) as stream:
            head = stream.read(4 + 4 * axes)
            if len(head) != 4 + 4 * axes or head[:4] != bytes([0, 0, 8, axes]):
                raise _Unusable(f"it is no idx file of bytes with {axes} axes")
            shape = tuple(np.frombuffer(head[4:], ">u4").tolist())
            if shape[1:] != item or (size := math.prod(shape)) > MAX_BYTES:
                raise _Unusable(f"its header says shape {shape}, expected items of {item} within 1 GiB")
            data = stream.read(size + 1)
        if len(data) != size:
            raise _Unusable(f"it has {'more' if len(data) > size else 'fewer'} values than its header says")
    except (_Unusable, Damaged, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{path} is damaged: {error}; install the package that brought it anew.") from error
    except OSError as error:
        why = error.strerror or error
        raise OSError(f"{path} cannot be read: {why}; install the package that brought it anew.") from error
    return np.frombuffer(data, np.uint8).reshape(shape)
