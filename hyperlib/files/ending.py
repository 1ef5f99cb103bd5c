"""How a process ends when it is asked to: blocks clean up behind themselves, and a command says how it goes on."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import ParamSpec, TypeVar

from hyperlib.files.console import speak_plainly
from hyperlib.files.faults import in_words, said_here

Given, Code = ParamSpec("Given"), TypeVar("Code")

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


def command(main: Callable[Given, Code]) -> Callable[Given, Code | int]:
    """What is called at a command line: what a user can mend ends it in a line, and it speaks on any console.

    Stopped by Ctrl-C it has the exit code 130; SIGTERM and SIGHUP end it with the same line, as `in_order` does. What
    goes wrong with files (text that is none, too) is said `in_words`, as is a ValueError that this library raised, and
    gives the code 2; a ValueError of others, or of another process, is a fault of the code and keeps its traceback.
    Whose reader is gone (`head`) has the code 1.
    """

    @wraps(main)
    def run(*given: Given.args, **named: Given.kwargs) -> Code | int:
        speak_plainly()
        with in_order():
            try:
                code = main(*given, **named)
                sys.stdout.flush()
                return code
            except KeyboardInterrupt:
                said = "Stopped. What is finished is kept; give the same command again, and it goes on from there."
                print(f"\n{said}", file=sys.stderr)
                raise SystemExit(130) from None
            except BrokenPipeError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the end of Python complains
                return 1
            except (OSError, ValueError) as error:
                if isinstance(error, ValueError) and not (said_here(error) or isinstance(error, UnicodeError)):
                    raise
                said = [in_words(error), *getattr(error, "__notes__", ())]
                print(f"error: {' '.join(said)}", file=sys.stderr)
                return 2

    return run


@contextmanager
def asked_to_end() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C came, for work that ends by itself at its next good moment and is not interrupted meanwhile."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: asked.set())
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def left_to_us() -> Iterator[None]:
    """Processes that begin in this block do not hear Ctrl-C: whoever began them does, and ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
