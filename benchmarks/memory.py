"""Peak memory of growing a zoo of 500 small CNNs, besides the weights that are kept.

Measured in a process of its own, on 500 training images for one epoch: how long a job runs does not change what it
holds at a time. The peak includes Python and PyTorch with their libraries, shown beside as what there was before.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
from clock import in_a_process
from settings import FASTEST, Options

from hyperlib import grid, load_images, small_cnn, train_population
from hyperlib.files.cost import peak_memory

MODELS, IMAGES = 500, 500


def memory(options: Options) -> pd.DataFrame:
    """One row: GiB before the job, at its peak, of the kept weights, and of the peak besides them."""
    models, images = (4, 32) if options.quick else (MODELS, IMAGES)
    facts = in_a_process("memory.py", models, images)
    return pd.DataFrame([{"network": "small CNN 28x28", "engine": FASTEST} | facts])


def grow(models: int, train: int) -> dict[str, float]:
    """Grow the zoo in this process and say what it took."""
    images = load_images("mnist5k").subset(train=train, test=min(train, 500))
    before = largest_so_far()
    zoo = train_population(small_cnn(), images, grid(seeds=models), epochs=1, engine=FASTEST, progress=False)
    kept, peak = zoo.weights.nbytes / 2**30, largest_so_far()
    counts = {"models": models, "train_images": train}
    return counts | {"before_gib": before, "peak_gib": peak, "kept_gib": kept, "besides_gib": peak - kept}


def largest_so_far() -> float:
    """Largest resident memory of this process in GiB; NaN where the system does not tell.

    Read from Linux's own count where there is one: `getrusage` there also remembers the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")] or [""]
        if line:
            return int(line.split()[1]) / 2**20
    peak = peak_memory(children=False)
    return float("nan") if peak is None else peak


if __name__ == "__main__":
    print(json.dumps(grow(*map(int, sys.argv[1:]))))
