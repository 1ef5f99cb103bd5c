"""What one GPU does with this library, in stages that are bounded in time: `make gpu`.

Needs a card with PyTorch for CUDA and, for the fused engine, the extra `cuda`; no network, and nothing that publishes
the book. Every stage is a process of its own and leaves a small CSV; one that is there is not made again, so a run that
was cut off goes on. MNIST is looked for where `HYPERLIB_DATA` says. `--device cpu --quick` proves that it runs.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from batched_forms import batched_forms
from clock import say
from settings import SETTINGS, Options, Setting
from torch.utils.flop_counter import FlopCounterMode
from training_step import SIZES, tiny, trainer

from hyperlib import grid, load_images, train_population
from hyperlib.files import paths
from hyperlib.files.cost import clock
from hyperlib.files.ending import command
from hyperlib.zoos.engines.choice import resolve_engine
from hyperlib.zoos.engines.cuda.covering import unusable

ROOT = Path(__file__).parents[1]
GPU_EPOCHS = 5
GPU_MODELS = {"Tetris MLP": 8192, "digits CNN 8x8": 8192, "small CNN 28x28": 2048, "large CNN 32x32x3": 512}


@dataclass(frozen=True)
class Card:
    """The device, whether only to prove that it runs, and how many seconds a stage may take."""

    device: str
    quick: bool
    seconds: float

    def timed(self, action: Callable[[], object]) -> float:
        """Seconds until the card is done, too."""
        begun = time.perf_counter()
        action()
        if self.device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter() - begun


def machine(card: Card) -> pd.DataFrame:
    """Card, versions, the code's checksum, and the best square products in float32 and bfloat16."""
    facts: dict[str, object] = {"card": platform.processor() or "a CPU"}
    if card.device != "cpu":
        about = torch.cuda.get_device_properties(0)
        facts = {"card": about.name, "GiB": about.total_memory / 2**30, "multiprocessors": about.multi_processor_count}
    facts |= identity(card.device, card.quick) | {"Python": platform.python_version()}
    facts |= {"torch": torch.__version__, "CUDA": torch.version.cuda}
    for name in ("numba", "numba-cuda", "numpy", "pandas"):
        facts[name] = _version(name)
    facts["the card's kernels"] = "as PyTorch" if card.device != "cpu" and not unusable() else unusable() or "no card"
    for dtype in (torch.float32, torch.bfloat16):
        facts[f"TFLOP/s of products in {str(dtype).removeprefix('torch.')}"] = peak(card, dtype) / 1e12
    return pd.DataFrame(facts.items(), columns=["fact", "value"])


def peak(card: Card, dtype: torch.dtype) -> float:
    """Operations per second of the best square product of some sizes."""
    best = 0.0
    for size in (128,) if card.quick else (2048, 4096, 8192):
        left, right = (torch.randn(size, size, device=card.device).to(dtype) for _ in range(2))
        (left @ right).sum().item()
        seconds = card.timed(lambda a=left, b=right: [a @ b for _ in range(10)])
        best = max(best, 10 * 2 * size**3 / seconds)
    return best


def tests(card: Card) -> pd.DataFrame:
    """The tests of a card, counted by how they ended."""
    call = [sys.executable, "-m", "pytest", "-o", "addopts=", "-q", "-m", "gpu", "tests"]
    try:
        done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=card.seconds)
    except subprocess.TimeoutExpired:
        return pd.DataFrame([{"tests": "cut off", "said": f"after {card.seconds:.0f} s"}])
    last = (done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or ["nothing was said"])[-1]
    ended = "failed" if done.returncode not in (0, 5) else "passed" if " passed" in last else "none ran"
    return pd.DataFrame([{"tests": ended, "said": last}])


def rates(card: Card) -> pd.DataFrame:
    """Model-epochs per second of both engines of a card on the four settings of `training`, and their ratio."""
    rows = []
    for setting in [s for s in SETTINGS.values() if not card.quick or s.network == "Tetris MLP"]:
        for engine in ("torch", "cuda") if card.device != "cpu" else ("torch", "numba"):
            if resolve_engine(engine, setting.architecture, card.device) == engine:
                rows.append(_rate(card, setting, engine))
                say(f"  {setting.network}, {engine}: {rows[-1]['per_s']:.4g} model-epochs/s")
    table = pd.DataFrame(rows)
    table["ratio"] = table["per_s"] / table.groupby("network")["per_s"].transform("first")
    return table


