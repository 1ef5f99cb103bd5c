"""How a file that may be anybody's is opened: without waiting, as what it is, or with one sentence why not.

A name can lead to a pipe that nobody writes to, to a device without an end, or to a file that another user keeps to
himself. So a file is opened without blocking and looked at through its own handle. What it holds may then be *damaged*;
what cannot be read now is not, and whoever finds it changes nothing.

Source: our choice.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

_NO_FILE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL}
_NO_PLAIN_FILE = {errno.ELOOP, errno.ENXIO, errno.EISDIR, errno.ENODEV}


class Damaged(ValueError):
    """A file, or a part of it, has not the form that it should have; says what is wrong."""


class Unreadable(OSError):
    """Something is there and cannot be read now, for want of permission or by a fault of the disk."""

    def __init__(self, path: Path, error: OSError) -> None:
        remedy = "give yourself permission to read it" if error.errno in (errno.EACCES, errno.EPERM) else "try again"
        said = f"{path} cannot be read ({error.strerror or error}) and was left as it is; {remedy}, or name another."
        super().__init__(error.errno or errno.EIO, said)

    def __str__(self) -> str:
        return str(self.strerror)


def opened(path: Path, *, links: bool = False) -> BinaryIO:
    """A plain file, open for reading; with `links` also behind a symbolic link.

    Raises FileNotFoundError where there is none, Damaged for a link, a pipe, a device or a folder, else Unreadable.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        handle = os.open(path, flags if links else flags | getattr(os, "O_NOFOLLOW", 0))
    except ValueError:  # a null byte
        raise FileNotFoundError(errno.ENOENT, "No file has such a name", str(path)) from None
    except OSError as error:
        if error.errno in _NO_FILE:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from None
        if error.errno in _NO_PLAIN_FILE or (os.name == "nt" and path.is_dir()):
            raise _not_plain(path) from None
        raise Unreadable(path, error) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _not_plain(path)
    return os.fdopen(handle, "rb")


def content(path: Path, largest: int, *, links: bool = False) -> bytes:
    """All of a plain file; Damaged if it has more than `largest` bytes, else as `opened`."""
    with opened(path, links=links) as file:
        try:
            data = file.read(largest + 1) if os.fstat(file.fileno()).st_size <= largest else None
        except OSError as error:
            raise Unreadable(path, error) from error
    if data is None or len(data) > largest:
        raise Damaged(f"{path.name} is too large, with more than {largest:,} bytes")
    return data


def is_there(path: Path) -> bool:
    """Whether a name leads to something, also through links; Unreadable where that cannot be known."""
    try:
        os.stat(path)
    except ValueError:  # a null byte
        return False
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise Unreadable(path, error) from error
        return False
    return True


def nameable(path: Path) -> Path:
    """The path itself; ValueError, in one sentence, where no file can have such a name."""
    try:
        os.lstat(path)
        return path
    except ValueError:  # a null byte, or half a letter
        why = "it has a letter that no name may have"
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            return path
        why = "it is too long"
    named = str(path)
    raise ValueError(f"No file can be called {named[:100]!r}{'...' * (len(named) > 100)}, {why}; choose another name.")


def _not_plain(path: Path) -> Damaged:
    return Damaged(f"{path.name} is no plain file, but a link, a folder, a pipe or a device")
