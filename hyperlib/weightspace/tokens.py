"""Weight vectors as sequences of tokens, and back without loss.

A token is what one unit of a layer computes with: its incoming weights and its bias, one row. Rows differ in length, so
they are padded with zeros to the longest one, or cut into chunks of one width. All follows from the layout, so the
weights of networks that nobody here trained have tokens too. Encoding copies whole blocks of rows, one per slot, which
is faster than an index over cells: of the small CNN's 48 x 201 cells three in four are padding.

Source: neuron tokens of Schürholt et al. (2021), chunks of SANE (Schürholt et al. 2024). That running statistics stand
in rows of their own, behind those of their norm, gives the token counts published there (53,524 for ResNet-18 with ten
classes and width 288) and lets a model leave them out as whole tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from hyperlib.weightspace.layout import Layout, Slot
from hyperlib.weightspace.values import is_whole

ROUNDING = 1e-12  # of a mean in float64: what deviates less from it is equal to it


@dataclass(frozen=True)
class Block:
    """Rows of one length, one per unit: the slots of a layer side by side; `chunks` tokens hold a row."""

    layer: str
    slots: tuple[Slot, ...]
    units: int
    first: int  # token
    chunks: int

    @property
    def length(self) -> int:
        """Entries of a row."""
        return sum(slot.size for slot in self.slots) // self.units

    @property
    def tokens(self) -> slice:
        """Where its tokens stand."""
        return slice(self.first, self.first + self.units * self.chunks)

    def columns(self) -> Iterator[tuple[Slot, slice]]:
        """Each slot with its place in the row."""
        start = 0
        for slot in self.slots:
            stop = start + slot.size // self.units
            yield slot, slice(start, stop)
            start = stop


@dataclass(frozen=True)
class Tokenizer:
    """Maps weight vectors of one layout to `[tokens, width]` and back.

    A layer's learned parts that have the same number of units (their first axis; scalars have one unit) share rows, in
    the layout's order; every running statistic has rows of its own. `width=None`: a token is a whole row, as wide as
    the longest. `width=288`, say: rows are cut into chunks of that width, the last one is filled with zeros. Layers
    come in the order of the layout, units in theirs, chunks of a row side by side.

    Raises TypeError for what is no layout; ValueError for one without weights and for a width that is no whole number
    from 1 on.
    """

    layout: Layout
    width: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.layout, Layout):
            raise TypeError(
                f"A tokenizer is made of a layout, and this is of type {type(self.layout).__name__}; take "
                "architecture.layout or Layout.from_state_dict(state)."
            )
        if not self.layout.size:
            raise ValueError("This layout holds no weights, so there is nothing to make tokens of.")
        if self.width is not None and not is_whole(self.width, 1):
            raise ValueError(f"A token's width is a whole number from 1 on, or None for whole rows, not {self.width}.")
        object.__setattr__(self, "width", self.width and int(self.width))

    # -- what stands where ------------------------------------------------------------------------------------------

    @cached_property
    def shape(self) -> tuple[int, int]:
        """(tokens, width) of one weight vector."""
        return self.blocks[-1].tokens.stop, self.width or max(block.length for block in self.blocks)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Rows of one length, in the order of their tokens."""
        rows = [Block(name, slots, _units(slots[0]), 0, 1) for name, slots in _groups(self.layout)]
        blocks, first = [], 0
        for block in rows:
            chunks = -(-block.length // self.width) if self.width else 1
            blocks.append(Block(block.layer, block.slots, block.units, first, chunks))
            first = blocks[-1].tokens.stop
        return tuple(blocks)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of what `positions` and `scale` count as layers: of every block the layer, or the statistic."""
        return tuple(block.layer for block in self.blocks)

    @cached_property
    def mask(self) -> Bool[Tensor, "tokens width"]:
        """True where a cell holds a weight, False for padding."""
        return self.encode(torch.ones(self.layout.size, dtype=torch.bool))

    @cached_property
    def learned(self) -> Bool[Tensor, " tokens"]:
        """True for tokens whose weights follow a gradient, False for those of running statistics."""
        return torch.cat([torch.full(_span(block), block.slots[0].learned) for block in self.blocks])

    @cached_property
    def positions(self) -> Int[Tensor, "tokens 3"]:
        """(token, layer, unit) of every token, counted from zero; chunks of one row share layer and unit."""
        units = [torch.arange(block.units).repeat_interleave(block.chunks) for block in self.blocks]
        layers = [torch.full(_span(block), number) for number, block in enumerate(self.blocks)]
        return torch.stack([torch.arange(self.shape[0]), torch.cat(layers), torch.cat(units)], -1)

    @cached_property
    def layer_of(self) -> Int[Tensor, " params"]:
        """The layer, as `positions` counts them, of every place of the weight vector."""
        numbers = torch.empty(self.layout.size, dtype=torch.int64)
        for number, block in enumerate(self.blocks):
            for slot in block.slots:
                numbers[slot.start : slot.stop] = number
        return numbers

    # -- there and back ---------------------------------------------------------------------------------------------

    def encode(
        self, weights: Shaped[Tensor, "*batch params"], *, out: Tensor | None = None
    ) -> Shaped[Tensor, "*batch tokens width"]:
        """Tokens of weight vectors; padding is exactly zero. Any dtype, and gradients pass.

        `out`: memory to write them into, whatever it held. Tokens are four times as large as the small CNN's weights,
        and a training loop that gives the same memory every step saves the system's work of finding some.

        Raises ValueError for vectors of another length and for an `out` that is no such batch of tokens.
        """
        self.layout.check(weights, "This tokenizer's layout")
        tokens = self._memory(out, weights) if out is not None else weights.new_empty(*weights.shape[:-1], *self.shape)
        return self.write(tokens, lambda slot: weights[..., slot.start : slot.stop])

    def decode(self, tokens: Shaped[Tensor, "*batch tokens width"]) -> Shaped[Tensor, "*batch params"]:
        """Weight vectors of tokens, the inverse of `encode`; what stands in padding is not looked at.

        Raises ValueError for tokens of another shape, and TypeError for what is no tensor.
        """
        parts = {slot.start: part.flatten(-2) for slot, part in self.read(tokens)}
        return torch.cat([parts[start] for start in sorted(parts)], -1)

    def write(
        self, tokens: Shaped[Tensor, "*batch tokens width"], part: Callable[[Slot], Tensor]
    ) -> Shaped[Tensor, "*batch tokens width"]:
        """The tokens given, contiguous ones, with the numbers that `part` gives of each slot, `[*batch, numbers]`.

        Spares `encode`'s weight vector where a network's tensors lie apart; numbers change their type on the way.
        """
        for block in self.blocks:
            rows = self._rows(tokens, block)
            for slot, columns in block.columns():
                rows[..., columns] = part(slot).unflatten(-1, (block.units, slot.size // block.units))
            if block.length < rows.shape[-1]:
                rows[..., block.length :] = 0
        return tokens

    def read(
        self, tokens: Shaped[Tensor, "*batch tokens width"]
    ) -> Iterator[tuple[Slot, Shaped[Tensor, "*batch units numbers"]]]:
        """Every slot that holds something with its numbers, where they stand in the tokens; raises as `decode` does."""
        if not isinstance(tokens, Tensor):
            raise TypeError(f"Tokens are a tensor, as encode gives them, and this is of type {type(tokens).__name__}.")
        if tuple(tokens.shape[-2:]) != self.shape:
            raise ValueError(
                f"These weights have {self.shape[0]} tokens of width {self.shape[1]}, but the tokens given have shape "
                f"{tuple(tokens.shape)}. Were they made with another width, or for another network?"
            )
        for block in self.blocks:
            rows = self._rows(tokens, block)
            yield from ((slot, rows[..., columns]) for slot, columns in block.columns())

    def _rows(self, tokens: Tensor, block: Block) -> Tensor:
        return tokens[..., block.tokens, :].reshape(*tokens.shape[:-2], block.units, block.chunks * self.shape[1])

    def _memory(self, out: Tensor, weights: Tensor) -> Tensor:
        expected = (*weights.shape[:-1], *self.shape)
        if (tuple(out.shape), out.dtype, out.device) != (expected, weights.dtype, weights.device):
            raise ValueError(
                f"out is {weights.dtype} {list(expected)} on {weights.device}, as the tokens are, not {out.dtype} "
                f"{list(out.shape)} on {out.device}."
            )
        if not out.is_contiguous():
            raise ValueError("out must be contiguous: tokens are written as rows of memory.")
        return out.detach()

    # -- one scale per layer ----------------------------------------------------------------------------------------

    def scale(
        self, weights: Float[Tensor, "*samples params"], *, spread: Literal["total", "within"] = "total"
    ) -> Scale:
        """Mean and standard deviation of every layer's weights (biases with them) over a population.

        `spread="total"`: of all weights of the layer in all samples, as in the layer-wise loss (Schürholt et al. 2022).
        `spread="within"`: the root of the samples' mean variance within the layer, as SANE standardises. Both divide by
        the number of weights and run in float64; a layer whose weights are all equal has the deviation 1.

        Raises ValueError for no samples, for vectors of another length and for weights that are not finite.
        """
        self.layout.check(weights, "This tokenizer's layout")
        rows = weights.detach().reshape(-1, self.layout.size)
        if not len(rows):
            raise ValueError("A scale is measured on a population, and this one has no samples.")
        if not torch.isfinite(rows).all():
            raise ValueError("A scale needs finite weights, and some are not; leave diverged models out.")
        if spread not in ("total", "within"):
            raise ValueError(f"There is no spread {spread!r}; choose 'total' or 'within'.")
        moments = [_moments(rows, block, spread) for block in self.blocks]
        mean, deviation = torch.tensor(moments, dtype=torch.float64).T.to(weights.device, weights.dtype)
        return Scale(self.layers, mean, deviation, self.layer_of.to(weights.device))


@dataclass(frozen=True, eq=False)
class Scale:
    """One mean and one standard deviation per layer, for weight vectors before they become tokens (padding stays 0)."""

    layers: tuple[str, ...]
    mean: Float[Tensor, " layers"]
    deviation: Float[Tensor, " layers"]
    layer_of: Int[Tensor, " params"]

    def standardise(self, weights: Float[Tensor, "*batch params"]) -> Float[Tensor, "*batch params"]:
        """Weights with mean 0 and deviation 1 in every layer of the population that was measured.

        Raises ValueError for networks of another size.
        """
        self._check(weights)
        return (weights - self.mean[self.layer_of]) / self.deviation[self.layer_of]

    def restore(self, weights: Float[Tensor, "*batch params"]) -> Float[Tensor, "*batch params"]:
        """The inverse of `standardise`, but for rounding."""
        self._check(weights)
        return weights * self.deviation[self.layer_of] + self.mean[self.layer_of]

    def _check(self, weights: Tensor) -> None:
        if weights.shape[-1] != len(self.layer_of):
            raise ValueError(
                f"This scale is of networks with {len(self.layer_of):,} weights in {len(self.layers)} layers, and "
                f"these have {weights.shape[-1]:,} weights; measure a scale of networks of their own architecture."
            )


def _groups(layout: Layout) -> Iterator[tuple[str, tuple[Slot, ...]]]:
    """The slots that share rows, with the name of their layer, or of the statistic."""
    layers: dict[str, list[Slot]] = {layer: [] for layer in layout.layers}
    for slot in layout:
        if slot.size:
            layers[slot.layer].append(slot)
    for layer, own in layers.items():
        rows: dict[int, list[Slot]] = {}
        for slot in own:
            if slot.learned:
                rows.setdefault(_units(slot), []).append(slot)
        yield from ((layer, tuple(slots)) for slots in rows.values())
        yield from ((slot.name, (slot,)) for slot in own if not slot.learned)


def _units(slot: Slot) -> int:
    return slot.shape[0] if slot.shape else 1


def _span(block: Block) -> tuple[int]:
    return (block.units * block.chunks,)


def _moments(rows: Tensor, block: Block, spread: str) -> tuple[float, float]:
    """Mean and deviation of one block's weights, in float64, a slot at a time."""
    parts = torch.cat([rows[:, slot.start : slot.stop] for slot in block.slots], -1).double()
    mean = parts.mean()
    centre = mean if spread == "total" else parts.mean(-1, keepdim=True)
    deviation = float((parts - centre).square().mean().sqrt())
    return float(mean), deviation if deviation > ROUNDING * abs(float(mean)) else 1.0
