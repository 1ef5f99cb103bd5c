"""Tokens hold every number of a network once, in rows of units, and give all of it back."""

from __future__ import annotations

from math import ceil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close
from toys import TOYS, network

from hyperlib.weightspace.architectures import ARCHITECTURES
from hyperlib.weightspace.layout import Layout
from hyperlib.weightspace.symmetry import permutation_index, random_permutations
from hyperlib.weightspace.tokens import Tokenizer

NAMES = [*ARCHITECTURES, *TOYS]
WIDTHS = [None, 1, 5, 64]


# -- the same with loops -----------------------------------------------------------------------------------------------


def rows_by_hand(layout: Layout, vector: Tensor) -> list[tuple[str, int, list[float]]]:
    """(layer or statistic, unit, its numbers), unit by unit."""
    rows = []
    for layer in layout.layers:
        slots = [slot for slot in layout.slots if slot.layer == layer and slot.size]
        kinds = {}
        for slot in slots:
            units = slot.shape[0] if slot.shape else 1
            kinds.setdefault((layer, units) if slot.learned else (slot.name, "statistic"), []).append(slot)
        for kind in sorted(kinds, key=lambda kind: kind[1] == "statistic"):  # those last
            tensors = [vector[slot.start : slot.stop].reshape(slot.shape or (1,)) for slot in kinds[kind]]
            for unit in range(len(tensors[0])):
                row = [number for tensor in tensors for number in tensor[unit].flatten().tolist()]
                rows.append((kind[0], unit, row))
    return rows


