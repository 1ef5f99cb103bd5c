"""Calls that do not depend on each other, such as the trials of a sweep: in processes here, or on a Ray cluster.

On a cluster every machine needs the same environment, and the folders of the caller's store and images
(`HYPERLIB_STORE`, `HYPERLIB_DATA`) to be shared by all: what a machine does not find there it makes again. Results come
back to the caller, who writes them down as they come.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import torch

from hyperlib.files.cluster import cluster

Calls = Mapping[Hashable, tuple[Any, ...]]


def add_ray(parser: ArgumentParser) -> None:
    """The option of a command that says where its trials run."""
    parser.add_argument("--ray", nargs="?", const="", metavar="ADDRESS",
                        help="on a Ray cluster: at ADDRESS, or of RAY_ADDRESS, else of this machine")  # fmt: skip


def sweep(
    function: Callable[..., Any],
    calls: Calls,
    take: Callable[[Any, Any], None],
    *,
    jobs: int = 1,
    ray: str | None = None,
    gpus: float = 0,
) -> None:
    """Call `function(*arguments)` for each of `calls`, and `take(name, result)` as soon as one is done.

    jobs: processes side by side, here or on a cluster of this machine alone. ray: no cluster (None), that at an
    address, or ("") the one that `cluster` finds; a call lost with its machine is done again there. gpus: of each call,
    on a cluster.

    What a call raises is raised here, and ends the others; so does Ctrl-C.
    """
    if ray is not None:
        with cluster(ray or None, cores=jobs) as there:
            there.run(function, calls, take, gpus=gpus)
        return
    with ProcessPoolExecutor(jobs, torch.multiprocessing.get_context("spawn")) as pool:
        try:
            tasks = {pool.submit(function, *arguments): name for name, arguments in calls.items()}
            for task in as_completed(tasks):
                take(tasks[task], task.result())
        except BaseException:
            for process in list(pool._processes.values()):  # Python 3.14 has `terminate_workers` for it
                process.terminate()
            pool.shutdown(cancel_futures=True)
            raise
