"""What all commands of the library have in common: they end in a line with a code, and not in a traceback."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from hyperlib.files import paths
from hyperlib.files.ending import command

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
    told = capsys.readouterr().err.splitlines()
    assert told[-1].startswith(f"error: The store at {file} cannot be used") and "Traceback" not in told


@pytest.mark.parametrize(
    ("error", "told"),
    [(ValueError("Give one."), "Give one."), (OSError(28, "No space left on device"), "The disk is full; "),
     (PermissionError(13, "Permission denied", "/there"), "No permission for /there; "),
     (PermissionError(13, "Permission denied"), "[Errno 13] Permission denied")],
)  # fmt: skip
def test_what_goes_wrong_with_files_and_arguments_is_a_line_and_a_code(error, told, capsys):
    @command
    def main() -> None:
        raise error

    assert main() == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {told}") and said.count("\n") == 1


def test_a_fault_of_the_code_stays_a_traceback():
    @command
    def main() -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        main()
