"""One door to zoos in any form that is known: what lies in a folder is recognised, and becomes a zoo of ours."""

from __future__ import annotations

import hashlib
import warnings
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
from hyperlib.zoos.formats.columns import PLACES
from hyperlib.zoos.formats.strangers import changed, entries, is_folder, like_weights, size_of
from hyperlib.zoos.zoo import Whole, Wholes, Zoo

OURS = "zoo of ours"
_PARTS = ("manifest.json", "weights.npy", "table.npz")
FORMS = {module.FORM: module for module in (model_zoos, small_cnn_zoo, checkpoints)}
Place = Path | str
_KNOWS = {
    OURS: ("check",),
    model_zoos.FORM: ("cache", "architecture", "key"),
    small_cnn_zoo.FORM: ("cache", "architecture", "order"),
    checkpoints.FORM: ("cache", "architecture", "key", "table"),
}
_READING = 2  # another number makes every cache anew: for changes of what a folder is read as


def open_zoo(
    folder: Place,
    *,
    cache: Place | None = None,
    architecture: BaseArchitecture | None = None,
    epochs: Whole | Wholes | None = None,
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

    The table has our names for settings and measures that mean the same, and every other column under its own. A
    checkpoint with numbers that are not finite is `diverged`, one that is not there is `missing` and diverged: both are
    NaN. A warning says what was left out or left empty, with counts.

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
        return _of_epochs(Zoo.load(folder, check=check), kept)
    module = FORMS[form]
    signature = _signature(module.signed(folder), form, architecture, kept, options)
    if there:
        return cached(cache, folder, signature)
    read = {name: value for name, value in options.items() if value is not None}
    return converted(module.listed(folder, architecture, **read), signature, cache, kept, progress)


def export_zoo(zoo: Zoo, folder: Place, form: str) -> Path:
    """Write a zoo to a new folder in a form that others read: "model zoo", "small CNN zoo" or "checkpoints".

    All columns are written, those that a form has no name for under ours. The table is then read back, and a warning
    names columns that come back otherwise, or not at all (a model zoo counts its models from 0).

    Raises ValueError for an unknown form or a network that a form cannot hold, FileExistsError where something is.
    """
    if form not in FORMS:
        raise ValueError(f"There is no form {form!r}; choose one of {', '.join(FORMS)}, or write ours by zoo.save.")
    order = np.argsort(zoo.models)
    zoo = zoo if (np.diff(order) > 0).all() else zoo.take(order)  # in which every form is read
    written = FORMS[form].write(zoo, Path(folder).expanduser())
    back = FORMS[form].listed(written, zoo.architecture).table
    mine = zoo.table if "missing" not in zoo.table else zoo.table[~zoo.table["missing"].to_numpy(bool)]
    mine, back = (table.sort_values(["model", "epoch"]) for table in (mine, back))
    if lost := [name for name in mine if name not in PLACES and not _same(mine[name], back.get(name))]:
        warnings.warn(
            f"{written}: read back from this form, {len(lost)} columns are missing or have other values: {some(lost)}.",
            stacklevel=2,
        )
    return written


def _same(mine: pd.Series, back: pd.Series | None) -> bool:
    """Whether a column has the same values, in the same order."""
    if back is None or len(mine) != len(back):
        return False
    if pd.api.types.is_numeric_dtype(mine) and pd.api.types.is_numeric_dtype(back):
        return np.array_equal(mine.to_numpy(np.float64, na_value=np.nan), back.to_numpy(np.float64), equal_nan=True)
    texts = [column.astype(object).fillna("").astype(str).tolist() for column in (mine, back)]
    return texts[0] == texts[1]


def form_of(folder: Place) -> str:
    """The form of the zoo in a folder. FileNotFoundError or ValueError, with what lies there, where it is none."""
    folder = Path(folder).expanduser()
    there = entries(folder)
    if (form := _plain_form(folder, there)) is not None:
        return form
    for almost, names in ((OURS, _PARTS), (small_cnn_zoo.FORM, small_cnn_zoo.FILES)):
        if len(missing := [name for name in names if name not in there]) == 1:
            raise FileNotFoundError(f"{folder} is almost a {almost} and has no {missing[0]}; put that beside the rest.")
    if model_zoos.is_model(folder):
        raise ValueError(f"{folder} is one model of a model zoo; open the folder that holds it, {folder.parent}.")
    for path in filter(is_folder, there.values()):
        if (form := _plain_form(path, entries(path))) is not None:
            raise FileNotFoundError(f"{folder} holds no zoo itself, but {path} is a {form}; open that.")
    if checkpoints.files_in(folder):
        return checkpoints.FORM
    raise FileNotFoundError(
        f"{folder} holds no zoo in a form known here: a manifest.json of ours, folders of models with params.json, a "
        f"weights.npy with metrics and layout, or checkpoints. It has {some(there) or 'nothing in it'}"
        f"{_unread(folder)}; give a folder that holds one of these."
    )


def _unread(folder: Path) -> str:
    """Files that look like weights and are of no kind that is read, for a sentence."""
    found = [path for path in checkpoints.inventory_of(folder) if like_weights(path)]
    return f", and {len(found)} files that look like weights of a kind not read here ({some(found)})" if found else ""


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


def _whole(epochs: Whole | Wholes) -> np.ndarray:
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
