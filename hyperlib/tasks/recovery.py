"""How often alignment finds a permutation that was hidden in a network.

A network and its permuted copy have an exact answer, so success is plain: every unit back in its place. Plain networks
are easy, since the first layer reads inputs with fixed places. The hard case is a residual stream that only its own
blocks tell about: stream and inner units must be found together, and descent can stop at a wrong pair of orders.

Source: our choice, after the coupled groups of residual networks in Ainsworth et al. (2023).
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.weightspace.alignment import align
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.layers import Activation, Add, Flatten, Linear
from hyperlib.weightspace.symmetry import permutation_index, random_permutations
from hyperlib.weightspace.values import generator


def coupled_residual(stream: int, inner: int) -> Architecture:
    """A residual stream of width `stream` with two blocks whose inner width is `inner`, tanh, one input, one class."""
    blocks = [
        layer
        for number in (1, 2)
        for layer in (
            Activation(f"stream{number}"),
            Linear(f"block{number}.down", width=inner),
            Activation(),
            Linear(f"block{number}.up", units="stream", width=stream),
            Add(f"sum{number}", other=f"stream{number}"),
        )
    ]
    stem = (Flatten(), Linear("stem", units="stream", width=stream))
    head = Linear("head", units="classes", width=1)
    return Architecture(f"coupled_residual_{stream}_{inner}", (1, 1, 1), (*stem, *blocks, head))


def blocks_only(architecture: Architecture, models: int, seed: int) -> Float[Tensor, "models params"]:
    """Standard-normal weights and biases in the blocks; stem and head are zero, so only blocks tell units apart."""
    weights = torch.randn(models, architecture.layout.size, generator=generator(seed))
    for slot in architecture.slots:
        if slot.layer in ("stem", "head"):
            weights[:, slot.start : slot.stop] = 0
    return weights


def planted_recovery(
    widths: Sequence[tuple[int, int]], *, restarts: Sequence[int] = (1, 10), trials: int = 100, seed: int = 0
) -> pd.DataFrame:
    """Share of planted permutations that alignment finds exactly, per pair of widths (stream, inner) and starts.

    Every trial draws weights, a permutation of all units and the order of descent of its own. Columns: `stream`,
    `inner`, `restarts`, `trials`, `found` (a fraction).
    """
    rows = []
    for stream, inner in widths:
        network = coupled_residual(stream, inner)
        weights = blocks_only(network, trials, seed)
        orders = random_permutations(network, trials, generator(seed + 1))
        moved = weights.gather(-1, permutation_index(network, orders))
        for starts in restarts:
            found = [
                bool(align(network, one, other[None], restarts=starts, seed=seed + trial).distance[0] == 0)
                for trial, (one, other) in enumerate(zip(weights, moved, strict=True))
            ]
            share = sum(found) / trials
            rows.append({"stream": stream, "inner": inner, "restarts": starts, "trials": trials, "found": share})
    return pd.DataFrame(rows)
