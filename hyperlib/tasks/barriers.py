"""How high the loss rises between two networks, by what the two have to do with each other.

Two checkpoints of one run, two seeds, a network and its own copy with permuted units, two seeds of which one is
aligned to the other: four questions about the same landscape, asked of the same pairs of a zoo, so that their answers
can be compared pair by pair.

Source: thesis, ch. 2 (that it shows the four settings is inferred); alignment after Ainsworth et al. (2023). Signs,
matched activations, and how pairs are drawn are our choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.tasks.connectivity import along_line
from hyperlib.weightspace.alignment import align
from hyperlib.weightspace.base import BaseArchitecture
from hyperlib.weightspace.symmetry import permutation_index, random_permutations, random_signs
from hyperlib.weightspace.values import generator, usual_precision

Ends = tuple[Float[Tensor, "pairs params"], Float[Tensor, "pairs params"]]


def some_pairs(models: int, count: int, *, seed: int = 0) -> Int[Tensor, "pairs two"]:
    """So many pairs without a common model, drawn evenly; from a small population all pairs of some models.

    Pairs that share a model are not independent. Where there are fewer than two models for every pair, these are all
    pairs of as many models as have no more than `count` (two at least), which `estimates.mean_over_pairs` can judge.
    """
    if models < 2 or count < 1:
        raise ValueError(f"Pairs need two models and a count of 1 or more, not {models} models and {count} pairs.")
    order = torch.randperm(models, generator=generator(seed))
    if models >= 2 * count:
        return order[: 2 * count].view(count, 2)
    few = max(n for n in range(2, models + 1) if n * (n - 1) // 2 <= count)
    return torch.tensor(list(combinations(order[:few].tolist(), 2)))


def ends_of_lines(
    architecture: BaseArchitecture,
    weights: Float[Tensor, "models epochs params"],
    pairs: Int[Tensor, "pairs two"],
    images: Float[Tensor, "batch c h w"],
    *,
    earlier: int,
    restarts: int = 1,
    seed: int = 0,
) -> dict[str, Ends]:
    """Start and end of the line between the two models of every pair, by setting.

    All lines start at the pair's first model at its last epoch; "one run" ends at the same model's epoch at place
    `earlier`, "own copy" at the model with its units in random order, "two seeds" at the other model, and the rest at
    the other model after alignment: "aligned" by its weights, "aligned with signs" (for networks whose units can change
    sign), "matched activations" on `images`.
    """
    weights = usual_precision(weights.detach())
    first, second = (weights[pairs[:, side], -1] for side in (0, 1))
    random = generator(seed)
    orders = random_permutations(architecture, len(pairs), random)
    ways = {"aligned": {"restarts": restarts}}
    if random_signs(architecture, 1, random):
        ways["aligned with signs"] = {"restarts": restarts, "signs": True}
    ways["matched activations"] = {"method": "activations", "images": images}
    copies = first.gather(-1, permutation_index(architecture, orders, models=len(pairs)))
    ends = {"one run": weights[pairs[:, 0], earlier], "own copy": copies, "two seeds": second}
    for setting, how in ways.items():
        moved = [
            align(architecture, one, other[None], seed=seed, **how).weights
            for one, other in zip(first, second, strict=True)
        ]
        ends[setting] = torch.cat(moved)
    return {setting: (first, end) for setting, end in ends.items()}


@torch.no_grad()
def compare_lines(
    architecture: BaseArchitecture,
    ends: Mapping[str, Ends],
    images: Float[Tensor, "images c h w"],
    labels: Int[Tensor, " images"],
    *,
    points: int = 11,
    recalibrate: Float[Tensor, "batch c h w"] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Loss and accuracy along the lines of every setting, and what becomes of each line in numbers.

    First table: `setting`, `pair`, `alpha`, `loss`, `accuracy`. Second: one row per setting and pair with `barrier`,
    `accuracy_barrier`, mean `loss` and `accuracy` of the two ends and the `distance` of their learned weights. For
    `recalibrate` see `connectivity.along_line`.
    """
    learned = torch.cat([torch.full((slot.size,), slot.learned) for slot in architecture.slots])
    lines, rows = [], []
    for setting, (start, end) in ends.items():
        path = along_line(architecture, start, end, images, labels, points=points, recalibrate=recalibrate)
        count = len(path.alphas)
        pair = torch.arange(len(start)).repeat_interleave(count)
        on_path = {"pair": pair, "alpha": path.alphas.repeat(len(start))}
        lines.append(pd.DataFrame(on_path | {"loss": path.loss.flatten(), "accuracy": path.accuracy.flatten()}))
        numbers = {"barrier": path.barrier, "accuracy_barrier": path.accuracy_barrier}
        numbers |= {name: getattr(path, name)[:, [0, -1]].mean(1) for name in ("loss", "accuracy")}
        distance = (start[:, learned].double() - end[:, learned].double()).norm(dim=1)
        rows.append(pd.DataFrame({"pair": torch.arange(len(start)), **numbers, "distance": distance}))
        for table in (lines[-1], rows[-1]):
            table.insert(0, "setting", setting)
    return pd.concat(lines, ignore_index=True), pd.concat(rows, ignore_index=True)


def quartiles(barriers: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Quartiles and mean of the barrier over pairs, means of the rest, per group of rows of the table of barriers."""
    groups = barriers.groupby(by, sort=False)
    spread = groups["barrier"].quantile([0.25, 0.5, 0.75]).unstack()
    spread.columns = ["q25", "median", "q75"]
    means = groups[["barrier", "accuracy_barrier", "loss", "accuracy", "distance"]].mean()
    return pd.concat([groups.size().rename("pairs"), spread, means], axis=1).reset_index()
