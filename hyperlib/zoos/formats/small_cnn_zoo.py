"""The form of the Small CNN Zoo (Unterthiner et al. 2020): one matrix, one table of metrics, one of the layout.

    zoo/weights.npy       float32 [checkpoints, weights], each tensor in TensorFlow's order of axes
        metrics.csv.gz    a row per checkpoint: modeldir, step (the epoch), config.*, train_loss, test_accuracy, ...
        layout.csv        varname, start_idx, end_idx, shape: where each tensor stands; biases come first

Convolutions are height x width x in x out there, dense layers in x out; ours are out x in x height x width and out x
in. Behind a flattening the inputs of a dense layer are in the order height, width, channel, ours channel, height,
width; the published networks have no such layer, so that is our reading of TensorFlow. Columns as in the description of
the data set; those of `layout.csv` are inferred from programs that read it.

The order in which circulating lists of rows go through the zoo (one number a line, no header) is read by `row_order`:
some have a first line that is a column's name, `0`, and so one number too many.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int
from torch import empty

from hyperlib.files.plain import Damaged
from hyperlib.files.writing import appearing
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.base import BaseArchitecture
from hyperlib.weightspace.layers import Flatten, Linear
from hyperlib.weightspace.steps import Step
from hyperlib.zoos.formats.catalogue import Catalogue
from hyperlib.zoos.formats.columns import MEASURES, SMALL_CNN, exported, translated
from hyperlib.zoos.formats.networks import is_row, names_in, recognised
from hyperlib.zoos.formats.strangers import MEND, changed, counts, csv_table, mapped_rows, plain_file, size_of
from hyperlib.zoos.zoo import Zoo

FORM = "small CNN zoo"
FILES = ("weights.npy", "metrics.csv.gz", "layout.csv")
_BYTES_PER_ROW = 4096  # of metrics, unpacked; the published ones have some four hundred
_COLOUR_SIDE = {"cifar10": 32, "svhn_cropped": 32, "svhn": 32}  # pixels of the images, in grey
_TO_OURS = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}  # axes, by how many there are
_TO_THEIRS = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}


@dataclass(frozen=True)
class _Tensor:
    """A tensor of the layout: its layer, whether it is the bias, and its places as ours would have its axes."""

    layer: str
    part: str
    places: Int[np.ndarray, "..."]


def signed(folder: Path) -> str:
    """What tells this zoo from another: sizes and times of its files."""
    return "\n".join(f"{name} {changed(folder / name)}" for name in FILES)


def listed(folder: Path, architecture: BaseArchitecture | None = None, order: Path | str | None = None) -> Catalogue:
    """The checkpoints of such a zoo; models in the order of their first row, or of a list of rows (`row_order`).

    Opens at once: the matrix is mapped. Raises FileNotFoundError and ValueError for what is missing or damaged.
    """
    for name in FILES:
        size_of(folder / name, 2**60)
    weights = mapped_rows(folder / FILES[0])
    tensors = _layout(folder / FILES[2], weights.shape[1])
    metrics, remarks = _metrics(folder / FILES[1], len(weights))
    network, index = _network(tensors, metrics, architecture, folder)
    through = np.arange(len(weights)) if order is None else row_order(Path(order).expanduser(), len(weights))
    first = pd.factorize(metrics["modeldir"].iloc[through])[0]
    table = metrics.drop(columns="modeldir").iloc[through].assign(model=first).reset_index(drop=True)
    if "gap" not in table:
        table["gap"] = table["train_accuracy"] - table["test_accuracy"]
    if "activation" not in table:
        table["activation"] = network.activation

    def vectors(rows: np.ndarray) -> np.ndarray:
        return weights[through[rows]][:, index].astype(np.float32)

    return Catalogue(FORM, folder, network, table, vectors, tuple(remarks))


def row_order(path: Path, rows: int) -> Int[np.ndarray, " rows"]:
    """The order of rows in a list of row numbers, one a line; a first line too many is the name of the column.

    Raises Damaged unless it names each of the `rows` once.
    """
    largest = 2**10 + 32 * rows
    with plain_file(path, largest) as file:
        text = file.read(largest)
    try:
        found = np.array(text.decode("ascii").split(), np.int64)
    except (ValueError, OverflowError):
        raise Damaged(f"{path} is no list of row numbers, one a line; {MEND}.") from None
    found = found[1:] if len(found) == rows + 1 else found
    if len(found) != rows or not np.array_equal(np.sort(found), np.arange(rows)):
        raise Damaged(f"{path} does not name each of the {rows} rows once; it may be of another zoo; {MEND}.")
    return found


def _metrics(path: Path, rows: int) -> tuple[pd.DataFrame, list[str]]:
    """Metrics by our names, one row per row of the matrix, and what is to be said of them."""
    given = csv_table(path, min(2**20 + _BYTES_PER_ROW * rows, 2**32))
    if lacking := [name for name in ("modeldir", "step", *MEASURES) if name not in given]:
        raise Damaged(f"{path} lacks the column {lacking[0]!r}; {MEND}.")
    if len(given) != rows:
        raise Damaged(f"{path} has {len(given)} rows for {rows} rows of weights; {MEND}.")
    given.index = [f"row {row}" for row in range(rows)]
    table, remarks = translated(given.drop(columns=["modeldir", "step"]), path.name, spelled=True)
    return table.assign(modeldir=given["modeldir"].astype(str), epoch=counts(given, "step", path)), remarks


def _layout(path: Path, params: int) -> list[_Tensor]:
    """The tensors of the layout, which must cover every weight once; Damaged otherwise."""
    given = csv_table(path, 2**20)
    if lacking := [name for name in ("varname", "start_idx", "end_idx", "shape") if name not in given]:
        raise Damaged(f"{path} lacks the column {lacking[0]!r}; {MEND}.")
    starts, ends = (counts(given, name, path) for name in ("start_idx", "end_idx"))
    tensors, covered = [], np.zeros(params, bool)
    for name, start, end, said in zip(given["varname"].astype(str), starts, ends, given["shape"], strict=True):
        shape = _shape(said)
        layer, _, part = name.rpartition("/")
        kind = {"kernel": "weight", "bias": "bias"}.get(part.partition(":")[0])
        good = shape is not None and len(shape) in {"weight": (2, 4), "bias": (1,)}.get(kind or "", ())
        if not good or not start < end <= params or math.prod(shape) != end - start:
            raise Damaged(
                f"{path} places {name[:100]!r} as {str(said)[:100]} at {start} to {end} of {params} weights, which no "
                f"tensor of a dense layer or a convolution has; {MEND}."
            )
        if covered[start:end].any():  # before its places are listed: many rows could each have all of them
            raise Damaged(f"{path} places {name[:100]!r} where another tensor stands, at {start} to {end}; {MEND}.")
        covered[start:end] = True
        tensors.append(_Tensor(layer, kind, np.arange(start, end).reshape(shape).transpose(_TO_OURS[len(shape)])))
    if not covered.all():
        raise Damaged(f"{path} leaves out weights; {MEND}.")
    return tensors


def _shape(said: object) -> tuple[int, ...] | None:
    """A shape as Python writes it, "(3, 3, 1, 16)"; None for anything else."""
    try:
        shape = ast.literal_eval(str(said)[:100])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    shape = (shape,) if isinstance(shape, int) else shape
    good = isinstance(shape, tuple | list) and all(type(side) is int and 0 < side < 2**31 for side in shape)
    return tuple(shape) if good else None


def _network(
    tensors: list[_Tensor], metrics: pd.DataFrame, architecture: BaseArchitecture | None, folder: Path
) -> tuple[BaseArchitecture, Int[np.ndarray, " params"]]:
    """The network, and for each of its weights the place in a row of the matrix."""
    layers = list(dict.fromkeys(tensor.layer for tensor in tensors))
    named = {f"{layers.index(t.layer)}.{t.part}": t.places for t in tensors}
    state = {name: empty(places.shape) for name, places in named.items()}
    datasets = metrics["dataset"].unique() if "dataset" in metrics else []
    side = max((_COLOUR_SIDE.get(str(name), 28) for name in datasets), default=28)
    try:
        network = architecture or recognised(state, side)
        names = names_in(network, state)
    except ValueError as error:
        raise Damaged(f"{folder / FILES[2]}: {error}") from None
    if names is None or not is_row(network):
        raise Damaged(f"{folder / FILES[2]} is not the layout of {network.name}; pass the architecture that it is of.")
    parts = [named[name] for name in names]
    flat = {step.layer.name: shape for step, shape in _behind_flattening(network)}
    for place, slot in enumerate(network.layout.slots):
        if slot.layer in flat and slot.part == "weight":
            parts[place] = _by_channel(parts[place], flat[slot.layer])
    return network, np.concatenate([part.ravel() for part in parts])


def _behind_flattening(network: Architecture) -> Iterator[tuple[Step, tuple[int, ...]]]:
    """Dense layers that read an image's places in a row, and that image's shape."""
    steps = network.steps
    for before, step in zip(steps, steps[1:], strict=False):
        if isinstance(before.layer, Flatten) and isinstance(step.layer, Linear) and len(before.inputs) == 3:
            yield step, before.inputs


def _by_channel(places: np.ndarray, image: tuple[int, ...]) -> np.ndarray:
    """Columns in the order channel, height, width, of columns in the order height, width, channel."""
    channels, height, width = image
    return places.reshape(-1, height, width, channels).transpose(0, 3, 1, 2).reshape(len(places), -1)


def write(zoo: Zoo, folder: Path) -> Path:
    """Write a zoo of ours in this form to a new folder, which appears whole; missing checkpoints are left out.

    Raises ValueError for networks of other layers than convolutions and dense ones in a row.
    """
    network = zoo.architecture
    if not is_row(network) or any(slot.part not in ("weight", "bias") or not slot.learned for slot in network.slots):
        raise ValueError(f"A small CNN zoo has convolutions and dense layers in a row, and {network.name} has others.")
    there = ~zoo.table["missing"].to_numpy(bool) if "missing" in zoo.table else np.ones(len(zoo.table), bool)
    flat = zoo.weights.flatten(0, 1)
    with appearing(folder, new=True) as aside:
        aside.mkdir()
        _written_layout(network).to_csv(aside / FILES[2], index=False)
        tensors = _layout(aside / FILES[2], network.layout.size)
        inverse = np.argsort(_network(tensors, zoo.table.iloc[:0], network, aside)[1])
        out = np.lib.format.open_memmap(aside / FILES[0], "w+", np.float32, (int(there.sum()), len(inverse)))
        for row, place in enumerate(np.flatnonzero(there)):
            out[row] = flat[place].numpy()[inverse]
        out.flush()
        _written_metrics(zoo.table[there]).to_csv(aside / FILES[1], index=False)
    return folder


def _written_layout(network: Architecture) -> pd.DataFrame:
    """Where each tensor stands: layer by layer, biases first."""
    slots = sorted(network.slots, key=lambda slot: (network.layout.layers.index(slot.layer), slot.part))  # bias, weight
    shapes = [tuple(slot.shape[axis] for axis in _TO_THEIRS[len(slot.shape)]) for slot in slots]
    ends = np.cumsum([slot.size for slot in slots])
    names = [f"sequential/{s.layer}/{'bias' if s.part == 'bias' else 'kernel'}:0" for s in slots]
    starts = ends - [slot.size for slot in slots]
    return pd.DataFrame({"varname": names, "start_idx": starts, "end_idx": ends, "shape": [str(one) for one in shapes]})


def _written_metrics(table: pd.DataFrame) -> pd.DataFrame:
    """A row per checkpoint, by their names."""
    place = {"modeldir": table["model"].map("model_{:06d}".format), "step": table["epoch"]}
    return exported(table, SMALL_CNN).assign(**place, **{name: table.get(name, np.nan) for name in MEASURES})
