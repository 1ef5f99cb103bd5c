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
DISTANCES = ("two-sided", "one-sided")
BLOCK = 2**14  # numbers in work at a time while begins are tried: what fits a processor's cache


@dataclass(frozen=True)
class MarchenkoPastur:
    """Law of the eigenvalues of X = WᵀW / N where the entries of W [N, M] are independent, with mean 0.

    variance: of the entries; aspect: Q = N / M, at least 1. The law is that of large matrices; small ones scatter
    around its edges. Raises ValueError for other values.

    Source: Marchenko and Pastur (1967).

    Equation: `eq-marchenko-pastur` on page 02a.
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


def power_law(
    eigenvalues: Float[Tensor, " values"] | np.ndarray, *, ks: str = "two-sided", least: int = LEAST
) -> PowerLaw:
    """Power law of the largest eigenvalues: exponent by maximum likelihood, begin by the smallest distance.

    Every distinct eigenvalue but the largest is tried as the begin of the tail; that with the smallest
    Kolmogorov-Smirnov distance between tail and law is kept. The share of the tail below x jumps at every eigenvalue:
    "two-sided" holds the law against both ends of the jump, as the distance is defined, "one-sided" against the lower
    end alone, as WeightWatcher does. Eigenvalues of zero belong to no tail. A fit always gives an exponent, also where
    no power law is: the distance and the size of the tail tell what it is worth.

    Raises ValueError for fewer than `least` positive eigenvalues, since the exponent is then mostly chance, for values
    that cannot be eigenvalues here (negative, not finite, not one axis), where all are equal, and for another distance.

    Source: Clauset, Shalizi and Newman (2009), continuous case.
    """
    if ks not in DISTANCES:
        raise ValueError(f"There is no distance {ks!r} between tail and law; choose one of {', '.join(DISTANCES)}.")
    if least < 2:
        raise ValueError(f"A power law needs two eigenvalues at the very least, so `least` cannot be {least}.")
    if isinstance(eigenvalues, Tensor):  # NumPy has no bfloat16
        eigenvalues = eigenvalues.detach().cpu().double().numpy()
    values = np.sort(np.asarray(eigenvalues, dtype=float))
    if values.ndim != 1 or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError("A power law is fitted to one axis of finite eigenvalues, none of them negative.")
    values = values[values > 0]
    if len(values) < least:
        raise ValueError(
            f"A power law needs {least} positive eigenvalues and this matrix has {len(values)}: with so few, exponent "
            "and begin of the tail are mostly chance. Choose a layer whose smaller side is larger."
        )
    if values[0] == values[-1]:
        raise ValueError("All eigenvalues are equal, so they have no tail.")
    begins = np.unique(values, return_index=True)[1][:-1]
    exponents, distances = _scan(values, begins, ks)
    best = int(distances.argmin())
    begin = int(begins[best])
    return PowerLaw(float(exponents[best]), float(values[begin]), float(distances[best]), len(values) - begin)


def _scan(values: np.ndarray, begins: np.ndarray, ks: str) -> tuple[np.ndarray, np.ndarray]:
    """Exponent of the law that begins at each of these places of the sorted values, and its distance to the tail."""
    exponents, distances = np.empty(len(begins)), np.empty(len(begins))
    first = 0
    while first < len(begins):
        rest = values[begins[first] :]
        rows = slice(first, first + max(1, BLOCK // len(rest)))
        starts = begins[rows] - begins[first]
        tails = np.log(np.maximum(rest / rest[starts, None], 1))  # what lies before a begin adds nothing
        counts = len(rest) - starts
        # one sum per tail: sums over whole rows would group the terms, and so round, otherwise for every block size
        slopes = counts / np.array([tail[start:].sum() for tail, start in zip(tails, starts, strict=True)])
        exponents[rows] = 1 + slopes
        expected = -np.expm1(-(exponents[rows, None] - 1) * tails)
        steps = np.maximum(np.arange(len(rest) + 1) - starts[:, None], 0) / counts[:, None]
        low = expected - steps[:, :-1]
        high = steps[:, 1:] - expected if ks == "two-sided" else -low
        distances[rows] = np.maximum(low, high).max(1)
        first = rows.stop
    return exponents, distances
