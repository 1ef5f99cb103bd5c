"""A network as a table that compiled code can follow: one record per layer, with places instead of names.

`Program` lays out the workspace of one chunk of images, `groups` vectors of `LANES` images. Every layer's output has a
place there, and so has its gradient; where a value is read once and never asked for again by the layer that made it,
the gradient overwrites it, which halves what has to stay in the cache. Layers that only rename (flattening, dropout
that drops nothing) cost nothing: they share their source's place. Our choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

import numpy as np

from hyperlib.weightspace.architecture import Architecture, Step
from hyperlib.weightspace.layers import (
    Activation,
    Add,
    Conv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Linear,
    MaxPool,
)
from hyperlib.zoos.engines.kernels.functions import KINDS as ACTIVATION_KINDS
from hyperlib.zoos.engines.kernels.lanes import LANES
from hyperlib.zoos.engines.kernels.tiles import NONE

CONV, LINEAR, POOL, AVERAGE, BEND, PASS_ON, ADD, DROP = range(8)
LAYER_KINDS = {
    Conv: CONV,
    Linear: LINEAR,
    MaxPool: POOL,
    GlobalAveragePool: AVERAGE,
    Activation: BEND,
    Flatten: PASS_ON,
    Add: ADD,
    Dropout: DROP,
}
_GENERAL = ("layer", "kind_of", "place", "groups", "lines", "length")
_FLOW = ("learns", "passes", "adds", "other_passes", "other_adds")
_SOURCE = ("source", "d_source", "row", "plane", "channels", "height", "width")
_TARGET = ("target", "d_target", "out_row", "out_plane", "out_channels", "out_height", "out_width")
_OWN = ("other", "d_other", "other_row", "factors", "weight", "bias", "kernel", "stride", "padding")
STEP = np.dtype([(name, np.int64) for name in (*_GENERAL, *_FLOW, *_SOURCE, *_TARGET, *_OWN)])
_CACHE = 256 * 2**10  # bytes of a workspace that stay near the processor; more groups than that gain nothing


@dataclass
class _Value:
    """What one layer puts out: its shape, the zeros beside its rows, its places, and who reads it."""

    shape: tuple[int, ...]
    made_by: int | None  # the layer's kind; None for the images
    learned: bool  # whether a gradient has to come here
    margin: int = 0
    readers: int = 0
    overwritten: bool = True  # whether the gradient may take the value's place
    reached: bool = False  # whether a gradient comes here
    start: int = 0
    d_start: int = 0

    @property
    def sides(self) -> tuple[int, int, int]:
        """Channels, height and width; flat features are channels of one place."""
        return self.shape if len(self.shape) == 3 else (prod(self.shape), 1, 1)

    @property
    def row(self) -> int:
        return self.sides[2] + 2 * self.margin

    @property
    def size(self) -> int:
        channels, height, _ = self.sides
        return channels * height * self.row


class Program:
    """The table of one architecture, for one batch size, with dropout or without.

    steps: records in forward order. size: numbers in the workspace. pixels: where each number of an image goes, as a
    vector's place. groups: vectors side by side. scores and d_scores: places of the `classes` scores and of their
    gradient.
    """

    def __init__(self, architecture: Architecture, batch_size: int, drops: bool) -> None:
        self._architecture = architecture
        self._drops = drops
        self._values = self._read_values()
        floats = self._lay_out(1)
        self.groups = max(1, min(ceil(batch_size / LANES), _CACHE // (4 * floats)))
        self.size = self._lay_out(self.groups)
        self.steps = self._records()
        image, scores = self._of(-1), self._of(len(architecture.steps) - 1)
        self.scores, self.d_scores, self.classes = scores.start, scores.d_start, architecture.num_classes
        self.pixels = self._pixels(image)

    # -- which layer's output stands where ---------------------------------------------------------------------------

    def _read_values(self) -> list[_Value]:
        """One value per layer after that of the images; layers that rename share one object with their source."""
        values = [_Value(self._architecture.image, None, learned=False)]
        for step in self._architecture.steps:
            source = values[step.source + 1]
            if isinstance(step.layer, Conv):
                source.margin = max(source.margin, step.layer.padding)
            kind, drops = LAYER_KINDS[type(step.layer)], self._drops
            if isinstance(step.layer, Dropout) and not drops:
                values.append(source)
                continue
            learned = source.learned or isinstance(step.layer, Conv | Linear)
            learned = learned or (step.other is not None and values[step.other + 1].learned)
            margin = _margin(step) if isinstance(step.layer, Conv) and source.learned else 0
            values.append(_Value(step.outputs, kind, learned, margin))
        for place, step in enumerate(self._architecture.steps):
            source = values[step.source + 1]
            if isinstance(step.layer, Flatten) and not source.margin:
                renamed = values[place + 1]
                values = [source if value is renamed else value for value in values]
        return values

    def _of(self, place: int) -> _Value:
        return self._values[place + 1]

    def _moves(self, place: int) -> bool:
        """Whether the layer has something to do, rather than share its source's place."""
        return self._of(place) is not self._of(self._architecture.steps[place].source)

    def _lay_out(self, groups: int) -> int:
        """Give every value its place, counted in vectors; gives the workspace's size in numbers."""
        for value in self._values:
            value.readers, value.overwritten = 0, value.made_by not in (BEND, POOL)  # these need their own output
        for place, step in enumerate(self._architecture.steps):
            if self._moves(place):
                for source in (step.source, step.other):
                    if source is not None:
                        self._of(source).readers += 1
                if isinstance(step.layer, MaxPool) and step.layer.stride not in (None, step.layer.kernel):
                    self._of(step.source).overwritten = False
        end = 0
        for value in dict.fromkeys(map(_Identity, self._values)):
            one, vectors = value.value, value.value.size * groups
            one.start = end + one.margin * groups
            end += vectors
            one.d_start = one.start
            if one.learned and not (one.overwritten and one.readers <= 1):
                one.d_start += vectors
                end += vectors
        self._factors = end
        for place, step in enumerate(self._architecture.steps):
            if isinstance(step.layer, Dropout) and self._moves(place):
                end += prod(step.outputs) * groups
        return (end + groups) * LANES  # the last vectors take what no pixel wants

    def _pixels(self, image: _Value) -> np.ndarray:
        channels, height, width = image.sides
        c, y, x = np.indices((channels, height, width)).reshape(3, -1)
        places = image.start + ((c * height + y) * image.row + x) * self.groups
        trash = self.size // LANES - self.groups
        return np.append(places, np.full(-len(places) % LANES, trash)).astype(np.int64)

    # -- records -----------------------------------------------------------------------------------------------------

    def _records(self) -> np.ndarray:
        places = [place for place in range(len(self._architecture.steps)) if self._moves(place)]
        records = np.zeros(len(places), STEP)
        factors = self._factors
        for record, place in zip(records, places, strict=True):
            step = self._architecture.steps[place]
            self._geometry(record, step, place)
            self._weights(record, step)
            record["factors"] = factors
            if isinstance(step.layer, Dropout):
                factors += prod(step.outputs) * self.groups
        self._gradients(records, places)
        return records

    def _geometry(self, record: np.void, step: Step, place: int) -> None:
        source, target, groups = self._of(step.source), self._of(place), self.groups
        record["layer"], record["place"], record["groups"] = LAYER_KINDS[type(step.layer)], place, groups
        flat = isinstance(step.layer, Linear)  # reads features, also where they are still an image's
        record["channels"], record["height"], record["width"] = (*step.inputs, 1, 1) if flat else source.sides
        record["out_channels"], record["out_height"], record["out_width"] = target.sides
        for prefix, value, names in (
            ("", source, ("source", "d_source")),
            ("out_", target, ("target", "d_target")),
        ):
            record[f"{prefix}row"] = value.row * groups
            record[f"{prefix}plane"] = value.row * value.sides[1] * groups
            record[names[0]], record[names[1]] = value.start, value.d_start
        rows = source.sides[0] * source.sides[1]
        values = [source, target]
        if step.other is not None:
            other = self._of(step.other)
            record["other"], record["d_other"], record["other_row"] = other.start, other.d_start, other.row * groups
            values.append(other)
        dense = all(value.margin == 0 for value in values)  # then all rows are one
        record["lines"], record["length"] = (1, source.size * groups) if dense else (rows, source.sides[2] * groups)
        if isinstance(step.layer, Flatten):
            record["out_row"] = record["length"]  # rows without their margins, one after the other

    def _weights(self, record: np.void, step: Step) -> None:
        layer, layout = step.layer, self._architecture.layout
        record["bias"] = NONE
        if isinstance(layer, Conv | Linear):
            record["weight"] = layout[f"{layer.name}.weight"].start
            record["bias"] = layout[f"{layer.name}.bias"].start if layer.bias else NONE
        if isinstance(layer, Conv):
            record["kernel"], record["stride"], record["padding"] = layer.kernel, layer.stride, layer.padding
        if isinstance(layer, MaxPool):
            record["kernel"] = layer.kernel
            record["stride"] = layer.kernel if layer.stride is None else layer.stride
        if isinstance(layer, Activation):
            record["kind_of"] = ACTIVATION_KINDS[layer.kind or self._architecture.activation]

    def _gradients(self, records: np.ndarray, places: list[int]) -> None:
        """From the scores backwards: who gets a gradient, and who adds to what is there already."""
        for value in self._values:
            value.reached = False
        self._of(len(self._architecture.steps) - 1).reached = True
        for record, place in zip(records[::-1], places[::-1], strict=True):
            step = self._architecture.steps[place]
            if not self._of(place).reached or not self._of(place).learned:
                continue
            record["learns"] = 1
            source = self._of(step.source)
            record["passes"], record["adds"] = source.learned, source.reached
            source.reached = True
            if step.other is not None:
                other = self._of(step.other)
                record["other_passes"], record["other_adds"] = other.learned, other.reached
                other.reached = True


@dataclass(frozen=True, eq=False)
class _Identity:
    """Equal where the very same value is meant."""

    value: _Value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other.value is self.value


def _margin(step: Step) -> int:
    """Zeros that the gradient of a convolution's output needs at both ends of a row."""
    layer, width, outputs = step.layer, step.inputs[2], step.outputs[2]
    before = (layer.padding - layer.kernel + 1) // layer.stride
    after = (width - 1 + layer.padding) // layer.stride - (outputs - 1)
    return max(0, -before, after)
