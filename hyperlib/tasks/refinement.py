"""Drawing more networks than are wanted and keeping the good ones: subsampling, and bootstrapping round by round.

A score judges networks: by convention accuracy on validation images, never on those that the result is reported of.
A decoder knows nothing of running statistics; `finish` is where they are measured, before anything is judged.

Source: Schürholt et al. (2024), their algorithm of sampling. In their released code the last round of bootstrapping
returns the networks drawn first instead of the best, and every round draws with the same random state; this reading is
"released". In ours, "best", a round keeps the best of all rounds so far, so that the best never gets worse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.images.images import Images
from hyperlib.tasks.connectivity import recalibrated
from hyperlib.tasks.generation import Codec, accuracies, written
from hyperlib.tasks.sampling import Sampler
from hyperlib.weightspace.values import is_whole
from hyperlib.zoos.zoo import Samples

SCORE, ROUND = "score", "round"
Score = Callable[[Samples], Float[np.ndarray, " networks"]]
Finish = Callable[[Samples], Samples]


def by_accuracy(images: Images, part: str = "train") -> Score:
    """Accuracy on the training images or, where the images are a validation set, on its "test" images."""
    if part not in ("train", "test"):
        raise ValueError(f"Images have the parts train and test, not {part!r}.")
    seen = replace(images, test_x=images.train_x, test_y=images.train_y) if part == "train" else images
    return lambda samples: accuracies(samples, seen)


def conditioned(images: Float[Tensor, "n c h w"], batch_size: int = 32) -> Finish:
    """Networks whose running statistics are measured on these images, see `connectivity.recalibrated`.

    Source: Schürholt et al. (2024), who pass 200 batches of 32 training images.
    """

    def finish(samples: Samples) -> Samples:
        weights = recalibrated(samples.architecture, samples.weights, images, batch_size=batch_size)
        return Samples(weights, samples.table, samples.architecture)

    return finish


def subsampled(
    rep: Codec,
    sampler: Sampler,
    prompts: Samples,
    score: Score,
    generator: torch.Generator,
    *,
    drawn: int = 50,
    keep: int = 10,
    finish: Finish | None = None,
) -> Samples:
    """The `keep` networks with the highest score of `drawn`, best first; their table has the column `score`.

    prompts: networks whose latents the sampler learns. Raises ValueError for a `keep` that is not from 1 to `drawn`,
    for prompts of several activations, and for scores that are not one number per network; NaN is the worst.
    """
    how = {"rounds": 1, "drawn": drawn, "keep": keep, "finish": finish}
    found = bootstrapped(rep, sampler, prompts, score, generator, **how)
    return Samples(found.weights, found.table.drop(columns=ROUND), found.architecture)


def bootstrapped(
    rep: Codec,
    sampler: Sampler,
    prompts: Samples,
    score: Score,
    generator: torch.Generator,
    *,
    rounds: int = 5,
    drawn: int = 50,
    keep: int = 10,
    first: Sampler | None = None,
    reading: str = "best",
    finish: Finish | None = None,
) -> Samples:
    """`keep` networks after `rounds` of drawing, judging, and learning the latents of the best; best first.

    first: the sampler of the first round, for instance a `Prior`, to which prompts say no more than their shape;
    without, it is `sampler` as well. reading: "best" or "released", see above. The table has the columns `score` and
    `round`, the one in which a network was drawn. Raises as `subsampled`, and ValueError for no rounds, another
    reading, and a `keep` below what the sampler needs.
    """
    if not is_whole(drawn, 1) or not is_whole(keep, 1) or keep > drawn:
        raise ValueError(f"Of whole numbers of networks drawn, some are kept, 1 at least; not {keep!r} of {drawn!r}.")
    if not is_whole(rounds, 1):
        raise ValueError(f"Bootstrapping takes whole rounds from 1 on, not {rounds!r}.")
    if reading not in ("best", "released"):
        raise ValueError(f"There is no reading {reading!r}; choose best or released.")
    if keep < sampler.needs and rounds > 1:
        raise ValueError(f"{type(sampler).__name__} learns from {sampler.needs} latents; keep so many, not {keep}.")
    state, now = generator.get_state(), (first or sampler).fit(rep.latents(prompts))
    latents: list[Tensor] = []
    networks: list[Samples] = []
    for number in range(rounds):
        if reading == "released":
            generator.set_state(state)
        found, made = _round(rep, now, prompts, score, generator, drawn, finish)
        made = Samples(made.weights, made.table.assign(**{ROUND: number}), made.architecture)
        latents, networks = ([*latents, found], [*networks, made]) if reading == "best" else ([found], [made])
        every = _joined(networks)
        best = _first(every.table[SCORE], keep)
        latents, networks = [torch.cat(latents)[best]], [every.take(best)]
        now = sampler.fit(latents[0]) if number + 1 < rounds else now
    return made.take(np.arange(keep)) if reading == "released" else networks[0]


def _round(
    rep: Codec,
    sampler: Sampler,
    prompts: Samples,
    score: Score,
    generator: torch.Generator,
    drawn: int,
    finish: Finish | None,
) -> tuple[Float[Tensor, "drawn latents"], Samples]:
    """Latents and networks, judged."""
    latents = sampler.sample(drawn, generator)
    networks = written(rep, latents, prompts)
    networks = finish(networks) if finish else networks
    scores = np.asarray(score(networks), dtype=np.float64)
    if scores.shape != (drawn,):
        raise ValueError(f"A score is one number per network, {drawn} here, not of shape {scores.shape}.")
    return latents, Samples(networks.weights, networks.table.assign(**{SCORE: scores}), networks.architecture)


def _joined(parts: list[Samples]) -> Samples:
    table = pd.concat([part.table for part in parts], ignore_index=True)
    return Samples(torch.cat([part.weights for part in parts]), table, parts[0].architecture)


def _first(scores: object, keep: int) -> np.ndarray:
    """Places of the highest scores, those drawn first where they are equal."""
    return np.argsort(-np.nan_to_num(np.asarray(scores, np.float64), nan=-np.inf), kind="stable")[:keep]
