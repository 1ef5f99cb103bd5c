"""The form of the Model Zoos (Schürholt et al. 2022, modelzoos.cc): a folder for each model, as Ray Tune leaves it.

    zoo/NN_tune_trainable_<id>/params.json                    settings, flat: "model::nlin", "optim::lr", "seed", ...
                               result.json                    a line per epoch: training_iteration, test_acc, ...
                               checkpoint_000007/checkpoints  the state dict, by torch.save
                               checkpoint_000007/optimizer    not read

Seen in the released code: both spellings `checkpoint_7` and `checkpoint_000007`; the epoch of a result is its
`training_iteration`; the first line says -999 where nothing was trained yet. What a config says of the network
(`o_dim`, `use_bias`) is not believed, because some are wrong: shapes decide. A restarted run repeats iterations; its
last line counts. That a killed run leaves half a line is inferred. Of a line everything is read but what Ray Tune notes
for itself, such as its time and its machine.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from hyperlib.files.plain import Damaged
from hyperlib.files.writing import appearing
from hyperlib.weightspace.base import BaseArchitecture
from hyperlib.weightspace.state_dicts import DEPTH, some
from hyperlib.zoos.formats.catalogue import Catalogue
from hyperlib.zoos.formats.columns import MEASURES, MODEL_ZOO, counted, exported, is_measure, translated
from hyperlib.zoos.formats.networks import is_row, recognised, vector_of, weights_in
from hyperlib.zoos.formats.strangers import (
    MEND,
    changed,
    entries,
    is_folder,
    json_lines,
    json_object,
    like_weights,
    size_of,
)
from hyperlib.zoos.gathered import read_checkpoint
from hyperlib.zoos.zoo import Zoo

FORM = "model zoo"
_LARGEST_UNKNOWN = 4 * 2**30  # bytes of the first checkpoint, whose network is not known yet
_NOTHING_YET = -999  # of a loss or accuracy
_ADVICE = re.compile(r" \(Weights only load failed.*?\)(?=; )", re.DOTALL)  # PyTorch's, to run the code after all
_EPOCH = re.compile(r"checkpoint_(\d{1,9})", re.ASCII)
_MOST = 1000  # names of settings, or of results
_RAY = {  # what Ray Tune writes into every line of results for itself
    *("config", "training_iteration", "trial_id", "experiment_id", "experiment_tag", "date", "timestamp", "pid"),
    *("hostname", "node_ip", "done", "should_checkpoint", "time_this_iter_s", "time_total_s", "time_since_restore"),
    *("timesteps_total", "timesteps_since_restore", "episodes_total", "iterations_since_restore", "warmup_time"),
}


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
    others = [str(path.relative_to(folder)) for model in models for path in _others(model)]
    if not found:
        raise FileNotFoundError(
            f"{folder} is almost a model zoo: {len(models)} folders of models, as {models[0].name}, and in none a file "
            f"checkpoint_<epoch>/checkpoints{f', but {len(others)} as {others[0]}' if others else ''}; put state dicts "
            "there, or leave out params.json and result.json to have other files read as checkpoints."
        )
    files = [path for _, _, path in found]
    network = architecture or network_of(files[0], key)
    table = pd.DataFrame({"model": [n for n, _, _ in found], "epoch": [epoch for _, epoch, _ in found]})
    results, remarks = _results(models, table)
    design, more = _design(models)
    both = [name for name in design if name in results]
    table = table.join(results).join(design.drop(columns=both), on="model")
    if "gap" not in table:
        table["gap"] = table["train_accuracy"] - table["test_accuracy"]
    if "activation" not in table:
        table["activation"] = network.activation
    table["folder"] = [models[n].name for n in table["model"]]
    empty = sorted({*range(len(models))} - {*table["model"]})
    remarks += more + counted("Settings that are called as results, and left out", both)
    remarks += counted("Models without a checkpoint", [models[n].name for n in empty])
    remarks += counted("Files that look like weights under other names, and are not read", others)

    def vectors(rows: np.ndarray) -> np.ndarray:
        return np.stack([vector_in(network, files[row], key) for row in rows])

    return Catalogue(FORM, folder, network, table, vectors, tuple(remarks))


def _checkpoints(model: Path) -> list[tuple[int, Path]]:
    """Epochs and files of one model; an empty folder of a checkpoint is a missing one."""
    found = []
    for name, path in entries(model).items():
        told = _EPOCH.fullmatch(name)
        if told and is_folder(path) and os.path.lexists(path / "checkpoints"):
            found.append((int(told[1]), path / "checkpoints"))
    return found


def _others(model: Path) -> list[Path]:
    """Files of one model that are called as weights are, or lie where some should be, and are not read."""
    found = []
    for name, path in entries(model).items():
        inside = [*entries(path).values()] if is_folder(path) else [path]
        wanted = is_folder(path) and _EPOCH.fullmatch(name) and not os.path.lexists(path / "checkpoints")
        found += [one for one in inside if one.name != "checkpoints" and (wanted or like_weights(one.name))]
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
        hint = ' Say it by key="...", or save each as a file where each is a model.' if "be meant" in str(error) else ""
        raise Damaged(f"{path} is no checkpoint: {_ADVICE.sub('', str(error))}{hint}") from None


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
    inside, level = checkpoint, 0
    while not isinstance(inside.get(key), Mapping):
        names = [name for name, value in inside.items() if isinstance(value, Mapping)]
        if len(names) != 1 or level == DEPTH:  # else all of it was wrapped once more
            there = f"there are {some(names)}" if names else "it is a state dict itself; files of a zoo are of one form"
            raise ValueError(f"it has no state dict under the key {key!r}; {there}")
        inside, level = inside[names[0]], level + 1
    return inside[key]


def largest_file(network: BaseArchitecture) -> int:
    """Bytes that a checkpoint of this network can have: its weights some times over, and what trainers keep beside."""
    return 2**26 + 32 * 4 * network.layout.size


def _results(models: list[Path], table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """What was measured of every checkpoint, in their order, and a sentence on those of which nothing was."""
    by_place, places = {}, [*zip(table["model"], table["epoch"], strict=True)]
    wanted = {*places}
    for number, model in enumerate(models):
        path = model / "result.json"
        for line in json_lines(path) if os.path.lexists(path) else ():
            epoch = line.get("training_iteration")
            if type(epoch) is not int or not 0 <= epoch < 2**31:
                raise Damaged(f"{path} has a line whose training_iteration is no whole number from 0 on; {MEND}.")
            if (number, epoch) in wanted:
                by_place[number, epoch] = {name: value for name, value in line.items() if name not in _RAY}
    labels = [f"{models[number].name} at epoch {epoch}" for number, epoch in places]
    found, remarks = _translated([by_place.get(place, {}) for place in places], labels, "result.json")
    for name in found:
        if is_measure(name) and pd.api.types.is_numeric_dtype(found[name]):
            found[name] = found[name].astype(np.float64).replace(_NOTHING_YET, np.nan)
    found = found.assign(**{name: np.nan for name in MEASURES if name not in found})
    without = [label for label, place in zip(labels, places, strict=True) if place not in by_place]
    remarks += counted("Checkpoints without a whole line in result.json, so without measures", without)
    return found.reset_index(drop=True), remarks


def _design(models: list[Path]) -> tuple[pd.DataFrame, list[str]]:
    """The settings of every model, and a sentence on those that have none."""
    paths = [model / "params.json" for model in models]
    configs = [json_object(path) if os.path.lexists(path) else {} for path in paths]
    table, remarks = _translated(configs, [model.name for model in models], "params.json")
    without = [model.name for model, config in zip(models, configs, strict=True) if not config]
    remarks += counted("Models without params.json, whose settings are not known", without)
    return table.reset_index(drop=True), remarks


def _translated(records: list[dict[str, Any]], labels: list[str], source: str) -> tuple[pd.DataFrame, list[str]]:
    """Records of JSON as a table of ours. Damaged where they name more than any trainer would."""
    if len(names := {name: None for record in records for name in record}) > _MOST:
        raise Damaged(f"Files {source} of {labels[0]} and others have more than {_MOST:,} names; {MEND}.")
    columns = {name: pd.Series([record.get(name) for record in records], labels, dtype=object) for name in names}
    return translated(pd.DataFrame(columns, index=labels), source)


def write(zoo: Zoo, folder: Path) -> Path:
    """Write a zoo of ours in this form to a new folder, which appears whole.

    Tensors are called as in the released networks, `module_list.<place>.weight`, with dropout counted where its rate is
    above zero; those of networks whose layers do not stand in a row keep their names. Columns that change between the
    epochs of a model go to `result.json`, others to `params.json`. Missing checkpoints are not written, diverged ones
    hold NaN.
    """
    table = exported(zoo.table, MODEL_ZOO)
    by_model = table.groupby(zoo.table["model"].to_numpy())
    changing = {name for name in table if is_measure(name) or by_model[name].nunique(dropna=False).max() > 1}
    with appearing(folder, new=True) as aside:
        for number in range(len(zoo)):
            first = number * len(zoo.epochs)
            rows = table.iloc[first : first + len(zoo.epochs)]
            model = aside / f"NN_tune_trainable_{number:05d}"
            model.mkdir(parents=True)
            config = _plain({name: rows[name].iloc[0] for name in rows if name not in changing})
            (model / "params.json").write_text(json.dumps(config, allow_nan=False), encoding="utf-8")
            measured = [_plain(row) for row in rows[[name for name in rows if name in changing]].to_dict("records")]
            lines = [{**row, "training_iteration": int(e)} for row, e in zip(measured, zoo.epochs, strict=True)]
            text = "".join(json.dumps({**line, "config": config}, allow_nan=False) + "\n" for line in lines)
            (model / "result.json").write_text(text, encoding="utf-8")
            names = _names(zoo.architecture, float(zoo.table["dropout"].iloc[first]) if "dropout" in zoo.table else 0)
            for place, epoch in enumerate(zoo.epochs):
                if "missing" in zoo.table and zoo.table["missing"].iloc[first + place]:
                    continue
                checkpoint = model / f"checkpoint_{epoch:06d}"
                checkpoint.mkdir()
                state = zoo.architecture.layout.unflatten(zoo.weights[number, place]).values()
                torch.save({name: v.clone() for name, v in zip(names, state, strict=True)}, checkpoint / "checkpoints")
    return folder


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON knows it; what is no number is null."""
    values = {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
    return {name: None if isinstance(v, float) and not np.isfinite(v) else v for name, v in values.items()}


def _names(network: BaseArchitecture, dropout: float) -> list[str]:
    """Names of the slots as in a list of modules."""
    if not is_row(network):
        return [slot.name for slot in network.layout.slots]
    standing = [s.layer for s in network.steps if dropout > 0 or type(s.layer).__name__ != "Dropout"]
    place = {layer.name: number for number, layer in enumerate(standing) if layer.name}
    return [f"module_list.{place[slot.layer]}.{slot.part}" for slot in network.layout.slots]
