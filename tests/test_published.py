"""The thesis as data: complete, consistent with itself, a source for every number; and its reader."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from hyperlib.store.record import VARIABLE, read_record
from hyperlib.thesis import published as thesis
from hyperlib.thesis.recipes import zoo_recipe

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "book" / "thesis"
KNOWN_FIGURES = {"1.0.1", "1.0.2", "2.3.1", "2.6.1", "2.6.2"}
CHAPTERS = {"intro": 1, "ws": 2, "zoo": 3, "hr": 4, "ghr": 5, "sane": 6, "disc": 7}
RESULTS = {"published_results.yml": 1053, "companion_results.yml": 316}  # records of the thesis, of later papers


def in_file(name: str) -> dict:
    return yaml.safe_load((DATA / name).read_text(encoding="utf-8"))


# ---- artefacts


def test_there_are_sixty_artefacts_and_three_of_ours_each_under_its_chapter():
    table = thesis.artefacts()

    assert len(table) == 60 + 3
    assert table.index.is_unique
    assert [CHAPTERS[name.split("-")[0]] for name in table.index] == table["chapter"].tolist()
    assert table["chapter"].is_monotonic_increasing
    assert (table["scale"] == "diagram").sum() == 4


def test_every_artefact_says_what_it_is_and_how_we_know():
    table, meta = thesis.artefacts(companions=True), in_file("artefacts.yml")["meta"]

    assert table[["title", "what", "protocol"]].notna().all(axis=None)
    assert set(table["status"]) <= set(meta["statuses"])
    assert set(table["scale"]) <= set(meta["scales"])
    assert {label for labels in table["source"] for label in labels} == set(meta["sources"])
    assert table["source"].map(len).min() > 0


def test_experiments_of_later_papers_are_companions_and_no_artefacts_of_the_thesis():
    table = thesis.artefacts(companions=True)
    companions = table[table["companion"]]

    assert table.index.is_unique and len(companions) == 10
    assert table[~table["companion"]].equals(thesis.artefacts())
    assert all(name.startswith("beh-") or name == "ghr-memorisation-audit" for name in companions.index)
    assert set(companions.index) == set(in_file("companion_results.yml")["meta"]["counts"])
    assert thesis.check_artefact("beh-max-accuracy") == "beh-max-accuracy"
    assert (
        thesis.artefact("ghr-memorisation-audit")["published"] == len(thesis.published("ghr-memorisation-audit")) == 74
    )


def test_only_the_five_known_figures_carry_a_thesis_number():
    numbers = thesis.artefacts(companions=True)["thesis_ref"].dropna().str.removeprefix("Fig ")

    assert numbers.is_unique and set(numbers) == KNOWN_FIGURES


def test_no_other_thesis_figure_number_stands_anywhere():
    in_data = [
        number
        for file in DATA.iterdir()
        for number in re.findall(r"\b\d\.\d\d?\.\d\d?\b", file.read_text(encoding="utf-8"))
    ]
    files = [
        file
        for kind in ("*.py", "*.md")
        for place in ("book", "hyperlib", "notebooks")
        for file in (ROOT / place).rglob(kind)
    ]
    in_text = [
        number
        for file in files
        for run in re.findall(r"(?:Fig|fig|Tab|tab)[a-z]*\.?\s+[\d.,\sand-]+", file.read_text(encoding="utf-8"))
        for number in re.findall(r"\d+\.\d+\.\d+", run)
    ]

    assert len(in_data) > 5 and files
    assert {*in_data, *in_text} == KNOWN_FIGURES


# ---- published numbers


def test_all_1369_records_are_there_and_counted_per_artefact():
    table, metas = thesis.published(), {name: in_file(name)["meta"] for name in RESULTS}

    assert {name: meta["total"] for name, meta in metas.items()} == RESULTS
    assert len(table) == sum(RESULTS.values()) == 1369
    assert table["artefact"].value_counts().to_dict() == {
        k: n for meta in metas.values() for k, n in meta["counts"].items()
    }
    assert thesis.artefacts()["published"].sum() == RESULTS["published_results.yml"]
    assert thesis.artefacts(companions=True)["published"].sum() == len(table)
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` | {count:,} published numbers" in readme for name, count in RESULTS.items())


def test_every_value_is_a_number_with_source_and_confidence():
    table = thesis.published()
    unnumbered = table[table["value"].isna()]

    assert table[["source", "paper", "table_or_figure", "dataset", "method", "metric"]].notna().all(axis=None)
    assert table["source"].str.len().min() > 5
    assert table["confidence"].between(0, 1).all()
    assert set(unnumbered["artefact"]) == {"sane-arch-table", "ghr-lwln-accuracy"} and len(unnumbered) == 4
    assert (unnumbered["printed"].notna() | unnumbered["note"].notna()).all()
    assert table["printed"].notna().sum() == 3


def test_a_unit_is_one_of_four_and_the_one_that_the_metric_names():
    table = thesis.published()
    named = table["metric"].map(thesis.unit_of) == "percent"

    assert set(table["unit"]) == {"percent", "1", "hours", "million"}
    assert (table.loc[named, "unit"] == "percent").all() and named.sum() > 200
    assert set(table["kind"]) == {"printed", "digitised"}
    assert not table["source"].str.contains(r"papers/|index id|misnamed").any()  # the source, not where we found a copy


def test_no_number_is_recorded_twice():
    table = thesis.published()

    assert not table.duplicated(["artefact", "table_or_figure", "dataset", "method", "metric"]).any()


def test_accuracies_and_r2_lie_where_they_can_lie():
    table = thesis.as_fractions(thesis.published())
    accuracies = table[table["metric"].str.match("test accuracy|accuracy:|sparsity|average sparsity")]

    assert accuracies["value"].dropna().between(0, 1).all() and len(accuracies) > 400
    assert (table[table["metric"].str.startswith("R2")]["value"] <= 1).all()
    assert (table["std"].dropna() >= 0).all()
    boxes = table.dropna(subset=["q1", "q3", "value"])
    assert (boxes["q1"] <= boxes["value"]).all() and (boxes["value"] <= boxes["q3"]).all() and len(boxes) == 4


def test_epoch_in_the_metric_is_the_epoch_of_the_record():
    table = thesis.published().dropna(subset=["epoch"])
    named = table["metric"].str.extract(r"epoch (\d+)")[0].dropna().astype(int)

    assert len(named) > 300
    assert (named == table.loc[named.index, "epoch"]).all()


def test_published_numbers_can_be_selected():
    rows = thesis.published("ghr-finetune", dataset="MNIST-seed", method="B_T")

    assert rows["epoch"].tolist() == [0, 1, 25, 50]
    assert rows["value"].tolist() == [10.0, 20.6, 83.3, 91.1]
    assert rows["unit"].unique().tolist() == ["percent"]
    assert len(thesis.published("disc-scorecard")) == 0


# ---- the tables of the Model Zoos paper


def diversity_of_paper() -> pd.DataFrame:
    """One row per zoo and method of the published table of diversity, one column per metric, in fractions."""
    table = thesis.as_fractions(thesis.published("zoo-stats-diversity"))
    return table.pivot(index=["dataset", "method"], columns="metric", values="value")


def test_the_tables_of_the_model_zoos_paper_have_a_row_for_each_of_the_27_zoos():
    zoos = {zoo["id"] for zoo in dense_zoos()}

    for artefact in ("zoo-stats-diversity", "zoo-property-benchmark"):
        assert set(thesis.published(artefact)["dataset"]) == zoos and len(zoos) == 27
    assert thesis.published("zoo-stats-diversity")["std"].notna().all()
    whole = diversity_of_paper().notna().all(axis=1).droplevel("method")
    assert whole[whole].index.tolist() == [name for name in whole.index if "resnet" not in name]  # those have no CKA
    assert set(thesis.published("zoo-property-benchmark")["table_or_figure"]) == {"Table 3"}


def test_weights_of_published_seed_zoos_stand_as_far_apart_as_their_angles_say():
    """Vectors of one length have l2 = sqrt(2 x cosine distance); the paper prints percent with one digit."""
    table = diversity_of_paper().droplevel("method")
    predicted = (2 * table["pairwise cosine distance"]) ** 0.5
    apart = (table["normalised pairwise l2 distance"] - predicted).abs()
    cnn_seeds = apart[apart.index.str.endswith("-seed")]

    assert len(cnn_seeds) == 8 and cnn_seeds.max() < 0.003
    assert apart[apart.index.str.startswith("resnet18")].between(0.01, 0.02).all()
    assert apart[apart.index.str.contains("-hyp-")].between(0.08, 0.42).all()  # lengths vary there


def test_recorded_settings_of_seed_zoos_are_those_of_the_papers_table():
    settings = thesis.published("zoo-generating-factors", method="zoo description").query(
        "table_or_figure == 'Table 1'"
    )
    names = {"learning rate": "lr", "weight decay": "wd"}

    assert len(settings) == 16
    for row in settings.itertuples():
        assert thesis.zoo_record(row.dataset)["fixed"][names[row.metric]] == row.value


def test_ids_of_published_zoos_are_those_of_the_zoo_records():
    described = thesis.published("zoo-generating-factors", method="zoo description")
    epochs = described[(described["metric"] == "epochs") & (described["dataset"] != "all CNN zoos")]

    assert len(epochs) == 2
    assert all(thesis.zoo_record(row.dataset)["epochs"] == row.value for row in epochs.itertuples())
    assert set(described["dataset"]) - set(thesis.zoos()["id"]) == {"all zoos", "all CNN zoos"}


# ---- discrepancies


def test_29_discrepancies_name_artefacts_and_what_to_do():
    table = thesis.discrepancies()

    assert len(table) == 29 and table.index.is_unique
    assert "the 29 places where sources disagree (26 and 3)" in (DATA / "README.md").read_text(encoding="utf-8")
    assert table[["what", "values", "advice"]].notna().all(axis=None)
    assert {name for names in table["artefacts"] for name in names} <= set(thesis.artefacts(companions=True).index)
    assert thesis.discrepancies("ws-entropy").index.tolist() == ["cnn-12k"]


@pytest.mark.parametrize(
    ("discrepancy", "numbers"),
    {
        "svhn-skde30-ep0": {"ghr-finetune": 51.5, "sane-cnn-sampling": 54.5},
        "svhn-mnist-95.5": {"ghr-transfer": 95.5, "sane-cnn-transfer": 95.5},
        "cifar10-zoo": {"ghr-finetune": 48.7, "sane-cnn-sampling": 61.5},
        "fig5-table16": {"sane-arch-sweep": 0.569, "sane-fewshot-task-arch": 50.6},
        "sparsity-readme": {"zoo-sparse-vd": 80},
        "mnist-seed-acc-std": {"zoo-stats-diversity": 91.1, "ghr-finetune": 91.1, "ghr-transfer": 91.1},
        "svhn-seed-acc": {"zoo-stats-diversity": 71.1, "sane-cnn-sampling": 70.7},
        "tiny-imagenet-std": {"zoo-stats-diversity": 63.9, "sane-resnet-finetune": 63.9},
        "sW-vs-sane": {"zoo-property-benchmark": 68.8, "sane-cnn-property": 0.393, "sane-resnet-property": 0.49},
        "sane-resnet-columns": {"sane-resnet-property": 0.923},
        "beh-baseline-lr": {"beh-property-prediction": 0.742, "beh-ablation-cycle": 0.672},
        "beh-generated-rerun": {"beh-max-accuracy": 61.3},
        "sW-seed": {"hr-seed-property-prediction": 0.662, "sane-cnn-property": 0.393},
    }.items(),
)
def test_a_discrepancy_quotes_numbers_that_are_recorded(discrepancy: str, numbers: dict[str, float]):
    record = thesis.discrepancies().loc[discrepancy]

    for artefact, number in numbers.items():
        assert artefact in record["artefacts"]
        assert number in thesis.published(artefact)["value"].tolist()
        assert f"{number:g}".removeprefix("0") in record["what"] + record["values"]


# ---- zoos


def dense_zoos() -> list[dict]:
    """The 27 published zoos, without EuroSAT (later) and the sparse twins."""
    return [zoo for zoo in map(thesis.zoo_record, thesis.zoos()["id"]) if zoo["chapter"] == 3 and zoo.get("models")]


def test_the_zoo_records_add_up_to_the_published_totals():
    totals, zoos = in_file("zoos.yml")["totals"], dense_zoos()
    models = sum(zoo["models"] for zoo in zoos)
    dense = sum(zoo["models"] * zoo["states_per_model"] for zoo in zoos)
    sparse = models * thesis.zoo_record("sparse-vd-twins")["states_per_model"]

    assert (len(zoos), models, dense, dense + sparse) == (27, 50_360, 2_585_360, 3_844_360)
    assert (totals["zoos"], totals["models"], totals["dense_states"], totals["states"]) == (
        len(zoos),
        models,
        dense,
        dense + sparse,
    )
    numbers = thesis.published("zoo-generating-factors").set_index(["dataset", "metric"])["value"]
    assert numbers["all zoos", "models"] == models
    assert numbers["all zoos", "model states incl. sparse twins"] == dense + sparse
    assert numbers["dense zoos", "model states"] == dense


def test_a_grid_grows_every_combination_with_every_seed():
    grids = [zoo for zoo in dense_zoos() if "grid_points" in zoo]

    assert len(grids) == 16
    for zoo in grids:
        assert zoo["grid_points"] == math.prod(len(values) for values in zoo["varied"].values())
        assert zoo["models"] == zoo["grid_points"] * zoo["seeds_per_point"]
        twin = thesis.zoo_record(zoo["id"].replace("-fix", "-rand"))
        assert twin["varied"] == zoo["varied"] and twin["models"] == zoo["models"]


def test_zoos_are_one_table_with_the_size_of_their_networks():
    table = thesis.zoos().set_index("id")

    assert table.index.is_unique and len(table) == 50
    assert table["confidence"].between(0, 1).all() and table["source"].notna().all()
    assert table["weights"][["tetris-seed", "mnist-seed", "cifar10-small-seed", "cifar10-large-seed"]].tolist() == [
        100,
        2464,
        2864,
        10853,
    ]
    assert table.loc["resnet18-tinyimagenet", "weights"] == 11_271_432
    assert "seeds per point 10 (fix)" in table.loc["mnist-hyp-fix", "varied"]
    assert set(table["scale"]) <= set(in_file("artefacts.yml")["meta"]["scales"])


def test_layers_add_up_to_the_parameters_of_their_architecture():
    layers = thesis.architecture_layers()
    bias = layers["bias"].eq(True)
    fan_in = layers["inputs"] * layers["kernel"].fillna(1) ** 2 + bias
    expected = (layers["outputs"] * fan_in).fillna(2 * layers["units"])  # a norm has a weight and a bias per unit

    assert (layers["params"] == expected).all()
    sums = layers.groupby("architecture")["params"].sum()
    assert sums.to_dict() == thesis.architectures()["params"].to_dict()


def test_tokens_of_a_layer_hold_its_parameters():
    layers = thesis.architecture_layers().dropna(subset=["tokens"])
    stated = thesis.architectures()["tokens"].dropna()

    assert (layers["tokens"] * layers["token_len"] == layers["params"]).all()
    assert (layers.groupby("architecture")["tokens"].sum()[stated.index] == stated).all()
    longest = thesis.architectures()["max_token_len"].dropna()
    assert (layers.groupby("architecture")["token_len"].max()[longest.index] == longest).all()


def test_resnet_grows_by_one_output_row_per_class():
    resnet = in_file("zoos.yml")["architectures"]["resnet18_cifar"]
    layers = thesis.architecture_layers().query("architecture == 'resnet18_cifar'")
    rows = layers["inputs"] * layers["kernel"].fillna(1) ** 2 + layers["bias"].eq(True)
    # a row is cut into pieces of 288; a unit of a norm has three tokens: weight with bias, mean, variance
    tokens = int(
        (layers["outputs"] * (rows / 288).map(math.ceil, na_action="ignore")).sum() + 3 * layers["units"].sum()
    )

    for classes, params in resnet["params_by_classes"].items():
        assert params == resnet["params"] + 513 * (classes - 10)
        assert resnet["tokens_by_classes_at_288_with_norm"][classes] == tokens + 2 * (classes - 10)


@pytest.mark.parametrize(
    ("zoo", "artefact", "dataset", "method"),
    [
        ("mnist-seed", "ghr-finetune", "MNIST-seed", "B_T"),
        ("cifar10-small-seed", "ghr-finetune", "CIFAR10-small-seed", "B_T"),
        ("stl10-small-seed", "ghr-finetune", "STL10-small-seed", "B_T"),
        ("svhn-seed", "sane-cnn-sampling", "SVHN CNN", "train from scratch"),
        ("cifar10-large-seed", "sane-cnn-sampling", "CIFAR-10 CNN (large)", "train from scratch"),
        ("stl10-large-seed", "sane-cnn-sampling", "STL-10 CNN (large)", "train from scratch"),
        ("resnet18-cifar10", "sane-resnet-finetune", "ResNet-18 CIFAR-10", "train from scratch"),
        ("resnet18-cifar100", "sane-resnet-finetune", "ResNet-18 CIFAR-100", "train from scratch"),
        ("resnet18-tinyimagenet", "sane-resnet-finetune", "ResNet-18 Tiny-ImageNet", "train from scratch"),
    ],
)
def test_accuracy_of_a_zoo_is_what_the_tables_print(zoo: str, artefact: str, dataset: str, method: str):
    statistics = thesis.accuracy_statistics().query("zoo == @zoo").assign(value=lambda rows: rows["mean"])
    numbers = thesis.published(artefact, dataset=dataset, method=method)

    both = thesis.beside(statistics, numbers, ["epoch"]).dropna(subset=["ours", "published"])

    assert len(both) == len(statistics) >= 3
    assert (both["difference"] == 0).all()
    assert (both["ours_std"] == both["published_std"]).all()


# ---- the reader


@pytest.mark.parametrize(
    ("ask", "hint"),
    [
        (lambda: thesis.artefact("ws-cka"), "ws-cka-l2"),
        (lambda: thesis.zoo_record("mnist_seed"), "mnist-seed"),
        (lambda: thesis.published("ghr-fine-tune"), "ghr-finetune"),
        (lambda: thesis.published("ghr-finetune", method="S_KDE"), "S_KDE30"),
        (lambda: thesis.published("ghr-finetune", dataset="MNIST"), "MNIST-seed"),
        (lambda: thesis.discrepancies("zoo-vd"), "zoo-sparse-vd"),
        (lambda: thesis.artefact("qqqq"), "intro-landscape"),
    ],
)
def test_an_unknown_name_is_answered_with_names_that_exist(ask, hint: str):
    with pytest.raises(ValueError, match="^There is no .*" + re.escape(hint)):
        ask()


def test_tables_are_copies_that_a_page_may_change():
    thesis.artefacts()["source"].iloc[0].append("changed")
    thesis.zoo_record("mnist-seed")["varied"]["seed"] = "changed"
    thesis.discrepancies()["artefacts"].iloc[0].append("changed")
    numbers = thesis.published()
    numbers["value"] = 0.0
    architectures = thesis.architectures()
    architectures.loc["resnet18_cifar", "params_by_classes"][10] = 0

    assert thesis.artefacts()["source"].iloc[0] == ["listing"]
    assert thesis.zoo_record("mnist-seed")["varied"] == {"seed": "1..1000"}
    assert "changed" not in thesis.discrepancies()["artefacts"].iloc[0]
    assert (thesis.published()["value"] > 0).any()
    assert thesis.architectures().loc["resnet18_cifar", "params_by_classes"][10] == 11_173_962


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (None, FileNotFoundError, "is missing; restore it"),
        ("zoos: [unclosed", ValueError, "is damaged"),
        ("zoos: !!python/object/apply:os.getcwd []", ValueError, "is damaged"),
        (b"\xff\xfe\x00", ValueError, "is damaged"),
    ],
)
def test_a_lost_or_damaged_file_is_refused_with_a_remedy(tmp_path, monkeypatch, content, error, says: str):
    monkeypatch.setattr(thesis, "thesis_folder", lambda: tmp_path)
    if content is not None:
        (tmp_path / "zoos.yml").write_bytes(content.encode() if isinstance(content, str) else content)

    with pytest.raises(error, match=says) as caught:
        thesis.zoos()

    assert "git checkout" in str(caught.value) and "\n" not in str(caught.value)


# ---- what a chapter read


@pytest.mark.parametrize(
    ("asks", "files"),
    [
        (thesis.zoos, {"zoos.yml"}),
        (lambda: thesis.zoo_record("mnist-seed"), {"zoos.yml"}),
        (thesis.discrepancies, set(RESULTS)),
        (thesis.artefacts, {"artefacts.yml", *RESULTS}),  # which counts the results
        (lambda: zoo_recipe("fmnist-seed", "paper"), {"zoos.yml"}),
        (lambda: zoo_recipe("mnist_seed", "laptop"), set()),  # the book's own
    ],
)
def test_a_chapter_notes_the_thesis_files_that_it_asks_and_no_others(asks, files, tmp_path, monkeypatch):
    for chapter in ("first", "second"):  # also where another chapter of this process asked before
        monkeypatch.setenv(VARIABLE, str(tmp_path / chapter))
        asks()
        assert set(read_record(tmp_path / chapter).sources) == {DATA / name for name in files}
