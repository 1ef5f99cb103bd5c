"""Every hyper-representation of the book, as data: which zoo, which settings, how long, at which profile.

Three families. *Claims*: our configuration on every zoo of chapter 4, and the same encoder untrained. *Released*: the
thesis's own configuration of the Tetris zoo. *Ablations*: one setting changed at a time, all with the same budget of
about half a minute of one core (steps differ where a step costs more; they are in the table).

Lengths are steps, so that a run can be repeated exactly; the seconds beside them are of the machine that chose them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hyperlib.representations.augment import Augment
from hyperlib.representations.hyper_rep import HyperRep
from hyperlib.thesis.profiles import check_profile
from hyperlib.thesis.recipes import zoo_recipe


@dataclass(frozen=True)
class RepresentationRecipe:
    """One representation at one profile: a zoo by name, and arguments of `HyperRep`, as pairs."""

    name: str
    zoo: str
    profile: str
    settings: tuple[tuple[str, Any], ...]

    def estimator(self, seed: int, device: str = "cpu") -> HyperRep:
        """The representation, not yet trained."""
        architecture = zoo_recipe(self.zoo, self.profile).architecture
        return HyperRep(architecture, seed=seed, device=device, **dict(self.settings))


Settings = dict[str, Any]
_ORBIT = Augment(permute="orbit")  # all 120 orders of the Tetris network, faster
TETRIS: Settings = {"latent": 15, "mix": 0.1, "augment": _ORBIT}
# The released configurations. Their rate, 1e-4, was tuned for hundreds of epochs; ours is higher, for less training.
_RELEASED: Settings = {
    **{"readout": "summary", "heads": 4, "dropout": 0.1, "normalise": False, "statistics": False, "positions": 1.0},
    **{"per_model": None, "batch_size": 500, "weight_decay": 1e-9, "rate": 3e-4},
}
_VIEWS = Augment(erase=0.5, target="view")
_TETRIS_SIZES: Settings = {"latent": 50, "width": 256, "hidden": 512, "mix": 0.5, "projection": (3, 50, 20)}
_MNIST_SIZES: Settings = {"latent": 700, "width": 800, "hidden": 900, "mix": 0.1, "projection": (4, 400, 50)}
RELEASED: dict[str, tuple[str, Settings, tuple[int, int, int]]] = {  # at paper: 990 and 490 epochs, as published
    "released": (
        "tetris_seed",
        _RELEASED | _TETRIS_SIZES | {"augment": replace(_VIEWS, permute="orbit")},
        (3, 200, 22_200),
    ),
    "released_mnist": ("mnist_seed", _RELEASED | _MNIST_SIZES | {"augment": _VIEWS}, (1, 2, 11_000)),
}

# zoo -> settings and steps at quick, laptop and paper
_CLAIMS: dict[str, tuple[Settings, tuple[int, int, int]]] = {
    "tetris_seed": (TETRIS, (150, 2500, 87_000)),
    "tetris_hyp": (TETRIS, (60, 1000, 87_000)),
    "digits_seed": ({}, (60, 900, 87_000)),
    "mnist_seed": ({}, (50, 900, 43_000)),
    **{f"digits_{seeds}_{mode}": ({}, (30, 250, 5000)) for seeds in (1, 5) for mode in ("fix", "rand")},
    "mnist_drawn": ({}, (30, 500, 20_000)),
}
_LENGTHS = {"quick": 0, "laptop": 1, "paper": 2}
# The thesis's read-out, without statistics of rows: with these an untrained encoder knows most, and views matter less.
_PLAIN: Settings = {"readout": "summary", "mix": 0.5, "statistics": False, "latent": 50}
_AUGMENTATIONS: dict[str, Settings] = {
    **{
        f"augment_{'perm' if permute else 'fixed'}_{'noise' if noise else 'clean'}_{'erase' if erase else 'whole'}": {
            "augment": Augment(permute="orbit" if permute else False, noise=noise, erase=erase)
        }
        for permute in (True, False)
        for noise in (0.0, 0.05)
        for erase in (0.0, 0.5)
    },
    "augment_contrast_only": {"mix": 1.0},
    "augment_reconstruction_only": {"mix": 0.0},
    "augment_positive_only": {"mix": 1.0, "contrast": "positive_intended"},
    "augment_positive_intended": {"contrast": "positive_intended"},
    "augment_positive_released": {"contrast": "positive_released"},
}
_ARCHITECTURES: dict[str, Settings] = {
    "arch_dense": {"encoding": "dense", "readout": "latent", "rate": 6e-3, "steps": (200, 5000, 87_000)},
    "arch_weight": {"encoding": "weight", "readout": "latent", "steps": (4, 80, 87_000)},
    "arch_weight_summary": {"encoding": "weight", "steps": (4, 80, 87_000)},
    "arch_neuron": {"readout": "latent"},
    "arch_neuron_summary": {},
}
_COMPRESSIONS: dict[str, Settings] = {
    f"compression_{latent}_{str(mix).replace('.', '')}": {"latent": latent, "mix": mix}
    for latent in (50, 33, 20)
    for mix in (1.0, 0.5, 0.0)
}
_OURS: dict[str, Settings] = {  # what our configuration owes to each of its parts
    "ours_as_is": {},
    "ours_without_statistics": {"statistics": False},
    "ours_summary_without_statistics": {"statistics": False, "readout": "summary", "latent": 95},
    "ours_one_epoch_per_model": {"per_model": None},
    "ours_erasing_and_view_as_target": {"augment": Augment(permute="orbit", erase=0.5, target="view")},
    "ours_erasing": {"augment": Augment(permute="orbit", erase=0.5)},
    "ours_large_positions": {"positions": 1.0},
    "ours_raw_scale": {"normalise": False},
}
_STEPS = (40, 800, 87_000)  # of an ablation
_THESIS_LIKE = _AUGMENTATIONS | _ARCHITECTURES | _COMPRESSIONS
ABLATIONS: dict[str, Settings] = {name: _PLAIN | change for name, change in _THESIS_LIKE.items()} | _OURS
# For reconstruction: one block on each side trains faster and rebuilds as well; 15 latents per token are 95 in all.
_REBUILD: Settings = {"mix": 0.02, "rate": 4e-3, "depth": 1}
_RECONSTRUCTIONS: dict[str, tuple[str, Settings, tuple[int, int, int]]] = {
    f"rebuild_{zoo}_{latent}": (zoo, _REBUILD | {"latent": latent}, steps)
    for zoo, sizes, steps in (
        ("tetris_seed", (8, 12, 15), (100, 3000, 50_000)),
        ("digits_seed", (8, 16, 24), (30, 500, 36_000)),
        ("mnist_seed", (16, 32, 64), (20, 400, 44_000)),
    )
    for latent in sizes
}


def names(family: str) -> list[str]:
    """Names of one family of recipes, by what they begin with ("augment", "arch", "compression", "ours", "rebuild")."""
    return [name for name in (*ABLATIONS, *_RECONSTRUCTIONS) if name.startswith(family + "_")]


def representation_recipe(name: str, profile: str) -> RepresentationRecipe:
    """The recipe of that name at that profile.

    `name` is a zoo of chapter 4 (our configuration), such a name with `-untrained`, one of `RELEASED`, or of `names`.
    Raises ValueError for unknown names and profiles.
    """
    which = _LENGTHS[check_profile(profile)]
    zoo, untrained = name.removesuffix("-untrained"), name.endswith("-untrained")
    if zoo in _CLAIMS:
        settings, steps = _CLAIMS[zoo]
        settings = settings | {"steps": 0 if untrained else steps[which]}
    elif name in RELEASED:
        zoo, settings, steps = RELEASED[name]
        settings = settings | {"steps": steps[which]}
    elif name in ABLATIONS:
        zoo, settings = "tetris_seed", TETRIS | ABLATIONS[name]
        settings = settings | {"steps": settings.get("steps", _STEPS)[which]}
    elif name in _RECONSTRUCTIONS:
        zoo, settings, steps = _RECONSTRUCTIONS[name]
        settings = (TETRIS if zoo == "tetris_seed" else {}) | settings | {"steps": steps[which]}
    else:
        known = [*_CLAIMS, *RELEASED, *ABLATIONS, *_RECONSTRUCTIONS]
        raise ValueError(f"There is no representation {name!r}; there are {', '.join(known)}.")
    if profile == "quick":
        settings = settings | {"validations": 4}  # each costs as much as some steps
    return RepresentationRecipe(name, zoo, profile, tuple(settings.items()))
