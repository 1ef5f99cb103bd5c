"""Which weights a network can lose, and how many it has lost. A pruned weight is a zero.

So a sparse network has the form of any other: its mask is where its weights are zero. Prunable are the weights of
convolutions and linear layers, not biases and what belongs to norms. The same for every method; which weights the
released code prunes by size was not found. Our choice.
"""

from __future__ import annotations

import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.base import BaseArchitecture
from hyperlib.weightspace.layers import Conv, Linear
from hyperlib.weightspace.layout import Slot
from hyperlib.weightspace.randomness import key, uniform
from hyperlib.weightspace.values import as_tensor

SCOPES, SCORES = ("network", "layer"), ("size", "random")


def prunable_slots(architecture: BaseArchitecture) -> tuple[Slot, ...]:
    """The tensors that can be pruned, in their order: of a traced module its learned ones with two axes or more."""
    if isinstance(architecture, Architecture):
        named = {f"{step.layer.name}.weight" for step in architecture.steps if isinstance(step.layer, Conv | Linear)}
        return tuple(slot for slot in architecture.slots if slot.name in named)
    return tuple(slot for slot in architecture.slots if slot.learned and len(slot.shape) > 1)


def prunable(architecture: BaseArchitecture) -> Bool[Tensor, " params"]:
    """Which places of the weight vector can be pruned."""
    places = torch.zeros(architecture.layout.size, dtype=torch.bool)
    for slot in prunable_slots(architecture):
        places[slot.start : slot.stop] = True
    return places


def pruned(
    architecture: BaseArchitecture,
    weights: Float[Tensor, "models params"],
    ratio: float | Float[Tensor, " models"] | Float[Tensor, "models layers"],
    *,
    within: str = "network",
    by: str = "size",
    seed: int = 0,
) -> Float[Tensor, "models params"]:
    """The weights with the given share of the prunable ones set to zero, those of the smallest size.

    ratio: one for all models, one for each, or with within="layer" one for each layer of each; rounded to whole
    weights. within: whether sizes are compared in the whole "network" or in each "layer", which then loses this share.
    by: "random" takes any instead of the smallest, for comparison; row k then depends on `seed` and k alone. Whole
    layers may go. Raises ValueError for a share outside of 0 to 1, for weights that are not finite and for names that
    there are not.
    """
    architecture.layout.check(weights, architecture.name)
    slots = prunable_slots(architecture)
    places = [prunable(architecture)] if within == "network" else [_of_slot(architecture, slot) for slot in slots]
    shares = as_tensor(ratio, torch.float64)
    shares = (shares if shares.ndim > 1 else shares.unsqueeze(-1)).expand(len(weights), len(places))
    if not bool(((shares >= 0) & (shares <= 1)).all()):
        raise ValueError(
            "The share of weights to prune lies between 0 and 1; it is not a number where a model diverged."
        )
    if within not in SCOPES or by not in SCORES:
        raise ValueError(f"Prune within {' or '.join(SCOPES)}, by {' or '.join(SCORES)}, not within {within} by {by}.")
    if not bool(torch.isfinite(weights).all()):
        raise ValueError("Some of these models have weights that are not finite; leave diverged models out.")
    scores = weights.abs()
    if by == "random":
        scores = uniform(key(list(range(len(weights))), seed), weights.shape[1])
    result = weights.clone()
    for part, share in zip(places, shares.T, strict=True):
        ranks = scores[:, part].argsort(dim=1, stable=True).argsort(dim=1)
        lost = (share * int(part.sum())).round()
        result[:, part] = result[:, part].masked_fill(ranks < lost[:, None], 0)
    return result


def sparsity(architecture: BaseArchitecture, weights: Float[Tensor, "... params"]) -> Float[Tensor, "..."]:
    """Share of the prunable weights that are zero; NaN for a model with weights that are not finite."""
    return _zeros(weights[..., prunable(architecture)])


def layer_sparsity(architecture: BaseArchitecture, weights: Float[Tensor, "models params"]) -> pd.DataFrame:
    """The same of each tensor by itself: one row per model, one column per layer, in the network's order."""
    slots = prunable_slots(architecture)
    return pd.DataFrame({s.layer or s.name: _zeros(weights[:, s.start : s.stop]).numpy() for s in slots})


def _of_slot(architecture: BaseArchitecture, slot: Slot) -> Bool[Tensor, " params"]:
    places = torch.zeros(architecture.layout.size, dtype=torch.bool)
    places[slot.start : slot.stop] = True
    return places


def _zeros(weights: Float[Tensor, "... some"]) -> Float[Tensor, "..."]:
    share = (weights == 0).double().mean(-1)
    return share.masked_fill(~torch.isfinite(weights).all(-1), torch.nan)
