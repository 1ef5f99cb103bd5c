"""How near training comes to what the same number of cores can do at all, in one run.

Two limits: the processor's own, multiply-adds of float32 in registers and nothing else, in a loop compiled as the
engine's kernels are; and PyTorch's, its best product of square matrices over several sizes. What an engine reaches is
counted work (`hyperlib.weightspace.work`) over wall time of whole jobs, with everything that is no matrix product
(batches, activations, pools, optimiser, counting hits) in the time and not in the count.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import torch
from clock import Contestant, measured, say, threads
from settings import FASTEST, Options, Setting, settings
from training import train

from hyperlib.files.cost import cores
from hyperlib.zoos.engines.kernels.compiling import kernel
from hyperlib.zoos.engines.kernels.lanes import ACCUMULATORS, LANES, fma, get, put, registers, splat, store

_held = registers(ACCUMULATORS)
SIZES = (256, 512, 1024, 2048)
SECONDS = 0.15  # per size and repetition, at least


def peak(options: Options) -> pd.DataFrame:
    """One row per number of cores and network: GFLOP/s of both limits and of the engine, and its share of each."""
    return pd.concat([_on(count, options) for count in dict.fromkeys((1, cores()))], ignore_index=True)


def _on(count: int, options: Options) -> pd.DataFrame:
    """The rows of so many cores; the product and the networks take turns."""
    say(f"  {count} core{'s' if count > 1 else ''}")
    products: list[float] = []
    registers: list[float] = []
    jobs = [_job(setting, count, options) for setting in settings(options)]
    product = Contestant("product", 1, lambda: products.append(_product(count, options)), lambda: None)
    multiply_add = Contestant("multiply-add", 1, lambda: registers.append(_multiply_adds(count, options)), lambda: None)
    times = measured([product, multiply_add, *jobs], options.repetitions)
    table = pd.DataFrame({"cores": count, "network": job.name, "engine": FASTEST} for job in jobs)
    table["peak_gflops"] = max(products)
    table["gflops"] = [job.work / times[job.name].wall / 1e9 for job in jobs]
    table["processor_gflops"] = max(registers)
    for share, limit in (("fraction", "peak_gflops"), ("processor_fraction", "processor_gflops")):
        table[share] = table["gflops"] / table[limit]
    return table


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


@kernel
def _multiply(rounds, result):  # noqa: ANN001, ANN202 (a compiled function, its types are Numba's)
    """So many rounds of a multiply-add in each of the accumulators that the kernels have."""
    held, factor, more = _held(), splat(np.float32(0.999)), splat(np.float32(0.001))
    for n in range(ACCUMULATORS):
        put(held, n, splat(np.float32(n)))
    for _ in range(rounds):
        for n in range(ACCUMULATORS):
            put(held, n, fma(get(held, n), factor, more))
    for n in range(ACCUMULATORS):
        store(result, n, get(held, n))


def _multiply_adds(count: int, options: Options) -> float:
    """The best rate of multiply-adds in registers on so many cores, in GFLOP/s."""
    rounds = 1000 if options.quick else 400_000_000 // ACCUMULATORS
    results = [np.zeros(LANES * ACCUMULATORS, np.float32) for _ in range(count)]
    _multiply(1, results[0])
    with ThreadPoolExecutor(count) as pool:
        begun = time.perf_counter()
        list(pool.map(_multiply, [rounds] * count, results))
    return 2 * count * rounds * ACCUMULATORS * LANES / (time.perf_counter() - begun) / 1e9
