"""How much sooner a job is done on more nodes of one core: two numbers measured, the rest a model.

A job of B blocks on n nodes takes `serial + ceil(B / n) (block + handing)`: what is done once, and the blocks of the
node that has the most. All three times come from the benchmark `nodes`; the model leaves out that a network, a shared
disk or the one who assembles the zoo may be the limit. Source: our choice.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import NamedTuple

import pandas as pd

from hyperlib.thesis.estimate import estimate
from hyperlib.thesis.published_zoos import published_recipe
from hyperlib.zoos.job import block_rows


class Times(NamedTuple):
    """Seconds: once per job, of one block's training on one core, and of handing one block out and back."""

    serial: float
    block: float
    handing: float

    def of(self, blocks: int, nodes: int) -> float:
        """Seconds of a job of so many blocks on so many nodes of one core. Raises ValueError below one of either."""
        if min(blocks, nodes) < 1:
            raise ValueError(f"A job has one block or more and runs on one node or more, not {blocks} on {nodes}.")
        return self.serial + ceil(blocks / nodes) * (self.block + self.handing)


def fitted(measured: pd.DataFrame) -> Times:
    """The model's times from the benchmark `nodes`; no share of an empty job is taken to be less than nothing."""
    rows = measured.set_index("nodes")
    blocks, (one, two) = int(rows["blocks"].iloc[0]), rows.loc[[1, 2], "empty_s"]
    handing = max(0.0, (one - two) / (blocks - ceil(blocks / 2)))
    serial = max(0.0, one - blocks * handing)
    return Times(serial, (rows.loc[1, "seconds"] - one) / blocks, handing)


def scaling_curve(measured: pd.DataFrame, jobs: dict[str, tuple[int, float]], nodes: Iterable[int]) -> pd.DataFrame:
    """How many times as fast as one node: one row per job and number of nodes, `how` it is known, and `seconds`.

    jobs: by name, their blocks and the seconds of one block; the benchmark's own job comes first, as measured and as
    modelled.
    """
    times, blocks = fitted(measured), int(measured["blocks"].iloc[0])
    rows = [
        {"job": "benchmark", "how": "measured", "nodes": row.nodes, "seconds": row.seconds, "speedup": row.speedup}
        for row in measured[measured["nodes"] > 0].itertuples()
    ]
    for job, (count, block) in ({"benchmark": (blocks, times.block)} | jobs).items():
        own = times._replace(block=block)
        for number in nodes:
            known = {"job": job, "how": "modelled", "nodes": number, "seconds": own.of(count, number)}
            rows.append(known | {"speedup": own.of(count, 1) / known["seconds"]})
    return pd.DataFrame(rows)


def recipe_blocks(zoo_id: str, rates: pd.DataFrame) -> tuple[int, float]:
    """Blocks of a zoo of the thesis, and the seconds of one on one core by the estimate."""
    recipe = published_recipe(zoo_id)
    blocks = len(list(block_rows(recipe.architecture, recipe.design, recipe.batch_size, gpu=False)))
    return blocks, estimate(recipe, rates) / blocks
