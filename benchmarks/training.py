"""Model-epochs per second of every engine and of the plain loops, as ratios against "plain loop".

The engines also evaluate both splits before the first epoch and the train split after the last one, which counts
against them. "plain loop, same measures" evaluates it after every epoch, as an engine with `clean="all"` does; both are
shown beside.
"""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.connection import Connection

import pandas as pd
import torch
from clock import Contestant, measured, say, threads
from plain import all_at_once, plain_loop, processes
from settings import FASTEST, Options, Setting, settings

from hyperlib import Images, grid, train_population
from hyperlib.files.cost import cores
from hyperlib.zoos.engines.choice import ENGINES

BASELINE = "plain loop"


def training(options: Options) -> pd.DataFrame:
    """One row per network and contestant: rates per processor second and per wall second, with ratios."""
    with processes(cores(), options.quick) as pipes:
        tables = [_of(setting, pipes, options) for setting in settings(options)]
    return pd.concat(tables, ignore_index=True)


def _of(setting: Setting, pipes: list[Connection], options: Options) -> pd.DataFrame:
    """The rows of one network; a model-epoch of the baseline is 1 in the ratios."""
    say(f"  {setting.network}")
    images = setting.images(options.quick)
    contestants = [*_plain(setting, images), _all_cores(setting, pipes), *_engines(setting, images)]
    times = measured(contestants, options.repetitions)
    table = pd.DataFrame({"network": setting.network, "contestant": one.name} for one in contestants)
    table["images"] = setting.image_set
    table["train_images"], table["test_images"] = len(images.train_x), len(images.test_x)
    for column, clock in (("per_cpu_s", "processor"), ("per_s", "wall")):
        table[column] = [one.work / getattr(times[one.name], clock) for one in contestants]
        table[f"{column}_ratio"] = table[column] / table.loc[table["contestant"] == BASELINE, column].item()
    return table


def train(
    setting: Setting, images: Images, models: int, engine: str, epochs: int, cores: int | None = None,
    clean: str = "last",
) -> None:  # fmt: skip
    """One job of an engine, silent; `cores` threads, all without."""
    with threads(cores or torch.get_num_threads()):
        how = {"epochs": epochs, "engine": engine, "clean": clean, "progress": False}
        train_population(setting.architecture, images, grid(seeds=models), **how)


def _plain(setting: Setting, images: Images) -> list[Contestant]:
    def loop(models: int, same_measures: bool) -> Callable[[], None]:
        def action() -> None:
            with threads(1):
                plain_loop(setting.architecture, images, models, same_measures)

        return action

    kinds = {BASELINE: False, f"{BASELINE}, same measures": True}
    return [
        Contestant(name, setting.plain_models, loop(setting.plain_models, same), loop(1, same))
        for name, same in kinds.items()
    ]


def _all_cores(setting: Setting, pipes: list[Connection]) -> Contestant:
    models = setting.plain_models
    return Contestant(
        f"{BASELINE}, all cores",
        models * len(pipes),
        lambda: all_at_once(pipes, setting.network, models),
        lambda: all_at_once(pipes, setting.network, 1),
    )


def _engines(setting: Setting, images: Images) -> list[Contestant]:
    def contestant(name: str, engine: str, cores: int | None, clean: str = "last") -> Contestant:
        models = setting.models(engine)
        return Contestant(
            name,
            models * setting.epochs,
            lambda: train(setting, images, models, engine, setting.epochs, cores, clean),
            lambda: train(setting, images, min(models, 8), engine, 1, cores, clean),
        )

    named = [contestant(engine, engine, None) for engine in ("torch", "numba") if engine in ENGINES]
    named.append(contestant(f"{FASTEST}, all clean", FASTEST, None, "all"))
    return [*named, contestant(f"{FASTEST}, 1 thread", FASTEST, 1)]
