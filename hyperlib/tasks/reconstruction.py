"""Do networks that come out of an auto-encoder still do what they did?

The distance of weights says little about that, so a reconstruction is judged by its answers: on which share of images
does it choose the class that the original chooses, and how accurate is it? Networks of one epoch agree anyway, so
strangers are asked too, all other networks of the same epoch. The error of the weights stands beside it, as R² against
always saying the mean network.

Source: reconstruction R² of Schürholt et al. (2021); agreement of labels after the Model Zoos paper; our choice to set
both side by side, and strangers beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from hyperlib.images.images import Images
from hyperlib.representations.behaviour import rows_by_activation
from hyperlib.representations.losses import reconstruction_r2
from hyperlib.tasks.estimates import Estimate, jackknife, mean_of
from hyperlib.weightspace.tokens import Tokenizer
from hyperlib.zoos.engines.scoring import scores
from hyperlib.zoos.zoo import Samples


class Rebuilder(Protocol):
    """A representation that writes networks out again: `HyperRep`, or a `SaneReader`."""

    latents_: int

    def reconstruct(self, samples: Samples) -> Samples:
        """The same checkpoints after encoding and decoding."""


def reconstructed(
    rep: Rebuilder, samples: Samples, images: Images, mean: Float[Tensor, " params"],
    finish: Callable[[Samples], Samples] | None = None,
) -> dict[str, float]:  # fmt: skip
    """How alike networks and their reconstructions are: one row of a table.

    `latents` is what a network is squeezed into, `share` that by its number of weights; `r2` the weights' R² against
    `mean`, the mean training network, every layer in units of its spread over `samples`, running statistics left out;
    `agreement` the share of test
    images that both put into the same class, mean over models with its 95 % interval (`low`, `high`, `freedom`),
    `stranger` the same for the network and the other models of `samples` at its epoch, mean over these, the level that
    a reconstruction has to beat, and `gain` the difference of both (see `gain_over_strangers`); `accuracy` and
    `accuracy_before` of the reconstructions and of the originals. finish: what becomes of reconstructions before they
    answer, such as `refinement.conditioned` for networks with norms.
    """
    again = rep.reconstruct(samples)
    learned, rebuilt = samples.architecture.layout.learned, (finish(again) if finish else again).weights
    scale = Tokenizer(samples.architecture.layout).scale(samples.weights)
    r2 = reconstruction_r2(*(scale.standardise(one)[..., learned] for one in (again.weights, samples.weights, mean)))
    before, after = (labels(samples, weights, images.test_x) for weights in (samples.weights, rebuilt))
    same = (before == after).double().mean(1).numpy()
    model, epoch = (samples.table[name].to_numpy() for name in ("model", "epoch"))
    strangers = agreement_with_strangers(before, model, epoch)
    agreement, gain = mean_of(_by_model(pd.Series(same), model)), gain_over_strangers(same, strangers, model)
    return {
        "latents": rep.latents_,
        "share": rep.latents_ / samples.weights.shape[1],
        "r2": r2,
        "agreement": agreement.value,
        **{part: getattr(agreement, part) for part in ("low", "high", "freedom")},
        "stranger": float(_by_model(strangers.mean(axis=1), model).mean()),
        "gain": gain.value,
        **{f"gain_{part}": getattr(gain, part) for part in ("low", "high", "freedom")},
        "accuracy": float((after == images.test_y).float().mean()),
        "accuracy_before": float((before == images.test_y).float().mean()),
    }


def agreement_with_strangers(
    chosen: Int[Tensor, "samples images"], model: Shaped[np.ndarray, " samples"], epoch: Shaped[np.ndarray, " samples"]
) -> pd.DataFrame:
    """Share of images that a sample puts into the same class as each model at its epoch: `[samples, models]`.

    NaN for a model without a sample at that epoch, and for the sample's own model.
    """
    names, place = np.unique(model, return_inverse=True)
    shares = np.full((len(model), len(names)), np.nan)
    for one in np.unique(epoch):
        rows = np.flatnonzero(epoch == one)
        at_epoch = chosen[torch.from_numpy(rows)]
        picks = ((at_epoch == label).float() for label in at_epoch.unique())
        both = sum(picked @ picked.T for picked in picks)  # whole numbers
        shares[np.ix_(rows, place[rows])] = both.double() / at_epoch.shape[1]
    shares[np.arange(len(model)), place] = np.nan
    return pd.DataFrame(shares, columns=names)


def gain_over_strangers(
    same: Float[np.ndarray, " samples"], strangers: pd.DataFrame, model: Shaped[np.ndarray, " samples"]
) -> Estimate:
    """How much more networks agree with their reconstructions (`same`) than with `strangers` (as above), mean over
    strangers, then over the samples of a model, then over models.

    The strangers of all samples are the same few models. So the interval leaves out one model at a time, with its own
    samples and as a stranger of all others. Samples without a stranger do not count; NaN if there are no others.
    """
    gains = {None: same - strangers.mean(axis=1)}
    for left_out in np.unique(model[gains[None].notna()]):
        gain = same - strangers.drop(columns=left_out).mean(axis=1)
        gains[left_out] = gain.where(model != left_out)
    without = pd.DataFrame(gains)
    without = without.loc[:, ~without.isna().T.duplicated()]  # two models that have but each other leave out the same
    value, *others = _by_model(without, model).mean()
    return jackknife(value, others)


def _by_model(values: pd.DataFrame | pd.Series, model: Shaped[np.ndarray, " samples"]) -> pd.DataFrame | pd.Series:
    return values.groupby(model).mean()


def labels(samples: Samples, weights: Float[Tensor, "samples params"], x: Tensor) -> Int[Tensor, "samples images"]:
    """The class that each network chooses for each image; its activation is the one of its sample.

    Raises ValueError where the samples' table does not say it.
    """
    chosen = torch.empty(len(weights), len(x), dtype=torch.int64)
    for activation, rows in rows_by_activation(samples).items():
        network = samples.architecture.with_activation(activation)
        chosen[rows] = scores(network, weights[rows], x).argmax(-1)
    return chosen


def few(samples: Samples, most: int, seed: int = 0) -> Samples:
    """At most so many of the samples, drawn at random, in their order."""
    return samples.take(np.sort(np.random.default_rng(seed).permutation(len(samples))[:most]))


def reconstruction_table(
    reps: Iterable[Rebuilder], train: Samples, test: Samples, images: Images, *, networks: int = 500, seed: int = 0
) -> pd.DataFrame:
    """`reconstructed` for several representations of one zoo, on at most so many test checkpoints."""
    chosen, mean = few(test, networks, seed), train.weights.mean(0)
    return pd.DataFrame([reconstructed(rep, chosen, images, mean) for rep in reps])
