"""From executed chapters to pages, and from fresh results to those under version control.

The site is built strictly: every warning of Sphinx is an error, all of them are listed, and what could be
built is. After a failure the next build starts from nothing, because Sphinx repeats no warning about a page
it did not read again, and a second try would pass.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from hyperlib.files.inventory import LARGEST_TEXT
from hyperlib.files.plain import Damaged, content
from hyperlib.files.writing import appearing, sweep
from hyperlib.press.edition import Edition
from hyperlib.thesis.claims import SCORECARD

BENCHMARKS = "benchmarks"  # a folder of results beside those of the profiles
VARIABLE = "HYPERLIB_PROFILE"  # tells the Sphinx extension which executions to show
_JUPYTER_BOOK = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"


def build_site(edition: Edition) -> bool:
    """Build `_build/html`, strictly; whether it went without a warning."""
    command = [sys.executable, "-c", _JUPYTER_BOOK, "build", str(edition.root)]
    command += ["-W", "-n", "--keep-going", "--quiet"]
    plainly = f"{sys.stderr.encoding}:backslashreplace"  # warnings name files, whose letters a console can lack
    own = {VARIABLE: edition.profile, "PYTHONWARNINGS": "ignore", "PYTHONUTF8": "1", "PYTHONIOENCODING": plainly}
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}  # warnings come by stderr
    done = subprocess.run(command, env={**os.environ, **own}, check=False, **quiet)
    if done.returncode:
        shutil.rmtree(edition.root / "_build" / ".doctrees", ignore_errors=True)
    return done.returncode == 0


def promote_results(edition: Edition, names: Sequence[str] = (), prune: bool = False) -> list[str]:
    """Copy the results of a complete, fresh run to `book/results/<profile>`; a line for each change.

    `names` takes those of some chapters and leaves all other files alone, for a profile that one machine cannot run as
    a whole. Without them, files that no chapter publishes any more are removed if `prune` allows it, but for tables
    of commands (trials, ablations): what a chapter reads there stays, unless it is a scorecard. Raises ValueError while
    one of the chapters is stale (what is committed must belong together), where they published nothing, and for files
    that would have to go.
    """
    chapters = edition.chosen(names)
    stale = [f"{chapter.name} ({reason})" for chapter in chapters if (reason := chapter.staleness())]
    if stale:
        raise ValueError(
            f"Results of profile {edition.profile} were not promoted: not every chapter is up to date, "
            f"{', '.join(stale)}; run `make run PROFILE={edition.profile}` first."
        )
    facts = [facts for chapter in chapters if (facts := chapter.last_execution())]
    fresh = {result.path for one in facts for result in one.results}
    target = edition.root / "book" / "results" / edition.profile
    read = {edition.root / source.path for one in facts for source in one.sources}
    kept = {file.name for file in read if file.parent == target and not file.name.startswith(SCORECARD)}
    if not fresh:
        raise ValueError(f"Results of profile {edition.profile} were not promoted: its chapters published none.")
    return _promoted(edition.results, fresh, target, prune, bool(names), kept)


def promote_benchmarks(edition: Edition, prune: bool = False) -> list[str]:
    """Copy the tables of a whole run of the benchmarks to `book/results/benchmarks`; a line for each change.

    They belong to a machine and to no profile. Where no run was whole (no `machine.csv`, which is written last) nothing
    is copied. Raises ValueError for files there that the run did not make, unless `prune` lets them go.
    """
    fresh = edition.results.with_name(BENCHMARKS)
    if not (fresh / "machine.csv").is_file():
        return []
    names = {file.name for file in fresh.glob("*.csv")}
    return _promoted(fresh, names, edition.root / "book" / "results" / BENCHMARKS, prune, some=False)


def _promoted(
    source: Path, fresh: set[str], target: Path, prune: bool, some: bool, kept: Collection[str] = ()
) -> list[str]:
    """Copy `fresh` files and remove all other CSVs but the `kept`, unless these are only `some` of the folder's; lines
    of changes."""
    sweep(target)
    there = {file.relative_to(target).as_posix() for file in target.rglob("*.csv")}
    gone = [] if some else sorted(there - fresh - {*kept})
    if gone and not prune:
        raise ValueError(
            f"Nothing was promoted: {', '.join(gone)} in {target} would be removed, because the run did not make "
            f"{'them' if len(gone) > 1 else 'it'}; say --prune (make results PRUNE=1) if that is right."
        )
    changes = [_copied(source / path, target / path) for path in sorted(fresh)]
    for path in gone:
        (target / path).unlink()
        changes.append(f"removed {target.name}/{path}")
    return [change for change in changes if change]


def _copied(source: Path, target: Path) -> str:
    """Copy one file if it differs, whole or not at all; what happened, empty for nothing. No link is followed.

    Raises Damaged where the source is a link, and what `plain.content` does.
    """
    data = content(source, LARGEST_TEXT)
    word = "changed" if os.path.lexists(target) else "added"
    with suppress(FileNotFoundError, Damaged):  # what is not a file there is replaced
        if content(target, LARGEST_TEXT).replace(b"\r\n", b"\n") == data.replace(b"\r\n", b"\n"):
            return ""
    with appearing(target) as aside:
        aside.write_bytes(data)
    return f"{word} {target.parent.name}/{target.name}"
