"""Probes that can bend: boosted trees, kernel ridge regression and a small network.

They ask whether a linear reading of features was too weak. What each of them has to choose (how many trees, the width
of the kernel and the penalty, when to stop) is chosen on validation samples, target by target, so that their scores
are scores of a reader at its best and not of a setting.

Source: trees after Unterthiner et al. (2020), by scikit-learn (Pedregosa et al. 2011); the others and all settings are
our choice. Kernel ridge regression stands on Nyström features (Williams and Seeger 2001).
"""

from __future__ import annotations

import warnings
from itertools import islice

import numpy as np
from jaxtyping import Shaped
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_approximation import Nystroem
from sklearn.neural_network import MLPRegressor
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from hyperlib.tasks.probes import (
    Categories,
    Features,
    LinearProbe,
    Targets,
    ValCategories,
    ValFeatures,
    ValTargets,
    finite,
    require_two,
    scaling,
)

TREE_ROWS = 20_000
NETWORK_ROWS = 5_000


class TreeProbe(BaseEstimator):
    """Gradient-boosted trees for one target, a number or a category.

    At most `trees` are grown, and as many of them answer as are best on `validation` (all without one): least squared
    error, or most hits. Cost grows with the features (2,464 of them on 10,000 samples: over a minute per target), so a
    table names who gets trees. At most `rows` training samples are used, drawn at random with `seed`. They grow and
    answer on one core: with more threads than free cores, threads wait for each other and take several times as long.

    Learned: `rows_`, how many samples were fitted, and `trees_`, how many trees answer.
    """

    def __init__(self, trees: int = 300, rate: float = 0.06, rows: int = TREE_ROWS, seed: int = 0) -> None:
        self.trees = trees
        self.rate = rate
        self.rows = rows
        self.seed = seed

    def fit(
        self, features: Features, targets: Categories, validation: tuple[ValFeatures, ValCategories] | None = None
    ) -> TreeProbe:
        """Fit one target; strings are categories."""
        features = finite(features, "features")
        numeric = np.issubdtype(np.asarray(targets).dtype, np.number)
        targets = finite(targets, "targets") if numeric else targets
        if not numeric:
            require_two(targets)
        kind = HistGradientBoostingRegressor if numeric else HistGradientBoostingClassifier
        kept = _some_rows(len(features), self.rows, self.seed)
        self.rows_ = len(kept)
        self.model_ = kind(
            max_iter=self.trees, learning_rate=self.rate, early_stopping=False, random_state=self.seed
        )
        self.trees_ = self.trees
        with threadpool_limits(1):
            self.model_.fit(features[kept], targets[kept])
            if validation is not None:
                seen, truth = finite(validation[0], "validation features"), np.asarray(validation[1])
                stages = self.model_.staged_predict(seen)
                losses = [np.square(truth - said).sum() if numeric else (truth != said).sum() for said in stages]
                self.trees_ = int(np.argmin(losses)) + 1
        return self

    def predict(self, features: Features) -> Categories:
        """Predictions in the target's units, or categories."""
        check_is_fitted(self, "model_")
        features = finite(features, "features")
        with threadpool_limits(1):
            if self.trees_ == self.trees:
                return self.model_.predict(features)
            return next(islice(self.model_.staged_predict(features), self.trees_ - 1, None))


class KernelProbe(BaseEstimator):
    """Kernel ridge regression with a Gaussian kernel, for many targets at once, on Nyström features.

    Features have mean 0 and deviation 1 over the training samples; the kernel is exp(-w ‖x − y‖² / features) for each
    of `widths`, on at most `landmarks` training samples drawn with `seed`. Width and penalty of every target are those
    with the least error on the validation samples.

    Learned: `penalty_ [targets]` and `width_ [targets]`.
    """

    def __init__(self, widths: tuple[float, ...] = (0.03, 0.1, 0.3), landmarks: int = 500, seed: int = 0) -> None:
        self.widths = widths
        self.landmarks = landmarks
        self.seed = seed

    def fit(self, features: Features, targets: Targets, validation: tuple[ValFeatures, ValTargets]) -> KernelProbe:
        """Fit all targets; ValueError for values that are not finite, or widths that are not positive."""
        if not self.widths or min(self.widths) <= 0:
            raise ValueError(f"A kernel needs widths above zero, not {self.widths}.")
        features, targets = finite(features, "features"), finite(targets, "targets")
        seen, truth = finite(validation[0], "validation features"), finite(validation[1], "validation targets")
        self.scaling_, self.centre_ = scaling(features), targets.mean(0)
        readers, losses = [], []
        for width in self.widths:
            landmarks = min(self.landmarks, len(features))
            kernel = Nystroem(gamma=width / features.shape[1], n_components=landmarks, random_state=self.seed)
            inside = kernel.fit_transform(_scaled(features, self.scaling_))
            beside = kernel.transform(_scaled(seen, self.scaling_)), truth - self.centre_
            probe = LinearProbe().fit(inside, targets - self.centre_, beside)
            readers.append((kernel, probe))
            losses.append(np.square(truth - self._read(readers[-1], seen)).sum(0))
        best = np.argmin(losses, axis=0)
        self.readers_ = {place: readers[place] for place in np.unique(best).tolist()}
        self.choice_, self.width_ = best, np.array(self.widths)[best]
        self.penalty_ = np.array([readers[place][1].penalty_[target] for target, place in enumerate(best)])
        return self

    def predict(self, features: Features) -> Targets:
        """Predictions in the targets' units."""
        check_is_fitted(self, "readers_")
        features = finite(features, "features")
        said = {place: self._read(reader, features) for place, reader in self.readers_.items()}
        return np.column_stack([said[place][:, target] for target, place in enumerate(self.choice_.tolist())])

    def _read(self, reader: tuple[Nystroem, LinearProbe], features: Features) -> Targets:
        kernel, probe = reader
        return probe.predict(kernel.transform(_scaled(features, self.scaling_))) + self.centre_


