"""Chapters are executed when something behind them changed, and a failure costs nothing that was made."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from filelock import FileLock
from small_book import FAILS, HEADER, PUBLISHES, make_book

from hyperlib.files import paths
from hyperlib.files.cost import clock
from hyperlib.files.inventory import text_checksum
from hyperlib.files.plain import Damaged
from hyperlib.files.writing import write_whole
from hyperlib.images.files import data_folder
from hyperlib.press import build, edition, pairs, staleness, worker
from hyperlib.press.edition import Edition
from hyperlib.press.execute import execute
from hyperlib.press.kernel import foreign_library
from hyperlib.press.site import _copied, promote_results
from hyperlib.press.staleness import File
from hyperlib.study.parameters import assigned_names

SLEEPS = "# %%\nimport time\ntime.sleep(60)\n"


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """A book of two chapters, one of which fails, after one run: root, what ran, what was said."""
    root = make_book(tmp_path_factory.mktemp("clone") / "with {braces} and blanks", good=PUBLISHES, bad=FAILS)
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HYPERLIB_RESULTS", str(root / "results"))
        runs = execute(Edition(root, "quick"), say=said.append)
        yield root, runs, said


@pytest.fixture
def good(executed):
    return Edition(executed[0], "quick").chapters()[0]


def edit(file: Path, old: str, new: str) -> str:
    """Change a text file; give its old text back."""
    before = file.read_text()
    assert old in before
    file.write_text(before.replace(old, new))
    return before


def test_failing_chapter_is_named_with_its_cell_and_the_rest_runs(executed):
    root, runs, said = executed
    failed = {run.chapter.name: run.failure for run in runs}
    assert failed["notebooks/good"] is None
    assert failed["notebooks/bad"].startswith('in code cell 3, `raise ValueError("two and two is five")`:')
    assert any("notebooks/bad FAILED in code cell 3" in line and "bad.failed.ipynb" in line for line in said)


def test_failing_chapter_leaves_its_partial_notebook_and_no_other_trace(executed):
    folder = executed[0] / "_build/executed/quick/notebooks"
    assert sorted(file.name for file in folder.iterdir()) == ["bad.failed.ipynb", "good.ipynb", "good.json"]
    partial = nbformat.read(folder / "bad.failed.ipynb", as_version=4)
    assert "two and two is five" in json.dumps(partial)


def test_what_was_executed_is_up_to_date(good):
    assert good.staleness() is None


def test_profile_reaches_the_chapter(executed):
    assert (executed[0] / "results/quick/sum.csv").read_text() == "a,sum\n1,2\n"


def test_execution_is_described(good):
    facts = good.last_execution()
    assert facts.seeds == {"sums": "1 to 3"} and facts.seconds > 0
    assert facts.results[0].path == "sum.csv" and facts.ingredients.versions["python"]


def test_prose_does_not_make_stale_and_is_shown(good):
    before = edit(good.source, "A sentence before the code.", "A better sentence.")
    try:
        assert good.staleness() is None
        shown = good.shown()
        assert "A better sentence." in shown.cells[0].source
        assert shown.cells[-1].outputs[0]["text"] == "one and one is 2\n"
    finally:
        good.source.write_text(before)


def test_shown_parameters_are_those_that_were_used(good):
    assert [cell.source for cell in good.shown().cells if "parameters" in cell.metadata.get("tags", [])] == [
        'profile = "quick"'
    ]


@pytest.mark.parametrize(("old", "new"), [("1 + 1)", "2)"), ('profile = "laptop"', 'profile = "laptop"\nmodels = 3')])
def test_code_makes_stale_and_shows_no_outputs_of_other_code(good, old, new):
    before = edit(good.source, old, new)
    try:
        assert good.staleness() == "its code cells changed"
        assert not [cell for cell in good.shown().cells if cell.get("outputs")]
    finally:
        good.source.write_text(before)


def test_what_changed_behind_a_chapter_is_named(good, monkeypatch):
    """The code that it reaches, one file or several, and the packages; not that of the press."""
    then = good.last_execution().ingredients
    assert "hyperlib/store/record.py" in then.library and not any("press" in file for file in then.library)
    changes = {
        "hyperlib/store/record.py changed": {"hyperlib/store/record.py": "other"},
        "hyperlib/a.py, hyperlib/b.py, hyperlib/c.py and 2 more changed": {f"hyperlib/{x}.py": "new" for x in "abcde"},
    }
    for reason, change in changes.items():
        with monkeypatch.context() as patch:
            patch.setattr(staleness, "reached", lambda _, change=change: then.library | change)
            assert good.staleness() == reason
    with monkeypatch.context() as patch:
        patch.setattr(staleness, "versions", lambda: then.versions | {"scipy": "0", "plotly": "0"})
        assert good.staleness() == "the version of plotly, scipy changed"


def test_status_says_what_changed_and_what_a_run_would_cost(executed, good, monkeypatch, capsys):
    then = good.last_execution()
    moved = then.ingredients.library | {"hyperlib/store/record.py": "other"}
    monkeypatch.setattr(staleness, "reached", lambda _: moved)
    monkeypatch.setenv("HYPERLIB_RESULTS", str(executed[0] / "results"))
    assert build.main(["status", "--profile", "quick"], root=executed[0]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("notebooks/good"))
    cost = f"a run took {clock(then.seconds)} last time"
    assert line == f"notebooks/good: stale, hyperlib/store/record.py changed; {cost}"


def test_status_says_what_to_do_and_what_is_known_of_its_cost(executed, good, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HYPERLIB_RESULTS", str(executed[0] / "results"))
    monkeypatch.setattr(edition.Chapter, "staleness", lambda one: "it was touched" if "ba" in one.name else None)
    chapters = Edition(executed[0], "quick").chapters()
    known = [last.seconds for one in chapters if (last := one.last_execution()) and one.staleness()]
    touched = sum("ba" in one.name for one in chapters)
    build.main(["status", "--profile", "quick"], root=executed[0])
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"{touched} to run: `make run PROFILE=quick` (") and not known and "book/running.md" in last
    monkeypatch.setattr(edition.Chapter, "staleness", lambda chapter: "it was touched")
    build.main(["status", "--profile", "quick"], root=executed[0])
    known = [last.seconds for one in chapters if (last := one.last_execution())]
    assert f"{len(known)} of them took {clock(sum(known))} in all last time" in capsys.readouterr().out.splitlines()[-1]
    monkeypatch.setattr(edition.Chapter, "staleness", lambda chapter: None)
    build.main(["status", "--profile", "quick"], root=executed[0])
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == "Nothing is to run."
    assert f"notebooks/good: up to date; a run took {clock(known[0])} last time" in lines


@pytest.mark.parametrize("damage", ["a,sum\n1,3\n", None])
def test_changed_or_lost_result_makes_stale(executed, good, damage):
    result = executed[0] / "results/quick/sum.csv"
    before = result.read_text()
    result.unlink() if damage is None else result.write_text(damage)
    assert good.staleness() == "its result sum.csv is missing or was changed"
    result.write_text(before)


def test_a_file_that_a_chapter_reads_makes_it_stale_when_it_changes(tmp_path):
    reads = "# %%\nfrom hyperlib.store.record import record_source\nrecord_source({!r})\n"
    table = tmp_path / "clone" / "book" / "table.csv"
    root = make_book(tmp_path / "clone", reads=reads.format(str(table)))
    table.write_text("a\n1\n")
    execute(Edition(root, "quick"), say=lambda _: None)
    (chapter,) = Edition(root, "quick").chapters()
    assert chapter.staleness() is None

    table.write_text("a\n2\n")
    assert chapter.staleness() == "book/table.csv, which it reads, changed"


def test_cut_notebook_and_cut_description_make_stale(good):
    for file, reason in [(good.executed, "its executed notebook is damaged"), (good.sidecar, "not executed yet")]:
        before = file.read_bytes()
        file.write_bytes(before[: len(before) // 2])
        assert good.staleness() == reason
        assert not good.fits() and not any(cell.get("outputs") for cell in good.shown().cells)
        file.write_bytes(before)
    assert good.staleness() is None


def test_profiles_do_not_mix(executed):
    assert Edition(executed[0], "laptop").chapters()[0].staleness() == "not executed yet"


def test_second_run_repeats_only_the_failure(executed, monkeypatch):
    root, *_ = executed
    monkeypatch.setattr("hyperlib.press.execute._supervised", lambda *_: "in a test: nothing was run")
    said: list[str] = []
    runs = execute(Edition(root, "quick"), say=said.append)
    assert [run.chapter.name for run in runs] == ["notebooks/bad"]
    assert said[0].startswith("2 chapters at profile quick: 1 up to date, 1 to run")


def test_stale_results_are_not_promoted(executed):
    with pytest.raises(ValueError, match=r"not every chapter is up to date, notebooks/bad \(not executed yet\)"):
        promote_results(Edition(executed[0], "quick"))


def test_fresh_results_are_promoted_and_old_ones_removed(executed):
    root, *_ = executed
    toc = (root / "_toc.yml").read_text()
    (root / "_toc.yml").write_text(toc.replace("  - file: notebooks/bad\n", ""))
    committed = root / "book/results/quick"
    committed.mkdir(parents=True)
    (committed / "old.csv").write_text("b\n")
    quick = Edition(root, "quick")
    with pytest.raises(ValueError, match=r"Nothing was promoted: old\.csv in .* would be removed"):
        promote_results(quick)
    assert [file.name for file in committed.iterdir()] == ["old.csv"]
    killed = committed / ".sum.csv.partial-ab12" / "sum.csv"  # by a promotion that was killed
    killed.parent.mkdir()
    killed.write_text("half")
    assert promote_results(quick, prune=True) == ["added quick/sum.csv", "removed quick/old.csv"]
    assert [file.name for file in committed.iterdir()] == ["sum.csv"]
    assert (committed / "sum.csv").read_text() == "a,sum\n1,2\n"
    assert promote_results(quick) == []
    (committed / "sum.csv").rename(root / "elsewhere.csv")
    (committed / "sum.csv").symlink_to(root / "elsewhere.csv")  # of the same content
    promote_results(quick)
    assert not (committed / "sum.csv").is_symlink() and (committed / "sum.csv").read_text() == "a,sum\n1,2\n"
    (root / "_toc.yml").write_text(toc)

@pytest.mark.skipif(os.name != "posix", reason="links")
@pytest.mark.parametrize("to", ["secret", "/dev/zero", "absent"])
def test_a_link_that_was_put_between_is_not_copied(to, tmp_path):
    """After the chapters were found to be up to date, and before their results are read."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "fresh.csv").symlink_to(tmp_path / to)
    for target in (tmp_path / "there.csv", tmp_path / "new.csv"):
        (tmp_path / "there.csv").write_text("old")
        with pytest.raises(Damaged, match="fresh.csv is no plain file, but a link"):
            _copied(tmp_path / "fresh.csv", target)
    assert (tmp_path / "there.csv").read_text() == "old" and not (tmp_path / "new.csv").exists()
    (tmp_path / "whole.csv").write_text("new")
    (tmp_path / "new.csv").symlink_to(tmp_path / "secret")
    _copied(tmp_path / "whole.csv", tmp_path / "new.csv")
    assert (tmp_path / "secret").read_text() == "secret" and (tmp_path / "new.csv").read_text() == "new"


