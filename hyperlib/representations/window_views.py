"""What a token-wise representation makes smaller: losses of two views of random windows of networks of several zoos.

Views are made of whole weight vectors (a permutation is one index), then of tokens, then windows are cut. All that
differs between zoos is which weight stands where, so a batch holds windows of all of them.

Source: Schürholt et al. (2024), algorithm 1. Batches of several architectures, evenly, are our choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from hyperlib.representations.augment import Augment
from hyperlib.representations.blocks import Source
from hyperlib.representations.objective import Objective
from hyperlib.representations.plan import Plan
from hyperlib.representations.sane_network import SaneNetwork
from hyperlib.representations.window_zoos import Sequenced, WindowZoo
from hyperlib.representations.windows import through

VALIDATED = 256  # checkpoints at most
AT_ONCE = 2**24  # cells of tokens, of all views that are made at a time; our choice


@dataclass(frozen=True)
class Windows:
    """A batch: both views of the same windows, one behind the other."""

    inputs: Float[Tensor, "views tokens width"]
    targets: Float[Tensor, "views tokens width"]
    places: Float[Tensor, "windows tokens features"]
    mask: Bool[Tensor, "windows tokens width"]  # True for weights


def windows_of(
    zoo: WindowZoo, rows: Int[Tensor, " rows"], window: int, augment: Augment, generator: torch.Generator
) -> Windows:
    """Two views of one window of each row, at a random place that both views share.

    Views are whole networks before they are cut, so they are made some at a time.
    """
    some = rows.split(max(1, AT_ONCE // (2 * zoo.sequence.cells.numel())))
    return joined([_windows(zoo, part, window, augment, generator) for part in some])


def _windows(
    zoo: WindowZoo, rows: Int[Tensor, " rows"], window: int, augment: Augment, generator: torch.Generator
) -> Windows:
    sequence = zoo.sequence
    views = augment.views(zoo.architecture, zoo.population.weights[rows], generator)
    last = max(0, sequence.tokens - window)
    starts = torch.randint(last + 1, (len(rows),), generator=generator)
    at = starts[:, None] + torch.arange(window)

    def cut(whole: Float[Tensor, "views rows params"]) -> Float[Tensor, "both tokens width"]:
        numbers = torch.arange(len(whole) * len(rows))
        return sequence.whole(whole.flatten(0, 1))[numbers[:, None], at.repeat(len(whole), 1)]

    inputs = cut(views.inputs)
    targets = inputs if views.targets is views.inputs else cut(views.targets)
    return Windows(inputs, targets, sequence.places[at], sequence.mask[at])


def joined(parts: Sequence[Windows]) -> Windows:
    """Windows of several zoos as one batch: all first views, then all second ones."""
    if len(parts) == 1:
        return parts[0]
    views = (
        torch.cat([getattr(part, name).unflatten(0, (2, -1)) for part in parts], 1).flatten(0, 1)
        for name in ("inputs", "targets")
    )
    rest = (torch.cat([getattr(part, name) for part in parts]) for name in ("places", "mask"))
    return Windows(*views, *rest)


class WindowViews(Objective):
    """Contrast of two views of windows, reconstruction of their weights, and of the answers of whole networks.

    padding: whether the mean of squared errors is one over weights ("left_out") or over all cells of tokens, padding
    with an error of 0 among them ("counted", as released).
    """

    def __init__(
        self,
        network: SaneNetwork,
        head: nn.Module,
        source: Source,
        plan: Plan,
        augment: Augment,
        train: Sequence[WindowZoo],
        validation: Sequence[WindowZoo],
        *,
        window: int,
        padding: str,
        device: torch.device,
        half: bool,
    ) -> None:
        super().__init__(network, head, source, plan, device=device, half=half)
        self.augment, self.window, self.padding = augment, window, padding
        self.train, self.validation = train, validation

    def learn(self, step: int) -> list[Tensor]:
        plan = self.plan
        streams = [plan.generator(name, step) for name in ("batch", "views", "queries")]
        sizes = shares(plan.batch_size, len(self.train), step)
        return self._losses(self.train, sizes, plan.per_model, step % len(self.train), *streams, first=step == 0)

    def look(self) -> list[Tensor] | None:
        if not self.validation:
            return None
        streams = [self.plan.generator("validation", number) for number in range(3)]
        sizes = shares(VALIDATED, len(self.validation), 0)
        return self._losses(self.validation, sizes, None, 0, *streams)

    def _losses(
        self,
        zoos: Sequence[WindowZoo],
        sizes: list[int],
        per_model: int | None,
        asked: int,
        rows_by: torch.Generator,
        views_by: torch.Generator,
        queries_by: torch.Generator,
        first: bool = False,
    ) -> list[Tensor]:
        plan, parts, rows, models = self.plan, [], [], 0
        for zoo, size in zip(zoos, sizes, strict=True):
            of_each = None if per_model is None else min(per_model, max(size, 1))
            own = zoo.population.batch(size, of_each, rows_by) if size else torch.empty(0, dtype=torch.int64)
            rows.append(own)
            if len(own):
                part = windows_of(zoo, own, self.window, self.augment, views_by)
                parts.append((part, zoo.population.models[own] + models))
            models += len(zoo.population.rows)
        losses = self._of_windows(joined([part for part, _ in parts]), torch.cat([of for _, of in parts]))
        answers = self.none
        if plan.behaviour and len(rows[asked]):
            answers = self._answers(zoos[asked], rows[asked], queries_by)
        return self.together(*losses, answers, first)

    def _of_windows(self, windows: Windows, models: Tensor) -> tuple[Tensor, Tensor]:
        contrast = rebuilt = self.none
        inputs, targets = windows.inputs.to(self.device), windows.targets.to(self.device)
        places, mask = (part.repeat(2, 1, 1).to(self.device) for part in (windows.places, windows.mask))
        there = mask.any(-1)
        whole = bool(there.all())
        with self.halved():
            latents = self.network.encode(inputs, places, None if whole else there)
            if self.plan.mix > 0:
                seen = latents if whole else latents * there[..., None]
                contrast = self.contrast(seen.chunk(2), models)
            if self.plan.mix < 1:
                output = self.network.decode(latents, places, None if whole else there)
                errors = ((output.float() - targets).square() * mask).sum()
                rebuilt = errors / (mask.sum() if self.padding == "left_out" else mask.numel())
        return contrast, rebuilt

    def _answers(self, zoo: WindowZoo, rows: Tensor, generator: torch.Generator) -> Tensor:
        """The divergence of rebuilt networks of one zoo, all of their windows encoded and decoded."""
        weights, sequence = zoo.population.weights[rows[: self.plan.asked[0]]], zoo.sequence
        tokens = sequence.whole(weights)[:, : sequence.tokens].to(self.device)
        weights = weights.to(self.device)
        places = sequence.places[: sequence.tokens].to(self.device)
        both = {"window": self.window, "at_once": 2**20}
        with self.halved():
            latents = through(self.network.encode, tokens, places, **both)
            output = through(self.network.decode, latents, places, **both).float()
        short = Sequenced(sequence.cells[: sequence.tokens].to(self.device), places, sequence.tokens)
        rest = weights.new_zeros(weights.shape[1])
        return zoo.judge(short.back(output, rest), weights, generator)


def shares(batch: int, zoos: int, step: int) -> list[int]:
    """So many rows of each zoo: evenly, and what is left over goes to others in each step."""
    least, more = divmod(batch, zoos)
    return [least + ((number - step * more) % zoos < more) for number in range(zoos)]
