"""The parts of hyper-representation networks: rows of weights as vectors, attention between them, and back.

A unit's incoming weights and bias are one row. Rows of a layer have one length, so each layer has a linear map of its
own into `width` numbers, and one back; nothing is padded, and no index is followed. Attention is PyTorch's fused one,
with queries, keys and values of all heads from one matrix product.

Source: Schürholt et al. (2021), as its released code builds it: normalisation before attention and before the
feed-forward part, ReLU, dropout on what each adds. Attention weights themselves are not dropped, which the fused kernel
would refuse (our choice).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from hyperlib.weightspace.tokens import Block, Tokenizer
from hyperlib.weightspace.values import is_whole

ALIGNED = 16  # float32 numbers, 64 bytes
LEVELS = 2**16  # of a random number that decides over dropping
STATISTICS = 3  # of a unit's weights, or its bias: mean, deviation, logarithm of the root mean square
TINY = 1e-6
Nonlinearity = Callable[[Tensor], Tensor]


@dataclass
class Source:
    """Where dropout takes its random numbers from; a training loop sets it anew in every step."""

    generator: torch.Generator | None = None


class Dropout(nn.Module):
    """Sets a share of the entries to zero and scales the rest, by a generator that is given and not the global one.

    The share is exact to one in 65,536: entries are compared with 16-bit random numbers, which are drawn faster.
    """

    def __init__(self, share: float, source: Source) -> None:
        super().__init__()
        self.share, self.source = share, source

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or not self.share:
            return values
        dropped = min(round(self.share * LEVELS), LEVELS - 1)
        return values * (self._levels(values) >= dropped - LEVELS // 2) * (LEVELS / (LEVELS - dropped))

    def _levels(self, values: Tensor) -> Int[Tensor, "..."]:
        """A uniform 16-bit number for each entry, four of them from each number that is drawn."""
        draws = torch.empty(-(-values.numel() // 4), dtype=torch.int64, device=values.device)
        draws.random_(-(2**63), None, generator=self.source.generator)
        return draws.view(torch.int16)[: values.numel()].view(values.shape)


class Linear(nn.Linear):
    """A linear map that draws nothing from the global generator; `initialise` gives it its start.

    In evaluation its inputs stand at aligned places, filled up with zeros: whether a row's address is a multiple of
    some bytes decides over the last digits of its product, so a network's embedding would depend on its place.
    """

    def reset_parameters(self) -> None:
        """Left to `initialise`."""

    def forward(self, values: Tensor) -> Tensor:
        missing = -self.in_features % ALIGNED
        if self.training or not missing:
            return super().forward(values)
        return F.linear(F.pad(values, (0, missing)), F.pad(self.weight, (0, missing)), self.bias)


class Attention(nn.Module):
    """Every token reads all others, in several heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.read, self.write = Linear(width, 3 * width), Linear(width, width)

    def forward(
        self,
        tokens: Float[Tensor, "batch tokens width"],
        readers: int | None = None,
        there: Bool[Tensor, "batch tokens"] | None = None,
    ) -> Float[Tensor, "batch readers width"]:
        """`readers`: only the first so many tokens read; every token does without. `there`: which tokens can be read
        (all without), at least one of each sequence.
        """
        three = self.read(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        size = three.shape[-1]
        if not self.training:  # aligned, as in `Linear`
            three = F.pad(three, (0, -size % ALIGNED))
        if three.device.type == "cpu":  # where the fused kernel is many times slower in half precision
            three = three.float()
        queries, keys, values = three
        queries = queries[:, :, :readers]
        with torch.autocast("cpu", enabled=False):
            mask = None if there is None else there[:, None, None, :]
            mixed = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, scale=size**-0.5)
        return self.write(mixed[..., :size].transpose(1, 2).flatten(2))


class TransformerBlock(nn.Module):
    """Attention, then two linear maps and a nonlinearity between; each adds what it makes of the norm of tokens."""

    def __init__(
        self, width: int, heads: int, hidden: int, dropout: float, source: Source, nonlinearity: Nonlinearity = F.relu
    ) -> None:
        super().__init__()
        self.nonlinearity = nonlinearity
        self.before_attention, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.before_forward = nn.LayerNorm(width)
        self.up, self.down = Linear(width, hidden), Linear(hidden, width)
        self.dropout = Dropout(dropout, source)

    def forward(
        self,
        tokens: Float[Tensor, "batch tokens width"],
        readers: int | None = None,
        there: Bool[Tensor, "batch tokens"] | None = None,
    ) -> Float[Tensor, "batch readers width"]:
        """`readers`: only the first so many tokens go on, having read all that are `there`; all do without."""
        read = self.attention(self.before_attention(tokens), readers, there)
        tokens = tokens[:, :readers] + self.dropout(read)
        hidden = self.dropout(self.nonlinearity(self.up(self.before_forward(tokens))))
        return tokens + self.dropout(self.down(hidden))


def check_sizes(sizes: Any, names: Sequence[str], *, shared: bool = True) -> None:
    """ValueError for sizes under these names that are no whole numbers from 1 on, for a dropout that is no share, and
    for a width that heads cannot share evenly, where they do. Whole numbers become Python's own: NumPy's could
    overflow.
    """
    for name in names:
        value = getattr(sizes, name)
        if not is_whole(value, 1):
            raise ValueError(f"{name} is a whole number from 1 on, not {value!r}.")
        object.__setattr__(sizes, name, int(value))
    if shared and sizes.width % sizes.heads:
        raise ValueError(f"{sizes.heads} heads share the width evenly; {sizes.width} is no multiple of it.")
    if not 0 <= sizes.dropout < 1:
        raise ValueError(f"dropout is a share from 0 to below 1, not {sizes.dropout!r}.")


