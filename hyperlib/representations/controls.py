"""What a learned representation has to beat before it can be said to have learned: controls without a training.

The clock knows the epoch and nothing else. Pooled rows are the numbers that our encoder can be given beside every
unit's row, without the encoder. Random features ask whether a score comes from having many features. All are read by
the same probes as a representation; `controls` has them by name.

Source: our choice; random features after Rahimi and Recht (2007), with ReLU units.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import FeatureUnion

from hyperlib.representations.baselines import FACTORS, Hyperparameters, LayerStatistics
from hyperlib.representations.blocks import rows_of, statistics_of
from hyperlib.representations.estimator import Representation, Values, plain
from hyperlib.weightspace.tokens import Tokenizer
from hyperlib.weightspace.values import is_whole
from hyperlib.zoos.zoo import Samples

ACTIVATION = ("activation",)


def controls(dimension: int = 256, seed: int = 0) -> dict[str, BaseEstimator]:
    """What any representation has to be compared with, by name; `tasks.probing.CONTROL_PROBES` says what reads them.

    "settings" are all hyper-parameters and the epoch, "all statistics" are s(W), pooled rows and the activation side by
    side, and share s(W) and pooled rows with the others. dimension: of the random features, best as many as the
    representation has.
    """
    statistics, rows = LayerStatistics(), PooledRows()
    together = [("s(W)", statistics), ("rows", rows), ("activation", Hyperparameters(ACTIVATION))]
    return {
        "clock": Clock(),
        "settings": Hyperparameters((*FACTORS, "epoch")),
        "s(W)": statistics,
        "pooled rows": rows,
        "all statistics": FeatureUnion(together),
        "random features": RandomFeatures(dimension, seed=seed),
    }


class Clock(Representation):
    """How long a model was trained, and nothing else: one feature per epoch that `fit` saw, 1 at that epoch.

    A linear probe on it predicts the training models' mean at the checkpoint's epoch. What does no better than the
    clock tells networks of different epochs apart and no two of one epoch.
    """

    def _learn(self, samples: Samples, y: Values | None, groups: Values | None) -> None:
        self.epochs_ = np.unique(samples.table["epoch"])

    def _vectors(self, samples: Samples) -> Float[np.ndarray, "samples features"]:
        return (samples.table["epoch"].to_numpy()[:, None] == self.epochs_).astype(np.float32)

    def _names(self) -> list[str]:
        return [f"epoch {epoch}" for epoch in self.epochs_]


class PooledRows(Representation):
    """Mean and deviation, over the units of a layer, of what `HyperRep(statistics=True)` reads of every unit's row.

    These are mean, deviation and log root mean square of the unit's weights, and of its bias: twelve numbers per layer
    with biases, six without.
    """

    def _vectors(self, samples: Samples) -> Float[np.ndarray, "samples features"]:
        if not len(samples):
            return np.empty((0, len(self._names())))
        found = []
        for block in Tokenizer(samples.architecture.layout).blocks:
            statistics = statistics_of(rows_of(samples.weights, block), block)
            deviation, mean = torch.std_mean(statistics, 1, correction=0)
            found += [mean, deviation]
        return torch.cat(found, -1).cpu().numpy()

    def _names(self) -> list[str]:
        names = []
        for block in Tokenizer(self.architecture_.layout).blocks:
            of_row = [f"{slot.name} {part} of rows" for slot in block.slots for part in ("mean", "std", "log rms")]
            names += [f"{pooled} of {name}" for pooled in ("mean", "std") for name in of_row]
        return names


class RandomFeatures(Representation):
    """ReLU units with random weights on top of another representation: many features of which none is learned.

    of: the representation below, s(W) without one; its features get mean 0 and deviation 1 over the training samples
    first. Weights are normal with deviation 1/sqrt(features), biases standard normal, both drawn with `seed`. `fit`
    raises ValueError for a `dimension` below one.
    """

    def __init__(self, dimension: int = 256, of: Representation | None = None, seed: int = 0) -> None:
        self.dimension = dimension
        self.of = of
        self.seed = seed

    def _learn(self, samples: Samples, y: Values | None, groups: Values | None) -> None:
        if not is_whole(self.dimension, 1):
            raise ValueError(f"dimension is a whole number from 1 on, not {self.dimension!r}.")
        self.of_ = (LayerStatistics() if self.of is None else clone(self.of)).fit(samples, y)
        features = self.of_.embed(samples).astype(np.float64)
        self.mean_, spread = features.mean(0), features.std(0)
        self.spread_ = np.where(np.ptp(features, 0) > 0, spread, 1.0)
        random = np.random.default_rng(self.seed)
        self.weights_ = random.normal(size=(features.shape[1], self.dimension)) / np.sqrt(features.shape[1])
        self.biases_ = random.normal(size=self.dimension)

    def _vectors(self, samples: Samples) -> Float[np.ndarray, "samples features"]:
        scaled = (self.of_.embed(samples) - self.mean_) / self.spread_
        return np.maximum(scaled @ self.weights_ + self.biases_, 0)

    def _names(self) -> list[str]:
        return [f"random{number}" for number in range(self.dimension)]


class RandomTokens(Representation):
    """What `Sane` reads without its network: the mean over tokens of ReLU units with random weights.

    token: width of a token. dimension, seed: of the units, weights normal with deviation 1/sqrt(token) and biases
    standard normal. Layers are standardised over the training samples, deviations as `spread` says (see
    `Tokenizer.scale`). `fit` raises ValueError for a `dimension` below one, and what `Tokenizer` raises.
    """

    def __init__(self, dimension: int = 64, token: int = 64, spread: str = "within", seed: int = 0) -> None:
        self.dimension = dimension
        self.token = token
        self.spread = spread
        self.seed = seed

    def _learn(self, samples: Samples, y: Values | None, groups: Values | None) -> None:
        if not is_whole(self.dimension, 1):
            raise ValueError(f"dimension is a whole number from 1 on, not {self.dimension!r}.")
        tokenizer = Tokenizer(samples.architecture.layout, self.token)
        self.scale_ = tokenizer.scale(plain(samples.weights), spread=self.spread)
        generator = torch.Generator().manual_seed(self.seed)
        self.weights_ = torch.randn(self.token, self.dimension, generator=generator) / self.token**0.5
        self.biases_ = torch.randn(self.dimension, generator=generator)

    def _vectors(self, samples: Samples) -> Float[np.ndarray, "samples features"]:
        tokenizer, found = Tokenizer(samples.architecture.layout, self.token), [torch.empty(0, self.dimension)]
        for some in plain(samples.weights).split(max(1, 2**20 // tokenizer.shape[0])):
            tokens = tokenizer.encode(self.scale_.standardise(some))[:, tokenizer.learned]
            found.append((tokens @ self.weights_ + self.biases_).relu().mean(1))
        return torch.cat(found).numpy()

    def _names(self) -> list[str]:
        return [f"random{number}" for number in range(self.dimension)]
