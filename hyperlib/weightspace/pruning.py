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
    """The prunable tensors, in the order of the weight vector: of an `Architecture` the weights of its convolutions
    and linear layers, of a traced module its learned tensors with two axes or more."""
    if isinstance(architecture, Architecture):
        named = {f"{step.layer.name}.weight" for step in architecture.steps if isinstance(step.layer, Conv | Linear)}
        return tuple(slot for slot in architecture.slots if slot.name in named)
    return tuple(slot for slot in architecture.slots if slot.learned and len(slot.shape) > 1)


def prunable(architecture: BaseArchitecture, *slots: Slot) -> Bool[Tensor, " params"]:
    """Which places of the weight vector can be pruned, in all prunable tensors or in those given."""
    places = torch.zeros(architecture.layout.size, dtype=torch.bool)
    for slot in slots or prunable_slots(architecture):
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

    ratio: one for all models, one for each, or with within="layer" one for each layer of each, in the order of
    `layer_sparsity`'s columns; rounded to whole weights. within: whether sizes are compared in the whole "network" or
    in each "layer", which then loses this share. by: "random" takes any instead of the smallest, for comparison; row k
    then depends on `seed` and k alone. Whole layers may go. Works on traced modules (`hyperlib.from_module`) as well.

    Raises ValueError for a share outside of 0 to 1, for as many shares as there are no models or layers, for weights
    that are not finite and for names that there are not; TypeError for what is no network, matrix of weights or number.
    """
    if not isinstance(architecture, BaseArchitecture):
        raise TypeError(f"What is pruned is a network's weights: pass the network first, not a {_kind(architecture)}.")
    if hasattr(weights, "architecture"):
        raise TypeError(f"A {_kind(weights)} has many epochs; pass the weights of one, as zoo.weights[:, -1].")
    architecture.layout.check(weights, architecture.name)
    if weights.ndim != 2:
        raise ValueError(f"Weights have a row per model here (models, params), not the shape {tuple(weights.shape)}.")
    for name, value, known in (("within", within, SCOPES), ("by", by, SCORES)):
        if value not in known:
            raise ValueError(f"{name} is {' or '.join(map(repr, known))}, not {value!r}.")
    if not bool(torch.isfinite(weights).all()):
        raise ValueError("Some of these models have weights that are not finite; leave diverged models out.")
    slots = prunable_slots(architecture)
    places = [prunable(architecture)] if within == "network" else [prunable(architecture, slot) for slot in slots]
    scores = weights.abs()
    if by == "random":
        scores = uniform(key(list(range(len(weights))), seed), weights.shape[1])
    result = weights.clone()
    for part, share in zip(places, _shares(ratio, len(weights), len(places)).T, strict=True):
        ranks = scores[:, part].argsort(dim=1, stable=True).argsort(dim=1)
        lost = (share * int(part.sum())).round()
        result[:, part] = result[:, part].masked_fill(ranks < lost[:, None], 0)
    return result


def _shares(ratio: object, models: int, layers: int) -> Float[Tensor, "models layers"]:
    try:
        shares = as_tensor(ratio, torch.float64)
    except (TypeError, ValueError, RuntimeError):
        said = f"The share of weights to prune is a number from 0 to 1, or one per model, not {ratio!r}."
        raise TypeError(said) from None
    if tuple(shares.shape) not in ((), (models,), (models, layers)):
        per_layer = f", or for each of their {layers} layers: ({models}, {layers})" if layers > 1 else ""
        raise ValueError(
            f"Shares to prune are one number, or one for each of the {models} models{per_layer}; these have the shape "
            f"{tuple(shares.shape)}."
        )
    if bool((bad := ~((shares >= 0) & (shares <= 1))).any()):
        raise ValueError(f"The share of weights to prune lies between 0 and 1, and this is {float(shares[bad][0]):g}.")
    return (shares if shares.ndim > 1 else shares.unsqueeze(-1)).expand(models, layers)


def _kind(value: object) -> str:
    return type(value).__name__


def sparsity(architecture: BaseArchitecture, weights: Float[Tensor, "... params"]) -> Float[Tensor, "..."]:
    """Share of the prunable weights that are zero; NaN for a model with weights that are not finite."""
    return _zeros(weights[..., prunable(architecture)])


def layer_sparsity(architecture: BaseArchitecture, weights: Float[Tensor, "models params"]) -> pd.DataFrame:
    """The same of each tensor by itself: one row per model, one column per layer, in the network's order."""
    slots = prunable_slots(architecture)
    return pd.DataFrame({s.layer or s.name: _zeros(weights[:, s.start : s.stop]).numpy() for s in slots})


def _zeros(weights: Float[Tensor, "... some"]) -> Float[Tensor, "..."]:
    share = (weights == 0).double().mean(-1)
    return share.masked_fill(~torch.isfinite(weights).all(-1), torch.nan)
