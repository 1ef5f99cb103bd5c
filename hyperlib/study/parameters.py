"""Unknown notebook parameters are errors, whoever runs the notebook.

Papermill writes the parameters it was given into a cell of their own, behind the cell tagged `parameters`, and only
warns about names that cell does not have: `-p profil quick` would run the default profile, silently. Where no cell has
the tag, its cell comes first, and the notebook's own assignments undo it, silently too. So the study looks back, when a
chapter makes it, at the cells executed so far. A kernel does not know of tags: papermill's cell is known by its first
line and its place.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence

_FIRST_LINE = "# Parameters"  # of the cell that papermill adds


def check_parameters(known: Sequence[str] = ("profile",)) -> None:
    """Raise ValueError if papermill was given a name that the notebook's parameters cell lacks, or was not heard.

    `known` are names that are right in every notebook. Outside a notebook there is nothing to check.
    """
    if fault := fault_of(_executed_cells(), known):
        raise ValueError(fault)


def fault_of(cells: Sequence[str], known: Sequence[str] = ("profile",)) -> str | None:
    """What is wrong with the parameters that an executed cell holds, in a sentence; None if nothing is.

    A first cell with papermill's first line that assigns a known name can also be the notebook's own.
    """
    for place, cell in enumerate(cells):
        if not _looks_injected(cell) or cell in cells[:place]:  # or run once more
            continue
        names, earlier = assigned_names(cell), [name for one in cells[:place] for name in assigned_names(one)]
        later = {name for one in cells[place + 1 :] if not _looks_injected(one) for name in assigned_names(one)}
        if not earlier and (undone := [name for name in names if name in later]):
            return (
                f"The value given for {', '.join(map(repr, undone))} was undone by a later cell, because no cell of "
                "this notebook has the tag `parameters`; give it to the cell that assigns the defaults."
            )
        if not earlier and {*known} & {*names}:
            continue
        allowed = [*known, *(name for name in assigned_names(cells[place - 1] if place else "") if name not in known)]
        if unknown := [name for name in names if name not in allowed]:
            return (
                f"This notebook has no parameter {', '.join(map(repr, unknown))}; it has {', '.join(allowed)}. "
                "Correct the name after -p, or add it to the cell tagged `parameters`."
            )
    return None


def assigned_names(source: str) -> list[str]:
    """Names that the top level of a cell assigns, also in tuples, typed or by `:=`; none if it is not plain Python."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return []
    targets = []
    for statement in statements:
        places = (statement, getattr(statement, "value", None))  # `:=` stands inside a statement
        targets += getattr(statement, "targets", []) + [getattr(place, "target", None) for place in places]
    nodes = [node for target in targets if target is not None for node in ast.walk(target)]
    return [node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def _looks_injected(source: str) -> bool:
    return source.split("\n", 1)[0].rstrip() == _FIRST_LINE


def _executed_cells() -> list[str]:
    """Sources of the cells executed in this kernel, oldest first; none outside IPython."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return [] if shell is None else [str(cell) for cell in shell.user_ns.get("In", []) if cell]
