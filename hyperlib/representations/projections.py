"""What a learned representation has to beat with as many numbers: principal components and UMAP of the raw weights.

Both see the weights as they are and are fitted on some of the training samples only, because their cost grows with
the square of the rows. Rows are drawn without preference.

Source: the baselines PCA and UMAP of Schürholt et al. (2021), with the settings of their released code; UMAP after
McInnes, Healy and Melville (2018). Which rows are fitted, and how UMAP places further ones, is our choice.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from sklearn.decomposition import PCA, KernelPCA
from sklearn.neighbors import NearestNeighbors

from hyperlib.representations.cores import one_core
from hyperlib.representations.estimator import Representation, Values, plain
from hyperlib.representations.maps import MAP_ROWS, pick_rows
from hyperlib.weightspace.values import is_whole
from hyperlib.zoos.zoo import Samples

KERNELS = ("linear", "poly", "rbf", "sigmoid", "cosine")
SMALLEST = 1e-10  # share of the largest variance below which a component is rounding
DENSE = 500  # rows up to which all components are computed, and those asked for taken; beyond, by Lanczos steps
PIECE = 1000  # rows embedded at once

Rows = Float[np.ndarray, "rows params"]


class PrincipalComponents(Representation):
    """PCA of the raw weights, or kernel PCA: the `dimensions` directions of largest variance over training samples.

    kernel: "linear", or "poly" (degree 3), "rbf", "sigmoid", "cosine" with scikit-learn's parameters, as published
    (gamma is one over the number of weights). "linear" is ordinary PCA, which gives what linear kernel PCA gives up to
    the sign of each dimension, and embeds far faster. Published with 50 dimensions (33 in some tables) and fitted on
    every second training sample; ours is fitted on at most `rows` of them, drawn without preference with `seed`.

    Learned: `rows_`, how many samples were fitted, and `variances_ [dimensions]` of these along each dimension. `fit`
    raises ValueError for an unknown kernel, counts below one, and for more dimensions than the samples have.
    """

    def __init__(self, dimensions: int = 50, kernel: str = "linear", rows: int = MAP_ROWS, seed: int = 0) -> None:
        self.dimensions = dimensions
        self.kernel = kernel
        self.rows = rows
        self.seed = seed

    def _learn(self, samples: Samples, y: Values | None, groups: Values | None) -> None:
        if self.kernel not in KERNELS:
            raise ValueError(f"There is no kernel {self.kernel!r}; choose one of {', '.join(KERNELS)}.")
        _require_counts(dimensions=self.dimensions, rows=self.rows)
        fitted = _weights(pick_rows(samples, self.rows, self.seed)).astype(np.float64)
        most = len(_distinct(fitted)) - 1
        if self.dimensions > most:  # also where all samples are equal
            raise self._too_many(len(fitted))
        self.model_ = self._fit_linear(fitted) if self.kernel == "linear" else self._fit_kernel(fitted)
        self.rows_ = len(fitted)

    def _fit_linear(self, fitted: Rows) -> PCA:
        if self.dimensions > fitted.shape[1]:
            raise self._too_many(len(fitted))
        every = min(fitted.shape) <= DENSE or self.dimensions == min(fitted.shape)
        model = PCA(self.dimensions, svd_solver="full" if every else "arpack", random_state=self.seed).fit(fitted)
        self._keep(model.explained_variance_ * (len(fitted) - 1) / len(fitted), len(fitted))
        return model

    def _fit_kernel(self, fitted: Rows) -> KernelPCA:
        solver = "dense" if len(fitted) <= DENSE else "arpack"
        model = KernelPCA(self.dimensions, kernel=self.kernel, eigen_solver=solver, random_state=self.seed)
        try:
            model.fit(fitted)
        except ValueError as error:
            if "negative eigenvalues" not in str(error):  # a sigmoid has some, and no variance along them
                raise
            raise self._too_many(len(fitted)) from None
        self._keep(model.eigenvalues_ / len(fitted), len(fitted))
        return model

    def _keep(self, variances: Float[np.ndarray, " dimensions"], rows: int) -> None:
        """Remember the variances; ValueError if the last ones are nothing but rounding."""
        if variances[-1] <= SMALLEST * variances[0]:
            raise self._too_many(rows)
        self.variances_ = variances

    def _too_many(self, rows: int) -> ValueError:
        return ValueError(
            f"{rows} training samples do not vary in {self.dimensions} dimensions (kernel {self.kernel!r}); "
            "ask for fewer dimensions, or fit more samples."
        )

    def _vectors(self, samples: Samples) -> Float[np.ndarray, "samples dimensions"]:
        return _by_pieces(lambda rows: self.model_.transform(rows.astype(np.float64)), samples, self.dimensions)

    def _names(self) -> list[str]:
        return [f"component{number}" for number in range(self.dimensions)]


class Umap(Representation):
    """UMAP of the raw weights: coordinates in which neighbours among the training samples stay neighbours.

    Published with 25 neighbours, minimal distance 0.001, 50 dimensions (33 in some tables), euclidean, fitted on every
    third training sample. Ours is fitted on at most `rows` of them, drawn without preference; weights that occur more
    than once (models that start alike) are fitted once. Neighbours are exact.

    Where a checkpoint is placed is our choice. UMAP's own `transform` starts from a mean of fitted neighbours and goes
    on with random steps whose number and share depend on all rows of the call, and the very set that was fitted gets
    other coordinates than its rows get in any other set. Ours stops at the mean: every checkpoint, fitted or not, is at
    the mean of its nearest fitted rows' coordinates, with UMAP's weights for this start. (UMAP leaves an exact match
    in its own place; ours averages there as well, so that nothing jumps where a row is almost a fitted one.)

    Learned: `rows_`, how many samples were fitted, and `coordinates_ [rows, dimensions]` of these. `fit` raises
    ValueError for settings out of range, and for fewer different samples than neighbours and dimensions need.
    """

    def __init__(
        self,
        dimensions: int = 50,
        neighbours: int = 25,
        min_dist: float = 0.001,
        rows: int = MAP_ROWS,
        seed: int = 42,
    ) -> None:
        self.dimensions = dimensions
        self.neighbours = neighbours
        self.min_dist = min_dist
        self.rows = rows
        self.seed = seed

    def _learn(self, samples: Samples, y: Values | None, groups: Values | None) -> None:
        _require_counts(dimensions=self.dimensions, rows=self.rows)
        if not is_whole(self.neighbours, 2):
            raise ValueError(f"neighbours is a whole number from 2 on, not {self.neighbours!r}.")
        if not 0 <= self.min_dist <= 1:
            raise ValueError(f"min_dist lies between 0 and 1, not at {self.min_dist!r}.")
        fitted = _weights(pick_rows(samples, self.rows, self.seed))
        fitted = fitted[_distinct(fitted)]
        needed = max(self.neighbours + 1, self.dimensions + 2)  # what its neighbour graph and its spectral start take
        if len(fitted) < needed:
            raise ValueError(
                f"UMAP with {self.neighbours} neighbours in {self.dimensions} dimensions needs {needed} different "
                f"training samples, and there are {len(fitted)}; lower both, or fit more samples."
            )
        self.index_ = NearestNeighbors(n_neighbors=self.neighbours, algorithm="brute").fit(fitted)
        self.coordinates_ = self._lay_out(fitted)
        self.rows_ = len(fitted)

    def _lay_out(self, fitted: Rows) -> Float[np.ndarray, "rows dimensions"]:
        """Coordinates of the fitted rows, by UMAP."""
        import umap  # takes seconds to import

        distances, places = self.index_.kneighbors(fitted)
        # Numba sets the number of threads of the whole process, PyTorch's too; one_core brings that back
        with one_core(torch.device("cpu")), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="precomputed_knn")  # it warns that its own transform is off
            mapper = umap.UMAP(
                n_components=self.dimensions,
                n_neighbors=self.neighbours,
                min_dist=self.min_dist,
                random_state=self.seed,
                n_jobs=1,
                precomputed_knn=(places.astype(np.int32), distances.astype(np.float32), None),
            ).fit(fitted)
        return np.asarray(mapper.embedding_)

    def _vectors(self, samples: Samples) -> Float[np.ndarray, "samples dimensions"]:
        return _by_pieces(self._place, samples, self.dimensions)

    def _place(self, rows: Rows) -> Float[np.ndarray, "rows dimensions"]:
        """The weighted mean of the nearest fitted rows' coordinates."""
        distances, places = self.index_.kneighbors(rows)
        return np.einsum("rn,rnd->rd", neighbour_weights(distances), self.coordinates_[places])

    def _names(self) -> list[str]:
        return [f"umap{number}" for number in range(self.dimensions)]


