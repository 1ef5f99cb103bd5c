"""How two networks are connected: loss along straight lines and curves, averages of networks.

Two trained networks are often separated by a barrier: on the straight line between them the loss rises. Whether it does
says whether they lie in one basin, and whether their mean is a network worth having. Networks with norms need care: the
mean of two running statistics fits neither mean network, so they are measured anew on the way.

Source: thesis, ch. 2 (that it shows this is inferred); barriers after Frankle et al. (2020) and Entezari et al. (2022),
statistics measured anew as in the group's later code and in Jordan et al. (2023), curves after Garipov et al. (2018).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.base import BaseArchitecture
from hyperlib.weightspace.layers import Norm, Pass
from hyperlib.weightspace.values import generator, usual_precision
from hyperlib.zoos.evaluation import evaluate

BUDGET = 2**26  # numbers (weights of networks, or activations of norms' batches) that are made at once


@dataclass(frozen=True)
class Path:
    """Loss (mean cross-entropy) and accuracy at points of the way between the two networks of each pair."""

    alphas: Float[Tensor, " points"]
    loss: Float[Tensor, "pairs points"]
    accuracy: Float[Tensor, "pairs points"]

    @property
    def barrier(self) -> Float[Tensor, " pairs"]:
        """The largest loss above the straight line between the losses of the two ends; 0 at least, at the ends.

        Equation: `eq-barrier` on page 02b.
        """
        return (self.loss - self._between(self.loss)).amax(1)

    @property
    def accuracy_barrier(self) -> Float[Tensor, " pairs"]:
        """The largest accuracy lost against the straight line between those of the two ends."""
        return (self._between(self.accuracy) - self.accuracy).amax(1)

    def _between(self, values: Tensor) -> Tensor:
        return values[:, :1] + self.alphas * (values[:, -1:] - values[:, :1])


def along_line(
    architecture: BaseArchitecture,
    start: Float[Tensor, "pairs params"],
    end: Float[Tensor, "pairs params"],
    images: Float[Tensor, "n c h w"],
    labels: Int[Tensor, " n"],
    *,
    points: int = 25,
    recalibrate: Float[Tensor, "batch c h w"] | None = None,
) -> Path:
    """Loss and accuracy on (1 - α) start + α end, at evenly spaced α from 0 to 1, for every pair.

    recalibrate: images on which the running statistics of norms are measured anew at every point, the ends included
    (see `recalibrated`); without, they are interpolated like weights. Raises ValueError for ends of different shapes or
    not finite, and for fewer than two points.

    Equation: `eq-line` on page 02b.
    """
    start, end = _checked(architecture, start, end, points)
    return _walk(architecture, lambda a: torch.lerp(start, end, a), len(start), images, labels, points, recalibrate)


def along_curve(
    architecture: BaseArchitecture,
    start: Float[Tensor, "pairs params"],
    bend: Float[Tensor, "pairs params"],
    end: Float[Tensor, "pairs params"],
    images: Float[Tensor, "n c h w"],
    labels: Int[Tensor, " n"],
    *,
    points: int = 25,
    recalibrate: Float[Tensor, "batch c h w"] | None = None,
) -> Path:
    """The same on the quadratic Bézier curve (1 - α)² start + 2 α (1 - α) bend + α² end."""
    _, bend = _checked(architecture, start, bend, points)
    start, end = _checked(architecture, start, end, points)
    curve = lambda a: _curve(start, bend, end, a)  # noqa: E731
    return _walk(architecture, curve, len(start), images, labels, points, recalibrate)


def recalibrated(
    architecture: BaseArchitecture, weights: Float[Tensor, "models params"], images: Float[Tensor, "n c h w"],
    *, batch_size: int = 500,
) -> Float[Tensor, "models params"]:  # fmt: skip
    """The networks with the running statistics of their norms measured anew on these images, in their order.

    Every batch passes in training mode, and the statistics of all batches are averaged evenly, as `torch.nn` does with
    momentum None; a last batch that is not full is left out unless it is the only one. Batch size and images are our
    choice (the group's later code passes 100 batches). Networks without norms come back as they are.
    """
    listed = isinstance(architecture, Architecture)
    if listed and not any(isinstance(layer, Norm) for layer in architecture.layers):
        return weights
    weights = usual_precision(weights.detach())
    images = images.to(weights.dtype) if images.is_floating_point() else images
    batches = [batch for batch in images.split(batch_size) if len(batch) == min(batch_size, len(images))]
    if not listed:
        return torch.stack([_measured_module(architecture, row, batches) for row in weights])
    at_once = max(1, BUDGET // (len(batches[0]) * architecture.activations_per_input))
    return torch.cat([_measured(architecture, some, batches) for some in weights.split(at_once)])


def _measured(architecture: BaseArchitecture, weights: Tensor, batches: list[Tensor]) -> Tensor:
    result = weights.masked_fill(~architecture.layout.learned, 0.0)
    for batch in batches:
        now = Pass(architecture.activation, training=True)
        with torch.no_grad():  # statistics of zero take on the momentum's share of the batch's own
            architecture.forward(weights.masked_fill(~architecture.layout.learned, 0.0), batch[:, None], now)
        for name, moved in now.statistics.items():
            slot = architecture.layout[name]
            result[:, slot.start : slot.stop] += moved / Norm.momentum / len(batches)
    return result


def _measured_module(network: BaseArchitecture, weights: Float[Tensor, " params"], batches: list[Tensor]) -> Tensor:
    """The same for one network that was traced: its batch norms see the batches, all else is as in evaluation."""
    module = network.module(weights)
    norms = [part for part in module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    for batch in batches if norms else ():
        module(batch)
    return network.layout.flatten(module.state_dict()).to(weights.dtype)


def soup(weights: Float[Tensor, "models params"]) -> Float[Tensor, " params"]:
    """The mean of several networks' weights (Wortsman et al. 2022). Raises ValueError where one is not finite."""
    if weights.ndim != 2 or not len(weights):
        raise ValueError(f"A soup is made of [models, params], one model at least, not of {list(weights.shape)}.")
    if not torch.isfinite(weights).all():
        raise ValueError("A soup needs finite weights, and some are not; leave out diverged models.")
    return weights.double().mean(0).to(weights.dtype)


def bezier(
    architecture: Architecture,
    start: Float[Tensor, "pairs params"],
    end: Float[Tensor, "pairs params"],
    images: Float[Tensor, "n c h w"],
    labels: Int[Tensor, " n"],
    *,
    steps: int = 300,
    lr: float = 1e-2,
    batch_size: int = 64,
    seed: int = 0,
) -> Float[Tensor, "pairs params"]:
    """The bend of a quadratic Bézier curve of low loss between the two networks of each pair, learned by Adam.

    Every step draws one batch of images (the same for all pairs) and a position per pair, uniform on the curve's
    parameter, and lowers the loss there; the bend begins in the middle of the line. What training does not learn
    (running statistics) stays in the middle. Steps, rate and batch size are our choice.
    """
    start, end = _checked(architecture, start, end, 2)
    if steps < 0 or batch_size < 1:
        raise ValueError(f"A bend is learned in 0 or more steps of 1 or more images, not {steps} of {batch_size}.")
    images, random = images.to(start.dtype), generator(seed)
    bend = ((start + end) / 2).requires_grad_()
    optimizer = torch.optim.Adam([bend], lr=lr)
    for _ in range(steps):
        rows = torch.randint(len(images), (batch_size,), generator=random)
        position = torch.rand(len(start), 1, generator=random, dtype=start.dtype)
        now = Pass(architecture.activation, training=True)
        scores = architecture.forward(_curve(start, bend, end, position), images[rows][:, None], now)
        target = labels[rows][:, None].expand(-1, len(start))
        loss = F.cross_entropy(scores.flatten(0, 1), target.flatten(), reduction="sum") / batch_size
        optimizer.zero_grad()
        loss.backward()
        bend.grad[:, ~architecture.layout.learned] = 0
        optimizer.step()
    return bend.detach()


def _curve(start: Tensor, bend: Tensor, end: Tensor, alpha: Tensor | float) -> Tensor:
    return (1 - alpha) ** 2 * start + 2 * alpha * (1 - alpha) * bend + alpha**2 * end


def _walk(
    architecture: Architecture,
    at: Callable[[float], Tensor],
    pairs: int,
    images: Tensor,
    labels: Tensor,
    points: int,
    statistics: Tensor | None,
) -> Path:
    """Evaluate all pairs at every point, as many points at once as memory allows."""
    alphas = torch.linspace(0, 1, points, dtype=torch.float64)
    loss, accuracy = (torch.empty(pairs, points, dtype=torch.float64) for _ in range(2))
    together = max(1, BUDGET // (pairs * architecture.layout.size))
    for some in torch.arange(points).split(together):
        networks = torch.cat([at(alpha) for alpha in alphas[some].tolist()])
        if statistics is not None:
            networks = recalibrated(architecture, networks, statistics)
        found = evaluate(architecture, networks, images, labels)
        for values, target in zip(found, (loss, accuracy), strict=True):
            target[:, some] = values.unflatten(0, (len(some), pairs)).T
    return Path(alphas, loss, accuracy)


def _checked(architecture: Architecture, start: Tensor, end: Tensor, points: int) -> tuple[Tensor, Tensor]:
    """Both ends in the type in which networks are run."""
    architecture.layout.check(start, architecture.name)
    if start.ndim != 2 or start.shape != end.shape or not len(start):
        raise ValueError(
            f"Both ends of the paths are [pairs, params] with a pair at least, not {list(start.shape)} and "
            f"{list(end.shape)}."
        )
    if not (torch.isfinite(start).all() and torch.isfinite(end).all()):
        raise ValueError("The ends of a path must be finite; leave out diverged models.")
    if points < 2:
        raise ValueError(f"A path has 2 points or more, its ends among them, not {points}.")
    start = usual_precision(start.detach())
    return start, end.detach().to(start.dtype)
