"""What tests have done in the workers of a cluster, found there by its module and name."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from toys import some_images

from hyperlib.files import state
from hyperlib.files.ending import command
from hyperlib.study.sweeps import sweep
from hyperlib.weightspace.architectures import digits_cnn
from hyperlib.zoos import distributed
from hyperlib.zoos.design import grid
from hyperlib.zoos.engines.compiled import NumbaTrainer
from hyperlib.zoos.engines.trainer import Method
from hyperlib.zoos.population import train_population

train_there = distributed.train_there
FATAL = 4  # epoch in which a worker dies
_PAUSE = 0.15  # seconds of an epoch at least


def slow_and_noted(images, job, rows, number, signature, place, **told):
    """One block that keeps every epoch and writes down which it trains."""
    return _noted(place, rows, None)(images, job, rows, number, signature, place, **told)


def dying_once(images, job, rows, number, signature, place, **told):
    """The same, but the worker that is the first to reach an epoch is killed there, before it has trained it."""
    return _noted(place, rows, FATAL)(images, job, rows, number, signature, place, **told)


def far_from_the_folder(images, job, rows, number, signature, place, **told):
    """One block in a worker that does not see the checkpoint folder."""
    return train_there(images, job, rows, number, signature, replace(place, mark="elsewhere"), **told)


def _noted(place, rows: np.ndarray, fatal: int | None):
    notes = notes_beside(Path(place.path if hasattr(place, "path") else place.removeprefix("file://")))

    class Noted(NumbaTrainer):
        def train_epoch(self, epoch: int):
            with notes.open("a") as file:
                file.write(f"{rows[0]} {epoch}\n")
            time.sleep(_PAUSE)
            died = notes.with_suffix(".died")
            if epoch == fatal and not died.exists():
                died.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return super().train_epoch(epoch)

    def train(images, fields, *arguments, **told):
        return train_there(images, fields | {"method": Method("dense", {"numba": Noted})}, *arguments, **told)

    state.SECONDS, state.SHARE = 0.0, 0
    return train


def notes_beside(folder: Path) -> Path:
    """Where the workers of a job with this checkpoint folder write down their epochs."""
    return folder.with_name(f"{folder.name}.notes")


def fail(what: str, **told) -> None:
    """A call that cannot end well."""
    raise ValueError(f"{what} is wrong")


def square(number: int) -> int:
    """A call of a sweep."""
    return number * number


@command
def grow_for_minutes(began: str) -> None:
    """A job on a cluster of its own; the file `began` appears when its first epoch is done, its state beside it."""
    images, design = some_images((1, 8, 8), 10, train=40_000, test=20), grid(seeds=4)

    def heard(done: int, total: int) -> None:
        if done:
            Path(began).touch()

    train_population(digits_cnn(), images, design, epochs=3000, engine="ray", checkpoint=f"{began}.job", progress=heard)


def end(number: int) -> None:
    """A call whose process gets this signal; none for 0."""
    os.kill(os.getpid(), number)


@command
def sweep_for_minutes() -> None:
    """A sweep that says when one of its calls is done, while another one sleeps."""
    sweep(time.sleep, {"short": (0,), "long": (300,), "later": (300,)}, lambda *_: print("begun", flush=True), jobs=2)


if __name__ == "__main__":
    sys.exit(grow_for_minutes(sys.argv[1]))
