"""What a training makes smaller, whatever is learned: a contrast of views, errors of weights, and of answers.

Source: the mix of Schürholt et al. (2021); answers beside weights after Meynent et al. (2025).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from hyperlib.representations.blocks import Source
from hyperlib.representations.cores import half_precision
from hyperlib.representations.losses import CONTRASTS, mixed
from hyperlib.representations.plan import Plan

LOSSES = ("loss", "contrast", "reconstruction", "behaviour")


class Objective(ABC):
    """What a training makes smaller: the losses of its networks, on training data of a step and on validation data.

    network and head: what is trained; the contrast looks through the head. source: where their dropout draws from.
    half: whether matrix products are in bfloat16.
    """

    def __init__(
        self, network: nn.Module, head: nn.Module, source: Source, plan: Plan, *, device: torch.device, half: bool
    ) -> None:
        self.network, self.head, self.source = network.to(device), head.to(device), source
        self.plan, self.device, self.half = plan, device, half
        self.units = torch.ones(2, device=device)  # of the errors of weights and of answers

    @abstractmethod
    def learn(self, step: int) -> list[Tensor]:
        """The `LOSSES` on what this step sees; a part without weight is NaN and not computed."""

    def prepared(self, step: int) -> Sequence[Tensor] | None:
        """What `learned` needs for a step, by which `learn` may be replaced; None where it cannot be."""
        return None

    def learned(self, *seen: Tensor) -> list[Tensor]:
        """The `LOSSES` as a step that can be recorded (see `recording`)."""
        raise NotImplementedError(f"{type(self).__name__} has no step that can be recorded.")

    @abstractmethod
    def look(self) -> list[Tensor] | None:
        """The `LOSSES` on validation data, on views that stay the same; None where there are no such data."""

    @property
    def none(self) -> Tensor:
        """A part that is not computed."""
        return torch.full((), math.nan, device=self.device)

    def halved(self) -> AbstractContextManager[None]:
        """A context in which matrix products have the precision of this training."""
        return half_precision(self.device, self.half)

    def contrast(self, views: tuple[Tensor, Tensor], models: Tensor) -> Tensor:
        """The contrast of two views of some rows, as the head sees them (batch norm sees one view at a time)."""
        return CONTRASTS[self.plan.contrast](*map(self.head, views), self.plan.temperature, models)

    def together(self, contrast: Tensor, rebuilt: Tensor, answers: Tensor, first: bool) -> list[Tensor]:
        """The loss, and its parts; `first`: whether this step's errors are the units of all others."""
        plan, both = self.plan, rebuilt
        if plan.behaviour:
            if plan.divergence == "kl":
                both = rebuilt + plan.behaviour * answers
            else:  # as released
                if first:
                    self.units.copy_(_units(rebuilt, answers))
                both = rebuilt / self.units[0] + plan.behaviour * answers / self.units[1]
                both = both / (1 + plan.behaviour)
        parts = (contrast if plan.mix > 0 else None, both if plan.mix < 1 else None)
        return [mixed(*parts, plan.mix), contrast, rebuilt, answers]


def _units(rebuilt: Tensor, answers: Tensor) -> Tensor:
    """The errors of weights and of answers at the first step, in which both are counted; ValueError where one is 0."""
    units = torch.stack([rebuilt, answers]).detach().float()
    if not (torch.isfinite(units) & (units > 0)).all():
        raise ValueError(f"Errors of the first step, {units.tolist()}, are no units for others; set divergence='kl'.")
    return units
