"""What changed in the findings since an edition? `python -m hyperlib.press.moved --since v1.0` (or another revision).

Compares the committed tables of two revisions by `tolerances`, and appends rows to `book/results/changes.csv`: one for
every claim whose verdicts changed, and one for every other table, with its number of moved values and the largest move.
Both revisions are read from git's objects: nothing is checked out, and nothing in them is run. Without --since it
begins at the edition that was recorded last.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from hyperlib.files import paths
from hyperlib.files.ending import command
from hyperlib.files.inventory import LARGEST_TEXT
from hyperlib.files.plain import Damaged
from hyperlib.files.writing import write_whole
from hyperlib.press.recheck import Moved, differing, parsed, read
from hyperlib.press.tolerances import LEFT_OUT_CLAIMS, left_out, tolerance_of
from hyperlib.tasks.verdicts import HOLDS, symbol
from hyperlib.thesis.claims import PUBLISHED

CHANGES = "book/results/changes.csv"
TABLES = f"book/results/{PUBLISHED}"
_BLOB = re.compile(r"100(?:644|755) blob (?P<id>[0-9a-f]{40,64}) +(?P<size>\d+)\t(?P<path>.+)")
# columns of a scorecard, and of the ledger
_JUDGES, _LEDGER = {"claim", "case", "verdict", "shown"}, {"id", "title", "verdict"}


@dataclass(frozen=True)
class Revision:
    """A commit that somebody named: its tags and its short id, its day, and the first line of its message."""

    commit: str
    names: tuple[str, ...]
    date: str
    title: str

    @property
    def name(self) -> str:
        return self.names[0]


@dataclass(frozen=True)
class Change:
    """One row: a `claim` whose verdicts changed, or a table of which so many of its values `moved`, and most of all the
    one `where` that was `before` and is `after`."""

    table: str
    claim: str = ""
    where: str = ""
    before: str = ""
    after: str = ""
    moved: str = ""
    values: str = ""


@command
def main(arguments: Sequence[str] | None = None, root: Path | None = None) -> int:
    """Record an edition; 0 if it is done or nothing changed, 2 if it could not be done."""
    options, root = _options(arguments), root or paths.root()
    file = root / CHANGES
    known = read(file) if file.is_file() else pd.DataFrame({"edition": []})
    if not options.since and known.empty:
        raise ValueError("No edition is recorded yet; say where to begin: --since REVISION.")
    since = revision(root, options.since or known["edition"].iloc[-1])
    until = revision(root, options.until)
    if {*until.names} & {*known["edition"]}:
        raise ValueError(f"{until.name} is recorded already; take its rows out of {CHANGES} first.")
    rows = [asdict(change) for change in changes(root, since, until)]
    told = f"{len(rows)} rows of changes from {since.name} to {until.name}"
    if rows:
        edition = {"edition": until.name, "since": since.name, "date": until.date, "title": until.title}
        table = pd.concat([known, pd.DataFrame([edition | row for row in rows])])
        write_whole(file, table.to_csv(index=False, lineterminator="\n"))
    print(f"{told}; they are in {CHANGES}." if rows else f"{told}; nothing is recorded.")
    return 0


def revision(root: Path, name: str) -> Revision:
    """What git knows by that name. Raises ValueError in words for what is no commit."""
    commit = _words(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    date, _, title = _words(root, "log", "-1", "--no-show-signature", "--format=%cs %s", commit).partition(" ")
    tags = _words(root, "tag", "--points-at", commit).split()
    return Revision(commit, (*tags, commit[:10]), date, title)


def changes(root: Path, since: Revision, until: Revision) -> Iterator[Change]:
    """All changes between the committed tables of two revisions, table by table.

    Raises Damaged, in words, for a table that cannot be read.
    """
    before, now = (_tables(root, one.commit) for one in (since, until))
    for table in sorted(before | now):
        if before.get(table) == now.get(table):
            continue
        forms = [_read(root, *place) if (place := side.get(table)) else None for side in (before, now)]
        yield from compared(table, *forms)


def compared(table: str, before: pd.DataFrame | None, now: pd.DataFrame | None) -> Iterator[Change]:
    """What changed in one table, of which one form may be missing: claims of a scorecard, values of any other."""
    forms = [form for form in (before, now) if form is not None]
    if all(set(form) >= _JUDGES or set(form) >= _LEDGER for form in forms) and not left_out(table, "verdict"):
        yield from _judged(table, *({} if form is None else _claims(form) for form in (before, now)))
    elif before is None or now is None:
        yield Change(table, where="the table is new" if before is None else "the table is no more")
    elif found := differing(table, before, now):
        cells = [one for one in found if one.row is not None]
        if len(cells) < len(found):
            went, came = ([name for name in one if name not in other] for one, other in ((before, now), (now, before)))
            form = f"columns: {len(came)} new, {len(went)} gone; rows: {len(now)}, before {len(before)}"
            yield Change(table, where=form)
        if not cells:
            return
        one = max(cells, key=_size)
        values = len(now) * sum(left_out(table, column) is None for column in before.columns.intersection(now.columns))
        yield Change(table, "", f"row {one.row}, {one.column}", one.old, one.new, str(len(cells)), str(values))


def said(cases: dict[str, str]) -> str:
    """Verdicts of a claim by case in words: the one there is, or a symbol and how many hold; nothing for no case."""
    if len(cases) < 2:
        return next(iter(cases.values()), "")
    return f"{symbol(cases.values())} {sum(verdict == HOLDS for verdict in cases.values())} of {len(cases)}"


def _judged(table: str, before: dict[str, dict[str, str]], now: dict[str, dict[str, str]]) -> Iterator[Change]:
    """Claims that came, went, or have other verdicts, with the cases that turned where there are several."""
    for claim in dict.fromkeys([*before, *now]):
        old, new = before.get(claim, {}), now.get(claim, {})
        turned = [f"{case}: {old[case]} -> {new[case]}" for case in old if case in new and old[case] != new[case]]
        if turned or said(old) != said(new):
            yield Change(table, claim, "; ".join(turned) if len(new) > 1 else "", said(old), said(new))


def _claims(card: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Verdicts by claim and case, in the order of the page; of the ledger by title, each of a single case."""
    found: dict[str, dict[str, str]] = {}
    if not set(card) >= _JUDGES:
        card = card.assign(claim=card["title"], case="")
    shown = card["shown"] if "shown" in card else [""] * len(card)
    for claim, case, verdict, place in zip(card["claim"], card["case"], card["verdict"], shown, strict=True):
        if place not in LEFT_OUT_CLAIMS:
            found.setdefault(claim, {})[case] = verdict
    return found


