"""What others call the columns of our tables.

Only what means the same gets our name; everything else is kept under its own. Measures are known by their two words in
any order: test_acc, Accuracy/test. Keras adds l2reg times the squared weights to the loss, whose gradient is twice
that; so a weight decay of ours is 2 x l2reg (of kernels alone: Keras leaves biases out, PyTorch decays all). TensorFlow
cuts its normal draws at two deviations, PyTorch does not; these are called alike here.

Source: keys seen in the released generators of the Model Zoos and the description of the Small CNN Zoo. The spelling of
Keras's initialisers is inferred from the script that trained that zoo.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from hyperlib.zoos.design import COLUMNS
from hyperlib.zoos.evaluation import PROPERTIES

MEASURES = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
MODEL_ZOO = {  # theirs by ours
    "seed": "seed",
    "init": "model::init_type",
    "activation": "model::nlin",
    "optimizer": "optim::optimizer",
    "lr": "optim::lr",
    "weight_decay": "optim::wd",
    "dropout": "model::dropout",
    "train_accuracy": "train_acc",
    "test_accuracy": "test_acc",
}
SMALL_CNN = {
    "seed": "config.random_seed",
    "init": "config.w_init",
    "init_std": "config.init_std",
    "activation": "config.activation",
    "optimizer": "config.optimizer",
    "lr": "config.learning_rate",
    "weight_decay": "config.l2reg",
    "dropout": "config.dropout",
    "train_fraction": "config.train_fraction",
    "b_init": "config.b_init",
    "dataset": "config.dataset",
}
_OURS = {theirs: ours for names in (MODEL_ZOO, SMALL_CNN) for ours, theirs in names.items()} | {"learning_rate": "lr"}
_PARTS = {"train": "train", "training": "train", "test": "test", "val": "val", "valid": "val", "validation": "val"}
_KINDS = {"acc": "accuracy", "accuracy": "accuracy", "loss": "loss"}
_LIKE_MEASURES = {*_KINDS, "error", "err", "score", "auc", "nll", "perplexity", "gap"}
_TEXTS = ("init", "activation", "optimizer", "b_init", "dataset")
_NUMBERS = {*COLUMNS, *PROPERTIES, "val_loss", "val_accuracy"} - {*_TEXTS}
PLACES = ("folder", "path", "missing", "diverged")  # what follows from the files, and is never read from a table
_TAKEN = (*PLACES, "model", "epoch", "file", "allow_pickle")
_LONGEST = 200  # characters of a name or a text that a table holds
_KERAS = {  # initialisers, in small letters without underscores
    "randomnormal": "normal",
    "randomuniform": "uniform",
    "truncatednormal": "truncated_normal",
    "orthogonal": "orthogonal",
    "heuniform": "kaiming_uniform",
    "henormal": "kaiming_normal",
    "glorotuniform": "xavier_uniform",
    "glorotnormal": "xavier_normal",
}
_VALUES: dict[str, Callable[[pd.Series], pd.Series]] = {  # columns whose values mean something else
    "config.l2reg": lambda values: 2 * values,
    "config.w_init": lambda values: values.map(
        {name: _KERAS.get(name.lower().replace("_", ""), name) for name in values.unique()}
    ),
    "model::nlin": lambda values: values.replace({"leakyrelu": "leaky_relu"}),
}


def counted(what: str, found: Sequence[object]) -> list[str]:
    """A sentence on what was found: how often, and where first; none for nothing."""
    more = ", ..." if len(found) > 2 else "."
    return [f"{what} ({len(found)}): {', '.join(map(str, found[:2]))}{more}"] if found else []


def named(theirs: str) -> str:
    """Our name for what others call so; without one their name, with _ for a slash, which no file of ours can hold."""
    words = re.fullmatch(r"([a-z]+)[ _./:-]+([a-z]+)", theirs.lower())
    for part, kind in (words.groups(), words.groups()[::-1]) if words else ():
        if part in _PARTS and kind in _KINDS:
            return f"{_PARTS[part]}_{_KINDS[kind]}"
    return _OURS.get(theirs, theirs.replace("/", "_"))


def is_measure(name: str) -> bool:
    """Whether a column is called as what is measured of a checkpoint."""
    return not _LIKE_MEASURES.isdisjoint(re.findall("[a-z]+", name.lower()))


def translated(given: pd.DataFrame, source: str, *, spelled: bool = False) -> tuple[pd.DataFrame, list[str]]:
    """A table of others by our names, and a sentence each on what is left out, left empty, or of a doubtful meaning.

    source: what readers call it, as they do the labels of its rows. spelled: numbers may be texts, as in a csv file.
    """
    columns, remarks, names = {}, [], _names(given)
    for theirs, ours in names.items():
        values, bad = _column(given[theirs], ours, spelled)
        if values is None:
            continue
        columns[ours] = _VALUES[theirs](values) if ours != theirs and theirs in _VALUES else values
        if len(bad):
            kind = "text" if ours in _TEXTS else "number"
            cells = [f"{str(given[theirs].iloc[place])[:50]!r} of {given.index[place]}" for place in bad]
            remarks += counted(f"Values of {theirs!r} in {source} that are no {kind}, and left empty", cells)
    left = [str(theirs)[:50] for theirs in given if names.get(theirs) not in columns]
    remarks += counted(f"Columns of {source} whose names or values no table holds", left)
    table = pd.DataFrame(columns, index=given.index)
    measures = [name for name in table if is_measure(name) and pd.api.types.is_numeric_dtype(table[name])]
    strange = [name for name in measures if name not in _NUMBERS]
    remarks += counted(f"Columns of {source} that look like measures, and keep their names", strange)
    above = [name for name in measures if name.endswith("_accuracy") and (table[name] > 1).any()]
    return table, remarks + counted(f"Accuracies of {source} that are above 1, perhaps in percent", above)


def exported(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """A table of ours by the names of others, but for columns that have their own place in a form or follow from it."""
    taken = {*_TAKEN, *names.values()} - {*names}
    written = {}
    for name in (name for name in table if isinstance(name, str) and name not in taken):
        text, plain = not pd.api.types.is_numeric_dtype(table[name]), isinstance(table[name].dtype, np.dtype)
        values = table[name].astype(object).fillna("").astype(str) if text else table[name]
        written[name] = values if text or plain else values.astype(np.float64)
    written = pd.DataFrame(written, index=table.index)
    if names.get("weight_decay") == "config.l2reg" and "weight_decay" in written:
        written["weight_decay"] /= 2
    return written.rename(columns=names)


def _names(given: pd.DataFrame) -> dict[str, str]:
    """Our name by theirs; of two that mean the same the second keeps its own. Without those that no table can have."""
    names: dict[str, str] = {}
    taken = {*_TAKEN, *given.columns}
    for theirs in given:
        ours = named(str(theirs))
        ours = theirs if ours in taken else ours
        good = isinstance(theirs, str) and 0 < len(ours) <= _LONGEST and ours.isprintable() and "/" not in ours
        if good and ours not in _TAKEN:
            names[theirs] = ours
            taken.add(ours)
    return names


def _column(given: pd.Series, ours: str, spelled: bool) -> tuple[pd.Series | None, np.ndarray]:
    """A column as numbers, truth values or texts, and the places of what is none of it; None where it holds others."""
    truths = pd.api.types.is_bool_dtype(given)
    if pd.api.types.is_numeric_dtype(given) and ours not in _TEXTS and not (truths and ours in _NUMBERS):
        return given if isinstance(given.dtype, np.dtype) else given.astype(np.float64), np.array([], int)
    there, values = given.notna().to_numpy(), given.to_numpy(object).tolist()
    number = np.array([_is_number(value, spelled) for value in values], bool) & there
    text = np.array([isinstance(value, str) and len(value) <= _LONGEST for value in values], bool)
    truth = np.array([isinstance(value, bool) for value in values], bool)
    if ours not in _NUMBERS and ours not in _TEXTS:
        if truth.all():
            return given.astype(bool), np.array([], int)
        if not (number | text | truth)[there].all():
            return None, np.array([], int)
    if ours in _NUMBERS or (ours not in _TEXTS and number.sum() >= there.sum() - number.sum()):
        whole = all(isinstance(value, int) for value in values) and number.all()
        found = [float(value) if good else np.nan for value, good in zip(values, number, strict=True)]
        found = np.array(values, np.int64) if whole else np.array(found, np.float64)
        return pd.Series(found, given.index), np.flatnonzero(there & ~number)
    good = text if ours in _TEXTS else there
    found = [str(value) if is_good else "" for value, is_good in zip(values, good, strict=True)]
    return pd.Series(found, given.index, dtype=str), np.flatnonzero(there & ~good)


def _is_number(value: Any, spelled: bool) -> bool:
    if isinstance(value, str) and spelled:
        with suppress(ValueError):
            return "_" not in value and not np.isnan(float(value))
    return isinstance(value, float) or (isinstance(value, Real) and not isinstance(value, bool) and abs(value) < 2**63)
