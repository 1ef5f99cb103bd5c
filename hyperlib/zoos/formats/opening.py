"""One door to zoos in any form that is known: what lies in a folder is recognised, and becomes a zoo of ours."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hyperlib.files.plain import is_there
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.base import BaseArchitecture, require_architecture
from hyperlib.weightspace.state_dicts import some
from hyperlib.zoos.formats import checkpoints, model_zoos, small_cnn_zoo
from hyperlib.zoos.formats.caching import cached, converted
from hyperlib.zoos.formats.mapped import open_mapped
from hyperlib.zoos.formats.strangers import changed, entries, is_folder, size_of
from hyperlib.zoos.zoo import Zoo

OURS = "zoo of ours"
FORMS = {module.FORM: module for module in (model_zoos, small_cnn_zoo, checkpoints)}
Rows = Sequence[int] | np.ndarray | np.integer | int
Place = Path | str
_KNOWS = {
    OURS: ("check",),
    model_zoos.FORM: ("cache", "architecture", "key"),
    small_cnn_zoo.FORM: ("cache", "architecture", "order"),
    checkpoints.FORM: ("cache", "architecture", "key", "table"),
}
_READING = 1  # another number makes every cache anew: for changes of what a folder is read as


def open_zoo(
    folder: Place,
    *,
    cache: Place | None = None,
    architecture: BaseArchitecture | None = None,
    epochs: Rows | None = None,
    key: str | None = None,
    table: pd.DataFrame | Place | None = None,
    order: Place | None = None,
    check: bool = False,
    progress: bool = True,
) -> Zoo:
    """The zoo in a folder: one of ours, or in a form that others publish (`form_of` says which).

    cache: a new folder; the zoo is written there once, model by model, and mapped from then on, so that one larger than
    memory opens at once. It is a folder of ours: `Zoo.load` reads it, too. Without one, weights of more than 4 GiB are
    refused. architecture: the network, where it is none of our list (`from_module` makes one). epochs: keep these
    alone; without, those that half of the models have.

    For state dicts: key, which entry of every file holds it; for checkpoints in a folder: table, what is known of them
    (a file, or a DataFrame with a column `file`); for a small CNN zoo: order, a list of its rows.
    check: compare the contents of a folder of ours with its checksums, as `Zoo.load` does (seconds per gigabyte);
    without, sizes and headers alone.

    The table has our names for settings and measures that mean the same. A checkpoint with numbers that are not finite
    is `diverged`, one that is not there is `missing` and diverged: both are NaN. A warning says what was left out.

    Raises FileNotFoundError where nothing is, ValueError for what is damaged, unknown or does not fit, also for an
    option that means nothing for this form; never runs what it reads. OSError where the disk refuses the cache.
    """
    folder, cache = Path(folder).expanduser(), None if cache is None else Path(cache).expanduser()
    kept = None if epochs is None else _whole(epochs)
    if architecture is not None:
        require_architecture(architecture, "open_zoo")
    options = {"key": key, "table": table, "order": order}
    given = {"architecture": architecture, "check": check or None, **options}
    there = cache is not None and is_there(cache)
    if there and not is_there(folder):
        _require_fitting(f"cache of {folder}, which is gone", (), given)
        return _of_epochs(cached(cache, folder, None), kept)
    form = form_of(folder)
    _require_fitting(form, _KNOWS[form], {"cache": cache, **given})
    if form == OURS:
        return _of_epochs(Zoo.load(folder) if check else open_mapped(folder), kept)
    module = FORMS[form]
    signature = _signature(module.signed(folder), form, architecture, kept, options)
    if there:
        return cached(cache, folder, signature)
    read = {name: value for name, value in options.items() if value is not None}
    return converted(module.listed(folder, architecture, **read), signature, cache, kept, progress)


def export_zoo(zoo: Zoo, folder: Place, form: str) -> Path:
    """Write a zoo to a new folder in a form that others read: "model zoo", "small CNN zoo" or "checkpoints".

    Raises ValueError for an unknown form or a network that a form cannot hold, FileExistsError where something is.
    """
    if form not in FORMS:
        raise ValueError(f"There is no form {form!r}; choose one of {', '.join(FORMS)}, or write ours by zoo.save.")
    return FORMS[form].write(zoo, Path(folder).expanduser())


def form_of(folder: Place) -> str:
    """The form of the zoo in a folder. FileNotFoundError or ValueError, with what lies there, where it is none."""
    folder = Path(folder).expanduser()
    there = entries(folder)
    if (form := _plain_form(folder, there)) is not None:
        return form
    missing = [name for name in small_cnn_zoo.FILES if name not in there]
    if "weights.npy" in there:
        raise FileNotFoundError(f"{folder} looks like a small CNN zoo, and has no {missing[0]}; download that, too.")
    if model_zoos.is_model(folder):
        raise ValueError(f"{folder} is one model of a model zoo; open the folder that holds it, {folder.parent}.")
    for path in filter(is_folder, there.values()):
        if (form := _plain_form(path, entries(path))) is not None:
            raise FileNotFoundError(f"{folder} holds no zoo itself, but {path} is a {form}; open that.")
    if checkpoints.files_in(folder):
        return checkpoints.FORM
    raise FileNotFoundError(
        f"{folder} holds no zoo in a form known here: a manifest.json of ours, folders of models with params.json, a "
        f"weights.npy with metrics and layout, or checkpoints. It has {some(there) or 'nothing in it'}; give a folder "
        "that holds one of these."
    )


def _plain_form(folder: Path, there: dict[str, Path]) -> str | None:
    """The form of a folder that says so by the names in it; checkpoints say nothing."""
    if "manifest.json" in there:
        return OURS
    if all(name in there for name in small_cnn_zoo.FILES):
        return small_cnn_zoo.FORM
    return model_zoos.FORM if model_zoos.model_folders(folder) else None


def _require_fitting(what: str, knows: Sequence[str], given: dict[str, object]) -> None:
    """ValueError for an option that means nothing here: it would be ignored without a word."""
    for name, value in given.items():
        if value is not None and name not in knows:
            raise ValueError(f"This is a {what}, for which {name!r} means nothing; leave it out.")


def _whole(epochs: Rows) -> np.ndarray:
    """Epochs in their order, each once. ValueError for what is no whole number from 0 on."""
    given = np.unique(np.atleast_1d(np.asarray(epochs)))
    if given.dtype.kind not in "iu" or not len(given) or given[0] < 0:
        raise ValueError(f"Epochs are whole numbers from 0 on, at least one, not {epochs!r}.")
    return given


def _of_epochs(zoo: Zoo, epochs: np.ndarray | None) -> Zoo:
    """The zoo at these epochs alone, if any are named; ValueError for one that was not kept."""
    if epochs is None:
        return zoo
    if absent := sorted(set(epochs.tolist()) - set(zoo.epochs.tolist())):
        raise ValueError(f"Epoch {absent[0]} was not kept; this zoo has {some(zoo.epochs)}.")
    kept = np.isin(zoo.epochs, epochs)
    return Zoo(zoo.architecture, zoo.weights[:, kept.nonzero()[0]], zoo.table[np.tile(kept, len(zoo))])


def _signature(
    told: str, form: str, architecture: BaseArchitecture | None, epochs: np.ndarray | None, options: dict[str, object]
) -> str:
    """One line for everything that a cache hangs on."""
    kept = None if epochs is None else epochs.tolist()
    said = {name: _said(name, value) for name, value in options.items()}
    slots = architecture and (architecture.name, architecture.activation, architecture.layout.slots)
    network = repr(architecture) if isinstance(architecture, Architecture) else slots
    return hashlib.sha256(f"{_READING}\n{form}\n{network}\n{kept}\n{said}\n{told}".encode()).hexdigest()


def _said(name: str, value: object) -> str | None:
    """What an option says, with the state of the file that it names."""
    if value is None or name == "key":
        return value and str(value)
    if isinstance(value, pd.DataFrame):
        return value.to_csv()
    path = Path(str(value)).expanduser()
    size_of(path, 2**60)
    return f"{path.absolute()} {changed(path)}"
