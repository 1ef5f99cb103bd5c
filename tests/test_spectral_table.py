"""The table of spectra against plain numpy written from the definitions, and against numbers that WeightWatcher gave.

The latter were measured once with WeightWatcher 0.7.7 on a CPU, `analyze()` with its defaults, on a network of
`nn.Linear` and `nn.Conv2d` without biases whose weights are those of `heavy_tailed`.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from hyperlib.weightspace.architectures import small_cnn
from hyperlib.weightspace.layout import Layout
from hyperlib.weightspace.spectral_laws import power_law
from hyperlib.weightspace.spectral_table import spectral_summary, spectral_table

SHAPES = {"fc.weight": (300, 200), "conv.weight": (64, 64, 3, 3), "point.weight": (70, 40, 1, 1)}
COLUMNS = ["values", "log_spectral_norm", "log_norm", "alpha", "weighted_alpha", "stable_rank", "xmin", "ks", "tail"]
TAIL = ["alpha", "weighted_alpha", "xmin", "ks", "tail"]
WEIGHTWATCHER = {  # joined: with `nn.Linear` of the joined matrices' shapes in the convolutions' place
    "slices": [
        [200, 2.609862037, 3.335841443, 2.278440143, 5.946414432, 5.320830274, 9.22831318, 0.04101801639, 51],
        [576, 1.74626823, 2.747192613, 2.193698557, 3.830786096, 10.02130737, 0.9455513065, 0.04460967221, 112],
        [40, 1.187779235, 1.554884756, 2.201845714, 2.615306619, 2.328656982, 0.4755971691, 0.07716125043, 16],
    ],
    "joined": [
        [200, 2.609862037, 3.335841443, 2.278440143, 5.946414432, 5.320830274, 9.22831318, 0.04101801639, 51],
        [64, 2.068971306, 3.048222608, 2.407291326, 4.98061668, 9.533476534, 8.80055985, 0.06127978178, 40],
        [40, 1.488809231, 1.855914751, 2.201845714, 3.278128224, 2.328656982, 0.9511943382, 0.07716125043, 16],
    ],
}


def heavy_tailed(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Student's t with two degrees of freedom times 0.05, from its quantiles, in float32."""
    share = np.random.default_rng(seed).random(shape)
    return (0.05 * (2 * share - 1) / np.sqrt(2 * share * (1 - share))).astype(np.float32)


def network(shapes: dict[str, tuple[int, ...]]) -> tuple[Layout, dict[str, np.ndarray], np.ndarray]:
    """Layout, weights by name and weight vector; the first matrix is drawn from seed 0, the next from 1, and so on."""
    matrices = {name: heavy_tailed(shape, seed) for seed, (name, shape) in enumerate(shapes.items())}
    return Layout.of_shapes(shapes), matrices, np.concatenate([matrix.ravel() for matrix in matrices.values()])


def by_definition(weight: np.ndarray, convolutions: str) -> list[float]:
    """The table's numbers of one layer, as one writes them down, begin after begin."""
    if weight.ndim == 2:
        matrices, factor = [weight], 1.0
    elif convolutions == "joined":
        matrices, factor = [weight.reshape(len(weight), -1)], 1.0
    else:
        matrices, factor = list(np.moveaxis(weight.reshape(*weight.shape[:2], -1), -1, 0)), 0.5
    found = [np.linalg.svd(matrix.astype(float), compute_uv=False) ** 2 for matrix in matrices]
    values = np.sort(np.concatenate(found)) * factor
    tail, best = values[values > 1e-5], (np.inf, 0.0, 0.0, 0)
    for place, begin in enumerate(tail[:-1]):
        count = len(tail) - place
        alpha = 1 + count / np.log(tail[place:] / begin).sum()
        law = 1 - (tail[place:] / begin) ** (1 - alpha)
        best = min(best, (np.abs(law - np.arange(count) / count).max(), alpha, begin, count))
    ks, alpha, begin, count = best
    largest = np.log10(values[-1])
    sizes = [len(values), largest, np.log10(values.sum()), alpha, alpha * largest, values.sum() / values[-1]]
    return [*sizes, begin, ks, count]


