"""Views of networks for contrastive learning: reordered, disturbed and partly erased, whole batches at a time.

A view is a permutation of the hidden units (the same function), then noise, then a block of weights set to zero. All is
done to weight vectors, and tokens are made last: most cells of a token are padding, which then stays zero and costs no
random numbers. Permutations are drawn anew for every view; no pool of them is kept.

Source: Schürholt et al. (2021), whose released code draws from a pool of permutations (for the Tetris networks, of all
120); views of which some are aligned, and multiplicative noise, are SANE's (Schürholt et al. 2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations, product
from math import prod
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.weightspace.base import BaseArchitecture, require_architecture
from hyperlib.weightspace.symmetry import orbit_size, permutation_index, random_permutations
from hyperlib.weightspace.values import is_whole

LARGEST_ORBIT = 2**24  # places in the index, 128 MiB
ATTEMPTS = 10  # to place a block; the released code gives up after so many, and so do we


@dataclass(frozen=True)
class Views:
    """What an encoder reads, and what a decoder is asked for."""

    inputs: Float[Tensor, "views samples params"]
    targets: Float[Tensor, "views samples params"]  # the very same tensor where nothing was disturbed


@dataclass(frozen=True)
class Augment:
    """How views are made, in this order.

    permute: hidden units in random order, every order equally likely (True), drawn from a table of all orders
    ("orbit", for networks as small as the Tetris ones; the same distribution, faster), or as they come (False).
    fixed_views: so many of the first views are not permuted. With networks that were aligned before, 1 is SANE's design
    (one aligned view, one permuted) and 2 what its released scripts do; 0 is Schürholt et al. (2021).
    multiplicative: weights times 1 + m e, with e standard normal. noise: plus s e, with an e of its own; both act on
    running statistics too, which are weights like others here.
    erase: probability that a view loses a block of neighbouring weights (set to 0). Its share of the vector is drawn
    from `erased` and its first place anywhere, both again (ten times at most) until the block ends before the vector
    does; so large blocks are a little rarer, as in the released code.
    target: "clean" asks a decoder for the permuted weights before noise and erasing; "view" for the view itself, as the
    released code does, which makes erasing no denoising task; "other" for the clean weights of another network of the
    batch, a control that leaves nothing to be rebuilt.

    Raises ValueError for values outside their ranges.
    """

    permute: bool | Literal["orbit"] = True
    fixed_views: int = 0
    multiplicative: float = 0.0
    noise: float = 0.0
    erase: float = 0.0
    erased: tuple[float, float] = (0.02, 0.33)
    target: Literal["clean", "view", "other"] = "clean"

    def __post_init__(self) -> None:
        if self.permute not in (True, False, "orbit"):
            raise ValueError(f"permute is True, False or 'orbit', not {self.permute!r}.")
        if not is_whole(self.fixed_views, 0):
            raise ValueError(f"fixed_views is a whole number from 0 on, not {self.fixed_views!r}.")
        for name in ("multiplicative", "noise"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is a standard deviation from 0 on, not {getattr(self, name)!r}.")
        if not 0 <= self.erase <= 1:
            raise ValueError(f"erase is a probability between 0 and 1, not {self.erase!r}.")
        if len(self.erased) != 2 or not 0 <= self.erased[0] <= self.erased[1] <= 1:
            raise ValueError(f"erased is a smallest and a largest share between 0 and 1, not {self.erased!r}.")
        if self.target not in ("clean", "view", "other"):
            raise ValueError(f"target is 'clean', 'view' or 'other', not {self.target!r}.")

    def views(
        self,
        architecture: BaseArchitecture,
        weights: Float[Tensor, "samples params"],
        generator: torch.Generator,
        *,
        count: int = 2,
    ) -> Views:
        """`count` independent views of every network; flattened, view 2 stands behind all of view 1.

        Random numbers are drawn on the CPU, so a seed means the same views on every device.

        Units that are tied to their places stay there. Raises ValueError when the weights are no batch of this
        architecture, and when the generator is not of the CPU.
        """
        _check(architecture, weights, generator, count)
        moved = self._permuted(architecture, weights, generator, count)
        inputs = moved
        if self.multiplicative:
            inputs = _normal(inputs, generator).mul_(self.multiplicative).add_(1).mul_(inputs)
        if self.noise:
            inputs = _normal(inputs, generator).mul_(self.noise).add_(inputs)
        if self.erase:
            inputs = inputs.clone() if inputs is moved and self.target != "view" else inputs
            _erase(inputs, self.erase, self.erased, generator)
        if self.target == "other":
            return Views(inputs, moved.roll(1, 1))
        return Views(inputs, moved if self.target == "clean" else inputs)

    def _permuted(
        self, architecture: BaseArchitecture, weights: Tensor, generator: torch.Generator, count: int
    ) -> Float[Tensor, "views samples params"]:
        """A tensor of its own; the first views as they come."""
        fixed = min(self.fixed_views, count) if self.permute else count
        moved = count - fixed
        if not moved:
            return weights.detach().repeat(count, 1, 1)
        if self.permute == "orbit":
            orders = _orbit(architecture)
            index = orders[torch.randint(len(orders), (moved * len(weights),), generator=generator)]
        else:
            drawn = random_permutations(architecture, moved * len(weights), generator)
            index = permutation_index(architecture, drawn, models=moved * len(weights))
        index = index.to(weights.device).view(moved, *weights.shape)
        permuted = weights.detach().expand(moved, -1, -1).gather(-1, index)
        return torch.cat([weights.detach().expand(fixed, -1, -1), permuted]) if fixed else permuted


def orbit(architecture: BaseArchitecture) -> Int[Tensor, "orders params"]:
    """The index of every order of the hidden units, the order as given first: `weights[orbit]` for one network.

    Orders count up like the pages of a dictionary, those of the last group fastest.

    Raises ValueError where there are too many (more than 2**24 numbers in all).
    """
    return _orbit(architecture).clone()


@lru_cache(maxsize=8)
def _orbit(architecture: BaseArchitecture) -> Int[Tensor, "orders params"]:
    size, structure = orbit_size(architecture), architecture.structure
    if size * architecture.layout.size > LARGEST_ORBIT:
        raise ValueError(
            f"{architecture.name} has {size:,} orders of its hidden units, too many to list; "
            "draw them with permute=True."
        )
    groups = [(name, width) for name, width in structure.groups.items() for _ in range(structure.blocks[name])]
    columns = list(zip(*product(*(permutations(range(width)) for _, width in groups)), strict=True))
    orders: dict[str, Tensor] = {}
    for (name, _), column in zip(groups, columns, strict=True):
        order = torch.tensor(column)
        if name in structure.within:
            orders[name] = torch.cat([orders[name], order[:, None]], 1) if name in orders else order[:, None]
        else:
            orders[name] = order
    return permutation_index(architecture, orders, models=size)


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers in memory of their own, which the result of the arithmetic then takes."""
    return torch.randn(like.shape, generator=generator, dtype=like.dtype).to(like.device)


