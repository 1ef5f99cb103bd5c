"""A fingerprint changes with the code behind a module, and with nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperlib.store.fingerprint import code_fingerprint, modules_behind, package_fingerprint, versions

LIBRARY = {
    "lib/__init__.py": '_EXPORTS = {"grow": "lib.zoos.grow", "sow": "lib.zoos.sow"}\ndef __getattr__(n): ...\n',
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
    assert modules_behind("lib.zoos.grow", sources=sources) == [
        "lib.seeds", "lib.zoos", "lib.zoos.grow", "lib.zoos.sow",
    ]  # fmt: skip


def test_lazy_name_leads_to_its_module_alone(sources):
    found = modules_behind("lib.page", sources=sources)
    assert "lib.zoos.grow" in found and "lib.soil" not in found and "lib" not in found


def test_importing_the_whole_package_means_all_its_lazy_names(sources):
    assert {"lib.zoos.grow", "lib.zoos.sow", "lib.seeds"} <= set(modules_behind("lib.whole", sources=sources))


def test_import_inside_a_function_counts(sources):
    assert "lib.soil" in modules_behind("lib.inside", sources=sources)


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


def test_excluded_modules_are_not_entered(sources):
    assert modules_behind("lib.zoos.grow", ["lib.zoos.sow"], sources) == ["lib.zoos", "lib.zoos.grow"]


def test_package_fingerprint_sees_modules_that_nobody_imports(sources):
    before = package_fingerprint("lib", sources=sources)
    assert package_fingerprint("lib", ["lib.soil"], sources) != before
    (sources / "lib/soil.py").write_text("dry = False\n")
    assert package_fingerprint("lib", sources=sources) != before


def test_a_string_that_is_no_docstring_counts(sources):
    file = sources / "lib/seeds.py"
    before = code_fingerprint("lib.seeds", sources=sources)
    file.write_text("def seeds():\n    x = 'text'\n    return 3\n")
    assert code_fingerprint("lib.seeds", sources=sources) != before


def test_study_is_not_entered_from_outside_it():
    assert not [name for name in modules_behind("hyperlib.zoos.population") if name.startswith("hyperlib.study")]
    assert "hyperlib.thesis.profiles" in modules_behind("hyperlib.files.paths")


def test_unknown_module_is_named():
    with pytest.raises(ModuleNotFoundError, match=r"no module hyperlib\.zoos\.zebra"):
        code_fingerprint("hyperlib.zoos.zebra")


def test_versions_name_what_is_not_installed():
    found = versions(["numpy", "surely-not-installed"])
    assert found["surely-not-installed"] == "absent" and found["numpy"][0].isdigit() and "python" in found
