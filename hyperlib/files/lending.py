"""Cores that a build's idle processes lend to its busy ones.

Chapters that are executed side by side have their share of the cores each. One that waits for what another makes, and
one that is done, leave theirs idle meanwhile; so they say so in a folder that `VARIABLE` names, and whoever has more
work than cores takes it from there. Without this variable nothing is lent and nothing borrowed.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from filelock import FileLock, Timeout

VARIABLE, SHARE = "HYPERLIB_LENT_CORES", "OMP_NUM_THREADS"
_PAUSE = 0.2  # seconds between two looks for a core
Task = TypeVar("Task")


def offer(folder: Path, cores: int) -> list[Path]:
    """Lend so many cores to whoever looks into this folder, until the files that are given back are removed."""
    offers = [folder / f"{uuid4().hex}.core" for _ in range(cores)]
    for file in offers:
        with suppress(OSError):  # a full disk costs others' time, no more
            file.touch()
    return offers


@contextmanager
def lent() -> Iterator[None]:
    """While the block runs others may use this process's share of cores; what they began may end later."""
    folder = os.environ.get(VARIABLE)
    offers = offer(Path(folder), int(os.environ.get(SHARE, 1))) if folder else []
    try:
        yield
    finally:
        for file in offers:
            with suppress(OSError):
                file.unlink(missing_ok=True)


@contextmanager
def borrowed() -> Iterator[bool]:
    """One core of others for the block, or False where none is to be had."""
    lock = next(_taken(), None)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            lock.release()


def _taken() -> Iterator[FileLock]:
    folder = os.environ.get(VARIABLE)
    for file in sorted(Path(folder).glob("*.core")) if folder else ():
        lock = FileLock(file.with_suffix(".taken"))
        with suppress(Timeout, OSError):
            lock.acquire(timeout=0)
            if file.exists():
                yield lock
            lock.release()  # withdrawn meanwhile


def share_out(tasks: Iterable[Task], do: Callable[[Task, Callable[[], bool]], None], own: int, more: int) -> None:
    """Do every task, so many at once on own cores, and up to so many more on cores that others lend.

    do: hears of a task, and of a function that says whether all is to end because one task failed or the user stopped
    it; what was raised passes.
    """
    todo, lock, stop = deque(tasks), threading.Lock(), threading.Event()

    def work(borrows: bool) -> None:
        while todo and not stop.is_set():
            with borrowed() if borrows else nullcontext(True) as there:
                with lock:
                    task = todo.popleft() if todo and there else None
                if task is not None:
                    do(task, stop.is_set)
            if not there:
                stop.wait(_PAUSE)

    more = max(0, more) if os.environ.get(VARIABLE) else 0
    with ThreadPoolExecutor(own + more) as pool:
        try:
            for done in as_completed([pool.submit(work, n >= own) for n in range(own + more)]):
                done.result()
        except BaseException:
            stop.set()  # instead of going on unseen
            raise
