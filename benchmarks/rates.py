"""Microseconds per image of every architecture on one core: what the cost estimate of a zoo multiplies.

All through `train_population` with engine "auto": a job without an epoch only evaluates; what more epochs take on top
is training and one evaluation of the train split each. Images are random numbers of the right shape.
"""

from __future__ import annotations

from functools import partial

import pandas as pd
from clock import Contestant, measured, say, threads
from settings import Options, random_images

from hyperlib import Images, grid, train_population
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.architectures import ARCHITECTURES, LARGE_ARCHITECTURES, architecture
from hyperlib.weightspace.work import Work, multiply_adds

BATCHES = (32, 10)  # ours, and the thesis's
TRAIN = 640  # images at most, and four times as many to evaluate
BUDGET = 1.5e9  # multiply-adds of one measurement; of large networks, which see fewer images, some times as many


def architectures(options: Options) -> pd.DataFrame:
    """One row per architecture: multiply-adds, microseconds per evaluated and per training image (by batch)."""
    names = list(ARCHITECTURES)[:2] if options.quick else [*ARCHITECTURES, *LARGE_ARCHITECTURES]
    rows = []
    for name in names:
        say(f"  {name}")
        network = architecture(name)
        work = multiply_adds(network)
        sizes = {"weights": network.num_weights, "forward": work.forward, "training": work.training}
        with threads(1):
            rows.append({"architecture": name} | sizes | _rates(network, work, options))
    return pd.DataFrame(rows)


def _rates(network: Architecture, work: Work, options: Options) -> dict[str, float]:
    models, epochs, train = (2, 1, 32) if options.quick else _sizes(work)
    test = 4 * train
    tests = random_images(network.image, 1, test, network.num_classes)
    trains = random_images(network.image, train, 1, network.num_classes)
    nothing = partial(_grow, network, models=models, epochs=0)
    jobs = {"evaluate": partial(nothing, tests), "none": partial(nothing, trains)}
    jobs |= {str(batch): partial(nothing, trains, epochs=epochs, batch_size=batch) for batch in BATCHES}
    contestants = [Contestant(name, 1, job, partial(job, models=min(models, 8))) for name, job in jobs.items()]
    seconds = {name: times.wall for name, times in measured(contestants, options.repetitions).items()}
    evaluate = seconds["evaluate"] / (models * (test + 1))
    rates = {"evaluate_us": 1e6 * evaluate}
    for batch in BATCHES:
        an_epoch = (seconds[str(batch)] - seconds["none"]) / (models * epochs)
        rates[f"train_us_batch_{batch}"] = 1e6 * (an_epoch - evaluate * (train + 1)) / train
    return rates


def _sizes(work: Work) -> tuple[int, int, int]:
    """Models, epochs and training images of one measurement: many small networks, a large one on few images."""
    train = min(max(round(8 * BUDGET / work.training), max(BATCHES)), TRAIN)
    if train < TRAIN:
        return 1, 1, train
    models = min(max(round(BUDGET / (work.training * train)), 8), 256)
    return models, min(max(round(BUDGET / (work.training * train * models)), 1), 8), train


def _grow(network: Architecture, images: Images, *, models: int, epochs: int, batch_size: int = 32) -> None:
    design = grid(seeds=models)
    train_population(network, images, design, epochs=epochs, batch_size=batch_size, engine="auto", progress=False)
