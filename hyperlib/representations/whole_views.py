"""What a hyper-representation of one architecture makes smaller: losses of two views of whole networks.

Source: Schürholt et al. (2021); answers beside weights after Meynent et al. (2025).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hyperlib.representations.augment import Augment
from hyperlib.representations.autoencoder import Autoencoder
from hyperlib.representations.batches import Population
from hyperlib.representations.blocks import Source
from hyperlib.representations.divergence import Judge
from hyperlib.representations.losses import reconstruction
from hyperlib.representations.objective import Objective
from hyperlib.representations.plan import Plan
from hyperlib.weightspace.base import BaseArchitecture

VALIDATED = 512  # checkpoints at most


class WholeViews(Objective):
    """Contrast of two views of a batch of networks, reconstruction of their weights, and of their answers."""

    def __init__(
        self,
        architecture: BaseArchitecture,
        network: Autoencoder,
        head: nn.Module,
        source: Source,
        plan: Plan,
        augment: Augment,
        train: Population,
        validation: Population | None,
        judge: Judge | None = None,
        *,
        device: torch.device,
        half: bool,
    ) -> None:
        super().__init__(network, head, source, plan, device=device, half=half)
        self.architecture, self.augment = architecture, augment
        self.train, self.validation, self.judge = train, validation, judge

    def learn(self, step: int) -> list[Tensor]:
        return self.learned(*self.prepared(step), first=step == 0)

    def prepared(self, step: int) -> Sequence[Tensor]:
        plan = self.plan
        rows = self.train.batch(plan.batch_size, plan.per_model, plan.generator("batch", step))
        return self._seen(self.train, rows, plan.generator("views", step), plan.generator("queries", step))

    def look(self) -> list[Tensor] | None:
        if self.validation is None:
            return None
        drawn, *streams = (self.plan.generator("validation", number) for number in range(3))
        return self.learned(*self._seen(self.validation, self.validation.batch(VALIDATED, None, drawn), *streams))

    def _seen(
        self, of: Population, rows: Tensor, views_by: torch.Generator, queries_by: torch.Generator
    ) -> Sequence[Tensor]:
        """Both views of some rows, what a decoder is asked for, whose they are; and what networks are asked."""
        views = self.augment.views(self.architecture, of.weights[rows], views_by)
        seen = [views.inputs.flatten(0, 1), views.targets.flatten(0, 1), of.models[rows]]
        if self.judge is not None:
            seen += self.judge.drawn(len(seen[0]), queries_by)
        return [part.to(self.device, non_blocking=True) for part in seen]

    def learned(self, *seen: Tensor, first: bool = False) -> list[Tensor]:
        plan, (inputs, targets, models, *asked) = self.plan, seen
        contrast = rebuilt = answers = self.none
        with self.halved():
            encoded = self.network.encode(inputs)
            if plan.mix > 0:
                contrast = self.contrast(encoded.embedding.chunk(2), models)
            if plan.mix < 1:
                output = self.network.decode(encoded.latents)
                rebuilt = reconstruction(output, targets)
        if self.judge is not None:
            answers = self.judge.judged(output, targets, *asked)
        return self.together(contrast, rebuilt, answers, first)
