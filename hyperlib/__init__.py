"""hyperlib: learning from populations of neural networks.

The public names, loaded when first used, so that importing the package costs nothing. One room per noun, imports point
left only: files <- weightspace <- images <- zoos <- representations <- tasks <- store <- thesis <- figures <- study <-
press.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_EXPORTS = {  # module: its public names
    "weightspace.layout": "Layout Slot",
    "weightspace.architecture": "Architecture Network",
    "weightspace.architectures": "ARCHITECTURES LARGE_ARCHITECTURES architecture tetris_mlp digits_cnn small_cnn "
    "large_cnn unterthiner_cnn mini_alexnet resnet18 small_resnet wide_mlp",
    "weightspace.symmetry": "compose inverse orbit_size permutation_index random_permutations random_scales "
    "random_signs unit_factors",
    "weightspace.canonical": "canonical_index canonical_signs",
    "weightspace.symmetry_check": "verify_symmetry",
    "weightspace.alignment": "Alignment align",
    "weightspace.statistics": "layer_statistics layer_statistics_names",
    "weightspace.similarity": "agreement cka cosine l2",
    "weightspace.spectral_laws": "MarchenkoPastur PowerLaw power_law",
    "weightspace.precision": "tf32",
    "weightspace.pruning": "pruned sparsity layer_sparsity",
    "weightspace.bridge.from_module": "from_module",
    "weightspace.bridge.checking": "check_against",
    "weightspace.traced_module": "TracedModule",
    "weightspace.state_dicts": "find_state_dict",
    "weightspace.spectral_table": "spectral_summary spectral_table",
    "weightspace.spectra": "spectra Spectrum matrix_names spectrum stable_rank weight_entropy",
    "weightspace.state_tokens": "StateTokenizer",
    "weightspace.tokens": "Tokenizer",
    "images.images": "Images load_images",
    "zoos.design": "Between check_design draw grid",
    "zoos.evaluation": "class_scores evaluate",
    "zoos.zoo": "Samples Zoo",
    "zoos.gathered": "gather",
    "zoos.formats.opening": "export_zoo form_of open_zoo",
    "zoos.population": "train_population",
    "zoos.twins": "held_twins magnitude_twins variational_twins",
    "representations.augment": "Augment",
    "representations.hyper_rep": "HyperRep",
    "representations.sane": "Sane",
    "representations.sane_reader": "SaneReader",
    "representations.baselines": "Hyperparameters LayerStatistics RawWeights",
    "representations.controls": "Clock PooledRows RandomFeatures RandomTokens controls",
    "representations.projections": "PrincipalComponents Umap",
    "representations.behaviour": "Probing",
    "tasks.probes": "LinearProbe SoftmaxProbe",
    "tasks.curved_probes": "KernelProbe NetworkProbe TreeProbe",
    "tasks.probing": "ProbeResult probe_table run_probes",
    "tasks.repeats": "Repeats",
    "tasks.sampling": "Gaussian KDE Neighbourhood Prior Uniform",
    "tasks.latent_samplers": "Flow GAN SAMPLERS",
    "tasks.refinement": "bootstrapped conditioned subsampled",
    "tasks.novelty": "novelty novelty_table",
    "tasks.ensembles": "ensemble_curve",
    "tasks.connectivity": "along_curve along_line bezier recalibrated soup",
    "tasks.trajectories": "curvature recovered_models recovered_order step_lengths",
    "thesis.profiles": "PROFILES",
    "study.study": "Study",
    "figures.movable": "movable",
}
_MODULES = {name: f"hyperlib.{module}" for module, names in _EXPORTS.items() for name in names.split()}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"hyperlib has no {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
