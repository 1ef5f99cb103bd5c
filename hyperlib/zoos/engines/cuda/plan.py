"""A network as a table of whole numbers that a kernel on a card follows: a row per layer, places instead of names.

A chunk of images goes through the network together. Every layer's output is an array `[images of the chunk, numbers]`
of the workspace, and its gradient takes the same place where nobody asks for the value again; of a pool there is also
the number of the winner in each window. Layers that only rename (flattening, dropout that drops nothing) share their
source's place; a linear layer is a convolution of one pixel. Our choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

import numpy as np

from hyperlib.weightspace.architecture import Architecture, Step
from hyperlib.weightspace.layers import (
    ACTIVATIONS,
    Activation,
    Add,
    Conv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Linear,
    MaxPool,
)

CONV, POOL, AVERAGE, BEND, ADD, DROP = range(6)
KINDS = {Conv: CONV, Linear: CONV, MaxPool: POOL, GlobalAveragePool: AVERAGE, Activation: BEND, Add: ADD, Dropout: DROP}
FIELDS = (
    *("layer", "kind", "place", "learns", "passes", "adds", "other_passes", "other_adds"),
    *("source", "d_source", "target", "d_target", "other", "d_other", "winner"),
    *("channels", "height", "width", "out_channels", "out_height", "out_width"),
    *("weight", "bias", "kernel", "stride", "padding"),
)
MOST_SIDE = 8  # of a kernel: a thread sums this many weights' gradients at once
NO_BIAS = -1
_CACHE = 128 * 2**10  # bytes of a workspace that stay near a multiprocessor


@dataclass
class _Value:
    """What one layer puts out: its shape, whether a gradient has to come, where both stand, and who reads it."""

    shape: tuple[int, ...]
    learned: bool
    readers: int = 0
    reached: bool = False
    start: int = 0
    d_start: int = 0

    @property
    def sides(self) -> tuple[int, int, int]:
        """Channels, height and width; flat features are channels of one place."""
        return self.shape if len(self.shape) == 3 else (prod(self.shape), 1, 1)


class Plan:
    """The table of one architecture for one batch size, with dropout or without.

    rows `[layers, FIELDS]`, int64, with places in numbers per image. numbers: of one image in the workspace. chunk:
    images that go together. scores, d_scores: where the `classes` scores and their gradient stand. pixels: of an image.
    """

    def __init__(self, architecture: Architecture, batch_size: int, drops: bool) -> None:
        self._steps, self._drops = architecture.steps, drops
        self._values = self._read(architecture)
        self.numbers = 0
        self._lay_out()
        self.rows = self._table(architecture)
        self.chunk = max(1, min(batch_size, _CACHE // (4 * self.numbers)))
        self.chunk = ceil(batch_size / ceil(batch_size / self.chunk))  # a batch's chunks are of one size, if they can
        scores = self._of(len(self._steps) - 1)
        self.scores, self.d_scores, self.classes = scores.start, scores.d_start, architecture.num_classes
        self.pixels = prod(architecture.image)

    def _of(self, place: int) -> _Value:
        return self._values[place + 1]

    def _moves(self, step: Step) -> bool:
        """Whether the layer has something to do, rather than share its source's place."""
        return not isinstance(step.layer, Flatten) and (self._drops or not isinstance(step.layer, Dropout))

    def _read(self, architecture: Architecture) -> list[_Value]:
        values = [_Value(architecture.image, learned=False)]
        for step in self._steps:
            source = values[step.source + 1]
            if not self._moves(step):
                values.append(source)
                continue
            sources = [source] if step.other is None else [source, values[step.other + 1]]
            for one in sources:
                one.readers += 1
            learned = isinstance(step.layer, Conv | Linear) or any(one.learned for one in sources)
            values.append(_Value(step.outputs, learned))
        return values

    def _lay_out(self) -> None:
        """A place for every value, and one for its gradient where two layers read it."""
        for value in {id(value): value for value in self._values}.values():
            value.start = value.d_start = self.numbers
            self.numbers += prod(value.shape)
            if value.learned and value.readers > 1:
                value.d_start = self.numbers
                self.numbers += prod(value.shape)

    def _table(self, architecture: Architecture) -> np.ndarray:
        records = []
        for place, step in enumerate(self._steps):
            if self._moves(step):
                records.append(self._record(architecture, step, place))
        self._of(len(self._steps) - 1).reached = True
        for record in reversed(records):
            self._gradient(record, self._steps[record["place"]])
        return np.array([[record[name] for name in FIELDS] for record in records], np.int64).reshape(-1, len(FIELDS))

    def _record(self, architecture: Architecture, step: Step, place: int) -> dict[str, int]:
        layer, source, target = step.layer, self._of(step.source), self._of(place)
        flat = isinstance(layer, Linear)  # reads features, also where they are still an image's
        record = dict.fromkeys(FIELDS, 0) | {
            "layer": KINDS[type(layer)], "place": place, "source": source.start, "d_source": source.d_start,
            "target": target.start, "d_target": target.d_start, "kernel": 1, "stride": 1, "bias": NO_BIAS,
        }  # fmt: skip
        sides = (*step.inputs, 1, 1) if flat else source.sides
        record |= dict(zip(("channels", "height", "width"), sides, strict=True))
        record |= dict(zip(("out_channels", "out_height", "out_width"), target.sides, strict=True))
        if step.other is not None:
            other = self._of(step.other)
            record |= {"other": other.start, "d_other": other.d_start}
        if isinstance(layer, Conv | Linear):
            record["weight"] = architecture.layout[f"{layer.name}.weight"].start
            record["bias"] = architecture.layout[f"{layer.name}.bias"].start if layer.bias else NO_BIAS
        if isinstance(layer, Conv):
            record |= {"kernel": layer.kernel, "stride": layer.stride, "padding": layer.padding}
        if isinstance(layer, MaxPool):
            stride = layer.kernel if layer.stride is None else layer.stride
            record |= {"kernel": layer.kernel, "stride": stride, "winner": self.numbers}
            self.numbers += prod(target.shape)
        if isinstance(layer, Activation):
            record["kind"] = list(ACTIVATIONS).index(layer.kind or architecture.activation)
        return record

    def _gradient(self, record: dict[str, int], step: Step) -> None:
        """From the scores backwards: who gets a gradient, and who adds to what is there already."""
        target = self._of(record["place"])
        if not (target.reached and target.learned):
            return
        record["learns"] = 1
        places = [("", step.source)] if step.other is None else [("", step.source), ("other_", step.other)]
        for name, place in places:
            value = self._of(place)
            record[f"{name}passes"], record[f"{name}adds"] = int(value.learned), int(value.reached)
            value.reached = value.reached or value.learned
