"""How the seconds of one job grow with models, epochs, images and weights, each doubled from one base setting.

Images are random numbers (training costs the same whatever they show), 8x8, a fifth of them for testing. Wider networks
are the digits CNN with more units per layer. A network's first job is not counted: it may compile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd
from clock import Contestant, measured, say
from settings import Options, random_images

from hyperlib import grid, train_population
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.layers import Activation, Conv, Flatten, Linear, MaxPool
from hyperlib.weightspace.work import multiply_adds

WIDTHS = ((8, 6, 20), (12, 8, 28), (16, 12, 40), (24, 16, 56))  # each doubles the weights, nearly


@dataclass(frozen=True)
class Job:
    """Sizes of one job; `width` is a place in `WIDTHS`."""

    models: int = 128
    epochs: int = 4
    images: int = 500
    width: int = 0

    @property
    def architecture(self) -> Architecture:
        """Two convolutions and two linear layers, as in the digits CNN, with so many units."""
        first, second, third = WIDTHS[self.width]
        layers = (
            *(Conv("conv1", width=first, kernel=3), MaxPool(), Activation()),
            *(Conv("conv2", width=second, kernel=2), Activation(), Flatten()),
            *(Linear("fc1", width=third), Activation(), Linear("fc2", units="classes", width=10)),
        )
        return Architecture(f"cnn_8x8_{first}_{second}_{third}", (1, 8, 8), layers)

    def run(self) -> None:
        """Grow the zoo with the engine that "auto" stands for."""
        images = random_images((1, 8, 8), self.images * 4 // 5, self.images // 5)
        design = grid(seeds=self.models)
        train_population(self.architecture, images, design, epochs=self.epochs, engine="auto", progress=False)


def growth(options: Options) -> pd.DataFrame:
    """One row per job and quantity that grows: its value, seconds, and multiply-adds of one evaluation."""
    base = Job(models=2, epochs=1, images=20) if options.quick else Job()
    jobs = list(_jobs(base, doublings=1 if options.quick else 3))
    say(f"  {len(jobs)} jobs")
    contestants = [_contestant(job) for job in dict.fromkeys(job for _, job in jobs)]
    seconds = {name: times.wall for name, times in measured(contestants, options.repetitions).items()}
    return pd.DataFrame(
        {
            "grows": what,
            "models": job.models,
            "epochs": job.epochs,
            "images": job.images,
            "weights": job.architecture.num_weights,
            "multiply_adds": multiply_adds(job.architecture).forward,
            "seconds": seconds[repr(job)],
        }
        for what, job in jobs
    )


def _jobs(base: Job, doublings: int) -> Iterator[tuple[str, Job]]:
    for what in ("models", "epochs", "images"):
        for step in range(doublings + 1):
            yield what, replace(base, **{what: getattr(base, what) * 2**step})
    for width in range(doublings + 1):
        yield "weights", replace(base, width=width)


def _contestant(job: Job) -> Contestant:
    return Contestant(repr(job), 1, job.run, replace(job, models=min(job.models, 8), epochs=1).run)
