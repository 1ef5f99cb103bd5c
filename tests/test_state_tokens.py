"""A whole state dict in tokens: every entry comes back to the bit, or is refused by name."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_tokens import NAMES, WIDTHS, tokens_by_hand
from torch import Tensor, nn
from torch.testing import assert_close
from toys import network

from hyperlib.weightspace.layout import Layout
from hyperlib.weightspace.state_tokens import StateTokenizer
from hyperlib.weightspace.tokens import Tokenizer

# -- networks that nobody here made ------------------------------------------------------------------------------------


class Odd(nn.Module):
    """Bare parameters, a scalar, ties, buffers of every kind, parameters that do not lie in one piece."""

    def __init__(self) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.tensor(0.5))
        self.token = nn.Parameter(torch.randn(1, 1, 6))
        self.words = nn.Embedding(7, 6)
        self.head = nn.Linear(6, 7, bias=False)
        self.head.weight = self.words.weight
        self.turned = nn.Parameter(torch.randn(4, 3).t())
        self.sparse_view = nn.Parameter(torch.randn(6, 8)[::2, ::3])
        self.register_buffer("mean", torch.randn(3, dtype=torch.float64) * 1e-9 + 1)
        self.register_buffer("steps", torch.tensor(2**53 + 1))
        self.register_buffer("table", torch.randint(-5, 5, (2, 3)))
        self.register_buffer("used", torch.tensor([True, False]))
        self.register_buffer("waves", torch.randn(3, dtype=torch.complex64))
        self.register_buffer("nothing", torch.empty(0, 3))
        self.register_buffer("hidden", torch.randn(2), persistent=False)

    def get_extra_state(self) -> dict:
        return {"version": 3}

    def set_extra_state(self, state: dict) -> None:
        """Nothing to restore."""


def mixed_precision() -> nn.Module:
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    net[0].to(torch.bfloat16)
    net[2].to(torch.float16)
    return net


FOREIGN = {
    "batch norm": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2, False)),
    "transformer": lambda: nn.TransformerEncoderLayer(8, 2, 16),
    "words": lambda: nn.Sequential(nn.Embedding(11, 6), nn.Conv1d(6, 5, 3), nn.LayerNorm([5, 4]), nn.GroupNorm(1, 5)),
    "transposed": lambda: nn.Sequential(nn.ConvTranspose2d(3, 5, 2), nn.ConvTranspose2d(4, 4, 2), nn.PReLU()),
    "recurrent": lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True),
    "bare norm": lambda: nn.BatchNorm1d(4),
    "doubles": lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).double(),
    "halves": lambda: nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4)).bfloat16(),
    "mixed precision": mixed_precision,
    "odd": Odd,
}


@pytest.fixture(params=FOREIGN)
def foreign(request) -> nn.Module:
    """Every foreign network in turn, with weights and statistics that are no constants."""
    net = FOREIGN[request.param]()
    with torch.no_grad():
        for value in net.state_dict().values():
            if isinstance(value, Tensor) and value.is_floating_point():
                value.add_(torch.randn(value.shape, generator=torch.Generator().manual_seed(1)).to(value.dtype))
    return net


def bits(value: Tensor) -> list[int]:
    """The bytes of a tensor, those of every not-a-number the same: narrowing keeps no notes in them."""
    numbers = torch.cat([value.detach().reshape(-1)])
    if numbers.is_floating_point() and numbers.itemsize > 1:  # 8-bit numbers refuse to be compared
        numbers[numbers.isnan()] = torch.nan
    return numbers.view(torch.uint8).tolist() if value.numel() else []


def assert_same_state(found: dict, expected: dict) -> None:
    assert list(found) == list(expected)
    for name, value in expected.items():
        if isinstance(value, Tensor):
            assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape), name
            assert bits(found[name]) == bits(value), name
        else:
            assert found[name] == value


# -- there and back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
def test_tokens_of_networks_made_elsewhere_are_rows_too(foreign, width):
    layout = Layout.from_state_dict(foreign.state_dict())
    vector = layout.flatten(foreign.state_dict())

    tokens, mask, positions = tokens_by_hand(layout, vector, width)
    tokenizer = Tokenizer(layout, width)

    assert torch.equal(tokenizer.encode(vector), tokens)
    assert torch.equal(tokenizer.mask, mask) and torch.equal(tokenizer.positions, positions)
    assert torch.equal(tokenizer.decode(tokens), vector)


@pytest.mark.parametrize("width", [None, 1, 4])
def test_a_state_dict_comes_back_to_the_bit_and_loads(foreign, width):
    state = foreign.state_dict()
    tokenizer = StateTokenizer.of(state, width)

    found = tokenizer.decode(*tokenizer.encode(state))

    assert_same_state(found, state)
    assert len(tokenizer.coverage) == len(state)
    foreign.load_state_dict(found)
    assert_same_state(foreign.state_dict(), state)


@pytest.mark.parametrize("name", NAMES)
def test_the_state_dict_of_every_architecture_comes_back(name, generator):
    architecture = network(name)
    net = architecture.module(torch.randn(architecture.layout.size, generator=generator))
    tokenizer = StateTokenizer.of(net.state_dict())

    tokens, kept = tokenizer.encode(net.state_dict())

    assert_same_state(tokenizer.decode(tokens, kept), net.state_dict())
    assert set(kept) == {name for name in net.state_dict() if name.endswith("num_batches_tracked")}
    vector = architecture.layout.flatten(net.state_dict())
    assert torch.equal(tokens, Tokenizer(architecture.layout).encode(vector))


def test_coverage_says_where_every_entry_goes():
    table = StateTokenizer.of(Odd().state_dict()).coverage.set_index("name")

    assert dict(table["goes"]) == {
        **dict.fromkeys(["temperature", "token", "turned", "sparse_view", "mean", "nothing"], "tokens"),
        **dict.fromkeys(["steps", "table", "used", "waves", "_extra_state"], "kept"),
        **{"words.weight": "tokens", "head.weight": "tied"},
    }
    assert table.loc["head.weight", "owner"] == "words.weight"
    assert table.loc["mean", "dtype"] == "float64" and table.loc["_extra_state", "dtype"] == "no tensor"
    assert table.loc["turned", "shape"] == (3, 4) and table.loc["turned", "numbers"] == 12
    covered = table.loc[table["goes"] == "tokens", "numbers"].sum()
    assert covered == StateTokenizer.of(Odd().state_dict()).tokenizer.layout.size == 1 + 6 + 42 + 12 + 9 + 3


def test_a_tie_stays_one_when_tokens_change():
    state = Odd().state_dict()
    tokenizer = StateTokenizer.of(state)
    tokens, kept = tokenizer.encode(state)

    found = tokenizer.decode(tokens + tokenizer.tokenizer.mask, kept)

    assert found["head.weight"] is found["words.weight"]
    assert_close(found["head.weight"], state["words.weight"] + 1)


def test_tied_tensors_may_come_apart_in_memory_but_not_in_value():
    state = Odd().state_dict()
    tokenizer = StateTokenizer.of(state)
    apart = {name: value.clone() if isinstance(value, Tensor) else value for name, value in state.items()}

    assert_same_state(tokenizer.decode(*tokenizer.encode(apart)), state)
    apart["words.weight"][0, 0] = apart["head.weight"][0, 0] = torch.nan
    assert_same_state(tokenizer.decode(*tokenizer.encode(apart)), apart)
    apart["head.weight"][1, 1] += 1
    with pytest.raises(ValueError, match=r"head.weight was tied to words.weight and differs here"):
        tokenizer.encode(apart)


def test_parts_of_one_memory_that_are_read_differently_are_no_ties():
    memory = torch.randn(4, 4)
    state = {"a": memory, "b": memory.t(), "c": memory[:2], "d": memory.flatten(), "e": memory.view(torch.int32)}
    state["f"] = memory[:1].expand(3, 4)
    tokenizer = StateTokenizer.of(state)

    assert list(tokenizer.coverage["goes"]) == [*["tokens"] * 4, "kept", "tokens"]
    assert_same_state(tokenizer.decode(*tokenizer.encode(state)), state)


def test_what_is_kept_does_not_follow_the_network():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).train()
    tokenizer = StateTokenizer.of(net.state_dict())
    before = {name: value.clone() for name, value in net.state_dict().items()}
    tokens, kept = tokenizer.encode(net.state_dict())

    for _ in range(3):
        net(torch.randn(8, 2))

    assert net[1].num_batches_tracked == 3
    assert_same_state(tokenizer.decode(tokens, kept), before)
    assert_same_state(tokenizer.decode(*tokenizer.encode(net.state_dict())), net.state_dict())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_numbers_that_are_none_and_the_smallest_ones_survive(dtype):
    info = torch.finfo(dtype)
    numbers = [torch.nan, torch.inf, -torch.inf, -0.0, 0.0, info.tiny, info.smallest_normal / 2, info.max, -info.eps]
    state = {"a.weight": torch.tensor(numbers, dtype=dtype).view(3, 3), "b.weight": torch.ones(2, 2)}
    tokenizer = StateTokenizer.of(state, 2)

    assert_same_state(tokenizer.decode(*tokenizer.encode(state)), state)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("float32 float32", "float32"),
        ("float64 bfloat16", "float64"),
        ("bfloat16 float32", "float32"),
        ("bfloat16 float16", "float32"),
        ("bfloat16 int64", "bfloat16"),
        ("float16 float16", "float16"),
        ("float8_e4m3fn float8_e5m2", "float32"),
    ],
)
def test_tokens_are_as_precise_as_they_must(kinds, expected):
    state = {
        str(place): torch.arange(-3, 3).to(torch.float32).to(getattr(torch, kind))
        for place, kind in enumerate(kinds.split())
    }
    tokenizer = StateTokenizer.of(state)

    tokens, kept = tokenizer.encode(state)

    assert tokens.dtype == tokenizer.dtype == getattr(torch, expected)
    assert_same_state(tokenizer.decode(tokens, kept), state)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # of PyTorch, on quantisation
def test_a_quantised_module_loads_what_comes_back(generator):
    images = torch.randn(4, 6, generator=generator)
    net, other = (
        torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5)).eval(), {nn.Linear})
        for _ in range(2)
    )
    tokenizer = StateTokenizer.of(net.state_dict())

    other.load_state_dict(tokenizer.decode(*tokenizer.encode(net.state_dict())))

    assert torch.equal(other(images), net(images))


def test_notes_on_versions_come_back_as_a_copy():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    state = net.state_dict()
    tokenizer = StateTokenizer.of(state)
    state._metadata["1"]["version"] = 1

    first, second = (tokenizer.decode(*tokenizer.encode(state)) for _ in range(2))

    assert first._metadata == net.state_dict()._metadata and first._metadata["1"]["version"] == 2
    first._metadata["1"].clear()
    assert second._metadata == net.state_dict()._metadata
    assert not hasattr(StateTokenizer.of(dict(state)).decode(*tokenizer.encode(state)), "_metadata")
    assert tokenizer == StateTokenizer.of(dict(state)) and hash(tokenizer) == hash(StateTokenizer.of(dict(state)))


def test_a_module_has_the_tokens_of_its_state_dict_and_tells_what_is_learned():
    net = Odd()
    state, tokenizer = net.state_dict(), StateTokenizer.of(net)

    tokens, kept = tokenizer.encode(net)
    assert_same_state(tokenizer.decode(tokens, kept), state)
    assert not tokens.requires_grad
    assert StateTokenizer.of(state, unlearned=["mean", "nothing"]) == tokenizer != StateTokenizer.of(state)


@pytest.mark.slow
def test_many_thousand_tensors_come_back():
    state = {f"layer{n}.{part}": torch.full((2,), float(n)) for n in range(10_000) for part in ("weight", "bias")}
    tokenizer = StateTokenizer.of(state)

    tokens, kept = tokenizer.encode(state)

    assert tokens.shape == (20_000, 2) and len(tokenizer.tokenizer.layers) == 10_000
    assert all(torch.equal(value, state[name]) for name, value in tokenizer.decode(tokens, kept).items())


KINDS = [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.int8, torch.bool]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_state_dict_comes_back_to_the_bit(data):
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**16)))
    state = OrderedDict(a=torch.randn(3, 2, generator=generator))
    for name in data.draw(st.lists(st.from_regex(r"[bc](\.[ab]){0,2}", fullmatch=True), unique=True, max_size=6)):
        shape = tuple(data.draw(st.lists(st.integers(0, 3), max_size=4)))
        value = (100 * torch.randn(*shape, 2, generator=generator)).to(data.draw(st.sampled_from(KINDS)))[..., 0]
        tied = data.draw(st.booleans())
        state[name] = data.draw(st.sampled_from(list(state.values()))) if tied else value
        if value.ndim > 1 and data.draw(st.booleans()):
            state[name] = state[name].transpose(0, -1) if state[name].ndim > 1 else state[name]
    tokenizer = StateTokenizer.of(state, data.draw(st.sampled_from([None, 1, 3])))

    assert_same_state(tokenizer.decode(*tokenizer.encode(state)), state)


def test_a_state_dict_that_does_not_fit_is_refused_by_name():
    state = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).state_dict()
    tokenizer = StateTokenizer.of(state)
    tokens, kept = tokenizer.encode(state)

    for other, message in (
        ({**state, "more": torch.ones(1)}, "more is in one of them only"),
        ({name: value for name, value in state.items() if name != "0.bias"}, "0.bias is in one of them only"),
        ({**state, "0.bias": torch.ones(4)}, r"0.bias was torch.float32 \[3\] when"),
        ({**state, "0.bias": torch.ones(3).double()}, r"0.bias was torch.float32 \[3\] when"),
        ({**state, "0.bias": 3}, r"0.bias was torch.float32 \[3\] when"),
        ({**state, "1.num_batches_tracked": torch.tensor(1.0)}, r"1.num_batches_tracked was torch.int64 \[\] when"),
    ):
        with pytest.raises(ValueError, match=message):
            tokenizer.encode(other)
    with pytest.raises(ValueError, match="1.num_batches_tracked is not in the tokens and not among what was kept"):
        tokenizer.decode(tokens, {})
    with pytest.raises(ValueError, match="tokens of width"):
        tokenizer.decode(tokens[:-1], kept)
    with pytest.raises(ValueError, match="no floating-point tensor"):
        StateTokenizer.of({"steps": torch.tensor(3)})
