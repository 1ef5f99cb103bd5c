"""Trainings of hyper-representations on networks drawn by hand, which another process can repeat."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from toys import network

from hyperlib.files import state as checkpoint
from hyperlib.representations.augment import Augment
from hyperlib.representations.hyper_rep import HyperRep
from hyperlib.zoos.zoo import Samples

SMALL = {
    **{"latent": 3, "width": 8, "depth": 1, "projection": (1, 8, 4), "batch_size": 16, "per_model": 4},
    **{"steps": 6, "validations": 3, "precision": "float32", "statistics": True},
}
COMBINATIONS = [
    *((encoding, readout) for encoding in ("neuron", "weight") for readout in ("pooled", "summary", "latent")),
    ("dense", "latent"),
]


def walks(name: str = "tetris_mlp", models: int = 10, epochs: int = 4, seed: int = 0) -> Samples:
    """Models whose weights walk at random from one epoch to the next."""
    net, generator = network(name), torch.Generator().manual_seed(seed)
    steps = torch.randn(models, epochs, net.layout.size, generator=generator) * torch.linspace(0.5, 2, net.layout.size)
    weights = torch.where(net.layout.learned, steps.cumsum(1), steps.abs() + 0.5).flatten(0, 1)  # variances: positive
    rows = np.arange(models * epochs)
    return Samples(weights, pd.DataFrame({"model": rows // epochs, "epoch": rows % epochs}), net)


def tanh(samples: Samples) -> Samples:
    """The same networks, whose activation is said."""
    return Samples(samples.weights, samples.table.assign(activation="tanh"), samples.architecture)


def small(name: str = "tetris_mlp", **changes) -> HyperRep:
    """A representation that trains in a few milliseconds."""
    return HyperRep(network(name), **SMALL | changes)


def fit(rep: HyperRep, samples: Samples | None = None, **arguments) -> HyperRep:
    """Trained with the groups that the table says."""
    samples = walks() if samples is None else samples
    return rep.fit(samples, groups=samples.table["model"], **arguments)


def learned(rep: HyperRep) -> dict[str, torch.Tensor]:
    """A copy of all tensors of its networks."""
    modules = {"network": rep.network_, "head": rep.head_}
    states = {whose: part.state_dict() for whose, part in modules.items()}
    return {f"{whose}.{name}": value.clone() for whose, state in states.items() for name, value in state.items()}


def long_training(folder: Path | None = None, progress=False) -> HyperRep:
    """With all that a state has to hold: dropout, noise, patience, validation."""
    rep = small(steps=400, validations=50, patience=50, dropout=0.2, augment=Augment(noise=0.1, erase=0.5))
    return fit(rep, validation=walks(models=4, seed=1), checkpoint=folder, progress=progress)


def digest(rep: HyperRep) -> str:
    """Of all that it learned, to the last bit."""
    samples, found = walks(seed=2), hashlib.sha256()
    for values in (rep.embed(samples), rep.latents(samples), rep.reconstruct(samples).weights.numpy()):
        found.update(values.tobytes())
    found.update(rep.history_.to_numpy(dtype=float).tobytes())
    return found.hexdigest()


def digest_with_threads(threads: int) -> str:
    """Of a short training that begins with so many threads of PyTorch."""
    torch.set_num_threads(threads)
    return digest(fit(small()))


def digest_of_file(file: Path) -> str:
    """Of a representation that was saved."""
    return digest(HyperRep.load(file))


def long_training_in_steps(folder: Path) -> None:
    """The long training, its state written after every step."""
    checkpoint.SECONDS, checkpoint.SHARE = 0.0, 0
    long_training(folder)