def tokens_by_hand(layout: Layout, vector: Tensor, width: int | None) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, mask and positions."""
    rows = rows_by_hand(layout, vector)
    width = width or max(len(row) for _, _, row in rows)
    names = list(dict.fromkeys(rows_name(layout, rows)))
    cells, real, places = [], [], []
    for (_, unit, row), name in zip(rows, rows_name(layout, rows), strict=True):
        for chunk in range(ceil(len(row) / width)):
            part = row[chunk * width : (chunk + 1) * width]
            cells.append(part + [0.0] * (width - len(part)))
            real.append([True] * len(part) + [False] * (width - len(part)))
            places.append([len(places), names.index(name), unit])
    return torch.tensor(cells, dtype=vector.dtype), torch.tensor(real), torch.tensor(places)


def rows_name(layout: Layout, rows: list) -> list[tuple]:
    """What tells the rows of one block from those of the next: units begin again at 0."""
    names, number = [], -1
    for _, unit, _ in rows:
        number += unit == 0
        names.append(number)
    return names


# -- tokens of a layout ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_the_way_there_and_back_loses_nothing(name, width, generator):
    tokenizer = Tokenizer(network(name).layout, width)
    weights = torch.randn(2, 3, tokenizer.layout.size, generator=generator)

    tokens = tokenizer.encode(weights)

    assert tokens.shape == (2, 3, *tokenizer.shape)
    assert torch.equal(tokenizer.decode(tokens), weights)
    assert torch.equal(tokenizer.encode(weights[1, 2]), tokens[1, 2])


@pytest.mark.parametrize("width", [None, 5, 64])
@pytest.mark.parametrize("name", [name for name in NAMES if name != "wide_mlp"])
def test_tokens_are_rows_of_units_as_loops_make_them(name, width, generator):
    layout = network(name).layout
    tokenizer, vector = Tokenizer(layout, width), torch.randn(layout.size, generator=generator)

    tokens, mask, positions = tokens_by_hand(layout, vector, width)

    assert torch.equal(tokenizer.encode(vector), tokens)
    assert torch.equal(tokenizer.mask, mask)
    assert torch.equal(tokenizer.positions, positions)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_every_weight_has_one_cell_and_padding_is_exactly_zero(name, width):
    tokenizer = Tokenizer(network(name).layout, width)
    numbers = torch.arange(1, tokenizer.layout.size + 1)

    tokens = tokenizer.encode(numbers)

    assert torch.equal(tokens[tokenizer.mask].sort().values, numbers)
    assert not tokens[~tokenizer.mask].any()


def test_a_weight_keeps_its_unit_and_its_layer(architecture, generator):
    tokenizer, layout = Tokenizer(architecture.layout, 7), architecture.layout
    numbers = tokenizer.encode(tokenizer.layer_of + 1)

    for (_, layer, unit), row, real in zip(tokenizer.positions.tolist(), numbers, tokenizer.mask, strict=True):
        assert set(row[real].tolist()) == {layer + 1}
        slot = next(slot for slot in layout if tokenizer.layers[layer] in (slot.layer, slot.name))
        assert unit < slot.shape[0]


@pytest.mark.parametrize(
    ("name", "width", "shape"),
    [
        ("tetris_mlp", None, (9, 16)),
        ("small_cnn_1ch", None, (48, 201)),
        ("unterthiner_cnn_1ch_28", None, (58, 145)),
        ("large_cnn_3ch", None, (93, 289)),
        ("resnet18_10", 288, (53_524, 288)),
        ("resnet18_100", 288, (53_704, 288)),
    ],
)
def test_counts_are_the_published_ones(name, width, shape):
    assert Tokenizer(network(name).layout, width).shape == shape


def test_rows_of_the_small_cnn_are_as_long_as_published():
    tokenizer = Tokenizer(network("small_cnn_1ch").layout)
    lengths = tokenizer.mask.sum(-1)

    assert [(layer, int(lengths[tokenizer.positions[:, 1] == n][0])) for n, layer in enumerate(tokenizer.layers)] == [
        ("conv1", 26),
        ("conv2", 201),
        ("conv3", 25),
        ("fc1", 37),
        ("fc2", 21),
    ]


def test_running_statistics_are_tokens_of_their_own(generator):
    architecture = network("residual_net")
    tokenizer = Tokenizer(architecture.layout)

    assert tokenizer.layers[:5] == ("conv1", "norm1", "norm1.running_mean", "norm1.running_var", "conv2")
    cells = tokenizer.encode(architecture.layout.learned)
    assert torch.equal(tokenizer.learned, cells.any(-1))
    assert torch.equal(tokenizer.learned[:, None] & tokenizer.mask, cells)


@pytest.mark.parametrize("name", ["tetris_mlp", "small_cnn_1ch", "residual_net"])
def test_a_network_in_another_order_has_the_same_rows_in_its_first_layer(name, generator):
    architecture = network(name)
    weights = torch.randn(1, architecture.layout.size, generator=generator)
    orders = random_permutations(architecture, 1, generator)
    moved = weights.gather(-1, permutation_index(architecture, orders))
    tokenizer = Tokenizer(architecture.layout)

    first = tokenizer.positions[:, 1] == 0
    order = next(iter(orders.values()))[0]

    assert torch.equal(tokenizer.encode(moved)[0, first], tokenizer.encode(weights)[0, first][order])


@pytest.mark.parametrize("width", [None, 3])
def test_gradients_pass_both_ways_and_none_reaches_padding(width, generator):
    tokenizer = Tokenizer(network("branching_net").layout, width)
    weights = torch.randn(2, tokenizer.layout.size, dtype=torch.float64, generator=generator, requires_grad=True)
    cells = torch.randn(2, *tokenizer.shape, dtype=torch.float64, generator=generator, requires_grad=True)
    factors = torch.randn(2, *tokenizer.shape, dtype=torch.float64, generator=generator)

    (tokenizer.encode(weights) * factors).sum().backward()
    (tokenizer.decode(cells) * tokenizer.decode(factors)).sum().backward()

    assert torch.equal(weights.grad, tokenizer.decode(factors))
    assert torch.equal(cells.grad, factors * tokenizer.mask)


@pytest.mark.parametrize("width", [None, 4])
def test_memory_that_is_given_is_overwritten_everywhere(width, generator):
    tokenizer = Tokenizer(network("residual_net").layout, width)
    weights = torch.randn(5, tokenizer.layout.size, generator=generator)
    memory = torch.full((5, *tokenizer.shape), torch.nan)

    tokens = tokenizer.encode(weights, out=memory)

    assert torch.equal(tokens, tokenizer.encode(weights))
    assert tokens.data_ptr() == memory.data_ptr()


def test_an_empty_batch_and_any_strides_have_tokens(generator):
    tokenizer = Tokenizer(network("tetris_mlp").layout, 6)
    weights = torch.randn(100, 7, generator=generator).t()

    assert tokenizer.encode(weights[:0]).shape == (0, *tokenizer.shape)
    assert tokenizer.decode(tokenizer.encode(weights[:0])).shape == (0, 100)
    assert torch.equal(tokenizer.decode(tokenizer.encode(weights)), weights)
    many = weights[:1].expand(3, -1)
    assert torch.equal(tokenizer.decode(tokenizer.encode(many).transpose(0, 1).contiguous().transpose(0, 1)), many)


@settings(deadline=None, max_examples=80)
@given(
    st.dictionaries(
        st.from_regex(r"[ab]{1,2}(\.[ab0]{1,2}){0,2}", fullmatch=True),
        st.lists(st.integers(0, 4), max_size=4).map(tuple),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([None, 1, 2, 3, 7]),
)
def test_any_layout_keeps_every_number_once(shapes, width):
    layout = Layout.of_shapes(shapes)
    if not layout.size:
        with pytest.raises(ValueError, match="no weights"):
            Tokenizer(layout, width)
        return
    tokenizer, numbers = Tokenizer(layout, width), torch.arange(layout.size) + 1

    tokens = tokenizer.encode(numbers)

    assert torch.equal(tokens[tokenizer.mask].sort().values, numbers) and not tokens[~tokenizer.mask].any()
    assert torch.equal(tokenizer.decode(tokens), numbers)
    assert torch.equal(tokens, tokens_by_hand(layout, numbers, width)[0])


@pytest.mark.parametrize("width", [0, -1, 2.0, True, "288"])
def test_a_width_that_is_no_number_of_cells_is_refused(width, no_shape_checks):
    with pytest.raises(ValueError, match="whole number from 1 on, or None"):
        Tokenizer(network("tetris_mlp").layout, width)


@pytest.mark.parametrize("wrong", [network("tetris_mlp"), {"fc.weight": torch.ones(2)}, None])
@pytest.mark.usefixtures("no_shape_checks")
def test_a_tokenizer_of_what_is_no_layout_is_refused(wrong):
    with pytest.raises(TypeError, match=f"made of a layout, and this is of type {type(wrong).__name__}; take"):
        Tokenizer(wrong)


def test_what_does_not_fit_is_refused(no_shape_checks):
    tokenizer = Tokenizer(network("tetris_mlp").layout)

    with pytest.raises(ValueError, match="100 weights, but these vectors have 99"):
        tokenizer.encode(torch.zeros(2, 99))
    for wrong in (torch.zeros(3, 16, 9), torch.zeros(16)):
        with pytest.raises(ValueError, match=r"9 tokens of width 16.*another width"):
            tokenizer.decode(wrong)
    for out in (torch.empty(2, 9, 16), torch.empty(3, 9, 16, dtype=torch.float64)):
        with pytest.raises(ValueError, match=r"out is torch.float32 \[3, 9, 16\]"):
            tokenizer.encode(torch.zeros(3, 100), out=out)
    with pytest.raises(ValueError, match="contiguous"):
        tokenizer.encode(torch.zeros(3, 100), out=torch.empty(9, 3, 16).transpose(0, 1))


# -- one scale per layer -----------------------------------------------------------------------------------------------


def population(name: str, generator: torch.Generator) -> tuple[Tokenizer, Tensor]:
    tokenizer = Tokenizer(network(name).layout)
    spread = torch.rand(6, 1, generator=generator) + (tokenizer.layer_of + 1) / 3
    return tokenizer, spread * torch.randn(6, tokenizer.layout.size, generator=generator) + tokenizer.layer_of


@pytest.mark.parametrize("name", NAMES)
def test_the_scale_is_that_of_each_layers_weights_in_both_readings(name, generator):
    tokenizer, weights = population(name, generator)
    total, within = tokenizer.scale(weights), tokenizer.scale(weights, spread="within")

    for number in range(len(tokenizer.layers)):
        own = weights[:, tokenizer.layer_of == number].double().numpy()
        assert_close(float(total.mean[number]), own.mean(), rtol=1e-5, atol=1e-6)
        assert_close(float(total.deviation[number]), own.std(), rtol=1e-5, atol=1e-6)
        assert_close(float(within.deviation[number]), own.var(1).mean() ** 0.5, rtol=1e-5, atol=1e-6)
    assert torch.equal(within.mean, total.mean)


def test_a_standardised_population_has_mean_0_and_deviation_1_and_can_be_restored(generator):
    tokenizer, weights = population("small_resnet_1ch", generator)
    scale = tokenizer.scale(weights)

    found = scale.standardise(weights)

    again = tokenizer.scale(found)
    assert_close(again.mean, torch.zeros_like(again.mean), atol=1e-5, rtol=0)
    assert_close(again.deviation, torch.ones_like(again.deviation))
    assert_close(scale.restore(found), weights, atol=1e-5, rtol=1e-5)
    assert not tokenizer.encode(found)[:, ~tokenizer.mask].any()


@pytest.mark.parametrize("other", ["digits_cnn", "small_resnet_1ch"])
def test_a_scale_of_other_networks_is_refused_with_the_sizes_of_both(other, generator, no_shape_checks):
    tokenizer, weights = population("tetris_mlp", generator)
    scale, strange = tokenizer.scale(weights), population(other, generator)[1]
    sizes = rf"with {weights.shape[-1]:,} weights in .* these have {strange.shape[-1]:,} weights; measure a scale"
    for call in (scale.standardise, scale.restore):
        assert call(weights).shape == weights.shape
        with pytest.raises(ValueError, match=sizes):
            call(strange)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_layer_that_never_varies_keeps_its_size(dtype):
    tokenizer = Tokenizer(Layout.of_shapes({"a.weight": (2, 3), "b.weight": (3,)}))
    for constant in (0.0, 0.01, 0.1, 0.7, 1 / 3, 1e9 / 7):  # the mean of some is rounded
        weights = torch.cat([torch.randn(4, 6, dtype=dtype), torch.full((4, 3), constant, dtype=dtype)], 1)

        scale = tokenizer.scale(weights)

        assert scale.deviation[1] == 1 and scale.layers == ("a", "b")
        assert_close(scale.restore(scale.standardise(weights)), weights)


def test_a_scale_of_nothing_or_of_what_is_not_finite_is_refused(no_shape_checks):
    tokenizer = Tokenizer(network("tetris_mlp").layout)

    with pytest.raises(ValueError, match="no samples"):
        tokenizer.scale(torch.zeros(0, 100))
    with pytest.raises(ValueError, match="leave diverged models out"):
        tokenizer.scale(torch.full((2, 100), torch.inf))
    with pytest.raises(ValueError, match="no spread 'both'"):
        tokenizer.scale(torch.zeros(2, 100), spread="both")
    with pytest.raises(ValueError, match="100 weights"):
        tokenizer.scale(torch.zeros(2, 99))
