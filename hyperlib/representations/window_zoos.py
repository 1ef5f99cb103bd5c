"""Zoos as a token-wise representation learns from them: standardised weights, and how they are read as sequences.

Source: our choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from hyperlib.representations.batches import Population, rows_by_group
from hyperlib.representations.divergence import Judge, judge_of
from hyperlib.representations.estimator import check_samples, plain
from hyperlib.representations.plan import Plan
from hyperlib.weightspace.base import BaseArchitecture
from hyperlib.weightspace.tokens import Scale
from hyperlib.zoos.zoo import Samples

Zoos = Samples | Mapping[str, Samples]
ZOOS_LIMIT = 256  # as many as a file holds


@dataclass(frozen=True)
class Sequenced:
    """How weight vectors of one architecture are read as sequences.

    `cells` says for each cell of each token which place of the vector it holds, counted from 1; 0 is padding. `places`
    is what the network reads of positions. A sequence shorter than a window is filled up with tokens of padding.
    """

    cells: Int[Tensor, "tokens width"]
    places: Float[Tensor, "tokens features"]
    tokens: int  # without those that fill up

    @cached_property
    def mask(self) -> Bool[Tensor, "tokens width"]:
        """True for cells that hold a weight."""
        return self.cells > 0

    def filled(self, window: int) -> Sequenced:
        """As long as a window at least."""
        missing = max(0, window - self.tokens)
        cells, places = (nn.functional.pad(part, (0, 0, 0, missing)) for part in (self.cells, self.places))
        return Sequenced(cells, places, self.tokens)

    @cached_property
    def held(self) -> tuple[Int[Tensor, " cells"], Int[Tensor, " cells"]]:
        """Places of the cells that hold a weight, counted over all tokens, and which weight each of them holds."""
        cells = self.cells.flatten()
        places = cells.nonzero()[:, 0]
        return places, cells[places] - 1

    def whole(self, weights: Float[Tensor, "networks params"]) -> Float[Tensor, "networks tokens width"]:
        """All tokens of weight vectors; gradients pass."""
        (places, of), zeros = self.held, weights.new_zeros(len(weights), self.cells.numel())
        return zeros.index_copy_(1, places, weights.index_select(1, of)).unflatten(1, self.cells.shape)

    def back(self, tokens: Float[Tensor, "networks tokens width"], rest: Tensor) -> Float[Tensor, "networks params"]:
        """Weight vectors of tokens; `rest [params]` says what stands where no token writes."""
        places, of = self.held
        vectors = rest.to(tokens.device, tokens.dtype).expand(len(tokens), -1)
        return vectors.index_copy(1, of, tokens.flatten(1).index_select(1, places))


@dataclass(frozen=True)
class WindowZoo:
    """One zoo to learn from, or to validate on: standardised weights, and how they are read."""

    name: str
    architecture: BaseArchitecture
    population: Population
    sequence: Sequenced  # filled
    judge: Judge | None = None


@dataclass(frozen=True)
class Fitted:
    """A zoo that was learned from: its name, its architecture, and the scale of its layers."""

    name: str
    architecture: BaseArchitecture
    scale: Scale


def by_name(zoos: Zoos) -> dict[str, Samples]:
    """Zoos by name; one alone has the name of its architecture. Raises TypeError and ValueError for anything but
    finite samples."""
    if isinstance(zoos, list | tuple):
        raise TypeError("Several zoos are a dict, {name: samples}, not a list; one zoo is given as its samples.")
    if not isinstance(zoos, Mapping):
        check_samples(zoos, "Sane")
        return {zoos.architecture.name: zoos}
    for name, samples in zoos.items():
        if not isinstance(name, str) or not name:
            raise TypeError(f"Zoos are called by words, not {name!r}.")
        check_samples(samples, f"Sane, in the zoo {name!r},")
    if len(zoos) > ZOOS_LIMIT:
        raise ValueError(f"A Sane is fitted on {ZOOS_LIMIT} zoos at most, not on {len(zoos)}.")
    return dict(zoos)


def check_zoos(train: Mapping[str, Samples], known: Mapping[str, Samples], plan: Plan) -> None:
    """ValueError for zoos that cannot be trained on, or not be validated on."""
    if not train or any(not len(samples) for samples in train.values()):
        raise ValueError("Sane was given no samples to fit, or a zoo without any; was every model left out?")
    strangers = [
        name
        for name, samples in known.items()
        if name not in train or samples.architecture.layout != train[name].architecture.layout
    ]
    if strangers:
        raise ValueError(
            f"Validation samples have the names and the architectures of zoos that are fitted; {', '.join(strangers)} "
            "has not."
        )
    if plan.patience is not None and not any(map(len, known.values())):
        raise ValueError("patience needs validation samples to look at; give fit(..., validation=...).")
    if plan.steps and plan.batch_size < 2 * len(train):
        raise ValueError(f"A batch_size of {plan.batch_size} is below 2 windows of each of {len(train)} zoos.")
    if plan.steps and plan.mix and sum(map(len, train.values())) < 2:
        raise ValueError("A contrast needs two checkpoints in every batch; fit more, or set mix=0.")


def each_zoo(values: Any, what: str, zoos: Mapping[str, Samples]) -> dict[str, Any]:
    """What belongs to each zoo, by its name; as it is where there is one zoo alone, None where nothing is given.

    Raises ValueError for other names than those of the zoos, and for values that are not by name where there are some.
    """
    if values is None:
        return dict.fromkeys(zoos)
    if not isinstance(values, Mapping):
        if len(zoos) > 1:
            raise ValueError(f"With several zoos, {what} are given by the name of each.")
        return dict.fromkeys(zoos, values)
    if set(values) != set(zoos):
        raise ValueError(f"{what} are of {', '.join(map(str, values)) or 'no zoo'}, and zoos are {', '.join(zoos)}.")
    return dict(values)


@dataclass(frozen=True)
class Preparation:
    """Makes zoos of samples: in the scales that were measured, and read as `sequence` says."""

    scales: Mapping[str, Scale]
    sequence: Callable[[BaseArchitecture], Sequenced]
    plan: Plan
    device: torch.device

    def zoos(
        self, train: Mapping[str, Samples], known: Mapping[str, Samples], groups: Any, queries: Any
    ) -> tuple[list[WindowZoo], list[WindowZoo]]:
        """To learn from, and to validate on; errors as `judge_of`, and ValueError for groups that do not fit."""
        learned, seen = [], []
        groups, queries = each_zoo(groups, "groups", train), each_zoo(queries, "queries", train)
        for name, samples in train.items():
            own, asked = groups[name], queries[name]
            if own is not None and len(own) != len(samples):
                raise ValueError(f"groups has {len(own)} entries for {len(samples)} samples of {name}, not one each.")
            there = known.get(name)
            both = [samples, *([] if there is None or not len(there) else [there])]
            judge = None
            if self.plan.behaviour:
                reading = self.plan.divergence, self.plan.asked
                judge = judge_of(both, asked, *reading, self.scales[name], self.device)
            learned.append(self._zoo(name, samples, own, judge))
            for part in both[1:]:
                seen.append(self._zoo(name, part, part.table.get("model"), judge))
        return learned, seen

    def _zoo(self, name: str, samples: Samples, groups: Any, judge: Judge | None) -> WindowZoo:
        weights = self.scales[name].standardise(plain(samples.weights))
        population = Population(weights, rows_by_group(groups, len(samples)))
        return WindowZoo(name, samples.architecture, population, self.sequence(samples.architecture), judge)
