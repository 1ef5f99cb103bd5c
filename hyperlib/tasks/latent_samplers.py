"""Samplers that are networks, a GAN and a flow; and all samplers by name.

Both learn on standardised latents, on one core, from a seed. A network that trains for long on a thousand latents may
learn these by heart and draw copies. The flow is stopped by latents that it does not train on, which is of use only if
rows are of different models; the GAN has no such judge.

Source: the thesis plots a GAN on latents (S_GAN) that is not in the released code; ours has the loss of Goodfellow et
al. (2014), the penalty of Mescheder et al. (2018), and sizes of our choice. The flow is our choice: flow matching along
straight lines, after Lipman et al. (2023, arXiv 2210.02747) and Liu et al. (2023, arXiv 2209.03003).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial

import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from hyperlib.representations.blocks import Linear
from hyperlib.tasks.sampling import KDE, Drawn, Gaussian, Neighbourhood, Rows, Sampler, Uniform, is_positive
from hyperlib.weightspace.values import generator as seeded
from hyperlib.weightspace.values import is_whole

NOISE = 32  # numbers that the GAN starts from
PENALTY = 1.0  # on the slope of the GAN's critic at latents seen
WAVES = 8  # cosines that tell the flow the time
CHECKS, REPEATS = 50, 8  # of the flow on latents held out: how often, and how many noises for each
DECAY = 0.01  # of the flow's weights
PATH = 50  # steps from noise to sample
COLOURED = 4096  # samples at least that tell the flow's own covariance
ROUNDING = 1e-6  # share of the largest deviation below which one is rounding

Inner = Float[Tensor, "batch components"]
Time = Float[Tensor, "batch 1"]
Task = tuple[Inner, Time, Inner]


class GAN(Sampler):
    """A network from noise to latents, trained against a critic that tells what it makes from latents seen (S_GAN).

    Both have two hidden layers of `hidden` units and train by Adam for `steps` batches of `batch_size`, with the loss
    that does not saturate and a penalty on the critic's slope, without which it circles. Samples are often less varied
    than the latents.

    Learned: `network_`, and `centre_` and `spread_ [latent]` of the latents. `fit` raises ValueError for counts that
    are no whole numbers, a rate that is not above 0, and when training diverged.
    """

    def __init__(
        self, steps: int = 1500, hidden: int = 128, batch_size: int = 128, rate: float = 1e-3, seed: int = 0
    ) -> None:
        self.steps = steps
        self.hidden = hidden
        self.batch_size = batch_size
        self.rate = rate
        self.seed = seed

    def _learn(self, rows: Rows) -> None:
        _require_settings(self)
        random = seeded(self.seed)
        self.centre_, self.spread_, standard = _standardised(rows)
        seen = standard.float()
        self.network_ = _network([NOISE, self.hidden, self.hidden, seen.shape[1]], random)
        critic = _network([seen.shape[1], self.hidden, self.hidden, 1], random)
        makes, judges = (
            torch.optim.Adam(network.parameters(), self.rate, betas=(0.5, 0.99)) for network in (self.network_, critic)
        )
        for _ in range(self.steps):
            true = _batch(seen, self.batch_size, random).requires_grad_()
            made = self.network_(torch.randn(self.batch_size, NOISE, generator=random))
            said = critic(true)
            slope = torch.autograd.grad(said.sum(), true, create_graph=True)[0].square().sum(1).mean()
            _step(judges, F.softplus(-said).mean() + F.softplus(critic(made.detach())).mean() + PENALTY / 2 * slope)
            _step(makes, F.softplus(-critic(made)).mean())
        _require_finite(self, self.network_)

    def _draw(self, n: int, generator: torch.Generator) -> Drawn:
        made = self.network_(torch.randn(n, NOISE, generator=generator))
        return self.centre_ + self.spread_ * made


class Flow(Sampler):
    """A flow from noise to latents: a network says where each point moves, and samples are where noise ends up.

    It works in the latents' first `components` principal components (all with None), each with deviation 1, and what
    lies beyond these is drawn as by `Gaussian`. The velocity is the one that makes a normal distribution plus what the
    network says, which at first is nothing: an untrained flow is `Gaussian`, and training adds what is not normal. A
    tenth of the latents is held out and judges; the network of the least loss there is kept. Velocities that are
    learned imperfectly draw samples together, so these are stretched until mean and covariance are the latents' again.

    Learned: `history_`, the held-out loss `val_loss` after each `step` that was judged; `steps_`, after how many the
    network is that was kept; `network_`, `axes_ [components, latent]`. `fit` raises ValueError for counts that are no
    whole numbers, a rate that is not above 0, latents that are all equal, and when training diverged.
    """

    needs = 20  # so that two are held out

    def __init__(
        self,
        components: int | None = 32,
        steps: int = 2000,
        hidden: int = 256,
        batch_size: int = 256,
        rate: float = 2e-3,
        seed: int = 0,
    ) -> None:
        self.components = components
        self.steps = steps
        self.hidden = hidden
        self.batch_size = batch_size
        self.rate = rate
        self.seed = seed

    def _learn(self, rows: Rows) -> None:
        _require_settings(self)
        random = seeded(self.seed)
        inner = self._inner(rows)
        inner = inner[torch.randperm(len(inner), generator=random)]
        width = inner.shape[1]
        self.network_ = _network([width + WAVES, self.hidden, self.hidden, width], random)
        nn.init.zeros_(self.network_[-1].weight)
        nn.init.zeros_(self.network_[-1].bias)
        self._train(inner[len(inner) // 10 :], inner[: len(inner) // 10], random)
        self._colour(max(COLOURED, 4 * width), random)

    def _inner(self, rows: Rows) -> Float[Tensor, "samples components"]:
        """The latents as components of deviation 1, and on the way the axes and what lies beyond."""
        self.centre_, self.spread_, standard = _standardised(rows)
        left, lengths, right = torch.linalg.svd(standard, full_matrices=False)
        most = int((lengths > ROUNDING * lengths[0]).sum())
        if not most:
            raise ValueError("The latents are all equal, so there is nothing for a flow to learn.")
        count, scale = min(self.components or most, most), (len(rows) - 1) ** 0.5
        inner = left[:, :count] * scale
        self.axes_ = lengths[:count, None] * right[:count] / scale
        self.beyond_ = Gaussian().fit(standard - inner @ self.axes_)
        return inner.float()

    def _train(self, train: Inner, held: Inner, random: torch.Generator) -> None:
        """Least squares between the velocity and the straight way from noise to latent."""
        judged = self._task(held.repeat(REPEATS, 1), random)
        optimizer = torch.optim.AdamW(self.network_.parameters(), self.rate, weight_decay=DECAY)
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, self.steps))
        history, least = [], math.inf
        for step in range(self.steps + 1):
            if step:
                _step(optimizer, self._loss(*self._task(_batch(train, self.batch_size, random), random)))
                falling.step()
            if step % max(1, self.steps // CHECKS) == 0:
                with torch.no_grad():
                    history.append((step, float(self._loss(*judged))))
                if history[-1][1] < least:
                    (self.steps_, least), kept = history[-1], copy.deepcopy(self.network_.state_dict())
        _require_finite(self, self.network_)
        self.network_.load_state_dict(kept)
        self.history_ = pd.DataFrame(history, columns=["step", "val_loss"])

    def _task(self, latents: Inner, random: torch.Generator) -> Task:
        """A point between noise and each latent, the time at which it is there, and the way from one to the other."""
        noise, time = torch.randn(latents.shape, generator=random), torch.rand(len(latents), 1, generator=random)
        return (1 - time) * noise + time * latents, time, latents - noise

    def _loss(self, points: Inner, time: Time, way: Inner) -> Float[Tensor, ""]:
        return F.mse_loss(self._velocity(points, time), way)

    def _velocity(self, points: Inner, time: Time) -> Inner:
        """The exact one for latents that are normal with deviation 1, and the network's part."""
        normal = (2 * time - 1) / (time.square() + (1 - time).square())
        return normal * points + self.network_(torch.cat([points, torch.cos(math.pi * time * torch.arange(WAVES))], 1))

    def _flow(self, n: int, generator: torch.Generator) -> Float[Tensor, "drawn components"]:
        """Noise, moved along the velocity by the midpoint rule."""
        points = torch.randn(n, len(self.axes_), generator=generator)
        for begin in range(PATH):
            time = torch.full((n, 1), begin / PATH)
            middle = points + self._velocity(points, time) / (2 * PATH)
            points = points + self._velocity(middle, time + 1 / (2 * PATH)) / PATH
        return points.double()

    @torch.no_grad()
    def _colour(self, n: int, random: torch.Generator) -> None:
        """Learn the mean and the covariance of the flow's own samples, as a shift and a Cholesky factor."""
        points = self._flow(n, random)
        self.shift_, self.factor_ = points.mean(0), torch.linalg.cholesky(torch.atleast_2d(points.T.cov()))

    def _draw(self, n: int, generator: torch.Generator) -> Drawn:
        points = self._flow(n, generator) - self.shift_
        points = torch.linalg.solve_triangular(self.factor_, points.T, upper=False).T
        beyond = self.beyond_._draw(n, generator)
        return self.centre_ + self.spread_ * (points @ self.axes_ + beyond)


