"""The network of SANE: an auto-encoder of windows of tokens that knows no architecture.

Every token has one width and a position (place in the sequence, layer, unit); the network is told nothing else, so one
instance reads the weights of any network. Each token keeps `latent` numbers.

Source: Schürholt et al. (2024). Positions as waves, which go on where a learned table ends, are our choice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from hyperlib.representations.blocks import Linear, Source, check_sizes, transformer
from hyperlib.representations.plan import check_triple
from hyperlib.representations.windows import check_window

WAVES, LONGEST = 16, 100_000.0  # wave lengths per number, from 2 to this
NONLINEARITIES = {"relu": F.relu, "gelu": F.gelu}
CHOICES = {
    **{"places": ("waves", "tables"), "nonlinearity": tuple(NONLINEARITIES), "norms": ("left_out", "tokens")},
    **{"spread": ("within", "total"), "padding": ("left_out", "counted"), "head": ("window", "mean")},
}


@dataclass(frozen=True)
class SaneSizes:
    """What the network is built from, and how sequences come to it; see `Sane` for what each means."""

    token: int
    latent: int
    width: int
    depth: int
    heads: int
    hidden: int
    dropout: float
    places: Literal["waves", "tables"]
    tables: tuple[int, int, int]
    nonlinearity: str
    start: float | None
    window: int
    halo: int
    norms: Literal["left_out", "tokens"]
    spread: Literal["within", "total"]
    padding: Literal["left_out", "counted"]
    head: Literal["window", "mean"]
    positions: float

    def __post_init__(self) -> None:
        check_sizes(self, ("token", "latent", "width", "depth", "heads", "hidden"))
        check_triple("tables", self.tables, (1, 1, 1), "(tokens, layers, units)")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"There is no {name}={getattr(self, name)!r}; choose from {', '.join(choices)}.")
        if self.places == "tables" and self.width % 2:
            raise ValueError(f"Tables give each half of the width, and {self.width} is odd.")
        if self.start is not None and not 0 < self.start < math.inf:
            raise ValueError(f"start is a deviation above 0, or None, not {self.start!r}.")
        if not 0 <= self.positions < math.inf:
            raise ValueError(f"positions is a deviation from 0 on, not {self.positions!r}.")
        check_window(self.window, self.halo)


class Waves(nn.Module):
    """Sines and cosines of place, layer and unit, and a linear map of them: for sequences of any length."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width, 6 * WAVES))

    def features(self, positions: Int[Tensor, "tokens 3"]) -> Float[Tensor, "tokens features"]:
        """What the map reads; made once per network, not per window."""
        ends = math.log(math.pi), math.log(2 * math.pi / LONGEST)
        rates = torch.linspace(*ends, WAVES, dtype=torch.float64).exp()
        angles = (positions[:, :, None].double() * rates).flatten(1)
        return torch.cat([angles.sin(), angles.cos()], 1).float() / angles.shape[1] ** 0.5  # of length 1

    def forward(self, features: Tensor) -> Float[Tensor, "*batch width"]:
        return F.linear(features, self.weight)


class Tables(nn.Module):
    """Learned vectors: half of the width for place plus layer, half for the unit, as released."""

    def __init__(self, width: int, sizes: tuple[int, int, int]) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.zeros(sizes[0], width // 2))
        self.layers = nn.Parameter(torch.zeros(sizes[1], width // 2))
        self.units = nn.Parameter(torch.zeros(sizes[2], width // 2))

    def features(self, positions: Int[Tensor, "tokens 3"]) -> Float[Tensor, "tokens 3"]:
        """The positions themselves. Raises ValueError for a network that is larger than the tables."""
        sizes = [len(self.places), len(self.layers), len(self.units)]
        largest = (positions.amax(0) + 1).tolist()
        if any(most > size for most, size in zip(largest, sizes, strict=True)):
            raise ValueError(
                f"This network has {largest} tokens, layers and units, and the tables of positions {sizes}; fit with "
                "larger tables, or with places='waves'."
            )
        return positions.float()  # exact up to 2**24

    def forward(self, features: Tensor) -> Float[Tensor, "*batch width"]:
        place, layer, unit = features.long().unbind(-1)
        return torch.cat([self.places[place] + self.layers[layer], self.units[unit]], -1)


class SaneNetwork(nn.Module):
    """Encoder and decoder of windows."""

    def __init__(self, sizes: SaneSizes, source: Source) -> None:
        super().__init__()
        width = sizes.width
        stack = (width, sizes.depth, sizes.heads, sizes.hidden, sizes.dropout, source)
        nonlinearity = NONLINEARITIES[sizes.nonlinearity]
        self.place = Waves(width) if sizes.places == "waves" else Tables(width, tuple(map(int, sizes.tables)))
        self.read, self.squeeze = Linear(sizes.token, width), Linear(width, sizes.latent)
        self.expand, self.write = Linear(sizes.latent, width), Linear(width, sizes.token)
        self.encoder, self.decoder = transformer(*stack, nonlinearity), transformer(*stack, nonlinearity)

    def encode(
        self,
        tokens: Float[Tensor, "windows tokens token"],
        places: Float[Tensor, "windows tokens features"],
        there: Bool[Tensor, "windows tokens"] | None = None,
    ) -> Float[Tensor, "windows tokens latent"]:
        """Latents of every token; `there`: which of them are tokens (all without), the others fill windows up."""
        return self.squeeze(_each(self.encoder, self.read(tokens) + self.place(places), there))

    def decode(
        self,
        latents: Float[Tensor, "windows tokens latent"],
        places: Float[Tensor, "windows tokens features"],
        there: Bool[Tensor, "windows tokens"] | None = None,
    ) -> Float[Tensor, "windows tokens token"]:
        """Tokens of latents, at the same places as in the encoder."""
        return self.write(_each(self.decoder, self.expand(latents) + self.place(places), there))


def _each(blocks: nn.Sequential, tokens: Tensor, there: Tensor | None) -> Tensor:
    for block in blocks:
        tokens = block(tokens, None, there)
    return tokens


class Mean(nn.Module):
    """The mean over the tokens of a window; tokens that fill it up come with all latents 0, and do not count."""

    def forward(self, latents: Float[Tensor, "windows tokens latent"]) -> Float[Tensor, "windows latent"]:
        count = latents.any(-1, keepdim=True).sum(1)
        return latents.sum(1) / count.clamp(min=1)


def window_head(sizes: SaneSizes, layers: int, hidden: int, outputs: int) -> nn.Sequential:
    """What the contrast looks through: the latents of a window, then `layers` times linear, layer norm, ReLU.

    Latents stand side by side, or their mean alone, see `Sane`. Source: the released code of Schürholt et al. (2024),
    where the last of the layers is as wide as the output; the mean is our choice.
    """
    parts: list[nn.Module] = [nn.Flatten(1) if sizes.head == "window" else Mean()]
    inputs = sizes.latent * (sizes.window if sizes.head == "window" else 1)
    for size in [*[hidden] * (layers - 1), outputs]:
        parts += [Linear(inputs, size), nn.LayerNorm(size), nn.ReLU()]
        inputs = size
    return nn.Sequential(*parts)
