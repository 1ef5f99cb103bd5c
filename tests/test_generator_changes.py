"""The longer run of page 05a's changes: what it trains, its table, and that no training of a stopped run is lost."""

from functools import partial

import pandas as pd
import pytest

from hyperlib import HyperRep, Study
from hyperlib.study import generator_changes
from hyperlib.study.generator_changes import CHANGES, TRAININGS, changed
from hyperlib.tasks import generators
from hyperlib.thesis import book_generators, recipes
from hyperlib.thesis.book_generators import GENERATORS


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A tiny zoo and one step of each generator; where the command writes."""
    tiny = recipes.BOOK_ZOOS["mnist_seed"]["quick"].but(seeds=40)
    monkeypatch.setitem(recipes.BOOK_ZOOS, "mnist_seed", {"quick": tiny})
    monkeypatch.setitem(book_generators._STEPS, "mnist_seed", (1, 1, 1))
    monkeypatch.setattr(generator_changes, "judged", partial(generators.judged, drawn=4))
    monkeypatch.setattr(generator_changes, "OF_FLOWS", {"quick": {"flow_steps": 2}})
    monkeypatch.setenv("HYPERLIB_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("HYPERLIB_STORE", str(tmp_path / "store"))
    return tmp_path / "results" / "quick" / "ghr-diversity.changes.csv"


def test_changes_are_generators_of_the_book():
    assert {*CHANGES} <= {*GENERATORS} and len({*CHANGES.values()}) == len(CHANGES)
    for wrong in (["loud"], ["layers", "weights"], []):  # "weights" is a generator of the page and no change
        with pytest.raises(ValueError, match="Name some of the changes layers, "):
            changed(Study("quick"), wrong)


@pytest.mark.slow
def test_a_stopped_run_goes_on_and_its_table_has_every_training(table, monkeypatch, capsys):
    finished, fit = [], HyperRep.fit

    def until(self, *given, **more):
        if len(finished) == 3:
            raise KeyboardInterrupt
        fit(self, *given, **more)
        finished.append(self)

    monkeypatch.setattr(HyperRep, "fit", until)
    with pytest.raises(SystemExit) as stopped:
        generator_changes.main(["--profile", "quick"])
    assert stopped.value.code == 130 and capsys.readouterr().err.endswith("it goes on from there.\n")
    monkeypatch.setattr(HyperRep, "fit", lambda *given, **more: finished.append(fit(*given, **more)))
    generator_changes.main(["--profile", "quick"])
    assert len(finished) == TRAININGS * len(CHANGES)  # the first three among them

    told = pd.read_csv(table)
    assert all(rows["repeat"].tolist() == [*range(TRAININGS)] for _, rows in told.groupby("representation"))
    assert told["representation"].unique().tolist() == [*CHANGES.values()]
    assert told.notna().all(axis=None) and told["code"].nunique() == 1
    assert (told["low"] <= told["specificity"]).all() and (told["specificity"] <= told["high"]).all()

    page = changed(Study("quick"), ["answers_4", "layers"])  # a page that asks for some has the same rows
    assert len(finished) == TRAININGS * len(CHANGES)
    same = told[told["repeat"] == 0].set_index("representation").loc[page["representation"], [*page.columns[1:]]]
    pd.testing.assert_frame_equal(page.set_index("representation"), same, check_dtype=False, rtol=1e-6)
