"""Where the site is published follows from where its repository lies."""

from __future__ import annotations

import pytest

from hyperlib.press.pages.addresses import of_repository


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
