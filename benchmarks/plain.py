"""The baselines: what one would write without the library.

One model after the other, tensors in memory, PyTorch's fused Adam, one thread, and `nn.Sequential` without a dropout
that does nothing. The second form keeps every core busy, with one such loop per process.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

import torch
import torch.nn.functional as F
from settings import SETTINGS
from torch import nn

from hyperlib import Images
from hyperlib.weightspace.architecture import Architecture

PIECE = 250  # images evaluated at once: the fastest of 32 to 1,000 for the convolutional networks on one core


def plain_loop(architecture: Architecture, images: Images, models: int, same_measures: bool = False) -> None:
    """One epoch and one evaluation of each model on the test split.

    `same_measures` also evaluates loss and accuracy on the train split, as `train_population` does.
    """
    for seed in range(models):
        network = plain_network(architecture, seed)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
        for places in torch.randperm(len(images.train_x), generator=torch.Generator().manual_seed(seed)).split(32):
            optimizer.zero_grad()
            F.cross_entropy(network(images.train_x[places]), images.train_y[places]).backward()
            optimizer.step()
        network.eval()
        _evaluate(network, images.test_x, images.test_y)
        if same_measures:
            _evaluate(network, images.train_x, images.train_y)


def plain_network(architecture: Architecture, seed: int) -> nn.Sequential:
    """The network as one would write it."""
    network = architecture.module(architecture.initialise([seed])[0])
    layers = (network.get_submodule(name) for name in network.names)
    return nn.Sequential(*(layer for layer in layers if not isinstance(layer, nn.Dropout))).train()


@torch.no_grad()
def _evaluate(network: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    loss, hits = 0.0, 0
    for some, labels in zip(x.split(PIECE), y.split(PIECE), strict=True):
        scores = network(some)
        loss += float(F.cross_entropy(scores, labels, reduction="sum"))
        hits += int((scores.argmax(1) == labels).sum())
    return loss / len(x), hits / len(x)


@contextmanager
def processes(count: int, quick: bool) -> Iterator[list[Connection]]:
    """So many processes with one thread each, started and waiting for what `all_at_once` sends."""
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(count)]
    workers = [context.Process(target=_serve, args=(there, quick), daemon=True) for _, there in pipes]
    for worker in workers:
        worker.start()
    try:
        for here, there in pipes:
            there.close()  # a worker that dies is heard of, and not waited for
            here.recv()  # ready: starting is not timed
        yield [here for here, _ in pipes]
    finally:
        for here, _ in pipes:
            with suppress(OSError):  # it is dead
                here.send(None)
        for worker in workers:
            worker.join()


def all_at_once(pipes: list[Connection], network: str, models: int) -> float:
    """Every process trains so many models; the processor seconds of all of them."""
    for pipe in pipes:
        pipe.send((network, models))
    return sum(pipe.recv() for pipe in pipes)


def _serve(pipe: Connection, quick: bool) -> None:
    torch.set_num_threads(1)
    images: dict[str, Images] = {}  # read at the first call for a network, which is its warm-up
    pipe.send("ready")
    while (wanted := pipe.recv()) is not None:
        network, models = wanted
        setting = SETTINGS[network]
        if network not in images:
            images[network] = setting.images(quick)
        begun = time.process_time()
        plain_loop(setting.architecture, images[network], models)
        pipe.send(time.process_time() - begun)
