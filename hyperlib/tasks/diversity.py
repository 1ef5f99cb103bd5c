"""How different the models of a zoo are: in performance, in behaviour and in weights.

The three views of the Model Zoos paper (Schürholt et al. 2022): spread of accuracy and generalization gap,
agreement and CKA of the models' answers on the test images, spread and pairwise distances of their weight
vectors. The exact formulas of the published table were not found, so all measures are means over unordered
pairs of models (our choice).
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.images.images import Images
from hyperlib.weightspace.similarity import agreement, cka, cosine, l2
from hyperlib.zoos.evaluation import class_scores
from hyperlib.zoos.zoo import Zoo


def diversity(
    zoo: Zoo, images: Images, *, epoch: int | None = None, models: int = 300, seed: int = 0
) -> dict[str, float]:
    """One row of the diversity table, at `epoch` (default: the last one).

    Means and standard deviations over all models that did not diverge; behaviour and distances over the pairs
    of at most `models` of them, drawn with `seed`, on the test images. Accuracies and gaps are fractions,
    `gap` in both readings; `chance` is the agreement that models of these accuracies would have with
    independent errors, spread evenly over the wrong classes; `cka` leaves out pairs with a model whose answers
    do not depend on the image; `weight_std` is the standard deviation over models, averaged over weights.
    """
    if not len(zoo):
        raise ValueError("This zoo has no models, so there is no diversity to measure.")
    epoch = int(zoo.epochs[-1]) if epoch is None else epoch
    samples = zoo.samples([epoch])
    picked = np.sort(np.random.default_rng(seed).permutation(len(samples))[:models])
    few = samples.take(picked)
    scores = torch.empty(len(few), len(images.test_x), zoo.architecture.num_classes)
    for activation, rows in few.table.groupby("activation").indices.items():
        network = zoo.architecture.with_activation(str(activation))
        scores[torch.from_numpy(rows)] = class_scores(network, few.weights[torch.from_numpy(rows)], images.test_x)
    row: dict[str, float] = {"models": len(samples), "diverged": len(zoo) - len(samples), "epoch": epoch}
    for name in ("test_accuracy", "gap", "gap_clean"):
        row |= {f"{name}_mean": float(samples.table[name].mean()), f"{name}_std": float(samples.table[name].std())}
    row |= {
        "agreement": mean_over_pairs(agreement(scores)),
        "chance": _chance_agreement(few.table["test_accuracy"].to_numpy(), zoo.architecture.num_classes),
        "cka": mean_over_pairs(cka(scores)),
        "weight_std": float(samples.weights.std(0).mean()),
        "l2": mean_over_pairs(l2(few.weights)),
        "cosine": mean_over_pairs(cosine(few.weights)),
    }
    return row | {"pairs": len(few) * (len(few) - 1) // 2}


def _chance_agreement(accuracy: np.ndarray, classes: int) -> float:
    """Mean agreement over pairs if each model erred on its own images, into a class of its own choice."""
    right, wrong = np.outer(accuracy, accuracy), np.outer(1 - accuracy, 1 - accuracy)
    return mean_over_pairs(torch.from_numpy(right + wrong / (classes - 1)))


def mean_over_pairs(matrix: Float[Tensor, "models models"]) -> float:
    """Mean of a symmetric matrix over unordered pairs of different models; undefined (NaN) pairs are left out."""
    first, second = torch.triu_indices(len(matrix), len(matrix), offset=1)
    return float(matrix[first, second].nanmean())
