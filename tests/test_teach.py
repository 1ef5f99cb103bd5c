"""Notebooks for a class: nothing of a solution for students, all of it for teachers, and plain Markdown for both."""

from __future__ import annotations

import ast
import re

import nbformat
import pytest

from hyperlib.files.paths import root
from hyperlib.press import teach
from hyperlib.press.colab import TAGS, address_of, colab_cell
from hyperlib.press.edition import Edition
from hyperlib.press.markdown import RAW, book_of, plain
from hyperlib.press.pdf import pages_in_order

CHAPTERS = {chapter.name.rpartition("/")[2]: chapter for chapter in Edition(root(), "quick").chapters()}
BOOK = book_of(root())
PAGE = f'''# %% [markdown]
# # A page?
#
# Of a {{term}}`zoo`, {{doc}}`/notebooks/page`.

# %% tags=["parameters"]
profile = "quick"

# %% tags={TAGS}
{colab_cell("https://github.com/who/fork")}

# %% [markdown]
# ```{{exercise}} Two
# :label: ex-two
# What is one and one?
# ```
#
# ```{{solution-start}} ex-two
# :class: dropdown
# ```

# %% tags=["solution"] asks={{"two": "a number"}} hints=["It is the double of one."] note="They say 11."
two = 1 + 1
assert two == 2

# %% tags=["remove-input"]
print("it is", two)

# %% [markdown]
# One more than one.
# ```{{solution-end}}
# ```
#
# And on.
'''


@pytest.fixture(params=CHAPTERS)
def chapter(request):
    return CHAPTERS[request.param]


