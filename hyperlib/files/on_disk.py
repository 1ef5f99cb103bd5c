"""Files of the store: read as if a stranger had written them, written whole or not at all.

Links and devices are never followed, JSON is read only from plain files of sane size, and what is written is
flushed before its rename, so that a power cut leaves the old state or the new one. What the system says of a
failure (a full disk, no permission, a file in a folder's place) becomes one sentence with its remedy.

Source: our choice; SHA-256 because it costs 0.05 s per 100 MB on a CPU with SHA instructions, some 0.2 s
without.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import Timeout

_LARGEST_JSON = 16 * 2**20  # bytes; ours have a few thousand
_LEFT_BY_DESKTOPS = {".DS_Store", "Thumbs.db", "desktop.ini"}  # written by looking at a folder
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


class StoreError(OSError):
    """The store cannot be used: no permission, a full disk, a file in its place. Says the remedy."""

    def __str__(self) -> str:
        return str(self.strerror)


@contextmanager
def explained(entry: Path) -> Iterator[None]:
    """Turn OSErrors around an entry of the store into a StoreError; those of a lock pass."""
    try:
        yield
    except (StoreError, Timeout):
        raise
    except OSError as error:
        if disk_is_full(error, entry.parent):
            raise full_disk(entry, error) from error
        reason = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        raise StoreError(
            error.errno or errno.EIO,
            f"The store at {entry.parent.parent} cannot be used ({reason}); give yourself write permission "
            "there, or set HYPERLIB_STORE to a folder that you may write.",
        ) from error


def disk_is_full(error: BaseException | None, folder: Path) -> bool:
    """Whether an error, or the one behind it, is a full disk: numpy and safetensors drop the error number."""
    while error is not None:
        if getattr(error, "errno", None) in _FULL or "No space left on device" in str(error):
            return True
        free = _free(folder) if isinstance(error, OSError) and error.errno is None else None
        if free is not None and free < 2**16:
            return True
        error = error.__cause__ or error.__context__
    return False


def full_disk(entry: Path, error: BaseException) -> StoreError:
    """The sentence for a full disk: which one, how much is free, and what to do."""
    named = getattr(error, "filename", None)
    place = Path(os.fsdecode(named)).absolute().parent if isinstance(named, str | bytes) else entry.parent
    free = "nothing known to be" if (size := _free(place)) is None else megabytes(size)
    return StoreError(
        errno.ENOSPC,
        f"The disk that holds {place} is full ({free} free); what was made of {entry.name} "
        "is kept: free space, or set HYPERLIB_STORE to a folder on another disk, and run again.",
    )


def inventory(folder: Path) -> dict[str, os.stat_result]:
    """State of every file below a folder, by path with `/`. ValueError for links, devices and the like."""
    if not stat.S_ISDIR(os.lstat(folder).st_mode):
        raise ValueError(f"{folder.name} is a link or a file, not a folder")
    found, waiting = {}, [folder]
    while waiting:
        for item in sorted(waiting.pop().iterdir()):
            state, path = os.lstat(item), item.relative_to(folder).as_posix()
            if stat.S_ISDIR(state.st_mode):
                waiting.append(item)
            elif not stat.S_ISREG(state.st_mode):
                raise ValueError(f"{path} is a link or a device, not a file")
            elif item.name not in _LEFT_BY_DESKTOPS:
                found[path] = state
    return found


def seal(folder: Path) -> dict[str, list]:
    """Bytes and SHA-256 of every file below a folder, all of it flushed to the disk."""
    files = {}
    for path, state in inventory(folder).items():
        files[path] = [state.st_size, checksum(folder / path, flush=True)]
    for inner in {(folder / path).parent for path in files}:
        flush_folder(inner)
    return files


def checksum(path: Path, flush: bool = False) -> str:
    """SHA-256 of a file as hex; with `flush` its content is on the disk when this returns."""
    with path.open("r+b" if flush and os.name == "nt" else "rb", buffering=0) as file:
        if flush:
            os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush_folder(folder: Path) -> None:
    """Make renames inside a folder survive a power cut, where the system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_whole(file: Path, text: str) -> None:
    """Write a text file so that a reader finds the old or the new one, never a half."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        os.chmod(name, 0o644)
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON beside its place, flush it, and rename it there."""
    aside = path.with_name(path.name + ".new")
    with aside.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a plain file of sane size; ValueError says what is wrong."""
    state = os.lstat(path)
    if not stat.S_ISREG(state.st_mode) or state.st_size > _LARGEST_JSON:
        raise ValueError(f"{path.name} is no plain file, or too large")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} cannot be read as JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} holds no JSON object")
    return content


def occupied(folder: Path) -> int:
    """Bytes in all files below a folder; what vanishes meanwhile counts nothing."""
    total = 0
    for at, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(at, name)).st_size
    return total


def megabytes(size: float) -> str:
    """Bytes as text, in MB of a million bytes."""
    return f"{size / 1e6:,.1f} MB"


def _free(folder: Path) -> int | None:
    with suppress(OSError):
        return shutil.disk_usage(folder if folder.exists() else folder.parent).free
    return None
