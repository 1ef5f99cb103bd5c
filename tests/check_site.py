"""What a built site must hold to be read offline, by everyone: `python tests/check_site.py _build/html`.

Every link inside the site leads to a page and an anchor that exist; every picture says in words what it shows, every
figure has a caption and every column of a table a name; a figure that moves has a still, its scripts and all its data
in the site; nothing is loaded from another address. Ordinary links to other sites may stand, they need a network and
are checked by a scheduled workflow. Prints one line for each fault and a line that counts.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag

REMOTE = re.compile(r"^\s*(https?:)?//", re.IGNORECASE)
LOADED = {  # what a browser fetches by itself
    "script": ("src",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "iframe": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "track": ("src",),
    "input": ("src",),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
}
LOADING_LINKS = {"stylesheet", "icon", "shortcut", "preload", "prefetch", "modulepreload", "preconnect",
                 "dns-prefetch", "manifest", "apple-touch-icon"}  # fmt: skip
IN_STYLES = re.compile(r"""url\(\s*['"]?([^'")]+)|@import\s+['"]([^'"]+)""")
IN_SCRIPTS = re.compile(r"""['"](https?://[^'"\s]+\.(?:m?js|css|wasm)(?:[?#][^'"\s]*)?)['"]""")
IN_SCRIPT_FILES = re.compile(r"""["'`]((?:https?:)?//(?!www\.w3\.org/)[\w-]+\.[\w.-]+[^"'`\s]*)""", re.IGNORECASE)
KNOWN_SCRIPTS = {  # they name addresses and ask none of them on our pages; all other scripts name none
    "_static/plotly.min.js": "map tiles, outlines of countries, its own cloud: see MAPS",
    "_static/mathjax/tex-chtml.js": "speech rules, which the pages don't switch on, and old browsers",
}
MAPS = re.compile(r"scattergeo|choropleth(map(box)?)?|(scatter|density)map(box)?")  # for these Plotly loads something
PLOTLY, OURS = "_static/plotly.min.js", "_static/movable.js"  # the second asks for the first when a reader comes near
MISSING, SITEMAP = "404.html", "sitemap.xml"
PATH_LIKE = re.compile(r"^[\w./\\-]*[\\/][\w./\\-]*$|\.(png|svg|jpe?g|gif|webp)$", re.IGNORECASE)


@dataclass(frozen=True)
class Page:
    """One page of the site; `name` is its path in it."""

    site: Path
    name: str

    @cached_property
    def soup(self) -> BeautifulSoup:
        return BeautifulSoup((self.site / self.name).read_text(encoding="utf-8"), "html.parser")

    @cached_property
    def anchors(self) -> set[str]:
        tags = self.soup.find_all(True)
        return {str(tag[key]) for tag in tags for key in ("id", "name") if tag.has_attr(key)}


def faults(site: Path) -> list[str]:
    """All faults of a site, as lines that begin with the file at fault."""
    if not (site / "index.html").is_file():
        return [f"{site}: there is no index.html; build the pages with `make html` first"]
    names = sorted(file.relative_to(site).as_posix() for file in site.rglob("*.html"))
    pages = {name: Page(site, name) for name in names if not name.startswith("_static/")}
    found = []
    for page in pages.values():
        inside = (faulty_pictures, nameless_columns, faulty_live_figures, remote_resources)
        checks = (broken_links(page, pages), *(check(page) for check in inside))
        found += [f"{page.name}: {fault}" for check in checks for fault in check]
    found += unlisted(site, set(pages))
    for sheet in sorted(site.rglob("*.css")):
        text = sheet.read_text(encoding="utf-8", errors="replace")
        found += [f"{sheet.relative_to(site).as_posix()}: {fault}" for fault in remote_in_styles(text)]
    for script in sorted(site.rglob("*.js")):
        name, text = script.relative_to(site).as_posix(), script.read_text(encoding="utf-8", errors="replace")
        if name not in KNOWN_SCRIPTS:
            found += [f"{name}: a script names {url[:80]}" for url in IN_SCRIPT_FILES.findall(text)]
    return found


def unlisted(site: Path, names: set[str]) -> list[str]:
    """Pages that the list for search engines lacks or makes up, where there is such a list."""
    if not (site / SITEMAP).is_file():
        return []
    urls = re.findall(r"<loc>([^<]*)</loc>", (site / SITEMAP).read_text(encoding="utf-8"))
    written = {name for name in names if any(site.glob(f"_sources/{name.removesuffix('.html')}.*"))}
    lacking = sorted(name for name in written if not any(url.endswith(f"/{name}") for url in urls))
    made_up = [url for url in urls if not any(url.endswith(f"/{name}") for name in names)]
    return [f"{SITEMAP}: {name} is missing" for name in lacking] + [f"{SITEMAP}: {url} is no page" for url in made_up]


def broken_links(page: Page, pages: dict[str, Page]) -> Iterator[str]:
    """Links and loaded files inside the site that lead nowhere."""
    for tag, url in _addresses(page):
        parts = urlsplit(url)
        if parts.scheme or parts.netloc:
            continue
        target = _target(page, unquote(parts.path))
        if target is None or not (page.site / target).is_file():
            yield f"<{tag.name}> leads to {url}, which is not in the site"
        elif tag.name == "a" and not _has_anchor(pages.get(target), unquote(parts.fragment)):
            yield f"<a> leads to {url}, but {target} has no such anchor"


def faulty_pictures(page: Page) -> Iterator[str]:
    """Pictures without words for those who don't see them, and figures of the text without a caption."""
    for picture in page.soup.find_all("img"):
        words = picture.get("alt")
        if words is None or (not words.strip() and not _decorative(picture)):
            yield f"<img> {picture.get('src', '')[:80]} has no alt text"
        elif PATH_LIKE.search(words.strip()):
            yield f"<img> {picture.get('src', '')[:80]} has a path as alt text: {words}"
    for figure in page.soup.find_all("figure"):
        named = figure.get("aria-labelledby")  # a table's caption, which stands above it
        caption = figure.find(id=named) if named else figure.find("figcaption")
        text = caption.find(class_="caption-text") or caption if caption else None
        if text is None or not text.get_text(strip=True).rstrip("#"):
            yield f"<figure> {figure.get('id', '')} has no caption"
    for output in page.soup.select(".cell_output img"):
        if output.find_parent("figure") is None:
            yield f"<img> {output.get('src', '')[:80]} is an output without figure number and caption"


def nameless_columns(page: Page) -> Iterator[str]:
    """Heads of columns without a word, which somebody who hears a table cannot tell from others."""
    for head in page.soup.select("thead th"):
        if not head.get_text(strip=True) and not head.get("aria-label"):
            yield f"<th> without a word beside {head.parent.get_text(' ', strip=True)[:60]!r}"


def faulty_live_figures(page: Page) -> Iterator[str]:
    """Figures that move without a still, without the scripts that draw them, or with data that lie elsewhere."""
    lives = page.soup.select(".movable-live")
    sources = [str(script["src"]).split("?")[0] for script in page.soup.find_all("script", src=True)]
    if lives and not any(source.endswith(OURS) for source in sources):
        yield f"a figure that moves is there, and {OURS}, which draws it, is not loaded"
    if lives and not (page.site / PLOTLY).is_file():
        yield f"a figure that moves is there, and {PLOTLY}, which draws it, is not in the site"
    if any(source.endswith(PLOTLY) for source in sources):
        yield f"{PLOTLY} is loaded with the page, which has to wait for it"
    for live in lives:
        figure = live.find_parent("figure", class_="movable")
        name = figure.get("id", "") if figure else ""
        if figure is None or figure.find("img") is None:
            yield f"<figure> {name} moves and has no still"
        try:
            data = json.loads(live.find("script", type="application/json").get_text())
        except (AttributeError, ValueError):
            yield f"<figure> {name} moves and has no data that can be read"
            continue
        maps = {str(trace.get("type")) for trace in data.get("data", []) if MAPS.fullmatch(str(trace.get("type")))}
        yield from (f"<figure> {name} has a map, {kind}, which loads from elsewhere" for kind in sorted(maps))
        yield from (f"<figure> {name} loads {text}" for text in _texts(data) if REMOTE.match(text))


def remote_resources(page: Page) -> Iterator[str]:
    """Scripts, styles, fonts and pictures that a browser would load from elsewhere."""
    for tag in page.soup.find_all(list(LOADED)):
        for key in LOADED[tag.name]:
            if any(REMOTE.match(part) for part in str(tag.get(key, "")).split(",")):
                yield f"<{tag.name}> loads {tag[key]}"
    for link in page.soup.find_all("link", href=REMOTE):
        if LOADING_LINKS & {word.lower() for word in link.get("rel", [])}:
            yield f"<link> loads {link['href']}"
    for style in page.soup.find_all("style"):
        yield from remote_in_styles(style.get_text())
    for tag in page.soup.find_all(style=True):
        yield from remote_in_styles(str(tag["style"]))
    for script in page.soup.find_all("script", src=False):
        yield from (f"a script may load {url}" for url in IN_SCRIPTS.findall(script.get_text()))


def remote_in_styles(text: str) -> Iterator[str]:
    """Addresses elsewhere that a style sheet loads."""
    for pair in IN_STYLES.findall(text):
        url = pair[0] or pair[1]
        if REMOTE.match(url):
            yield f"a style loads {url.strip()}"


def _addresses(page: Page) -> Iterator[tuple[Tag, str]]:
    for tag in page.soup.find_all(["a", "link", "script", "img", "source", "iframe"]):
        url = tag.get("href") if tag.name in ("a", "link") else tag.get("src")
        if isinstance(url, str) and url.strip():
            yield tag, url.strip()


def _texts(value: Any) -> Iterator[str]:
    """All texts in what a JSON file holds."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _has_anchor(page: Page | None, anchor: str) -> bool:
    return not anchor or page is None or anchor in page.anchors


def _target(page: Page, path: str) -> str | None:
    """The file that a path means, as a path in the site; None if it leaves the site.

    The page for what is missing can be called from anywhere, so its links begin with the published site's folder.
    """
    if not path:
        return page.name
    site = page.site.resolve()
    if page.name == MISSING and path.startswith("/"):
        canonical = page.soup.find("link", rel="canonical")
        folder = urlsplit(str(canonical["href"]).removesuffix(MISSING)).path if isinstance(canonical, Tag) else "/"
        path = "./" + path.removeprefix(folder)
    file = (site / page.name).parent.joinpath(path).resolve()
    file = file / "index.html" if path.endswith("/") or file.is_dir() else file
    return file.relative_to(site).as_posix() if file.is_relative_to(site) else None


def _decorative(picture: Tag) -> bool:
    """Whether a picture repeats what stands beside it: an empty alt text, in a link or button with words."""
    around = picture.find_parent(["a", "button"])
    return picture.get("role") == "presentation" or (around is not None and bool(around.get_text(strip=True)))


def main(arguments: list[str]) -> int:
    site = Path(arguments[0] if arguments else "_build/html")
    found = faults(site)
    for fault in found:
        print(fault)
    pages = len(list(site.rglob("*.html")))
    print(f"{site}: {pages} pages, {len(found)} faults.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
