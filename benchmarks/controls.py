"""What controls cost: `run_probes(..., controls=n)` against the same probes of the same features without controls.

The features are W and the embedding of an untrained encoder, which costs what a trained one costs; controls get as many
random features as it has. Both are read by a linear probe and by one beside the clock, for accuracy, epoch and gap. The
zoos are grown for it, with a seed and a learning rate per model. Seconds are of the processor, on one core.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pandas as pd
from clock import Contestant, measured, say, threads
from settings import SETTINGS, Options, Setting

from hyperlib import HyperRep, RawWeights, grid, run_probes, train_population
from hyperlib.zoos.zoo import Samples

NETWORKS = {"Tetris MLP": 300, "digits CNN 8x8": 100}  # models of a zoo
EPOCHS = 10
PROBES, TARGETS = ("linear", "beside the clock"), ("test_accuracy", "epoch", "gap")
WITHOUT = "without"


def controls(options: Options) -> pd.DataFrame:
    """One row per zoo: `networks` that are embedded, `without_s` and `with_s`, and how many times as long (`ratio`)."""
    rows = []
    with threads(1):
        for name, models in list(NETWORKS.items())[: 1 if options.quick else None]:
            say(f"  {name}")
            parts = grown(SETTINGS[name], 20 if options.quick else models, 2 if options.quick else EPOCHS)
            sides = [Contestant(side, 1, job, job) for side, job in jobs(parts).items()]
            times = {side: time.processor for side, time in measured(sides, options.repetitions).items()}
            plain, whole = times[WITHOUT], times["with"]
            rows.append((name, sum(map(len, parts)), plain, whole, whole / plain))
    return pd.DataFrame(rows, columns=["network", "networks", "without_s", "with_s", "ratio"])


def grown(setting: Setting, models: int, epochs: int) -> list[Samples]:
    """Training, validation and test checkpoints of a zoo of its own."""
    design = grid(seeds=models // 2, lr=[1e-3, 3e-3])
    zoo = train_population(setting.architecture, setting.images(), design, epochs=epochs, progress=False)
    return [part.samples() for part in zoo.split()]


def jobs(parts: list[Samples]) -> dict[str, Callable[[], None]]:
    """The probes without controls and with them."""
    encoder = HyperRep(parts[0].architecture, steps=0).fit(parts[0])
    features = {"W": RawWeights(), "untrained": encoder}
    return {
        WITHOUT: partial(_probe, features, parts, None),
        "with": partial(_probe, features, parts, encoder.dimensions_),
    }


def _probe(features: dict[str, RawWeights | HyperRep], parts: list[Samples], count: int | None) -> None:
    run_probes(features, *parts, TARGETS, PROBES, controls=count)
