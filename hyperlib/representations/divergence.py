"""How differently rebuilt networks answer: the behavioural loss, with its gradient by their weights.

Two readings. `kl`: the Kullback-Leibler divergence of the rebuilt network's class probabilities from the original's, in
nats (our choice; it was the first that worked). `squares`: half the squared distance between both, as in the released
notebooks of Meynent et al. (2025, arXiv:2503.17138), which divide each term of the loss by its value at the first step;
`HyperRep` does so for this reading. Both are means over images and networks; a network whose divergence is not finite
is left out, as in the released code.

On the CPU a compiled kernel runs the pairs of networks, where it covers the architecture; elsewhere PyTorch does.
Trainings with `kl` take reconstruction + behaviour x divergence; with `squares` that is divided by 1 + behaviour, so
that nine times the answers are the paper's shares of .1 and .9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.tokens import Scale
from hyperlib.zoos.engines.choice import uncovered
from hyperlib.zoos.zoo import Samples

READINGS = ("kl", "squares")

Networks = Float[Tensor, "networks params"]
Queries = Float[Tensor, "images c h w"]


class Divergence:
    """Mean divergence of rebuilt networks from their originals: `divergence(rebuilt, originals, queries)`, in nats for
    "kl".

    rebuilt and originals: `[networks, params]`, float32, one for one; queries: images that all of them answer. Only
    `rebuilt` gets a gradient. One core works on the CPU.

    Raises ValueError for a reading that does not exist, for networks with running statistics (PyTorch's norms have no
    gradient by these), and when called with shapes that do not fit.

    Equation: `eq-answers` on page 05a.
    """

    def __init__(self, architecture: Architecture, reading: str = "kl", device: torch.device | str = "cpu") -> None:
        if reading not in READINGS:
            raise ValueError(f"There is no divergence {reading!r}; choose from {', '.join(READINGS)}.")
        if not architecture.layout.learned.all():
            raise ValueError(
                f"{architecture.name} has running statistics, by which PyTorch's norms give no gradient; set "
                "behaviour=0, or take networks without norms."
            )
        self.architecture, self.reading = architecture, reading
        self.compiled = not uncovered(architecture, device)

    def __call__(self, rebuilt: Networks, originals: Networks, queries: Queries) -> Float[Tensor, ""]:
        check_queries(self.architecture, queries)
        if rebuilt.shape != originals.shape or rebuilt.ndim != 2 or not len(rebuilt):
            raise ValueError(
                f"Rebuilt networks {list(rebuilt.shape)} and originals {list(originals.shape)} are compared one for "
                "one, and at least one."
            )
        answered = self._compiled if self.compiled else self._plain
        each = answered(rebuilt.float(), originals.float(), queries)
        finite = torch.isfinite(each.detach())
        return torch.where(finite, each, 0).sum() / finite.sum().clamp(min=1)

    def _plain(self, rebuilt: Networks, originals: Networks, queries: Queries) -> Float[Tensor, " networks"]:
        with torch.no_grad():
            wanted = self.architecture.logits(originals, queries).log_softmax(-1)
        found = self.architecture.logits(_Sound.apply(rebuilt), queries).log_softmax(-1)
        if self.reading == "kl":
            return (wanted.exp() * (wanted - found)).sum(-1).mean(-1)
        return (found.exp() - wanted.exp()).square().sum(-1).mean(-1) / 2

    def _compiled(self, rebuilt: Networks, originals: Networks, queries: Queries) -> Float[Tensor, " networks"]:
        return _Compiled.apply(rebuilt, originals.detach(), queries, self.architecture, READINGS.index(self.reading))


@dataclass(frozen=True)
class Judge:
    """The behavioural part of a training: so many rebuilt networks of a batch answer so many of the queries."""

    divergence: Divergence
    queries: Queries  # to draw from
    scale: Scale | None  # in which networks are rebuilt
    networks: int
    images: int

    def drawn(self, networks: int, generator: torch.Generator) -> tuple[Int[Tensor, " rows"], Queries]:
        """Which of so many networks answer in a step, and what they are asked."""
        rows = torch.randperm(networks, generator=generator)[: self.networks]
        return rows, self.queries[torch.randperm(len(self.queries), generator=generator)[: self.images]]

    def judged(
        self, rebuilt: Networks, originals: Networks, rows: Int[Tensor, " rows"], queries: Queries
    ) -> Float[Tensor, ""]:
        """Divergence of these rows, in the units of the autoencoder, on these queries; all on one device."""
        pair = (part[rows].float() for part in (rebuilt, originals))
        return self.divergence(*(pair if self.scale is None else map(self.scale.restore, pair)), queries)

    def __call__(self, rebuilt: Networks, originals: Networks, generator: torch.Generator) -> Float[Tensor, ""]:
        """Divergence of some of the networks, in the units of the autoencoder, on some queries."""
        drawn = (part.to(rebuilt.device) for part in self.drawn(len(rebuilt), generator))
        return self.judged(rebuilt, originals, *drawn)


def judge_of(
    known: Sequence[Samples],
    queries: Queries | None,
    reading: str,
    asked: tuple[int, int],
    scale: Scale | None,
    device: torch.device,
) -> Judge:
    """What compares answers while a representation trains on the first of these samples and looks at the others.

    Raises ValueError where there is nothing to ask, and where networks differ in their activation.
    """
    architecture = known[0].architecture
    if queries is None:
        raise ValueError("behaviour asks networks for answers; give fit(..., queries=images), or set behaviour=0.")
    check_queries(architecture, queries)
    columns = [samples.table["activation"] for samples in known if "activation" in samples.table]
    names = pd.concat(columns).unique().tolist() if columns else []
    if len(names) != 1:
        raise ValueError(
            "behaviour runs networks of one activation, which the samples' table has to say; these have "
            f"{', '.join(map(str, names)) or 'none'}."
        )
    if scale is not None:
        parts = {name: getattr(scale, name).to(device) for name in ("mean", "deviation", "layer_of")}
        scale = replace(scale, **parts)
    network = architecture.with_activation(str(names[0]))
    return Judge(Divergence(network, reading, device), queries.detach().cpu().float(), scale, *asked)


class _Sound(torch.autograd.Function):
    """Networks as they are; a network whose gradient is no number gets none. (0 times no number would be none.)"""

    @staticmethod
    def forward(ctx: Any, networks: Networks) -> Networks:
        return networks.view_as(networks)

    @staticmethod
    def backward(ctx: Any, gradients: Networks) -> Networks:
        return torch.where(torch.isfinite(gradients).all(1, keepdim=True), gradients, 0)


class _Compiled(torch.autograd.Function):
    """The compiled kernel, which gives each network's divergence and its gradient at once."""

    @staticmethod
    def forward(
        ctx: Any, rebuilt: Tensor, originals: Tensor, queries: Tensor, architecture: Architecture, reading: int
    ) -> Float[Tensor, " networks"]:
        from hyperlib.zoos.engines.answers import compared  # takes a second, which only who needs it should wait for

        losses, gradients = compared(architecture, rebuilt, originals, queries, reading)
        ctx.save_for_backward(gradients)
        return losses

    @staticmethod
    def backward(ctx: Any, outer: Float[Tensor, " networks"]) -> tuple[Tensor, None, None, None, None]:
        (gradients,) = ctx.saved_tensors
        known = torch.isfinite(gradients).all(1, keepdim=True) & (outer[:, None] != 0)
        return torch.where(known, outer[:, None] * gradients, 0), None, None, None, None


def check_queries(architecture: Architecture, queries: Queries) -> None:
    """ValueError for anything but finite images of the shape that the networks read, and for traced modules."""
    if not isinstance(architecture, Architecture):
        raise ValueError(f"Answers are learned from for lists of layers alone; {architecture.name} is a traced module.")
    shape = architecture.image
    if not isinstance(queries, Tensor) or queries.ndim != 4 or tuple(queries.shape[1:]) != shape or not len(queries):
        found = list(queries.shape) if isinstance(queries, Tensor) else type(queries).__name__
        raise ValueError(
            f"{architecture.name} answers images [images, {', '.join(map(str, shape))}], not {found}; give some that "
            "its networks read."
        )
    if not queries.is_floating_point() or not torch.isfinite(queries).all():
        raise ValueError("Queries are finite floating-point images, and some of these are not.")
