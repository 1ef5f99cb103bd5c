"""Networks with several outputs, and networks that only look like a module."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from hyperlib.images.images import load_images
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.architecture_record import from_record, to_record
from hyperlib.weightspace.bridge.checking import check_against
from hyperlib.weightspace.layers import (
    Activation,
    Add,
    Conv,
    Flatten,
    GlobalAveragePool,
    Identity,
    Linear,
    Norm,
    PadChannels,
)
from hyperlib.weightspace.symmetry_check import verify_symmetry
from hyperlib.zoos.design import grid
from hyperlib.zoos.population import train_population

TRUNK = (Flatten(), Linear("one", width=6), Activation(), Linear("two", width=5), Activation("trunk"))
HEADS = (Linear("policy", "trunk", width=4), Linear("value", "trunk", width=1))


def actor_critic() -> Architecture:
    return Architecture("actor_critic", (1, 2, 4), (*TRUNK, *HEADS), "tanh", ("policy", "value"))


def test_units_of_every_head_keep_their_places(generator):
    net = actor_critic()
    table = verify_symmetry(net, torch.randn(5, 1, 2, 4, generator=generator))

    assert net.hidden == net.structure.groups == {"one": 6, "two": 5} and net.num_classes == 5
    assert table["holds"].eq(table["offered"]).all() and table.query("symmetry != 'scaling'")["offered"].all()


def test_scores_of_heads_stand_side_by_side_in_their_order(generator):
    net = actor_critic()
    weights, images = net.initialise(range(3), "normal"), torch.randn(5, 1, 2, 4, generator=generator)
    turned = Architecture("turned", (1, 2, 4), (*TRUNK, *HEADS), "tanh", ("value", "policy"))
    for row, scores in zip(weights, net.logits(weights, images), strict=True):
        assert_close(scores, net.module(row)(images))
        assert_close(scores, turned.logits(row, images).roll(-1, -1))


def test_a_layer_that_nobody_reads_is_refused_unless_it_is_a_head():
    with pytest.raises(ValueError, match=r"Nobody reads policy of forgotten.*heads=\(..., 'policy'\)"):
        Architecture("forgotten", (1, 2, 4), (*TRUNK, *HEADS))
    for heads, message in (
        (("policy", "nothing"), "no layer 'nothing' that could be a head; it has one, two, trunk, policy, value"),
        (("policy", "policy", "value"), "once each"),
        (("policy",), "Nobody reads value"),
    ):
        with pytest.raises(ValueError, match=message):
            Architecture("wrong", (1, 2, 4), (*TRUNK, *HEADS), "tanh", heads)
    image = (Conv("conv", width=3, kernel=1), Identity("beside", "conv"), Flatten(), Linear("fc", width=2))
    with pytest.raises(ValueError, match="one row of classes"):
        Architecture("picture", (1, 2, 4), image, "tanh", ("conv", "fc"))


def test_heads_are_part_of_what_a_network_is_and_of_its_record():
    net = actor_critic()
    assert "heads=('policy', 'value')" in repr(net) and "heads" not in repr(Architecture("plain", (1, 2, 4), TRUNK))
    assert from_record(to_record(net)) == net


def test_a_population_with_several_heads_is_not_trained():
    images = load_images("digits")
    heads = (Linear("policy", "trunk", width=10), Linear("value", "trunk", width=1))
    net = Architecture("heads", (1, 8, 8), (*TRUNK, *heads), "tanh", ("policy", "value"))
    with pytest.raises(ValueError, match="heads policy, value"):
        train_population(net, images, grid(seeds=1), epochs=1, progress=False)


# -- looking like a module ---------------------------------------------------------------------------------------------


class Padded(nn.Module):
    """A residual block of the usual CIFAR networks: the shortcut pads half before and half behind."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.down = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, 2, 1, bias=False)
        self.norm, self.fc = nn.BatchNorm2d(8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.stem(x))
        short = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2))
        return self.fc(F.relu(self.norm(self.down(x)) + short).mean((2, 3)))


def padded(before: int) -> Architecture:
    layers = (
        *(Conv("stem", width=4, kernel=3, padding=1), Activation("act")),
        *(Conv("down", units="wide", width=8, kernel=3, stride=2, padding=1, bias=False), Norm("norm")),
        *(PadChannels("pad", "act", "wide", width=8, stride=2, before=before), Add(other="norm"), Activation()),
        *(GlobalAveragePool(), Linear("fc", units="classes", width=3)),
    )
    return Architecture(f"padded_{before}", (1, 6, 6), layers, "relu")


def test_a_shortcut_that_pads_on_another_side_is_told_from_the_modules_own(generator):
    module, images = Padded(), torch.randn(4, 1, 6, 6, generator=generator)
    with torch.no_grad():
        module.norm.running_var.uniform_(0.5, 2)
    before = {name: value.clone() for name, value in module.state_dict().items()}

    assert check_against(padded(2), module, images) < 1e-12
    with pytest.raises(ValueError, match="padded_0 has the layout of this Padded and is another network"):
        check_against(padded(0), module, images)
    assert module.training and all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    with pytest.raises(ValueError, match="lacks"):
        check_against(actor_critic(), module, images)