def erasures(
    params: int, rows: int, probability: float, erased: Sequence[float], generator: torch.Generator
) -> tuple[Int[Tensor, " rows"], Int[Tensor, " rows"]]:
    """First place and length of the block that each row loses, length 0 where it loses none."""
    chosen = torch.rand(rows, generator=generator) < probability
    low, high = erased
    shares = low + (high - low) * torch.rand(rows, ATTEMPTS, generator=generator, dtype=torch.float64)
    lengths = (params * shares).long()
    starts = torch.randint(params, (rows, ATTEMPTS), generator=generator)
    fits = starts + lengths < params
    attempt = fits.to(torch.uint8).argmax(-1, keepdim=True)  # the first that fits
    found = chosen & fits.any(-1)
    return starts.gather(1, attempt)[:, 0], lengths.gather(1, attempt)[:, 0] * found


def _erase(
    views: Float[Tensor, "views samples params"],
    probability: float,
    erased: Sequence[float],
    generator: torch.Generator,
) -> None:
    """Set a block of some views to zero, in place: all its cells in one call, whatever the number of views."""
    params = views.shape[-1]
    starts, lengths = erasures(params, prod(views.shape[:2]), probability, erased, generator)
    ends = lengths.cumsum(0)
    before = torch.arange(len(starts)) * params + starts - (ends - lengths)
    places = torch.repeat_interleave(before, lengths) + torch.arange(int(lengths.sum()))
    views.view(-1).index_fill_(0, places.to(views.device), 0)


def _check(architecture: BaseArchitecture, weights: Tensor, generator: torch.Generator, count: int) -> None:
    require_architecture(architecture, "Augment")
    architecture.layout.check(weights, architecture.name)
    if weights.ndim != 2 or not weights.is_floating_point():
        raise ValueError(f"Views are made of floating-point weights [samples, params], not {list(weights.shape)}.")
    if count < 1:
        raise ValueError(f"count is a number of views from 1 on, not {count}.")
    if generator.device.type != "cpu":
        raise ValueError("Views are drawn on the CPU, on every device the same; give a generator of the CPU.")
