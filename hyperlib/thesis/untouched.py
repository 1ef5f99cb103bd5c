"""What is asked of the zoo that no choice of chapter 4 has seen, written down before it was grown.

Settings are chosen on validation models, but zoos, methods and questions were chosen by those who had seen the other
zoos' results. So the last questions go to a zoo of other images, and were put into a file first, with all settings that
matter; the file's history shows when. A change of one of them since then makes the answer worthless, so it is an error.

Source: our choice, after preregistration in other sciences.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import torch

from hyperlib.representations.behaviour import Probing
from hyperlib.thesis.book_representations import learned_inputs, representation_recipe
from hyperlib.thesis.published import thesis_data
from hyperlib.thesis.recipes import zoo_recipe

FILE = "untouched.yml"


@dataclass(frozen=True)
class Untouched:
    """A zoo by name, and for each question (first reading, second reading, target)."""

    zoo: str
    questions: tuple[tuple[str, str, str], ...]


def untouched() -> Untouched:
    """The zoo and the questions of `book/thesis/untouched.yml`.

    Raises ValueError where settings are no longer what they were when the questions were written down.
    """
    frozen = thesis_data(FILE)
    then, now = frozen["settings"], settings(frozen["zoo"])
    if changed := [name for name in {**then, **now} if now.get(name) != then.get(name)]:
        raise ValueError(f"The questions to {frozen['zoo']} were asked with another {changed[0]!r}; see {FILE}.")
    return Untouched(frozen["zoo"], tuple(tuple(question) for question in frozen["questions"]))


def settings(zoo: str) -> dict[str, Any]:
    """What the laptop run's answers depend on, in the file's words: zoo, encoder and answers, each with its defaults.

    The design of the zoo stands for its factors, as a checksum. How scores are made (probes, splits, intervals) is
    code, and not in here.
    """
    recipe, images = zoo_recipe(zoo, "laptop"), torch.zeros(1, 1, 1, 1)
    ours = representation_recipe(zoo, "laptop").estimator(0).get_params(deep=False)
    answers = Probing(images, **learned_inputs(zoo, "laptop")).get_params(deep=False)
    return {
        "network": recipe.architecture_name,
        "images": f"{recipe.images.name}, {recipe.images.size}, grey" if recipe.images.grey else recipe.images.name,
        "design": sha256(recipe.design.to_csv(index=False).encode()).hexdigest()[:16],
        "models": len(recipe.design),
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "largest": recipe.largest,
        "ours": {name: _plain(value) for name, value in ours.items() if name not in ("architecture", "device", "seed")},
        "answers": {name: value for name, value in answers.items() if name not in ("images", "inputs", "seed")},
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
