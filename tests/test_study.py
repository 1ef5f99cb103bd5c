"""A study makes zoos once, writes what pages print, and finds the thesis's numbers."""

import dataclasses

import pandas as pd
import pytest
import torch

from hyperlib import Study, Zoo
from hyperlib.store.record import VARIABLE, read_record
from hyperlib.thesis import recipes
from hyperlib.thesis.zoo_recipe import ImageSet


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study with its own store and results, and with zoos small enough for a unit test."""
    tiny = dataclasses.replace(
        recipes.BOOK_ZOOS["tetris_seed"]["quick"],
        models=3,
        epochs=2,
        images=ImageSet("tetris", train=64, test=32),
    )
    monkeypatch.setitem(recipes.BOOK_ZOOS, "tetris_seed", {"quick": tiny})
    monkeypatch.setenv("HYPERLIB_RESULTS", str(tmp_path / "results"))
    return Study("quick", store=tmp_path / "store")


def test_a_zoo_is_grown_once_and_read_back_the_same(study, capfd):
    first = study.zoo("tetris_seed")
    said = capfd.readouterr().err
    second = study.zoo("tetris_seed")

    assert "making" in said
    assert "making" not in capfd.readouterr().err
    assert torch.equal(first.weights, second.weights)
    pd.testing.assert_frame_equal(first.table, second.table)
    assert tuple(first.weights.shape) == (3, 3, 100)


def test_a_zoo_killed_after_it_was_saved_is_finished_by_the_next_run(study, monkeypatch):
    save = Zoo.save

    def save_then_die(zoo, folder):
        save(zoo, folder)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Zoo, "save", save_then_die)
        with pytest.raises(KeyboardInterrupt):
            study.zoo("tetris_seed")

    assert len(study.zoo("tetris_seed")) == 3


def test_a_published_table_is_a_csv_with_eight_digits_and_is_noted(study, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "record"))
    table = pd.DataFrame({"zoo": ["a"], "value": [1 / 3]})

    shown = study.publish("zoo-stats-diversity", table)
    study.publish("zoo-stats-diversity", table, "more")

    folder = tmp_path / "results" / "quick"
    assert shown is table
    assert (folder / "zoo-stats-diversity.csv").read_text() == "zoo,value\na,0.33333333\n"
    assert [file.name for file in read_record(tmp_path / "record").results] == [
        "zoo-stats-diversity.csv",
        "zoo-stats-diversity.more.csv",
    ]
    assert not list(folder.glob("*.partial"))


def test_published_numbers_stand_beside_ours_in_fractions(study):
    ours = pd.DataFrame({"metric": ["zoos"], "value": [27]})

    table = study.beside_thesis("zoo-generating-factors", ours, on=["metric"]).set_index("metric")

    assert table.loc["zoos", ["ours", "published", "difference"]].tolist() == [27, 27, 0]
    assert table["published"].notna().sum() > 1  # rows that only the thesis has stay


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda study: study.publish("zoo-stat-diversity", pd.DataFrame()), "zoo-stats-diversity"),
        (lambda study: study.publish("zoo-umap", pd.DataFrame(), "../x"), "cannot name a part"),
        (lambda study: study.zoo("tetris"), "no zoo 'tetris'; did you mean"),
        (lambda study: Study("fast"), "no profile 'fast'"),
        (lambda study: Study("quick", engine="warp"), "no engine 'warp'"),
    ],
)
def test_wrong_names_are_refused_with_what_there_is(study, call, message):
    with pytest.raises(ValueError, match=message):
        call(study)


def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(study, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("HYPERLIB_RESULTS", str(tmp_path / "file"))

    with pytest.raises(OSError, match="set HYPERLIB_RESULTS to another folder"):
        study.publish("zoo-umap", pd.DataFrame({"x": [1]}))


def test_paper_trains_on_a_gpu_where_there_is_one(tmp_path, monkeypatch):
    for there, device in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert Study("paper", store=tmp_path).device == device
        assert Study("laptop", store=tmp_path).device == "cpu"


def test_a_committed_table_of_another_profile_is_found_or_its_making_explained(study):
    curve = study.committed("zoo-accuracy-over-epochs", "mnist_seed", profile="paper")

    assert curve["epoch"].tolist() == list(range(51)) and curve["mean"].between(0, 1).all()
    with pytest.raises(FileNotFoundError, match=r"zoo-umap.nothing.csv is missing; run the page.* profile paper"):
        study.committed("zoo-umap", "nothing", profile="paper")
    with pytest.raises(ValueError, match="no profile 'huge'"):
        study.committed("zoo-umap", profile="huge")


@pytest.mark.parametrize("models", [0, -5, 2.5])
def test_a_part_of_a_zoo_has_a_whole_number_of_models(study, models):
    with pytest.raises(ValueError, match="models is a whole number from 1 on, or None"):
        study.zoo("tetris_seed", models=models)


def test_a_part_of_a_zoo_holds_the_same_models(study):
    whole, part = study.zoo("tetris_seed"), study.zoo("tetris_seed", models=2)

    assert len(part) == 2 and torch.equal(part.weights, whole.weights[:2])
