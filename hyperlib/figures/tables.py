"""How a page shows a table."""

from __future__ import annotations

import hashlib

import pandas as pd
from pandas.io.formats.style import Styler


def show_table(table: pd.DataFrame, precision: int = 3) -> Styler:
    """A table as a page shows it: without row numbers, so many decimals, a dash where there is no value."""
    name = hashlib.sha256(table.to_csv().encode()).hexdigest()[:8]  # pandas would draw another one at every run
    prose = [column for column in table if table[column].astype(str).str.len().max() > 40]
    shown = table.style.hide(axis="index").set_uuid(name).format(precision=precision, na_rep="–")
    return shown.set_properties(subset=prose, **{"min-width": "16rem"})  # else a phone makes it one word wide
