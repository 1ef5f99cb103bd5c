"""Whether more networks and longer training keep more of each network: `python -m hyperlib.study.generator_trials`.

Chapter 5's representation with answers again, of a zoo with more seeds (its first models are the book's), with more
steps, larger batches and more answers in a step, for several weights of the answers. A row is written down as soon as
it is there, and what is in the table already is not run again. Source: our choice.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from hyperlib.files import paths
from hyperlib.files.ending import command
from hyperlib.files.writing import ASIDE
from hyperlib.representations.hyper_rep import HyperRep
from hyperlib.study.aligned import aligned_parts
from hyperlib.study.resized import Resized
from hyperlib.study.study import FIRST_SPLIT, Study
from hyperlib.study.sweeps import add_ray, sweep
from hyperlib.tasks.generators import judged
from hyperlib.thesis.book_generators import generator_recipe
from hyperlib.weightspace.values import device_called
from hyperlib.zoos.zoo import Zoo

ARTEFACT, PART, PROFILE = "ghr-diversity", "scale", "laptop"  # the profile whose recipes are made larger
PARTS = ("train", "validation", "test")
LEAST = 30  # models, of which the flow has 20 to learn from


class Variant(NamedTuple):
    """One training, and what its row of the table begins with."""

    zoo: str
    models: int
    behaviour: float
    latent: int
    steps: int
    batch_size: int
    asked_networks: int  # in a step
    asked_queries: int


class Larger(Resized):
    """The book at profile `laptop`, but with so many seeds in every zoo."""

    def __init__(self, models: int) -> None:
        super().__init__(PROFILE, seeds=models)

    def laid(self, name: str) -> Path:
        """Folder of the store with the three parts of a zoo at late epochs, all laid on one network."""
        epochs, recipe = generator_recipe("answers", PROFILE, name).aligned, self.recipe(name)

        def lay(folder: Path) -> None:
            for part, samples in zip(PARTS, aligned_parts(self, name, epochs), strict=True):
                if not (folder / part).exists():
                    weights = samples.weights.unflatten(0, (-1, len(epochs)))
                    Zoo(samples.architecture, weights, samples.table).save(folder / part)

        facts = {"zoo": self.zoo_entry(name).name, "split": [FIRST_SPLIT, recipe.split_by, recipe.largest, *epochs]}
        makers = ["hyperlib.zoos.aligned", "hyperlib.zoos.zoo_files"]
        return self.store.make("aligned", name, facts, lay, makers, "cpu", PROFILE)


@command
def main(arguments: list[str] | None = None) -> None:
    """The command; SystemExit, with a sentence, for arguments out of range and a table that is none of these trials."""
    started, file = time.time(), paths.results_folder("paper") / f"{ARTEFACT}.{PART}.csv"
    parser = argparse.ArgumentParser(prog="python -m hyperlib.study.generator_trials", description=__doc__)
    parser.add_argument("--behaviour", type=float, nargs="+", default=[0.0, 0.1, 0.3, 1.0, 3.0], help="weights")
    parser.add_argument("--latent", type=int, nargs="+", default=[64], help="latents per token")
    parser.add_argument("--asked", type=int, nargs=2, default=[128, 64], metavar=("NETWORKS", "QUERIES"))
    single = {"zoo": "mnist_seed", "models": 1200, "steps": 2800, "batch-size": 128, "jobs": 5}
    for name, default in (single | {"device": "cuda" if torch.cuda.is_available() else "cpu"}).items():
        parser.add_argument(f"--{name}", type=type(default), default=default, help=f"default: {default}")
    add_ray(parser)
    chosen = parser.parse_args(arguments)
    sizes = (chosen.steps, chosen.batch_size, *chosen.asked)
    few = min(*sizes, *chosen.latent, chosen.jobs) < 1 or chosen.batch_size < 2 or chosen.models < LEAST
    if few or not all(0 <= weight < np.inf for weight in chosen.behaviour):
        parser.error(f"models are {LEAST} at least, a batch 2, other counts 1; behaviour is a weight from 0 on.")
    try:
        device_called(chosen.device)
        generator_recipe("answers", PROFILE, chosen.zoo)
        done = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=Variant._fields)
    except ValueError as error:
        parser.error(str(error))
    if not {*Variant._fields} <= {*done}:
        parser.error(f"{file} is no table of these trials; move it away, and they begin anew.")
    pairs, before = dict.fromkeys(product(chosen.behaviour, chosen.latent)), done[[*Variant._fields]].to_dict("records")
    variants = (Variant(chosen.zoo, chosen.models, *pair, *sizes) for pair in pairs)
    if not (wanted := [variant for variant in variants if variant._asdict() not in before]):
        return
    Larger(chosen.models).laid(chosen.zoo)  # here, on all cores
    _say(started, f"{chosen.models} models of {chosen.zoo} are grown and aligned")
    rows = [done]

    def write_down(_: Variant, row: dict[str, Any]) -> None:
        rows.append(pd.DataFrame([row]))
        table = pd.concat(rows).sort_values([*Variant._fields])
        Study("paper", device="cpu").publish(ARTEFACT, table, PART)

    def lost(variant: Variant, error: Exception) -> None:
        _say(started, f"{variant} failed: {type(error).__name__}, {' '.join(str(error).split())}")

    calls = {variant: (variant, chosen.device, chosen.jobs, started) for variant in wanted}
    gpus = float(chosen.device != "cpu")
    try:
        sweep(_row, calls, write_down, lost, jobs=chosen.jobs, ray=chosen.ray, gpus=gpus)
    except (ModuleNotFoundError, ConnectionError) as error:
        parser.error(str(error))


def _row(variant: Variant, device: str, jobs: int, started: float) -> dict[str, Any]:
    """Train on the aligned parts of the zoo, and judge on the CPU at the last epoch."""
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // jobs))
    folder = Larger(variant.models).laid(variant.zoo)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False  # answers are compared at float32
    parts, images = [Zoo.load(folder / part) for part in PARTS], Study(PROFILE).recipe(variant.zoo).images.load()
    train, validation, _ = (part.samples() for part in parts)
    ticks, what = [time.perf_counter()], f"behaviour {variant.behaviour:g}, latent {variant.latent}"
    settings = dict(zip(Variant._fields[2:6], variant[2:6], strict=True)) | {"asked": variant[6:]}
    rep = generator_recipe("answers", PROFILE, variant.zoo).estimator(0, device).set_params(**settings)

    def tell(done: int, total: int) -> None:
        ticks.append(time.perf_counter())
        if len(ticks) <= total + 1 and done % max(1, total // 10) == 0:
            _say(started, f"{what}: step {done} of {total}")

    rep.fit(train, groups=train.table["model"], validation=validation, queries=images.train_x, progress=tell)
    seconds, card = np.diff(ticks[: variant.steps + 1]), torch.cuda.get_device_name() if device != "cpu" else device
    facts = {"train_models": len(parts[0]), "test_models": len(parts[2]), "device": card, "seconds": seconds.sum()}
    facts["milliseconds"] = 1000 * np.median(seconds)  # of a step
    facts["passes"] = np.prod((variant.steps, *rep.asked)) * (variant.behaviour > 0)  # images, by rebuilt networks
    with TemporaryDirectory(prefix=ASIDE) as place:
        rep = HyperRep.load(rep.save(Path(place) / "it.safetensors"), device="cpu")
    facts |= judged(rep, images, *(part.samples(part.epochs[-1]) for part in parts[::2]))
    _say(started, f"{what}: " + ", ".join(f"{name} {value}" for name, value in facts.items()))
    return variant._asdict() | facts


def _say(started: float, words: str) -> None:
    print(f"{time.time() - started:6.1f} s  {words}", flush=True)


if __name__ == "__main__":
    from hyperlib.study.generator_trials import main as by_name  # other processes find under it what they are handed

    sys.exit(by_name())
