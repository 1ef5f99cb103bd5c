"""The library alone: a wheel without the book's packages runs every example on a page of prose."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hyperlib.files import paths

EXAMPLES = {  # sizes of a page's examples, which take minutes; nothing else is changed
    "README.md": {"grid(seeds=20,": "grid(seeds=3,"},
    "book/your_own_networks.md": {
        "grid(seeds=20,": "grid(seeds=3,",
        "steps=200": "steps=20",
        "grid(seeds=10), epochs=5)": "grid(seeds=6), epochs=5)",
    },
    "book/zoo_in_the_browser.md": {"seeds=50": "seeds=3", "epochs=75": "epochs=2"},
}
FORBIDDEN = """
import sys
class Refused:
    names = {"jupyter_book", "jupytext", "papermill", "ipykernel", "nbformat", "nbclient", "sphinx", "bs4", "ray"}
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names:
            raise ModuleNotFoundError(f"{name} is not there", name=name)
sys.meta_path.insert(0, Refused())
import hyperlib
from pathlib import Path
assert Path(hyperlib.__file__).is_relative_to(sys.argv[1]), hyperlib.__file__
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """What the wheel of this clone holds."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # setuptools leaves a folder behind where it builds
    shutil.copytree(paths.root() / "hyperlib", source / "hyperlib", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT"):
        shutil.copy(paths.root() / name, source)
    call = [sys.executable, "-m", "pip", "wheel", str(source), "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*call, "-w", str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(code: str, installed: Path, where: Path) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("HYPERLIB_", "PYTHON"))}
    call = [sys.executable, "-c", FORBIDDEN + code, str(installed)]
    return subprocess.run(
        call, cwd=where, env=environ | {"PYTHONPATH": str(installed)}, capture_output=True, text=True, timeout=900
    )


def examples(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (paths.root() / page).read_text(encoding="utf-8"), re.DOTALL)


def test_no_page_of_prose_has_examples_that_are_not_run():
    pages = [*paths.root().glob("*.md"), *(paths.root() / "book").rglob("*.md")]
    names = [page.relative_to(paths.root()).as_posix() for page in pages]
    assert {name for name in names if examples(name)} == EXAMPLES.keys()


@pytest.mark.slow
@pytest.mark.parametrize("page", EXAMPLES)
def test_every_example_runs(installed, tmp_path, page):
    code = "\n".join(examples(page))
    for size, smaller in EXAMPLES[page].items():
        assert size in code, f"{page} has no {size} any more"
        code = code.replace(size, smaller)
    done = run(code, installed, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    saved = set(re.findall(r"(?:save|export_zoo)\((?:zoo, )?\"([\w.]+)\"|cache=\"(\w+)\"", code))
    assert {first or second for first, second in saved} <= {place.name for place in tmp_path.iterdir()}


@pytest.mark.slow
def test_what_needs_the_clone_says_so(installed, tmp_path):
    done = run('hyperlib.Study("quick").zoo("tetris_seed")', installed, tmp_path)
    assert done.returncode and "clone the repository" in done.stderr
