"""A zoo on disk: one array, one table, one manifest, one card.

`weights.npy` is memory-mapped on load, `table.npz` holds one plain array per column, `manifest.json` says what the
files must be (shape, checksum, architecture) and `README.md` is a generated card for people. Nothing is ever
unpickled; every file is checked against the manifest before it is read, and the manifest against what a zoo can be.

Checksums cost more than the writing itself, so a second thread takes that of the weights meanwhile, from memory: what
went wrong on the way to the disk is then found on load as well. Source: our choice throughout.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import secrets
import shutil
import tokenize
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hyperlib.weightspace.architectures import architecture, is_registered
from hyperlib.zoos.zoo import PROPERTIES, Zoo

FORMAT = "hyperlib-zoo-1"
_MANIFEST = "manifest.json"
_FILES = ("weights.npy", "table.npz", "README.md")
_MANIFEST_LIMIT = 2**20
_UNREADABLE = (  # whatever numpy and zipfile raise for files that somebody has tampered with
    *(ValueError, OSError, KeyError, EOFError, SyntaxError, RuntimeError, OverflowError, MemoryError),
    *(zipfile.BadZipFile, tokenize.TokenError, NotImplementedError, zlib.error),
)


def save_zoo(zoo: Zoo, folder: Path) -> Path:
    """Write all files to a temporary folder beside `folder`, then rename it.

    Raises FileExistsError when `folder` exists, ValueError for a zoo that could not be read back, and OSError when the
    disk is full or refuses; nothing is left behind then.
    """
    if folder.exists() or folder.is_symlink():
        raise FileExistsError(f"{folder} exists already; choose another folder or remove it first.")
    _check_can_be_read_back(zoo)
    partial = folder.parent / f".{folder.name}-{secrets.token_hex(4)}"
    try:
        partial.mkdir(parents=True)
        _write_files(zoo, partial)
        os.rename(partial, folder)
    except OSError as error:
        raise OSError(
            f"The zoo cannot be written to {folder} ({error.strerror or error}); free some space there or choose "
            "another folder. Nothing was left behind."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _check_can_be_read_back(zoo: Zoo) -> None:
    if not len(zoo):
        raise ValueError("This zoo has no models, so there is nothing to save.")
    if not is_registered(zoo.architecture):
        raise ValueError(
            f"{zoo.architecture.name} is not in hyperlib's ARCHITECTURES, so a saved zoo could not be read back; "
            "add it there first."
        )
    for name in zoo.table:
        if not isinstance(name, str) or name in ("file", "allow_pickle") or "/" in name:
            raise ValueError(f"The zoo's column {name!r} cannot be saved under this name; rename it.")


def _write_files(zoo: Zoo, folder: Path) -> None:
    weights = np.ascontiguousarray(zoo.weights.detach().cpu().numpy(), dtype=np.float32)
    with ThreadPoolExecutor(1) as pool:
        digest = pool.submit(_digest_as_file, weights)
        np.save(folder / "weights.npy", weights, allow_pickle=False)
        np.savez(folder / "table.npz", **{name: _plain(zoo.table[name]) for name in zoo.table})
        (folder / "README.md").write_text(zoo_card(zoo), encoding="utf-8")
    files = {"weights.npy": {"bytes": (folder / "weights.npy").stat().st_size, "sha256": digest.result()}}
    manifest = {
        "format": FORMAT,
        "architecture": zoo.architecture.name,
        "activation": zoo.architecture.activation,
        "shape": list(zoo.weights.shape),
        "columns": list(zoo.table),
        "files": files | {name: _fingerprint(folder / name) for name in _FILES if name not in files},
    }
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


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
    lines += [
        f"- checkpoints: {epochs} per model, epochs {zoo.epochs[0]} to {zoo.epochs[-1]}",
        "",
        "## Generating factors",
        "",
    ]
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


def _plain(column: pd.Series) -> np.ndarray:
    """A column as an array of numbers, truth values or text, without Python objects (which only pickle can store)."""
    if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)):
        return column.to_numpy(dtype=object).astype(str)
    values = column.to_numpy()
    return values if values.dtype != object else column.to_numpy(dtype=np.float64, na_value=np.nan)


def _digest_as_file(array: np.ndarray) -> str:
    """SHA-256 of the file that `np.save` makes of a contiguous array; the interpreter stays free meanwhile."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    digest = hashlib.sha256(header.getvalue())
    digest.update(array)
    return digest.hexdigest()


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / _MANIFEST
    if path.is_symlink() or not path.is_file():
        raise FileNotFoundError(f"{folder} is not a zoo (no {_MANIFEST} there); a zoo folder is written by Zoo.save.")
    try:
        if path.stat().st_size > _MANIFEST_LIMIT:
            raise ValueError("too large")
        manifest = json.loads(path.read_text(encoding="utf-8"))
        good = (
            manifest["format"] == FORMAT
            and len(manifest["shape"]) == 3
            and all(type(side) is int and 0 < side < 2**40 for side in manifest["shape"])
            and isinstance(manifest["columns"], list)
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
        raise ValueError(
            f"{path} is damaged (its size or checksum is not the manifest's); make or download the zoo again."
        )


def _open_array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The mapped array; copy on write, because a tensor over a read-only map would end the process when written to."""
    try:
        with path.open("rb") as file:
            good = np.lib.format.read_magic(file) == (1, 0)
            good = good and np.lib.format.read_array_header_1_0(file) == (shape, False, np.dtype(np.float32))
            start = file.tell()
        good = good and path.stat().st_size == start + 4 * math.prod(shape)
    except _UNREADABLE:
        good = False
    if not good:
        raise ValueError(
            f"{path} is not the plain float32 array of shape {shape} that the manifest promises; make or download "
            "the zoo again."
        )
    return np.memmap(path, np.float32, mode="c", offset=start, shape=shape)


def _read_table(path: Path, columns: list[str], rows: int) -> pd.DataFrame:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                raise ValueError("compressed")  # stored members cannot unpack to more than they take
            if sum(member.file_size for member in members) > path.stat().st_size:
                raise ValueError("overlapping")
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in columns}
        if not all(_is_column(array, rows) for array in arrays.values()):
            raise ValueError("no columns")
    except _UNREADABLE:
        raise ValueError(
            f"{path} is not a plain table of the manifest's columns with {rows} rows; make or download the zoo again."
        ) from None
    if "diverged" in arrays and arrays["diverged"].dtype != bool:
        raise ValueError(f"{path} says diverged by {arrays['diverged'].dtype} values; make or download the zoo again.")
    return pd.DataFrame(arrays)


def _is_column(array: object, rows: int) -> bool:
    """numpy gives a member that is no array as bytes."""
    return isinstance(array, np.ndarray) and array.shape == (rows,) and array.dtype.kind in "biufU"
