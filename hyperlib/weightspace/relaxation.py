"""A start for weight matching that no order biases: permutations relaxed to their averages.

Coordinate descent from one order ends at the nearest optimum. Averages of permutations (doubly stochastic matrices)
form a convex set in which the same objective can be climbed from the middle, where nothing is decided yet: by the
method of Frank and Wolfe, whose every step is an assignment per group and a line search that is exact for layers of two
groups. What comes out is rounded to the nearest orders, and descent goes on from there.

Source: Frank and Wolfe (1956); for the assignment of graphs Vogelstein et al. (2015). That it is used for the units of
networks, with signs and for populations, is our choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.weightspace.units.structure import Piece, UnitStructure

STEPS = 6
ASIDE = 0.3  # of the way from the middle to some order; on networks of two layers of six units .5 to .85 found less
Assign = Callable[[Tensor], Tensor]
Mix = Float[Tensor, "_ models _ _ _"]  # shares: combination of signs, model, block, place, old unit


class Relaxation:
    """The inner product of networks with a reference, over averages of the orders and signs of their units.

    combinations: for each group the signs that a unit can have in its signals, [combinations, signals]. Groups that
    number the blocks of others stay as they are; what stands inside is relaxed in every block.
    """

    def __init__(
        self,
        structure: UnitStructure,
        target: Float[Tensor, " params"],
        signals: Mapping[str, list[str]],
        combinations: Mapping[str, Float[Tensor, "combinations signals"]],
    ) -> None:
        self.structure, self.target = structure, target[None]
        self.signals, self.combinations = signals, combinations
        self.groups = [group for group in structure.groups if not structure.inside(group)]
        self.pieces = [piece for piece in structure.pieces if piece.slot.learned and set(piece.groups) & {*self.groups}]

    def start(
        self, weights: Float[Tensor, "models params"], orders: Mapping[str, Tensor], assign: Assign
    ) -> tuple[dict[str, Int[Tensor, "models _ _"]], dict[str, Float[Tensor, "models _"]]]:
        """Orders and signs (by new place) to begin from: of the middle, or a part of the way from it to some orders."""
        mix = {group: self._middle(group, len(weights)) for group in self.groups}
        for group in orders.keys() & set(self.groups):
            mix[group] *= 1 - ASIDE
            share = ASIDE / len(mix[group])
            mix[group].scatter_add_(-1, _places(orders[group], mix[group]), torch.full_like(mix[group][..., :1], share))
        for _ in range(STEPS):
            gains = {group: self._gains(weights, mix, group) for group in self.groups}
            corners = {group: _corner(gains[group], assign) for group in self.groups}
            slope = sum(((corners[g] - mix[g]) * gains[g]).sum((0, 2, 3, 4)) for g in self.groups)
            here, there = self._value(weights, mix), self._value(weights, corners)
            bend = there - here - slope
            step = torch.where(bend < 0, (-slope / (2 * bend).clamp(max=-1e-300)).clamp(0, 1), 1.0)
            step = torch.where(slope > 1e-12 * here.abs(), step, 0.0)[None, :, None, None, None]
            if not step.any():
                break
            mix = {group: mix[group] + step * (corners[group] - mix[group]) for group in self.groups}
        return self._rounded(mix, assign)

    def _middle(self, group: str, models: int) -> Mix:
        """Every place and every sign equally."""
        width, blocks, ways = self.structure.groups[group], self.structure.blocks[group], len(self.combinations[group])
        return torch.full((ways, models, blocks, width, width), 1.0 / (width * ways), dtype=torch.float64)

    def _rounded(self, mix: Mapping[str, Mix], assign: Assign) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        orders, signs = {}, {}
        for group, shares in mix.items():
            order = assign(shares.sum(0))
            way = shares.gather(-1, _places(order, shares))[..., 0].argmax(0)
            orders[group] = order
            for number, name in enumerate(self.signals[group]):
                signs[name] = self.combinations[group][way, number].flatten(1)
        return orders, signs

    def _gains(self, weights: Tensor, mix: Mapping[str, Mix], group: str) -> Mix:
        """What share the old unit j at place i adds to the inner product, under each combination of signs."""
        gains = torch.zeros_like(mix[group])
        for piece in self.pieces:
            for axis, units in enumerate(piece.groups):
                if units == group:
                    moved = rows_of(self._moved(piece, weights, mix, axis), piece, axis)
                    pairs = rows_of(piece.of(self.target), piece, axis) @ moved.mT
                    gains += self._carried(piece, axis, group)[:, None, None, None, None] * pairs
        return gains

    def _value(self, weights: Tensor, mix: Mapping[str, Mix]) -> Float[Tensor, " models"]:
        """The inner product of the averages with the reference."""
        parts = [(self._moved(piece, weights, mix) * piece.of(self.target)).flatten(1).sum(1) for piece in self.pieces]
        return torch.stack(parts).sum(0)

    def _moved(self, piece: Piece, weights: Tensor, mix: Mapping[str, Mix], but: int = -1) -> Tensor:
        """A piece with its units averaged along all axes but one."""
        block = piece.of(weights)
        for axis, group in enumerate(piece.groups):
            if group in mix and axis != but:
                matrix = (self._carried(piece, axis, group)[:, None, None, None, None] * mix[group]).sum(0)
                block = _turned(block, piece, axis, matrix)
        return block

    def _carried(self, piece: Piece, axis: int, group: str) -> Float[Tensor, " combinations"]:
        """The sign that a piece carries along an axis, for each combination."""
        odd = {power.signal for power in piece.powers if power.axes[-1] == axis and power.power % 2}
        return self.combinations[group][:, [name in odd for name in self.signals[group]]].prod(1)


def _places(order: Int[Tensor, "_ blocks width"], shares: Mix) -> Int[Tensor, "combinations models blocks width one"]:
    return order[None, ..., None].expand(*shares.shape[:-1], 1)


def _corner(gains: Mix, assign: Assign) -> Mix:
    """The order and signs with the largest gain, as shares of 0 and 1."""
    best, way = gains.max(0)
    places = assign(best)[..., None]
    corner = torch.zeros_like(gains)
    ones = torch.zeros_like(best).scatter_(-1, places, 1.0)
    return corner.scatter_(0, way[None], ones[None])


def rows_of(block: Tensor, piece: Piece, axis: int) -> Float[Tensor, "models blocks width others"]:
    """One row per unit of the axis, with everything that this unit writes or reads there; one block for most groups."""
    outer = piece.outer[axis]
    block = block.movedim(1 + axis, 1)[:, None] if outer < 0 else block.movedim((1 + outer, 1 + axis), (1, 2))
    return block.reshape(*block.shape[:3], -1)


def _turned(block: Tensor, piece: Piece, axis: int, matrix: Float[Tensor, "models blocks width width"]) -> Tensor:
    """A piece whose units along an axis are averages of what they were."""
    outer = piece.outer[axis]
    if outer < 0:
        rows = block.movedim(1 + axis, 1)
        return (matrix[:, 0] @ rows.reshape(*rows.shape[:2], -1)).view_as(rows).movedim(1, 1 + axis)
    rows = block.movedim((1 + outer, 1 + axis), (1, 2))
    return (matrix @ rows.reshape(*rows.shape[:3], -1)).view_as(rows).movedim((1, 2), (1 + outer, 1 + axis))
