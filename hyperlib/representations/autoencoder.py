"""Networks that read weight vectors, squeeze them into latents, and write them out again.

Three ways to squeeze, which differ in what a network's *embedding* is:

- `summary`: a learned token is put in front; its output alone goes on, through a linear map and tanh. The latents are
  the embedding. This is the thesis's compression token.
- `latent`: the outputs of all tokens go through one linear map and tanh; the latents are the embedding.
- `pooled`: every token keeps a few latents of its own (linear, after SANE; never more than its unit has weights), and
  the embedding is read off before them: mean and standard deviation of the encoder's outputs over the tokens of each
  layer (our choice).

Source: Schürholt et al. (2021); token latents of Schürholt et al. (2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from hyperlib.representations.blocks import Linear, NeuronTokens, Source, WeightTokens, check_sizes, transformer
from hyperlib.weightspace.layout import Layout
from hyperlib.weightspace.tokens import Tokenizer

DENSE_LAYERS = 10  # hidden ones, of the released feed-forward auto-encoder
Readout = Literal["pooled", "summary", "latent"]
Encoding = Literal["neuron", "weight", "dense"]
READOUTS, ENCODINGS = ("pooled", "summary", "latent"), ("neuron", "weight", "dense")


@dataclass(frozen=True)
class Sizes:
    """What an auto-encoder is built from; see `HyperRep` for what each means."""

    encoding: Encoding
    readout: Readout
    latent: int
    width: int
    depth: int
    heads: int
    hidden: int
    dropout: float
    positions: float  # standard deviation of the position embeddings at the start
    statistics: bool

    def __post_init__(self) -> None:
        check_sizes(self, ("latent", "width", "depth", "heads", "hidden"), shared=self.encoding != "dense")
        if self.encoding not in ENCODINGS:
            raise ValueError(f"There is no encoding {self.encoding!r}; choose from {', '.join(ENCODINGS)}.")
        if self.readout not in READOUTS:
            raise ValueError(f"There is no readout {self.readout!r}; choose from {', '.join(READOUTS)}.")
        if self.encoding == "dense" and self.readout != "latent":
            raise ValueError("A dense auto-encoder has no tokens; its readout is 'latent'.")
        if not 0 <= self.positions < float("inf"):
            raise ValueError(f"positions is a standard deviation from 0 on, not {self.positions!r}.")


@dataclass(frozen=True)
class Encoded:
    """What the encoder makes of a batch: `latents` for the decoder, and the `embedding` that probes see."""

    latents: Float[Tensor, "batch latents"]
    embedding: Float[Tensor, "batch embedding"]


class Autoencoder(nn.Module):
    """An auto-encoder of weight vectors; `latents` and `embedding` are the lengths of what it makes."""

    latents: int
    embedding: int

    def measure(self, weights: Float[Tensor, "samples params"]) -> None:
        """See once the networks to train on, before the first step."""

    def encode(self, weights: Float[Tensor, "batch params"]) -> Encoded:
        raise NotImplementedError

    def decode(self, latents: Float[Tensor, "batch latents"]) -> Float[Tensor, "batch params"]:
        raise NotImplementedError


class TokenAutoencoder(Autoencoder):
    """Transformers over tokens on both sides."""

    def __init__(self, layout: Layout, sizes: Sizes, source: Source) -> None:
        super().__init__()
        tokenizer, self.readout, width = Tokenizer(layout), sizes.readout, sizes.width
        neurons = sizes.encoding == "neuron"
        self.tokens = NeuronTokens(tokenizer, width, sizes.statistics) if neurons else WeightTokens(tokenizer, width)
        self.count = sum(self.tokens.spans)
        stack = (width, sizes.depth, sizes.heads, sizes.hidden, sizes.dropout, source)
        self.encoder, self.decoder = transformer(*stack), transformer(*stack)
        self.places = nn.Parameter(torch.zeros(1, self.count, width))
        self.places_back = nn.Parameter(torch.zeros(1, self.count, width))
        if self.readout == "pooled":
            kept = [min(sizes.latent, length) for length in self.tokens.lengths]
            self.squeeze = nn.ModuleList(Linear(width, few) for few in kept)
            self.expand = nn.ModuleList(Linear(few, width) for few in kept)
            self.shares = tuple(few * span for few, span in zip(kept, self.tokens.spans, strict=True))
            self.latents, self.embedding = sum(self.shares), 2 * width * len(kept)
        else:
            read = width if self.readout == "summary" else width * self.count
            self.squeeze, self.expand = Linear(read, sizes.latent), Linear(sizes.latent, width * self.count)
            self.latents = self.embedding = sizes.latent
        if self.readout == "summary":
            self.summary = nn.Parameter(torch.zeros(1, 1, width))

    def measure(self, weights: Float[Tensor, "samples params"]) -> None:
        if isinstance(self.tokens, NeuronTokens):
            self.tokens.measure(weights)

    def encode(self, weights: Float[Tensor, "batch params"]) -> Encoded:
        tokens = self.tokens.embed(weights) + self.places
        if self.readout == "summary":
            tokens = torch.cat([self.summary.expand(len(tokens), -1, -1), tokens], 1)
        *blocks, last = self.encoder
        for block in blocks:
            tokens = block(tokens)
        tokens = last(tokens, 1 if self.readout == "summary" else None)
        if self.readout == "pooled":
            layers = zip(self.squeeze, tokens.split(self.tokens.spans, 1), strict=True)
            latents = torch.cat([squeeze(own).flatten(1) for squeeze, own in layers], 1)
            return Encoded(latents, pooled(tokens, self.tokens.spans))
        latents = torch.tanh(self.squeeze(tokens[:, 0] if self.readout == "summary" else tokens.flatten(1)))
        return Encoded(latents, latents)

    def decode(self, latents: Float[Tensor, "batch latents"]) -> Float[Tensor, "batch params"]:
        if self.readout == "pooled":
            layers = zip(self.expand, latents.split(self.shares, 1), self.tokens.spans, strict=True)
            tokens = torch.cat([expand(own.unflatten(1, (span, -1))) for expand, own, span in layers], 1)
        else:
            tokens = self.expand(latents).unflatten(1, (self.count, -1))
        return self.tokens.weights(self.decoder(tokens + self.places_back))


class DenseAutoencoder(Autoencoder):
    """A plain feed-forward auto-encoder of the flat vector; widths go evenly from its length to the latents."""

    def __init__(self, layout: Layout, sizes: Sizes, source: Source) -> None:
        super().__init__()
        del source  # the released one has no dropout
        widths = np.linspace(layout.size, sizes.latent, DENSE_LAYERS // 2 + 2).round().astype(int).tolist()
        self.encoder, self.decoder = _dense(widths), _dense(widths[::-1])
        self.latents = self.embedding = sizes.latent

    def encode(self, weights: Float[Tensor, "batch params"]) -> Encoded:
        latents = torch.tanh(self.encoder(weights))
        return Encoded(latents, latents)

    def decode(self, latents: Float[Tensor, "batch latents"]) -> Float[Tensor, "batch params"]:
        return self.decoder(latents)


def autoencoder(layout: Layout, sizes: Sizes, source: Source) -> Autoencoder:
    """The auto-encoder of these sizes; `initialise` gives it its random start."""
    return (DenseAutoencoder if sizes.encoding == "dense" else TokenAutoencoder)(layout, sizes, source)


def initialise(
    network: nn.Module, generator: torch.Generator, positions: float, linear: float | None = None
) -> None:
    """Draw all initial weights, in the order of the modules, by one generator.

    Linear maps as PyTorch does, uniform within one over the root of their inputs, or with the deviation `linear`,
    biases beginning at 0; whatever is a parameter of its own (position embeddings, the summary token) normal with the
    deviation `positions`; norms start as the identity.
    """
    for part in network.modules():
        if isinstance(part, nn.Linear) and linear is not None:
            nn.init.normal_(part.weight, 0, linear, generator=generator)
            nn.init.zeros_(part.bias)
        elif isinstance(part, nn.Linear):
            bound = part.in_features**-0.5
            for values in (part.weight, part.bias):
                nn.init.uniform_(values, -bound, bound, generator=generator)
        elif not isinstance(part, nn.LayerNorm | nn.BatchNorm1d):
            for values in part.parameters(recurse=False):
                nn.init.normal_(values, 0, positions, generator=generator)


def projection_head(inputs: int, layers: int, hidden: int, outputs: int) -> nn.Sequential:
    """What the contrast looks through: `layers` times linear, batch norm and ReLU, then linear and batch norm.

    Source: the released code of Schürholt et al. (2021).
    """
    parts: list[nn.Module] = []
    for _ in range(layers):
        parts += [Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU()]
        inputs = hidden
    return nn.Sequential(*parts, Linear(inputs, outputs), nn.BatchNorm1d(outputs))


def pooled(tokens: Float[Tensor, "batch tokens width"], spans: tuple[int, ...]) -> Float[Tensor, "batch embedding"]:
    """Mean and standard deviation over the tokens of each layer, side by side."""
    parts = []
    for layer in tokens.split(spans, 1):
        mean = layer.mean(1)
        parts += [mean, ((layer - mean[:, None]).square().mean(1) + 1e-8).sqrt()]
    return torch.cat(parts, 1)


def _dense(widths: list[int]) -> nn.Sequential:
    parts: list[nn.Module] = []
    for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
        parts += [Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*parts[:-1])
