"""Moves that keep the function: every one that is offered holds, every one that is refused breaks something."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations as all_orders
from math import factorial

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from toys import TOYS, network

from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.architectures import ARCHITECTURES
from hyperlib.weightspace.architectures import architecture as by_name
from hyperlib.weightspace.canonical import canonical_index
from hyperlib.weightspace.layers import (
    Activation,
    Add,
    Conv,
    Flatten,
    GlobalAveragePool,
    Identity,
    Layer,
    Linear,
    PadChannels,
)
from hyperlib.weightspace.symmetry import (
    compose,
    inverse,
    orbit_size,
    permutation_index,
    random_permutations,
    random_scales,
    random_signs,
    unit_factors,
)
from hyperlib.weightspace.symmetry_check import verify_symmetry

EVERY = [*ARCHITECTURES, *TOYS]
FREE = [name for name in EVERY if not network(name).structure.refused]  # of units tied to their places


def some_weights(net: Architecture, models: int, generator: torch.Generator) -> Tensor:
    """Random weights in float64, running variances positive."""
    weights = 0.3 * torch.randn(models, net.layout.size, generator=generator, dtype=torch.float64)
    for slot in net.slots:
        if slot.part == "running_var":
            weights[:, slot.start : slot.stop] = weights[:, slot.start : slot.stop].abs() + 0.5
    return weights


def some_images(net: Architecture, generator: torch.Generator) -> Tensor:
    return torch.randn(4, *net.image, generator=generator, dtype=torch.float64)


def padded_net(before: int = 0) -> Architecture:
    """A residual net whose shortcut pads channels: so many before, the others behind."""
    layers = (
        *(Conv("stem", width=3, kernel=3, padding=1), Activation("act")),
        *(Conv("down", units="wide", width=7, kernel=3, stride=2, padding=1),),
        *(PadChannels("pad", "act", "wide", 7, 2, before), Add("sum", other="down"), Activation()),
        *(Conv("last", width=4, kernel=1), Activation(), GlobalAveragePool()),
        Linear("fc", units="classes", width=2),
    )
    return Architecture("padded_net", (1, 6, 6), layers, "relu")


# -- permutations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FREE)
def test_a_permuted_network_computes_the_same(name, generator):
    net = network(name)
    weights, images = some_weights(net, 3, generator), some_images(net, generator)
    index = permutation_index(net, random_permutations(net, 3, generator), models=3)

    moved = weights.gather(-1, index)

    assert torch.equal(moved, weights) == (not net.hidden)  # something moved, and the function stayed
    assert_close(net.logits(moved, images), net.logits(weights, images))


@pytest.mark.parametrize("name", FREE)
def test_an_index_composes_and_inverts(name, generator):
    net = network(name)
    weights = some_weights(net, 2, generator)
    first, then = (permutation_index(net, random_permutations(net, 2, generator), models=2) for _ in range(2))

    assert torch.equal(weights.gather(-1, first).gather(-1, inverse(first)), weights)
    assert torch.equal(weights.gather(-1, first).gather(-1, then), weights.gather(-1, compose(first, then)))
    assert torch.equal(inverse(inverse(first[0])), first[0])  # of one network too


def test_the_index_is_what_moving_tensors_by_hand_gives(generator):
    net = by_name("small_cnn_1ch")
    weights = torch.randn(1, net.layout.size, generator=generator)
    orders = random_permutations(net, 1, generator)
    state = {name: value[0].clone() for name, value in net.layout.unflatten(weights).items()}
    for group, follower in (("conv1", "conv2"), ("conv2", "conv3"), ("conv3", "fc1"), ("fc1", "fc2")):
        order = orders[group][0].tolist()
        state[f"{group}.weight"] = torch.stack([state[f"{group}.weight"][old] for old in order])
        state[f"{group}.bias"] = torch.stack([state[f"{group}.bias"][old] for old in order])
        reader = state[f"{follower}.weight"]
        places = 9 if follower == "fc1" else 1  # the last map is 3x3, channel by channel
        columns = [old * places + place for old in order for place in range(places)]
        state[f"{follower}.weight"] = torch.stack([reader[:, column] for column in columns], dim=1)

    assert torch.equal(weights.gather(-1, permutation_index(net, orders))[0], net.layout.flatten(state))


def test_groups_left_out_keep_their_order(generator):
    net = by_name("digits_cnn")
    orders = random_permutations(net, 2, generator)
    index = permutation_index(net, {"fc1": orders["fc1"]})
    same = torch.arange(net.layout.size).expand(2, -1)

    assert torch.equal(index[:, : net.layout["fc1.weight"].start], same[:, : net.layout["fc1.weight"].start])
    assert torch.equal(permutation_index(net, {}, models=2), same)


def test_the_orbit_of_a_tetris_network_has_120_members(generator):
    net = by_name("tetris_mlp")
    orders = {"fc1": torch.tensor(list(all_orders(range(5))))}
    weights = torch.randn(1, 100, generator=generator).expand(120, -1)

    assert orbit_size(net) == 120 == len(weights.gather(-1, permutation_index(net, orders)).unique(dim=0))
    assert orbit_size(by_name("small_cnn_1ch")) == factorial(8) * factorial(6) * factorial(4) * factorial(20)


def test_random_orders_are_permutations_and_follow_the_generator():
    net = by_name("small_cnn_1ch")
    first, again, other = (random_permutations(net, 50, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))

    for group, width in net.hidden.items():
        assert torch.equal(first[group].sort(-1).values, torch.arange(width).expand(50, -1))
        assert torch.equal(first[group], again[group]) and not torch.equal(first[group], other[group])
        assert len(first[group].unique(dim=0)) > 10  # every model its own


@pytest.mark.parametrize("name", FREE)
def test_all_copies_of_a_network_have_one_canonical_form(name, generator):
    net = network(name)
    weights = some_weights(net, 1, generator).expand(4, -1)
    copies = weights.gather(-1, permutation_index(net, random_permutations(net, 4, generator), models=4))

    forms = copies.gather(-1, canonical_index(net, copies))

    assert (forms == forms[:1]).all()
    assert torch.equal(forms.gather(-1, canonical_index(net, forms)), forms)


def test_units_that_read_the_same_are_told_apart_by_their_readers():
    net = by_name("tetris_mlp")
    weights = torch.zeros(2, 100)
    weights[0, 80:] = torch.arange(20.0)  # nothing is read, five different columns are written
    weights[1] = weights[0].gather(-1, permutation_index(net, {"fc1": torch.tensor([[3, 1, 4, 0, 2]])})[0])

    forms = weights.gather(-1, canonical_index(net, weights))

    assert torch.equal(forms[0], forms[1])


# -- signs and scales --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["tanh", "sine", "relu", "leaky_relu", "gelu"])
@pytest.mark.parametrize("name", EVERY)
def test_offered_signs_and_scales_keep_the_function(name, activation, generator):
    net = network(name).with_activation(activation)
    weights, images = some_weights(net, 3, generator), some_images(net, generator)
    for factors in (random_signs(net, 3, generator), random_scales(net, 3, generator)):
        factors = {signal: values.double() for signal, values in factors.items()}

        moved = weights * unit_factors(net, factors, models=3)

        assert torch.equal(moved, weights) == (not factors)
        assert_close(net.logits(moved, images), net.logits(weights, images))


def test_what_can_be_flipped_and_scaled_is_what_theory_says():
    def movable(net: Architecture) -> tuple[set[str], set[str]]:
        signals = net.structure.signals.values()
        return {s.name for s in signals if not s.against_signs}, {s.name for s in signals if not s.against_scaling}

    small = by_name("small_cnn_1ch")
    assert movable(small) == ({"conv3", "fc1"}, set())  # a maximum over a window is not odd
    assert movable(small.with_activation("relu")) == (set(), {"conv1", "conv2", "conv3", "fc1"})
    assert movable(small.with_activation("gelu")) == (set(), set())
    signs, scales = movable(network("residual_net"))  # relu with norms: signs before the norms, scales behind them
    assert {"conv1", "conv2"} <= signs and not {"conv1", "conv2"} & scales
    assert {"norm1", "conv3"} <= scales and not {"norm1", "conv3"} & signs


def test_factors_by_hand(generator):
    net = by_name("tetris_mlp").with_activation("relu")
    weights = torch.randn(2, 100, generator=generator)
    scales = torch.rand(2, 5, generator=generator) + 0.5
    state = net.layout.unflatten(weights)
    first, second = state["fc1.weight"] * scales[:, :, None], state["fc2.weight"] / scales[:, None]

    by_hand = torch.cat([first.flatten(1), second.flatten(1)], 1)
    assert_close(weights * unit_factors(net, {"fc1": scales}), by_hand)


# -- proof and refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_what_is_offered_holds_and_what_is_refused_breaks(name, generator):
    net = network(name)
    table = verify_symmetry(net, some_images(net, generator))

    assert set(table[table["symmetry"] == "permutation"]["units"]) == set(net.structure.groups)
    assert (table["offered"] == table["holds"]).all(), table[table["offered"] != table["holds"]]
    assert (table["reason"] == "").eq(table["offered"]).all()


@dataclass(frozen=True)
class Upwards(Layer):
    """A layer that no library knows: it adds to every channel the one before it."""

    def run(self, x, own, now):
        return x + x.roll(1, 2)


class Mixing(Identity):
    """A kind that derives from one of the library's and does something else."""

    def run(self, x, own, now):
        return x.roll(1, 2)


