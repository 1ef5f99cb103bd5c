"""Parts of a study's zoo, by its name, with all networks laid on one of them (see `zoos.aligned`)."""

from __future__ import annotations

from collections.abc import Sequence

from hyperlib.study.study import CHECKPOINTS, FIRST_SPLIT, Study
from hyperlib.zoos.aligned import aligned
from hyperlib.zoos.zoo import Samples


def aligned_parts(
    study: Study, name: str, epochs: Sequence[int] | None = None, *, split: int = 0
) -> tuple[Samples, Samples, Samples]:
    """Training, validation and test checkpoints, split as by `Study.parts`, all laid on the first training model.

    epochs: those that are wanted, or evenly spaced ones. The recipe's largest weight counts. Raises ValueError for a
    zoo of several activations.
    """
    recipe = study.recipe(name)
    parts = study.zoo(name).split(seed=FIRST_SPLIT + split, by=recipe.split_by)
    try:
        return aligned(parts, largest=recipe.largest, epochs=epochs, checkpoints=CHECKPOINTS)
    except ValueError as error:
        error.add_note(f"The zoo is {name}.")
        raise


def comparable_parts(study: Study, name: str, *, split: int = 0) -> tuple[Samples, Samples, Samples]:
    """Evenly spaced checkpoints of the parts: aligned where that is possible, else as they are."""
    return aligned_parts(study, name, split=split) if alignable(study, name) else study.parts(name, split=split)


def alignable(study: Study, name: str) -> bool:
    """Whether all networks of a zoo have one activation."""
    return study.recipe(name).design["activation"].nunique() == 1
