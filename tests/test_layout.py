"""A layout says where every weight stands; reading and writing through it loses nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hyperlib.weightspace.layout import Layout, Slot
from hyperlib.weightspace.statistics import layer_statistics
from hyperlib.weightspace.tokens import Tokenizer

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
    for state in ({"steps": torch.tensor(3)}, {"sparse": torch.eye(2).to_sparse()}, {}):
        with pytest.raises(ValueError, match="no floating-point tensor"):
            Layout.from_state_dict(state)


# -- names -------------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text("ab.", max_size=5), unique=True, min_size=1))
def test_every_name_comes_back_wherever_its_dots_stand(names):
    layout = Layout.from_state_dict({name: torch.full((2,), place) * 1.0 for place, name in enumerate(names)})

    assert [slot.name for slot in layout] == names
    state = layout.unflatten(torch.arange(layout.size) // 2 * 1.0)
    assert [int(state[name][0]) for name in names] == list(range(len(names)))
    assert all(f"{slot.layer}.{slot.part}" == slot.name for slot in layout if slot.layer)
    assert all(layout[name].name == name for name in names)


def test_many_thousand_tensors_are_found_by_name_and_few_of_them_named():
    layout = Layout.of_shapes({f"layer{number}.weight": (2,) for number in range(20_000)})

    assert all(layout[slot.name] is slot for slot in layout)
    for missing in (lambda: layout["fc"], lambda: layout.flatten({slot.name + "s": torch.ones(2) for slot in layout})):
        with pytest.raises((KeyError, ValueError), match="layer4.weights? and 19995 more"):
            missing()
    with pytest.raises(ValueError, match="called layer0.weight;"):
        Layout(tuple(Slot("layer0", "weight", 2 * number, (2,)) for number in range(20_000)))


# -- what is learned ---------------------------------------------------------------------------------------------------


class Filters(nn.Module):
    """Buffers of every kind, a parameter that is called like a statistic, and one under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bank", torch.randn(4, 3))
        self.register_buffer("positions", torch.randn(5))
        self.register_buffer("hidden", torch.randn(2), persistent=False)
        self.register_buffer("steps", torch.tensor(0))
        self.running_mean = nn.Parameter(torch.randn(2))
        self.one, self.two = nn.Linear(2, 3), nn.Linear(2, 3)
        self.two.weight = self.one.weight


FIXED = {  # a network and its buffers that training does not follow a gradient to
    "norm": (lambda: nn.BatchNorm1d(4), {"running_mean", "running_var"}),
    "spectral norm": (lambda: nn.utils.spectral_norm(nn.Linear(3, 4)), {"weight_u", "weight_v"}),
    "spectral norm of a convolution": (
        lambda: nn.Sequential(nn.utils.spectral_norm(nn.Conv2d(3, 4, 3))),
        {"0.weight_u", "0.weight_v"},
    ),
    "parametrized spectral norm": (
        lambda: nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(3, 4))),
        {"0.parametrizations.weight.0._u", "0.parametrizations.weight.0._v"},
    ),
}


@pytest.mark.filterwarnings("ignore:.*spectral_norm. is deprecated:FutureWarning")
@pytest.mark.parametrize("name", FIXED)
def test_statistics_are_known_by_name_in_a_state_dict_and_as_buffers_in_a_module(name):
    make, fixed = FIXED[name]
    network = make()

    layout = Layout.from_state_dict(network.state_dict())

    assert {slot.name for slot in layout if not slot.learned} == fixed
    assert layout == Layout.from_state_dict(network)
    assert int(layout.learned.sum()) == sum(value.numel() for value in network.parameters())


def test_vectors_that_are_only_called_like_those_of_a_spectral_norm_are_learned():
    state = {"weight_u": torch.ones(2), "attention_v": torch.ones(2), "parametrizations._u": torch.ones(2)}

    assert Layout.from_state_dict(state).learned.all()


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_module_tells_parameters_from_buffers_and_counts_what_is_tied_once(device):
    with torch.device(device):
        network = Filters()
    layout = Layout.from_state_dict(network)

    assert {slot.name for slot in layout if not slot.learned} == {"bank", "positions"}
    assert " ".join(slot.name for slot in layout) == "running_mean bank positions one.weight one.bias two.bias"
    assert int(layout.learned.sum()) == sum(value.numel() for value in network.parameters())
    if device == "cpu":
        assert torch.equal(layout.flatten(network), layout.flatten(network.state_dict()))


@pytest.mark.parametrize("unlearned", [["bank", "positions"], ["ban*", "pos*"], "[bp][ao]*", ("bank", "*ions", "*k")])
def test_unlearned_names_the_buffers_of_a_state_dict_by_key_or_pattern(unlearned):
    layout = Layout.from_state_dict(Filters().state_dict(), unlearned=unlearned)

    assert {slot.name for slot in layout if not slot.learned} == {"bank", "positions", "running_mean"}


def test_unlearned_holds_for_every_name_of_a_tied_tensor_and_takes_a_key_before_a_pattern():
    state = Filters().state_dict() | {"b[ai]s": torch.ones(3), "bas": torch.ones(3)}

    assert not Layout.from_state_dict(state, unlearned=["two.weight"])["one.weight"].learned
    layout = Layout.from_state_dict(state, unlearned=["b[ai]s"])
    assert not layout["b[ai]s"].learned and layout["bas"].learned


@pytest.mark.parametrize("unlearned", ["filters", ["bank", "filter*"], ["steps"], ["hidden"]])
def test_unlearned_tensors_that_are_not_there_are_said(unlearned):
    for network in (Filters(), Filters().state_dict()):
        with pytest.raises(ValueError, match="unlearned: no .* is called '(filter|steps|hidden).*; there are .*bank"):
            Layout.from_state_dict(network, unlearned=unlearned)


def test_tied_tensors_have_one_place_and_the_first_name():
    shared = torch.randn(2, 3)
    state = {"words.weight": shared, "head.weight": shared[:], "turned": shared.t(), "same": shared.clone()}
    layout = Layout.from_state_dict(state)

    assert [slot.name for slot in layout] == ["words.weight", "turned", "same"]
    assert torch.equal(layout.flatten(state | {"head.weight": torch.zeros(2, 3)}), layout.flatten(state))


# -- what is no vector -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [{"fc.weight": torch.ones(2)}, nn.Linear(2, 1), np.ones(2), None, [1.0, 2.0]])
@pytest.mark.usefixtures("no_shape_checks")
def test_what_is_no_tensor_is_refused_with_what_makes_one(wrong):
    layout = Layout.of_shapes({"fc.weight": (2,)})
    tokenizer = Tokenizer(layout)
    makes = "layout.flatten.state. makes one" if isinstance(wrong, dict | nn.Module) else "torch.as_tensor makes one"
    for reader in (layout.check, layout.unflatten, tokenizer.encode, lambda one: layer_statistics(one, layout)):
        with pytest.raises(TypeError, match=f"weight vectors is expected here.*type {type(wrong).__name__}; {makes}"):
            reader(wrong)
    with pytest.raises(TypeError, match=f"as encode gives them, and this is of type {type(wrong).__name__}"):
        tokenizer.decode(wrong)
