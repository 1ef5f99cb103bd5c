"""What every representation can do, as one scikit-learn estimator over `Samples`.

A representation is fitted on checkpoints and then gives each checkpoint one vector: `fit(samples, y=None, *,
groups=None)`, `embed(samples)`, and `transform`, which is `embed` under scikit-learn's name, so a
representation stands in a `Pipeline` and in front of any probe. Learned representations and baselines share
this class, so a row of a table is a name and an object.

Source: our choice; the contract follows scikit-learn's rules for estimators.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from hyperlib.zoos.zoo import Samples

Values = Sequence | np.ndarray | pd.Series  # one entry per sample


class Representation(TransformerMixin, BaseEstimator):
    """Base of all representations: checks what comes in and leaves the idea to three methods.

    A subclass keeps the arguments of its constructor as they are, learns in `_learn` (names of what it learns
    end in an underscore), gives vectors in `_vectors` and their names in `_names`. A vector depends on its
    own checkpoint and on what was learned, never on the other rows of the call.
    """

    def fit(self, samples: Samples, y: Values | None = None, *, groups: Values | None = None) -> Representation:
        """Learn from checkpoints; `groups` says which are of one model, `y` is there for supervised ones.

        Raises ValueError when there are no samples, when they hold weights that are not finite, or when `y`
        or `groups` are not one per sample; TypeError for anything but `Samples`.
        """
        self._check_fit(samples, y, groups)
        self._learn(samples, y, groups)
        self.architecture_ = samples.architecture
        return self

    def embed(self, samples: Samples) -> Float[np.ndarray, "samples latent"]:
        """One float32 vector per checkpoint.

        Raises NotFittedError before `fit`, and ValueError for checkpoints of an architecture with another
        layout.
        """
        check_is_fitted(self, "architecture_")
        self._check(samples)
        self._check_layout(samples)
        return np.array(self._vectors(samples), dtype=np.float32)  # a copy: callers may write into it

    def transform(self, samples: Samples) -> Float[np.ndarray, "samples latent"]:
        """`embed` under the name that scikit-learn calls."""
        return self.embed(samples)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Names of the latent dimensions; `input_features` is scikit-learn's and has no meaning here."""
        check_is_fitted(self, "architecture_")
        return np.array(self._names(), dtype=object)

    def _learn(self, samples: Samples, y: Values | None, groups: Values | None) -> None:
        """Learn whatever embedding needs; nothing for a fixed map."""

    def _vectors(self, samples: Samples) -> Float[np.ndarray, "samples latent"]:
        """The vectors of samples that have passed all checks."""
        raise NotImplementedError(f"{type(self).__name__} must say how it embeds, in `_vectors`.")

    def _names(self) -> list[str]:
        """One name per dimension of what `_vectors` gives."""
        raise NotImplementedError(f"{type(self).__name__} must name its dimensions, in `_names`.")

    def _check_fit(self, samples: Samples, y: Values | None, groups: Values | None) -> None:
        """What `fit` promises to refuse."""
        self._check(samples)
        if not len(samples):
            raise ValueError(f"{type(self).__name__} was given no samples to fit; was every model left out?")
        for name, values in (("y", y), ("groups", groups)):
            if values is not None and len(values) != len(samples):
                raise ValueError(f"{name} has {len(values)} entries for {len(samples)} samples, not one for each.")

    def _check(self, samples: Samples) -> None:
        """TypeError for anything but samples, ValueError for weights that are not finite."""
        check_samples(samples, type(self).__name__)

    def _check_layout(self, samples: Samples) -> None:
        """ValueError unless the weights lie as in the samples of `fit`."""
        fitted, given = self.architecture_, samples.architecture
        if given.layout != fitted.layout:
            raise ValueError(
                f"{type(self).__name__} was fitted on {fitted.name} with {fitted.num_weights} weights, but "
                f"these samples are of {given.name} with {given.num_weights}; fit it again on such samples."
            )


def plain(weights: Float[Tensor, "samples params"]) -> Float[Tensor, "samples params"]:
    """Weights as representations read them: float32, on the CPU, without a gradient."""
    return weights.detach().float().cpu()


def check_samples(samples: Samples, whose: str) -> None:
    """TypeError for anything but samples, ValueError for weights that are not finite, in what `whose` is given."""
    if not isinstance(samples, Samples):
        raise TypeError(
            f"{whose} works on Samples, not on {type(samples).__name__}; a zoo gives them with `zoo.samples()`."
        )
    if not torch.isfinite(samples.weights).all():
        row = int((~torch.isfinite(samples.weights)).any(-1).nonzero()[0, 0])
        raise ValueError(f"Sample {row} has weights that are not finite; leave diverged models out.")
