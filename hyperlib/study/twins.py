"""Sparse twins of some models of a study's zoo, each kind made once and kept in the store."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from hyperlib.files.tensors import checksum
from hyperlib.store.record import heard, record_progress
from hyperlib.study.study import FIRST_SPLIT, Study
from hyperlib.thesis.book_twins import twin_recipe
from hyperlib.zoos.engines.choice import resolve_engine
from hyperlib.zoos.engines.sparse import VARIATIONAL
from hyperlib.zoos.twins import EPOCHS, held_twins, last_weights, magnitude_twins, variational_twins
from hyperlib.zoos.zoo import Zoo

_MAKERS = ["hyperlib.zoos.twins", "hyperlib.zoos.zoo_files"]


class Twins:
    """Twins of some models of a study's zoo, by its name: as many as their recipe says, of those that did not diverge.

    zoo: the models; originals: their last checkpoints, `[models, params]`; epochs: of every twin, or those given.
    """

    def __init__(self, study: Study, name: str, *, models: int | None = None, epochs: int = EPOCHS) -> None:
        self.study, self.name, self.epochs, self.recipe = study, name, epochs, twin_recipe(name, study.profile)
        recipe = study.recipe(name)
        self.images, self.batch_size = recipe.images.load(), recipe.batch_size
        if (first := self.recipe.models if models is None else models) is not None:
            zoo = study.zoo(name, self.recipe.models).take(slice(first))
        else:
            zoo = study.zoo(name).split(seed=FIRST_SPLIT, by=recipe.split_by)[-1]
        self.zoo = zoo.take(torch.isfinite(zoo.weights[:, -1]).all(1).numpy())
        self.originals = last_weights(self.zoo)

    def variational(self, strength: float = 1.0, rate: float | None = None) -> Zoo:
        """Twins by variational dropout, at the recipe's rate or another; see `zoos.twins.variational_twins`."""
        settings = {"rate": float(self.recipe.rate if rate is None else rate), "strength": float(strength)}
        return self._made("variational", settings, partial(variational_twins, **settings))

    def magnitude(
        self, ratio: float | Tensor, epochs: int | None = None, *, within: str = "network", by: str = "size",
        over: int = 0,
    ) -> Zoo:  # fmt: skip
        """Twins by magnitude; see `zoos.twins.magnitude_twins`."""
        shares = checksum({"ratio": torch.as_tensor(ratio, dtype=torch.float64)})
        settings: dict[str, Any] = {"within": within, "by": by, "over": over}
        make = partial(magnitude_twins, ratio=ratio, **settings)
        return self._made("magnitude", {"ratio": shares} | settings, make, epochs)

    def held(self, start: Float[Tensor, "models params"], epochs: int | None = None) -> Zoo:
        """Twins whose zeros are those of `start`; see `zoos.twins.held_twins`."""
        return self._made("held", {"start": checksum({"start": start})}, partial(held_twins, start=start), epochs)

    def _made(self, how: str, settings: dict[str, Any], make: Callable[..., Zoo], epochs: int | None = None) -> Zoo:
        epochs, study = self.epochs if epochs is None else epochs, self.study
        engine = resolve_engine(study.engine, self.zoo.architecture, study.device)
        engine = engine if engine in VARIATIONAL.trainers else "torch"
        originals = checksum({"last": self.originals.contiguous()}), self.zoo.design.to_csv(index=False)
        training = {"epochs": epochs, "images": self.images.checksum, "batch_size": self.batch_size}
        ingredients = settings | training | {"originals": originals}

        def grow(folder: Path) -> None:
            if not (folder / "zoo").exists():
                told = partial(record_progress, f"thinning {self.name}") if heard() else True
                where = {"engine": study.engine, "device": study.device, "checkpoint": folder / "training"}
                how_long = {"epochs": epochs, "batch_size": self.batch_size}
                twins = make(self.zoo, self.images, **how_long, **where, progress=told)
                twins.save(folder / "zoo")
            shutil.rmtree(folder / "training", ignore_errors=True)

        name = f"{self.name}-{how}"
        made_by = engine if study.device == "cpu" else f"{engine}-{study.device}"
        entry = study.store.make("twins", name, ingredients, grow, _MAKERS, made_by, study.profile)
        return Zoo.load(entry / "zoo")

