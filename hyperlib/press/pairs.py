"""Each chapter is a pair: `NN_topic.py`, the source, and `NN_topic.ipynb`, made from it and without outputs.

Edit the `.py`; `make sync` (or `python -m hyperlib.press.pairs`) writes the notebook that Jupyter, Colab and
Binder open, and `--check` only compares. The notebook is a function of its source, cell ids included, so a
change of one cell is a change of one cell in the commit. Time stamps play no part: they can undo an edit. One cell of
the source is written, too: the one for Colab, which has the address of the repository.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from hyperlib.files import paths
from hyperlib.files.ending import command
from hyperlib.files.writing import write_whole
from hyperlib.press import kernel
from hyperlib.press.colab import address_of, with_address

METADATA = {**kernel.METADATA, "language_info": {"name": "python"}, "jupytext": {"formats": "ipynb,py:percent"}}


def paired_text(source: Path) -> str:
    """The text of the notebook that belongs to a source."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    _name_cells(notebook)
    return nbformat.writes(notebook) + "\n"


def outdated(folder: Path) -> list[Path]:
    """Sources whose notebook is missing or differs or that have another address, and notebooks without a source."""
    sources = sorted(folder.glob("*.py"))
    differ = [
        source
        for source in sources
        if _text(source.with_suffix(".ipynb")) != paired_text(source) or _text(source) != _addressed(source)
    ]
    lone = [file for file in sorted(folder.glob("*.ipynb")) if file.with_suffix(".py") not in sources]
    return differ + lone


def synchronise(folder: Path) -> list[Path]:
    """Write the notebooks that differ from their sources; which ones. Notebooks without a source stay."""
    written = [file for file in outdated(folder) if file.suffix == ".py"]
    for source in written:
        if (text := _addressed(source)) != _text(source):
            write_whole(source, text)
        write_whole(source.with_suffix(".ipynb"), paired_text(source))
    return written


def _addressed(source: Path) -> str:
    """A source with the address that the configuration of its clone has, if there is one."""
    text, root = source.read_text(encoding="utf-8"), source.parents[1]
    return with_address(text, address_of(root)) if (root / "_config.yml").is_file() else text


def _name_cells(notebook: NotebookNode) -> None:
    """Give each cell an id from its text, with a number where two cells are alike."""
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        name = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
        seen[name] = seen.get(name, 0) + 1
        cell["id"] = name if seen[name] == 1 else f"{name}-{seen[name]}"


def _text(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.is_file() else None


@command
def main(arguments: list[str] | None = None, folder: Path | None = None) -> int:
    """Write, or with `--check` only compare, the notebooks of all sources; 0 if they agree in the end."""
    parser = argparse.ArgumentParser("python -m hyperlib.press.pairs", description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say which pairs differ")
    folder = folder or paths.root() / "notebooks"
    if not parser.parse_args(arguments).check:
        for source in synchronise(folder):
            print(f"wrote {source.with_suffix('.ipynb').name}")
    left = outdated(folder)
    for file in left:
        what = "differs from its notebook; run `make sync`."
        if file.suffix == ".ipynb":
            command = f".venv/bin/python -m jupytext --to py:percent {file.parent.name}/{file.name}"
            what = f"has no .py source; make it with `{command}`, or delete it."
        print(f"{file.name} {what}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
