"""Networks that are none of this library's: ordinary PyTorch modules, trained by an ordinary loop.

Populations of the kinds of `foreign_modules` that tell the same digits apart, so that they can be put side by side.

Source: our choice.
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
from hyperlib.study.foreign_modules import DIGITS, made
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
