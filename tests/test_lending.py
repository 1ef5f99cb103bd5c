"""Cores that are idle in one process of a build are used by another, and come back."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from hyperlib.files.lending import SHARE, VARIABLE, borrowed, lent, offer, share_out
from hyperlib.files.locking import held


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setenv(SHARE, "2")
    return tmp_path


def test_without_a_build_nothing_is_lent_or_borrowed(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with lent(), borrowed() as there:
        assert not there


def test_a_core_is_borrowed_once_at_a_time_and_while_it_is_lent(folder) -> None:
    with borrowed() as there:
        assert not there
    with lent():
        with borrowed() as first, borrowed() as second, borrowed() as third:
            assert (first, second, third) == (True, True, False)
        with borrowed() as again:
            assert again
    with borrowed() as there:
        assert not there
    assert not list(folder.glob("*.core"))


def test_who_waits_for_a_lock_lends_meanwhile(folder, tmp_path) -> None:
    lock, seen, ready, go = tmp_path / "some.lock", [], threading.Event(), threading.Event()

    def waits() -> None:
        with held(lock, lambda who: ready.set()):
            go.set()

    with held(lock, lambda who: None):
        other = threading.Thread(target=waits)
        other.start()
        assert ready.wait(5)
        until = time.monotonic() + 5
        while not seen and time.monotonic() < until:
            with borrowed() as there:
                seen += [there] if there else []
    other.join()
    assert seen and go.is_set() and not list(folder.glob("*.core"))


@pytest.mark.parametrize("lends, most", [(0, 1), (1, 2), (5, 3)])
def test_tasks_are_each_done_once_on_own_cores_and_those_lent(folder, lends, most) -> None:
    offer(folder, lends)
    done, now, highest, lock = [], 0, 0, threading.Lock()

    def do(task: int, stopped) -> None:
        nonlocal now, highest
        with lock:
            now += 1
            highest = max(highest, now)
        time.sleep(0.05)
        with lock:
            now -= 1
            done.append(task)
        assert not stopped()

    share_out(range(12), do, own=1, more=2)
    assert sorted(done) == list(range(12)) and highest == most


def test_a_task_that_fails_ends_the_others(folder) -> None:
    offer(folder, 1)
    ended = []

    def do(task: int, stopped) -> None:
        if task == 0:
            time.sleep(0.1)
            raise ValueError("task 0")
        while not stopped():
            time.sleep(0.01)
        ended.append(task)

    with pytest.raises(ValueError, match="task 0"):
        share_out(range(10), do, own=2, more=1)
    assert len(ended) in (1, 2)