@pytest.fixture
def clone(tmp_path):
    """A clone of one page."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "book").mkdir()
    (tmp_path / "notebooks" / "page.py").write_text(PAGE)
    (tmp_path / "book" / "references.bib").write_text("@misc{one, title={One}, author={A. Person}, year={2020}}\n")
    (tmp_path / "_toc.yml").write_text("root: notebooks/page\n")
    (tmp_path / "_config.yml").write_text("repository: {url: https://github.com/who/fork}\n")
    return tmp_path


def code(notebook: nbformat.NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("role", teach.ROLES)
def test_a_notebook_has_no_raw_myst_and_is_clean(chapter, role):
    made = teach.notebook_for(role, chapter, BOOK)
    for cell in made.cells:
        found = RAW.search(cell.source)
        assert not found, cell.source[max(0, found.start() - 50) : found.end() + 50]
        if cell.cell_type == "code":
            ast.parse(cell.source)
            assert not cell.outputs
    assert colab_cell(address_of(root())) in code(made)
    assert f"{BOOK.address}/{chapter.name}.html" in made.cells[0].source and role.capitalize() in made.cells[0].source


@pytest.mark.slow
def test_students_get_nothing_of_a_solution_and_teachers_all(chapter):
    student, instructor = (teach.notebook_for(role, chapter, BOOK) for role in teach.ROLES)
    hidden = [piece.text.strip() for piece in teach.pieces(chapter.notebook()) if piece.hidden and piece.text.strip()]
    exercises = teach.exercises_of(chapter)
    assert len(hidden) == len(exercises) > 0
    shown = "\n\n".join(cell.source for cell in student.cells)
    told = "\n\n".join(cell.source for cell in instructor.cells)
    for exercise, text in zip(exercises, hidden, strict=True):
        assert exercise.stub in code(student) and exercise.check in code(student) and exercise.check in code(instructor)
        assert exercise.stub not in code(instructor)
        words = plain(text, BOOK, chapter.name)
        assert words not in shown and words in told


def test_links_lead_to_pages_that_the_book_has(chapter):
    names = pages_in_order((root() / "_toc.yml").read_text(encoding="utf-8"))
    text = "\n".join(cell.source for cell in teach.notebook_for("instructor", chapter, BOOK).cells)
    for name in re.findall(rf"{re.escape(BOOK.address)}/([\w/]+)\.html", text):
        assert name in names


def test_terms_lead_to_their_place_in_the_glossary():
    assert plain("{term}`Holm's <Holm's method>`", BOOK, "a/b").endswith("glossary.html#term-Holm-s-method)")
    assert "[zoo](" in plain("{term}`zoo`", BOOK, "a/b")


def test_names_of_code_lead_to_the_page_of_their_room():
    there = f"{BOOK.address}/book/api/zoos.html#hyperlib.zoos.zoo.Zoo)"
    assert plain("{py:obj}`~hyperlib.zoos.zoo.Zoo`", BOOK, "a/b") == f"[`Zoo`]({there}"
    assert plain("{py:obj}`a zoo <hyperlib.zoos.zoo.Zoo>`", BOOK, "a/b") == f"[a zoo]({there}"


def test_myst_becomes_plain_markdown():
    text = ":::{admonition} Our run (laptop)\n:class: published-run\n\n**So.** {cite}`thesis`\n:::\n\nand $a^{b}$ `{x}`"
    found = plain(text, BOOK, "notebooks/03_model_zoos")
    assert found.startswith("> **Our run (laptop)**\n>\n> **So.** [(Schürholt, 2024)](")
    assert found.endswith("and $a^{b}$ `{x}`")
    drawn = plain("```{figure} ../book/figures/a.svg\n:name: fig-a\n:alt: A line.\n\nWords.\n```", BOOK, "notebooks/x")
    made = plain("```{ledger} tab-a\nAll.\n```", BOOK, "notebooks/x")
    assert made == f"*[Table a]({BOOK.address}/notebooks/x.html#tab-a). All.*"
    assert drawn == f"![A line.]({BOOK.address}/_images/a.svg)\n\n*Figure a. Words.*"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("```{mermaid}\na\n```", "directive 'mermaid'"),
        ("{abbr}`a`", "role 'abbr'"),
        ("{cite}`nobody1900`", "no 'nobody1900'"),
        ("{numref}`fig-nowhere`", "fig-nowhere, which no page has"),
        ("{doc}`/notebooks/none`", "no page notebooks/none"),
        ("{py:obj}`align`", "the code 'align'; give its full name"),
    ],
)
def test_what_has_no_plain_form_is_refused(text, words):
    with pytest.raises(ValueError, match=words):
        plain(text, BOOK, "notebooks/x")


def test_the_command_writes_both_and_again_the_same(clone, capsys):
    assert teach.main([], clone) == 0
    assert "1 pages, each for student and instructor" in capsys.readouterr().out
    files = sorted((clone / "_build" / "teach").rglob("*.ipynb"))
    assert [file.parent.name for file in files] == ["instructor", "student"]
    before = [file.read_bytes() for file in files]
    student, instructor = (nbformat.reads(text.decode(), as_version=4) for text in reversed(before))
    assert "two = ...  # a number" in code(student)[2] and "1 + 1" not in "".join(code(student))
    assert [any("it is" in source for source in code(one)) for one in (student, instructor)] == [False, True]
    assert "two = 1 + 1" in code(instructor) and any("They say 11." in cell.source for cell in instructor.cells)
    assert student.cells[-1].source == "And on."
    assert "https://who.github.io/fork/notebooks/page.html" in student.cells[0].source
    assert teach.main([], clone) == 0 and [file.read_bytes() for file in files] == before


def test_a_page_with_a_fault_leaves_what_was_there(clone, capsys):
    assert teach.main([], clone) == 0
    files = {file: file.read_bytes() for file in (clone / "_build").rglob("*.ipynb")}
    source = clone / "notebooks" / "page.py"
    source.write_text(PAGE.replace("And on.", "And {abbr}`on`."))
    assert teach.main([], clone) == 2
    assert capsys.readouterr().err.startswith("error: notebooks/page has a role 'abbr'")
    assert {file: file.read_bytes() for file in (clone / "_build").rglob("*.ipynb")} == files


def test_two_pages_that_would_be_one_file_are_refused(clone, capsys):
    (clone / "more").mkdir()
    (clone / "more" / "page.py").write_text(PAGE)
    (clone / "_toc.yml").write_text("root: notebooks/page\nchapters: [{file: more/page}]\n")
    assert teach.main([], clone) == 2
    assert "Two pages are called page" in capsys.readouterr().err and not (clone / "_build" / "teach").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "no chapter 'nowhere'"),
        (["pag"], "did you mean page?"),
        (["--book", "my book"], "'my book' is no address"),
    ],
)
def test_bad_arguments_are_a_sentence(clone, capsys, arguments, words):
    assert teach.main(arguments, clone) == 2
    assert words in capsys.readouterr().err and not (clone / "_build").exists()


def test_a_repository_elsewhere_needs_an_address(clone, capsys):
    (clone / "_config.yml").write_text("repository: {url: https://git.example.org/who/fork}\n")
    assert teach.main([], clone) == 2 and "say with --book" in capsys.readouterr().err
    assert teach.main(["--book", "https://example.org/book/"], clone) == 0
    text = (clone / "_build/teach/student/page.ipynb").read_text(encoding="utf-8")
    assert "https://example.org/book/notebooks/page.html" in text


@pytest.mark.parametrize("name", ["_toc.yml", "_config.yml"])
def test_a_broken_table_of_contents_is_a_sentence(clone, capsys, name):
    (clone / name).write_text("root: notebooks/page\n<<<<<<< HEAD\na: [")
    assert teach.main([], clone) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: _toc.yml or _config.yml is no YAML") and said.count("\n") == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('# %% tags=["solution"]', '# %% tags=["other"]', "Exercise ex-two has no code cell"),
        ("# ```{solution-end}\n# ```", "#", "never ends"),
        ("# ```{solution-start} ex-two\n# :class: dropdown\n# ```", "#", "stands in no exercise"),
    ],
)
def test_an_exercise_that_is_not_whole_is_refused(clone, capsys, old, new, words):
    assert old in PAGE
    (clone / "notebooks" / "page.py").write_text(PAGE.replace(old, new))
    assert teach.main([], clone) == 2 and words in capsys.readouterr().err
