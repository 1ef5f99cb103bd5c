"""New vectors like those seen: samplers of latents, and of raw weights, that all work alike.

A sampler is fitted on vectors and then draws any number of new ones. What it keeps of them decides what can come out:
one that keeps each dimension's values but not how dimensions hang together draws new combinations, and one that keeps
whole vectors draws copies. So the published kernel density estimate (KDE) has three readings here: its text means
independent dimensions, its released code draws training vectors shifted by a hair, and a joint estimate lies between.

Source: Schürholt et al. (2022, 2024), and their released code; `KDE` says where these differ. `Gaussian`, joint kernels
and the rules for bandwidths other than the published number are our choice.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits
from torch import Tensor

from hyperlib.representations.cores import one_core
from hyperlib.weightspace.values import as_tensor, is_whole

CPU = torch.device("cpu")
READINGS = ("joint", "independent", "released")
BANDWIDTHS = {"released": 0.002, "sane": 0.2}  # as published for latents, and later for token-wise ones
PRIOR = 10.0  # deviation of latents drawn without a prompt, in the released code of SANE
DIMENSIONS, NEIGHBOURS, MIN_DIST = 3, 15, 0.01  # of the published neighbourhood sampler

Latents = Shaped[np.ndarray, "samples latent"] | Shaped[Tensor, "samples latent"]
Rows = Float[Tensor, "samples latent"]
Drawn = Float[Tensor, "drawn latent"]


class Sampler(BaseEstimator):
    """Base of all samplers: checks what comes in and leaves the idea to two methods.

    A subclass keeps the arguments of its constructor as they are, learns in `_learn` (names of what it learns end in an
    underscore), and draws in `_draw`. Both run on one core, so the same seed gives the same vectors on any number of
    cores. Source: our choice; the contract follows scikit-learn's rules for estimators.

    Learned: `width_`, the number of dimensions.
    """

    needs = 2  # latents at least

    def fit(self, latents: Latents) -> Sampler:
        """Learn from latents, one per row.

        Raises ValueError for anything but a matrix, for too few rows, and for values that are not finite.
        """
        rows = as_tensor(latents).detach().to("cpu", torch.float64, copy=True)
        if rows.ndim != 2 or not rows.shape[1]:
            raise ValueError(f"Latents are a matrix [samples, latent], not of shape {list(rows.shape)}.")
        if len(rows) < self.needs:
            raise ValueError(f"{type(self).__name__} learns from {self.needs} latents or more, not from {len(rows)}.")
        bad = ~torch.isfinite(rows).all(1)
        if bad.any():
            raise ValueError(f"The latents are not finite in row {int(bad.nonzero()[0, 0])}; leave such rows out.")
        with one_core(CPU):
            self._learn(rows)
        self.width_ = rows.shape[1]
        return self

    def sample(self, n: int, generator: torch.Generator) -> Drawn:
        """`n` new vectors in float32, drawn with the generator, which has to be one of the CPU.

        Raises NotFittedError before `fit`, ValueError for an `n` that is no whole number from 1 on, and TypeError for
        anything but a generator.
        """
        check_is_fitted(self, "width_")
        if not is_whole(n, 1):
            raise ValueError(f"The number of vectors to draw is a whole number from 1 on, not {n!r}.")
        if not isinstance(generator, torch.Generator) or generator.device != CPU:
            raise TypeError(f"Draw with a torch.Generator of the CPU, not with {generator!r}.")
        with one_core(CPU), torch.no_grad():
            return self._draw(int(n), generator).float()

    def _learn(self, rows: Rows) -> None:
        """Learn from latents that have passed all checks and are the sampler's own."""
        raise NotImplementedError(f"{type(self).__name__} must say how it learns, in `_learn`.")

    def _draw(self, n: int, generator: torch.Generator) -> Drawn:
        """So many new vectors."""
        raise NotImplementedError(f"{type(self).__name__} must say how it draws, in `_draw`.")


class Uniform(Sampler):
    """Every dimension uniform on [-1, 1], as published (S_U), or between its ends among the latents seen.

    range: "released", which learns nothing but the number of dimensions and suits latents out of a tanh, or "latents"
    (our choice, for all others). `fit` raises ValueError for another one.

    Learned: `low_` and `high_ [latent]`.
    """

    def __init__(self, range: str = "released") -> None:
        self.range = range

    def _learn(self, rows: Rows) -> None:
        _require_one_of("range", self.range, ("released", "latents"))
        ones = torch.ones_like(rows[0])
        self.low_, self.high_ = (-ones, ones) if self.range == "released" else rows.aminmax(dim=0)

    def _draw(self, n: int, generator: torch.Generator) -> Drawn:
        return _in_box(self.low_, self.high_, n, generator)


