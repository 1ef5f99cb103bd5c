"""A second run is compared with what is committed: what moved is named, what only a machine decides is not."""

from __future__ import annotations

import os
import re

import pandas as pd
import pytest
from small_book import HEADER, make_book

from hyperlib.files.paths import committed_folder, root
from hyperlib.files.plain import Damaged
from hyperlib.press import recheck, tolerances
from hyperlib.press.edition import Edition
from hyperlib.press.recheck import REPORT, Again, compared, main, published_by
from hyperlib.press.tolerances import CHANCE, LEFT_OUT, TOLERANCES, Tolerance, left_out, moved, tolerance_of

EXACT = Tolerance(0.0, 0.0, "")
SOME = Tolerance(0.01, 0.0, "")


def tables(folder, old: str, new: str, name: str = "ws-entropy.csv"):
    files = []
    for side, text in (("old", old), ("new", new)):
        (folder / side).mkdir(exist_ok=True)
        files.append(folder / side / name)
        files[-1].write_text(text)
    return files


# ---- one cell


@pytest.mark.parametrize(
    ("old", "new", "is_moved"),
    [
        ("0.5", "0.505", False), ("0.5", "0.52", True), ("0.5", "-0.5", True), ("1", "0.995", False),  # numbers
        ("12", "12", False), ("12", "13", True), ("1,000", "1,000", False),  # counts, exactly
        ("1,000", "1,001", True), ("1,000", "1000", False), ("all of 120.", "all of 121.", True),
        ("120, all", "121, all", True),
        ("", "", False), ("", "0.5", True), ("0.5", "", True), ("nan", "nan", False), ("inf", "inf", False),
        ("inf", "0.5", True), ("holds", "holds", False), ("holds", "fails", True), ("True", "False", True),
        ("0.911 [0.888, 0.935]", "0.912 [0.889, 0.935]", False),  # a number in words is a number
        ("0.911 [0.888, 0.935]", "0.951 [0.888, 0.935]", True), ("72 of 72 moves", "71 of 72 moves", True),
        ("fc1, batch 8", "fc2, batch 8", True), ("0.5 1", "0.5", True), ("1e-30", "3e-30", False),
        ("1e400", "1e400", False), ("1e400", "2", True), ("=1+1", "=1+1", False),
    ],
)  # fmt: skip
def test_a_cell_moves_by_more_than_is_allowed_or_not(old, new, is_moved):
    assert moved(old, new, SOME) is is_moved and moved(new, old, SOME) is is_moved


def test_a_p_value_is_known_to_a_factor_of_two():
    assert not moved("0.01", "0.019", CHANCE) and moved("0.01", "0.021", CHANCE)
    assert not moved("1e-30", "1e-9", CHANCE) and moved("1e-30", "0.01", CHANCE)


@pytest.mark.parametrize(
    ("table", "column", "is_out"),
    [
        ("hr-trials", "seconds", True), ("zoo-generating-factors.measured-costs", "measured_s", True),
        ("zoo-generating-factors.measured-costs", "estimated_s", True), ("sane-trials", "device", True),
        ("ws-trajectories-umap", "z", True), ("hr-tetris-umap", "sW_x", True), ("hr-tetris-umap", "epoch", False),
        ("disc-scorecard.cost", "verdict", True), ("disc-scorecard.02a", "verdict", False),
        ("zoo-sparse-vd", "ours", False), ("ws-entropy", "matrix_mean", False),
    ],
)  # fmt: skip
def test_what_depends_on_the_machine_is_left_out_by_name(table, column, is_out):
    assert (left_out(table, column) is not None) is is_out


def test_every_rule_meets_a_column_that_is_committed():
    columns = [
        (file.stem, name) for file in committed_folder("laptop").glob("*.csv") for name in pd.read_csv(file, nrows=0)
    ]
    for rules in (LEFT_OUT, TOLERANCES):
        for tables_, names, _ in rules:
            assert any(re.fullmatch(tables_, table) and re.fullmatch(names, name) for table, name in columns), tables_
    assert all(tolerance_of(table, name).absolute <= 0.02 for table, name in columns)
    cards = map(pd.read_csv, committed_folder("laptop").glob("disc-scorecard.*.csv"))
    shown = {name for card in cards for name in card.get("shown", ())}
    assert set(tolerances.LEFT_OUT_CLAIMS) <= shown


