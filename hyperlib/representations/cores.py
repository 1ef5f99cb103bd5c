"""One core per training, and casts of its own, whatever else runs in the process.

Sums over a batch depend in their last digits on how many threads share them. So a representation trains and embeds on
one, and a machine with several cores trains several at once. PyTorch keeps one number for each thread that computes,
and one for threads that are still to begin; all are brought back to what the first one in found.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from hyperlib.weightspace.precision import full_precision

_LOCK, _OWN = threading.Lock(), threading.local()
_inside, _before = 0, 1


@contextmanager
def one_core(device: torch.device) -> Iterator[None]:
    """Torch works with one thread inside; nothing changes where the device is no CPU."""
    global _inside, _before
    if device.type != "cpu":
        yield
        return
    if getattr(_OWN, "inside", False):
        try:
            yield
        finally:
            torch.set_num_threads(1)  # as outside, whatever was set meanwhile
        return
    with _LOCK:
        found = torch.get_num_threads()  # asked in each thread: before that, its number is not yet its own
        _before = _before if _inside else found
        _inside += 1
    torch.set_num_threads(1)
    _OWN.inside = True
    try:
        yield
    finally:
        _OWN.inside = False
        with _LOCK:
            _inside -= 1
            torch.set_num_threads(_before)


@contextmanager
def half_precision(device: torch.device, on: bool) -> Iterator[None]:
    """Matrix products in bfloat16 inside, where that is on, else in full float32.

    Without PyTorch's cache of cast weights: all threads share it and each empties it after its step, so that whether a
    gradient is summed in bfloat16 or in float32 would depend on what trains beside it.
    """
    with full_precision(), torch.autocast(device.type, torch.bfloat16, enabled=on, cache_enabled=False):
        yield


def halves(precision: str, device: str) -> bool:
    """Whether a precision means bfloat16 there: "auto" does on a GPU, and on a CPU that has instructions for it.

    Raises ValueError for anything but "auto", "float32" and "bfloat16".
    """
    if precision not in ("auto", "float32", "bfloat16"):
        raise ValueError(f"precision is 'auto', 'float32' or 'bfloat16', not {precision!r}.")
    if precision != "auto":
        return precision == "bfloat16"
    return torch.device(device).type != "cpu" or torch.cpu._is_avx512_bf16_supported()  # there is no public question
