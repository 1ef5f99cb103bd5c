"""The thesis as data: its artefacts, its zoos, and what has been published about them.

Pages compare their own numbers with published ones, so the published ones are data under version control
(`book/thesis/*.yml`), each with its source and the chance that it was transcribed rightly. This module only
reads them, and notes which of them the running chapter read: every table is a fresh copy, and values stay in the unit
in which they were printed (`as_fractions` brings them into ours).

Source: `book/thesis/README.md` says where every file comes from and what could not be found.
"""

from __future__ import annotations

import copy
import difflib
import functools
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import yaml

from hyperlib.files.paths import thesis_folder
from hyperlib.store.record import record_source
from hyperlib.thesis.comparison import as_fractions, beside, unit_of  # noqa: F401 (all of it is found here)

_ARTEFACT_COLUMNS = """
    companion chapter thesis_ref paper_ref title what protocol expected scale stand_in status source note published
"""
_RECORD_COLUMNS = """
    artefact paper table_or_figure dataset method metric epoch schedule_epochs value printed std q1 q3 n unit
    kind confidence source note third_party
"""
_ZOO_COLUMNS = "id chapter dataset architecture weights models epochs varied fixed scale confidence source"
_STATISTICS_COLUMNS = "zoo epoch mean std median q1 q3 max unit error source kind"
_RESULTS = ("published_results.yml", "companion_results.yml")
_WHOLE_NUMBERS = """
    epoch schedule_epochs n models epochs weights inputs outputs kernel stride units
    tokens token_len max_token_len
"""


def artefacts(companions: bool = False) -> pd.DataFrame:
    """The figures, tables and experiments of the thesis that the companion rebuilds, indexed by id.

    companions=True adds those of later papers, which are no part of the thesis; the column `companion` marks them.
    `status` tells how we know of one (seen, inferred, choice, recalled), `source` lists labels explained in
    the file, `published` counts the published numbers. `thesis_ref` is missing where no number is known.
    """
    table = pd.DataFrame(copy.deepcopy(_artefact_records())).set_index("id")
    counts = pd.Series([record["artefact"] for record in _records()]).value_counts()
    table["published"] = counts.reindex(table.index, fill_value=0)
    return table[companions | ~table["companion"]].reindex(columns=_ARTEFACT_COLUMNS.split())


def check_artefact(artefact_id: str) -> str:
    """The id itself if the thesis data have such an artefact or companion; else ValueError with the closest ids."""
    return known(artefact_id, [record["id"] for record in _artefact_records()], "artefact")


def artefact(artefact_id: str) -> pd.Series:
    """One artefact or companion. Raises ValueError, with the closest ids, if there is none of that id."""
    return artefacts(companions=True).loc[check_artefact(artefact_id)]


def published(artefact: str | None = None, *, dataset: str | None = None, method: str | None = None) -> pd.DataFrame:
    """Published numbers in the order of the files; those of one artefact, dataset or method if named.

    `value`, `std`, `q1` and `q3` are in `unit`: "percent", "1" for a plain number (a fraction, a count, a
    distance), "hours" or "million". Where a source gives no single number, `value` is missing and `printed` or `note`
    says what it gives. An artefact without published numbers gives an empty table.

    Raises ValueError, with the closest names, for an unknown artefact, dataset or method.
    """
    table = _record_table()
    if artefact is not None:
        table = table[table["artefact"] == check_artefact(artefact)]
    for column, wanted in (("dataset", dataset), ("method", method)):
        if wanted is not None:
            table = table[table[column] == known(wanted, table[column].unique(), f"published {column}")]
    return table.reset_index(drop=True)


def discrepancies(artefact: str | None = None) -> pd.DataFrame:
    """Where sources disagree, by id: `what`, the `values`, how to read them (`advice`), and the `artefacts`.

    Raises ValueError, with the closest ids, for an unknown artefact.
    """
    records = [record for name in _RESULTS for record in copy.deepcopy(thesis_data(name)["discrepancies"])]
    table = pd.DataFrame(records).set_index("id")
    if artefact is not None:
        check_artefact(artefact)
        table = table[[artefact in concerned for concerned in table["artefacts"]]]
    return table


def zoos() -> pd.DataFrame:
    """Every zoo of the thesis, one row each; `zoo_record` has the rest.

    `weights` counts the parameters of one model, `varied` and `fixed` are short texts, `scale` says what
    growing the zoo takes. Missing means not known, not applicable, or several.
    """
    rows = [
        record
        | {
            "architecture": record.get("architecture") or record.get("architecture_note"),
            "weights": _weights(record),
            "varied": _factors(record, "varied"),
            "fixed": _factors(record, "fixed"),
        }
        for record in thesis_data("zoos.yml")["zoos"]
    ]
    return _typed(pd.DataFrame(rows), _ZOO_COLUMNS)


