"""How anything is written: beside its place, flushed, and moved there whole.

A writer works in a folder of its own beside the target, named after it. It holds a lock in there, which the system
drops however the process ends; so the next writer of the same target can tell what a killed one left, and removes it.
A reader finds the old state or the new one, also after a power cut.

Source: our choice.
"""

from __future__ import annotations

import glob
import json
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from filelock import FileLock, Timeout

from hyperlib.files.ending import in_order
from hyperlib.files.plain import nameable

_MARK, _LOCK = "partial", ".lock"
ASIDE = "hyperlib-aside-"  # what our folders in the system's temporary folder begin with; and once the others:
_ASIDE = re.compile(rf"({ASIDE}|hyperlib-download-|chapter-)[a-z0-9_]{{8}}")
_LONG_AGO = 24 * 60 * 60  # seconds


class Occupied(FileExistsError):
    """Something is already where a new thing shall appear."""

    def __init__(self, target: Path) -> None:
        super().__init__(f"{target} exists already; choose another name or remove it first.")


@contextmanager
def appearing(target: Path, *, new: bool = False) -> Iterator[Path]:
    """Where to write the file or folder that shall appear at `target` when the block ends without an error.

    A file takes the place of an older one; with `new`, and for folders, nothing may be there. Raises Occupied then,
    ValueError for a name that no file can have, and OSError where the disk refuses; nothing is left behind.
    """
    if new and os.path.lexists(target):
        raise Occupied(target)
    with workplace(target) as folder:
        aside = folder / target.name
        yield aside
        _give_rights(aside, folder.stat().st_mode)
        flush(aside)
        if new or aside.is_dir():
            _move_to_free_place(aside, target)
        else:
            os.replace(aside, target)
        flush_folder(target.parent)


@contextmanager
def workplace(target: Path) -> Iterator[Path]:
    """A folder of this process's own beside `target`, gone when the block ends, and after a kill with the next one."""
    nameable(target).parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent, target.name)
    with in_order():
        folder, lock = _own_folder(target)
        try:
            yield folder
        finally:
            lock.release()
            shutil.rmtree(folder, ignore_errors=True)


def sweep(folder: Path, name: str | None = None) -> None:
    """Remove what killed writers of this name left in a folder, or without a name those of any in it and below.

    What another process writes now stays, and so does a link and what it leads to.
    """
    left_in(folder, True, name)


def left_in(folder: Path, remove: bool, name: str | None = None) -> list[Path]:
    """What `sweep` removes, or would."""
    find, found = folder.rglob if name is None else folder.glob, []
    for left in list(find(f".{'*' if name is None else glob.escape(name)}.{_MARK}-*")):
        lock = FileLock(left / _LOCK)
        if left.is_symlink() or (left / _LOCK).is_symlink():
            continue
        with suppress(Timeout, OSError):  # alive, or gone meanwhile
            lock.acquire(timeout=0)
            try:
                found.append(left)
                if remove:
                    shutil.rmtree(left, ignore_errors=True)  # while it is held: nobody may take the place meanwhile
            finally:
                lock.release()
            if remove and os.name == "nt":  # which keeps a file that is open
                shutil.rmtree(left, ignore_errors=True)
    return found


def left_aside(remove: bool) -> list[Path]:
    """Folders of ours in the system's temporary folder that nobody has touched for a day: their process was killed."""
    found = sorted(left for left in Path(gettempdir()).iterdir() if _ASIDE.fullmatch(left.name) and _is_left(left))
    for left in found if remove else []:
        shutil.rmtree(left, ignore_errors=True)
    return found


def write_whole(file: Path, text: str) -> None:
    """Write a text file (UTF-8, lines end as in `text`) so that a reader finds the old or the new one, never a half."""
    with appearing(file) as aside:
        aside.write_text(text, encoding="utf-8", newline="")


def write_json(file: Path, content: Any) -> None:
    """Write plain values as JSON, whole. Raises ValueError for numbers that are not finite."""
    write_whole(file, json.dumps(content, indent=1, allow_nan=False) + "\n")


def flush(place: Path) -> None:
    """Have a file, or a folder with all that it holds, on the disk when this returns."""
    if place.is_dir():
        for at, _, names in os.walk(place):
            for name in names:
                flush(Path(at, name))
            flush_folder(Path(at))
        return
    with place.open("r+b" if os.name == "nt" else "rb", buffering=0) as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Make renames inside a folder survive a power cut, where the system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _is_left(place: Path) -> bool:
    """Whether it is a folder of this user, no link, and older than a day with all that it holds."""
    with suppress(OSError):  # somebody else's, or gone meanwhile
        state = os.lstat(place)
        mine = stat.S_ISDIR(state.st_mode) and state.st_uid == (os.getuid() if os.name == "posix" else state.st_uid)
        touched = [os.lstat(path).st_mtime for path in (place, *place.rglob("*"))] if mine else []
        if not place.name.startswith("chapter-") or (place / "record.jsonl").is_file():  # anybody has chapters
            return mine and time.time() - max(touched) > _LONG_AGO
    return False


def _own_folder(target: Path) -> tuple[Path, FileLock]:
    """A fresh folder with its lock held. One that was swept before it could be locked is made again."""
    while True:
        folder = target.with_name(f".{target.name}.{_MARK}-{secrets.token_hex(4)}")
        nameable(folder).mkdir()
        lock = FileLock(folder / _LOCK)
        with suppress(Timeout, FileNotFoundError, FileExistsError):  # the last where a lock makes its folder meanwhile
            lock.acquire(timeout=0)
            if folder.is_dir():
                return folder, lock


def _give_rights(place: Path, of: int) -> None:
    """The rights that the user's umask leaves, which a fresh folder has: some libraries write for their owner alone."""
    for path in [place, *place.rglob("*")]:
        path.chmod(of & (0o777 if path.is_dir() else 0o666))


def _move_to_free_place(aside: Path, target: Path) -> None:
    """Rename, but never over something that appeared meanwhile: a link is refused where a name is taken."""
    try:
        if aside.is_dir():
            os.rename(aside, target)  # refuses a file, and a folder that holds anything
        else:
            os.link(aside, target)
    except FileExistsError:
        raise Occupied(target) from None
    except OSError:
        if os.path.lexists(target):
            raise Occupied(target) from None
        if aside.is_dir():
            raise
        os.rename(aside, target)  # a disk that knows no links
