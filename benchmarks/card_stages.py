"""The stages of `make gpu` (see `gpu`): each measures one thing on a card, within some seconds, and gives a table."""

from __future__ import annotations

import hashlib
import math
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
import torch
from batched_forms import batched_forms
from clock import say
from settings import SETTINGS, Options, Setting
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from training_step import RELEASED_BATCH, SIZES, Size, tiny, trainer

from hyperlib import Augment, HyperRep, LayerStatistics, grid, probe_table, small_cnn, train_population
from hyperlib.representations.batches import Population
from hyperlib.representations.plan import plan_of
from hyperlib.representations.training import Trainer
from hyperlib.representations.whole_views import WholeViews
from hyperlib.study.representations import representation
from hyperlib.study.resized import Resized
from hyperlib.study.study import Study
from hyperlib.thesis.book_representations import RepresentationRecipe, representation_recipe
from hyperlib.weightspace.recording import WARM_UP, launch_by_launch
from hyperlib.zoos.engines.choice import resolve_engine
from hyperlib.zoos.engines.cuda.covering import unusable
from hyperlib.zoos.zoo import Samples

ROOT = Path(__file__).parents[1]
ONE_BY_ONE = "launch by launch"
GPU_EPOCHS = 5
FULL = 528  # models that fill a large card, four for each of its multiprocessors
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
    """The tests of a card, counted by how they ended; what did not pass ends the stage, so that they run again."""
    files = [str(file) for file in sorted((ROOT / "tests").glob("test_*.py")) if "mark.gpu" in file.read_text()]
    call = [sys.executable, "-m", "pytest", "-o", "addopts=", "-o", "filterwarnings=", "-q", "-m", "gpu", *files]
    try:
        done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=card.seconds)
    except subprocess.TimeoutExpired as late:
        raise SystemExit(f"error: the tests were cut off after {card.seconds:.0f} s; set --minutes higher.") from late
    lines = done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or ["nothing was said"]
    if done.returncode not in (0, 5):
        say("\n".join(lines[-40:]))
        raise SystemExit(f"error: the tests of a card did not pass: {lines[-1]}")
    return pd.DataFrame([{"tests": "passed" if " passed" in lines[-1] else "none ran", "said": lines[-1]}])


def rates(card: Card) -> pd.DataFrame:
    """Model-epochs per second on the four settings of `training`: PyTorch's engine with every kernel launched by itself
    (the baseline of `ratio`), the same recorded and played, and the engine of our own kernels."""
    rows = []
    for setting in [s for s in SETTINGS.values() if not card.quick or s.network == "Tetris MLP"]:
        for engine in ("torch", "cuda") if card.device != "cpu" else ("torch", "numba"):
            if resolve_engine(engine, setting.architecture, card.device) != engine:
                continue
            for name in (f"torch, {ONE_BY_ONE}", "torch") if engine == "torch" else (engine,):
                with launch_by_launch() if name.endswith(ONE_BY_ONE) else nullcontext():
                    rows.append(_rate(card, setting, engine) | {"engine": name})
                say(f"  {setting.network}, {name}: {rows[-1]['per_s']:.4g} model-epochs/s")
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
    allowed = card.seconds / 18 / len(SETTINGS)
    models = int(max(few, min(most, few * allowed / max(once * epochs, 1e-3))))
    seconds = job(models, epochs)
    about = {"network": setting.network, "engine": engine, "models": models, "epochs": epochs}
    return about | {"images": len(images.train_x), "seconds": seconds, "per_s": models * epochs / seconds}


def forms(card: Card) -> pd.DataFrame:
    """The three forms of a batched step, on the card."""
    return batched_forms(Options(quick=card.quick), card.device)


def steps(card: Card) -> pd.DataFrame:
    """A training step of a hyper-representation, at our default sizes and at the released ones, launch by launch and
    played; its share of the card's products, and at our sizes the networks that are embedded per second."""
    sizes = [tiny(size) for size in SIZES] if card.quick else [replace(size, batch=RELEASED_BATCH) for size in SIZES]
    rows = []
    for half in (False, True):
        limit = peak(card, torch.bfloat16 if half else torch.float32)
        for size in (None, *sizes):
            with launch_by_launch():
                slow = _step(card, size, half, limit)
            rows.append(slow | _step(card, size, half, limit) | {"one_by_one_s": slow["seconds_per_step"]})
            say(f"  {rows[-1]['network']}, width {rows[-1]['width']}: {1000 * rows[-1]['seconds_per_step']:.3g} ms")
    return pd.DataFrame(rows)


def _step(card: Card, size: Size | None, half: bool, limit: float) -> dict[str, object]:
    """One size, or our default one (None) on the small CNN."""
    precision = "bfloat16" if half else "float32"
    embedded = math.nan
    if size is None:
        rep = HyperRep(small_cnn(), device=card.device, precision=precision, **(tiny_rep() if card.quick else {}))
        weights = rep.architecture.initialise(range(4 * rep.batch_size), "kaiming_normal")
        training = default_trainer(rep, weights)
        about: dict[str, object] = {"network": rep.architecture.name, "width": rep.width, "batch": rep.batch_size}
    else:
        weights = size.network.initialise(range(2 * size.batch), "kaiming_normal")
        training = trainer(size, weights, half=half, device=card.device)
        about = {"network": size.network.name, "width": size.width, "batch": size.batch}
    with FlopCounterMode(display=False) as counted:
        training.advance()
    for _ in range(WARM_UP + 2):
        training.advance()
    count = 2 if card.quick else 50
    seconds = card.timed(lambda: [training.advance() for _ in range(count)]) / count
    if size is None:
        rep.architecture_ = rep.architecture
        weights = weights.repeat(2 if card.quick else 64, 1)
        many = Samples(weights, pd.DataFrame({"model": range(len(weights))}), rep.architecture)
        rep.embed(many)
        embedded = len(many.weights) / card.timed(lambda: rep.embed(many))
    share = counted.get_total_flops() / seconds / limit
    measured = {"seconds_per_step": seconds, "share_of_products": share, "embedded_per_s": embedded}
    return about | {"precision": precision} | measured


