"""A zoo folder of ours, opened at once: weights are mapped, the table is read, and nothing else is.

`Zoo.load` reads every byte for its checksums, some seconds per ten gigabytes. Here sizes and headers are compared with
the manifest and contents are not, so what a flipped bit did is not seen. Of words (which a table holds as four bytes
per letter) every different one is kept once. Source: our choice.
"""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from hyperlib.files.plain import Damaged
from hyperlib.zoos.zoo import Zoo

# the parts of a load that do not read every byte: `read_zoo` has no way to leave the checksums out
from hyperlib.zoos.zoo_files import _UNREADABLE, _open_array, _read_manifest, _read_network

_PIECE = 2**22  # bytes of words at once
_LONGEST = 2**14  # bytes of a word
_LARGEST = 2**34  # bytes of a table


def open_mapped(folder: Path) -> Zoo:
    """A zoo folder of ours. Raises FileNotFoundError where there is none, ValueError for damaged or foreign files."""
    manifest = _read_manifest(folder)
    for name, expected in manifest.files.items():
        path = folder / name
        if path.is_symlink() or not path.is_file() or path.stat().st_size != expected.bytes:
            raise Damaged(f"{path} is missing, or not of the manifest's size; make or download the zoo again.")
    weights, (models, epochs, _) = _open_array(folder / "weights.npy", manifest.shape), manifest.shape
    table = _read_table(folder / "table.npz", manifest.columns, models, epochs)
    try:
        return Zoo(_read_network(folder, manifest), weights, table)
    except ValueError as error:
        raise Damaged(f"{folder} holds no zoo: {error}") from None


def _read_table(path: Path, columns: list[str], models: int, epochs: int) -> pd.DataFrame:
    """The columns of a table, each read from its place in the archive."""
    try:
        size = path.stat().st_size
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            members = {member.filename: member for member in archive.infolist()}
            stored = all(member.compress_type == zipfile.ZIP_STORED for member in members.values())
            if not stored or size > _LARGEST or sum(member.file_size for member in members.values()) > size:
                raise ValueError("unpacks to more than it takes")
            arrays = {name: _column(file, members[f"{name}.npy"], models, epochs) for name in columns}
    except (*_UNREADABLE, struct.error):
        raise Damaged(
            f"{path} is not a plain table of the manifest's columns with {models * epochs} rows; make or download the "
            "zoo again."
        ) from None
    if "diverged" in arrays and arrays["diverged"].dtype != bool:
        raise Damaged(f"{path} says diverged by {arrays['diverged'].dtype} values; make or download the zoo again.")
    return pd.DataFrame(arrays, copy=False)


def _column(file: BinaryIO, member: zipfile.ZipInfo, models: int, epochs: int) -> np.ndarray:
    """One array of an archive: numbers as they are, words as objects. ValueError for anything else."""
    file.seek(member.header_offset)
    header = file.read(30)
    file.seek(sum(struct.unpack("<HH", header[26:])), 1)  # name, and what else the archive says of the member
    start = file.tell()
    if header[:4] != b"PK\x03\x04" or np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("no array")
    shape, by_column, kind = np.lib.format.read_array_header_1_0(file)
    if shape != (models * epochs,) or by_column or kind.kind not in "biufU" or kind.itemsize > _LONGEST:
        raise ValueError("no column")
    if member.file_size != file.tell() - start + kind.itemsize * models * epochs:
        raise ValueError("too short")
    return _words(file, kind, models, epochs) if kind.kind == "U" else _filled(file, kind, models * epochs)


def _words(file: BinaryIO, kind: np.dtype, models: int, epochs: int) -> np.ndarray:
    """Words, a few models at once; most are the same at all epochs of a model, and are made once."""
    words, once = np.empty((models, epochs), object), {}
    some = max(1, _PIECE // max(1, kind.itemsize * epochs))
    for first in range(0, models, some):
        count = min(some, models - first)
        part = _filled(file, kind, count * epochs).reshape(count, epochs)
        if (part == part[:, :1]).all():
            part = part[:, :1]
        made = np.array([once.setdefault(word, word) for word in part.ravel().tolist()], object)
        words[first : first + count] = made.reshape(part.shape)
    return words.reshape(-1)


def _filled(file: BinaryIO, kind: np.dtype, count: int) -> np.ndarray:
    values = np.empty(count, kind)
    if kind.itemsize and file.readinto(values.view(np.uint8)) != values.nbytes:
        raise ValueError("too short")
    return values if kind.isnative else values.astype(kind.newbyteorder("="))
