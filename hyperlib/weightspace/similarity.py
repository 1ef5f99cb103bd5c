"""How alike two networks are: by what they compute (CKA, agreement) or by their weights (l2, cosine).

All four compare whole populations: one axis of models in, a matrix of pairs out; two single networks give one
number. Pairs are worked off in square blocks whose size follows from a budget of bytes, in float64, so
thousands of models fit on a small machine. Without a second population the matrix is symmetric to the bit and
its diagonal exact.

Source: thesis, ch. 2 (similarity of weights against similarity of behaviour) and ch. 3 (agreement as
diversity of a zoo); linear CKA after Kornblith et al. (2019).
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import torch
from jaxtyping import Float, Int
from torch import Tensor

BUDGET = 2**28  # bytes of working memory beside inputs and result; our choice


def cka(
    outputs: Float[Tensor, "*models samples classes"],
    others: Float[Tensor, "*others samples features"] | None = None,
    *,
    budget: int = BUDGET,
) -> Float[Tensor, "..."]:
    """Linear centred kernel alignment of outputs on the same images, in [0, 1].

    ‖YᵀX‖² / (‖XᵀX‖ ‖YᵀY‖) in Frobenius norms, X and Y centred over the samples; the two sides may have
    different numbers of features. `[models, others]`, or one number for two single networks. A network whose
    outputs do not depend on the image has no alignment: its entries are NaN, also on the diagonal.

    Raises ValueError for other shapes, different images or values that are not finite (so do the three
    below).

    Equation: `eq-cka` on page 02b.
    """
    _check(outputs, others, axes=2)
    samples, features = outputs.shape[-2], max(side.shape[-1] for side in (outputs, others) if side is not None)
    if samples < features:  # the same number from the products of samples, of which there are fewer
        block = _models_within(budget, 16 * samples * (samples + features), 16)
        return _pairwise(outputs, others, _unit_gram, _product, block, diagonal=1.0, axes=2).clamp(min=0)
    block = _models_within(budget, 16 * samples * features, 16 * features**2)
    return _pairwise(outputs, others, _centred_unit, _cross_power, block, diagonal=1.0, axes=2)


def agreement(
    outputs: Float[Tensor, "*models samples classes"],
    others: Float[Tensor, "*others samples classes"] | None = None,
    *,
    budget: int = BUDGET,
) -> Float[Tensor, "..."]:
    """Share of images that two networks put into the same class, right or wrong, in [0, 1].

    `[models, others]`, or one number for two single networks. Of equal outputs the first class counts.

    Equation: `eq-agreement` on page 03.
    """
    _check(outputs, others, axes=2)
    classes = outputs.shape[-1]
    if others is not None and others.shape[-1] != classes:
        raise ValueError(f"Agreement needs the same classes; these have {classes} and {others.shape[-1]}.")
    block = _models_within(budget, 16 * outputs.shape[-2], 16)

    def same_class(left: Int[Tensor, "models samples"], right: Int[Tensor, "others samples"]) -> Tensor:
        counts = sum((left == c).float() @ (right == c).float().T for c in range(classes))
        return counts.double() / left.shape[-1]

    return _pairwise(outputs, others, lambda x: x.argmax(-1), same_class, block, diagonal=1.0, axes=2)


def l2(
    weights: Float[Tensor, "*models params"],
    others: Float[Tensor, "*others params"] | None = None,
    *,
    budget: int = BUDGET,
) -> Float[Tensor, "..."]:
    """Euclidean distance of weight vectors, `[models, others]`: a dissimilarity, 0 for the same network."""
    _check(weights, others, axes=1)
    block = _models_within(budget, 32 * weights.shape[-1], 24)
    return _pairwise(weights, others, Tensor.double, _distances, block, diagonal=0.0, axes=1)


def cosine(
    weights: Float[Tensor, "*models params"],
    others: Float[Tensor, "*others params"] | None = None,
    *,
    budget: int = BUDGET,
) -> Float[Tensor, "..."]:
    """Cosine of the angle between weight vectors, `[models, others]`, in [-1, 1]; NaN for zero vectors."""
    _check(weights, others, axes=1)
    block = _models_within(budget, 32 * weights.shape[-1], 16)
    return _pairwise(weights, others, _unit, _product, block, diagonal=1.0, axes=1)


@torch.no_grad()
def _pairwise(
    population: Tensor,
    others: Tensor | None,
    prepare: Callable[[Tensor], Tensor],
    compare: Callable[[Tensor, Tensor], Tensor],
    block: int,
    *,
    diagonal: float,
    axes: int,
) -> Tensor:
    """Matrix of `compare(prepare(block), prepare(block))`; mirrored where both sides are the same."""
    sides = [population, population if others is None else others]
    rows, columns = (side if side.ndim > axes else side[None] for side in sides)
    result = torch.zeros(len(rows), len(columns), dtype=torch.float64, device=rows.device)
    for i in range(0, len(rows), block):
        left = prepare(rows[i : i + block])
        for j in range(i if others is None else 0, len(columns), block):
            right = left if others is None and i == j else prepare(columns[j : j + block])
            result[i : i + block, j : j + block] = compare(left, right)
    if others is None:
        result = result.triu() + result.triu(1).T
        result.diagonal()[~result.diagonal().isnan()] = diagonal
    return result[tuple(slice(None) if side.ndim > axes else 0 for side in sides)]


def _check(values: Tensor, others: Tensor | None, *, axes: int) -> None:
    """ValueError unless both sides are finite, with equally many weights or images."""
    sides = [values] if others is None else [values, others]
    for side in sides:
        if side.ndim not in (axes, axes + 1) or 0 in side.shape[-axes:]:
            form = "params" if axes == 1 else "samples, classes"
            raise ValueError(f"Similarity compares [models, {form}] or [{form}], not {list(side.shape)}.")
        if not torch.isfinite(side).all():
            raise ValueError("Similarity needs finite values, and some are not; leave out diverged models.")
    if len({side.shape[-axes] for side in sides}) > 1:
        what = "weights per network" if axes == 1 else "images"
        counts = " and ".join(str(side.shape[-axes]) for side in sides)
        raise ValueError(f"The two sides have {counts} {what}; only equal numbers can be compared.")


def _models_within(budget: int, bytes_per_model: int, bytes_per_pair: int) -> int:
    """Models per block, so that two blocks of models and their pairs stay within the budget; at least one."""
    root = sqrt(bytes_per_model**2 + bytes_per_pair * budget)  # of pairs * n² + 2 * models * n = budget
    return max(1, int((root - bytes_per_model) / bytes_per_pair))


def _centred_unit(outputs: Tensor) -> Tensor:
    """Outputs centred and scaled so that CKA is their squared cross product; NaN where they are constant."""
    centred = _centred(outputs)
    power = torch.linalg.matrix_norm(centred.mT @ centred)
    return centred / power.masked_fill(_constant(outputs), torch.nan).sqrt()[:, None, None]


def _unit_gram(outputs: Tensor) -> Tensor:
    """Products of all pairs of samples, as one vector of length one, so that CKA is a product of two such vectors."""
    centred = _centred(outputs)
    gram = (centred @ centred.mT).flatten(1)
    power = torch.linalg.vector_norm(gram, dim=1)
    return gram / power.masked_fill(_constant(outputs), torch.nan)[:, None]


def _centred(outputs: Tensor) -> Tensor:
    exact = outputs.double()
    return exact - exact.mean(1, keepdim=True)


def _constant(outputs: Tensor) -> Tensor:
    """Networks whose outputs do not depend on the image: rounding can leave a power above zero."""
    return (outputs == outputs[:, :1]).all(2).all(1)


def _cross_power(left: Tensor, right: Tensor) -> Tensor:
    """Squared Frobenius norm of every pair's cross product, by one matrix product for all pairs."""
    product = left.permute(0, 2, 1).flatten(0, 1) @ right.permute(1, 0, 2).flatten(1)
    blocks = product.unflatten(0, (len(left), -1)).unflatten(2, (len(right), -1))
    return blocks.square_().sum((1, 3)).clamp(max=1)


def _product(left: Tensor, right: Tensor) -> Tensor:
    return (left @ right.T).clamp(-1, 1)


def _unit(weights: Tensor) -> Tensor:
    """Weight vectors of length one; NaN where all weights are zero."""
    exact = weights.double()
    return exact / torch.linalg.vector_norm(exact, dim=-1, keepdim=True)


def _distances(left: Tensor, right: Tensor) -> Tensor:
    """Distances from norms and products; pairs so close that these cancel, from their difference."""
    powers = left.square().sum(-1)[:, None] + right.square().sum(-1)
    squares = powers - 2 * (left @ right.T)
    close = squares < 1e-6 * powers
    squares.clamp_(min=0).sqrt_()
    for row in close.any(1).nonzero()[:, 0].tolist():
        near = close[row]
        squares[row, near] = torch.linalg.vector_norm(right[near] - left[row], dim=-1)
    return squares
