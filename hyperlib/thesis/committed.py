"""Tables of the published run, as committed: read with types, or refused in a sentence that names the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from hyperlib.files import paths
from hyperlib.store.record import record_source

REMEDY = "restore it with `git checkout -- book/results`."


def committed_table(file: Path, remedy: str = REMEDY, **how: Any) -> pd.DataFrame:
    """The table in a file; how: arguments of `pandas.read_csv`. The page that runs is stale when the file changes.

    Raises FileNotFoundError, with `remedy`, where it is missing, and ValueError, with git's, for what is no table.
    """
    record_source(file)
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing; {remedy}")
    try:
        table = pd.read_csv(file, **how)
    except ValueError as error:  # also pandas' own, and letters that are none
        raise not_a(file, "table", str(error)) from error
    table.attrs |= {paths.CSV: f"{file.parent.name}/{file.name}", paths.COLUMNS: list(table.columns)}
    return table


def not_a(file: Path, kind: str, why: str) -> ValueError:
    """The error for a committed file that is not what it should be."""
    return ValueError(f"{file} is no {kind} ({' '.join(why.split())}); {REMEDY}")
