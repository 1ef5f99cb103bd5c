"""Terms of the glossary on all pages: a link says what its term means, and the index leads to where a page uses it.

What a term means is the first sentence of its definition. It is the title of the link: a browser shows it under the
pointer, a screen reader reads it out, and `words.css` shows it to those who come by keyboard.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.util.nodes import make_id

CLASS = "glossary-term"  # of links to the glossary, also in words.css
_SENTENCE = re.compile(r".*?[.!?](?=\s|$)", re.DOTALL)


def connect(app: Sphinx) -> None:
    """Register the hooks of terms."""
    app.add_transform(FirstUses)
    app.connect("env-updated", note_definitions)
    app.connect("doctree-resolved", explain)
    app.connect("html-page-context", name_pages)
    app.add_css_file("words.css")


class FirstUses(SphinxTransform):
    """Make an index entry of the first `{term}` of each term on a page; the glossary's own and titles make none.

    They are main entries, as definitions are, because the search shows those first.
    """

    default_priority = 840  # before Sphinx's domains collect what a page has, at 850

    def apply(self, **_: Any) -> None:
        seen: set[str] = set()
        for term in list(self.document.findall(addnodes.pending_xref)):
            name, holders = term["reftarget"], (addnodes.glossary, nodes.title)
            if term["reftype"] != "term" or name in seen or _within(term, holders):
                continue
            seen.add(name)
            place = make_id(self.env, self.document, "use", name)
            target = nodes.target("", "", ids=[place])
            self.document.note_explicit_target(target)
            at = term.parent.index(term)
            term.parent[at:at] = [addnodes.index(entries=[("single", name, place, "main", None)]), target]


def note_definitions(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Keep what all terms mean; all pages are to be written again where that has changed."""
    before = getattr(env, "hyperlib_definitions", None)
    objects = env.get_domain("std").get_objects()
    homes = sorted({docname for _, _, kind, docname, _, _ in objects if kind == "term"})
    env.hyperlib_definitions = {}  # type: ignore[attr-defined]
    for home in homes:
        env.hyperlib_definitions |= definitions(env.get_doctree(home))  # type: ignore[attr-defined]
    return [] if env.hyperlib_definitions == before else sorted(env.found_docs)  # type: ignore[attr-defined]


def definitions(doctree: nodes.document) -> dict[str, str]:
    """First sentences of a page's glossaries, by the ids of their terms."""
    items = [item for glossary in doctree.findall(addnodes.glossary) for item in glossary.findall(_is_item)]
    return {term["ids"][0]: first_sentence(item) for item in items for term in item.findall(nodes.term)}


def first_sentence(item: nodes.definition_list_item) -> str:
    """What a term means, in one sentence of plain text."""
    text = " ".join(next(iter(item.findall(nodes.paragraph))).astext().split())
    found = _SENTENCE.match(text)
    return found[0] if found else text


def explain(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Give links to the glossary their titles."""
    for link in doctree.findall(nodes.reference):
        if link.children and "std-term" in getattr(link[0], "attributes", {}).get("classes", []):
            term = link.get("refid") or link["refuri"].rpartition("#")[2]
            link["reftitle"] = app.env.hyperlib_definitions[term]  # type: ignore[attr-defined]
            link["classes"].append(CLASS)


def name_pages(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """In the index, put the titles of pages below a word, in place of bare numbers."""
    if pagename != "genindex":
        return
    titles = {app.builder.get_relative_uri(pagename, name): title.astext() for name, title in app.env.titles.items()}
    for _, words in context.get("genindexentries", []):
        for at, (word, (places, below, key)) in enumerate(words):
            pages = [(titles[address.partition("#")[0]], [("", address)]) for _, address in places]
            words[at] = (word, ([], pages + below, key))


def _is_item(node: nodes.Node) -> bool:
    return isinstance(node, nodes.definition_list_item)


def _within(node: nodes.Node, kinds: tuple[type, ...]) -> bool:
    while node is not None and not isinstance(node, kinds):
        node = node.parent
    return node is not None
