"""Two laws that a spectrum is held against: Marchenko-Pastur for no structure, a power law for heavy tails.

The eigenvalues of independent random weights fill a known interval with a known density. What stands outside of it was
put there by training: a few values as spikes, many as a tail. How heavy a tail is, a power law's exponent says, where
there are enough eigenvalues to fit one.

Source: Marchenko and Pastur (1967); Clauset, Shalizi and Newman (2009); on weights after Martin and Mahoney (2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
from jaxtyping import Float
from torch import Tensor

LEAST = 50  # eigenvalues that a power law needs: the rule of thumb of Clauset et al.


@dataclass(frozen=True)
class MarchenkoPastur:
    """Law of the eigenvalues of X = WᵀW / N where the entries of W [N, M] are independent, with mean 0.

    variance: of the entries; aspect: Q = N / M, at least 1. The law is that of large matrices; small ones scatter
    around its edges. Raises ValueError for other values.

    Source: Marchenko and Pastur (1967).
    """

    variance: float
    aspect: float

    def __post_init__(self) -> None:
        if not 0 < self.variance < float("inf"):
            raise ValueError(f"The variance of the weights must be positive and finite, not {self.variance}.")
        if not 1 <= self.aspect < float("inf"):
            raise ValueError(f"The aspect is the larger side over the smaller one, so at least 1, not {self.aspect}.")

    @property
    def low(self) -> float:
        """Lower edge σ² (1 - 1/√Q)²."""
        return self.variance * (1 - 1 / sqrt(self.aspect)) ** 2

    @property
    def high(self) -> float:
        """Upper edge σ² (1 + 1/√Q)²."""
        return self.variance * (1 + 1 / sqrt(self.aspect)) ** 2

    def density(self, eigenvalues: np.ndarray) -> np.ndarray:
        """Probability density at the given places; 0 outside of the edges."""
        places = np.asarray(eigenvalues, dtype=float)
        product = np.clip((self.high - places) * (places - self.low), 0, None)
        inside = (product > 0) & (places > 0)
        root = np.sqrt(np.where(inside, product, 0)) / np.where(inside, places, 1)
        return self.aspect / (2 * pi * self.variance) * root


@dataclass(frozen=True)
class PowerLaw:
    """Density ~ x^-alpha from xmin on: exponent, begin, Kolmogorov-Smirnov distance, number of values in the tail."""

    alpha: float
    xmin: float
    ks: float
    tail: int

    @property
    def error(self) -> float:
        """Standard error of the exponent, (alpha - 1) / √tail, as if xmin were known."""
        return (self.alpha - 1) / sqrt(self.tail)


def power_law(eigenvalues: Float[Tensor, " values"] | np.ndarray) -> PowerLaw:
    """Power law of the largest eigenvalues: exponent by maximum likelihood, begin by the smallest distance.

    Every distinct eigenvalue but the largest is tried as the begin of the tail; that with the smallest (two-sided)
    Kolmogorov-Smirnov distance between tail and law is kept. Eigenvalues of zero belong to no tail. A fit always gives
    an exponent, also where no power law is: the distance and the size of the tail tell what it is worth.

    Raises ValueError for fewer than 50 positive eigenvalues, since the exponent is then mostly chance, for values that
    cannot be eigenvalues here (negative, not finite, not one axis), and where all are equal.

    Source: Clauset, Shalizi and Newman (2009), continuous case.
    """
    values = np.sort(np.asarray(eigenvalues, dtype=float))
    if values.ndim != 1 or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError("A power law is fitted to one axis of finite eigenvalues, none of them negative.")
    values = values[values > 0]
    if len(values) < LEAST:
        raise ValueError(
            f"A power law needs {LEAST} positive eigenvalues and this matrix has {len(values)}: with so few, exponent "
            "and begin of the tail are mostly chance. Choose a layer whose smaller side is larger."
        )
    if values[0] == values[-1]:
        raise ValueError("All eigenvalues are equal, so they have no tail.")
    begins = np.unique(values, return_index=True)[1][:-1]
    fits = [_fit_from(values[begin:]) for begin in begins]
    return min(fits, key=lambda fit: fit.ks)


def _fit_from(values: np.ndarray) -> PowerLaw:
    """The law that begins with the first of these sorted values."""
    tail, count = np.log(values / values[0]), len(values)
    alpha = 1 + count / tail.sum()
    expected = -np.expm1(-(alpha - 1) * tail)
    steps = np.arange(count + 1) / count
    ks = max((steps[1:] - expected).max(), (expected - steps[:-1]).max())
    return PowerLaw(float(alpha), float(values[0]), float(ks), count)
