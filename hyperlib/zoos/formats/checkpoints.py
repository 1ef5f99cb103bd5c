"""The form of a download from a model hub: files of state dicts in a folder, and perhaps a table of what they are.

    zoo/table.csv             a row per file: file, and whatever is known (model, epoch, lr, test_accuracy, ...)
        resnet/seed_1.safetensors, seed_2.pt, ...  safetensors, or what torch.save writes

The only table of comma-separated values in the folder is taken. Its column `file` names files by their path in the
folder, with or without the suffix. Columns `model` and `epoch` say which files are of one model, and files without a
row are left out then; without these columns each is a model of its own at epoch 0. `hyperlib.gather` does the same for
state dicts and modules in memory. The zoo's column `path` has the paths. Source: our choice.
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
from hyperlib.zoos.formats.catalogue import Catalogue
from hyperlib.zoos.formats.columns import counted, exported, translated
from hyperlib.zoos.formats.model_zoos import network_of, vector_in
from hyperlib.zoos.formats.strangers import MEND, counts, csv_table, like_weights
from hyperlib.zoos.gathered import SUFFIXES
from hyperlib.zoos.zoo import Zoo

FORM = "checkpoints"
_LARGEST_TABLE = 2**28  # bytes
_ENDS = ", ".join(SUFFIXES)
_READ = (".csv", ".csv.gz")  # tables
_TABLES = (*_READ, ".tsv", ".tsv.gz", ".xlsx", ".ods", ".parquet", ".feather", ".jsonl")


def files_in(folder: Path) -> list[str]:
    """The checkpoints below a folder by path, in the order of the numbers in their names."""
    return sorted((path for path in inventory_of(folder) if path.endswith(SUFFIXES)), key=natural)


def signed(folder: Path) -> str:
    """What tells this zoo from another: names, sizes and times of its checkpoints and tables."""
    found = inventory_of(folder)
    told = [path for path in found if path.endswith((*SUFFIXES, *_READ))]
    return "\n".join(f"{path} {found[path].st_size} {found[path].st_mtime_ns}" for path in sorted(told))


def listed(
    folder: Path,
    architecture: BaseArchitecture | None = None,
    key: str | None = None,
    table: pd.DataFrame | Path | str | None = None,
) -> Catalogue:
    """The checkpoints of such a folder. FileNotFoundError where there are none, ValueError for damaged files."""
    there = inventory_of(folder)
    names = files_in(folder)
    if not names:
        raise FileNotFoundError(f"There are no checkpoints in {folder}; files end in {_ENDS}.")
    if table is None and len(tables := [path for path in there if path.endswith(_READ)]) > 1:
        raise ValueError(f"{folder} holds several tables, {some(tables)}; say which: table=path.")
    elif table is None:
        table = folder / tables[0] if tables else pd.DataFrame({"file": names})
    known, remarks = _known(names, table)
    network = architecture or network_of(folder / known["path"].iloc[0], key)
    if "activation" not in known or not network.activation:  # a module's own cannot be exchanged
        known["activation"] = network.activation
    known["activation"] = known["activation"].replace("", network.activation)
    read = None if isinstance(table, pd.DataFrame) else Path(table).expanduser().absolute()
    others = [path for path in there if path.endswith(_TABLES) and (folder / path).absolute() != read]
    remarks += counted("Tables that are not read", others)
    others = [path for path in there if like_weights(path) and not path.endswith(SUFFIXES)]
    remarks += counted(f"Files that look like weights, and are not read as their names do not end in {_ENDS}", others)
    files = known["path"].tolist()

    def vectors(rows: np.ndarray) -> np.ndarray:
        return np.stack([vector_in(network, folder / files[row], key) for row in rows])

    return Catalogue(FORM, folder, network, known, vectors, tuple(remarks))


def inventory_of(folder: Path) -> dict[str, os.stat_result]:
    """Every file below, hidden ones left out; Damaged, with what to do, for links and devices."""
    try:
        found = inventory(folder)
    except ValueError as error:
        raise Damaged(f"{folder}: {error}; put copies of the files in their place.") from None
    return {path: state for path, state in found.items() if not any(part.startswith(".") for part in path.split("/"))}


def _known(names: list[str], table: pd.DataFrame | Path | str) -> tuple[pd.DataFrame, list[str]]:
    """What is known of every file, in their order, and what is to be said of it."""
    path = "the table given" if isinstance(table, pd.DataFrame) else Path(table).expanduser()
    given = table if isinstance(table, pd.DataFrame) else csv_table(path, _LARGEST_TABLE)
    if not given.columns.is_unique:
        raise Damaged(f"{path} names the column {given.columns[given.columns.duplicated()][0]!r} twice; rename one.")
    if "file" not in given:
        raise Damaged(f"{path} has no column 'file' that names checkpoints; it has {some(given)}; call one so.")
    whole = {name[: name.rindex(".")]: name for name in names} | {name: name for name in names}
    said = given["file"].astype(str)
    given = given.drop(columns=["diverged", "missing"], errors="ignore").assign(file=said.map(whole))
    lost = said[given["file"].isna()].str[:200].tolist()
    given = given.dropna(subset="file").set_index("file")
    if given.index.has_duplicates:
        raise Damaged(f"{path} has several rows of {given.index[given.index.duplicated()][0]}; leave one.")
    if not len(given):
        raise Damaged(f"{path} names no file that is there, but {some(map(repr, lost))}; {MEND}.")
    remarks = counted(f"Rows of {path} whose files are not there", lost)
    without = [name for name in names if name not in given.index]
    placed = "model" in given or "epoch" in given
    so = "left out" if placed else "kept without settings and measures"
    remarks += counted(f"Files without a row in {path}, and {so}", without)
    names = [name for name in names if not placed or name in given.index]
    given = given.reindex(names)
    known, more = translated(given.drop(columns=["model", "epoch"], errors="ignore"), str(path), spelled=True)
    for name, values in (("model", np.arange(len(names))), ("epoch", np.zeros(len(names), np.int64))):
        known[name] = counts(given, name, path) if name in given else values
    return known.assign(path=names).reset_index(drop=True), remarks + more


def write(zoo: Zoo, folder: Path) -> Path:
    """Write a zoo of ours as safetensors with a `table.csv`, to a new folder; missing checkpoints are left out."""
    there = ~zoo.table["missing"].to_numpy(bool) if "missing" in zoo.table else np.ones(len(zoo.table), bool)
    place = zoo.table.loc[there, ["model", "epoch"]]
    names = [f"model_{m:06d}_epoch_{e:06d}.safetensors" for m, e in zip(place["model"], place["epoch"], strict=True)]
    flat = zoo.weights.flatten(0, 1)[torch.from_numpy(np.flatnonzero(there))]
    with appearing(folder, new=True) as aside:
        aside.mkdir()
        for name, weights in zip(names, flat, strict=True):
            state = zoo.architecture.layout.unflatten(weights)
            save_file({part: value.clone() for part, value in state.items()}, aside / name)
        exported(zoo.table[there], {}).assign(**place, file=names).to_csv(aside / "table.csv", index=False)
    return folder
