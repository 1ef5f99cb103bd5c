"""The form of a download from a model hub: files of state dicts in a folder, and perhaps a table of what they are.

    zoo/table.csv             a row per file: file, and whatever is known (model, epoch, lr, test_accuracy, ...)
        resnet/seed_1.safetensors, seed_2.pt, ...  safetensors, or what torch.save writes

The only table of comma-separated values in the folder is taken. Its column `file` names files by their path in the
folder, with or without the suffix. Columns `model` and `epoch` say which files are of one model; without them each is a
model of its own at epoch 0. `hyperlib.gather` does the same for state dicts and modules in memory. The zoo's column
`path` has the paths. Source: our choice.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file

from hyperlib.files.inventory import inventory, natural
from hyperlib.files.plain import Damaged
from hyperlib.files.writing import appearing
from hyperlib.weightspace.base import BaseArchitecture
from hyperlib.weightspace.state_dicts import some
from hyperlib.zoos.design import COLUMNS
from hyperlib.zoos.formats.catalogue import Catalogue
from hyperlib.zoos.formats.model_zoos import network_of, vector_in
from hyperlib.zoos.formats.strangers import AGAIN, csv_table, numbers
from hyperlib.zoos.gathered import SUFFIXES
from hyperlib.zoos.zoo import Zoo

FORM = "checkpoints"
_LARGEST_TABLE = 2**28  # bytes


def files_in(folder: Path) -> list[str]:
    """The checkpoints below a folder by path, in the order of the numbers in their names."""
    return sorted((path for path in _inventory(folder) if path.endswith(SUFFIXES)), key=natural)


def signed(folder: Path) -> str:
    """What tells this zoo from another: names, sizes and times of its checkpoints and tables."""
    found = _inventory(folder)
    told = [path for path in found if path.endswith((*SUFFIXES, ".csv", ".csv.gz"))]
    return "\n".join(f"{path} {found[path].st_size} {found[path].st_mtime_ns}" for path in sorted(told))


def listed(
    folder: Path,
    architecture: BaseArchitecture | None = None,
    key: str | None = None,
    table: pd.DataFrame | Path | str | None = None,
) -> Catalogue:
    """The checkpoints of such a folder. FileNotFoundError where there are none, ValueError for damaged files."""
    names = files_in(folder)
    if not names:
        raise FileNotFoundError(f"There are no checkpoints in {folder}; files end in {', '.join(SUFFIXES)}.")
    network = architecture or network_of(folder / names[0], key)
    known = _known(folder, names, table)
    if "activation" not in known or not network.activation:  # a module's own cannot be exchanged
        known["activation"] = network.activation
    known["activation"] = known["activation"].fillna(network.activation).astype(str)
    measured = tuple(name for name in known if name not in (*COLUMNS, "model", "epoch"))

    def vectors(rows: np.ndarray) -> np.ndarray:
        return np.stack([vector_in(network, folder / names[row], key) for row in rows])

    return Catalogue(FORM, folder, network, known, measured, vectors)


def _inventory(folder: Path) -> dict[str, os.stat_result]:
    """Every file below, hidden ones left out; Damaged, with what to do, for links and devices."""
    try:
        found = inventory(folder)
    except ValueError as error:
        raise Damaged(f"{folder}: {error}; put copies of the files in their place.") from None
    return {path: state for path, state in found.items() if not any(part.startswith(".") for part in path.split("/"))}


def _known(folder: Path, names: list[str], table: pd.DataFrame | Path | str | None) -> pd.DataFrame:
    """What is known of every file, in their order."""
    if not isinstance(table, pd.DataFrame):
        there = [folder / path for path in _inventory(folder) if path.endswith((".csv", ".csv.gz"))]
        tables = there if table is None else [Path(table).expanduser()]
        if len(tables) > 1:
            several = some(path.name for path in tables)
            raise ValueError(f"{folder} holds several tables, {several}; say which: table=path.")
        path = tables[0] if tables else folder
        table = csv_table(path, _LARGEST_TABLE) if tables else pd.DataFrame({"file": names})
    else:
        path = Path("the table given")
    if "file" not in table:
        raise Damaged(f"{path} has no column 'file' that names checkpoints; it has {some(table)}.")
    whole = {name: name for name in names} | {name[: name.rindex(".")]: name for name in names}
    given = table["file"].astype(str)
    table = table.assign(file=given.map(whole))
    if table["file"].isna().any():
        unknown = given[table["file"].isna()].iloc[0][:200]
        raise Damaged(f"{path} has a row of {unknown!r}, and there is no such file; {AGAIN}.")
    if table["file"].duplicated().any():
        raise Damaged(f"{path} has several rows of {table['file'][table['file'].duplicated()].iloc[0]}; leave one.")
    known = pd.DataFrame({"file": names}).merge(table, on="file", how="left").rename(columns={"file": "path"})
    for name, values in (("model", np.arange(len(names))), ("epoch", np.zeros(len(names), np.int64))):
        known[name] = numbers(known, name, path, whole=True) if name in known else values
    return known.drop(columns=["diverged", "missing"], errors="ignore")  # these follow from the files


def write(zoo: Zoo, folder: Path) -> Path:
    """Write a zoo of ours as safetensors with a `table.csv`, to a new folder; missing checkpoints are left out."""
    there = ~zoo.table["missing"].to_numpy(bool) if "missing" in zoo.table else np.ones(len(zoo.table), bool)
    table = zoo.table[there].drop(columns=["path", "missing", "diverged"], errors="ignore")
    names = [f"model_{m:06d}_epoch_{e:06d}.safetensors" for m, e in zip(table["model"], table["epoch"], strict=True)]
    flat = zoo.weights.flatten(0, 1)[torch.from_numpy(np.flatnonzero(there))]
    with appearing(folder, new=True) as aside:
        aside.mkdir()
        for name, weights in zip(names, flat, strict=True):
            state = zoo.architecture.layout.unflatten(weights)
            save_file({part: value.clone() for part, value in state.items()}, aside / name)
        table.assign(file=names).to_csv(aside / "table.csv", index=False)
    return folder
