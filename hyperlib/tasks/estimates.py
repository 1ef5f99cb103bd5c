"""A measured value, how sure it is, and what that rests on.

A handful of models is too few for a bootstrap: its draws never leave the range of what was seen. Student's interval
knows how little that is. Where pairs of few models are measured, pairs that share a model are not independent; leaving
out one model with all its pairs at a time (the jackknife) counts models. What several trainings say of the same models
is a sample of both.

Source: Student (1908); the jackknife with Student's t after Tukey (1958); for pairs, Arvesen (1969), Jackknifing
U-statistics; two errors in one interval after Welch (1947). That verdicts take them is our choice.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import t


class Estimate(NamedTuple):
    """A value with its 95 % interval, NaN where one measurement says nothing about others.

    freedom: degrees of freedom of the Student's distribution that the interval comes from, infinite for a normal one
    and for a bootstrap.
    """

    value: float
    low: float = np.nan
    high: float = np.nan
    freedom: float = np.inf


def mean_of(values: Iterable[float]) -> Estimate:
    """Mean of independent values, one per model (or per run, or pair without a common model), by Student's t.

    Raises ValueError where there is no value or one is not finite.
    """
    values = _finite(values)
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return student(values.mean(), error, len(values) - 1)


def mean_over_pairs(values: Float[np.ndarray, " pairs"], pairs: Int[np.ndarray, "pairs two"]) -> Estimate:
    """Mean of one value per pair of models, by the jackknife over models.

    `pairs` numbers the two models of every pair. Meant for all pairs of a few models, where it mostly errs on the
    side of doubt, and for pairs without a common model, of which it makes `mean_of`. NaN ends where two models have one
    pair.

    Raises ValueError where there is no value or one is not finite, and for a model paired with itself.
    """
    values, pairs = _finite(values), np.asarray(pairs)
    if pairs.shape != (len(values), 2) or (pairs[:, 0] == pairs[:, 1]).any():
        raise ValueError(f"Pairs name two different models for each of the {len(values)} values.")
    leaves_out = np.array([(pairs == model).any(axis=1) for model in np.unique(pairs)])  # [models, pairs]
    leaves_out = np.unique(leaves_out, axis=0)  # two models that have but each other leave out the same
    left = len(values) - leaves_out.sum(axis=1)
    sums = values.sum() - leaves_out @ values
    return jackknife(values.mean(), np.divide(sums, left, out=np.full(len(left), np.nan), where=left > 0))


def mean_over_both(values: Float[np.ndarray, "models trainings"]) -> Estimate:
    """Mean of a value of every model by every training: what it would be for other models and for other trainings.

    The error of the models' means and that of the trainings' are added as variances. What a model has with a single
    training is in both, so the variance is rather too large (as Owen (2007) says of resampling rows and columns). Where
    there is none of that, and two or three trainings, the interval can cover a few per cent less often than it says.
    Of one training it is `mean_of` the models, which knows nothing of others, and of one model that of the trainings.

    Raises ValueError where there is no value, or one is not finite, or for another form.
    """
    values = _finite(values)
    if values.ndim != 2:
        raise ValueError(f"Values come as [models, trainings], not {list(values.shape)}.")
    if 1 in values.shape:
        return mean_of(values.ravel())
    return with_errors(values.mean(), values.mean(axis=1), values.mean(axis=0))


def with_errors(value: float, *samples: Float[np.ndarray, " _"]) -> Estimate:
    """A value with the errors of the means of independent samples, by Student's t with Welch's degrees of freedom.

    No ends where a sample is a single one. Raises ValueError for one without values, or with one that is not finite.
    """
    samples = tuple(_finite(sample) for sample in samples)
    less = np.array([len(sample) for sample in samples]) - 1
    if not less.all():
        return Estimate(float(value))
    errors = np.array([np.var(sample) if np.ptp(sample) > 1e-12 * np.abs(sample).max() else 0 for sample in samples])
    errors = errors / less  # rounding is no error, and must not decide the degrees of freedom
    shares = errors / errors.max() if errors.any() else np.ones(len(errors))
    freedom = shares.sum() ** 2 / (shares**2 / less).sum()
    return student(float(value), np.sqrt(errors.sum()), freedom)


def jackknife(value: float, without: Iterable[float]) -> Estimate:
    """A value of several models, its error from what it is `without` each of them.

    NaN ends where fewer than two can be left out, or where nothing is left (NaN) without one of them.
    """
    without = np.asarray(list(without), dtype=np.float64)
    if len(without) < 2 or not np.isfinite(without).all():
        return Estimate(float(value))
    return student(value, np.sqrt((len(without) - 1) * without.var()), len(without) - 1)


def between(found: Estimate) -> Estimate:
    """A correlation, or a mean of some, whose ends stay between -1 and 1: its interval, laid on Fisher's scale.

    There an error is 1 / (1 - r²) times as large, and the interval of all correlations is the whole line. Of a perfect
    one the ends are cut.

    Source: Fisher (1921), with the error that the data show (the delta method) in place of that of a normal pair.
    """
    value, low, high = np.clip(found[:3], -1, 1)  # rounding, too
    if abs(value) != 1:
        low, high = np.tanh(np.arctanh(value) + (np.array(found[1:3]) - value) / (1 - value**2))
    low, high = np.minimum(low, value), np.maximum(high, value)  # rounding once more; what is NaN stays so
    return Estimate(float(value), float(low), float(high), found.freedom)


def student(mean: float, error: float, freedom: float) -> Estimate:
    """A mean with its standard error, by Student's t of so many degrees (models less one); for none, no ends."""
    if not freedom:
        return Estimate(float(mean))
    half = float(t.ppf(0.975, freedom) * error)
    return Estimate(float(mean), float(mean) - half, float(mean) + half, freedom)


def _finite(values: Iterable[float]) -> Float[np.ndarray, " values"]:
    values = np.asarray(list(values), dtype=np.float64)
    if not values.size or not np.isfinite(values).all():
        found = f"{np.isfinite(values).sum()} of {values.size} are"
        raise ValueError(f"A mean needs finite values, and {found}; leave out diverged models.")
    return values
