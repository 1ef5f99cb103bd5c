"""The representations that networks are generated from, as data: chapter 5's, beside those of `book_representations`.

All learn from aligned networks of the zoo's later epochs. The loss of the thesis is there without and with its
normalisation by layers, and with it once more at the rate of the one without. The others add the loss of answers, in
both readings, and change one thing at a time: how many latents, how much answers weigh, what is asked, or which network
is the target.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hyperlib.representations.augment import Augment
from hyperlib.thesis.book_representations import RepresentationRecipe
from hyperlib.thesis.profiles import PROFILES, check_profile

Settings = dict[str, Any]
_VIEWS = Augment(permute=False, noise=0.05)  # networks are aligned, so their units keep their places
_SHARED: Settings = {  # our choice; the contrast has the share that SANE's configurations have
    **{"latent": 64, "depth": 1, "rate": 4e-3, "mix": 0.05, "batch_size": 32, "per_model": None, "validations": 10},
    "augment": _VIEWS,
}
_ANSWERS: Settings = {"behaviour": 1.0}
GENERATORS: dict[str, tuple[Settings, str]] = {  # changes, and what networks are asked
    "weights": ({"normalise": False, "rate": 1e-3}, "images"),
    "layers": ({}, "images"),
    "layers_slow": ({"rate": 1e-3}, "images"),
    "answers": (_ANSWERS, "images"),
    "answers_released": ({"behaviour": 9.0, "divergence": "squares"}, "images"),
    "answers_4": (_ANSWERS | {"latent": 4}, "images"),
    "answers_disturbed": (_ANSWERS, "disturbed"),
    "answers_half": ({"behaviour": 0.5}, "images"),
    "answers_noise": (_ANSWERS, "noise"),
    "answers_other": (_ANSWERS, "photo_hyp"),
    "answers_elsewhere": (_ANSWERS | {"augment": replace(_VIEWS, target="other")}, "images"),
}
_STEPS = {"mnist_seed": (40, 2400, 20_000), "tetris_positive": (100, 2000, 20_000)}
_LATE = {"quick": (2, 4, 6), "laptop": (5, 10, 15, 20, 25), "paper": (5, 10, 15, 20, 25)}


def generator_recipe(name: str, profile: str, zoo: str = "mnist_seed") -> RepresentationRecipe:
    """The recipe of that name at that profile; ValueError for unknown names, profiles, and zoos without generators."""
    which = PROFILES.index(check_profile(profile))
    if zoo not in _STEPS:
        raise ValueError(f"There are no generators for the zoo {zoo!r}; there are some for {', '.join(_STEPS)}.")
    if name not in GENERATORS:
        raise ValueError(f"There is no generator {name!r}; there are {', '.join(GENERATORS)}.")
    changes, queries = GENERATORS[name]
    settings = _SHARED | changes | {"steps": _STEPS[zoo][which]}
    return RepresentationRecipe(f"{zoo}-{name}", zoo, profile, tuple(settings.items()), _LATE[profile], queries)
