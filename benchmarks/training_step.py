"""One training step of a hyper-representation, against the same step in the form of the released code.

The sizes are those that Schürholt et al. (2021) released for their Tetris and MNIST zoos, with the summary token as
read-out. Both sides draw a batch of random networks, make two views of each (permuted, a block erased with probability
one half), encode and decode both, take NT-Xent plus the error against the views, and let Adam take a step. Seconds are
of the processor, on one core.

The other side is the released form in our words: a linear map per token in a loop; queries, keys and values apart;
softmax written out; a hand-made layer norm; one view after the other through the network; NT-Xent by a cosine module
over all pairs `[2 batch, 2 batch, width]`, with a mask; plain Adam; views made one network at a time and then stacked.
With the same weights and no dropout it gives what ours gives, which a test proves. `released` has dropout where ours
has it. The released code also drops attention weights, which our fused attention refuses; that is the contestant
`released, attention dropout`.

What is not alike: ours decays weights apart from the gradient, and clips the gradient's length, which only costs time.
The MNIST sizes run on a batch smaller than the released one, so that a step takes seconds. The optimiser's share, which
does not depend on the batch, is then larger on both sides. Permutations of the small CNN come from a pool on the other
side, as released, with fewer in it; ours are drawn anew.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd
import torch
import torch.nn.functional as F
from clock import Contestant, measured, say, threads
from settings import Options
from tokens import erased
from torch import Tensor, nn

from hyperlib import Architecture, permutation_index, random_permutations, small_cnn, tetris_mlp
from hyperlib.representations.augment import Augment, orbit
from hyperlib.representations.autoencoder import Sizes, TokenAutoencoder, autoencoder, initialise, projection_head
from hyperlib.representations.batches import Population
from hyperlib.representations.blocks import Source, TransformerBlock
from hyperlib.representations.plan import Plan
from hyperlib.representations.training import Trainer
from hyperlib.representations.whole_views import WholeViews
from hyperlib.weightspace.tokens import Tokenizer

RELEASED_BATCH = 500
RATE, DECAY, TEMPERATURE = 1e-4, 1e-9, 0.1
DROPOUT, POSITIONS = 0.1, 1.0
ERASE, ERASED = 0.5, (0.02, 0.33)  # as in `tokens.erased`
POOL = 500  # permutations, where they are too many to list; 25,000 are in the released one
BASELINE = "released"


@dataclass(frozen=True)
class Size:
    """A released hyper-representation: of which networks, and how large; `projection` as in `HyperRep`."""

    network: Architecture
    permute: bool | str
    batch: int
    width: int
    hidden: int
    latent: int
    projection: tuple[int, int, int]
    mix: float
    depth: int = 2
    heads: int = 4


SIZES = (
    Size(tetris_mlp(), "orbit", RELEASED_BATCH, 256, 512, 50, (3, 50, 20), 0.5),
    Size(small_cnn(), True, 40, 800, 900, 700, (4, 400, 50), 0.1),
)


def training_step(options: Options) -> pd.DataFrame:
    """One row per network and contestant: `seconds_per_step`, and the released form's over them as `ratio`.

    Where `batch` is not `released_batch`, the step was made on fewer networks than published.
    """
    rows = []
    with threads(1):
        for size in [tiny(size) for size in SIZES] if options.quick else SIZES:
            say(f"  {size.network.name}, width {size.width}")
            steps = contestants(size)
            sides = [Contestant(name, size.batch, step, step) for name, step in steps.items()]
            times = {name: time.processor for name, time in measured(sides, options.repetitions).items()}
            about = (size.network.name, size.width, size.batch, RELEASED_BATCH)
            rows += [(*about, name, seconds, times[BASELINE] / seconds) for name, seconds in times.items()]
    columns = ["network", "width", "batch", "released_batch", "contestant", "seconds_per_step", "ratio"]
    return pd.DataFrame(rows, columns=columns)


def tiny(size: Size) -> Size:
    """The same in a size that measures nothing."""
    return replace(size, batch=4, width=16, hidden=24, latent=6, projection=(1, 8, 4))


def contestants(size: Size) -> dict[str, Callable[[], None]]:
    """A training step of each, all from the same weights, on networks of the same population."""
    population = size.network.initialise(range(2 * size.batch), "kaiming_normal")
    return {
        "ours, float32": trainer(size, population, half=False).advance,
        "ours, bfloat16": trainer(size, population, half=True).advance,
        BASELINE: ReleasedTraining(size, population).step,
        "released, attention dropout": ReleasedTraining(size, population, attention_dropout=DROPOUT).step,
    }


# -- ours --------------------------------------------------------------------------------------------------------------


def ours(size: Size, dropout: float = DROPOUT) -> tuple[TokenAutoencoder, nn.Sequential, Source]:
    """The network, its projection head, and where its dropout draws."""
    source, generator = Source(), torch.Generator().manual_seed(0)
    sizes = Sizes(
        "neuron", "summary", size.latent, size.width, size.depth, size.heads, size.hidden, dropout, POSITIONS, False
    )
    network, head = autoencoder(size.network.layout, sizes, source), projection_head(size.latent, *size.projection)
    for part in (network, head):
        initialise(part, generator, POSITIONS)
    return network, head, source


def trainer(size: Size, population: Tensor, *, half: bool, device: str = "cpu") -> Trainer:
    """The training that `HyperRep.fit` runs, without validation and with no end in sight."""
    plan = Plan(10**6, size.batch, None, RATE, DECAY, size.mix, "nt_xent", TEMPERATURE, 1, None, 0)
    augment = Augment(permute=size.permute, erase=ERASE, erased=ERASED, target="view")
    networks = Population(population, torch.arange(len(population))[:, None])
    network, head, source = ours(size)
    there = torch.device(device)
    network, head = network.to(there), head.to(there)
    views = WholeViews(size.network, network, head, source, plan, augment, networks, None, device=there, half=half)
    return Trainer(views)


# -- the released form -------------------------------------------------------------------------------------------------


class ReleasedTraining:
    """Network, head, loss, optimiser and views of the released form; `step` is one training step."""

    def __init__(self, size: Size, population: Tensor, *, attention_dropout: float = 0.0) -> None:
        network, head, _ = ours(size)
        self.network, self.head = ReleasedNetwork(size, network, DROPOUT, attention_dropout), head
        self.contrast = PairwiseContrast(size.batch, TEMPERATURE)
        parameters = [*self.network.parameters(), *self.head.parameters()]
        self.optimiser = torch.optim.Adam(parameters, lr=RATE, weight_decay=DECAY)
        self.population, self.orders = population, list(orders(size))
        self.mix, self.batch = size.mix, size.batch
        self.random, self.generator = random.Random(0), torch.Generator().manual_seed(0)

    def step(self) -> None:
        first, second = self.views()
        self.optimiser.zero_grad()
        losses = self.losses(first, second)
        losses[0].backward()
        self.optimiser.step()
        for loss in losses:
            loss.item()  # for a log

    def views(self) -> list[Tensor]:
        """Two views of a random batch, each made on its own."""
        drawn = torch.randperm(len(self.population), generator=self.generator)[: self.batch]
        pairs = [self._two_views(self.population[row]) for row in drawn.tolist()]
        return [torch.stack(view) for view in zip(*pairs, strict=True)]

    def _two_views(self, vector: Tensor) -> list[Tensor]:
        return [erased(vector[order], self.generator) for order in self.random.choices(self.orders, k=2)]

    def losses(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The mixed loss, contrast and reconstruction."""
        latents, rebuilt = zip(*(self.network(view) for view in (first, second)), strict=True)
        error = F.mse_loss(torch.cat(rebuilt), torch.cat([first, second]))
        contrast = self.contrast(*(self.head(latent) for latent in latents))
        return self.mix * contrast + (1 - self.mix) * error, contrast, error


