"""Spectra of weight matrices: what the singular values of a layer say about its training.

A layer's weight is a matrix, a convolution's the one with a row per output channel. Its spectrum does not change when
units of this layer or of the one before change places, and for independent random weights it is known in advance
(`spectral_laws`). All spectra of a population come from one batched decomposition in float64; entropy and stable rank
are read off them.

Source: thesis, ch. 2 (entropy, approximated through the empirical spectral density); matrix entropy and stable rank as
in Martin and Mahoney (2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.weightspace.layout import Layout, Slot

DEFINITIONS = ("matrix", "histogram")


@dataclass(frozen=True)
class Spectrum:
    """Singular values of one layer's matrix, of one network or along leading axes of many.

    name: the state dict's key. shape: (out, in) of the matrix. singular_values: descending, float64, as many as the
    smaller side. precision: rounding of the weights; what lies below it, relative to the largest, counts as zero.
    """

    name: str
    shape: tuple[int, int]
    singular_values: Float[Tensor, "*batch values"]
    precision: float

    @property
    def eigenvalues(self) -> Float[Tensor, "*batch values"]:
        """Eigenvalues of X = WᵀW / N, descending; N is the larger side and X as large as the smaller one."""
        return self.singular_values.square() / max(self.shape)

    @property
    def aspect(self) -> float:
        """Q = N / M, larger side over smaller one, at least 1."""
        return max(self.shape) / min(self.shape)

    @property
    def variance(self) -> Float[Tensor, "*batch"]:
        """Mean square of the matrix's entries: the variance that the Marchenko-Pastur law asks for, around zero."""
        return self.eigenvalues.mean(-1)

    @property
    def shares(self) -> Float[Tensor, "*batch values"]:
        """s² / Σ s² of every singular value; NaN for a matrix of zeros."""
        relative = self.singular_values / self.singular_values[..., :1]  # squares of huge values stay finite
        squares = relative.square()
        return squares / squares.sum(-1, keepdim=True)

    @property
    def rank(self) -> Float[Tensor, "*batch"]:
        """Number of singular values above the rounding of the weights, as `numpy.linalg.matrix_rank` counts."""
        least = self.singular_values[..., :1] * max(self.shape) * self.precision
        return (self.singular_values > least).sum(-1).double()

    @property
    def stable_rank(self) -> Float[Tensor, "*batch"]:
        """Σ s² / max s², between 1 and the rank: how many directions the matrix's power fills; NaN for zeros."""
        return 1 / self.shares[..., 0]

    def entropy(self, definition: str = "matrix") -> Float[Tensor, "*batch"]:
        """Entropy in [0, 1], NaN for a matrix of zeros; see `weight_entropy` for the two definitions."""
        if definition == "matrix":
            return _normalised(self.shares, self.rank)
        if definition != "histogram":
            raise ValueError(f"There is no entropy {definition!r}; choose one of {', '.join(DEFINITIONS)}.")
        relative = (self.singular_values / self.singular_values[..., :1]).square()
        count = relative.shape[-1]
        bins = (relative.nan_to_num() * count).long().clamp(max=count - 1)
        filled = torch.zeros_like(relative).scatter_add_(-1, bins, torch.ones_like(relative)) / count
        return _normalised(filled + 0 * relative[..., :1], torch.full_like(relative[..., 0], count))


def spectra(weights: Float[Tensor, "*batch params"], layout: Layout, *, budget: int = 2**26) -> list[Spectrum]:
    """Spectrum of every weight matrix, in the layout's order, each for all networks along the leading axes.

    A matrix is a learned slot of two axes or more; later axes (a kernel's places) join the second one. Vectors, such
    as biases and norms, have no spectrum and are left out. Computed in float64: from the smaller Gram matrix where the
    weights are float32 or less, since squaring costs half of the digits and float32 has no more; from the matrix itself
    where they are float64. `budget` bounds the working memory in bytes, unless one network alone needs more.

    Raises ValueError when the weights do not fit the layout, are not all finite, or hold no matrix.
    """
    return [spectrum(weights, slot, budget=budget) for slot in required_slots(weights, layout)]


