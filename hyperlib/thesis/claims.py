"""All claims of the book: the verdicts that its pages committed, and what they are worth together.

Every page judges its own verdicts together (`hyperlib.tasks.verdicts`). The book has many pages, so here all of its
p-values are judged once more, as one family. What stands on a page and falls in the book may be luck.

Source: our choice; Holm (1979) for many verdicts.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from hyperlib.files.paths import committed_folder, root
from hyperlib.tasks.verdicts import COLUMNS, FAILS, HOLDS, SYMBOLS, UNDECIDED, holm, symbol
from hyperlib.thesis.committed import committed_table, not_a

PUBLISHED = "laptop"  # the profile whose tables are the published run
SCORECARD = "disc-scorecard"
OWN = "07"  # begins the names of pages that collect the others' claims: their own are no findings
OURS = "ours"  # what the source of a claim of the companion begins with
_FLAGS = ("True", "False")
_WORDS = ("claim", "source", "case", "measured", "verdict", "holm", "shown", "headline", "less")


def claims() -> pd.DataFrame:
    """Every verdict of every page but `OWN`, one row per page, claim and case, as committed.

    Columns: `page` ("02a"), those of a scorecard (`verdicts.scorecard`), `published` (whether the thesis, its papers or
    others make the claim; else it is ours) and `book`: "stands" or "falls" when all p-values of the book are judged
    together, nothing where no interval decides.

    Raises FileNotFoundError where no page has committed any, and ValueError for a scorecard that is none.
    """
    tables = [scorecard_in(file).assign(page=file.name.split(".")[1]) for file in scorecards()]
    if not tables:
        raise FileNotFoundError("No page has committed a scorecard; restore them: `git checkout -- book/results`.")
    table = pd.concat(tables, ignore_index=True)
    stands = holm(table["p"].to_numpy(dtype=float))
    decided = table["p"].notna() & (table["verdict"] != UNDECIDED)
    table["published"] = ~table["source"].str.startswith(OURS)
    table["book"] = np.where(decided, np.where(stands, "stands", "falls"), "")
    return table[["page", *COLUMNS, "published", "book"]]


def scorecards() -> list[Path]:
    """The committed scorecards of all pages but `OWN`."""
    files = sorted(committed_folder(PUBLISHED).glob(f"{SCORECARD}.?*.csv"))
    return [file for file in files if not file.name.startswith(f"{SCORECARD}.{OWN}")]


def page_names() -> dict[str, str]:
    """What pages are about, by what their scorecards are called: "02b" is "02b symmetries"."""
    stems = sorted(file.stem for file in (root() / "notebooks").glob("*.py"))
    return {stem.partition("_")[0]: stem.replace("_", " ") for stem in stems}


def scorecard_in(file: Path) -> pd.DataFrame:
    """A page's committed scorecard, typed; ValueError, with the remedy, where the file is no scorecard."""
    numbers = {name: [""] for name in COLUMNS if name not in _WORDS}
    table = committed_table(file, dtype=dict.fromkeys(_WORDS, str), keep_default_na=False, na_values=numbers)
    try:
        table = table[list(COLUMNS)].astype(dict.fromkeys(numbers, float))
    except (KeyError, ValueError) as error:
        raise not_a(file, "scorecard", str(error)) from error
    for name, known in {"verdict": SYMBOLS, "headline": _FLAGS, "less": [*_FLAGS, ""]}.items():
        if strange := set(table[name]) - set(known):
            raise not_a(file, "scorecard", f"{sorted(strange)[0]!r} is no {name}")
    return table.assign(headline=table["headline"] == "True", less=table["less"] == "True")


def by_claim(table: pd.DataFrame) -> pd.DataFrame:
    """One row per page and claim, its symbol first: in how many cases it holds, fails, is undecided, how many of its
    decided verdicts stand on the page and in the book, whose claim it is. Those first that lose most in the book."""
    counted = _counted(table, ["page", "claim"])
    symbols = table.groupby(["page", "claim"], sort=False)["verdict"].agg(symbol)
    about = table.groupby(["page", "claim"], sort=False).agg(source=("source", "first"), headline=("headline", "any"))
    rows = counted.join(about).reset_index()
    rows.insert(0, "", symbols.to_numpy())
    lost = rows["stand on the page"] - rows["stand in the book"]
    return rows.iloc[np.argsort(-lost.to_numpy(), kind="stable")].reset_index(drop=True)


def by_page(table: pd.DataFrame) -> pd.DataFrame:
    """The same counts for the whole book, first, and for every page, with the number of its claims."""
    pages = _counted(table, ["page"])
    pages.insert(0, "claims", table.groupby("page", sort=False)["claim"].nunique())
    return pd.concat([pages.sum().to_frame("all").T, pages]).rename_axis("page").reset_index()


def fallen(table: pd.DataFrame) -> pd.DataFrame:
    """Verdicts of headline claims that stand on their page and fall when the whole book is judged at once."""
    falls = table["headline"] & (table["holm"] == "stands") & (table["book"] == "falls")
    return table.loc[falls, ["page", "claim", "case", "verdict", "measured", "p", "source"]].reset_index(drop=True)


def _counted(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """How many verdicts hold, fail and are undecided, how many an interval decides, and how many of these stand."""
    marks = {word: table["verdict"] == word for word in (HOLDS, FAILS, UNDECIDED)}
    marks |= {"by interval": table["book"] != "", "stand on the page": table["holm"] == "stands"}
    marks |= {"stand in the book": table["book"] == "stands"}
    return pd.DataFrame(marks).groupby([table[name] for name in by], sort=False).sum()
