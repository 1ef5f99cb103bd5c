"""How processes share a store: by locks, with words for what they wait for and why it cannot be used."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hyperlib.files.console import shown
from hyperlib.files.faults import disk_is_full, free_bytes, megabytes
from hyperlib.files.locking import held


class StoreError(OSError):
    """The store cannot be used: no permission, a full disk, a file in its place. Says the remedy."""

    def __str__(self) -> str:
        return str(self.strerror)


class Busy(Exception):
    """Another process makes the entry; says which."""


@contextmanager
def explained(entry: Path) -> Iterator[None]:
    """Turn OSErrors around an entry of the store into a StoreError; those of a lock pass."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        if disk_is_full(error, entry.parent):
            raise full_disk(entry, error) from error
        reason = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        remedy = "give yourself write permission there, or set HYPERLIB_STORE to a folder that you may write"
        if isinstance(error, NotADirectoryError | FileExistsError):
            remedy = "HYPERLIB_STORE must be a folder, or the name of one to be made"
        raise StoreError(
            error.errno or errno.EIO, f"The store at {entry.parent.parent} cannot be used ({reason}); {remedy}."
        ) from error


def full_disk(entry: Path, error: BaseException) -> StoreError:
    """The sentence for a full disk: which one, how much is free, and what to do."""
    named = getattr(error, "filename", None)
    place = Path(os.fsdecode(named)).absolute().parent if isinstance(named, str | bytes) else entry.parent
    free = "nothing known to be" if (size := free_bytes(place)) is None else megabytes(size)
    return StoreError(
        errno.ENOSPC,
        f"The disk that holds {place} is full ({free} free); what was made of {entry.name} "
        "is kept: free space, or set HYPERLIB_STORE to a folder on another disk, and run again.",
    )


@contextmanager
def locked(entry: Path, title: str, wait: bool = True) -> Iterator[None]:
    """Hold the entry's lock. The system drops it with its process, so a kill leaves nothing locked."""

    def busy(who: str) -> None:
        if not wait:
            raise Busy(who)
        say(f"waiting for another process ({who}) that is making {title}")

    with ExitStack() as stack:
        with explained(entry):
            entry.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(held(beside(entry, ".lock"), busy))
        yield


def beside(entry: Path, suffix: str) -> Path:
    """What belongs to an entry and lies beside it."""
    return entry.with_name(entry.name + suffix)


def say(message: str) -> None:
    """A line on stderr, in which no letter commands the terminal."""
    print(shown(message), file=sys.stderr, flush=True)
