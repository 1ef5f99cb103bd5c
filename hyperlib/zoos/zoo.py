"""A zoo is one tensor and one table.

`weights [models, epochs, params]` holds every checkpoint, `table` one row per (model, epoch) with the generating
factors and the measured properties. Trained, sampled, fine-tuned and downloaded populations all have this form.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import EllipsisType

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor, nn

from hyperlib.weightspace.base import BaseArchitecture, require_architecture
from hyperlib.weightspace.values import as_tensor, is_whole
from hyperlib.zoos.design import COLUMNS
from hyperlib.zoos.zoo_files import read_zoo, write_zoo

Whole = int | np.integer
Wholes = Sequence[Whole] | np.ndarray  # places of an axis, or epochs
Rows = Wholes | slice


@dataclass(frozen=True)
class Samples:
    """Checkpoints to learn from: `weights [samples, params]` and one row of `table` for each.

    All samples share an architecture up to its activation, which the table's column says.
    """

    weights: Float[Tensor, "samples params"]
    table: pd.DataFrame
    architecture: BaseArchitecture

    def __post_init__(self) -> None:
        require_architecture(self.architecture, "Samples")
        object.__setattr__(self, "weights", as_tensor(self.weights))
        self.architecture.layout.check(self.weights, self.architecture.name)
        if len(self.weights) != len(self.table):
            raise ValueError(f"{len(self.weights)} weight vectors came with a table of {len(self.table)} rows.")

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def shape(self) -> tuple[int, int]:
        """(samples, params), as scikit-learn asks of its inputs."""
        return len(self.weights), self.weights.shape[1]

    def __getitem__(self, rows: Rows | tuple[Rows, EllipsisType]) -> Samples:
        return self.take(rows[0] if isinstance(rows, tuple) else rows)  # scikit-learn asks for [rows, ...]

    def take(self, rows: Rows) -> Samples:
        """The chosen samples: integer places, a boolean mask or a slice."""
        places = np.array(np.arange(len(self))[rows])  # a copy: torch takes no reversed views
        picked = self.table.iloc[places].reset_index(drop=True)
        return Samples(self.weights[torch.from_numpy(places)], picked, self.architecture)


class Zoo:
    """A population of models of one architecture with all their checkpoints.

    weights: `[models, epochs, params]` float32, a tensor or a (memory-mapped) array. table: one row per (model, epoch),
    model by model in the order of the axes, with columns `model`, `epoch`, the design's and the measured properties.
    Raises ValueError when both do not fit together.
    """

    def __init__(
        self,
        architecture: BaseArchitecture,
        weights: Float[Tensor, "models epochs params"] | np.ndarray,
        table: pd.DataFrame,
    ) -> None:
        require_architecture(architecture, "A zoo")
        self.architecture = architecture
        self.weights = as_tensor(weights)
        self.table = table.reset_index(drop=True)
        self._check()

    def _check(self) -> None:
        if self.weights.ndim != 3 or self.weights.dtype != torch.float32 or self.weights.shape[1] == 0:
            kind = f"{self.weights.dtype} {tuple(self.weights.shape)}"
            raise ValueError(
                f"A zoo's weights are float32 [models, epochs, params] with an epoch at least, not {kind}."
            )
        self.architecture.layout.check(self.weights, self.architecture.name)
        models, epochs = self.weights.shape[:2]
        if len(self.table) != models * epochs:
            raise ValueError(
                f"{models} models x {epochs} epochs need {models * epochs} table rows, not {len(self.table)}."
            )
        if missing := [name for name in ("model", "epoch", "activation") if name not in self.table]:
            raise ValueError(f"The zoo's table lacks the column {missing[0]!r}.")
        for name in ("model", "epoch"):
            if not pd.api.types.is_integer_dtype(self.table[name]):
                raise ValueError(f"The zoo's column {name!r} must hold whole numbers, not {self.table[name].dtype}.")
        ids = self.table["model"].to_numpy().reshape(models, epochs)
        steps = self.table["epoch"].to_numpy().reshape(models, epochs)
        repeated = len(np.unique(ids[:, 0])) != models or len(np.unique(steps[:1])) != min(models, 1) * epochs
        if (ids != ids[:, :1]).any() or (steps != steps[:1]).any() or repeated:
            raise ValueError("The zoo's table must go model by model, each with the same epochs in the same order.")

    def __len__(self) -> int:
        return self.weights.shape[0]

    def __repr__(self) -> str:
        models, epochs, params = self.weights.shape
        return f"Zoo({self.architecture.name}: {models} models x {epochs} epochs x {params} weights)"

    @property
    def models(self) -> np.ndarray:
        """Model numbers, in the order of the first axis."""
        return self.table["model"].to_numpy().reshape(self.weights.shape[:2])[:, 0]

    @property
    def epochs(self) -> np.ndarray:
        """Epochs kept, in the order of the second axis."""
        return self.table["epoch"].to_numpy()[: self.weights.shape[1]]

    @property
    def design(self) -> pd.DataFrame:
        """One row of generating factors per model."""
        first = self.table.iloc[:: self.weights.shape[1]]
        return first[["model", *(name for name in COLUMNS if name in first)]].reset_index(drop=True)

    def samples(self, epochs: Whole | Wholes | None = None, *, diverged: bool = False) -> Samples:
        """Checkpoints of the given epochs (all without), model by model; diverged ones only if asked for.

        Where every checkpoint is wanted, the weights are not copied but those of the zoo.
        """
        wanted = self.epochs if epochs is None else np.atleast_1d(np.asarray(epochs))
        if absent := sorted(set(wanted.tolist()) - set(self.epochs.tolist())):
            raise ValueError(f"Epoch {absent[0]} was not kept; this zoo has {_range(self.epochs)}.")
        rows = self.table["epoch"].isin(wanted).to_numpy()
        if not diverged and "diverged" in self.table:
            rows = rows & ~self.table["diverged"].to_numpy(dtype=bool)
        weights = self.weights.flatten(0, 1)
        weights = weights if rows.all() else weights[torch.from_numpy(np.flatnonzero(rows))]
        return Samples(weights, self.table[rows].reset_index(drop=True), self.architecture)

    def spread(self, count: int = 16) -> Samples:
        """Checkpoints of at most `count` epochs, evenly spaced from the first kept to the last."""
        places = np.linspace(0, self.weights.shape[1] - 1, min(count, self.weights.shape[1])).round().astype(int)
        return self.samples(self.epochs[np.unique(places)] if len(self) else None)

    def take(self, models: Wholes) -> Zoo:
        """The zoo of the models at these places of the first axis."""
        places = np.array(np.arange(len(self))[models])
        rows = (places[:, None] * self.weights.shape[1] + np.arange(self.weights.shape[1])).ravel()
        return Zoo(self.architecture, self.weights[torch.from_numpy(places)], self.table.iloc[rows])

    def split(
        self, parts: tuple[float, ...] = (0.7, 0.15, 0.15), seed: Whole = 42, *, by: str = "model"
    ) -> tuple[Zoo, ...]:
        """Parts of the zoo by model, so that no model is in two of them.

        Model places are shuffled by Python's `random` with `seed`, as the released code does (seed 42, 70/15/15); the
        last part takes what rounding leaves. `by` names another column of the design whose equal values stay together:
        "seed" for zoos with fixed seeds, where models of one seed begin as the same network (our addition). A part that
        rounding would leave empty gets one from the largest; ValueError where there are not enough for that.
        """
        if not parts or min(parts) < 0 or abs(sum(parts) - 1) > 1e-6:
            raise ValueError(f"The parts of a split are shares that add up to 1, not {parts}.")
        if by not in self.design:
            raise ValueError(f"There is no column {by!r} to split by; the design has {', '.join(self.design.columns)}.")
        unit, names = pd.factorize(self.design[by])
        order = list(range(len(names)))
        if not is_whole(seed):
            raise ValueError(f"The seed of a split is a whole number, not {seed!r}.")
        if len(order) < (needed := sum(part > 0 for part in parts)):
            raise ValueError(
                f"{len(order)} different values of {by!r} cannot be split into {needed} parts; take fewer parts or "
                "more models."
            )
        random.Random(int(seed)).shuffle(order)
        ends = [round(len(order) * sum(parts[: number + 1])) for number in range(len(parts))]
        sizes = np.diff([0, *ends[:-1], len(order)])
        for empty in [number for number, part in enumerate(parts) if part > 0 and not sizes[number]]:
            sizes[sizes.argmax()] -= 1
            sizes[empty] = 1
        members = np.split(np.array(order, dtype=int), sizes.cumsum()[:-1])
        return tuple(self.take(np.flatnonzero(np.isin(unit, part))) for part in members)

    def module(self, model: Whole, epoch: Whole) -> nn.Module:
        """One checkpoint as an ordinary `torch.nn.Module`: `model` is a place of the first axis, `epoch` one kept."""
        if not 0 <= model < len(self):
            raise ValueError(f"There is no model {model}; this zoo has {len(self)} models, counted from 0.")
        found = np.flatnonzero(self.epochs == epoch)
        if not len(found):
            raise ValueError(f"Epoch {epoch} was not kept; this zoo has {_range(self.epochs)}.")
        activation = str(self.table["activation"].iloc[model * self.weights.shape[1]])
        return self.architecture.with_activation(activation).module(self.weights[model, int(found[0])])

    def save(self, folder: str | Path) -> Path:
        """Write the zoo to a new folder (see `zoos.zoo_files`); a killed write leaves nothing behind that loads."""
        if not len(self):
            raise ValueError("This zoo has no models, so there is nothing to save.")
        return write_zoo(Path(folder), self.architecture, self.weights, self.table)

    @classmethod
    def load(cls, folder: str | Path, *, check: bool = True) -> Zoo:
        """Read a zoo; its weights stay on disk and are mapped (what you write into them never reaches the disk).

        check: compare all contents with their checksums; without, a zoo of any size opens at once (see `read_zoo`).
        Raises FileNotFoundError where there is none, ValueError for damaged or foreign files, and OSError for files
        that cannot be read now.
        """
        parts = read_zoo(Path(folder), check=check)
        try:
            return cls(*parts)
        except ValueError as error:
            raise ValueError(f"{folder} holds no zoo: {error}") from error


def _range(epochs: np.ndarray) -> str:
    if len(epochs) > 4 and (np.diff(epochs) == 1).all():
        return f"epochs {epochs[0]} to {epochs[-1]}"
    return "epochs " + ", ".join(map(str, epochs.tolist()))
