"""What was tried to beat statistics inside epochs: `python -m hyperlib.study.trials`.

A trial is one change to our configuration, or another kind of representation, trained on the first split of a zoo. Its
score is R² inside epochs of a linear probe beside the clock on the validation models, which also choose the probe's
penalty; scores on test models are thrown away. A trial is written down as soon as it is done, those that lost as well,
and what is in the table already is not run again.

Source: our choice.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from sklearn.base import BaseEstimator, clone
from torch import Tensor

from hyperlib.files import paths
from hyperlib.files.ending import command
from hyperlib.representations.augment import Augment
from hyperlib.representations.behaviour import Probing
from hyperlib.representations.controls import controls
from hyperlib.representations.estimator import Representation, Values
from hyperlib.representations.hyper_rep import HyperRep
from hyperlib.study.study import Study
from hyperlib.study.sweeps import add_ray, sweep
from hyperlib.tasks.probing import BESIDE_CLOCK, run_probes
from hyperlib.thesis.book_representations import representation_recipe
from hyperlib.thesis.profiles import PROFILES
from hyperlib.weightspace.canonical import canonical_index
from hyperlib.weightspace.symmetry import permutation_index, random_permutations
from hyperlib.zoos.zoo import Samples

STEPS = {"tetris_seed": 1000, "digits_hyp": 200}  # of "ours"; on CNNs the longer training was taken for the book
ARTEFACT, TARGETS = "hr-trials", ("test_accuracy", "gap")
CHANGES = {  # of our configuration, by what is tried; `longer` multiplies the steps, erasing and noise are of its views
    "ours": {},
    "untrained": {"steps": 0},
    "four times as long": {"longer": 4},
    "with statistics of rows": {"statistics": True},
    "contrast alone": {"mix": 1.0},
    "reconstruction alone": {"mix": 0.0},
    "any checkpoints in a batch": {"per_model": None},
    "other epochs as positives": {"contrast": "nt_xent_models"},
    "loss of answers as well": {"behaviour": 1.0},
    "loss of answers, hardly any of weights": {"behaviour": 30.0},
    "parts erased, clean target": {"erase": 0.5},
    "noise of 0.2": {"noise": 0.2},
    "twice as wide": {"width": 128, "heads": 4},
    "summary token": {"readout": "summary", "latent": 95},
}
ANSWERS = {  # inputs, and how many
    "answers to 16 noise inputs": ("noise", 16),
    "answers to 64 noise inputs": ("noise", 64),
    "answers to 16 learned inputs": ("learned", 16),
    "answers to 64 learned inputs": ("learned", 64),
    "answers to 64 images": ("images", 64),
}


class Averaged(Representation):
    """Mean embedding of `copies` randomly reordered copies of a network, the network itself among them."""

    def __init__(self, of: Representation, copies: int = 8, seed: int = 0) -> None:
        self.of = of
        self.copies = copies
        self.seed = seed

    def _learn(self, samples: Samples, y: Values | None, groups: Values | None) -> None:
        self.of_ = clone(self.of).fit(samples, groups=groups)

    def _vectors(self, samples: Samples) -> Float[np.ndarray, "samples embedding"]:
        generator, found = torch.Generator().manual_seed(self.seed), self.of_.embed(samples)
        for _ in range(self.copies - 1):
            order = random_permutations(samples.architecture, 1, generator)  # the same for all: rows stay apart
            index = permutation_index(samples.architecture, order, models=1).expand(len(samples), -1)
            found = found + self.of_.embed(_moved(samples, index))
        return found / self.copies

    def _names(self) -> list[str]:
        return self.of_.get_feature_names_out().tolist()


class Canonical(Representation):
    """A representation of networks whose hidden units stand in canonical order, so that none has to be learned."""

    def __init__(self, of: Representation) -> None:
        self.of = of

    def _learn(self, samples: Samples, y: Values | None, groups: Values | None) -> None:
        self.of_ = clone(self.of).fit(_sorted(samples), groups=groups)

    def _vectors(self, samples: Samples) -> Float[np.ndarray, "samples embedding"]:
        return self.of_.embed(_sorted(samples))

    def _names(self) -> list[str]:
        return self.of_.get_feature_names_out().tolist()


def trials(study: Study, zoo: str) -> dict[str, BaseEstimator]:
    """All trials on a zoo, by what is tried, none of them fitted."""
    ours, recipe = representation_recipe(zoo, study.profile).estimator(0), study.recipe(zoo)
    images, mixed = recipe.images.load(), recipe.design["activation"].nunique() > 1
    if study.profile == "laptop":
        ours.set_params(steps=STEPS.get(zoo, ours.steps))
    possible = {what: changes for what, changes in CHANGES.items() if not (mixed and "behaviour" in changes)}
    found: dict[str, BaseEstimator] = {what: _changed(ours, **changes) for what, changes in possible.items()}
    found["mean over 8 orders of units"] = Averaged(clone(ours))
    found["canonical order, no permutations"] = Canonical(clone(ours).set_params(augment=Augment(permute=False)))
    found |= {what: Probing(images, probes=probes, inputs=kind) for what, (kind, probes) in ANSWERS.items()}
    statistics = controls()
    return {name: statistics[name] for name in ("s(W)", "pooled rows", "all statistics")} | found


def _changed(ours: HyperRep, *, longer: int = 1, **changes: Any) -> HyperRep:
    """A copy with other settings, or with views that are disturbed."""
    views = {name: changes.pop(name) for name in ("erase", "noise") if name in changes}
    augment = replace(ours.augment or Augment(), **views) if views else ours.augment
    return clone(ours).set_params(**{"steps": longer * ours.steps, "augment": augment} | changes)


@command
def main(arguments: list[str] | None = None) -> None:
    """The command; SystemExit, with a sentence, for zoos without a recipe and a table that is none of trials."""
    parser = argparse.ArgumentParser(prog="python -m hyperlib.study.trials", description=__doc__.splitlines()[0])
    parser.add_argument("--profile", choices=PROFILES, default="laptop")
    parser.add_argument("--zoos", nargs="+", default=list(STEPS), help=f"default: {' '.join(STEPS)}")
    parser.add_argument("--jobs", type=int, default=1, help="trials side by side (default: 1)")
    add_ray(parser)
    chosen = parser.parse_args(arguments)
    if chosen.jobs < 1:
        parser.error("jobs are a whole number from 1 on.")
    study, file = Study(chosen.profile), paths.results_folder(chosen.profile) / f"{ARTEFACT}.csv"
    try:
        for zoo in chosen.zoos:
            representation_recipe(zoo, chosen.profile)
        done = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=["zoo", "trial"])
    except ValueError as error:
        parser.error(str(error))
    if not {"zoo", "trial"} <= set(done):
        parser.error(f"{file} is no table of trials; move it away, and trials begin anew.")
    before, rows = set(zip(done["zoo"], done["trial"], strict=True)), [done]
    wanted = [(zoo, what) for zoo in dict.fromkeys(chosen.zoos) for what in trials(study, zoo)]
    wanted = [pair for pair in wanted if pair not in before]
    for zoo in dict.fromkeys(zoo for zoo, _ in wanted):
        study.zoo(zoo)  # grown here, on all cores

    def write_down(_: tuple[str, str], row: dict[str, Any]) -> None:
        print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
        rows.append(pd.DataFrame([row]))
        study.publish(ARTEFACT, pd.concat(rows, ignore_index=True))

    threads = 1 if chosen.ray is not None else max(1, torch.get_num_threads() // chosen.jobs)
    calls = {pair: (*pair, chosen.profile, threads) for pair in wanted}
    try:
        sweep(tried, calls, write_down, jobs=chosen.jobs, ray=chosen.ray)
    except (ModuleNotFoundError, ConnectionError) as error:
        parser.error(str(error))


def tried(zoo: str, what: str, profile: str, threads: int) -> dict[str, Any]:
    """A row: seconds of training, and the scores on validation models."""
    torch.set_num_threads(threads)
    study, parts = Study(profile), _parts(profile, zoo)
    estimator = trials(study, zoo)[what]
    known = {"groups": parts[0].table["model"].to_numpy()} if isinstance(estimator, Representation) else {}
    known |= {"queries": study.recipe(zoo).images.load().train_x} if getattr(estimator, "behaviour", 0) else {}
    started = time.perf_counter()
    estimator.fit(parts[0], **known)
    seconds = time.perf_counter() - started
    table = run_probes({"it": estimator}, *parts, TARGETS, [BESIDE_CLOCK]).table.set_index("target")
    known = {"zoo": zoo, "trial": what, "numbers": int(table["dimensions"].iloc[0]), "seconds": round(seconds, 1)}
    return known | table["val"].round(4)[list(TARGETS)].to_dict()


@lru_cache(maxsize=2)
def _parts(profile: str, zoo: str) -> tuple[Samples, Samples, Samples]:
    return Study(profile).parts(zoo)


def _moved(samples: Samples, index: Int[Tensor, "samples params"]) -> Samples:
    return Samples(samples.weights.gather(-1, index), samples.table, samples.architecture)


def _sorted(samples: Samples) -> Samples:
    return _moved(samples, canonical_index(samples.architecture, samples.weights))


if __name__ == "__main__":
    from hyperlib.study.trials import main as by_name  # other processes find under it what they are handed

    sys.exit(by_name())