@pytest.mark.parametrize("convolutions", ["joined", "slices"])
def test_the_table_equals_the_definitions_written_out(convolutions):
    layout, matrices, vector = network(SHAPES | {"line.weight": (60, 55, 3), "deep.weight": (55, 9, 2, 3, 2)})

    table = spectral_table(torch.from_numpy(vector), layout, convolutions=convolutions, least=20)

    reference = [by_definition(matrix, convolutions) for matrix in matrices.values()]
    np.testing.assert_allclose(table[COLUMNS].to_numpy(float), reference, rtol=1e-8)
    assert list(table["name"]) == list(matrices)


@pytest.mark.parametrize("convolutions", ["joined", "slices"])
def test_the_table_gives_the_numbers_of_weightwatcher(convolutions):
    layout, _, vector = network(SHAPES)

    table = spectral_table(vector, layout, convolutions=convolutions, least=20)

    np.testing.assert_allclose(table[COLUMNS].to_numpy(float), WEIGHTWATCHER[convolutions], rtol=1e-8)


def test_shapes_are_those_of_the_matrices_read():
    layout, _, vector = network(SHAPES)

    joined, slices = (spectral_table(vector, layout, convolutions=how) for how in ("joined", "slices"))

    assert list(joined["shape"]) == [(300, 200), (64, 576), (70, 40)]
    assert list(slices["shape"]) == [(300, 200), (64, 64), (70, 40)]
    pd.testing.assert_frame_equal(joined[:1], slices[:1])  # a linear layer has one reading


def test_a_kernel_of_one_place_has_the_spectrum_of_its_matrix_but_halved():
    layout, _, vector = network({"point.weight": (70, 60, 1, 1)})

    joined, slices = (spectral_table(vector, layout, convolutions=how).iloc[0] for how in ("joined", "slices"))

    assert joined["log_norm"] - slices["log_norm"] == pytest.approx(np.log10(2))
    assert joined["xmin"] == pytest.approx(2 * slices["xmin"])
    for same in ("alpha", "stable_rank", "ks", "tail"):
        assert joined[same] == pytest.approx(slices[same])


def test_a_layer_with_too_few_eigenvalues_has_a_size_and_no_tail():
    layout, matrices, vector = network({"small.weight": (49, 90), "large.weight": (50, 90)})

    small, large = spectral_table(vector, layout).to_dict("records")

    assert all(np.isnan(small[name]) for name in TAIL)
    assert small["log_norm"] == pytest.approx(np.log10(np.square(matrices["small.weight"].astype(float)).sum()))
    assert not any(np.isnan(large[name]) for name in TAIL)
    assert not spectral_table(vector, layout, least=49).isna().any(axis=None)


def test_eigenvalues_below_the_bound_belong_to_no_tail(generator):
    left, right = torch.randn(120, 60, generator=generator), torch.randn(60, 90, generator=generator)
    layout = Layout.of_shapes({"layer.weight": (120, 90)})

    of_rank_60 = spectral_table((left @ right).flatten(), layout).iloc[0]
    tiny = spectral_table(1e-6 * (left @ right).flatten(), layout).iloc[0]

    assert of_rank_60["values"] == 90 and of_rank_60["tail"] <= 60 and of_rank_60["xmin"] > 1
    assert np.isnan(tiny["alpha"]) and tiny["stable_rank"] == pytest.approx(of_rank_60["stable_rank"], rel=1e-5)


def test_zeros_have_neither_size_nor_tail_and_orthogonal_directions_no_tail():
    layout = Layout.of_shapes({"zeros.weight": (60, 60), "turn.weight": (60, 60)})
    turn = nn.init.orthogonal_(torch.empty(60, 60), generator=torch.Generator().manual_seed(0))

    zeros, orthogonal = spectral_table(torch.cat([torch.zeros(3600), turn.flatten()]), layout).to_dict("records")

    assert all(np.isnan(zeros[name]) for name in COLUMNS[1:])
    assert orthogonal["stable_rank"] == pytest.approx(60, rel=1e-5) and np.isnan(orthogonal["alpha"])


