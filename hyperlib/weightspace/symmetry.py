"""Moves in weight space that leave the function where it is: permutations, sign flips, positive scaling.

Hidden units can change places without changing what the network computes, if every reader of the layer follows. We keep
such a reordering as one integer index, because an index composes, inverts and applies to a whole zoo at once:
`weights.gather(-1, index)`. Where the activation is odd a unit may also change its sign, and where it is positively
homogeneous its scale; these are factors, one per weight: `weights * factors`. Units that are tied to their places stay
there, and all others move.

Source: thesis, ch. 2; permutations after Hecht-Nielsen (1990) and Ainsworth et al. (2023), sign flips after Chen et al.
(1993), scaling after Neyshabur et al. (2015).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from math import factorial, prod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.weightspace.base import BaseArchitecture, require_architecture
from hyperlib.weightspace.units.structure import Piece, UnitStructure

SPREAD = 0.5  # standard deviation of the logarithm of random scales; our choice


# -- permutations ------------------------------------------------------------------------------------------------------


def random_permutations(
    architecture: BaseArchitecture, models: int, generator: torch.Generator
) -> dict[str, Int[Tensor, "models _"] | Int[Tensor, "models blocks _"]]:
    """A uniformly random order of every group's units that may move, for each of `models` networks.

    A group that stands within another (the numbers inside attention heads) has an order for every block.
    """
    require_architecture(architecture, "random_permutations")
    say_tied(architecture)
    return unsaid_permutations(architecture.structure, models, generator)


def unsaid_permutations(
    structure: UnitStructure, models: int, generator: torch.Generator
) -> dict[str, Int[Tensor, "models _"] | Int[Tensor, "models blocks _"]]:
    """`random_permutations` without a word on units that stay."""
    return {
        group: torch.rand(models, *blocks_of(structure, group), width, generator=generator).argsort(-1)
        for group, width in structure.groups.items()
    }


def permutation_index(
    architecture: BaseArchitecture,
    permutations: Mapping[str, Int[Tensor, "models _"] | Int[Tensor, "models blocks _"]],
    *,
    models: int | None = None,
) -> Int[Tensor, "models params"]:
    """Index that reorders whole weight vectors: `weights.gather(-1, index)`.

    `permutations[group][m]` lists, for model m, which old unit stands at each new place. Groups left out keep their
    order; `models` is needed only where all are. Convolutions move whole filters, a linear layer behind a flattened map
    moves its blocks of columns, norms move with their channels. For a group within another there is a list for every
    block, by the place that the block has in the end.

    Raises ValueError for a group that may not be permuted, with the reason, and for rows that are no permutation.

    Equation: `eq-permutation` on page 02b.
    """
    require_architecture(architecture, "permutation_index")
    structure = architecture.structure
    for group, orders in permutations.items():
        _check_permutation(architecture, structure, group, orders)
    models = _one_count({len(orders) for orders in permutations.values()}, models, "permutations")
    return unchecked_index(structure, permutations, models)


def unchecked_index(
    structure: UnitStructure, permutations: Mapping[str, Int[Tensor, "models ..."]], models: int
) -> Int[Tensor, "models params"]:
    """`permutation_index` without its checks."""
    index = torch.empty(models, structure.size, dtype=torch.int64)
    for piece in structure.pieces:
        block = torch.full((1,) * (len(piece.sizes) + 1), piece.start)
        for axis in reversed(range(len(piece.sizes))):  # from the right, so that sums stay small until the last
            places = _places(piece, axis, permutations) * piece.strides[axis]
            if axis or len(places) != models:
                block = places + block
            else:
                torch.add(places, block, out=piece.of(index))
        if not piece.sizes or len(places) != models:
            piece.of(index).copy_(block)
    return index


def _places(piece: Piece, axis: int, permutations: Mapping[str, Tensor]) -> Int[Tensor, "_ ..."]:
    """Old places along one axis of a piece, shaped to meet the others; one row for all models where they stay."""
    group, outer, width = piece.groups[axis], piece.outer[axis], piece.sizes[axis]
    if group not in permutations:
        return along(torch.arange(width)[None], len(piece.sizes), axis)
    orders = permutations[group]
    return along(orders, len(piece.sizes), *((outer, axis) if outer >= 0 else (axis,)))


def along(values: Tensor, axes: int, *where: int) -> Tensor:
    """Values [models, ...] whose further axes stand at the given ones of `axes` axes of a piece."""
    order = sorted(range(len(where)), key=lambda place: where[place])
    values = values.permute(0, *(1 + place for place in order))
    sizes = dict(zip(sorted(where), values.shape[1:], strict=True))
    return values.reshape(len(values), *(sizes.get(axis, 1) for axis in range(axes)))


def inverse(index: Int[Tensor, "*models params"]) -> Int[Tensor, "*models params"]:
    """The index that undoes `index`: gathering with one and then the other changes nothing."""
    order = torch.arange(index.shape[-1], device=index.device).expand_as(index)
    return torch.empty_like(index).scatter_(-1, index, order)


def compose(first: Int[Tensor, "*models params"], then: Int[Tensor, "*models params"]) -> Int[Tensor, "*models params"]:
    """One index for two moves, `first` and `then` the other."""
    return first.gather(-1, then)


def orbit_size(architecture: BaseArchitecture) -> int:
    """How many weight vectors compute the same function by permutation alone: the product of the widths' factorials."""
    require_architecture(architecture, "orbit_size")
    structure = architecture.structure
    return prod(factorial(width) ** structure.blocks.get(group, 1) for group, width in structure.groups.items())