SAMPLERS: dict[str, Callable[[], Sampler]] = {
    "uniform": Uniform,
    "neighbourhood": Neighbourhood,
    "kde_released": partial(KDE, "released"),
    "kde_independent": partial(KDE, "independent"),
    "kde_joint": partial(KDE, "joint"),
    "gaussian": Gaussian,
    "gan": GAN,
    "flow": Flow,
}


def _network(widths: list[int], random: torch.Generator) -> nn.Sequential:
    """Linear maps with SiLU between them, started so that signals keep their size."""
    parts: list[nn.Module] = []
    for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
        parts += [Linear(inputs, outputs), nn.SiLU()]
        nn.init.uniform_(parts[-2].weight, -((3 / inputs) ** 0.5), (3 / inputs) ** 0.5, generator=random)
        nn.init.zeros_(parts[-2].bias)
    return nn.Sequential(*parts[:-1])


def _batch(rows: Inner, size: int, random: torch.Generator) -> Inner:
    return rows[torch.randint(len(rows), (size,), generator=random)]


def _step(optimizer: torch.optim.Optimizer, loss: Float[Tensor, ""]) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _standardised(rows: Rows) -> tuple[Float[Tensor, " latent"], Float[Tensor, " latent"], Rows]:
    """Mean and deviation of each dimension, 0 where it changes by rounding alone, and the latents in these units."""
    centre, spread = rows.mean(0), rows.std(0)
    spread = torch.where(spread > ROUNDING**2 * rows.abs().amax(0), spread, 0.0)
    return centre, spread, (rows - centre) / spread.where(spread > 0, torch.inf)


def _require_settings(sampler: GAN | Flow) -> None:
    for name, least in (("steps", 0), ("hidden", 1), ("batch_size", 1), ("components", 1)):
        value = getattr(sampler, name, None)
        if not is_whole(value, least) and (name != "components" or value is not None):
            raise ValueError(f"{name} is a whole number from {least} on, not {value!r}.")
    if not is_positive(sampler.rate):
        raise ValueError(f"rate is a number above 0, not {sampler.rate!r}.")


def _require_finite(sampler: GAN | Flow, network: nn.Module) -> None:
    if not all(torch.isfinite(values).all() for values in network.parameters()):
        name = type(sampler).__name__
        raise ValueError(f"The training of this {name} diverged; give it a lower rate than {sampler.rate!r}.")