def orders(size: Size) -> Tensor:
    """Indices of permuted weights: of every order of units, or of a pool of random ones."""
    if size.permute == "orbit":
        return orbit(size.network)
    drawn = random_permutations(size.network, POOL, torch.Generator().manual_seed(0))
    return permutation_index(size.network, drawn)


class ReleasedNetwork(nn.Module):
    """Encoder and decoder, with the weights of one of ours; `places` are where a token's weights stand."""

    def __init__(self, size: Size, like: TokenAutoencoder, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        blocks = Tokenizer(size.network.layout).blocks
        self.layer_of = [number for number, block in enumerate(blocks) for _ in range(block.units)]
        self.places, self.params = token_places(size.network), size.network.layout.size
        self.whole = all(isinstance(place, slice) for place in self.places)
        self.into, self.back = (nn.ModuleList(map(copied, maps)) for maps in (like.tokens.into, like.tokens.back))
        self.summary = nn.Parameter(like.summary.detach().clone())
        positions = torch.cat([torch.zeros(1, size.width), like.places.detach()[0]])
        self.positions = nn.Embedding.from_pretrained(positions, freeze=False)
        self.positions_back = nn.Embedding.from_pretrained(like.places_back.detach()[0].clone(), freeze=False)
        self.encoder, self.decoder = (
            nn.ModuleList(ReleasedBlock(block, dropout, attention_dropout) for block in stack)
            for stack in (like.encoder, like.decoder)
        )
        self.squeeze, self.expand = copied(like.squeeze), copied(like.expand)

    def forward(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Latents, and weights again."""
        latents = self.encode(weights)
        return latents, self.decode(latents)

    def encode(self, weights: Tensor) -> Tensor:
        rows = [self.into[layer](weights[:, place]) for layer, place in zip(self.layer_of, self.places, strict=True)]
        tokens = torch.cat([self.summary.repeat(len(weights), 1, 1), torch.stack(rows, 1)], 1)
        tokens = tokens + self.positions(torch.arange(tokens.shape[1])[None]).expand_as(tokens)
        for block in self.encoder:
            tokens = block(tokens)
        return torch.tanh(self.squeeze(tokens[:, 0]))

    def decode(self, latents: Tensor) -> Tensor:
        tokens = self.expand(latents).view(len(latents), len(self.places), -1)
        tokens = tokens + self.positions_back(torch.arange(tokens.shape[1])[None]).expand_as(tokens)
        for block in self.decoder:
            tokens = block(tokens)
        rows = [self.back[layer](tokens[:, number]) for number, layer in enumerate(self.layer_of)]
        if self.whole:
            return torch.cat(rows, 1)
        weights = torch.zeros(len(latents), self.params)
        for place, row in zip(self.places, rows, strict=True):
            weights[:, place] = row
        return weights


class ReleasedBlock(nn.Module):
    """One transformer block, with the weights of one of ours."""

    def __init__(self, like: TransformerBlock, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.heads = like.attention.heads
        self.before_attention = HandMadeNorm(like.before_attention)
        self.before_forward = HandMadeNorm(like.before_forward)
        self.query, self.key, self.value = thirds(like.attention.read)
        self.write, self.up, self.down = copied(like.attention.write), copied(like.up), copied(like.down)
        self.on_attention = nn.Dropout(attention_dropout)
        self.on_mixed, self.on_hidden, self.on_forward = (nn.Dropout(dropout) for _ in range(3))

    def forward(self, tokens: Tensor) -> Tensor:
        normed = self.before_attention(tokens)
        tokens = tokens + self.on_mixed(self.attend(normed))
        normed = self.before_forward(tokens)
        return tokens + self.on_forward(self.down(self.on_hidden(F.relu(self.up(normed)))))

    def attend(self, tokens: Tensor) -> Tensor:
        query, key, value = (
            linear(tokens).view(len(tokens), tokens.shape[1], self.heads, -1).transpose(1, 2)
            for linear in (self.query, self.key, self.value)
        )
        scores = torch.matmul(query, key.transpose(-2, -1)) / query.shape[-1] ** 0.5
        shares = self.on_attention(F.softmax(scores, -1))
        return self.write(torch.matmul(shares, value).transpose(1, 2).contiguous().view(tokens.shape))


class HandMadeNorm(nn.Module):
    """Layer norm by the unbiased deviation, so its gain is a little larger than that of the norm it imitates."""

    def __init__(self, like: nn.LayerNorm) -> None:
        super().__init__()
        size = like.weight.numel()
        self.gain = nn.Parameter(like.weight.detach() * (size / (size - 1)) ** 0.5)
        self.shift = nn.Parameter(like.bias.detach().clone())

    def forward(self, values: Tensor) -> Tensor:
        centred = values - values.mean(-1, keepdim=True)
        return self.gain * centred / (values.std(-1, keepdim=True) + 1e-6) + self.shift


class PairwiseContrast(nn.Module):
    """NT-Xent over all pairs by a cosine module; positives are cut from diagonals, negatives with a fixed mask."""

    def __init__(self, batch: int, temperature: float) -> None:
        super().__init__()
        self.batch, self.temperature = batch, temperature
        self.cosine, self.entropy = nn.CosineSimilarity(2), nn.CrossEntropyLoss(reduction="sum")
        places = torch.arange(2 * batch)
        self.negative = (places[:, None] - places) % batch != 0

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        both = torch.cat([first, second])
        likeness = self.cosine(both[:, None], both[None]) / self.temperature
        partners = torch.cat([likeness.diag(self.batch), likeness.diag(-self.batch)])[:, None]
        logits = torch.cat([partners, likeness[self.negative].view(len(both), -1)], 1)
        return self.entropy(logits, torch.zeros(len(both), dtype=torch.long)) / len(both)


def token_places(network: Architecture) -> list[slice | list[int]]:
    """Where each token's weights stand in the flat vector: a slice where they lie side by side, else a list."""
    tokenizer = Tokenizer(network.layout)
    numbers, mask = tokenizer.encode(torch.arange(network.layout.size)), tokenizer.mask
    places = [row[real].tolist() for row, real in zip(numbers, mask, strict=True)]
    together = all(place == list(range(place[0], place[-1] + 1)) for place in places)
    return [slice(place[0], place[-1] + 1) for place in places] if together else places


def copied(linear: nn.Linear, rows: slice = slice(None)) -> nn.Linear:
    """A linear map of its own with the same weights, or some of its outputs."""
    weight = linear.weight.detach()[rows]
    copy = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        copy.weight.copy_(weight)
        copy.bias.copy_(linear.bias[rows])
    return copy


def thirds(linear: nn.Linear) -> list[nn.Linear]:
    """The maps that stand below each other in one."""
    size = linear.out_features // 3
    return [copied(linear, slice(first, first + size)) for first in range(0, 3 * size, size)]
