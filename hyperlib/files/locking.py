"""How two processes keep out of each other's way: by a lock that the system drops with its process, and knows whose."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from hyperlib.files.ending import in_order
from hyperlib.files.lending import lent
from hyperlib.files.plain import content
from hyperlib.files.writing import write_whole


@contextmanager
def held(lock: Path, busy: Callable[[str], object]) -> Iterator[None]:
    """Hold the lock in a file. Where another process does, `busy` hears which; what it raises ends the waiting.

    Raises OSError where the file cannot be written. A process that is asked to end lets go in order.
    """
    owner, mine = lock.with_name(f"{lock.name}.owner"), FileLock(lock)
    try:
        mine.acquire(timeout=0)
    except Timeout:
        busy(_named(owner))
        with lent():
            mine.acquire(poll_interval=0.1)
    with in_order():  # outside, because the process ends where this does
        try:
            with suppress(OSError):  # a full disk costs the name, no more
                write_whole(owner, f"{os.getpid()} on {platform.node()}")
            yield
        finally:
            with suppress(OSError):
                owner.unlink(missing_ok=True)
            mine.release()


def _named(owner: Path) -> str:
    """A process in words, as it wrote them itself."""
    try:
        text = content(owner, 300).decode("utf-8", "replace")
    except (OSError, ValueError):
        return "pid unknown"
    return f"pid {''.join(letter for letter in text if letter.isprintable())}"
