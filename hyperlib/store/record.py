"""What a chapter notes while it runs: results published, seeds used, how far long work has come.

The runner names a file in `HYPERLIB_RUN_RECORD`; each note is one line of JSON in it. The runner keeps the
results with their checksums, so a result lost or edited by hand makes its chapter stale, and the page shows
the seeds. Where nobody listens (a notebook opened by a reader), a note goes nowhere.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hyperlib.files.inventory import text_checksum
from hyperlib.files.reading import Damaged, decoded

VARIABLE = "HYPERLIB_RUN_RECORD"


@dataclass(frozen=True)
class Record:
    """The notes of one execution: files written, files read and their checksums then, seeds in words, sizes of zoos."""

    results: list[Path]
    sources: dict[Path, str | None]
    seeds: dict[str, str]
    models: dict[str, int]


@dataclass(frozen=True)
class _Note:
    """One line of the file, which has one of these."""

    result: str | None = None
    source: tuple[str, str | None] | None = None
    seeds: tuple[str, str] | None = None
    models: tuple[str, int] | None = None
    progress: tuple[str, int, int] | None = None


def record_result(file: Path) -> None:
    """Note that the running chapter wrote this result."""
    _note({"result": str(Path(file).resolve())})


def record_source(file: Path) -> None:
    """Note that the running chapter reads this file of the clone as it is now: it is stale when the file changes."""
    if heard():
        _note({"source": [str(Path(file).resolve()), text_checksum(Path(file))]})


def record_seeds(what: str, seeds: str) -> None:
    """Note which seeds the running chapter used for one thing, such as ("tetris-seed", "1 to 100")."""
    _note({"seeds": [what, seeds]})


def record_models(zoo: str, models: int) -> None:
    """Note that the running chapter looks at so many models of a zoo."""
    _note({"models": [zoo, models]})


def record_progress(what: str, done: int, total: int) -> None:
    """Note how far a long piece of work in the running chapter has come; the runner shows the last note."""
    _note({"progress": [what, done, total]})


def heard() -> bool:
    """Whether a runner listens to the notes of this process."""
    return VARIABLE in os.environ


def last_progress(file: Path) -> str:
    """The last note of progress in words, empty if there is none, or if its work has ended."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:  # no note yet, or the chapter has just ended
        return ""
    for line in reversed(lines):
        with suppress(Damaged):  # half a line
            if (progress := decoded(line, _Note, file.name).progress) is not None:
                what, done, total = progress
                return f"{what} {100 * done // max(total, 1)} %" if done < total else ""
    return ""


def read_record(file: Path) -> Record:
    """The notes of a finished execution, each once, in the order of first mention. Raises Damaged for a cut file."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    notes = [decoded(line, _Note, file.name) for line in lines]
    seeds: dict[str, str] = {}
    for what, said in dict.fromkeys(note.seeds for note in notes if note.seeds):
        seeds[what] = f"{seeds[what]}, {said}" if what in seeds else said
    results = list(dict.fromkeys(Path(note.result) for note in notes if note.result))
    sources = {Path(path): checksum for path, checksum in reversed([note.source for note in notes if note.source])}
    models = dict(note.models for note in notes if note.models)
    return Record(results, sources, seeds, models)


def _note(fact: dict[str, object]) -> None:
    file = os.environ.get(VARIABLE)
    if file:
        with open(file, "a", encoding="utf-8") as lines:
            lines.write(json.dumps(fact) + "\n")
