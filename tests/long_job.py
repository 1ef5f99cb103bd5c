"""A training job long enough to be killed; as a program it runs until somebody does.

Its state is written after every epoch, in blocks of three models.
"""

from __future__ import annotations

import sys
from pathlib import Path

from toys import network, some_images

from hyperlib.zoos import checkpoint, job
from hyperlib.zoos.design import grid
from hyperlib.zoos.population import train_population
from hyperlib.zoos.zoo import Zoo


def long_job(engine: str, folder: Path | None) -> Zoo:
    """18 models, with norms where the engine knows them, under three optimisers, for ten epochs."""
    name, count = ("compiled_net", 960) if engine == "numba" else ("residual_net", 96)
    net = network(name)
    images = some_images(net.image, net.num_classes, train=count, test=20)
    design = grid(seeds=6, optimizer=["adam", "sgd", "rmsprop"], activation="relu", lr=0.01)
    settings = {"epochs": 10, "batch_size": 8, "engine": engine, "progress": False}
    return train_population(net, images, design, checkpoint=folder, **settings)


if __name__ == "__main__":
    checkpoint._SECONDS, checkpoint._SHARE, job._BLOCK_MODELS = 0.0, 0, 3
    long_job(sys.argv[1], Path(sys.argv[2]))
