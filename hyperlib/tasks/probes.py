"""Simple models that read a property off a representation.

A probe is kept weak on purpose: what it finds, the representation has laid open. The linear probe is the thesis's own;
`curved_probes` ask whether a linear reading was too weak. Every probe has `fit(features, targets, validation)` and
`predict(features)`; `validation` is a pair like the first two and serves to choose the penalty.

Source: Schürholt et al. (2021), closed-form ridge and linear soft-max on embeddings.
"""

from __future__ import annotations

import warnings

import numpy as np
from jaxtyping import Float, Shaped
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted

from hyperlib.weightspace.tokens import ROUNDING

PENALTIES = (1e3, 3e2, 1e2, 3e1, 1e1, 3e0, 1e0, 3e-1, 1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
SOFTMAX_PENALTIES = (1e2, 1e0, 1e-2)

Features = Float[np.ndarray, "samples latent"]
Targets = Float[np.ndarray, "samples targets"]
Categories = Shaped[np.ndarray, " samples"]
ValFeatures = Float[np.ndarray, "val_samples latent"]
ValTargets = Float[np.ndarray, "val_samples targets"]
ValCategories = Shaped[np.ndarray, " val_samples"]


class LinearProbe(BaseEstimator):
    """Ridge regression in closed form, for many targets at once, as published.

    A column of ones is appended to the features, its weight (the intercept) is penalised like all others, and
    the features keep their units. The penalty λ of ‖y − Xb‖² + λ‖b‖² is chosen for each target by R² on the
    validation samples. `standardise=True` is our variant: features of mean 0 and variance 1 over the training
    samples.

    All penalties share one eigendecomposition, of the smaller of XᵀX and XXᵀ, in float64. Learned:
    `penalty_ [targets]`, `coefficients_ [latent + 1, targets]` (intercept last).
    """

    def __init__(self, penalties: tuple[float, ...] = PENALTIES, standardise: bool = False) -> None:
        self.penalties = penalties
        self.standardise = standardise

    def fit(self, features: Features, targets: Targets, validation: tuple[ValFeatures, ValTargets]) -> LinearProbe:
        """Fit all targets; ValueError for values that are not finite, or penalties that are not positive."""
        if not self.penalties or min(self.penalties) <= 0:
            raise ValueError(f"A linear probe needs penalties above zero, not {self.penalties}.")
        features, targets = finite(features, "features"), finite(targets, "targets")
        if targets.ndim != 2:
            raise ValueError(f"A linear probe reads targets [samples, targets], not {list(targets.shape)}.")
        self.scaling_ = scaling(features) if self.standardise else None
        spectrum, directions, loads = _decompose(self._design(features), targets)
        seen = self._design(finite(validation[0], "validation features")) @ directions
        truth = finite(validation[1], "validation targets")
        paths = [loads / (spectrum + penalty)[:, None] for penalty in self.penalties]
        errors = np.stack([np.square(truth - seen @ path).sum(0) for path in paths])  # least error = best R²
        best = errors.argmin(0)
        self.penalty_ = np.array(self.penalties)[best]
        self.coefficients_ = directions @ np.column_stack([paths[p][:, t] for t, p in enumerate(best)])
        return self

    def predict(self, features: Features) -> Targets:
        """Predictions in the targets' units."""
        check_is_fitted(self, "coefficients_")
        return self._design(finite(features, "features")) @ self.coefficients_

    def _design(self, features: Features) -> Float[np.ndarray, "samples latent+1"]:
        if self.scaling_ is not None:
            features = (features - self.scaling_[0]) / self.scaling_[1]
        return np.column_stack([features, np.ones(len(features))])


class BesideClock:
    """Features and targets as they are inside epochs, for a probe that is to tell networks of one epoch apart.

    A target becomes its distance from its epoch's mean, in units of the deviation there, so that every epoch counts the
    same, however little its networks differ; `back` gives predictions in the target's own units. Features are cut off
    at the extremes (half a percent on either side), lose the mean of their epoch and get a deviation of `SMALL` inside
    epochs, so that the strongest penalty of a linear probe leaves the clock alone; the epoch itself stands beside them,
    for probes that bend. All of it is measured on training samples, and our choice.

    Every call raises ValueError for an epoch that the training samples do not have.
    """

    SMALL, EXTREMES = 0.03, (0.005, 0.995)

    def __init__(self, features: Features, targets: Targets, epochs: Shaped[np.ndarray, " samples"]) -> None:
        self.epochs = np.unique(epochs)
        place = self._place(epochs)
        self.low, self.high = np.quantile(features, self.EXTREMES, axis=0)
        cut = np.clip(features, self.low, self.high)
        self.centre, self.means = _means_of(cut, place), _means_of(targets, place)
        spread = (cut - self.centre[place]).std(0)
        self.spread = np.where(spread > ROUNDING * np.abs(cut).max(0), spread, np.inf)  # what the epoch decides says 0
        deviation = np.sqrt(_means_of(np.square(targets - self.means[place]), place))
        self.deviations = np.where(deviation > ROUNDING * np.abs(targets).max(0), deviation, 0.0)

    def features(self, features: Features, epochs: Shaped[np.ndarray, " samples"]) -> Features:
        """[samples, latent + 1], the epoch last."""
        place = self._place(epochs)
        inside = (np.clip(features, self.low, self.high) - self.centre[place]) / self.spread
        when = 2 * place / max(1, len(self.epochs) - 1) - 1
        return self.SMALL * np.column_stack([inside, when])

    def targets(self, targets: Targets, epochs: Shaped[np.ndarray, " samples"]) -> Targets:
        """Mean 0 and deviation 1 in every epoch of the training samples; 0 where a target does not vary there."""
        place = self._place(epochs)
        deviations = self.deviations[place]
        return (targets - self.means[place]) / np.where(deviations > 0, deviations, np.inf)

    def back(self, targets: Targets, epochs: Shaped[np.ndarray, " samples"]) -> Targets:
        """From deviations inside an epoch to the targets' own units."""
        place = self._place(epochs)
        return self.means[place] + self.deviations[place] * targets

    def _place(self, epochs: Shaped[np.ndarray, " samples"]) -> Shaped[np.ndarray, " samples"]:
        place = np.minimum(np.searchsorted(self.epochs, epochs), len(self.epochs) - 1)
        if len(unknown := np.setdiff1d(epochs, self.epochs)):
            raise ValueError(f"There are no training samples of epoch {unknown[0]}, so nobody knows its mean.")
        return place


class SoftmaxProbe(BaseEstimator):
    """Linear soft-max for one categorical target.

    Our choice, for speed: solved to its optimum on standardised features, with the penalty (on half the
    squared weights, beside the summed cross-entropy) chosen by validation accuracy, the stronger one on a
    tie. The published probe runs Adam for 50 epochs (rate 1e-4, weight decay 1e-6, batches of 10); it is not
    implemented here.

    Learned: `penalty_`, and `converged_`, False if the solver reached `iterations` first.
    """

    def __init__(self, penalties: tuple[float, ...] = SOFTMAX_PENALTIES, iterations: int = 500) -> None:
        self.penalties = penalties
        self.iterations = iterations

    def fit(
        self, features: Features, targets: Categories, validation: tuple[ValFeatures, ValCategories]
    ) -> SoftmaxProbe:
        """Fit one target; ValueError if the training samples know a single category only."""
        require_two(targets)
        features = finite(features, "features")
        self.scaling_ = scaling(features)
        seen = self._scaled(finite(validation[0], "validation features"))
        best = -1.0
        for penalty in sorted(self.penalties, reverse=True):
            model = LogisticRegression(C=1 / penalty, max_iter=self.iterations)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # kept in converged_
                model.fit(self._scaled(features), targets)
            accuracy = float(np.mean(model.predict(seen) == validation[1]))
            if accuracy > best:
                best, self.penalty_, self.model_ = accuracy, penalty, model
        self.converged_ = bool(self.model_.n_iter_.max() < self.iterations)
        return self

    def predict(self, features: Features) -> Categories:
        """Most likely categories."""
        check_is_fitted(self, "model_")
        return self.model_.predict(self._scaled(finite(features, "features")))

    def _scaled(self, features: Features) -> Features:
        return (features - self.scaling_[0]) / self.scaling_[1]


def finite(values: np.ndarray, name: str) -> Float[np.ndarray, "..."]:
    """The values in float64; ValueError naming the first row that holds NaN or infinity."""
    values = np.asarray(values, dtype=np.float64)
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.argwhere(bad)[0, 0])
        raise ValueError(f"The {name} are not finite in row {row} ({bad.sum()} such values); leave these samples out.")
    return values


