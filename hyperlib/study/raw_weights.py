"""Networks drawn in raw weights, from a zoo as it is published: `python -m hyperlib.study.raw_weights`.

The thesis compares its samplers with B_KDE30, which is taken for a kernel density estimate of the weights of the best
30 % of a zoo (inferred from its name). On MNIST it draws networks that work untrained. Whether that needs the start of
the published zoo, where all weights begin in U(0, 1), or the shared random numbers of the released sampler, is asked
here of that zoo itself: several readings, of weights as they are and aligned, before training and after an epoch of it.

At `paper` the zoo has the recorded settings; growing 128 models for 25 epochs takes 25 core-hours (a few minutes of 16
cores are enough for a look at fewer). Source: our choice, but for the readings, see `tasks.sampling`.
"""

from __future__ import annotations

import argparse
import shutil
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from hyperlib.files.console import speak_plainly
from hyperlib.images.images import Images
from hyperlib.study.study import Study
from hyperlib.tasks import novelty
from hyperlib.tasks.finetuning import accuracy_table, fine_tuned_zoos
from hyperlib.tasks.sampling import KDE, Gaussian, Sampler, best
from hyperlib.thesis.profiles import PROFILES
from hyperlib.thesis.zoo_recipe import ZooRecipe
from hyperlib.zoos.population import train_population
from hyperlib.zoos.zoo import Samples

ARTEFACT, PART = "ghr-finetune", "raw_weights"
LEAST = 7
SAMPLERS: dict[str, Sampler] = {
    "KDE independent": KDE("independent", "silverman"),
    "KDE independent, .002": KDE("independent", "released"),
    "KDE released": KDE("released", "released"),
    "KDE joint, .1": KDE("joint", 0.1, relative=True),
    "KDE joint, .3": KDE("joint", 0.3, relative=True),
    "Gaussian": Gaussian(),
}


def drawn_in_weights(known: Samples, n: int, seed: int = 0) -> dict[str, Samples]:
    """`n` networks of each sampler, fitted on the weights as they are given, and of two controls.

    The controls are means of two of the known networks and the mean of all, `n` times. Raises ValueError for networks
    of several activations, and what the samplers raise.
    """
    drawn = {name: one.fit(known.weights).sample(n, _random(seed)) for name, one in SAMPLERS.items()}
    drawn["means of two"] = novelty.means_of_two(known.weights, n, _random(seed))
    drawn["mean of all"] = novelty.mean_of_all(known.weights).expand(n, -1).clone()
    return {name: novelty.as_samples(weights, like=known) for name, weights in drawn.items()}


def raw_weight_table(
    samples: Samples, images: Images, recipe: ZooRecipe, n: int, share: float = 0.3, seed: int = 0
) -> pd.DataFrame:
    """Test accuracy of networks drawn in weights, before training and after one epoch with the zoo's own settings.

    samples: of one epoch, with `train_accuracy_clean`, by which the best `share` are taken. Rows as in
    `accuracy_table`, against networks from scratch, with `weights` ("as they are", "aligned") and `known`, how many
    networks the samplers saw. Raises ValueError as `drawn_in_weights` and `best`.
    """
    rows = best(np.arange(len(samples)), samples.table["train_accuracy_clean"], share)
    known, tables = samples.take(rows), []
    for words, one in {"as they are": known, "aligned": novelty.aligned(known, known.weights[0])}.items():
        populations = {"scratch": None, "the networks": one.take(range(min(n, len(one))))}
        populations |= drawn_in_weights(one, n, seed)
        zoos = fine_tuned_zoos(
            populations,
            recipe.architecture.with_activation(samples.table["activation"].iloc[0]),
            images,
            recipe.design[:1],
            epochs=(0, 1),
            batch_size=recipe.batch_size,
        )
        tables.append(accuracy_table(zoos, against="scratch").assign(weights=words, known=len(known)))
    return pd.concat(tables, ignore_index=True)


def main(arguments: list[str] | None = None) -> None:
    """The command; SystemExit, with a sentence, for arguments out of range and images that are not to be had."""
    speak_plainly()
    parser = argparse.ArgumentParser(prog="python -m hyperlib.study.raw_weights", description=__doc__.splitlines()[0])
    parser.add_argument("--profile", choices=PROFILES, default="laptop")
    parser.add_argument("--zoo", default="mnist_seed", help="a seed zoo (default: mnist_seed)")
    parser.add_argument("--models", type=int, default=128, help="of the zoo, the first so many (default: 128)")
    parser.add_argument("--epochs", type=int, default=25, help="of growing, fewer than the zoo's (default: 25)")
    parser.add_argument("--drawn", type=int, default=50, help="networks of each sampler (default: 50)")
    chosen = parser.parse_args(arguments)
    if min(chosen.models / LEAST, chosen.epochs, chosen.drawn) < 1:
        parser.error(f"Give {LEAST} models at least, so that two are the best 30 %, and one epoch and drawn network.")
    study, started = Study(chosen.profile), time.perf_counter()
    try:
        whole = study.recipe(chosen.zoo)
        recipe = replace(whole, models=chosen.models, epochs=min(chosen.epochs, whole.epochs))
        images = recipe.images.load()
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    growing = study.store.folder / "raw_weights"  # a killed run goes on from there
    job = {"epochs": recipe.epochs, "batch_size": recipe.batch_size, "checkpoint": growing}
    last = train_population(recipe.architecture, images, recipe.design, **job).samples(recipe.epochs)
    found = raw_weight_table(last, images, recipe, chosen.drawn)
    of = {"models": len(last), "grown": recipe.epochs, "zoo": last.table["test_accuracy"].mean()}
    study.publish(ARTEFACT, found.assign(**of), PART)
    shutil.rmtree(growing)
    print(found[["weights", "population", "epoch", "mean", "std"]].to_string(index=False))
    print(f"{time.perf_counter() - started:.0f} s")


def _random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


if __name__ == "__main__":
    main()
