"""What changed between editions, on its page: a section for each, made of what `press.moved` wrote.

They take the place of the block `book-changes` in the page's text, so that every edition has a heading of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from sphinx.application import Sphinx

from hyperlib.press.edition import Edition
from hyperlib.press.moved import CHANGES
from hyperlib.press.pages.ledger import plain
from hyperlib.press.recheck import read
from hyperlib.thesis.claims import SCORECARD

BLOCK = "```{book-changes}\n```"


def connect(app: Sphinx) -> None:
    """Register the hook."""
    app.connect("source-read", show_changes)


def show_changes(app: Sphinx, docname: str, content: list[str]) -> None:
    """Put the sections where the block stands, the newest edition first."""
    if BLOCK not in content[0]:
        return
    file = Path(app.srcdir) / CHANGES
    app.env.note_dependency(str(file))
    pages = [chapter.name for chapter in Edition(Path(app.srcdir), app.config.hyperlib_profile).chapters()]
    table = read(file) if file.is_file() else pd.DataFrame({"edition": []})
    editions = [rows for _, rows in table.groupby("edition", sort=False)][::-1]
    lines = [line for rows in editions for line in section(rows, pages)] or ["No edition is recorded yet."]
    content[0] = content[0].replace(BLOCK, "\n".join(lines))


def section(rows: pd.DataFrame, pages: list[str]) -> Iterator[str]:
    """One edition as MyST: counts, claims whose verdicts changed, and folded what came, what went and what moved."""
    about = rows.iloc[0]
    claims, tables = rows[rows["claim"] != ""], rows[rows["claim"] == ""]
    came, went = claims["before"] == "", claims["after"] == ""
    turned, moved = claims[~came & ~went], tables[tables["moved"] != ""]
    date, edition, since, title = map(plain, about[["date", "edition", "since", "title"]])
    yield from (f"## {date}, {edition}", "", f"*{title}*", "")
    yield f"Since {since}. Claims: {len(turned)} with other verdicts, {came.sum()} new, {went.sum()} gone."
    yield f"Tables: {len(moved)} with values that moved, {len(tables) - len(moved)} new, gone or of another form."
    yield ""
    if len(turned):
        yield from ("| page | claim | before | now |", "|---|---|---|---|")
        for row in words(turned):
            yield f"| {link(row.table, pages)} | {row.claim} | {row.before} | {now(row)} |"
        yield ""
    new = (f"{link(row.table, pages)}: {row.claim} ({row.after})" for row in words(claims[came]))
    gone = (f"{link(row.table, pages)}: {row.claim} ({row.before})" for row in words(claims[went]))
    yield from folded("New claims", new)
    yield from folded("Claims that are asked no more, or in other words", gone)
    yield from folded(
        "Tables: how many values moved, and the largest move",
        (f"{row.table}: {row.moved} of {row.values}; {row.where}: {row.before} → {row.after}" for row in words(moved)),
    )


def folded(title: str, items: Iterator[str]) -> Iterator[str]:
    """A list behind its title; nothing for an empty one."""
    if lines := [f"- {item}" for item in items]:
        yield from (f":::{{dropdown}} {title} ({len(lines)})", *lines, ":::", "")


def words(rows: pd.DataFrame) -> Iterator:
    """Rows whose text means nothing to MyST, but for the names of tables, which are code."""
    for row in rows.drop(columns="table").map(plain).assign(table=rows["table"]).itertuples():
        yield row if row.claim else row._replace(table=f"`{row.table.replace('`', '')}`")


def now(row) -> str:
    """What a claim's verdicts are, and which cases turned."""
    turned = row.where.replace(r"-\>", "→")
    return f"{row.after} ({turned})" if turned else row.after


def link(table: str, pages: list[str]) -> str:
    """The page of a scorecard, "07b_what_holds" for the ledger, or the table's name where there is none."""
    code = table.removeprefix(SCORECARD).removeprefix(".") or "07b"
    found = next((page for page in pages if page.partition("/")[2].partition("_")[0] == code), None)
    return f"[{code}](/{found})" if found else plain(code)
