"""Features of the parts of a split, by estimators that may hold each other: each of them embeds a part once.

A page asks what one representation adds to another, so the same fitted estimators stand alone and in several unions
(scikit-learn's `FeatureUnion`). Embedding is what costs, and a union is nothing but its members side by side.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import FeatureUnion
from sklearn.utils.validation import check_is_fitted

from hyperlib.representations.estimator import Representation
from hyperlib.tasks.probes import Features, finite
from hyperlib.zoos.zoo import Samples

ByPart = dict[str, np.ndarray]  # [samples, latent] each, as an estimator gave them


class Embeddings:
    """What estimators make of `parts`, by name: "train" and others. Everything that was embedded once is kept.

    A fitted estimator is used as it is, any other (a union of which a member is not fitted, too) is cloned and fitted
    on "train"; members of a union are then not told which rows are of one model. Estimators are known by being the same
    object, so none may be fitted anew in between.
    """

    def __init__(self, parts: Mapping[str, Samples]) -> None:
        self.parts = parts
        self._kept: dict[int, tuple[BaseEstimator, ByPart]] = {}  # by id, which is free again without it

    def features(self, name: str, embedder: BaseEstimator) -> dict[str, Features]:
        """float64 `[samples, latent]` by part; ValueError for features that are not finite, of what has this name."""
        return {part: finite(values, f"features of {name} ({part})") for part, values in self._of(embedder).items()}

    def _of(self, embedder: BaseEstimator) -> ByPart:
        if id(embedder) not in self._kept:
            self._kept[id(embedder)] = embedder, self._made(self._fitted(embedder))
        return self._kept[id(embedder)][1]

    def _made(self, fitted: BaseEstimator) -> ByPart:
        if members := [self._of(member) for member in _side_by_side(fitted)]:
            return {part: np.hstack([member[part] for member in members]) for part in self.parts}
        return {part: fitted.transform(samples) for part, samples in self.parts.items()}

    def _fitted(self, embedder: BaseEstimator) -> BaseEstimator:
        try:
            check_is_fitted(embedder)
        except NotFittedError:
            train = self.parts["train"]
            groups = {"groups": train.table["model"].to_numpy()} if isinstance(embedder, Representation) else {}
            return clone(embedder).fit(train, **groups)
        return embedder


def _side_by_side(embedder: BaseEstimator) -> list[BaseEstimator]:
    """The members of a union that does no more than to put them side by side; none of anything else."""
    if type(embedder) is not FeatureUnion or embedder.transformer_weights:
        return []
    members = [member for _, member in embedder.transformer_list]
    return [] if any(isinstance(member, str) for member in members) else members  # "drop" and "passthrough"
