"""Notes of a running chapter."""

from hyperlib.store.record import VARIABLE, heard, last_progress, read_record, record_progress, record_result


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