def transformer(
    width: int,
    depth: int,
    heads: int,
    hidden: int,
    dropout: float,
    source: Source,
    nonlinearity: Nonlinearity = F.relu,
) -> nn.Sequential:
    """`depth` blocks. There is no last normalisation, which would take the lengths of tokens away from the read-out."""
    blocks = (TransformerBlock(width, heads, hidden, dropout, source, nonlinearity) for _ in range(depth))
    return nn.Sequential(*blocks)


# -- weights as tokens of `width` numbers ------------------------------------------------------------------------------


class NeuronTokens(nn.Module):
    """One token per unit: a linear map per layer from its row, and one back.

    statistics: the token also reads mean, deviation and log root mean square of the unit's weights, and of its bias,
    which no linear map of the row can make (hand-made, and our choice). `measure` says once what they are like in the
    training networks, so that all of them weigh the same at the start.
    """

    def __init__(self, tokenizer: Tokenizer, width: int, statistics: bool) -> None:
        super().__init__()
        self.blocks = tokenizer.blocks
        self.spans = tuple(block.units for block in self.blocks)  # tokens of each layer
        self.lengths = tuple(block.length for block in self.blocks)  # weights of each token
        self.into = nn.ModuleList(Linear(block.length, width) for block in self.blocks)
        self.back = nn.ModuleList(Linear(width, block.length) for block in self.blocks)
        self.statistics = None
        if statistics:
            counts = [STATISTICS * len(block.slots) for block in self.blocks]
            self.statistics = nn.ModuleList(Linear(count, width) for count in counts)
            self.register_buffer("centre", torch.zeros(len(counts), max(counts)))
            self.register_buffer("spread", torch.ones(len(counts), max(counts)))

    def measure(self, weights: Float[Tensor, "samples params"]) -> None:
        """Mean and deviation of every layer's row statistics over these networks."""
        if self.statistics is None:
            return
        for number, block in enumerate(self.blocks):
            found = statistics_of(rows_of(weights, block), block).flatten(0, 1)
            deviation, mean = torch.std_mean(found, 0, correction=0)
            self.centre[number, : len(mean)] = mean
            self.spread[number, : len(mean)] = torch.where(deviation > TINY, deviation, 1)

    def embed(self, weights: Float[Tensor, "batch params"]) -> Float[Tensor, "batch tokens width"]:
        return torch.cat([self._layer(weights, number) for number in range(len(self.blocks))], 1)

    def _layer(self, weights: Tensor, number: int) -> Float[Tensor, "batch units width"]:
        row = rows_of(weights, self.blocks[number])
        tokens = self.into[number](row)
        if self.statistics is None:
            return tokens
        found = statistics_of(row, self.blocks[number])
        count = found.shape[-1]
        return tokens + self.statistics[number]((found - self.centre[number, :count]) / self.spread[number, :count])

    def weights(self, tokens: Float[Tensor, "batch tokens width"]) -> Float[Tensor, "batch params"]:
        parts: dict[int, Tensor] = {}
        for linear, block, own in zip(self.back, self.blocks, tokens.split(self.spans, 1), strict=True):
            row = linear(own)
            parts |= {slot.start: row[..., columns].flatten(1) for slot, columns in block.columns()}
        return torch.cat([parts[start] for start in sorted(parts)], -1)


class WeightTokens(nn.Module):
    """One token per single weight, layer by layer: one linear map for all of them, and one back."""

    def __init__(self, tokenizer: Tokenizer, width: int) -> None:
        super().__init__()
        self.spans = tuple(block.units * block.length for block in tokenizer.blocks)
        self.lengths = (1,) * len(self.spans)
        places = torch.arange(tokenizer.layout.size)[None]
        places = torch.cat([rows_of(places, block).flatten() for block in tokenizer.blocks])
        self.register_buffer("order", places, persistent=False)
        self.register_buffer("inverse", places.argsort(), persistent=False)
        self.into, self.back = Linear(1, width), Linear(width, 1)

    def embed(self, weights: Float[Tensor, "batch params"]) -> Float[Tensor, "batch params width"]:
        return self.into(weights[:, self.order, None])

    def weights(self, tokens: Float[Tensor, "batch params width"]) -> Float[Tensor, "batch params"]:
        return self.back(tokens)[:, self.inverse, 0]


def rows_of(weights: Float[Tensor, "batch params"], block: Block) -> Float[Tensor, "batch units length"]:
    """The rows of one layer: every unit's incoming weights and bias."""
    parts = [weights[:, slot.start : slot.stop].unflatten(-1, (block.units, -1)) for slot in block.slots]
    return parts[0] if len(parts) == 1 else torch.cat(parts, -1)


def statistics_of(rows: Float[Tensor, "batch units length"], block: Block) -> Float[Tensor, "batch units _"]:
    """Mean, deviation and log root mean square of every unit's weights, then of its bias: three for each slot."""
    found = []
    for _, columns in block.columns():
        part = rows[..., columns]
        deviation, mean = torch.std_mean(part, -1, correction=0)
        found += [mean, deviation, 0.5 * (part.square().mean(-1) + TINY).log()]
    return torch.stack(found, -1)
