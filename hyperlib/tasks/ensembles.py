"""What several networks know together: accuracy over the size of an ensemble.

An ensemble gains where its members err on different images: copies of one network gain nothing, however many. So the
curve says of a generated population what accuracy does not. Members are drawn without replacement, a draw of n + 1 is a
draw of n and one more network, and all draws are one matrix product per size.

Source: ensembles after Hansen and Salamon (1990); the gain over the mean member is the ambiguity of Krogh and Vedelsby
(1995), here in accuracy, where no identity makes it positive. Three ways of combining side by side are our choice.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from hyperlib.weightspace.similarity import agreement
from hyperlib.weightspace.values import is_whole

HOW = ("logits", "probabilities", "votes")


@torch.no_grad()
def ensemble_curve(
    scores: Float[Tensor, "models images classes"],
    labels: Int[Tensor, " images"],
    sizes: Iterable[int],
    generator: torch.Generator,
    *,
    draws: int = 100,
) -> pd.DataFrame:
    """Accuracy of ensembles of every size and way of combining: columns n, how, accuracy, low, high, member, gain,
    disagreement, all fractions of the images.

    how: the class with the highest mean class score ("logits"), with the highest mean probability ("probabilities"),
    or with the most votes ("votes"; among classes with equally many, the one with the highest mean score). `accuracy`
    is the mean over draws of members, `low` and `high` span 95 % of the draws: how much depends on who is drawn, not
    how sure the mean is, and nothing where all models are drawn. `member` is the mean accuracy of single members,
    `gain` accuracy minus that; `disagreement` the mean share of images on which two members choose different classes
    (NaN for one member), the room that a gain has.

    Raises ValueError for other shapes, scores that are not finite, sizes below one or above the population, and for no
    draw.
    """
    sizes = list(sizes)
    _check(scores, labels, sizes, draws)
    models = len(scores)
    votes = F.one_hot(scores.argmax(-1), scores.shape[-1]).double()
    single = votes[:, torch.arange(len(labels)), labels].mean(1)
    apart = 1 - agreement(scores)
    answers = {"logits": scores.double(), "probabilities": scores.double().softmax(-1), "votes": votes}
    rank = torch.rand(draws, models, generator=generator).argsort(1)  # a random place for every model
    rows = []
    for n in sizes:
        members = (rank < n).double()  # [draws, models]
        member = members @ single / n
        pairs = ((members @ apart) * members).sum(1) / (n * (n - 1)) if n > 1 else torch.full((draws,), torch.nan)
        sums = {how: torch.tensordot(members, values, 1) for how, values in answers.items()}  # [draws, images, classes]
        most = sums["votes"].amax(-1, keepdim=True)
        sums["votes"] = sums["logits"].masked_fill(sums["votes"] < most, -torch.inf)
        for how in HOW:
            accuracy = (sums[how].argmax(-1) == labels).double().mean(1)
            low, high = accuracy.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
            value, alone = float(accuracy.mean()), float(member.mean())
            rows.append((n, how, value, low, high, alone, value - alone, float(pairs.mean())))
    return pd.DataFrame(rows, columns=["n", "how", "accuracy", "low", "high", "member", "gain", "disagreement"])


def _check(scores: Tensor, labels: Tensor, sizes: list[int], draws: int) -> None:
    if scores.ndim != 3 or 0 in scores.shape or labels.shape != scores.shape[1:2]:
        shapes = f"{list(scores.shape)} and {list(labels.shape)}"
        raise ValueError(f"Ensembles need scores [models, images, classes] and a label per image, not {shapes}.")
    if labels.is_floating_point() or not (labels.min() >= 0 and labels.max() < scores.shape[2]):
        raise ValueError(f"Labels are whole numbers from 0 to {scores.shape[2] - 1}, and some of these are not.")
    if not torch.isfinite(scores).all():
        raise ValueError("Ensembles need finite scores, and some are not; leave out diverged models.")
    if not sizes or not all(is_whole(n, 1) and n <= len(scores) for n in sizes):
        raise ValueError(f"Sizes of ensembles are whole numbers from 1 to {len(scores)} models, not {sizes}.")
    if not is_whole(draws, 1):
        raise ValueError(f"The number of draws is a whole number from 1 on, not {draws!r}.")
