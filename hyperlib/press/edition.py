"""An edition: the chapters of the book at one profile, and which of their executions still hold.

A chapter is a notebook of `_toc.yml`; its `.py` file is the source. Its execution lies in
`_build/executed/<profile>/notebooks/`, with a JSON file beside it that says what went in (see
`staleness`) and what came out (seconds, results with checksums). An execution holds as long as all of that is
unchanged. Prose is not part of it: `shown` puts old outputs under new
sentences.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import yaml
from nbformat import NotebookNode

from hyperlib.files import paths
from hyperlib.files.inventory import text_checksum
from hyperlib.files.reading import read_json
from hyperlib.press.colab import COLAB
from hyperlib.press.kernel import METADATA
from hyperlib.press.staleness import Facts, Ingredients, ingredients, what_changed
from hyperlib.thesis.profiles import check_profile

# Chapters start in threads, and Python 3.11 counts the depth of syntax trees for all threads together: where a garbage
# collection lets another one in, `ast.parse` can end in a SystemError (CPython's issue 106905, mended since).
_PARSING = threading.Lock()


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
                short = [one.name.rsplit("/", 1)[-1] for one in chapters]
                raise ValueError(_no_chapter(name, short))
        return [known[name] for name in names] if names else chapters


def _no_chapter(name: str, there: list[str]) -> str:
    """That there is no such chapter, and which may be meant: those that begin so, else the likest, else all."""
    word = name.rsplit("/", 1)[-1]
    meant = [one for one in there if word and one.startswith(word)] or difflib.get_close_matches(word, there, n=1)
    if meant:
        return f"There is no chapter {name!r}; did you mean {' or '.join(meant)}?"
    return f"There is no chapter {name!r} in _toc.yml; there are {', '.join(there)}."


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
        notebook.metadata = nbformat.from_dict(METADATA)
        notebook.nbformat, notebook.nbformat_minor = 4, 5
        for place, cell in enumerate(notebook.cells):
            cell["id"] = f"cell-{place}"
        return notebook

    def ingredients(self) -> Ingredients:
        """All that the execution depends on, besides the files that it notes to have read (see `staleness`)."""
        with _PARSING:
            cells = [cell.source for cell in _code(self.notebook()) if COLAB not in cell.metadata.get("tags", [])]
            return ingredients(cells, {"profile": self.edition.profile})

    def last_execution(self) -> Facts | None:
        """What is written down of the last whole execution; None if there is none that can be read."""
        try:
            return read_json(self.sidecar, Facts)
        except (OSError, ValueError):
            return None

    def staleness(self) -> str | None:
        """Why this chapter must be executed (again), in a few words; None if its execution holds."""
        facts = self.last_execution()
        if facts is None or not self.executed.is_file():
            return "not executed yet"
        if facts.notebook != text_checksum(self.executed):
            return "its executed notebook is damaged"
        return what_changed(facts, self.ingredients(), self.edition.results, self.edition.root)

    def shown(self) -> NotebookNode:
        """The source with the outputs of its execution, as the page shows it.

        The cell of parameters shows the values that were used. Code cells are matched by their order; an execution of
        other code gives no outputs at all, which `fits` tells.
        """
        notebook, (injected, run) = self.notebook(), self._ran()
        if _same_code(notebook, run):
            for cell, executed in zip(_code(notebook), run, strict=True):
                cell.outputs, cell.execution_count = executed.outputs, executed.execution_count
        for cell in _code(notebook):
            if injected and "parameters" in cell.metadata.get("tags", []):
                cell.source = injected[0].source.split("\n", 1)[1].strip()
        return notebook

    def fits(self) -> bool:
        """Whether the executed notebook has the code cells of the source, so that its outputs can be shown."""
        return _same_code(self.notebook(), self._ran()[1])

    def _ran(self) -> tuple[list[NotebookNode], list[NotebookNode]]:
        """Executed code cells: those that papermill added, and the chapter's own."""
        facts = self.last_execution()
        whole = facts is not None and facts.notebook == text_checksum(self.executed)  # else anything can stand there
        ran = nbformat.read(self.executed, as_version=4) if whole else NotebookNode(cells=[])
        return tuple([cell for cell in _code(ran) if is_injected(cell) is added] for added in (True, False))


def is_injected(cell: NotebookNode) -> bool:
    """Whether papermill added this cell, for the parameters that it was given: its tag says so."""
    return "injected-parameters" in cell.metadata.get("tags", [])


def _code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _same_code(notebook: NotebookNode, run: list[NotebookNode]) -> bool:
    """Whether all cells but Colab's agree, which does nothing in a run and names where a fork is published."""
    own = _code(notebook)
    return len(own) == len(run) and all(
        one.source == other.source or COLAB in one.metadata.get("tags", []) for one, other in zip(own, run, strict=True)
    )


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

