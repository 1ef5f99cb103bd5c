"""How a network's weights begin.

The thesis's zoos use two unscaled initialisations besides the usual ones: `uniform` is U(0, 1) and `normal` is N(0, 1),
with every bias at the constant 0.01 (released generators of Schürholt et al. 2022, Model Zoos). The Small CNN Zoo of
Unterthiner et al. (2020) adds truncated and orthogonal draws and varies `std` and the bias constant.
"""

from __future__ import annotations

from math import sqrt

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.weightspace.layout import Slot
from hyperlib.weightspace.randomness import normal, uniform

INITIALISATIONS = (
    "uniform",
    "normal",
    "truncated_normal",
    "orthogonal",
    "kaiming_uniform",
    "kaiming_normal",
    "xavier_uniform",
    "xavier_normal",
)
BIAS = 0.01  # constant of the released zoo generators


def initial_weight(
    slot: Slot, keys: Int[Tensor, " models"], how: str, std: Float[Tensor, " models"]
) -> Float[Tensor, "models _"]:
    """Start values of one weight slot, flat, float64, one row per key.

    `how` is one of `INITIALISATIONS`; `std` scales `normal`, `truncated_normal` (cut at two standard deviations) and
    `orthogonal` (as its gain), the others have their own scale. Fans and gains are those of `torch.nn.init`
    (Kaiming: fan-in, gain sqrt 2).
    """
    places = slot.size // (slot.shape[0] * slot.shape[1])
    fan_in, fan_out = slot.shape[1] * places, slot.shape[0] * places
    if how == "uniform":
        return uniform(keys, slot.size)
    if how == "normal":
        return normal(keys, slot.size) * std[:, None]
    if how == "truncated_normal":
        return _truncated(keys, slot.size) * std[:, None]
    if how == "orthogonal":
        return _orthogonal(normal(keys, slot.size).unflatten(1, (slot.shape[0], fan_in))) * std[:, None]
    family, shape = how.rsplit("_", 1)
    variance = 2 / fan_in if family == "kaiming" else 2 / (fan_in + fan_out)
    if shape == "normal":
        return normal(keys, slot.size) * sqrt(variance)
    return (2 * uniform(keys, slot.size) - 1) * sqrt(3 * variance)


def _truncated(keys: Int[Tensor, " models"], count: int) -> Float[Tensor, "models count"]:
    """N(0, 1) cut at -2 and 2, by the inverse distribution function."""
    low = torch.special.ndtr(torch.tensor(-2.0, dtype=torch.float64))
    return torch.special.ndtri(low + uniform(keys, count) * (1 - 2 * low))


def _orthogonal(matrices: Float[Tensor, "models units inputs"]) -> Float[Tensor, "models _"]:
    """Orthonormal rows or columns, whichever are fewer (Saxe et al. 2014)."""
    tall = matrices if matrices.shape[1] >= matrices.shape[2] else matrices.transpose(1, 2)
    basis, upper = torch.linalg.qr(tall)
    basis = basis * upper.diagonal(dim1=1, dim2=2).sign()[:, None]
    return (basis if matrices.shape[1] >= matrices.shape[2] else basis.transpose(1, 2)).flatten(1)
