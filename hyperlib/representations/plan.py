"""How long and how hard a representation is trained, as checked numbers, and where its random numbers come from.

Everything random about a step (which checkpoints, their views, dropout) comes from a generator keyed by the seed and
the number of the step. So a training that is resumed needs no generator's state.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

import torch

from hyperlib.representations.cores import halves
from hyperlib.representations.divergence import READINGS
from hyperlib.representations.losses import CONTRASTS
from hyperlib.weightspace.randomness import key
from hyperlib.weightspace.values import is_whole

STREAMS = {"start": 0, "batch": 1, "views": 2, "dropout": 3, "validation": 4, "queries": 5}
WARM_UP = 0.1  # share of the steps in which the rate rises


@dataclass(frozen=True)
class Plan:
    """How long and how hard to train; see `HyperRep` for what each means."""

    steps: int
    batch_size: int
    per_model: int | None
    rate: float
    weight_decay: float
    mix: float
    contrast: str
    temperature: float
    validations: int
    patience: int | None
    seed: int
    behaviour: float = 0.0
    divergence: str = "kl"
    asked: tuple[int, int] = (48, 32)

    def __post_init__(self) -> None:
        if not is_whole(self.seed):
            raise ValueError(f"seed is a whole number of at most 64 bits, not {self.seed!r}.")
        for name, least in (("steps", 0), ("batch_size", 1), ("validations", 1)):
            value = getattr(self, name)
            if not is_whole(value, least):
                raise ValueError(f"{name} is a whole number from {least} on, not {value!r}.")
        for name in ("per_model", "patience"):
            value = getattr(self, name)
            if value is not None and not is_whole(value, 1):
                raise ValueError(f"{name} is a whole number from 1 on, or None, not {value!r}.")
        for name in ("seed", "steps", "batch_size", "validations", "per_model", "patience"):
            value = getattr(self, name)
            object.__setattr__(self, name, value if value is None else int(value))  # NumPy's could overflow
        if not 0 < self.rate < math.inf or not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"rate is above 0, weight_decay not below, not {self.rate!r} and {self.weight_decay!r}.")
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"temperature is a number above 0, not {self.temperature!r}.")
        if not 0 <= self.mix <= 1:
            raise ValueError(f"mix is the contrast's share of the loss, between 0 and 1, not {self.mix!r}.")
        if self.contrast not in CONTRASTS:
            raise ValueError(f"There is no contrast {self.contrast!r}; choose from {', '.join(CONTRASTS)}.")
        number = isinstance(self.behaviour, Real) and not isinstance(self.behaviour, bool)
        if not number or not 0 <= self.behaviour < math.inf or (self.behaviour and self.mix == 1):
            raise ValueError(
                f"behaviour is the weight of a loss of rebuilt networks, from 0 on, not {self.behaviour!r}; with mix=1 "
                "nothing is rebuilt, and it must be 0."
            )
        if self.divergence not in READINGS:
            raise ValueError(f"There is no divergence {self.divergence!r}; choose from {', '.join(READINGS)}.")
        asked = self.asked
        if not isinstance(asked, tuple | list) or len(asked) != 2 or not all(is_whole(n, 1) for n in asked):
            raise ValueError(f"asked is (networks, queries) of a step, whole numbers from 1 on, not {asked!r}.")
        if self.mix and self.batch_size < 2:
            raise ValueError("A contrast needs a batch_size of 2 at least, for batch norm and for negatives.")

    def generator(self, stream: str, number: int = 0, device: torch.device | str = "cpu") -> torch.Generator:
        """A generator of its own for each purpose and step."""
        return torch.Generator(device).manual_seed(self.seed_of(stream, number))

    def seed_of(self, stream: str, number: int = 0) -> int:
        """The seed of that generator."""
        return int(key([self.seed], STREAMS[stream], number)) % 2**63

    def rate_at(self, step: int) -> float:
        """Rises linearly, then falls to zero along a cosine."""
        warm = max(1, round(WARM_UP * self.steps))
        if step < warm:
            return self.rate * (step + 1) / warm
        return self.rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, self.steps - warm)))

    @property
    def every(self) -> int:
        """Steps between two validations."""
        return max(1, -(-self.steps // self.validations))


def plan_of(rep: Any, least_layers: int) -> Plan:
    """The plan that a representation's settings say, whose head has so many layers at least.

    Raises ValueError for settings of a training that are out of range, precision and projection among them.
    """
    halves(rep.precision, "cpu")
    check_triple("projection", rep.projection, (least_layers, 1, 1), "(layers, hidden, outputs)")
    return Plan(**{field.name: getattr(rep, field.name) for field in fields(Plan)})


def check_triple(name: str, value: object, least: tuple[int, int, int], words: str) -> None:
    """ValueError for a setting of that name that is not three whole numbers, from `least` on, called `words`."""
    triple = isinstance(value, Sequence) and len(value) == 3
    if not triple or not all(is_whole(n, low) for n, low in zip(value, least, strict=True)):
        raise ValueError(f"{name} is {words}, three whole numbers from {least} on, not {value!r}.")
