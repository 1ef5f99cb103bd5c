"""The whole book in one command: `python -m hyperlib.press.build --profile quick`.

    book     execute the chapters that are stale, then build the pages (the default)
    run      execute only
    html     build only, from what is executed
    results  copy the CSVs of a complete run to book/results/<profile>, and those of `make bench`, for a commit
    status   say which chapters are stale, and why, and what their last runs cost
    clean    remove pages, executed notebooks and fresh results: all chapters run again, zoos (_build/store) stay

Everything lies below `_build/` of the clone, and one build at a time works there. A stopped build goes on
where it was when the same command is given again.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath

from hyperlib.files import paths
from hyperlib.files.cost import clock, peak_memory
from hyperlib.files.ending import command
from hyperlib.files.locking import held
from hyperlib.press.edition import Edition
from hyperlib.press.execute import execute
from hyperlib.press.site import BENCHMARKS, build_site, promote_benchmarks, promote_results

STEPS = ("book", "run", "html", "results", "status", "clean")
MADE = ("html", ".doctrees", "jupyter_execute", "executed", "results", "recheck")  # below `_build`, for `clean`


@command
def main(arguments: Sequence[str] | None = None, root: Path | None = None) -> int:
    """Run one step; 0 if all went well, 1 if a chapter or page failed, 2 if it could not be done at all."""
    options = _options(arguments)
    paths.settle_variables()
    if options.only and options.step not in ("run", "results"):
        raise ValueError(f"{options.step} is of all chapters; use run (or results) for {', '.join(options.only)}.")
    edition = Edition(root or paths.root(), options.profile)
    options.jobs, options.only = jobs_of(options.jobs), names_of(edition, options.only)
    if options.step == "status":
        return _status(edition)
    with only_build(edition.root):
        return _STEPS[options.step](edition, options)


@contextmanager
def only_build(root: Path) -> Iterator[None]:
    """Hold the clone's `_build` for this process; the system lets go of it however the process ends.

    Raises ValueError if another build holds it.
    """
    folder = root / "_build"
    folder.mkdir(exist_ok=True)

    def busy(who: str) -> None:
        raise ValueError(f"Another build ({who}) is running in this clone; wait for it or stop it.")

    with held(folder / ".lock", busy):
        yield


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m hyperlib.press.build", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("step", nargs="?", default="book", choices=STEPS)
    parser.add_argument("--profile", default="quick", help="quick, laptop or paper (default: quick)")
    parser.add_argument("--jobs", default="2", help="chapters executed at a time (default: 2)")
    parser.add_argument("--only", nargs="+", default=(), metavar="CHAPTER", help="run, results: only these")
    parser.add_argument("--prune", action="store_true", help="results: remove committed files that no chapter makes")
    parser.add_argument("--force", action="store_true", help="execute chapters even if they are up to date")
    parser.add_argument("--since", type=float, help=argparse.SUPPRESS)  # when make began, for the cost
    return parser.parse_args(arguments)


def jobs_of(jobs: str) -> int:
    """How many chapters are executed at a time; ValueError for what is no such number."""
    if not jobs.isdecimal() or not int(jobs):
        raise ValueError(f"JOBS (--jobs) is how many chapters are executed at a time, 1 or more, and not {jobs!r}.")
    return int(jobs)


def names_of(edition: Edition, asked: Sequence[str]) -> list[str]:
    """Chapters by the reader's words, which may be those of their files; ValueError for a file that is no chapter."""
    names = [PurePath(name).as_posix().removesuffix(".ipynb").removesuffix(".py") for name in asked]
    short = [chapter.name.rsplit("/", 1)[-1] for chapter in edition.chapters()] if names else []
    for place, name in enumerate(names):
        last = name.rsplit("/", 1)[-1]
        if last in short:  # a path to a chapter's file, from anywhere, names it as well
            names[place] = last
            continue
        if (edition.root / "notebooks" / f"{last}.py").is_file():
            raise ValueError(f"notebooks/{last}.py is no chapter yet; add `- file: notebooks/{last}` to _toc.yml.")
    return names


