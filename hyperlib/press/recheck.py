"""Do the committed tables come back? `python -m hyperlib.press.recheck --profile laptop` (or `make check-results`).

Runs the chapters of a profile once more, into a folder of its own, and names every value that moved by more than
`tolerances` allows, table by table. Nothing of the last build and nothing committed is touched. Zoos and
representations come from the store, where it has them; with --fresh all are made anew, in a store of the check's own. A
profile without committed tables (quick) is run twice, and the two runs are compared. A stopped check goes on where it
was.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields, replace
from io import StringIO
from pathlib import Path

import pandas as pd

from hyperlib.files import paths
from hyperlib.files.ending import command
from hyperlib.files.inventory import LARGEST_TEXT
from hyperlib.files.plain import Damaged, content
from hyperlib.files.writing import write_whole
from hyperlib.press.build import jobs_of, names_of, only_build
from hyperlib.press.edition import Chapter, Edition
from hyperlib.press.execute import execute
from hyperlib.press.tolerances import LEFT_OUT, LEFT_OUT_CLAIMS, left_out, moved, tolerance_of

NAMED = 12  # moved values of a table that are printed; all of them are in the report
REPORT = "moved.csv"
RESULTS, STORE = "HYPERLIB_RESULTS", "HYPERLIB_STORE"


@dataclass(frozen=True)
class Moved:
    """One difference: in `table`, at `row` (from one) and `column`, or in the table as a whole."""

    table: str
    row: int | None
    column: str
    old: str
    new: str
    allowed: str

    def __str__(self) -> str:
        if self.row is None:
            return f"{self.table}: {self.new}"
        change = f"{self.old or 'nothing'} -> {self.new or 'nothing'}"
        return f"{self.table}, row {self.row}, {self.column}: {change} (more than {self.allowed})"


@dataclass(frozen=True)
class Again(Edition):
    """The book's chapters, executed and published in a folder of the check's own; `fresh`: with a store of its own."""

    name: str = "again"
    fresh: bool = False

    @property
    def place(self) -> Path:
        return self.root / "_build" / "recheck" / (f"{self.profile}-fresh" if self.fresh else self.profile)

    @property
    def executed(self) -> Path:
        return self.place / self.name / "executed"

    @property
    def results(self) -> Path:
        return self.place / self.name / "results" / self.profile


@command
def main(arguments: Sequence[str] | None = None, root: Path | None = None) -> int:
    """Run the check; 0 if no value moved, 1 if one did or a chapter failed, 2 if it could not be done at all."""
    options = _options(arguments)
    paths.settle_variables()
    edition = Again(root or paths.root(), options.profile, fresh=options.fresh)
    jobs, names = jobs_of(options.jobs), names_of(edition, options.only)
    with only_build(edition.root):
        return _checked(edition, jobs, names)


def compared(old: Path, new: Path) -> list[Moved]:
    """What differs between two files of one table, row by row, and whole columns or rows that came or went.

    Raises Damaged, in words, for a file that is no table in text.
    """
    return differing(old.stem, read(old), read(new))


def differing(table: str, before: pd.DataFrame, now: pd.DataFrame) -> list[Moved]:
    """What differs between two forms of one table, both as text."""
    found = [_of_table(table, f"column {name!r} is missing") for name in before if name not in now]
    found += [_of_table(table, f"column {name!r} is new") for name in now if name not in before]
    if len(before) != len(now):
        return [*found, _of_table(table, f"it has {len(now)} rows and had {len(before)}")]
    skipped = before["shown"].isin(LEFT_OUT_CLAIMS) if "shown" in before else pd.Series(False, index=before.index)
    for column in before.columns.intersection(now.columns, sort=False):
        if left_out(table, column) is not None:
            continue
        allowed = tolerance_of(table, column)
        for row, (first, second) in enumerate(zip(before[column], now[column], strict=True)):
            if not skipped.iloc[row] and moved(first, second, allowed):
                found.append(Moved(table, row + 1, column, first, second, str(allowed)))
    return found


def read(file: Path) -> pd.DataFrame:
    """A table as text, cell by cell; Damaged for what is no such file, in words."""
    return parsed(content(file, LARGEST_TEXT), str(file))


def parsed(data: bytes, name: str) -> pd.DataFrame:
    """The table in these bytes as text, cell by cell; Damaged for what is no table, in words."""
    try:
        text = data.decode("utf-8")
        if "\0" in text:
            raise ValueError("it has bytes that are no text")
        table = pd.read_csv(StringIO(text), dtype=str, keep_default_na=False)
        if not isinstance(table.index, pd.RangeIndex):
            raise ValueError("its rows have more cells than its header")
        return table
    except ValueError as error:  # also pandas' own, and letters that are none
        raise Damaged(f"{name} is no table ({' '.join(str(error).split())}); restore or make it again") from error


def published_by(chapter: Chapter) -> set[str]:
    """Names of the tables that a chapter's code publishes, where it names them word for word."""
    found = set()
    for cell in chapter.notebook().cells:
        tree = ast.parse(cell.source) if cell.cell_type == "code" and "publish(" in cell.source else ast.Module([], [])
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            parts = [part.value for part in (*call.args[:1], *call.args[2:]) if isinstance(part, ast.Constant)]
            whole = len(parts) == len(call.args) - 1
            if isinstance(call.func, ast.Attribute) and call.func.attr == "publish" and parts and whole:
                found.add(".".join(map(str, parts)) + ".csv")
    return found


