"""Whether a claim holds: one rule for the whole book, and what many verdicts at once are worth.

A claim is asked of one or more cases (a zoo, a network, a target). What can vary is measured with an interval, and
the claim *holds* in a case if the whole 95 % interval lies above the margin, *fails* if the whole interval lies below
minus the margin, and is *undecided* otherwise. So a difference within the margin is never a finding, however sure. What
cannot vary (a count, an identity) is a fact: it holds or it fails.

With dozens of verdicts some hold by chance. Every case with an interval gets a two-sided p-value, from the side of the
interval that faces the margin and the Student's distribution behind it (a normal one where none is named); so a verdict
is decided exactly where its p is below 5 %. The column `holm` says whether it stands when all of the page's are judged
at once.

Source: our choice; Holm (1979) for many verdicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from scipy.stats import t

from hyperlib.tasks.estimates import Estimate

HOLDS, UNDECIDED, FAILS = "holds", "undecided", "fails"
SYMBOLS = {HOLDS: "✓", UNDECIDED: "~", FAILS: "✗"}
COLUMNS = (
    *("claim", "source", "case", "measured", "value", "low", "high", "freedom", "less", "threshold", "margin"),
    *("verdict", "p", "holm", "shown", "headline"),
)
LEVEL = 0.05  # of all verdicts of a page together


def verdict(low: float, high: float, margin: float = 0.0) -> str:
    """On "it is more than the margin", from the 95 % interval; undecided where an end is missing (not finite).

    Raises ValueError for a negative margin, and for an interval whose ends are exchanged.
    """
    if not margin >= 0:
        raise ValueError(f"A margin is zero or more, not {margin}; turn the claim round to ask for less.")
    if not np.isfinite([low, high]).all():
        return UNDECIDED
    if low > high:
        raise ValueError(f"An interval goes up, and this goes from {low} to {high}.")
    if low > margin:
        return HOLDS
    return FAILS if high < -margin else UNDECIDED


def tested(
    claim: str,
    cases: pd.DataFrame | Mapping[str, Estimate | tuple[float, float, float]],
    *,
    source: str,
    shown: str,
    less: bool = False,
    threshold: float = 0.0,
    margin: float = 0.0,
    headline: bool = False,
) -> pd.DataFrame:
    """Rows of a claim about something that varies: "the value is more than `threshold`", case by case.

    cases: columns `case`, `value`, `low`, `high` (95 %) and, where Student's distribution is behind them, `freedom`; or
    an estimate by case. less: the claim is "less than the threshold". margin: by how much at least. source: who says
    so, in words. shown: the name of the table or figure that shows it. headline: whether it belongs to the answer at
    the top of the page.
    """
    if isinstance(cases, Mapping):
        found = [Estimate(*estimate) for estimate in cases.values()]
        cases = pd.DataFrame(found, columns=list(Estimate._fields), dtype=float).assign(case=list(cases))
    rows = cases.reindex(columns=["case", *Estimate._fields]).reset_index(drop=True).fillna({"freedom": np.inf})
    excess = rows[["value", "low", "high"]] - threshold
    if less:
        excess = -excess.rename(columns={"low": "high", "high": "low"})
    rows["verdict"] = [verdict(low, high, margin) for low, high in zip(excess["low"], excess["high"], strict=True)]
    rows["measured"] = [_interval(*row) for row in rows[["value", "low", "high"]].itertuples(index=False)]
    sides = excess[["value", "low", "high"]].assign(freedom=rows["freedom"])
    rows["p"] = [_chance(Estimate(*row), margin) for row in sides.itertuples(index=False)]
    return _claim(rows.assign(less=less, threshold=threshold, margin=margin), claim, source, shown, headline)


def counted(
    claim: str, cases: Mapping[str, tuple[bool, str]], *, source: str, shown: str, headline: bool = False
) -> pd.DataFrame:
    """Rows of a claim about what was counted or compared without an interval: whether it is so, and what was found in
    words, by case. For facts (an identity, a total), and for what varies where the page cannot say by how much."""
    rows = pd.DataFrame(
        {"case": case, "verdict": HOLDS if held else FAILS, "measured": words} for case, (held, words) in cases.items()
    )
    return _claim(rows, claim, source, shown, headline)


def scorecard(claims: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """All verdicts of a page, one row per claim and case, judged together.

    Columns: claim, source, case, measured (in words), value, low, high, freedom, less, threshold, margin, verdict, p,
    holm ("stands", "falls", or nothing for facts and for what is undecided), shown, headline. Raises ValueError if
    there is none, or for a claim that meets a case twice.
    """
    claims = [claim.dropna(axis=1, how="all") for claim in claims]
    if not claims:
        raise ValueError("A scorecard needs claims.")
    table = pd.concat(claims, ignore_index=True).reindex(columns=list(COLUMNS))
    if (twice := table.duplicated(["claim", "case"])).any():
        raise ValueError("{!r} has two verdicts on {!r}.".format(*table.loc[twice, ["claim", "case"]].iloc[0]))
    stands = holm(table["p"].to_numpy(dtype=float))
    decided = table["p"].notna() & (table["verdict"] != UNDECIDED)
    table["holm"] = np.where(decided, np.where(stands, "stands", "falls"), "")
    return table


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """A scorecard as a page shows it: one row per claim, its symbol first.

    The symbol is ✓ where the claim holds in all cases, ✗ where it fails in all, else ~. `holds in` counts, `but not in`
    names the others, `stand after Holm` says how many of the decided verdicts (yes or no, by an interval) stand when
    all are judged together.
    """
    rows = []
    for claim, cases in table.groupby("claim", sort=False):
        others = [f"{one.case} ({one.verdict})" for one in cases.itertuples() if one.verdict != HOLDS]
        decided = cases[cases["holm"].isin(["stands", "falls"])]
        rows.append(
            {
                "": symbol(cases["verdict"]),
                "claim": claim,
                "holds in": f"{len(cases) - len(others)} of {len(cases)}",
                "but not in": ", ".join(others) or "–",
                "stand after Holm": (
                    f"{(decided['holm'] == 'stands').sum()} of {len(decided)}" if len(decided) else "–"
                ),
                "source": cases["source"].iloc[0],
            }
        )
    return pd.DataFrame(rows)


def symbol(verdicts: Iterable[str]) -> str:
    """✓ if all hold, ✗ if all fail, else ~."""
    kinds = set(verdicts)
    return SYMBOLS[kinds.pop()] if len(kinds) == 1 else SYMBOLS[UNDECIDED]


def holm(chances: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """Which of these p-values stand when all are judged together, by Holm's step-down rule; NaN never does."""
    order = np.argsort(chances)  # NaN last
    known = int(np.isfinite(chances).sum())
    passed = chances[order[:known]] <= level / np.arange(known, 0, -1)
    stands = np.zeros(len(chances), dtype=bool)
    stands[order[:known]] = np.logical_and.accumulate(passed)
    return stands


def _claim(rows: pd.DataFrame, claim: str, source: str, shown: str, headline: bool) -> pd.DataFrame:
    return rows.assign(claim=claim, source=source, shown=shown, headline=headline)


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:.3f}" if np.isnan(low) else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _chance(found: Estimate, margin: float) -> float:
    """Two-sided p-value of "no farther from zero than the margin", below 5 % exactly where the verdict is decided.

    NaN where the interval lacks an end, and 0 where it has no width. A value that is not inside its interval (a
    bootstrap's may lie outside) has no side of its own; the whole width stands for that, the most doubtful choice.
    """
    value, low, high, freedom = found
    if not np.isfinite([low, high]).all():
        return np.nan
    if not low < value < high:
        value = high if low + high > 0 else low
    beyond = abs(value) - margin
    if beyond <= 0:
        return 1.0
    side = value - low if value > 0 else high - value
    return float(2 * t.sf(beyond / side * t.ppf(0.975, freedom), freedom)) if side else 0.0
