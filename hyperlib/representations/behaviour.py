"""What a network answers, as a representation: its class probabilities at a few fixed inputs.

All other baselines read weights or how a model was trained. This one runs the network, so it is no baseline of the same
kind: it shows what the behaviour alone says about a property. The inputs are images of the networks' task, or noise, or
inputs learned to tell more. With the last two, an embedding is, once fitted, a function of weights and activation alone
and needs no image of the task.

Source: answers at learned inputs are the "probe features" of Kofinas et al. (2024), there read by a network together
with the weights; inputs that are learned for a population's sake are those of Kahana et al. (2024, "Deep Linear Probe
Generators for Weight Space Learning"), who learn them from labels, through a generator. Ours are learned without labels
from the networks' own answers on images, a distillation. That loss, all settings, and drawing images are our choice.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.optim.lr_scheduler import OneCycleLR

from hyperlib.images.images import Images
from hyperlib.representations.cores import one_core
from hyperlib.representations.estimator import Representation, Values, plain
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.randomness import key
from hyperlib.weightspace.values import is_whole
from hyperlib.zoos.evaluation import class_scores
from hyperlib.zoos.zoo import Samples

INPUTS = ("images", "noise", "learned")
FLOOR = -12.0  # log-probabilities end here, at six in a million (our choice)
HEAD_RATE, HEAD_DECAY = 3e-3, 1e-2
WARM_UP = 0.1  # share of the steps in which the rates rise
SHORTEST = 11  # steps of a schedule, which fewer steps leave early: PyTorch's divides by zero at ten


class Probing(Representation):
    """Log-probabilities and probabilities of all classes at `probes` fixed inputs: [samples, 2 * probes * classes].

    It runs the network, and so is no baseline that reads weights: show it apart from those. Every checkpoint runs with
    its own activation, from the column `activation` of the samples' table. A vector holds the log-probability of each
    class, at least `FLOOR`, input by input, then the probabilities in the same order: a linear probe reads accuracy
    best from both together (found on validation models; our choice). Adding the same number to all scores at an input,
    which no answer depends on, changes nothing.

    images: `Images`, of which only training images are used, or a float tensor [images, channels, height, width].
    inputs: "images" are some of these, drawn without preference with `seed`. "noise" are normal random numbers with the
    mean and deviation of all their pixels, drawn with `seed`; nothing else is used of the images. "learned" start as
    the noise of the same seed and are learned such that a network's log-probabilities at them tell its probabilities on
    `matched` of the images: one linear head over batch-normalised log-probabilities predicts those on every image, the
    loss is the cross-entropy, and `fit` forgets the head. No label is looked at, and of the table only the activation.
    Fitted with "noise" or "learned", a vector is a function of weights and activation alone and needs no image.

    The other arguments are of "learned". AdamW takes `steps` steps with batches of `batch_size` checkpoints, each of
    one activation, which is drawn in proportion to its checkpoints. The inputs' `rate`, as the head's `HEAD_RATE`,
    rises and falls as in PyTorch's OneCycleLR. Training runs on one core, gives the same to the bit however many there
    are, and holds samples x matched x classes numbers.

    Learned: `probes_ [probes, channels, height, width]`, the inputs; for "images" `places_ [probes]`, where they stand
    among the images; for "learned" `history_ [steps]`, the loss of each step. `fit` raises TypeError for anything but
    images, and ValueError for settings out of range, too few images, values that are not finite, another shape than the
    networks read, and a training that diverged. `embed`, and `fit` for "learned", raise ValueError for scores that are
    not finite, and for a table without activations.
    """

    def __init__(
        self,
        images: Images | Tensor,
        probes: int = 32,
        seed: int = 0,
        *,
        inputs: str = "images",
        steps: int = 300,
        matched: int = 128,
        batch_size: int = 128,
        rate: float = 0.05,
    ) -> None:
        self.images = images
        self.probes = probes
        self.seed = seed
        self.inputs = inputs
        self.steps = steps
        self.matched = matched
        self.batch_size = batch_size
        self.rate = rate

    def __sklearn_clone__(self) -> Probing:
        return type(self)(**self.get_params(deep=False))  # shares the images; scikit-learn would copy a whole data set

    def _learn(self, samples: Samples, y: Values | None, groups: Values | None) -> None:
        images = _training_images(self.images, samples.architecture)
        self._check_settings(len(images))
        for name in ("places_", "history_"):  # of an earlier fit with other inputs
            vars(self).pop(name, None)
        if self.inputs == "images":
            self.places_ = np.sort(np.random.default_rng(self.seed).permutation(len(images))[: self.probes])
            self.probes_ = _finite(images[torch.from_numpy(self.places_)])
            return
        # hashed, because others draw images from the bare seed, and noise must not share their numbers
        random = torch.Generator().manual_seed(int(key([self.seed])) % 2**63)
        with one_core(torch.device("cpu")):
            self.probes_ = _noise(images, self.probes, random)
            if self.inputs == "learned":
                self._distil(samples, images, random)

    def _check_settings(self, images: int) -> None:
        """ValueError for the first setting that is out of range."""
        if self.inputs not in INPUTS:
            raise ValueError(f"There are no inputs {self.inputs!r}; choose one of {', '.join(INPUTS)}.")
        if self.inputs == "images" and not (is_whole(self.probes, 1) and self.probes <= images):
            raise ValueError(f"There are {images} images to probe with; take 1 to {images}, not {self.probes!r}.")
        counts = {"probes": 1, "seed": 0} | ({"steps": 0, "batch_size": 2} if self.inputs == "learned" else {})
        for name, least in counts.items():
            if not is_whole(value := getattr(self, name), least):
                raise ValueError(f"{name} is a whole number from {least} on, not {value!r}.")
        if self.inputs != "learned":
            return
        if not is_whole(self.matched, 1) or self.matched > images:
            raise ValueError(f"There are {images} images to match; take matched=1 to {images}, not {self.matched!r}.")
        if not 0 < self.rate < math.inf:
            raise ValueError(f"rate is a finite number above 0, not {self.rate!r}.")

    def _distil(self, samples: Samples, images: Float[Tensor, "images c h w"], random: torch.Generator) -> None:
        """Learn the probes from where they are."""
        matched = _finite(images[torch.randperm(len(images), generator=random)[: self.matched]])
        answers = _log_probabilities(samples, matched).exp()
        weights = plain(samples.weights)
        names, groups = zip(*rows_by_activation(samples).items(), strict=True)
        sizes = torch.tensor([float(len(rows)) for rows in groups])
        probes = self.probes_.clone().requires_grad_()
        head = _head(len(probes) * answers.shape[-1], answers[0].numel(), random)
        learned = [{"params": [probes], "weight_decay": 0.0}, {"params": head, "weight_decay": HEAD_DECAY}]
        optimiser = torch.optim.AdamW(learned)
        schedule = OneCycleLR(optimiser, [self.rate, HEAD_RATE], max(int(self.steps), SHORTEST), pct_start=WARM_UP)
        self.history_ = np.empty(self.steps)
        for step in range(self.steps):
            drawn = int(torch.multinomial(sizes, 1, generator=random))
            batch = groups[drawn][torch.randint(len(groups[drawn]), (self.batch_size,), generator=random)]
            scores = samples.architecture.with_activation(names[drawn]).logits(weights[batch], probes)
            loss = _loss(scores, head, answers[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            self.history_[step] = loss.item()
        if not torch.isfinite(probes).all():
            raise ValueError(f"The learned inputs diverged and are not finite; lower rate, which is {self.rate!r}.")
        self.probes_ = probes.detach()

    def _vectors(self, samples: Samples) -> Float[np.ndarray, "samples features"]:
        logs = _log_probabilities(samples, self.probes_).flatten(1)
        return torch.cat([logs.clamp(min=FLOOR), logs.exp()], 1).numpy()

    def _names(self) -> list[str]:
        inputs = getattr(self, "places_", range(len(self.probes_)))
        classes = range(self.architecture_.num_classes)
        return [f"input{number}.class{label}.{part}" for part in ("log", "p") for number in inputs for label in classes]


def rows_by_activation(samples: Samples) -> dict[str, Int[Tensor, " rows"]]:
    """Which samples have each activation; ValueError where the table does not say it."""
    if "activation" not in samples.table:
        raise ValueError("The samples' table lacks the column 'activation'; say there how each network was trained.")
    values = samples.table["activation"]
    if values.isna().any():
        raise ValueError(f"The activation is missing in row {int(values.isna().argmax())}; say it, or leave it out.")
    names = values.astype(str).to_numpy(dtype=object)
    return {name: torch.from_numpy(np.flatnonzero(names == name)) for name in sorted(set(names))}


def _training_images(images: Images | Tensor, architecture: Architecture) -> Float[Tensor, "images c h w"]:
    """The images to choose from, of the shape that the networks read."""
    pool = images.train_x if isinstance(images, Images) else images
    if not isinstance(pool, Tensor):
        raise TypeError(f"Probing works on Images or a tensor of them, not on {type(images).__name__}.")
    if pool.ndim != 4 or tuple(pool.shape[1:]) != architecture.image or not pool.is_floating_point() or not len(pool):
        raise ValueError(
            f"{architecture.name} reads floating-point images [images, {', '.join(map(str, architecture.image))}], but "
            f"these are {pool.dtype} {list(pool.shape)}; give the images that the models were trained on."
        )
    return pool


def _noise(images: Float[Tensor, "images c h w"], probes: int, random: torch.Generator) -> Float[Tensor, "_ c h w"]:
    """Normal random numbers with the mean and the deviation of all pixels."""
    deviation, mean = _finite(torch.stack(torch.std_mean(images.detach().float().cpu(), correction=0)))
    return mean + deviation * torch.randn(probes, *images.shape[1:], generator=random)


def _head(inputs: int, outputs: int, random: torch.Generator) -> list[Tensor]:
    """Weight and bias of a linear map, uniform within one over the root of its inputs."""
    bound = inputs**-0.5
    head = [torch.empty(outputs, inputs), torch.empty(outputs)]
    return [values.uniform_(-bound, bound, generator=random).requires_grad_() for values in head]


def _loss(
    scores: Float[Tensor, "batch probes classes"], head: list[Tensor], answers: Float[Tensor, "batch matched classes"]
) -> Float[Tensor, ""]:
    """Cross-entropy between the answers on matched images and what the head makes of those at the probes."""
    features = F.batch_norm(scores.log_softmax(-1).flatten(1), None, None, training=True)
    guesses = F.linear(features, *head).unflatten(1, answers.shape[1:])
    return F.cross_entropy(guesses.flatten(0, 1), answers.flatten(0, 1))


def _log_probabilities(samples: Samples, inputs: Float[Tensor, "_ c h w"]) -> Float[Tensor, "samples _ classes"]:
    """What every network answers, run with its own activation; ValueError for scores that are not finite."""
    weights = plain(samples.weights)
    scores = torch.empty(len(samples), len(inputs), samples.architecture.num_classes)
    with one_core(torch.device("cpu")):
        for name, rows in rows_by_activation(samples).items():
            scores[rows] = class_scores(samples.architecture.with_activation(name), weights[rows], inputs)
    finite = torch.isfinite(scores).flatten(1).all(1)
    if not finite.all():
        row = int((~finite).nonzero()[0, 0])
        raise ValueError(f"Sample {row} gives scores that are not finite; leave models with huge weights out.")
    return scores.log_softmax(-1)


def _finite(values: Tensor) -> Float[Tensor, "..."]:
    """The values in float32, on the CPU; ValueError if one is NaN or infinite."""
    values = values.detach().float().cpu()
    if not torch.isfinite(values).all():
        raise ValueError("Some of the images have NaN or infinite values; leave those out.")
    return values
