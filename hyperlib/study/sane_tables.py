"""Tables of chapter 6: what a `Sane` knows of networks, of its own zoos and of others.

Source: our choice; the curve over lengths is that of Schürholt et al. (2024), of error against the number of tokens
that are read at a time.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import torch

from hyperlib.representations.estimator import Representation
from hyperlib.representations.losses import reconstruction_r2
from hyperlib.representations.sane import Sane
from hyperlib.representations.sane_reader import SaneReader
from hyperlib.study.representations import parts_of
from hyperlib.study.study import Study
from hyperlib.tasks.probing import run_probes
from hyperlib.tasks.reconstruction import few, reconstructed
from hyperlib.tasks.refinement import conditioned
from hyperlib.thesis.book_sane import SaneRecipe
from hyperlib.weightspace.tokens import Scale
from hyperlib.zoos.zoo import Samples

FEWEST = 5  # models of a part of which a probe's score is worth a number
PROBE = "linear-standardised"
CONDITIONED = 20 * 32  # images on which running statistics are measured; published are 200 batches of 32


def across_zoos(
    study: Study, trained: Mapping[str, Sane], recipe: SaneRecipe, repeat: int = 0,
    *, beside: Mapping[str, Representation] | None = None, train: int = 2000, test: int = 400,
) -> pd.DataFrame:  # fmt: skip
    """What each `Sane` knows of every zoo of a recipe: a row for each pair.

    trained: by a name; a zoo's scale is measured on its own training networks, nothing else of it is learned but the
    probe. Columns: `trained`, `zoo`, `repeat`, `value` (R² of test accuracy by a linear probe on the mean of tokens;
    NaN where a part has fewer models than `FEWEST`) and what `reconstructed` gives, running statistics of norms being
    measured on training images. beside: other estimators, probed alone. At most so many networks are read.
    """
    rows = []
    for zoo in recipe.zoos:
        parts = parts_of(study, recipe, repeat, zoo)
        some = few(parts[0], train), few(parts[1], train), few(parts[2], test)
        enough = min(part.table["model"].nunique() for part in some) >= FEWEST
        images = study.recipe(zoo).images.load()
        norms = not parts[0].architecture.layout.learned.all()
        finish = conditioned(images.train_x[:CONDITIONED]) if norms else None
        readers = {name: SaneReader(sane).fit(some[0]) for name, sane in trained.items()}
        told = {}
        if enough:
            table = run_probes(readers | dict(beside or {}), *some, ["test_accuracy"], [PROBE], bootstrap=2).table
            told = table.set_index("features")["value"].to_dict()
        known = {"zoo": zoo, "repeat": repeat}
        rows += [{"trained": name, **known, "value": told.get(name, np.nan)} for name in beside or ()]
        for name, reader in readers.items():
            rebuilt = reconstructed(reader, some[2], images, some[0].weights.mean(0), finish)
            rows.append({"trained": name, **known, "value": told.get(name, np.nan)} | rebuilt)
    return pd.DataFrame(rows)


def rebuilt_share(sane: Sane, samples: Samples, scale: Scale, mean: torch.Tensor) -> float:
    """R² of rebuilt weights against a mean network, every layer in units of the scale, running statistics left
    out."""
    rebuilt, learned = sane.reconstruct(samples, scale=scale).weights, samples.architecture.layout.learned
    return float(reconstruction_r2(*(scale.standardise(one)[..., learned] for one in (rebuilt, samples.weights, mean))))


def by_window(
    sane: Sane, samples: Samples, scale: Scale, mean: torch.Tensor, windows: Iterable[tuple[int, int]]
) -> pd.DataFrame:
    """How much is rebuilt if so many tokens are read at a time: `window` and `halo` of each, and `r2`.

    Raises ValueError for a window and halo that cannot be.
    """
    rows = []
    for window, halo in windows:
        other = copy.copy(sane).set_params(window=window, halo=halo)
        rows.append({"window": window, "halo": halo, "r2": rebuilt_share(other, samples, scale, mean)})
    return pd.DataFrame(rows)
