"""The cell for Colab: in every chapter, with the address of this clone, and of no effect anywhere else."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
import tomllib
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import jupytext
import pytest

from hyperlib.files.paths import root
from hyperlib.press import pairs
from hyperlib.press.colab import TAGS, address_of, colab_cell, with_address

CHAPTERS = sorted((root() / "notebooks").glob("*.py"))


@pytest.fixture
def git_repository(tmp_path) -> Path:
    """A repository with one module, to be cloned."""
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "fetched_from_colab.py").write_text("answer = 42\n")
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "One"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_second_code_cell_of_a_chapter_is_for_colab(chapter):
    code = [cell for cell in jupytext.read(chapter, fmt="py:percent").cells if cell.cell_type == "code"]
    assert code[1].metadata.get("tags") == ["remove-input", "colab"]
    assert code[1].source == colab_cell(address_of(root())), "run `make sync`"


def test_on_colab_it_clones_installs_and_imports_without_a_restart(git_repository, tmp_path, monkeypatch):
    ran, run, failures, installed = [], subprocess.run, iter([True]), {}

    def without_pip(command, check):
        ran.append("pip" if "pip" in command else "git")
        if ran[-1] == "git":
            return run(command, check=check)
        if next(failures, False):
            raise subprocess.CalledProcessError(1, command)
        return installed.update(hyperlib=ModuleSpec("hyperlib", None))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", without_pip)
    monkeypatch.setattr(importlib.util, "find_spec", installed.get)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    with pytest.raises(subprocess.CalledProcessError):
        exec(colab_cell(git_repository.as_uri()), {})
    exec(colab_cell(git_repository.as_uri()), {})  # what the failed installation left is in nobody's way

    import fetched_from_colab

    assert fetched_from_colab.answer == 42 and ran == ["git", "pip", "pip"]
    exec(colab_cell(git_repository.as_uri()), {})  # Run all, once more
    assert ran == ["git", "pip", "pip"]
    del sys.modules["fetched_from_colab"]


def test_elsewhere_it_does_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", None)
    before = list(sys.path)
    exec(colab_cell("https://example.org/a"), {})
    assert sys.path == before and not list(tmp_path.iterdir())


def test_it_asks_for_the_plotly_that_pages_need():
    """The library itself needs none, so installing it brings none."""
    extras = tomllib.loads((root() / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    texts = {node.value for node in ast.walk(ast.parse(colab_cell(""))) if isinstance(node, ast.Constant)}
    assert {name for name in extras["book"] if name.startswith("plotly")} <= texts


def test_synchronising_renews_the_address(tmp_path):
    source = tmp_path / "notebooks" / "01_a.py"
    source.parent.mkdir()
    cells = '# %% tags=["parameters"]\nprofile = "quick"\n\n', "# %%\nx = 1\n"
    source.write_text(f"{cells[0]}# %% tags={TAGS}\n{colab_cell('https://a.org/old')}\n\n{cells[1]}")
    config = tmp_path / "_config.yml"
    config.write_text("repository: {url: https://a.org/old}\n")
    pairs.synchronise(source.parent)
    assert pairs.outdated(source.parent) == []

    config.write_text("repository: {url: https://b.org/fork}\n")
    assert pairs.outdated(source.parent) == [source]
    assert pairs.synchronise(source.parent) == [source] and pairs.outdated(source.parent) == []
    assert source.read_text() == f"{cells[0]}# %% tags={TAGS}\n{colab_cell('https://b.org/fork')}\n\n{cells[1]}"
    assert "https://b.org/fork" in source.with_suffix(".ipynb").read_text()


def test_a_source_without_the_cell_stays_as_it_is():
    assert with_address("# %%\nx = 1\n", "https://a.org") == "# %%\nx = 1\n"
