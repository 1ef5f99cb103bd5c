"""Executing the chapters of an edition: those that are stale, two at a time, each in a process of its own.

A chapter is executed beside its place and moved there when it is whole, so a killed build leaves nothing to
clean up: run it again, and it goes on with the chapters that are missing. A chapter that fails is named with
its cell, its partial notebook stays as `<name>.failed.ipynb`, and the others still run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from hyperlib.files import lending
from hyperlib.files.cost import clock, cores
from hyperlib.files.faults import FULL_DISK, disk_is_full
from hyperlib.files.inventory import text_checksum
from hyperlib.files.reading import Damaged, decoded
from hyperlib.files.writing import flush, flush_folder, workplace, write_json
from hyperlib.press.edition import Chapter, Edition
from hyperlib.press.kernel import environment_of
from hyperlib.press.staleness import Facts, File, Ingredients
from hyperlib.store.record import VARIABLE, last_progress, read_record

Say = Callable[[str], None]
EVERY = 30.0  # seconds between two lines about a chapter that is still running


@dataclass
class Execution:
    """One chapter on its way: `failure` is a sentence that names the cell, None while there is none."""

    chapter: Chapter
    reason: str
    expected: float | None
    started: float = 0.0
    seconds: float | None = None
    failure: str | None = None
    cell: tuple[int, int] | None = None
    process: subprocess.Popen[str] | None = field(default=None, repr=False)
    record: Path | None = None
    stopped: bool = False  # by the user: no fault of the chapter's, and nothing to look into


@dataclass(frozen=True)
class Share:
    """What each of these runs has of the processor, and the folder where its cores are lent while they are idle."""

    threads: int
    idle: Path
    runs: list[Execution]


def execute(
    edition: Edition, *, jobs: int = 2, force: bool = False, names: Iterable[str] = (), say: Say = print
) -> list[Execution]:
    """Execute every chapter whose execution does not hold; give what was run, failures included.

    `names` limits the run to some chapters ("notebooks/03_model_zoos", or the last part alone), `force` runs
    them even if they hold. Raises ValueError for a name that is no chapter.
    """
    chapters = edition.chosen(names)
    runs = [_planned(chapter, "as asked" if force else reason) for chapter in chapters
            if (reason := chapter.staleness()) or force]  # fmt: skip
    _announce(edition, len(chapters), runs, jobs, say)
    runs.sort(key=lambda run: -(run.expected or float("inf")))  # the longest first keeps both processes busy
    started = time.monotonic()
    threads = max(1, cores() // max(1, min(jobs, len(runs))))
    pool = ThreadPoolExecutor(max_workers=max(1, jobs))
    with workplace(edition.executed / "idle-cores") as idle:
        try:
            share = Share(threads, idle, runs)
            _watch([pool.submit(_run, run, share, started, say) for run in runs], runs, started, say)
        finally:
            unfinished = [run for run in runs if run.seconds is None]
            for run in unfinished:  # all of them first: threads look at this around the start of a worker
                run.stopped = True
            pool.shutdown(wait=False, cancel_futures=True)
            for run in unfinished:
                _stop(run)
            pool.shutdown(wait=True)
    return runs


def _planned(chapter: Chapter, reason: str | None) -> Execution:
    last = chapter.last_execution()
    return Execution(chapter, reason or "as asked", last and last.seconds)


def _announce(edition: Edition, total: int, runs: list[Execution], jobs: int, say: Say) -> None:
    """Say what is to do, and how long it takes if every chapter has been executed before."""
    times = [run.expected for run in runs if run.expected is not None]
    known = times and len(times) == len(runs)
    cost = f", about {clock(max(max(times), sum(times) / jobs))} by the last run" if known else ""
    fresh, chapters = total - len(runs), "1 chapter" if total == 1 else f"{total} chapters"
    say(f"{chapters} at profile {edition.profile}: {fresh} up to date, {len(runs)} to run{cost}.")


def _watch(futures: list[Future[None]], runs: list[Execution], started: float, say: Say) -> None:
    """Wait for all, saying now and then where the running chapters are."""
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, timeout=EVERY, return_when="FIRST_COMPLETED")
        for future in done:
            future.result()
        if not done:
            for run in runs:
                if run.process is not None and run.seconds is None:
                    say(f"[{clock(time.monotonic() - started)}] {run.chapter.name}: {_where(run)}")


def _where(run: Execution) -> str:
    cell = f"cell {run.cell[0]} of {run.cell[1]}, " if run.cell else ""
    last = f" (last time {clock(run.expected)})" if run.expected is not None else ""
    work = last_progress(run.record) if run.record else ""
    return f"{cell}{work and f'{work}, '}{clock(time.monotonic() - run.started)} so far{last}"


def _run(run: Execution, share: Share, began: float, say: Say) -> None:
    """Execute one chapter and say what came of it; whatever goes wrong is its own failure, and the others go on."""
    run.started = time.monotonic()
    try:
        _attempt(run, share, began, say)
    except Exception as error:
        run.failure = f"outside of its cells: {_in_words(error, run.chapter)}"
    run.seconds = time.monotonic() - run.started
    if all(other.started for other in share.runs):  # no chapter follows on these cores
        lending.offer(share.idle, share.threads)
    if not run.stopped:
        say(f"[{clock(time.monotonic() - began)}] {_verdict(run)}")


def _attempt(run: Execution, share: Share, began: float, say: Say) -> None:
    """Execute one chapter in its own process and keep what it made."""
    chapter = run.chapter
    chapter.executed.parent.mkdir(parents=True, exist_ok=True)
    chapter.failed.unlink(missing_ok=True)
    ingredients = chapter.ingredients()  # before the run: an edit made meanwhile must count as a change
    if run.stopped:
        return
    say(f"[{clock(run.started - began)}] {chapter.name}: started, {run.reason}.")
    with workplace(chapter.executed) as folder:
        run.record = record = folder / "record.jsonl"
        output = folder / chapter.executed.name
        environment = _environment(chapter, folder, record, share)
        run.failure = _supervised(run, output, environment) or _misplaced(run, record)
        if run.failure is None:
            _keep(run, output, record, ingredients)
        elif output.is_file() and not run.stopped:
            os.replace(output, chapter.failed)


def _in_words(error: Exception, chapter: Chapter) -> str:
    if disk_is_full(error, chapter.executed.parent):
        return FULL_DISK
    return f"{type(error).__name__}: {error}"


def _misplaced(run: Execution, record: Path) -> str | None:
    """What is wrong if results lie where they would not be kept, or cannot be known: they would be lost in silence."""
    folder = run.chapter.edition.results.resolve()
    try:
        outside = [file for file in read_record(record).results if not file.is_relative_to(folder)]
    except ValueError as error:
        return f"it left notes that cannot be read ({error})"
    return f"it wrote {outside[0]}, which is not below {folder}, where results are kept" if outside else None


def _verdict(run: Execution) -> str:
    if run.failure is None:
        return f"{run.chapter.name}: done in {clock(run.seconds or 0)}."
    kept = f"\n  What ran is in {run.chapter.failed}" if run.chapter.failed.is_file() else ""
    return f"{run.chapter.name} FAILED {run.failure}{kept}"


def _environment(chapter: Chapter, folder: Path, record: Path, share: Share) -> dict[str, str]:
    """The environment of a chapter: the build's own Python, its share of the processors, and a place for what passes.

    Jupyter writes into the system's temporary folder, which nobody cleans after a kill; so that is ours.
    """
    shares = dict.fromkeys((lending.SHARE, "NUMBA_NUM_THREADS"), str(share.threads))
    shares[lending.VARIABLE] = str(share.idle)
    passing = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    return {**shares, **environment_of(chapter.edition.executed), **passing, VARIABLE: str(record)}


def _supervised(run: Execution, output: Path, environment: dict[str, str]) -> str | None:
    """Start the worker, follow what it tells, and say how it failed, if it did.

    The worker's standard input is a pipe from this process: it ends itself when the pipe closes, however this
    process ends, so no chapter goes on unwatched.
    """
    chapter = run.chapter
    command = [sys.executable, "-m", "hyperlib.press.worker"]
    command += [str(chapter.edition.root), chapter.name, chapter.edition.profile, str(output)]
    log = output.with_suffix(".log")
    with log.open("w", encoding="utf-8") as errors, _started(command, errors, environment) as run.process:
        if run.stopped:  # while the process started, so that `_stop` saw none
            _stop(run)
        last = _follow(run, run.process.stdout or ())
        code = run.process.wait()
    last_words = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    log.unlink(missing_ok=True)
    if "failed" in last:
        return f"{last['failed']['cell']}: {last['failed']['error']}"
    if code or "done" not in last:
        return f"before it could say why (exit code {code}): {' '.join(last_words) or 'no message'}"
    return None


def _started(command: list[str], errors: TextIO, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        encoding="utf-8",
        env=environment,
        start_new_session=True,  # an interrupt reaches this process, which ends its workers in order
    )


def _follow(run: Execution, lines: Iterable[str]) -> dict[str, Any]:
    """Read the worker's lines until it ends; the last one says how."""
    last: dict[str, Any] = {}
    for line in lines:
        try:
            last = decoded(line, dict[str, Any], "the worker's line")
        except Damaged:
            continue  # something a library printed
        if "cell" in last:
            run.cell = (last["cell"], last["of"])
    return last


