"""Every hyper-representation of the book, as data: which zoo, which settings, how many steps at which profile.

*Claims*: our configuration on every zoo of chapter 4, which reads weights and no statistics made by hand, and the same
encoder untrained. *Thesis*: the released configuration, for as long as fits. *Ablations*: one setting changed at a
time, all with the same budget of about half a minute of one core (steps differ where a step costs more or less).
*Reconstructions*: what so many latents can rebuild. Lengths are steps, so that a run can be repeated exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

from hyperlib.representations.augment import Augment
from hyperlib.representations.hyper_rep import HyperRep
from hyperlib.thesis.profiles import PROFILES, check_profile
from hyperlib.thesis.recipes import zoo_recipe

Settings = dict[str, Any]
Trained = tuple[str, Settings, tuple[int, int, int]]  # zoo; arguments of `HyperRep`; steps at quick, laptop, paper


@dataclass(frozen=True)
class RepresentationRecipe:
    """One representation at one profile: a zoo by name, and arguments of `HyperRep`, as pairs.

    aligned: the epochs of which it learns, with all networks laid on the first one (see `study.aligned`); without, it
    learns from evenly spaced epochs of networks as they are. queries: what networks are asked while it learns from
    answers (see `study.queries`).
    """

    name: str
    zoo: str
    profile: str
    settings: tuple[tuple[str, Any], ...]
    aligned: tuple[int, ...] | None = None
    queries: str = "images"

    @property
    def zoos(self) -> tuple[str]:
        """The zoo alone, as recipes of several have them."""
        return (self.zoo,)

    def estimator(self, seed: int, device: str = "cpu") -> HyperRep:
        """The representation, not yet trained."""
        architecture = zoo_recipe(self.zoo, self.profile).architecture
        return HyperRep(architecture, seed=seed, device=device, **dict(self.settings))


def names(family: str) -> list[str]:
    """Names of one family of recipes, by what they begin with ("augment", "arch", "compression", "ours", "rebuild")."""
    return [name for name in REPRESENTATIONS if name.startswith(family + "_")]


def learned_inputs(zoo: str, profile: str) -> Settings:
    """How answers to learned inputs are asked for, in a zoo of that name: arguments of `Probing`.

    On images of 28 x 28 a step costs ten times as much, so fewer inputs are learned there, in smaller batches.
    """
    large = zoo.startswith(("mnist", "photo"))
    settings = {"probes": 32, "batch_size": 32, "steps": 120} if large else {"probes": 64}
    return settings | ({"steps": 20, "probes": 16} if check_profile(profile) == "quick" else {})


def representation_recipe(name: str, profile: str) -> RepresentationRecipe:
    """The recipe of that name at that profile; ValueError for names not in `REPRESENTATIONS`, and unknown profiles."""
    which = PROFILES.index(check_profile(profile))
    if name not in REPRESENTATIONS:
        raise ValueError(f"There is no representation {name!r}; there are {', '.join(REPRESENTATIONS)}.")
    zoo, changes, steps = REPRESENTATIONS[name]
    settings = (_TETRIS if zoo.startswith("tetris") else {}) | changes | {"steps": steps[which]}
    if profile == "quick":
        settings |= {"validations": 4}  # each costs as much as some steps
    return RepresentationRecipe(name, zoo, profile, tuple(settings.items()))


_TETRIS: Settings = {"latent": 15, "mix": 0.1, "augment": Augment(permute="orbit")}  # of all 120 orders, faster
_SHALLOW: Settings = {"depth": 1}  # on CNNs half the cost of a step, for twice as many steps
_CLAIMS = {
    **dict.fromkeys(("tetris_seed", "tetris_positive", "tetris_hyp"), ({}, (40, 1000, 87_000))),
    **dict.fromkeys(("digits_seed", "digits_hyp"), (_SHALLOW, (15, 800, 87_000))),
    **dict.fromkeys(("mnist_seed", "mnist_hyp"), (_SHALLOW, (10, 600, 43_000))),
    "photo_hyp": (_SHALLOW, (10, 150, 43_000)),  # as written down before it was grown
    **{f"digits_{seeds}_{mode}": (_SHALLOW, (10, 600, 5000)) for seeds in (1, 5) for mode in ("fix", "rand")},
    "mnist_drawn": (_SHALLOW, (10, 600, 20_000)),
}
_AS_THE_THESIS = {  # steps: 5 of them take as long on a CNN as 40 on a Tetris network
    **dict.fromkeys(("tetris_seed", "tetris_positive", "tetris_hyp"), (1, 40, 22_200)),
    **dict.fromkeys(("digits_seed", "digits_hyp", "mnist_seed", "mnist_hyp", "photo_hyp"), (1, 5, 11_000)),
}
# The released configurations. Their rate, 1e-4, was tuned for hundreds of epochs; ours is higher, for less training.
_VIEWS, _ORBIT_VIEWS = (Augment(permute=permute, erase=0.5, target="view") for permute in (True, "orbit"))
_RELEASED: Settings = {
    **{"readout": "summary", "heads": 4, "dropout": 0.1, "normalise": False, "positions": 1.0},
    **{"per_model": None, "batch_size": 500, "weight_decay": 1e-9, "rate": 3e-4},
}
_TETRIS_SIZES: Settings = {"latent": 50, "width": 256, "hidden": 512, "mix": 0.5, "projection": (3, 50, 20)}
_THESIS = _RELEASED | _TETRIS_SIZES
_MNIST_SIZES: Settings = {"latent": 700, "width": 800, "hidden": 900, "mix": 0.1, "projection": (4, 400, 50)}
_PLAIN: Settings = {"readout": "summary", "mix": 0.5, "latent": 50}  # the thesis's read-out
_ABLATIONS: dict[str, Settings] = {
    **{
        f"augment_{'perm' if permute else 'fixed'}_{'noise' if noise else 'clean'}_{'erase' if erase else 'whole'}": {
            "augment": Augment(permute=permute, noise=noise, erase=erase)
        }
        for permute, noise, erase in product(("orbit", False), (0.0, 0.05), (0.0, 0.5))
    },
    "augment_contrast_only": {"mix": 1.0},
    "augment_reconstruction_only": {"mix": 0.0},
    "augment_positive_only": {"mix": 1.0, "contrast": "positive_intended"},
    "augment_positive_intended": {"contrast": "positive_intended"},
    "augment_positive_released": {"contrast": "positive_released"},
    "arch_dense": {"encoding": "dense", "readout": "latent", "rate": 6e-3},
    "arch_weight": {"encoding": "weight", "readout": "latent"},
    "arch_weight_summary": {"encoding": "weight"},
    "arch_neuron": {"readout": "latent"},
    "arch_neuron_summary": {},
    **{f"compression_{n}_{10 * mix:02.0f}": {"latent": n, "mix": mix} for n in (50, 20) for mix in (1.0, 0.5, 0.0)},
}
_CHANGES: dict[str, Settings] = {  # of our configuration, whose parts they ask about
    "ours_as_is": {},
    "ours_with_statistics": {"statistics": True},
    "ours_summary": {"readout": "summary", "latent": 95},
    "ours_one_epoch_per_model": {"per_model": None},
    "ours_erasing_and_view_as_target": {"augment": _ORBIT_VIEWS},
    "ours_erasing": {"augment": Augment(permute="orbit", erase=0.5)},
    "ours_large_positions": {"positions": 1.0},
    "ours_raw_scale": {"normalise": False},
}
_STEPS = {"arch_dense": (200, 5000, 87_000)} | dict.fromkeys(("arch_weight", "arch_weight_summary"), (4, 80, 87_000))
# For reconstruction: one block on each side trains faster and rebuilds as well; 15 latents per token are 95 in all.
_REBUILD: Settings = {"mix": 0.02, "rate": 4e-3, "depth": 1, "statistics": True}


def _views(zoo: str) -> Settings:
    return {"augment": _ORBIT_VIEWS if zoo.startswith("tetris") else _VIEWS}


_REBUILT = {  # latents, and steps
    "tetris_seed": ((12, 15), (100, 3000, 50_000)),
    "digits_seed": ((16, 24), (30, 500, 36_000)),
    "mnist_seed": ((32, 64), (20, 400, 44_000)),
}
_PARTS = {name: _PLAIN | changes for name, changes in _ABLATIONS.items()}
_PARTS |= _CHANGES
REPRESENTATIONS: dict[str, Trained] = {
    **{zoo: (zoo, settings, steps) for zoo, (settings, steps) in _CLAIMS.items()},
    **{f"{zoo}-untrained": (zoo, settings, (0, 0, 0)) for zoo, (settings, _) in _CLAIMS.items()},
    # at paper: 990 and 490 epochs, as published
    **{f"{zoo}-thesis": (zoo, _THESIS | _views(zoo), steps) for zoo, steps in _AS_THE_THESIS.items()},
    "released_mnist": ("mnist_seed", _RELEASED | _MNIST_SIZES | {"augment": _VIEWS}, (1, 2, 11_000)),
    **{name: ("tetris_seed", changes, _STEPS.get(name, (40, 800, 87_000))) for name, changes in _PARTS.items()},
    **{
        f"rebuild_{zoo}_{latent}": (zoo, _REBUILD | {"latent": latent}, steps)
        for zoo, (sizes, steps) in _REBUILT.items()
        for latent in sizes
    },
}
