"""Networks drawn in raw weights, by every sampler that needs no representation: what latents have to beat.

Weights are taken as they are given; laid on one network first (`novelty.aligned`), they are the fairer baseline.

Source: B_KDE30 of Schürholt et al. (2022) is taken for such an estimate (inferred from its name); all others are ours.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.tasks import novelty
from hyperlib.tasks.sampling import KDE, Gaussian, Sampler
from hyperlib.weightspace.tokens import Tokenizer
from hyperlib.weightspace.values import generator
from hyperlib.zoos.zoo import Samples

SAMPLERS: dict[str, Sampler] = {
    "KDE independent": KDE("independent", "silverman"),
    "KDE independent, .002": KDE("independent", "released"),
    "KDE released": KDE("released", "released"),
    "KDE joint, .1": KDE("joint", 0.1, relative=True),
    "KDE joint, .3": KDE("joint", 0.3, relative=True),
    "Gaussian": Gaussian(),
}


class InWeights:
    """Weights as their own latents, standardised by layer: what stands in for a representation where there is none."""

    def fit(self, samples: Samples) -> InWeights:
        """Measure the scale. Raises ValueError for no samples and for weights that are not finite."""
        self.scale_ = Tokenizer(samples.architecture.layout).scale(samples.weights, spread="within")
        return self

    def latents(self, samples: Samples) -> Float[np.ndarray, "samples params"]:
        """Standardised weights."""
        return self.scale_.standardise(samples.weights).numpy()

    def decode(self, latents: Float[np.ndarray, "samples params"] | Tensor) -> Float[Tensor, "samples params"]:
        """Weights again."""
        return self.scale_.restore(torch.as_tensor(latents).float())


def drawn_in_weights(known: Samples, n: int, seed: int = 0) -> dict[str, Samples]:
    """`n` networks of each sampler, fitted on the weights of `known`, and of two controls.

    The controls are means of two of the known networks, and the mean of all, `n` times. Raises ValueError for networks
    of several activations, and what samplers raise.
    """
    drawn = {name: one.fit(known.weights).sample(n, generator(seed)) for name, one in SAMPLERS.items()}
    drawn["means of two"] = novelty.means_of_two(known.weights, n, generator(seed))
    drawn["mean of all"] = novelty.mean_of_all(known.weights).expand(n, -1).clone()
    return {name: novelty.as_samples(weights, like=known) for name, weights in drawn.items()}
