"""Pages of the library's code: every module is on one, every public name in a table, docstrings are shown whole."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re

import docutils.nodes
import pytest
from docutils.core import publish_doctree

import hyperlib
from hyperlib.files.paths import root
from hyperlib.press.pages import api

MODULES = [name for _, name, folder in pkgutil.walk_packages(hyperlib.__path__, "hyperlib.") if not folder]
QUIET = {"report_level": 1, "halt_level": 5, "warning_stream": False, "default_role": "literal"}


def docstrings(module):
    """Docstrings of a module's functions, classes and methods that were written there, by name."""
    found = importlib.import_module(module)
    yield module, inspect.getdoc(found)
    for name, one in vars(found).items():
        if getattr(one, "__module__", None) == module and (inspect.isclass(one) or inspect.isfunction(one)):
            yield f"{module}.{name}", one.__doc__ and inspect.cleandoc(one.__doc__)
            for method, function in vars(one).items() if inspect.isclass(one) else ():
                if inspect.isfunction(function):
                    yield f"{module}.{name}.{method}", function.__doc__ and inspect.cleandoc(function.__doc__)


def shown(text: str) -> docutils.nodes.document:
    """A docstring as a page has it."""
    return publish_doctree(f".. default-role:: literal\n\n{api.as_rst(text)}", settings_overrides=QUIET)


def words(text: str) -> list[str]:
    """What a reader reads: no marks, and none of the dashes of a list."""
    return re.sub(r"(?m)^- |[`*\\]", "", text).split()


@pytest.mark.parametrize("module", [name for name in MODULES if not name.endswith("__main__")])
def test_docstrings_are_shown_word_for_word(module):
    for name, text in docstrings(module):
        if text and ".. " not in text:
            page = shown(text)
            assert not list(page.findall(docutils.nodes.system_message)), name
            assert words(page.astext()) == words(text), name


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Weights `w_` of `Layout`s.", ["literal", "literal"]),
        ("A *view*, and 3 * 4 of a_b_.", ["emphasis"]),
        ("One of\n- `a`: this\n  and that,\n- b: |x| < 1.", ["literal", "bullet_list"]),
    ],
)
def test_marks_mean_what_they_mean_in_plain_text(text, kinds):
    known = ("literal", "emphasis", "bullet_list", "reference", "substitution_reference", "block_quote", "problematic")
    found = [node.tagname for node in shown(text).findall(docutils.nodes.Element) if node.tagname in known]
    assert sorted(found) == sorted(kinds)


def test_every_room_has_a_page_and_every_module_is_on_one():
    pages = {page.stem: page.read_text(encoding="utf-8") for page in (root() / "book" / "api").glob("*.md")}
    assert set(pages) == set(api.ROOMS)
    for room, text in pages.items():
        assert f"```{{api-room}} {room}\n" in text and "nosearch: true" in text
    on_pages = sorted(name for room in api.ROOMS for name in api.modules(room))
    assert on_pages == sorted(set(MODULES) - {"hyperlib.__main__"})


def test_every_public_name_is_told_in_a_sentence_once():
    table = [line for line in api.Public.lines(api.Public.__new__(api.Public)) if line.startswith("| {py:")]
    found = sorted(re.match(r"\| \{py:\w+\}`(\w+) <", line)[1] for line in table)
    assert found == hyperlib.__all__
    for line in table:
        _, told, kept = (cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        assert len(told) > 10 and kept in ("stable", "provisional"), line


def test_defaults_without_words_are_dots_and_members_of_others_are_left_out():
    said = "(a: int = 1, b: dict = <factory>, c: object = <object object at 0x7f>)"
    told, gives = api.readable(None, "class", "x", None, None, said, "int")
    assert (told, gives) == ("(a: int = 1, b: dict = ..., c: object = ...)", "int")
    assert api.readable(None, "class", "x", None, None, "(a)", "") is None
    theirs, ours = hyperlib.LayerStatistics.set_fit_request, hyperlib.LayerStatistics.embed
    assert api.foreign(None, "class", "set_fit_request", theirs, False, None) is True
    assert api.foreign(None, "class", "embed", ours, False, None) is None
    assert api.foreign(None, "class", "size", hyperlib.Layout.size, False, None) is None


def test_what_is_called_stable_is_public():
    stable = {f"{room}.{name}" for room, names in api.STABLE.items() for name in names.split()}
    assert stable <= set(hyperlib._EXPORTS)
    assert api.is_stable("hyperlib.weightspace.layout") and not api.is_stable("hyperlib.representations.sane")


def test_objects_lead_to_their_lines_and_what_has_none_to_nothing():
    home = {"module": "hyperlib.weightspace.layout"}
    where = api.address("https://a.org/main", "py", {**home, "fullname": "Layout"})
    assert re.fullmatch(r"https://a.org/main/hyperlib/weightspace/layout\.py#L\d+", where)
    assert re.fullmatch(r"x/.*#L\d+", api.address("x", "py", {**home, "fullname": "Layout.size"}))
    assert api.address("x", "py", {**home, "fullname": "Layout.slots"}) is None
    assert api.address("x", "py", {**home, "fullname": ""}) is None
