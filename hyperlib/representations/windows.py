"""Sequences of any length through a network that reads windows of a few tokens.

A sequence is cut into windows of one length. With a *halo* every window also reads so many tokens on both sides of
those that it is there for, and only these are kept, so each token is seen with context as in training. Windows at the
ends of the sequence have all of their context on one side; a sequence shorter than a window is one window.

Source: haloed windows of Schürholt et al. (2024).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hyperlib.weightspace.values import is_whole

Network = Callable[[Float[Tensor, "windows tokens width"], Float[Tensor, "windows tokens places"]], Tensor]


def check_window(window: int, halo: int) -> None:
    """ValueError for a window that is no whole number above 0, and for a halo that leaves nothing of it."""
    if not is_whole(window, 1):
        raise ValueError(f"A window is a whole number of tokens from 1 on, not {window!r}.")
    if not is_whole(halo, 0) or 2 * halo >= window:
        raise ValueError(f"A halo is a whole number from 0 on, below half of the window of {window}, not {halo!r}.")


def cuts(tokens: int, window: int, halo: int = 0) -> tuple[Int[Tensor, " windows"], Bool[Tensor, "windows length"]]:
    """Where windows start, and which of their tokens are kept: each token of the sequence once.

    Raises ValueError for a halo that leaves nothing of a window, and for a sequence without tokens.
    """
    check_window(window, halo)
    if not is_whole(tokens, 1):
        raise ValueError(f"A sequence has 1 token at least, not {tokens!r}.")
    length, own = min(window, tokens), window - 2 * halo
    if tokens <= window:
        return torch.zeros(1, dtype=torch.int64), torch.ones(1, length, dtype=torch.bool)
    first = torch.arange(0, tokens, own)  # of what a window is there for
    starts = (first - halo).clamp(0, tokens - length)
    at = starts[:, None] + torch.arange(length)
    return starts, (at >= first[:, None]) & (at < first[:, None] + own)


def through(
    network: Network,
    values: Float[Tensor, "networks tokens width"],
    places: Float[Tensor, "tokens places"],
    *,
    window: int,
    halo: int = 0,
    at_once: int = 64,
    fill: bool = False,
) -> Float[Tensor, "networks tokens _"]:
    """What the network makes of every token, `at_once` windows at a time, so memory does not grow with the sequence.

    fill: batches are filled up to `at_once` windows, so a network's result does not depend on how many others come.
    Raises ValueError as `cuts`.
    """
    networks, tokens = values.shape[:2]
    starts, kept = (part.to(values.device) for part in cuts(tokens, window, halo))
    at = starts[:, None] + torch.arange(kept.shape[1], device=values.device)
    found: Tensor | None = None
    for own, number in _batches(networks, len(starts), at_once, values.device):
        used = len(own)
        if fill and used < at_once:
            own, number = (torch.cat([part, part[:1].expand(at_once - used)]) for part in (own, number))
        made = network(values[own[:, None], at[number]], places[at[number]])[:used]
        if found is None:
            found = made.new_empty(networks * tokens, made.shape[-1])
        there = kept[number[:used]]
        target = (own[:used, None] * tokens + at[number[:used]])[there]
        copy = found.index_copy if made.requires_grad else found.index_copy_
        found = copy(0, target, made[there])
    return found.unflatten(0, (networks, tokens))


def _batches(networks: int, windows: int, at_once: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of (network, window), some at a time."""
    for pairs in torch.arange(networks * windows, device=device).split(at_once):
        yield pairs // windows, pairs % windows
