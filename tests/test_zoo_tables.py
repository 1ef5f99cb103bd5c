"""Chapter 3's tables beside those of the Model Zoos paper."""

import pandas as pd
import pytest

from hyperlib.tasks.diversity import diversity
from hyperlib.thesis.published import as_fractions, published
from hyperlib.thesis.zoo_tables import BENCHMARK, DIVERSITY, benchmark_beside, diversity_beside

IDS = {"ours": "mnist-seed", "small": None}


def of_ours(value: float = 0.5) -> pd.DataFrame:
    columns = [*DIVERSITY, *(std for std, _ in DIVERSITY.values())]
    return pd.DataFrame([{"zoo": zoo, "pairs": 3} | dict.fromkeys(columns, value) for zoo in IDS], index=[7, 7])


def probed(**changes) -> pd.DataFrame:
    rows = [
        {"zoo": zoo, "features": features, "target": target, "value": 0.25, "probe": "linear"}
        for zoo in IDS
        for features in ("W", "s(W)", "hyper-parameters")
        for target in (*BENCHMARK, "gap_clean")
    ]
    return pd.DataFrame(rows).assign(**changes)


def test_every_metric_of_the_papers_tables_has_a_column_of_ours():
    printed = {
        name: set(as_fractions(published(name))["metric"]) for name in ("zoo-stats-diversity", "zoo-property-benchmark")
    }

    assert printed["zoo-stats-diversity"] == {metric for _, metric in DIVERSITY.values()}
    assert printed["zoo-property-benchmark"] == set(BENCHMARK.values())


def test_a_row_of_diversity_has_all_columns_that_the_paper_has(tiny_zoo, tetris_images):
    row = pd.DataFrame([{"zoo": "tiny"} | diversity(tiny_zoo, tetris_images, models=4)])

    table = diversity_beside(row, {"tiny": None})

    assert table["ours"].head(6).tolist() == [row[name][0] for name in DIVERSITY]
    assert table["published"].head(6).isna().all() and len(table) == 6 + 159


def test_our_zoos_stand_beside_the_published_ones_of_the_same_id_and_no_row_is_lost():
    table = diversity_beside(of_ours(), IDS)
    mnist = table[table["dataset"] == "mnist-seed"].set_index("measure")

    assert len(table) == 6 + 159
    assert table["dataset"].drop_duplicates().tolist()[:2] == ["mnist-seed", "small"]
    assert mnist.index.tolist() == list(DIVERSITY)
    assert mnist["published"].tolist() == pytest.approx([0.911, 0.885, 0.772, 0.189, 1.241, 0.771])
    assert mnist["published_std"].tolist() == pytest.approx([0.009, 0.013, 0.052, 0.584, 0.049, 0.041])
    assert mnist["ours_std"].eq(0.5).all() and mnist["source"].str.contains("Table 2").all()
    assert table.loc[table["dataset"] == "small", "published"].isna().all()


def test_linear_probes_stand_beside_the_published_ones():
    table = benchmark_beside(pd.concat([probed(), probed(probe="trees", value=0.75)]), IDS)
    mnist = table[table["dataset"] == "mnist-seed"].dropna(subset=["published"])

    assert mnist[["method", "measure"]].apply(tuple, axis=1).tolist() == [
        (method, target) for method in ("W", "s(W)") for target in ("test_accuracy", "gap", "epoch")
    ]
    assert mnist["published"].tolist() == pytest.approx([0.923, 0.021, 0.872, 0.987, 0.688, 0.978])
    assert set(table["ours"].dropna()) == {0.25}
    assert "hyper-parameters" not in set(table["method"])
    assert len(table) == 217 + 2 * 10 - 6


def test_quintiles_can_stand_where_the_paper_has_them():
    both = pd.concat([probed(), probed(value=0.5).query("features == 's(W)'").assign(features="quintiles")])

    table = benchmark_beside(both, IDS, methods={"W": "W", "quintiles": "s(W)"})

    assert set(table.loc[table["method"] == "s(W)", "ours"].dropna()) == {0.5}
    with pytest.raises(ValueError, match="our table has .* twice"):
        benchmark_beside(both, IDS, methods={"s(W)": "s(W)", "quintiles": "s(W)"})


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: diversity_beside(of_ours().drop(columns="cka_std"), IDS), "no column cka_std; it has zoo"),
        (lambda: benchmark_beside(probed().drop(columns="target"), IDS), "no column target"),
        (
            lambda: diversity_beside(of_ours(), {"our": "mnist-seed"}),
            "no zoo among the given ids 'ours'; did you mean our",
        ),
        (lambda: diversity_beside(of_ours(), dict.fromkeys(IDS, "mnist-seed")), "our table has .*mnist-seed.* twice"),
    ],
)
def test_tables_that_do_not_fit_are_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()
