"""What a population's models answer, in pieces that fit into the cache.

Source of the measures: cross-entropy and accuracy as everywhere; agreement after methods of the Model Zoos paper.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.weightspace.base import BaseArchitecture
from hyperlib.weightspace.precision import full_precision
from hyperlib.weightspace.values import is_whole

_BUDGET = 16 * 2**20  # bytes of activations at once on a CPU; larger pieces leave the cache and gain nothing
_CARD_BUDGET = 2**30  # on a GPU, which starves on small ones

PROPERTIES = (  # what is measured of checkpoints; loss and accuracy of training are running means of its epoch
    *("train_loss", "train_accuracy", "test_loss", "test_accuracy"),
    *("train_loss_clean", "train_accuracy_clean", "gap", "gap_clean"),
)
ALWAYS = [number for number, name in enumerate(PROPERTIES) if not name.endswith("_clean")]  # these at every epoch


def clean_epochs(epochs: int, clean: str | int) -> tuple[int, ...]:
    """After which epochs training images are evaluated: 0, the last, and "all" between them, or every so many.

    Raises ValueError for what is neither "all", "last" nor a number of epochs.
    """
    every = {"all": 1, "last": max(1, epochs)}.get(clean) if isinstance(clean, str) else clean
    if not is_whole(every, 1):
        raise ValueError(f'clean is "all", "last" or a number of epochs from 1 on, not {clean!r}.')
    return tuple(sorted({*range(0, epochs, int(every)), epochs}))


@torch.no_grad()
@full_precision()
def class_scores(
    architecture: BaseArchitecture, weights: Float[Tensor, "models params"], x: Float[Tensor, "images c h w"]
) -> Float[Tensor, "models images classes"]:
    """Class scores of every model on the same images, on the CPU. ValueError where an image gives more than a row."""
    scores = torch.empty(len(weights), len(x), architecture.num_classes)
    for models, images in _pieces(architecture, len(weights), len(x), weights.device):
        given = architecture.logits(weights[models], x[images])
        if given.shape[1:] != scores[models, images].shape[1:]:
            raise ValueError(f"{architecture.name} gives {list(given.shape[1:])} for these inputs, not a row for each.")
        scores[models, images] = given.cpu()
    return scores


@full_precision()
def evaluate(
    architecture: BaseArchitecture,
    weights: Float[Tensor, "models params"],
    x: Float[Tensor, "images c h w"],
    y: Int[Tensor, " images"],
) -> tuple[Float[Tensor, " models"], Float[Tensor, " models"]]:
    """Mean cross-entropy and accuracy of every model on the same images; both float64, on the CPU."""
    loss, hits = torch.zeros(2, len(weights), dtype=torch.float64, device=weights.device)
    with torch.no_grad():
        for models, images in _pieces(architecture, len(weights), len(x), weights.device):
            scores = architecture.logits(weights[models], x[images]).transpose(0, 1)
            one_loss, one_hits = batch_losses(scores, y[images].long()[:, None].expand(-1, scores.shape[1]))
            loss[models] += one_loss.sum(0).double()
            hits[models] += one_hits.sum(0).double()
    return loss.cpu() / len(x), hits.cpu() / len(x)


def batch_losses(
    scores: Float[Tensor, "batch models classes"], y: Int[Tensor, "batch models"]
) -> tuple[Float[Tensor, "batch models"], Float[Tensor, "batch models"]]:
    """Cross-entropy and hit (0 or 1) of every model on every image."""
    loss = F.cross_entropy(scores.flatten(0, 1), y.flatten(), reduction="none").unflatten(0, y.shape)
    return loss, (scores.argmax(-1) == y).float()


def _pieces(
    architecture: BaseArchitecture, models: int, images: int, device: torch.device
) -> Iterator[tuple[slice, slice]]:
    budget = _BUDGET if device.type == "cpu" else _CARD_BUDGET
    cells = max(1, budget // (4 * architecture.activations_per_input))
    some_images = min(images, max(256, cells // max(models, 1)), cells)
    some_models = max(1, cells // max(some_images, 1))
    for first in range(0, models, some_models):
        for start in range(0, images, max(some_images, 1)):
            yield slice(first, first + some_models), slice(start, start + some_images)
