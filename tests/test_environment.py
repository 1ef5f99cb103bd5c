"""Names, pins and conda file say the same, and the environment is made once."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import hyperlib
from hyperlib.press import build, environment

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAMES = [line for group in [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()] for line in group]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())
PINS = {
    canonicalize_name(line.split("==")[0]): Version(line.split("==")[1])
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
}


@pytest.mark.parametrize("requirement", [Requirement(line) for line in NAMES], ids=str)
def test_every_dependency_is_pinned_within_its_range(requirement):
    pin = PINS[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(pin)


def test_pins_are_exact_public_versions_in_order():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines == sorted(lines, key=str.lower)
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line), line


def test_no_pin_of_a_graphics_driver():
    assert not [name for name in PINS if re.match(r"nvidia|cuda|triton", name)]


def test_pins_are_what_is_installed_here():
    from importlib.metadata import version

    for name in ("torch", "numpy", "sphinx", "papermill", "plotly"):
        assert Version(version(name)).public == str(PINS[name]), f"{name}: run `make env`"


def test_conda_pins_a_python_that_is_allowed_in_the_form_that_binder_reads():
    (python,) = (part for part in CONDA["dependencies"] if isinstance(part, str) and part.startswith("python"))
    version = re.fullmatch(r"python=(3\.\d+)", python)[1]  # repo2docker takes no range
    assert SpecifierSet(PROJECT["requires-python"]).contains(f"{version}.0")


def test_conda_installs_the_book_by_the_same_pins():
    parts = CONDA["dependencies"]
    assert {"pip", "make"} <= {part for part in parts if isinstance(part, str)}
    constraints, package = (line.split() for line in parts[-1]["pip"])
    assert (constraints[0], package[0]) == ("-c", "-e") and (ROOT / constraints[1]).samefile(ROOT / "constraints.txt")
    folder, extra = re.fullmatch(r"(.+)\[(\w+)\]", package[1]).groups()
    assert (ROOT / folder / "pyproject.toml").is_file() and extra == "book"


def test_nothing_else_at_the_root_is_what_binder_would_build_from():
    places = [ROOT, ROOT / "binder", ROOT / ".binder"]
    others = {"Dockerfile", "requirements.txt", "Pipfile", "runtime.txt", "postBuild", "apt.txt", "default.nix"}
    assert not [place / name for place in places for name in others if (place / name).exists()]
    assert not any(place.exists() for place in places[1:])


def test_setup_asks_for_the_same_pythons():
    allowed = SpecifierSet(PROJECT["requires-python"])
    for minor in range(8, 18):
        assert (environment.fault_of((3, minor, 1)) is None) == allowed.contains(f"3.{minor}.1"), minor


def test_any_python_can_read_the_file_that_says_which_one_is_needed():
    source = Path(environment.__file__).read_text()
    later = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Nonlocal, ast.AsyncFunctionDef, ast.Match, ast.YieldFrom)
    for node in ast.walk(ast.parse(source)):
        assert not isinstance(node, later), node.lineno
        if isinstance(node, ast.FunctionDef):
            assert node.returns is None and not node.args.kwonlyargs
            assert not any(one.annotation for one in node.args.args)
    assert source.isascii()  # Python 2 reads no other letters where none are announced


def test_wrong_python_is_told_what_to_do():
    fault = environment.fault_of((3, 10, 2))
    assert fault.startswith("The book needs Python 3.11 to 3.13, and this is 3.10;") and "PYTHON=" in fault


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt", "environment.yml", "Makefile"])
def test_no_address_of_a_package_index(name):
    assert not re.search(r"index-url|find-links|https?://(?!github\.com)", (ROOT / name).read_text())


def test_stamp_follows_names_and_pins(tmp_path):
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text("a")
    before = environment.stamp_of(str(tmp_path))
    assert environment.stamp_of(str(tmp_path)) == before
    (tmp_path / "constraints.txt").write_text("b")
    assert environment.stamp_of(str(tmp_path)) != before


def test_ready_environment_is_left_alone(tmp_path, monkeypatch):
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text("a")
    python = Path(environment.python_of(str(tmp_path / ".venv")))
    python.parent.mkdir(parents=True)
    python.write_text("")
    (tmp_path / ".venv" / ".ready").write_text(environment.stamp_of(str(tmp_path)))
    monkeypatch.setattr(subprocess, "call", lambda *_, **__: pytest.fail("something was installed"))
    assert environment.make_environment(str(tmp_path), str(tmp_path / ".venv")) is None


def test_failed_install_leaves_no_stamp(tmp_path, monkeypatch, capsys):
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text("a")
    monkeypatch.setattr(subprocess, "call", lambda command, **_: int("pip" in command))
    monkeypatch.setattr(environment, "usable", lambda folder: True)
    (tmp_path / ".venv").mkdir()
    assert "pip could not install" in environment.make_environment(str(tmp_path), str(tmp_path / ".venv"))
    assert not (tmp_path / ".venv" / ".ready").exists()


def test_environment_of_another_python_or_place_is_made_anew(tmp_path):
    folder = tmp_path / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    assert environment.usable(str(folder))
    config = (folder / "pyvenv.cfg").read_text()
    (folder / "pyvenv.cfg").write_text(re.sub("version = .*", "version = 3.11.0", config))
    assert not environment.usable(str(folder))
    (folder / "pyvenv.cfg").write_text(config)
    moved = folder.rename(tmp_path / "moved")
    assert not environment.usable(str(moved)) and not environment.usable(str(tmp_path / "nowhere"))


def test_letters_of_a_path_that_console_and_locale_lack_end_no_set_up(tmp_path):
    folder = tmp_path / "Łódź clone" / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    for name in ("pyproject.toml", "constraints.txt"):
        (folder.parent / name).write_text("a")
    code = "import subprocess, sys; subprocess.call = lambda *_, **__: 0; "
    code += "from hyperlib.press import environment as one; "
    code += f"sys.exit(one.make_environment({str(folder.parent)!r}, {str(folder)!r}))"
    command = [sys.executable, "-X", "warn_default_encoding"]
    command += ["-W", "error::EncodingWarning:hyperlib.press.environment", "-c", code]
    for said in ("Setting up .venv", ""):  # the second call reads what the first one left
        environ = {**os.environ, "PYTHONIOENCODING": "cp1252"}
        done = subprocess.run(command, env=environ, capture_output=True, check=False, timeout=60)
        assert done.returncode == 0 and done.stdout.decode("cp1252").startswith(said), done.stderr


def test_make_lists_every_target():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ["env", "test", "test-slow", "run", "html", "book", "results", "check", "sync", "bench", "clean"]:
        assert re.search(rf"^  {target} +\S", done.stdout, re.MULTILINE), target


@pytest.mark.parametrize("target", ["run", "html", "book", "results", "status"])
def test_no_step_of_make_overhears_a_chapter(target):
    command = ["make", "--dry-run", target, "CHAPTER=good"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--only good" in done.stdout


@pytest.mark.parametrize("profile", ["huge", "", "quick laptop"])
def test_a_wrong_profile_is_refused_before_the_environment_is_made(profile):
    command = ["make", "--no-print-directory", "book", f"PROFILE={profile}", "PYTHON=false"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"error: There is no profile '{profile}'; PROFILE is one of quick, laptop, paper.\n")


def test_make_cleans_behind_the_lock_of_builds_where_there_is_an_environment():
    done = subprocess.run(["make", "--dry-run", "clean"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "if [ -f .venv/.ready ]; then .venv" in done.stdout and "hyperlib.press.build clean;" in done.stdout
    assert all(f"_build/{name}" in done.stdout for name in build.MADE) and "store" not in done.stdout


def test_help_of_the_set_up_sets_nothing_up(tmp_path):
    script = tmp_path / "hyperlib" / "press" / "environment.py"
    script.parent.mkdir(parents=True)
    shutil.copy(environment.__file__, script)
    done = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, check=True)
    assert "Makes `.venv`" in done.stdout and [one.name for one in tmp_path.iterdir()] == ["hyperlib"]


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_the_package_says_where_to_begin(words):
    done = subprocess.run([sys.executable, "-m", "hyperlib", *words], capture_output=True, text=True, check=True)
    assert "make help" in done.stdout and "python -m hyperlib.press.build" in done.stdout
    assert "python -m hyperlib.store.store" in done.stdout
    assert {"open_zoo", "export_zoo", "magnitude_twins", "variational_twins"} <= {*hyperlib.__all__} & {
        *re.findall(r"\w+", done.stdout)
    }
    shown = [line for line in done.stdout.splitlines() if line.startswith("  from hyperlib import")]
    assert set(shown[0].split("import ")[1].split(", ")) <= set(hyperlib.__all__)


def test_library_imports_without_torch():
    code = "import sys, hyperlib; sys.exit('torch' in sys.modules or 'numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(os.name == "nt" or shutil.which("make") is None, reason="needs make and a shell")
def test_what_measures_a_card_finds_the_library_where_nobody_installed_it(tmp_path):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$PYTHONPATH"\n')
    python.chmod(0o755)
    call = ["make", "-f", str(ROOT / "Makefile"), "gpu", f"PYTHON={python}"]
    for before in ("", "/other"):
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        environ |= {"PYTHONPATH": before}
        said = subprocess.run(call, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True).stdout
        assert said.splitlines()[-1].split(":") == [str(tmp_path), *([before] if before else [])]
