"""What every network has here, whether it is a list of layers or a module that was traced."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from hyperlib.weightspace.layout import Layout, Slot
from hyperlib.weightspace.units.structure import UnitStructure


class BaseArchitecture(ABC):
    """A network without its weights: where they stand, which units they belong to, and how it runs with some.

    name: for messages and files. activation: the nonlinearity that may be exchanged, "" where none can. num_classes:
    numbers that one input gives, for most the width of one row of class scores. activations_per_input: numbers that
    the forward pass of one input makes in one model.
    """

    name: str
    activation: str
    num_classes: int
    activations_per_input: int

    @property
    @abstractmethod
    def layout(self) -> Layout:
        """Where every weight stands in the flat vector."""

    @property
    @abstractmethod
    def structure(self) -> UnitStructure:
        """Groups of units that may change places, signals that may have factors, and where both stand."""

    @abstractmethod
    def logits(self, weights: Float[Tensor, "..."], images: Any) -> Float[Tensor, "..."]:
        """Outputs of one model, weights [params], or of a population, weights [models, params], in evaluation mode."""

    @abstractmethod
    def trial_weights(self, models: int, seed: int = 0) -> Float[Tensor, "models params"]:
        """Random float64 weights in which no part is trivial, for tries whether a move keeps the function."""

    @abstractmethod
    def module(self, weights: Float[Tensor, " params"]) -> nn.Module:
        """One model as an ordinary PyTorch module."""

    @abstractmethod
    def with_activation(self, activation: str) -> BaseArchitecture:
        """The same network with another nonlinearity."""

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The layout's slots."""
        return self.layout.slots

    @property
    def num_weights(self) -> int:
        """Learned weights, as published counts have it; `layout.size` also counts running statistics of norms."""
        return sum(slot.size for slot in self.slots if slot.learned)


def require_architecture(given: object, who: str) -> None:
    """TypeError, with what to do, unless this is a network whose units are known."""
    if isinstance(given, BaseArchitecture):
        return
    if isinstance(given, Layout):
        what = "a Layout, which says where weights stand but not which units they belong to"
    elif isinstance(given, nn.Module):
        what = f"the module {type(given).__name__}"
    else:
        what = f"an object of type {type(given).__name__}"
    raise TypeError(
        f"{who} needs an Architecture, and got {what}. hyperlib.from_module(module, example_inputs) makes one of any "
        "PyTorch module."
    )
