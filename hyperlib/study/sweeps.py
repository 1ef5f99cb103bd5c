"""Calls that do not depend on each other, such as the trials of a sweep: in processes here, or on a Ray cluster.

On a cluster every machine needs the same environment, and the folders of the caller's store and images
(`HYPERLIB_STORE`, `HYPERLIB_DATA`) to be shared by all: what a machine does not find there it makes again. Results come
back to the caller, who writes them down as they come.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import torch

from hyperlib.files.cluster import cluster, raised
from hyperlib.files.ending import left_to_us

Calls = Mapping[Hashable, tuple[Any, ...]]


def add_ray(parser: ArgumentParser) -> None:
    """The option of a command that says where its trials run."""
    parser.add_argument("--ray", nargs="?", const="", metavar="ADDRESS",
                        help="on a Ray cluster: at ADDRESS, or of RAY_ADDRESS, else of this machine")  # fmt: skip


def sweep(
    function: Callable[..., Any],
    calls: Calls,
    take: Callable[[Any, Any], None],
    miss: Callable[[Any, Exception], None] = raised,
    *,
    jobs: int = 1,
    ray: str | None = None,
    gpus: float = 0,
) -> None:
    """Call `function(*arguments)` for each of `calls`, and `take(name, result)` as soon as one is done.

    jobs: processes side by side, here or on a cluster of this machine alone. ray: no cluster (None), that at an
    address, or ("") the one that `cluster` finds; a call lost with its machine is done again there. gpus: of each call,
    on a cluster.

    What a call raises, or that it was lost with its process, goes to `miss(name, error)`, and the others go on; without
    `miss` it is raised here, and ends the others. So does Ctrl-C.
    """
    if ray is None:
        _side_by_side(function, calls, take, miss, jobs)
        return
    print("Starting Ray ...", flush=True)
    with cluster(ray or None, cores=jobs) as there:
        there.run(function, calls, take, miss, gpus=gpus)


def _side_by_side(
    function: Callable[..., Any],
    calls: Calls,
    take: Callable[[Any, Any], None],
    miss: Callable[[Any, Exception], None],
    jobs: int,
) -> None:
    """Each of the jobs has a process of its own, so that one that is killed takes no other call with it."""
    waiting, running = list(calls.items()), dict[Future[Any], tuple[Hashable, ProcessPoolExecutor]]()
    free = [_process() for _ in range(jobs)]
    try:
        while waiting or running:
            while waiting and free:
                (name, arguments), one = waiting.pop(0), free.pop()
                with left_to_us():
                    running[one.submit(function, *arguments)] = name, one
            for done in wait(running, return_when=FIRST_COMPLETED)[0]:
                name, one = running.pop(done)
                error = done.exception()
                free.append(_process() if isinstance(error, BrokenProcessPool) else one)
                if isinstance(error, Exception):
                    miss(name, error)
                else:
                    take(name, done.result())
    finally:
        for _, one in running.values():
            for process in list((one._processes or {}).values()):  # Python 3.14 has `terminate_workers` for it
                process.terminate()
        for one in [*free, *(one for _, one in running.values())]:
            one.shutdown(cancel_futures=True)


def _process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, torch.multiprocessing.get_context("spawn"))
