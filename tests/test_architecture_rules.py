"""Rules of the library's own code: imports point left, nothing is unpickled, no global seeds, small files.

All is read from syntax trees, never by running the code. Each rule is also tried on code that breaks it.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import hyperlib
from hyperlib.store.fingerprint import _named

ROOT = Path(__file__).resolve().parents[1]
ORDER = "files weightspace images zoos representations tasks store thesis figures study press"
FOLDERS = tuple(ORDER.split())  # each may import itself and those before
FILES = sorted((ROOT / "hyperlib").rglob("*.py"))
LONGEST = 330  # lines; aim at 250

UNPICKLING = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle")
UNSAFE_CALLS = {
    "pandas.read_pickle": "unpickles",
    "yaml.unsafe_load": "runs code in the file",
    "yaml.full_load": "builds objects from the file",
    "os.system": "runs a shell",
    "eval": "runs text as code",
    "exec": "runs text as code",
    "hash": "differs from process to process",
    "torch.manual_seed": "is a global seed",
    "torch.random.manual_seed": "is a global seed",
    "torch.cuda.manual_seed": "is a global seed",
    "torch.cuda.manual_seed_all": "is a global seed",
    "torch.seed": "is a global seed",
}
DRAWING = {"PCA", "KernelPCA", "TruncatedSVD", "UMAP", "MLPRegressor", "KMeans", "TSNE", "train_test_split"}  # or may
OWN_GENERATORS = {"default_rng", "Generator", "SeedSequence", "BitGenerator", "Philox", "PCG64", "PCG64DXSM"}


def by_path(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def exports() -> dict[str, str]:
    """The lazily imported public names of `hyperlib` and their modules."""
    return dict(hyperlib._MODULES)


def imported(tree: ast.Module, package: str) -> Iterator[tuple[int, str, str, str]]:
    """(line, full dotted name, name in this file, what that name means) of every import, at any depth."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                yield node.lineno, alias.name, alias.asname or top, alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                dotted = f"{source}.{alias.name}"
                yield node.lineno, dotted, alias.asname or alias.name, dotted


def folder_of(dotted: str) -> str | None:
    """The library's folder that a dotted name leads to; public names of `hyperlib` lead to their module's."""
    parts = dotted.split(".")
    if parts[0] != "hyperlib" or len(parts) < 2:
        return None
    target = exports().get(parts[1], dotted).split(".")[1]
    return target if target in FOLDERS else None


