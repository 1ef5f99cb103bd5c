"""The book with other recipes: more or fewer models of a zoo, or epochs. For commands, and where a page needs more."""

from __future__ import annotations

from typing import Any

from hyperlib.study.study import Study
from hyperlib.thesis.zoo_recipe import ZooRecipe


class Resized(Study):
    """A study whose recipes are changed as `ZooRecipe.but` changes them, on the CPU where no device is named.

    changes: of every recipe that is asked for, such as `seeds=2000` or `models=128, epochs=25`.
    """

    def __init__(self, profile: str, device: str = "cpu", **changes: Any) -> None:
        super().__init__(profile, device=device)
        self.changes = changes

    def recipe(self, name: str) -> ZooRecipe:
        return super().recipe(name).but(**self.changes)
