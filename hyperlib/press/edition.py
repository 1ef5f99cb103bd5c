"""An edition: the chapters of the book at one profile, and which of their executions still hold.

A chapter is a notebook of `_toc.yml`; its `.py` file is the source. Its execution lies in
`_build/executed/<profile>/notebooks/`, with a JSON file beside it that says what went in (code cells,
parameters, library, thesis data, versions) and what came out (seconds, results with checksums). An execution
holds as long as all of that is unchanged. Prose is not part of it: `shown` puts old outputs under new
sentences.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import yaml
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from hyperlib.files import paths
from hyperlib.store.fingerprint import reached, versions
from hyperlib.study.parameters import is_injected
from hyperlib.thesis.profiles import check_profile

# Chapters start in threads, and Python 3.11 counts the depth of syntax trees for all threads together: where a garbage
# collection lets another one in, `ast.parse` can end in a SystemError (CPython's issue 106905, mended since).
_PARSING = threading.Lock()
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}


@dataclass(frozen=True)
class Edition:
    """The book in `root` at one profile; ValueError for an unknown profile."""

    root: Path
    profile: str

    def __post_init__(self) -> None:
        check_profile(self.profile)

    @property
    def executed(self) -> Path:
        return self.root / "_build" / "executed" / self.profile

    @property
    def results(self) -> Path:
        return paths.results_folder(self.profile, self.root)

    def chapters(self) -> list[Chapter]:
        """Notebooks of the table of contents, in its order."""
        toc = yaml.safe_load((self.root / "_toc.yml").read_text(encoding="utf-8"))
        return [Chapter(self, name) for name in _files(toc) if _is_notebook(self.root, name)]

    def chosen(self, names: Iterable[str] = ()) -> list[Chapter]:
        """The chapters of these names ("notebooks/03_model_zoos", or the last part alone); all, without names.

        Raises ValueError for a name that is no chapter.
        """
        names, chapters = list(names), self.chapters()
        known = {word: one for one in chapters for word in (one.name, one.name.rsplit("/", 1)[-1])}
        for name in names:
            if name not in known:
                raise ValueError(f"_toc.yml has no chapter {name!r}; it has {', '.join(c.name for c in chapters)}.")
        return [known[name] for name in names] if names else chapters


@dataclass(frozen=True)
class Chapter:
    """One notebook; `name` is its path in the clone without suffix, and its document name on the site."""

    edition: Edition
    name: str

    @property
    def source(self) -> Path:
        return self.edition.root / f"{self.name}.py"

    @property
    def executed(self) -> Path:
        return self.edition.executed / f"{self.name}.ipynb"

    @property
    def failed(self) -> Path:
        return self.executed.with_suffix(".failed.ipynb")

    @property
    def sidecar(self) -> Path:
        return self.executed.with_suffix(".json")

    def notebook(self) -> NotebookNode:
        """The source as a notebook without outputs, its cell ids fixed by their place."""
        notebook = jupytext.read(self.source, fmt="py:percent")
        notebook.metadata = nbformat.from_dict(KERNEL)
        notebook.nbformat, notebook.nbformat_minor = 4, 5
        for place, cell in enumerate(notebook.cells):
            cell["id"] = f"cell-{place}"
        return notebook

    def ingredients(self) -> dict[str, Any]:
        """All that the execution depends on, besides the files that it notes to have read.

        `library` has every file of hyperlib that the code cells can reach, with a hash of each; none for cells that do
        not parse, which will not run either.
        """
        with _PARSING:
            code = [cell.source for cell in self.notebook().cells if cell.cell_type == "code"]
            try:
                library = reached(python_of(code))
            except SyntaxError:
                library = {}
        return {
            "code": _sha256(json.dumps(code).encode()),
            "parameters": {"profile": self.edition.profile},
            "library": library,
            "versions": versions(),
        }

    def last_execution(self) -> dict[str, Any]:
        """The JSON file of the last whole execution; empty if there is none that can be read."""
        try:
            facts = json.loads(self.sidecar.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return facts if isinstance(facts, dict) else {}

    def staleness(self) -> str | None:
        """Why this chapter must be executed (again), in a few words; None if its execution holds."""
        facts = self.last_execution()
        if not facts or not self.executed.is_file():
            return "not executed yet"
        if facts.get("notebook") != file_hash(self.executed):
            return "its executed notebook is damaged"
        then, now = facts.get("ingredients", {}), self.ingredients()
        for part, reason in _REASONS.items():
            if then.get(part) != now[part]:
                return reason
        for part, named in _NAMED.items():
            if moved := _moved(then.get(part), now[part]):
                return f"{_few([named(one) for one in moved])} changed"
        for result in facts.get("results", []):
            if file_hash(self.edition.results / result["path"]) != result["sha256"]:
                return f"its result {result['path']} is missing or was changed"
        for source in facts.get("sources", []):
            if file_hash(self.edition.root / source["path"]) != source["sha256"]:
                return f"{source['path']}, which it reads, changed"
        return None

    def shown(self) -> NotebookNode:
        """The source with the outputs of its execution, as the page shows it.

        The cell of parameters shows the values that were used. Code cells are matched by their order, which
        the ingredients guarantee; an execution of other code gives no outputs at all.
        """
        notebook = self.notebook()
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        ran = nbformat.read(self.executed, as_version=4) if self.executed.is_file() else NotebookNode(cells=[])
        run = [cell for cell in ran.cells if cell.cell_type == "code"]
        injected = [cell for cell in run if is_injected(cell.source)]
        run = [cell for cell in run if cell not in injected]
        if [cell.source for cell in cells] == [cell.source for cell in run]:
            for cell, executed in zip(cells, run, strict=True):
                cell.outputs, cell.execution_count = executed.outputs, executed.execution_count
        for cell in cells:
            if injected and "parameters" in cell.metadata.get("tags", []):
                cell.source = injected[0].source.split("\n", 1)[1].strip()
        return notebook


_REASONS = {"code": "its code cells changed", "parameters": "its parameters changed"}
_NAMED = {  # parts of which one can say what it was
    "library": str,
    "versions": lambda package: f"the version of {package}",
}


def python_of(cells: Iterable[str]) -> str:
    """Code cells as one text of Python, magics written out as the calls that they are."""
    transformer = TransformerManager()
    return "\n".join(transformer.transform_cell(cell) for cell in cells)


def _moved(then: object, now: dict[str, str]) -> list[str]:
    """Names of which one side has another value, or none."""
    then = then if isinstance(then, dict) else {}
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))


def _few(names: list[str], most: int = 3) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def file_hash(file: Path) -> str | None:
    """SHA-256 of a file, None if it is not there."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def _files(entry: Any) -> list[str]:
    """All `root` and `file` values of a table of contents, in reading order."""
    if isinstance(entry, list):
        return [name for item in entry for name in _files(item)]
    if not isinstance(entry, dict):
        return []
    own = [str(entry[word]).removesuffix(".ipynb") for word in ("root", "file") if word in entry]
    return own + [name for value in entry.values() for name in _files(value)]


def _is_notebook(root: Path, name: str) -> bool:
    source, notebook = root / f"{name}.py", root / f"{name}.ipynb"
    if notebook.is_file() and not source.is_file():
        raise FileNotFoundError(
            f"{name} of _toc.yml has a notebook but not its source {name}.py; make the source with "
            f"`jupytext --to py:percent {name}.ipynb`."
        )
    return source.is_file()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
