"""How a page shows a table: a few rows that can be read, the whole of it folded, and where it lies as CSV.

Name and caption of a table stand in its cell's metadata, as those of figures do: `table={"name": "tab-orbits",
"caption": "..."}`. The site numbers it and makes the name of its CSV a link (`hyperlib.press.pages.tables`); a notebook
viewer shows the same without them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from hyperlib.files.paths import COLUMNS, CSV

ABOUT = "hyperlib_table"  # in the metadata of a notebook's output: which CSV holds the table
VISIBLE = 8  # rows that a page shows unasked
PROSE = 30  # characters; cells of a column with longer ones may break into lines


def show_table(
    table: pd.DataFrame,
    precision: int = 3,
    *,
    digits: int | None = None,
    rows: int | Sequence = VISIBLE,
    of: pd.DataFrame | None = None,
) -> ShownTable:
    """What a cell ends with to show a table: no row numbers, numbers to the right, a dash where there is no value.

    precision: decimals of what is no whole number; a column in which all would round to nothing has powers of ten.
    digits: significant digits instead, for columns whose numbers differ by orders of magnitude.
    rows: how many rows from the top are visible, or the labels (of the table's index) of those that decide; the whole
    table is folded below them. of: the table that `Study.publish` returned, where this one was made from it by more
    than picking rows and columns; its CSV is named below (none where other columns are shown and `of` is not said).
    Underscores in column names are shown as spaces.

    Raises TypeError for what is no table and ValueError for labels that are no rows.
    """
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"A page shows a DataFrame as a table, and this is {type(table).__name__}.")
    if isinstance(rows, int):
        few = table.iloc[: max(rows, 1)]
    elif missing := [row for row in rows if row not in table.index]:
        raise ValueError(f"The table has no row {missing[0]!r} to be shown; its rows are {list(table.index[:8])} ...")
    else:
        few = table.loc[list(rows)]
    source = table if of is None else of
    told = of is not None or set(table.columns) <= set(source.attrs.get(COLUMNS, ()))  # pandas keeps attributes
    return ShownTable(table, few, (precision, digits), source.attrs.get(CSV) if told else None)


class ShownTable:
    """A table on a page: `table` whole, `few` of its rows visible, `csv` the file that holds it, if one does."""

    def __init__(
        self, table: pd.DataFrame, few: pd.DataFrame, rounding: tuple[int, int | None], csv: str | None
    ) -> None:
        self.table, self.few, self.csv = table, few, csv
        self.precision, self.digits = rounding

    def __repr__(self) -> str:
        return self.few.to_string(index=False)

    def to_html(self) -> str:
        """The visible rows, then the whole table in a fold if it has more, and the name of its CSV."""
        tiny = [_is_tiny(self.table.iloc[:, place], self.precision) for place in range(self.table.shape[1])]
        how = (self.precision, self.digits, tiny)
        parts = [_html(self.few, *how)]
        if len(self.few) < len(self.table):
            whole = _html(self.table, *how)
            parts.append(f"<details><summary>All {len(self.table)} rows</summary>{whole}</details>")
        if self.csv:
            parts.append(f'<span class="csv">{escape(self.csv)}</span>')
        return "\n".join(parts)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"text/html": self.to_html(), "text/plain": repr(self)}, {ABOUT: {"csv": self.csv}}


def _html(table: pd.DataFrame, precision: int, digits: int | None, tiny: Sequence[bool]) -> str:
    """A table of words: pandas draws it, from what `_words` made of every cell. tiny: columns with powers of ten."""
    whole = [_is_whole(table[column]) for column in table]
    words = pd.DataFrame(
        {
            place: [_words(value, 0 if whole[place] else precision, digits, one) for value in table.iloc[:, place]]
            for place, one in enumerate(tiny)
        },
        columns=range(table.shape[1]),
    )
    numbers = [place for place in words if all(_is_number(value) for value in table.iloc[:, place])]
    prose = [place for place in words if words[place].str.len().max() > PROSE]
    looks = {place: [{"selector": "", "props": "text-align: right"}] for place in numbers}
    looks |= {place: [{"selector": "", "props": "white-space: normal; min-width: 9rem"}] for place in prose}
    names = [str(column).replace("_", " ") for column in table]
    # pandas would draw another id at every run
    name = hashlib.sha256(f"{names}{words.to_csv()}".encode()).hexdigest()[:8]
    shown = Styler(words, uuid=name, cell_ids=False).hide(axis="index").format(escape="html")
    shown = shown.format_index(lambda place: escape(names[place]), axis=1)
    return shown.set_table_styles(looks, axis=0).to_html()


def _words(value: Any, precision: int, digits: int | None, tiny: bool) -> str:
    """One cell: a number with so many decimals or digits and no sign before nothing, a dash for a missing value."""
    if not isinstance(value, str) and pd.api.types.is_scalar(value) and pd.isna(value):
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if not isinstance(value, float | np.floating):
        return str(value)
    if digits is not None and np.isfinite(value):
        return np.format_float_positional(float(value) + 0.0, digits, unique=False, fractional=False, trim="-")
    if tiny and value:
        return f"{value:.0e}"
    text = f"{value:,.{precision}f}"
    return text if float(text.replace(",", "")) else text.removeprefix("-")


def _is_tiny(column: pd.Series, precision: int) -> bool:
    """Whether a column has numbers other than zero, and so many decimals would show none of them."""
    numbers = [value for value in column if isinstance(value, float | np.floating) and value and np.isfinite(value)]
    return precision > 0 and bool(numbers) and all(float(f"{value:.{precision}f}") == 0 for value in numbers)


def _is_number(value: Any) -> bool:
    missing = not isinstance(value, str) and pd.api.types.is_scalar(value) and pd.isna(value)
    return missing or (isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_))


def _is_whole(column: pd.Series | pd.DataFrame) -> bool:
    """Whether a column of floats holds whole numbers that say how many, and no fractions that happen to be 0 or 1."""
    if not isinstance(column, pd.Series) or not pd.api.types.is_float_dtype(column):
        return False
    known = column.dropna()
    return bool(len(known)) and bool((known % 1 == 0).all()) and float(known.abs().max()) > 1