# ---- one table


def test_a_moved_value_is_named_with_its_row_column_and_both_values(tmp_path):
    before, now = "zoo,r2,seconds,n\na,0.5,1,3\nb,0.25,1,4\n", "zoo,r2,seconds,n\na,0.5,9,3\nb,0.75,9,4\n"
    (one,) = compared(*tables(tmp_path, before, now))
    assert str(one) == "ws-entropy, row 2, r2: 0.25 -> 0.75 (more than 0.002 and 1 %)"


def test_a_table_of_the_same_values_has_not_moved(tmp_path):
    text = "zoo,value,low\na,0.5,\nb,nan,inf\n"
    assert compared(*tables(tmp_path, text, text)) == []


def test_rows_and_columns_that_came_or_went_are_named(tmp_path):
    assert [str(one) for one in compared(*tables(tmp_path, "a,b\n1,2\n", "a,c\n1,2\n"))] == [
        "ws-entropy: column 'b' is missing", "ws-entropy: column 'c' is new",
    ]  # fmt: skip
    (one,) = compared(*tables(tmp_path, "a\n1\n", "a\n1\n2\n"))
    assert str(one) == "ws-entropy: it has 2 rows and had 1"


def test_rows_on_a_machines_speed_are_left_out_of_scorecards(tmp_path):
    old = "claim,shown,measured,verdict\nfast,tab-formats-seconds,0.1 s,holds\nsame,tab-other,3 of 3,holds\n"
    found = compared(*tables(tmp_path, old, old.replace("holds", "fails"), "disc-scorecard.03d.csv"))
    assert [(one.row, one.column, one.new) for one in found] == [(2, "verdict", "fails")]


@pytest.mark.parametrize(
    "damage",
    [b"", b"\xff\xfe\x00", b'a,b\n"1,2\n', b"a,b\n1,2,3\n1,2\n4,5,6,7\n", b"\x00" * 40, b"a,b\n1,2,3\n"],
    ids=range(6),
)
def test_a_damaged_table_is_an_error_in_words(tmp_path, damage):
    old, new = tables(tmp_path, "a,b\n1,2\n", "a,b\n1,2\n")
    new.write_bytes(damage)
    with pytest.raises(Damaged, match="is no table") as caught:
        compared(old, new)
    assert "\n" not in str(caught.value)


def test_a_table_that_is_a_link_or_a_pipe_is_not_followed(tmp_path):
    old, new = tables(tmp_path, "a\n1\n", "a\n1\n")
    new.unlink()
    new.symlink_to(old)
    with pytest.raises(Damaged, match="link"):
        compared(old, new)
    new.unlink()
    os.mkfifo(new)
    with pytest.raises(Damaged, match="pipe"):
        compared(old, new)


def test_formulas_and_markup_in_a_table_are_text(tmp_path):
    text = "name,told\n=cmd|' /C calc'!A0,<script>alert(1)</script>\n"
    (one,) = compared(*tables(tmp_path, text, text.replace("alert", "prompt")))
    assert one.column == "told" and "prompt" in one.new


def test_tables_of_a_chapter_are_known_from_its_code():
    chapters = {chapter.name.rpartition("/")[2]: chapter for chapter in Edition(root(), "laptop").chapters()}
    of_02a = published_by(chapters["02a_weight_space"])
    assert of_02a >= {"ws-entropy.csv", "ws-entropy.changes.csv", "disc-scorecard.02a.csv"}
    found = set().union(*map(published_by, chapters.values()))
    there = {file.name for file in committed_folder("laptop").glob("*.csv")}
    assert len(there - found) < len(there) / 10, sorted(there - found)


# ---- a whole check

PUBLISHES = """# %%
import os
from pathlib import Path
from hyperlib.store.record import record_result


class Pages:
    def publish(self, name, text):
        folder = Path(os.environ["HYPERLIB_RESULTS"]) / profile
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.csv").write_text(text)
        record_result(folder / f"{name}.csv")


study = Pages()
study.publish("sums", "a,sum\\n1,TWO\\n")
study.publish("times", f"a,seconds\\n1,{os.getpid()}\\n")
"""


