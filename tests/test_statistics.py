"""Layer statistics against a plain numpy loop."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close
from toys import TOYS, network

from hyperlib.weightspace.architectures import ARCHITECTURES
from hyperlib.weightspace.layout import Layout
from hyperlib.weightspace.statistics import layer_statistics, layer_statistics_names


def by_numpy(vector: torch.Tensor, layout: Layout) -> np.ndarray:
    features = []
    for layer in layout.layers:
        for slot in (slot for slot in layout.slots if slot.layer == layer):
            values = vector[slot.start : slot.stop].double().numpy()
            features += [np.mean(values), np.var(values), *np.percentile(values, [1, 25, 50, 75, 99])]
    return np.array(features)


@pytest.mark.parametrize("name", [*ARCHITECTURES, *TOYS])
def test_statistics_equal_a_plain_loop(name, generator):
    layout = network(name).layout
    weights = torch.randn(4, layout.size, generator=generator)

    found = layer_statistics(weights, layout)

    assert found.dtype == torch.float32
    assert_close(found.double().numpy(), np.stack([by_numpy(row, layout) for row in weights]), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "features"), [("tetris_mlp", 14), ("small_cnn_1ch", 70), ("unterthiner_cnn_1ch_28", 56)]
)
def test_number_of_features_is_the_thesis_s(name, features):
    assert len(layer_statistics_names(network(name).layout)) == features


@given(size=st.integers(1, 40), seed=st.integers(0, 2**16), scale=st.sampled_from([1e-12, 1.0, 1e6]))
@settings(max_examples=60, deadline=None)
def test_parts_of_any_size_and_scale_equal_numpy(size, seed, scale):
    layout = Layout.of_shapes({"layer.weight": (size,)})
    weights = scale * torch.randn(3, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))

    found = layer_statistics(weights, layout).numpy()

    np.testing.assert_allclose(found, [by_numpy(row, layout) for row in weights], rtol=1e-10, atol=1e-12 * scale)


def test_a_part_with_one_weight_is_that_weight_without_variance():
    layout = Layout.of_shapes({"scale": ()})

    found = layer_statistics(torch.tensor([[3.0], [-1.0]]), layout)

    assert_close(found, torch.tensor([[3.0, 0, 3, 3, 3, 3, 3], [-1.0, 0, -1, -1, -1, -1, -1]]))


def test_features_stand_layer_by_layer_also_where_a_state_dict_scatters_them(generator):
    layout = Layout.of_shapes({"a.weight": (2, 3), "b.weight": (4,), "a.bias": (2,)})
    weights = torch.randn(2, layout.size, generator=generator)

    parts = [name.rpartition(".")[0] for name in layer_statistics_names(layout)[::7]]
    assert parts == ["a.weight", "a.bias", "b.weight"]
    assert_close(layer_statistics(weights[0].double(), layout).numpy(), by_numpy(weights[0], layout))


def test_statistics_work_on_a_state_dict_that_nobody_here_made():
    foreign = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2, bias=False))
    layout = Layout.from_state_dict(foreign.state_dict())
    found = dict(
        zip(layer_statistics_names(layout), layer_statistics(layout.flatten(foreign.state_dict()), layout), strict=True)
    )

    assert len(found) == 7 * 7  # conv weight and bias, four vectors of the norm, linear weight
    assert found["1.running_var.mean"] == 1
    assert_close(found["0.weight.variance"], foreign[0].weight.detach().var(correction=0))


def test_leading_axes_and_chunks_do_not_matter(generator):
    layout = network("tetris_mlp").layout
    weights = torch.randn(3, 5, layout.size, generator=generator)
    whole = layer_statistics(weights, layout)

    assert whole.shape == (3, 5, 14)
    assert torch.equal(layer_statistics(weights, layout, budget=1), whole)
    assert torch.equal(layer_statistics(weights[1, 2], layout), whole[1, 2])
    assert layer_statistics(weights[:0], layout).shape == (0, 5, 14)


def test_order_of_hidden_units_does_not_matter(generator):
    architecture = network("tetris_mlp")
    weights = torch.randn(architecture.num_weights, generator=generator)
    state = architecture.layout.unflatten(weights)
    order = torch.tensor([3, 0, 4, 1, 2])
    moved = architecture.layout.flatten(
        {"fc1.weight": state["fc1.weight"][order], "fc2.weight": state["fc2.weight"][:, order]}
    )

    assert not torch.equal(moved, weights)
    assert_close(layer_statistics(moved, architecture.layout), layer_statistics(weights, architecture.layout))


def test_half_precision_weights_have_statistics():
    layout = Layout.of_shapes({"layer.weight": (5,)})

    found = layer_statistics(torch.tensor([1.0, 2, 3, 4, 5], dtype=torch.bfloat16), layout)

    assert found.dtype == torch.bfloat16
    assert found[[0, 1, 4]].tolist() == [3, 2, 3]


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_weights_that_are_not_finite_are_refused_by_name(bad):
    layout = network("tetris_mlp").layout
    weights = torch.zeros(6, layout.size)
    weights[4, 85] = bad

    with pytest.raises(ValueError, match=r"Weight vector 4 holds -?(nan|inf) in fc2.weight.*diverged"):
        layer_statistics(weights, layout, budget=1)


def test_weights_of_another_length_are_refused():
    with pytest.raises(ValueError, match="100 weights, but these vectors have 7"):
        layer_statistics(torch.zeros(2, 7), network("tetris_mlp").layout)
