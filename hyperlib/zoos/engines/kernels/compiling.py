"""How kernels are compiled: without the interpreter's lock, once, and found again by everything they depend on.

Numba's own cache looks at the file of the function that is cached and at the processor. Ours is built from many files,
so the checksum of all of them stands in the cached function's name. Functions made in a loop get their constants into
their names as well: Numba calls two compiled functions of one name the same, and would bind a cached caller to the
wrong one, silently.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import config, njit

from hyperlib.weightspace.layers import ACTIVATIONS
from hyperlib.zoos.design import OPTIMIZERS
from hyperlib.zoos.engines.kernels.lanes import ACCUMULATORS, LANES
from hyperlib.zoos.engines.kernels.processor import FEATURES
from hyperlib.zoos.engines.trainer import ADAM_DECAYS, ADAM_EPSILON, MOMENTUM, RMSPROP_DECAY, RMSPROP_EPSILON

_LOG = logging.getLogger(__name__)

kernel = njit(nogil=True, error_model="numpy")
inlined = njit(nogil=True, error_model="numpy", inline="always")  # becomes part of its caller, compiled with it


def kernel_named(*constants: object) -> Callable[[Callable[..., Any]], Any]:
    """A kernel made by a factory, with what makes it differ from its sisters in its name."""

    def compiled(function: Callable[..., Any]) -> Any:
        _rename(function, "_".join(str(constant) for constant in (*constants, LANES)))
        return kernel(function)

    return compiled


def cached_kernel(function: Callable[..., Any]) -> Any:
    """A kernel that is called from Python: compiled once per machine and version of the code, then read from disk."""
    _rename(function, version())
    try:
        return njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError as error:  # no folder that can be written
        _LOG.warning("Compiled kernels cannot be kept (%s); every process compiles them anew.", error)
        return kernel(function)


def version() -> str:
    """Checksum of the kernels' source and of what else decides their machine code."""
    constants = (MOMENTUM, ADAM_DECAYS, ADAM_EPSILON, RMSPROP_DECAY, RMSPROP_EPSILON, OPTIMIZERS, tuple(ACTIVATIONS))
    checksum = hashlib.sha256(f"{LANES} {ACCUMULATORS} {FEATURES} {config.BOUNDSCHECK} {constants}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        checksum.update(path.name.encode() + path.read_bytes())
    return checksum.hexdigest()[:16]


def _rename(function: Callable[..., Any], suffix: str) -> None:
    function.__name__ = f"{function.__name__}_{suffix}"
    function.__qualname__ = f"{function.__qualname__}_{suffix}".replace("<locals>.", "")
