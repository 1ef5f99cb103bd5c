"""What it costs to open zoos: those of others against reading their files one by one, and a large one of ours.

`formats`: 200 models of the small CNN at 26 epochs in the form of the Model Zoos, written by plain PyTorch. Against one
`torch.load` per checkpoint stand the first opening, which makes the cache, and every later one; both sides end with a
sum over all weights, so that what is mapped is read, and the files lie in the page cache. `opening`: a zoo of ten
gigabytes, in a process of its own. Its weights are a file with a hole, zeros that take no space on the disk: opening
reads none of them. Memory is what the process grew by at its largest. Source: our choice.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from clock import Contestant, in_a_process, measured, repeated
from memory import largest_so_far
from settings import Options

import hyperlib
from hyperlib import Zoo, grid, large_cnn, open_zoo, small_cnn
from hyperlib.weightspace.architecture import Architecture
from hyperlib.zoos.evaluation import PROPERTIES

GIGABYTES, EPOCHS = 10, 51


def formats(options: Options) -> pd.DataFrame:
    """One row per `work`: seconds of ours and of one `torch.load` per checkpoint, and how often ours go into it."""
    models, epochs = (3, 2) if options.quick else (200, 26)
    with tempfile.TemporaryDirectory() as place:
        folder, fresh = _model_zoo(Path(place) / "zoo", models, epochs), (Path(place) / f"{n}" for n in count())
        files = sorted(folder.glob("*/checkpoint_*/checkpoints"))
        open_zoo(folder, cache=Path(place) / "cache", progress=False)
        sides = {
            "one torch.load per checkpoint": lambda: [_sum(torch.load(file, weights_only=True)) for file in files],
            "first opening": lambda: open_zoo(folder, cache=next(fresh), progress=False).weights.sum(),
            "later opening": lambda: open_zoo(folder, cache=Path(place) / "cache", progress=False).weights.sum(),
        }
        contestants = [Contestant(name, 1, repeated(one), one) for name, one in sides.items()]
        times = {name: taken.wall for name, taken in measured(contestants, options.repetitions).items()}
    plain = times.pop("one torch.load per checkpoint")
    rows = [(work, models, epochs, seconds, plain, plain / seconds) for work, seconds in times.items()]
    return pd.DataFrame(rows, columns=["work", "models", "epochs", "ours_s", "torch_load_s", "ratio"])


def opening(options: Options) -> pd.DataFrame:
    """One row per network: size of the weights, rows of the table, median seconds to open, and memory in MiB."""
    rows = []
    for network in (small_cnn(),) if options.quick else (large_cnn(), small_cnn()):
        with tempfile.TemporaryDirectory() as place:
            models = 2 if options.quick else int(GIGABYTES * 1e9 / (4 * EPOCHS * network.layout.size))
            folder = _large_zoo(Path(place) / "zoo", network, models)
            found = pd.DataFrame([in_a_process("opening.py", folder) for _ in range(options.repetitions)]).median()
            size = (folder / "weights.npy").stat().st_size / 1e9
            rows.append((network.name, models, size, models * EPOCHS, found["seconds"], found["besides_mib"]))
    return pd.DataFrame(rows, columns=["network", "models", "gigabytes", "rows", "seconds", "besides_mib"])


def _model_zoo(folder: Path, models: int, epochs: int) -> Path:
    """Random networks, as Ray Tune would leave them."""
    network, generator = small_cnn(), torch.Generator().manual_seed(0)
    names = [f"module_list.{place}.{part}" for place in (0, 3, 6, 9, 11) for part in ("weight", "bias")]
    for model in range(models):
        lines = []
        for epoch in range(epochs):
            place = folder / f"NN_tune_trainable_{model:05d}" / f"checkpoint_{epoch:06d}"
            place.mkdir(parents=True)
            state = network.layout.unflatten(torch.randn(network.layout.size, generator=generator)).values()
            torch.save({name: v.clone() for name, v in zip(names, state, strict=True)}, place / "checkpoints")
            lines.append(json.dumps({"training_iteration": epoch, "train_acc": 0.5, "test_acc": 0.4}) + "\n")
        config = {"model::nlin": "tanh", "optim::lr": 1e-3, "seed": model}
        (place.parent / "params.json").write_text(json.dumps(config))
        (place.parent / "result.json").write_text("".join(lines))
    return folder


def _large_zoo(folder: Path, network: Architecture, models: int) -> Path:
    """A zoo of zeros, saved small and then stretched: its table is whole, its weights are a hole."""
    design = grid(seeds=models).assign(model=np.arange(models))
    design = design.assign(folder=design["model"].map("NN_tune_trainable_{:05d}".format))
    table = design.loc[design.index.repeat(EPOCHS)].assign(epoch=np.tile(np.arange(EPOCHS), models), diverged=False)
    generator = np.random.default_rng(0)
    table = table.assign(missing=False, **{name: generator.random(len(table)) for name in PROPERTIES})
    Zoo(network, torch.zeros(models, EPOCHS, 1).expand(-1, -1, network.layout.size)[:1], table[:EPOCHS]).save(folder)
    columns = {name: table[name].to_numpy() for name in table}
    words = {name: column.astype(str) for name, column in columns.items() if column.dtype.kind not in "biuf"}
    np.savez(folder / "table.npz", **columns | words)
    shape = models, EPOCHS, network.layout.size
    with (folder / "weights.npy").open("r+b") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        file.truncate(file.tell() + 4 * models * EPOCHS * network.layout.size)
    manifest = json.loads((folder / "manifest.json").read_text()) | {"shape": shape}
    for name, said in manifest["files"].items():
        said["bytes"] = (folder / name).stat().st_size
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def _sum(state: dict[str, torch.Tensor]) -> float:
    return float(sum(value.sum() for value in state.values()))


def _open(folder: Path) -> dict[str, float]:
    """Open the zoo in this process and say what it took."""
    hyperlib.Zoo, hyperlib.small_cnn().layout, open_zoo  # noqa: B018 (imported before the clock starts)
    before, begun = largest_so_far(), time.perf_counter()
    zoo = open_zoo(folder)
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, "besides_mib": 1024 * (largest_so_far() - before), "models": len(zoo)}


if __name__ == "__main__":
    print(json.dumps(_open(Path(sys.argv[1]))))
