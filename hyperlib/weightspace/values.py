"""Numbers and arrays as callers bring them: of any kind that means the same."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor


def is_whole(value: Any, least: int = -(2**63)) -> bool:
    """Whether this is a whole number, Python's or NumPy's, from `least` on and of 64 bits at most; truth is none."""
    return isinstance(value, Integral) and not isinstance(value, bool) and least <= value < 2**63


def usual_precision(values: Tensor) -> Tensor:
    """The values in float64 if they are, else in float32: most operations on a CPU know no halves."""
    return values if values.dtype == torch.float64 else values.float()


def as_tensor(values: Tensor | np.ndarray) -> Tensor:
    """The values as a tensor: in the same memory where PyTorch can write to that, else as a copy.

    PyTorch takes no array that is read backwards, only read, or in another machine's byte order.
    """
    if isinstance(values, np.ndarray):
        plain = values.flags.writeable and values.dtype.isnative and all(step >= 0 for step in values.strides)
        values = values if plain else np.array(values, dtype=values.dtype.newbyteorder("="))
    return torch.as_tensor(values)
