"""What is drawn in the raw weights of a zoo as it is published: `python -m hyperlib.study.raw_weights`.

The thesis compares its samplers with B_KDE30, which is taken for a kernel density estimate of the weights of the best
30 % of a zoo (inferred from its name). On MNIST it draws networks that work untrained. Whether that needs the start of
the published zoo, where all weights begin in U(0, 1), or the shared random numbers of the released sampler, is asked
here of that zoo itself: several readings, of weights as they are and aligned, before training and after an epoch of it.

At `paper` the zoo has its recorded settings, and 48 models grow in half an hour of two cores. Source: our choice.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import pandas as pd

from hyperlib.files.ending import command
from hyperlib.images.images import Images
from hyperlib.study.resized import Resized
from hyperlib.tasks import novelty
from hyperlib.tasks.finetuning import accuracy_table, fine_tuned_zoos
from hyperlib.tasks.sampling import best
from hyperlib.tasks.weight_sampling import drawn_in_weights
from hyperlib.thesis.profiles import PROFILES
from hyperlib.thesis.zoo_recipe import ZooRecipe
from hyperlib.zoos.zoo import Samples

ARTEFACT, PART = "ghr-finetune", "raw_weights"
LEAST, SHARE = 7, 0.3  # models, and of these the best by training accuracy


def raw_weight_table(samples: Samples, images: Images, recipe: ZooRecipe, n: int) -> pd.DataFrame:
    """Test accuracy of networks drawn in weights, before training and after one epoch with the zoo's own settings.

    samples: of one epoch, with `train_accuracy_clean`, by which the best are taken. Rows as in `accuracy_table`,
    against networks from scratch, with `weights` ("as they are", "aligned") and `known`, how many networks the samplers
    saw. Raises ValueError as `drawn_in_weights` and `best`.
    """
    known = samples.take(best(np.arange(len(samples)), samples.table["train_accuracy_clean"], SHARE))
    network, tables = known.architecture.with_activation(recipe.design["activation"].iloc[0]), []
    for words, one in {"as they are": known, "aligned": novelty.aligned(known, known.weights[0])}.items():
        zoos = fine_tuned_zoos(
            {"scratch": None, "the networks": one} | drawn_in_weights(one, n),
            network,
            images,
            recipe.design[:1],
            epochs=(0, 1),
            batch_size=recipe.batch_size,
        )
        tables.append(accuracy_table(zoos, against="scratch").assign(weights=words, known=len(known)))
    return pd.concat(tables, ignore_index=True)


@command
def main(arguments: list[str] | None = None) -> None:
    """The command; SystemExit, with a sentence, for arguments out of range and images that are not to be had."""
    parser = argparse.ArgumentParser(prog="python -m hyperlib.study.raw_weights", description=__doc__.splitlines()[0])
    parser.add_argument("--profile", choices=PROFILES, default="paper", help="default: paper, which the book shows")
    parser.add_argument("--zoo", default="mnist_seed", help="a seed zoo (default: mnist_seed)")
    for name, default in {"models": 48, "epochs": 25, "drawn": 20}.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default: {default}")
    chosen, started = parser.parse_args(arguments), time.perf_counter()
    if min(chosen.models / LEAST, chosen.epochs, chosen.drawn) < 1:
        parser.error(f"Give {LEAST} models at least, so that two are the best 30 %, and one epoch and drawn network.")
    study = Resized(chosen.profile, models=chosen.models, epochs=chosen.epochs)
    try:
        recipe = study.recipe(chosen.zoo)
        images = recipe.images.load()
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    if (kinds := recipe.design["activation"].nunique()) > 1:
        parser.error(f"Networks of {chosen.zoo} have {kinds} activations; take a zoo with one.")
    last = study.zoo(chosen.zoo).samples(recipe.epochs)
    found = raw_weight_table(last, images, recipe, chosen.drawn)
    facts = {"models": len(last), "grown": recipe.epochs, "zoo": last.table["test_accuracy"].mean()}
    study.publish(ARTEFACT, found.assign(**facts), PART)
    print(found[["weights", "population", "epoch", "mean", "std"]].to_string(index=False))
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
