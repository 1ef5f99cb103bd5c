"""Generated networks as a start: several populations trained on, and their accuracy compared epoch by epoch.

All populations train in one job. Network k of every population has the same seed, so the same order of batches and the
same dropout; what differs is where it starts. That takes noise out of every comparison, but it makes no pairs: network
k of a sampler has no more to do with the k-th new network than with any other, so tests are of two independent samples
(whose p-values the common order makes too large, if anything). Where network k of both has one origin, such as a model
and its reconstruction, or one vector in two architectures, ask for `paired` tests.

Source: Schürholt et al. (2022, arXiv:2209.14733) and their released code, which gives mean and deviation over networks,
bootstrap intervals, a Shapiro-Wilk test, and for every two populations both a t-test and a Mann-Whitney test. Our
choices: the normality test decides which one counts; Welch's t-test whether or not sizes are equal; Student's intervals
instead of a bootstrap (see `estimates`), which agree with it for the paper's 25 to 150 networks; Holm over all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from scipy.stats import mannwhitneyu, shapiro, ttest_1samp, ttest_ind, wilcoxon
from torch import Tensor

from hyperlib.images.images import Images
from hyperlib.tasks.estimates import Estimate, mean_of, with_errors
from hyperlib.tasks.verdicts import LEVEL, holm
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.values import is_whole
from hyperlib.zoos.design import COLUMNS, check_design
from hyperlib.zoos.engines.trainer import Block
from hyperlib.zoos.population import train_population
from hyperlib.zoos.zoo import Samples, Zoo

EPOCHS = (0, 1, 5, 25, 50)  # of the thesis's tables

Populations = Mapping[str, Samples | Tensor | None]


def fine_tuned(
    populations: Populations,
    architecture: Architecture,
    images: Images,
    design: pd.DataFrame,
    *,
    against: str | None = None,
    paired: bool = False,
    epochs: Sequence[int] = EPOCHS,
    batch_size: int = 32,
    seed: int = 0,
    checkpoint: Path | str | None = None,
    progress: bool | Callable[[int, int], None] = True,
) -> pd.DataFrame:
    """`accuracy_table` of `fine_tuned_zoos`, for who needs nothing else of the trained networks."""
    _check_baseline(populations, against)  # before hours of training
    zoos = fine_tuned_zoos(
        populations,
        architecture,
        images,
        design,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        checkpoint=checkpoint,
        progress=progress,
    )
    return accuracy_table(zoos, against=against, paired=paired)


def fine_tuned_zoos(
    populations: Populations,
    architecture: Architecture,
    images: Images,
    design: pd.DataFrame,
    *,
    epochs: Sequence[int] = EPOCHS,
    batch_size: int = 32,
    seed: int = 0,
    engine: str = "auto",
    device: str | torch.device | None = None,
    checkpoint: Path | str | None = None,
    progress: bool | Callable[[int, int], None] = True,
) -> dict[str, Zoo]:
    """Every population trained on, as a zoo that keeps the given epochs; epoch 0 is before training.

    populations: by name, weights `[networks, params]`, samples (whose networks keep the activation of their zoo), or
    None for new networks, as many as the largest of the others has. design: one row, of `grid` or of a zoo's design,
    for all networks: optimiser, learning rate, weight decay and the rest, the start of new networks, the activation of
    weights alone. Its seed does not count: network k gets k + 1, and the optimiser begins anew. All else is as in
    `train_population`, which would grow the same new networks from that row with the seeds 1, 2, ...

    Raises ValueError for no population with weights, weights of another shape, a design of several rows, and epochs
    that do not increase from 0 or later; also for what `train_population` refuses.
    """
    epochs = list(epochs)
    if not epochs or not all(is_whole(epoch, 0) for epoch in epochs) or (np.diff(epochs) <= 0).any():
        raise ValueError(f"Epochs are whole numbers from 0 on, each above the one before, not {epochs}.")
    if len(design) != 1:
        raise ValueError(
            f"One setting is for all networks, and this design has {len(design)} rows; give one, for instance "
            "zoo.design[:1]."
        )
    sizes = _sizes(populations, architecture)
    rows = [_rows(design, populations[name], size) for name, size in sizes.items()]
    start = [
        Block(architecture, images, own, batch_size, seed, torch.device("cpu")).initial_weights()
        if one is None
        else _weights(one)
        for one, own in zip(populations.values(), rows, strict=True)
    ]
    zoo = train_population(
        architecture,
        images,
        pd.concat(rows, ignore_index=True),
        epochs=epochs[-1],
        batch_size=batch_size,
        start=torch.cat(start),
        seed=seed,
        engine=engine,
        device=device,
        checkpoint=checkpoint,
        progress=progress,
    )
    ends = np.cumsum(list(sizes.values()))
    return {name: _part(zoo, range(end - sizes[name], end), epochs) for name, end in zip(sizes, ends, strict=True)}


def accuracy_table(
    zoos: Mapping[str, Zoo], *, against: str | None = None, epochs: Sequence[int] | None = None, paired: bool = False
) -> pd.DataFrame:
    """Test accuracy (fractions) of populations, one row per population and epoch (all that every zoo has, without).

    `n` networks that did not diverge, `diverged` that did; `mean` with its 95 % interval (`low`, `high`, Student's)
    and `std` over networks (divided by n, as in the released code). With `against`, the name of a baseline, the other
    populations also have what `compared` gives, and `holm`: "stands" where p is significant beside all other rows,
    "falls" where it is only alone, else nothing.

    Raises ValueError for an unknown baseline, no zoo, an epoch that one lacks, and pairs of unequal populations.
    """
    _check_baseline(zoos, against)
    if epochs is None:
        epochs = reduce(np.intersect1d, [zoo.epochs for zoo in zoos.values()]).tolist()
    rows = []
    for name, zoo in zoos.items():
        for epoch in epochs:
            own = _accuracies(zoo, epoch)
            rows.append({"population": name, "epoch": epoch} | _summary(own))
            if against not in (None, name):
                rows[-1] |= compared(own, _accuracies(zoos[against], epoch), paired=paired)
    table = pd.DataFrame(rows)
    if "p" in table:
        chances = table["p"].to_numpy(dtype=float)
        table["holm"] = np.where(holm(chances), "stands", np.where(chances <= LEVEL, "falls", ""))
    return table


def by_epoch(table: pd.DataFrame, *index: str, values: str = "mean") -> pd.DataFrame:
    """A table as people read it: a row for each value of the columns `index` (populations without), in the table's
    order, and a column for each epoch. Raises ValueError where two rows have the same index and epoch."""
    rows = list(index) or ["population"]
    wide = table.pivot(index=rows, columns="epoch", values=values)
    wide = wide.rename(columns=lambda epoch: f"epoch {epoch:.0f}").rename_axis(columns=None).reset_index()
    return table[rows].drop_duplicates().merge(wide, on=rows)


def compared(
    own: Float[np.ndarray, " networks"], base: Float[np.ndarray, " networks"], *, paired: bool = False
) -> dict[str, object]:
    """Mean of `own` less that of `base`, and whether it can be chance; NaN (diverged) is left out.

    `difference` with its 95 % interval (`difference_low`, `difference_high`, Welch's with `freedom`), `test`, its
    two-sided `p`, and `base_n`, the networks of the baseline in it (pairs, if paired). The test is a t-test (Welch's)
    where Shapiro-Wilk finds neither side other than normal (p of 5 % or more, three networks at least), else
    Mann-Whitney; of pairs, a paired t-test or Wilcoxon's (zeros split), by their differences.

    Raises ValueError for pairs of unequal populations.
    """
    if paired and len(own) != len(base):
        raise ValueError(f"{len(own)} networks and {len(base)} make no pairs; leave out paired.")
    sides = [side[np.isfinite(side)] for side in ([own - base] if paired else [own, base])]
    normal = all(len(side) > 2 and np.ptp(side) > 0 and shapiro(side).pvalue >= LEVEL for side in sides)
    found, test, p = Estimate(np.nan), "", np.nan
    if min(map(len, sides)) and paired:
        found, test = mean_of(*sides), "paired t-test" if normal else "Wilcoxon"
        p = (ttest_1samp(*sides, 0) if normal else wilcoxon(*sides, zero_method="zsplit")).pvalue
    elif min(map(len, sides)):
        found, test = with_errors(sides[0].mean() - sides[1].mean(), *sides), "t-test" if normal else "Mann-Whitney"
        p = (ttest_ind(*sides, equal_var=False) if normal else mannwhitneyu(*sides)).pvalue
    ends = {"difference_low": found.low, "difference_high": found.high, "freedom": found.freedom}
    return {"difference": found.value} | ends | {"test": test, "p": float(p), "base_n": len(sides[-1])}


def _summary(accuracy: Float[np.ndarray, " networks"]) -> dict[str, float]:
    known = accuracy[np.isfinite(accuracy)]
    mean, std = (mean_of(known), known.std()) if len(known) else (Estimate(np.nan), np.nan)
    counts = {"n": len(known), "diverged": len(accuracy) - len(known)}
    return counts | {"mean": mean.value, "std": float(std), "low": mean.low, "high": mean.high}


def _accuracies(zoo: Zoo, epoch: int) -> Float[np.ndarray, " networks"]:
    return zoo.samples(epoch, diverged=True).table["test_accuracy"].to_numpy(dtype=float)


def _check_baseline(names: Mapping[str, object], against: str | None) -> None:
    if not names:
        raise ValueError("There is no population; give at least one by name.")
    if against is not None and against not in names:
        raise ValueError(f"There is no population {against!r} to compare with; choose one of {', '.join(names)}.")


def _sizes(populations: Populations, architecture: Architecture) -> dict[str, int]:
    """Networks of every population."""
    sizes = {}
    for name, one in populations.items():
        if one is None:
            continue
        if isinstance(one, Samples) and one.architecture.layout != architecture.layout:
            raise ValueError(
                f"{name!r} are networks of {one.architecture.name}, not of {architecture.name}; to pour their weights "
                "into it, hand over the weights alone."
            )
        shape = _weights(one).shape
        if len(shape) != 2 or shape[1] != architecture.layout.size or not shape[0]:
            raise ValueError(
                f"{name!r} has shape {list(shape)}; networks of {architecture.name} are [networks, "
                f"{architecture.layout.size}], one at least."
            )
        sizes[name] = shape[0]
    if not sizes:
        raise ValueError("There are no weights to fine-tune; give at least one population that is not None.")
    return {name: sizes.get(name, max(sizes.values())) for name in populations}


def _weights(population: Samples | Tensor) -> Float[Tensor, "networks params"]:
    return population.weights if isinstance(population, Samples) else population


def _rows(design: pd.DataFrame, population: Samples | Tensor | None, size: int) -> pd.DataFrame:
    """The design's row for each network, with its own seed and, if it has any, its own activation."""
    rows = check_design(design)[list(COLUMNS)].loc[[0] * size].assign(seed=range(1, size + 1))
    if isinstance(population, Samples):
        rows["activation"] = population.table["activation"].to_numpy()
    return rows.reset_index(drop=True)


def _part(zoo: Zoo, models: range, epochs: Sequence[int]) -> Zoo:
    """Some models at some epochs, numbered from 0."""
    part = zoo.take(models).samples(epochs, diverged=True)
    table = part.table.assign(model=part.table["model"] - models.start)
    return Zoo(zoo.architecture, part.weights.unflatten(0, (len(models), -1)), table)
