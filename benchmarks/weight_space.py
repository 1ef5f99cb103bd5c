"""Moves and comparisons of small CNNs in weight space, against the same written one network at a time.

Permuting, aligning and comparing are done to whole populations, so the other side is what one would write for a single
network and call in a loop: state dicts whose tensors are reordered one by one, weight matching on such dicts, and a
double loop over pairs. It is timed on fewer networks or pairs and counted up. Random weights: no step asks what a
network has learned, and alignment of untrained networks takes as many rounds. Source: our choice.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from clock import Contestant, measured, repeated, say
from scipy.optimize import linear_sum_assignment
from settings import Options
from torch import Tensor

from hyperlib import align, cka, cosine, l2, permutation_index, random_permutations, small_cnn

READERS = {"conv1": "conv2", "conv2": "conv3", "conv3": "fc1", "fc1": "fc2"}  # which layer reads whose units
State = dict[str, np.ndarray]


def weight_space(options: Options) -> pd.DataFrame:
    """One row per action: how many `networks`, `ours_s` and `one_by_one_s` for all of them, and their `ratio`."""
    sizes = (4, 3, 4, 2) if options.quick else (500, 200, 300, 20)
    rows = []
    for action, networks, few, ours, plain in _actions(*sizes):
        say(f"  {action}")
        sides = [Contestant("ours", networks, repeated(ours), ours), Contestant("plain", few, repeated(plain), plain)]
        times = measured(sides, options.repetitions)
        loop = times["plain"].wall * (networks / few if "pairs" not in action else (networks / few) ** 2)
        rows.append((action, networks, times["ours"].wall, loop, loop / times["ours"].wall))
    return pd.DataFrame(rows, columns=["action", "networks", "ours_s", "one_by_one_s", "ratio"])


def _actions(moved: int, aligned: int, compared: int, few: int) -> list[tuple[str, int, int, Callable, Callable]]:
    network, generator = small_cnn(), torch.Generator().manual_seed(0)
    weights = network.initialise(range(max(moved, aligned + 1, compared)), "kaiming_normal")
    states = [{k: v.numpy() for k, v in network.layout.unflatten(row).items()} for row in weights[: few + 1]]
    outputs = torch.randn(compared, 1000, network.num_classes, generator=generator)
    rows, answers = weights[:few].double(), outputs[:few].double()

    def permute() -> None:
        orders = random_permutations(network, moved, generator)
        weights[:moved].gather(-1, permutation_index(network, orders))

    def permute_one_by_one() -> None:
        for state in states[:few]:
            for group in READERS:
                state = reordered(state, group, np.random.default_rng(0).permutation(len(state[f"{group}.bias"])))

    return [
        ("permute", moved, few, permute, permute_one_by_one),
        (
            "align to one reference", aligned, few,
            lambda: align(network, weights[0], weights[1 : aligned + 1]),
            lambda: [matched(states[0], state) for state in states[1 : few + 1]],
        ),
        ("all pairs: l2", compared, few, lambda: l2(weights[:compared]), lambda: pairs(rows, _distance)),
        ("all pairs: cosine", compared, few, lambda: cosine(weights[:compared]), lambda: pairs(rows, _cosine)),
        ("all pairs: CKA of 1,000 answers", compared, few, lambda: cka(outputs), lambda: pairs(answers, _cka)),
    ]  # fmt: skip


# -- one network at a time ---------------------------------------------------------------------------------------------


def reordered(state: State, group: str, order: np.ndarray) -> State:
    """A state dict with one group's units in another order."""
    moved, reader = dict(state), f"{READERS[group]}.weight"
    for part in ("weight", "bias"):
        moved[f"{group}.{part}"] = state[f"{group}.{part}"][order]
    columns = state[reader].reshape(len(state[reader]), len(order), -1)
    moved[reader] = columns[:, order].reshape(state[reader].shape)
    return moved


def matched(reference: State, state: State, seed: int = 0) -> State:
    """Weight matching as published: one assignment after the other, groups in random order, until nothing changes."""
    random, changed = np.random.default_rng(seed), True
    while changed:
        changed = False
        for group in random.permutation(list(READERS)):
            gains = np.zeros((len(state[f"{group}.bias"]),) * 2)
            for key, axis in ((f"{group}.weight", 0), (f"{group}.bias", 0), (f"{READERS[group]}.weight", 1)):
                sides = []
                for values in (reference[key], state[key]):
                    units = values if axis == 0 else values.reshape(len(values), len(gains), -1).swapaxes(0, 1)
                    sides.append(units.reshape(len(gains), -1).astype(np.float64))
                gains += sides[0] @ sides[1].T
            order = linear_sum_assignment(gains, maximize=True)[1]
            if gains[np.arange(len(order)), order].sum() > np.trace(gains) + 1e-9:
                state, changed = reordered(state, group, order), True
    return state


def pairs(rows: Tensor, compare: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """A matrix of pairs by a double loop."""
    return torch.tensor([[float(compare(one, other)) for other in rows] for one in rows])


def _distance(one: Tensor, other: Tensor) -> Tensor:
    return (one - other).norm()


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    return one @ other / (one.norm() * other.norm())


def _cka(one: Tensor, other: Tensor) -> Tensor:
    one, other = one - one.mean(0), other - other.mean(0)
    return (other.T @ one).norm() ** 2 / ((one.T @ one).norm() * (other.T @ other).norm())
