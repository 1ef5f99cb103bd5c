"""What was tried with `Sane` before its settings were chosen: `python -m hyperlib.study.sane_trials`.

A trial is a change to the settings ("contrast of means" is three at once), trained on the first split of one zoo or of
several at once. Its scores are those of validation models alone: how much of their weights is rebuilt, and R² of linear
probes on the mean of tokens and on layers. A trial is written down as soon as it is done, and what is in the table
already is not run again.

Source: our choice.
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import torch

from hyperlib.files import paths
from hyperlib.files.ending import command
from hyperlib.representations.augment import Augment
from hyperlib.representations.sane import Sane
from hyperlib.representations.sane_reader import SaneReader
from hyperlib.study.aligned import comparable_parts
from hyperlib.study.sane_tables import rebuilt_share
from hyperlib.study.study import Study
from hyperlib.study.sweeps import add_ray, sweep
from hyperlib.tasks.probing import run_probes
from hyperlib.thesis.book_sane import RELEASED, TEXT
from hyperlib.thesis.profiles import PROFILES
from hyperlib.weightspace.values import device_called
from hyperlib.zoos.zoo import Samples

ARTEFACT, TARGETS, READS = "sane-trials", ("test_accuracy", "epoch"), ("mean", "layers")
SETS = {"digits": ("digits_seed",), "mnist": ("mnist_seed",), "three": ("tetris_seed", "digits_seed", "mnist_seed")}
_MEAN: dict[str, Any] = {"head": "mean", "mix": 0.3, "per_model": 8}
CHANGES: dict[str, dict[str, Any]] = {  # of the default settings, then of those with `_MEAN`
    "default": {},
    "untrained": {"steps": 0},
    "larger positions": {"positions": 1.0},
    "learned tables": {"places": "tables"},
    **{f"contrast {share:.0%}": {"mix": share} for share in (0.0, 0.3, 1.0)},
    "8 checkpoints of a model": {"per_model": 8},
    "head of means": {"head": "mean"},
    **{f"{n} latents": {"latent": n} for n in (8, 64)},
    "contrast of means": _MEAN,
    **{f"contrast of means, {n} latents": _MEAN | {"latent": n} for n in (32, 64)},
    **{
        f"64 latents of means, {what}": _MEAN | {"latent": 64} | changes
        for what, changes in {
            "any checkpoints": {"per_model": None},
            "other epochs as positives": {"contrast": "nt_xent_models"},
            "contrast 80%": {"mix": 0.8},
            "contrast alone": {"mix": 1.0},
            "window 64": {"window": 64},
            "token 32": {"token": 32},
            "twice as wide": {"width": 128, "heads": 4},
            "one block": {"depth": 1},
            "both views as given": {"augment": Augment(fixed_views=2)},
            "both views permuted": {"augment": Augment()},
            "noise of a tenth": {"augment": Augment(fixed_views=1, multiplicative=0.1)},
            "rate .005": {"rate": 5e-3},
            "batches of 128": {"batch_size": 128},
            "wide head": {"projection": (1, 128, 64)},
        }.items()
    },
}
LARGE = {"released": RELEASED, "text": TEXT}  # at their own size, for a GPU
Rows = list[dict[str, Any]]


@command
def main(arguments: list[str] | None = None) -> None:
    """The command; SystemExit, with a sentence, for arguments out of range and a table that is none of trials."""
    parser = argparse.ArgumentParser(prog="python -m hyperlib.study.sane_trials", description=__doc__.splitlines()[0])
    parser.add_argument("--profile", choices=PROFILES, default="laptop")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), help=f"default: {' '.join(SETS)}")
    known = "; ".join([*CHANGES, *LARGE]).replace("%", "%%")
    parser.add_argument("--trials", nargs="+", choices=[*CHANGES, *LARGE], default=list(CHANGES), metavar="TRIAL",
                        help=f"of {known} (default: all but {' and '.join(LARGE)})")  # fmt: skip
    parser.add_argument("--steps", type=int, default=400, help="of a training (default: 400)")
    parser.add_argument("--jobs", type=int, default=2, help="trainings side by side (default: 2)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    add_ray(parser)
    chosen = parser.parse_args(arguments)
    study, file = Study(chosen.profile, device="cpu"), paths.results_folder(chosen.profile) / f"{ARTEFACT}.csv"
    if min(chosen.steps, chosen.jobs) < 1:
        parser.error("steps and jobs are whole numbers from 1 on.")
    try:
        device_called(chosen.device)
        done = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=["zoos", "trial", "steps"])
    except ValueError as error:
        parser.error(str(error))
    if not {"zoos", "trial", "steps"} <= set(done):
        parser.error(f"{file} is no table of trials; move it away, and trials begin anew.")
    before = set(zip(done["zoos"], done["trial"], done["steps"], strict=True))
    wanted = [(which, trial) for which in chosen.sets for trial in chosen.trials]
    wanted = [pair for pair in wanted if (*pair, chosen.steps) not in before]
    for name in dict.fromkeys(name for which, _ in wanted for name in SETS[which]):
        study.zoo(name)  # grown here, on all cores
    rows, rest = [done], (chosen.profile, chosen.steps, chosen.device)

    def write_down(_: tuple[str, str], found: Rows) -> None:
        for row in found:
            print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
        rows.append(pd.DataFrame(found))
        study.publish(ARTEFACT, pd.concat(rows, ignore_index=True))

    calls, gpus = {pair: (*pair, *rest) for pair in wanted}, float(chosen.device != "cpu")
    try:
        sweep(tried, calls, write_down, jobs=chosen.jobs, ray=chosen.ray, gpus=gpus)
    except (ModuleNotFoundError, ConnectionError) as error:
        parser.error(str(error))


def tried(which: str, trial: str, profile: str, steps: int, device: str) -> Rows:
    """Rows of one training: one for each zoo that it was trained on."""
    torch.set_num_threads(1)
    parts = {name: _parts(profile, name) for name in SETS[which]}
    changes = {"steps": steps} | (CHANGES | LARGE)[trial]
    sane, ticks = Sane(seed=0, device=device, **changes), [time.perf_counter()]
    groups = {name: part[0].table["model"].to_numpy() for name, part in parts.items()}
    train = {name: part[0] for name, part in parts.items()}
    sane.fit(train, groups=groups, progress=lambda *_: ticks.append(time.perf_counter()))
    card = torch.cuda.get_device_name() if device != "cpu" else device
    known = {"zoos": which, "trial": trial, "steps": steps, "device": card, "seconds": round(ticks[-1] - ticks[0], 1)}
    known["milliseconds"] = round(1000 * float(np.median([*np.diff(ticks)[:-1]] or [np.nan])), 2)  # of a step
    return [known | _scores(sane, name, part) for name, part in parts.items()]


@lru_cache(maxsize=8)
def _parts(profile: str, name: str) -> tuple[Samples, Samples, Samples]:
    return comparable_parts(Study(profile, device="cpu"), name)


def _scores(sane: Sane, name: str, parts: tuple[Samples, Samples, Samples]) -> dict[str, Any]:
    """What is rebuilt and read off the validation models of one zoo."""
    train, val, _ = parts
    scale = sane.scale(train)
    r2 = rebuilt_share(sane, val, scale, train.weights.mean(0))
    readers = {read: SaneReader(sane, read) for read in READS}
    for reader in readers.values():
        reader.fit(train)
    table = run_probes(readers, *parts, TARGETS, ["linear-standardised"], bootstrap=2).table
    values = table.set_index(["features", "target"])["val"].round(4)
    return {"zoo": name, "r2": round(r2, 4)} | {
        f"{read}_{target.removeprefix('test_')}": values[read, target] for read in READS for target in TARGETS
    }


if __name__ == "__main__":
    from hyperlib.study.sane_trials import main as by_name  # other processes find under it what they are handed

    sys.exit(by_name())
