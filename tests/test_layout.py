"""A layout says where every weight stands; reading and writing through it loses nothing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hyperlib.weightspace.layout import Layout, Slot

SHAPES = st.dictionaries(
    st.from_regex(r"[ab]{1,2}(\.[ab0]{1,2}){0,2}", fullmatch=True),
    st.lists(st.integers(1, 4), max_size=4).map(tuple),
    min_size=1,
    max_size=6,
)


@settings(deadline=None, max_examples=60)
@given(SHAPES, st.integers(0, 2**31))
def test_flatten_and_unflatten_are_each_others_exact_inverse(shapes, seed):
    layout = Layout.of_shapes(shapes)
    weights = torch.randn(layout.size, generator=torch.Generator().manual_seed(seed))

    state = layout.unflatten(weights)

    assert {name: tuple(value.shape) for name, value in state.items()} == shapes
    assert torch.equal(layout.flatten(state), weights)


def test_unflatten_of_every_architecture_is_its_state_dict(architecture, generator):
    weights = torch.randn(architecture.layout.size, generator=generator)
    state = architecture.module(weights).state_dict()
    found = architecture.layout.unflatten(weights)

    assert set(found) == {name for name in state if "num_batches" not in name}
    assert all(torch.equal(found[name], state[name]) for name in found)


def test_unflatten_keeps_leading_axes_and_copies_nothing(generator):
    layout = Layout.of_shapes({"a.weight": (2, 3), "a.bias": (2,), "scale": ()})
    weights = torch.randn(4, 5, layout.size, generator=generator)

    state = layout.unflatten(weights)

    assert {name: tuple(v.shape) for name, v in state.items()} == {
        "a.weight": (4, 5, 2, 3),
        "a.bias": (4, 5, 2),
        "scale": (4, 5),
    }
    assert torch.equal(state["a.weight"][2, 3].flatten(), weights[2, 3, :6])
    assert all(value.untyped_storage().data_ptr() == weights.untyped_storage().data_ptr() for value in state.values())


class Scaled(nn.Module):
    """A network with a parameter of its own, a scalar, and a buffer that is no tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.tensor(0.5))
        self.norm = nn.BatchNorm1d(3)

    def get_extra_state(self) -> dict:
        return {"version": 1}

    def set_extra_state(self, state: dict) -> None:
        """Nothing to restore."""


@pytest.mark.parametrize(
    "network",
    [
        nn.TransformerEncoderLayer(8, 2, 16),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(2, 2)),
        nn.LSTM(3, 4, num_layers=2, bidirectional=True),
        nn.BatchNorm1d(4),
        Scaled(),
    ],
    ids=["transformer", "sequential", "lstm", "bare norm", "scalar"],
)
def test_networks_made_elsewhere_have_a_layout(network):
    state = network.state_dict()
    layout = Layout.from_state_dict(state)
    vector = layout.flatten(state)
    buffers = dict(network.named_buffers())

    assert layout.size == sum(v.numel() for v in [*network.parameters(), *buffers.values()] if v.is_floating_point())
    assert int(layout.learned.sum()) == sum(value.numel() for value in network.parameters())
    assert {slot.name for slot in layout if not slot.learned} == {
        n for n, v in buffers.items() if v.is_floating_point()
    }
    assert all(torch.equal(value, state[name]) for name, value in layout.unflatten(vector).items())


def test_the_order_is_the_state_dicts_and_layers_come_once():
    layout = Layout.from_state_dict(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).state_dict())

    assert [slot.name for slot in layout] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert layout.layers == ("0", "2")
    assert [slot.start for slot in layout] == [0, 6, 9, 12] and layout.size == 13
    assert layout["2.weight"].shape == (1, 3)


def test_a_parameter_of_the_network_itself_has_no_layer():
    slot = Layout.of_shapes({"temperature": ()}).slots[0]

    assert (slot.layer, slot.part, slot.name, slot.size) == ("", "temperature", "temperature", 1)


@pytest.mark.parametrize(
    ("slots", "message"),
    [
        ((Slot("a", "weight", 1, (2,)),), "a.weight starts at 1"),
        ((Slot("a", "weight", 0, (2,)), Slot("b", "weight", 1, (2,))), "b.weight starts at 1, but .* ends at 2"),
        ((Slot("a", "weight", 0, (2,)), Slot("b", "weight", 3, (2,))), "b.weight starts at 3"),
        ((Slot("a", "weight", 0, (2,)), Slot("a", "weight", 2, (2,))), "called a.weight"),
    ],
    ids=["late start", "overlap", "gap", "same name"],
)
def test_slots_that_do_not_tile_the_vector_are_refused(slots, message):
    with pytest.raises(ValueError, match=message):
        Layout(slots)


def test_vectors_of_another_length_are_refused_with_both_numbers(architecture):
    for weights in (torch.zeros(architecture.layout.size + 1), torch.zeros(3, 7)):
        with pytest.raises(ValueError, match=f"{architecture.layout.size} weights.*{weights.shape[-1]}"):
            architecture.logits(weights, torch.zeros(1, *architecture.image))


def test_a_state_dict_that_does_not_fit_is_refused_by_the_slots_name():
    layout = Layout.of_shapes({"fc.weight": (2, 3)})

    with pytest.raises(ValueError, match="lacks fc.weight; it has fc.bias"):
        layout.flatten({"fc.bias": torch.zeros(2)})
    with pytest.raises(ValueError, match=r"fc.weight has shape \(3, 2\), the layout says \(2, 3\)"):
        layout.flatten({"fc.weight": torch.zeros(3, 2)})
    with pytest.raises(KeyError, match="fc.bias.*fc.weight"):
        layout["fc.bias"]


def test_a_state_dict_without_weights_has_no_layout():
    with pytest.raises(ValueError, match="no floating-point tensor"):
        Layout.from_state_dict({"steps": torch.tensor(3)})