def test_a_layer_that_mixes_units_is_named(generator):
    layers = (
        *(Conv("conv1", width=4, kernel=3), Upwards(), Activation(), Conv("conv2", width=5, kernel=1), Activation()),
        *(GlobalAveragePool(), Linear("fc", units="classes", width=3)),
    )
    net = Architecture("mixing", (1, 6, 6), layers)

    table = verify_symmetry(net, some_images(net, generator)).query("symmetry == 'permutation'").set_index("units")

    assert not table.loc["conv1", "offered"] and "Upwards" in table.loc["conv1", "reason"]
    derived = replace(net, layers=(net.layers[0], Mixing("other"), *net.layers[2:]))  # an Identity that is none
    assert list(derived.structure.groups) == ["conv2"] and "Mixing other" in derived.structure.refused["conv1"]
    assert table.loc["conv2", "holds"] and table.loc["conv2", "reason"] == ""
    with pytest.raises(ValueError, match="units 'conv1' of mixing cannot move: nothing is known of what Upwards does"):
        permutation_index(net, {"conv1": torch.arange(4)[None]})


def test_units_behind_a_wall_stay_and_all_others_move(generator):
    layers = (
        *(Conv("conv1", width=4, kernel=3), Upwards(), Activation(), Conv("conv2", width=5, kernel=1), Activation()),
        *(GlobalAveragePool(), Linear("fc", units="classes", width=3)),
    )
    net = Architecture("half_mixing", (1, 6, 6), layers)
    weights, images = some_weights(net, 3, generator), some_images(net, generator)

    with pytest.warns(UserWarning, match="The units 'conv1' of half_mixing keep their places: nothing is known"):
        orders = random_permutations(net, 3, generator)
    moved = weights.gather(-1, permutation_index(net, orders))
    found = canonical_index(net, moved)

    assert orders.keys() == {"conv2"}
    assert_close(net.logits(moved, images), net.logits(weights, images))
    assert torch.equal(moved.gather(-1, found), weights.gather(-1, canonical_index(net, weights)))


