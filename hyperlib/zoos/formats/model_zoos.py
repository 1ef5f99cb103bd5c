"""The form of the Model Zoos (Schürholt et al. 2022, modelzoos.cc): a folder for each model, as Ray Tune leaves it.

    zoo/NN_tune_trainable_<id>/params.json                    settings, flat: "model::nlin", "optim::lr", "seed", ...
                               result.json                    a line per epoch: training_iteration, test_acc, ...
                               checkpoint_000007/checkpoints  the state dict, by torch.save
                               checkpoint_000007/optimizer    not read

Seen in the released code: both spellings `checkpoint_7` and `checkpoint_000007`; the epoch of a result is its
`training_iteration`; the first line says -999 where nothing was trained yet. What a config says of the network
(`o_dim`, `use_bias`) is not believed, because some are wrong: shapes decide. A restarted run repeats iterations; its
last line counts. That a killed run leaves half a line is inferred.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import pandas as pd
import torch

from hyperlib.files.plain import Damaged
from hyperlib.files.writing import appearing
from hyperlib.weightspace.base import BaseArchitecture
from hyperlib.weightspace.state_dicts import some
from hyperlib.zoos.formats.catalogue import Catalogue
from hyperlib.zoos.formats.columns import MEASURES, MODEL_ZOO_FACTORS, MODEL_ZOO_MEASURES, factors
from hyperlib.zoos.formats.networks import is_row, recognised, vector_of, weights_in
from hyperlib.zoos.formats.strangers import AGAIN, changed, entries, is_folder, json_lines, json_object, size_of
from hyperlib.zoos.gathered import read_checkpoint
from hyperlib.zoos.zoo import Zoo

FORM = "model zoo"
_LARGEST_UNKNOWN = 4 * 2**30  # bytes of the first checkpoint, whose network is not known yet
_NOTHING_YET = -999  # of a loss or accuracy
_ADVICE = re.compile(r" \(Weights only load failed.*?\)(?=; )", re.DOTALL)  # PyTorch's, to run the code after all
_EPOCH = re.compile(r"checkpoint_(\d{1,9})", re.ASCII)


@dataclass(frozen=True)
class _Result:
    """What is read of a line of `result.json`."""

    training_iteration: Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
    train_loss: float | None = None
    train_acc: float | None = None
    test_loss: float | None = None
    test_acc: float | None = None


def model_folders(folder: Path) -> list[Path]:
    """The models of such a zoo, in the order of the numbers in their names; none where it is another form."""
    return [path for path in entries(folder).values() if is_folder(path) and is_model(path)]


def is_model(folder: Path) -> bool:
    """Whether this is the folder of one model."""
    names = os.listdir(folder)
    return "params.json" in names or "result.json" in names or any(_EPOCH.fullmatch(name) for name in names)


def signed(folder: Path) -> str:
    """What tells this zoo from another: names, sizes and times of its models' settings, results and checkpoints."""
    told = []
    for model in model_folders(folder):
        told.append(model.name)
        for path in (model / "params.json", model / "result.json", *(path for _, path in _checkpoints(model))):
            if os.path.lexists(path):
                told.append(f"{path.relative_to(folder)} {changed(path)}")
    return "\n".join(told)


def listed(folder: Path, architecture: BaseArchitecture | None = None, key: str | None = None) -> Catalogue:
    """The checkpoints of such a zoo. FileNotFoundError where there are none, ValueError for damaged files."""
    models = model_folders(folder)
    found = [(number, epoch, path) for number, model in enumerate(models) for epoch, path in _checkpoints(model)]
    if not found:
        raise FileNotFoundError(
            f"{folder} holds no checkpoint of a model zoo (<model>/checkpoint_<epoch>/checkpoints); give the folder "
            "that holds the folders of models."
        )
    files = [path for _, _, path in found]
    network = architecture or network_of(files[0], key)
    measures = pd.concat([_results(model / "result.json").assign(model=n) for n, model in enumerate(models)])
    table = pd.DataFrame({"model": [n for n, _, _ in found], "epoch": [epoch for _, epoch, _ in found]})
    table = table.merge(measures, on=["model", "epoch"], how="left")
    table["gap"] = table["train_accuracy"] - table["test_accuracy"]
    design, without = _design(models)
    table = pd.concat([table, design.iloc[table["model"]].reset_index(drop=True)], axis=1)
    if "activation" not in table:
        table["activation"] = network.activation
    table["folder"] = [models[n].name for n in table["model"]]
    remarks = [f"Models without params.json, whose settings are not known: {some(without)}."] if without else []
    empty = sorted({*range(len(models))} - {*table["model"]})
    remarks += [f"Models without a checkpoint: {some(models[n].name for n in empty)}."] if empty else []

    def vectors(rows: np.ndarray) -> np.ndarray:
        return np.stack([vector_in(network, files[row], key) for row in rows])

    return Catalogue(FORM, folder, network, table, (*MEASURES, "gap"), vectors, tuple(remarks))


def _checkpoints(model: Path) -> list[tuple[int, Path]]:
    """Epochs and files of one model; an empty folder of a checkpoint is a missing one."""
    found = []
    for name, path in entries(model).items():
        told = _EPOCH.fullmatch(name)
        if told and is_folder(path) and os.path.lexists(path / "checkpoints"):
            found.append((int(told[1]), path / "checkpoints"))
    return found