def _size(one: Moved) -> float:
    """By how many times of what is allowed a number moved; zero for what is no number."""
    try:
        old, new = float(one.old), float(one.new)
    except ValueError:
        return 0.0
    if not math.isfinite(old) or not math.isfinite(new):
        return 0.0
    allowed = tolerance_of(one.table, one.column)
    room = allowed.absolute + allowed.relative * max(abs(old), abs(new))
    return abs(new - old) / room if room else math.inf


def _tables(root: Path, commit: str) -> dict[str, tuple[str, int]]:
    """Names of a revision's tables, with the id and the size of each; links and other things are left out."""
    listed = _words(root, "ls-tree", "-z", "-l", commit, f"{TABLES}/").split("\0")
    blobs = [found for entry in listed if (found := _BLOB.fullmatch(entry)) and found["path"].endswith(".csv")]
    return {Path(found["path"]).stem: (found["id"], int(found["size"])) for found in blobs}


def _read(root: Path, blob: str, size: int) -> pd.DataFrame:
    if size > LARGEST_TEXT:
        raise Damaged(f"git's object {blob} is too large for a table ({size} bytes)")
    return parsed(_git(root, "cat-file", "blob", blob), f"git's object {blob}")


def _words(root: Path, *arguments: str) -> str:
    return _git(root, *arguments).decode("utf-8", "replace").strip()


def _git(root: Path, *arguments: str) -> bytes:
    """What git prints, without a network; ValueError in words where it fails or is not there."""
    command, alone = ["git", "-C", str(root), "--no-replace-objects", *arguments], {"GIT_NO_LAZY_FETCH": "1"}
    try:
        done = subprocess.run(command, capture_output=True, env=os.environ | alone)
    except FileNotFoundError:
        raise ValueError("git is not there; install it, since editions are read from it.") from None
    if done.returncode:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[:200]
        why = f" It says: {said}" if said else " In a shallow clone, `git fetch --unshallow` brings older ones."
        raise ValueError(f"git knows no such revision here ({' '.join(arguments)[:200]}).{why}")
    return done.stdout


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m hyperlib.press.moved", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--since", metavar="REVISION", help="compare with this one (default: the last edition)")
    parser.add_argument("--until", metavar="REVISION", default="HEAD", help="the edition to record (default: HEAD)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