def scaling(features: Features) -> tuple[Float[np.ndarray, " latent"], Float[np.ndarray, " latent"]]:
    """Mean and standard deviation; infinite for a feature that changes by rounding alone, so that it says nothing."""
    spread = features.std(0)
    changes = (np.ptp(features, 0) > ROUNDING * np.abs(features).max(0)) & (spread > 0)  # tiny ones have no square
    return features.mean(0), np.where(changes, spread, np.inf)


def _means_of(
    values: Float[np.ndarray, "samples columns"], place: Shaped[np.ndarray, " samples"]
) -> Float[np.ndarray, "places columns"]:
    """Column means of the samples at every place."""
    sums = np.zeros((place.max() + 1, values.shape[1]))
    np.add.at(sums, place, values)
    return sums / np.bincount(place)[:, None]


def _decompose(
    design: Float[np.ndarray, "samples columns"], targets: Targets
) -> tuple[Float[np.ndarray, " rank"], Float[np.ndarray, "columns rank"], Float[np.ndarray, "rank targets"]]:
    """Spectrum s, directions D, loads L, so that D (L / (s + λ)) are the ridge coefficients for every λ."""
    if design.shape[0] >= design.shape[1]:
        spectrum, directions = np.linalg.eigh(design.T @ design)
        loads = directions.T @ (design.T @ targets)
    else:
        spectrum, vectors = np.linalg.eigh(design @ design.T)
        directions, loads = design.T @ vectors, vectors.T @ targets
    return spectrum.clip(min=0), directions, loads


def require_two(targets: Categories) -> None:
    """ValueError if all targets are of one category."""
    if len(set(targets)) < 2:
        raise ValueError(f"All training samples are of the category {targets[0]!r}; there is nothing to tell apart.")
