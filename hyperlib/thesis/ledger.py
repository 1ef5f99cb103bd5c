"""The ledger: for every artefact where it is, at which scale it was made, what was published, what we found, and
whether what is claimed of it holds.

Everything is read: the list of artefacts, published numbers and `ledger.yml` from `book/thesis`, our numbers and
verdicts from the tables that the published run committed. Nothing is run, so the ledger says at any profile what the
published run found.

The verdict follows one rule. Claims speak of an artefact through the figure or table that shows them; where somebody
else's claims do, ours are not counted. A published number that was measured as ours was is one case more: it holds
where it lies in our interval, or equals what was counted. Then

- *does not hold*: more than half of the cases fail,
- *holds*: every case holds, and if numbers were published one of them is such a case,
- *trend only*: all or more than half of the cases hold, and that is all,
- *undecided at this size*: else;

without any case *not comparable* where numbers were published, and *shown, no claim* where none were.

Source: our choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hyperlib.files.paths import committed_folder
from hyperlib.tasks import verdicts
from hyperlib.tasks.estimates import Estimate, student
from hyperlib.thesis.claims import PUBLISHED, SCORECARD, claims, scorecards
from hyperlib.thesis.committed import committed_table
from hyperlib.thesis.published import artefacts, as_fractions, published, thesis_data

FILE = "ledger.yml"
HOLDS, TREND, FAILS, UNDECIDED = "holds", "trend only", "does not hold", "undecided at this size"
APART, SHOWN = "not comparable", "shown, no claim"
VERDICTS = (HOLDS, TREND, FAILS, UNDECIDED, APART, SHOWN)
_SHORT = {"figures": "Fig", "tables": "Tab", "equations": "Eq", "algorithms": "Alg"}


class Beside(NamedTuple):
    """A published number and ours, in fractions: what both measure, and whether it was measured alike."""

    what: str
    published: float
    ours: Estimate
    alike: bool


def ledger() -> pd.DataFrame:
    """One row per artefact and companion, in the order of the thesis, indexed by id.

    Columns: `chapter`, `title`, `companion`, `number` (in the thesis, else in a paper), `shown` (names of figures and
    tables, the first is the one to look at), `made_by` (below `hyperlib`), `scale` and `why`, `tables` (how many CSVs
    of the published run it has), `numbers` (published ones), `measures` (what is measured; `alike`: whether in the same
    way), `published`, `ours` with `low` and `high` (95 %; missing where there is none), `found` (ours in words),
    `holds`, `fails`, `undecided` (cases), `whose` ("published" or "ours"), `sources`, `verdict` and `after Holm` (the
    verdict where cases that fall in the book are undecided).

    Raises ValueError for an artefact without its entry in `ledger.yml`, and for an entry that picks no or several rows.
    """
    entries, table, all_claims = records(), artefacts(companions=True), claims()
    speaking = claims_by_artefact(all_claims)
    rows = []
    for name, artefact in table.iterrows():
        entry, cases = entries[name], heard(speaking[name])
        beside, numbers = beside_of(name, entry), int(artefact["published"])
        alone = [agreement(beside)] if beside is not None and beside.alike else []
        votes = [*cases["verdict"], *alone]
        firm = [*cases["verdict"].mask(cases["book"] == "falls", verdicts.UNDECIDED), *alone]
        rows.append(
            {"id": name, "chapter": artefact["chapter"], "title": artefact["title"], "companion": artefact["companion"]}
            | {"number": _text(artefact["thesis_ref"]) or _text(artefact["paper_ref"])}
            | {"shown": ", ".join(entry["shown"]), "made_by": entry["made_by"], "scale": entry["scale"]}
            | {"why": entry.get("why", ""), "tables": len(tables_of(name)), "numbers": numbers}
            | _measured(beside, cases)
            | {word: votes.count(word) for word in verdicts.SYMBOLS}
            | {"whose": _whose(cases), "sources": "; ".join(dict.fromkeys(cases["source"]))}
            | {"verdict": verdict_of(votes, numbers, bool(alone)), "after Holm": verdict_of(firm, numbers, bool(alone))}
        )
    return pd.DataFrame(rows).set_index("id")


def items_of_the_thesis() -> pd.DataFrame:
    """What the listing of the thesis counts, kind by kind: how many, and how many are known by number."""
    counts, numbers = thesis_data(FILE)["meta"]["thesis_counts"], artefacts()["thesis_ref"].dropna()
    known = {kind: int(numbers.str.startswith(short).sum()) for kind, short in _SHORT.items()}
    rows = [{"kind": kind, "in the thesis": counts[kind], "known by number": known[kind]} for kind in counts]
    return pd.DataFrame(rows).assign(unknown=lambda rows: rows["in the thesis"] - rows["known by number"])


def records() -> dict[str, dict[str, Any]]:
    """The entries of `ledger.yml` by id; ValueError where an artefact has none or two, or an entry no artefact."""
    listed = thesis_data(FILE)["artefacts"]
    entries = {entry["id"]: entry for entry in listed}
    if len(entries) < len(listed):
        raise ValueError(f"{FILE} has two entries of one artefact; remove one.")
    if odd := set(entries) ^ set(artefacts(companions=True).index):
        raise ValueError(f"{FILE} and artefacts.yml do not list the same artefacts: {', '.join(sorted(odd))}.")
    return entries


def shown_by() -> dict[str, list[str]]:
    """For each figure and table of the book that shows artefacts, their ids."""
    found: dict[str, list[str]] = {}
    for name, entry in records().items():
        for label in entry["shown"]:
            found.setdefault(label, []).append(name)
    return found


def claims_by_artefact(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of `claims` that speak of each artefact.

    A claim speaks of all artefacts that its figure or table shows. Where that is too many, entries name their claims:
    these speak of them alone, and no other claim does.
    """
    entries = records()
    named = {claim for entry in entries.values() for claim in entry.get("claims", ())}
    found = {}
    for name, entry in entries.items():
        shown = table["shown"].isin(entry["shown"]) & ~table["claim"].isin(named)
        found[name] = table[table["claim"].isin(entry["claims"]) if "claims" in entry else shown]
    return found


