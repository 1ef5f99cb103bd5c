"""Whether the card's own kernels can train a network here, and why not."""

from __future__ import annotations

from functools import lru_cache

import torch

from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.layers import Conv
from hyperlib.zoos.engines.cuda.plan import MOST_SIDE

_TOLERANCE = 1e-4  # of three steps; float32 in another order is within 1e-6, a wrong kernel beyond this


def uncovered_by_kernels(architecture: Architecture) -> str:
    """What this network asks of the card's kernels that those of the CPU can do; empty if nothing."""
    widest = max((s.layer.kernel for s in architecture.steps if isinstance(s.layer, Conv)), default=0)
    return f"a Conv with a kernel of more than {MOST_SIDE} places" if widest > MOST_SIDE else ""


def simulated() -> bool:
    """Whether Numba's simulator stands in for a card (NUMBA_ENABLE_CUDASIM=1), for tests."""
    from numba import config

    return bool(config.ENABLE_CUDASIM)


@lru_cache
def unusable(device: str = "cuda") -> str:
    """Why no kernel of ours can be used on this card; empty if first jobs come out as PyTorch's.

    The jobs are of a network of every layer, trained for three steps; they cost seconds, once per card and process.
    """
    try:
        from hyperlib.zoos.engines.cuda.proof import difference

        apart = difference(torch.device("cpu" if simulated() else device))
    except Exception as error:  # Numba's CUDA target raises what it likes: no driver, no compiler library, a new card
        words = " ".join(str(error).split())[:200]
        return f"Numba's CUDA target fails ({type(error).__name__}: {words})"
    return f"its first jobs are {apart:.1e} apart from PyTorch's" if not apart < _TOLERANCE else ""
