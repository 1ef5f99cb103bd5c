"""Every `Sane` of the book, as data: which zoos, which settings, how many steps at which profile.

*One zoo each*, *all CNN zoos at once*, and both untrained; *released*, the settings of the released code, and *text*,
those of the paper where it differs; *resnets*, which at `paper` have the sizes published for ResNet-18 (`resnets` those
of the text, `resnets-norms_tokens` those of the released code); *ablations*, one thing changed at a time. Zoos of one
activation are aligned beforehand, others are taken as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hyperlib.representations.augment import Augment
from hyperlib.representations.sane import Sane
from hyperlib.thesis.profiles import PROFILES, check_profile

Settings = dict[str, Any]
CNNS = ("digits_seed", "digits_hyp", "mnist_seed", "mnist_hyp", "photo_hyp", "rgb_large", "resnet_seed")



@dataclass(frozen=True)
class SaneRecipe:
    """One `Sane` at one profile: its zoos by name, and arguments, as pairs.

    aligned: whether networks of zoos with one activation are laid on one of them (see `study.aligned`), or the epochs
    at which they are. queries: what networks are asked while it learns from answers (see `study.queries`).
    """

    name: str
    zoos: tuple[str, ...]
    profile: str
    settings: tuple[tuple[str, Any], ...]
    aligned: bool | tuple[int, ...] = True
    queries: str = "images"

    def estimator(self, seed: int, device: str = "cpu") -> Sane:
        """The representation, not yet trained."""
        return Sane(seed=seed, device=device, **dict(self.settings))


def sane_recipe(name: str, profile: str) -> SaneRecipe:
    """The recipe of that name at that profile; ValueError for names not in `SANES`, and unknown profiles."""
    which = PROFILES.index(check_profile(profile))
    if name not in SANES:
        raise ValueError(f"There is no Sane {name!r}; there are {', '.join(SANES)}.")
    zoos, changes, steps, *aligned = SANES[name]
    zoos, changes = _AT_PAPER.get(name, (zoos, changes)) if profile == "paper" else (zoos, changes)
    zoos = tuple(zoo for zoo in zoos if profile != "quick" or zoo not in _NOT_QUICK or len(zoos) == 1)
    settings = changes | {"steps": steps[which]} | ({"validations": 4} if profile == "quick" else {})
    late = [_LATE[profile] if each is LATE else each for each in aligned]
    return SaneRecipe(f"sane_{name}", zoos, profile, tuple(settings.items()), *late)


# Of the released code for CNNs; the text has windows of 32 and 4 blocks, one view permuted, and no running statistics.
# Other than there: biases (theirs has none in blocks, norms and head), one deviation for all initial weights (theirs
# is smaller where a block adds to the stream), gradients of bounded length, a shorter rise of the rate.
RELEASED: Settings = {
    **{"token": 289, "window": 64, "latent": 128, "width": 1024, "depth": 8, "heads": 8, "hidden": 4096},
    **{"places": "tables", "tables": (100, 10, 40), "projection": (2, 30, 30), "start": 0.02},
    **{"augment": Augment(fixed_views=2, multiplicative=0.1, target="view"), "norms": "tokens", "padding": "counted"},
    **{"batch_size": 32, "rate": 1e-4, "weight_decay": 3e-9, "mix": 0.05},
}
TEXT: Settings = RELEASED | {
    **{"window": 32, "depth": 4, "norms": "left_out"},
    "augment": Augment(fixed_views=1, multiplicative=0.1, target="view"),
}
# For ResNets; the text leaves running statistics out, and has 8 heads beside 4, and windows of 512 beside 256.
RESNET: Settings = RELEASED | {
    **{"token": 288, "window": 256, "width": 2048, "heads": 16, "hidden": 8192, "tables": (55_000, 100, 550)},
}
RESNET_TEXT: Settings = RESNET | {"heads": 8, "norms": "left_out", "augment": TEXT["augment"]}
# Ours reads properties off the mean of tokens, so that is what the contrast sees; chosen in `study.sane_trials`.
OURS: Settings = {"latent": 64, "head": "mean", "mix": 0.3, "per_model": 8, "rate": 5e-3}
LATE = "late"  # aligned at the epochs that chapter 5 generates from
_LATE = {"quick": (2, 4, 6), "laptop": (5, 10, 15, 20, 25), "paper": (5, 10, 15, 20, 25)}
_NOT_QUICK = ("mnist_seed", "mnist_hyp", "photo_hyp", "rgb_large")  # left out of all zoos: minutes, or two models
_STEPS = (12, 600, 20_000)
_TETRIS = {"window": 16, "batch_size": 128}  # nine tokens
_ONE = {"tetris_seed": _TETRIS, "digits_seed": {}, "mnist_seed": {}}
_SMALL: Settings = {"mix": 0.05, "rate": 5e-3}  # of which the ablations change one thing
_SAMPLED: Settings = {"latent": 32, "mix": 0.05, "rate": 5e-3, "augment": Augment(permute=False, multiplicative=0.05)}
ALIGNMENT = {  # whether networks are aligned, and how many views are left as they are
    **{"not_aligned": (False, 0), "aligned_both_permuted": (True, 0), "aligned_one_permuted": (True, 1)},
    "aligned_both_given": (True, 2),
}


def _changed(**changes: Any) -> tuple:
    return ("digits_seed",), _SMALL | changes, (12, 300, 20_000)


_AT_PAPER: dict[str, tuple[tuple[str, ...], Settings]] = {  # for a cluster; small ResNets stand in elsewhere
    "resnets": (("resnet18",), RESNET_TEXT), "resnets-norms_tokens": (("resnet18",), RESNET),
}  # fmt: skip
SANES: dict[str, tuple] = {  # zoos, settings, steps at quick, laptop, paper, and how networks are laid
    **{zoo: ((zoo,), OURS | sizes, _STEPS) for zoo, sizes in _ONE.items()},
    "all": (CNNS, OURS | {"batch_size": 112}, (12, 1000, 20_000)),
    "untrained": (CNNS, OURS | {"batch_size": 112}, (0, 0, 0)),
    **{
        f"digits_seed-{name}": (*_changed(augment=Augment(fixed_views=fixed)), laid)
        for name, (laid, fixed) in ALIGNMENT.items()
    },
    **{f"digits_seed-token_{width}": _changed(token=width) for width in (16, 32)},
    "resnets": (("resnet_seed",), _SMALL, (12, 600, 1100)),
    "resnets-norms_tokens": (("resnet_seed",), _SMALL | {"norms": "tokens"}, (12, 600, 1100)),
    "mnist_seed-sampled": (("mnist_seed",), _SAMPLED, (20, 1500, 20_000), LATE),
    "mnist_seed-answers": (("mnist_seed",), _SAMPLED | {"behaviour": 1.0}, (10, 800, 20_000), LATE),
    "cnn-released": (("mnist_seed",), RELEASED, (0, 1, 1100)),
    "cnn-text": (("mnist_seed",), TEXT, (0, 1, 1100)),
}
