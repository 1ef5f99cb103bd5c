"""What training looks like from the weights alone: how far a step goes, how it turns, and what distances give away.

A model's checkpoints are a path through weight space. Its steps and turns are local facts; that the paths of different
seeds keep apart is a global one. Both show in distances, so we ask how much of what is known about a checkpoint (which
model, which epoch) can be recovered from distances between weight vectors and nothing else.

Source: thesis, ch. 2, and Schürholt and Borth (2020) for smooth, separate paths, hierarchical clustering and steps that
shrink. How identity and order are recovered and scored is our choice.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.stats import kendalltau
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from hyperlib.weightspace.similarity import l2

LINKAGES = ("ward", "average")


# -- one path ----------------------------------------------------------------------------------------------------------


def step_lengths(weights: Float[Tensor, "models epochs params"]) -> Float[Tensor, "models steps"]:
    """Euclidean length of every step from one kept epoch to the next, in float64.

    Raises ValueError for weights of another form, with too few epochs or not finite (so do the others here).
    """
    _check(weights, epochs=2)
    return (weights[:, 1:].double() - weights[:, :-1].double()).norm(dim=-1)


def curvature(weights: Float[Tensor, "models epochs params"]) -> Float[Tensor, "models turns"]:
    """Angle between consecutive steps in radians: 0 goes on straight, pi/2 turns off, pi turns back.

    A step of length zero has no direction, and its angles are NaN.
    """
    _check(weights, epochs=3)
    steps = weights[:, 1:].double() - weights[:, :-1].double()
    units = steps / steps.norm(dim=-1, keepdim=True)
    before, after = units[:, :-1], units[:, 1:]
    # the cosine alone loses all digits near 0 and pi; this form of Kahan's does not
    return 2 * torch.atan2((before - after).norm(dim=-1), (before + after).norm(dim=-1))


# -- many paths --------------------------------------------------------------------------------------------------------


def reach(weights: Float[Tensor, "models epochs params"]) -> pd.DataFrame:
    """How long each model's path is and how far off the others are, one row per model.

    `length` is the sum of its steps, `moved` the distance from its first checkpoint to its last, `stray` the mean
    distance of two of its checkpoints. To all other models: `apart` is the mean distance of checkpoints, `nearest` the
    smallest one, `first_apart` and `last_apart` the mean distances of first and of last checkpoints. NaN for a model
    alone.
    """
    distances = _between(weights)
    lengths, (first, second) = step_lengths(weights).sum(1).tolist(), np.triu_indices(weights.shape[1], k=1)
    rows = []
    for model, length in enumerate(lengths):
        own, others = distances[model, model], np.delete(distances[model], model, axis=0)
        row = {"model": model, "length": length, "moved": own[0, -1], "stray": own[first, second].mean()}
        if len(others):
            row |= {"apart": others.mean(), "nearest": others.min()}
            row |= {"first_apart": others[:, 0, 0].mean(), "last_apart": others[:, -1, -1].mean()}
        rows.append(row)
    columns = ["model", "length", "moved", "stray", "apart", "nearest", "first_apart", "last_apart"]
    return pd.DataFrame(rows).reindex(columns=columns)


def reach_of_pairs(weights: Float[Tensor, "models epochs params"]) -> pd.DataFrame:
    """The same per pair of models, `first` and `second`: how far `apart`, and means of their `length` and `stray`."""
    own = reach(weights)[["length", "stray"]].to_numpy()
    first, second = np.triu_indices(len(weights), k=1)
    table = pd.DataFrame({"first": first, "second": second, "apart": _between(weights).mean((2, 3))[first, second]})
    return table.assign(**dict(zip(("length", "stray"), ((own[first] + own[second]) / 2).T, strict=True)))


def _between(weights: Float[Tensor, "models epochs params"]) -> Float[np.ndarray, "own other own_epochs other_epochs"]:
    """Distances of all checkpoints of all models."""
    _check(weights, epochs=2)
    models, epochs = weights.shape[:2]
    return l2(weights.flatten(0, 1)).numpy().reshape(models, epochs, models, epochs).swapaxes(1, 2)


def checkpoint_tree(weights: Float[Tensor, "models epochs params"], method: str = "ward") -> np.ndarray:
    """Hierarchical clustering of all checkpoints by Euclidean distance, as scipy's linkage matrix.

    Leaves are numbered model by model, epoch by epoch. `method` is one of `LINKAGES`; the source does not say which it
    used.
    """
    if method not in LINKAGES:
        raise ValueError(f"There is no linkage {method!r} here; choose one of {', '.join(LINKAGES)}.")
    _check(weights, epochs=1)
    if len(weights) * weights.shape[1] < 2:
        raise ValueError("A tree needs two checkpoints at least.")
    return linkage(squareform(l2(weights.flatten(0, 1)).numpy(), checks=False), method)


def merge_heights(tree: np.ndarray, epochs: int) -> pd.DataFrame:
    """Every merge of the tree: its `height`, and whether it joins checkpoints of one model (`within`) or of several.

    tree: of `checkpoint_tree`; epochs: how many checkpoints each model has there. Heights in the tree's order.
    """
    owners = [{leaf // epochs} for leaf in range(len(tree) + 1)]
    rows = []
    for left, right, height, _ in tree:
        owners.append(owners[int(left)] | owners[int(right)])
        rows.append((height, len(owners[-1]) == 1))
    return pd.DataFrame(rows, columns=["height", "within"])


def recovered_models(weights: Float[Tensor, "models epochs params"], method: str = "ward") -> float:
    """How well cutting the tree into as many parts as there are models gives the models back.

    The adjusted Rand index of the parts: 1 where every part is one model, around 0 for parts drawn by chance.
    """
    models, epochs = weights.shape[:2]
    parts = fcluster(checkpoint_tree(weights, method), models, criterion="maxclust")
    return float(adjusted_rand_score(np.repeat(np.arange(models), epochs), parts))


# -- order from distances ----------------------------------------------------------------------------------------------


def order_by_radius(distances: np.ndarray) -> Int[np.ndarray, " checkpoints"]:
    """Checkpoints by their distance to the start, the start being the one that is farthest from its nearest neighbour.

    Uses nothing but the square matrix of distances: steps shrink, so the first one is the longest.
    """
    return np.argsort(distances[_start(distances)], kind="stable")


def order_by_path(distances: np.ndarray) -> Int[np.ndarray, " checkpoints"]:
    """Checkpoints along a greedy path: from the start (as in `order_by_radius`) always to the nearest one left."""
    path = [_start(distances)]
    left = np.setdiff1d(np.arange(len(distances)), path)
    while len(left):
        path.append(left[np.argmin(distances[path[-1], left])])
        left = left[left != path[-1]]
    return np.array(path)


def recovered_order(
    weights: Float[Tensor, "models epochs params"], order: Callable[[np.ndarray], np.ndarray] = order_by_radius
) -> Float[np.ndarray, " models"]:
    """Kendall's tau-b between the true order of each model's checkpoints and the one that distances give.

    `order` is one of the two above. 1 is the true order, 0 none, -1 the reverse.
    """
    _check(weights, epochs=3)
    taus = []
    for path in weights:
        places = np.empty(len(path), dtype=int)
        places[order(l2(path).numpy())] = np.arange(len(path))
        taus.append(kendalltau(np.arange(len(path)), places).statistic)
    return np.array(taus)


def _start(distances: np.ndarray) -> int:
    nearest = np.where(np.eye(len(distances), dtype=bool), np.inf, distances).min(axis=1)
    return int(np.argmax(nearest))


def _check(weights: Tensor, epochs: int) -> None:
    if weights.ndim != 3 or weights.shape[1] < epochs or 0 in weights.shape:
        raise ValueError(f"Paths are [models, epochs, params] with {epochs} epochs or more, not {list(weights.shape)}.")
    if not torch.isfinite(weights).all():
        raise ValueError("Paths need finite weights, and some are not; leave out diverged models.")
