"""The longer run of the ablations: what it trains, its tables, and that nothing of a stopped run is lost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hyperlib import HyperRep, Study
from hyperlib.files import paths
from hyperlib.study import ablations
from hyperlib.study.ablations import COMPARED, TABLES, TARGETS, committed_run, longer_recipes
from hyperlib.thesis import recipes
from hyperlib.thesis.book_representations import REPRESENTATIONS, names, representation_recipe
from hyperlib.thesis.profiles import PROFILES

FILES = {f"{artefact}.{part}.csv" if part else f"{artefact}.csv" for artefact, part in TABLES.values()} | {
    *(f"hr-tetris-{which}.differences.csv" for which in ("ablation-augment", "ablation-arch", "baselines")),
    "hr-tetris-ablation-augment.curves.csv",
}
SMALL = {"width": 8, "heads": 1, "depth": 1, "latent": 4, "batch_size": 16, "hidden": 8, "projection": (1, 8, 4)}


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A tiny Tetris zoo, all rows in one step of a tiny encoder, and results that count as committed."""
    tiny = recipes.BOOK_ZOOS["tetris_seed"]["quick"].but(batch_size=200, seeds=60, epochs=3)
    monkeypatch.setitem(recipes.BOOK_ZOOS, "tetris_seed", {"quick": tiny})
    for name in [*(name for family in TABLES for name in names(family)), "tetris_seed-thesis"]:
        zoo, changes, _ = REPRESENTATIONS[name]
        monkeypatch.setitem(REPRESENTATIONS, name, (zoo, changes | SMALL, (1, 1, 1)))
    monkeypatch.setenv("HYPERLIB_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("HYPERLIB_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(paths, "committed_folder", lambda profile: tmp_path / "results" / "quick")
    return tmp_path / "results" / "quick"


def run(*more: str) -> None:
    ablations.main(["--profile", "quick", "--times", "1", *more])


@pytest.mark.parametrize("profile", PROFILES)
def test_every_row_is_that_of_its_recipe_three_times_as_long(profile):
    found = {row: recipe for family in longer_recipes(profile).values() for row, recipe in family.items()}

    assert len(found) == 33
    for row, recipe in found.items():
        own = dict(representation_recipe("tetris_seed-thesis" if row == "thesis" else row, profile).settings)
        assert dict(recipe.settings) == own | {"steps": 3 * own["steps"]}
    assert not {recipe.name for recipe in found.values()} & {*REPRESENTATIONS}  # names in the store are of one length


def test_rows_of_equal_settings_are_trained_once():
    found = [recipe for family in longer_recipes("laptop").values() for recipe in family.values()]

    assert len({recipe.name for recipe in found}) == len({recipe.settings for recipe in found}) == 29
    both = longer_recipes("laptop")
    assert both["arch"]["arch_neuron_summary"] is both["augment"]["augment_perm_clean_whole"]


def test_a_length_below_one_step_is_one():
    assert {dict(one.settings)["steps"] for one in longer_recipes("quick", 1e-9)["augment"].values()} == {1}


def test_claims_compare_rows_of_their_family_and_the_page_shows_every_one():
    page = (paths.root() / "notebooks" / "04a_hyper_representations.py").read_text(encoding="utf-8")
    families = longer_recipes("quick")
    for claim, (family, first, second) in COMPARED.items():
        assert {*first, *second} <= {*families[family]} and not {*first} & {*second} and first and second
        assert f'("{claim}", ' in page


@pytest.mark.slow
def test_a_stopped_run_goes_on_and_its_tables_tell_what_was_trained(results, monkeypatch, capsys):
    finished, fit = [], HyperRep.fit

    def until(self, *given, **more):
        if len(finished) == 3:
            raise KeyboardInterrupt
        fit(self, *given, **more)
        finished.append(self)

    monkeypatch.setattr(HyperRep, "fit", until)
    with pytest.raises(SystemExit) as stopped:
        run()
    assert stopped.value.code == 130 and capsys.readouterr().err.endswith("it goes on from there.\n")
    monkeypatch.setattr(HyperRep, "fit", lambda *given, **more: finished.append(fit(*given, **more)))
    run()
    settings = {one.settings for family in longer_recipes("quick", 1).values() for one in family.values()}
    assert len(finished) == len(settings)  # the first three among them
    assert {file.name for file in results.iterdir()} == FILES
    before = {file: file.read_bytes() for file in results.iterdir()}
    run()
    assert len(finished) == len(settings) and all(file.read_bytes() == text for file, text in before.items())

    tables = committed_run(Study("quick"))
    scores = pd.concat(tables[family] for family in TABLES).set_index("features")[list(TARGETS)]
    assert sum(len(tables[family]) for family in TABLES) == len(scores) == 33
    told = tables["differences"]
    assert len(told) == len(COMPARED) * len(TARGETS) and (told["low"] <= told["high"]).all()
    for row in told.itertuples():  # each difference is that of the scores beside it
        means = [scores.loc[names.split(", "), row.case].mean() for names in (row.first, row.second)]
        assert row.value == pytest.approx(means[0] - means[1], abs=1e-6)
    for family in TABLES:
        table = tables[family]
        assert {"steps", "seed", "code"} <= {*table} and (table["seed"] == 0).all() and table["code"].nunique() == 1
        assert np.isfinite(table.select_dtypes("number")).all(axis=None)
    assert set(tables["curves"]["features"]) == set(tables["augment"]["features"])
    assert tables["compression"]["mix"].tolist() == 2 * ["contrast", "both", "reconstruction"]
    assert tables["arch"]["thesis"].tolist() == ["FF", "Att_W", "Att_W+", "Att_N", "Att_N+"]


@pytest.mark.parametrize("lost", ["nothing", "all", *sorted(FILES)])
def test_a_run_that_is_not_whole_is_none(lost, tmp_path, monkeypatch):
    """Of older tables, made by the page itself, columns are missing."""
    for place in FILES - ({lost} if lost != "all" else FILES):
        columns = [*ablations.COLUMNS, "thesis", "latent", "mix", *ablations.DIFFERENCES, *ablations.CURVES]
        rows = pd.DataFrame(dict.fromkeys(columns, 1), index=range(len(COMPARED)))
        rows.assign(claim=list(COMPARED), code="a").to_csv(tmp_path / place, index=False)
    monkeypatch.setattr(paths, "committed_folder", lambda profile: tmp_path)
    found = committed_run(Study("quick"))

    assert {*found} == {*TABLES, "differences", "curves"}
    assert all(len(table) > 0 for table in found.values()) is (lost == "nothing")
    assert any(len(table) > 0 for table in found.values()) is (lost == "nothing")
    if lost == "nothing":
        arch = tmp_path / "hr-tetris-ablation-arch.csv"
        other = pd.read_csv(arch)
        other.assign(code="b").to_csv(arch, index=False)  # of another run
        assert not any(len(table) for table in committed_run(Study("quick")).values())
        other.drop(columns="seed").to_csv(arch, index=False)
        assert not any(len(table) for table in committed_run(Study("quick")).values())


@pytest.mark.parametrize(
    ("given", "sentence"),
    [(["--times", times], "times is a number above 0, such as 3") for times in ("0", "-1", "nan", "inf")]
    + [(["--times", "long"], "invalid float value"), (["--profile", "huge"], "invalid choice: 'huge'")],
)
def test_wrong_input_ends_in_a_sentence(given, sentence, capsys, monkeypatch):
    monkeypatch.setattr(ablations, "ablated", None)  # nothing is trained
    with pytest.raises(SystemExit) as ended:
        ablations.main(given)
    assert ended.value.code == 2 and sentence in capsys.readouterr().err
