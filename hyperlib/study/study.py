"""What a page asks for: zoos by name, results written down, published numbers beside ours.

A `Study` is the book at one profile. It makes every zoo once (see `store`), writes every table that a page prints as a
CSV, and finds the thesis's numbers for it. What is learned from zoos stands beside it (`representations`), so that a
page that asks for none does not depend on how they are made.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from hyperlib.figures.style import use_house_style
from hyperlib.files import paths
from hyperlib.files.writing import write_whole
from hyperlib.store.record import heard, record_models, record_progress, record_result, record_seeds
from hyperlib.store.store import Store
from hyperlib.study.parameters import check_parameters
from hyperlib.thesis import published
from hyperlib.thesis.committed import committed_table
from hyperlib.thesis.profiles import check_profile
from hyperlib.thesis.recipes import zoo_recipe
from hyperlib.thesis.zoo_recipe import ZooRecipe
from hyperlib.weightspace.architectures import tetris_mlp
from hyperlib.weightspace.values import is_whole
from hyperlib.zoos.engines.choice import resolve_engine
from hyperlib.zoos.population import train_population
from hyperlib.zoos.zoo import Samples, Zoo

FIRST_SPLIT = 42  # as released
CHECKPOINTS = 16  # of each model, our choice (as in chapter 3)
_MAKERS = ["hyperlib.zoos.population", "hyperlib.zoos.zoo_files"]


class Study:
    """The book's experiments at one profile (`quick`, `laptop` or `paper`).

    store: folder of made zoos, else `HYPERLIB_STORE` or `_build/store`. engine and device: of the zoos' training, by
    default a GPU where PyTorch finds one and the profile is `paper`, else the CPU; engine "ray" makes on a cluster the
    entries that this machine would. Raises ValueError for an unknown profile, and inside a notebook for an unknown
    notebook parameter.
    """

    def __init__(
        self, profile: str, *, store: Path | str | None = None, engine: str = "auto", device: str | None = None
    ) -> None:
        check_parameters()
        self.profile = check_profile(profile)
        self.store = Store(store)
        resolve_engine(engine, tetris_mlp())  # an unknown name is refused now, not when a zoo is due
        self.engine = engine
        self.device = device or ("cuda" if profile == "paper" and torch.cuda.is_available() else "cpu")
        use_house_style()

    def __repr__(self) -> str:
        return f"Study({self.profile!r})"

    def recipe(self, name: str) -> ZooRecipe:
        """The recipe of a zoo at this profile."""
        return zoo_recipe(name, self.profile)

    def zoo(self, name: str, models: int | None = None) -> Zoo:
        """The zoo of that name, grown now if the store does not have it. A killed run goes on where it stopped.

        models: only the first so many of it; each is the same to the bit as in the whole zoo where the numba engine
        trains it. Raises ValueError for a name without a recipe at this profile and FileNotFoundError for images that
        are not to be had; both say what to do.
        """
        return Zoo.load(self.zoo_entry(name, models) / "zoo")

    def zoo_entry(self, name: str, models: int | None = None) -> Path:
        """Folder of the store's entry of a zoo, grown now if need be; arguments and errors as in `zoo`."""
        recipe = self.recipe(name)
        if models is not None:
            if not is_whole(models, 1):
                raise ValueError(f"models is a whole number from 1 on, or None for all of {name}, not {models!r}.")
            recipe = replace(recipe, models=min(int(models), len(recipe.design)))
        record_seeds(recipe.name, recipe.seeds)
        record_models(recipe.name, len(recipe.design))
        images = recipe.images.load()
        ingredients = recipe.ingredients | {"images": images.checksum}
        engine = resolve_engine(self.engine, recipe.architecture, self.device)
        made_by = engine if self.device == "cpu" else f"{engine}-{self.device}"

        def grow(folder: Path) -> None:
            if not (folder / "zoo").exists():
                train_population(
                    recipe.architecture,
                    images,
                    recipe.design,
                    epochs=recipe.epochs,
                    batch_size=recipe.batch_size,
                    clean=recipe.clean,
                    engine=self.engine,
                    device=self.device,
                    checkpoint=folder / "training",
                    progress=partial(record_progress, f"growing {recipe.name}") if heard() else True,
                ).save(folder / "zoo")
            shutil.rmtree(folder / "training", ignore_errors=True)

        return self.store.make("zoos", recipe.name, ingredients, grow, _MAKERS, made_by, self.profile)

    def parts(self, name: str, epochs: int = CHECKPOINTS, *, split: int = 0) -> tuple[Samples, Samples, Samples]:
        """Training, validation and test checkpoints: 70/15/15 by model, so many evenly spaced epochs of each.

        split: the zoo's first split is that of the released code (seed 42), split 1 has seed 43, and so on. Where the
        recipe says so, models of one seed stay together, and checkpoints with a larger weight are left out.
        """
        recipe = self.recipe(name)
        parts, largest = self.zoo(name).split(seed=FIRST_SPLIT + split, by=recipe.split_by), recipe.largest
        train, val, test = (part.spread(epochs) for part in parts)
        if largest is None:
            return train, val, test
        return tuple(part.take((part.weights.abs().amax(1) <= largest).numpy()) for part in (train, val, test))

    def publish(self, artefact_id: str, table: pd.DataFrame, part: str | None = None) -> pd.DataFrame:
        """Write a page's table as `<artefact id>[.<part>].csv` of this profile and give it back to be shown.

        Numbers keep eight significant digits. Raises ValueError for an id that the thesis data do not have and OSError,
        with the remedy, where the file cannot be written.
        """
        published.check_artefact(artefact_id)
        folder = paths.results_folder(self.profile)
        file = folder / _file_name(artefact_id, part)
        text = table.to_csv(index=False, float_format="%.8g", lineterminator="\n")
        with _writable(folder):
            write_whole(file, text)
        record_result(file)
        table.attrs |= {paths.CSV: f"{self.profile}/{file.name}", paths.COLUMNS: list(table.columns)}
        return table

    def committed(self, artefact_id: str, part: str | None = None, *, profile: str) -> pd.DataFrame:
        """The table that the last promoted run at another profile published under this name, from `book/results`.

        For what a laptop cannot make; a page says whose numbers these are. Raises FileNotFoundError where none is.
        """
        published.check_artefact(artefact_id)
        file = paths.committed_folder(check_profile(profile)) / _file_name(artefact_id, part)
        run = f"run the page, or the command that it names, with profile {profile}"
        return committed_table(file, f"{run}, and then `make results PROFILE={profile}`.")

    def beside_thesis(self, artefact_id: str, ours: pd.DataFrame, on: list[str], value: str = "value") -> pd.DataFrame:
        """Our numbers beside the published ones of the same artefact, joined by the columns `on`.

        Both in our unit, fractions. See `published.beside`; rows that only one side has stay, with the source of the
        published number.
        """
        return published.beside(ours, published.as_fractions(published.published(artefact_id)), on, value)


def _file_name(artefact_id: str, part: str | None) -> str:
    if part is not None and not re.fullmatch(r"[a-z0-9_-]+", part):
        raise ValueError(f"{part!r} cannot name a part of {artefact_id}: use small letters, digits, - and _.")
    return f"{artefact_id}.csv" if part is None else f"{artefact_id}.{part}.csv"


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(
            f"Results cannot be written to {folder} ({error.strerror}); free space or rights there, or set "
            "HYPERLIB_RESULTS to another folder."
        ) from error
