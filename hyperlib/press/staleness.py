"""What makes a page stale, and in which words.

An execution hangs on its code cells, its parameters, the files of the library that the cells can reach, the versions of
packages, the files that it read, and its own results. It holds as long as all of that is as it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from hyperlib.store.fingerprint import reached, versions

_WHOLE = {"code": "its code cells changed", "parameters": "its parameters changed"}
_NAMED: dict[str, Callable[[str], str]] = {  # of these one can say what it was
    "library": str,
    "versions": lambda package: f"the version of {package}",
}
_FILES = {"results": "its result {} is missing or was changed", "sources": "{}, which it reads, changed"}


@dataclass(frozen=True)
class Ingredients:
    """What an execution hangs on before it begins: hashes of its code and of library files, parameters, versions."""

    code: str
    parameters: dict[str, str]
    library: dict[str, str]
    versions: dict[str, str]


@dataclass(frozen=True)
class File:
    """A file that an execution wrote or read, as it was then."""

    path: str
    sha256: str | None


@dataclass(frozen=True)
class Facts:
    """What is written down of a whole execution: `date` in UTC, the hash of its notebook, seeds in words."""

    chapter: str
    profile: str
    ingredients: Ingredients
    notebook: str
    seconds: float
    date: str
    seeds: dict[str, str]
    results: list[File]
    sources: list[File]


def ingredients(cells: Sequence[str], parameters: dict[str, str]) -> Ingredients:
    """What an execution of these code cells hangs on.

    `library` has every file of hyperlib that they can reach, with a hash of each; none for cells that do not parse,
    which will not run either.
    """
    try:
        library = reached(python_of(cells))
    except SyntaxError:
        library = {}
    return Ingredients(fingerprint(list(cells)), parameters, library, versions())


def what_changed(facts: Facts, now: Ingredients, folders: dict[str, Path]) -> str | None:
    """What differs from the time of an execution, in a few words; None if it holds.

    folders: in which its results, and the sources that it read, are.
    """
    for part, reason in _WHOLE.items():
        if getattr(facts.ingredients, part) != getattr(now, part):
            return reason
    for part, named in _NAMED.items():
        if moved := _moved(getattr(facts.ingredients, part), getattr(now, part)):
            return f"{_few([named(one) for one in moved])} changed"
    for part, words in _FILES.items():
        for file in getattr(facts, part):
            if file_hash(folders[part] / file.path) != file.sha256:
                return words.format(file.path)
    return None


def file_hash(file: Path) -> str | None:
    """SHA-256 of a text file, whichever line ends its clone gave it; None if it is not there."""
    try:
        return hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
    except OSError:
        return None


def fingerprint(value: Any) -> str:
    """SHA-256 of plain values, as JSON."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def python_of(cells: Sequence[str]) -> str:
    """Code cells as one text of Python, magics written out as the calls that they are."""
    transformer = TransformerManager()
    return "\n".join(transformer.transform_cell(cell) for cell in cells)


def _moved(then: dict[str, str], now: dict[str, str]) -> list[str]:
    """Names of which one side has another value, or none."""
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))


def _few(names: list[str], most: int = 3) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
