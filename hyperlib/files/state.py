"""The state of a long job on disk, so that a kill loses seconds.

A `StateFile` is replaced as a whole. A signature of the job stands in it, so that another job's folder is refused
rather than mixed in, and a checksum of all, so that a damaged file is seen. Only content decides about that: a file
that cannot be read now is an error, and stays. One process at a time uses a folder.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from hyperlib.files.faults import disk_is_full
from hyperlib.files.locking import held
from hyperlib.files.plain import Damaged, Unreadable, nameable, opened
from hyperlib.files.tensors import checksum, read_head, read_tensors
from hyperlib.files.writing import appearing

SECONDS = 15.0  # between two writes of one file
SHARE = 20  # and this many times as long as the last write took, so that writing stays a small part of the work


@contextmanager
def job_folder(folder: Path) -> Iterator[Path]:
    """The folder, made if need be, and locked against a second process while the job runs.

    Raises OSError when it cannot be made, and ValueError for a name that no file can have and when another process
    trains there; all say what to do.
    """

    def busy(who: str) -> None:
        raise ValueError(
            f"Another process is training in {folder}; wait for it ({who}) or name another folder as checkpoint."
        )

    began = False
    try:
        nameable(folder).mkdir(parents=True, exist_ok=True)
        with held(folder / ".lock", busy):
            began = True
            yield folder
    except KeyboardInterrupt as stop:
        stop.add_note(f"Stopped; the same call goes on from {folder}.")
        raise
    except OSError as error:
        if began:
            raise
        raise _cannot_write(folder, error) from error


class StateFile:
    """One file of tensors in a job's folder, signed with what the job is.

    Raises ValueError when the file is there and belongs to another job, Unreadable when that cannot be known.
    """

    def __init__(self, path: Path, signature: str) -> None:
        self.path, self.signature = path, hashlib.sha256(signature.encode()).hexdigest()
        self.written, self.cost = time.monotonic(), 0.0
        words = self._words()
        there = words.get("signature", self.signature)
        if there != self.signature and words.get("checksum", "").startswith(_seal(there)):
            raise ValueError(
                f"{path.parent} holds the state of another training job; name another folder as checkpoint or remove "
                "it."
            )

    def due(self) -> bool:
        """Whether enough time has passed since the last write."""
        return time.monotonic() - self.written > max(SECONDS, SHARE * self.cost)

    def save(self, tensors: dict[str, Tensor]) -> None:
        """Replace the file as a whole.

        Raises OSError when the disk is full or refuses; the file of the last time stays then.
        """
        begun = time.monotonic()
        tensors = {name: value.contiguous() for name, value in tensors.items()}
        metadata = {"signature": self.signature, "checksum": _seal(self.signature) + checksum(tensors)}
        try:
            with appearing(self.path) as aside:
                save_file(tensors, aside, metadata=metadata)
        except (OSError, SafetensorError) as error:
            raise _cannot_write(self.path.parent, error) from error
        self.written = time.monotonic()
        self.cost = self.written - begun

    def load(self) -> dict[str, Tensor] | None:
        """What is there, None without a file or with a damaged one (said on stderr; the work begins anew).

        Raises Unreadable for a file that cannot be read now.
        """
        try:
            with opened(self.path) as file:
                words, tensors = read_head(file).words, read_tensors(file)
            if words.get("checksum") == _seal(self.signature) + checksum(tensors):
                return tensors
        except FileNotFoundError:
            return None
        except Damaged:
            pass
        except OSError as error:
            raise error if isinstance(error, Unreadable) else Unreadable(self.path, error) from error
        self.say_damaged()
        return None

    def say_damaged(self) -> None:
        """Tell the user that the file cannot be used."""
        print(f"{self.path} is damaged; its models are trained again from the start.", file=sys.stderr)

    def _words(self) -> dict[str, str]:
        """What the file says about itself; nothing where there is none, or a damaged one."""
        try:
            with opened(self.path) as file:
                return read_head(file).words
        except (FileNotFoundError, Damaged):
            return {}
        except OSError as error:
            raise error if isinstance(error, Unreadable) else Unreadable(self.path, error) from error


def alike(value: Tensor | None, example: Tensor) -> bool:
    """Whether a tensor of a file has the shape and the type of one that was asked for."""
    return value is not None and value.shape == example.shape and value.dtype == example.dtype


def _seal(signature: str) -> str:
    return f"{zlib.crc32(signature.encode()):08x}"


def _cannot_write(folder: Path, error: Exception) -> OSError:
    at = next((place for place in (folder, *folder.parents) if os.path.exists(place)), folder)
    if os.path.exists(at) and not os.path.isdir(at):
        return OSError(f"The state of a training job is kept in a folder, and {at} is a file; name a folder.")
    why = getattr(error, "strerror", None) or str(error)
    remedy = "free some space there or name" if disk_is_full(error, folder) else "name"
    return OSError(
        f"The state of the training job cannot be written to {folder} ({why}); {remedy} another folder as checkpoint. "
        "What was saved before is kept, and the same call goes on from it."
    )