def spectrum(weights: Float[Tensor, "*batch params"], slot: Slot, *, budget: int = 2**26) -> Spectrum:
    """Spectrum of one slot's matrix, for all networks along the leading axes; see `spectra`.

    Raises ValueError for a slot that is a vector and for weights in it that are not finite.
    """
    rows, shape = weights.detach().reshape(-1, weights.shape[-1]), _matrix_shape(slot)
    step = max(1, budget // (8 * (2 * slot.size + 3 * min(shape) ** 2)))
    values = torch.empty(len(rows), min(shape), dtype=torch.float64, device=rows.device)
    for first in range(0, len(rows), step):
        part = weight_matrix(rows[first : first + step], slot)
        _require_finite(part, slot, first)
        values[first : first + step] = _singular_values(part)
    precision = torch.finfo(weights.dtype if weights.dtype == torch.float64 else torch.float32).eps
    return Spectrum(slot.name, shape, values.reshape(*weights.shape[:-1], min(shape)), precision)


def weight_entropy(
    weights: Float[Tensor, "*batch params"], layout: Layout, definition: str = "matrix", *, budget: int = 2**26
) -> Float[Tensor, "*batch layers"]:
    """How evenly a matrix spreads over its directions, in [0, 1], per matrix in the order of `matrix_names`.

    "matrix": Shannon entropy of p = s² / Σ s², divided by the logarithm of the rank: 1 where all directions are equally
    strong, 0 for a matrix of rank one (where the formula is 0 / 0, our choice). That the thesis means this one is
    inferred. "histogram": Shannon entropy of the histogram of eigenvalues, divided by the logarithm of the number of
    bins; as many bins of equal width, from 0 to the largest, as there are eigenvalues (our choice). It is 0 where all
    eigenvalues are equal. The mean over layers without weights, which the book plots, is our choice too.

    Raises ValueError as `spectra` does, and for another definition.

    Equation: `eq-entropy` on page 02a.
    """
    found = [spectrum.entropy(definition) for spectrum in spectra(weights, layout, budget=budget)]
    return torch.stack(found, -1)


def stable_rank(
    weights: Float[Tensor, "*batch params"], layout: Layout, *, budget: int = 2**26
) -> Float[Tensor, "*batch layers"]:
    """Σ s² / max s² of every matrix, in the order of `matrix_names`. Raises ValueError as `spectra` does."""
    return torch.stack([spectrum.stable_rank for spectrum in spectra(weights, layout, budget=budget)], -1)


def matrix_names(layout: Layout) -> list[str]:
    """Names of the weight matrices, such as `conv1.weight`, in the layout's order."""
    return [slot.name for slot in matrix_slots(layout)]


def matrix_slots(layout: Layout) -> list[Slot]:
    """The slots that are matrices: learned, not empty, and of two axes or more."""
    return [slot for slot in layout if slot.learned and slot.size and len(slot.shape) > 1]


def required_slots(weights: Float[Tensor, "*batch params"], layout: Layout) -> list[Slot]:
    """The matrix slots of these weights. Raises ValueError when they do not fit the layout or it holds no matrix."""
    layout.check(weights)
    slots = matrix_slots(layout)
    if not slots:
        raise ValueError(f"This layout holds no weight matrix, only {', '.join(slot.name for slot in layout)}.")
    return slots


def weight_matrix(weights: Float[Tensor, "*batch params"], slot: Slot) -> Float[Tensor, "*batch out in"]:
    """One layer's matrix `[out, in * places]`, a view of the weights. Raises ValueError for a slot that is a vector."""
    return weights[..., slot.start : slot.stop].unflatten(-1, _matrix_shape(slot))


def _singular_values(matrices: Float[Tensor, "samples out in"]) -> Float[Tensor, "samples values"]:
    exact = matrices.double()
    if matrices.dtype == torch.float64:
        return torch.linalg.svdvals(exact)
    wide = exact if exact.shape[1] <= exact.shape[2] else exact.mT
    return torch.linalg.eigvalsh(wide @ wide.mT).clamp(min=0).sqrt().flip(-1)


def _normalised(shares: Float[Tensor, "*batch values"], count: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Shannon entropy over its largest value, the logarithm of the count; 0 where the count is 1."""
    entropy = torch.special.entr(shares).sum(-1)
    return torch.where(count > 1, entropy / count.clamp(min=2).log(), 0 * entropy).clamp(max=1)


def _matrix_shape(slot: Slot) -> tuple[int, int]:
    if len(slot.shape) < 2 or not slot.size:
        raise ValueError(f"{slot.name} has shape {slot.shape} and is no matrix; choose one of `matrix_slots`.")
    return slot.shape[0], slot.size // slot.shape[0]


def _require_finite(part: Float[Tensor, "samples out in"], slot: Slot, first: int) -> None:
    finite = torch.isfinite(part).flatten(1).all(1)
    if not finite.all():
        row = first + int((~finite).nonzero()[0])
        raise ValueError(
            f"Weight vector {row} has values in {slot.name} that are not finite, and a spectrum needs finite weights; "
            "leave diverged models out, as `Zoo.samples()` does."
        )
