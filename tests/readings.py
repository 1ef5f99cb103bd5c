"""What the pages say of the published run, and what must be so for it to stay true.

Readings stand on a page in boxes titled "Our run (laptop)". Every number and every word of quantity in them lies
inside a phrase that is checked against the committed CSVs: `tests/readings_<page>.py` has the checks of a page. A check
gives True or False, or the numbers of its phrase, in order and in the unit in which they are printed. A printed number
is right if it is the value rounded to the printed digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from numbers import Number

import jupytext
import numpy as np
import pandas as pd

from hyperlib.files.paths import committed_folder, root

BOX = re.compile(r"^:::\{admonition\} Our run \(laptop\)\n(.*?)^:::$", re.MULTILINE | re.DOTALL)
_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_COUNTS = {word: value for value, word in enumerate(_WORDS)}
_NUMBER = r"[-−+]?(?:\d[\d,]*)?\.?\d+(?:e[-−]?\d+)?"
_COUNTED = "|".join(word for word in _WORDS if word != "one")  # "one" is mostly a pronoun
PRINTED = re.compile(rf"(?<![\w.]){_NUMBER}|\bone(?= of)|\b(?:{_COUNTED})\b", re.IGNORECASE)
QUANTITY = re.compile(
    rf"(?<![\w.]){_NUMBER}|\bone of\b|\b(?:{_COUNTED}|dozens?|twenty|thirty|forty|fifty|hundreds?|thousands?"
    r"|hal(?:f|ves)|thirds?|quarters?|(?:fif|six|seven|eigh|nin|ten|twelf|twentie|fiftie|hundred)ths?|all|both|every|neither|nobody"
    r"|none|nothing|most|twice|double|times|reversed|undecided)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Check:
    """A phrase of a page's readings and what it rests on: given a function that reads committed tables by name."""

    page: str
    phrase: str
    measured: Callable[[Callable[[str], pd.DataFrame]], object]

    def fault(self) -> str | None:
        """What the committed tables say instead, in words; None if they bear the phrase out."""
        found = self.measured(committed)
        if isinstance(found, bool | np.bool_):
            return None if found else "the tables say otherwise"
        values = [found] if isinstance(found, Number) else list(found)
        printed = PRINTED.findall(plain(self.phrase))
        if len(values) != len(printed):
            return f"it prints {printed}, and the check gives {values}"
        wrong = [f"{text} is {value:.6g}" for text, value in zip(printed, values, strict=True) if not same(text, value)]
        return "; ".join(wrong) or None


CHECKS: list[Check] = []


def says(page: str, phrase: str) -> Callable:
    """Register a check: a phrase of that page (the start of its file's name will do), word for word."""

    def register(measured: Callable) -> Callable:
        CHECKS.append(Check(page, phrase, measured))
        return measured

    return register


@cache
def _committed(name: str) -> pd.DataFrame:
    return pd.read_csv(committed_folder("laptop") / f"{name}.csv")


def committed(name: str) -> pd.DataFrame:
    """A fresh copy of a table of the published run; "paper/..." is one of the run at the thesis's sizes."""
    profile, _, rest = name.rpartition("/")
    return pd.read_csv(committed_folder(profile) / f"{rest}.csv") if profile else _committed(name).copy()


@cache
def readings(page: str) -> str:
    """All boxes of a page in one line, without roles; of the README, what it says that the book finds, and is not."""
    if page == "README":
        text = (root() / "README.md").read_text(encoding="utf-8")
        return plain(text.partition("## What it finds")[2].partition("\n## Profiles")[0])
    (source,) = (root() / "notebooks").glob(f"{page}*.py")
    cells = [cell.source for cell in jupytext.read(source).cells if cell.cell_type == "markdown"]
    return plain("\n".join(box for cell in cells for box in BOX.findall(cell)))


def plain(text: str) -> str:
    """Text without roles, options, emphasis, targets of links, line breaks and the numbers of figures and chapters."""
    text = re.sub(r"^:\w+:.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\{doc\}`/[^`<]*`", "", text)
    text = re.sub(r"\{(?:term|doc|ref)\}`([^`<]*?)\s*(?:<[^`]*>)?`", r"\1", text)
    text = re.sub(r"\{[\w:-]+\}`[^`]*`", "", text).replace("**", "").replace("$", "")
    text = re.sub(r"\]\([^)\s]*\)", "]", text)
    text = re.sub(r"\b((?:[Ff]igs?|[Ee]q)\.|[Cc]hapters?|[Tt]ables?) [\d.]*\d", r"\1", text)
    return " ".join(text.split())


def unchecked(page: str) -> list[str]:
    """Numbers and words of quantity of a page's readings that no check covers, each with the words around it."""
    text = readings(page)
    covered = [False] * len(text)
    for check in CHECKS:
        if page.startswith(check.page) or check.page.startswith(page):
            start = -1
            while (start := text.find(plain(check.phrase), start + 1)) >= 0:
                covered[start : start + len(plain(check.phrase))] = [True] * len(plain(check.phrase))
    return [
        f"...{text[max(0, found.start() - 40) : found.end() + 30]}..."
        for found in QUANTITY.finditer(text)
        if not all(covered[found.start() : found.end()])
    ]


def same(printed: str, value: float) -> bool:
    """Whether a printed number is the value, rounded to the digits that it shows."""
    if printed.lower() in _COUNTS:
        return value == _COUNTS[printed.lower()]
    text = printed.replace("−", "-").replace(",", "")
    digits, _, exponent = text.partition("e")
    decimals = len(digits.partition(".")[2]) - int(exponent or 0)
    return abs(value - float(text)) <= 0.5000001 * 10.0**-decimals
