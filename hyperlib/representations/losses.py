"""What hyper-representations are trained on: agreement of two views, reconstruction of weights, and a mix of both.

Contrast works on projected embeddings of two views, `[batch, width]` each. Reconstruction is a weighted sum of squared
errors over the cells of tokens, or of weight vectors; the readings differ only in what a cell counts, which is computed
once. Padding counts nothing: whatever a decoder writes there has neither a loss nor a gradient.

Source: NT-Xent of Chen et al. (2020); contrast, reconstruction and mix of Schürholt et al. (2021), with the released
reading of the positive loss beside the one meant; layer-wise normalisation of Schürholt et al. (2022).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

TEMPERATURE = 0.1
FLOOR = 1e-4  # added to a layer's deviation, as in the released generative code
HALF = (torch.float16, torch.bfloat16)

Embedded = Float[Tensor, "batch width"]
Models = Int[Tensor, " batch"]
Loss = Float[Tensor, ""]


# -- agreement of two views --------------------------------------------------------------------------------------------


def nt_xent(
    first: Embedded, second: Embedded, temperature: float = TEMPERATURE, models: Models | None = None
) -> Loss:
    """Normalised temperature-scaled cross-entropy: each view must tell its partner from all others of the batch.

    Mean over both views of -log of the softmax of cosine / temperature, in nats; the 2 batch - 2 other views are the
    negatives, other checkpoints of the same model among them. One matrix product, in float32 at least, also under
    autocast. A batch of one has no negatives and loss 0. `models` (which model each row is of) is not looked at.

    Raises ValueError when the views differ in shape, the batch is empty or the temperature is not above 0.

    Equation: `eq-ntxent` on page 04a.
    """
    del models
    likeness = _likeness(first, second, temperature)
    partner = torch.arange(len(likeness), device=likeness.device).roll(len(first))
    return F.cross_entropy(likeness, partner)


def nt_xent_models(
    first: Embedded, second: Embedded, temperature: float = TEMPERATURE, models: Models | None = None
) -> Loss:
    """As `nt_xent`, but all views of all checkpoints of a model are partners: other epochs are positives.

    Mean over views, and over the partners of each, of -log of the softmax. Source: the supervised contrast of Khosla et
    al. (2020, eq. 2), with the model as label. Without `models` every row is a model of its own, which is `nt_xent`.
    Errors as there.
    """
    likeness, batch = _likeness(first, second, temperature), len(first)
    of = torch.arange(batch) if models is None else models
    both = of.to(likeness.device).repeat(2)
    partners = (both[:, None] == both).fill_diagonal_(False)
    return -(likeness.log_softmax(-1).masked_fill(~partners, 0).sum(-1) / partners.sum(-1)).mean()


def positive_intended(
    first: Embedded, second: Embedded, temperature: float = TEMPERATURE, models: Models | None = None
) -> Loss:
    """Mean of 1 - cosine between the two views of each network: pulls them together without negatives.

    Our reading of what is meant; the temperature and `models` have no part in it. Errors as in `nt_xent`.
    """
    del models
    return (1 - _cosines(first, second, temperature)).mean()


def positive_released(
    first: Embedded, second: Embedded, temperature: float = TEMPERATURE, models: Models | None = None
) -> Loss:
    """Mean of (cosine / temperature) squared, divided by 2 batch: what the released code computes.

    Its target is 0, so it makes the two views orthogonal rather than equal, and the more gently the larger the batch
    is. Here to measure what that does; `positive_intended` is what is meant. Errors as in `nt_xent`.
    """
    del models
    return (_cosines(first, second, temperature) / temperature).square().mean() / (2 * len(first))


CONTRASTS: dict[str, Callable[[Tensor, Tensor, float, Tensor | None], Tensor]] = {
    "nt_xent": nt_xent,
    "nt_xent_models": nt_xent_models,
    "positive_intended": positive_intended,
    "positive_released": positive_released,
}


def _likeness(first: Tensor, second: Tensor, temperature: float) -> Float[Tensor, "views views"]:
    """Cosine / temperature of all pairs of views; none is like itself."""
    views = _views(first, second, temperature)
    with torch.autocast(views.device.type, enabled=False):
        likeness = (views / temperature) @ views.T
    return likeness.masked_fill(torch.eye(len(views), dtype=torch.bool, device=views.device), float("-inf"))


def _views(first: Tensor, second: Tensor, temperature: float) -> Float[Tensor, "views width"]:
    """Both views as unit vectors, the second behind the first, in float32 at least."""
    if first.shape != second.shape or first.ndim != 2 or not len(first):
        raise ValueError(
            f"Two views are two embeddings [batch, width] of the same networks, not {list(first.shape)} and "
            f"{list(second.shape)}."
        )
    if not temperature > 0:
        raise ValueError(f"A temperature is above 0, not {temperature}.")
    both = torch.cat([first, second])
    return F.normalize(both.float() if both.dtype in HALF else both, dim=-1, eps=1e-8)


def _cosines(first: Tensor, second: Tensor, temperature: float) -> Float[Tensor, " batch"]:
    one, other = _views(first, second, temperature).chunk(2)
    return (one * other).sum(-1)


# -- reconstruction ----------------------------------------------------------------------------------------------------


def reconstruction(
    output: Float[Tensor, "*batch"], target: Float[Tensor, "*batch"], counts: Float[Tensor, " *cells"] | None = None
) -> Loss:
    """Squared error per network: the mean over `[batch, ..., *cells]` of the sum of `counts` times squared errors.

    `counts`, what each cell counts, comes from `real_cells` or `layerwise_cells`; cells that count 0 are not looked at.
    None: the mean over all entries, for weight vectors.

    Raises ValueError when shapes do not fit or nothing is there.

    Equation: `eq-reconstruction` on page 04a.
    """
    if output.shape != target.shape or not output.numel():
        raise ValueError(f"Output {list(output.shape)} and target {list(target.shape)} must be alike and not empty.")
    if counts is None:
        counts = output.new_full(output.shape[-1:], 1 / output.shape[-1], dtype=torch.float32)
    if tuple(output.shape[output.ndim - counts.ndim :]) != tuple(counts.shape):
        raise ValueError(f"Counts {list(counts.shape)} do not fit an output {list(output.shape)}.")
    error = torch.where(counts > 0, output - target, 0)
    error = error.float() if error.dtype in HALF else error
    return (error.square() * counts).sum() / (output.numel() // counts.numel())


def real_cells(mask: Bool[Tensor, "*cells"]) -> Float[Tensor, " *cells"]:
    """Every real weight counts the same: one over their number, and padding nothing; `mask` as `Tokenizer.mask`.

    Raises ValueError for a mask that is not boolean or leaves nothing.
    """
    _check_mask(mask)
    return mask / mask.sum()


def layerwise_cells(
    mask: Bool[Tensor, "*cells"],
    layers: Int[Tensor, "..."],
    deviation: Float[Tensor, " layers"],
    *,
    reduction: Literal["global_mean", "layer_mean"] = "global_mean",
    floor: float = FLOOR,
) -> Float[Tensor, " *cells"]:
    """Errors in units of their layer's standard deviation over the training population, squared, counted per weight.

    `layers` numbers the layer of every cell: `Tokenizer.positions[:, 1:2]` for tokens, `Tokenizer.layer_of` for weight
    vectors (with a mask of ones). `deviation` is one number per layer, `Tokenizer.scale(...).deviation`, and `floor` is
    added to it. `reduction="global_mean"`: the mean over all real weights, the published equation. `"layer_mean"`: the
    mean over each layer, then over layers, so that a small layer counts as much as a large one; layers without a real
    weight are left out.

    Raises ValueError for a mask that leaves nothing, an unknown reduction, and layers that do not fit.

    Equation: `eq-by-layers` on page 05a.
    """
    _check_mask(mask)
    if reduction not in ("global_mean", "layer_mean"):
        raise ValueError(f"There is no reduction {reduction!r}; choose 'global_mean' or 'layer_mean'.")
    fits = layers.ndim == mask.ndim and all(a in (1, b) for a, b in zip(layers.shape, mask.shape, strict=True))
    if not fits or layers.min() < 0 or layers.max() >= len(deviation):
        raise ValueError(
            f"Layers {list(layers.shape)} number the cells {list(mask.shape)} from 0 to {len(deviation) - 1}, one for "
            "each deviation; take both from one tokenizer."
        )
    if not (deviation + floor > 0).all():
        raise ValueError("A layer's deviation is above 0, or the floor is; errors cannot be counted in units of 0.")
    numbers = layers.expand(mask.shape)
    weights = torch.bincount(numbers[mask], minlength=len(deviation))  # of each layer
    share = 1 / mask.sum() if reduction == "global_mean" else 1 / (weights * (weights > 0).sum())[numbers]
    return torch.where(mask, share / (deviation + floor)[numbers].square(), 0)


def reconstruction_r2(
    output: Float[Tensor, " samples *cells"],
    target: Float[Tensor, " samples *cells"],
    mean: Float[Tensor, " *cells"],
    counts: Float[Tensor, " *cells"] | None = None,
) -> float:
    """1 - error / error of always saying `mean`, the mean weight vector (or its tokens) of the training networks.

    Raises ValueError as `reconstruction`, and when all targets equal the mean.
    """
    nothing = reconstruction(mean.expand_as(target), target, counts)
    if not nothing > 0:
        raise ValueError("All targets equal the mean that they are compared with, so there is nothing to explain.")
    return float(1 - reconstruction(output.detach(), target, counts) / nothing)


def _check_mask(mask: Tensor) -> None:
    if mask.dtype != torch.bool or not mask.any():
        raise ValueError(f"A mask is boolean and True somewhere; this one is {mask.dtype} {list(mask.shape)}.")


# -- both --------------------------------------------------------------------------------------------------------------


def mixed(contrast: Loss | None, reconstruction: Loss | None, gamma: float) -> Loss:
    """gamma times the contrast plus 1 - gamma times the reconstruction; papers call gamma beta in places.

    At gamma 0 or 1 the part without weight is not looked at and may be None: it need not be computed.

    Raises ValueError for gamma outside 0 to 1 and for a missing part that counts.

    Equation: `eq-loss` on page 04a.
    """
    if not 0 <= gamma <= 1:
        raise ValueError(f"gamma is the contrast's share of the loss, between 0 and 1, not {gamma}.")
    shares = {"contrast": (gamma, contrast), "reconstruction": (1 - gamma, reconstruction)}
    for name, (share, part) in shares.items():
        if share and part is None:
            raise ValueError(f"With gamma {gamma} the {name} counts, so it must be given.")
    return sum(share * part for share, part in shares.values() if share)
