"""Compiled kernels that are ready to be called: read from disk, or compiled now, which is said if it takes long.

A cache that cannot be read or written (a full disk, a damaged file) costs the compiled code's survival, no more.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from hyperlib.zoos.engines.compiled import _say_compiling
from hyperlib.zoos.engines.kernels.compiling import kernel

_LOG = logging.getLogger(__name__)
_PATIENCE = 2.0  # seconds; a kernel that is read from disk is ready long before
_PREPARING = threading.Lock()
_READY: dict[Any, Callable[..., None]] = {}


def ready(compiled_kernel: Any, nothing: tuple) -> Callable[..., None]:
    """The kernel, compiled for the types of `nothing`, which are arguments that give it nothing to do."""
    with _PREPARING:
        if compiled_kernel not in _READY:
            note = threading.Timer(_PATIENCE, _say_compiling)
            note.start()
            try:
                _READY[compiled_kernel] = _called(compiled_kernel, nothing)
            except Exception as error:  # whatever a damaged cache raises; a fault of the kernel comes again here
                _LOG.warning("The cache of compiled kernels fails (%s); this process compiles its own.", error)
                _READY[compiled_kernel] = _called(kernel(compiled_kernel.py_func), nothing)
            finally:
                note.cancel()
    return _READY[compiled_kernel]


def _called(one: Any, nothing: tuple) -> Any:
    one(*nothing)
    return one
