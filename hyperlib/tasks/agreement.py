"""Whether a network answers as its original does, and whether it knows its own original among others.

Source: Schürholt et al. (2022, arXiv:2209.14764) for agreement, the share of images that two networks call the same.
What it is compared with is our choice: the other originals, which answer nearly as well and share nothing but the task.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from scipy.stats import pearsonr
from torch import Tensor

from hyperlib.images.images import Images
from hyperlib.tasks.estimates import Estimate
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.similarity import agreement
from hyperlib.zoos.engines.scoring import scores


def twin_table(
    architecture: Architecture, originals: Float[Tensor, "models params"], twins: Float[Tensor, "models params"],
    images: Images,
) -> pd.DataFrame:  # fmt: skip
    """One row per model and its twin, in their order, all shares of the test images.

    accuracy and original_accuracy; agreement of the twin with its original, and with the other originals (`others`,
    their mean); wrong_alike: of the images that both call wrongly, the share that they call the same.
    """
    told = [scores(architecture, weights, images.test_x) for weights in (originals, twins)]
    same, truth = agreement(*told), images.test_y  # [originals, twins]
    own, (first, second) = same.diagonal(), (one.argmax(-1) for one in told)
    both_wrong = (first != truth) & (second != truth)
    alike = ((first == second) & both_wrong).sum(1).double() / both_wrong.sum(1)
    return pd.DataFrame({
        "original_accuracy": (first == truth).double().mean(1), "accuracy": (second == truth).double().mean(1),
        "agreement": own, "others": (same.sum(0) - own) / max(len(same) - 1, 1), "wrong_alike": alike,
    })  # fmt: skip


def correlation(first: Float[np.ndarray, " models"], second: Float[np.ndarray, " models"]) -> Estimate:
    """Pearson's correlation over models with Fisher's interval; no value where one of both does not vary."""
    if len(first) < 4 or not np.ptp(first) or not np.ptp(second):
        return Estimate(float("nan"))
    found = pearsonr(first, second)
    return Estimate(float(found.statistic), *map(float, found.confidence_interval()))


def found_again(
    originals: Float[np.ndarray, "models features"], twins: Float[np.ndarray, "models features"]
) -> Float[np.ndarray, " models"]:
    """For each twin, whether of all originals its own is nearest to it, by the cosine about the originals' mean."""
    middle = originals.mean(0)
    first, second = (torch.from_numpy(np.asarray(one - middle, np.float64)) for one in (originals, twins))
    near = torch.nn.functional.normalize(second, dim=1) @ torch.nn.functional.normalize(first, dim=1).T
    return (near.argmax(1) == torch.arange(len(near))).double().numpy()
