"""The same probes on several splits of one zoo: how sure a score is, over models, splits and trainings.

One split and one training say nothing about another. So a zoo is split several times, what is learned is trained anew
on every split (with another seed), and scores are means over these repeats. Intervals draw models of the whole zoo,
with the same draw in every repeat, and repeats: the deviation of few drawn repeats from their mean is widened by the
square root of n / (n - 1), which the drawing of n out of n takes away.

Source: our choice; the bootstrap of `intervals`, on two levels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from hyperlib.tasks.estimates import Estimate
from hyperlib.tasks.intervals import ModelBootstrap, metric_of, score
from hyperlib.tasks.probing import ProbeResult, Reading

MEANS = ("value", "tau", "within", "within_tau", "val")


@dataclass(frozen=True)
class Repeats:
    """Results of `run_probes` on several splits of one zoo, with the same targets.

    What was probed in some repeats only counts in these.
    """

    results: tuple[ProbeResult, ...]
    draws: tuple[ModelBootstrap, ...]  # one per repeat, of the same models of the zoo
    seed: int  # of the draws of repeats

    @classmethod
    def of(cls, results: Iterable[ProbeResult], *, draws: int = 1000, seed: int = 0) -> Repeats:
        """Put results together; ValueError for none, and where they are not of the same targets."""
        results = tuple(results)
        if not results or any(set(result.truth) != set(results[0].truth) for result in results):
            raise ValueError("Repeats are results of run_probes for the same targets; give at least one.")
        names, model = np.unique(np.concatenate([result.models for result in results]), return_inverse=True)
        counts = ModelBootstrap.draw(names, draws=draws, seed=seed).counts
        ends = np.cumsum([len(result.models) for result in results])[:-1]
        own = tuple(ModelBootstrap(part, counts) for part in np.split(model, ends))
        return cls(results, own, seed)

    @property
    def table(self) -> pd.DataFrame:
        """Means over repeats, one row per features, probe and target, in the order of the first table.

        Columns as there, without intervals and penalties; `spread` and `within_spread` are the largest score less the
        smallest one among repeats, `repeats` is in how many of them the row was probed.
        """
        every = pd.concat([result.table for result in self.results], ignore_index=True)
        groups = every.groupby(["features", "probe", "target"], sort=False)
        means = groups[["dimensions", "metric"]].first().join(groups[list(MEANS)].mean())
        for name, of in (("spread", "value"), ("within_spread", "within")):
            means[name] = groups[of].max() - groups[of].min()
        return means.assign(repeats=groups.size()).reset_index()

    def best(self, readings: Sequence[Reading], target: str) -> list[Reading]:
        """Of some readings the one that is best on validation samples, for each repeat in which all were probed."""
        return [self.results[repeat].best(readings, target) for repeat in self._with(readings, target)]

    def compare(
        self, first: Reading | Sequence[Reading], second: Reading | Sequence[Reading], target: str, *, within: bool
    ) -> Estimate:
        """Score of the first reading minus that of the second, as a mean over repeats with its 95 % interval.

        A reading is (features, probe). Of several, the one that is best on validation samples counts, repeat by repeat.
        No reading at all, (), scores zero. Only repeats in which all these readings were probed count. within: scores
        inside epochs. Raises ValueError where there is no such repeat, and for readings of two kinds (see
        `ProbeResult.best`).
        """
        sides = [[side] if side and isinstance(side[0], str) else list(side) for side in (first, second)]
        repeats = self._with([*sides[0], *sides[1]], target)
        one, other = (self._scores(side, target, within, repeats) for side in sides)
        return self._estimate(one[0] - other[0], one[1] - other[1])

    def _with(self, readings: Sequence[Reading], target: str) -> list[int]:
        """Places of the repeats in which all readings were probed."""
        known = [{key[:2] for key in result.predictions if key[2] == target} for result in self.results]
        if repeats := [place for place, probed in enumerate(known) if probed.issuperset(readings)]:
            return repeats
        missing = [", ".join(reading) for reading in readings if reading not in set().union(*known)]
        raise ValueError(
            f"No probe was run for {missing[0]}, {target}; see the table."
            if missing
            else f"No repeat has all of {'; '.join(', '.join(reading) for reading in readings)} for {target}."
        )

    def _scores(
        self, readings: Sequence[Reading], target: str, within: bool, repeats: Sequence[int]
    ) -> tuple[Float[np.ndarray, " repeats"], Float[np.ndarray, "draws repeats"]]:
        """Of some repeats, and of the draws of their models; zeros without readings."""
        if not readings:
            return np.zeros(len(repeats)), np.zeros((len(self.draws[0].counts), len(repeats)))
        scores, drawn = [], []
        for repeat in repeats:
            result, draws = self.results[repeat], self.draws[repeat]
            truth, said = result.truth[target], result.predictions[(*result.best(readings, target), target)]
            how = metric_of(truth), result.epochs if within else None
            scores.append(score(truth, said, *how))
            drawn.append(draws.scores(truth, said, *how))
        return np.array(scores), np.column_stack(drawn)

    def _estimate(self, scores: Float[np.ndarray, " repeats"], drawn: Float[np.ndarray, "draws repeats"]) -> Estimate:
        n, centre = len(scores), drawn.mean(1)
        if n > 1:
            chosen = np.random.default_rng([self.seed, 1]).multinomial(n, np.full(n, 1 / n), size=len(drawn))
            centre = centre + np.sqrt(n / (n - 1)) * ((chosen / n * drawn).sum(1) - centre)
        return Estimate(float(scores.mean()), *self.draws[0].interval(centre))
