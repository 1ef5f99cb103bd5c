"""What sparse twins cost beside training of whole networks: masks, and variational dropout, compiled and in PyTorch.

Model-epochs per second of the processor, on one core, evaluation included; the baseline is the same zoo trained on
whole by the compiled engine.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pandas as pd
from clock import Contestant, measured, repeated, say, threads
from settings import SETTINGS, Options, Setting

from hyperlib import grid, train_population
from hyperlib.images.images import Images
from hyperlib.zoos.twins import magnitude_twins, variational_twins
from hyperlib.zoos.zoo import Zoo

NETWORKS = ("digits CNN 8x8", "small CNN 28x28")


def twins(options: Options) -> pd.DataFrame:
    """Rows of (network, work): model-epochs per second of the processor, and `ratio`, to whole networks trained on."""
    rows = []
    with threads(1):
        for name in NETWORKS[: 1 if options.quick else None]:
            say(f"  {name}")
            setting = SETTINGS[name]
            works = _works(setting, setting.images(options.quick), options.quick)
            jobs = {work: repeated(once) for work, (once, _) in works.items()}
            contestants = [Contestant(work, 1, job, job) for work, job in jobs.items()]
            times = {work: time.processor for work, time in measured(contestants, options.repetitions).items()}
            rates = {work: count / times[work] for work, (_, count) in works.items()}
            rows += [(name, work, rate, rate / rates["whole"]) for work, rate in rates.items()]
    return pd.DataFrame(rows, columns=["network", "work", "per_cpu_s", "ratio"])


def _works(setting: Setting, images: Images, quick: bool) -> dict[str, tuple[Callable[[], Zoo], int]]:
    """What is done, and how many model-epochs that is."""
    epochs = 1 if quick else 2
    how = {"progress": False, "epochs": epochs}
    zoos = {
        engine: train_population(
            setting.architecture, images, grid(seeds=2 if quick else setting.models(engine)), epochs=1, progress=False
        )
        for engine in ("numba", "torch")
    }
    fast, few = zoos["numba"], zoos["torch"]
    noise = partial(variational_twins, rate=0.01, **how)
    return {
        "whole": (partial(train_population, setting.architecture, images, fast.design, **how), len(fast) * epochs),
        "masks": (partial(magnitude_twins, fast, images, 0.8, **how), len(fast) * epochs),
        "variational dropout": (partial(noise, fast, images), len(fast) * epochs),
        "variational dropout, PyTorch": (partial(noise, few, images, engine="torch"), len(few) * epochs),
    }
