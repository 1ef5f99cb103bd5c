"""How sure a score is: a bootstrap over models.

The checkpoints of one model are near copies of each other, so an interval over checkpoints would be far too
narrow. Models are drawn instead, with all their checkpoints, and two scores are compared on the same draws:
what they share (a hard or an easy set of test models) cancels in the difference.

With `strata` (epochs, say), R² is that inside them: each stratum has an R² of its own, about its own mean and with the
unbiased variance of its samples, and their mean counts, every stratum the same. So what tells strata apart and nothing
else scores about zero. Strata with fewer than two samples, or without variance, are left out.

Source: our choice; the percentile bootstrap of Efron and Tibshirani (1993) with models as units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.stats import kendalltau

from hyperlib.tasks.estimates import Estimate

METRICS = ("r2", "accuracy")
FEWEST = 5  # models, for an interval (our choice)


@dataclass(frozen=True)
class ModelBootstrap:
    """Draws of test models: `model [samples]` numbers each sample's model, `counts [draws, models]` says how often."""

    model: Int[np.ndarray, " samples"]
    counts: Int[np.ndarray, "draws models"]

    @classmethod
    def draw(cls, groups: Shaped[np.ndarray, " samples"], *, draws: int = 1000, seed: int = 0) -> ModelBootstrap:
        """As many models per draw as there are, with replacement; `groups` names the model of each sample."""
        names, model = np.unique(np.asarray(groups), return_inverse=True)
        if draws < 1 or not len(names):
            raise ValueError(f"A bootstrap needs draws and models; it was given {draws} draws, {len(names)} models.")
        shares = np.full(len(names), 1 / len(names))
        return cls(model, np.random.default_rng(seed).multinomial(len(names), shares, size=draws))

    def scores(
        self,
        truth: Shaped[np.ndarray, " samples"],
        prediction: Shaped[np.ndarray, " samples"],
        metric: str = "r2",
        strata: Shaped[np.ndarray, " samples"] | None = None,
    ) -> Float[np.ndarray, " draws"]:
        """The score of every draw; NaN where a draw's truth is constant (in all strata) or it has no sample."""
        if check_metric(metric) == "accuracy":
            return _ratio(self._sum(truth == prediction), self._sum(np.ones(len(truth))))[:, 0]
        stratum = _numbered(strata, len(truth))
        centred = truth - _means(truth, stratum)[stratum]
        power, samples = self._sum(np.square(centred), stratum), self._sum(np.ones(len(truth)), stratum)
        spread = power - _ratio(np.square(self._sum(centred, stratum)), samples)
        spread = np.where(spread > 1e-12 * power, spread, np.nan)
        left = self._sum(np.square(truth - prediction), stratum) / spread
        if strata is None:
            return 1 - left[:, 0]
        return 1 - _mean(left * _unbiased(samples) * _unbiased(np.bincount(stratum)))

    def interval(self, scores: Float[np.ndarray, " draws"]) -> tuple[float, float]:
        """The middle 95 % of the draws that have a score; NaN for so few models that draws hardly differ."""
        known = scores[np.isfinite(scores)]
        if self.counts.shape[1] < FEWEST or not len(known):
            return np.nan, np.nan
        low, high = np.quantile(known, [0.025, 0.975])
        return float(low), float(high)

    def _sum(
        self, values: Shaped[np.ndarray, " samples"], stratum: Int[np.ndarray, " samples"] | None = None
    ) -> Float[np.ndarray, "draws strata"]:
        """Sum over each draw's samples, stratum by stratum."""
        stratum = np.zeros(len(values), dtype=int) if stratum is None else stratum
        sums = np.zeros((self.counts.shape[1], stratum.max() + 1))
        np.add.at(sums, (self.model, stratum), values)
        return self.counts @ sums


def score(
    truth: Shaped[np.ndarray, " samples"],
    prediction: Shaped[np.ndarray, " samples"],
    metric: str = "r2",
    strata: Shaped[np.ndarray, " samples"] | None = None,
) -> float:
    """R² = 1 − SSE / SST about the mean of these samples, or the mean of those inside strata; or the share of hits.

    NaN if the truth is constant (in every stratum). ValueError for a share of hits inside strata.

    Equation: `eq-r2` on page 03.
    """
    if check_metric(metric) == "accuracy":
        if strata is not None:
            raise ValueError("Only numbers are scored inside epochs; words have a share of hits over all samples.")
        return float(np.mean(truth == prediction))
    stratum = _numbered(strata, len(truth))
    samples, spread = np.bincount(stratum), _spread(truth, stratum)
    left = np.bincount(stratum, weights=np.square(truth - prediction)) / np.where(spread > 0, spread, np.nan)
    return float(1 - (left[0] if strata is None else _mean(left * _unbiased(samples))))


