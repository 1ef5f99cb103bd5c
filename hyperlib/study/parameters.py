"""Unknown notebook parameters are errors, whoever runs the notebook.

Papermill writes the parameters it was given into a cell of their own, behind the cell tagged `parameters`,
and only warns about names that cell does not have: `-p profil quick` would run the default profile,
silently. So the study looks back, when a chapter makes it, at the cells executed so far, and compares the
two.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence

INJECTED = "# Parameters"  # the first line of the cell that papermill adds


def check_parameters(known: Sequence[str] = ("profile",)) -> None:
    """Raise ValueError if papermill injected a name that the notebook's parameters cell does not assign.

    `known` are names that are right in every notebook. Outside a notebook there is nothing to check.
    """
    unknown = unknown_parameters(_executed_cells(), known)
    if unknown:
        raise ValueError(
            f"This notebook has no parameter {', '.join(map(repr, unknown))}; it has {', '.join(known)}. "
            "Correct the name after -p, or add it to the cell tagged `parameters`."
        )


def unknown_parameters(cells: Sequence[str], known: Sequence[str] = ("profile",)) -> list[str]:
    """Names set by an injected cell and by neither `known` nor the cell before it, in order."""
    unknown = []
    for before, cell in zip(["", *cells], cells, strict=False):
        if is_injected(cell):
            allowed = {*known, *assigned_names(before)}
            unknown += [name for name in assigned_names(cell) if name not in allowed]
    return unknown


def is_injected(source: str) -> bool:
    """Whether this is the cell that papermill adds for the parameters it was given."""
    return source.split("\n", 1)[0].rstrip() == INJECTED


def assigned_names(source: str) -> list[str]:
    """Names that the top level of a cell assigns; none if the cell is not plain Python."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return []
    names = []
    for statement in statements:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        names += [target.id for target in targets if isinstance(target, ast.Name)]
    return names


def _executed_cells() -> list[str]:
    """Sources of the cells executed in this kernel, oldest first; none outside IPython."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return [] if shell is None else [str(cell) for cell in shell.user_ns.get("In", [])]
