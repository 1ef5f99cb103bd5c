"""What all copies of a network share: a canonical form, and a place where alignment finds them."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from test_symmetry import EVERY, some_images, some_weights
from torch.testing import assert_close
from toys import network

from hyperlib.weightspace.alignment import align
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.canonical import canonical_index, canonical_signs
from hyperlib.weightspace.layers import (
    Activation,
    AveragePool,
    Conv,
    Flatten,
    LayerNorm,
    Linear,
    Norm,
    PReLU,
)
from hyperlib.weightspace.symmetry import (
    orbit_size,
    permutation_index,
    random_permutations,
    random_signs,
    unit_factors,
)
from hyperlib.weightspace.symmetry_check import verify_symmetry


def grouped(activation: str = "tanh") -> Architecture:
    """Channels in groups: a depthwise convolution, one of four groups with a norm, a norm over all units."""
    layers = (
        *(Conv("conv1", width=8, kernel=3, padding=1), Activation()),
        *(Conv("depthwise", width=8, kernel=3, groups=8, padding=1), Activation()),
        *(Conv("grouped", width=12, kernel=3, groups=4, padding=1), Norm("norm"), Activation()),
        *(Conv("point", width=6, kernel=1), PReLU("slopes"), LayerNorm("layer_norm"), AveragePool(), Flatten()),
        Linear("fc", units="classes", width=3),
    )
    return Architecture("grouped", (2, 6, 6), layers, activation)


def siren() -> Architecture:
    """A sine network of two inputs, 1,185 weights."""
    layers = (
        *(Flatten(), Linear("a", width=32), Activation(), Linear("b", width=32), Activation()),
        Linear("c", units="out", width=1),
    )
    return Architecture("siren", (2, 1, 1), layers, "sine")


def moved(net: Architecture, weights: torch.Tensor, copies: int, generator: torch.Generator) -> torch.Tensor:
    """Copies of one network in random order and with random signs."""
    index = permutation_index(net, random_permutations(net, copies, generator), models=copies)
    return (weights * unit_factors(net, random_signs(net, copies, generator), models=copies)).gather(-1, index)


def canonical(net: Architecture, weights: torch.Tensor) -> torch.Tensor:
    return (weights * canonical_signs(net, weights)).gather(-1, canonical_index(net, weights))


# -- blocks ------------------------------------------------------------------------------------------------------------


def test_channels_of_a_grouped_convolution_stand_within_its_groups_and_move_with_them(generator):
    net = grouped()
    structure = net.structure

    assert sorted(structure.groups.values()) == [2, 3, 4, 6]  # read and written in each of 4 groups; the groups; points
    assert set(structure.within.values()) == {"conv1#1"} and structure.groups["conv1#1"] == 4
    assert orbit_size(net) == 24 * 2**4 * 6**4 * 720
    table = verify_symmetry(net, some_images(net, generator))
    assert table["holds"].eq(table["offered"]).all()


def test_every_block_has_an_order_of_its_own(generator):
    net = grouped()
    weights, images = some_weights(net, 2, generator), some_images(net, generator)
    inside = {"conv1#2": torch.rand(2, 4, 2, generator=generator).argsort(-1)}
    assert any(not torch.equal(inside["conv1#2"][:, 0], order) for order in inside["conv1#2"].unbind(1))

    turned = weights.gather(-1, permutation_index(net, inside))

    assert not torch.equal(turned, weights)
    assert_close(net.logits(turned, images), net.logits(weights, images))
    with pytest.raises(ValueError, match=r"int64 \[models, 4, 2\]"):
        permutation_index(net, {"conv1#2": torch.zeros(2, 2, dtype=torch.int64)})


# -- one form ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["tanh", "sine", "relu"])
@pytest.mark.parametrize("name", [*EVERY, "grouped", "siren"])
def test_all_copies_have_one_canonical_form_which_is_the_same_function(name, activation, generator):
    made = {"grouped": grouped, "siren": siren}.get(name)
    net = (made() if made else network(name)).with_activation(activation)
    weights, images = some_weights(net, 1, generator), some_images(net, generator)
    weights = weights - 1.1 * weights.mean()  # biases of both signs
    weights = torch.where(net.layout.learned, weights, weights.abs() + 0.5)

    form, of_copies = canonical(net, weights), canonical(net, moved(net, weights, 6, generator))

    assert_close(of_copies, form.expand_as(of_copies), rtol=1e-12, atol=1e-12)
    assert_close(net.logits(form, images), net.logits(weights, images))
    assert torch.equal(canonical(net, form), form)


# -- finding them ------------------------------------------------------------------------------------------------------


def test_by_default_alignment_finds_every_copy_of_an_orbit_with_signs_and_says_so(generator):
    for net, copies in ((siren(), 512), (grouped(), 40)):
        weights = net.initialise([0], "normal").double() * 0.3
        found = align(net, weights[0], moved(net, weights, copies, generator), signs=True)

        assert (found.distance <= 1e-4).all() and found.agreed.all()
        assert found.starts.float().mean() < 2  # the canonical start, where the given one is not enough
        alone = align(net, weights[0], moved(net, weights, copies, generator), signs=True, restarts=1)
        assert (alone.distance > 1e-4).any() and torch.equal(alone.agreed, alone.distance < 1e-6 * weights.norm())


def best_distance(net: Architecture, one: torch.Tensor, other: torch.Tensor) -> float:
    """The nearest of all orders of a network with two hidden layers, by going through those of the first."""
    a, b = ({name: value.numpy() for name, value in net.layout.unflatten(row).items()} for row in (one, other))
    kept, best = [part.size for part in a.values()], -np.inf
    for order in map(list, permutations(range(len(a["a.bias"])))):
        gain = (a["a.weight"] * b["a.weight"][order]).sum() + (a["a.bias"] * b["a.bias"][order]).sum()
        pairs = a["b.weight"] @ b["b.weight"][:, order].T + np.outer(a["b.bias"], b["b.bias"])
        pairs += a["c.weight"].T @ b["c.weight"]
        best = max(best, gain + pairs[linear_sum_assignment(pairs, maximize=True)].sum())
    assert sum(kept) == net.layout.size
    squares = float(one @ one + other @ other) - 2 * (best + (a["c.bias"] * b["c.bias"]).sum())
    return max(squares, 0) ** 0.5


@pytest.mark.slow
def test_five_starts_reach_the_best_of_all_orders_far_more_often_than_one():
    layers = (
        *(Flatten(), Linear("a", width=6), Activation(), Linear("b", width=6), Activation()),
        Linear("c", units="out", width=2),
    )
    net, best = Architecture("tiny", (3, 1, 1), layers), {1: 0, 5: 0, None: 0}
    for trial in range(30):
        one, other = net.initialise([2 * trial, 2 * trial + 1], "normal", bias=0.5).double()
        nearest = best_distance(net, one, other)
        for starts in best:
            distance = float(align(net, one, other[None], restarts=starts).distance[0])
            assert distance >= nearest - 1e-6
            best[starts] += distance < nearest + 1e-6
    assert best[5] >= 18 and best[None] >= 12 and best[1] <= 10


def test_networks_of_one_layer_agree_at_once_and_a_result_says_how_it_was_found(generator):
    layers = (Flatten(), Linear("a", width=9), Activation(), Linear("b", units="out", width=3))
    net = Architecture("one_layer", (4, 1, 1), layers)
    weights = net.initialise(range(6), "normal")
    found = align(net, weights[0], weights)

    assert found.agreed.all() and found.starts[0] == 1 and (found.starts[1:] == 3).all()  # a single assignment is exact
    assert (align(net, weights[0], weights, restarts=4).starts == 4).all()
