"""Speed and memory of the companion, as ratios against a named baseline in the same run: `make bench`.

Every table is one module of this folder and one CSV. A whole run takes minutes, prints every table, and writes them to
`_build/results/benchmarks`, from where `make results` takes them to `book/results/benchmarks`; parts of a run are
printed, and written only where `--save` says, so that the tables under version control are of one run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from answers import answers
from batched_forms import batched_forms
from clock import say
from compiling import compiling
from controls import controls
from files import files
from foreign import foreign
from growth import growth
from machine import machine
from memory import memory
from nodes import nodes
from opening import formats, opening
from peak import peak
from rates import architectures
from settings import Options
from tokens import tokens
from training import training
from training_step import training_step
from twins import twins
from weight_space import weight_space
from windows import sane_memory, windows

from hyperlib.files import paths
from hyperlib.files.cost import clock
from hyperlib.files.writing import write_whole


def saved_files(options: Options) -> pd.DataFrame:
    """The table of `files`, on a zoo of 200 models and 26 epochs."""
    return files(options.repetitions, models=3, epochs=2) if options.quick else files(options.repetitions)


TABLES: dict[str, Callable[[Options], pd.DataFrame]] = {
    "training": training,
    "peak": peak,
    "compile": compiling,
    "growth": growth,
    "memory": memory,
    "nodes": nodes,
    "architectures": architectures,
    "batched_forms": batched_forms,
    "files": saved_files,
    "weight_space": weight_space,
    "tokens": tokens,
    "training_step": training_step,
    "controls": controls,
    "answers": answers,
    "foreign": foreign,
    "formats": formats,
    "opening": opening,
    "windows": windows,
    "sane_memory": sane_memory,
    "twins": twins,
}
WHOLE = "machine"  # written last: where it is, a run was whole


def main(arguments: list[str] | None = None) -> int:
    """Make the tables that were asked for, print them, and write them where they belong."""
    options, names, folder = _chosen(arguments)
    begun, facts = time.monotonic(), machine(options.repetitions)
    if folder is not None:
        (folder / f"{WHOLE}.csv").unlink(missing_ok=True)
    for name in names:
        say(f"[{clock(time.monotonic() - begun)}] {name}")
        _tell(name, TABLES[name](options), folder)
    say(f"[{clock(time.monotonic() - begun)}] done")
    _tell(WHOLE, facts, folder)
    if folder is not None:
        print(f"The tables are in {folder}.")
    return 0


def default_folder() -> Path:
    """Where a whole run goes: beside the fresh results of the profiles."""
    return paths.results_folder("benchmarks")


def _chosen(arguments: list[str] | None) -> tuple[Options, list[str], Path | None]:
    parser = argparse.ArgumentParser(
        "benchmarks/run.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=3, help="of every measurement; medians count (default: 3)")
    parser.add_argument("--only", nargs="+", metavar="TABLE", choices=list(TABLES), help=", ".join(TABLES))
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="write the CSVs there")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: proves that it runs, measures nothing")
    chosen = parser.parse_args(arguments)
    if chosen.repetitions < 1:
        parser.error("--repetitions is a whole number from 1 on")
    whole = not (chosen.only or chosen.quick)
    folder = chosen.save or (default_folder() if whole else None)
    return Options(chosen.repetitions, chosen.quick), chosen.only or list(TABLES), folder


def _tell(name: str, table: pd.DataFrame, folder: Path | None) -> None:
    print(f"\n{name}\n{table.to_string(index=False, float_format=lambda value: f'{value:.4g}')}\n", flush=True)
    if folder is not None:
        write_whole(folder / f"{name}.csv", table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


if __name__ == "__main__":
    raise SystemExit(main())
