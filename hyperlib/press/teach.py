"""Notebooks for a class: `python -m hyperlib.press.teach` (or `make teach`) writes two of every page with exercises.

A student's has the page's text as plain Markdown, a stub in place of every solution, and the check behind it. A
teacher's has the solutions, what they mean, and notes. Both run as they are, in Jupyter and on Colab. They are a
function of the pages: what a student wrote stays in the copy that the student has, and the next call writes anew.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from hyperlib.files import paths
from hyperlib.files.ending import command
from hyperlib.files.writing import write_whole
from hyperlib.press.colab import COLAB, address_of
from hyperlib.press.edition import Chapter, Edition
from hyperlib.press.exercises import BEGIN, END, Exercise, exercise_of, is_solution
from hyperlib.press.kernel import METADATA
from hyperlib.press.markdown import Book, book_of, called, plain, plain_code

ROLES = ("student", "instructor")
FOLDED = {"hide-input", "remove-input", "hide-cell", "remove-cell"}


@dataclass(frozen=True)
class Piece:
    """A part of a page in its order: text, code, or an exercise; `hidden` is what stands within a solution."""

    text: str = ""
    code: NotebookNode | None = None
    exercise: Exercise | None = None
    hidden: bool = False


def pieces(notebook: NotebookNode) -> Iterator[Piece]:
    """A page taken apart. Raises ValueError for a solution outside of an exercise, or an exercise that has none."""
    label, solved = None, True
    for cell in notebook.cells:
        if cell.cell_type == "code":
            if is_solution(cell):
                if label is None:
                    raise ValueError(f"A cell is tagged as a solution and stands in no exercise: {cell.source[:60]!r}.")
                solved = True
                yield Piece(exercise=exercise_of(cell, label))
            else:
                yield Piece(code=cell, hidden=label is not None)
            continue
        rest = cell.source
        while found := (END if label else BEGIN).search(rest):
            yield Piece(rest[: found.start()], hidden=label is not None)
            if label and not solved:
                raise ValueError(f"Exercise {label} has no code cell with the tag `solution`; give it one.")
            label, solved = (None, True) if label else (found[1], False)
            rest = rest[found.end() :]
        yield Piece(rest, hidden=label is not None)
    if label:
        raise ValueError(f"The solution of {label} never ends; close it with solution-end.")


def exercises_of(chapter: Chapter) -> list[Exercise]:
    """All exercises of a page, in its order."""
    return [piece.exercise for piece in pieces(chapter.notebook()) if piece.exercise]


def notebook_for(role: str, chapter: Chapter, book: Book) -> NotebookNode:
    """The page as a notebook for a student or an instructor, without outputs. ValueError for another role."""
    if role not in ROLES:
        raise ValueError(f"A notebook is for a student or an instructor, not for {role!r}.")
    cells: list[NotebookNode] = []
    for piece in pieces(chapter.notebook()):
        if piece.exercise:
            cells += _asked(piece.exercise, role, book, chapter.name)
        elif piece.hidden and role == "student":
            continue
        elif piece.code is not None:
            cells += _shown(piece.code, book, chapter.name)
        else:
            cells += _text(plain(piece.text, book, chapter.name))
    first = cells[0].source.split("\n", 1)
    cells[0].source = "\n".join([first[0], "", _head(role, chapter, book), *first[1:]])
    for place, cell in enumerate(cells):
        cell["id"] = f"{role}-{place}"
    made = new_notebook(cells=cells, metadata={**METADATA, "language_info": {"name": "python"}})
    nbformat.validate(made)
    return made


def write(chapters: Sequence[Chapter], book: Book, folder: Path) -> list[Path]:
    """Write both notebooks of every page with exercises below `folder`, each file whole; where they are.

    All are made before the first is written, so a page with a fault leaves the folder as it was. Raises ValueError for
    two pages that would be written to one file.
    """
    chapters = [chapter for chapter in chapters if exercises_of(chapter)]
    stems = [chapter.name.rpartition("/")[2] for chapter in chapters]
    if twice := [stem for stem in stems if stems.count(stem) > 1]:
        raise ValueError(f"Two pages are called {twice[0]}; rename one of them.")
    made = {
        folder / role / f"{stem}.ipynb": nbformat.writes(notebook_for(role, chapter, book))
        for stem, chapter in zip(stems, chapters, strict=True)
        for role in ROLES
    }
    for file, text in made.items():
        write_whole(file, text + "\n")
    return list(made)


@command
def main(arguments: Sequence[str] | None = None, root: Path | None = None) -> int:
    """Write the notebooks and say where they are; 0 if all is well, 2 with a sentence if not."""
    parser = argparse.ArgumentParser("python -m hyperlib.press.teach", description=__doc__.split("\n")[0])
    parser.add_argument("pages", nargs="*", help="names such as lab_weight_space; all pages with exercises without any")
    parser.add_argument("--out", type=Path, help="the folder to write to, _build/teach by default")
    parser.add_argument("--book", help="where the book is published, if it is not the repository's GitHub Pages")
    options = parser.parse_args(arguments)
    try:
        root = root or paths.root()
        chapters, folder = Edition(root, "quick").chosen(options.pages), options.out or root / "_build" / "teach"
        files = write(chapters, book_of(root, options.book), folder)
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise ValueError(f"_toc.yml or _config.yml is no YAML; mend it: {said}") from error
    if not files:
        raise ValueError("No page that you named has an exercise.")
    print(f"{len(files) // len(ROLES)} pages, each for {' and '.join(ROLES)}, are in {folder}.")
    return 0


def _asked(exercise: Exercise, role: str, book: Book, page: str) -> list[NotebookNode]:
    """The cells of an exercise: what is to be filled in, or what solves it, and the check."""
    check = _code(exercise.check, role=role, exercise=exercise.label)
    if role == "student":
        return [_code(exercise.stub, role=role, exercise=exercise.label), check]
    note = _text(f"> **In class.** {plain(exercise.note, book, page)}" if exercise.note else "")
    solution = _code(plain_code(exercise.solution, book, page), role=role, exercise=exercise.label)
    return [*note, *_text("**Solution.**"), solution, check]


def _shown(cell: NotebookNode, book: Book, page: str) -> list[NotebookNode]:
    """A code cell, folded where the page folds it, with the caption of its figure or table below."""
    tags = cell.metadata.get("tags", [])
    code = _code(cell.source if COLAB in tags else plain_code(cell.source, book, page), tags=tags)
    if FOLDED & {*tags}:
        code.metadata |= {"jupyter": {"source_hidden": True}, "cellView": "form"}
    words = cell.metadata.get("table") or cell.metadata.get("mystnb", {}).get("figure")
    told = f"*{called(words['name'])}. {words['caption']}*" if words else ""
    return [code, *_text(plain(told, book, page))]


def _code(source: str, **metadata: Any) -> NotebookNode:
    return new_code_cell(source, metadata=metadata)


def _text(source: str) -> list[NotebookNode]:
    return [new_markdown_cell(source)] if source.strip() else []


def _head(role: str, chapter: Chapter, book: Book) -> str:
    """What stands below the title: whose copy it is, where the page is, how to run it."""
    repository = address_of(book.root)
    does = {
        "student": "Cells with *Yours* are for you: replace every `...`. The cell behind says if it is right.",
        "instructor": "With solutions and notes. Students get the copy of the same name without them.",
    }
    return (
        f"> *{role.capitalize()}'s copy* of [this page of the book]({book.page(chapter.name)}). {does[role]}\n>\n"
        "> **On Colab** run the cells in order; the second fetches the library (minutes, once). **On your laptop** "
        f"get [the repository]({repository}), run `make env` in it, and open this notebook with its `.venv`."
    )


if __name__ == "__main__":
    sys.exit(main())
