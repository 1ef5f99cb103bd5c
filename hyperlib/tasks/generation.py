"""New networks from a hyper-representation: drawn, walked to, or disturbed on the way.

A sampler learns the latents of training networks and draws new ones, which the decoder writes out as weights. What
comes out is `Samples` like any other, so whatever takes a population takes it.

Source: Schürholt et al. (2022); walks and noise as recalled from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.images.images import Images
from hyperlib.representations.behaviour import rows_by_activation
from hyperlib.tasks.reconstruction import labels
from hyperlib.tasks.sampling import KDE, Sampler
from hyperlib.weightspace.values import generator, is_whole
from hyperlib.zoos.zoo import Samples


class Codec(Protocol):
    """A representation that goes back to weights: `HyperRep`, or a `SaneReader`."""

    def latents(self, samples: Samples) -> Float[np.ndarray, "samples latents"]:
        """What the decoder needs of each network."""

    def decode(self, latents: Float[Tensor, "networks latents"]) -> Float[Tensor, "networks params"]:
        """Weight vectors of latents."""


def generate(rep: Codec, sampler: Sampler, samples: Samples, n: int, generator: torch.Generator) -> Samples:
    """`n` networks of latents that the sampler draws, once it has learned those of `samples`.

    The table has the columns `model`, `epoch` (0) and `activation`. Raises ValueError for samples of several
    activations, and whatever representation and sampler raise.
    """
    return written(rep, sampler.fit(rep.latents(samples)).sample(n, generator), samples)


def by_bandwidth(
    rep: Codec,
    samples: Samples,
    images: Images,
    reading: str = "independent",
    *,
    shares: Sequence[float] = (0.02, 0.1, 0.3, 0.6, 1.0),
    n: int = 50,
    seed: int = 0,
) -> dict[float, Samples]:
    """`n` networks drawn by a kernel density estimate of each bandwidth, a share of each latent's deviation.

    The table of each has the `accuracy` of its networks on the *training* images, by which `max(found, key=...)` can
    choose without looking at test images. Accuracy alone chooses copies: a bandwidth near 0 draws what was seen. Our
    choice. Raises ValueError as `generate`, and for shares that are not above 0.
    """
    seen = replace(images, test_x=images.train_x, test_y=images.train_y)
    found = {}
    for share in shares:
        sampler, random = KDE(reading, share, relative=True), generator(seed)
        drawn = generate(rep, sampler, samples, n, random)
        found[share] = Samples(drawn.weights, drawn.table.assign(accuracy=accuracies(drawn, seen)), drawn.architecture)
    return found


def walk(rep: Codec, samples: Samples, first: int, second: int, places: int = 11) -> Samples:
    """Networks decoded on the straight line between the latents of two samples, both ends included.

    The table's `place` goes from 0 to 1. Raises ValueError for fewer than two places and for rows that are not there.
    """
    if not is_whole(places, 2):
        raise ValueError(f"A walk has 2 places at least, its ends, not {places!r}.")
    if not all(is_whole(row, 0) and row < len(samples) for row in (first, second)):
        raise ValueError(f"There are {len(samples)} samples to walk between, counted from 0, not {first} and {second}.")
    ends = torch.from_numpy(rep.latents(samples.take([first, second])))
    along = torch.linspace(0, 1, places)
    found = written(rep, torch.lerp(ends[:1], ends[1:], along[:, None]), samples)
    return Samples(found.weights, found.table.assign(place=along.numpy()), found.architecture)


def disturbed(rep: Codec, samples: Samples, share: float, generator: torch.Generator) -> Samples:
    """The samples, decoded from latents plus Gaussian noise of `share` of each latent's deviation over them.

    Raises ValueError for a share below 0 and for fewer than two samples.
    """
    if not 0 <= share < float("inf") or len(samples) < 2:
        raise ValueError(f"Noise is a share of the deviation over 2 samples or more, from 0 on, not {share!r}.")
    latents = torch.from_numpy(rep.latents(samples))
    noise = torch.randn(latents.shape, generator=generator)
    return written(rep, latents + share * latents.std(0) * noise, samples)


def accuracies(samples: Samples, images: Images) -> Float[np.ndarray, " samples"]:
    """Share of the test images that each network gets right."""
    chosen = labels(samples, samples.weights, images.test_x)
    return (chosen == images.test_y).double().mean(1).numpy()


def weights_by_layer(samples: Samples, count: int = 2000, seed: int = 0) -> pd.DataFrame:
    """At most `count` weights and biases of every layer, drawn from all samples: columns `layer` and `weight`."""
    layout, random = samples.architecture.layout, np.random.default_rng(seed)
    parts = []
    for layer in layout.layers:
        slots = [slice(slot.start, slot.stop) for slot in layout if slot.layer == layer]
        values = torch.cat([samples.weights[:, place] for place in slots], 1).flatten().numpy()
        few = random.choice(values, min(count, len(values)), replace=False)
        parts.append(pd.DataFrame({"layer": layer, "weight": few}))
    return pd.concat(parts, ignore_index=True)


def written(rep: Codec, latents: Float[Tensor, "networks latents"] | Sequence, like: Samples) -> Samples:
    """Decoded networks, with the activation of those that they are like, which is one, or ValueError."""
    if len(kinds := list(rows_by_activation(like))) != 1:
        raise ValueError(f"New networks have one activation; these samples have {', '.join(kinds)}.")
    table = pd.DataFrame({"model": range(len(latents)), "epoch": 0, "activation": kinds[0]})
    return Samples(rep.decode(latents), table, like.architecture.with_activation(kinds[0]))
