"""How a process ends when the system asks it to: as after Ctrl-C, so that blocks clean up behind themselves."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ASKED = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]


@contextmanager
def in_order() -> Iterator[None]:
    """SIGTERM and SIGHUP interrupt this block as Ctrl-C would; when it has ended they end the process, as they do.

    Signals that somebody else handles or ignores stay as they are, and so does everything outside of the main thread.
    """
    told: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        told.append(number)
        if len(told) == 1:  # a second one does not break into the cleaning up
            raise KeyboardInterrupt

    ours = [number for number in _ASKED if signal.getsignal(number) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        ours = []
    try:
        for number in ours:
            signal.signal(number, interrupt)
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
        if told:
            os.kill(os.getpid(), told[0])