def tiny_rep() -> dict[str, object]:
    """Sizes that measure nothing."""
    return {"latent": 3, "width": 8, "depth": 1, "projection": (1, 8, 4), "batch_size": 16}


def default_trainer(rep: HyperRep, weights: Tensor) -> Trainer:
    """The training that `fit` runs, with no end in sight."""
    rep.build(None)
    plan = replace(plan_of(rep, 0), steps=10**6)
    networks = Population(weights, torch.arange(len(weights)).view(-1, min(8, len(weights))))
    views = WholeViews(
        rep.architecture, rep.network_, rep.head_, rep._source, plan, Augment(), networks, None,
        device=torch.device(rep.device), half=rep.half,
    )  # fmt: skip
    return Trainer(views)


def mnist_seed(card: Card) -> pd.DataFrame:
    """The zoo of the thesis at its own settings, as many of its 1,000 models as the time allows; means by epoch."""
    study = Study("quick" if card.quick else "paper", device=card.device)
    recipe = study.recipe("mnist_seed")
    images = recipe.images.load()
    models = len(recipe.design)
    if not card.quick:
        how = {"epochs": 1, "batch_size": recipe.batch_size, "device": card.device, "progress": False}
        train_population(recipe.architecture, images.subset(100, 100), recipe.design.head(2), **how)  # compiles
        some = recipe.design.head(FULL)
        once = card.timed(lambda: train_population(recipe.architecture, images, some, **how))
        fit = FULL * 0.7 * card.seconds / (once * recipe.epochs)
        # of few sizes, so that a run that was cut off goes on with the same zoo
        models = int(min(models, 2 ** max(4, math.floor(math.log2(fit))) if fit < models else models))
    zoo = study.zoo("mnist_seed", models)
    columns = ["train_loss", "train_accuracy", "test_loss", "test_accuracy", "gap"]
    table = zoo.table.groupby("epoch")[columns].agg(["mean", "std"])
    table.columns = ["_".join(pair) for pair in table.columns]
    return table.reset_index().assign(models=len(zoo), images=len(images.train_x), batch_size=recipe.batch_size)


def claims(card: Card, folder: Path) -> pd.DataFrame:
    """What hyper-representations of that zoo tell of unseen networks at the length of `paper`: the released settings,
    ours, and ours untrained, beside statistics of weights. As many steps as the time allows; `of` is the recipe's."""
    if not (grown := folder / "mnist_seed.csv").is_file():
        raise SystemExit("error: this stage reads the zoo of the stage mnist_seed, which has not ended yet.")
    profile = "quick" if card.quick else "paper"
    study = Resized(profile, device=card.device, models=int(pd.read_csv(grown)["models"].iloc[0]))
    train, val, test = study.parts("mnist_seed")
    known = {"layer statistics": (LayerStatistics(), 0, 0)}
    for name, share in CLAIMS.items():
        recipe = representation_recipe(name, profile)
        settings = dict(recipe.settings)
        steps = settings["steps"]
        if steps and not card.quick:
            steps = min(steps, max(WARM_UP + 4, int(card.seconds * share / _seconds_per_step(recipe, card, train))))
        known[name] = (representation(study, replace(recipe, settings=tuple((settings | {"steps": steps}).items()))),
                       steps, settings["steps"])  # fmt: skip
        say(f"  {name}: {steps:,} of {settings['steps']:,} steps")
    told = probe_table({name: found[0] for name, found in known.items()}, train, val, test, columns=TARGETS)
    told["steps"], told["of"] = (told["features"].map({name: row[n] for name, row in known.items()}) for n in (1, 2))
    return told.assign(models=study.changes["models"], train_checkpoints=len(train))


def _seconds_per_step(recipe: RepresentationRecipe, card: Card, train: Samples) -> float:
    """Of a few steps of this recipe, the first ones apart."""
    rep = recipe.estimator(0, card.device)
    told: list[float] = []
    groups = train.table["model"].to_numpy()
    count = WARM_UP + 12
    rep.set_params(steps=count, validations=1).fit(
        train, groups=groups, progress=lambda done, total: told.append(time.perf_counter())
    )
    return (told[-2] - told[WARM_UP + 1]) / (count - WARM_UP - 2)


CLAIMS = {"mnist_seed-untrained": 0.0, "mnist_seed": 0.3, "released_mnist": 0.5}  # shares of the stage's time
TARGETS = ["test_accuracy", "epoch", "gap"]
STAGES: dict[str, Callable[..., pd.DataFrame]] = {
    "machine": machine, "tests": tests, "rates": rates, "forms": forms, "steps": steps, "mnist_seed": mnist_seed,
    "claims": claims,
}  # fmt: skip
SHARES = {  # of the time
    "machine": 0.05, "tests": 0.15, "rates": 0.2, "forms": 0.05, "steps": 0.1, "mnist_seed": 0.2, "claims": 0.25
}  # fmt: skip


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
    with suppress(PackageNotFoundError):
        return version(package)
    return "not installed"
