"""How long the fastest engine takes to its first result: compiled now, and compiled earlier and found on the disk.

Each number comes from a process of its own (imports not counted): first with an empty folder for numba's cache, then
with what that one left, for the same network and for another. `again_s` is the same job once more in the same process:
what is left of the first result when nothing needs compiling.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time

import pandas as pd
from clock import in_a_process, say
from settings import FASTEST, Options, random_images

from hyperlib import architecture, grid, train_population


def compiling(options: Options) -> pd.DataFrame:
    """One row per state of the cache: seconds of the first tiny job, and of the same once more."""
    name, other = ("tetris_mlp", "digits_cnn") if options.quick else ("small_cnn_1ch", "digits_cnn")
    states = {"empty": name, "filled by the same network": name, "filled by another network": other}
    rows = []
    with tempfile.TemporaryDirectory(prefix="numba-") as cache:
        for state, network in states.items():
            say(f"  {network}, cache {state}")
            seconds = in_a_process("compiling.py", network, NUMBA_CACHE_DIR=cache)
            rows.append({"cache": state, "architecture": network, "engine": FASTEST} | seconds)
    return pd.DataFrame(rows)


def first_result(name: str) -> dict[str, float]:
    """Seconds of a job of two models on 64 images, the first time in this process and the second time."""
    network = architecture(name)
    images, design = random_images(network.image, 64, 32, network.num_classes), grid(seeds=2)
    seconds = []
    for _ in range(2):
        begun = time.perf_counter()
        train_population(network, images, design, epochs=1, engine=FASTEST, progress=False)
        seconds.append(time.perf_counter() - begun)
    return {"first_s": seconds[0], "again_s": seconds[1]}


if __name__ == "__main__":
    print(json.dumps(first_result(sys.argv[1])))
