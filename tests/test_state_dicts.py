"""The state dict of a checkpoint is found wherever trainers put it, and never guessed."""

from __future__ import annotations

import copy
from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from hyperlib import Layout, StateTokenizer, tetris_mlp
from hyperlib.weightspace.state_dicts import DEPTH, find_state_dict, memory, owners, require_numbers

STATE = OrderedDict({"fc.weight": torch.randn(3, 2), "fc.bias": torch.randn(3), "steps": torch.tensor(4)})
MATRICES = {"0.weight": torch.randn(2, 2)}
ACCURACY = {"best_acc1": torch.tensor(76.1), "epoch": 3}


def trained() -> dict:
    """What Adam remembers after a step: matrices as large as the weights."""
    net = nn.Linear(2, 3)
    optimiser = torch.optim.Adam(net.parameters())
    net(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    return optimiser.state_dict()


def circle() -> dict:
    checkpoint = {"model": STATE, "config": {"name": "small"}}
    checkpoint["config"]["owner"] = checkpoint["self"] = checkpoint
    return checkpoint


WRAPPERS = {  # checkpoint, path
    "plain": (STATE, ()),
    "with an accuracy": ({"state_dict": STATE, **ACCURACY}, ("state_dict",)),
    "beside its optimiser": ({"epoch": 1, "model": STATE, "optimizer": trained()}, ("model",)),
    "metrics": ({"net": STATE, "metrics": {"loss": torch.tensor(0.1), "per_class": torch.rand(10)}}, ("net",)),
    "one vector": ({"weights": STATE, "per_class": torch.rand(10)}, ("weights",)),
    "generator of random numbers": ({"module": STATE, "rng": torch.get_rng_state()}, ("module",)),
    "three levels": ({"run": {"best": {"network": STATE}, "loss": torch.tensor(1.0)}}, ("run", "best", "network")),
    "numbered": ({0: {"model_state_dict": STATE}}, (0, "model_state_dict")),
    "one name twice": ({"model": STATE, "state_dict": STATE}, ("model",)),
    "notes of a module": ({**STATE, "fc._extra_state": {"largest": torch.rand(3, 3)}}, ()),
    "a circle": (circle(), ("model",)),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_the_state_dict_is_found_under_any_key_and_stays_what_it_is(name):
    checkpoint, path = WRAPPERS[name]

    found = find_state_dict(checkpoint)

    inside = checkpoint
    for key in path:
        inside = inside[key]
    assert found.state is inside and found.path == path and found.prefix == ""


def test_what_was_taken_and_what_was_left_is_said():
    prefixed = {f"module.{name}": value for name, value in STATE.items()}

    assert find_state_dict({"run": {"net": prefixed, "lr": 0.1}, **ACCURACY}).remark == (
        'The state dict taken is checkpoint["run"]["net"], without the prefix \'module.\' of its names; '
        "left out: best_acc1, epoch, lr."
    )
    assert find_state_dict(STATE).remark == ""


@pytest.mark.parametrize("name", [name for name, (_, path) in WRAPPERS.items() if path])
def test_a_wrapped_network_has_its_own_layout_vector_and_tokens(name):
    checkpoint, _ = WRAPPERS[name]
    with pytest.warns(UserWarning, match="The state dict taken is checkpoint") as said:
        layout = Layout.from_state_dict(checkpoint)
    assert len(said) == 1
    with pytest.warns(UserWarning, match="The state dict taken is checkpoint"):
        tokenizer = StateTokenizer.of(checkpoint)

    assert layout == Layout.from_state_dict(STATE) == tokenizer.tokenizer.layout
    assert torch.equal(layout.flatten(checkpoint), layout.flatten(STATE))
    (tokens, kept), plain = tokenizer.encode(checkpoint), StateTokenizer.of(STATE).encode(STATE)
    assert torch.equal(tokens, plain[0]) and kept == plain[1]
    assert all(torch.equal(value, STATE[name]) for name, value in tokenizer.decode(tokens, kept).items())


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "module." * 3])
def test_what_wrappers_put_before_all_names_goes(prefix):
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    state = net.state_dict()
    for part in reversed(prefix.split(".")[:-1]):
        wrapper = nn.Module()
        wrapper.add_module(part, net)
        net = wrapper

    found = find_state_dict(net.state_dict())

    assert found.prefix == prefix and list(found.state) == list(state)
    assert found.state._metadata == state._metadata
    with pytest.warns(UserWarning, match="without the prefix"):
        layout = Layout.from_state_dict(net)
    assert torch.equal(layout.flatten(net.state_dict()), layout.flatten(state))


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda net: torch.compile(net, backend="eager")])
def test_tokens_of_a_wrapped_module_load_into_the_network_itself(wrap):
    net, other = (nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)) for _ in range(2))
    wrapped = wrap(net).state_dict()
    with pytest.warns(UserWarning, match="without the prefix"):
        tokenizer = StateTokenizer.of(wrapped)

    other.load_state_dict(tokenizer.decode(*tokenizer.encode(wrapped)))

    assert all(torch.equal(value, other.state_dict()[name]) for name, value in net.state_dict().items())