def test_results_of_one_chapter_are_promoted_alone_and_remove_nothing(executed):
    root, *_ = executed
    target = root / "book/results/quick"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    (target / "other.csv").write_text("b\n")
    quick = Edition(root, "quick")
    assert promote_results(quick, ["good"]) == ["added quick/sum.csv"]
    assert (target / "other.csv").is_file()
    with pytest.raises(ValueError, match="not every chapter is up to date, notebooks/bad"):
        promote_results(quick, ["good", "bad"])
    with pytest.raises(ValueError, match="no chapter 'worse'"):
        promote_results(quick, ["worse"])
    shutil.rmtree(target)


def test_a_run_without_results_is_promoted_by_nobody(tmp_path, monkeypatch):
    """Not even where files may be removed: that it published nothing is no reason to delete what is committed."""
    root = make_book(tmp_path / "clone", silent="# %%\n1 + 1\n")
    committed = root / "book/results/quick/sum.csv"
    committed.parent.mkdir(parents=True)
    committed.write_text("a\n")
    monkeypatch.setattr(edition.Chapter, "staleness", lambda _: None)
    monkeypatch.setattr(edition.Chapter, "last_execution", lambda _: None)
    with pytest.raises(ValueError, match="its chapters published none"):
        promote_results(Edition(root, "quick"), prune=True)
    assert committed.is_file()


