"""Every zoo that can be grown, by name: the book's own (`book_zoos`) and the thesis's (`published_zoos`)."""

from __future__ import annotations

import pandas as pd

from hyperlib.thesis import published
from hyperlib.thesis.book_zoos import BOOK_ZOOS
from hyperlib.thesis.profiles import check_profile
from hyperlib.thesis.published_zoos import published_recipe, why_not
from hyperlib.thesis.zoo_recipe import ZooRecipe


def zoo_recipe(name: str, profile: str) -> ZooRecipe:
    """The recipe of that name at that profile.

    `name` is one of `BOOK_ZOOS`, or a zoo of the thesis by its id (`fmnist-seed` or `fmnist_seed`), which has its own
    size and therefore a recipe at `paper` only. Raises ValueError for unknown names and profiles, for a zoo of the
    thesis of which the sources leave values open, and where a zoo has no recipe at this profile.
    """
    check_profile(profile)
    at = BOOK_ZOOS.get(name.replace("-", "_"), {})
    if not at or (profile == "paper" and profile not in at):
        zoo_id, ids = name.replace("_", "-"), published.zoos()["id"].tolist()
        published.known(zoo_id, dict.fromkeys([*(own.replace("_", "-") for own in BOOK_ZOOS), *ids]), "zoo")
        at = at | ({"paper": published_recipe(zoo_id)} if zoo_id in ids else {})
    if profile not in at:
        least = next(iter(at.values()))
        size = f"{len(least.design):,} models of {least.architecture.num_weights:,} weights"
        raise ValueError(f"{name} has a recipe at the profile {' and '.join(at)} only ({size}), not at {profile}.")
    return at[profile]


def all_zoos() -> pd.DataFrame:
    """Every zoo of the thesis with what the companion can do about it: `recipe` is "yes" or the reason why not."""
    table = published.zoos()
    book = {recipe.thesis: name for name, at in BOOK_ZOOS.items() for recipe in at.values()}
    table["recipe"] = [
        f"yes, in the book ({book[zoo_id]})" if zoo_id in book else why_not(published.zoo_record(zoo_id)) or "yes"
        for zoo_id in table["id"]
    ]
    return table