def zoo_record(zoo_id: str) -> dict:
    """Everything known of one zoo. Raises ValueError, with the closest ids, if there is no such zoo."""
    records = {record["id"]: record for record in thesis_data("zoos.yml")["zoos"]}
    return copy.deepcopy(records[known(zoo_id, records, "zoo of the thesis")])


def architectures() -> pd.DataFrame:
    """The architectures of the zoos, by id: `params` of a model, names of its `layers`, tokens, source.

    ResNet-18 is counted for ten classes; `params_by_classes` has the others. `architecture_layers` has sizes.
    """
    records = copy.deepcopy(thesis_data("zoos.yml")["architectures"])
    table = pd.DataFrame.from_dict(records, orient="index").rename_axis("id")
    table["layers"] = [", ".join(layer["name"] for layer in layers) for layers in table["layers"]]
    return _whole(table)


def architecture_layers() -> pd.DataFrame:
    """The layers of all architectures, one row each: kind, inputs, outputs, kernel, bias, params, tokens."""
    records = thesis_data("zoos.yml")["architectures"].items()
    rows = [{"architecture": name} | layer for name, record in records for layer in record["layers"]]
    return _whole(pd.DataFrame(rows))


def accuracy_statistics() -> pd.DataFrame:
    """Published test accuracy of zoos, one row per zoo and epoch, in `unit`.

    Printed rows have a mean and std over models; digitised ones median and quartiles, read to within `error`.
    """
    return _typed(pd.DataFrame(thesis_data("zoos.yml")["accuracy_statistics"]), _STATISTICS_COLUMNS)


def thesis_data(name: str) -> dict:
    """A file of `book/thesis`, which counts as read by the running chapter from now on; not to be written into.

    Raises FileNotFoundError or ValueError, with the remedy, for one that is missing or damaged.
    """
    path = thesis_folder() / name
    record_source(path)
    return _parse(path)


def known(name: str, names: Iterable[str], what: str) -> str:
    """The name itself if it is one of these; else ValueError, with the closest of them, or the first few."""
    names = list(names)
    if name in names:
        return name
    close = difflib.get_close_matches(str(name), names, n=3, cutoff=0.4)
    few = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {few or 'none'}."
    raise ValueError(f"There is no {what} {name!r}; {hint}")


def _record_table() -> pd.DataFrame:
    table = pd.DataFrame(_records())
    table["printed"] = table["value"].where(table["value"].map(lambda value: isinstance(value, str)))
    for name in ("value", "std", "q1", "q3"):
        table[name] = pd.to_numeric(table[name], errors="coerce")
    table["unit"] = table["unit"].fillna(table["metric"].map(unit_of))
    table["kind"] = table["kind"].fillna("printed")
    table["third_party"] = table["third_party"].eq(True)
    return _typed(table, _RECORD_COLUMNS)


def _typed(table: pd.DataFrame, columns: str) -> pd.DataFrame:
    return _whole(table.reindex(columns=columns.split()))


def _whole(table: pd.DataFrame) -> pd.DataFrame:
    return table.astype({name: "Int64" for name in _WHOLE_NUMBERS.split() if name in table})


def _weights(record: dict) -> int | None:
    architecture = thesis_data("zoos.yml")["architectures"].get(record.get("architecture"))
    if architecture is None:
        return None
    return architecture.get("params_by_classes", {}).get(record.get("classes"), architecture["params"])


def _factors(record: dict, part: str) -> str | None:
    texts = [
        f"{name} {', '.join(map(str, values)) if isinstance(values, list) else values}"
        for name, values in record.get(part, {}).items()
    ]
    if part == "varied" and "seeds_per_point" in record:
        texts.append(f"seeds per point {record['seeds_per_point']} ({record['seed_mode']})")
    return "; ".join(texts) or None


def _artefact_records() -> list[dict]:
    parts = thesis_data("artefacts.yml")
    return [
        {"companion": part == "companions"} | record for part in ("artefacts", "companions") for record in parts[part]
    ]


def _records() -> list[dict]:
    return [record for name in _RESULTS for record in thesis_data(name)["results"]]


@functools.cache
def _parse(path: Path) -> dict:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; restore it with `git checkout -- book/thesis`.")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # builds plain data only, never objects
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        remedy = "restore it with `git checkout -- book/thesis`."
        raise ValueError(f"{path} is damaged ({reason}); {remedy}") from error
