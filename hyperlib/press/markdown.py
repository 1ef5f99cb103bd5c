"""A page's text for those who open its notebook outside of the book: plain Markdown, with links into the book.

A page is written in MyST, whose roles and directives only the book's builder understands: Jupyter and Colab would show
them raw. There are few in this book, and each has a plain form here; another one is an error, so that no page is
handed to a class half rendered.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pybtex.database import Entry, parse_file

from hyperlib.press.colab import address_of
from hyperlib.press.pages import addresses, sources

_BLOCK = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{(?P<name>[\w:-]+)\}[ ]*(?P<title>.*)\n(?P<options>(?::[\w-]+:.*\n)*)"
    r"(?P<body>(?:.*\n)*?)(?P=fence)[ ]*$",
    re.MULTILINE,
)
_ROLE = re.compile(r"\{(?P<name>[\w:-]+)\}`(?P<text>[^`]+)`")
_TITLED = re.compile(r"(?P<words>.*?)\s*<(?P<target>[^<>]+)>", re.DOTALL)
RAW = re.compile(r"^(?:`{3,}|:{3,})\{|(?<![`\w$])\{[a-z][\w:-]*\}`", re.MULTILINE)  # what plain Markdown has none of


@dataclass(frozen=True)
class Book:
    """Where the book of a clone is published: `root` is the clone, `address` that of the site."""

    root: Path
    address: str

    @cached_property
    def cited(self) -> dict[str, str]:
        """Author and year of every entry of the bibliography, by its key."""
        entries = parse_file(self.root / "book" / "references.bib").entries
        return {key: f"{_people(entry)}, {entry.fields.get('year', 'n.d.')}" for key, entry in entries.items()}

    def page(self, name: str, place: str = "") -> str:
        """The address of a page of the site, by its name in the clone without suffix."""
        return f"{self.address}/{name.removeprefix('/')}.html" + (f"#{place}" if place else "")

    def title(self, name: str) -> str:
        """The first heading of a page. Raises ValueError where the clone has no such page."""
        for suffix, heading in ((".md", r"^# (.+)$"), (".py", r"^# # (.+)$")):
            file = self.root / f"{name.removeprefix('/')}{suffix}"
            if file.is_file():
                found = re.search(heading, file.read_text(encoding="utf-8"), re.MULTILINE)
                return found[1].replace("`", "") if found else name
        raise ValueError(f"There is no page {name} in {self.root}; mend the link that names it.")


def book_of(root: Path, address: str | None = None) -> Book:
    """The book of a clone; the address is where its repository's site is published (`pages.addresses`), or the given.

    Raises ValueError for an address that is none, and for a repository that has no such site without one.
    """
    repository = address_of(root)
    if not (address := address or addresses.of_repository(repository)):
        raise ValueError(f"{repository} is not on GitHub; say with --book where the book is published.")
    if not re.fullmatch(r"https?://[^\s()<>\"]+", address):
        raise ValueError(f"{address!r} is no address of a book; give one that begins with https://.")
    return Book(root, address.rstrip("/"))


def plain(text: str, book: Book, page: str) -> str:
    """MyST as Markdown with links to the book; `page` is the one that the text stands on.

    Raises ValueError for a role or directive without a plain form, and for links to what is not there.
    """
    blocks = _BLOCK.sub(lambda found: _block(found, book, page), text + "\n")
    return _ROLE.sub(lambda found: _role(found, book, page), blocks).strip()


def plain_code(source: str, book: Book, page: str) -> str:
    """Code whose sentences (`say(...)`) name roles, with their words in place of the roles."""
    role = re.compile(r"\{\{?([\w:-]+)\}\}?`([^`]+)`")
    return role.sub(lambda found: _words(found[1], found[2], book, page) or found[0], source)


def called(name: str) -> str:
    """How a figure or table is called where nobody counts them: `fig-zoo-umap` is *Figure zoo-umap*."""
    kind, _, rest = name.partition("-")
    return f"{dict(fig='Figure', tab='Table', alg='Algorithm').get(kind, kind)} {rest}"


def _block(found: re.Match, book: Book, page: str) -> str:
    name, title, body = found["name"], found["title"].strip(), found["body"].strip()
    options = dict(re.findall(r"^:([\w-]+): ?(.*)$", found["options"], re.MULTILINE))
    if name == "figure":
        image = f"![{options.get('alt', '')}]({book.address}/_images/{Path(title).name})"
        return f"{image}\n\n*{called(options.get('name', ''))}. {' '.join(body.split())}*"
    if name == "exercise":
        return f"### Exercise: {title}\n\n{body}"
    if name == "admonition" or name in ("note", "tip", "warning", "important"):
        quoted = "\n".join(f"> {line}".rstrip() for line in plain(body, book, page).splitlines())
        return f"> **{title or name.capitalize()}**\n>\n{quoted}"
    if name == "prf:algorithm":
        return f"**Algorithm: {title}**\n\n{plain(body, book, page)}"
    if name == "math":
        return f"$$\n{body}\n$$"
    if name == "ledger":  # made when the book is built
        return f"*[{called(title)}]({book.page(page, title)}). {' '.join(body.split())}*"
    raise ValueError(f"{page} has a directive {name!r}, which has no plain form yet; give it one in press/markdown.py.")


def _role(found: re.Match, book: Book, page: str) -> str:
    name, text = found["name"], found["text"]
    target = titled["target"] if (titled := _TITLED.fullmatch(text)) else text
    links: dict[str, Callable[[], str]] = {
        "cite": lambda: book.page("book/references"),
        "term": lambda: book.page("book/glossary", "term-" + re.sub(r"[^A-Za-z0-9]+", "-", target).strip("-")),
        "doc": lambda: book.page(_absolute(target, page)),
        "numref": lambda: book.page(_home(target, book, page), target),
        "source": lambda: sources.address_of(text, book.root),
        "py:obj": lambda: _code_page(target.removeprefix("~"), book, page),
    }
    if name not in links:
        raise ValueError(f"{page} has a role {name!r}, which has no plain form yet; give it one in press/markdown.py.")
    return f"[{_words(name, text, book, page)}]({links[name]()})"


def _words(name: str, text: str, book: Book, page: str) -> str:
    """What a role shows, without its link; nothing for what is no role of ours."""
    if name != "cite" and (titled := _TITLED.fullmatch(text)):
        return titled["words"]
    if name == "cite":
        if unknown := [key for key in text.split(",") if key.strip() not in book.cited]:
            raise ValueError(f"The bibliography has no {unknown[0].strip()!r}, which {page} cites; mend the citation.")
        return f"({'; '.join(book.cited[key.strip()] for key in text.split(','))})"
    last = text.split(".")
    shown = {"term": text, "numref": called(text), "source": f"`{'.'.join(last[-2:])}`", "py:obj": f"`{last[-1]}`"}
    return book.title(_absolute(text, page)) if name == "doc" else shown.get(name, "")


def _code_page(name: str, book: Book, page: str) -> str:
    """The place of a full name among the pages of code. Raises ValueError for a name that is not of the library."""
    if not re.fullmatch(r"hyperlib(\.\w+){2,}", name):
        raise ValueError(f"{page} refers to the code {name!r}; give its full name, such as hyperlib.zoos.zoo.Zoo.")
    return book.page(f"book/api/{name.split('.')[1]}", name)


def _absolute(target: str, page: str) -> str:
    return target.removeprefix("/") if target.startswith("/") else f"{page.rpartition('/')[0]}/{target}"


def _home(label: str, book: Book, page: str) -> str:
    """The page on which a figure or table of that name stands. Raises ValueError if none has it."""
    named = re.compile(rf'(?:"name": "|:name: |:label: ){re.escape(label)}(?:"|$)', re.MULTILINE)
    for file in sorted([*(book.root / "notebooks").glob("*.py"), *(book.root / "book").glob("*.md")]):
        if named.search(file.read_text(encoding="utf-8")):
            return file.relative_to(book.root).with_suffix("").as_posix()
    raise ValueError(f"{page} refers to {label}, which no page has; mend the reference.")


def _people(entry: Entry) -> str:
    """Family names as a sentence has them: one, two, or the first *et al.*"""
    names = [" ".join(map(str, person.rich_last_names)) for person in entry.persons["author"]]
    return " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
