"""What every recipe at its published size would cost on one graphics card: arithmetic from counted operations.

Operations are those of convolutions, linear layers and attention, forward and backward; a card does a share of its peak
of them. Zoos are trained in float32, representations in bfloat16. The share is the one that a committed run of `make
gpu` measured, of the setting whose network is nearest in work per image; without such a run it is assumed, and said to
be. No step of a representation is taken to be shorter than one that was measured. Making views, reading files and
evaluating probes are not counted. Source: the count of Kaplan et al. (2020) for `Sane`; all else is our choice.
"""

from __future__ import annotations

import math

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from hyperlib.representations.hyper_rep import HyperRep
from hyperlib.thesis import sane_cost
from hyperlib.thesis.book_representations import REPRESENTATIONS, representation_recipe
from hyperlib.thesis.book_sane import SANES, sane_recipe
from hyperlib.thesis.estimate import recipe_names
from hyperlib.thesis.recipes import zoo_recipe
from hyperlib.thesis.whole_cost import PEAK, operations
from hyperlib.thesis.zoo_recipe import ZooRecipe
from hyperlib.weightspace.architectures import architecture
from hyperlib.weightspace.work import multiply_adds

PROFILE = "paper"
MEASURED = {  # settings of the benchmark by the architecture that they train
    "Tetris MLP": "tetris_mlp", "digits CNN 8x8": "digits_cnn", "small CNN 28x28": "small_cnn_1ch",
    "large CNN 32x32x3": "large_cnn_3ch",
}  # fmt: skip

_SIZES = ("latent", "width", "depth", "heads", "hidden", "encoding", "readout", "projection", "statistics")


def card_costs(shortest: float, rates: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row per recipe at `paper`: `kind` (zoo, representation), `name`, `operations`, `share` of the peak, whether
    that was `measured`, and `minutes`.

    shortest: milliseconds of the shortest step that was measured on a card. rates: the table `rates` of `make gpu`.
    """
    shares = measured_shares(rates)
    rows = [_zoo(zoo_recipe(name, profile), shares) for name, profile in recipe_names() if profile == PROFILE]
    counted: dict[str, int] = {}  # by size, which many recipes share
    for name in REPRESENTATIONS:
        rep = representation_recipe(name, PROFILE).estimator(0)
        size = repr([rep.architecture.name, rep.batch_size, rep.mix < 1, *(getattr(rep, part) for part in _SIZES)])
        if size not in counted:
            counted[size] = step_operations(rep)
        rows.append(_learned(name, rep.steps, counted[size], shortest))
    for name in SANES:
        sane = sane_recipe(name, PROFILE).estimator(0)
        rows.append(_learned(f"SANE {name}", sane.steps, sane_cost.step_cost(sane)["operations"], shortest))
    return pd.DataFrame(rows)


def measured_shares(rates: pd.DataFrame | None) -> dict[float, float]:
    """The share of the peak that zoos reach, by multiply-adds per image; empty without a run on a card."""
    if rates is None:
        return {}
    best = rates.loc[rates.groupby("network")["per_s"].idxmax()]
    found = {}
    for row in best[best["network"].isin(MEASURED)].itertuples():
        work = multiply_adds(architecture(MEASURED[row.network])).training
        found[float(work)] = 2 * work * row.images * row.per_s / PEAK
    return found


def step_operations(rep: HyperRep) -> int:
    """Operations of a training step's matrix products: two views through the network, forward and backward."""
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counted:
        rep.build(None)
        encoded = rep.network_.encode(torch.empty(2 * rep.batch_size, rep.architecture.layout.size))
        rep.head_(encoded.embedding)
        if rep.mix < 1:
            rep.network_.decode(encoded.latents)
    return 3 * counted.get_total_flops()


def _zoo(recipe: ZooRecipe, shares: dict[float, float]) -> dict[str, object]:
    work = multiply_adds(recipe.architecture).training
    near = min(shares, key=lambda known: abs(math.log(known / work)), default=None)
    share = sane_cost.SHARE if near is None else shares[near]
    every = operations(recipe)
    about = {"kind": "zoo", "name": recipe.name, "operations": every, "share": share, "measured": near is not None}
    return about | {"minutes": every / (share * PEAK) / 60}


def _learned(name: str, steps: int, each: int, shortest: float) -> dict[str, object]:
    about = {"kind": "representation", "name": name, "operations": steps * each, "share": sane_cost.SHARE}
    return about | {"measured": False, "minutes": steps * sane_cost.step_milliseconds(each, shortest) / 6e4}
