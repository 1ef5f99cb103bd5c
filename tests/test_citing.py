"""Who cites finds one software: its citation file, the record for an archive, the package and the README agree."""

from __future__ import annotations

import json
import re
import tomllib

import yaml

from hyperlib.files.paths import root

PROJECT = tomllib.loads((root() / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITED = yaml.safe_load((root() / "CITATION.cff").read_text(encoding="utf-8"))
ARCHIVED = json.loads((root() / ".zenodo.json").read_text(encoding="utf-8"))
CONFIG = yaml.safe_load((root() / "_config.yml").read_text(encoding="utf-8"))
README = (root() / "README.md").read_text(encoding="utf-8")


def entry(name: str, text: str) -> dict[str, str]:
    """Fields of a BibTeX entry, without braces, accents as letters."""
    (body,) = re.findall(rf"@\w+\{{{name},\n(.*?)^\}}", text, re.DOTALL | re.MULTILINE)
    body = body.replace('{\\"u}', "ü")
    return {key: value.strip("{}") for key, value in re.findall(r"^\s*(\w+)\s*= \{(.*)\},?$", body, re.MULTILINE)}


def test_the_citation_file_has_what_its_format_requires():
    """Citation File Format 1.2.0, schema: required fields of the file, of authors and of references."""
    assert CITED["cff-version"] == "1.2.0" and CITED["type"] in ("software", "dataset")
    for reference in (CITED, CITED["preferred-citation"]):
        assert reference["title"] and reference["authors"]
        assert all(set(author) & {"name", "family-names"} for author in reference["authors"])
    assert CITED["message"] and isinstance(CITED["version"], str)
    assert CITED["preferred-citation"]["type"] == "thesis" and isinstance(CITED["preferred-citation"]["year"], int)
    known = {"cff-version", "message", "type", "title", "version", "license", "authors", "abstract", "keywords",
             "repository-code", "preferred-citation", "date-released", "doi", "url", "identifiers"}  # fmt: skip
    assert set(CITED) <= known


def test_title_version_license_and_authors_are_those_of_the_package_and_the_site():
    software = entry("companion", README)
    assert CITED["title"] == ARCHIVED["title"] == CONFIG["title"] == software["title"]
    assert CITED["version"] == ARCHIVED["version"] == PROJECT["version"] == software["version"]
    assert CITED["license"] == ARCHIVED["license"] == PROJECT["license"]
    authors = [author["name"] for author in CITED["authors"]]
    assert authors == [one["name"] for one in ARCHIVED["creators"]] == [one["name"] for one in PROJECT["authors"]]
    assert [CONFIG["author"]] == authors == software["author"].split(" and ")
    assert software["year"] == CONFIG["copyright"]


def test_words_for_searches_are_the_same():
    assert CITED["keywords"] == ARCHIVED["keywords"] and CITED["abstract"] == ARCHIVED["description"]
    assert ARCHIVED["upload_type"] == CITED["type"] == "software"


def test_the_thesis_is_cited_as_in_the_bibliography():
    thesis, told = CITED["preferred-citation"], entry("thesis", README)
    known = entry("thesis", (root() / "book" / "references.bib").read_text(encoding="utf-8"))
    assert told == {key: known[key] for key in told} and set(told) >= {"author", "title", "school", "year"}
    (author,) = thesis["authors"]
    assert told["author"] == f"{author['family-names']}, {author['given-names']}"
    assert (told["title"], told["school"], told["year"]) == (
        *(thesis["title"], thesis["institution"]["name"], str(thesis["year"])),
    )
    (archived,) = ARCHIVED["related_identifiers"]
    (number,) = (one["value"] for one in thesis["identifiers"])
    assert archived["identifier"] == number == known["note"] and thesis["url"] == known["url"]
    assert thesis["url"].endswith(number.removeprefix("arXiv:"))
