"""Our numbers beside the published ones: one unit, one row per thing measured.

Papers print percent, the companion keeps fractions; papers measure things we don't, and we measure things
they don't. So a comparison first brings both to one unit (`as_fractions`), then joins without dropping a row
(`beside`).
"""

from __future__ import annotations

import re

import pandas as pd

_PERCENT_MARK = re.compile(r" x100|,? %|,? percent as printed")
_MEASURED = ("value", "std", "mean", "median", "q1", "q3", "max", "error")
_SAID_OF_A_RECORD = ("source", "table_or_figure", "kind", "confidence", "note")


def beside(ours: pd.DataFrame, published: pd.DataFrame, on: list[str], value: str = "value") -> pd.DataFrame:
    """Our values and the published ones side by side, matched on the columns `on`; no row of either is lost.

    Gives `on`, `ours`, `published`, `difference` (ours minus published), the `std` of each side if there is
    one, and what the published table says of its source. Our rows come first, in their order. A table without
    a `unit` column is taken to be in plain numbers, the companion's own unit.

    Raises ValueError for missing columns, missing keys, a key of ours that either table has twice, and matched rows in
    different units.
    """
    left, right = _keyed(ours, on, value, "our"), _keyed(published, on, value, "published")
    _check_keys_can_meet(left.index, right.index)
    matched = right.index.isin(left.index)
    asked, rest = right[matched], right[~matched]
    _check_once(left.index, "our")
    _check_once(asked.index, "published")
    right = pd.concat([asked.reindex(left.index), rest])
    left = left.reindex(right.index)
    _check_same_unit(left, right, value)
    columns = {"ours": left[value], "published": right[value], "difference": left[value] - right[value]}
    for side, table in (("ours", left), ("published", right)):
        if "std" in table and value != "std":
            columns[f"{side}_std"] = table["std"]
    columns |= {name: right[name] for name in _SAID_OF_A_RECORD if name in right}
    return pd.DataFrame(columns).reset_index()


def as_fractions(table: pd.DataFrame) -> pd.DataFrame:
    """A copy of a published table with percentages as fractions, the companion's own unit.

    A `metric` loses its percent mark ("R2 x100: epoch" becomes "R2: epoch"); rows in other units stay as they are.
    """
    table = table.copy()
    percent = table["unit"] == "percent"
    measured = [name for name in _MEASURED if name in table]
    table.loc[percent, measured] = table.loc[percent, measured] / 100
    if "metric" in table:
        table["metric"] = [_PERCENT_MARK.sub("", metric) for metric in table["metric"]]
    return table.assign(unit=table["unit"].mask(percent, "1"))


def unit_of(metric: str) -> str:
    """The unit that a published metric names, where its record has none: "percent", or "1" for a plain number."""
    return "percent" if _PERCENT_MARK.search(metric) else "1"


def _keyed(table: pd.DataFrame, on: list[str], value: str, whose: str) -> pd.DataFrame:
    missing = [name for name in [*on, value] if name not in table]
    if missing or not on:
        lack = f"no column {', '.join(missing)}" if missing else "no column to be matched on"
        raise ValueError(f"The {whose} table has {lack}; it has {', '.join(map(str, table.columns))}.")
    if table[on].isna().any(axis=None):
        raise ValueError(f"The {whose} table has rows without {' or '.join(on)}; fill or drop them first.")
    return table.set_axis(pd.MultiIndex.from_arrays([table[name].astype(object) for name in on], names=on))


def _check_once(keys: pd.MultiIndex, whose: str) -> None:
    if keys.has_duplicates:
        twice = dict(zip(keys.names, keys[keys.duplicated()][0], strict=True))
        raise ValueError(f"The {whose} table has {twice} twice; select rows first or match on more columns.")


def _check_keys_can_meet(ours: pd.MultiIndex, theirs: pd.MultiIndex) -> None:
    for name in ours.names:
        left, right = ours.get_level_values(name), theirs.get_level_values(name)
        kinds = [{isinstance(key, str) for key in keys} for keys in (left, right)]
        if all(kinds) and kinds[0].isdisjoint(kinds[1]):
            raise ValueError(
                f"Nothing can match on {name!r}: our table has {left[0]!r}, the published one {right[0]!r}; "
                "bring both to text or both to numbers."
            )


def _check_same_unit(left: pd.DataFrame, right: pd.DataFrame, value: str) -> None:
    ours, theirs = (table["unit"] if "unit" in table else pd.Series("1", index=table.index) for table in (left, right))
    wrong = (ours != theirs) & left[value].notna() & right[value].notna()
    if wrong.any():
        key = wrong.index[wrong][0]
        raise ValueError(
            f"Our value for {key} has unit {ours.loc[key]}, the published one {theirs.loc[key]}; "
            "pass as_fractions(published), or a `unit` column of ours that says otherwise."
        )
