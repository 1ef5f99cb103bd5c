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
    "LARGE_ARCHITECTURES": "hyperlib.weightspace.architectures",
    "architecture": "hyperlib.weightspace.architectures",
    "tetris_mlp": "hyperlib.weightspace.architectures",
    "digits_cnn": "hyperlib.weightspace.architectures",
    "small_cnn": "hyperlib.weightspace.architectures",
    "large_cnn": "hyperlib.weightspace.architectures",
    "unterthiner_cnn": "hyperlib.weightspace.architectures",
    "mini_alexnet": "hyperlib.weightspace.architectures",
    "resnet18": "hyperlib.weightspace.architectures",
    "small_resnet": "hyperlib.weightspace.architectures",
    "wide_mlp": "hyperlib.weightspace.architectures",
    "canonical_index": "hyperlib.weightspace.symmetry",
    "compose": "hyperlib.weightspace.symmetry",
    "inverse": "hyperlib.weightspace.symmetry",
    "orbit_size": "hyperlib.weightspace.symmetry",
    "permutation_index": "hyperlib.weightspace.symmetry",
    "random_permutations": "hyperlib.weightspace.symmetry",
    "random_scales": "hyperlib.weightspace.symmetry",
    "random_signs": "hyperlib.weightspace.symmetry",
    "unit_factors": "hyperlib.weightspace.symmetry",
    "verify_symmetry": "hyperlib.weightspace.symmetry_check",
    "Alignment": "hyperlib.weightspace.alignment",
    "align": "hyperlib.weightspace.alignment",
    "layer_statistics": "hyperlib.weightspace.statistics",
    "layer_statistics_names": "hyperlib.weightspace.statistics",
    "agreement": "hyperlib.weightspace.similarity",
    "cka": "hyperlib.weightspace.similarity",
    "cosine": "hyperlib.weightspace.similarity",
    "l2": "hyperlib.weightspace.similarity",
    "MarchenkoPastur": "hyperlib.weightspace.spectral_laws",
    "PowerLaw": "hyperlib.weightspace.spectral_laws",
    "power_law": "hyperlib.weightspace.spectral_laws",
    "spectra": "hyperlib.weightspace.spectra",
    "StateTokenizer": "hyperlib.weightspace.state_tokens",
    "Tokenizer": "hyperlib.weightspace.tokens",
    "Spectrum": "hyperlib.weightspace.spectra",
    "matrix_names": "hyperlib.weightspace.spectra",
    "spectrum": "hyperlib.weightspace.spectra",
    "stable_rank": "hyperlib.weightspace.spectra",
    "weight_entropy": "hyperlib.weightspace.spectra",
    "Images": "hyperlib.images.images",
    "load_images": "hyperlib.images.images",
    "Between": "hyperlib.zoos.design",
    "check_design": "hyperlib.zoos.design",
    "draw": "hyperlib.zoos.design",
    "grid": "hyperlib.zoos.design",
    "class_scores": "hyperlib.zoos.evaluation",
    "evaluate": "hyperlib.zoos.evaluation",
    "Samples": "hyperlib.zoos.zoo",
    "Zoo": "hyperlib.zoos.zoo",
    "train_population": "hyperlib.zoos.population",
    "Augment": "hyperlib.representations.augment",
    "HyperRep": "hyperlib.representations.hyper_rep",
    "Hyperparameters": "hyperlib.representations.baselines",
    "LayerStatistics": "hyperlib.representations.baselines",
    "RawWeights": "hyperlib.representations.baselines",
    "PrincipalComponents": "hyperlib.representations.projections",
    "Umap": "hyperlib.representations.projections",
    "Probing": "hyperlib.representations.behaviour",
    "LinearProbe": "hyperlib.tasks.probes",
    "TreeProbe": "hyperlib.tasks.probes",
    "SoftmaxProbe": "hyperlib.tasks.probes",
    "ProbeResult": "hyperlib.tasks.probing",
    "probe_table": "hyperlib.tasks.probing",
    "run_probes": "hyperlib.tasks.probing",
    "along_curve": "hyperlib.tasks.connectivity",
    "along_line": "hyperlib.tasks.connectivity",
    "bezier": "hyperlib.tasks.connectivity",
    "recalibrated": "hyperlib.tasks.connectivity",
    "soup": "hyperlib.tasks.connectivity",
    "curvature": "hyperlib.tasks.trajectories",
    "recovered_models": "hyperlib.tasks.trajectories",
    "recovered_order": "hyperlib.tasks.trajectories",
    "step_lengths": "hyperlib.tasks.trajectories",
    "PROFILES": "hyperlib.thesis.profiles",
    "Study": "hyperlib.study.study",
    "movable": "hyperlib.figures.movable",
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
