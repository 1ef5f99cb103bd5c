"""How near training comes to what matrix multiplication reaches on the same number of cores, in one run.

The peak is the best rate of PyTorch's float32 product of square matrices over several sizes and repetitions. What an
engine reaches is counted work (`hyperlib.weightspace.work`) over wall time of whole jobs, with everything that is no
matrix product (batches, activations, pools, optimiser, counting hits) in the time and not in the count.
"""

from __future__ import annotations

import time

import pandas as pd
import torch
from clock import Contestant, measured, say, threads
from settings import FASTEST, Options, Setting, settings
from training import train

from hyperlib.press.cost import cores

SIZES = (256, 512, 1024, 2048)
SECONDS = 0.15  # per size and repetition, at least


def peak(options: Options) -> pd.DataFrame:
    """One row per number of cores and network: GFLOP/s of the product, of the engine, and their ratio."""
    return pd.concat([_on(count, options) for count in dict.fromkeys((1, cores()))], ignore_index=True)


def _on(count: int, options: Options) -> pd.DataFrame:
    """The rows of so many cores; the product and the networks take turns."""
    say(f"  {count} core{'s' if count > 1 else ''}")
    products: list[float] = []
    jobs = [_job(setting, count, options) for setting in settings(options)]
    product = Contestant("product", 1, lambda: products.append(_product(count, options)), lambda: None)
    times = measured([product, *jobs], options.repetitions)
    table = pd.DataFrame({"cores": count, "network": job.name, "engine": FASTEST} for job in jobs)
    table["peak_gflops"] = max(products)
    table["gflops"] = [job.work / times[job.name].wall / 1e9 for job in jobs]
    return table.assign(fraction=table["gflops"] / table["peak_gflops"])


def _job(setting: Setting, count: int, options: Options) -> Contestant:
    images, models = setting.images(options.quick), setting.models(FASTEST)
    return Contestant(
        setting.network,
        setting.operations(images, models, setting.epochs),
        lambda: train(setting, images, models, FASTEST, setting.epochs, count),
        lambda: train(setting, images, min(models, 8), FASTEST, 1, count),
    )


def _product(count: int, options: Options) -> float:
    """The best rate of a square product over the sizes, in GFLOP/s."""
    sizes, seconds = (SIZES[:1], 0.0) if options.quick else (SIZES, SECONDS)
    with threads(count):
        return max(_rate(size, seconds) for size in sizes)


def _rate(size: int, seconds: float) -> float:
    generator = torch.Generator().manual_seed(0)
    left, right, out = (torch.randn(size, size, generator=generator) for _ in range(3))
    torch.mm(left, right, out=out)
    products, begun = 0, time.perf_counter()
    while products == 0 or time.perf_counter() - begun < seconds:
        torch.mm(left, right, out=out)
        products += 1
    return 2 * size**3 * products / (time.perf_counter() - begun) / 1e9