def network_of(path: Path, key: str | None) -> BaseArchitecture:
    """The network of our list whose weights a file holds. Raises ValueError, with what to do, where there is none."""
    state = state_of(path, key, _LARGEST_UNKNOWN)
    try:
        return recognised(state)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def state_of(path: Path, key: str | None, largest: int) -> dict[str, torch.Tensor]:
    """The tensors in a checkpoint's file."""
    size_of(path, largest)
    try:
        return weights_in(entry(read_checkpoint(path), key))
    except (ValueError, TypeError) as error:
        raise Damaged(f"{path} is no checkpoint: {_ADVICE.sub('', str(error))}") from None


def vector_in(network: BaseArchitecture, path: Path, key: str | None) -> np.ndarray:
    """The weight vector in a checkpoint of this network. Raises Damaged."""
    try:
        return vector_of(network, state_of(path, key, largest_file(network)))
    except Damaged:
        raise
    except (ValueError, TypeError) as error:
        raise Damaged(f"{path} is no checkpoint of {network.name}: {error}") from None


def entry(checkpoint: Mapping[str, Any], key: str | None) -> Mapping[str, Any]:
    """The entry of a checkpoint that was named, or all of it. ValueError where it has none of that name."""
    if key is None:
        return checkpoint
    if not isinstance(checkpoint.get(key), Mapping):
        raise ValueError(f"it has no state dict under the key {key!r}; there are {some(checkpoint)}")
    return checkpoint[key]


def largest_file(network: BaseArchitecture) -> int:
    """Bytes that a checkpoint of this network can have: its weights some times over, and what trainers keep beside."""
    return 2**26 + 32 * 4 * network.layout.size


def _results(path: Path) -> pd.DataFrame:
    """The measures of one model by epoch; none without a file."""
    ours = {theirs: name for name, theirs in MODEL_ZOO_MEASURES.items()}
    by_epoch = {one.training_iteration: one for one in json_lines(path, _Result)} if os.path.lexists(path) else {}
    table = pd.DataFrame({"epoch": np.array([*by_epoch], np.int64)})
    for theirs, name in ours.items():
        values = [getattr(one, theirs) for one in by_epoch.values()]
        table[name] = np.array([np.nan if v in (None, _NOTHING_YET) else v for v in values], np.float64)
    return table


def _design(models: list[Path]) -> tuple[pd.DataFrame, list[str]]:
    """The settings of every model, and the names of those that have none."""
    paths = [model / "params.json" for model in models]
    configs = [json_object(path) if os.path.lexists(path) else {} for path in paths]
    table, wrong = factors(configs)
    if wrong:
        row, name = wrong[0]
        raise Damaged(f"{paths[row]} says {configs[row][name]!r} for {name!r}, which is no such setting; {AGAIN}.")
    without = [model.name for model, config in zip(models, configs, strict=True) if not config]
    return table.reindex(range(len(models))), without


def write(zoo: Zoo, folder: Path) -> Path:
    """Write a zoo of ours in this form to a new folder, which appears whole.

    Tensors are called as in the released networks, `module_list.<place>.weight`, with dropout counted where its rate is
    above zero; those of networks whose layers do not stand in a row keep their names. Missing checkpoints are not
    written, diverged ones hold NaN.
    """
    with appearing(folder, new=True) as aside:
        for number in range(len(zoo)):
            rows = zoo.table.iloc[number * len(zoo.epochs) : (number + 1) * len(zoo.epochs)]
            model = aside / f"NN_tune_trainable_{number:05d}"
            model.mkdir(parents=True)
            one = rows.iloc[0]
            config = {key: _plain(one[name]) for name, key in MODEL_ZOO_FACTORS.items() if name in rows}
            (model / "params.json").write_text(json.dumps(config, allow_nan=False), encoding="utf-8")
            lines = [_line(row, config) for row in rows.to_dict("records")]
            (model / "result.json").write_text("".join(lines), encoding="utf-8")
            names = _names(zoo.architecture, float(one.get("dropout", 0)))
            for epoch, row, weights in zip(zoo.epochs, rows.to_dict("records"), zoo.weights[number], strict=True):
                if not row.get("missing", False):
                    place = model / f"checkpoint_{epoch:06d}"
                    place.mkdir()
                    state = zoo.architecture.layout.unflatten(weights).values()
                    torch.save({name: v.clone() for name, v in zip(names, state, strict=True)}, place / "checkpoints")
    return folder


def _line(row: dict[str, Any], config: dict[str, Any]) -> str:
    measures = {key: _plain(row[name]) for name, key in MODEL_ZOO_MEASURES.items() if name in row}
    return json.dumps({**measures, "training_iteration": int(row["epoch"]), "config": config}, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """A value as JSON knows it; what is no number is null."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _names(network: BaseArchitecture, dropout: float) -> list[str]:
    """Names of the slots as in a list of modules."""
    if not is_row(network):
        return [slot.name for slot in network.layout.slots]
    standing = [s.layer for s in network.steps if dropout > 0 or type(s.layer).__name__ != "Dropout"]
    place = {layer.name: number for number, layer in enumerate(standing) if layer.name}
    return [f"module_list.{place[slot.layer]}.{slot.part}" for slot in network.layout.slots]
