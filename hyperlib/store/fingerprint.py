"""Which code made a result: hashes over the syntax trees of some code and of all that it imports from here.

A stored zoo or an executed page is stale when code that it can reach has changed, and only then. So we hash what Python
would compile, without comments, docstrings and positions: mending a typo in a comment retrains nothing. The walk over
imports is static and never runs the code. A lazy name leads to the module that holds it, and to nothing else. What
cannot be followed (a package handed on as a whole, an import by a name that is only known when it runs) counts as all
that could be meant.

Empty fields of the trees are left out, so Python 3.11, 3.12 and 3.13 give the same hash for the same code.
"""

from __future__ import annotations

import ast
import hashlib
import os
import platform
import re
import threading
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

EXPORTS = "_EXPORTS"  # a package's table of names that it loads when asked: {"zoos.zoo": "Samples Zoo"}
SOURCES = Path(__file__).resolve().parents[2]
UNFORESEEN = {"importlib", "runpy", "pkgutil", "builtins", "__import__", "exec", "eval", "get_ipython"}  # run anything
NEUTRAL = "hyperlib.files"  # how a file is written and read moves no number
_PARSING = threading.Lock()


def code_fingerprint(module: str, sources: Path = SOURCES) -> str:
    """SHA-256 (64 hexadecimal digits) of a module's code and of all it imports from its own package.

    `module` is a dotted name, such as "hyperlib.zoos.population"; `sources` is the folder of the top-level package.

    Raises ModuleNotFoundError if there is no such module, SyntaxError if one of them does not parse.
    """
    files = module_files(module.split(".")[0], sources)
    lines = [f"{name} {_source(name, files).hash}\n" for name in modules_behind([module], files)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def reached(code: str, package: str = "hyperlib", sources: Path = SOURCES) -> dict[str, str]:
    """Every file of the package that this code can reach, with the SHA-256 of the file's own code.

    Raises SyntaxError if the code, or a module behind it, does not parse.
    """
    files = module_files(package, sources)
    named = [module for dotted in _named(_tree(code), package) for module in _meant(dotted, files)]
    modules = modules_behind(named, files)
    return {files[name].relative_to(sources).as_posix(): _source(name, files).hash for name in modules}


def module_files(package: str = "hyperlib", sources: Path = SOURCES) -> dict[str, Path]:
    """Every module of a package, by its dotted name, with its file."""
    found = {}
    for folder, _, names in os.walk(sources / package):
        inside = os.path.relpath(folder, sources).replace(os.sep, ".")
        for name in sorted(names):
            if name.endswith(".py"):
                found[f"{inside}.{name[:-3]}".removesuffix(".__init__")] = Path(folder, name)
    return found


def modules_behind(modules: Iterable[str], files: dict[str, Path]) -> list[str]:
    """Sorted names of these modules and of every one that they import, directly or not, among these `files`."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found and not f"{name}.".startswith(f"{NEUTRAL}."):
            found.add(name)
            waiting += [module for dotted in _source(name, files).named for module in _meant(dotted, files)]
            waiting += _packages_run(name, files)
    return sorted(found)


def versions(packages: Iterable[str] | None = None) -> dict[str, str]:
    """Versions of Python and of these packages, without them of all that the book is made with; "absent" if missing."""
    names = book_packages() if packages is None else packages
    return {"python": platform.python_version(), **{name: _version(name) for name in names}}


@cache
def book_packages(project: Path = SOURCES / "pyproject.toml") -> tuple[str, ...]:
    """Every package that `pyproject.toml` names for the library and the book: each of them could move a number."""
    facts = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    wanted = [*facts["dependencies"], *facts["optional-dependencies"]["book"]]
    return tuple(re.match(r"[\w.-]+", line)[0] for line in wanted)  # type: ignore[index]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


@dataclass(frozen=True)
class _Source:
    """What one file of code is, and what it names."""

    hash: str
    named: tuple[str, ...]  # dotted names of its own package
    names: frozenset[str]  # that it gives itself
    lazy: dict[str, str]  # names that it loads when they are asked for, and their modules
    is_package: bool


def _source(module: str, files: dict[str, Path]) -> _Source:
    if module not in files:
        raise ModuleNotFoundError(f"There is no module {module} among these {len(files)} files; was it renamed?")
    state = files[module].stat()
    return _parsed(files[module], module, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1024)
def _parsed(file: Path, module: str, modified: int, size: int) -> _Source:
    """One file, read again only after it changed."""
    tree, is_package = _tree(file.read_bytes(), str(file)), file.name == "__init__.py"
    assigned = {ast.unparse(target): node.value for node in tree.body if isinstance(node, ast.Assign)
                for target in node.targets}  # fmt: skip
    table = ast.literal_eval(assigned[EXPORTS]) if is_package and EXPORTS in assigned else {}
    lazy = {name: f"{module}.{place}" for place, names in table.items() for name in names.split()}
    names = frozenset([*assigned, *(node.name for node in tree.body if hasattr(node, "name"))])
    named = _named(tree, module.split(".")[0], module if is_package else module.rpartition(".")[0])
    return _Source(hashlib.sha256(_dump(tree).encode()).hexdigest(), tuple(named), names, lazy, is_package)


def _tree(code: str | bytes, name: str = "<cell>") -> ast.Module:
    """A syntax tree; one at a time, since CPython counts the depth of those under construction for all threads."""
    with _PARSING:
        return ast.parse(code, filename=name)


def _named(tree: ast.AST, package: str, inside: str = "") -> list[str]:
    """Dotted names of the package that this code, itself `inside` a package, imports or uses anywhere in it."""
    nodes = list(_run(tree))
    found = [package] if any(_unforeseen(node) for node in nodes) else []
    bound = set()  # names that stand for the package itself
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == package or alias.name.startswith(f"{package}."):
                    found += [alias.name] if alias.name != package else []
                    bound |= {alias.asname or package} if alias.name == package or not alias.asname else set()
        elif isinstance(node, ast.Constant) and re.fullmatch(rf"{package}(\.\w+)+", str(node.value)):
            found.append(node.value)
        elif isinstance(node, ast.ImportFrom):
            above = inside.split(".")[: inside.count(".") + 2 - node.level] if node.level else []
            target = ".".join([*above, *([node.module] if node.module else [])])
            if target.split(".")[0] == package:
                found += [target if alias.name == "*" else f"{target}.{alias.name}" for alias in node.names]
    owners = {id(node.value): node for node in nodes if isinstance(node, ast.Attribute)}
    for node in nodes:
        if isinstance(node, ast.Name) and node.id in bound:
            words, at = [package], id(node)
            while at in owners:
                words.append(owners[at].attr)
                at = id(owners[at])
            found.append(".".join(words))
    return list(dict.fromkeys(found))


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker reads."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING":
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


def _unforeseen(node: ast.AST) -> bool:
    """Whether this can import what no syntax tells; `network.eval()` cannot."""
    if isinstance(node, ast.Attribute):
        return node.attr in ("import_module", "__import__")
    if isinstance(node, ast.ImportFrom) and node.module != "importlib.metadata":
        return (node.module or "").split(".")[0] in UNFORESEEN
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [getattr(node, "id", "")]
    return any(name.split(".")[0] in UNFORESEEN for name in names)


def _meant(dotted: str, files: dict[str, Path]) -> Iterator[str]:
    """Modules that a dotted name leads to.

    A lazy name leads to its own module, `lib.zoos.grow.sow` to `lib.zoos.grow`, and a package that is handed on as such
    to all that it holds.
    """
    at, *rest = dotted.split(".")
    while rest and f"{at}.{rest[0]}" in files:
        at, rest = f"{at}.{rest[0]}", rest[1:]
    source = _source(at, files)
    if rest and rest[0] in source.lazy:
        yield source.lazy[rest[0]]
    elif source.is_package and not (rest and rest[0] in source.names):
        yield from (module for module in files if f"{module}.".startswith(f"{at}."))
    else:
        yield at


def _packages_run(module: str, files: dict[str, Path]) -> Iterator[str]:
    """Packages above a module: Python runs each `__init__`. One with lazy names only says where they are."""
    parts = module.split(".")
    for depth in range(1, len(parts)):
        package = ".".join(parts[:depth])
        if package in files and not _source(package, files).lazy:
            yield package


def _dump(node: object) -> str:
    """A syntax tree as text: no docstrings, no positions, no empty fields."""
    if isinstance(node, ast.AST):
        fields = ((name, _dump(_without_docstring(node, name))) for name in node._fields)
        kept = ",".join(f"{name}={text}" for name, text in fields if text not in ("None", "[]"))
        return f"{type(node).__name__}({kept})"
    if isinstance(node, list):
        return "[" + ",".join(_dump(item) for item in node) + "]"
    return repr(node)


def _without_docstring(node: ast.AST, field: str) -> object:
    value = getattr(node, field, None)
    documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    if documented and field == "body" and ast.get_docstring(node, clean=False) is not None:
        return value[1:]
    return value
