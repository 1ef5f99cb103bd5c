"""Finding the permutation that lays one network on another.

Two networks that were trained apart number their units differently. Alignment looks for the order of units (and, if
asked, their signs) in which a network is most like a reference: nearest in its weights, or with units that answer
alike. A whole population is aligned at once, on all cores.

Source: weight and activation matching after Ainsworth et al. (2023), the latter by correlation as in Li et al. (2016).
Restarts and signs are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from os import cpu_count

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.weightspace.activation_matching import match_activations
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.symmetry import refuse_tied, unchecked_factors, unchecked_index
from hyperlib.weightspace.units import UnitStructure, unit_structure
from hyperlib.weightspace.values import usual_precision
from hyperlib.weightspace.weight_matching import Match, WeightMatching

METHODS = ("weights", "activations")
_CHUNK = 2**24  # float64 numbers of the networks that are aligned at once; our choice


@dataclass(frozen=True)
class Alignment:
    """Networks moved to where they are most like the reference, each still the same function.

    `weights` are `(given * factors).gather(-1, index)`; `factors` are ones unless signs were asked for. `distance` is
    the Euclidean distance of the learned weights to the reference, `distance_before` what it was. `sweeps` counts the
    rounds over all groups in the start that won (0 where activations were matched).
    """

    weights: Float[Tensor, "models params"]
    index: Int[Tensor, "models params"]
    factors: Float[Tensor, "models params"]
    distance: Float[Tensor, " models"]
    distance_before: Float[Tensor, " models"]
    sweeps: Int[Tensor, " models"]

    def apply(self, weights: Float[Tensor, "models params"]) -> Float[Tensor, "models params"]:
        """The same moves, made to other checkpoints of the same models (earlier epochs, for instance)."""
        return (weights * self.factors).gather(-1, self.index)


def align(
    architecture: Architecture,
    reference: Float[Tensor, " params"],
    weights: Float[Tensor, "models params"],
    *,
    method: str = "weights",
    images: Float[Tensor, "batch c h w"] | None = None,
    restarts: int = 1,
    signs: bool = False,
    seed: int = 0,
) -> Alignment:
    """Lay every network on the reference by permuting its hidden units, and by flipping their signs if asked.

    method: "weights" maximises the inner product of the learned weights by coordinate descent, one assignment per group
    in random order. The first start is the network as given, the second puts each group in its best conceivable order
    (see `WeightMatching.match`), further ones up to `restarts` are random; of several starts, for every network
    the best end counts. "activations" matches units whose answers to `images` correlate best, each group by itself. A
    network's result does not depend on the others of the call. What training does not learn (a norm's statistics)
    moves along and is not compared (our choice).

    Raises ValueError where a group is tied to its places, for other architectures' or non-finite weights, and for
    `images` or `restarts` that the method does not take.
    """
    refuse_tied(architecture)
    _check(architecture, reference, weights, method, images, restarts)
    weights = usual_precision(weights.detach())
    reference = reference.detach().to(weights.dtype)
    images = images if images is None else images.detach().to(weights.dtype)
    structure = unit_structure(architecture)
    if method == "activations":
        find = partial(match_activations, architecture, reference, images=images, signs=signs)
    else:
        matching = WeightMatching(structure, reference, signs=signs, seed=seed)
        find = partial(_best_of, matching, restarts=restarts)
    chunks = _chunks(weights)
    with ThreadPoolExecutor(cpu_count() or 1) as pool:  # the assignments leave the interpreter's lock
        parts = list(pool.map(lambda chunk: _aligned(structure, reference, chunk, find(chunk)), chunks))
    return Alignment(*(torch.cat(values) for values in zip(*(vars(part).values() for part in parts), strict=True)))


def _best_of(matching: WeightMatching, weights: Tensor, restarts: int) -> Match:
    """The end of several descents that lies nearest to the reference, for every network by itself."""
    best = matching.match(weights)
    for restart in range(1, restarts):
        other = matching.match(weights, restart)
        rows = (other.current @ matching.target > best.current @ matching.target).nonzero()[:, 0]
        best.put(rows, other.take(rows))
    return best


def _chunks(weights: Tensor) -> Iterator[Tensor]:
    """Parts of the population: one per core, smaller where memory asks for it."""
    models, params = weights.shape
    step = max(1, min(_CHUNK // max(params, 1), -(-models // (cpu_count() or 1))))
    return iter(weights.split(step))


def _aligned(structure: UnitStructure, reference: Tensor, weights: Tensor, match: Match) -> Alignment:
    """The moves that were found, as index and factors, made to the given weights."""
    models = len(weights)
    index = unchecked_index(structure, match.orders, models)
    by_old_unit = {
        name: torch.empty_like(signs).scatter_(1, match.orders[structure.signals[name].group], signs)
        for name, signs in match.signs.items()
    }
    factors = unchecked_factors(structure, by_old_unit, models).to(weights.dtype)
    moved = (weights * factors).gather(-1, index)
    learned = torch.cat([torch.full((entry.slot.size,), entry.slot.learned) for entry in structure.slots])
    after, before = ((values - reference)[:, learned].double().norm(dim=1) for values in (moved, weights))
    return Alignment(moved, index, factors, after, before, match.sweeps)


def _check(
    architecture: Architecture, reference: Tensor, weights: Tensor, method: str, images: Tensor | None, restarts: int
) -> None:
    if method not in METHODS:
        raise ValueError(f"There is no method {method!r}; choose one of {', '.join(METHODS)}.")
    for name, values, axes in (("reference", reference, 1), ("weights", weights, 2)):
        architecture.layout.check(values, architecture.name)
        if values.ndim != axes or not len(values):
            form = "[params]" if axes == 1 else "[models, params], a model at least"
            raise ValueError(f"The {name} of an alignment has the shape {form}, not {list(values.shape)}.")
        if not torch.isfinite(values).all():
            raise ValueError(f"The {name} of an alignment must be finite; leave out diverged models.")
    if (images is None) == (method == "activations"):
        raise ValueError("Matching activations needs `images`, and matching weights takes none.")
    if restarts < 1 or (restarts > 1 and method == "activations"):
        raise ValueError(f"restarts={restarts}: weights can be matched from 1 start on, activations from 1 alone.")
