"""Where the companion reads and writes, in one place.

Everything made by a run lies below `_build/`, which git ignores; only `make results` copies small CSVs to
`book/results/`. Notebooks run from any folder, so the repository is found from this file, never from the current
folder. Two environment variables move the outputs: `HYPERLIB_STORE` (zoos and representations) and
`HYPERLIB_RESULTS` (fresh CSVs).
"""

from __future__ import annotations

import os
from pathlib import Path


def root() -> Path:
    """The clone that this installation of hyperlib belongs to.

    Raises FileNotFoundError if hyperlib was installed without its clone: the book's data live beside the library.
    """
    folder = Path(__file__).resolve().parents[2]
    if not (folder / "_toc.yml").is_file():
        raise FileNotFoundError(
            f"hyperlib at {folder} is not inside a clone of the companion (no _toc.yml there); "
            "clone the repository and run `make env`, which installs hyperlib from it."
        )
    return folder


def build_folder() -> Path:
    """Everything a run makes, `_build/` of the clone."""
    return root() / "_build"


def store_folder() -> Path:
    """Zoos and representations, made once: `HYPERLIB_STORE`, or `_build/store`."""
    return Path(os.environ.get("HYPERLIB_STORE") or build_folder() / "store")


def results_folder(profile: str, clone: Path | None = None) -> Path:
    """Fresh CSVs of one profile: below `HYPERLIB_RESULTS`, or `_build/results` of this (or another) clone."""
    base = os.environ.get("HYPERLIB_RESULTS") or (clone or root()) / "_build" / "results"
    return Path(base) / profile


def committed_folder(name: str) -> Path:
    """Where the results of a profile, or those of the benchmarks, are under version control."""
    return root() / "book" / "results" / name


def thesis_folder() -> Path:
    """The thesis as project data: zoos, artefact ids and published numbers."""
    return root() / "book" / "thesis"