def _keep(run: Execution, output: Path, record: Path, ingredients: Ingredients) -> None:
    """Move the notebook to its place, then write what it was made from: in this order a kill is safe."""
    chapter, notes = run.chapter, read_record(record)
    results, root = chapter.edition.results.resolve(), chapter.edition.root.resolve()
    facts = Facts(
        chapter=chapter.name,
        profile=chapter.edition.profile,
        ingredients=ingredients,
        notebook=text_checksum(output) or "",
        seconds=round(time.monotonic() - run.started, 1),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        seeds=notes.seeds,
        models=notes.models,
        results=_files({file: text_checksum(file) for file in notes.results}, results),
        sources=_files(notes.sources, root),
    )
    flush(output)
    os.replace(output, chapter.executed)
    flush_folder(chapter.executed.parent)
    write_json(chapter.sidecar, asdict(facts))


def _files(files: dict[Path, str | None], folder: Path) -> list[File]:
    """Path and checksum of those files that lie below the folder."""
    inside = {file: checksum for file, checksum in files.items() if file.is_relative_to(folder)}
    return [File(file.relative_to(folder).as_posix(), checksum) for file, checksum in inside.items()]


def _stop(run: Execution) -> None:
    """End a worker that still runs: closing its input tells it, and ten seconds are enough."""
    process = run.process
    if process is None or process.poll() is not None:
        return
    if process.stdin is not None:
        process.stdin.close()
    for _ in range(100):
        if process.poll() is not None:
            return
        threading.Event().wait(0.1)
    process.kill()
