"""What page 03d says of the laptop run."""

from __future__ import annotations

from readings import says

PROBES, SAME = "zoo-property-benchmark.formats", "zoo-property-benchmark.formats_same"


def _accuracy(t):
    rows = t(PROBES)
    rows = rows[(rows["target"] == "test_accuracy") & (rows["form"] == "model zoo")]
    return rows.set_index("features")


@says("03d", "The wrapping changes nothing: in all three forms the table has the same numbers, to the last bit")
def _(t):
    forms = {form: rows.drop(columns="form").reset_index(drop=True) for form, rows in t(PROBES).groupby("form")}
    first, *others = forms.values()
    return len(forms) == 3 and all(first.equals(one) for one in others) and not t(SAME)["numbers apart"].any()


@says("03d", "with an R² of .45 (.01 to .78), raw weights with -.92 and settings with .04")
def _(t):
    rows = _accuracy(t)
    statistics = rows.loc["s(W)"]
    return statistics["value"], statistics["low"], statistics["high"], rows.loc["W", "value"], rows.loc["settings", "value"]


@says("03d", "tells it with .77: as in every zoo with networks from before training, most of accuracy")
def _(t):
    return [_accuracy(t).loc["clock", "value"]]
