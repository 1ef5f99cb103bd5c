"""What a zoo's recipe is: which images, which network, which generating factors, for how long.

A recipe is everything that a zoo depends on besides the code. What no source tells about it is our choice and said in
`choices`. The recipes themselves stand in `book_zoos` and `published_zoos`; `recipes` finds them by name.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import pandas as pd

from hyperlib.images.images import Images, load_images
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.architectures import architecture
from hyperlib.zoos.design import draw, grid


@dataclass(frozen=True)
class ImageSet:
    """Which images, in which form; `train` and `test` keep the first so many of each (all without).

    instead: sets that may stand in, in turn, where the file of the one before is not there. A set that another may
    stand in for is not downloaded, so that a zoo never depends on whether a network was there by chance.
    """

    name: str
    size: int | None = None
    grey: bool = False
    train: int | None = None
    test: int | None = None
    instead: tuple[str, ...] = ()

    def load(self) -> Images:
        """The images, whose `name` and `source` say which set they are; see `load_images` for what can go wrong.

        A file that is there and damaged is an error, never a reason to take the next set.
        """
        *before, last = self.name, *self.instead
        for name in before:
            with suppress(FileNotFoundError):
                return self._loaded(name, download=False)
        return self._loaded(last, download=True)

    def _loaded(self, name: str, download: bool) -> Images:
        images = load_images(name, size=self.size, grey=self.grey, download=download)
        if name != self.name:
            images = replace(images, source=f"{images.source}; in place of {self.name}")
        return images if self.train is None and self.test is None else images.subset(self.train, self.test)


@dataclass(frozen=True)
class ZooRecipe:
    """One zoo at one profile.

    factors: arguments of `grid`, as pairs; left_out: points of the grid that are not grown, as tuples of pairs;
    models: keep the first so many rows of the design. drawn: a seed, for a design of so many `models` whose factors are
    drawn at random (arguments of `draw`) instead of a grid. thesis: id in `book/thesis/zoos.yml`. choices: what no
    source says and is ours. largest: who learns from the zoo leaves out checkpoints with a larger weight, as the loader
    of the Model Zoos does beyond 5. split_by: what stays together when the zoo is split, the "seed" where models of one
    seed begin as the same network. clean: after which epochs training images are evaluated, "all" where a page asks for
    more than the last; see `train_population`.
    """

    name: str
    architecture_name: str
    images: ImageSet
    epochs: int
    factors: tuple[tuple[str, Any], ...] = ()
    batch_size: int = 32
    left_out: tuple[tuple[tuple[str, Any], ...], ...] = ()
    models: int | None = None
    drawn: int | None = None
    thesis: str | None = None
    choices: str = ""
    largest: float | None = None
    split_by: str = "model"
    clean: str = "last"

    def but(self, **changes: Any) -> ZooRecipe:
        """The recipe with other fields; what is no field is a factor, and a factor that is new comes last."""
        own = {field.name: changes.pop(field.name) for field in fields(self) if field.name in changes}
        return replace(self, factors=tuple((dict(self.factors) | changes).items()), **own)

    @property
    def architecture(self) -> Architecture:
        """The network all models share (activations are the design's)."""
        return architecture(self.architecture_name)

    @cached_property
    def design(self) -> pd.DataFrame:
        """One row of generating factors per model."""
        if self.drawn is not None:
            return draw(self.models or 1, seed=self.drawn, **dict(self.factors))
        design = grid(**dict(self.factors))
        for point in self.left_out:
            design = design[design[[*dict(point)]].ne(pd.Series(dict(point))).any(axis=1)]
        return design.reset_index(drop=True).head(self.models or len(design))

    @property
    def ingredients(self) -> dict[str, Any]:
        """What the store knows a zoo of this recipe by, beside the checksum of its images."""
        return {
            "architecture": repr(self.architecture),
            "design": self.design.to_csv(index=False),
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "clean": self.clean,
        }

    @property
    def seeds(self) -> str:
        """The model seeds in words, for the page's provenance."""
        return f"{self.design['seed'].min()} to {self.design['seed'].max()}"
