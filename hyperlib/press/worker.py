"""One chapter, executed by papermill in a process of its own; the runner starts it.

The process prints one line of JSON for each cell it starts and one for how it ended, and nothing else, so
the runner can show progress. A chapter that takes its process down (memory, a signal) takes no other chapter
with it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

import papermill
from nbformat import NotebookNode
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from hyperlib.files.faults import FULL_DISK, disk_is_full
from hyperlib.press.edition import Chapter, Edition, is_injected
from hyperlib.press.kernel import foreign_library
from hyperlib.study.parameters import assigned_names

BEFORE = "before its first cell"  # in words a reader can search for
STARTS = 3  # of a kernel: of two that start at the same moment one can find its port taken, and dies


def run_chapter(chapter: Chapter, output: Path) -> dict[str, str]:
    """Execute a chapter's source into `output`; {} if it worked, else {"cell": where, "error": what}."""
    if fault := foreign_library(output.parent):
        return {"cell": BEFORE, "error": fault}
    notebook = chapter.notebook()
    parameters = {"profile": chapter.edition.profile}
    tagged = [cell.source for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if unknown := parameters.keys() - {name for source in tagged for name in assigned_names(source)}:
        return {
            "cell": "in its parameters",
            "error": f"no cell tagged `parameters` assigns {', '.join(unknown)}; give the tag to the one that does",
        }
    papermill_engines.register("told", ToldEngine)
    for attempt in range(STARTS):
        try:
            papermill.execute_notebook(
                notebook,
                _verbatim(output),
                parameters,
                engine_name="told",
                progress_bar=False,
                autosave_cell_every=0,
                cwd=output.parent,
            )
        except PapermillExecutionError as error:
            return {"cell": ToldEngine.place, "error": f"{error.ename}: {error.evalue}".strip()}
        except Exception as error:  # a dead kernel, a full disk: whatever it is, the runner must hear of it
            if isinstance(error, RuntimeError) and ToldEngine.place == BEFORE and attempt < STARTS - 1:
                continue
            return {"cell": ToldEngine.place, "error": _in_words(error, output.parent)}
        break
    return {}


class ToldEngine(NBClientEngine):
    """Papermill's usual engine, telling and remembering which cell it starts."""

    place = BEFORE

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
        cell_start, number = nb_man.cell_start, 0

        def told(cell: NotebookNode, cell_index: int | None = None, **more: Any) -> None:
            nonlocal number
            _tell({"cell": (cell_index or 0) + 1, "of": len(nb_man.nb.cells)})
            if cell.cell_type == "code" and not is_injected(cell):
                number += 1
                cls.place = f"in code cell {number}, `{_first_line(cell.source)}`"
            cell_start(cell, cell_index, **more)

        nb_man.cell_start = told
        return super().execute_managed_notebook(nb_man, kernel_name, **options)


def _verbatim(path: Path) -> str:
    """A path past papermill's templates, which read braces in it as names of parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _first_line(source: str) -> str:
    """The first line of code, past cell options and comments."""
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith("#")), lines[0] if lines else "")


def _in_words(error: Exception, folder: Path) -> str:
    if type(error).__name__ == "DeadKernelError":
        return "its Python process died; most often the machine had too little memory"
    if disk_is_full(error, folder):
        return FULL_DISK
    return f"{type(error).__name__}: {error}"


def end_with_the_runner() -> None:
    """End this process when its standard input closes, which it does however the runner ends.

    The kernel notices within a second that its parent is gone, and ends too.
    """

    def watch() -> None:
        while os.read(0, 1024):  # not sys.stdin: its lock would abort an orderly exit
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _tell(fact: dict[str, Any]) -> None:
    print(json.dumps(fact), flush=True)


def main(arguments: list[str]) -> int:
    """Execute one chapter: arguments are the clone, the chapter, the profile and the file to write."""
    root, name, profile, output = arguments
    end_with_the_runner()
    logging.getLogger("papermill").setLevel(logging.ERROR)
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")  # or jupyter_core warns about its old folders
    failure = run_chapter(Chapter(Edition(Path(root), profile), name), Path(output))
    _tell({"failed": failure} if failure else {"done": True})
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
