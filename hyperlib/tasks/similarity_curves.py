"""Does being close in weight space mean being alike? Correlations of pairwise similarities, as populations grow.

Weights are compared by Euclidean distance or cosine, behaviour by CKA of class scores. With permuted copies of the
models the pairs reach over more and more of weight space, while what the networks compute stays: a copy answers as its
original. Two readings matter, for a model and its own copies agree exactly, at any distance.

Source: thesis, ch. 2, Figs. 2.6.1 and 2.6.2, of which the captions were seen; the protocol is inferred, the second
reading, rank correlations and the bootstrap are ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from scipy.stats import rankdata
from torch import Tensor

from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.similarity import cka, cosine, l2
from hyperlib.weightspace.symmetry import permutation_index, random_permutations
from hyperlib.zoos.evaluation import class_scores

READINGS = ("all pairs", "without own copies")


def l2_against_cka(
    architecture: Architecture,
    weights: Float[Tensor, "models params"],
    images: Float[Tensor, "n c h w"],
    *,
    permutations: Sequence[int] = (1, 2, 4, 8, 16, 32, 64),
    draws: int = 10,
    seed: int = 0,
) -> pd.DataFrame:
    """Correlation of pairwise distance and pairwise CKA, by the number of copies of every model (Fig. 2.6.1).

    Each of the models stands there in so many copies, the first of them as it is and the others with all units in
    random orders, drawn anew in every draw (our choice). One row per number, draw and reading: "all pairs", or
    "without own copies", which leaves pairs of one model's copies out; with 1 copy the two are the same and no draw
    differs. `pearson` and `spearman` are signed; distance is a dissimilarity, so alike and near means below zero. NaN
    where one side is constant. CKA is computed once per pair of models, since copies answer alike.

    Raises ValueError for less than three models, numbers below one and networks that may not be permuted.
    """
    _check(weights, least=3)
    if not permutations or min(permutations) < 1 or draws < 1:
        raise ValueError(f"Copies and draws are counted from 1 on, not {list(permutations)} and {draws}.")
    alike = cka(class_scores(architecture, weights, images)).numpy()
    models, rows = len(weights), []
    for count in permutations:
        owner = np.repeat(np.arange(models), count)
        first, second = np.triu_indices(models * count, k=1)
        similar = alike[owner[first], owner[second]]
        for draw in range(draws):
            copies = _copies(architecture, weights, count, seed=[seed, count, draw])
            far = l2(copies).numpy()[first, second]
            for reading in READINGS:
                kept = slice(None) if reading == READINGS[0] else owner[first] != owner[second]
                measured = _correlations(far[kept], similar[kept])
                rows.append({"permutations": count, "draw": draw, "reading": reading, **measured})
    return pd.DataFrame(rows)


def l2_against_cka_of_runs(
    architecture: Architecture,
    runs: Float[Tensor, "runs checkpoints params"],
    images: Float[Tensor, "n c h w"],
    *,
    permutations: Sequence[int] = (1, 2, 64),
    seed: int = 0,
) -> pd.DataFrame:
    """The same among the checkpoints of each of several training runs, one draw of copies per run (column `run`).

    Checkpoints of one run follow from each other, so how sure a finding is shows only over runs (our choice).
    """
    if runs.ndim != 3 or not len(runs):
        raise ValueError(f"Runs are [runs, checkpoints, params], one at least, not {list(runs.shape)}.")
    tables = [
        l2_against_cka(architecture, run, images, permutations=permutations, draws=1, seed=seed + number)
        for number, run in enumerate(runs)
    ]
    return pd.concat(tables, keys=range(len(runs)), names=["run", None]).reset_index("run").drop(columns="draw")


def cosine_against_cka(
    architecture: Architecture,
    weights: Float[Tensor, "models params"],
    images: Float[Tensor, "n c h w"],
    *,
    sizes: Sequence[int],
    subsets: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Correlation of pairwise cosine and pairwise CKA, by the number of models (Fig. 2.6.2).

    One row per size and random subset of the models (`models`, `subset`): signed `pearson` and `spearman` over its
    pairs, NaN where one side is constant. All models together have one subset.

    Raises ValueError for sizes below three (two models have one pair) or beyond the population.
    """
    _check(weights, least=3)
    if not sizes or min(sizes) < 3 or max(sizes) > len(weights) or subsets < 1:
        raise ValueError(f"Sizes are 3 to {len(weights)} models in 1 or more subsets, not {list(sizes)} in {subsets}.")
    alike, near = cka(class_scores(architecture, weights, images)).numpy(), cosine(weights).numpy()
    rows = []
    for size in sizes:
        for subset in range(subsets if size < len(weights) else 1):
            chosen = np.random.default_rng([seed, size, subset]).permutation(len(weights))[:size]
            pairs = np.ix_(chosen, chosen)
            upper = np.triu_indices(size, k=1)
            rows.append({"models": size, "subset": subset, **_correlations(near[pairs][upper], alike[pairs][upper])})
    return pd.DataFrame(rows)


def bootstrapped_correlation(
    near: Float[np.ndarray, "models models"],
    alike: Float[np.ndarray, "models models"],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Correlation of two matrices of pairs with an interval from a bootstrap over models, not over pairs.

    Pairs that share a model are not independent, so models are drawn with replacement, and of a draw all pairs of
    different models count. Columns `statistic` (pearson, spearman), `value`, `low`, `high` (95 %).
    """
    models = len(near)
    upper = np.triu_indices(models, k=1)
    values = _correlations(near[upper], alike[upper])
    random, found = np.random.default_rng(seed), []
    for _ in range(draws):
        chosen = random.integers(models, size=models)
        first, second = (chosen[side] for side in upper)
        kept = first != second
        found.append(_correlations(near[first[kept], second[kept]], alike[first[kept], second[kept]]))
    table = pd.DataFrame(found)
    rows = []
    for name in ("pearson", "spearman"):
        low, high = np.nanpercentile(table[name], [2.5, 97.5])
        rows.append({"statistic": name, "value": values[name], "low": low, "high": high})
    return pd.DataFrame(rows)


def _copies(architecture: Architecture, weights: Tensor, count: int, seed: list[int]) -> Float[Tensor, "_ params"]:
    """Every model `count` times, model by model, the first time as it is."""
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    every = weights.repeat_interleave(count, 0)
    orders = random_permutations(architecture, len(every), generator)
    for order in orders.values():
        order[::count] = torch.arange(order.shape[1])
    return every.gather(-1, permutation_index(architecture, orders, models=len(every)))


def _correlations(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    if any(np.ptp(side) <= 1e-9 * np.abs(side).max() for side in (one, other)):  # constant but for rounding
        return {"pearson": np.nan, "spearman": np.nan, "pairs": len(one)}
    return {"pearson": _pearson(one, other), "spearman": _pearson(rankdata(one), rankdata(other)), "pairs": len(one)}


def _pearson(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one - one.mean(), other - other.mean()
    return float(one @ other / np.sqrt((one @ one) * (other @ other)))


def _check(weights: Tensor, least: int) -> None:
    if weights.ndim != 2 or len(weights) < least:
        raise ValueError(f"Pairs are made of [models, params], {least} models or more, not {list(weights.shape)}.")
