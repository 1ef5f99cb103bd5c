"""Every `Sane` of the book, as data: which zoos, which settings, how many steps at which profile.

*One zoo each*, *all CNN zoos at once*, and both untrained; *released*, the settings of the released code, and *paper*,
those of the text where it differs; *ablations*, one thing changed at a time. Zoos of one activation are aligned
beforehand, others are taken as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hyperlib.representations.augment import Augment
from hyperlib.representations.sane import Sane

Settings = dict[str, Any]
CNNS = ("digits_seed", "digits_hyp", "mnist_seed", "mnist_hyp", "photo_hyp", "rgb_large", "resnet_seed")


@dataclass(frozen=True)
class SaneRecipe:
    """One `Sane` at one profile: its zoos by name, and arguments, as pairs.

    aligned: whether networks of zoos with one activation are laid on one of them (see `study.aligned`).
    """

    name: str
    zoos: tuple[str, ...]
    profile: str
    settings: tuple[tuple[str, Any], ...]
    aligned: bool = True

    def estimator(self, seed: int, device: str = "cpu") -> Sane:
        """The representation, not yet trained."""
        return Sane(seed=seed, device=device, **dict(self.settings))


# Of the released code for CNNs; the text has windows of 32 and 4 blocks, one view permuted, and no running statistics.
RELEASED: Settings = {
    **{"token": 289, "window": 64, "latent": 128, "width": 1024, "depth": 8, "heads": 8, "hidden": 4096},
    **{"places": "tables", "tables": (100, 10, 40), "projection": (2, 30, 30), "start": 0.02, "dropout": 0.1},
    **{"augment": Augment(fixed_views=2, multiplicative=0.1), "norms": "tokens", "padding": "counted"},
    **{"batch_size": 32, "rate": 1e-4, "weight_decay": 3e-9, "mix": 0.05},
}
PAPER: Settings = RELEASED | {
    **{"window": 32, "depth": 4, "norms": "left_out", "padding": "counted"},
    "augment": Augment(fixed_views=1, multiplicative=0.1),
}