def _run(edition: Edition, options: argparse.Namespace) -> int:
    began, data = time.time(), os.environ.get("HYPERLIB_DATA")
    if data and not Path(data).is_dir():
        _say(f"HYPERLIB_DATA is {data}, which is not there yet: image sets that chapters need go there.")
    runs = execute(edition, jobs=options.jobs, force=options.force, names=options.only, say=_say)
    failed = [run for run in runs if run.failure]
    for run in failed:
        print(f"FAILED: {run.chapter.name} {run.failure}", file=sys.stderr)
    _say(f"Chapters: {len(runs) - len(failed)} executed, {len(failed)} failed, {clock(time.time() - began)}.")
    return 1 if failed else 0


def _html(edition: Edition, options: argparse.Namespace) -> int:
    began = time.time()
    if not _has_pages(edition):
        profile = edition.profile
        raise ValueError(f"No chapter has been executed at profile {profile}; `make book PROFILE={profile}` does both.")
    fine = build_site(edition)
    word = "without a warning" if fine else "WITH WARNINGS (above), which count as errors"
    opened = "" if options.step == "book" else f" Open {_first_page(edition)} (profile {edition.profile})."
    _say(f"Pages: built {word}, {clock(time.time() - began)}.{opened}")
    return 0 if fine else 1


def _first_page(edition: Edition) -> Path:
    return edition.root / "_build" / "html" / "index.html"


def _has_pages(edition: Edition) -> bool:
    """Whether a chapter has been executed; a book without chapters has pages of text."""
    chapters = edition.chapters()
    return not chapters or any(chapter.executed.is_file() for chapter in chapters)


def _book(edition: Edition, options: argparse.Namespace) -> int:
    began = time.time() if options.since is None else options.since
    failed = _run(edition, options)
    if _has_pages(edition):
        failed |= _html(edition, options)
    memory = peak_memory()
    largest = f", largest process {memory:.1f} GiB" if memory is not None else ""
    cost = f"{(time.time() - began) / 60:.1f} minutes{largest}"
    if failed:
        there = _first_page(edition)
        print(f"The book is not whole (see above); it cost {cost}. What there is: {there}", file=sys.stderr)
    else:
        _say(f"Open {_first_page(edition)} (profile {edition.profile}; it cost {cost}).")
    return failed


def _results(edition: Edition, options: argparse.Namespace) -> int:
    edition.chosen(options.only)  # which refuses a chapter that is none, before anything is copied
    # benchmarks first: the page that reads them cannot be executed without
    _tell(BENCHMARKS, promote_benchmarks(edition, options.prune and not options.only))
    _tell(edition.profile, promote_results(edition, options.only, options.prune))
    return 0


def _clean(edition: Edition, options: argparse.Namespace) -> int:
    for folder in [edition.root / "_build" / name for name in MADE]:
        if folder.exists():
            shutil.rmtree(folder)
            _say(f"removed {folder}")
    return 0


def _tell(folder: str, changes: list[str]) -> None:
    for change in changes:
        _say(change)
    _say(f"book/results/{folder}: {len(changes)} files differ from before.")


def _status(edition: Edition) -> int:
    """A line for each chapter: why it is stale, and what it cost last time; in the end what to do."""
    stale, costs = 0, []
    for chapter in edition.chapters():
        reason, last = chapter.staleness(), chapter.last_execution()
        cost = f"; a run took {clock(last.seconds)} last time" if last else ""
        _say(f"{chapter.name}: {f'stale, {reason}' if reason else 'up to date'}{cost}")
        stale += bool(reason)
        costs += [last.seconds] if reason and last else []
    known = f"{len(costs)} of them took {clock(sum(costs))} in all last time" if costs else "costs: see book/running.md"
    _say(f"{stale} to run: `make run PROFILE={edition.profile}` ({known})." if stale else "Nothing is to run.")
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


_STEPS = {"book": _book, "run": _run, "html": _html, "results": _results, "clean": _clean}

if __name__ == "__main__":
    sys.exit(main())
