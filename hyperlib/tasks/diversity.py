"""How different the models of a zoo are: in performance, in behaviour and in weights.

The measures of the Model Zoos paper's diversity table, each a mean with its standard deviation: accuracy over models,
agreement and CKA of pairs, values of the weights, normalised distance and cosine distance of pairs. A row is in
fractions where the paper prints percent.

For vectors of one length, ‖w_k − w_l‖² = 2 ‖w‖² (1 − cos), so the normalised l2 distance of a pair is
√(2 · cosine distance): `l2_check`. A seed zoo is near that: its weights begin at one scale and are trained alike, so
their lengths differ little, and in many dimensions all pairs have nearly one distance, so the mean of roots is nearly
the root of the mean. The published table meets it within .003 in its eight seed zoos of CNNs (.02 in those of
ResNet-18), and exceeds it by .08 to .42 in the hyp zoos, where hyper-parameters move the lengths.

Source: Schürholt et al. (2022), arXiv:2209.14764v1, sec. 4 and Table 2; `chance`, `beyond_chance` and the check are
ours.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.images.images import Images
from hyperlib.representations.behaviour import rows_by_activation
from hyperlib.tasks import estimates
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.layers import Pass
from hyperlib.weightspace.similarity import agreement, cosine, l2
from hyperlib.weightspace.values import is_whole
from hyperlib.zoos.evaluation import class_scores
from hyperlib.zoos.zoo import Samples, Zoo

CKA_IMAGES = 50  # as published
_BUDGET = 64 * 2**20  # bytes of activations at once


def diversity(
    zoo: Zoo,
    images: Images,
    *,
    epoch: int | None = None,
    models: int = 300,
    seed: int = 0,
    bound: float | None = None,
    cka_images: int = CKA_IMAGES,
) -> dict[str, float]:
    """One row of the diversity table, at `epoch` (default: the last one); names of a mean's deviation end in `_std`.

    Left out are the `diverged` models (marked so, or with weights that are not finite) and, with a `bound`, those
    `beyond_bound`: any weight larger in absolute value. Accuracy and gap, in both readings, are over the remaining
    `models`; `weight_mean` and `weight_std` over all weights of all of them together (our reading). All else is over
    the `pairs` of at most `models` of them, drawn with `seed`, and NaN without a pair:

    - `agreement`: share of test images that both put into one class; `chance`: what models of these accuracies would
      have with independent errors, spread evenly over the wrong classes; `beyond_chance`: how much more they agree,
      with a 95 % interval over models (`_low`, `_high`, degrees of `_freedom`).
    - `cka`: mean over the outputs of all layers with weights, before the activation, on the first `cka_images` test
      images. The paper takes intermediate and last-layer outputs; which, and how to combine them, is our reading.
      `cka_last`: the last layer alone. Models whose outputs at some layer do not depend on the image have no CKA;
      `cka_pairs` counts the pairs without them.
    - `l2`: distance over the mean length of the compared vectors; `cosine_distance`: 1 - cos; `l2_check`: see above.

    Raises ValueError for a zoo without models or where none is left, for models of which the table does not say the
    activation, and for fewer than two images for CKA.
    """
    if not len(zoo):
        raise ValueError("This zoo has no models, so there is no diversity to measure.")
    if not is_whole(cka_images, 2) or len(images.test_x) < 2:
        raise ValueError(f"CKA compares at least 2 images, not cka_images={cka_images!r} of {len(images.test_x)}.")
    epoch = int(zoo.epochs[-1]) if epoch is None else epoch
    samples = zoo.samples([epoch])
    finite = samples.take(torch.isfinite(samples.weights).all(1).numpy())
    kept = finite if bound is None else finite.take((finite.weights.abs().amax(1) <= bound).numpy())
    if not len(kept):
        raise ValueError(f"No model of this zoo is left at epoch {epoch}: all diverged, or lie beyond bound={bound}.")
    few = kept.take(np.sort(np.random.default_rng(seed).permutation(len(kept))[:models]))
    row: dict[str, float] = {
        "models": len(kept),
        "diverged": len(zoo) - len(finite),
        "beyond_bound": len(finite) - len(kept),
        "epoch": epoch,
    }
    for name in ("test_accuracy", "gap", "gap_clean"):
        row |= {f"{name}_mean": float(kept.table[name].mean()), f"{name}_std": float(kept.table[name].std())}
    row |= {"weight_mean": float(kept.weights.mean(dtype=torch.float64)), "weight_std": float(kept.weights.std())}
    return row | _behaviour(few, images, cka_images) | _distances(few) | {"pairs": len(few) * (len(few) - 1) // 2}


def mean_over_pairs(matrix: Float[Tensor, "models models"]) -> float:
    """Mean of a symmetric matrix over unordered pairs of different models; undefined (NaN) pairs are left out."""
    return float(_pairs(matrix).mean())


def _behaviour(samples: Samples, images: Images, cka_images: int) -> dict[str, float]:
    answers = torch.empty(len(samples), len(images.test_x), samples.architecture.num_classes)
    places, products = [], []
    for activation, rows in rows_by_activation(samples).items():
        network = samples.architecture.with_activation(activation)
        answers[rows] = class_scores(network, samples.weights[rows], images.test_x)
        products.append(_layer_products(network, samples.weights[rows], images.test_x[:cka_images]))
        places.append(rows)
    order = torch.cat(places).argsort()
    layers = torch.stack([cosine(torch.cat(layer)[order]) for layer in zip(*products, strict=True)])
    agreed = agreement(answers)
    by_chance = _chance_agreement(samples.table["test_accuracy"].to_numpy(), samples.architecture.num_classes)
    return {
        **_summary("agreement", agreed),
        "chance": mean_over_pairs(by_chance),
        **_beyond(agreed.double() - by_chance),
        **_summary("cka", layers.mean(0)),
        "cka_last": mean_over_pairs(layers[-1]),
        "cka_pairs": len(_pairs(layers.mean(0))),
    }


def _distances(samples: Samples) -> dict[str, float]:
    length = torch.linalg.vector_norm(samples.weights.double(), dim=1).mean()
    apart = _summary("cosine_distance", 1 - cosine(samples.weights))
    check = (2 * apart["cosine_distance"]) ** 0.5
    return {**_summary("l2", l2(samples.weights) / length), **apart, "l2_check": check}


@torch.no_grad()
def _layer_products(
    network: Architecture, weights: Float[Tensor, "models params"], x: Float[Tensor, "images c h w"]
) -> list[Float[Tensor, "models images²"]]:
    """For each layer with weights, the products of all pairs of images: linear CKA is the cosine of two such vectors.

    Products are of centred outputs and few, whatever the width of a layer. They are zero, and the cosine NaN, for a
    network whose outputs there do not depend on the image.
    """
    layers = [step.layer.writes and bool(step.layer.parameters(step.inputs)) for step in network.steps]
    places = [place for place, has_weights in enumerate(layers) if has_weights]
    found: list[list[Tensor]] = [[] for _ in places]
    for some in weights.split(max(1, _BUDGET // (4 * len(x) * network.activations_per_input))):
        outputs = network.outputs(some, x[:, None], Pass(network.activation))
        for layer, place in zip(found, places, strict=True):
            y = outputs[place].transpose(0, 1).flatten(2)
            centred = y.double() - y.double().mean(1, keepdim=True)
            centred[(y == y[:, :1]).all(2).all(1)] = 0  # rounding of the mean may leave a little
            layer.append((centred @ centred.mT).flatten(1))
    return [torch.cat(layer) for layer in found]


def _chance_agreement(accuracy: np.ndarray, classes: int) -> Float[Tensor, "models models"]:
    """Agreement of every pair if each model erred on its own images, into a class of its own choice."""
    right, wrong = np.outer(accuracy, accuracy), np.outer(1 - accuracy, 1 - accuracy)
    return torch.from_numpy(right + wrong / (classes - 1))


def _beyond(excess: Float[Tensor, "models models"]) -> dict[str, float]:
    names = ("beyond_chance", *(f"beyond_chance_{part}" for part in ("low", "high", "freedom")))
    pairs = torch.triu_indices(len(excess), len(excess), offset=1)
    known = len(excess) > 1
    found = estimates.mean_over_pairs(excess[*pairs].numpy(), pairs.T.numpy()) if known else (np.nan,) * len(names)
    return dict(zip(names, found, strict=True))


def _summary(name: str, matrix: Float[Tensor, "models models"]) -> dict[str, float]:
    pairs = _pairs(matrix)
    return {name: float(pairs.mean()), f"{name}_std": float(pairs.std()) if len(pairs) > 1 else float("nan")}


def _pairs(matrix: Float[Tensor, "models models"]) -> Float[Tensor, " pairs"]:
    first, second = torch.triu_indices(len(matrix), len(matrix), offset=1)
    pairs = matrix[first, second]
    return pairs[~pairs.isnan()]
