"""Links from a page to the code that it speaks of, by the role `source` with a name: `representations.sane.Sane.scale`.

The name is looked up when the page is built, below `hyperlib`, so a link that leads nowhere fails the build and a line
number is that of the code which made the page. Shown are the last two parts, `Sane.scale`.
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from hyperlib.press import colab


def connect(app: Sphinx) -> None:
    """Register the role."""
    app.add_role("source", Source())


class Source(SphinxRole):
    """The role; a name that is not in the library is an error of the page."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            address = address_of(self.text, Path(self.env.srcdir))
        except ValueError as error:
            message = self.inliner.reporter.error(str(error), line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]
        link = nodes.reference("", "", nodes.literal("", ".".join(self.text.split(".")[-2:])), refuri=address)
        return [link], []


def address_of(name: str, root: Path) -> str:
    """Where a class, function or method below `hyperlib` stands, with its first line. Raises ValueError if nowhere."""
    found = inspect.unwrap(_found(name))
    try:
        file, line = inspect.getsourcefile(found), inspect.getsourcelines(found)[1]
    except (TypeError, OSError):
        raise ValueError(f"hyperlib.{name} is no class or function with a source to link to.") from None
    place = Path(file or "").resolve().relative_to(Path(__file__).resolve().parents[3])
    return f"{colab.address_of(root)}/blob/main/{place.as_posix()}#L{line}"


def _found(name: str) -> Any:
    """The object of that name: a module as long as there is one, then attributes."""
    parts = ["hyperlib", *name.split(".")]
    for cut in range(len(parts), 0, -1):
        module = ".".join(parts[:cut])
        try:
            found: Any = importlib.import_module(module)
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            if not hasattr(found, part):
                raise ValueError(f"{module} has no {'.'.join(parts[cut:])} to link to.")
            found = getattr(found, part)
        return found
    raise ValueError(f"There is no hyperlib.{name} to link to.")
