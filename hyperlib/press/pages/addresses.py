"""Where the published site lies: its base address, and the list of its pages for search engines (sitemap).

The address follows from that of the repository, as GitHub Pages makes it, unless `html_baseurl` names another; so who
publishes a fork changes one line. Source: sitemaps.org, protocol 0.9.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from sphinx.application import Sphinx
from sphinx.config import Config

SITEMAP = "sitemap.xml"
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'


def connect(app: Sphinx) -> None:
    """Register both; the base address is there before other extensions ask for it."""
    app.connect("config-inited", base_address, priority=100)
    app.connect("build-finished", write_sitemap)


def base_address(app: Sphinx, config: Config) -> None:
    """Of `github.com/owner/name` it is `owner.github.io/name/`; any other repository has none."""
    if not config.html_baseurl:
        config.html_baseurl = of_repository(str(config.html_theme_options.get("repository_url", "")))
    config.ogp_site_url = config.ogp_site_url or config.html_baseurl
    config.notfound_urls_prefix = urlsplit(config.html_baseurl).path or "/"  # a page is missing in any folder


def of_repository(url: str) -> str:
    """The address at which GitHub Pages publishes a repository, "" for one that lies elsewhere."""
    parts = urlsplit(url)
    owner, _, name = parts.path.strip("/").removesuffix(".git").partition("/")
    if parts.hostname != "github.com" or not owner or not name or "/" in name:
        return ""
    own = f"{owner.lower()}.github.io"
    return f"https://{own}/" if name.lower() == own else f"https://{own}/{name}/"


def write_sitemap(app: Sphinx, error: Exception | None) -> None:
    """All pages but the one for missing pages, by name, whichever of them were written anew."""
    base = app.config.html_baseurl
    if error is not None or app.builder.format != "html" or not base:
        return
    pages = sorted(name for name in app.env.found_docs if name != app.config.notfound_pagename)
    links = (escape(base + app.builder.get_target_uri(name)) for name in pages)
    text = _HEAD + "".join(f"<url><loc>{link}</loc></url>\n" for link in links) + "</urlset>\n"
    Path(app.outdir, SITEMAP).write_text(text, encoding="utf-8")
