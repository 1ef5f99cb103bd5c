"""Spectra as people compare them: one table per network, a row per weight matrix, and its means over the layers.

How heavy the tail of a layer's spectrum is, alone or times the layer's size, is read as a sign of how well a network
was trained, without any data. Published numbers of this kind mostly come from the tool WeightWatcher; the table keeps
its conventions, so that a number here means the same there.

Source: Martin and Mahoney (2021); Martin, Peng and Mahoney (2021); WeightWatcher 0.7.7.
"""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.weightspace.layout import Layout, Slot
from hyperlib.weightspace.spectra import required_slots, spectrum
from hyperlib.weightspace.spectral_laws import LEAST, power_law
from hyperlib.weightspace.values import as_tensor

CONVOLUTIONS = ("joined", "slices")
MEANS = ["log_spectral_norm", "log_norm", "alpha", "weighted_alpha", "stable_rank"]
NEGLIGIBLE = 1e-5  # eigenvalues up to here belong to no tail: WeightWatcher's bound, whatever the weights' scale
ROUNDING = 1e-5  # relative; the eigenvalues of an orthogonal matrix in float32 differ by less


def spectral_table(
    weights: Float[Tensor, "*batch params"] | np.ndarray,
    layout: Layout,
    *,
    convolutions: str = "joined",
    least: int = LEAST,
) -> pd.DataFrame:
    """Size and tail of every weight matrix's spectrum: a row per matrix, in the layout's order.

    Eigenvalues are those of WᵀW, not divided by anything, as many as the smaller side (`values`); logarithms are
    decimal. `shape`: (out, in). `log_spectral_norm`: of the largest eigenvalue. `log_norm`: of their sum, the squared
    Frobenius norm. `stable_rank`: that sum over the largest. `alpha`, `xmin`, `ks`, `tail`: of `power_law` with the
    one-sided distance, from the eigenvalues above 1e-5. `weighted_alpha` ("alpha hat"): alpha times log_spectral_norm.
    NaN stands for a tail where fewer than `least` eigenvalues are above 1e-5 or all are equal but for rounding, and in
    all these columns for a matrix of zeros. For many networks give their vectors along leading axes: a first column
    `sample` counts them.

    A convolution is with "joined" one matrix, a row per output channel and the kernel's places beside each other; with
    "slices", WeightWatcher's way, one matrix [out, in] per place, their eigenvalues pooled and halved.

    With "slices" the numbers are those of WeightWatcher 0.7.7 on a CPU: `alpha_weighted` is our weighted_alpha, `D` ks
    and `num_pl_spikes` tail. Its distance is one-sided, unlike that of `power_law`'s default, which may find another
    begin and so another alpha. Where it differs: it fits from 8 eigenvalues on (with `least=20` we do as it does down
    to 20; below, it corrects the exponent); it leaves out matrices of fewer than 8 or more than 15 000 eigenvalues, and
    layers that are not linear, convolution or embedding; it slices and halves 2-D convolutions only; it rounds weights
    to float32; equal eigenvalues it tries one by one.

    Raises ValueError when the weights do not fit the layout, are not all finite, or hold no matrix, and for another
    reading of convolutions.
    """
    if convolutions not in CONVOLUTIONS:
        choices = ", ".join(CONVOLUTIONS)
        raise ValueError(f"There is no reading {convolutions!r} of convolutions; choose one of {choices}.")
    if isinstance(weights, np.ndarray):
        weights = as_tensor(weights)
    parts = []
    for slot in required_slots(weights, layout):
        shape, values = _eigenvalues(weights, slot, convolutions)
        parts.append(_rows(slot.name, shape, values.reshape(-1, values.shape[-1]).cpu().numpy(), least))
    table = pd.concat(parts).sort_values("sample", kind="stable", ignore_index=True)
    return table if weights.ndim > 1 else table.drop(columns="sample")


def spectral_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means over the matrices of each network in a `spectral_table`, one row per network, as `get_summary` gives them.

    NaN counts in no mean: that of `alpha` is over the matrices that have one.
    """
    return table.groupby(table["sample"] if "sample" in table else np.zeros(len(table), int))[MEANS].mean()


def _eigenvalues(
    weights: Float[Tensor, "*batch params"], slot: Slot, convolutions: str
) -> tuple[tuple[int, int], Float[Tensor, "*batch values"]]:
    """Shape of the matrix and its eigenvalues, not in order; or of the matrix at a kernel's place and of all places."""
    if convolutions == "joined" or len(slot.shape) == 2:
        found = spectrum(weights, slot)
        return found.shape, found.singular_values.square()
    one = replace(slot, start=0, shape=slot.shape[:2])
    places = weights[..., slot.start : slot.stop].unflatten(-1, (one.size, -1)).unbind(-1)
    return one.shape, torch.cat([spectrum(place, one).singular_values.square() for place in places], -1) / 2


def _rows(name: str, shape: tuple[int, int], values: Float[np.ndarray, "samples values"], least: int) -> pd.DataFrame:
    """The table's rows of one matrix, one per network."""
    largest, total = values.max(1), values.sum(1)
    largest[largest == 0] = total[total == 0] = np.nan  # zeros have no logarithm
    size = np.log10(largest)
    alpha, xmin, ks, tail = np.array([_tail(row, least) for row in values]).reshape(-1, 4).T
    return pd.DataFrame(
        {
            "sample": np.arange(len(values)),
            "name": name,
            "shape": [shape] * len(values),
            "values": values.shape[1],
            "log_spectral_norm": size,
            "log_norm": np.log10(total),
            "alpha": alpha,
            "weighted_alpha": alpha * size,
            "stable_rank": total / largest,
            "xmin": xmin,
            "ks": ks,
            "tail": tail,
        }
    )


def _tail(values: Float[np.ndarray, " values"], least: int) -> tuple[float, ...]:
    """Exponent, begin, distance and size of the tail; NaN without one."""
    values = values[values > NEGLIGIBLE]
    if len(values) < max(least, 1) or values.max() <= values.min() * (1 + ROUNDING):
        return (np.nan,) * 4
    return astuple(power_law(values, ks="one-sided", least=least))
