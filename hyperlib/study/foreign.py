"""Networks that are none of this library's: ordinary PyTorch modules, trained by an ordinary loop.

Four kinds that tell the same digits apart, so that they can be put side by side, and some more that are traced only.
All are small, and written as people write them.

Source: our choice; the shortcut that pads on both sides is that of the usual CIFAR ResNets (He et al. 2016, option A).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from hyperlib.images.files import data_folder
from hyperlib.images.images import Images
from hyperlib.representations.cores import one_core
from hyperlib.tasks.barriers import compare_lines
from hyperlib.weightspace.alignment import align
from hyperlib.weightspace.bridge.from_module import from_module
from hyperlib.weightspace.layout import Layout
from hyperlib.weightspace.spectra import matrix_names
from hyperlib.weightspace.spectral_table import spectral_table
from hyperlib.weightspace.state_dicts import find_state_dict
from hyperlib.weightspace.symmetry import permutation_index, random_permutations, random_signs, unit_factors
from hyperlib.weightspace.symmetry_check import verify_symmetry
from hyperlib.weightspace.traced_module import TracedModule
from hyperlib.weightspace.values import generator
from hyperlib.zoos.gathered import gather, listed, read_checkpoint
from hyperlib.zoos.zoo import Zoo

BATCH = 64
OTHER_BATCHES = 1000  # added to the seed of a twin's batches


class Rows(nn.Module):
    """An image of 8x8 as a sequence of its eight rows."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1, 2)


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
TRACED: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {  # with inputs
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


def made(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """The module as PyTorch begins it from a seed; modules draw from the global generator, which is put back."""
    with torch.random.fork_rng(devices=[]):
        torch.random.set_rng_state(generator(seed).get_state())
        return make()


def trained(
    make: Callable[[], nn.Module],
    images: Images,
    *,
    seed: int,
    epochs: int,
    lr: float = 3e-3,
    batches: int | None = None,
) -> list[dict[str, Tensor]]:
    """State dicts before training and after every epoch of plain Adam on batches of 64.

    seed: of the start, and of the batches' order unless `batches` is another one.
    """
    module, order = made(make, seed), generator(seed if batches is None else batches)
    optimizer, kept = torch.optim.Adam(module.parameters(), lr), [_copy(module)]
    with one_core(torch.device("cpu")):  # these networks are so small that cores would only wait for each other
        for _ in range(epochs):
            for rows in torch.randperm(len(images.train_x), generator=order).split(BATCH):
                loss = F.cross_entropy(module(images.train_x[rows]), images.train_y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            kept.append(_copy(module))
    return kept


def foreign_zoo(kind: str, images: Images, *, seeds: int, epochs: int, lrs: Sequence[float] = (3e-3,)) -> Zoo:
    """Modules of one kind of `DIGITS`, so many by learning rate, as a zoo of all their epochs with test accuracy."""
    make, states, rows = DIGITS[kind], [], []
    network = from_module(made(make, 0), images.test_x[:2], name=kind)
    for lr in lrs:
        for _ in range(seeds):
            model = rows[-1]["model"] + 1 if rows else 0
            for epoch, state in enumerate(trained(make, images, seed=model, epochs=epochs, lr=lr)):
                states.append(state)
                rows.append({"model": model, "epoch": epoch, "seed": model, "lr": lr})
    zoo = gather(network, states, pd.DataFrame(rows))
    with torch.no_grad():
        scores = network.logits(zoo.weights.flatten(0, 1), images.test_x)
    accuracy = (scores.argmax(-1) == images.test_y).double().mean(1)
    return Zoo(network, zoo.weights, zoo.table.assign(test_accuracy=accuracy.numpy()))


def twins(kind: str, zoo: Zoo, images: Images) -> Float[Tensor, "models params"]:
    """For every model of a zoo of seeds another one of the same start that sees its batches in another order."""
    epochs, layout = int(zoo.epochs[-1]), zoo.architecture.layout
    found = [
        trained(DIGITS[kind], images, seed=int(model), epochs=epochs, batches=OTHER_BATCHES + int(model))[-1]
        for model in zoo.models
    ]
    return torch.stack([layout.flatten(state) for state in found])


def every_move(networks: Mapping[str, tuple[TracedModule, Tensor]]) -> pd.DataFrame:
    """Every move of every network, tried on its inputs: the tables of `verify_symmetry`, with a column `network`."""
    with one_core(torch.device("cpu")):
        found = [verify_symmetry(one, inputs).assign(network=name) for name, (one, inputs) in networks.items()]
    return pd.concat(found, ignore_index=True)


def lines_between_seeds(
    zoos: Mapping[str, Zoo],
    beside: Mapping[str, Float[Tensor, "models params"]],
    images: Images,
    pairs: Int[Tensor, "pairs two"],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Test loss between the last epochs of the models of every pair, and barriers: tables of `barriers.compare_lines`.

    Settings: "own copy" (the first model in random order), "same start" (its twin of `beside`), "two seeds", "aligned"
    (the second laid on the first by the order of its units) and "with signs". Batch norms are measured anew on training
    images. A column says the network.
    """
    lines, heights = [], []
    with one_core(torch.device("cpu")):
        for kind, zoo in zoos.items():
            network, ends = zoo.architecture, zoo.weights[:, -1]
            first, second = ends[pairs[:, 0]], ends[pairs[:, 1]]
            orders = random_permutations(network, len(pairs), generator(2))
            ways = {"own copy": first.gather(-1, permutation_index(network, orders))}
            ways |= {"same start": beside[kind][pairs[:, 0]], "two seeds": second}
            for way, how in {"aligned": {}, "with signs": {"signs": True}}.items():
                both = zip(first, second, strict=True)
                ways[way] = torch.cat([align(network, a, b[None], **how).weights for a, b in both])
            norms = images.train_x[:1000] if any(not slot.learned for slot in network.slots) else None
            ends_of = {way: (first, end) for way, end in ways.items()}
            tables = compare_lines(network, ends_of, images.test_x, images.test_y, recalibrate=norms)
            for table, kept in zip(tables, (lines, heights), strict=True):
                kept.append(table.assign(network=kind))
    return pd.concat(lines, ignore_index=True), pd.concat(heights, ignore_index=True)


def planted_orders(zoos: Mapping[str, Zoo], beside: Mapping[str, Float[Tensor, "models params"]]) -> pd.DataFrame:
    """How many random orders (with random signs where they are free) alignment undoes exactly, by what was moved.

    Columns: `network`, `moved` ("own copy" of a model, or its twin, which is another function), `copies`, `found` and
    `distance`, the mean distance between model and what was moved before it was.
    """
    rows = []
    for kind, zoo in zoos.items():
        network, ends, random = zoo.architecture, zoo.weights[:, -1], generator(1)
        for moved, given in {"own copy": ends, "twin": beside[kind]}.items():
            index = permutation_index(network, random_permutations(network, len(ends), random))
            signs = unit_factors(network, random_signs(network, len(ends), random), models=len(ends))
            copies = (given * signs).gather(-1, index)
            laid = [align(network, end, copy[None], signs=True) for end, copy in zip(ends, copies, strict=True)]
            found = sum(torch.equal(one.weights[0], before) for one, before in zip(laid, given, strict=True))
            distance = float((given - ends).norm(dim=1).mean())
            rows.append({"network": kind, "moved": moved, "copies": len(ends), "found": found, "distance": distance})
    return pd.DataFrame(rows)


def spectra_by_epoch(zoo: Zoo, epochs: Sequence[int]) -> pd.DataFrame:
    """Spectra of a zoo's layers, means over models: before and after training, and after it with each matrix's entries
    shuffled, which keeps their sizes and leaves no arrangement.
    """
    layout, parts = zoo.architecture.layout, []
    for epoch in epochs:
        weights = zoo.samples(epoch).weights
        parts.append(spectral_table(weights, layout).assign(state=f"epoch {epoch}"))
    shuffled = weights.clone()
    for slot in layout:
        order = torch.rand(len(weights), slot.size, generator=generator(slot.start)).argsort(1)
        shuffled[:, slot.start : slot.stop] = weights[:, slot.start : slot.stop].gather(1, order)
    parts.append(spectral_table(shuffled, layout).assign(state=f"epoch {epochs[-1]}, shuffled"))
    table = pd.concat(parts)
    columns = ["log_spectral_norm", "alpha", "weighted_alpha", "ks", "stable_rank"]
    return table.groupby(["name", "state"], sort=False)[columns].mean().reset_index()


def own_folder() -> Path:
    """Where a reader's own checkpoints are looked for: `checkpoints` in the data folder."""
    return data_folder(None) / "checkpoints"


def read_folder(folder: Path) -> pd.DataFrame:
    """What state dicts alone tell of the checkpoints in a folder, whatever networks they are of.

    Columns: `file`, `numbers` (floating-point ones), `layers`, and means over matrices of `alpha` and `stable_rank`, or
    `fault` where a file cannot be read.
    """
    rows = []
    for path in listed(folder) if folder.is_dir() else []:
        try:
            state = find_state_dict(read_checkpoint(path)).state
            layout = Layout.from_state_dict(state)
            table = spectral_table(layout.flatten(state), layout) if matrix_names(layout) else None
        except (ValueError, TypeError) as error:
            rows.append({"file": path.name, "fault": str(error)})
            continue
        means = {} if table is None else table[["alpha", "stable_rank"]].mean().to_dict()
        rows.append({"file": path.name, "numbers": layout.size, "layers": len(layout.layers), **means, "fault": ""})
    return pd.DataFrame(rows, columns=["file", "numbers", "layers", "alpha", "stable_rank", "fault"])


def _copy(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}
