"""Layer statistics, in both readings, against a plain numpy loop."""

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
from hyperlib.weightspace.statistics import READINGS, layer_statistics, layer_statistics_names
from hyperlib.weightspace.symmetry import permutation_index, random_permutations

every_reading = pytest.mark.parametrize("reading", READINGS)


def by_numpy(vector: torch.Tensor, layout: Layout, reading: str = "percentiles") -> np.ndarray:
    features = []
    for layer in layout.layers:
        for slot in (slot for slot in layout.slots if slot.layer == layer):
            values = vector[slot.start : slot.stop].double().numpy()
            if reading == "quintiles":
                features += np.quantile(values, [0, 0.2, 0.4, 0.6, 0.8, 1]).tolist()
            else:
                features += [np.mean(values), np.var(values), *np.percentile(values, [1, 25, 50, 75, 99])]
    return np.array(features)


@every_reading
@pytest.mark.parametrize("name", [*ARCHITECTURES, *TOYS])
def test_statistics_equal_a_plain_loop(name, reading, generator):
    layout = network(name).layout
    weights = torch.randn(4, layout.size, generator=generator)
    expected = np.stack([by_numpy(row, layout, reading) for row in weights])

    found = layer_statistics(weights, layout, reading=reading)

    assert found.dtype == torch.float32
    assert found.shape[1] == len(layer_statistics_names(layout, reading))
    assert_close(found.double().numpy(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "features", "borders"),
    [("tetris_mlp", 14, 12), ("small_cnn_1ch", 70, 60), ("unterthiner_cnn_1ch_28", 56, 48)],
)
def test_number_of_features_is_the_thesis_s_and_six_per_part_for_quintiles(name, features, borders):
    assert len(layer_statistics_names(network(name).layout)) == features
    assert len(layer_statistics_names(network(name).layout, "quintiles")) == borders


@every_reading
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_statistics_of_permuted_networks_are_the_same(name, reading, generator):
    architecture = network(name)
    weights = torch.randn(3, architecture.layout.size, generator=generator)
    moved = weights.gather(-1, permutation_index(architecture, random_permutations(architecture, 3, generator)))

    found, expected = (layer_statistics(one, architecture.layout, reading=reading) for one in (moved, weights))

    assert not torch.equal(moved, weights)
    assert_close(found, expected)


def test_quintiles_are_in_order_from_the_smallest_weight_to_the_largest(generator):
    layout = network("tetris_mlp").layout
    weights = torch.randn(5, layout.size, generator=generator)

    borders = layer_statistics(weights, layout, reading="quintiles").unflatten(1, (-1, 6))

    assert (borders.diff(dim=-1) >= 0).all()
    for part, slot in enumerate(layout.slots):
        values = weights[:, slot.start : slot.stop]
        assert_close(borders[:, part, [0, -1]], torch.stack([values.amin(1), values.amax(1)], 1))


def test_an_unknown_reading_is_refused_with_what_there_is():
    layout = network("tetris_mlp").layout
    with pytest.raises(ValueError, match="no reading 'deciles'.*percentiles, quintiles"):
        layer_statistics(torch.zeros(1, 100), layout, reading="deciles")
    with pytest.raises(ValueError, match="no reading 'deciles'"):
        layer_statistics_names(layout, "deciles")


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


DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2]


@every_reading
@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_weights_of_every_precision_have_statistics_that_are_not_rounded_to_it(dtype, scale, reading, generator):
    layout = network("tetris_mlp").layout
    weights = (scale * torch.randn(3, layout.size, generator=generator)).to(dtype)

    found = layer_statistics(weights, layout, reading=reading)

    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    expected = np.stack([by_numpy(row, layout, reading) for row in weights])
    rounding = torch.finfo(found.dtype).eps
    np.testing.assert_allclose(found.double().numpy(), expected, rtol=4 * rounding, atol=1e-9 * scale**2)


def test_the_variance_of_large_half_weights_is_finite():
    found = layer_statistics(torch.tensor([60_000.0, -60_000.0]).half(), Layout.of_shapes({"layer.weight": (2,)}))

    assert found[:2].tolist() == [0, 3.6e9]


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_weights_that_are_not_finite_are_refused_by_name(bad):
    layout = network("tetris_mlp").layout
    weights = torch.zeros(6, layout.size)
    weights[4, 85] = bad

    with pytest.raises(ValueError, match=r"Weight vector 4 holds -?(nan|inf) in fc2.weight.*diverged"):
        layer_statistics(weights, layout, budget=1)


@every_reading
@pytest.mark.parametrize("name", ["tetris_mlp", "residual_net"])
def test_an_architecture_stands_for_its_layout(name, reading, generator):
    architecture = network(name)
    weights = torch.randn(2, architecture.layout.size, generator=generator)

    found = layer_statistics(weights, architecture, reading=reading)

    assert torch.equal(found, layer_statistics(weights, architecture.layout, reading=reading))
    assert layer_statistics_names(architecture, reading) == layer_statistics_names(architecture.layout, reading)


@pytest.mark.parametrize("wrong", [{"fc.weight": torch.ones(2)}, torch.ones(2), None])
@pytest.mark.usefixtures("no_shape_checks")
def test_what_is_no_layout_is_refused(wrong):
    message = f"Statistics need a layout, and this is of type {type(wrong).__name__}; take Layout.from_state_dict"
    for reader in (lambda one: layer_statistics(torch.zeros(2), one), layer_statistics_names):
        with pytest.raises(TypeError, match=message):
            reader(wrong)


def test_weights_of_another_length_are_refused():
    with pytest.raises(ValueError, match="100 weights, but these vectors have 7"):
        layer_statistics(torch.zeros(2, 7), network("tetris_mlp").layout)
