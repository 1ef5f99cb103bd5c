"""Files of strangers, opened as if they meant harm: plain, of a sensible size, of the form that they should have.

Whatever is wrong is one sentence with the file's path and what to do. Links, devices and pipes are never opened.
Source: our choice.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import re
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from hyperlib.files.inventory import natural
from hyperlib.files.plain import Damaged, opened
from hyperlib.files.reading import decoded

LARGEST = 2**26  # bytes of a text that is no table
_LINE = 2**20  # bytes of one of its lines
_COLUMNS = 10_000  # of a table; each costs more time than a row
_NOT_JSON = re.compile(rb"(?<=[:\[,\s])(?:NaN|-?Infinity)(?=\s*[,}\]])")  # what Python writes and JSON has not
MEND = "correct it, or put a whole copy in its place"
_WEIGHTS = re.compile(  # names that files of weights have, of kinds that are read here and of others
    r".*\.(?:safetensors|pt|pth|bin|ckpt|h5|hdf5|keras|npz|npy|pkl|pickle|onnx|gguf|msgpack|tar|zip)"
    r"|(?:[^/]*/)*[^./]*(?:checkpoint|ckpt|model|weights|state)[^./]*",
    re.IGNORECASE,
)


def plain_file(path: Path, largest: int) -> BinaryIO:
    """A plain file of at most so many bytes, open for reading.

    FileNotFoundError where there is none, Damaged for what is none or has more bytes, Unreadable if it cannot be read.
    """
    try:
        file = opened(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {path}; put it there, or name another.") from None
    except Damaged:
        said = f"{path} is a link, a folder or a device and no plain file; put a copy of the file in its place."
        raise Damaged(said) from None
    size = os.fstat(file.fileno()).st_size
    if size > largest:
        file.close()
        raise Damaged(f"{path} has {size:,} bytes where {largest:,} would be many; {MEND}.")
    return file


def size_of(path: Path, largest: int) -> int:
    """Bytes of a plain file, or an error as of `plain_file`."""
    with plain_file(path, largest) as file:
        return os.fstat(file.fileno()).st_size


def changed(path: Path) -> str:
    """What is another when a file was: its bytes, and when they were written (nanoseconds)."""
    state = os.lstat(path)
    return f"{state.st_size} {state.st_mtime_ns}"


def entries(folder: Path) -> dict[str, Path]:
    """What lies in a folder, by name and in the order of the numbers in it.

    FileNotFoundError where there is no folder, Damaged where it is a link.
    """
    if not os.path.lexists(folder):
        raise FileNotFoundError(f"There is no folder {folder}; give the one that holds the zoo.")
    if not stat.S_ISDIR(os.lstat(folder).st_mode):
        raise Damaged(f"{folder} is a link or a file; give the folder itself that holds the zoo.")
    return {name: folder / name for name in sorted(os.listdir(folder), key=natural) if not name.startswith(".")}


def like_weights(name: str) -> bool:
    """Whether a file is called as files of weights are, by its suffix or, where it has none, by a word in it."""
    return _WEIGHTS.fullmatch(name) is not None and "optim" not in name


def is_folder(path: Path) -> bool:
    """Whether this is a folder and no link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def json_object(path: Path) -> dict[str, Any]:
    """The object in a file of JSON; numbers that are none are None."""
    with plain_file(path, LARGEST) as file:
        text = file.read(LARGEST)
    return decoded(_NOT_JSON.sub(b"null", text), dict[str, Any], str(path))


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects in a file of JSON, one per line. A last line that was cut off by a kill is left out."""
    with plain_file(path, LARGEST) as file:
        for number, line in enumerate(iter(lambda: file.readline(_LINE + 1), b""), 1):
            if len(line) > _LINE:
                raise Damaged(f"Line {number} of {path} is longer than {_LINE:,} bytes; {MEND}.")
            try:
                if line.strip():
                    yield decoded(_NOT_JSON.sub(b"null", line), dict[str, Any], f"{path}, line {number},")
            except Damaged:
                if line.endswith(b"\n"):
                    raise


def csv_table(path: Path, largest: int) -> pd.DataFrame:
    """A table of comma-separated values, packed by gzip where its name ends so; at most `largest` bytes unpacked.

    Raises Damaged for what is no such table, or names a column twice.
    """
    with plain_file(path, largest) as packed:
        try:
            file = gzip.GzipFile(fileobj=packed) if path.suffix == ".gz" else packed
            text = file.read(largest + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise Damaged(f"{path} cannot be unpacked ({error}); {MEND}.") from None
    if len(text) > largest:
        raise Damaged(f"{path} unpacks to more than {largest:,} bytes, which no table of these rows needs; {MEND}.")
    if max((line.count(b",") for line in text.splitlines()), default=0) >= _COLUMNS:
        raise Damaged(f"{path} has more than {_COLUMNS:,} columns, which no table of checkpoints needs; {MEND}.")
    try:
        names = pd.read_csv(io.BytesIO(text), nrows=0, header=None, dtype=str)
        head = pd.read_csv(io.BytesIO(text), nrows=1, header=None, dtype=str, keep_default_na=False).iloc[0].tolist()
        if len(set(head)) < len(head) or not len(names.columns):
            raise ValueError("a column is named twice")
        return pd.read_csv(io.BytesIO(text), low_memory=False)
    except (ValueError, OverflowError, MemoryError, IndexError, RecursionError) as error:
        why = " ".join(str(error).split())[:200]
        raise Damaged(f"{path} is no table of comma-separated values ({why}); {MEND}.") from None


def mapped_rows(path: Path) -> np.ndarray:
    """The rows of a plain npy file of floating-point numbers `[rows, columns]`, mapped and not read.

    Raises Damaged for whatever else its header says, and where the file is not as long as that.
    """
    with plain_file(path, 2**60) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            version = np.lib.format.read_magic(file)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
            shape, by_column, kind = read(file)
            start = file.tell()
        except Exception as error:  # whatever NumPy raises for a header that somebody made up
            raise Damaged(f"{path} is no npy file that can be mapped ({type(error).__name__}); {MEND}.") from None
        plain = len(shape) == 2 and min(shape) >= 1 and shape[1] < 2**28 and kind.kind == "f" and not by_column
        if not plain or size != start + kind.itemsize * math.prod(shape):
            raise Damaged(
                f"{path} is no plain array [rows, weights] of floating-point numbers (it says {kind} "
                f"{str(shape)[:100]}, and has {size:,} bytes); {MEND}."
            )
        return np.memmap(file, kind, mode="r", offset=start, shape=shape)


def counts(table: pd.DataFrame, name: str, path: Path | str) -> np.ndarray:
    """A column as whole numbers from 0 on, of which none is empty; Damaged for anything else."""
    values = pd.to_numeric(table[name].astype(object), errors="coerce").to_numpy(np.float64, na_value=np.nan)
    if not ((values >= 0) & (values < 2**31) & (values == np.floor(values))).all():
        raise Damaged(f"The column {name!r} of {path} holds something else than whole numbers from 0 on; {MEND}.")
    return values.astype(np.int64)
