"""Numbers, arrays and devices as callers bring them: of any kind that means the same."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor


def is_whole(value: Any, least: int = -(2**63)) -> bool:
    """Whether this is a whole number, Python's or NumPy's, from `least` on and of 64 bits at most; truth is none."""
    return isinstance(value, Integral) and not isinstance(value, bool) and least <= value < 2**63


def generator(seed: int) -> torch.Generator:
    """PyTorch's generator of random numbers from a seed. Raises ValueError for what is no whole number."""
    if not is_whole(seed):
        raise ValueError(f"A seed is a whole number of at most 64 bits, not {seed!r}.")
    return torch.Generator().manual_seed(int(seed))


def usual_precision(values: Tensor) -> Tensor:
    """The values in float64 if they are, else in float32: most operations on a CPU know no halves."""
    return values if values.dtype == torch.float64 else values.float()


def as_tensor(values: Any, dtype: torch.dtype | None = None) -> Tensor:
    """The values as a tensor: in the same memory where PyTorch can write to that, else as a copy.

    PyTorch takes no array that is read backwards, only read, or in another machine's byte order.
    """
    if isinstance(values, np.ndarray):
        plain = values.flags.writeable and values.dtype.isnative and all(step >= 0 for step in values.strides)
        values = values if plain else np.array(values, dtype=values.dtype.newbyteorder("="))
    return torch.as_tensor(values, dtype=dtype)


def device_called(name: str | torch.device | None) -> torch.device:
    """The device of this name, the CPU without one. Raises ValueError when there is none that we can use."""
    try:
        device = torch.device(name or "cpu")
    except RuntimeError:
        raise ValueError(f"There is no device {name!r}; choose cpu or cuda.") from None
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"Training runs on cpu or cuda, not on {device.type}.")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError("PyTorch finds no CUDA device here; leave out device to use the CPU.")
    return device
