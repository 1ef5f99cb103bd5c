"""Hyper-representations by name: trained on the parts of a zoo, several at a time, and kept in the store.

An entry's key holds the recipe, the repeat and the zoo's own entry (and with it all that decided the zoo), so another
zoo means another representation. Repeat 0 has seed 0 and the zoo's first split, repeat 1 the next seed and the next
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

import torch

from hyperlib.representations.cores import one_core
from hyperlib.representations.hyper_rep import HyperRep
from hyperlib.store.record import heard, record_progress, record_seeds
from hyperlib.study.aligned import aligned_parts
from hyperlib.study.queries import queries_of
from hyperlib.study.study import CHECKPOINTS, FIRST_SPLIT, Study
from hyperlib.thesis.book_representations import RepresentationRecipe, representation_recipe
from hyperlib.zoos.checkpoint import checksum as tensor_checksum
from hyperlib.zoos.zoo import Samples

_MAKERS = ["hyperlib.representations.hyper_rep", "hyperlib.representations.hyper_rep_file"]
_FILE = "representation.safetensors"


Which = str | RepresentationRecipe


def representation(study: Study, which: Which, repeat: int = 0) -> HyperRep:
    """The hyper-representation of that name or recipe, trained now on its zoo's training part if the store lacks it.

    A killed training goes on where it stopped. `repeat` is the seed of its initial weights, batches and views, and the
    number of the zoo's split. Raises ValueError for a name without a recipe.
    """
    return representations(study, [(which, repeat)])[0]


def representations(study: Study, wanted: Iterable[tuple[Which, int]]) -> list[HyperRep]:
    """Several (which, repeat), in the same order; as many train side by side as torch has threads, one core each."""
    wanted = list(wanted)
    recipes = [representation_recipe(one, study.profile) if isinstance(one, str) else one for one, _ in wanted]
    for zoo in dict.fromkeys(recipe.zoo for recipe in recipes):  # one after the other: each grows on all cores
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


def _made(study: Study, recipe: RepresentationRecipe, repeat: int, stop: threading.Event) -> HyperRep:
    what = f"{recipe.name}, repeat {repeat}"
    record_seeds(recipe.name, f"{repeat}")
    estimator = recipe.estimator(repeat, study.device)
    settings = {name: value for name, value in estimator.get_params(deep=False).items() if name not in _NO_SETTINGS}
    settings |= {"augment": None if estimator.augment is None else asdict(estimator.augment)}
    zoo = study.zoo_entry(recipe.zoo).name
    made_by = f"{study.device}-{'bfloat16' if estimator.half else 'float32'}"

    def train(folder: Path) -> None:
        if not (folder / _FILE).exists():
            train, val, _ = parts_of(study, recipe, repeat)
            groups = train.table["model"].to_numpy()
            queries = queries_of(study, recipe.zoo, recipe.queries) if estimator.behaviour else None
            kept, tell = folder / "training", _teller(what, stop)
            estimator.fit(train, groups=groups, validation=val, queries=queries, checkpoint=kept, progress=tell)
            estimator.save(folder / _FILE)
        shutil.rmtree(folder / "training", ignore_errors=True)

    of = study.recipe(recipe.zoo)
    split = {"seed": FIRST_SPLIT + repeat, "by": of.split_by, "largest": of.largest}
    seen: dict[str, object] = {"checkpoints": CHECKPOINTS, "aligned": recipe.aligned}
    makers = [*_MAKERS, *(["hyperlib.study.aligned"] if recipe.aligned else [])]
    if estimator.behaviour:
        seen["queries"] = tensor_checksum({recipe.queries: queries_of(study, recipe.zoo, recipe.queries)})
        makers.append("hyperlib.study.queries")
    ingredients = {"settings": settings, "zoo": zoo, "split": split} | seen
    name = f"{recipe.name}-{repeat}"
    entry = study.store.make("representations", name, ingredients, train, makers, made_by, study.profile)
    return HyperRep.load(entry / _FILE, device=study.device)


def parts_of(study: Study, recipe: RepresentationRecipe, repeat: int = 0) -> tuple[Samples, Samples, Samples]:
    """The training, validation and test checkpoints of a representation: as it learns from them, and sees new ones."""
    if recipe.aligned is None:
        return study.parts(recipe.zoo, split=repeat)
    return _laid(study, recipe.zoo, recipe.aligned, split=repeat)


_laid = lru_cache(maxsize=4)(aligned_parts)  # which takes seconds, and trainings of one zoo share


_NO_SETTINGS = ("architecture", "device")  # the zoo's entry and `made_by` say them


def _teller(what: str, stop: threading.Event) -> Callable[[int, int], None]:
    """Passes progress on now and then, and ends the training when another one failed or the user stopped it."""

    def tell(done: int, total: int) -> None:
        if stop.is_set():
            raise InterruptedError(f"{what} was stopped with the others; the same call goes on from there.")
        if heard() and (done % max(1, total // 50) == 0 or done == total):
            record_progress(f"training {what}", done, total)

    return tell
