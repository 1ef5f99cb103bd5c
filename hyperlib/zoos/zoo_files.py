"""A zoo on disk: one array, one table, one manifest, one card.

`weights.npy` is memory-mapped on load, `table.npz` holds one plain array per column (`zoo_table`), `manifest.json` says
what the files must be (shape, checksum, architecture) and `README.md` is a generated card for people. A network that is
not in our list stands in the manifest as a record (see `architecture_record`). Nothing is ever unpickled; every file is
checked against the manifest before it is read, and the manifest against what a zoo can be.

Checksums cost more than the writing itself, so a second thread takes that of the weights meanwhile, from memory: what
went wrong on the way to the disk is then found on load as well. Source: our choice throughout.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import pandas as pd
from jaxtyping import Float
from torch import Tensor

from hyperlib.files.inventory import checksum
from hyperlib.files.plain import Damaged, Unreadable, opened
from hyperlib.files.reading import read_json
from hyperlib.files.writing import Occupied, appearing
from hyperlib.weightspace.architecture_record import network_of, record_of
from hyperlib.weightspace.base import BaseArchitecture
from hyperlib.zoos.design import COLUMNS
from hyperlib.zoos.evaluation import PROPERTIES
from hyperlib.zoos.zoo_table import UNREADABLE, check_columns, read_table, write_table

FORMAT = "hyperlib-zoo-1"
_MANIFEST = "manifest.json"
_FILES = ("weights.npy", "table.npz", "README.md")
_MANIFEST_LIMIT = 2**24  # bytes; a record of the largest network takes half of them
Side = Annotated[int, msgspec.Meta(gt=0, lt=2**40)]  # of an array


@dataclass(frozen=True)
class _File:
    """What a file of a zoo must be."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class _Manifest:
    """What `manifest.json` says: everything that must be known before an array is opened."""

    format: Literal["hyperlib-zoo-1"]
    architecture: str
    activation: str
    shape: tuple[Side, Side, Side]
    columns: list[str]
    files: dict[str, _File]
    record: dict[str, Any] | None = None  # of a network that is not found by its name

    def __post_init__(self) -> None:
        if self.files.keys() != {*_FILES}:
            raise ValueError("its files are others")
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("it names a column twice")


def write_zoo(
    folder: Path, architecture: BaseArchitecture, weights: Float[Tensor, "models epochs params"], table: pd.DataFrame
) -> Path:
    """Write all files of a zoo to a new folder, which appears whole.

    Raises FileExistsError when `folder` exists, ValueError for a zoo that could not be read back, and OSError when the
    disk is full or refuses; nothing is left behind then.
    """
    check_columns(table)
    record = record_of(architecture)
    try:
        with appearing(folder, new=True) as aside:
            aside.mkdir()
            _write_files(aside, architecture, record, weights, table)
    except Occupied:
        raise
    except OSError as error:
        raise OSError(
            f"The zoo cannot be written to {folder} ({error.strerror or error}); free some space there or choose "
            "another folder that you may write. Nothing was left behind."
        ) from error
    return folder


def _write_files(
    folder: Path, architecture: BaseArchitecture, record: dict[str, Any] | None, weights: Tensor, table: pd.DataFrame
) -> None:
    array = np.ascontiguousarray(weights.detach().cpu().numpy(), dtype=np.float32)
    with ThreadPoolExecutor(1) as pool:
        digest = pool.submit(_digest_as_file, array)
        np.save(folder / "weights.npy", array, allow_pickle=False)
        write_table(folder / "table.npz", table)
        (folder / "README.md").write_text(zoo_card(architecture, weights.shape, table), encoding="utf-8")
    sums = {name: digest.result() if name == "weights.npy" else checksum(folder / name) for name in _FILES}
    files = {name: _File((folder / name).stat().st_size, found) for name, found in sums.items()}
    manifest = _Manifest(
        FORMAT, architecture.name, architecture.activation, tuple(weights.shape), list(table), files, record
    )
    said = {name: value for name, value in asdict(manifest).items() if value is not None}
    (folder / _MANIFEST).write_text(json.dumps(said, indent=1), encoding="utf-8")


