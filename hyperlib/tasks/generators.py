"""One row on a generator: what it keeps of networks that it rebuilds, and what it draws.

Source: our choice; its measures are those of `reconstruction` and `novelty`.
"""

from __future__ import annotations

from typing import Any

from hyperlib.images.images import Images
from hyperlib.representations.hyper_rep import HyperRep
from hyperlib.tasks import generation, novelty, reconstruction
from hyperlib.tasks.latent_samplers import Flow
from hyperlib.tasks.sampling import KDE, Sampler
from hyperlib.weightspace.values import generator
from hyperlib.zoos.zoo import Samples

DRAWN = 100  # networks, by each sampler, and strangers at most
OF_DRAWN = ("accuracy", "iou", "zoo_iou", "pair_share", "near", "stranger_near", "twins", "replicas", "verdict")


def judged(
    rep: HyperRep, images: Images, train: Samples, test: Samples, *, drawn: int = DRAWN, flow_steps: int = 2000
) -> dict[str, Any]:
    """What is rebuilt and kept of test networks, and what comes of networks that are drawn.

    train and test: networks of one epoch. drawn: by each sampler; and so many test networks, at most, are strangers to
    these, while all are rebuilt. `latents`, `r2`, `accuracy` and `accuracy_before` are those of
    `reconstructed`, then come those of `specificity`; of networks drawn by an independent kernel density estimate
    (`kde_*`) and by a flow of so many steps (`flow_*`) the columns `OF_DRAWN` of `novelty_table`. Raises ValueError as
    these do.
    """
    rebuilt = reconstruction.reconstructed(rep, test, images, train.weights.mean(0))
    both = (reconstruction.labels(test, one.weights, images.test_x) for one in (test, rep.reconstruct(test)))
    row = {one: rebuilt[one] for one in ("latents", "r2", "accuracy", "accuracy_before")} | novelty.specificity(*both)
    samplers: dict[str, Sampler] = {"kde": KDE("independent", "silverman"), "flow": Flow(steps=flow_steps)}
    made = {name: generation.generate(rep, one, train, drawn, generator(0)) for name, one in samplers.items()}
    table = novelty.novelty_table(made, train, test.take(slice(drawn)), images).set_index("population")
    return row | {f"{name}_{value}": table.loc[name, value] for name in made for value in OF_DRAWN}