def test_a_table_that_a_chapter_reads_is_kept_though_none_publishes_it(tmp_path, monkeypatch):
    """Such as the trials of a command. Scorecards are read by pattern, so that says nothing of them."""
    root = make_book(tmp_path / "clone", reader="# %%\n1 + 1\n")
    committed = root / "book/results/quick"
    facts = SimpleNamespace(results=[File("sum.csv", "0")], sources=[])
    for folder in (committed, Edition(root, "quick").results):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "sum.csv").write_text("a\n")
    for name in ("trials.csv", "disc-scorecard.gone.csv", "old.csv"):
        (committed / name).write_text("b\n")
        facts.sources.append(File(f"book/results/{'laptop' if name == 'old.csv' else 'quick'}/{name}", "0"))
    monkeypatch.setattr(edition.Chapter, "staleness", lambda _: None)
    monkeypatch.setattr(edition.Chapter, "last_execution", lambda _: facts)
    with pytest.raises(ValueError, match=r"promoted: disc-scorecard\.gone\.csv, old\.csv in .* would be removed"):
        promote_results(Edition(root, "quick"))
    assert len(promote_results(Edition(root, "quick"), prune=True)) == 2
    assert {file.name for file in committed.iterdir()} == {"sum.csv", "trials.csv"}


WRITES_ELSEWHERE = """# %%
from pathlib import Path
from hyperlib.store.record import record_result
record_result(Path("elsewhere.csv"))
"""


