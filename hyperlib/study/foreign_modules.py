"""Ordinary PyTorch modules, small, as people write them: some that tell digits apart, and traps for a tracer.

Source: our choice; the shortcut that pads on both sides is that of the usual CIFAR ResNets (He et al. 2016, option A).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hyperlib.weightspace.bridge.from_module import from_module
from hyperlib.weightspace.traced_module import TracedModule
from hyperlib.weightspace.values import generator

Made = TypeVar("Made")


class Transformer(nn.Module):
    """Rows of an image as tokens, one encoder layer with four heads, their mean."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.embed = nn.Linear(8, width)
        self.place = nn.Parameter(0.1 * torch.randn(8, width))
        self.encoder = nn.TransformerEncoderLayer(
            width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )  # fmt: skip
        self.read = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.encoder(self.embed(x.flatten(1, 2)) + self.place).mean(1))


class Recurrent(nn.Module):
    """An LSTM that reads an image row by row."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.lstm, self.read = nn.LSTM(8, width, batch_first=True), nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.lstm(x.flatten(1, 2))[0][:, -1])


class PaddedBlock(nn.Module):
    """A residual block whose shortcut has no weights: zeros half before and half behind the channels."""

    def __init__(self, came: int, width: int) -> None:
        super().__init__()
        self.stride, self.pad = 1 + (came != width), (width - came) // 2
        self.conv1 = nn.Conv2d(came, width, 3, self.stride, 1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        short = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.pad, self.pad))
        return F.relu(short + self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x))))))


class ActorCritic(nn.Module):
    """One trunk, two heads: actions and a value."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.policy, self.value = nn.Linear(64, 4), nn.Linear(64, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.trunk(x)
        return self.policy(x), self.value(x)


class GroupedQueries(nn.Module):
    """A decoder layer as in recent language models: grouped queries, root mean square norms, a gated linear unit."""

    def __init__(self, width: int = 32, heads: int = 4, groups: int = 2) -> None:
        super().__init__()
        self.heads, self.groups, inside = heads, groups, width // heads
        self.embed, self.read = nn.Embedding(50, width), nn.Linear(width, 50, bias=False)
        self.q, self.out = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.k, self.v = (nn.Linear(width, groups * inside, bias=False) for _ in range(2))
        self.norm1, self.norm2 = nn.RMSNorm(width), nn.RMSNorm(width)
        self.gate, self.up = (nn.Linear(width, 2 * width, bias=False) for _ in range(2))
        self.down = nn.Linear(2 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        y = self.norm1(x)
        q, k, v = (part(y).unflatten(-1, (-1, 8)).transpose(1, 2) for part in (self.q, self.k, self.v))
        k, v = (part.repeat_interleave(self.heads // self.groups, 1) for part in (k, v))
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
        y = self.norm2(x)
        return self.read(x + self.down(F.silu(self.gate(y)) * self.up(y)))


class Spectral(nn.Module):
    """Two layers with a Fourier transform between, of which the bridge knows nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between, self.after = nn.Linear(8, 16), nn.Linear(16, 16), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.after(torch.tanh(self.between(torch.fft.fft(self.before(x)).real)))


DIGITS: dict[str, Callable[[], nn.Module]] = {  # they read images [batch, 1, 8, 8] and tell ten digits apart
    "MLP": lambda: nn.Sequential(
        *(nn.Flatten(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))
    ),
    "CNN with norms": lambda: nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.Linear(32, 10),
    ),
    "transformer": Transformer,
    "wide transformer": lambda: Transformer(96),
    "LSTM": Recurrent,
}
_TRACED: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {  # with inputs
    "ResNet that pads": lambda: (
        nn.Sequential(
            *(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
            *(PaddedBlock(16, 16), PaddedBlock(16, 32), PaddedBlock(32, 32), PaddedBlock(32, 64), PaddedBlock(64, 64)),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
        ),
        torch.rand(2, 3, 16, 16),
    ),
    "actor and critic": lambda: (ActorCritic(), torch.rand(2, 8)),
    "grouped queries": lambda: (GroupedQueries(), torch.arange(12).reshape(2, 6)),
    "Fourier transform": lambda: (Spectral(), torch.rand(2, 8)),
}


def made(make: Callable[[], Made], seed: int) -> Made:
    """What PyTorch makes from a seed; modules draw from the global generator, which is put back."""
    with torch.random.fork_rng(devices=[]):
        torch.random.set_rng_state(generator(seed).get_state())
        return make()


def traced(seed: int = 0) -> dict[str, tuple[TracedModule, Tensor]]:
    """Networks that are traced only, begun from a seed, by kind, with inputs, drawn from it where they are random."""
    pairs = {kind: made(make, seed) for kind, make in _TRACED.items()}
    return {kind: (from_module(module, inputs, name=kind), inputs) for kind, (module, inputs) in pairs.items()}
