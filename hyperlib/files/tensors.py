"""How a file of tensors is read: first what it says of itself, then, if that is right, what it holds.

The form is safetensors, in which nothing can run. The head is read by itself and has a limit, so that a caller knows
every shape before memory is taken; a file cannot ask for more than it takes itself.

Source: our choice.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from typing import BinaryIO

import msgspec
import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from hyperlib.files.plain import Damaged
from hyperlib.files.reading import decoded

LARGEST_HEAD = 2**24  # bytes; ten thousand tensors take two million
_UNREADABLE = (SafetensorError, KeyError, ValueError, TypeError, RuntimeError, OverflowError, MemoryError)


class _Entry(msgspec.Struct):
    """What the head says of one tensor; that its bytes lie in their order is checked by safetensors."""

    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


@dataclass(frozen=True)
class Head:
    """What a file says of itself, and the shapes of its tensors by name."""

    words: dict[str, str]
    shapes: dict[str, tuple[int, ...]]


def read_head(file: BinaryIO) -> Head:
    """The head of an open file. Raises Damaged."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, LARGEST_HEAD):
        raise Damaged("its head says a length that it cannot have")
    entries = decoded(file.read(length), dict[str, msgspec.Raw], "its head")
    words = decoded(bytes(entries.pop("__metadata__", b"{}")), dict[str, str], "its head")
    said = {name: decoded(bytes(raw), _Entry, "its head") for name, raw in entries.items()}
    if 8 + length + max((entry.data_offsets[1] for entry in said.values()), default=0) != size:
        raise Damaged("its head says another size than it has")  # before memory is taken for all of it
    return Head(words, {name: tuple(entry.shape) for name, entry in said.items()})


def read_tensors(file: BinaryIO) -> dict[str, Tensor]:
    """All tensors of an open file. Raises Damaged."""
    file.seek(0)
    try:
        return load(file.read())
    except _UNREADABLE as error:
        raise Damaged(str(error).partition("\n")[0] or type(error).__name__) from error


def checksum(tensors: dict[str, Tensor]) -> str:
    """Tells damaged tensors from whole ones (no defence against intent; nothing here is executed)."""
    number = 0
    for name in sorted(tensors):
        number = zlib.crc32(f"{name} {tuple(tensors[name].shape)}".encode(), number)
        number = zlib.crc32(np.ascontiguousarray(tensors[name].numpy()).data, number)
    return f"{number:08x}"
