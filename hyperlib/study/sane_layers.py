"""What a `Sane` shows of networks that nobody trained it for, layer by layer, beside what their spectra show.

Published is that the spread of a layer's token embeddings goes with the layer's spectral norm and weighted alpha, its
mean over layers with accuracy, and distances between embeddings with the tail of the layer's spectrum. The same numbers
of the weights themselves stand beside them everywhere, since an embedding may only hand on what a plain deviation says.

Source: Schürholt et al. (2024), layer-wise analysis. Rank correlations, their intervals, both kinds of units and the
controls are our choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from hyperlib.representations.sane import Sane
from hyperlib.representations.sane_reader import spread
from hyperlib.tasks.spectral_training import against_random
from hyperlib.weightspace.spectra import matrix_slots
from hyperlib.weightspace.spectral_table import spectral_table
from hyperlib.weightspace.tokens import Scale
from hyperlib.zoos.zoo import Samples

WEIGHTS = "weights"  # a control: what the weights themselves show
RANDOM = "random matrix"  # another: the spectral norm that independent weights of that deviation would have
METRICS = ("log_spectral_norm", "weighted_alpha")
UNITS = ("each layer", "one for all")
Readers = Mapping[str, Sequence[str]]  # columns of a table by a word for them, such as those of several trainings


def scale_in(units: str, sane: Sane, samples: Samples) -> Scale:
    """The scale of these samples: of "each layer" its own, as `Sane` learns, or "one for all" layers of a network,
    which leaves the sizes of layers to be seen. Raises ValueError for other units."""
    if units not in UNITS:
        raise ValueError(f"There are no units {units!r}; choose from {', '.join(UNITS)}.")
    scale = sane.scale(samples)
    if units == "each layer":
        return scale
    weights = samples.weights.double()
    mean, deviation = torch.full_like(scale.mean, weights.mean()), weights.std().item() or 1.0
    return replace(scale, mean=mean, deviation=torch.full_like(scale.deviation, deviation))


def layer_table(sanes: Mapping[str, Sane], samples: Samples, units: str = "each layer") -> pd.DataFrame:
    """Spread of the token embeddings of every layer with a matrix, and its spectrum: a row per network and matrix.

    Columns: `model`, `epoch`, `name` (of the matrix), a column for each `Sane`, `WEIGHTS` (deviation of the layer's
    weights in the same units), `RANDOM` (that, times the sum of the roots of both sides of the matrix, the edge of a
    random matrix's singular values) and `METRICS`, NaN where a spectrum has too few values for a tail. Raises
    ValueError as `scale_in` and `spectral_table`, and for no `Sane`.
    """
    if not sanes:
        raise ValueError("A table of layers needs a Sane to read them.")
    scales = {name: scale_in(units, sane, samples) for name, sane in sanes.items()}
    found = {name: _spreads(sane, samples, scales[name]) for name, sane in sanes.items()}
    scale, slots = next(iter(scales.values())), matrix_slots(samples.architecture.layout)
    weights, parts = scale.standardise(samples.weights), []
    spectra = spectral_table(samples.weights, samples.architecture.layout)
    for slot in slots:
        layer = int(scale.layer_of[slot.start])
        own = {name: spreads[layer] for name, spreads in found.items()}
        own[WEIGHTS] = weights[:, scale.layer_of == layer].std(1).numpy()
        sides = slot.shape[0], slot.size / slot.shape[0]
        own[RANDOM] = own[WEIGHTS] * np.sqrt(sides).sum()
        metrics = spectra.loc[spectra["name"] == slot.name, list(METRICS)].reset_index(drop=True)
        known = samples.table[["model", "epoch"]].reset_index(drop=True).assign(name=slot.name, **own)
        parts.append(pd.concat([known, metrics], axis=1))
    return pd.concat(parts, ignore_index=True)


def _spreads(sane: Sane, samples: Samples, scale: Scale) -> dict[int, Float[np.ndarray, " samples"]]:
    """By the number of a layer."""
    tokens = sane.embed_tokens(samples, scale=scale)
    layers = sane.tokenizer(samples.architecture).positions[sane.kept(samples.architecture), 1].numpy()
    return {int(layer): spread(tokens[:, layers == layer]) for layer in np.unique(layers)}


def within_networks(table: pd.DataFrame, readers: Readers, metric: str) -> pd.DataFrame:
    """Rank correlation over the layers of each network of what a reader shows with a metric: a row per model, of which
    the table holds one checkpoint, a column per reader. No rows where no network has two layers with that metric."""
    networks = {model: one for model, one in table.dropna(subset=metric).groupby("model") if one[metric].nunique() > 1}
    rows = {model: _ranks(one, readers, metric) for model, one in networks.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(readers))


def over_networks(table: pd.DataFrame, readers: Readers, target: str) -> pd.DataFrame:
    """Rank correlation over networks of a reader's mean over layers with a property of the network: the first row of
    all networks, then one without each model, as `estimates.jackknife` takes them. `target` is a column of the table.
    """
    columns = [*dict.fromkeys(column for own in readers.values() for column in own), target]
    means = table.groupby(["model", "epoch"])[columns].mean().reset_index()
    left = [means, *(means[means["model"] != model] for model in means["model"].unique())]
    return pd.DataFrame([_ranks(part, readers, target) for part in left])


def _ranks(table: pd.DataFrame, readers: Readers, target: str) -> dict[str, float]:
    """Spearman's correlation, mean over a reader's columns; 0 where one side is constant, since it orders nothing."""

    def one(column: str) -> float:
        orders = table[column].nunique() > 1 and table[target].nunique() > 1
        return float(spearmanr(table[column], table[target]).statistic) if orders else 0.0

    return {name: float(np.mean([one(column) for column in columns])) for name, columns in readers.items()}


def token_distances(
    sanes: Mapping[str, Sane], samples: Samples, layer: str, *, tokens: int = 150, seed: int = 0
) -> tuple[pd.DataFrame, dict[str, Float[np.ndarray, "samples pairs"]]]:
    """Distances between token embeddings inside of one layer, and of the tokens themselves (`WEIGHTS`).

    Of every network the same `tokens` tokens of the layer, drawn at random, all pairs, in units of their mean. The
    table has a row per network and reader: `model`, `epoch`, `reader`, `width` (their deviation) and `skew`, with
    `alpha` and `outside` of the layer's spectrum (`spectral_training.against_random`); the distances come by reader.
    """
    architecture, tables, distances = samples.architecture, [], {}
    spectra = against_random(samples, layer)[["model", "epoch", "alpha", "outside"]]
    for name, sane in {**sanes, WEIGHTS: next(iter(sanes.values()))}.items():
        scale, tokenizer, kept = sane.scale(samples), sane.tokenizer(architecture), sane.kept(architecture)
        own = np.flatnonzero([tokenizer.layers[number] == layer for number in tokenizer.positions[kept, 1]])
        chosen = np.sort(np.random.default_rng(seed).permutation(own)[:tokens])
        read = (
            tokenizer.encode(scale.standardise(samples.weights))[:, kept].numpy()
            if name == WEIGHTS
            else sane.embed_tokens(samples, scale=scale)
        )
        apart = np.stack([pdist(one) for one in read[:, chosen]])
        apart = apart / apart.mean(1, keepdims=True)
        width = apart.std(1)
        skew = ((apart - 1) ** 3).mean(1) / width**3
        tables.append(spectra.assign(reader=name, width=width, skew=skew))
        distances[name] = apart
    return pd.concat(tables, ignore_index=True), distances
