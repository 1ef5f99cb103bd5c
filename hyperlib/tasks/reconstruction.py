"""Do networks that come out of an auto-encoder still do what they did?

The distance of weights says little about that, so a reconstruction is judged by its answers: on which share of images
does it choose the class that the original chooses, and how accurate is it? Networks of one epoch agree anyway, so a
stranger of the same epoch is asked too. The error of the weights stands beside it, as R² against always saying the mean
network.

Source: reconstruction R² of Schürholt et al. (2021); agreement of labels after the Model Zoos paper; our choice to set
both side by side, and strangers beside them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.images.images import Images
from hyperlib.representations.hyper_rep import HyperRep
from hyperlib.representations.losses import reconstruction_r2
from hyperlib.tasks.estimates import mean_of
from hyperlib.weightspace.tokens import Tokenizer
from hyperlib.zoos.evaluation import class_scores
from hyperlib.zoos.zoo import Samples


def reconstructed(rep: HyperRep, samples: Samples, images: Images, mean: Float[Tensor, " params"]) -> dict[str, float]:
    """How alike networks and their reconstructions are: one row of a table.

    `latents` is what a network is squeezed into, `share` that by its number of weights; `r2` the weights' R² against
    `mean`, the mean training network, every layer in units of its spread over `samples`; `agreement` the share of test
    images that both put into the same class, mean over models with its 95 % interval (`low`, `high`, `freedom`),
    `stranger` the same for the network and another model at the same epoch, the level that a reconstruction has to
    beat, and `gain` the difference of both (`gain_low`, `gain_high`; samples without a stranger are left out of these);
    `accuracy` and `accuracy_before` of the reconstructions and of the originals.
    """
    rebuilt = rep.reconstruct(samples).weights
    scale = Tokenizer(samples.architecture.layout).scale(samples.weights)
    r2 = reconstruction_r2(*(scale.standardise(weights) for weights in (rebuilt, samples.weights, mean)))
    before, after = (labels(samples, weights, images.test_x) for weights in (samples.weights, rebuilt))
    table = samples.table.assign(same=_shares(before, after), stranger=_shares(before, before[strangers(samples)]))
    table.loc[strangers(samples) == np.arange(len(samples)), "stranger"] = np.nan
    table["gain"] = table["same"] - table["stranger"]
    by_model = table.groupby("model")[["same", "stranger", "gain"]].mean()
    agreement, gain = mean_of(by_model["same"]), mean_of(by_model["gain"].dropna())
    return {
        "latents": rep.latents_,
        "share": rep.latents_ / samples.weights.shape[1],
        "r2": r2,
        "agreement": agreement.value,
        **{part: getattr(agreement, part) for part in ("low", "high", "freedom")},
        "stranger": float(by_model["stranger"].mean()),
        "gain": gain.value,
        **{f"gain_{part}": getattr(gain, part) for part in ("low", "high", "freedom")},
        "accuracy": float((after == images.test_y).float().mean()),
        "accuracy_before": float((before == images.test_y).float().mean()),
    }


def strangers(samples: Samples) -> Int[np.ndarray, " samples"]:
    """For every sample the place of another model's at the same epoch: half of that epoch's samples further on.

    A sample that is alone at its epoch is its own.
    """
    places = np.arange(len(samples))
    for at_epoch in samples.table.groupby("epoch").indices.values():
        places[at_epoch] = np.roll(at_epoch, len(at_epoch) // 2)
    return places


def _shares(
    first: Int[Tensor, "samples images"], second: Int[Tensor, "samples images"]
) -> Float[np.ndarray, " samples"]:
    return (first == second).double().mean(1).numpy()


def labels(samples: Samples, weights: Float[Tensor, "samples params"], x: Tensor) -> Int[Tensor, "samples images"]:
    """The class that each network chooses for each image; its activation is the one of its sample."""
    chosen = torch.empty(len(weights), len(x), dtype=torch.int64)
    activations = samples.table["activation"].to_numpy()
    for activation in dict.fromkeys(activations.tolist()):
        rows = torch.from_numpy(np.flatnonzero(activations == activation))
        network = samples.architecture.with_activation(activation)
        chosen[rows] = class_scores(network, weights[rows], x).argmax(-1)
    return chosen


def reconstruction_table(
    reps: Iterable[HyperRep], train: Samples, test: Samples, images: Images, *, networks: int = 500, seed: int = 0
) -> pd.DataFrame:
    """`reconstructed` for several representations of one zoo, on at most so many test checkpoints."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(test))[:networks])
    chosen, mean = test.take(rows), train.weights.mean(0)
    return pd.DataFrame([reconstructed(rep, chosen, images, mean) for rep in reps])
