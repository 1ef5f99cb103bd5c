"""Full float32 on a GPU: no TF32 unless it is asked for.

PyTorch lets cuDNN's convolutions round their inputs to ten bits (TF32) without a word, which is not the tolerance that
our engines promise. The setting is the whole process's, so it is switched while any of our work runs, and put back when
the last has ended. Source: PyTorch's notes on numerical accuracy.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

_LOCK = threading.Lock()
_asked = _inside = 0
_before: list[tuple[Any, str, Any]] = []


@contextmanager
def tf32() -> Iterator[None]:
    """Inside, training, evaluation and embedding on a GPU may round to TF32: faster, to about three digits."""
    global _asked
    with _LOCK:
        _asked += 1
        _apply()
    try:
        yield
    finally:
        with _LOCK:
            _asked -= 1
            _apply()


@contextmanager
def full_precision() -> Iterator[None]:
    """Inside, convolutions and matrix products of float32 are in float32, or in TF32 where `tf32` asked for it."""
    global _inside
    with _LOCK:
        if not _inside:
            _before[:] = [(place, name, getattr(place, name)) for place, name in _settings()]
        _inside += 1
        _apply()
    try:
        yield
    finally:
        with _LOCK:
            _inside -= 1
            if not _inside:
                for place, name, value in _before:
                    setattr(place, name, value)


def _apply() -> None:
    for place, name, value in _before if _inside else ():
        setattr(place, name, bool(_asked) if isinstance(value, bool) else "tf32" if _asked else "ieee")


def _settings() -> list[tuple[Any, str]]:
    """Where PyTorch keeps them: words since version 2.9, truth values before; it bears no mixture of both."""
    conv, products = getattr(torch.backends.cudnn, "conv", None), torch.backends.cuda.matmul
    if hasattr(conv, "fp32_precision") and hasattr(products, "fp32_precision"):
        return [(conv, "fp32_precision"), (products, "fp32_precision")]
    return [(torch.backends.cudnn, "allow_tf32"), (products, "allow_tf32")]
