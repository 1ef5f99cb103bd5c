"""Pages of the library's code, from its docstrings: one with all public names, and one for each room.

Sphinx's autodoc reads signatures and docstrings from the code that builds the site. Docstrings here are plain sentences
with backticks, lists and *emphasis*; autodoc takes text for reStructuredText, in which more signs mean something, so
these are escaped on the way. `STABLE` says which public names stay as they are.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.pycode import ModuleAnalyzer
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective

import hyperlib
from hyperlib.press import colab

STABLE = {  # modules, by room, whose public names change only with a warning one version before; others are provisional
    "weightspace": "layout architecture architectures symmetry symmetry_check alignment statistics similarity spectra "
    "tokens",
    "images": "images",
    "zoos": "design evaluation zoo population",
    "representations": "augment hyper_rep baselines projections",
    "tasks": "probes probing sampling connectivity trajectories",
    "thesis": "profiles",
    "study": "study",
}
PAGES = "book/api/"  # of the rooms
PACKAGE = Path(hyperlib.__file__).parent
ROOMS = (  # in their order
    *("files", "weightspace", "images", "zoos", "representations", "tasks"),
    *("store", "thesis", "figures", "study", "press"),
)
_MARKS = re.compile(  # code, emphasis, and what else reStructuredText would read
    r"(?P<code>`[^`]+`(?=(?P<glued>\w?)))|(?P<emphasis>(?<![\w*])\*\w[^*]*\*(?!\w))|[\\|*]|(?<=\w)_(?!\w)"
)
_LISTS = re.compile(r"(?<=\n)([^\s-].*\n)(?=- )|\A(.*\n)(?=- )")  # lines right above a list


def connect(app: Sphinx) -> None:
    """Register the two directives, and how autodoc and its links to the code work here."""
    for name in ("sphinx.ext.autodoc", "sphinx.ext.linkcode"):
        app.setup_extension(name)
    app.add_directive("api-public", Public)
    app.add_directive("api-room", Room)
    app.add_transform(WordsAlone)
    app.connect("config-inited", configure)
    app.connect("autodoc-process-docstring", escape)
    app.connect("autodoc-process-signature", readable)
    app.connect("autodoc-skip-member", foreign)
    app.connect("html-page-context", name_toggles, priority=900)  # after the theme has brought its contents


def configure(app: Sphinx, config: Config) -> None:
    """Signatures with their types as they are written, and links to the code."""
    config.autodoc_preserve_defaults = True
    config.autodoc_typehints_format = "short"
    config.autodoc_default_options = {"member-order": "bysource"}
    config.python_maximum_signature_line_length = 88
    config.add_module_names = config.toc_object_entries = False  # the heading above names the module
    config.nitpick_ignore_regex = [*config.nitpick_ignore_regex, ("py:class|py:exc", ".*")]  # types of other packages
    config.autodoc_inherit_docstrings = False
    config.linkcode_resolve = partial(address, f"{colab.address_of(Path(app.srcdir))}/blob/main")


def name_toggles(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Give what unfolds pages below a page in the theme's list of contents, an icon alone, a name to be read aloud."""
    made = context.get("generate_toctree_html")

    def named(*args: Any, **kwargs: Any) -> Any:
        found = made(*args, **kwargs)
        for summary in found.select("summary") if found else ():
            if not summary.get_text(strip=True):
                summary["aria-label"] = "Pages below this one"
        return found

    if made is not None:
        context["generate_toctree_html"] = named


def address(code: str, domain: str, info: dict[str, str]) -> str | None:
    """Where an object of an API page stands in the repository; None for what has no lines of its own."""
    module = ModuleAnalyzer.for_module(info["module"])  # which autodoc has read already
    module.analyze()
    _, line, _ = module.tags.get(info["fullname"], ("", 0, 0))
    return f"{code}/{Path(module.srcname).relative_to(PACKAGE.parent).as_posix()}#L{line}" if line else None