def differences(reference: Path, edition: Again, names: Sequence[str]) -> Iterator[list[Moved]]:
    """What moved, table by table: in the tables of these chapters, or of all, against those of `reference`."""
    fresh = {result.path for one in edition.chosen(names) for result in _results(one)}
    expected = {name for one in edition.chosen(names) for name in published_by(one)}
    there = {file.name for file in reference.glob("*.csv")}
    for name in sorted(there & (fresh | expected) | fresh):
        table = name.removesuffix(".csv")
        if name not in fresh:
            yield [_of_table(table, "the table is missing")]
        elif name not in there:
            yield [_of_table(table, "the table is new")]
        else:
            yield compared(reference / name, edition.results / name)
    if not names and (kept := sorted(there - fresh - expected)):
        print(f"Not made by a chapter, so not compared: {', '.join(kept)}.")


def _checked(edition: Again, jobs: int, names: Sequence[str]) -> int:
    reference = edition.root / "book" / "results" / edition.profile
    if (edition.place / REPORT).is_file():  # the last check was whole: this one begins anew
        shutil.rmtree(edition.place)
    if not any(reference.glob("*.csv")):
        print(f"Profile {edition.profile} has no committed tables: it is run twice, and the runs are compared.")
        first = replace(edition, name="first")
        if failed := _executed(first, jobs, names):
            return failed
        reference = first.results
    if failed := _executed(edition, jobs, names):
        return failed
    return _told(edition, list(differences(reference, edition, names)))


def _executed(edition: Again, jobs: int, names: Sequence[str]) -> int:
    """Execute what a stopped check has not; 1 if a chapter failed, else 0."""
    places = {RESULTS: edition.results.parent}
    if edition.fresh:
        places[STORE] = edition.place / edition.name / "store"
    before = {name: os.environ.get(name) for name in places}
    os.environ.update({name: str(place) for name, place in places.items()})
    try:
        runs = execute(edition, jobs=jobs, names=names, say=lambda line: print(line, flush=True))
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    failed = [run for run in runs if run.failure]
    for run in failed:
        print(f"FAILED: {run.chapter.name} {run.failure}", file=sys.stderr)
    return 1 if failed else 0


def _told(edition: Again, tables: list[list[Moved]]) -> int:
    """Print what moved and write all of it down; 1 if anything did."""
    every = [one for table in tables for one in table]
    for table in filter(None, tables):
        for one in table[:NAMED]:
            print(one)
        if len(table) > NAMED:
            print(f"{table[0].table}: and {len(table) - NAMED} more")
    report = pd.DataFrame([astuple(one) for one in every], columns=[field.name for field in fields(Moved)])
    edition.place.mkdir(parents=True, exist_ok=True)
    write_whole(edition.place / REPORT, report.to_csv(index=False, lineterminator="\n"))
    print(f"Left out: {'; '.join(why for _, _, why in LEFT_OUT)}.")
    said = f"{len(every)} values moved in {sum(map(bool, tables))} of them"
    print(f"{len(tables)} tables compared: {said}; all are in {edition.place / REPORT}.")
    return 1 if every else 0


def _of_table(table: str, said: str) -> Moved:
    return Moved(table, None, "", "", said, "")


def _results(chapter: Chapter) -> list:
    facts = chapter.last_execution()
    return facts.results if facts else []


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m hyperlib.press.recheck", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--profile", default="laptop", help="quick, laptop or paper (default: laptop)")
    parser.add_argument("--jobs", default="2", help="chapters executed at a time (default: 2)")
    parser.add_argument("--only", nargs="+", default=(), metavar="CHAPTER", help="only these chapters")
    parser.add_argument("--fresh", action="store_true", help="make all zoos and representations anew")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
