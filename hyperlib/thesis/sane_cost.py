"""What training a `Sane` costs on one GPU, from its size: an estimate, by arithmetic.

A step passes two views of every window through encoder and decoder; each weight of these costs a multiplication and an
addition per token forward, and twice as much backward. Attention comes on top. Small networks wait for launches, so no
step is taken to be shorter than the small ones that were measured.

Source: the usual count of 6 operations per weight and token (Kaplan et al. 2020, arXiv:2001.08361, section 2.1).
"""

from __future__ import annotations

import pandas as pd
import torch
from torch import nn

from hyperlib.representations.sane import Sane
from hyperlib.thesis.book_sane import sane_recipe

PEAK = 989e12  # operations per second of an H100 (SXM) in bfloat16, dense: its data sheet
SHARE = 0.07  # of the peak that is reached; an assumption, since no such run is recorded
RECIPES = {
    **{"cnn-released": "CNNs, released code", "cnn-text": "CNNs, text"},
    **{"resnets-norms_tokens": "ResNets, released code", "resnets": "ResNets, text", "all": "ours, all zoos"},
}


def step_cost(sane: Sane) -> dict[str, int]:
    """`parameters` (all, head included), `tokens` of a step and its `operations` in matrix products."""
    with torch.device("meta"):
        sane.build()
    network = sane.network_
    tokens = 2 * sane.batch_size * sane.window
    used = sum(one.numel() for part in network.modules() if not isinstance(part, nn.Embedding)
               for name, one in part.named_parameters(recurse=False) if name.startswith("weight"))  # fmt: skip
    attention = 2 * sane.depth * 2 * sane.width * sane.window  # scores and their sums over values, per token, both ways
    head = sum(one.numel() for one in sane.head_.parameters())
    return {
        "parameters": sum(one.numel() for one in network.parameters()) + head,
        "tokens": tokens,
        "operations": 6 * (tokens * (used + attention) + 2 * sane.batch_size * head),
    }


def step_milliseconds(operations: float, shortest: float) -> float:
    """Milliseconds of a step of so many operations at `SHARE` of the peak, not below `shortest`."""
    return max(1000 * operations / (SHARE * PEAK), shortest)


def cost_table(shortest: float, profile: str = "paper") -> pd.DataFrame:
    """The cost of every size in `RECIPES`, one row each: as `step_cost`, with `milliseconds` of a step on one H100 at
    `SHARE` of its peak, not below `shortest`, the recipe's `steps`, `minutes` of all, and `gigabytes` of parameters,
    gradients and moments in float32."""
    rows = []
    for name, words in RECIPES.items():
        sane = sane_recipe(name, profile).estimator(0)
        cost = step_cost(sane)
        step = step_milliseconds(cost["operations"], shortest)
        memory = {"gigabytes": 16e-9 * cost["parameters"]}
        taken = {"milliseconds": step, "steps": sane.steps, "minutes": sane.steps * step / 6e4}
        rows.append({"sizes": words} | cost | taken | memory)
    return pd.DataFrame(rows)
