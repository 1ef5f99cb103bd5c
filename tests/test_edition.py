"""Which code each page of the book hangs on: what its cells can reach, and no more."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from hyperlib.press.colab import TAGS, colab_cell
from hyperlib.press.edition import Chapter, Edition
from hyperlib.press.staleness import python_of
from hyperlib.store.fingerprint import reached

ROOT = Path(__file__).resolve().parents[1]
CHAPTER_5 = ("05a_generating", "05b_using_generated")
TWINS = "03c_sparse_twins"
LAB = "lab_weight_space"
CHAPTER_6 = ("06a_sane", "06b_sane_sampling", "06c_foreign_networks")
MOVABLE = {"02a_weight_space", "02b_symmetries", "04a_hyper_representations"} | {
    *(CHAPTER_5[0], CHAPTER_6[0], CHAPTER_6[2], TWINS),
}
LEDGER = "07b_what_holds"  # reads what is committed, and trains nothing
WITHOUT_PLOTS = {"01_introduction", "07_discussion", LEDGER, "misconceptions"} | {
    *("03b_mnist_seed", "04c_other_properties", CHAPTER_5[1], CHAPTER_6[0], CHAPTER_6[1]),
}
CHAPTER_4 = {"04a_hyper_representations", "04b_model_properties", "04c_other_properties"}
CHAPTERS = {chapter.name.rpartition("/")[2]: chapter for chapter in Edition(ROOT, "quick").chapters()}


@cache
def files_behind(chapter: Chapter) -> frozenset[str]:
    return frozenset(chapter.ingredients().library)


def pages_on(file: str) -> set[str]:
    return {name for name, chapter in CHAPTERS.items() if file in files_behind(chapter)}


@pytest.mark.parametrize(
    ("file", "pages"),
    [
        ("hyperlib/tasks/connectivity.py", {"02b_symmetries", LAB, *CHAPTER_5, *CHAPTER_6}),
        ("hyperlib/zoos/engines/variational.py", {TWINS}),
        ("hyperlib/tasks/spectral_training.py", {"02a_weight_space", CHAPTER_6[2]}),
        ("hyperlib/tasks/ceiling.py", {"04b_model_properties"}),
        ("hyperlib/thesis/targets.py", {"cost_and_speed"}),
        ("hyperlib/representations/training.py", CHAPTER_4 | {*CHAPTER_5, *CHAPTER_6, TWINS, "cost_and_speed"}),
        ("hyperlib/zoos/engines/kernels/tiles.py", set(CHAPTERS)),
        ("hyperlib/figures/movable.py", MOVABLE),
        ("hyperlib/figures/plots.py", set(CHAPTERS) - WITHOUT_PLOTS),
        ("hyperlib/figures/diagrams.py", set()),
    ],
)
def test_a_change_of_a_file_stales_the_pages_that_use_it(file, pages):
    assert (ROOT / file).is_file() and pages_on(file) == pages


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_page_hangs_on_no_code_that_only_prints_it(name):
    assert not [file for file in files_behind(CHAPTERS[name]) if file.startswith("hyperlib/press/")]


def test_where_a_fork_is_published_is_no_ingredient_of_a_page(tmp_path):
    (tmp_path / "_toc.yml").write_text("root: page\n")
    found = []
    for address in ("https://a.org/one", "https://b.org/two"):
        (tmp_path / "page.py").write_text(f"# %%\nx = 1\n\n# %% tags={TAGS}\n{colab_cell(address)}\n")
        found.append(Edition(tmp_path, "quick").chapters()[0].ingredients())
    assert found[0] == found[1]


def test_magics_in_a_cell_are_read():
    assert reached(python_of(["%matplotlib inline\nimport hyperlib", "hyperlib.cka"])).keys() >= {
        "hyperlib/weightspace/similarity.py",
        "hyperlib/press/build.py",
    }  # a magic can run anything


def test_a_cell_that_does_not_parse_stops_no_other_page(tmp_path):
    (tmp_path / "_toc.yml").write_text("root: broken\n")
    (tmp_path / "broken.py").write_text("# %%\nfrom hyperlib import (\n")
    assert Edition(tmp_path, "quick").chapters()[0].ingredients().library == {}
