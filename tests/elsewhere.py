"""Other processes for tests: forked by a server that has imported the library once; started anew where none can fork.

A start of Python with PyTorch and pandas takes seconds, what the tests do there mostly less. The server is no copy of
the test's process: it has only imported.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.process import BaseProcess
from typing import TypeVar

Result = TypeVar("Result")

_FORKS = "forkserver" in multiprocessing.get_all_start_methods()
CONTEXT = multiprocessing.get_context("forkserver" if _FORKS else "spawn")
CONTEXT.set_forkserver_preload(
    ["hyperlib.zoos.population", "hyperlib.representations.hyper_rep", "torch._dynamo"]  # the last: by any optimiser
)


def started(function: Callable[..., object], *arguments: object) -> BaseProcess:
    """A new process that runs the function, found there by its module and name."""
    process = CONTEXT.Process(target=function, args=arguments, daemon=True)
    process.start()
    return process


def elsewhere(function: Callable[..., Result], *arguments: object) -> Result:
    """What the function gives in a new process; what it raises there is raised here."""
    with ProcessPoolExecutor(1, mp_context=CONTEXT) as pool:
        return pool.submit(function, *arguments).result()
