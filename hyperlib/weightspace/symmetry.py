"""Moves in weight space that leave the function where it is: permutations, sign flips, positive scaling.

Hidden units can change places without changing what the network computes, if every reader of the layer follows. We keep
such a reordering as one integer index, because an index composes, inverts and applies to a whole zoo at once:
`weights.gather(-1, index)`. Where the activation is odd a unit may also change its sign, and where it is positively
homogeneous its scale; these are factors, one per weight: `weights * factors`.

Source: thesis, ch. 2; permutations after Hecht-Nielsen (1990) and Ainsworth et al. (2023), sign flips after Chen et al.
(1993), scaling after Neyshabur et al. (2015).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import factorial, prod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.units import UnitStructure, unit_structure

SPREAD = 0.5  # standard deviation of the logarithm of random scales; our choice


# -- permutations ------------------------------------------------------------------------------------------------------


def random_permutations(
    architecture: Architecture, models: int, generator: torch.Generator
) -> dict[str, Int[Tensor, "models _"]]:
    """A uniformly random order of every hidden group's units, for each of `models` networks.

    Raises ValueError where a group's units are tied to their places, with the reason.
    """
    refuse_tied(architecture)
    structure = unit_structure(architecture)
    return {
        group: torch.rand(models, width, generator=generator).argsort(-1) for group, width in structure.groups.items()
    }


def permutation_index(
    architecture: Architecture, permutations: Mapping[str, Int[Tensor, "models _"]], *, models: int | None = None
) -> Int[Tensor, "models params"]:
    """Index that reorders whole weight vectors: `weights.gather(-1, index)`.

    `permutations[group][m]` lists, for model m, which old unit stands at each new place. Groups left out keep their
    order; `models` is needed only where all are. Convolutions move whole filters, a linear layer behind a flattened map
    moves its blocks of columns, norms move with their channels.

    Raises ValueError for a group that may not be permuted, with the reason, and for rows that are no permutation.
    """
    structure = unit_structure(architecture)
    for group, orders in permutations.items():
        _check_permutation(architecture, structure, group, orders)
    models = _one_count({len(orders) for orders in permutations.values()}, models, "permutations")
    return unchecked_index(structure, permutations, models)


def unchecked_index(
    structure: UnitStructure, permutations: Mapping[str, Int[Tensor, "models _"]], models: int
) -> Int[Tensor, "models params"]:
    """`permutation_index` for whoever knows what it does: any group may be named, also one that is refused."""
    index = torch.empty(models, structure.slots[-1].slot.stop, dtype=torch.int64)
    for entry in structure.slots:
        written, places, read, inner = entry.shape
        row = places * read * inner
        rows = _places_of(permutations, entry.writes, written) * row + entry.slot.start
        columns = _places_of(permutations, entry.reads, read)[:, None, :, None] * inner + torch.arange(inner)
        within_row = torch.arange(places)[:, None, None] * (read * inner) + columns
        block = index[:, entry.slot.start : entry.slot.stop].view(models, written, row)
        torch.add(rows.expand(models, -1)[:, :, None], within_row.flatten(1)[:, None], out=block)
    return index


def _places_of(permutations: Mapping[str, Tensor], group: str, width: int) -> Int[Tensor, "_ width"]:
    """Old places of a group's units, one row for all models where they keep their order."""
    return permutations[group] if group in permutations else torch.arange(width)[None]


def inverse(index: Int[Tensor, "*models params"]) -> Int[Tensor, "*models params"]:
    """The index that undoes `index`: gathering with one and then the other changes nothing."""
    order = torch.arange(index.shape[-1], device=index.device).expand_as(index)
    return torch.empty_like(index).scatter_(-1, index, order)


def compose(first: Int[Tensor, "*models params"], then: Int[Tensor, "*models params"]) -> Int[Tensor, "*models params"]:
    """One index for two moves, `first` and `then` the other."""
    return first.gather(-1, then)


def canonical_index(
    architecture: Architecture, weights: Float[Tensor, "models params"]
) -> Int[Tensor, "models params"]:
    """Index that sorts every group's units, so that all permuted copies of a network become the same vector.

    Units stand in ascending order of the length of what they read (weights and bias together), equal ones in that of
    what reads them: two numbers that no permutation changes. Units that are equal in both keep their order, so a
    network with such units (one with pruned layers, for instance) has no unique form. The order is our choice.

    Raises ValueError where a group is tied to its places or a weight is not finite.
    """
    refuse_tied(architecture)
    structure = unit_structure(architecture)
    architecture.layout.check(weights, architecture.name)
    if not torch.isfinite(weights).all():
        raise ValueError("A canonical order needs finite weights, and some are not; leave out diverged models.")
    orders = {}
    for group in structure.groups:
        written, read = (_lengths(structure, group, axis, weights) for axis in (0, 1))
        by_read = read.argsort(dim=-1, stable=True)
        orders[group] = by_read.gather(-1, written.gather(-1, by_read).argsort(dim=-1, stable=True))
    return permutation_index(architecture, orders, models=len(weights))


def orbit_size(architecture: Architecture) -> int:
    """How many weight vectors compute the same function by permutation alone: the product of the widths' factorials."""
    return prod(factorial(width) for width in unit_structure(architecture).groups.values())


# -- signs and scales --------------------------------------------------------------------------------------------------


def random_signs(
    architecture: Architecture, models: int, generator: torch.Generator
) -> dict[str, Float[Tensor, "models _"]]:
    """A fair sign for every unit whose sign can be flipped: `{signal: [models, width]}`, empty where none can.

    A sign passes odd activations (tanh, sine), means and additions, no maximum; before a norm it passes always, since
    the norm's gain takes it back.
    """
    return {
        signal.name: torch.randint(2, (models, signal.width), generator=generator) * 2.0 - 1.0
        for signal in unit_structure(architecture).signals.values()
        if not signal.against_signs
    }


