"""How JSON is read: as a record of a stated form, or not at all.

What lies on a disk may have been cut, edited or made by a stranger. So a file is read only if it is plain and of sane
size, and becomes a frozen dataclass whose every field has the type that was asked for; anything else is *damaged*.

Source: our choice; msgspec decodes and checks in one step, and runs nothing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

Form = TypeVar("Form")
LARGEST = 16 * 2**20  # bytes of a file; ours have a few thousand


class Damaged(ValueError):
    """A file, or a part of it, has not the form that it should have; says what is wrong."""


def read_json(file: Path, form: type[Form], largest: int = LARGEST) -> Form:
    """The record in a plain file of JSON. Raises Damaged, and OSError where there is none to read."""
    state = os.lstat(file)
    if not stat.S_ISREG(state.st_mode) or state.st_size > largest:
        raise Damaged(f"{file.name} is no plain file, or too large")
    return decoded(file.read_bytes(), form, file.name)


def decoded(text: bytes | str, form: type[Form], name: str) -> Form:
    """The record in some JSON that messages call `name`. Raises Damaged."""
    with _of_its_form(name):
        return msgspec.json.decode(text, type=form)


def as_form(content: dict[str, Any], form: type[Form], name: str) -> Form:
    """The record in what was decoded already. Raises Damaged."""
    with _of_its_form(name):
        return msgspec.convert(content, form)


@contextmanager
def _of_its_form(name: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{name} cannot be read as JSON of its form ({error})") from error
