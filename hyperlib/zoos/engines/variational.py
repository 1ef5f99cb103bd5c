"""Variational dropout: noise on every weight, learned, until those that drown in it can go.

The method (Molchanov, Ashukha and Vetrov 2017, arXiv:1701.05369; the Model Zoos' twins) gives every prunable
weight w a normal noise of variance v, learns w and log v, and counts a weight as pruned where log alpha = log v -
log w^2 is above 3. The loss of a batch is its mean cross-entropy plus kappa times the divergence from a log-uniform
prior, summed over all weights, in the paper's approximation. Constants, kappa's schedule, the first log v and the
threshold are those of the zoos' released script. Our choices: Adam for log v, with a rate of its own; noise of one kind
in both engines (see `kernels.noise`); measures of training are of the noisy networks, those of evaluation of networks
whose pruned weights are zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from math import prod
from statistics import NormalDist

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import softplus

from hyperlib.weightspace.layers import Conv, Layer, Linear, Pass
from hyperlib.weightspace.pruning import prunable
from hyperlib.weightspace.randomness import draws, key
from hyperlib.zoos.engines.batched import TorchTrainer, adam_step
from hyperlib.zoos.engines.kernels.noise import BITS, PER_HASH
from hyperlib.zoos.engines.kernels.sparse_training import K1, K2, K3, LEAST
from hyperlib.zoos.engines.trainer import Block
from hyperlib.zoos.evaluation import batch_losses

Path = tuple[int | Tensor, ...]  # to the noise of a step, below a model's key
NOISE_STREAM = 4  # below a model's key, beside those of `trainer`
FIRST_LOG_VARIANCE, THRESHOLD = -10.0, 3.0
RATE, KAPPA = "noise_rate", "kappa_per_epoch"  # the design's columns: Adam's rate of log v, and how fast kappa grows


def kappas(per_epoch: Float[np.ndarray, " models"], epoch: int) -> Float[np.ndarray, " models"]:
    """The divergence's weight in an epoch (from 1): it grows by the same amount per epoch, and never beyond 1."""
    return np.minimum(1.0, per_epoch * epoch)


