"""A zoo on disk: one array, one table, one manifest, one card.

`weights.npy` is memory-mapped on load, `table.npz` holds one plain array per column, `manifest.json` says what the
files must be (shape, checksum, architecture) and `README.md` is a generated card for people. Nothing is ever
unpickled; every file is checked against the manifest before it is read, and the manifest against what a zoo can be.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hyperlib.weightspace.architectures import ARCHITECTURES, architecture
from hyperlib.zoos.zoo import PROPERTIES, Zoo

if TYPE_CHECKING:
    from hyperlib.weightspace.architecture import Architecture

FORMAT = "hyperlib-zoo-1"
_MANIFEST = "manifest.json"
_FILES = ("weights.npy", "table.npz", "README.md")
_MANIFEST_LIMIT = 2**20


def save_zoo(zoo: Zoo, folder: Path) -> Path:
    """Write all files to a temporary folder beside `folder`, then rename it.

    Raises FileExistsError when `folder` exists and ValueError for an architecture that no name leads back to.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} exists already; choose another folder or remove it first.")
    if not _known(zoo.architecture):
        raise ValueError(
            f"{zoo.architecture.name} is not in hyperlib's ARCHITECTURES, so a saved zoo could not be read back; "
            "add it there first."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        np.save(partial / "weights.npy", np.ascontiguousarray(zoo.weights.numpy(), dtype=np.float32), allow_pickle=False)
        columns = {name: _plain(zoo.table[name]) for name in zoo.table}
        np.savez(partial / "table.npz", allow_pickle=False, **columns)
        (partial / "README.md").write_text(zoo_card(zoo), encoding="utf-8")
        manifest = {
            "format": FORMAT,
            "architecture": zoo.architecture.name,
            "activation": zoo.architecture.activation,
            "shape": list(zoo.weights.shape),
            "columns": list(zoo.table),
            "files": {name: _fingerprint(partial / name) for name in _FILES},
        }
        (partial / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return folder


def load_zoo(folder: Path) -> Zoo:
    """Read a zoo that `save_zoo` wrote. Raises FileNotFoundError or ValueError in one sentence."""
    manifest = _read_manifest(folder)
    for name in _FILES:
        _check_file(folder / name, manifest["files"][name])
    shape, columns = tuple(manifest["shape"]), manifest["columns"]
    weights = _open_array(folder / "weights.npy", shape)
    network = architecture(manifest["architecture"]).with_activation(manifest["activation"])
    return Zoo(network, weights, _read_table(folder / "table.npz", columns, shape[0] * shape[1]))


def zoo_card(zoo: Zoo) -> str:
    """A short description of the zoo in Markdown: what it holds, its generating factors and its properties."""
    models, epochs, params = zoo.weights.shape
    lines = [f"# Zoo of {models} models", "", f"- architecture: {zoo.architecture.name}, {params} weights"]
    lines += [f"- checkpoints: {epochs} per model, epochs {zoo.epochs[0]} to {zoo.epochs[-1]}", "", "## Generating factors", ""]
    for name in zoo.design.columns.drop("model"):
        values = zoo.design[name].unique()
        shown = ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values[:6])
        lines.append(f"- {name}: {shown if len(values) <= 6 else f'{len(values)} values, {shown}, ...'}")
    last = zoo.table.iloc[epochs - 1 :: epochs]
    if "diverged" in last:
        lines += ["", f"Diverged: {int(last['diverged'].sum())} of {models} models."]
    lines += ["", f"## Properties at epoch {zoo.epochs[-1]} (mean, standard deviation over models)", ""]
    lines += [f"- {name}: {last[name].mean():.4f}, {last[name].std():.4f}" for name in PROPERTIES if name in last]
    return "\n".join([*lines, "", "Read it with `hyperlib.Zoo.load(folder)`.", ""])


def _known(network: Architecture) -> bool:
    made = ARCHITECTURES.get(network.name)
    return made is not None and made().with_activation(network.activation) == network


def _plain(column: pd.Series) -> np.ndarray:
    """A column as an array without Python objects."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return column.to_numpy()
    return column.to_numpy(dtype=object).astype(str)


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / _MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is not a zoo (no {_MANIFEST} there); a zoo folder is written by Zoo.save.")
    try:
        if path.stat().st_size > _MANIFEST_LIMIT:
            raise ValueError("too large")
        manifest = json.loads(path.read_text(encoding="utf-8"))
        good = (
            manifest["format"] == FORMAT
            and len(manifest["shape"]) == 3
            and all(type(side) is int and 0 < side < 2**40 for side in manifest["shape"])
            and all(isinstance(name, str) for name in manifest["columns"])
            and all(isinstance(manifest["files"][name]["sha256"], str) for name in _FILES)
            and all(type(manifest["files"][name]["bytes"]) is int for name in _FILES)
            and isinstance(manifest["architecture"], str)
            and isinstance(manifest["activation"], str)
        )
    except (ValueError, KeyError, TypeError, UnicodeDecodeError, RecursionError):
        good = False
    if not good:
        raise ValueError(f"{path} is damaged or not of the format {FORMAT}; make or download the zoo again.")
    return manifest


def _check_file(path: Path, expected: dict[str, Any]) -> None:
    if path.is_symlink() or not path.is_file():
        raise ValueError(f"{path} is missing from the zoo; make or download the zoo again.")
    if path.stat().st_size != expected["bytes"] or _fingerprint(path)["sha256"] != expected["sha256"]:
        raise ValueError(f"{path} is damaged (its size or checksum is not the manifest's); make or download the zoo again.")


def _open_array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    try:
        weights = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError):
        raise ValueError(f"{path} is not a plain array file; make or download the zoo again.") from None
    if weights.shape != shape or weights.dtype != np.float32:
        raise ValueError(f"{path} holds {weights.dtype} {weights.shape}, the manifest says float32 {shape}.")
    return weights


def _read_table(path: Path, columns: list[str], rows: int) -> pd.DataFrame:
    try:
        with zipfile.ZipFile(path) as archive:
            if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
                raise ValueError("compressed")  # stored members cannot unpack to more than the file's own size
        with np.load(path, allow_pickle=False) as archive:
            table = pd.DataFrame({name: archive[name] for name in columns})
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile):
        raise ValueError(f"{path} is not a plain table of the manifest's columns; make or download the zoo again.") from None
    if len(table) != rows:
        raise ValueError(f"{path} has {len(table)} rows, the weights need {rows}; make or download the zoo again.")
    return table
