"""The Python that runs chapters: that of the build itself, with the same hyperlib.

A kernel called `python3` that somebody registered for this user or on this machine can belong to another environment,
with another clone. So the build writes a specification of its own, which Jupyter finds first, and asks that
interpreter, as a chapter will start it, which hyperlib it imports.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hyperlib.files.writing import write_json

SOURCES = Path(__file__).resolve().parents[2]
METADATA = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
_ASKED = "import hyperlib, pathlib; print(pathlib.Path(hyperlib.__file__).resolve().parents[1])"


def environment_of(folder: Path) -> dict[str, str]:
    """Variables under which a chapter runs, with a kernel that is written below `folder`.

    Its files are in UTF-8 whatever the console is, and nothing of the reader's start-up files is read.
    """
    arguments = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": arguments, "display_name": "Python 3", "language": "python"}
    write_json(folder / ".jupyter" / "kernels" / "python3" / "kernel.json", spec)
    first = {"JUPYTER_PATH": folder / ".jupyter", "PYTHONPATH": SOURCES}
    joined = {name: os.pathsep.join([str(path), *filter(None, [os.environ.get(name)])]) for name, path in first.items()}
    own = {
        "IPYTHONDIR": str(folder / ".ipython"),
        "PYTHONSTARTUP": "",
        "PYTHONUTF8": "1",
        "PYTHONIOENCODING": "utf-8",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # a warning about frozen modules, on every page
    }
    return {**os.environ, **joined, **own}


def foreign_library(folder: Path) -> str | None:
    """What is wrong if a Python that starts in `folder` would import another hyperlib than this one; else None."""
    asked = subprocess.run(
        [sys.executable, "-c", _ASKED], cwd=folder, capture_output=True, encoding="utf-8", check=False, timeout=120
    )
    found = asked.stdout.strip()
    if found == str(SOURCES):
        return None
    found = found or " ".join(asked.stderr.strip().splitlines()[-1:])
    return f"it would import hyperlib from {found}, but this build is of {SOURCES}; run `make env` here"