class Prior(Sampler):
    """Normal in every dimension around 0, whatever was seen (SANE's sampling without prompts).

    deviation: 10 as released, whatever the latents' own is. `fit` raises ValueError for one that is not above 0.
    """

    needs = 1

    def __init__(self, deviation: float = PRIOR) -> None:
        self.deviation = deviation

    def _learn(self, rows: Rows) -> None:
        if not is_positive(self.deviation):
            raise ValueError(f"A deviation is a number above 0, not {self.deviation!r}.")

    def _draw(self, n: int, generator: torch.Generator) -> Drawn:
        return self.deviation * _normal(n, self.width_, generator)


class KDE(Sampler):
    """Gaussian kernels on the latents seen (S_KDE): a training value, and noise as wide as the bandwidth.

    reading: who shares what.
    - "independent": a KDE for each block of dimensions, as the thesis says of single ones: every block draws a training
      vector and noise of its own. How blocks hang together is lost.
    - "released": what the released code does. It gives every block's KDE the same random state, so all draw the same
      training vector and the same noise: of single dimensions, one training vector moved by one number in all.
    - "joint": kernels in all dimensions at once: a training vector, and noise of its own in each dimension.

    block: dimensions that are drawn together, side by side; 1 for single ones, the latents of a token for SANE's
    kernels per token.

    bandwidth: the deviation of the noise, a number in the latents' own units or the name of a published one, "released"
    (0.002) or "sane" (0.2); with `relative` a number counts in each dimension's standard deviations. "scott" and
    "silverman" are the rules of these authors times each dimension's deviation, for one dimension or, in the joint
    reading, for all: there, with many dimensions, they come near 1, and the noise is as wide as the latents.

    Learned: `rows_`, the latents, and `noise_ [latent]`, the deviation of the noise. `fit` raises ValueError for
    another reading, for a bandwidth that is neither such a name nor a number above 0, and for a block that does not
    divide the latents evenly.
    """

    def __init__(
        self, reading: str = "joint", bandwidth: str | float = "released", relative: bool = False, block: int = 1
    ) -> None:
        self.reading = reading
        self.bandwidth = bandwidth
        self.relative = relative
        self.block = block

    def _learn(self, rows: Rows) -> None:
        _require_one_of("reading", self.reading, READINGS)
        if not is_whole(self.block, 1) or rows.shape[1] % self.block:
            raise ValueError(f"{rows.shape[1]} latents are not evenly in blocks of {self.block!r}.")
        self.rows_, deviation = rows, rows.std(0)
        if self.bandwidth in ("scott", "silverman"):
            self.noise_ = deviation * self._rule(len(rows), rows.shape[1] if self.reading == "joint" else self.block)
        else:
            self.noise_ = self._number() * (deviation if self.relative else torch.ones_like(deviation))

    def _rule(self, rows: int, dimensions: int) -> float:
        """Scott's or Silverman's factor."""
        per_kernel = rows * (dimensions + 2) / 4 if self.bandwidth == "silverman" else rows
        return per_kernel ** (-1 / (dimensions + 4))

    def _number(self) -> float:
        number = BANDWIDTHS.get(self.bandwidth) if isinstance(self.bandwidth, str) else self.bandwidth
        if not is_positive(number):
            known = ", ".join([*BANDWIDTHS, "scott", "silverman"])
            raise ValueError(f"A bandwidth is a number above 0, or one of {known}, not {self.bandwidth!r}.")
        return float(number)

    def _draw(self, n: int, generator: torch.Generator) -> Drawn:
        rows, latent = self.rows_.shape
        blocks = latent // self.block
        centre = torch.randint(rows, (n, blocks if self.reading == "independent" else 1), generator=generator)
        centre = centre.expand(n, blocks).repeat_interleave(self.block, 1)
        noise = _normal(n, self.block, generator).repeat(1, blocks) if self.reading == "released" else None
        noise = _normal(n, latent, generator) if noise is None else noise
        return self.rows_.gather(0, centre) + self.noise_ * noise


