"""Where the site is published follows from where its repository lies."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from hyperlib.press.pages.addresses import SITEMAP, of_repository, write_sitemap


@pytest.mark.parametrize(
    ("repository", "address"),
    [
        ("https://github.com/Owner/book", "https://owner.github.io/book/"),
        ("https://github.com/owner/book.git", "https://owner.github.io/book/"),
        ("https://github.com/owner/owner.github.io", "https://owner.github.io/"),
        ("https://gitlab.com/owner/book", ""),
        ("https://github.com/owner", ""),
        ("https://github.com/owner/book/tree/main", ""),
        ("", ""),
    ],
)
def test_the_address_is_that_of_github_pages_or_none(repository, address):
    assert of_repository(repository) == address


def test_the_sitemap_has_every_page_but_the_one_for_missing_pages(tmp_path):
    pages = ["book/index", "404", "4", "book/a&b"]
    config = SimpleNamespace(html_baseurl="https://owner.github.io/book/", notfound_pagename="404")
    builder = SimpleNamespace(format="html", get_target_uri=lambda name: f"{name}.html")
    env = SimpleNamespace(found_docs=pages)
    write_sitemap(SimpleNamespace(config=config, builder=builder, env=env, outdir=tmp_path), None)
    text = (tmp_path / SITEMAP).read_text()
    assert text.count("<loc>") == 3 and "book/4.html" in text and "book/a&amp;b.html" in text and "404" not in text
