"""Do networks that come out of an auto-encoder still do what they did?

The distance of weights says little about that, so a reconstruction is judged by its answers: on which share of images
does it choose the class that the original chooses, and how accurate is it? The error of the weights stands beside it,
as R² against always saying the mean network.

Source: reconstruction R² of Schürholt et al. (2021); agreement of labels after the Model Zoos paper; our choice to set
both side by side.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
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
    `chance` the same for the reconstruction of another network (the one half of the samples further on); `accuracy` and
    `accuracy_before` of the reconstructions and of the originals.
    """
    rebuilt = rep.reconstruct(samples).weights
    scale = Tokenizer(samples.architecture.layout).scale(samples.weights)
    r2 = reconstruction_r2(*(scale.standardise(weights) for weights in (rebuilt, samples.weights, mean)))
    before, after = (labels(samples, weights, images.test_x) for weights in (samples.weights, rebuilt))
    same = samples.table.assign(same=(before == after).double().mean(1).numpy())
    agreement = mean_of(same.groupby("model")["same"].mean())
    others = torch.arange(len(samples)).roll(len(samples) // 2)
    return {
        "latents": rep.latents_,
        "share": rep.latents_ / samples.weights.shape[1],
        "r2": r2,
        "agreement": agreement.value,
        **{part: getattr(agreement, part) for part in ("low", "high", "freedom")},
        "chance": float((before == after[others]).float().mean()),
        "accuracy": float((after == images.test_y).float().mean()),
        "accuracy_before": float((before == images.test_y).float().mean()),
    }


def labels(samples: Samples, weights: Float[Tensor, "samples params"], x: Tensor) -> Float[Tensor, "samples images"]:
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
