"""Representations by name: trained on the parts of zoos, several at a time, and kept in the store.

An entry's key holds the recipe, the repeat and the entries of its zoos (and with them all that decided these), so
another zoo means another representation. Repeat 0 has seed 0 and the first split, repeat 1 the next seed and the next
split, and so on: two repeats differ in both, as two studies would. Each training has one core; a second one, where
there is one, takes the next in line.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from hyperlib.files.tensors import checksum as tensor_checksum
from hyperlib.representations.cores import one_core
from hyperlib.representations.hyper_rep import HyperRep
from hyperlib.representations.sane import Sane
from hyperlib.store.record import heard, record_progress, record_seeds
from hyperlib.study.aligned import alignable, aligned_parts, comparable_parts
from hyperlib.study.queries import queries_of
from hyperlib.study.study import CHECKPOINTS, FIRST_SPLIT, Study
from hyperlib.thesis.book_representations import RepresentationRecipe, representation_recipe
from hyperlib.thesis.book_sane import SaneRecipe
from hyperlib.zoos.zoo import Samples

_FILE = "representation.safetensors"

Recipe = RepresentationRecipe | SaneRecipe
Which = str | Recipe
Parts = tuple[Samples, Samples, Samples]


def representation(study: Study, which: Which, repeat: int = 0) -> HyperRep | Sane:
    """The representation of that name or recipe, trained now on the training part of its zoo if the store lacks it.

    A killed training goes on where it stopped. `repeat` is the seed of its initial weights, batches and views, and the
    number of the zoo's split. Raises ValueError for a name without a recipe.
    """
    return representations(study, [(which, repeat)])[0]


def representations(study: Study, wanted: Iterable[tuple[Which, int]]) -> list[HyperRep | Sane]:
    """Several (which, repeat), in the same order; as many train side by side as torch has threads, one core each."""
    wanted = list(wanted)
    recipes = [representation_recipe(one, study.profile) if isinstance(one, str) else one for one, _ in wanted]
    for zoo in dict.fromkeys(zoo for recipe in recipes for zoo in recipe.zoos):  # one after the other, on all cores
        study.zoo(zoo)
    stop, cores, device = threading.Event(), torch.get_num_threads(), torch.device(study.device)
    with one_core(device), ThreadPoolExecutor(cores if device.type == "cpu" else 1) as pool:
        tasks = [
            pool.submit(_made, study, recipe, repeat, stop) for recipe, (_, repeat) in zip(recipes, wanted, strict=True)
        ]
        try:
            return [task.result() for task in tasks]
        except BaseException:
            stop.set()  # the others end at their next step instead of going on unseen
            pool.shutdown(cancel_futures=True)
            raise


def _made(study: Study, recipe: Recipe, repeat: int, stop: threading.Event) -> HyperRep | Sane:
    what = f"{recipe.name}, repeat {repeat}"
    record_seeds(recipe.name, f"{repeat}")
    estimator = recipe.estimator(repeat, study.device)
    settings = {name: value for name, value in estimator.get_params(deep=False).items() if name not in _NO_SETTINGS}
    settings |= {"augment": None if estimator.augment is None else asdict(estimator.augment)}
    made_by = f"{study.device}-{'bfloat16' if estimator.half else 'float32'}"

    def given(of_zoo: Callable[[str], Any]) -> Any:
        """What `fit` takes: by the name of each zoo, or of the only one."""
        values = {zoo: of_zoo(zoo) for zoo in recipe.zoos}
        return values if isinstance(recipe, SaneRecipe) else values[recipe.zoos[0]]

    def train(folder: Path) -> None:
        if not (folder / _FILE).exists():
            parts = {zoo: parts_of(study, recipe, repeat, zoo) for zoo in recipe.zoos}
            groups = given(lambda zoo: parts[zoo][0].table["model"].to_numpy())
            queries = given(lambda zoo: queries_of(study, zoo, recipe.queries)) if estimator.behaviour else None
            kept, tell = folder / "training", _teller(what, stop)
            train, val = (given(lambda zoo, number=number: parts[zoo][number]) for number in range(2))
            estimator.fit(train, groups=groups, validation=val, queries=queries, checkpoint=kept, progress=tell)
            estimator.save(folder / _FILE)
        shutil.rmtree(folder / "training", ignore_errors=True)

    def split(zoo: str) -> dict[str, Any]:
        of = study.recipe(zoo)
        return {"seed": FIRST_SPLIT + repeat, "by": of.split_by, "largest": of.largest}

    laid = given(lambda zoo: alignable(study, zoo)) if recipe.aligned is True else recipe.aligned
    seen: dict[str, object] = {"checkpoints": CHECKPOINTS, "aligned": laid}
    of_recipe = _SANE_MAKERS if isinstance(recipe, SaneRecipe) else _MAKERS
    makers = [*of_recipe, *(["hyperlib.zoos.aligned"] if recipe.aligned else [])]
    if estimator.behaviour:
        seen["queries"] = tensor_checksum({zoo: queries_of(study, zoo, recipe.queries) for zoo in recipe.zoos})
    zoos = {"zoo": given(lambda zoo: study.zoo_entry(zoo).name), "split": given(split)}
    ingredients = {"settings": settings} | zoos | seen
    name = f"{recipe.name}-{repeat}"
    entry = study.store.make("representations", name, ingredients, train, makers, made_by, study.profile)
    return type(estimator).load(entry / _FILE, device=study.device)


def parts_of(study: Study, recipe: Recipe, repeat: int = 0, zoo: str | None = None) -> Parts:
    """The training, validation and test checkpoints of a zoo (the only one, without), as a representation sees them.

    Raises ValueError for a recipe of several zoos where none is named.
    """
    if zoo is None and len(recipe.zoos) > 1:
        raise ValueError(f"{recipe.name} learns from {', '.join(recipe.zoos)}; name one of them.")
    zoo = zoo or recipe.zoos[0]
    if recipe.aligned is None or recipe.aligned is False:
        return study.parts(zoo, split=repeat)
    if recipe.aligned is True:
        return _comparable(study, zoo, split=repeat)
    return _laid(study, zoo, recipe.aligned, split=repeat)


_laid = lru_cache(maxsize=4)(aligned_parts)  # which takes seconds, and trainings of one zoo share
_comparable = lru_cache(maxsize=8)(comparable_parts)


_MAKERS = ["hyperlib.representations.hyper_rep", "hyperlib.representations.hyper_rep_file"]
_SANE_MAKERS = ["hyperlib.representations.sane", "hyperlib.representations.sane_file"]


_NO_SETTINGS = ("architecture", "device")  # the zoo's entry and `made_by` say them


def _teller(what: str, stop: threading.Event) -> Callable[[int, int], None]:
    """Passes progress on now and then, and ends the training when another one failed or the user stopped it."""

    def tell(done: int, total: int) -> None:
        if stop.is_set():
            raise InterruptedError(f"{what} was stopped with the others; the same call goes on from there.")
        if heard() and (done % max(1, total // 50) == 0 or done == total):
            record_progress(f"training {what}", done, total)

    return tell
