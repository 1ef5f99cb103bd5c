"""Views and tokens of networks for contrastive learning, against the same written one network at a time.

A training loop asks for two views of a batch: permuted, with noise, partly erased, as tokens. The other side is the way
of the released code (Schürholt et al. 2021): every sample on its own, its state dict permuted tensor by tensor, made a
vector, disturbed, and cut into tokens row by row; then a batch is stacked. It is timed on fewer networks. Ours also
keeps the clean target, and writes the tokens of every batch into the same memory, as a training loop does. Random
weights; batches of 500, the published size; one core.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import torch
from clock import Contestant, measured, repeated, say, threads
from settings import Options
from torch import Tensor

from hyperlib import Architecture, small_cnn, tetris_mlp
from hyperlib.representations.augment import Augment
from hyperlib.weightspace.tokens import Tokenizer

NOISE, ERASE, ERASED = 0.05, 0.5, (0.02, 0.33)
READERS = {  # which layer reads whose units
    "small_cnn_1ch": {"conv1": "conv2", "conv2": "conv3", "conv3": "fc1", "fc1": "fc2"},
    "tetris_mlp": {"fc1": "fc2"},
}
State = dict[str, Tensor]


def tokens(options: Options) -> pd.DataFrame:
    """One row per network and action: networks per second of both on one core, and their `ratio`."""
    batch, few, repeats = (4, 2, 1) if options.quick else (500, 60, 4)
    rows = []
    with threads(1):
        for network, augment in (
            (small_cnn(), Augment(noise=NOISE, erase=ERASE, erased=ERASED)),
            (tetris_mlp(), Augment(permute="orbit", noise=NOISE, erase=ERASE, erased=ERASED)),
        ):
            for action, ours, plain in _actions(network, augment, batch, few):
                say(f"  {network.name}: {action}")
                sides = [
                    Contestant("ours", batch * repeats, repeated(ours, repeats), ours),
                    Contestant("plain", few, repeated(plain), plain),
                ]
                times = measured(sides, options.repetitions)
                rates = [side.work / times[side.name].processor for side in sides]
                rows.append((network.name, action, *rates, rates[0] / rates[1]))
    columns = ["network", "action", "ours_per_cpu_s", "one_by_one_per_cpu_s", "ratio"]
    return pd.DataFrame(rows, columns=columns)


def _actions(
    network: Architecture, augment: Augment, batch: int, few: int
) -> list[tuple[str, Callable[[], object], Callable[[], object]]]:
    generator, tokenizer = torch.Generator().manual_seed(0), Tokenizer(network.layout)
    weights = network.initialise(range(batch), "kaiming_normal")
    states = [dict(network.layout.unflatten(row)) for row in weights[:few]]
    both = torch.empty(2, batch, *tokenizer.shape)  # of two views
    encoded = tokenizer.encode(weights)
    width = tokenizer.shape[1]

    def views() -> None:
        tokenizer.encode(augment.views(network, weights, generator).inputs, out=both)

    def views_one_by_one() -> None:
        pairs = [two_views(state, READERS[network.name], width, generator) for state in states]
        for view in zip(*pairs, strict=True):
            torch.stack(view)

    return [
        ("two views as tokens", views, views_one_by_one),
        (
            "tokens",
            lambda: tokenizer.encode(weights, out=both[0]),
            lambda: torch.stack([tokenised(state, width) for state in states]),
        ),
        (
            "weights from tokens",
            lambda: network.layout.unflatten(tokenizer.decode(encoded)),
            lambda: [state_of(row, states[0]) for row in encoded[:few]],
        ),
    ]


# -- one network at a time ---------------------------------------------------------------------------------------------


def two_views(state: State, readers: dict[str, str], width: int, generator: torch.Generator) -> list[Tensor]:
    """Two views of one network: permuted, with noise, perhaps erased, as tokens."""
    views = []
    for _ in range(2):
        moved = {name: value.clone() for name, value in state.items()}
        for layer, reader in readers.items():
            order = torch.randperm(len(state[f"{layer}.weight"]), generator=generator)
            moved = reordered(moved, layer, reader, order)
        vector = torch.cat([value.flatten() for value in moved.values()])
        vector = erased(vector + NOISE * torch.randn(vector.shape, generator=generator), generator)
        views.append(tokenised(unflattened(vector, state), width))
    return views


def reordered(state: State, layer: str, reader: str, order: Tensor) -> State:
    """A state dict with one layer's units in another order, in the layer and in the one that reads it."""
    moved = dict(state)
    for part in ("weight", "bias"):
        if f"{layer}.{part}" in state:
            moved[f"{layer}.{part}"] = state[f"{layer}.{part}"][order]
    weight = state[f"{reader}.weight"]
    columns = weight.reshape(len(weight), len(order), -1)[:, order]
    moved[f"{reader}.weight"] = columns.reshape(weight.shape)
    return moved


def erased(vector: Tensor, generator: torch.Generator) -> Tensor:
    """The vector, with probability one half without a block."""
    if torch.rand(1, generator=generator) < ERASE:
        for _ in range(10):
            share = torch.empty(1).uniform_(*ERASED, generator=generator).item()
            length, start = int(len(vector) * share), int(torch.randint(len(vector), (1,), generator=generator))
            if start + length < len(vector):
                vector[start : start + length] = 0
                break
    return vector


def unflattened(vector: Tensor, like: State) -> State:
    """A vector's parts, with the names and shapes of another state dict."""
    parts = vector.split([value.numel() for value in like.values()])
    return {name: part.view(value.shape) for (name, value), part in zip(like.items(), parts, strict=True)}


def tokenised(state: State, width: int) -> Tensor:
    """Tokens `[units, width]`: the incoming weights and the bias of every unit of every layer, and zeros."""
    rows = []
    for name, weight in state.items():
        if name.endswith(".weight"):
            bias = state.get(name.replace(".weight", ".bias"))
            for unit in range(len(weight)):
                parts = [weight[unit].flatten()] + ([] if bias is None else [bias[unit : unit + 1]])
                length = sum(len(part) for part in parts)
                rows.append(torch.cat([*parts, torch.zeros(width - length)]))
    return torch.stack(rows)


def state_of(tokens: Tensor, like: State) -> State:
    """The state dict of one network's tokens, unit by unit."""
    state, first = {}, 0
    for name, weight in like.items():
        if name.endswith(".weight"):
            rows, length = tokens[first : first + len(weight)], weight[0].numel()
            state[name] = torch.stack([row[:length].view(weight.shape[1:]) for row in rows])
            if (bias := name.replace(".weight", ".bias")) in like:
                state[bias] = torch.stack([row[length] for row in rows])
            first += len(weight)
    return state
