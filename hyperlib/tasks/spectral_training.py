"""What training does to the spectra of a population: entropies over epochs, eigenvalues against random weights.

The thesis says of three populations that their weight entropy falls with training. Here this is a question to any zoo:
tables of entropy per checkpoint and layer, a verdict per layer, and for single layers how far their eigenvalues stand
outside of the Marchenko-Pastur law.

Source: thesis, ch. 2 (Fig. 2.3.1); phases of training by batch size after Martin and Mahoney (2021). The verdicts and
the choice of checkpoints are ours.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from hyperlib.weightspace.layout import Slot
from hyperlib.weightspace.spectra import Spectrum, matrix_slots, spectra, spectrum
from hyperlib.weightspace.spectral_laws import MarchenkoPastur, power_law
from hyperlib.zoos.zoo import Samples

MEAN = "mean"  # the row over all layers, each counting the same
CLEAR = 0.9  # share of models that a verdict needs; our choice


def entropy_over_training(samples: Samples) -> pd.DataFrame:
    """Both entropies and the stable rank of every checkpoint and layer, and their means over layers.

    Columns: `model`, `epoch`, `layer` (such as `conv1`; `mean` for the mean over layers without weights), `matrix`,
    `histogram` (entropies in [0, 1], see `weight_entropy`) and `stable_rank`.
    """
    tables = []
    for one in spectra(samples.weights, samples.architecture.layout):
        rows = samples.table[["model", "epoch"]].assign(layer=one.name.removesuffix(".weight"))
        rows["matrix"], rows["histogram"] = one.entropy("matrix").numpy(), one.entropy("histogram").numpy()
        tables.append(rows.assign(stable_rank=one.stable_rank.numpy()))
    every = pd.concat(tables, ignore_index=True)
    means = every.groupby(["model", "epoch"], sort=False)[["matrix", "histogram", "stable_rank"]].mean()
    return pd.concat([every, means.reset_index().assign(layer=MEAN)[every.columns]], ignore_index=True)


def change_over_training(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """How a column of `entropy_over_training` changes from the first to the last epoch, one row per layer.

    `first`, `last` and `change` are means over the models that have both epochs, `std` is the standard deviation of
    the change over them, `fell` the share of models with a lower value at the end, `highest_at` the epoch at which the
    mean over models is highest. `verdict`: "falls" or "rises" where at least nine of ten models do so, else "mixed".
    """
    rows = []
    for layer, part in table.groupby("layer", sort=False):
        wide = part.pivot(index="model", columns="epoch", values=column)
        first, last = wide.columns.min(), wide.columns.max()
        change = (wide[last] - wide[first]).dropna()
        fell, rose = float((change < 0).mean()), float((change > 0).mean())
        rows.append(
            {
                "layer": layer,
                "models": len(change),
                "first": float(wide.loc[change.index, first].mean()),
                "last": float(wide.loc[change.index, last].mean()),
                "change": float(change.mean()),
                "std": float(change.std()),
                "fell": fell,
                "highest_at": int(wide.mean().idxmax()),
                "verdict": "falls" if fell >= CLEAR else "rises" if rose >= CLEAR else "mixed",
            }
        )
    return pd.DataFrame(rows)


def changes_of_models(table: pd.DataFrame, column: str, layer: str = MEAN) -> pd.Series:
    """By how much a column of `entropy_over_training` changes from first to last epoch, by model that has both."""
    ends = table["epoch"].isin([table["epoch"].min(), table["epoch"].max()]) & (table["layer"] == layer)
    wide = table[ends].pivot(index="model", columns="epoch", values=column).sort_index(axis=1)
    return (wide.iloc[:, -1] - wide.iloc[:, 0]).dropna()


def eigenvalues_of(samples: Samples, layer: str) -> pd.DataFrame:
    """Every eigenvalue of X = WᵀW / N of one layer, one row each: `model`, `epoch`, `eigenvalue`, descending.

    Raises ValueError for a layer without a matrix.
    """
    values = _of_layer(samples, layer).eigenvalues.numpy()
    rows = samples.table[["model", "epoch"]]
    return rows.loc[rows.index.repeat(values.shape[1])].reset_index(drop=True).assign(eigenvalue=values.ravel())


def random_law(samples: Samples, layer: str) -> MarchenkoPastur:
    """The law of independent weights with as much power as this layer's weights have, on average over the samples."""
    one = _of_layer(samples, layer)
    return MarchenkoPastur(float(one.variance.mean()), one.aspect)


def against_random(samples: Samples, layer: str) -> pd.DataFrame:
    """How one layer's spectrum compares with that of independent weights of the same power, one row per checkpoint.

    `outside`: share of the eigenvalues beyond the upper edge of the law of this very matrix, with a margin of
    M^(-2/3) of it, the scale on which the largest of M random eigenvalues scatters (our choice). `largest`: the largest
    one in units of that edge. `alpha`, `alpha_error`, `tail` (number of eigenvalues in it) and `ks` are of `power_law`;
    NaN where it refuses the layer, with the reason in `refused` (empty otherwise). `entropy` is the matrix entropy.

    Raises ValueError for a layer without a matrix.
    """
    one, rows = _of_layer(samples, layer), []
    for values, entropy in zip(one.eigenvalues.numpy(), one.entropy().tolist(), strict=True):
        edge = MarchenkoPastur(float(values.mean()), one.aspect).high
        margin = 1 + len(values) ** (-2 / 3)
        outside = {"outside": float((values > edge * margin).mean()), "largest": float(values[0] / edge)}
        rows.append({"layer": layer, **outside, "entropy": entropy, **_tail(values)})
    return pd.concat([samples.table[["model", "epoch"]].reset_index(drop=True), pd.DataFrame(rows)], axis=1)


def shuffled_exponents(samples: Samples, layer: str, draws: int = 25, seed: int = 0) -> Float[np.ndarray, " exponents"]:
    """Exponents of `power_law` where there is no structure: this layer's matrices with all their entries shuffled.

    A fit always gives an exponent; this is the null that says which ones mean something. The entries stay, heavy or
    not, and their order goes (our choice of null). `draws` shuffles of every sample's matrix.

    Raises ValueError for a layer without a matrix, for one too small for a power law, and for no draws.
    """
    if draws < 1:
        raise ValueError(f"A null needs one draw at least, not {draws}.")
    slot, generator = _slot(samples, layer), torch.Generator().manual_seed(seed)
    exponents = []
    for _ in range(draws):
        shuffled = samples.weights.clone()
        for row in shuffled[:, slot.start : slot.stop]:
            row.copy_(row[torch.randperm(slot.size, generator=generator)])
        exponents += [power_law(values).alpha for values in spectrum(shuffled, slot).eigenvalues.numpy()]
    return np.array(exponents)


def _tail(values: np.ndarray) -> dict[str, float | str]:
    try:
        law = power_law(values)
    except ValueError as error:
        return {"alpha": np.nan, "alpha_error": np.nan, "tail": np.nan, "ks": np.nan, "refused": str(error)}
    return {"alpha": law.alpha, "alpha_error": law.error, "tail": law.tail, "ks": law.ks, "refused": ""}


def _of_layer(samples: Samples, layer: str) -> Spectrum:
    return spectrum(samples.weights, _slot(samples, layer))


def _slot(samples: Samples, layer: str) -> Slot:
    slots = {slot.name.removesuffix(".weight"): slot for slot in matrix_slots(samples.architecture.layout)}
    if layer not in slots:
        name = samples.architecture.name
        raise ValueError(f"{name} has no weight matrix in a layer {layer!r}; choose one of {', '.join(slots)}.")
    return slots[layer]
