"""What makes a page stale, and in which words.

An execution hangs on its code cells, its parameters, the files of the library that the cells can reach, the versions of
packages, the files that it read, and its own results. It holds as long as all of that is as it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from hyperlib.files.inventory import is_inside, text_checksum
from hyperlib.store.fingerprint import reached, versions


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

    def __post_init__(self) -> None:
        if not is_inside(self.path):
            raise ValueError(f"{self.path!r} leads out of its folder")


@dataclass(frozen=True)
class Facts:
    """What is written down of a whole execution: `date` in UTC, hash of its notebook, seeds in words, sizes of zoos."""

    chapter: str
    profile: str
    ingredients: Ingredients
    notebook: str
    seconds: float
    date: str
    seeds: dict[str, str]
    models: dict[str, int]
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


def what_changed(facts: Facts, now: Ingredients, results: Path, root: Path) -> str | None:
    """What differs from the time of an execution, in a few words; None if it holds.

    results: where those of the profile lie. root: the clone, in which the files that it read are.
    """
    then = facts.ingredients
    if then.code != now.code:
        return "its code cells changed"
    if then.parameters != now.parameters:
        return "its parameters changed"
    if files := _moved(then.library, now.library):
        return f"{_few(files)} changed"
    if packages := _moved(then.versions, now.versions):
        return f"the version of {_few(packages)} changed"
    for file in facts.results:
        if text_checksum(results / file.path) != file.sha256:
            return f"its result {file.path} is missing or was changed"
    for file in facts.sources:
        if text_checksum(root / file.path) != file.sha256:
            return f"{file.path}, which it reads, changed"
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
