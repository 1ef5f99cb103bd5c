"""What others call the columns of our tables.

Only what means the same gets our name. Keras adds l2reg times the squared weights to the loss, whose gradient is twice
that; so a weight decay of ours is 2 x l2reg (of kernels alone: Keras leaves biases out, PyTorch decays all). TensorFlow
cuts its normal draws at two deviations, PyTorch does not; these are called alike here.

Source: keys seen in the released generators of the Model Zoos and the description of the Small CNN Zoo. The spelling of
Keras's initialisers is inferred from the script that trained that zoo.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

MEASURES = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
MODEL_ZOO_FACTORS = {
    "seed": "seed",
    "init": "model::init_type",
    "activation": "model::nlin",
    "optimizer": "optim::optimizer",
    "lr": "optim::lr",
    "weight_decay": "optim::wd",
    "dropout": "model::dropout",
}
MODEL_ZOO_ACTIVATIONS = {"leakyrelu": "leaky_relu"}
MODEL_ZOO_MEASURES = {  # by ours
    "train_loss": "train_loss",
    "train_accuracy": "train_acc",
    "test_loss": "test_loss",
    "test_accuracy": "test_acc",
}
SMALL_CNN_FACTORS = {
    "seed": "config.random_seed",
    "init": "config.w_init",
    "init_std": "config.init_std",
    "activation": "config.activation",
    "optimizer": "config.optimizer",
    "lr": "config.learning_rate",
    "weight_decay": "config.l2reg",
    "dropout": "config.dropout",
    "train_fraction": "config.train_fraction",
}
SMALL_CNN_OTHERS = {"b_init": "config.b_init", "dataset": "config.dataset"}
KERAS_INITIALISATIONS = {  # by theirs, in small letters without underscores
    "randomnormal": "normal",
    "randomuniform": "uniform",
    "truncatednormal": "truncated_normal",
    "orthogonal": "orthogonal",
    "heuniform": "kaiming_uniform",
    "henormal": "kaiming_normal",
    "glorotuniform": "xavier_uniform",
    "glorotnormal": "xavier_normal",
}
TEXTS = ("init", "activation", "optimizer", "b_init", "dataset")
_TAKEN = (*MEASURES, *("model", "epoch", "gap", "folder", "missing", "diverged", "file", "allow_pickle"))
_LONGEST = 200  # characters of a text that is a setting


def initialisation(name: str) -> str:
    """Keras's initialiser by our name, where we have one."""
    return KERAS_INITIALISATIONS.get(name.lower().replace("_", ""), name)


def factors(configs: Sequence[Mapping[str, Any]]) -> tuple[pd.DataFrame, list[tuple[int, str]]]:
    """Settings of the Model Zoos by our names, a row for each model, and (model, key) of every value of a wrong kind.

    Other settings keep their names, and are there only where models differ in them.
    """
    wrong: list[tuple[int, str]] = []
    columns: dict[str, list[Any]] = {}
    for ours, theirs in MODEL_ZOO_FACTORS.items():
        if any(theirs in config for config in configs):
            columns[ours] = [config.get(theirs) for config in configs]
            kind = str if ours in TEXTS else Real
            wrong += [(row, theirs) for row, v in enumerate(columns[ours]) if v is not None and not _is(v, kind)]
    others = {key for config in configs for key in config} - {*MODEL_ZOO_FACTORS.values(), *MODEL_ZOO_FACTORS, *_TAKEN}
    for key in sorted(key for key in others if "/" not in key):
        values = [config.get(key) for config in configs]
        if all(value is None or _is(value, Real) or _is(value, str) for value in values) and len({*values}) > 1:
            columns[key] = values if all(_is(value, Real) for value in values) else [str(value) for value in values]
    if wrong:
        return pd.DataFrame(), wrong
    table = pd.DataFrame({name: _column(values, name in TEXTS) for name, values in columns.items()})
    if "activation" in table:
        table["activation"] = table["activation"].replace(MODEL_ZOO_ACTIVATIONS)
    return table, wrong


def _is(value: Any, kind: type) -> bool:
    if kind is str:
        return isinstance(value, str) and len(value) <= _LONGEST
    return isinstance(value, kind) and not isinstance(value, bool) and abs(value) < 2**63


def _column(values: list[Any], text: bool) -> Any:
    if text:
        return pd.Series([value or "" for value in values], dtype=str)
    if all(isinstance(value, str) for value in values):
        return pd.Series(values, dtype=str)
    if all(isinstance(value, int) for value in values):
        return np.array(values, np.int64)
    return np.array([np.nan if value is None else value for value in values], np.float64)