def wrong_way(source: str, module: str, is_package: bool = False) -> list[str]:
    """Imports, also by name in a string, that point right."""
    tree, package = ast.parse(source), module if is_package else module.rpartition(".")[0]
    here = module.split(".")[1] if module.count(".") else None
    if here not in FOLDERS:
        return []
    names = [(line, dotted) for line, dotted, *_ in imported(tree, package)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and re.fullmatch(r"hyperlib(\.\w+)+", str(node.value)):
            names.append((node.lineno, node.value))
    right = FOLDERS[FOLDERS.index(here) + 1 :]
    return [f"{module}:{line} imports {dotted}" for line, dotted in names if folder_of(dotted) in right]


def imports_among(sources: dict[str, str]) -> dict[str, set[str]]:
    """For each module the other modules that it imports, at any depth, also for type checkers."""
    found = {}
    for module, source in sources.items():
        package = module if f"{module}.__init__" in sources else module.rpartition(".")[0]
        names = {dotted for _, dotted, *_ in imported(ast.parse(source), package)}
        names |= {dotted.rpartition(".")[0] for dotted in names}
        names |= {exports()[name.split(".")[1]] for name in names if name.count(".") == 1 and name[9:] in exports()}
        found[module] = names & sources.keys() - {module}
    return found


def circles(imports: dict[str, set[str]]) -> list[str]:
    """Modules that lead back to themselves, however long the way."""
    behind = {module: set(names) for module, names in imports.items()}
    while True:
        wider = {module: names.union(*(behind[name] for name in names)) for module, names in behind.items()}
        if wider == behind:
            return sorted(module for module, names in behind.items() if module in names)
        behind = wider


def dotted_name(node: ast.expr, names: dict[str, str]) -> str | None:
    """`np.random.seed` as `numpy.random.seed`, `?` for what was not imported; None for what is no name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        owner = node.value
        known = not isinstance(owner, ast.Name) or owner.id in names
        return f"{(dotted_name(owner, names) if known else None) or '?'}.{node.attr}"
    return None


def forbidden(source: str) -> list[str]:
    """Calls and imports that a library reading strangers' files, and seeded by argument, does without."""
    tree = ast.parse(source)
    found, names = [], {}
    for line, dotted, name, meaning in imported(tree, ""):
        names[name] = meaning
        if dotted.split(".")[0] in UNPICKLING:
            found.append(f"line {line}: {dotted} unpickles")
    given = {ast.unparse(t): n.value for n in ast.walk(tree) if isinstance(n, ast.Assign) for t in n.targets}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (called := dotted_name(node.func, names)):
            keywords = {word.arg: getattr(word.value, "value", ...) for word in node.keywords}
            reason = reason_against(called, keywords, node, given)
            if reason:
                found.append(f"line {node.lineno}: {called} {reason}")
    return found


def reason_against(called: str, keywords: dict, call: ast.Call, given: dict[str, ast.expr]) -> str | None:
    """Why this call is forbidden, if it is; `given` says what names of the file were assigned."""
    owner, _, last = called.rpartition(".")
    if called == "torch.load" and keywords.get("weights_only") is not True:
        return "without weights_only=True unpickles"
    if called in ("numpy.load", "numpy.lib.format.read_array") and (
        keywords.get("allow_pickle", False) is not False or None in keywords or len(call.args) > 2
    ):
        return "with allow_pickle unpickles"
    loaders = [ast.unparse(part) for part in [*call.args[1:], *(k.value for k in call.keywords)]]
    loaders = [ast.unparse(given[name]) if name in given else name for name in loaders]
    if called == "yaml.load" and not any("SafeLoader" in loader for loader in loaders):
        return "without SafeLoader runs code in the file"
    exact = keywords.get("svd_solver") in ("full", "covariance_eigh")
    told = exact or "random_state" in keywords
    if owner.partition(".")[0] in ("sklearn", "umap") and last in DRAWING and not told:
        return "draws from a global generator, or may; say random_state"
    if owner == "numpy.random" and last not in OWN_GENERATORS:
        return "draws from a global generator"
    if owner == "random" and last not in ("Random", "SystemRandom"):
        return "draws from a global generator"
    if keywords.get("shell") is True and owner == "subprocess":
        return "runs a shell"
    if last == "to_pickle" or (last == "read_pickle" and owner):
        return "pickles"
    return UNSAFE_CALLS.get(called)


def undocumented(source: str) -> list[str]:
    """The module itself, its public functions and its public classes, where a docstring is missing."""
    tree = ast.parse(source)
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    public = [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]
    missing = [f"line {node.lineno}: {node.name}" for node in public if not ast.get_docstring(node)]
    return missing if ast.get_docstring(tree) or not tree.body else ["the module itself", *missing]


# ---------------------------------------------------------------- the library keeps the rules


def test_the_library_is_found():
    inside = [path.relative_to(ROOT / "hyperlib").parts for path in FILES]
    assert {parts[0] for parts in inside if len(parts) > 1} == set(FOLDERS)
    nested = {("zoos", "engines"), ("zoos", "engines", "kernels"), ("zoos", "engines", "cuda"), ("zoos", "formats")}
    nested |= {("weightspace", "units"), ("weightspace", "bridge"), ("press", "pages")}
    assert {parts[:-1] for parts in inside if len(parts) > 2} == nested
    assert len(FILES) > 20 and "Zoo" in exports()


@pytest.mark.parametrize("path", FILES, ids=by_path)
def test_imports_point_left_only(path):
    source = path.read_text(encoding="utf-8")
    assert wrong_way(source, module_of(path), path.name == "__init__.py") == []


def test_no_file_leads_back_to_itself():
    sources = {module_of(path): path.read_text(encoding="utf-8") for path in FILES if path.name != "__init__.py"}
    assert circles(imports_among(sources)) == []


@pytest.mark.parametrize("room", FOLDERS)
def test_a_room_says_what_it_is_and_what_it_never_does(room):
    said = ast.get_docstring(ast.parse((ROOT / "hyperlib" / room / "__init__.py").read_text(encoding="utf-8")))
    assert said and "Never" in said.splitlines()[-1]


def test_the_architecture_page_has_the_order_of_the_rooms():
    assert ORDER.replace(" ", " <- ") in (ROOT / "book" / "architecture.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [path for path in FILES if "press" not in path.parts], ids=by_path)
def test_what_makes_a_page_stale_can_be_read_off_its_imports(path):
    """Nothing is imported by a name that only a run knows: else every page would hang on every file."""
    named = _named(ast.parse(path.read_text(encoding="utf-8")), "hyperlib", module_of(path))
    assert "hyperlib" not in named or path == ROOT / "hyperlib" / "__init__.py"


@pytest.mark.parametrize("path", FILES, ids=by_path)
def test_nothing_is_unpickled_evaluated_or_seeded_globally(path):
    assert forbidden(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.py")), ids=by_path)
def test_no_estimator_of_a_page_draws_without_a_seed(path):
    """Pages may do what the library may not, such as play a stranger who seeds all of PyTorch."""
    assert [fault for fault in forbidden(path.read_text(encoding="utf-8")) if "random_state" in fault] == []


@pytest.mark.parametrize("path", FILES, ids=by_path)
def test_public_functions_and_classes_have_docstrings(path):
    assert undocumented(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", FILES, ids=by_path)
def test_files_stay_small(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_no_module_is_named_after_nothing():
    vague = {"utils", "util", "helpers", "helper", "misc", "common"}
    assert [by_path(path) for path in FILES if {path.stem, path.parent.name} & vague] == []


@pytest.mark.parametrize("name", exports())
def test_every_public_name_stands_in_the_module_it_is_said_to_be_in(name):
    path = ROOT.joinpath(*exports()[name].split(".")).with_suffix(".py")
    defined = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", node)]
        defined |= {getattr(target, "id", getattr(target, "name", None)) for target in targets}
    assert name in defined


def test_importing_hyperlib_loads_neither_torch_nor_numba():
    heavy = "{'torch', 'numba', 'numpy', 'pandas', 'sklearn', 'matplotlib', 'umap'}"
    code = f"import sys, hyperlib; dir(hyperlib); print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_no_page_sends_readers_to_a_strangers_package():
    pages = [*ROOT.glob("README.md"), *FILES]
    pages += [p for folder in ("book", "notebooks") for p in (ROOT / folder).rglob("*") if p.suffix in (".md", ".py")]
    wrong = re.compile(r"pip3? install (\S+ )*hyperlib(?!-thesis-companion)\b")
    assert [by_path(page) for page in pages if wrong.search(page.read_text(encoding="utf-8"))] == []


# ---------------------------------------------------------------- and the rules find what breaks them


@pytest.mark.parametrize(
    ("sources", "found"),
    [
        ({"lib.a": "from lib.b import f", "lib.b": "def g():\n    from lib.a import h"}, ["lib.a", "lib.b"]),
        ({"lib.a": "import lib.b", "lib.b": "from lib import c", "lib.c": "import lib.a"}, ["lib.a", "lib.b", "lib.c"]),
        ({"lib.a": "import lib.b", "lib.b": "import lib.c", "lib.c": ""}, []),
    ],
)
def test_a_circle_is_found(sources, found):
    assert circles(imports_among(sources)) == found



@pytest.mark.parametrize(
    "source",
    [
        "from hyperlib.store.store import Store",
        "import hyperlib.tasks",
        "from hyperlib import study",
        "from hyperlib import Study",
        "from ..tasks import probing",
        "from .. import tasks",
        "def f():\n    from hyperlib.representations import maps",
        "import importlib\nimportlib.import_module('hyperlib.study.study')",
    ],
)
def test_an_import_that_points_right_is_found(source):
    assert len(wrong_way(source, "hyperlib.zoos.zoo")) == 1


@pytest.mark.parametrize(
    "source",
    ["from hyperlib.weightspace.layout import Layout", "from . import zoo", "from hyperlib import Layout"],
)
def test_an_import_that_points_left_is_allowed(source):
    assert wrong_way(source, "hyperlib.zoos.zoo") == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "import torch\ntorch.load(path)",
        "import torch\ntorch.load(path, weights_only=False)",
        "from torch import load\nload(path)",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "import numpy as np\nnp.load(path, None, True)",
        "import numpy as np\nnp.load(path, **options)",
        "import pandas as pd\npd.read_pickle(path)",
        "table.to_pickle(path)",
        "import yaml\nyaml.load(text)",
        "import yaml\nyaml.load(text, yaml.UnsafeLoader)",
        "import yaml\nyaml.load(text, Loader=loader)",
        "eval(text)",
        "exec(text)",
        "seed = hash(name)",
        "import numpy as np\nnp.random.seed(0)",
        "import numpy as np\nnp.random.rand(3)",
        "from numpy.random import normal\nnormal()",
        "from numpy import random\nrandom.shuffle(x)",
        "import random\nrandom.shuffle(x)",
        "from random import random\nrandom()",
        "import numpy.random\nnumpy.random.seed(0)",
        "import torch\ntorch.manual_seed(0)",
        "import torch as t\nt.cuda.manual_seed_all(0)",
        "import subprocess\nsubprocess.run(text, shell=True)",
        "import os\nos.system(text)",
        "from sklearn.decomposition import PCA\nPCA(2).fit(x)",
        "from sklearn.decomposition import PCA\nPCA(2, svd_solver='auto').fit(x)",
        "import umap\numap.UMAP(n_components=2)",
    ],
)
def test_a_forbidden_call_is_found(source):
    assert len(forbidden(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.load(path, weights_only=True)",
        "import numpy as np\nnp.load(path, allow_pickle=False, mmap_mode='r')",
        "import numpy as np\nnp.random.default_rng(3).normal()",
        "import numpy as np\nnp.random.Generator(np.random.Philox(key=3))",
        "import random\nrandom.Random(3)",
        "import torch\ntorch.Generator().manual_seed(3)",
        "import yaml\nyaml.safe_load(text)",
        "import yaml\nyaml.load(text, Loader=yaml.SafeLoader)",
        "import yaml\nloader = yaml.CSafeLoader\nyaml.load(text, Loader=loader)",
        "network.eval()",
        "def draw(random):\n    return random.permutation(3)",
        "hyper.hash(x)",
        "import hashlib\nhashlib.sha256(text)",
        "import subprocess\nsubprocess.run(['git'])",
        "from sklearn.decomposition import PCA\nPCA(2, svd_solver='full').fit(x)",
        "from sklearn.decomposition import PCA\nPCA(2, random_state=3).fit(x)",
    ],
)
def test_an_honest_call_is_allowed(source):
    assert forbidden(source) == []


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ('"""Doc."""\ndef f(): ...', 1),
        ('"""Doc."""\nclass A: ...', 1),
        ("def _f(): ...", 1),
        ('"""Doc."""\ndef f():\n    """Doc."""\ndef _g(): ...', 0),
        ("", 0),
    ],
)
def test_a_missing_docstring_is_found(source, missing):
    assert len(undocumented(source)) == missing
