"""A form of a network that all its copies share: every copy that was permuted or flipped becomes the same vector.

Units are sorted by what no permutation and no sign changes, and then take the sign that makes a sum positive.

Source: our choice.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.weightspace.base import BaseArchitecture, require_architecture
from hyperlib.weightspace.symmetry import blocks_of, on_piece, say_tied, unchecked_factors, unchecked_index
from hyperlib.weightspace.units.structure import Piece, UnitStructure

_ROUNDING = 1e-12  # of a sum in float64: what is less of its summands is zero


def canonical_index(
    architecture: BaseArchitecture, weights: Float[Tensor, "models params"]
) -> Int[Tensor, "models params"]:
    """Index that sorts every group's units, so that all permuted copies of a network become the same vector.

    Units stand in ascending order of the length of what they read (weights and bias together), equal ones in that of
    what reads them: two numbers that no permutation and no sign changes. Units that are equal in both keep their order,
    so a network with such units (one with pruned layers, for instance) has no unique form. Groups that are tied to
    their places keep them. The order is our choice. See `canonical_signs` for odd activations.

    Raises ValueError where a weight is not finite.
    """
    structure = _checked(architecture, weights, "canonical_index")
    return unchecked_index(structure, canonical_orders(structure, weights), len(weights))


def canonical_orders(structure: UnitStructure, weights: Float[Tensor, "models params"]) -> dict[str, Tensor]:
    """The orders of `canonical_index`, one for each group."""
    orders: dict[str, Tensor] = {}
    for group in sorted(structure.groups, key=lambda name: name in structure.within):  # blocks before their insides
        written, read = (_lengths(structure, group, reads, weights) for reads in (False, True))
        by_read = read.argsort(dim=-1, stable=True)
        found = by_read.gather(-1, written.gather(-1, by_read).argsort(dim=-1, stable=True))
        if (outer := structure.within.get(group)) in orders:
            found = found.gather(1, orders[outer][:, :, None].expand_as(found))
        orders[group] = found
    return orders


def canonical_signs(
    architecture: BaseArchitecture, weights: Float[Tensor, "models params"]
) -> Float[Tensor, "models params"]:
    """Factors that give every unit whose sign is free a sign that all copies agree on.

    `(weights * canonical_signs(a, weights)).gather(-1, canonical_index(a, weights))` is the same vector for every
    permuted and flipped copy of a network. A unit's sign is the one that makes the sum of its weights positive, in the
    first slot where all other signs are decided; a unit whose sum is zero stays, and so does one whose sign can only be
    decided together with others. Our choice.

    Raises ValueError where a weight is not finite.
    """
    structure = _checked(architecture, weights, "canonical_signs")
    free = [name for name, signal in structure.signals.items() if not signal.against_signs]
    signs = canonical_unit_signs(structure, weights, free)
    return unchecked_factors(structure, signs, len(weights)).to(weights.dtype)


def canonical_unit_signs(
    structure: UnitStructure, weights: Float[Tensor, "models params"], free: list[str]
) -> dict[str, Float[Tensor, "models _"]]:
    """The signs of `canonical_signs`, one for each unit of the signals that are free."""
    signs: dict[str, Tensor] = {}
    waiting = {name: _told_by(structure, name, free) for name in free}
    while waiting:
        ready = {name: [p for p, others in told if others <= signs.keys()] for name, told in waiting.items()}
        first = [name for name, told in waiting.items() if told and told[0][1] <= signs.keys()]
        sure = [name for name in waiting if any("bias" not in piece.slot.part for piece in ready[name])]
        name = next(iter(first or sure or [name for name in waiting if ready[name]] or waiting))  # biases may be zero
        sums = torch.zeros(len(weights), structure.signals[name].width, dtype=torch.float64)
        for piece in ready[name]:  # a later one counts where the former are zero
            values = piece.of(weights).double()
            for power in piece.powers:
                if power.power % 2 and power.signal in signs:
                    values = values * on_piece(structure, power.signal, signs, piece, power.axes)
            axes = next(power.axes for power in piece.powers if power.signal == name and power.power % 2)
            told = _summed(values, axes)
            told = torch.where(told.abs() > _ROUNDING * _summed(values.abs(), axes), told, 0.0)
            sums = torch.where(sums == 0, told, sums)
        signs[name] = torch.where(sums < 0, -1.0, 1.0).double()
        del waiting[name]
    return signs


def _told_by(structure: UnitStructure, name: str, free: list[str]) -> list[tuple[Piece, set[str]]]:
    """The learned pieces along one axis of which this signal stands, with the other signals whose signs they carry."""
    told = []
    for piece in structure.pieces:
        odd = [power.signal for power in piece.powers if power.power % 2 and power.signal in free]
        if piece.slot.learned and odd.count(name) == 1:
            told.append((piece, set(odd) - {name}))
    return told


def _summed(values: Tensor, axes: tuple[int, ...]) -> Float[Tensor, "models units"]:
    """The sum over all axes of a piece but these, which come out in their order."""
    others = [axis for axis in range(1, values.ndim) if axis - 1 not in axes]
    values = values.sum(others) if others else values
    order = sorted(axes)
    return values.permute(0, *(1 + order.index(axis) for axis in axes)).flatten(1)


def _lengths(structure: UnitStructure, group: str, reads: bool, weights: Tensor) -> Float[Tensor, "models ..."]:
    """Length of what each unit reads (its own rows) or of what reads it, of every block where there are some."""
    shape = (*blocks_of(structure, group), structure.groups[group])
    squares = torch.zeros(len(weights), *shape, dtype=torch.float64)
    for piece in structure.pieces:
        for axis in range(len(piece.sizes)):
            if piece.groups[axis] == group and piece.reads[axis] == reads:
                kept = [axis] if piece.outer[axis] < 0 else [piece.outer[axis], axis]
                block = piece.of(weights).double().square()
                others = [1 + other for other in range(len(piece.sizes)) if other not in kept]
                block = block.sum(others) if others else block
                squares += block if kept == sorted(kept) else block.mT
    return squares.float()  # what differs by rounding alone is equal


def _checked(architecture: BaseArchitecture, weights: Tensor, who: str) -> UnitStructure:
    """The structure, if these are finite weights of it."""
    require_architecture(architecture, who)
    architecture.layout.check(weights, architecture.name)
    if not torch.isfinite(weights).all():
        raise ValueError("A canonical order needs finite weights, and some are not; leave out diverged models.")
    say_tied(architecture)
    return architecture.structure
