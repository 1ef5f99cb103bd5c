"""Whatever layers stand in a list, in whatever order: a move that is offered keeps the function of the plain module.

No move of a list of layers is tried when it is made, so what is derived has to be right by itself.
"""

from __future__ import annotations

import random

import pytest
import torch

from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.layer import Layer
from hyperlib.weightspace.layers import (
    Activation,
    Add,
    AveragePool,
    Conv,
    Flatten,
    GlobalAveragePool,
    Identity,
    LayerNorm,
    Linear,
    MaxPool,
    Norm,
    PadChannels,
    PReLU,
)
from hyperlib.weightspace.symmetry import (
    permutation_index,
    random_permutations,
    random_scales,
    random_signs,
    unit_factors,
)

KINDS = ["conv", "conv", "grouped", "grouped", "pad", "pad", "add", "add", "act", "norm", "over all", "slopes", "pool"]
MAKES = 400


class Draft:
    """A list of layers that grows by what fits."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.image = (self.draw.choice([1, 2, 3, 4, 6]), self.draw.choice([2, 4, 5]), self.draw.choice([2, 3, 4]))
        self.shape, self.group, self.layers = self.image, "image", []
        self.named: dict[str, tuple[tuple[int, ...], str]] = {}
        self.widths: dict[str, int] = {}

    def put(self, layer: Layer) -> None:
        """One more layer; ValueError where it does not fit."""
        self.shape = layer.shape(self.shape)
        if layer.writes:
            self.group = layer.units or layer.name
            self.widths.setdefault(self.group, self.shape[0])
        self.layers.append(layer)
        self.named[layer.name] = self.shape, self.group

    def some(self) -> None:
        """One more layer of a random kind, if one of it fits here."""
        draw, name, channels = self.draw, f"layer{len(self.layers)}", self.shape[0]
        match draw.choice(KINDS):
            case "conv" | "grouped" as kind:
                divisors = [d for d in range(1, channels + 1) if channels % d == 0]
                groups = draw.choice(divisors) if kind == "grouped" else 1
                units, width = self._units(name, groups * draw.choice([1, 2, 3, 4]), groups)
                side = draw.choice([1, 1, 2, 3])
                self.put(Conv(name, None, units, width, side, 1, side // 2, draw.random() < 0.7, groups=groups))
            case "pad":
                before = draw.choice([0, 0, 1, 2])
                units, width = self._units(name, channels + before + draw.choice([0, 1, 2]), 1)
                self.put(PadChannels(name, None, units, width, draw.choice([1, 1, 2]), before))
            case "add":
                like = [one for one, (shape, group) in self.named.items() if (shape, group) == (self.shape, self.group)]
                self.put(Add(name, other=draw.choice(like)))
            case "act":
                kind = draw.choice(["tanh", "relu", "gelu", "sine", None])
                self.put(Activation(name, kind=kind, frequency=3.0 if kind == "sine" else 1.0))
            case "norm":
                self.put(Norm(name))
            case "over all":
                self.put(LayerNorm(name))
            case "slopes":
                self.put(PReLU(name, shared=draw.random() < 0.5))
            case "pool":
                self.put(draw.choice([MaxPool, AveragePool])(name, kernel=2, stride=1))

    def _units(self, name: str, width: int, groups: int) -> tuple[str, int]:
        """Units of its own, or those of an earlier layer."""
        fit = [units for units, other in self.widths.items() if other % groups == 0]
        if fit and self.draw.random() < 0.4:
            units = self.draw.choice(fit)
            return units, self.widths[units]
        return name, width


def made(seed: int) -> Architecture | None:
    """A random network of up to nine layers and a head; None where nothing came of it."""
    draft = Draft(seed)
    for _ in range(draft.draw.randint(3, 9)):
        try:
            draft.some()
        except (ValueError, IndexError):
            continue
    beside = draft.layers[-1].name if draft.layers and draft.draw.random() < 0.3 else ""
    flat = draft.draw.choice([Flatten, GlobalAveragePool])
    layers = [*draft.layers, Identity("end"), flat("flat"), Linear("head", units="classes", width=3)]
    heads = ("head",)
    if beside:
        layers += [Flatten("too", beside), Linear("second", units="answers", width=2)]
        heads = ("head", "second")
    try:
        return Architecture(f"random_{seed}", draft.image, tuple(layers), draft.draw.choice(["tanh", "relu"]), heads)
    except ValueError:
        return None


@torch.no_grad()
def answers(net: Architecture, weights: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """What the plain module says in float64."""
    module = net.module(weights.float()).double()
    module.load_state_dict(net.layout.unflatten(weights), strict=False)
    return module(images)


@pytest.mark.filterwarnings("ignore:The units")
@pytest.mark.parametrize("first", range(0, MAKES, 100))
@pytest.mark.slow
def test_every_move_of_a_random_network_keeps_the_function_of_its_plain_module(first):
    tried = 0
    for seed in range(first, first + 100):
        net = made(seed)
        if net is None:
            continue
        generator = torch.Generator().manual_seed(seed)
        weights = net.trial_weights(1, seed)
        images = torch.randn(3, *net.image, generator=generator, dtype=torch.float64)
        before = answers(net, weights[0], images)
        limit = 1e-8 * before.abs().max()
        moves = [weights.gather(-1, permutation_index(net, random_permutations(net, 1, generator), models=1))]
        for factors in (random_signs(net, 1, generator), random_scales(net, 1, generator)):
            for name, values in factors.items():
                moves.append(weights * unit_factors(net, {name: values.double()}, models=1))
        for moved in moves:
            assert (answers(net, moved[0], images) - before).abs().max() <= limit, f"{seed}: {net}"
        tried += len(moves)
    assert tried > 150
