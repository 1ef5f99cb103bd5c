"""Which code made a result: a hash over the syntax trees of a module and of what it imports.

A stored zoo or an executed page is stale when the code that makes it has changed, and only then. So we hash
what Python would compile, without comments, docstrings and positions: mending a typo in a comment retrains
nothing. The walk over imports is static and never runs the code. It does not enter `hyperlib.study` from
outside: that folder imports everything, and it orders experiments without taking part in them.

Empty fields of the trees are left out, so Python 3.11, 3.12 and 3.13 give the same hash for the same code.
"""

from __future__ import annotations

import ast
import hashlib
import platform
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

STUDY = "hyperlib.study"
EXPORTS = "_EXPORTS"  # a package's table of lazily imported names: {"Zoo": "hyperlib.zoos.zoo"}
PACKAGES = ("torch", "numpy", "numba", "pandas", "scikit-learn", "matplotlib", "papermill")
SOURCES = Path(__file__).resolve().parents[2]


def code_fingerprint(module: str, exclude: Iterable[str] = (), sources: Path = SOURCES) -> str:
    """SHA-256 (64 hexadecimal digits) of a module's code and of all it imports from its own package.

    `module` is a dotted name, such as "hyperlib.zoos.population"; modules and folders named in `exclude` are
    not entered. `sources` is the folder that holds the top-level package.

    Raises ModuleNotFoundError if there is no such module, SyntaxError if one of them does not parse.
    """
    digest = hashlib.sha256()
    for name in modules_behind(module, exclude, sources):
        digest.update(f"{name} {_code_hash(module_file(name, sources))}\n".encode())
    return digest.hexdigest()


def modules_behind(module: str, exclude: Iterable[str] = (), sources: Path = SOURCES) -> list[str]:
    """Sorted names of the module and of every module that it imports, directly or not."""
    if module_file(module, sources) is None:
        raise ModuleNotFoundError(f"There is no module {module} below {sources}; was it renamed?")
    barred = {*exclude} if _inside(module, STUDY) else {*exclude, STUDY}
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found and not any(_inside(name, folder) for folder in barred):
            found.add(name)
            waiting.extend(_imports(name, sources))
    return sorted(found)


def package_fingerprint(package: str = "hyperlib", exclude: Iterable[str] = (), sources: Path = SOURCES) -> str:
    """SHA-256 of every module of a package, imported or not, but for those in `exclude`."""
    folder = sources / package.replace(".", "/")
    barred = tuple(exclude)
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        name = ".".join(file.relative_to(sources).with_suffix("").parts).removesuffix(".__init__")
        if not any(_inside(name, other) for other in barred):
            digest.update(f"{name} {_code_hash(file)}\n".encode())
    return digest.hexdigest()


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Versions of Python and of the packages that numbers can depend on; "absent" for one not installed."""
    return {"python": platform.python_version(), **{name: _version(name) for name in packages}}


def module_file(module: str, sources: Path = SOURCES) -> Path | None:
    """The file of a dotted module name, or None where no such module exists."""
    place = sources.joinpath(*module.split("."))
    for file in (place / "__init__.py", place.with_name(place.name + ".py")):
        if file.is_file():
            return file
    return None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _inside(module: str, folder: str) -> bool:
    return module == folder or module.startswith(folder + ".")


def _imports(module: str, sources: Path) -> Iterator[str]:
    """Modules of the same top-level package that this one imports, anywhere in its code."""
    top = module.split(".")[0]
    for target, name in _import_statements(module, sources):
        if target.split(".")[0] != top:
            continue
        yield from _packages_run(target, sources)
        if name is None or name == "*":
            yield target
            yield from _exports(target, sources).values()
        elif module_file(f"{target}.{name}", sources):
            yield f"{target}.{name}"
        else:
            yield _exports(target, sources).get(name, target)
    yield from _packages_run(module, sources)


def _import_statements(module: str, sources: Path) -> Iterator[tuple[str, str | None]]:
    """(module, name) for `from module import name`, (module, None) for `import module`; always absolute."""
    file = module_file(module, sources)
    if file is None:
        return
    package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            target = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((target, alias.name) for alias in node.names)


def _packages_run(module: str, sources: Path) -> Iterator[str]:
    """Packages above a module: Python runs each `__init__`. One with lazy names only says where they are."""
    parts = module.split(".")
    for depth in range(1, len(parts)):
        package = ".".join(parts[:depth])
        if not _exports(package, sources):
            yield package


def _exports(module: str, sources: Path) -> dict[str, str]:
    """A package's lazy names and the modules that hold them; empty if it has none."""
    file = module_file(module, sources)
    if file is None or file.name != "__init__.py":
        return {}
    for node in _tree(file).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == EXPORTS for target in targets):
            return dict(ast.literal_eval(node.value))  # type: ignore[union-attr]
    return {}


def _tree(file: Path) -> ast.Module:
    state = file.stat()
    return _parsed(file, state.st_mtime_ns, state.st_size)[0]


def _code_hash(file: Path | None) -> str:
    if file is None:
        return "absent"
    state = file.stat()
    return _parsed(file, state.st_mtime_ns, state.st_size)[1]


@lru_cache(maxsize=1024)
def _parsed(file: Path, modified: int, size: int) -> tuple[ast.Module, str]:
    """Syntax tree and hash of one file, read again only after it changed."""
    tree = ast.parse(file.read_bytes(), filename=str(file))
    return tree, hashlib.sha256(_dump(tree).encode()).hexdigest()


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
