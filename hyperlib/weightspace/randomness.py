"""Random numbers that depend on nothing but their key.

Every draw is a hash of (key, counter), so a model's initial weights, batch orders and dropout masks do not change with
the size of the population, the order of its rows, the number of workers or the engine that trains it. The hash is
SplitMix64 (Steele, Lea and Flood 2014) used as a counter-based generator; integer arithmetic modulo 2^64 gives the
same bits on every device. It is our choice: library generators are streams, which would tie a model to its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.weightspace.values import as_tensor


def _signed(number: int) -> int:
    """The same 64 bits, read as a signed integer (torch has no full unsigned arithmetic)."""
    return (number + 2**63) % 2**64 - 2**63


_GAMMA = _signed(0x9E3779B97F4A7C15)
_FIRST = _signed(0xBF58476D1CE4E5B9)
_SECOND = _signed(0x94D049BB133111EB)


def _shift(bits: Tensor, places: int) -> Tensor:
    """Logical shift to the right (torch's own keeps the sign)."""
    return (bits >> places) & (2 ** (64 - places) - 1)


def _mix(bits: Tensor) -> Tensor:
    bits = (bits ^ _shift(bits, 30)) * _FIRST
    bits = (bits ^ _shift(bits, 27)) * _SECOND
    return bits ^ _shift(bits, 31)


def key(seeds: Sequence[int] | Int[Tensor, " models"], *path: int | Int[Tensor, ""]) -> Int[Tensor, " models"]:
    """One key per seed; `path` numbers (stream, epoch, step, ...) lead to independent keys below it.

    A number of the path may be a tensor on the device of the seeds, so that it can differ between replays of a step.
    """
    keys = _mix(as_tensor(seeds, torch.int64) + _GAMMA)
    for number in path:
        if not isinstance(number, Tensor):  # filled rather than copied there, which a recording could not hold
            number = torch.full((), _signed(int(number)), dtype=torch.int64, device=keys.device)
        keys = _mix(keys ^ _mix((number + 1) * _GAMMA))
    return keys


def draws(keys: Int[Tensor, " models"], count: int) -> Int[Tensor, "models count"]:
    """`count` uniform integers below 2^53 for each key."""
    counter = torch.arange(1, count + 1, dtype=torch.int64, device=keys.device) * _GAMMA
    return _shift(_mix(keys[:, None] + counter), 11)


def uniform(keys: Int[Tensor, " models"], count: int) -> Float[Tensor, "models count"]:
    """U[0, 1) in float64, `count` per key."""
    return draws(keys, count).double() * 2.0**-53


def normal(keys: Int[Tensor, " models"], count: int) -> Float[Tensor, "models count"]:
    """N(0, 1) in float64, `count` per key (Box and Muller 1958)."""
    first, second = uniform(keys, 2 * count).unflatten(1, (2, count)).unbind(1)
    return (-2 * torch.log1p(-first)).sqrt() * torch.cos(2 * pi * second)


def orders(keys: Int[Tensor, " models"], count: int) -> Int[Tensor, "models count"]:
    """A random order of `count` things for each key: the places of its draws when sorted."""
    numbers = draws(keys, count)
    if numbers.device.type == "cpu":  # numpy sorts integers with vector instructions, torch does not
        return torch.from_numpy(numbers.numpy().argsort(axis=1))
    return numbers.argsort(dim=1, stable=True)
