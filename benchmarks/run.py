"""Speed of the companion as ratios against a named baseline in the same run: `make bench`.

The baseline of training is what one would write without the library: one model after the other, tensors in memory,
PyTorch's fused Adam, one thread. Rates are model-epochs per second of processor time (robust when the machine is
shared) and of wall time; medians over repetitions that alternate between the contestants.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F

from hyperlib import Zoo, digits_cnn, grid, load_images, small_cnn, tetris_mlp, train_population
from hyperlib.study.cost import peak_memory
from hyperlib.weightspace.architecture import Architecture
from hyperlib.zoos.images import Images

SETTINGS = {  # name: (architecture, images, models in the batched job, epochs)
    "Tetris MLP": (tetris_mlp(), "tetris", 1000, 25),
    "digits CNN 8x8": (digits_cnn(), "digits", 128, 2),
    "small CNN 28x28": (small_cnn(), "mnist5k", 8, 1),
}


def plain_loop(architecture: Architecture, images: Images, models: int) -> None:
    """One epoch and one evaluation of each model, one after the other."""
    for seed in range(models):
        network = architecture.module(architecture.initialise([seed])[0]).train()
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
        for places in torch.randperm(len(images.train_x), generator=torch.Generator().manual_seed(seed)).split(32):
            optimizer.zero_grad()
            F.cross_entropy(network(images.train_x[places]), images.train_y[places]).backward()
            optimizer.step()
        with torch.no_grad():
            network.eval()
            (network(images.test_x).argmax(1) == images.test_y).double().mean()


def timed(action: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds of one call."""
    wall, processor = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - processor


def training(repetitions: int) -> pd.DataFrame:
    """Model-epochs per second of the plain loop (one thread) and of the torch engine (all threads)."""
    rows = []
    for name, (architecture, image_name, models, epochs) in SETTINGS.items():
        images, few = load_images(image_name), 2
        design = grid(seeds=models)
        contestants = {
            "plain loop": (few, lambda a=architecture, i=images, n=few: one_thread(lambda: plain_loop(a, i, n))),
            "torch": (
                models * epochs,
                lambda a=architecture, i=images, d=design, e=epochs: train_population(
                    a, i, d, epochs=e, engine="torch", progress=False
                ),
            ),
        }
        seconds = {contestant: [] for contestant in contestants}
        for _, action in contestants.values():
            action()  # first calls build what later ones reuse
        for _ in range(repetitions):
            for contestant, (_, action) in contestants.items():
                seconds[contestant].append(timed(action))
        for contestant, (work, _) in contestants.items():
            wall, processor = (statistics.median(values) for values in zip(*seconds[contestant], strict=True))
            rows.append({"network": name, "engine": contestant, "per_cpu_s": work / processor, "per_s": work / wall})
    table = pd.DataFrame(rows)
    base = table[table["engine"] == "plain loop"].set_index("network")
    for column in ("per_cpu_s", "per_s"):
        table[f"{column}_ratio"] = table[column] / table["network"].map(base[column])
    return table


def one_thread(action: Callable[[], object]) -> None:
    """Run with a single torch thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        action()
    finally:
        torch.set_num_threads(threads)


def files(repetitions: int, models: int = 200, epochs: int = 26) -> pd.DataFrame:
    """Seconds to write and load a zoo of the small CNN, and one checkpoint, against one file per checkpoint."""
    architecture = small_cnn()
    weights = torch.randn(models, epochs, architecture.layout.size, generator=torch.Generator().manual_seed(0))
    rows = [(m, e, "tanh", 0.5) for m in range(models) for e in range(epochs)]
    zoo = Zoo(architecture, weights, pd.DataFrame(rows, columns=["model", "epoch", "activation", "test_accuracy"]))
    seconds: dict[tuple[str, str], list[float]] = {}
    for repetition in range(repetitions):
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = Path(folder) / "zoo", Path(folder) / "files"
            theirs.mkdir()
            actions = {
                ("write", "zoo"): lambda ours=ours: zoo.save(ours),
                ("write", "files"): lambda theirs=theirs: _save_files(zoo, theirs),
                ("load all", "zoo"): lambda ours=ours: Zoo.load(ours).weights.sum(),
                ("load all", "files"): lambda theirs=theirs: _load_files(theirs),
            }
            for key, action in actions.items():
                seconds.setdefault(key, []).append(timed(action)[0])
            loaded = Zoo.load(ours)
            place = repetition % models
            one = timed(lambda loaded=loaded, place=place: loaded.weights[place, 5].clone())[0]
            seconds.setdefault(("one checkpoint", "zoo"), []).append(one)
            file = theirs / f"{place}-5.pt"
            one = timed(lambda file=file: torch.load(file, weights_only=True))[0]
            seconds.setdefault(("one checkpoint", "files"), []).append(one)
    medians = {key: statistics.median(values) for key, values in seconds.items()}
    return pd.DataFrame(
        {
            "action": action,
            "zoo_s": medians[action, "zoo"],
            "one_file_per_checkpoint_s": medians[action, "files"],
            "ratio": medians[action, "files"] / medians[action, "zoo"],
        }
        for action in ("write", "load all", "one checkpoint")
    )


def _save_files(zoo: Zoo, folder: Path) -> None:
    layout = zoo.architecture.layout
    for model in range(len(zoo)):
        for epoch in range(zoo.weights.shape[1]):
            torch.save(
                {n: v.clone() for n, v in layout.unflatten(zoo.weights[model, epoch]).items()},
                folder / f"{model}-{epoch}.pt",
            )


def _load_files(folder: Path) -> float:
    return sum(
        float(value.sum()) for file in folder.iterdir() for value in torch.load(file, weights_only=True).values()
    )


def main() -> None:
    """Print the tables; `--save FOLDER` also writes them as CSV."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3, help="of every measurement; medians are shown")
    parser.add_argument("--save", type=Path, help="folder for the tables as CSV")
    arguments = parser.parse_args()
    tables = {"training": training(arguments.repetitions), "files": files(arguments.repetitions)}
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, medians of {arguments.repetitions}\n")
    for name, table in tables.items():
        print(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"), end="\n\n")
        if arguments.save:
            arguments.save.mkdir(parents=True, exist_ok=True)
            table.to_csv(arguments.save / f"{name}.csv", index=False, float_format="%.6g")
    peak = peak_memory(children=False)
    print("peak memory " + (f"{peak:.2f} GiB" if peak is not None else "unknown on this system"))


if __name__ == "__main__":
    main()
