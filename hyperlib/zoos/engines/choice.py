"""The engines that can train a block of models, and which of them a job gets.

All mean the same and differ in speed: `sequential` is plain PyTorch, one model after the other, the oracle; `torch`
batches a block's models and runs on a GPU as well; `numba` is compiled for the CPU and knows the layers of the zoos'
networks, and `cuda` is that for a GPU. What an engine cannot do, `torch` does. (One difference: weights on
which no score depends are decayed by `torch` and the compiled ones, while PyTorch's optimisers, and so `sequential`,
leave alone what has no gradient.)
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.layers import (
    Activation,
    Add,
    Conv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    Linear,
    MaxPool,
)
from hyperlib.zoos.engines.batched import TorchTrainer
from hyperlib.zoos.engines.cuda.covering import simulated, uncovered_by_kernels, unusable
from hyperlib.zoos.engines.sequential import SequentialTrainer
from hyperlib.zoos.engines.trainer import Block, Method, Trainer

_LOG = logging.getLogger(__name__)
CLUSTER = "ray"  # no engine but a place: "ray:torch" is the torch engine on a Ray cluster, "ray" what "auto" is
COMPILED = ("numba", "cuda")
COMPILED_LAYERS = (Conv, Linear, MaxPool, GlobalAveragePool, Flatten, Activation, Dropout, Add)


def _numba_trainer(block: Block, weights: Tensor) -> Trainer:
    from hyperlib.zoos.engines.compiled import NumbaTrainer  # takes a second, which only who trains should wait for

    return NumbaTrainer(block, weights)


def _cuda_trainer(block: Block, weights: Tensor) -> Trainer:
    from hyperlib.zoos.engines.cuda.trainer import CudaTrainer

    return CudaTrainer(block, weights)


ENGINES: dict[str, Callable[[Block, Tensor], Trainer]] = {
    "sequential": SequentialTrainer,
    "torch": TorchTrainer,
    "numba": _numba_trainer,
    "cuda": _cuda_trainer,
}
DENSE = Method("dense", ENGINES)


def resolve_engine(engine: str, architecture: Architecture, device: str | torch.device | None = None) -> str:
    """The engine that trains this network on this device (None is the CPU) when `engine` is asked for.

    "auto" is "numba" on a CPU and "cuda" on a card where that covers the job, and "torch" elsewhere; when those two are
    asked for they fall back to "torch" too, and say so in the log. Of "ray:torch" it is "torch", since where a block
    trains changes nothing about it. Raises ValueError for an engine that does not exist, and for a network with several
    heads.
    """
    asked, here = engine, ("auto", *ENGINES)
    if on_cluster(engine):
        engine = "auto" if engine == CLUSTER else engine.removeprefix(f"{CLUSTER}:")
    if engine not in here:
        there = f"{CLUSTER}, {', '.join(f'{CLUSTER}:{name}' for name in here)}"
        raise ValueError(
            f"There is no engine {asked!r}; choose {', '.join(here)}, or on a Ray cluster {there}, whose address goes "
            "into the variable RAY_ADDRESS."
        )
    if len(heads := getattr(architecture, "heads", ())) > 1:
        raise ValueError(
            f"{architecture.name} has the heads {', '.join(heads)}, but training minimises the cross-entropy of one "
            "row of classes; train a network with one head."
        )
    if engine not in ("auto", *COMPILED):
        return engine
    wanted = ("cuda" if on_card(device) else "numba") if engine == "auto" else engine
    why = uncovered(architecture, device, wanted)
    if why and (engine != "auto" or wanted == "cuda"):  # whoever pays for a card should know
        _LOG.warning("The %s engine does not cover this job (%s); the torch engine trains it.", wanted, why)
    return "torch" if why else wanted


def on_card(device: str | torch.device | None) -> bool:
    """Whether this is a GPU; None is the CPU."""
    return device is not None and torch.device(device).type != "cpu"


def on_cluster(engine: str) -> bool:
    """Whether this engine's blocks train on a Ray cluster."""
    return isinstance(engine, str) and engine.partition(":")[0] == CLUSTER


def uncovered(
    architecture: Architecture, device: str | torch.device | None = None, engine: str = "numba"
) -> str:
    """Why a compiled engine cannot train this network on this device; empty if it can."""
    if engine == "numba" and on_card(device):
        return f"it runs on the CPU, not on {device}"
    if engine == "cuda" and not on_card(device) and not simulated():
        return "it runs on a card, not on the CPU"
    if heads := getattr(architecture, "heads", ()):
        return f"{architecture.name} names its heads, {', '.join(heads)}"
    kinds = {type(step.layer).__name__ for step in architecture.steps if type(step.layer) not in COMPILED_LAYERS}
    if kinds:
        return f"{architecture.name} has layers of kind {', '.join(sorted(kinds))}"
    wishes = {_wish(step.layer) for step in architecture.steps} - {""}
    if engine == "cuda":
        wishes |= {uncovered_by_kernels(architecture)} - {""}
    if wishes:
        return f"{architecture.name} has {', '.join(sorted(wishes))}"
    return unusable(str(device)) if engine == "cuda" else ""


def _wish(layer: Layer) -> str:
    """What a layer of a compiled kind asks of the kernels that they cannot do; empty if nothing."""
    if isinstance(layer, Conv | MaxPool) and any(
        isinstance(sides, tuple) for sides in (layer.kernel, layer.stride, layer.padding)
    ):
        return f"a {type(layer).__name__} with unequal sides"
    if isinstance(layer, Conv) and layer.dilation != 1:
        return "a dilated Conv"
    if isinstance(layer, Conv) and layer.groups != 1:
        return "a Conv in groups"
    if isinstance(layer, MaxPool) and layer.padding != 0:
        return "a MaxPool with padding"
    if isinstance(layer, Activation) and layer.frequency != 1:
        return "an Activation with a frequency"
    return ""