def test_a_prefix_that_not_all_names_share_belongs_to_the_network():
    average = torch.optim.swa_utils.AveragedModel(nn.Linear(2, 3))
    for state in (average.state_dict(), {"module.": torch.ones(2, 2)}, {"module.a": torch.ones(2, 2), "b": 1}):
        tokenizer = StateTokenizer.of(state)

        assert find_state_dict(state).state is state
        assert list(tokenizer.decode(*tokenizer.encode(state))) == list(state)


@pytest.mark.parametrize(
    ("checkpoint", "named"),
    [
        ({"generator": STATE, "discriminator": MATRICES}, 'checkpoint."generator"., checkpoint."discriminator".'),
        ({"model": STATE, "ema": copy.deepcopy(STATE)}, 'checkpoint."model"., checkpoint."ema".'),
        ({**STATE, "ema": MATRICES}, 'its own fc.weight, fc.bias, checkpoint."ema"..'),
        ({"mean": torch.rand(3), "std": torch.rand(3), "net": STATE}, 'its own mean, std, checkpoint."net".'),
        ({"model": {**STATE, "head": MATRICES}}, 'checkpoint."model"., checkpoint."model".."head".'),
        ({f"member{n}": {"a": torch.ones(2, 2)} for n in range(9)}, 'checkpoint."member4". and 4 more'),
    ],
    ids=["two networks", "average", "top and nested", "vectors on top", "nested in it", "many"],
)
def test_two_state_dicts_that_could_be_meant_are_named_and_none_is_taken(checkpoint, named):
    for reader in (find_state_dict, Layout.from_state_dict, StateTokenizer.of, Layout.of_shapes({"x": (2,)}).flatten):
        with pytest.raises(ValueError, match=f'could be meant: .*{named}.* Pass the one that is, .*checkpoint."'):
            reader(checkpoint)


@pytest.mark.parametrize("where", [lambda state: state, lambda state: {"optimizer": state, "lr": 0.1}])
def test_an_optimiser_is_no_network(where):
    with pytest.raises(ValueError, match="state of an optimiser|no floating-point tensor"):
        Layout.from_state_dict(where(trained()))


def test_mappings_without_end_are_left_with_a_sentence():
    deep = STATE
    for _ in range(5000):
        deep = {"next": deep}
    with pytest.raises(ValueError, match=f"no tensor in the first {DEPTH} levels; pass its state dict itself"):
        find_state_dict(deep)
    assert find_state_dict({"model": STATE, "config": deep}).path == ("model",)
    empty = {}
    empty["self"] = empty
    with pytest.raises(ValueError, match="no floating-point tensor"):
        Layout.from_state_dict(empty)


VALUES = st.sampled_from([1, "text", None, (1, 2), *(torch.zeros(shape) for shape in [(), (2,), (2, 2), (0,)])])
KEYS = st.sampled_from(["a", "module.b", "_orig_mod.", "module.", "", ".", 0, 1, "1", -3, None, ("a", 1), 1.5])


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(KEYS, st.recursive(VALUES, lambda inner: st.dictionaries(KEYS, inner, max_size=3))))
def test_any_nest_of_mappings_has_one_state_dict_or_a_sentence(checkpoint):
    try:
        found = find_state_dict(checkpoint)
    except ValueError as error:
        assert str(error).endswith(".")
        return
    inside = checkpoint
    for key in found.path:
        inside = inside[key]
    assert [found.prefix + name for name in found.state] == [str(key) for key in inside]
    assert all(one is other for one, other in zip(found.state.values(), inside.values(), strict=True))


