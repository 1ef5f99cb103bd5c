"""Augmented windows of tokens for `Sane`, against the same written one network at a time; and its memory.

The released code of Schürholt et al. (2024) works in two stages. *Offline*, every network is permuted many times, and
each version is cut into tokens, tensor by tensor. *Online*, a loader picks two versions of a network, multiplies noise,
cuts one window out of both, and batches are stacked. Ours has one stage, which permutes anew in every step. The other
side is that way in our words, timed on fewer networks; one core.

`sane_memory` embeds and decodes a ResNet-18 in a process of its own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import pandas as pd
import torch
from clock import Contestant, in_a_process, measured, repeated, say, threads
from memory import largest_so_far
from settings import Options
from tokens import READERS, State, reordered, tokenised
from torch import Tensor

from hyperlib import resnet18, small_cnn
from hyperlib.representations.augment import Augment
from hyperlib.representations.batches import Population, rows_by_group
from hyperlib.representations.sane import Sane
from hyperlib.representations.window_views import windows_of
from hyperlib.representations.window_zoos import Fitted, WindowZoo
from hyperlib.zoos.zoo import Samples

TOKEN, WINDOW, NOISE, VERSIONS = 289, 32, 0.1, 5  # the published sizes; the released pool has 201 versions


def windows(options: Options) -> pd.DataFrame:
    """One row per stage: small CNNs per second of both sides on one core, and their `ratio`."""
    batch, few = (4, 2) if options.quick else (64, 60)
    network = small_cnn()
    weights, generator = network.initialise(range(batch), "kaiming_normal"), torch.Generator().manual_seed(0)
    states = [dict(network.layout.unflatten(row)) for row in weights[:few]]
    sane = Sane(token=TOKEN, window=WINDOW)
    sane.build()
    zoo = WindowZoo("it", network, Population(weights, rows_by_group(None, batch)), sane.sequence(network))
    augment, rows = Augment(fixed_views=1, multiplicative=NOISE, target="view"), torch.arange(batch)
    pool = [versions(state, generator) for state in states]

    def ours() -> None:
        windows_of(zoo, rows, WINDOW, augment, generator)

    stages: dict[str, Callable[[], object]] = {
        "online": lambda: stacked([drawn(tokens, generator) for tokens in pool]),
        "offline, of one version": lambda: [version(state, generator) for state in states],
    }
    found = []
    with threads(1):
        for stage, plain in stages.items():
            say(f"  {network.name}: {stage}")
            sides = [Contestant("ours", batch, ours, ours), Contestant("plain", few, repeated(plain), plain)]
            times = measured(sides, options.repetitions)
            rates = [side.work / times[side.name].processor for side in sides]
            found.append((network.name, TOKEN, WINDOW, stage, *rates, rates[0] / rates[1]))
    columns = ["network", "token", "window", "stage", "ours_per_cpu_s", "one_by_one_per_cpu_s", "ratio"]
    return pd.DataFrame(found, columns=columns)


# -- one network at a time ---------------------------------------------------------------------------------------------


def version(state: State, generator: torch.Generator) -> Tensor:
    """Tokens of a permuted network."""
    for layer, reader in READERS["small_cnn_1ch"].items():
        state = reordered(state, layer, reader, torch.randperm(len(state[f"{layer}.weight"]), generator=generator))
    return tokenised(state, TOKEN)


def versions(state: State, generator: torch.Generator) -> Tensor:
    """The network as it is, and permuted ones."""
    return torch.stack([tokenised(state, TOKEN), *(version(state, generator) for _ in range(VERSIONS - 1))])


def drawn(tokens: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
    """Two versions with noise, one window of both, its mask and its positions."""
    other = int(torch.randint(1, len(tokens), (1,), generator=generator))
    start = int(torch.randint(tokens.shape[1] - WINDOW + 1, (1,), generator=generator))
    views = [tokens[number] * (1 + NOISE * torch.randn(tokens[0].shape, generator=generator)) for number in (0, other)]
    place = torch.arange(tokens.shape[1])
    return (*(view[start : start + WINDOW] for view in (*views, tokens[0] != 0)), place[start : start + WINDOW])


def stacked(items: list[tuple[Tensor, ...]]) -> list[Tensor]:
    """A batch of items."""
    return [torch.stack(parts) for parts in zip(*items, strict=True)]


# -- memory ------------------------------------------------------------------------------------------------------------


def sane_memory(options: Options) -> pd.DataFrame:
    """One row: weights and tokens of a ResNet-18, seconds to embed and to decode it, and GiB besides the weights."""
    return pd.DataFrame([{"network": "ResNet-18"} | in_a_process("windows.py", int(options.quick))])


def embedded(quick: bool) -> dict[str, float]:
    """Embed and decode in this process and say what it took; the network is small, memory hangs on windows alone."""
    network = resnet18()
    sane = Sane(token=288, window=64 if quick else 256, halo=16 if quick else 64, latent=128, width=64, steps=0)
    sane.build()
    table = pd.DataFrame({"model": [0], "epoch": [0]})
    samples = Samples(network.initialise([0], "kaiming_normal"), table, network)
    scale = sane.scale(samples)
    sane.zoos_ = [Fitted("it", network, scale)]
    before, ticks = largest_so_far(), [time.perf_counter()]
    latents = sane.embed_tokens(samples, scale=scale)
    ticks.append(time.perf_counter())
    sane.decode(latents, network, scale)
    ticks.append(time.perf_counter())
    return {
        "weights": network.layout.size,
        "tokens": latents.shape[1],
        "embed_s": ticks[1] - ticks[0],
        "decode_s": ticks[2] - ticks[1],
        "besides_gib": largest_so_far() - before,
    }


if __name__ == "__main__":
    print(json.dumps(embedded(bool(int(sys.argv[1])))))
