"""Finding the permutation that lays one network on another.

Two networks that were trained apart number their units differently. Alignment looks for the order of units (and, if
asked, their signs) in which a network is most like a reference: nearest in its weights, or with units that answer
alike. A whole population is aligned at once, on all cores.

Source: weight and activation matching after Ainsworth et al. (2023), the latter by correlation as in Li et al. (2016).
Starts and signs are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from os import cpu_count

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hyperlib.weightspace.activation_matching import match_activations
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.base import BaseArchitecture, require_architecture
from hyperlib.weightspace.symmetry import say_tied, unchecked_index
from hyperlib.weightspace.units.structure import UnitStructure
from hyperlib.weightspace.values import is_whole, usual_precision
from hyperlib.weightspace.weight_matching import CANONICAL, RELAXED, Match, WeightMatching

METHODS = ("weights", "activations")
STARTS = (0, CANONICAL, RELAXED)  # until two agree
_AGREE = 1e-6  # of the reference's length: two ends that are as near to it, or an end that is the reference
_CHUNK = 2**24  # float64 numbers of the networks that are aligned at once; our choice


@dataclass(frozen=True)
class Alignment:
    """Networks moved to where they are most like the reference, each still the same function.

    `weights` are `(given * factors).gather(-1, index)`; `factors` are ones unless signs were asked for. `distance` is
    the Euclidean distance of the learned weights to the reference, `distance_before` what it was. `sweeps` counts the
    rounds over all groups in the start that won (0 where activations were matched), `starts` how many were tried.
    `agreed` says whether the nearest end was reached twice, or is the reference itself: else more starts may find
    a nearer one.
    """

    weights: Float[Tensor, "models params"]
    index: Int[Tensor, "models params"]
    factors: Float[Tensor, "models params"]
    distance: Float[Tensor, " models"]
    distance_before: Float[Tensor, " models"]
    sweeps: Int[Tensor, " models"]
    starts: Int[Tensor, " models"]
    agreed: Bool[Tensor, " models"]

    def apply(self, weights: Float[Tensor, "models params"]) -> Float[Tensor, "models params"]:
        """The same moves, made to other checkpoints of the same models (earlier epochs, for instance)."""
        return (weights * self.factors).gather(-1, self.index)


def align(
    architecture: BaseArchitecture,
    reference: Float[Tensor, " params"],
    weights: Float[Tensor, "models params"],
    *,
    method: str = "weights",
    images: Float[Tensor, "batch c h w"] | None = None,
    restarts: int | None = None,
    signs: bool = False,
    seed: int = 0,
) -> Alignment:
    """Lay every network on the reference by permuting its hidden units, and by flipping their signs if asked.

    method: "weights" maximises the inner product of the learned weights by coordinate descent, one assignment per group
    in random order, from several starts; for every network the best end counts. Without `restarts` a network gets
    starts until two of them end equally near, or one on the reference itself, three at most: as given, with both
    networks in canonical form, where a climb over averages of orders ends (see `WeightMatching.match`). `restarts` asks
    for so many: as given, with each group in its best conceivable order, where that climb ends, then where climbs from
    random places end. "activations" matches units whose answers to
    `images` correlate best, each group by itself. A network's result does not depend on the others of the call. What
    training does not learn (a norm's statistics) moves along and is not compared (our choice). Units that are tied to
    their places stay there.

    Raises ValueError for other architectures' or non-finite weights, for `images` or `restarts` that the method does
    not take, and where activations cannot be matched; TypeError for anything but an architecture.

    Equation: `eq-alignment` on page 02b.
    """
    require_architecture(architecture, "align")
    say_tied(architecture)
    _check(architecture, reference, weights, method, images, restarts)
    weights = usual_precision(weights.detach())
    reference = reference.detach().to(weights.dtype)
    images = images if images is None else images.detach().to(weights.dtype)
    structure = architecture.structure
    if method == "activations":
        find = partial(_by_activations, architecture, reference, images, signs)
    else:
        matching = WeightMatching(structure, reference, signs=signs, seed=seed)
        find = partial(_best_of, matching, restarts=restarts)
    chunks = _chunks(weights)
    with ThreadPoolExecutor(cpu_count() or 1) as pool:  # the assignments leave the interpreter's lock
        parts = list(pool.map(lambda chunk: _aligned(structure, reference, chunk, find(chunk)), chunks))
    return Alignment(*(torch.cat(values) for values in zip(*(vars(part).values() for part in parts), strict=True)))


@dataclass
class _Found:
    """The best ends so far, how many starts they took, and whether two agree."""

    match: Match
    starts: Int[Tensor, " models"]
    agreed: Bool[Tensor, " models"]


def _by_activations(
    architecture: Architecture, reference: Tensor, images: Tensor, signs: bool, weights: Tensor
) -> _Found:
    """The one answer that there is."""
    match = match_activations(architecture, reference, weights, images=images, signs=signs)
    return _Found(match, torch.ones(len(weights), dtype=torch.int64), torch.zeros(len(weights), dtype=torch.bool))


def _best_of(matching: WeightMatching, weights: Tensor, restarts: int | None) -> _Found:
    """The end of several descents that lies nearest to the reference, for every network by itself."""
    numbers = range(restarts) if restarts else STARTS
    best = matching.match(weights)
    at_once = _distance(matching, best) < _AGREE * matching.target.norm()
    found = _Found(best, torch.ones(len(weights), dtype=torch.int64), at_once)
    for number in numbers[1:]:
        rows = torch.arange(len(weights)) if restarts else (~found.agreed).nonzero()[:, 0]
        if not len(rows):
            break
        other = matching.match(weights[rows], number)
        held = best.take(rows)
        nearer = other.current @ matching.target > held.current @ matching.target
        before, now, none = _distance(matching, held), _distance(matching, other), _AGREE * matching.target.norm()
        found.agreed[rows] = (found.agreed[rows] & ~nearer) | ((now - before).abs() < none) | (now < none)
        found.starts[rows] += 1
        best.put(rows[nearer], other.take(nearer.nonzero()[:, 0]))
    return found


def _distance(matching: WeightMatching, match: Match) -> Float[Tensor, " models"]:
    """Euclidean distance of the learned weights to the reference."""
    return torch.where(matching.learned, match.current - matching.target, 0.0).norm(dim=1)


def _chunks(weights: Tensor) -> Iterator[Tensor]:
    """Parts of the population: one per core, smaller where memory asks for it."""
    models, params = weights.shape
    step = max(1, min(_CHUNK // max(params, 1), -(-models // (cpu_count() or 1))))
    return iter(weights.split(step))


def _aligned(structure: UnitStructure, reference: Tensor, weights: Tensor, found: _Found) -> Alignment:
    """The moves that were found, as index and factors, made to the given weights."""
    index = unchecked_index(structure, found.match.orders, len(weights))
    factors = found.match.factors(structure).to(weights.dtype)
    moved = (weights * factors).gather(-1, index)
    learned = structure.learned()
    after, before = ((values - reference)[:, learned].double().norm(dim=1) for values in (moved, weights))
    return Alignment(moved, index, factors, after, before, found.match.sweeps, found.starts, found.agreed)


def _check(
    architecture: BaseArchitecture,
    reference: Tensor,
    weights: Tensor,
    method: str,
    images: Tensor | None,
    restarts: int | None,
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
    if restarts is not None and (not is_whole(restarts, 1) or (restarts > 1 and method == "activations")):
        raise ValueError(f"restarts={restarts}: weights can be matched from 1 start on, activations from 1 alone.")
    if method == "activations" and not isinstance(architecture, Architecture):
        raise ValueError(f"{architecture.name} is no list of layers: its activations are not at hand; match weights.")
