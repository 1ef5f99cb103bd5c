"""How far a value of a committed table may move before it counts, all of it in one place.

Counts, names and verdicts are compared exactly. Other numbers may move by what another processor's arithmetic can do to
them. What a machine's speed decides, and where a map puts its points, is left out by name.

Source: our choice.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

LEFT_OUT = (  # table, column, what it is and why; patterns that the whole name must match
    (r".*", r"(milli)?seconds|minutes|(core_|gpu_)?hours|.*_s|speedup|ratio|gigabytes|made|device|engine",
     "times, rates and devices, which depend on the machine"),
    (r".*-umap", r"(.*_)?[xyz]", "coordinates of maps, which say nothing by themselves"),
    (r"disc-scorecard\.cost", r".*", "verdicts on a machine's speed"),
)  # fmt: skip
LEFT_OUT_CLAIMS = ("tab-formats-seconds",)  # rows of scorecards that show a machine's speed


@dataclass(frozen=True)
class Tolerance:
    """What one kind of number may move by: so much, and such a share of the larger one."""

    absolute: float
    relative: float
    why: str

    def __str__(self) -> str:
        return f"{self.absolute:g} and {100 * self.relative:g} %"


TOLERANCES = (  # table and column, the first that match
    (r"(hr|ghr|sane|disc-scorecard\.0[456]|zoo-sparse-agreement\.representations).*", r".*",
     Tolerance(0.02, 0.05, "learned in half precision where the processor has it")),
    (r".*", r".*", Tolerance(0.002, 0.01, "sums in another order")),
)  # fmt: skip
CHANCE = Tolerance(1e-6, 0.5, "a p-value is known to a factor of two at best")
_NUMBER = re.compile(r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[-+]?\d+)?")


def left_out(table: str, column: str) -> str | None:
    """Why a column is not compared; None if it is."""
    matching = (why for tables, columns, why in LEFT_OUT if _fits(tables, table) and _fits(columns, column))
    return next(matching, None)


def tolerance_of(table: str, column: str) -> Tolerance:
    """What numbers of a column may move by."""
    if column == "p":
        return CHANCE
    return next(allowed for tables, columns, allowed in TOLERANCES if _fits(tables, table) and _fits(columns, column))


def moved(old: str, new: str, allowed: Tolerance) -> bool:
    """Whether a cell of a CSV, as text, is another one: words and whole numbers exactly, other numbers by more than is
    allowed. A missing value is equal to a missing value alone."""
    if old == new:
        return False
    words = [_NUMBER.sub("#", text) for text in (old, new)]
    if words[0] != words[1]:
        return True
    pairs = zip(_NUMBER.findall(old), _NUMBER.findall(new), strict=True)
    return any(_apart(first, second, allowed) for first, second in pairs)


def _apart(old: str, new: str, allowed: Tolerance) -> bool:
    old, new = (text.replace(",", "").removesuffix(".") for text in (old, new))  # "1,024", "of 12."
    first, second = float(old), float(new)
    if old.lstrip("+-").isdigit() and new.lstrip("+-").isdigit():
        return int(old) != int(new)
    if not math.isfinite(first) or not math.isfinite(second):
        return first != second
    return abs(first - second) > allowed.absolute + allowed.relative * max(abs(first), abs(second))


def _fits(pattern: str, name: str) -> bool:
    return re.fullmatch(pattern, name) is not None
