"""What goes wrong around a chapter is its own failure, told at once, and a stopped build starts no other chapter."""

from __future__ import annotations

import errno
import time

import pytest
from small_book import make_book

from hyperlib.press import execute as executing
from hyperlib.press.edition import Chapter, Edition
from hyperlib.press.execute import Execution, execute

ADDS = "# %%\n1 + 1\n"
SLEEPS = "# %%\nimport time\ntime.sleep(60)\n"


def stop(run: Execution) -> None:
    """As `execute` does it."""
    run.stopped = True
    executing._stop(run)


def slow_run(folder) -> Execution:
    (chapter,) = Edition(make_book(folder, slow=SLEEPS), "quick").chapters()
    return Execution(chapter, "as asked", None)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SystemError("AST recursion depth"), "SystemError: AST recursion depth"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full; free some space"),
    ],
)
@pytest.mark.slow
def test_a_fault_outside_of_the_cells_is_told_at_once_and_the_others_go_on(tmp_path, monkeypatch, error, words):
    found = Chapter.ingredients

    def fail(chapter):
        if chapter.name == "notebooks/bad":
            raise error
        return found(chapter)

    monkeypatch.setattr(Chapter, "ingredients", fail)
    said: list[str] = []
    runs = execute(Edition(make_book(tmp_path / "clone", bad=ADDS, good=ADDS), "quick"), say=said.append)
    failures = {run.chapter.name: run.failure for run in runs}
    assert failures["notebooks/good"] is None
    assert failures["notebooks/bad"].startswith(f"outside of its cells: {words}")
    told = " ".join(said)
    assert 0 < told.index("notebooks/bad FAILED outside of its cells") < told.index("notebooks/good: done")


def test_a_chapter_that_is_stopped_before_its_process_starts_none(tmp_path, monkeypatch):
    run = slow_run(tmp_path / "clone")
    monkeypatch.setattr(Chapter, "ingredients", lambda _: stop(run))
    monkeypatch.setattr(executing, "_started", lambda *_: pytest.fail("a worker was started"))
    share = executing.Share(1, tmp_path, [run])
    executing._run(run, share, time.monotonic(), lambda _: pytest.fail("something was said"))
    assert run.stopped and run.failure is None


def test_a_chapter_that_is_stopped_while_its_process_starts_ends_it(tmp_path, monkeypatch):
    run, starts, said = slow_run(tmp_path / "clone"), executing._started, []

    def stopped_meanwhile(*arguments):
        process = starts(*arguments)
        assert run.process is None
        stop(run)
        return process

    monkeypatch.setattr(executing, "_started", stopped_meanwhile)
    executing._run(run, executing.Share(1, tmp_path, [run]), time.monotonic(), said.append)
    assert run.process.returncode and run.seconds < 40
    assert len(said) == 1 and "started" in said[0], "a stopped chapter has not failed"
    assert not run.chapter.failed.exists()
