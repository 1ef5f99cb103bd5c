"""How JSON is read: as a record of a stated form, or not at all.

What lies on a disk may have been cut, edited or made by a stranger. So a file is read only if it is plain and of sane
size, and becomes a frozen dataclass whose every field has the type that was asked for; anything else is *damaged*.

Source: our choice; msgspec decodes and checks in one step, and runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from hyperlib.files.plain import Damaged, content

Form = TypeVar("Form")
LARGEST = 16 * 2**20  # bytes of a file; ours have a few thousand


def read_json(file: Path, form: type[Form], largest: int = LARGEST) -> Form:
    """The record in a plain file of JSON. Raises Damaged, and as `plain.opened` where there is none to read."""
    return decoded(content(file, largest), form, file.name)


def decoded(text: bytes | str, form: type[Form], name: str) -> Form:
    """The record in some JSON that messages call `name`. Raises Damaged."""
    with _of_its_form(name):
        return msgspec.json.decode(text, type=form)


def as_form(plain: dict[str, Any], form: type[Form], name: str) -> Form:
    """The record in what was decoded already. Raises Damaged."""
    with _of_its_form(name):
        return msgspec.convert(plain, form)


@contextmanager
def _of_its_form(name: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{name} cannot be read as JSON of its form ({error})") from error