@pytest.fixture
def book(tmp_path):
    book = make_book(tmp_path / "book", sums=PUBLISHES.replace("TWO", "0.5"))
    (book / "book" / "results" / "laptop").mkdir(parents=True)
    (book / "book" / "results" / "laptop" / "sums.csv").write_text("a,sum\n1,0.5\n")
    (book / "book" / "results" / "laptop" / "times.csv").write_text("a,seconds\n1,3\n")
    return book


@pytest.mark.slow
def test_a_check_runs_beside_the_build_and_names_what_moved(book, capsys, monkeypatch):
    monkeypatch.setenv("HYPERLIB_RESULTS", str(book / "elsewhere"))
    assert main([], book) == 0
    assert "2 tables compared: 0 values moved in 0 of them" in capsys.readouterr().out
    assert os.environ["HYPERLIB_RESULTS"] == str(book / "elsewhere") and not (book / "elsewhere").exists()
    assert not (book / "_build" / "executed").exists()

    committed = book / "book" / "results" / "laptop"
    (committed / "sums.csv").write_text("a,sum\n1,0.9\n")
    (committed / "times.csv").unlink()
    assert main(["--only", "sums"], book) == 1
    said = capsys.readouterr().out
    assert "sums, row 1, sum: 0.9 -> 0.5 (more than 0.002 and 1 %)" in said and "times: the table is new" in said
    report = pd.read_csv(Again(book, "laptop").place / REPORT, dtype=str)
    assert report["table"].tolist() == ["sums", "times"] and report.loc[0, "old"] == "0.9"


def test_a_table_that_a_chapter_makes_no_more_is_named(book, capsys):
    source = book / "notebooks" / "sums.py"
    source.write_text(source.read_text().replace('study.publish("times"', 'False and study.publish("times"'))
    (book / "book" / "results" / "laptop" / "trials.csv").write_text("a\n1\n")
    assert main([], book) == 1
    said = capsys.readouterr().out
    assert "times: the table is missing" in said and "Not made by a chapter, so not compared: trials.csv." in said


@pytest.mark.slow
def test_a_profile_without_committed_tables_is_run_twice(book, capsys):
    source = book / "notebooks" / "sums.py"
    source.write_text(source.read_text().replace("0.5", "{os.getpid()}").replace('"a,sum', 'f"a,sum'))
    assert main(["--profile", "quick"], book) == 1
    said = capsys.readouterr().out
    assert "it is run twice" in said and "sums, row 1, sum:" in said and "times, row" not in said


@pytest.mark.slow
def test_a_check_goes_on_where_it_was_and_a_whole_one_begins_anew(book, capsys, monkeypatch):
    monkeypatch.setattr(recheck, "_told", lambda *given: 0)  # as if it was stopped before its report
    assert main([], book) == 0 and main([], book) == 0
    assert "1 up to date, 0 to run" in capsys.readouterr().out
    monkeypatch.undo()
    assert main([], book) == 0 and main([], book) == 0
    assert capsys.readouterr().out.count("0 up to date, 1 to run") == 1


@pytest.mark.slow
def test_what_a_stopped_check_made_of_the_store_is_not_fresh(book, capsys, monkeypatch):
    monkeypatch.setattr(recheck, "_told", lambda *given: 0)  # as if it was stopped before its report
    assert main([], book) == 0 and main(["--fresh"], book) == 0
    assert "up to date, 0 to run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "told"),
    [(["--profile", "huge"], "huge"), (["--only", "summs"], "did you mean sums"), (["--jobs", "no"], "JOBS")],
)
def test_what_cannot_be_done_is_said_in_a_sentence(book, capsys, given, told):
    assert main(given, book) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and told in said and said.count("\n") == 1


def test_a_chapter_that_fails_is_no_comparison(book, capsys):
    (book / "notebooks" / "sums.py").write_text(HEADER + "# %%\nraise ValueError('no')\n")
    assert main([], book) == 1
    told = capsys.readouterr()
    assert "FAILED: notebooks/sums" in told.err and "compared" not in told.out
