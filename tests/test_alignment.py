"""Alignment finds what was moved, never makes the distance larger, and each network by itself."""

from __future__ import annotations

from itertools import combinations
from itertools import permutations as all_orders

import pytest
import torch
from test_symmetry import FREE, some_images, some_weights
from torch import Tensor
from torch.testing import assert_close
from toys import network

from hyperlib.tasks.recovery import blocks_only, coupled_residual, planted_recovery
from hyperlib.weightspace import alignment
from hyperlib.weightspace.alignment import align
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.architectures import architecture as by_name
from hyperlib.weightspace.layers import Activation, Flatten, Linear
from hyperlib.weightspace.symmetry import permutation_index, random_permutations, random_signs, unit_factors

MOVABLE = [name for name in FREE if network(name).hidden]


def copies(net: Architecture, weights: Tensor, models: int, generator: torch.Generator) -> Tensor:
    """Randomly permuted copies of one network."""
    orders = random_permutations(net, models, generator)
    return weights.expand(models, -1).gather(-1, permutation_index(net, orders))


def mlp(activation: str) -> Architecture:
    """Two hidden layers of 12 and 9 units with biases."""
    layers = (
        *(Flatten(), Linear("fc1", width=12), Activation(), Linear("fc2", width=9), Activation()),
        Linear("fc3", units="classes", width=4),
    )
    return Architecture("mlp", (1, 3, 3), layers, activation)


@pytest.mark.parametrize("name", MOVABLE)
@pytest.mark.parametrize("method", ["weights", "activations"])
def test_a_random_permutation_is_found_back_exactly(name, method, generator):
    net = network(name)
    weights = 0.1 * some_weights(net, 1, generator).float()  # small, or units of wide layers saturate alike
    moved = copies(net, weights, 3, generator)
    images = torch.randn(50, *net.image, generator=generator) if method == "activations" else None

    found = align(net, weights[0], moved, method=method, images=images)

    assert (found.weights == weights).all() and (found.distance == 0).all()
    assert (found.distance_before > 0.1).any()
    assert torch.equal(found.apply(moved), found.weights)


@pytest.mark.parametrize("activation", ["tanh", "sine"])
def test_with_signs_an_orbit_of_permuted_and_flipped_networks_collapses(activation, generator):
    net = mlp(activation)
    weights = some_weights(net, 1, generator).float()
    flipped = weights * unit_factors(net, random_signs(net, 20, generator))
    moved = copies(net, flipped, 20, generator)

    with_signs, without = (align(net, weights[0], moved, restarts=5, signs=signs) for signs in (True, False))

    assert (with_signs.distance <= 1e-4).all() and (without.distance > 1).all()
    assert torch.cdist(with_signs.weights, with_signs.weights).max() <= 1e-4
    assert_close(with_signs.apply(moved), with_signs.weights)
    images = torch.randn(50, *net.image, generator=generator)
    by_answers = align(net, weights[0], moved, method="activations", images=images, signs=True)
    assert (by_answers.distance <= 1e-4).all()


@pytest.mark.parametrize("name", MOVABLE)
def test_alignment_keeps_the_function_and_never_moves_away(name, generator):
    net = network(name)
    weights, images = some_weights(net, 4, generator), some_images(net, generator)
    for signs in (False, True):
        found = align(net, weights[0], weights, signs=signs)

        assert_close(net.logits(found.weights, images), net.logits(weights, images))
        assert found.distance[0] == 0 == found.distance_before[0]
        assert (found.distance[1:] < found.distance_before[1:]).all()


def test_one_hidden_layer_is_aligned_to_the_best_of_all_orders(generator):
    net = by_name("tetris_mlp")
    weights = torch.randn(6, 100, generator=generator)
    index = permutation_index(net, {"fc1": torch.tensor(list(all_orders(range(5))))})

    found = align(net, weights[0], weights[1:])

    for row, distance in zip(weights[1:], found.distance, strict=True):
        every = (row.expand(120, -1).gather(-1, index) - weights[0]).double().norm(dim=1)
        assert_close(distance, every.min(), check_dtype=False)