class NetworkProbe(BaseEstimator):
    """A network with one hidden layer for many targets at once, by Adam on standardised features and targets.

    After every pass over at most `rows` training samples it is asked the validation samples, and every target is told
    by the network of its own best pass, out of `passes`. Features beyond those of the training samples count as the
    farthest of these, or a stray one would send the answers far off.

    Learned: `passes_ [targets]`, and as `penalty_` the penalty of squared weights, which is fixed.
    """

    def __init__(
        self,
        hidden: int = 64,
        passes: int = 40,
        rate: float = 3e-3,
        penalty: float = 1e-3,
        rows: int = NETWORK_ROWS,
        seed: int = 0,
    ) -> None:
        self.hidden = hidden
        self.passes = passes
        self.rate = rate
        self.penalty = penalty
        self.rows = rows
        self.seed = seed

    def fit(self, features: Features, targets: Targets, validation: tuple[ValFeatures, ValTargets]) -> NetworkProbe:
        """Fit all targets; ValueError for values that are not finite."""
        features, targets = finite(features, "features"), finite(targets, "targets")
        seen, truth = finite(validation[0], "validation features"), finite(validation[1], "validation targets")
        self.scaling_, self.units_ = scaling(features), scaling(targets)
        self.range_ = features.min(0), features.max(0)
        kept = _some_rows(len(features), self.rows, self.seed)
        x, y = _scaled(features, self.scaling_)[kept], _scaled(targets, self.units_)[kept]
        seen, truth = _scaled(np.clip(seen, *self.range_), self.scaling_), _scaled(truth, self.units_)
        network = MLPRegressor(
            hidden_layer_sizes=(self.hidden,),
            alpha=self.penalty,
            learning_rate_init=self.rate,
            random_state=self.seed,
            batch_size=int(np.clip(len(x) // 30, 16, 128)),
        )
        least = np.full(targets.shape[1], np.inf)
        self.passes_, self.layers_ = np.zeros(targets.shape[1], dtype=int), {}
        for done in range(1, self.passes + 1):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                network.partial_fit(x, y if y.shape[1] > 1 else y[:, 0])
            layers = [(w.copy(), b.copy()) for w, b in zip(network.coefs_, network.intercepts_, strict=True)]
            losses = np.square(truth - _answers(layers, seen)).sum(0)
            for target in np.flatnonzero(losses < least):
                least[target], self.passes_[target], self.layers_[int(target)] = losses[target], done, layers
        self.penalty_ = np.full(targets.shape[1], self.penalty)
        return self

    def predict(self, features: Features) -> Targets:
        """Predictions in the targets' units."""
        check_is_fitted(self, "layers_")
        x = _scaled(np.clip(finite(features, "features"), *self.range_), self.scaling_)
        said = np.column_stack([_answers(layers, x)[:, target] for target, layers in sorted(self.layers_.items())])
        spread = np.where(np.isfinite(self.units_[1]), self.units_[1], 0)
        return said * spread + self.units_[0]


def _answers(layers: list[tuple[np.ndarray, np.ndarray]], x: Features) -> Targets:
    """What the network with these layers says: ReLU between them."""
    for weights, biases in layers[:-1]:
        x = np.maximum(x @ weights + biases, 0)
    return x @ layers[-1][0] + layers[-1][1]


def _scaled(values: Features, by: tuple[np.ndarray, np.ndarray]) -> Features:
    return (values - by[0]) / by[1]


def _some_rows(rows: int, most: int, seed: int) -> Shaped[np.ndarray, " kept"]:
    """Places of at most so many rows, drawn at random, in order."""
    return np.sort(np.random.default_rng(seed).permutation(rows)[:most])
