"""What changed between two editions is read from git's objects, named claim by claim, and shown with a section each."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from hyperlib.files.paths import root
from hyperlib.files.plain import Damaged
from hyperlib.press.moved import CHANGES, TABLES, changes, compared, main, revision, said
from hyperlib.press.recheck import parsed, read
from hyperlib.tasks.verdicts import SYMBOLS

CARD = "disc-scorecard.02a"


def card(*rows: str) -> pd.DataFrame:
    return parsed("\n".join(["claim,case,verdict,shown", *rows, ""]).encode(), "a card")


def table(text: str) -> pd.DataFrame:
    return parsed(text.encode(), "a table")


def git(folder: Path, *arguments: str) -> str:
    me = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    call = ["git", "-C", str(folder), *me, *arguments]
    return subprocess.run(call, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, title: str, **files: str | bytes) -> str:
    for name, text in files.items():
        place = folder / TABLES / f"{name}.csv"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text if isinstance(text, bytes) else text.encode())
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", title)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def clone(tmp_path) -> Path:
    git(tmp_path, "init", "-q")
    commit(tmp_path, "First run", sums="a,r2\nx,0.5\ny,0.25\n", gone="a\n1\n")
    (tmp_path / TABLES / "gone.csv").unlink()
    commit(tmp_path, "Second, run <b>again</b>", sums="a,r2\nx,0.501\ny,0.75\n", came="a\n1\n")
    return tmp_path


def test_a_claim_is_named_where_its_verdicts_changed_came_or_went():
    before = card("up,A,holds,t", "up,B,holds,t", "same,A,fails,t", "old,A,holds,t")
    now = card("up,A,holds,t", "up,B,undecided,t", "same,A,fails,t", "new,A,holds,t", "new,B,holds,t")
    found = {one.claim: (one.before, one.after, one.where) for one in compared(CARD, before, now)}
    assert found == {
        "up": ("✓ 2 of 2", "~ 1 of 2", "B: holds -> undecided"),
        "old": ("holds", "", ""),
        "new": ("", "✓ 2 of 2", ""),
    }


def test_a_table_about_claims_is_no_scorecard_of_them():
    before, now = (table(f"page,claim,case,verdict,p\n02a,{claim},a,holds,0.1\n") for claim in ("x", "y"))
    assert [one.claim for one in compared("disc-scorecard.07b_fallen", before, now)] == [""]


@pytest.mark.parametrize("verdicts", [["holds"] * 3, ["fails", "holds"], ["fails"] * 2, ["undecided"] * 2])
def test_verdicts_in_words_begin_with_the_symbol_of_their_kind(verdicts):
    kind = verdicts[0] if len(set(verdicts)) == 1 else "undecided"
    assert said(dict(enumerate(verdicts))) == f"{SYMBOLS[kind]} {verdicts.count('holds')} of {len(verdicts)}"


def test_verdicts_on_a_machines_speed_are_left_out():
    before, now = (card(f"fast,A,{verdict},tab-formats-seconds") for verdict in ("holds", "fails"))
    assert list(compared(CARD, before, now)) == []
    assert list(compared("disc-scorecard.cost", card("fast,A,holds,t"), card("fast,A,fails,t"))) == []


def test_artefacts_of_the_ledger_are_judged_by_their_words():
    before, now = (table(f"id,title,verdict\none,A figure,{verdict}\n") for verdict in ("trend only", "holds"))
    (one,) = compared("disc-scorecard", before, now)
    assert (one.claim, one.before, one.after) == ("A figure", "trend only", "holds")


def test_of_moved_values_the_one_farthest_beyond_its_tolerance_is_named():
    text = "zoo,r2,seconds\nA,{},1\nB,{},1\nC,{},1\n"
    (one,) = compared("ws-entropy", table(text.format(0.5, 90, 0.1)), table(text.format(0.5001, 99, 0.9)))
    assert (one.where, one.before, one.after, one.moved, one.values) == ("row 3, r2", "0.1", "0.9", "2", "6")


@pytest.mark.parametrize("strange", ["nan", "inf", "-inf", "1e999", "", "x"])
def test_what_is_no_number_is_not_the_largest_move(strange):
    for old, new in ((strange, "0.5"), ("0.5", strange)):
        before, now = (table(f"zoo,r2\nA,{first}\nB,{second}\n") for first, second in ((old, 0.1), (new, 0.9)))
        (one,) = compared("ws-entropy", before, now)
        assert (one.where, one.moved) == ("row 2, r2", "2")


def test_a_table_of_another_form_says_how_many_rows_and_columns():
    (one,) = compared("ws-entropy", table("a,b\n1,2\n"), table("a,c,d\n1,2,3\n4,5,6\n"))
    assert one.where == "columns: 2 new, 1 gone; rows: 2, before 1" and not one.moved
    form, moved = compared("ws-entropy", table("a,r2\n1,0.2\n"), table("a,r2,d\n1,0.9,3\n"))
    assert form.where == "columns: 1 new, 0 gone; rows: 1, before 1"
    assert (moved.where, moved.after) == ("row 1, r2", "0.9")


def test_an_edition_is_appended_once_and_the_next_begins_where_it_ended(clone, capsys):
    assert main([], clone) == 2 and "say where to begin" in capsys.readouterr().err
    assert main(["--since", "HEAD~1"], clone) == 0
    rows = read(clone / CHANGES)
    assert rows["table"].tolist() == ["came", "gone", "sums"] and set(rows["title"]) == {"Second, run <b>again</b>"}
    found = rows.loc[2, ["where", "before", "after", "moved", "values"]].tolist()
    assert found == ["row 2, r2", "0.25", "0.75", "1", "4"]
    assert main(["--since", "HEAD~1"], clone) == 2 and "recorded already" in capsys.readouterr().err
    git(clone, "tag", "v1")
    assert main(["--since", "HEAD~1"], clone) == 2 and "v1 is recorded already" in capsys.readouterr().err

    commit(clone, "Third", sums="a,r2\nx,0.9\ny,0.75\n")
    git(clone, "tag", "v2")
    assert main([], clone) == 0
    later = read(clone / CHANGES)
    assert later.iloc[:3].equals(rows) and later.loc[3, ["edition", "since"]].tolist() == ["v2", "v1"]


@pytest.mark.parametrize("name", ["nothing", "--output=x", "HEAD:book", ""])
def test_what_is_no_revision_is_refused_in_a_sentence(clone, capsys, name):
    assert main([f"--since={name}", "--until=HEAD" if name else "--until="], clone) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not (clone / CHANGES).exists() and not (clone / "x").exists()


@pytest.mark.parametrize("damage", [b"\x00" * 9, b"\xff\xfe", b'a,b\n"1,2\n'])
def test_a_damaged_table_of_an_edition_is_refused(clone, damage):
    last = commit(clone, "Damaged", sums=damage)
    with pytest.raises(Damaged, match="is no table"):
        list(changes(clone, revision(clone, "HEAD~1"), revision(clone, last)))


def test_links_among_the_tables_are_not_followed(clone):
    (clone / TABLES / "link.csv").symlink_to("/etc/passwd")
    commit(clone, "A link")
    assert list(changes(clone, revision(clone, "HEAD~1"), revision(clone, "HEAD"))) == []


def test_the_page_has_a_section_for_every_edition_and_text_is_no_markup(tmp_path):
    """Also the committed changes, as they are shown."""
    rows = read(root() / CHANGES)
    strange = {"edition": "v9", "table": "disc-scorecard.xx", "claim": "<b>a</b> | {ref}`x` *c*", "before": "✓ 2 of 2"}
    strange["claim"] += "\n\n## d\n"
    strange |= {"after": "~ 1 of 2", "where": "A: holds -> fails", "title": "# {{ x }}\\", "moved": "", "values": ""}
    (tmp_path / CHANGES).parent.mkdir(parents=True)
    pd.concat([rows, pd.DataFrame([{**rows.iloc[0], **strange}])]).to_csv(tmp_path / CHANGES, index=False)
    (tmp_path / "_toc.yml").write_text("root: index\n")
    (tmp_path / "conf.py").write_text(
        "extensions = ['myst_parser', 'sphinx_design']\nmyst_enable_extensions = ['colon_fence']\n"
        "from hyperlib.press.pages import changes\n"
        "def setup(app):\n    app.add_config_value('hyperlib_profile', 'quick', 'env')\n    changes.connect(app)\n"
    )
    (tmp_path / "index.md").write_text("# Changes\n\n```{book-changes}\n```\n")
    with docutils_namespace():
        places = (tmp_path, tmp_path, tmp_path / "html", tmp_path / "trees")
        Sphinx(*places, "html", status=None, warningiserror=True).build()
    page = BeautifulSoup((tmp_path / "html/index.html").read_text(encoding="utf-8"), "html.parser")
    titles = [title.find(string=True) for title in page.select("h2")]
    assert len(titles) == rows["edition"].nunique() + 1 and titles[0].endswith("v9")
    assert page.find("b", string="a") is None
    assert [cell.get_text() for cell in page.select_one("tbody").select("td")] == [
        *("xx", "<b>a</b> | {ref}`x` *c* ## d", "✓ 2 of 2", "~ 1 of 2 (A: holds → fails)"),
    ]
    asked = rows[(rows["claim"] != "") & (rows["before"] != "") & (rows["after"] != "")]
    assert len(page.select("tbody tr")) == len(asked) + 1
