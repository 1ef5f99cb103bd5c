"""A zoo of checkpoints that somebody else trained: files, state dicts or modules of one network, with a table.

Files are safetensors, or what `torch.save` writes; nothing in them is ever executed (`weights_only=True`), and a file
that would unpack to more than it takes is refused. Whatever else a checkpoint holds beside its state dict is left out.

Source: our choice.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn
from tqdm import tqdm

from hyperlib.files.inventory import natural
from hyperlib.files.plain import Damaged, nameable, opened
from hyperlib.weightspace.base import BaseArchitecture, require_architecture
from hyperlib.weightspace.state_dicts import find_state_dict, some
from hyperlib.zoos.zoo import Zoo

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
Checkpoint = Path | str | Mapping[str, Any] | nn.Module | Tensor


def gather(
    architecture: BaseArchitecture,
    checkpoints: Path | str | Sequence[Checkpoint],
    table: pd.DataFrame | None = None,
    *,
    key: str | None = None,
    progress: bool = False,
) -> Zoo:
    """A zoo of checkpoints of one network: of a folder, or of a list.

    architecture: the network, as `from_module` or an `Architecture` gives it. checkpoints: a folder, whose files are
    taken in the order of their names (numbers in them count as numbers), or a list of files, state dicts (also inside
    of a checkpoint with other things), modules and weight vectors. table: what is known, one row per checkpoint in
    their order, or with a column `file` that names files (with or without suffix); rows of a table with `file` may be
    in any order, and files that it does not name have no properties (NaN). Columns `model` and `epoch` say which
    checkpoints are of one model; without them each is a model of its own at epoch 0. A column `activation` is filled
    in from the network, `diverged` says where weights are not finite.

    key: which entry of every checkpoint holds its state dict, for those that have several (an average beside the
    weights themselves). A state dict may also name the network as a part of something larger ("model." before each
    name); what else is in it is left out, as is what a checkpoint holds beside its weights.

    Weights are kept in float32, in the order of the network's layout; a checkpoint may hold more than that.

    Raises FileNotFoundError where nothing is, and ValueError, with the file's name, for one that cannot be read or is
    of another network, for a table that does not fit, and for models that have not all the same epochs.
    """
    require_architecture(architecture, "gather")
    found = _listed(checkpoints)
    names = [one.name if isinstance(one, Path) else f"checkpoint {number}" for number, one in enumerate(found)]
    weights = np.empty((len(found), architecture.layout.size), np.float32)
    for row, (one, name) in enumerate(zip(tqdm(found, disable=not progress, unit=" checkpoints"), names, strict=True)):
        weights[row] = _vector(architecture, one, name, key)
    files = [path.name if isinstance(path, Path) else "" for path in found]
    known = _table(table, files, len(found))
    if "activation" not in known or not architecture.activation:  # a module's own cannot be exchanged
        known["activation"] = architecture.activation
    known["diverged"] = ~np.isfinite(weights).all(1)
    weights[known["diverged"]] = np.nan
    return _zoo(architecture, weights, known)


def _listed(checkpoints: Path | str | Sequence[Checkpoint]) -> list[Checkpoint]:
    """The checkpoints in their order; files as paths."""
    if isinstance(checkpoints, Mapping | nn.Module):
        raise TypeError("gather takes a folder or a list of checkpoints; put a single one into a list.")
    if isinstance(checkpoints, str | Path):
        folder = nameable(Path(checkpoints).expanduser())
        if folder.is_file():
            raise ValueError(f"{folder} is a file; a list of one is [{str(checkpoints)!r}].")
        if not folder.is_dir():
            raise FileNotFoundError(f"There is no folder {folder}; give one with checkpoints, or a list of files.")
        found = listed(folder)
    else:
        found = [Path(one).expanduser() if isinstance(one, str | Path) else one for one in checkpoints]
    if not found:
        where = f" in {checkpoints}" if isinstance(checkpoints, str | Path) else ""
        raise FileNotFoundError(f"There are no checkpoints{where}; files end in {', '.join(SUFFIXES)}.")
    return found


def listed(folder: Path) -> list[Path]:
    """The checkpoints of a folder in the order of their names, in which numbers count as numbers."""
    found = (path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file())
    return sorted(found, key=lambda path: natural(path.name))


def _vector(
    architecture: BaseArchitecture, one: Checkpoint, name: str, key: str | None
) -> Float[np.ndarray, " params"]:
    """The weights of one checkpoint; ValueError with its name for another network's."""
    try:
        if isinstance(one, Tensor):
            architecture.layout.check(one, architecture.name)
            if not one.is_floating_point() or one.layout != torch.strided or one.is_meta:
                raise ValueError("a weight vector is a dense tensor of floating-point numbers")
            values = one.detach().flatten()
        else:
            found = read_checkpoint(one) if isinstance(one, Path) else one
            values = architecture.layout.flatten(_part(architecture, _entry(found, key)))
    except (ValueError, TypeError) as error:
        hint = " Or say it by key=..." if "could be meant" in str(error) else ""
        raise ValueError(f"{name} is no checkpoint of {architecture.name}: {error}{hint}") from error
    return values.float().cpu().numpy()


def _entry(checkpoint: Mapping[str, Any] | nn.Module, key: str | None) -> Mapping[str, Any] | nn.Module:
    """The entry of a checkpoint that was named; ValueError where it has none of that name."""
    if key is None or isinstance(checkpoint, nn.Module):
        return checkpoint
    if not isinstance(checkpoint, Mapping) or not isinstance(checkpoint.get(key), Mapping | nn.Module):
        names = some(checkpoint) if isinstance(checkpoint, Mapping) else type(checkpoint).__name__
        raise ValueError(f"it has no state dict under the key {key!r}; there are {names}")
    return checkpoint[key]


