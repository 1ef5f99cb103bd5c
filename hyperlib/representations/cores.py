"""One core per training, whatever else runs in the process.

Sums over a batch depend in their last digits on how many threads share them. So a representation trains and embeds on
one, and a machine with several cores trains several at once. PyTorch's setting belongs to the whole process: the first
one in saves it, the last one out brings it back.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_LOCK = threading.Lock()
_inside, _before = 0, 1


@contextmanager
def one_core(device: torch.device) -> Iterator[None]:
    """Torch works with one thread inside; nothing changes where the device is no CPU."""
    global _inside, _before
    if device.type != "cpu":
        yield
        return
    with _LOCK:
        if not _inside:
            _before = torch.get_num_threads()
        _inside += 1
    torch.set_num_threads(1)
    try:
        yield
    finally:
        with _LOCK:
            _inside -= 1
            if not _inside:
                torch.set_num_threads(_before)