def test_a_shortcut_that_pads_moves_its_channels_together_with_those_that_they_are_added_to(generator):
    for before in (0, 2, 4):
        net = padded_net(before)
        groups = net.structure.groups
        table = verify_symmetry(net, some_images(net, generator))

        assert groups["stem"] == 3 and groups["last"] == 4 and sum(groups.values()) == 3 + 4 + 4
        assert table["holds"].eq(table["offered"]).all()
        assert len(set(groups) - {"stem", "last"}) == (2 if before == 2 else 1)


@pytest.mark.usefixtures("no_shape_checks")
def test_wrong_permutations_are_refused():
    net = by_name("tetris_mlp")
    for permutations, message in (
        ({"fc2": torch.arange(4)[None]}, "'fc2' is no hidden group of tetris_mlp, whose groups are fc1; inputs and"),
        ({"fc1": torch.arange(4)[None]}, r"int64 \[models, 5\], not torch.int64 \[1, 4\]"),
        ({"fc1": torch.arange(5.0)[None]}, r"not torch.float32 \[1, 5\]"),
        ({"fc1": torch.tensor([[0, 1, 1, 2, 3]])}, "A row of 'fc1' is no permutation: it must hold 0 to 4"),
        ({}, "of no group, so say models="),
    ):
        with pytest.raises(ValueError, match=message):
            permutation_index(net, permutations)
    small = by_name("digits_cnn")
    with pytest.raises(ValueError, match="for 1 and 2 models"):
        permutation_index(small, {"conv1": torch.arange(8)[None], "fc1": torch.arange(20).expand(2, -1)})


@pytest.mark.usefixtures("no_shape_checks")
def test_wrong_factors_are_refused():
    tanh, relu = by_name("tetris_mlp"), by_name("tetris_mlp").with_activation("relu")
    for net, factors, message in (
        (tanh, {"conv": torch.ones(1, 5)}, "no hidden signal 'conv'; it has fc1"),
        (tanh, {"fc1": torch.ones(1, 4)}, r"are \[models, 5\], not \[1, 4\]"),
        (tanh, {"fc1": 2 * torch.ones(1, 5)}, "'fc1' cannot be scaled, because tanh is not positively homogeneous"),
        (relu, {"fc1": -torch.ones(1, 5)}, "'fc1' cannot change sign, because relu is not odd"),
        (relu, {"fc1": torch.zeros(1, 5)}, "must be finite and not zero"),
        (relu, {"fc1": torch.full((1, 5), torch.inf)}, "must be finite and not zero"),
    ):
        with pytest.raises(ValueError, match=message):
            unit_factors(net, factors)


def test_a_canonical_form_needs_finite_weights():
    with pytest.raises(ValueError, match="leave out diverged models"):
        canonical_index(by_name("tetris_mlp"), torch.full((1, 100), torch.nan))


def test_a_linear_layer_behind_an_image_keeps_pixels_in_place(generator):
    layers = (Flatten(), Linear("fc1", width=4), Activation(), Linear("fc2", units="classes", width=2))
    net = Architecture("pixels", (3, 2, 2), layers)
    weights = torch.randn(1, net.layout.size, generator=generator)
    moved = weights.gather(-1, permutation_index(net, {"fc1": torch.tensor([[2, 0, 3, 1]])}))

    rows, old = (net.layout.unflatten(values[0])["fc1.weight"] for values in (moved, weights))
    assert torch.equal(rows, old[[2, 0, 3, 1]])
