"""How sparse twins are made for the book: of how many models, and what was tried.

From the zoos' released script (*seen*): epochs, kappa, threshold, first log variance; see `zoos.engines.variational`.
Our choices: everything here. With fewer steps per epoch than the thesis has (5,000 on MNIST), log variances need a
larger rate to come as far; which of three rates sheds weights at the published pace is measured on the page.
"""

from __future__ import annotations

from dataclasses import dataclass

from hyperlib.thesis.profiles import PROFILES, check_profile


@dataclass(frozen=True)
class TwinRecipe:
    """models: of the zoo, the first so many; without, those of its test part. rate: Adam's, of log variances.

    tried: rates to compare, on so many models. strengths: what multiplies the released weight of the divergence, from
    little to much sparsity.
    """

    rate: float
    models: int | None = None
    tried: tuple[float, ...] = ()
    tried_on: int = 0
    strengths: tuple[float, ...] = (1.0,)


_SWEEP = (0.3, 1.0, 1.7, 2.3, 3.0)
_TRIED = (0.003, 0.01, 0.03)
_RECIPES = {
    ("mnist_seed", "quick"): TwinRecipe(0.01, 4, _TRIED, 2),
    ("mnist_seed", "laptop"): TwinRecipe(0.01, 60, _TRIED, 8),
    ("mnist_seed", "paper"): TwinRecipe(2.5e-4, 1000, (7.5e-5, 2.5e-4, 7.5e-4), 20),
    **{("digits_seed", profile): TwinRecipe(0.01, strengths=_SWEEP) for profile in ("laptop", "paper")},
    ("digits_seed", "quick"): TwinRecipe(0.01, strengths=(0.3, 1.0, 3.0)),
    **{("digits_hyp", profile): TwinRecipe(0.01) for profile in PROFILES},
}


def twin_recipe(zoo: str, profile: str) -> TwinRecipe:
    """The recipe for a zoo's twins. Raises ValueError where the book makes none."""
    if (zoo, check_profile(profile)) not in _RECIPES:
        zoos = ", ".join(sorted({of for of, _ in _RECIPES}))
        raise ValueError(f"The book makes no twins of {zoo}; it does of {zoos}.")
    return _RECIPES[zoo, profile]
