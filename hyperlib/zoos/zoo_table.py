"""The table of a zoo on disk: an archive with a plain array for each column.

Numbers, truth values and text, without Python objects, which only pickle can store. The archive is not compressed, so
each column is read from its place. Of words (which an array holds as four bytes per letter) every different one is kept
once. Source: our choice.
"""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from hyperlib.files.plain import Unreadable, opened

UNREADABLE = (  # whatever numpy and zipfile raise for files that somebody has tampered with
    *(ValueError, OSError, KeyError, EOFError, SyntaxError, RuntimeError, OverflowError, MemoryError),
    *(zipfile.BadZipFile, tokenize.TokenError, NotImplementedError, zlib.error, struct.error),
)
_PIECE = 2**22  # bytes of words at once
_LARGEST = 2**34  # bytes of a table


def check_columns(table: pd.DataFrame) -> None:
    """ValueError for a column whose name no archive can have."""
    for name in table:
        if not isinstance(name, str) or name in ("file", "allow_pickle") or "/" in name:
            raise ValueError(f"The zoo's column {name!r} cannot be saved under this name; rename it.")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table to a new file."""
    np.savez(path, **{name: _plain(table[name]) for name in table})


def read_table(path: Path, columns: list[str], models: int, epochs: int) -> pd.DataFrame:
    """The columns of a table with a row per model and epoch, model by model. Raises Unreadable or ValueError."""
    try:
        with opened(path) as file, zipfile.ZipFile(file) as archive:
            size = path.stat().st_size
            members = {member.filename: member for member in archive.infolist()}
            stored = all(member.compress_type == zipfile.ZIP_STORED for member in archive.infolist())
            if not stored or size > _LARGEST or sum(member.file_size for member in archive.infolist()) > size:
                raise ValueError("unpacks to more than it takes")
            arrays = {name: _column(file, members[f"{name}.npy"], models, epochs) for name in columns}
    except Unreadable:
        raise
    except UNREADABLE:
        raise ValueError(
            f"{path} is not a plain table of the manifest's columns with {models * epochs} rows; make or download the "
            "zoo again."
        ) from None
    if "diverged" in arrays and arrays["diverged"].dtype != bool:
        raise ValueError(f"{path} says diverged by {arrays['diverged'].dtype} values; make or download the zoo again.")
    return pd.DataFrame(arrays, copy=False)


def _plain(column: pd.Series) -> np.ndarray:
    """A column as an array of numbers, truth values or text."""
    if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)):
        return column.to_numpy(dtype=object).astype(str)
    values = column.to_numpy()
    return values if values.dtype != object else column.to_numpy(dtype=np.float64, na_value=np.nan)


def _column(file: BinaryIO, member: zipfile.ZipInfo, models: int, epochs: int) -> np.ndarray:
    """One array of an archive: numbers as they are, words as objects. ValueError for anything else."""
    file.seek(member.header_offset)
    header = file.read(30)
    file.seek(sum(struct.unpack("<HH", header[26:])), 1)  # name, and what else the archive says of the member
    start = file.tell()
    if header[:4] != b"PK\x03\x04" or np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("no array")
    shape, by_column, kind = np.lib.format.read_array_header_1_0(file)
    if shape != (models * epochs,) or by_column or kind.kind not in "biufU":
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
