"""Fetching a published image set from OpenML, once, into the data folder.

`fetch_openml` of scikit-learn downloads a table and compares it with OpenML's own checksum; here its rows
become images again. OpenML says neither how colours are laid out in a row nor where the test part begins, and
neither is taken on trust: the layout is read off the images, and the training part must have the published
number of images of every class. If a table comes in another order we draw a split with those counts and say
so. Whether an image lies on its side cannot be told this way.

Source: our choice throughout; class counts from the publications of the sets.
"""

from __future__ import annotations

import errno
import math
import socket
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError

import numpy as np
from sklearn.datasets import fetch_openml
from sklearn.utils import Bunch
from tqdm import tqdm

from hyperlib.files.inventory import occupied
from hyperlib.files.locking import held
from hyperlib.files.plain import is_there
from hyperlib.files.writing import ASIDE, workplace
from hyperlib.images.files import Pixels, PublishedSet, read_npz, write_npz

PATIENCE = 60.0  # seconds without a byte from the server


class Unreachable(Exception):
    """Why nothing could be downloaded, in half a sentence."""


def fetched(published: PublishedSet, folder: Path) -> Pixels:
    """The set from OpenML, kept as `folder / published.file` for the next time.

    Progress goes to stderr. Where `folder` cannot be written the set is returned all the same, and a line on
    stderr says that it was not kept. Two processes that want the same set download it once.

    Raises Unreachable without a server that answers, ValueError for a damaged or unexpected table, OSError
    for a full disk.
    """
    file = folder / published.file
    with _workplace(file) as place:
        if is_there(file):
            return read_npz(file, published)
        size = f"about {published.megabytes:,} MB of text"
        _say(f"Downloading {published.title} from OpenML, {size}, once; it is kept as {file}.")
        pixels = _pixels(_fetch(published, place), published)
        if published.sha256 not in (None, pixels.sha256):
            raise _unexpected(published, "other images or labels than those that were published")
        _keep(pixels, file)
    return pixels


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _workplace(file: Path) -> Iterator[Path]:
    """A temporary folder beside `file`, for one process at a time; elsewhere if that cannot be written."""
    with ExitStack() as stack:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            lock = file.with_name(f".{file.name}.lock")
            said = f"Another process is fetching {file}; waiting for it"
            stack.enter_context(held(lock, lambda who: _say(f"{said} ({who}).")))
            place = stack.enter_context(workplace(file))
        except OSError:
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix=ASIDE))
        yield Path(place)


def _fetch(published: PublishedSet, place: Path) -> Bunch:
    """OpenML's table, checked against its checksum and its name."""
    number, name = published.openml
    kind = "uint8" if published.values == (0.0, 255.0) else "float32"  # an eighth of the memory of integers
    try:
        with _patience(), _progress(place, published.title):
            table = fetch_openml(
                data_id=number,
                data_home=place,
                as_frame=False,
                parser="pandas",
                read_csv_kwargs={"dtype": kind, "quotechar": "'"},
            )
    except MemoryError:
        raise
    except Exception as error:
        raise _explained(error, published, place) from error
    if str(table.details.get("name")).lower() != name.lower():
        found = table.details.get("name")
        raise ValueError(f"OpenML's data set {number} is {found!r}, expected {name!r}; it was not kept.")
    return table


def _explained(error: Exception, published: PublishedSet, place: Path) -> Exception:
    """What went wrong while fetching, as the exception to raise."""
    if isinstance(error, HTTPError):
        error.close()
        return Unreachable(f"OpenML answered {error.code} {error.reason}")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OSError(
            f"The disk is full: {published.title} needs about {3 * published.megabytes:,} MB while it is "
            f"fetched; make room at {place.parent}, or set HYPERLIB_DATA to a folder that has it."
        )
    if isinstance(error, URLError):
        return Unreachable(f"OpenML could not be reached ({error.reason})")
    if isinstance(error, OSError | HTTPException | EOFError):
        return Unreachable(f"the download broke off ({error or type(error).__name__})")
    why = "it does not have the checksum that OpenML states" if "checksum" in str(error) else str(error)
    return ValueError(
        f"What OpenML sent as {published.title} (data set {published.openml[0]}) cannot be used and was not "
        f"kept: {why.rstrip('.')}; try again later."
    )


