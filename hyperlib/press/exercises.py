"""An exercise of a page, taken apart: what a student writes, and what says whether it is right.

A page has a solution as one code cell, tagged `solution`, whose `assert` statements say that it is right. From the cell
follow all three: the solution is what asserts nothing, the check is the assertions, and the stub gives the names that
they read, without values. A solution that imports nothing goes on from its page, and its check may read what the page
has, too; all others run by themselves. What no code knows stands in the cell's metadata: `asks`, words for each of
these names, and `hints`, a sentence for each assertion, said where it fails. For teachers `note` may say what goes
wrong in class.

Otter Assign and nbgrader cut at comments inside of code: a page's solution would be full of them, and both bring a
grading system of which this needs nothing.
"""

from __future__ import annotations

import ast
import builtins
import json
import re
import textwrap
from dataclasses import dataclass

from nbformat import NotebookNode

TAG = "solution"
BEGIN = re.compile(r"^```\{solution-start\} (\S+)\n(?::.*\n)*```$", re.MULTILINE)
END = re.compile(r"^```\{solution-end\}\n```$", re.MULTILINE)


@dataclass(frozen=True)
class Exercise:
    """One exercise; code as text. `asks` are the names that a student gives values, each with what it is."""

    label: str
    imports: str
    solution: str
    asserted: tuple[str, ...]
    asks: dict[str, str]
    hints: tuple[str, ...]
    note: str = ""

    @property
    def stub(self) -> str:
        """What a student begins with: the imports, and every name that the check reads, with `...` for its value."""
        wanted = [f"{name} = ...  # {words}" for name, words in self.asks.items()]
        return "\n".join([*([self.imports, ""] if self.imports else []), "# Yours:", *wanted])

    @property
    def check(self) -> str:
        """What says whether it is right, and if not, why. It raises AssertionError with a sentence."""
        given = ", ".join(f"{name}={name}" for name in self.asks)
        lines = ["# The check: run the cell above, then this one.", "from hyperlib.study.checked import checked", ""]
        lines.append(f"with checked({given}):")
        for condition, hint in zip(self.asserted, self.hints, strict=True):
            said = [f"        {json.dumps(part, ensure_ascii=False)}" for part in _in_lines(hint)]
            lines += [f"    assert {condition}, (", *said, "    )"]
        return "\n".join(lines)


def exercise_of(cell: NotebookNode, label: str) -> Exercise:
    """The exercise whose solution a cell is. ValueError, with the remedy, for a cell that does not say enough."""
    said = cell.metadata
    asks, hints = dict(said.get("asks", {})), tuple(said.get("hints", ()))
    try:
        body = ast.parse(cell.source).body
    except SyntaxError as error:
        raise ValueError(f"The solution of {label} is no Python ({error}); mend its cell.") from error
    asserts = [node for node in body if isinstance(node, ast.Assert)]
    nested = sum(isinstance(node, ast.Assert) for node in ast.walk(ast.Module(body, []))) - len(asserts)
    if not asserts or nested:
        fault = "has an assert inside of another statement" if nested else "asserts nothing"
        raise ValueError(f"The solution of {label} {fault}; its check is made of `assert` lines of their own.")
    if len(hints) != len(asserts):
        raise ValueError(f"The solution of {label} has {len(asserts)} assertions, {len(hints)} hints; give each one.")
    read, given = _read(asserts, body), _assigned(body)
    if (wanted := read & given if given_by_page(body) else read) != asks.keys():
        raise ValueError(f"The check of {label} reads {sorted(wanted)}, and its cell's `asks` explains {sorted(asks)}.")
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    rest = "\n".join(_without(cell.source, asserts)).strip()
    conditions = tuple(_on_one_line(cell.source, node.test) for node in asserts)
    lines = "\n".join(ast.get_source_segment(cell.source, node) or "" for node in imports)
    return Exercise(label, lines, re.sub(r"\n{3,}", "\n\n\n", rest), conditions, asks, hints, said.get("note", ""))


def given_by_page(body: list[ast.stmt]) -> bool:
    """Whether code goes on from its page: it imports nothing. Otherwise it runs by itself."""
    return not any(isinstance(node, ast.Import | ast.ImportFrom) for node in body)


def is_solution(cell: NotebookNode) -> bool:
    """Whether a cell is tagged as the solution of an exercise."""
    return TAG in cell.metadata.get("tags", [])


def _read(asserts: list[ast.Assert], body: list[ast.stmt]) -> set[str]:
    """Names that assertions read and that neither Python nor an import nor they themselves give."""
    given = {name for name in vars(builtins)}
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            given |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    names = [node for one in asserts for node in ast.walk(one.test) if isinstance(node, ast.Name)]
    bound = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return {node.id for node in names} - given - bound


def _assigned(body: list[ast.stmt]) -> set[str]:
    """Names that statements give a value to, or define."""
    nodes = list(ast.walk(ast.Module(body, [])))
    defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return defined | {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _without(source: str, nodes: list[ast.Assert]) -> list[str]:
    """The lines of a text that belong to none of these statements."""
    gone = {line for node in nodes for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    return [line for number, line in enumerate(source.splitlines(), 1) if number not in gone]


def _on_one_line(source: str, node: ast.expr) -> str:
    """An expression as it stands, or where it has several lines as Python would write it."""
    found = ast.get_source_segment(source, node) or ""
    return ast.unparse(node) if "\n" in found else found


def _in_lines(sentence: str) -> list[str]:
    """A sentence in parts that fit a cell and give it back when they are put together."""
    parts = textwrap.wrap(sentence, 74, break_on_hyphens=False)
    return [*(f"{part} " for part in parts[:-1]), parts[-1]]