def _part(architecture: BaseArchitecture, checkpoint: Mapping[str, Any] | nn.Module) -> Mapping[str, Any]:
    """The state dict without what stands before each of the network's names, where it is a part of something larger."""
    names, state = [slot.name for slot in architecture.layout], find_state_dict(checkpoint).state
    if all(name in state for name in names):
        return state
    before = {key.removesuffix(names[0]) for key in state if isinstance(key, str) and key.endswith(f".{names[0]}")}
    fitting = [prefix for prefix in before if all(f"{prefix}{name}" in state for name in names)]
    if len(fitting) > 1:
        raise ValueError(f"its state dict holds several networks of this layout, {some(sorted(fitting))}; pass one")
    return {name: state[f"{fitting[0]}{name}"] for name in names} if fitting else state


def read_checkpoint(path: Path) -> Mapping[str, Any]:
    """What a file holds. FileNotFoundError where there is none, ValueError for what only running code could read."""
    try:
        opened(path, links=True).close()
    except (FileNotFoundError, Damaged):
        raise FileNotFoundError(f"There is no file {str(path)[:300]!r}.") from None
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with zipfile.ZipFile(path) as archive:
            packed = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in packed):
            raise _Refused("it is compressed, which torch.save never does")
        if sum(member.file_size for member in packed) > path.stat().st_size:
            raise _Refused("its parts overlap")
        _refuse_bytes(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except _Refused:
        raise
    except zipfile.BadZipFile:
        raise ValueError(
            "it is damaged, or not of the format that torch.save has written since PyTorch 1.6; load it there where "
            "you trust it, and save its state dict again"
        ) from None
    except Exception as error:  # whatever a file that is none of ours can raise
        raise ValueError(
            f"it cannot be read without running code from it, or is damaged ({_reason(error)}); where you trust it, "
            "load it yourself and save its state dict alone, torch.save(model.state_dict(), path)"
        ) from None


def _refuse_bytes(path: Path) -> None:
    """A checkpoint's pickle names tensors. One that asks for an array of bytes can ask for any number of them."""
    with zipfile.ZipFile(path) as archive:
        pickles = [member for member in archive.namelist() if member.endswith("data.pkl")]
        if any(b"bytearray" in archive.read(member) for member in pickles):
            raise _Refused("it asks for an array of bytes, which no state dict needs")


class _Refused(ValueError):
    """A file that could be read, and is not."""


def _reason(error: Exception) -> str:
    """The one line of an error that says what was wrong."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if (told := re.search(r"Unsupported \w+: (?:GLOBAL )?([\w.]+)", str(error))) is not None:
        return f"it asks for {told[1]}"
    return lines[0].strip()[:200].rstrip(".")


def _table(table: pd.DataFrame | None, files: list[str], count: int) -> pd.DataFrame:
    """One row per checkpoint, in their order, with what is known of it."""
    rows = pd.DataFrame({"file": files}) if any(files) else pd.DataFrame(index=range(count))
    if table is None:
        return rows
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"The table of properties is a pandas DataFrame, not a {type(table).__name__}.")
    if "file" not in table:
        if len(table) != count:
            raise ValueError(
                f"The table has {len(table)} rows for {count} checkpoints; give one for each, in their order, or a "
                "column 'file' with the names of the files."
            )
        return pd.concat([rows, table.reset_index(drop=True)], axis=1)
    by_name = table.assign(file=[Path(str(name)).name for name in table["file"]])
    whole = {name: name for name in files} | {Path(name).stem: name for name in files}
    by_name["file"] = [whole.get(name, name) for name in by_name["file"]]
    if repeated := sorted(by_name["file"][by_name["file"].duplicated()]):
        raise ValueError(f"The table has several rows of {repeated[0]}.")
    if unknown := sorted(set(by_name["file"]) - set(files)):
        raise ValueError(f"The table has a row of {unknown[0]}, and there is no such file.")
    return rows.merge(by_name, on="file", how="left")


def _zoo(architecture: BaseArchitecture, weights: Float[np.ndarray, "checkpoints params"], table: pd.DataFrame) -> Zoo:
    """The checkpoints by model and epoch."""
    for name, values in (("model", range(len(table))), ("epoch", [0] * len(table))):
        if name not in table:
            table.insert(0, name, list(values))
        try:
            whole = table[name].astype(np.int64)
            if not (whole == table[name]).all():
                raise ValueError
            table[name] = whole
        except (ValueError, TypeError):
            raise ValueError(f"The column {name!r} says a whole number for every checkpoint.") from None
    order = np.lexsort((table["epoch"], table["model"]))
    table, weights = table.iloc[order].reset_index(drop=True), weights[order]
    epochs = table.groupby("model", sort=True)["epoch"].apply(tuple)
    if epochs.nunique() != 1:
        other = next(model for model, kept in epochs.items() if kept != epochs.iloc[0])
        raise ValueError(
            f"Model {epochs.index[0]} has the epochs {_some(epochs.iloc[0])} and model {other} {_some(epochs[other])}; "
            "a zoo has the same epochs of every model, so leave some out, or number every checkpoint as a model."
        )
    return Zoo(architecture, torch.from_numpy(weights.reshape(len(epochs), -1, weights.shape[1])), table)


def _some(numbers: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, numbers[:5]))
    return shown if len(numbers) <= 5 else f"{shown}, ..."
