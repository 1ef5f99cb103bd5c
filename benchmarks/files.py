"""Speed of a zoo's files against what one would write without the library: one `torch.save` per model and epoch.

Both sides hold the same weights of the small CNN, read from the page cache of the same disk in the same rounds. A zoo
also writes its table, its card and its checksums, and verifies them when it is loaded; the other side does none of
this, and its state dicts lie ready before the clock starts. Source: our choice.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from hyperlib import Zoo, grid, small_cnn
from hyperlib.zoos.evaluation import PROPERTIES

ACCESSES = 200  # random places read one by one in each round
ACTIONS = ("write", "load all", "one checkpoint", "one checkpoint, by name")
States = dict[tuple[int, int], dict[str, Tensor]]


def files(repetitions: int, models: int = 200, epochs: int = 26) -> pd.DataFrame:
    """Seconds to write a zoo, to load all of it, and to read one checkpoint at a random place.

    One checkpoint is the median over 200 (model, epoch) places drawn anew in each round and read one by one, from a
    zoo loaded once before: as one vector, or (by name) as the named tensors that `torch.load` gives too. Medians over
    `repetitions` rounds, after one that only warms up; a round begins with each side in turn.

    Returns one row per action with `zoo_s`, `one_file_per_checkpoint_s` and their `ratio`.
    """
    zoo = _random_zoo(models, epochs)
    states = _states(zoo)
    rounds = pd.DataFrame([_round(zoo, states, number) for number in range(repetitions + 1)][1:])
    table = pd.DataFrame({"action": ACTIONS})
    for side in ("zoo", "one_file_per_checkpoint"):
        table[f"{side}_s"] = [rounds[action, side].median() for action in ACTIONS]
    return table.assign(ratio=table["one_file_per_checkpoint_s"] / table["zoo_s"])


def _random_zoo(models: int, epochs: int) -> Zoo:
    """Random weights, with a table as wide as a trained zoo's."""
    network, generator = small_cnn(), np.random.default_rng(0)
    design = grid(seeds=models).assign(model=np.arange(models))
    table = design.loc[design.index.repeat(epochs)].assign(epoch=np.tile(np.arange(epochs), models), diverged=False)
    table = table.assign(**{name: generator.random(len(table)) for name in PROPERTIES})
    shape = models, epochs, network.layout.size
    return Zoo(network, torch.from_numpy(generator.standard_normal(shape, dtype=np.float32)), table)


def _states(zoo: Zoo) -> States:
    """Every checkpoint as a state dict of its own memory, as an ordinary network's is."""
    layout, (models, epochs) = zoo.architecture.layout, zoo.weights.shape[:2]
    return {
        (model, epoch): {name: part.clone() for name, part in layout.unflatten(zoo.weights[model, epoch]).items()}
        for model in range(models)
        for epoch in range(epochs)
    }


def _round(zoo: Zoo, states: States, number: int) -> dict[tuple[str, str], float]:
    """Seconds of every (action, side) once."""
    with tempfile.TemporaryDirectory() as folder:
        sides = {
            "zoo": lambda: _zoo_seconds(zoo, Path(folder) / "zoo", number),
            "one_file_per_checkpoint": lambda: _files_seconds(states, Path(folder) / "files", number),
        }
        order = sorted(sides, reverse=number % 2 == 0)
        return {(action, side): value for side in order for action, value in sides[side]().items()}


def _zoo_seconds(zoo: Zoo, folder: Path, seed: int) -> dict[str, float]:
    write = _seconds(lambda: zoo.save(folder))
    load = _seconds(lambda: Zoo.load(folder).weights.sum())  # the sum reads what is only mapped so far
    loaded, unflatten = Zoo.load(folder), zoo.architecture.layout.unflatten
    places = _places(*zoo.weights.shape[:2], seed)
    vector = _median_seconds(lambda place: loaded.weights[place].clone(), places)
    named = _median_seconds(lambda place: unflatten(loaded.weights[place].clone()), places)
    return dict(zip(ACTIONS, (write, load, vector, named), strict=True))


def _files_seconds(states: States, folder: Path, seed: int) -> dict[str, float]:
    folder.mkdir()
    path = {(model, epoch): folder / f"{model}-{epoch}.pt" for model, epoch in states}
    write = _seconds(lambda: [torch.save(state, path[place]) for place, state in states.items()])
    load = _seconds(lambda: [torch.load(file, weights_only=True) for file in path.values()])
    last_model, last_epoch = max(states)
    places = _places(last_model + 1, last_epoch + 1, seed)
    one = _median_seconds(lambda place: torch.load(path[place], weights_only=True), places)
    return dict(zip(ACTIONS, (write, load, one, one), strict=True))


def _places(models: int, epochs: int, seed: int) -> list[tuple[int, int]]:
    """Random (model, epoch) places, each at most once."""
    chosen = np.random.default_rng(seed).permutation(models * epochs)[:ACCESSES]
    return [divmod(int(place), epochs) for place in chosen]


def _seconds(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def _median_seconds(action: Callable[[tuple[int, int]], object], places: list[tuple[int, int]]) -> float:
    return statistics.median(_seconds(lambda place=place: action(place)) for place in places)