def test_results_that_would_not_be_kept_are_a_failure(tmp_path):
    root = make_book(tmp_path / "clone", lost=WRITES_ELSEWHERE)
    (run,) = execute(Edition(root, "quick"), say=lambda _: None)
    assert "elsewhere.csv, which is not below" in run.failure
    assert Edition(root, "quick").chapters()[0].staleness() == "not executed yet"


# ---------------------------------------------------------------- whatever the reader's machine says


HEADERS = {  # ways of writing a cell of parameters
    "own": '# Parameters\nprofile = "laptop"',
    "typed": 'from typing import Literal\nprofile: Literal["quick", "laptop"] = "laptop"',
    "pair": 'profile, models = "laptop", 5',
}


@pytest.fixture(scope="module")
def abroad(tmp_path_factory):
    """A book run where `python3` is a kernel of elsewhere, with another hyperlib, and where folders are relative."""
    place = tmp_path_factory.mktemp("abroad")
    sources = {name: HEADER.replace('profile = "laptop"', cell) + PUBLISHES for name, cell in HEADERS.items()}
    root = make_book(place / "clone", **sources)
    spec = place / "jupyter/kernels/python3/kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": ["false"], "display_name": "Python 3", "language": "python"}))
    (place / "other/hyperlib").mkdir(parents=True)
    (place / "other/hyperlib/__init__.py").write_text("raise ImportError('another hyperlib')\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("JUPYTER_PATH", str(place / "jupyter"))
        patch.setenv("PYTHONPATH", str(place / "other"))
        patch.setenv("HYPERLIB_RESULTS", "out")
        assert build.main(["run", "--profile", "quick"], root) == 0
    return place, Edition(root, "quick").chapters()


@pytest.mark.slow
def test_chapters_run_in_the_builds_own_python_and_results_lie_where_the_user_said(abroad):
    place, chapters = abroad
    assert (place / "out/quick/sum.csv").is_file()
    assert [chapter.last_execution().results[0].path for chapter in chapters] == ["sum.csv"] * len(HEADERS)


def test_every_way_of_writing_parameters_is_heard_and_shows_its_outputs(abroad, monkeypatch):
    monkeypatch.setenv("HYPERLIB_RESULTS", str(abroad[0] / "out"))
    for chapter in abroad[1]:
        assert chapter.staleness() is None and chapter.fits()
        shown = [cell for cell in chapter.shown().cells if cell.cell_type == "code"]
        assert shown[0].source == 'profile = "quick"' and any(cell.outputs for cell in shown), chapter.name


def test_a_python_that_would_import_another_hyperlib_is_named(abroad, monkeypatch):
    other = abroad[0] / "third"
    (other / "hyperlib").mkdir(parents=True)
    (other / "hyperlib/__init__.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(other))
    assert f"import hyperlib from {other}, but this build is of {paths.root()};" in foreign_library(abroad[0])
    refused = worker.run_chapter(abroad[1][0], abroad[0] / "page.ipynb")
    assert refused == {"cell": worker.BEFORE, "error": foreign_library(abroad[0])}
    monkeypatch.delenv("PYTHONPATH")
    assert foreign_library(abroad[0]) is None


@pytest.mark.parametrize("variable", paths.VARIABLES)
def test_folders_named_by_a_variable_are_absolute_and_know_the_home(variable, tmp_path, monkeypatch):
    found = {"HYPERLIB_DATA": data_folder, "HYPERLIB_STORE": paths.store_folder,
             "HYPERLIB_RESULTS": lambda: paths.results_folder("quick").parent}[variable]  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    for said, meant in {"out": "out", "~/out": "home/out", str(tmp_path / "x"): "x"}.items():
        monkeypatch.setenv(variable, said)
        assert found() == tmp_path / meant
        paths.settle_variables()
        monkeypatch.chdir("/")
        assert found() == tmp_path / meant
        monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("variable", paths.VARIABLES)
def test_a_variable_that_names_a_file_is_told_before_anything_runs(variable, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv(variable, str(tmp_path / "file"))
    root = make_book(tmp_path / "clone", good=PUBLISHES)
    assert build.main(["run"], root=root) == 2 and not (root / "_build").exists()
    assert f"error: {variable} is {tmp_path / 'file'}, which is no folder; " in capsys.readouterr().err


def test_a_folder_of_images_that_is_not_there_is_told_at_the_beginning(tmp_path, monkeypatch, capsys):
    root = make_book(tmp_path / "clone")
    for folder, told in ((tmp_path / "absent", True), (tmp_path, False)):
        monkeypatch.setenv("HYPERLIB_DATA", str(folder))
        build.main(["run"], root=root)
        assert capsys.readouterr().out.startswith(f"HYPERLIB_DATA is {folder}, which is not there yet") is told


@pytest.mark.slow
def test_a_console_without_the_letters_of_a_path_ends_no_build(tmp_path):
    root = make_book(tmp_path / "Łódź clone", good=PUBLISHES, bad='# %%\nraise ValueError("żle")\n')
    done = said_in_cp1252("run", root)
    assert done.returncode == 1 and b"notebooks/good: done" in done.stdout, done.stderr
    assert b"FAILED: notebooks/bad in code cell 2" in done.stderr and b"\\u017cle" in done.stderr


@pytest.mark.slow
def test_a_console_without_the_letters_of_a_page_ends_no_building_of_pages(tmp_path):
    root = make_book(tmp_path / "Łódź clone")
    (root / "_toc.yml").write_text("format: jb-book\nroot: book/index\n")
    (root / "book/index.md").write_text("# A small book\n\nSee {doc}`/żle`.\n", encoding="utf-8")
    done = said_in_cp1252("html", root)
    assert done.returncode == 1 and b"unknown document: '/\\u017cle'" in done.stderr, done.stderr
    assert (root / "_build/html/book/index.html").is_file()


@pytest.mark.parametrize("step", ["html", "book"])
def test_a_reader_is_told_once_which_page_to_open(executed, monkeypatch, capsys, step):
    monkeypatch.setattr(build, "execute", lambda *_, **__: [])
    monkeypatch.setattr(build, "build_site", lambda edition: True)
    assert build.main([step], executed[0]) == 0
    told = capsys.readouterr().out
    assert told.count("Open ") == 1 and f"{executed[0] / '_build' / 'html' / 'index.html'} (profile quick" in told


def said_in_cp1252(step: str, root: Path) -> subprocess.CompletedProcess[bytes]:
    """One step of a build on a console that has the letters of western Europe alone."""
    code = "import sys; from pathlib import Path; from hyperlib.press.build import main; "
    code += f"sys.exit(main([{step!r}], Path({str(root)!r})))"
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "HYPERLIB_RESULTS": str(root / "_build/results")}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False, timeout=120)


def test_line_ends_of_a_clone_change_no_checksum(tmp_path):
    (tmp_path / "unix.csv").write_bytes(b"a,b\n1,2\n")
    (tmp_path / "windows.csv").write_bytes(b"a,b\r\n1,2\r\n")
    (tmp_path / "other.csv").write_bytes(b"a,b\n1,3\n")
    unix, windows, other = (text_checksum(tmp_path / f"{name}.csv") for name in ("unix", "windows", "other"))
    assert unix == windows != other


def test_a_step_of_the_whole_book_takes_no_single_chapter(executed, capsys):
    assert build.main(["book", "--only", "good"], executed[0]) == 2
    assert "book is of all chapters; use run" in capsys.readouterr().err


def test_unknown_profile_is_one_sentence(capsys):
    assert build.main(["run", "--profile", "huge"]) == 2
    assert capsys.readouterr().err == ("error: There is no profile 'huge'; choose one of quick, laptop, paper.\n")


def test_unknown_chapter_is_one_sentence(executed, capsys):
    assert build.main(["run", "--only", "99_none"], executed[0]) == 2
    assert "no chapter '99_none' in _toc.yml; there are good" in capsys.readouterr().err


@pytest.mark.parametrize(
    "word", ["good", "notebooks/good.ipynb", "./notebooks/good.py", "clone/notebooks/good", "/clone/notebooks/good.py"]
)
def test_a_chapter_is_known_by_its_files_too(executed, monkeypatch, word):
    asked = []
    monkeypatch.setattr(build, "execute", lambda *_, names, **__: asked.extend(names) or [])
    assert build.main(["run", "--only", word], executed[0]) == 0
    assert asked == ["good"]


@pytest.mark.parametrize("word", ["notebooks/gooood", "go"])
def test_a_chapter_that_was_meant_is_offered(executed, capsys, word):
    assert build.main(["run", "--only", f"{word}.ipynb"], executed[0]) == 2
    assert capsys.readouterr().err == f"error: There is no chapter {word!r}; did you mean good?\n"


def test_a_page_that_the_table_of_contents_lacks_is_told_where_to_go(tmp_path, capsys):
    root = make_book(tmp_path / "clone", good=PUBLISHES)
    shutil.copy(root / "notebooks/good.py", root / "notebooks/05_lesson.py")
    assert build.main(["run", "--only", "05_lesson"], root) == 2
    assert "notebooks/05_lesson.py is no chapter yet; add `- file: notebooks/05_lesson` to _toc.yml." in (
        capsys.readouterr().err
    )


def test_a_notebook_without_source_is_told_the_command_that_makes_it(tmp_path, capsys):
    folder = make_book(tmp_path / "clone", good=PUBLISHES) / "notebooks"
    pairs.synchronise(folder)
    shutil.copy(folder / "good.ipynb", folder / "lesson.ipynb")
    assert pairs.main([], folder) == 1
    command = capsys.readouterr().out.split("`")[1].split()
    assert command[0] == ".venv/bin/python" and command[-1] == "notebooks/lesson.ipynb"
    subprocess.run([sys.executable, *command[1:]], cwd=folder.parent, check=True, capture_output=True)
    assert pairs.main([], folder) == 0 and (folder / "lesson.py").is_file()


@pytest.mark.parametrize("jobs", ["two", "-1", "0", ""])
def test_jobs_that_are_no_number_are_named(executed, capsys, jobs):
    assert build.main(["run", "--jobs", jobs], executed[0]) == 2
    assert capsys.readouterr().err.startswith("error: JOBS (--jobs) is how many chapters are executed at a time")


def test_pages_of_a_profile_that_was_never_executed_are_not_built(executed, monkeypatch, capsys):
    monkeypatch.setattr(build, "build_site", lambda _: pytest.fail("pages were built"))
    assert build.main(["html", "--profile", "laptop"], executed[0]) == 2
    assert capsys.readouterr().err == (
        "error: No chapter has been executed at profile laptop; `make book PROFILE=laptop` does both.\n"
    )


@pytest.mark.slow
def test_a_book_of_which_every_chapter_fails_says_so_and_offers_no_command_that_was_just_given(tmp_path, capsys):
    root = make_book(tmp_path / "clone", bad="# %%\nraise RuntimeError('broken')\n")
    assert build.main(["book"], root) == 1
    told = capsys.readouterr().err
    assert "FAILED: notebooks/bad" in told and "The book is not whole" in told and "has been executed" not in told


def test_cleaning_waits_for_no_build_and_leaves_what_was_grown(tmp_path, capsys):
    made = make_book(tmp_path / "clone", good=PUBLISHES) / "_build"
    for name in (*build.MADE, "store"):
        (made / name).mkdir(parents=True)
        (made / name / "file").touch()
    with FileLock(made / ".lock"):
        assert build.main(["clean"], made.parent) == 2
    assert "Another build" in capsys.readouterr().err and all((made / name / "file").is_file() for name in build.MADE)
    assert build.main(["clean"], made.parent) == 0
    assert (made / "store/file").is_file() and not any((made / name).exists() for name in build.MADE)
    assert build.main(["clean"], made.parent) == 0, "nothing is left to remove"


@pytest.mark.parametrize("step", ["status", "run"])
@pytest.mark.slow
def test_a_reader_who_left_ends_a_command_quietly(tmp_path, step):
    root = make_book(tmp_path / "clone", good=PUBLISHES)
    words = "import sys; from pathlib import Path; from hyperlib.press.build import main; "
    words += f"sys.exit(main([{step!r}], Path({str(root)!r})))"
    with subprocess.Popen([sys.executable, "-c", words], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.wait(60) == 1 and process.stderr.read() == b""


def test_the_readme_names_the_parameters_that_notebooks_have():
    names = {}
    for file in (paths.root() / "notebooks").glob("*.ipynb"):
        cells = nbformat.read(file, as_version=4).cells
        names[file.stem] = [name for cell in cells if "parameters" in cell.metadata.get("tags", [])
                            for name in assigned_names(cell.source)]  # fmt: skip
    assert {name: more for name, (first, *more) in names.items() if more} == {"03b_mnist_seed": ["models"]}
    assert {first for first, *_ in names.values()} == {"profile"}
    said = " ".join((paths.root() / "README.md").read_text(encoding="utf-8").split())
    assert "every notebook has `profile`, and `03b_mnist_seed` has `models`, too" in said


def test_second_build_in_a_clone_is_refused(tmp_path, capsys):
    root = make_book(tmp_path / "clone", good=PUBLISHES)
    (root / "_build").mkdir()
    write_whole(root / "_build/.lock.owner", "4242\n")
    with FileLock(root / "_build/.lock"):
        assert build.main(["run"], root) == 2
    assert capsys.readouterr().err == (
        "error: Another build (pid 4242) is running in this clone; wait for it or stop it.\n"
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full; free some space"),
        (PermissionError(errno.EACCES, "Permission denied", "/a/_build"), "No permission for /a/_build;"),
    ],
)
def test_trouble_with_files_is_one_sentence(tmp_path, monkeypatch, capsys, error, words):
    def fail(*_, **__):
        raise error

    root = make_book(tmp_path / "clone", good=PUBLISHES)
    monkeypatch.setattr("hyperlib.press.build.execute", fail)
    assert build.main(["run"], root) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: {words}") and told.count("\n") == 1


def test_half_written_file_never_takes_the_place_of_a_whole_one(tmp_path, monkeypatch):
    file = tmp_path / "facts.json"
    write_whole(file, "whole")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(file, "half")
    assert file.read_text() == "whole" and list(tmp_path.iterdir()) == [file]


def test_chapter_without_cell_of_parameters_is_refused(tmp_path):
    root = make_book(tmp_path / "clone", bare=PUBLISHES)
    source = root / "notebooks/bare.py"
    source.write_text(source.read_text().replace(' tags=["parameters"]', ""))
    (run,) = execute(Edition(root, "quick"), say=lambda _: None)
    words = "no cell tagged `parameters` assigns profile; give the tag to the one that does"
    assert run.failure == f"in its parameters: {words}"


def test_notebook_without_source_is_refused(tmp_path):
    root = make_book(tmp_path / "clone", good=PUBLISHES)
    (root / "notebooks/good.py").rename(root / "notebooks/good.ipynb")
    with pytest.raises(FileNotFoundError, match=r"not its source notebooks/good\.py"):
        Edition(root, "quick").chapters()


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGKILL, -9)])
@pytest.mark.slow
def test_stopped_build_ends_its_kernels_and_goes_on_later(tmp_path, how, code):
    root = make_book(tmp_path / "clone", slow=SLEEPS)
    code_to_run = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "  # a shell's
    code_to_run += "from pathlib import Path; from hyperlib.press.build import main; "  # background jobs ignore it
    code_to_run += f"sys.exit(main(['run'], Path({str(root)!r})))"
    command = [sys.executable, "-c", code_to_run]
    folder = root / "_build/executed/quick/notebooks"

    def runs() -> bool:
        found = [file.read_text() for file in folder.glob(".slow.ipynb.partial-*/slow.ipynb")]
        return any('"status": "running"' in text.split("sleep(60)")[0] for text in found)

    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            wait_until(runs)
            wait_until(lambda: len(descendants(process.pid)) >= 2)
            kin = descendants(process.pid)
            process.send_signal(how)
            assert process.wait(30) == code
            message = process.stderr.read().decode()
        finally:
            process.kill()
    assert how == signal.SIGKILL or message == (
        "\nStopped. What is finished is kept; give the same command again, and it goes on from there.\n"
    )
    wait_until(lambda: not any(alive(pid) for pid in kin))
    chapter = Edition(root, "quick").chapters()[0]
    assert not chapter.failed.exists(), "a stopped chapter has not failed"
    if how != signal.SIGKILL:
        assert not any(folder.iterdir()), "as before the first run"
    else:
        edit(chapter.source, "sleep(60)", "sleep(0)")
        assert [run.failure for run in execute(chapter.edition, say=lambda _: None)] == [None]
        assert not list(folder.glob(".*"))


