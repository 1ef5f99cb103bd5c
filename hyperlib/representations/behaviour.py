"""What a network answers, as a representation: its class scores on a few fixed images.

All other baselines read weights or how a model was trained. This one runs the network on data of its task, so it is no
baseline of the same kind: it shows what the behaviour alone says about a property, and it needs images.

Source: our choice of images and scores; Kofinas et al. (2024) give responses to learned inputs, as "probe features",
to a network that reads weights.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.images.images import Images
from hyperlib.representations.estimator import Representation, Values
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.values import is_whole
from hyperlib.zoos.evaluation import class_scores
from hyperlib.zoos.zoo import Samples


class Probing(Representation):
    """Log-probabilities of all classes on `probes` fixed images.

    It runs the network on data, and so is no weights-only baseline: show it apart from those.

    images: `Images`, of which only training images are used, or a float tensor [images, channels, height, width].
    Which of them are the probes is drawn without preference with `seed`. A vector holds log soft-max of the class
    scores, image by image: adding the same number to all scores of an image, which no answer depends on, changes
    nothing. Every checkpoint runs with its own activation, from the column `activation` of the samples' table.

    Learned: `places_ [probes]`, where the probes stand among the images, and `probes_`, the images themselves.
    `fit` raises TypeError for anything but images, and ValueError for too few of them, values that are not finite, or
    another shape than the networks read. `embed` raises ValueError for scores that are not finite, and for a table
    without activations.
    """

    def __init__(self, images: Images | Tensor, probes: int = 32, seed: int = 0) -> None:
        self.images = images
        self.probes = probes
        self.seed = seed

    def __sklearn_clone__(self) -> Probing:
        return type(self)(**self.get_params(deep=False))  # shares the images; scikit-learn would copy a whole data set

    def _learn(self, samples: Samples, y: Values | None, groups: Values | None) -> None:
        images = _training_images(self.images, samples.architecture)
        if not is_whole(self.probes, 1) or self.probes > len(images):
            raise ValueError(
                f"There are {len(images)} images to probe with; take 1 to {len(images)}, not {self.probes!r}."
            )
        self.places_ = np.sort(np.random.default_rng(self.seed).permutation(len(images))[: self.probes])
        self.probes_ = images[torch.from_numpy(self.places_)].detach().float().cpu()
        if not torch.isfinite(self.probes_).all():
            raise ValueError("Some of the images have NaN or infinite values; leave those out.")

    def _vectors(self, samples: Samples) -> Float[np.ndarray, "samples features"]:
        weights = samples.weights.detach().float().cpu()
        names = _activations(samples)
        scores = torch.empty(len(samples), len(self.probes_), samples.architecture.num_classes)
        with torch.no_grad():
            for name in sorted(set(names)):
                rows = torch.from_numpy(np.flatnonzero(names == name))
                scores[rows] = class_scores(samples.architecture.with_activation(name), weights[rows], self.probes_)
        finite = torch.isfinite(scores).flatten(1).all(1)
        if not finite.all():
            row = int((~finite).nonzero()[0, 0])
            raise ValueError(f"Sample {row} gives scores that are not finite; leave models with huge weights out.")
        return scores.log_softmax(-1).flatten(1).numpy()

    def _names(self) -> list[str]:
        classes = range(self.architecture_.num_classes)
        return [f"image{place}.class{label}" for place in self.places_ for label in classes]


def _training_images(images: Images | Tensor, architecture: Architecture) -> Float[Tensor, "images c h w"]:
    """The images to choose from, of the shape that the networks read."""
    pool = images.train_x if isinstance(images, Images) else images
    if not isinstance(pool, Tensor):
        raise TypeError(f"Probing works on Images or a tensor of them, not on {type(images).__name__}.")
    if pool.ndim != 4 or tuple(pool.shape[1:]) != architecture.image or not pool.is_floating_point():
        raise ValueError(
            f"{architecture.name} reads floating-point images [images, {', '.join(map(str, architecture.image))}], but "
            f"these are {pool.dtype} {list(pool.shape)}; give the images that the models were trained on."
        )
    return pool


def _activations(samples: Samples) -> np.ndarray:
    """The name of each sample's activation; ValueError where the table does not say it."""
    if "activation" not in samples.table:
        raise ValueError("The samples' table lacks the column 'activation'; say there how each network was trained.")
    values = samples.table["activation"]
    if values.isna().any():
        raise ValueError(f"The activation is missing in row {int(values.isna().argmax())}; say it, or leave it out.")
    return values.astype(str).to_numpy(dtype=object)
