"""What all commands of the library have in common: they end in a line with a code, and not in a traceback."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hyperlib.files import cluster, faults, paths
from hyperlib.files.ending import command
from hyperlib.store.shared import explained
from hyperlib.thesis.profiles import check_profile

ROOT = paths.root()
COMMANDS = sorted(
    ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for file in (ROOT / "hyperlib").rglob("*.py")
    if re.search(r"^@command$", file.read_text(encoding="utf-8"), re.MULTILINE)
)
STUDIES = [name for name in COMMANDS if name.startswith("hyperlib.study.")]
SMALL = {"hyperlib.study.raw_weights": ["--profile", "quick"]}  # which by itself reads MNIST first


@pytest.mark.parametrize("name", COMMANDS)
def test_the_code_of_a_command_is_that_of_its_process(name):
    source = (ROOT / Path(*name.split("."))).with_suffix(".py").read_text(encoding="utf-8")
    last = source.split('if __name__ == "__main__":\n')[1].strip().splitlines()[-1].strip()
    assert last in ("sys.exit(main())", "sys.exit(by_name())")


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_whose_store_cannot_be_used_says_so_in_a_line(name, tmp_path, monkeypatch, capsys):
    file = tmp_path / "a file"
    file.write_text("no folder", encoding="utf-8")
    monkeypatch.setenv("HYPERLIB_STORE", str(file))
    assert importlib.import_module(name).main(SMALL.get(name, [])) == 2
    told = capsys.readouterr().err
    assert told.splitlines()[-1].startswith(f"error: The store at {file} cannot be used") and "Traceback" not in told
    assert told.endswith("; HYPERLIB_STORE must be a folder, or the name of one to be made.\n")


def ended(wrong, capsys):
    """What a command that does this says on its way out with the code 2."""
    assert command(wrong)() == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1
    return said.removeprefix("error: ")


def raising(error):
    def wrong() -> None:
        raise error

    return wrong


@pytest.mark.parametrize(
    ("error", "told"),
    [(OSError(28, "No space left on device"), "The disk is full; free some space"),
     (PermissionError(13, "Permission denied", "/there"), "No permission for /there; "),
     (PermissionError(13, "Permission denied"), "[Errno 13] Permission denied")],
)  # fmt: skip
def test_what_the_system_says_of_files_is_a_line_with_a_remedy(error, told, capsys):
    assert ended(raising(error), capsys).startswith(told)


def test_what_this_library_says_is_left_as_it_is_notes_included(capsys, tmp_path):
    assert ended(lambda: check_profile("enormous"), capsys).startswith("There is no profile 'enormous'")

    def noted() -> None:
        try:
            check_profile("enormous")
        except ValueError as error:
            error.add_note("Said while a test ran.")
            raise

    assert ended(noted, capsys).endswith(" Said while a test ran.\n")

    def full() -> None:
        with explained(tmp_path):
            raise OSError(28, "No space left on device")

    assert re.search(rf"holds {tmp_path.parent} is full .* HYPERLIB_STORE", ended(full, capsys))


def of_the_library(body):
    """A function that looks as if it stood in a file of the library."""
    scope = {}
    exec(compile(f"def made_up():\n    {body}", str(Path(faults.__file__).with_name("made_up.py")), "exec"), scope)  # noqa: S102
    return scope["made_up"]


def test_only_what_the_library_raises_itself_is_a_line(capsys):
    assert ended(of_the_library("if True: raise ValueError('Give one.')"), capsys) == "Give one.\n"
    assert "codec can't decode" in ended(of_the_library("b'\\xff'.decode()"), capsys)
    for fault in ("int('x')", "{}['a']"):  # which Python says, of a fault there
        with pytest.raises((ValueError, KeyError)):
            command(of_the_library(fault))()


@pytest.mark.parametrize("error", [KeyError("a bug"), ValueError("cannot reshape array of size 3 into shape (2,)")])
def test_a_fault_of_the_code_stays_a_traceback(error):
    with pytest.raises(type(error)):
        command(raising(error))()
    with pytest.raises(type(error)):  # out of another process, too
        command(lambda: cluster.raised("a call", error))()


@pytest.mark.parametrize("lines", [1, 10**6])
def test_a_reader_that_is_gone_ends_a_command_without_a_word(lines):
    code = "import sys; from hyperlib.files.ending import command; sys.exit(command(lambda: print('a\\n' * %d))())"
    pipes, environ = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}, dict(os.environ)
    environ.pop("PYTHONUNBUFFERED", None)
    with subprocess.Popen([sys.executable, "-c", code % lines], cwd=ROOT, env=environ, **pipes) as process:
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait() == 1