# -- keys --------------------------------------------------------------------------------------------------------------


def test_numbers_are_names_by_their_digits():
    state = {0: torch.randn(2, 3), np.int64(7): torch.randn(3), "a": torch.tensor(1)}
    layout, tokenizer = Layout.from_state_dict(state), StateTokenizer.of(state)

    assert [slot.name for slot in layout] == ["0", "7"]
    assert torch.equal(layout.flatten(state), torch.cat([state[0].flatten(), state[7]]))
    decoded = tokenizer.decode(*tokenizer.encode(state))
    assert list(decoded) == ["0", "7", "a"] and torch.equal(decoded["0"], state[0])


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({1: torch.ones(2), "1": torch.zeros(2)}, "the number 1 and the text '1'"),
        ({("fc", "weight"): torch.ones(2)}, r"names or whole numbers, and this one has \('fc', 'weight'\)"),
        ({None: torch.ones(2)}, "names or whole numbers, and this one has None"),
        ({True: torch.ones(2)}, "names or whole numbers, and this one has True"),
    ],
    ids=["same digits", "tuple", "none", "truth"],
)
def test_keys_that_are_no_names_are_refused_with_the_reason(state, message):
    for reader in (Layout.from_state_dict, StateTokenizer.of):
        with pytest.raises(ValueError, match=message):
            reader(state)


# -- what is no state dict ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [tetris_mlp().layout, torch.ones(3), np.ones(3), None, [STATE], "model.pt"], ids=type)
@pytest.mark.usefixtures("no_shape_checks")
def test_what_is_no_state_dict_is_refused_with_what_was_expected(wrong):
    message = f"state dict is expected here, as model.state_dict.. gives it.* of type {type(wrong).__name__}"
    readers = (find_state_dict, Layout.from_state_dict, tetris_mlp().layout.flatten)
    for reader in (*readers, StateTokenizer.of, StateTokenizer.of(STATE).encode):
        with pytest.raises(TypeError, match=message):
            reader(wrong)


# -- ties --------------------------------------------------------------------------------------------------------------


def freed(*shape: int) -> Tensor:
    """A tensor that has lost its numbers, not from the start of its storage."""
    tensor = torch.ones(2, *shape)[1]
    tensor.untyped_storage().resize_(0)
    return tensor


@pytest.mark.parametrize("make", [lambda *shape: torch.empty(shape, device="meta"), freed], ids=["meta", "freed"])
def test_tensors_without_memory_are_not_tied_and_have_a_layout_but_no_tokens(make):
    state = {"a.weight": make(2, 3), "b.weight": make(2, 3), "a.bias": make(2), "b.bias": make(2)}
    layout, tokenizer = Layout.from_state_dict(state), StateTokenizer.of(state)

    assert owners(state) == {name: name for name in state}
    assert layout.size == 16 and list(tokenizer.coverage["goes"]) == ["tokens"] * 4
    for reader in (layout.flatten, tokenizer.encode):
        with pytest.raises(ValueError, match="a.weight .*a shape and no numbers. Load the weights first"):
            reader(state)
    loaded = {name: torch.randn(value.shape) for name, value in state.items()}
    assert torch.equal(tokenizer.decode(*tokenizer.encode(loaded))["b.weight"], loaded["b.weight"])


def test_two_tensors_are_tied_only_where_the_same_numbers_are_read_in_the_same_way():
    numbers = torch.randn(4, 4)
    waves = torch.randn(3, dtype=torch.complex64)

    assert memory(numbers) == memory(numbers.detach()) == memory(numbers[:]) == memory(nn.Parameter(numbers))
    other = [numbers.t(), numbers[1:], numbers.clone(), numbers.view(torch.int32), numbers.to_sparse()]
    assert len({memory(one) for one in (numbers, *other)}) == 6
    assert memory(waves.imag) != memory(waves.conj().imag)
    empty = torch.empty(0, 3)
    assert owners({"a": empty, "b": empty}) == {"a": "a", "b": "b"}


def test_tensors_without_a_storage_to_ask_for_pass():
    layout = Layout.of_shapes({"a": (2,)})

    assert torch.equal(torch.func.vmap(lambda row: layout.flatten({"a": row}))(torch.ones(3, 2)), torch.ones(3, 2))
    require_numbers("a", torch.eye(2).to_sparse())
