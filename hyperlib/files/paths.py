"""Where the companion reads and writes, in one place.

Everything made by a run lies below `_build/`, which git ignores; only `make results` copies small CSVs to
`book/results/`. Notebooks run from any folder, so the repository is found from this file, never from the current
folder. Three environment variables move folders: `HYPERLIB_DATA` (image sets), `HYPERLIB_STORE` (zoos and
representations) and `HYPERLIB_RESULTS` (fresh CSVs). In all of them `~` is the user's home, and a relative path starts
where the command was given.
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLES = ("HYPERLIB_DATA", "HYPERLIB_STORE", "HYPERLIB_RESULTS")
CSV = "csv"  # in a table's attributes: which file of results holds it, as "laptop/ws-entropy.csv"
COLUMNS = "columns"  # and the columns that the file has


def folder_named(variable: str, default: Path | str) -> Path:
    """The folder that an environment variable names, or else the default; absolute."""
    return Path(os.path.expanduser(os.environ.get(variable) or default)).absolute()


def settle_variables() -> None:
    """Make the variables absolute now, so that they mean the same to processes that work in other folders.

    Raises ValueError for one that names something that is there and is no folder.
    """
    for variable in VARIABLES:
        if os.environ.get(variable):
            folder = folder_named(variable, "")
            if os.path.lexists(folder) and not folder.is_dir():
                raise ValueError(f"{variable} is {folder}, which is no folder; name one, or unset {variable}.")
            os.environ[variable] = str(folder)


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
    return folder_named("HYPERLIB_STORE", build_folder() / "store")


def results_folder(profile: str, clone: Path | None = None) -> Path:
    """Fresh CSVs of one profile: below `HYPERLIB_RESULTS`, or `_build/results` of this (or another) clone."""
    return folder_named("HYPERLIB_RESULTS", (clone or root()) / "_build" / "results") / profile


def committed_folder(name: str) -> Path:
    """Where the results of a profile, or those of the benchmarks, are under version control."""
    return root() / "book" / "results" / name


def thesis_folder() -> Path:
    """The thesis as project data: zoos, artefact ids and published numbers."""
    return root() / "book" / "thesis"
