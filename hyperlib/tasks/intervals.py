"""How sure a score is: a bootstrap over models.

The checkpoints of one model are near copies of each other, so an interval over checkpoints would be far too
narrow. Models are drawn instead, with all their checkpoints, and two scores are compared on the same draws:
what they share (a hard or an easy set of test models) cancels in the difference.

With `strata` (epochs, say), R² is that inside them: the spread is about the mean of each sample's own stratum, so what
tells strata apart and nothing else scores about zero.

Source: our choice; the percentile bootstrap of Efron and Tibshirani (1993) with models as units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from hyperlib.tasks.estimates import Estimate

METRICS = ("r2", "accuracy")


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
        """The score of every draw; NaN where a draw's truth is constant (in all strata)."""
        if check_metric(metric) == "accuracy":
            return self._sum(truth == prediction)[:, 0] / self._sum(np.ones(len(truth)))[:, 0]
        stratum = _numbered(strata, len(truth))
        centred = truth - _means(truth, stratum)[stratum]
        power = self._sum(np.square(centred), stratum)
        samples = np.maximum(self._sum(np.ones(len(truth)), stratum), 1)
        spread = (power - np.square(self._sum(centred, stratum)) / samples).sum(1)
        spread = np.where(spread > 1e-12 * power.sum(1), spread, np.nan)
        return 1 - self._sum(np.square(truth - prediction))[:, 0] / spread

    def interval(self, scores: Float[np.ndarray, " draws"]) -> tuple[float, float]:
        """The middle 95 % of the draws that have a score; NaN for a single model, which says nothing about others."""
        known = scores[np.isfinite(scores)]
        if self.counts.shape[1] < 2 or not len(known):
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
    """R² = 1 − SSE / SST about the mean of these samples, or of each one's stratum; or the share of hits.

    NaN if the truth is constant (in every stratum).
    """
    if check_metric(metric) == "accuracy":
        return float(np.mean(truth == prediction))
    stratum = _numbered(strata, len(truth))
    if all((values == values[0]).all() for values in (truth[stratum == one] for one in range(stratum.max() + 1))):
        return np.nan
    return float(1 - np.square(truth - prediction).sum() / np.square(truth - _means(truth, stratum)[stratum]).sum())


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