@pytest.mark.parametrize("name", ["digits_cnn", "residual_net", "small_resnet_1ch"])
def test_no_exchange_of_two_units_brings_an_aligned_network_nearer(name, generator):
    net = network(name)
    weights = some_weights(net, 2, generator)
    learned = net.layout.learned
    found = align(net, weights[0], weights[1:])

    for group, width in net.hidden.items():
        pairs = list(combinations(range(width), 2))
        orders = torch.arange(width).repeat(len(pairs), 1)
        for row, (one, other) in enumerate(pairs):
            orders[row, [one, other]] = orders[row, [other, one]]
        nearby = found.weights.expand(len(pairs), -1).gather(-1, permutation_index(net, {group: orders}))
        assert ((nearby - weights[0])[:, learned].norm(dim=1) >= found.distance[0] - 1e-9).all()


def test_a_network_is_aligned_alike_in_any_company(generator, monkeypatch):
    net = by_name("digits_cnn")
    weights = torch.randn(9, net.layout.size, generator=generator)
    together = align(net, weights[0], weights[1:], restarts=3)
    alone = [align(net, weights[0], row[None], restarts=3) for row in weights[1:]]
    monkeypatch.setattr(alignment, "_CHUNK", 1)
    in_pieces = align(net, weights[0], weights[1:].flip(0), restarts=3)

    assert torch.equal(together.weights, torch.cat([one.weights for one in alone]))
    assert torch.equal(together.weights, in_pieces.weights.flip(0))


def test_more_starts_are_never_worse_and_sometimes_better(generator):
    net = by_name("digits_cnn")
    weights = torch.randn(12, net.layout.size, generator=generator)
    one, several = (align(net, weights[0], weights[1:], restarts=starts) for starts in (1, 6))

    assert (several.distance <= one.distance).all() and (several.distance < one.distance).any()


def test_running_statistics_move_along_and_are_not_compared(generator):
    net = network("residual_net")
    weights = some_weights(net, 1, generator).float()
    moved = copies(net, weights, 2, generator)
    far = moved.clone()
    far[:, ~net.layout.learned] += 100

    found, shifted = align(net, weights[0], moved), align(net, weights[0], far)

    assert torch.equal(found.index, shifted.index) and (shifted.distance == 0).all()


def test_a_unit_that_always_answers_the_same_does_not_stop_activation_matching(generator):
    net = by_name("tetris_mlp")
    weights = torch.randn(1, 100, generator=generator)
    net.layout.unflatten(weights)["fc1.weight"][0, 2] = 0

    found = align(
        net, weights[0], copies(net, weights, 4, generator), method="activations",
        images=torch.randn(40, 1, 4, 4, generator=generator),
    )  # fmt: skip

    assert (found.distance == 0).all()


def test_a_second_start_finds_what_one_descent_misses():
    table = planted_recovery([(3, 5)], restarts=(1, 2), trials=30).set_index("restarts")["found"]

    assert 0.5 < table[1] < 1 and table[2] > table[1]
    assert coupled_residual(3, 5).hidden == {"stream": 3, "block1.down": 5, "block2.down": 5}
    assert blocks_only(coupled_residual(3, 5), 1, 0)[0, :6].eq(0).all()


@pytest.mark.slow
@pytest.mark.parametrize(("widths", "least"), [((3, 5), 0.95), ((30, 50), 0.75)])
def test_ten_starts_find_planted_permutations_of_coupled_streams(widths, least):
    table = planted_recovery([widths], restarts=(10,), trials=100)

    assert table["found"].item() >= least


@pytest.mark.usefixtures("no_shape_checks")
def test_wrong_input_is_refused(generator):
    net, weights = by_name("tetris_mlp"), torch.randn(3, 100, generator=generator)
    images = torch.zeros(2, 1, 4, 4)
    for arguments, options, message in (
        ((weights[0], weights), {"method": "gradient"}, "no method 'gradient'; choose one of weights, activations"),
        ((weights[0, :50], weights), {}, "has 100 weights, but these vectors have 50"),
        ((weights[0], weights * torch.nan), {}, "must be finite; leave out diverged models"),
        ((weights[0], weights[:0]), {}, "a model at least"),
        ((weights[0], weights), {"method": "activations"}, "Matching activations needs `images`"),
        ((weights[0], weights), {"images": images}, "matching weights takes none"),
        ((weights[0], weights), {"restarts": 0}, "restarts=0"),
    ):
        with pytest.raises(ValueError, match=message):
            align(net, *arguments, **options)
