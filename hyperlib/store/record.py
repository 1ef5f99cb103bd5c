"""What a chapter notes while it runs: results published, seeds used, how far long work has come.

The runner names a file in `HYPERLIB_RUN_RECORD`; each note is one line of JSON in it. The runner keeps the
results with their checksums, so a result lost or edited by hand makes its chapter stale, and the page shows
the seeds. Where nobody listens (a notebook opened by a reader), a note goes nowhere.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

VARIABLE = "HYPERLIB_RUN_RECORD"


@dataclass(frozen=True)
class Record:
    """The notes of one execution: files written and read, and for each thing with randomness its seeds in words."""

    results: list[Path] = field(default_factory=list)
    sources: list[Path] = field(default_factory=list)
    seeds: dict[str, str] = field(default_factory=dict)


def record_result(file: Path) -> None:
    """Note that the running chapter wrote this result."""
    _note({"result": str(Path(file).resolve())})


def record_source(file: Path) -> None:
    """Note that the running chapter read this file of the clone, so that it is stale when the file changes."""
    _note({"source": str(Path(file).resolve())})


def record_seeds(what: str, seeds: str) -> None:
    """Note which seeds the running chapter used for one thing, such as ("tetris-seed", "1 to 100")."""
    _note({"seeds": [what, seeds]})


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
        try:
            what, done, total = json.loads(line)["progress"]
        except (ValueError, KeyError):  # half a line, or a note of another kind
            continue
        return f"{what} {100 * done // max(total, 1)} %" if done < total else ""
    return ""


def read_record(file: Path) -> Record:
    """The notes of a finished execution, each result once, in the order of first mention."""
    record = Record()
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    for note in map(json.loads, lines):
        if "result" in note and Path(note["result"]) not in record.results:
            record.results.append(Path(note["result"]))
        if "source" in note and Path(note["source"]) not in record.sources:
            record.sources.append(Path(note["source"]))
        if "seeds" in note:
            record.seeds.update([note["seeds"]])
    return record


def _note(fact: dict[str, object]) -> None:
    file = os.environ.get(VARIABLE)
    if file:
        with open(file, "a", encoding="utf-8") as lines:
            lines.write(json.dumps(fact) + "\n")
