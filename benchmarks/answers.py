"""What networks' answers cost: compiled code against PyTorch, and a training step with the loss of answers against one
without.

Per network: `scores` against `class_scores` of the same networks on 1,000 images; the divergence of 48 pairs on 32
images with its gradient, compiled and by PyTorch; and steps of the training that chapter 5 generates from, with and
without that loss. Seconds are of the processor, on one core.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pandas as pd
import torch
from clock import Contestant, measured, repeated, say, threads
from settings import SETTINGS, Options

from hyperlib import Augment, HyperRep, class_scores
from hyperlib.representations.divergence import Divergence
from hyperlib.weightspace.architecture import Architecture
from hyperlib.zoos.engines.scoring import scores
from hyperlib.zoos.zoo import Samples

NETWORKS = ("Tetris MLP", "digits CNN 8x8", "small CNN 28x28")
MODELS, IMAGES, PAIRS, QUERIES, STEPS = 100, 1000, 48, 32, 20


def answers(options: Options) -> pd.DataFrame:
    """Rows of (network, work): seconds of the `baseline` and of `ours`, and `ratio`, ours by the baseline's."""
    rows = []
    with threads(1):
        for name in NETWORKS[: 1 if options.quick else None]:
            say(f"  {name}")
            network = SETTINGS[name].architecture
            for work, (baseline, ours) in jobs(network, options.quick).items():
                pair = [Contestant("baseline", 1, baseline, baseline), Contestant("ours", 1, ours, ours)]
                times = {side: time.processor for side, time in measured(pair, options.repetitions).items()}
                rows.append((name, work, times["baseline"], times["ours"], times["ours"] / times["baseline"]))
    return pd.DataFrame(rows, columns=["network", "work", "baseline_s", "ours_s", "ratio"])


def jobs(network: Architecture, quick: bool) -> dict[str, tuple[Callable[[], None], Callable[[], None]]]:
    """The baseline and ours, for every kind of work: PyTorch, or a training without answers, comes first."""
    models, images, steps = (10, 50, 2) if quick else (MODELS, IMAGES, STEPS)
    weights, pairs = network.initialise(range(models)), network.initialise(range(PAIRS))
    x = torch.randn(images, *network.image, generator=torch.Generator().manual_seed(0))
    plain, compiled = Divergence(network), Divergence(network)
    plain.compiled = False
    samples = Samples(
        weights, pd.DataFrame({"model": range(models), "epoch": 0, "activation": network.activation}), network
    )
    return {
        "class scores": tuple(repeated(partial(one, network, weights, x)) for one in (class_scores, scores)),
        "divergence": tuple(partial(_diverge, one, pairs, x[:QUERIES]) for one in (plain, compiled)),
        "training with answers": tuple(partial(_train, samples, x, steps, one) for one in (0.0, 1.0)),
    }


def _diverge(divergence: Divergence, originals: torch.Tensor, queries: torch.Tensor) -> None:
    rebuilt = (1.1 * originals).requires_grad_()
    divergence(rebuilt, originals, queries).backward()


def _train(samples: Samples, queries: torch.Tensor, steps: int, behaviour: float) -> None:
    how = {"latent": 64, "depth": 1, "mix": 0.05, "batch_size": 32, "per_model": None, "validations": 1}
    rep = HyperRep(samples.architecture, **how, steps=steps, augment=Augment(permute=False), behaviour=behaviour)
    rep.fit(samples, queries=queries)