def paired_difference(
    truth: Shaped[np.ndarray, " samples"],
    first: Sequence[Shaped[np.ndarray, " samples"]],
    second: Sequence[Shaped[np.ndarray, " samples"]],
    draws: ModelBootstrap,
    metric: str = "r2",
    strata: Shaped[np.ndarray, " samples"] | None = None,
) -> Estimate:
    """Score of the first predictions minus that of the second, with an interval over the same draws of models.

    Each side is a list: where it holds several predictions (one method with several seeds), the mean of their scores
    counts, so that the interval is one over models and not over seeds.
    """
    values = [np.mean([score(truth, one, metric, strata) for one in side]) for side in (first, second)]
    drawn = [np.mean([draws.scores(truth, one, metric, strata) for one in side], axis=0) for side in (first, second)]
    return Estimate(float(values[0] - values[1]), *draws.interval(drawn[0] - drawn[1]))


def judge(
    truth: Shaped[np.ndarray, " samples"],
    prediction: Shaped[np.ndarray, " samples"],
    draws: ModelBootstrap,
    epochs: Shaped[np.ndarray, " samples"],
) -> dict[str, object]:
    """Score, interval and rank correlation of a prediction, over all samples and, for numbers, inside epochs."""
    metric = metric_of(truth)
    row: dict[str, object] = {"metric": metric}
    for name, strata in (("value", None), ("within", epochs)) if metric == "r2" else (("value", None),):
        low, high = draws.interval(draws.scores(truth, prediction, metric, strata))
        ends = {"low": low, "high": high} if strata is None else {"within_low": low, "within_high": high}
        row |= {name: score(truth, prediction, metric, strata)} | ends
    if metric == "r2":
        row["tau"] = _tau(truth, prediction)
        inside = [_tau(truth[epochs == epoch], prediction[epochs == epoch]) for epoch in np.unique(epochs)]
        row["within_tau"] = float(np.nanmean(inside)) if np.isfinite(inside).any() else np.nan
    return row


def metric_of(truth: Shaped[np.ndarray, " samples"]) -> str:
    """R² for numbers, accuracy for words."""
    return "r2" if np.issubdtype(truth.dtype, np.number) else "accuracy"


def _tau(truth: Float[np.ndarray, " samples"], prediction: Float[np.ndarray, " samples"]) -> float:
    return float(kendalltau(truth, prediction, variant="b").statistic)


def _spread(
    values: Float[np.ndarray, " samples"], stratum: Int[np.ndarray, " samples"]
) -> Float[np.ndarray, " strata"]:
    """Sum of squares about each stratum's mean; exactly zero where all values are equal."""
    spread = np.bincount(stratum, weights=np.square(values - _means(values, stratum)[stratum]))
    for one in range(len(spread)):
        own = values[stratum == one]
        spread[one] = spread[one] if (own != own[0]).any() else 0
    return spread


def _unbiased(samples: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """What turns SSE / SST into mean squared error / unbiased variance, for so many samples; NaN for fewer than two.

    A draw of a bootstrap loses this factor twice: once as any sample does, and once because it is drawn from a sample.
    """
    return np.where(samples > 1, (samples - 1) / np.maximum(samples, 1), np.nan)


def _mean(values: Float[np.ndarray, "*draws strata"]) -> Float[np.ndarray, "*draws"]:
    """Mean over the strata that have a value; NaN where none has."""
    known = np.isfinite(values)
    return _ratio(np.where(known, values, 0).sum(-1), known.sum(-1))


def _ratio(above: np.ndarray, below: np.ndarray) -> Float[np.ndarray, "..."]:
    """One by the other; NaN where there is nothing below."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0)


def _numbered(strata: Shaped[np.ndarray, " samples"] | None, samples: int) -> Int[np.ndarray, " samples"]:
    """Strata as numbers from zero; all samples in one without."""
    return np.zeros(samples, dtype=int) if strata is None else np.unique(strata, return_inverse=True)[1]


def _means(values: Float[np.ndarray, " samples"], stratum: Int[np.ndarray, " samples"]) -> Float[np.ndarray, " strata"]:
    return np.bincount(stratum, weights=values) / np.bincount(stratum)


def check_metric(metric: str) -> str:
    """The metric itself, if it exists; ValueError with the known ones if not."""
    if metric not in METRICS:
        raise ValueError(f"There is no metric {metric!r}; choose one of {', '.join(METRICS)}.")
    return metric
