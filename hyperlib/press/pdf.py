"""The whole book as one PDF: `python -m hyperlib.press.pdf`, or `make pdf`.

The pages of the built site are printed one by one by a Chromium without a window, in the order of the table of
contents, and put together; links from page to page lead on inside the file. Needs the extra `browser` and a Chromium
of the system (the variable `CHROMIUM` names another one).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from hyperlib.files import paths
from hyperlib.files.ending import command
from hyperlib.files.inventory import LARGEST_TEXT
from hyperlib.files.plain import content
from hyperlib.files.writing import appearing

ON_SCREEN = ("genindex", "book/api/")  # pages to look things up in, which nobody reads on paper
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
EXTRA = 'pip install -c constraints.txt -e ".[browser]"'
READY = "() => [...document.querySelectorAll('.math')].every((one) => one.querySelector('mjx-container'))"


def chromium() -> str | None:
    """The browser that `CHROMIUM` names, or the first that the system has."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def launch_options(*flags: str) -> dict[str, Any]:
    """How Playwright starts that browser; Chromium refuses to run as root with its sandbox."""
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return {"executable_path": chromium(), "args": [*flags, *(["--no-sandbox"] if as_root else [])]}


@contextmanager
def browser() -> Iterator[Any]:
    """A Chromium without a window.

    Raises ValueError, with the remedy, where it or the package that drives it lacks, and where it fails.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as missing:
        raise ValueError(f"The pages are printed with the package playwright; {EXTRA} brings it.") from missing
    program = chromium()
    if program is None:
        raise ValueError(f"There is no {', '.join(NAMES)} on the path; install one, or name it by CHROMIUM=….")
    try:
        with sync_playwright() as driver:
            opened = driver.chromium.launch(**launch_options())
            try:
                yield opened
            finally:
                opened.close()
    except Error as fault:
        said = str(fault).split("\n", 1)[0]
        raise ValueError(f"{program} does not print ({said}); name another browser by CHROMIUM=….") from fault


def pages_in_order(contents: str) -> list[str]:
    """Pages of a table of contents (the text of `_toc.yml`), without an ending. ValueError where it is no YAML."""

    def below(entries: list[dict[str, Any]]) -> Iterator[str]:
        for entry in entries:
            if "file" in entry:
                yield entry["file"]
            yield from below(entry.get("chapters", []) + entry.get("sections", []) + entry.get("parts", []))

    try:
        toc = yaml.safe_load(contents)
    except yaml.YAMLError as error:
        raise ValueError(f"_toc.yml is no YAML; mend it: {' '.join(str(error).split())}") from error
    return [toc["root"], *below(toc.get("parts", []) + toc.get("chapters", []))]


def print_book(site: Path, names: Sequence[str], target: Path) -> int:
    """Print these pages of a built site to one file; how many there are of paper.

    Raises ValueError where a page, the browser or a package is missing; nothing is left half written.
    """
    try:
        from pypdf import PdfReader, PdfWriter
    except ImportError as missing:
        raise ValueError(f"The pages are put together with the package pypdf; {EXTRA} brings it.") from missing
    files = {name: site / f"{name}.html" for name in names}
    if absent := [name for name, file in files.items() if not file.is_file()]:
        raise ValueError(f"{site} lacks {absent[0]}.html; build the pages first, with `make book`.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, PdfWriter() as book:
        starts: dict[str, int] = {}
        for name, title, part in _printed(files, Path(folder)):
            starts[name] = len(book.pages)
            book.append(PdfReader(part), outline_item=title, import_outline=False)
        _link(book, site, starts)
        book.add_metadata({"/Title": "Hyper-Representations: a companion"})
        with appearing(target) as aside:
            book.write(aside)
        return len(book.pages)


def _printed(files: dict[str, Path], folder: Path) -> Iterator[tuple[str, str, Path]]:
    with browser() as opened:
        page = opened.new_page()
        page.add_init_script("for (const key of ['mode', 'theme']) localStorage.setItem(key, 'light');")
        for number, (name, file) in enumerate(files.items()):
            print(f"{number + 1} of {len(files)}: {name}", flush=True)
            page.goto(file.resolve().as_uri())
            page.wait_for_function(READY)
            part = folder / f"{number}.pdf"
            page.pdf(path=part, format="A4", print_background=True, tagged=True)
            yield name, page.title().split(" — ")[0], part


def _link(book: Any, site: Path, starts: dict[str, int]) -> None:
    """Links to other pages of the site become links to where these begin."""
    from pypdf.generic import ArrayObject, DictionaryObject, NameObject

    root = site.resolve()
    for page in book.pages:
        for reference in page.get("/Annots") or []:
            note = reference.get_object()
            action = note.get("/A", {})
            parts = urlsplit(str(action.get("/URI", "")))
            if parts.scheme != "file":
                continue
            file = Path(unquote(parts.path))
            name = file.relative_to(root).with_suffix("").as_posix() if file.is_relative_to(root) else ""
            del note[NameObject("/A")]
            if name in starts:
                there = book.pages[starts[name]].indirect_reference
                note[NameObject("/A")] = DictionaryObject(
                    {NameObject("/S"): NameObject("/GoTo"), NameObject("/D"): ArrayObject([there, NameObject("/Fit")])}
                )


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Print the built site; 2 where something is missing."""
    parser = argparse.ArgumentParser(prog="hyperlib.press.pdf", description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, help="the built pages (default: _build/html)")
    parser.add_argument("--to", type=Path, help="the file to write (default: _build/book.pdf)")
    chosen = parser.parse_args(arguments)
    root = paths.root()
    target = chosen.to or root / "_build" / "book.pdf"
    names = pages_in_order(content(root / "_toc.yml", LARGEST_TEXT).decode("utf-8"))
    names = [name for name in names if not name.startswith(ON_SCREEN)]
    count = print_book(chosen.site or root / "_build" / "html", names, target)
    print(f"{count} pages, {target.stat().st_size / 1e6:.1f} MB: {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