def read_zoo(folder: Path, *, check: bool = True) -> tuple[BaseArchitecture, np.ndarray, pd.DataFrame]:
    """What `write_zoo` wrote, its weights mapped. Raises FileNotFoundError, Unreadable or ValueError.

    check: read every byte for the checksums, some seconds per ten gigabytes. Without, sizes and headers alone are
    compared with the manifest, so what a flipped bit did is not seen.
    """
    manifest = _read_manifest(folder)
    for name, expected in manifest.files.items():
        _check_file(folder / name, expected, check)
    weights = _open_array(folder / "weights.npy", manifest.shape)
    network = _read_network(folder, manifest)
    return network, weights, read_table(folder / "table.npz", manifest.columns, *manifest.shape[:2])


def zoo_card(architecture: BaseArchitecture, shape: Sequence[int], table: pd.DataFrame) -> str:
    """A short description of a zoo in Markdown: what it holds, its generating factors and its properties."""
    models, epochs, params = shape
    kept, last = table["epoch"].iloc[:epochs].tolist(), table.iloc[epochs - 1 :: epochs]
    lines = [f"# Zoo of {models} models", "", f"- architecture: {architecture.name}, {params} weights"]
    lines += [f"- checkpoints: {epochs} per model, epochs {kept[0]} to {kept[-1]}", "", "## Generating factors", ""]
    for name in [name for name in COLUMNS if name in table]:
        values = last[name].unique()
        shown = ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values[:6])
        lines.append(f"- {name}: {shown if len(values) <= 6 else f'{len(values)} values, {shown}, ...'}")
    if "diverged" in last:
        lines += ["", f"Diverged: {int(last['diverged'].sum())} of {models} models."]
    lines += ["", f"## Properties at epoch {kept[-1]} (mean, standard deviation over models)", ""]
    lines += [f"- {name}: {last[name].mean():.4f}, {last[name].std():.4f}" for name in PROPERTIES if name in last]
    return "\n".join([*lines, "", "Read it with `hyperlib.Zoo.load(folder)`.", ""])


def _digest_as_file(array: np.ndarray) -> str:
    """SHA-256 of the file that `np.save` makes of a contiguous array; the interpreter stays free meanwhile."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    digest = hashlib.sha256(header.getvalue())
    digest.update(array)
    return digest.hexdigest()


def _read_manifest(folder: Path) -> _Manifest:
    path = folder / _MANIFEST
    try:
        opened(path).close()
    except (FileNotFoundError, Damaged):
        raise FileNotFoundError(
            f"{str(folder)[:300]!r} is not a zoo (no {_MANIFEST} there); a zoo folder is written by Zoo.save."
        ) from None
    try:
        return read_json(path, _Manifest, _MANIFEST_LIMIT)
    except Damaged:
        raise ValueError(
            f"{path} is damaged or not of the format {FORMAT}; make or download the zoo again."
        ) from None


def _read_network(folder: Path, manifest: _Manifest) -> BaseArchitecture:
    """The manifest's network; ValueError if there is none, or if the array's vectors are not its weights."""
    try:
        network = network_of(manifest.architecture, manifest.activation, manifest.record)
    except ValueError as error:
        why = " ".join(str(error).split())[:300]
        raise ValueError(f"{folder / _MANIFEST} names no network that can be read: {why}") from None
    if network.layout.size != manifest.shape[-1]:
        raise ValueError(
            f"{folder} holds vectors of {manifest.shape[-1]} weights, but {network.name} has {network.layout.size}; "
            "make or download the zoo again."
        )
    return network


def _check_file(path: Path, expected: _File, contents: bool) -> None:
    try:
        good = path.lstat().st_size == expected.bytes and not path.is_symlink()
        good = good and (not contents or checksum(path) == expected.sha256)
    except (FileNotFoundError, Damaged):
        raise ValueError(f"{path} is missing from the zoo; make or download the zoo again.") from None
    if not good:
        raise ValueError(
            f"{path} is damaged (its size or checksum is not the manifest's); make or download the zoo again."
        )


def _open_array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The mapped array; copy on write, because a tensor over a read-only map would end the process when written to."""
    try:
        with opened(path) as file:
            good = np.lib.format.read_magic(file) == (1, 0)
            good = good and np.lib.format.read_array_header_1_0(file) == (shape, False, np.dtype(np.float32))
            start = file.tell()
        good = good and path.stat().st_size == start + 4 * math.prod(shape)
    except Unreadable:
        raise
    except UNREADABLE:
        good = False
    if not good:
        raise ValueError(
            f"{path} is not the plain float32 array of shape {shape} that the manifest promises; make or download "
            "the zoo again."
        )
    return np.memmap(path, np.float32, mode="c", offset=start, shape=shape)
