"""hyperlib: learning from populations of neural networks.

The public names, loaded when first used, so that importing the package costs nothing. Five folders, imports point
left only: weightspace <- zoos <- representations <- tasks <- study.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_EXPORTS = {
    "Layout": "hyperlib.weightspace.layout",
    "Slot": "hyperlib.weightspace.layout",
    "Architecture": "hyperlib.weightspace.architecture",
    "Network": "hyperlib.weightspace.architecture",
    "ARCHITECTURES": "hyperlib.weightspace.architectures",
    "architecture": "hyperlib.weightspace.architectures",
    "tetris_mlp": "hyperlib.weightspace.architectures",
    "digits_cnn": "hyperlib.weightspace.architectures",
    "small_cnn": "hyperlib.weightspace.architectures",
    "large_cnn": "hyperlib.weightspace.architectures",
    "unterthiner_cnn": "hyperlib.weightspace.architectures",
    "layer_statistics": "hyperlib.weightspace.statistics",
    "layer_statistics_names": "hyperlib.weightspace.statistics",
    "agreement": "hyperlib.weightspace.similarity",
    "cka": "hyperlib.weightspace.similarity",
    "cosine": "hyperlib.weightspace.similarity",
    "l2": "hyperlib.weightspace.similarity",
    "Images": "hyperlib.zoos.images",
    "load_images": "hyperlib.zoos.images",
    "Between": "hyperlib.zoos.design",
    "check_design": "hyperlib.zoos.design",
    "draw": "hyperlib.zoos.design",
    "grid": "hyperlib.zoos.design",
    "class_scores": "hyperlib.zoos.evaluation",
    "evaluate": "hyperlib.zoos.evaluation",
    "Samples": "hyperlib.zoos.zoo",
    "Zoo": "hyperlib.zoos.zoo",
    "train_population": "hyperlib.zoos.population",
    "Hyperparameters": "hyperlib.representations.baselines",
    "LayerStatistics": "hyperlib.representations.baselines",
    "RawWeights": "hyperlib.representations.baselines",
    "LinearProbe": "hyperlib.tasks.probes",
    "TreeProbe": "hyperlib.tasks.probes",
    "SoftmaxProbe": "hyperlib.tasks.probes",
    "ProbeResult": "hyperlib.tasks.probing",
    "probe_table": "hyperlib.tasks.probing",
    "run_probes": "hyperlib.tasks.probing",
    "PROFILES": "hyperlib.study.profiles",
    "Study": "hyperlib.study.study",
}

__all__ = sorted(_EXPORTS)


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"hyperlib has no {name!r}")
    value = getattr(import_module(_EXPORTS[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_EXPORTS])