def log_alpha(weights: Float[Tensor, "..."], log_variances: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Logarithm of noise variance over squared weight."""
    return log_variances - 2 * (weights.abs() + LEAST).log()


def divergence(log_alphas: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The paper's approximation of the Kullback-Leibler divergence of each weight, eq. 14, without its constant."""
    return K1 - K1 * torch.sigmoid(K2 + K3 * log_alphas) + 0.5 * softplus(-log_alphas)


@lru_cache(1)  # every layer asks for it at every step
def noise_table() -> Float[np.ndarray, " values"]:
    """The equally likely values of the noise: mean 0, variance 1, the middles of as many parts of a normal."""
    values = np.array([NormalDist().inv_cdf((n + 0.5) / 2**BITS) for n in range(2**BITS)])
    return (values / values.std()).astype(np.float32)


def noise(keys: Int[Tensor, " models"], images: int, outputs: tuple[int, ...]) -> Float[Tensor, "images models ..."]:
    """The noise of a layer's outputs for a batch, one key per model; `outputs` is the shape of one image's."""
    *rows, width = outputs if len(outputs) > 1 else (*outputs, 1)
    bits = draws(keys, images * prod(rows) * -(-width // PER_HASH)).unflatten(1, (images, prod(rows), -1))
    numbers = torch.stack([(bits >> (BITS * n)) & (2**BITS - 1) for n in range(PER_HASH)], -1).flatten(3)
    values = _table(keys.device)[numbers[..., :width]]
    return values.reshape(len(keys), images, *outputs).transpose(0, 1)


@lru_cache(maxsize=4)  # a recorded step can't copy it to a card
def _table(device: torch.device) -> Float[Tensor, " values"]:
    return torch.from_numpy(noise_table()).to(device)


class VariationalTorchTrainer(TorchTrainer):
    """Variational dropout of a block, batched over its models, for any architecture and device."""

    def __init__(self, block: Block, weights: Float[Tensor, "models params"]) -> None:
        super().__init__(block, weights)
        self.noisy = prunable(block.architecture).to(block.device)
        self.places = self.noisy.nonzero()[:, 0]
        self.log_variances = torch.full_like(self.buffer, FIRST_LOG_VARIANCE)
        self.moments = torch.zeros(2, *self.buffer.shape, device=block.device)
        self.rate = block.column(RATE)

    @property
    def weights(self) -> Float[Tensor, "models params"]:
        return self._pruned().cpu()

    def _of_epoch(self, epoch: int) -> tuple[Tensor, ...]:
        return (torch.from_numpy(kappas(self.block.design[KAPPA].to_numpy(), epoch)).float(),)

    def _step(
        self, places: Int[Tensor, "batch models"], clock: Tensor, bias: Tensor, share: Float[Tensor, " models"]
    ) -> None:
        now = Pass(self.block.architecture.activation, training=True)
        batch = (self.train_x[places], self.train_y[places], now, (NOISE_STREAM, *clock))
        gradients = torch.func.grad(self._noisy_loss, argnums=(0, 1), has_aux=True)
        (gradient, d_log), sums = gradients(self.buffer, self.log_variances, *batch, share)
        self._update(gradient, bias)
        adam_step(self.log_variances, d_log.masked_fill_(~self.noisy, 0.0), *self.moments, self.rate, bias)
        self._keep_statistics(now)
        self.totals += sums

    def _noisy_loss(
        self, weights: Tensor, log_variances: Tensor, x: Tensor, y: Tensor, now: Pass, path: Path, share: Tensor
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "two models"]]:
        now.after = self._shaking(log_variances.exp(), now, path)
        losses, hits = batch_losses(self.block.architecture.forward(weights, x, now), y)
        now.statistics = {name: value.detach() for name, value in now.statistics.items()}
        alphas = log_alpha(weights[:, self.places], log_variances[:, self.places])
        whole = losses.mean(0) + share * divergence(alphas).sum(1)
        return whole.sum(), torch.stack([losses.sum(0), hits.sum(0)]).detach()

    def _shaking(self, variances: Tensor, now: Pass, path: Path) -> Callable[..., Tensor]:
        """Noise on what convolutions and linear layers give, as if their weights had noise of these variances."""
        layout = self.block.architecture.layout
        parts = variances.split([slot.size for slot in layout.slots], -1)  # split, as in `Architecture.outputs`
        spreads = {slot.name: part for slot, part in zip(layout.slots, parts, strict=True)}

        def shaken(layer: Layer, x: Tensor, own: Mapping[str, Tensor], given: Tensor) -> Tensor:
            if not isinstance(layer, Conv | Linear):
                return given
            spread = {part: torch.zeros_like(value) for part, value in own.items()}
            spread["weight"] = spreads[f"{layer.name}.weight"].reshape(own["weight"].shape)
            width = (layer.run(x.square(), spread, now) + 1e-8).sqrt()
            keys = key(self.block.keys_there, *path, now.place)
            return given + width * noise(keys, len(x), tuple(given.shape[2:]))

        return shaken

    def _pruned(self) -> Float[Tensor, "models params"]:
        return self.buffer.masked_fill((log_alpha(self.buffer, self.log_variances) > THRESHOLD) & self.noisy, 0)

    def evaluate(
        self, x: Float[Tensor, "images c h w"], y: Int[Tensor, " images"]
    ) -> tuple[Float[Tensor, " models"], Float[Tensor, " models"]]:
        held, self.buffer = self.buffer, self._pruned()
        try:
            return super().evaluate(x, y)
        finally:
            self.buffer = held

    def state(self) -> dict[str, Tensor]:
        first, second = self.moments.cpu()
        return super().state() | {
            "log_variances": self.log_variances.cpu(), "noise_first": first, "noise_second": second
        }  # fmt: skip

    def restore(self, state: dict[str, Tensor]) -> None:
        super().restore(state)
        self.log_variances.copy_(state["log_variances"])
        self.moments.copy_(torch.stack([state["noise_first"], state["noise_second"]]))
