"""What one GPU does with this library, in stages that are bounded in time: `make gpu`.

Needs a card with PyTorch for CUDA and, for the fused engine, the extra `cuda`; no network, and nothing that publishes
the book. Every stage is a process of its own and leaves a small CSV; one that is there is not made again, so a run that
was cut off goes on. MNIST is looked for where `HYPERLIB_DATA` says. `--device cpu --quick` proves that it runs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import torch
from card_stages import ROOT, SHARES, STAGES, Card, identity
from clock import say

from hyperlib import load_images
from hyperlib.files import paths
from hyperlib.files.cost import clock
from hyperlib.files.ending import command
from hyperlib.files.writing import write_whole


@command
def main(arguments: list[str] | None = None) -> int:
    """Run the stages that are missing, each bounded in time; 1 where one failed."""
    parser = argparse.ArgumentParser(prog="benchmarks/gpu.py", description=__doc__.splitlines()[0])
    parser.add_argument("--save", type=Path, help="folder of the CSVs (default: below _build/results)")
    parser.add_argument("--minutes", type=float, default=8.0, help="for all stages (default: %(default)g)")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"), help="cpu only proves that it runs")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: measures nothing")
    parser.add_argument("--stage", choices=STAGES, help="this one alone, in this process")
    chosen = parser.parse_args(arguments)
    if chosen.device == "cuda" and not torch.cuda.is_available():
        parser.error("PyTorch finds no CUDA device here; --device cpu --quick only proves that the stages run.")
    if chosen.save is None:
        chosen.save = paths.results_folder("gpu-quick" if chosen.quick else "gpu")
    if not chosen.quick:
        try:
            load_images("mnist", download=False)
        except FileNotFoundError as error:
            parser.error(str(error))
    if not chosen.minutes > 0:
        parser.error("--minutes is a time above 0.")
    _begin(chosen.save, identity(chosen.device, chosen.quick))
    if chosen.stage:
        seconds = 60 * chosen.minutes * SHARES[chosen.stage]
        needs = (chosen.save,) if chosen.stage == "claims" else ()
        table = STAGES[chosen.stage](Card(chosen.device, chosen.quick, seconds), *needs)
        write_whole(chosen.save / f"{chosen.stage}.csv", table.to_csv(index=False, float_format="%.6g"))
        print(table.to_string(index=False))
        return 0
    return _all(chosen)


def _begin(folder: Path, own: dict[str, str]) -> None:
    """Say in the folder whose tables it has; SystemExit where it has others."""
    if (known := folder / "identity.csv").is_file():
        facts = pd.read_csv(known).set_index("fact")["value"]
        for what, value in own.items():
            if facts.get(what) != value:
                raise SystemExit(f"error: {folder} has tables of other {what}; remove them, or --save elsewhere.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    if strangers := sorted(file.name for file in folder.glob("*.csv")):
        raise SystemExit(f"error: {folder} has {strangers[0]}, of unknown code; remove it first.")
    write_whole(known, pd.DataFrame(own.items(), columns=["fact", "value"]).to_csv(index=False))


def _all(chosen: argparse.Namespace) -> int:
    begun, failed = time.monotonic(), []
    for stage in STAGES:
        file = chosen.save / f"{stage}.csv"
        if file.is_file():
            say(f"[{clock(time.monotonic() - begun)}] {stage} is there")
            continue
        say(f"[{clock(time.monotonic() - begun)}] {stage}")
        call = [sys.executable, __file__, "--stage", stage, "--save", str(chosen.save), "--device", chosen.device]
        call += ["--minutes", str(chosen.minutes), *(["--quick"] if chosen.quick else [])]
        limit = 60 + 90 * chosen.minutes * SHARES[stage]  # with Python's start, and half as much again
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        try:
            ended = subprocess.run(call, timeout=limit, env=os.environ | {"PYTHONPATH": path}).returncode
        except subprocess.TimeoutExpired:
            ended = -1
            say(f"  cut off after {limit:.0f} s")
        failed += [stage] if ended else []
    say(f"[{clock(time.monotonic() - begun)}] done; the tables are in {chosen.save}.")
    if failed:
        say(f"Failed: {', '.join(failed)}. The same command makes what is missing.")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
