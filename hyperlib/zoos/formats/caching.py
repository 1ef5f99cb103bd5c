"""A zoo of somebody's as one of ours: in memory, or as a folder that is written once and mapped from then on.

Weights are read model by model and written in a row, so a zoo larger than memory passes through. The folder appears
whole or not at all, and says what it was made from; a folder of another source, or of one that changed, is refused.
Source: our choice.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from tqdm import tqdm

from hyperlib.files.plain import Damaged
from hyperlib.files.reading import read_json
from hyperlib.files.writing import appearing, write_json
from hyperlib.zoos.formats.catalogue import Catalogue, Grid, gridded
from hyperlib.zoos.zoo import Zoo
from hyperlib.zoos.zoo_files import write_zoo

IN_MEMORY = 4 * 2**30  # bytes of weights that are read without a cache
_ORIGIN = "origin.json"


@dataclass(frozen=True)
class Origin:
    """What a cache was made from, and what was left out."""

    format: Literal["hyperlib-origin-1"]
    form: str
    folder: str
    signature: str
    remarks: list[str]


def cached(cache: Path, folder: Path, signature: str | None) -> Zoo:
    """The zoo that was made of a folder before; without a signature (the folder is gone) by the folder's name.

    Warns of what was left out then. Raises ValueError where something else lies there, or where the folder is not what
    it was, and Unreadable where that cannot be known now.
    """
    try:
        origin = read_json(cache / _ORIGIN, Origin)
    except (FileNotFoundError, Damaged):
        raise ValueError(f"{cache} is no cache that open_zoo made; name a new folder as cache.") from None
    if origin.folder != str(folder.absolute()) or signature not in (None, origin.signature):
        raise ValueError(
            f"{cache} was made of {origin.folder}, with other settings or before something there changed; remove it, "
            "or name a new folder as cache."
        )
    zoo = Zoo.load(cache, check=False)
    _warn(folder, origin.remarks)
    return zoo


def _warn(folder: Path, remarks: Sequence[str]) -> None:
    """Say what was left out, where `open_zoo` was called."""
    if remarks:
        warnings.warn(f"{folder}: {' '.join(remarks)}", stacklevel=4)


def converted(
    catalogue: Catalogue, signature: str, cache: Path | None, epochs: np.ndarray | None, progress: bool
) -> Zoo:
    """The catalogue's zoo, in memory or mapped from the cache that this writes. A warning says what was left out."""
    grid = gridded(catalogue, epochs)
    models, kept = grid.places.shape
    shape, params = (models, kept, grid.network.layout.size), grid.network.layout.size
    if cache is None and 4 * models * kept * params > IN_MEMORY:
        raise ValueError(
            f"The weights of {catalogue.folder} take {4 * models * kept * params / 2**30:.1f} GiB of memory; name a "
            "folder that shall hold them, cache=..., or some epochs=[...]."
        )
    _warn(catalogue.folder, grid.remarks)
    bar = tqdm(range(models), disable=not progress, unit=" models", delay=2)
    if cache is None:
        weights = np.empty(shape, np.float32)
        finite = np.stack([_read(catalogue, grid, model, weights[model]) for model in bar])
        return Zoo(grid.network, weights, grid.table.assign(diverged=~finite.ravel()))
    with appearing(cache, new=True) as aside:
        unsorted, row = aside.with_name(f"{aside.name}.unsorted"), np.empty(shape[1:], np.float32)
        with unsorted.open("wb") as file:
            finite = np.empty((models, kept), bool)
            for model in bar:
                finite[model] = _read(catalogue, grid, model, row)
                row.tofile(file)
        weights = np.memmap(unsorted, np.float32, mode="c", shape=shape)
        write_zoo(aside, grid.network, torch.from_numpy(weights), grid.table.assign(diverged=~finite.ravel()))
        said = Origin("hyperlib-origin-1", catalogue.form, str(catalogue.folder.absolute()), signature, [*grid.remarks])
        write_json(aside / _ORIGIN, asdict(said))
    return Zoo.load(cache, check=False)


def _read(catalogue: Catalogue, grid: Grid, model: int, into: np.ndarray) -> np.ndarray:
    """One model's checkpoints, NaN where they are missing or diverged; which of them are neither."""
    into[:] = np.nan
    there = grid.places[model] >= 0
    into[there] = catalogue.vectors(grid.places[model][there])
    finite = np.isfinite(into).all(1)
    into[~finite] = np.nan
    return finite