class Gaussian(Sampler):
    """The normal distribution with the mean and the covariance of the latents, all dimensions at once (our choice).

    Drawn as a random mixture of the centred latents, which has just that covariance: nothing is inverted or factorised,
    and with fewer latents than dimensions samples lie in the flat that the latents span.

    Learned: `mean_ [latent]` and `centred_ [samples, latent]`.
    """

    def _learn(self, rows: Rows) -> None:
        self.mean_ = rows.mean(0)
        self.centred_ = rows - self.mean_

    def _draw(self, n: int, generator: torch.Generator) -> Drawn:
        mixture = _normal(n, len(self.centred_), generator)
        return self.mean_ + mixture @ self.centred_ / (len(self.centred_) - 1) ** 0.5


class Neighbourhood(Sampler):
    """A point in the box around a three-dimensional UMAP of the latents, and UMAP's way back from there (S_Neigh).

    Settings as published: 15 neighbours, or all others where latents are fewer, minimal distance 0.01, euclidean.
    `seed` is UMAP's. Its way back starts from means of latents near the point, and in many dimensions samples stay near
    the mean of all. About half of the box or more lies outside the hull of the points seen; where latents outnumber
    dimensions, UMAP takes all points out there for neighbours of the same few, those of its triangulation's last cell.

    Learned: `mapper_`, the fitted UMAP, and the ends of the box, `low_` and `high_ [3]`. `fit` raises ValueError for a
    seed that is no whole number of 32 bits.
    """

    needs = DIMENSIONS + 2  # for UMAP's spectral start

    def __init__(self, seed: int = 42) -> None:
        self.seed = seed

    def _learn(self, rows: Rows) -> None:
        if not is_whole(self.seed, 0) or self.seed >= 2**32:
            raise ValueError(f"UMAP's seed is a whole number from 0 on of at most 32 bits, not {self.seed!r}.")
        import umap  # takes seconds to import

        self.mapper_ = umap.UMAP(
            n_components=DIMENSIONS,
            n_neighbors=min(NEIGHBOURS, len(rows) - 1),
            min_dist=MIN_DIST,
            random_state=self.seed,
            transform_seed=self.seed,
            n_jobs=1,
        )
        with threadpool_limits(1):  # NumPy's too, which one_core leaves alone
            self.mapper_.fit(rows.float().numpy())
        self.low_, self.high_ = torch.from_numpy(self.mapper_.embedding_).double().aminmax(dim=0)

    def _draw(self, n: int, generator: torch.Generator) -> Drawn:
        points = _in_box(self.low_, self.high_, n, generator).float().numpy()
        with threadpool_limits(1):
            return torch.from_numpy(self.mapper_.inverse_transform(points))


def best(latents: Latents, scores: Any, share: float = 0.3) -> Latents:
    """The latents whose score is at or above the (1 - share) quantile: "30" in the names of the thesis's samplers.

    Of the kind that was given, in the same order; where scores are equal these can be more than the share. Raises
    ValueError for a share that is not above 0 and at most 1, and for scores that are not one finite number per row.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if not is_positive(share) or share > 1:
        raise ValueError(f"A share is above 0 and at most 1, not {share!r}.")
    if scores.shape != (len(latents),) or not len(latents):
        raise ValueError(f"Give one score for each of the {len(latents)} latents, not scores of shape {scores.shape}.")
    if not np.isfinite(scores).all():
        raise ValueError(f"Score {int((~np.isfinite(scores)).argmax())} is not finite; leave such latents out.")
    return latents[np.flatnonzero(scores >= np.quantile(scores, 1 - share))]


def is_positive(value: Any) -> bool:
    """Whether this is a finite number above 0; truth is none."""
    return isinstance(value, Real) and not isinstance(value, bool) and 0 < value < math.inf


def _in_box(
    low: Float[Tensor, " latent"], high: Float[Tensor, " latent"], n: int, generator: torch.Generator
) -> Drawn:
    return low + (high - low) * torch.rand(n, len(low), generator=generator, dtype=torch.float64)


def _normal(n: int, width: int, generator: torch.Generator) -> Float[Tensor, "drawn width"]:
    return torch.randn(n, width, generator=generator, dtype=torch.float64)


def _require_one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"There is no {name} {value!r}; choose one of {', '.join(known)}.")