def random_scales(
    architecture: Architecture, models: int, generator: torch.Generator
) -> dict[str, Float[Tensor, "models _"]]:
    """A positive scale for every unit that can have one: log-normal around one, `{signal: [models, width]}`.

    A scale passes ReLU and leaky ReLU, pools and additions; a norm divides it out again, but for its epsilon.
    """
    return {
        signal.name: (SPREAD * torch.randn(models, signal.width, generator=generator)).exp()
        for signal in unit_structure(architecture).signals.values()
        if not signal.against_scaling
    }


def unit_factors(
    architecture: Architecture, factors: Mapping[str, Float[Tensor, "models _"]], *, models: int | None = None
) -> Float[Tensor, "models params"]:
    """What every weight is multiplied by when units are: `weights * unit_factors(...)`.

    `factors[signal][m]` holds one number per unit, as `random_signs` and `random_scales` give them: weights that write
    the unit get it, weights that read it are divided by it. Signals left out keep their scale; `models` is needed only
    where all are.

    Raises ValueError for a signal that is not there or has another width, and for a factor that would change the
    function, with the reason.
    """
    structure = unit_structure(architecture)
    for name, values in factors.items():
        _check_factor(architecture, structure, name, values)
    counts = {len(values) for values in factors.values()}
    models = _one_count(counts, models, "factors")
    return unchecked_factors(structure, factors, models)


def unchecked_factors(
    structure: UnitStructure, factors: Mapping[str, Float[Tensor, "models _"]], models: int
) -> Float[Tensor, "models params"]:
    """`unit_factors` without its checks."""
    kind = next((values.dtype for values in factors.values()), torch.float32)
    result = torch.ones(models, structure.slots[-1].slot.stop, dtype=kind)
    for entry in structure.slots:
        block = result[:, entry.slot.start : entry.slot.stop].view(models, *entry.shape)
        for power in entry.powers:
            if power.signal in factors:
                values = factors[power.signal].pow(power.power)
                block *= values[:, :, None, None, None] if power.axis == 0 else values[:, None, None, :, None]
    return result


# -- what a group's units weigh, and checks ----------------------------------------------------------------------------


def _lengths(structure: UnitStructure, group: str, axis: int, weights: Tensor) -> Float[Tensor, "models width"]:
    """Length of what each unit reads (axis 0) or of what reads it (axis 1)."""
    squares = torch.zeros(len(weights), structure.groups[group], dtype=torch.float64)
    for entry in structure.slots:
        if (entry.writes, entry.reads)[axis] == group:
            block = weights[:, entry.slot.start : entry.slot.stop].double().square().unflatten(1, entry.shape)
            squares += block.sum((2, 3, 4) if axis == 0 else (1, 2, 4))
    return squares.float()  # what differs by rounding alone is equal


def _check_permutation(architecture: Architecture, structure: UnitStructure, group: str, orders: Tensor) -> None:
    if group in structure.refused:
        raise ValueError(f"{architecture.name}: {structure.refused[group]}.")
    if group not in structure.groups:
        known = ", ".join(structure.groups) or "none"
        raise ValueError(
            f"{group!r} is no hidden group of {architecture.name}, whose groups are {known}; "
            "inputs and classes have fixed places."
        )
    width = structure.groups[group]
    if orders.ndim != 2 or orders.shape[1] != width or orders.dtype != torch.int64:
        raise ValueError(
            f"Permutations of {group!r} are int64 [models, {width}], not {orders.dtype} {list(orders.shape)}."
        )
    if not (orders.sort(-1).values == torch.arange(width)).all():
        raise ValueError(f"A row of {group!r} is no permutation: it must hold 0 to {width - 1}, each once.")


def _check_factor(architecture: Architecture, structure: UnitStructure, name: str, values: Tensor) -> None:
    if name not in structure.signals:
        known = ", ".join(structure.signals) or "none"
        raise ValueError(f"{architecture.name} has no hidden signal {name!r}; it has {known}.")
    signal = structure.signals[name]
    if values.ndim != 2 or values.shape[1] != signal.width:
        raise ValueError(f"Factors of {name!r} are [models, {signal.width}], not {list(values.shape)}.")
    if not torch.isfinite(values).all() or (values == 0).any():
        raise ValueError(f"Factors of {name!r} must be finite and not zero: a zero would switch the unit off.")
    if (values < 0).any() and signal.against_signs:
        raise ValueError(f"{architecture.name}: {name!r} cannot change sign, because {signal.against_signs}.")
    if (values.abs() != 1).any() and signal.against_scaling:
        raise ValueError(f"{architecture.name}: {name!r} cannot be scaled, because {signal.against_scaling}.")


def _one_count(counts: set[int], models: int | None, what: str) -> int:
    """The number of models that all groups agree on."""
    counts = counts | ({models} if models is not None else set())
    if len(counts) != 1:
        have = f"for {' and '.join(map(str, sorted(counts)))} models" if counts else "of no group, so say models=..."
        raise ValueError(f"These are {what} {have}; give every group the same number.")
    return counts.pop()


def refuse_tied(architecture: Architecture) -> None:
    """ValueError if units of a hidden group are tied to their places, with the reason."""
    for group, reason in unit_structure(architecture).refused.items():
        raise ValueError(f"The units {group!r} of {architecture.name} cannot change places: {reason}.")
