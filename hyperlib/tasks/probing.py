"""Which properties of a model can be read off its representation: one table, one row per question.

Every representation meets the same probes, on the same split by model, and is scored on models that neither
it nor the probe has seen, with intervals over those models. `probe_table` gives the table; `run_probes` keeps
the predictions beside it, so that two rows can be compared on the same draws of models.

The table's columns: features, dimensions, probe, target, metric ("r2" for numbers, "accuracy" for
categories), value, low and high (95 %, bootstrap over test models), tau (Kendall's tau-b, numbers only),
the same inside epochs (`within`, `within_low`, `within_high`, `within_tau`: means over epochs), val (the score on
validation samples, inside epochs for a probe beside the clock), penalty (as chosen there; NaN for trees),
n_train_models, n_test_models, n_train_samples, n_test_samples.

In a zoo of seeds nearly all variance of accuracy lies between epochs, so whoever knows the epoch scores high. Inside
epochs R² is about the mean of each epoch's test samples (see `intervals`): what tells epochs apart and no two networks
of one epoch scores about zero, or below.

Source: Schürholt et al. (2021), property prediction; intervals and scores inside epochs are our addition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from hyperlib.representations.controls import controls as controls_of
from hyperlib.tasks.curved_probes import KernelProbe, NetworkProbe, TreeProbe
from hyperlib.tasks.estimates import Estimate
from hyperlib.tasks.features import Embeddings
from hyperlib.tasks.intervals import ModelBootstrap, judge, metric_of, paired_difference, score
from hyperlib.tasks.probes import BesideClock, Features, LinearProbe, SoftmaxProbe, finite
from hyperlib.zoos.zoo import Samples

OF_NUMBERS = {  # probes that read all numbers at once, by name: made from a seed
    "linear": lambda seed: LinearProbe(),
    "linear-standardised": lambda seed: LinearProbe(standardise=True),
    "kernel": lambda seed: KernelProbe(seed=seed),
    "network": lambda seed: NetworkProbe(seed=seed),
}
BESIDE_CLOCK = "beside the clock"  # a linear probe of what is known inside an epoch
BESIDE = {BESIDE_CLOCK: "linear"} | {f"{name}, {BESIDE_CLOCK}": name for name in ("trees", "kernel", "network")}
PROBES = (*OF_NUMBERS, "trees", *BESIDE)
CONTROL_PROBES = {  # which probes read which of `controls`
    "linear": ("clock", "settings", "s(W)", "pooled rows", "all statistics", "random features"),
    BESIDE_CLOCK: ("settings", "s(W)", "pooled rows", "all statistics", "random features"),
    "trees": ("settings",),
    f"trees, {BESIDE_CLOCK}": ("settings", "all statistics"),
}
TABLE = (
    *("features", "dimensions", "probe", "target", "metric", "value", "low", "high", "tau"),
    *("within", "within_low", "within_high", "within_tau", "val", "penalty"),
    *("n_train_models", "n_test_models", "n_train_samples", "n_test_samples"),
)

Embedders = Mapping[str, BaseEstimator]
Reading = tuple[str, str]  # features and the probe that reads them
Probes = Sequence[str] | Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class ProbeResult:
    """A probe table and the test predictions behind it, by (features, probe, target)."""

    table: pd.DataFrame
    truth: dict[str, np.ndarray]
    predictions: dict[tuple[str, str, str], np.ndarray]
    draws: ModelBootstrap
    models: np.ndarray  # of the test samples
    epochs: np.ndarray

    def best(self, readings: Sequence[Reading], target: str) -> Reading:
        """Of some (features, probe) the one that tells this target best on validation samples.

        Raises ValueError where one was not run, and where some are asked beside the clock and others are not.
        """
        for reading in readings:
            if (*reading, target) not in self.predictions:
                raise ValueError(f"No probe was run for {', '.join(reading)}, {target}; see the table.")
        if len({probe in BESIDE for _, probe in readings}) != 1:
            raise ValueError("Scores inside epochs and over all samples are no choice; give readings of one kind.")
        scores = self.table[self.table["target"] == target].set_index(["features", "probe"])["val"]
        return scores[list(readings)].fillna(-np.inf).idxmax()

    def compare(
        self,
        first: str | Sequence[str],
        second: str | Sequence[str],
        target: str,
        *,
        probe: str = "linear",
        second_probe: str | None = None,
        within: bool = False,
    ) -> Estimate:
        """Score of the first features minus that of the second, with a paired interval over test models.

        Either may be several features (one method with several seeds), whose mean score counts then. `second_probe`
        reads the second features with another probe; within: scores inside epochs. Raises ValueError for a row that was
        not probed.
        """
        sides = []
        for names, reader in ((first, probe), (second, second_probe or probe)):
            rows = [(name, reader, target) for name in ([names] if isinstance(names, str) else names)]
            for row in rows:
                if row not in self.predictions:
                    known = "; ".join(", ".join(key) for key in self.predictions)
                    raise ValueError(f"No probe was run for {', '.join(row)}; there are: {known}.")
            sides.append([self.predictions[row] for row in rows])
        truth, strata = self.truth[target], self.epochs if within else None
        return paired_difference(truth, *sides, self.draws, metric_of(truth), strata)


def probe_table(
    embedders: Embedders,
    train: Samples,
    val: Samples,
    test: Samples,
    columns: Sequence[str],
    probes: Probes = ("linear",),
    *,
    controls: int | None = None,
    seed: int = 0,
    bootstrap: int = 1000,
    other_zoo: bool = False,
) -> pd.DataFrame:
    """The table of `run_probes`, for readers who compare no rows."""
    settings = {"controls": controls, "seed": seed, "bootstrap": bootstrap, "other_zoo": other_zoo}
    return run_probes(embedders, train, val, test, columns, probes, **settings).table


def run_probes(
    embedders: Embedders,
    train: Samples,
    val: Samples,
    test: Samples,
    columns: Sequence[str],
    probes: Probes = ("linear",),
    *,
    controls: int | None = None,
    seed: int = 0,
    bootstrap: int = 1000,
    other_zoo: bool = False,
) -> ProbeResult:
    """Probe every representation for every column of the samples' table.

    embedders: representations (or pipelines over samples) by the name they have in the table. A fitted one is used as
    it is, any other is cloned and fitted on `train`; each embeds once (see `Embeddings`). columns: numbers are
    regressed, words and truth values classified. probes: names out of `PROBES`, for all embedders, or which embedders
    each probe is for, such as {"linear": ["W", "s(W)"], "trees": ["s(W)"]}. Under the linear ones, categories are read
    by a linear soft-max; the others but "trees" read numbers only. "beside the clock" is a linear probe of what is
    known inside an epoch (see `BesideClock`); "trees, beside the clock" and the like are those that bend. controls:
    also probe all `controls`, with so many random features, by their own probes, which read numbers only; `embedders`
    may be {} then. other_zoo: `test` comes from another zoo, whose models are others even where their numbers are the
    same.

    Raises ValueError for unknown columns, probes or embedders, for a model in two parts of the split, and for
    features or targets that are not finite.
    """
    parts = {"train": train, "val": val, "test": test}
    _check_parts(parts, other_zoo)
    known = {} if controls is None else controls_of(controls, seed)
    embedders, chosen = _with_controls(known, embedders, _choose(probes, embedders))
    if not any(chosen.values()):
        raise ValueError("There is nothing to probe; name at least one embedder and one probe.")
    targets = {part: _targets(samples, columns, part) for part, samples in parts.items()}
    _check_categories(chosen, targets["train"])
    for control in known.values():  # a union shares with others only members that are fitted
        control.fit(train)
    draws = ModelBootstrap.draw(test.table["model"].to_numpy(), draws=bootstrap, seed=seed)
    epochs = {part: samples.table["epoch"].to_numpy() for part, samples in parts.items()}
    counts = {f"n_{part}_models": parts[part].table["model"].nunique() for part in ("train", "test")}
    rows, predictions, embeddings = [], {}, Embeddings(parts)
    for name, embedder in embedders.items():
        wanted = [probe for probe, names in chosen.items() if name in names]
        features = embeddings.features(name, embedder) if wanted else {}
        for probe in wanted:
            found = {target: rest for target, *rest in _read(probe, features, targets, epochs, seed)}
            for target in targets["test"]:
                on_val, prediction, facts = found[target]
                predictions[name, probe, target] = prediction
                truth, inside = targets["val"][target], epochs["val"] if probe in BESIDE else None
                facts["val"] = score(truth, on_val, metric_of(truth), inside)
                what = {"features": name, "dimensions": features["train"].shape[1], "probe": probe, "target": target}
                rows.append(what | judge(targets["test"][target], prediction, draws, epochs["test"]) | facts | counts)
    table = pd.DataFrame(rows).assign(n_test_samples=len(test)).reindex(columns=list(TABLE))
    models = test.table["model"].to_numpy()
    return ProbeResult(table, targets["test"], predictions, draws, models, epochs["test"])


ByPart = dict[str, np.ndarray]
Found = Iterator[tuple[str, np.ndarray, np.ndarray, dict[str, float]]]  # target, predictions (val, test), facts


def _read(
    probe: str, features: dict[str, Features], targets: dict[str, dict[str, np.ndarray]], epochs: ByPart, seed: int
) -> Found:
    """Predictions of one probe for all targets."""
    if probe in BESIDE:
        yield from _read_beside_clock(BESIDE[probe], features, targets, epochs, seed)
        return
    if probe != "trees":
        yield from _read_numbers(OF_NUMBERS[probe](seed), features, targets)
    for name, values in targets["train"].items():
        if probe == "trees":
            one = TreeProbe(seed=seed).fit(features["train"], values, (features["val"], targets["val"][name]))
            facts = {"penalty": np.nan, "n_train_samples": one.rows_}
        elif metric_of(values) == "accuracy":
            one = SoftmaxProbe().fit(features["train"], values, (features["val"], targets["val"][name]))
            facts = {"penalty": one.penalty_, "n_train_samples": len(values)}
        else:
            continue
        yield name, one.predict(features["val"]), one.predict(features["test"]), facts


def _read_beside_clock(
    probe: str, features: dict[str, Features], targets: dict[str, dict[str, np.ndarray]], epochs: ByPart, seed: int
) -> Found:
    """Predictions of a probe that sees features and targets as they are inside epochs."""
    names = list(targets["train"])
    stacked = {part: np.column_stack([values[name] for name in names]) for part, values in targets.items()}
    beside = BesideClock(features["train"], stacked["train"], epochs["train"])
    seen = {part: beside.features(values, epochs[part]) for part, values in features.items()}
    inside = {
        part: dict(zip(names, beside.targets(values, epochs[part]).T, strict=True)) for part, values in stacked.items()
    }
    found = {name: rest for name, *rest in _read(probe, seen, inside, epochs, seed)}
    on_val, on_test = (np.column_stack([found[name][place] for name in names]) for place in (0, 1))
    told = zip(names, beside.back(on_val, epochs["val"]).T, beside.back(on_test, epochs["test"]).T, strict=True)
    yield from ((name, *said, found[name][2]) for name, *said in told)


def _read_numbers(
    probe: LinearProbe | KernelProbe | NetworkProbe,
    features: dict[str, Features],
    targets: dict[str, dict[str, np.ndarray]],
) -> Found:
    """Predictions for all numbers at once, which share what is costly about a probe."""
    numbers = [name for name, values in targets["train"].items() if metric_of(values) == "r2"]
    if not numbers:
        return
    train, val = (np.column_stack([targets[part][name] for name in numbers]) for part in ("train", "val"))
    probe.fit(features["train"], train, (features["val"], val))
    said = (probe.predict(features[part]).T for part in ("val", "test"))
    for name, beside, prediction, penalty in zip(numbers, *said, probe.penalty_, strict=True):
        yield name, beside, prediction, {"penalty": float(penalty), "n_train_samples": len(train)}


def _with_controls(
    known: Embedders, embedders: Embedders, chosen: dict[str, Sequence[str]]
) -> tuple[Embedders, dict[str, Sequence[str]]]:
    """The known controls, if any, in front of the embedders, and what reads them; ValueError for a name of both."""
    if not known:
        return embedders, chosen
    if twice := [name for name in known if name in embedders]:
        raise ValueError(f"{twice[0]!r} is among the controls; give your own features another name.")
    both = {probe: [*CONTROL_PROBES.get(probe, ()), *chosen.get(probe, ())] for probe in CONTROL_PROBES | chosen}
    return known | dict(embedders), both


def _check_categories(chosen: dict[str, Sequence[str]], targets: dict[str, np.ndarray]) -> None:
    """ValueError where a probe of numbers is to tell words."""
    for probe in chosen:
        for name, values in targets.items():
            if probe in ("kernel", "network", *BESIDE) and metric_of(values) == "accuracy":
                raise ValueError(f"The probe {probe!r} tells numbers, and {name} holds words; leave one of them out.")


def _targets(samples: Samples, columns: Sequence[str], part: str) -> dict[str, np.ndarray]:
    """Columns to predict: numbers as float64, everything else as words."""
    if not len(columns):
        raise ValueError("There is no column to predict; name at least one of the samples' table.")
    targets = {}
    for column in [columns] if isinstance(columns, str) else columns:
        if column not in samples.table:
            raise ValueError(f"There is no column {column!r} to predict; there are {', '.join(samples.table.columns)}.")
        values = samples.table[column]
        number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        if column.endswith("_clean") and values.isna().any() and "epoch" in samples.table:
            epochs = samples.table["epoch"][values.isna().to_numpy()].unique()[:3]
            raise ValueError(
                f"{column} was not measured after epoch {', '.join(map(str, sorted(epochs)))}; take other epochs, or "
                'grow the zoo with clean="all".'
            )
        if number:
            targets[column] = finite(values.to_numpy(dtype=np.float64), f"values of {column} ({part})")
        elif values.isna().any():
            raise ValueError(f"{column} has no value in row {int(values.isna().argmax())} of {part}; leave it out.")
        else:
            targets[column] = values.astype(str).to_numpy(dtype=object)
    return targets


def _check_parts(parts: dict[str, Samples], other_zoo: bool) -> None:
    """ValueError unless all parts hold samples and no model is in two of them."""
    for part, samples in parts.items():
        if not isinstance(samples, Samples):
            raise TypeError(f"{part} must be Samples, not {type(samples).__name__}; take them from zoo.samples().")
        if not len(samples):
            raise ValueError(f"There are no samples in {part}; give every part of the split some models.")
    models = {part: set(samples.table["model"]) for part, samples in parts.items()}
    pairs = [("train", "val")] if other_zoo else [("train", "val"), ("train", "test"), ("val", "test")]
    for one, other in pairs:
        if shared := models[one] & models[other]:
            raise ValueError(
                f"Model {min(shared)} is in {one} and in {other} ({len(shared)} shared models); split by model, never "
                "by checkpoint, with zoo.split()."
            )


def _choose(probes: Probes, embedders: Embedders) -> dict[str, Sequence[str]]:
    """Names of embedders for every probe; ValueError for unknown names."""
    probes = [probes] if isinstance(probes, str) else probes
    chosen = dict(probes) if isinstance(probes, Mapping) else {probe: list(embedders) for probe in probes}
    for probe, names in chosen.items():
        if probe not in PROBES:
            raise ValueError(f"There is no probe {probe!r}; choose from {', '.join(PROBES)}.")
        if unknown := [name for name in names if name not in embedders]:
            raise ValueError(f"{probe!r} is to read {unknown[0]!r}, but the embedders are {', '.join(embedders)}.")
    return chosen