def wait_until(holds, seconds: float = 40.0) -> None:
    """Poll until something holds; AssertionError if it does not in time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def descendants(pid: int) -> list[int]:
    """Process ids of a process's children, and theirs."""
    listing = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parent = {int(line.split()[0]): int(line.split()[1]) for line in listing.splitlines()}
    found, waiting = [], [pid]
    while waiting:
        above = waiting.pop()
        children = [child for child, of in parent.items() if of == above]
        found += children
        waiting += children
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be collected does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(state.stdout.strip()) and not state.stdout.strip().startswith("Z")


def test_full_disk_inside_a_chapter_is_one_sentence(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    chapter = Edition(make_book(tmp_path / "clone", good=PUBLISHES), "quick").chapters()[0]
    monkeypatch.setattr("papermill.execute_notebook", full)
    assert worker.run_chapter(chapter, tmp_path / "out.ipynb") == {
        "cell": "before its first cell",
        "error": "the disk is full; free some space and run this again: what is finished is kept",
    }


def test_chapter_whose_process_dies_is_named_with_its_cell(tmp_path):
    root = make_book(tmp_path / "clone", dies="# %%\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    (run,) = execute(Edition(root, "quick"), say=lambda _: None)
    assert run.failure.startswith("in code cell 2, `import os, signal`: its Python process died;")


@pytest.mark.parametrize(("deaths", "failed"), [(2, False), (3, True)])
def test_a_kernel_that_dies_before_its_first_cell_is_started_again(deaths, failed, tmp_path, monkeypatch):
    """Two kernels that start at the same moment can choose the same port."""
    starts = []

    def start(*_, **__):
        starts.append(1)
        if len(starts) <= deaths:
            raise RuntimeError("Kernel died before replying to kernel_info")

    chapter = Edition(make_book(tmp_path / "clone", good=PUBLISHES), "quick").chapters()[0]
    monkeypatch.setattr("papermill.execute_notebook", start)
    failure = worker.run_chapter(chapter, tmp_path / "out.ipynb")
    assert len(starts) == 3 and bool(failure) == failed