def neighbour_weights(distances: Float[np.ndarray, "rows neighbours"]) -> Float[np.ndarray, "rows neighbours"]:
    """UMAP's weights of neighbours at these ascending distances, made to sum to one in each row.

    exp(-d / s), where s is such that all but the nearest sum to log2(neighbours), and at least a thousandth of the
    mean distance (of this row; UMAP takes the mean over all rows of a call).
    """
    target = np.log2(distances.shape[1])
    low = np.zeros(len(distances))  # of 1 / s
    high = 1000 / np.maximum(distances.mean(1), np.finfo(np.float32).tiny)
    for _ in range(60):
        middle = (low + high) / 2
        wide = np.exp(-distances[:, 1:] * middle[:, None]).sum(1) > target
        low, high = np.where(wide, middle, low), np.where(wide, high, middle)
    weights = np.exp(-distances * high[:, None])
    return weights / weights.sum(1, keepdims=True)


def _weights(samples: Samples) -> Float[np.ndarray, "samples params"]:
    return plain(samples.weights).numpy()


def _distinct(rows: Rows) -> list[int]:
    """Places of rows that do not occur before."""
    first: dict[bytes, int] = {}
    for place, row in enumerate(rows):
        first.setdefault(row.tobytes(), place)
    return list(first.values())


def _by_pieces(embed: Callable[[Rows], np.ndarray], samples: Samples, width: int) -> Float[np.ndarray, "samples _"]:
    """`embed` of some rows at a time, so that kernels and neighbours of a whole zoo need little memory."""
    weights = _weights(samples)
    vectors = np.empty((len(weights), width), dtype=np.float32)
    for first in range(0, len(weights), PIECE):
        vectors[first : first + PIECE] = embed(weights[first : first + PIECE])
    return vectors


def _require_counts(**counts: int) -> None:
    """ValueError naming the first of these arguments that is no whole number above zero."""
    for name, count in counts.items():
        if not is_whole(count, 1):
            raise ValueError(f"{name} is a whole number from 1 on, not {count!r}.")
