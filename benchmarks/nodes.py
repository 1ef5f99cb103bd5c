"""One job on a Ray cluster of one and of two local nodes with one core each, and without a cluster on one core.

The nodes take turns: within a repetition the second one joins after the first was timed alone, and leaves again.
Workers are started and warm before anything is timed. The same job without an epoch, on few images, is what a job costs
besides training: handing blocks out, and putting their results in place.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
from clock import say, threads, timed
from settings import SETTINGS, Options

from hyperlib import grid, train_population
from hyperlib.zoos.job import checked_job

MODELS, EPOCHS = 1024, 8
_HEAD = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": 256 * 2**20}  # bytes


def nodes(options: Options) -> pd.DataFrame:
    """One row per number of nodes (0: no cluster): seconds of the job, of an empty one, times as fast as one node."""
    models, epochs = (4, 1) if options.quick else (MODELS, EPOCHS)
    setting = SETTINGS["digits CNN 8x8"]
    images, design = setting.images(options.quick), grid(seeds=models)
    job = checked_job(setting.architecture, images, design, epochs, 32, None, 0, "auto", None)
    blocks, load = len(list(job.blocks())), os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")

    def run(engine: str, images: Any = images, epochs: int = epochs) -> float:
        def action() -> None:
            train_population(setting.architecture, images, design, epochs=epochs, engine=engine, progress=False)

        with threads(1):
            return timed(action).wall

    few, taken = images.subset(train=2, test=2), {count: ([], []) for count in range(3)}
    run("auto", few, 0)
    with _cluster() as (made, settle):
        for repetition in range(options.repetitions):
            say(f"  repetition {repetition + 1}")
            for count in range(3):
                if count:
                    newest = made.add_node(num_cpus=1, object_store_memory=_HEAD["object_store_memory"])
                    settle(count)
                    run("ray", few, 0)  # workers start
                    run("ray", few, 0)
                engine = "ray" if count else "auto"
                taken[count][0].append(run(engine))
                taken[count][1].append(run(engine, few, 0))
                if count == 1:
                    oldest = newest
            made.remove_node(newest, allow_graceful=False)
            made.remove_node(oldest, allow_graceful=False)
            settle(0)
    medians = {count: [statistics.median(times) for times in both] for count, both in taken.items()}
    known = {"network": setting.network, "models": models, "epochs": epochs, "blocks": blocks, "load": load}
    return pd.DataFrame(
        known | {"nodes": count, "seconds": seconds, "empty_s": empty, "speedup": medians[1][0] / seconds}
        for count, (seconds, empty) in medians.items()
    )


@contextmanager
def _cluster() -> Iterator[tuple[Any, Any]]:
    """A local cluster whose head has no core, connected to; and what waits until it has so many cores."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args=_HEAD)
    ray.init(address=made.address, logging_level="ERROR")

    def settle(cores: int) -> None:
        while round(ray.cluster_resources().get("CPU", 0)) != cores:
            time.sleep(0.1)

    try:
        yield made, settle
    finally:
        ray.shutdown()
        made.shutdown()