@contextmanager
def _patience() -> Iterator[None]:
    """A limit on waiting for the server, which fetch_openml lacks; its warnings become lines on stderr."""
    before = socket.getdefaulttimeout()
    noted: list[warnings.WarningMessage] = []
    socket.setdefaulttimeout(PATIENCE)
    try:
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            yield
    finally:
        socket.setdefaulttimeout(before)
        for line in dict.fromkeys(str(warning.message).partition("\n")[0] for warning in noted):
            _say(f"OpenML: {line}")


@contextmanager
def _progress(place: Path, title: str) -> Iterator[None]:
    """A bar on stderr with what has arrived (packed), read off the folder that fetch_openml fills."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.5):
            bar.update(occupied(place) - bar.n)

    with tqdm(unit="B", unit_scale=True, desc=f"{title}, packed", file=sys.stderr) as bar:
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
            bar.update(occupied(place) - bar.n)


# -- a table's rows as images --------------------------------------------------------------------------------


def _pixels(table: Bunch, published: PublishedSet) -> Pixels:
    """Images and labels in the published split."""
    expected = (published.train_images + published.test_images, math.prod(published.image))
    if table.data.shape != expected:
        raise _unexpected(published, f"shape {table.data.shape}, expected {expected}")
    images, labels = _images(table.data, published), _labels(table.target, published)
    train, test, split = _split(labels, published)
    source = f"OpenML data set {published.openml[0]} ({published.openml[1]}), {split}"
    return Pixels(images[train], labels[train], images[test], labels[test], source)


def _unexpected(published: PublishedSet, what: str) -> ValueError:
    return ValueError(
        f"{published.title} from OpenML (data set {published.openml[0]}) has {what}; it was not kept. "
        "Has the set been replaced there?"
    )


def _images(rows: np.ndarray, published: PublishedSet) -> np.ndarray:
    """Rows as uint8 images [n, height, width] or [n, height, width, 3], in whatever order colours came."""
    low, high = published.values
    if rows.dtype != np.uint8:
        if not (np.isfinite(rows).all() and rows.min() >= low and rows.max() <= high):
            raise _unexpected(published, f"values outside {low:g} to {high:g}")
        rows = np.rint((rows - low) * (255 / (high - low))).astype(np.uint8)
    channels, *size = published.image
    if channels == 1:
        return rows.reshape(-1, *size)
    planes, pixels = rows.reshape(-1, channels, *size), rows.reshape(-1, *size, channels)
    if _roughness(planes, axis=2) < _roughness(pixels, axis=1):
        return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
    return pixels


def _roughness(images: np.ndarray, axis: int) -> float:
    """Mean step from one image row to the next, along `axis`; images read in a wrong layout are rougher."""
    sample = images[:: max(1, len(images) // 256)].astype(np.float32)
    return float(np.abs(np.diff(sample, axis=axis)).mean())


def _labels(target: np.ndarray, published: PublishedSet) -> np.ndarray:
    """Labels from 0. Some sets count from 1 at OpenML; of these, SVHN writes the digit zero as ten."""
    try:
        labels = np.asarray(target).astype(np.int64)
    except (TypeError, ValueError) as error:
        raise _unexpected(published, "labels that are no numbers") from error
    found, count = np.unique(labels).tolist(), len(published.classes)
    if found == list(range(1, count + 1)):
        labels = labels % count if published.openml[1] == "SVHN" else labels - 1
    elif found != list(range(count)):
        raise _unexpected(published, f"labels {found}, expected {count} classes")
    return labels.astype(np.uint8)


def _split(labels: np.ndarray, published: PublishedSet) -> tuple[np.ndarray, np.ndarray, str]:
    """Rows of the training and of the test part, and in words how they were found."""
    rows, counts, first = np.arange(len(labels)), published.train_classes, published.train_images
    if tuple(np.bincount(labels[:first], minlength=len(counts)).tolist()) == counts:
        return rows[:first], rows[first:], "published split"
    order = np.random.Generator(np.random.PCG64(42)).permutation(rows)
    train = np.concatenate([order[labels[order] == label][:count] for label, count in enumerate(counts)])
    if len(train) != first:
        raise _unexpected(published, "too few images of some class")
    drawn = "a split drawn with the published class counts (our choice)"
    return np.sort(train), np.setdiff1d(rows, train), drawn


def _keep(pixels: Pixels, file: Path) -> None:
    try:
        write_npz(file, pixels)
    except OSError as error:
        _say(
            f"{file} could not be written ({error.strerror or error}), so the next use downloads the set "
            "again; set HYPERLIB_DATA to a folder that can be written and has room."
        )
    else:
        _say(f"Kept as {file}, {file.stat().st_size / 1e6:,.1f} MB.")
