"""Timing: contestants take turns, so that a machine that slows down slows all of them, and medians count.

Two clocks: wall time, which a reader waits for, and processor time over all threads and processes, which hardly moves
when the machine has other things to do.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Contestant:
    """One way to do a piece of work; `action` gives processor seconds spent outside of this process, or None."""

    name: str
    work: float  # how much is done in one call, in whatever unit the table has
    action: Callable[[], float | None]
    warm_up: Callable[[], object]  # builds what later calls reuse: compiled code, buffers, caches


@dataclass(frozen=True)
class Times:
    """Medians over the repetitions, in seconds."""

    wall: float
    processor: float


def measured(contestants: list[Contestant], repetitions: int) -> dict[str, Times]:
    """Median times of every contestant; they take turns within a repetition."""
    for contestant in contestants:
        contestant.warm_up()
    taken: dict[str, list[Times]] = {contestant.name: [] for contestant in contestants}
    for _ in range(repetitions):
        for contestant in contestants:
            taken[contestant.name].append(timed(contestant.action))
    return {name: Times(_median(times, "wall"), _median(times, "processor")) for name, times in taken.items()}


def timed(action: Callable[[], float | None]) -> Times:
    """Wall and processor seconds of one call."""
    wall, processor = time.perf_counter(), time.process_time()
    elsewhere = action() or 0.0
    return Times(time.perf_counter() - wall, time.process_time() - processor + elsewhere)


def repeated(action: Callable[[], object], times: int = 1) -> Callable[[], None]:
    """The action so many times, without its result, which would be taken for seconds."""

    def run() -> None:
        for _ in range(times):
            action()

    return run


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run with so many torch threads, which is also the number of workers of the engines."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def in_a_process(script: str, *arguments: object, **environment: str) -> dict[str, float]:
    """Run a script of this folder in a process of its own and read the JSON object that it prints last.

    Raises RuntimeError with its last words if it fails.
    """
    command = [sys.executable, str(Path(__file__).with_name(script)), *map(str, arguments)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{script} failed: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def say(line: str) -> None:
    """A line of progress, beside the tables that go to stdout."""
    print(line, file=sys.stderr, flush=True)


def _median(times: list[Times], clock: str) -> float:
    return statistics.median(getattr(one, clock) for one in times)