def escape(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Make reStructuredText of a docstring, in place."""
    lines[:] = as_rst("\n".join(lines)).split("\n")


def readable(app: Any, what: str, name: str, obj: Any, options: Any, said: str, gives: str) -> tuple[str, str] | None:
    """A signature with dots for defaults that can't be written down, such as a factory's; None to leave it alone."""
    return (re.sub(r"<[^<>]+>", "...", said), gives) if said and "<" in said else None


def foreign(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Skip what another package puts into a class of ours; None to decide as autodoc does."""
    home = getattr(obj, "__module__", None)
    return True if isinstance(home, str) and not home.startswith("hyperlib") else None


def as_rst(text: str) -> str:
    """A plain docstring as reStructuredText that shows the same."""
    return _MARKS.sub(_as_rst, _LISTS.sub(lambda line: f"{line[0]}\n", text))


def modules(room: str) -> list[str]:
    """Modules of a room, with their full names, those of its folders last."""
    files = sorted((PACKAGE / room).rglob("*.py"), key=lambda file: (len(file.parts), file))
    names = [".".join(("hyperlib", *file.relative_to(PACKAGE).with_suffix("").parts)) for file in files]
    return [name for name in names if not name.endswith(".__init__")]


def public() -> dict[str, list[str]]:
    """Public names by the module that holds them."""
    homes: dict[str, list[str]] = {}
    for name, module in hyperlib._MODULES.items():
        homes.setdefault(module, []).append(name)
    return homes


def first_sentence(text: str | None) -> str:
    """The first sentence of a docstring, on one line."""
    found = re.match(r".*?(?<! al)[.!?](?=\s|$)", " ".join((text or "").split()))
    return found[0] if found else ""


class _Generated(SphinxDirective):
    """MyST with headings, made when the page is read; the page is read again when any code was changed."""

    def run(self) -> list[nodes.Node]:
        for file in PACKAGE.rglob("*.py"):
            self.env.note_dependency(str(file))
        body = nodes.Element()
        self.state.nested_parse(StringList(list(self.lines()), self.env.docname), 0, body, match_titles=True)
        return body.children

    def lines(self) -> Iterator[str]:
        raise NotImplementedError


class Public(_Generated):
    """Tables of all public names: what each is, whether it is stable, and a link to all that its docstring says."""

    def lines(self) -> Iterator[str]:
        for room in ROOMS:
            homes = {home: names for home, names in public().items() if home.split(".")[1] == room}
            if homes:
                yield from (f"## {room}", "", "| name | what it is | promise |", "|---|---|---|")
                yield from (self.row(home, name) for home, names in homes.items() for name in names)
                yield ""

    def row(self, home: str, name: str) -> str:
        found = getattr(importlib.import_module(home), name)
        known = inspect.isroutine(found) or inspect.isclass(found)
        told = first_sentence(inspect.getdoc(found)) if known else f"{type(found).__name__}: " + ", ".join(found)
        link = f"{{py:obj}}`{name} <{home}.{name}>`" if known else f"{{py:mod}}`{name} <{home}>`"
        return f"| {link} | {told.replace('|', chr(92) + '|')} | {'stable' if is_stable(home) else 'provisional'} |"


class Room(_Generated):
    """All modules of a room, with the documented functions and classes of each.

    Folders inside of a room are its machinery: of their modules stands here what they are, and their members only where
    some of them are public.
    """

    required_arguments = 1

    def lines(self) -> Iterator[str]:
        room = self.arguments[0]
        if room not in ROOMS:
            raise self.error(f"There is no room {room!r}; there are {', '.join(ROOMS)}.")
        for name in modules(room):
            told = name.count(".") == 2 or name.removeprefix("hyperlib.") in hyperlib._EXPORTS
            yield from (f"## {name.removeprefix('hyperlib.')}", "", "```{eval-rst}", f".. automodule:: {name}")
            yield from (*(["   :members:"] if told else []), "```", "")


class WordsAlone(SphinxTransform):
    """Keep names on the pages of rooms out of the index, which is one of words. The search leaves these pages out."""

    default_priority = 840  # before Sphinx's domains collect what a page has, at 850

    def apply(self, **_: Any) -> None:
        if self.env.docname.startswith(PAGES):
            for entry in list(self.document.findall(addnodes.index)):
                entry.parent.remove(entry)


def is_stable(module: str) -> bool:
    """Whether the public names of a module (its full name) are promised to stay."""
    _, room, rest = module.split(".", 2)
    return rest in STABLE.get(room, "").split()


def _as_rst(found: re.Match[str]) -> str:
    if code := found["code"]:
        return f"`{code}`" + ("\\ " if found["glued"] else "")
    return found["emphasis"] or f"\\{found[0]}"