def test_networks_along_leading_axes_have_the_tables_of_each(generator):
    layout = small_cnn().layout
    weights = torch.randn(2, 3, layout.size, generator=generator)

    table = spectral_table(weights, layout, convolutions="slices", least=20)

    assert list(table.columns)[0] == "sample" and list(table["sample"].unique()) == list(range(6))
    for sample, row in enumerate(weights.flatten(0, 1)):
        one = spectral_table(row, layout, convolutions="slices", least=20)
        found = table[table["sample"] == sample].drop(columns="sample").reset_index(drop=True)
        pd.testing.assert_frame_equal(found, one, rtol=1e-9)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64, np.float16, np.float32, np.float64])
def test_weights_of_any_precision_are_reckoned_in_float64(kind):
    layout, _, vector = network({"fc.weight": (70, 60)})
    coarse = torch.from_numpy(vector).bfloat16().to(kind) if isinstance(kind, torch.dtype) else vector.astype(kind)

    table = spectral_table(coarse, layout)

    exact = coarse.double() if isinstance(coarse, torch.Tensor) else torch.from_numpy(coarse.astype(float))
    pd.testing.assert_frame_equal(table, spectral_table(exact, layout), rtol=1e-9)


def test_only_learned_matrices_have_a_row():
    layout = Layout.of_shapes({"a.weight": (6, 5), "a.bias": (6,), "b.filters": (4, 3)}, frozenset({"b.filters"}))

    assert list(spectral_table(torch.ones(48), layout)["name"]) == ["a.weight"]


# ---------------------------------------------------------------- summary


def test_the_summary_is_the_mean_over_the_layers_that_have_a_number():
    layout, _, vector = network({"a.weight": (70, 60), "b.weight": (80, 90), "c.weight": (10, 20)})
    table = spectral_table(vector, layout)

    summary = spectral_summary(table)

    assert len(summary) == 1
    assert summary["alpha"][0] == pytest.approx(table["alpha"][:2].sum() / 2)
    assert summary["log_norm"][0] == pytest.approx(table["log_norm"].sum() / 3)
    assert list(summary.columns) == ["log_spectral_norm", "log_norm", "alpha", "weighted_alpha", "stable_rank"]


def test_a_population_has_one_summary_per_network(generator):
    layout = small_cnn().layout
    weights = torch.randn(3, layout.size, generator=generator)

    summary = spectral_summary(spectral_table(weights, layout))

    assert summary.index.name == "sample" and len(summary) == 3
    for sample in range(3):
        alone = spectral_summary(spectral_table(weights[sample], layout)).iloc[0]
        np.testing.assert_allclose(summary.loc[sample], alone, rtol=1e-9)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize("convolutions", ["joined", "slices"])
def test_weights_that_are_not_finite_are_refused_by_row_and_name(convolutions):
    layout = Layout.of_shapes({"fc.weight": (4, 5), "conv.weight": (3, 2, 2, 2)})
    weights = torch.ones(2, 3, layout.size)
    weights[1, 1, -1] = torch.nan

    with pytest.raises(ValueError, match=r"Weight vector 4 has values in conv.weight that are not finite"):
        spectral_table(weights, layout, convolutions=convolutions)


def test_other_bad_input_is_refused_in_words():
    layout = Layout.of_shapes({"norm.weight": (4,)})

    with pytest.raises(ValueError, match="holds no weight matrix, only norm.weight"):
        spectral_table(torch.ones(4), layout)
    with pytest.raises(ValueError, match="has 4 weights, but these vectors have 7"):
        spectral_table(torch.ones(7), layout)
    with pytest.raises(ValueError, match="no reading 'fft' of convolutions; choose one of joined, slices"):
        spectral_table(torch.ones(4), layout, convolutions="fft")


def test_the_table_and_the_law_part_only_in_the_side_of_the_distance():
    layout, matrices, vector = network({"fc.weight": (300, 200)})
    values = np.linalg.svd(matrices["fc.weight"].astype(float), compute_uv=False) ** 2

    one, two = power_law(values, ks="one-sided"), power_law(values)

    assert spectral_table(vector, layout)["alpha"][0] == pytest.approx(one.alpha, rel=1e-9)
    assert two.ks >= one.ks
