"""What a command prints, on whatever console it runs."""

from __future__ import annotations

import io
import sys


def speak_plainly() -> None:
    """Let no output end a command: what the console's encoding lacks is written as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def shown(text: str) -> str:
    """Text of a file as a terminal may have it: no letter in it commands anything."""
    return "".join(letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in text)
