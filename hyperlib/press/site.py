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
from collections.abc import Sequence
from pathlib import Path

from hyperlib.press.edition import Edition

BENCHMARKS = "benchmarks"  # a folder of results beside those of the profiles
VARIABLE = "HYPERLIB_PROFILE"  # tells the Sphinx extension which executions to show
_JUPYTER_BOOK = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"


def build_site(edition: Edition) -> bool:
    """Build `_build/html`, strictly; whether it went without a warning."""
    command = [sys.executable, "-c", _JUPYTER_BOOK, "build", str(edition.root)]
    command += ["-W", "-n", "--keep-going", "--quiet"]
    environment = {**os.environ, VARIABLE: edition.profile, "PYTHONWARNINGS": "ignore"}
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}  # warnings come by stderr
    done = subprocess.run(command, env=environment, check=False, **quiet)
    if done.returncode:
        shutil.rmtree(edition.root / "_build" / ".doctrees", ignore_errors=True)
    return done.returncode == 0


def promote_results(edition: Edition, names: Sequence[str] = ()) -> list[str]:
    """Copy the results of a complete, fresh run to `book/results/<profile>`; a line for each change.

    Files there that no chapter publishes any more are removed. `names` takes those of some chapters and leaves all
    other files alone, for a profile that one machine cannot run as a whole. Raises ValueError while one of the chapters
    is stale: what is committed must belong together.
    """
    chapters = edition.chosen(names)
    stale = [f"{chapter.name} ({reason})" for chapter in chapters if (reason := chapter.staleness())]
    if stale:
        raise ValueError(
            f"Results of profile {edition.profile} were not promoted: not every chapter is up to date, "
            f"{', '.join(stale)}; run `make run PROFILE={edition.profile}` first."
        )
    fresh = {result["path"] for chapter in chapters for result in chapter.last_execution()["results"]}
    target = edition.root / "book" / "results" / edition.profile
    target.mkdir(parents=True, exist_ok=True)
    changes = [_copied(edition.results / path, target / path) for path in sorted(fresh)]
    kept = fresh if not names else {file.relative_to(target).as_posix() for file in target.rglob("*.csv")}
    for file in sorted(file for file in target.rglob("*.csv") if file.relative_to(target).as_posix() not in kept):
        file.unlink()
        changes.append(f"removed {file.relative_to(edition.root)}")
    return [change for change in changes if change]


def promote_benchmarks(edition: Edition) -> list[str]:
    """Copy the tables of a whole run of the benchmarks to `book/results/benchmarks`; a line for each change.

    They belong to a machine and to no profile. Where no run was whole (no `machine.csv`, which is written last) nothing
    is copied; files there that the run did not make are removed, so that all tables are of one run.
    """
    fresh, target = edition.results.with_name(BENCHMARKS), edition.root / "book" / "results" / BENCHMARKS
    if not (fresh / "machine.csv").is_file():
        return []
    names = {file.name for file in fresh.glob("*.csv")}
    changes = [_copied(fresh / name, target / name) for name in sorted(names)]
    for file in sorted(file for file in target.glob("*.csv") if file.name not in names):
        file.unlink()
        changes.append(f"removed {file.relative_to(edition.root)}")
    return [change for change in changes if change]


def _copied(source: Path, target: Path) -> str:
    """Copy one file if it differs, whole or not at all; what happened, empty for nothing."""
    if target.is_file() and target.read_bytes() == source.read_bytes():
        return ""
    word = "changed" if target.is_file() else "added"
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.new")
    shutil.copyfile(source, aside)
    os.replace(aside, target)
    return f"{word} {target.parent.name}/{target.name}"
