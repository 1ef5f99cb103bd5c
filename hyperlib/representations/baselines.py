"""What a learned representation has to beat: the raw weights, their statistics, and the hyper-parameters.

W and s(W) see the weights as they are; the hyper-parameters see only how a model was trained, so they show
how much of a property is decided before the first step.

Source: the baselines W and s(W) of Schürholt et al. (2021), hyper-parameters after Unterthiner et al. (2020).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from hyperlib.representations.estimator import Representation, Values
from hyperlib.weightspace.statistics import layer_statistics, layer_statistics_names
from hyperlib.zoos.design import COLUMNS
from hyperlib.zoos.zoo import Samples

FACTORS = tuple(name for name in COLUMNS if name != "seed")  # a seed is a label, not a quantity


class RawWeights(Representation):
    """W: the weight vector itself."""

    def _vectors(self, samples: Samples) -> Float[np.ndarray, "samples params"]:
        return samples.weights.detach().cpu().numpy()

    def _names(self) -> list[str]:
        slots = self.architecture_.layout.slots
        return [f"{slot.name}.{place}" for slot in slots for place in range(slot.size)]


class LayerStatistics(Representation):
    """s(W): mean, variance and percentiles 1, 25, 50, 75, 99 of each layer's weights, and of its biases.

    products=True, our variant, asks whether a linear probe only lacks products of statistics: s(W) with mean 0 and
    deviation 1 over the training samples (a statistic that never changes there keeps its unit), then the products of
    all pairs of these, squares included, each pair once and named "a*b". 70 statistics become 2,555 features.

    reading="quintiles" takes percentiles 0, 20, 40, 60, 80 and 100 instead of the seven numbers, as we read the
    benchmark of the Model Zoos paper (see `layer_statistics`). `fit` raises ValueError for an unknown reading.
    """

    def __init__(self, products: bool = False, reading: str = "percentiles") -> None:
        self.products = products
        self.reading = reading

    def _learn(self, samples: Samples, y: Values | None, groups: Values | None) -> None:
        layer_statistics_names(samples.architecture.layout, self.reading)  # refuses an unknown reading
        if self.products:
            statistics = self._statistics(samples).astype(np.float64)
            moves = np.ptp(statistics, axis=0) > 0  # the deviation of equal numbers may be a rounding error
            self.mean_ = np.where(moves, statistics.mean(0), statistics[0])
            self.spread_ = np.where(moves, statistics.std(0), 1.0)

    def _vectors(self, samples: Samples) -> Float[np.ndarray, "samples features"]:
        statistics = self._statistics(samples)
        if not self.products:
            return statistics
        scaled = ((statistics - self.mean_) / self.spread_).astype(np.float32)
        first, second = np.triu_indices(scaled.shape[1])
        return np.concatenate([scaled, scaled[:, first] * scaled[:, second]], axis=1)

    def _statistics(self, samples: Samples) -> Float[np.ndarray, "samples statistics"]:
        return layer_statistics(samples.weights, samples.architecture.layout, reading=self.reading).cpu().numpy()

    def _names(self) -> list[str]:
        names = layer_statistics_names(self.architecture_.layout, self.reading)
        pairs = zip(*np.triu_indices(len(names)), strict=True) if self.products else ()
        return names + [f"{names[first]}*{names[second]}" for first, second in pairs]


class Hyperparameters(Representation):
    """The factors a model was grown with, read from the samples' table; its weights are not looked at.

    columns: the factors to use. Numbers stay as they are, except that those in `logarithmic` become log10: a
    zero then stands at the smallest positive value of `fit`, and a second feature marks it where `fit` saw
    zeros. Words become one feature per category of `fit` (1 or 0); a category that `fit` did not see gives
    zeros only, so that a probe can be tried on another zoo. The encoding is our choice.

    A probe that predicts one of these columns from them is no finding; leave such a column out of one of the
    two.
    """

    def __init__(self, columns: Sequence[str] = FACTORS, logarithmic: Sequence[str] = ("lr", "weight_decay")) -> None:
        self.columns = columns
        self.logarithmic = logarithmic

    def _learn(self, samples: Samples, y: Values | None, groups: Values | None) -> None:
        self.categories_: dict[str, list[str]] = {}
        self.smallest_: dict[str, float] = {}
        self.zeros_: dict[str, bool] = {}
        for name in self.columns:
            values = _column(samples.table, name)
            if not pd.api.types.is_numeric_dtype(values):
                self.categories_[name] = sorted(set(values.astype(str)))
            elif name in self.logarithmic:
                numbers = _not_negative(values)
                self.zeros_[name] = bool((numbers == 0).any())
                self.smallest_[name] = float(numbers[numbers > 0].min()) if (numbers > 0).any() else 1.0

    def _vectors(self, samples: Samples) -> Float[np.ndarray, "samples features"]:
        blocks = [self._encode(name, _column(samples.table, name)) for name in self.columns]
        return np.concatenate(blocks, axis=1) if blocks else np.empty((len(samples), 0))

    def _encode(self, name: str, values: pd.Series) -> Float[np.ndarray, "samples _"]:
        """The features of one column, as `fit` laid them out."""
        if name in self.categories_:
            words = values.astype(str).to_numpy(dtype=object)
            return (words[:, None] == np.array(self.categories_[name], dtype=object)).astype(float)
        if not pd.api.types.is_numeric_dtype(values):
            raise ValueError(f"The column {name!r} held numbers in fit and holds {values.iloc[0]!r} now.")
        if name not in self.smallest_:
            return values.to_numpy(dtype=float)[:, None]
        numbers = _not_negative(values)
        zero = numbers == 0
        logarithm = np.log10(np.where(zero, self.smallest_[name], numbers))
        return np.column_stack([logarithm, zero] if self.zeros_[name] else [logarithm])

    def _names(self) -> list[str]:
        names = []
        for name in self.columns:
            if name in self.categories_:
                names += [f"{name}={category}" for category in self.categories_[name]]
            elif name in self.smallest_:
                names += [f"log10({name})"] + [f"{name}=0"] * self.zeros_[name]
            else:
                names.append(name)
        return names


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    """A column without gaps; ValueError if it is not there, or has no value or an infinite one somewhere."""
    if name not in table:
        raise ValueError(f"The samples' table lacks the factor {name!r}; it has {', '.join(table.columns)}.")
    values = table[name]
    absent = values.isna() if not pd.api.types.is_float_dtype(values) else ~np.isfinite(values)
    if absent.any():
        raise ValueError(f"The factor {name!r} is missing or infinite in row {int(absent.argmax())}.")
    return values


def _not_negative(values: pd.Series) -> np.ndarray:
    """The numbers; ValueError if one is below zero and has no logarithm."""
    numbers = values.to_numpy(dtype=float)
    if (numbers < 0).any():
        raise ValueError(f"{values.name} holds {numbers.min():g}, and negative values have no logarithm.")
    return numbers
