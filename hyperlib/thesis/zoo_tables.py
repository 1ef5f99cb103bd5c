"""Chapter 3's two tables beside those of the Model Zoos paper: which of our columns is which of theirs.

Ours are made with the book's names of zoos and the library's names of columns; theirs are records with ids of published
zoos and printed metrics. The two dictionaries below say what stands for what, so that no page has to.

Source: Tables 2 and 3 of Schürholt et al. (2022), arXiv:2209.14764v1.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from hyperlib.thesis.published import as_fractions, beside, known, published

DIVERSITY = {  # our column, the one of its standard deviation, and the metric of Table 2
    "test_accuracy_mean": ("test_accuracy_std", "test accuracy"),
    "agreement": ("agreement_std", "agreement kappa_aggr (share of equal class predictions, all pairs of the zoo)"),
    "cka": ("cka_std", "agreement kappa_cka (CKA of intermediate and last-layer outputs, 50 images)"),
    "weight_mean": ("weight_std", "weight value w (mean over all weights of the zoo)"),
    "l2": ("l2_std", "normalised pairwise l2 distance"),
    "cosine_distance": ("cosine_distance_std", "pairwise cosine distance"),
}
BENCHMARK = {  # our target, and the metric of Table 3 as a fraction
    "test_accuracy": "R2: test accuracy",
    "gap": "R2: generalization gap",
    "epoch": "R2: epoch",
    "init": "accuracy: initialisation",
    "activation": "accuracy: activation",
}
SAME = {"W": "W", "s(W)": "s(W)"}


def diversity_beside(ours: pd.DataFrame, ids: Mapping[str, str | None]) -> pd.DataFrame:
    """Rows of `diversity`, with their `zoo`, beside Table 2: one row per zoo and measure, in fractions.

    ids: the id of the published zoo for each of our zoos, `recipe.thesis`; where it is None the zoo keeps its own name
    and has no published partner. Gives `dataset`, `measure` (our column), `metric` (theirs) and what `beside` gives:
    `ours`, `published`, `difference`, `ours_std`, `published_std`, source. Our zoos come first, the published zoos that
    we don't have follow.

    Raises ValueError for a zoo without an entry in `ids`, two zoos of one id, or a table without one of the columns.
    """
    _check_columns(ours, ["zoo", *DIVERSITY, *(std for std, _ in DIVERSITY.values())])
    ours = ours.reset_index(drop=True)
    datasets = _datasets(ours["zoo"], ids)
    rows = [
        pd.DataFrame({"dataset": datasets, "metric": metric, "value": ours[mean], "std": ours[std]})
        for mean, (std, metric) in DIVERSITY.items()
    ]
    theirs = as_fractions(published("zoo-stats-diversity"))
    measures = {metric: column for column, (_, metric) in DIVERSITY.items()}
    by_zoo = pd.concat(rows).sort_index(kind="stable")
    return _labelled(beside(by_zoo, theirs, ["dataset", "metric"]), measures)


def benchmark_beside(
    ours: pd.DataFrame, ids: Mapping[str, str | None], methods: Mapping[str, str] = SAME
) -> pd.DataFrame:
    """Linear probes, with their `zoo`, beside Table 3: one row per zoo, method and target, in fractions.

    ours: rows of `run_probes` or `probe_table`; of several probes the linear one is taken, and what the paper has no
    column for is left out. methods: which of our `features` stands beside which of theirs, "W" or "s(W)"; the paper's
    s(W) are quintiles, ours without a word are not. ids and result as in `diversity_beside`, with a column `method`.

    Raises ValueError for a zoo without an entry in `ids`, two rows for one number, or a table without a column.
    """
    _check_columns(ours, ["zoo", "features", "target", "value"])
    kept = ours["features"].isin(list(methods)) & ours["target"].isin(list(BENCHMARK))
    ours = ours[kept & (ours["probe"] == "linear" if "probe" in ours else True)]
    rows = pd.DataFrame(
        {
            "dataset": _datasets(ours["zoo"], ids),
            "method": ours["features"].map(methods),
            "metric": ours["target"].map(BENCHMARK),
            "value": ours["value"],
        }
    )
    theirs = as_fractions(published("zoo-property-benchmark"))
    measures = {metric: target for target, metric in BENCHMARK.items()}
    return _labelled(beside(rows, theirs, ["dataset", "method", "metric"]), measures)


def _datasets(zoos: pd.Series, ids: Mapping[str, str | None]) -> pd.Series:
    """The published id of each row's zoo, or the zoo's own name."""
    return zoos.map({zoo: ids[known(zoo, ids, "zoo among the given ids")] or zoo for zoo in zoos.unique()})


def _check_columns(ours: pd.DataFrame, columns: list[str]) -> None:
    if missing := [name for name in columns if name not in ours]:
        raise ValueError(f"Our table has no column {', '.join(missing)}; it has {', '.join(ours.columns)}.")


def _labelled(both: pd.DataFrame, measures: Mapping[str, str]) -> pd.DataFrame:
    both.insert(both.columns.get_loc("metric"), "measure", both["metric"].map(measures))
    return both
