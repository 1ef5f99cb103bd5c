"""How much arithmetic a network asks for, counted from its layers before anything runs.

A zoo's cost is mostly multiplying and adding, so its price can be known before it is paid, and a measured speed can be
set beside what the machine's matrix multiplication reaches. Only matrix products count (convolutions and linear
layers); activations, pools, norms and optimiser steps are left out, as in the usual counts. So a fraction of the peak
that is computed from them is a lower bound of what the processor does.

Source: definition of the layers; a test counts the same on PyTorch's own operations.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from hyperlib.weightspace.architecture import Architecture, Step
from hyperlib.weightspace.layers import Conv, Linear


@dataclass(frozen=True)
class Work:
    """Multiply-adds for one image in one model; each is two floating-point operations."""

    forward: int  # one evaluation
    training: int  # forward, gradients of the weights and of the activations

    def operations(self, models: int, epochs: int, train: int, test: int, *, clean: int) -> int:
        """Floating-point operations of a whole zoo: all training steps, and the evaluations.

        Of so many test images before the first and after every epoch, and `clean` times of all training images.
        """
        evaluated = ((epochs + 1) * test + clean * train) * self.forward
        return 2 * models * (epochs * train * self.training + evaluated)


def multiply_adds(architecture: Architecture) -> Work:
    """Exact count from the layers' shapes; zero padding counts like any other value.

    The gradient of the weights costs as much as the forward product, and so does that of a layer's inputs. Inputs that
    depend on no weight (the images, and what only pools or flattens them) need no gradient.
    """
    products = [_products(step) for step in architecture.steps]
    turned = sum(count for count, step in zip(products, _fed_by_weights(architecture), strict=True) if step)
    return Work(sum(products), 2 * sum(products) + turned)


def _products(step: Step) -> int:
    """Multiply-adds of one layer's forward product."""
    if not isinstance(step.layer, Conv | Linear):
        return 0
    places = prod(step.outputs[1:])  # each weight multiplies once at every place of the output
    return prod(step.layer.parameters(step.inputs)["weight"]) * places


def _fed_by_weights(architecture: Architecture) -> list[bool]:
    """For each layer, whether what it reads depends on weights, so that a gradient must pass through it."""
    fed: list[bool] = []
    learns: list[bool] = []  # the same of what it gives
    for step in architecture.steps:
        sources = [place for place in (step.source, step.other) if place is not None and place >= 0]
        fed.append(any(learns[place] for place in sources))
        learns.append(fed[-1] or bool(step.layer.parameters(step.inputs)))
    return fed
