"""A training job long enough to be killed, but no longer."""

from __future__ import annotations

from pathlib import Path

from toys import network, some_images

from hyperlib.zoos import checkpoint, job
from hyperlib.zoos.design import grid
from hyperlib.zoos.population import train_population
from hyperlib.zoos.zoo import Zoo

EPOCHS, BLOCK = 6, 2


def long_job(engine: str, folder: Path | None) -> Zoo:
    """12 models, with norms where the engine knows them, under three optimisers, for six epochs."""
    name, count = ("compiled_net", 960) if engine == "numba" else ("residual_net", 48)
    net = network(name)
    images = some_images(net.image, net.num_classes, train=count, test=20)
    design = grid(seeds=4, optimizer=["adam", "sgd", "rmsprop"], activation="relu", lr=0.01)
    settings = {"epochs": EPOCHS, "batch_size": 8, "engine": engine, "progress": False}
    return train_population(net, images, design, checkpoint=folder, **settings)


def long_job_in_steps(engine: str, folder: Path) -> None:
    """The same in blocks of two models, its state written after every epoch."""
    checkpoint._SECONDS, checkpoint._SHARE, job._BLOCK_MODELS = 0.0, 0, BLOCK
    long_job(engine, folder)
