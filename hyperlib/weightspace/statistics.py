"""A few numbers per layer part: the baseline that every learned representation has to beat.

Mean, variance and five percentiles of each layer's weights, and of its biases apart, say a lot about a
network and do not change when its hidden units change places. Each part is sorted once: percentiles are then
look-ups, and a whole zoo is summarised in a second.

A second reading takes the borders of five equal parts instead, smallest and largest weight included.

Source: Unterthiner et al. (2020); s(W) of Schürholt et al. (2021), whose code keeps the same seven numbers. The Model
Zoos paper speaks of quintiles; whether it means other numbers than its group's code, and whether the ends and the mean
belong to them, we don't know: `quintiles` is our reading of the word.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, floor

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.layout import Layout, Slot
from hyperlib.weightspace.values import usual_precision

READINGS = {  # moments and percentiles of each part
    "percentiles": (("mean", "variance"), (1, 25, 50, 75, 99)),
    "quintiles": ((), (0, 20, 40, 60, 80, 100)),
}


def layer_statistics(
    weights: Float[Tensor, "*samples params"],
    layout: Layout | Architecture,
    *,
    reading: str = "percentiles",
    budget: int = 2**26,
) -> Float[Tensor, "*samples features"]:
    """Mean, variance and percentiles 1, 25, 50, 75, 99 of every layer part, in the order of the names.

    14 numbers for a layer with weight and bias, 7 without bias; further parts (a norm's running statistics)
    are summarised apart in the same way. With reading="quintiles" percentiles 0, 20, 40, 60, 80, 100 alone: 12 and 6
    numbers. The variance is that of the population (divided by the number of weights, as `numpy.var`), so a part with
    one weight has variance 0; percentiles are interpolated linearly, as `numpy.percentile`. Sums run in float64. The
    result is float64 where the weights are and float32 otherwise: in the type of half-precision weights small variances
    lose their digits and those beyond 65,504 are infinite. An architecture stands for its layout. `budget` bounds the
    working memory in bytes, unless one sample alone needs more.

    Raises ValueError for an unknown reading, and when the weights do not fit the layout or are not all finite;
    TypeError for weights that are no tensor and a layout that is none.
    """
    layout = _layout(layout)
    layout.check(weights)
    size = len(_statistics(reading))
    rows = weights.detach().reshape(-1, layout.size)
    slots = list(_by_layer(layout))
    features = usual_precision(rows[:0]).new_empty(len(rows), len(slots) * size)
    for first in range(0, len(rows), step := _rows_within(budget, slots)):
        chunk = usual_precision(rows[first : first + step])  # NumPy has no bfloat16
        _require_finite(chunk, layout, first)
        for place, slot in enumerate(slots):
            columns = slice(place * size, (place + 1) * size)
            features[first : first + step, columns] = _summary(chunk[:, slot.start : slot.stop], reading)
    return features.reshape(*weights.shape[:-1], features.shape[-1])


def layer_statistics_names(layout: Layout | Architecture, reading: str = "percentiles") -> list[str]:
    """Names of the features of `layer_statistics`, such as `conv1.weight.percentile_25`."""
    statistics = _statistics(reading)
    return [f"{slot.name}.{statistic}" for slot in _by_layer(_layout(layout)) for statistic in statistics]


def _layout(given: Layout | Architecture) -> Layout:
    if isinstance(given, Architecture):
        return given.layout
    if not isinstance(given, Layout):
        raise TypeError(
            f"Statistics need a layout, and this is of type {type(given).__name__}; take "
            "Layout.from_state_dict(state)."
        )
    return given


def _statistics(reading: str) -> list[str]:
    """Names of the numbers of one part."""
    if reading not in READINGS:
        raise ValueError(f"There is no reading {reading!r} of layer statistics; choose one of {', '.join(READINGS)}.")
    moments, percentiles = READINGS[reading]
    return [*moments, *(f"percentile_{q}" for q in percentiles)]


def _by_layer(layout: Layout) -> Iterator[Slot]:
    """Slots that hold something, those of one layer side by side even where a state dict scatters them."""
    places = {layer: place for place, layer in enumerate(layout.layers)}
    return iter(sorted((slot for slot in layout.slots if slot.size), key=lambda slot: places[slot.layer]))


def _summary(values: Float[Tensor, "samples weights"], reading: str) -> Float[Tensor, "samples statistics"]:
    """The statistics of each row, in float64."""
    moments, percentiles = READINGS[reading]
    ordered = _sorted(values)
    found = [_percentile(ordered, q) for q in percentiles]
    if moments:
        exact = values.double()
        mean = exact.mean(-1)
        found = [mean, (exact - mean[:, None]).square().mean(-1), *found]
    return torch.stack(found, -1)


def _percentile(ordered: Float[Tensor, "samples weights"], q: float) -> Float[Tensor, " samples"]:
    """Percentile of sorted rows, between its two neighbours by a straight line."""
    place = q / 100 * (ordered.shape[-1] - 1)
    low, high = ordered[:, floor(place)].double(), ordered[:, ceil(place)].double()
    return torch.lerp(low, high, place - floor(place))


def _sorted(values: Float[Tensor, "samples weights"]) -> Float[Tensor, "samples weights"]:
    """Rows in ascending order; on the CPU by numpy, whose vectorised sort is far faster than torch's."""
    if values.device.type != "cpu":
        return values.sort(-1).values
    return torch.from_numpy(np.sort(values.numpy(), axis=-1))


def _rows_within(budget: int, slots: list[Slot]) -> int:
    """How many samples fit: a float64 copy, its deviations and the sorted copy of the largest part."""
    largest = max((slot.size for slot in slots), default=1)
    return max(1, budget // (24 * largest))


def _require_finite(rows: Float[Tensor, "samples params"], layout: Layout, first: int) -> None:
    """ValueError naming the first weight vector and slot that hold NaN or infinity."""
    finite = torch.isfinite(rows)
    if finite.all():
        return
    row, place = (~finite).nonzero()[0].tolist()
    slot = next(slot for slot in layout.slots if slot.start <= place < slot.stop)
    raise ValueError(
        f"Weight vector {first + row} holds {rows[row, place].item()} in {slot.name}, and statistics need "
        "finite weights; leave diverged models out, as `Zoo.samples()` does."
    )
