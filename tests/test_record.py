"""Notes of a running chapter."""

import hashlib

import pytest

from hyperlib.files.reading import Damaged
from hyperlib.store.record import (
    VARIABLE,
    heard,
    last_progress,
    read_record,
    record_progress,
    record_result,
    record_seeds,
    record_source,
)  # fmt: skip


def test_the_last_note_of_progress_is_shown_until_its_work_ends(tmp_path, monkeypatch):
    file = tmp_path / "record"
    assert last_progress(file) == ""
    monkeypatch.setenv(VARIABLE, str(file))

    record_progress("growing a zoo", 1, 4)
    record_result(tmp_path / "x.csv")
    assert heard()
    assert last_progress(file) == "growing a zoo 25 %"
    with file.open("a") as half:
        half.write('{"progress": ["growing')
    assert last_progress(file) == "growing a zoo 25 %"


def test_finished_work_is_not_shown_and_results_stay(tmp_path, monkeypatch):
    file = tmp_path / "record"
    monkeypatch.setenv(VARIABLE, str(file))

    record_result(tmp_path / "x.csv")
    record_progress("growing a zoo", 4, 4)

    assert last_progress(file) == ""
    assert read_record(file).results == [tmp_path / "x.csv"]


def test_a_note_goes_nowhere_where_nobody_listens(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)

    record_progress("growing a zoo", 1, 4)

    assert not heard()
    assert not list(tmp_path.iterdir())


def test_each_note_counts_once_and_all_seeds_of_a_thing_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "record"))
    for seed in ("0", "1", "0", "2"):
        record_seeds("tetris_seed", seed)
    for name, text in (("b.yml", "1"), ("a.yml", "2"), ("b.yml", "3")):
        (tmp_path / name).write_text(text)
        record_source(tmp_path / name)

    record = read_record(tmp_path / "record")

    assert record.seeds == {"tetris_seed": "0, 1, 2"}
    read = {tmp_path / name: hashlib.sha256(text).hexdigest() for name, text in (("a.yml", b"2"), ("b.yml", b"1"))}
    assert record.sources == read  # as they were when they were read first


@pytest.mark.parametrize("line", ['{"result": ["a"]}', '{"result": "a', '{"seeds": "x"}', "[]", '{"progress": [1, 2]}'])
def test_a_line_of_another_form_is_damage_and_no_result_is_lost_in_silence(line, tmp_path):
    (tmp_path / "record").write_text(line + "\n")
    with pytest.raises(Damaged, match="record cannot be read as JSON of its form"):
        read_record(tmp_path / "record")
    assert last_progress(tmp_path / "record") == ""