def heard(cases: pd.DataFrame) -> pd.DataFrame:
    """Of the cases that speak of an artefact, those that count: other people's where there are any, else ours."""
    return cases[cases["published"]] if cases["published"].any() else cases


def verdict_of(votes: list[str], numbers: int, compared: bool) -> str:
    """The rule above. votes: verdicts of all cases. numbers: how many are published of the artefact. compared: whether
    one of them is among the cases."""
    if not votes:
        return APART if numbers else SHOWN
    held, failed = votes.count(verdicts.HOLDS), votes.count(verdicts.FAILS)
    if 2 * failed > len(votes):
        return FAILS
    if held == len(votes) and (compared or not numbers):
        return HOLDS
    return TREND if 2 * held > len(votes) else UNDECIDED


def agreement(beside: Beside) -> str:
    """Whether our number is the published one: it lies in our interval, or, of what cannot vary, is equal."""
    value, low, high, _ = beside.ours
    if np.isfinite([low, high]).all():
        return verdicts.HOLDS if low <= beside.published <= high else verdicts.FAILS
    return verdicts.HOLDS if value == beside.published else verdicts.FAILS


def beside_of(name: str, entry: Mapping[str, Any]) -> Beside | None:
    """The published number and ours that an entry picks, in fractions; None if it picks none."""
    if (picks := entry.get("beside")) is None:
        return None
    where = {"artefact": name} | picks["published"]
    theirs = published(where.pop("artefact"))
    printed = as_fractions(_one(theirs, where, f"published numbers of {name}").to_frame().T)["value"].iloc[0]
    return Beside(picks["what"], float(printed), _ours(picks["ours"]), picks["alike"])


def number(value: float) -> str:
    """A measured value in words: a count as a count, else with three decimals."""
    return f"{value:,.0f}" if value > 2 and value % 1 == 0 else f"{value:.3f}"


def tables_of(name: str) -> list[str]:
    """Files of the published run that hold an artefact's tables; of the ledger's own, those that it is made of."""
    if name == SCORECARD:
        return [file.name for file in scorecards()]
    return sorted(file.name for file in committed_folder(PUBLISHED).glob("*.csv") if file.name.split(".")[0] == name)


def _ours(picks: Mapping[str, Any]) -> Estimate:
    """Our number with its interval where the table has one, or the deviation and number of models that give one."""
    row = _one(_table(picks["table"]), picks["where"], f"{picks['table']}.csv")
    if "std" in picks:
        count = int(row[picks["n"]])
        return student(float(row[picks["value"]]), float(row[picks["std"]]) / count**0.5, count - 1)
    unit = 0.01 if picks.get("percent") else 1
    return Estimate(*(float(row[picks[word]]) * unit for word in ("value", "low", "high") if word in picks))


def _table(name: str) -> pd.DataFrame:
    """A committed table of the published run; "paper/..." is one of the run at the thesis's sizes."""
    profile, _, rest = name.rpartition("/")
    return committed_table(committed_folder(profile or PUBLISHED) / f"{rest}.csv")


def _one(table: pd.DataFrame, where: Mapping[str, Any], what: str) -> pd.Series:
    """The one row with these values; ValueError where there is none, or several."""
    if lacking := [column for column in where if column not in table]:
        raise ValueError(f"{FILE} picks by {lacking[0]!r}, which is no column of the {what}.")
    rows = table[np.logical_and.reduce([table[column].eq(value).fillna(False) for column, value in where.items()])]
    if len(rows) != 1:
        raise ValueError(f"{FILE} picks {len(rows)} rows of the {what} by {dict(where)}, and not one.")
    return rows.iloc[0]


def _measured(beside: Beside | None, cases: pd.DataFrame) -> dict[str, Any]:
    """What is shown side by side: a published number and ours, or the first case of what is claimed."""
    if beside is not None:
        value, low, high, _ = beside.ours
        words = number(value) + (f" [{low:.3f}, {high:.3f}]" if np.isfinite([low, high]).all() else "")
        numbers = {"published": beside.published, "ours": value, "low": low, "high": high}
        return {"measures": beside.what, "alike": "yes" if beside.alike else "no", **numbers, "found": words}
    numbers = dict.fromkeys(("published", "ours", "low", "high"), np.nan)
    if not len(cases):
        return {"measures": "", "alike": "", **numbers, "found": ""}
    first = cases.sort_values("headline", ascending=False, kind="stable").iloc[0]
    numbers |= {"ours": first["value"], "low": first["low"], "high": first["high"]}
    return {"measures": f"{first['claim']} ({first['case']})", "alike": "", **numbers, "found": first["measured"]}


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def _whose(cases: pd.DataFrame) -> str:
    """Whose claims are counted, in a word; nothing where there are none."""
    if not len(cases):
        return ""
    return "published" if cases["published"].any() else "ours"
