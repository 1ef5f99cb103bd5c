"""Which models a zoo is made of: one row of generating factors per model.

A grid crosses every factor with every other and repeats each point with several seeds (Model Zoos, Schürholt et al.
2022): `seed_mode="fix"` uses the same seeds at every point, `"rand"` never repeats one. A draw takes every factor at
random, as Unterthiner et al. (2020) did for their Small CNN Zoo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from hyperlib.weightspace.initialisation import BIAS, INITIALISATIONS
from hyperlib.weightspace.layers import ACTIVATIONS
from hyperlib.weightspace.values import is_whole

OPTIMIZERS = ("sgd", "adam", "rmsprop")  # sgd has momentum 0.9, as in the thesis's zoos
COLUMNS = (
    *("seed", "init", "init_std", "bias_init", "activation", "optimizer", "lr", "weight_decay", "dropout"),
    "train_fraction",
)
_CHOICES = {"init": INITIALISATIONS, "activation": tuple(ACTIVATIONS), "optimizer": OPTIMIZERS}
_RANGES = {  # lowest value, whether it is allowed itself, highest value, whether it is allowed itself
    "init_std": (0.0, False, np.inf, False),
    "bias_init": (-np.inf, False, np.inf, False),
    "lr": (0.0, False, np.inf, False),
    "weight_decay": (0.0, True, np.inf, False),
    "dropout": (0.0, True, 1.0, False),
    "train_fraction": (0.0, False, 1.0, True),
}


@dataclass(frozen=True)
class Between:
    """A number drawn uniformly between two ends, or uniformly in its logarithm."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (-np.inf < self.low <= self.high < np.inf) or (self.log and self.low <= 0):
            needed = "0 < low <= high" if self.log else "low <= high"
            raise ValueError(f"Between({self.low}, {self.high}, log={self.log}) needs finite ends with {needed}.")

    def draw(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """`count` values."""
        if self.log:
            return np.exp(generator.uniform(np.log(self.low), np.log(self.high), count))
        return generator.uniform(self.low, self.high, count)


Factor = str | float | np.generic | Sequence[str] | Sequence[float] | np.ndarray


def grid(
    *,
    seeds: int = 1,
    seed_mode: str = "rand",
    init: Factor = "kaiming_uniform",
    init_std: Factor = 1.0,
    bias_init: Factor = BIAS,
    activation: Factor = "tanh",
    optimizer: Factor = "adam",
    lr: Factor = 1e-3,
    weight_decay: Factor = 0.0,
    dropout: Factor = 0.0,
    train_fraction: Factor = 1.0,
) -> pd.DataFrame:
    """Design of all combinations of the given factors, each with `seeds` seeds; one row per model.

    A factor is one value or a sequence of values. `seed_mode` is "fix" (seeds 1..n at every point) or "rand" (all
    seeds differ). Raises ValueError for unknown names and values out of range.
    """
    if seed_mode not in ("fix", "rand"):
        raise ValueError(f"There is no seed mode {seed_mode!r}; choose fix or rand.")
    if not is_whole(seeds, 1):
        raise ValueError(f"A grid needs a whole number of seeds per point, at least one, not {seeds!r}.")
    values = [init, init_std, bias_init, activation, optimizer, lr, weight_decay, dropout, train_fraction]
    points = list(product(*(_as_list(value) for value in values)))
    rows = [(seed, *point) for point in points for seed in range(1, int(seeds) + 1)]
    design = pd.DataFrame(rows, columns=list(COLUMNS))
    if seed_mode == "rand":
        design["seed"] = np.arange(1, len(design) + 1)
    return check_design(design)


def draw(
    models: int,
    *,
    seed: int,
    init: Factor | Between = "kaiming_uniform",
    init_std: Factor | Between = 1.0,
    bias_init: Factor | Between = BIAS,
    activation: Factor | Between = "tanh",
    optimizer: Factor | Between = "adam",
    lr: Factor | Between = 1e-3,
    weight_decay: Factor | Between = 0.0,
    dropout: Factor | Between = 0.0,
    train_fraction: Factor | Between = 1.0,
) -> pd.DataFrame:
    """Design of `models` rows whose factors are drawn independently; model seeds are 1..models.

    A factor is one value, a sequence to choose from with equal chances, or `Between(low, high, log=...)`.
    """
    if not is_whole(models, 1):
        raise ValueError(f"A design needs a whole number of models, at least one, not {models!r}.")
    models = int(models)  # NumPy's numbers of few bits overflow
    values = [init, init_std, bias_init, activation, optimizer, lr, weight_decay, dropout, train_fraction]
    design = pd.DataFrame({"seed": np.arange(1, models + 1)})
    for number, (name, value) in enumerate(zip(COLUMNS[1:], values, strict=True)):
        generator = np.random.default_rng([seed, number])  # a factor's values do not depend on the other factors
        if isinstance(value, Between):
            design[name] = value.draw(models, generator)
        else:
            options = _as_list(value)
            design[name] = [options[index] for index in generator.integers(len(options), size=models)]
    return check_design(design)


def check_design(design: pd.DataFrame) -> pd.DataFrame:
    """The design with a fresh index and fixed types; ValueError naming the column and row that is wrong."""
    if repeated := design.columns[design.columns.duplicated()].tolist():
        raise ValueError(f"The design has the column {repeated[0]!r} twice; rename or drop one of them.")
    if missing := [name for name in COLUMNS if name not in design]:
        raise ValueError(
            f"The design lacks the column {missing[0]!r}; it needs {', '.join(COLUMNS)} (hyperlib.grid fills them all)."
        )
    if not len(design):
        raise ValueError("The design has no rows, so there is no model to train.")
    design = design.reset_index(drop=True)
    for name in COLUMNS:
        if design[name].isna().any():
            raise ValueError(f"The design has no value for {name!r} in row {int(design[name].isna().argmax())}.")
    for name, choices in _CHOICES.items():
        if unknown := sorted(set(design[name]) - set(choices), key=str):
            raise ValueError(f"The design's {name} {unknown[0]!r} is unknown; choose one of {', '.join(choices)}.")
    for name, (low, low_in, high, high_in) in _RANGES.items():
        values = _numbers(design, name)
        good = ((values > low) | (low_in & (values == low))) & ((values < high) | (high_in & (values == high)))
        if not good.all():
            row = int((~good).argmax())
            interval = f"{'[' if low_in else '('}{low:g}, {high:g}{']' if high_in else ')'}"
            raise ValueError(f"The design's {name} is {values[row]:g} in row {row}; it must lie in {interval}.")
    seeds = _numbers(design, "seed")
    if (seeds != np.floor(seeds)).any() or (np.abs(seeds) >= 2**53).any():
        raise ValueError("The design's seeds must be whole numbers below 2^53.")
    types: dict[str, Any] = {"seed": np.int64} | dict.fromkeys(_RANGES, np.float64) | dict.fromkeys(_CHOICES, str)
    return design.astype(types).copy()  # in an order of memory that PyTorch takes, also of rows read backwards


def _numbers(design: pd.DataFrame, name: str) -> np.ndarray:
    values = design[name]
    if values.dtype == object or not pd.api.types.is_numeric_dtype(values):
        wrong = [value for value in values if isinstance(value, bool) or not isinstance(value, Real)]
        if wrong:
            raise ValueError(f"The design's {name} must be a number in every row, not {wrong[0]!r}.")
    return values.to_numpy(dtype=np.float64)


def _as_list(value: Factor) -> list[Any]:
    if isinstance(value, Between):
        raise ValueError("Between(...) is for draw; a grid needs the values themselves.")
    options = [value] if isinstance(value, str | Real) else list(value)
    if not options:
        raise ValueError("A factor of the design has no values; give one value or a sequence of them.")
    return options
