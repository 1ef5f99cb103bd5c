"""How well can accuracy be known at all?

The accuracy of a network on n test images is a measurement: with other images it would be another one. So networks of
one epoch differ for two reasons, because some are better and because these images suit some of them. A reader that
knows how good every network is, but not these images, explains the first part alone. Its share in the variance is the
reliability of accuracy, which the hits of the networks tell: images that measure the same thing are hit by the same
networks.

It is no bound on readers that learned from accuracies on the same images, as probes do: these may have learned which
networks the images suit, and what they have above it is that. And it is for accuracy only: the other half of the gap
is a running mean over training images, whose networks change meanwhile.

Source: formula 20 of Kuder and Richardson (1937), the alpha of Cronbach (1951) for hits: the mean over all halvings of
the images of what one half says of the other. That we use it as a ceiling for R² inside epochs is our choice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Shaped

from hyperlib.images.images import Images
from hyperlib.tasks.estimates import Estimate, jackknife
from hyperlib.tasks.reconstruction import labels
from hyperlib.zoos.zoo import Samples


def ceiling(samples: Samples, images: Images) -> Estimate:
    """R² on test accuracy inside epochs that a reader can expect who knows each network's true accuracy.

    Every network of `samples` answers all test images. Epochs count the same, those without variance do not; the
    interval is over models, each left out with all its epochs. Over few models it comes out low on average, by about
    2 / models of what it lacks to one, and so does the R² of such a reader on the same models.

    Raises ValueError for fewer than three models or two images, and where no epoch has networks that differ.
    """
    epochs = samples.table.groupby("epoch").indices.values()
    model = samples.table["model"].to_numpy()
    hits = []
    for rows in epochs:
        at_epoch = samples.take(rows)
        hits.append((labels(at_epoch, at_epoch.weights, images.test_x) == images.test_y).numpy())
    return reliability(hits, [model[rows] for rows in epochs])


def reliability(
    hits: Sequence[Bool[np.ndarray, "networks images"]], model: Sequence[Shaped[np.ndarray, " networks"]]
) -> Estimate:
    """Mean over epochs of the reliability of accuracy, from the hits of each epoch's networks; errors as `ceiling`.

    `model` names the model of each network. Below zero where networks differ less than by chance.
    """
    models, images = np.unique(np.concatenate(model)), hits[0].shape[1]
    if len(models) < 3 or images < 2:
        raise ValueError(f"A ceiling needs 3 models and 2 images; here are {len(models)} and {images}.")
    found = []
    for answers, names in zip(hits, model, strict=True):
        all_but_one = models[:, None] != names
        found.append(kuder_richardson(answers, np.vstack([np.ones_like(all_but_one[:1]), all_but_one])))
    value, *without = pd.DataFrame(found).mean()  # over the epochs that have one
    if np.isnan(value):
        raise ValueError("In every epoch all networks have one accuracy, so there is nothing to explain.")
    return jackknife(value, without)


def kuder_richardson(
    hits: Bool[np.ndarray, "networks images"], kept: Bool[np.ndarray, "cases networks"]
) -> Float[np.ndarray, " cases"]:
    """Formula 20 for the `kept` networks of each case: n / (n - 1) (1 - sum of images' variances / variance of sums).

    NaN where the sums, the hits of each network, have no variance.
    """
    hits, kept = hits.astype(float), kept.astype(float)  # whole numbers all the way to the division
    sums, networks, images = hits.sum(1), kept.sum(1), hits.shape[1]
    both = ((kept @ (hits @ hits.T)) * kept).sum(1)  # over pairs of networks: images that both hit
    apart = networks * (kept @ sums) - both  # the images' variances, times networks squared
    spread = networks * (kept @ np.square(sums)) - np.square(kept @ sums)
    shares = np.divide(apart, spread, out=np.full(len(kept), np.nan), where=spread > 0)
    return images / (images - 1) * (1 - shares)