def _rate(card: Card, setting: Setting, engine: str) -> dict[str, object]:
    """The engine's rate: few models first, then as many as the time allows."""
    images, epochs = setting.images(card.quick), 1 if card.quick else GPU_EPOCHS

    def job(models: int, epochs: int) -> float:
        how = {"epochs": epochs, "engine": engine, "device": card.device, "progress": False}
        return card.timed(lambda: train_population(setting.architecture, images, grid(seeds=models), **how))

    most = 4 if card.quick else GPU_MODELS[setting.network]
    few = max(2, most // 16)
    job(few, 1)  # compiles
    once = job(few, 1)
    allowed = card.seconds / 12 / len(SETTINGS)
    models = int(max(few, min(most, few * allowed / max(once * epochs, 1e-3))))
    seconds = job(models, epochs)
    about = {"network": setting.network, "engine": engine, "models": models, "epochs": epochs}
    return about | {"images": len(images.train_x), "seconds": seconds, "per_s": models * epochs / seconds}


def forms(card: Card) -> pd.DataFrame:
    """The three forms of a batched step, on the card."""
    return batched_forms(Options(quick=card.quick), card.device)


def steps(card: Card) -> pd.DataFrame:
    """A training step of a hyper-representation at the released sizes, and its share of the card's products."""
    rows = []
    for size in [tiny(size) for size in SIZES] if card.quick else SIZES:
        for half in (False, True):
            population = size.network.initialise(range(2 * size.batch), "kaiming_normal")
            training = trainer(size, population, half=half, device=card.device)
            with FlopCounterMode(display=False) as counted:
                training.advance()
            training.advance()
            count = 2 if card.quick else 50
            seconds = card.timed(lambda t=training, n=count: [t.advance() for _ in range(n)]) / count
            limit = peak(card, torch.bfloat16 if half else torch.float32)
            rows.append({
                "network": size.network.name, "width": size.width, "batch": size.batch,
                "precision": "bfloat16" if half else "float32", "seconds_per_step": seconds,
                "share_of_products": counted.get_total_flops() / seconds / limit,
            })  # fmt: skip
    return pd.DataFrame(rows)


def mnist_seed(card: Card) -> pd.DataFrame:
    """The zoo of the thesis at its own settings, as many of its 1,000 models as the time allows; means by epoch."""
    from hyperlib.study.study import Study

    study = Study("quick" if card.quick else "paper", device=card.device)
    recipe = study.recipe("mnist_seed")
    images = recipe.images.load()
    models = len(recipe.design)
    if not card.quick:
        how = {"epochs": 1, "batch_size": recipe.batch_size, "device": card.device, "progress": False}
        some = recipe.design.head(132)
        once = card.timed(lambda: train_population(recipe.architecture, images, some, **how))
        models = int(min(models, max(1, 132 * 0.7 * card.seconds / (once * recipe.epochs))))
    zoo = study.zoo("mnist_seed", models)
    columns = ["train_loss", "train_accuracy", "test_loss", "test_accuracy", "gap"]
    table = zoo.table.groupby("epoch")[columns].agg(["mean", "std"])
    table.columns = ["_".join(pair) for pair in table.columns]
    return table.reset_index().assign(models=len(zoo), images=len(images.train_x), batch_size=recipe.batch_size)


STAGES = {
    "machine": machine, "tests": tests, "rates": rates, "forms": forms, "steps": steps, "mnist_seed": mnist_seed
}  # fmt: skip
SHARES = {"machine": 0.1, "tests": 0.15, "rates": 0.25, "forms": 0.05, "steps": 0.15, "mnist_seed": 0.3}  # of the time


def identity(device: str, quick: bool) -> dict[str, str]:
    """What tables of one folder have in common: the device, their size and the code."""
    return {"device": device, "size": "quick" if quick else "whole", "code": code()}


def code() -> str:
    """Checksum of library and benchmarks, which says what was measured where there is no history of it."""
    checksum = hashlib.sha256()
    for file in sorted([*(ROOT / "hyperlib").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]):
        checksum.update(file.relative_to(ROOT).as_posix().encode() + file.read_bytes())
    return checksum.hexdigest()[:16]


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    with suppress(PackageNotFoundError):
        return version(package)
    return "not installed"


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
    if chosen.stage:
        seconds = 60 * chosen.minutes * SHARES[chosen.stage]
        table = STAGES[chosen.stage](Card(chosen.device, chosen.quick, seconds))
        chosen.save.mkdir(parents=True, exist_ok=True)
        table.to_csv(chosen.save / f"{chosen.stage}.csv", index=False, float_format="%.6g")
        print(table.to_string(index=False))
        return 0
    return _all(chosen)


def _all(chosen: argparse.Namespace) -> int:
    begun, failed = time.monotonic(), []
    if (before := chosen.save / "machine.csv").is_file():
        facts = pd.read_csv(before).set_index("fact")["value"]
        for what, value in identity(chosen.device, chosen.quick).items():
            if facts.get(what) != value:
                raise SystemExit(f"error: {chosen.save} has tables of other {what}; remove them, or --save elsewhere.")
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
