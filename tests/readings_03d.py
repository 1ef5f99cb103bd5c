"""What page 03d says of the laptop run."""

from __future__ import annotations

from readings import says

PROBES, SAME, SECONDS = (
    "zoo-property-benchmark.formats",
    "zoo-property-benchmark.formats_same",
    "zoo-generating-factors.formats_seconds",
)


@says("03d", "The wrapping changes nothing: in all three forms the table has the same numbers as without any, to the last bit")
def _(t):
    forms = {form: rows.drop(columns="form").reset_index(drop=True) for form, rows in t(PROBES).groupby("form")}
    plain = forms.pop("never wrapped")
    return len(forms) == 3 and all(plain.equals(one) for one in forms.values()) and not t(SAME)["numbers apart"].any()


@says("03d", "costs more than reading file by file, 1.3 seconds and .63; every later one costs .05")
def _(t):
    one_by_one, first, later = t(SECONDS)["seconds"]
    return first, one_by_one, later
