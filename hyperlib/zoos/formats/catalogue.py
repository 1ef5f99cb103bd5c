"""What lies in a folder of somebody's, before a weight is read; and how it becomes models x epochs.

Published populations have holes: runs that stopped, files that were lost. A zoo of ours has the same epochs of every
model. So epochs that fewer than half of the models have are left out, and so are models of which nothing is left; what
is missing then is a row without numbers, `missing` and `diverged`, which `Zoo.samples` leaves out. Source: our choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from hyperlib.files.plain import Damaged
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.base import BaseArchitecture
from hyperlib.weightspace.layers import ACTIVATIONS
from hyperlib.weightspace.state_dicts import some
from hyperlib.zoos.formats.columns import is_measure

HALF = 0.5  # of the models must have an epoch


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The checkpoints of a folder.

    table: one row each, in any order, with `model`, `epoch`, and what is known. vectors: the weights of some rows,
    float32 [rows, params], by their places. remarks: what was left out so far, a sentence each.
    """

    form: str
    folder: Path
    network: BaseArchitecture
    table: pd.DataFrame
    vectors: Callable[[Int[np.ndarray, " rows"]], Float[np.ndarray, "rows params"]]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Grid:
    """Models x epochs: the catalogue's row of each checkpoint, -1 where it is missing, and the zoo's table."""

    places: Int[np.ndarray, "models epochs"]
    table: pd.DataFrame
    network: BaseArchitecture
    remarks: tuple[str, ...]


def gridded(catalogue: Catalogue, epochs: np.ndarray | None = None) -> Grid:
    """The catalogue by model and epoch; `epochs` are kept alone where they are given.

    Raises Damaged for a checkpoint that is there twice and ValueError for an epoch that no model has.
    """
    table = catalogue.table
    if twice := table.duplicated(["model", "epoch"]).to_numpy().nonzero()[0].tolist():
        one = table.iloc[twice[0]]
        raise Damaged(f"{catalogue.folder} holds epoch {one['epoch']} of model {one['model']} twice; leave one out.")
    by_epoch, models = table["epoch"].value_counts().sort_index(), table["model"].nunique()
    wanted = by_epoch.index if epochs is None else epochs
    if absent := sorted(set(wanted.tolist()) - set(by_epoch.index)):
        raise ValueError(f"No model of {catalogue.folder} has epoch {absent[0]}; it has {some(by_epoch.index)}.")
    rare = by_epoch.index[by_epoch < HALF * models] if epochs is None else by_epoch.index[:0]
    kept = np.setdiff1d(wanted, rare)
    ids = np.unique(table["model"][table["epoch"].isin(kept)])
    places = np.full((len(ids), len(kept)), -1)
    column, row = pd.Index(kept).get_indexer(table["epoch"]), pd.Index(ids).get_indexer(table["model"])
    inside = (column >= 0) & (row >= 0)
    places[row[inside], column[inside]] = np.flatnonzero(inside)
    return Grid(places, _table(catalogue, places, kept), *_activations(catalogue, _left_out(catalogue, places, rare)))


def _table(catalogue: Catalogue, places: np.ndarray, epochs: np.ndarray) -> pd.DataFrame:
    """One row per model and epoch; of a missing checkpoint what is known of its model, which no measure is."""
    known = places[np.arange(len(places)), (places >= 0).argmax(1)]
    missing = (places < 0).ravel()
    table = catalogue.table.iloc[np.where(places < 0, known[:, None], places).ravel()].reset_index(drop=True)
    table["epoch"] = np.tile(epochs, len(places))
    for name in (name for name in table if missing.any() and name not in ("model", "epoch")):
        if is_measure(name) or name == "path" or catalogue.table.groupby("model")[name].nunique(dropna=False).max() > 1:
            text = not pd.api.types.is_numeric_dtype(table[name])
            table[name] = (table[name] if text else table[name].astype(float)).mask(missing, "" if text else np.nan)
    first = ["model", "epoch"]
    return table[[*first, *(name for name in table if name not in first)]].assign(missing=missing)


def _left_out(catalogue: Catalogue, places: np.ndarray, rare: pd.Index) -> list[str]:
    remarks = list(catalogue.remarks)
    if len(rare):
        remarks.append(f"Epochs that fewer than half of the models have are left out: {some(rare)}.")
    if gone := catalogue.table["model"].nunique() - len(places):
        remarks.append(f"{gone} models have none of the epochs kept, and are left out.")
    if missing := int((places < 0).sum()):
        remarks.append(f"{missing} of {places.size} checkpoints are missing; their rows have no numbers.")
    return remarks


def _activations(catalogue: Catalogue, remarks: list[str]) -> tuple[BaseArchitecture, tuple[str, ...]]:
    """The network with the activation that all models share, where it is one of ours."""
    network, found = catalogue.network, catalogue.table["activation"].unique().tolist()
    if not isinstance(network, Architecture):
        return network, tuple(remarks)
    if unknown := sorted(set(found) - {*ACTIVATIONS, ""}):
        remarks.append(f"Activations that no network of ours runs with: {some(unknown)}; their weights can be read.")
    shared = len(found) == 1 and found[0] in ACTIVATIONS
    return network.with_activation(found[0]) if shared else network, tuple(remarks)