# -- signs and scales --------------------------------------------------------------------------------------------------


def random_signs(
    architecture: BaseArchitecture, models: int, generator: torch.Generator
) -> dict[str, Float[Tensor, "models _"]]:
    """A fair sign for every unit whose sign can be flipped: `{signal: [models, width]}`, empty where none can.

    A sign passes odd activations (tanh, sine), means and additions, no maximum; before a norm it passes always, since
    the norm's gain takes it back.
    """
    require_architecture(architecture, "random_signs")
    return {
        signal.name: torch.randint(2, (models, signal.width), generator=generator) * 2.0 - 1.0
        for signal in architecture.structure.signals.values()
        if not signal.against_signs
    }


def random_scales(
    architecture: BaseArchitecture, models: int, generator: torch.Generator
) -> dict[str, Float[Tensor, "models _"]]:
    """A positive scale for every unit that can have one: log-normal around one, `{signal: [models, width]}`.

    A scale passes ReLU and leaky ReLU, pools and additions; a norm divides it out again, but for its epsilon.
    """
    require_architecture(architecture, "random_scales")
    return {
        signal.name: (SPREAD * torch.randn(models, signal.width, generator=generator)).exp()
        for signal in architecture.structure.signals.values()
        if not signal.against_scaling
    }


def unit_factors(
    architecture: BaseArchitecture, factors: Mapping[str, Float[Tensor, "models _"]], *, models: int | None = None
) -> Float[Tensor, "models params"]:
    """What every weight is multiplied by when units are: `weights * unit_factors(...)`.

    `factors[signal][m]` holds one number per unit, as `random_signs` and `random_scales` give them: weights that write
    the unit get it, weights that read it are divided by it. Signals left out keep their scale; `models` is needed only
    where all are.

    Raises ValueError for a signal that is not there or has another width, and for a factor that would change the
    function, with the reason.
    """
    require_architecture(architecture, "unit_factors")
    structure = architecture.structure
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
    result = torch.ones(models, structure.size, dtype=kind)
    for piece in structure.pieces:
        for power in piece.powers:
            if power.signal in factors:
                block = piece.of(result)
                block *= on_piece(structure, power.signal, factors, piece, power.axes).pow(power.power)
    return result


def on_piece(
    structure: UnitStructure, name: str, factors: Mapping[str, Tensor], piece: Piece, axes: tuple[int, ...]
) -> Tensor:
    """A signal's factors, shaped to meet a piece along these axes."""
    return along(factors[name].unflatten(1, structure.signals[name].sizes), len(piece.sizes), *axes)


# -- checks --------------------------------------------------------------------------


def blocks_of(structure: UnitStructure, group: str) -> tuple[int, ...]:
    """The axis of blocks of a group that stands within another; none for others."""
    return (structure.blocks[group],) if group in structure.within else ()


def _check_permutation(architecture: BaseArchitecture, structure: UnitStructure, group: str, orders: Tensor) -> None:
    if group in structure.refused and group not in structure.groups:
        raise ValueError(f"The units {group!r} of {architecture.name} cannot move: {structure.refused[group]}.")
    if group not in structure.groups:
        known = ", ".join(structure.groups) or "none"
        raise ValueError(
            f"{group!r} is no hidden group of {architecture.name}, whose groups are {known}; "
            "inputs and classes have fixed places."
        )
    shape = [*blocks_of(structure, group), structure.groups[group]]
    if list(orders.shape[1:]) != shape or orders.dtype != torch.int64:
        raise ValueError(
            f"Permutations of {group!r} are int64 [models, {', '.join(map(str, shape))}], not {orders.dtype} "
            f"{list(orders.shape)}."
        )
    width = shape[-1]
    if not (orders.sort(-1).values == torch.arange(width)).all():
        raise ValueError(f"A row of {group!r} is no permutation: it must hold 0 to {width - 1}, each once.")


def _check_factor(architecture: BaseArchitecture, structure: UnitStructure, name: str, values: Tensor) -> None:
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


_SAID: set[str] = set()


def say_tied(architecture: BaseArchitecture) -> None:
    """Say once which hidden units keep their places, and why."""
    for group, reason in architecture.structure.refused.items():
        words = f"The units {group!r} of {architecture.name} keep their places: {reason}."
        if words not in _SAID:
            _SAID.add(words)
            warnings.warn(words, stacklevel=3)
