"""What the system says of a failure, in words: how full a disk is, and whether that was the reason."""

from __future__ import annotations

import dis
import errno
import shutil
from contextlib import suppress
from pathlib import Path

_LIBRARY = Path(__file__).parents[1]
_PASSED_ON = Path(__file__).with_name("cluster.py")  # which raises what calls in other processes have raised
FULL_DISK = "the disk is full; free some space and run this again: what is finished is kept"
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def disk_is_full(error: BaseException | None, folder: Path) -> bool:
    """Whether an error, or the one behind it, is a full disk: numpy and safetensors drop the error number."""
    while error is not None:
        if getattr(error, "errno", None) in _FULL or "No space left on device" in str(error):
            return True
        free = free_bytes(folder) if isinstance(error, OSError) and error.errno is None else None
        if free is not None and free < 2**16:
            return True
        error = error.__cause__ or error.__context__
    return False


def in_words(error: Exception) -> str:
    """One sentence with the remedy for what can go wrong with files: the error's own where this library wrote it."""
    if not isinstance(error, OSError) or said_here(error):
        return str(error)
    if disk_is_full(error, Path()):
        return f"{FULL_DISK.capitalize()}."
    if error.filename and (isinstance(error, PermissionError) or error.errno == errno.EROFS):
        remedy = "give yourself permission there, or work in a folder of your own"
        return f"No permission for {error.filename}; {remedy}."
    return str(error)


def said_here(error: BaseException) -> bool:
    """Whether a `raise` of this library made the error: its words are then for a user, and name the remedy."""
    if (place := error.__traceback__) is None:
        return False
    while place.tb_next is not None:
        place = place.tb_next
    code = place.tb_frame.f_code
    ours = Path(code.co_filename).is_relative_to(_LIBRARY) and Path(code.co_filename) != _PASSED_ON
    return ours and dis.opname[code.co_code[place.tb_lasti]] == "RAISE_VARARGS"


def megabytes(size: float) -> str:
    """Bytes as text, in MB of a million bytes."""
    return f"{size / 1e6:,.1f} MB"


def free_bytes(folder: Path) -> int | None:
    """Bytes free on the disk of a folder, None if nobody knows."""
    with suppress(OSError):
        return shutil.disk_usage(folder if folder.exists() else folder.parent).free
    return None
