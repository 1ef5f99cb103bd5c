"""Spectra against numpy's decomposition, matrix by matrix, and against what is known of special matrices."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close
from toys import TOYS, network

from hyperlib.weightspace.architectures import ARCHITECTURES, small_cnn
from hyperlib.weightspace.layout import Layout
from hyperlib.weightspace.spectra import (
    Spectrum,
    matrix_names,
    matrix_slots,
    spectra,
    stable_rank,
    weight_entropy,
    weight_matrix,
)

SMALL = [name for name in [*ARCHITECTURES, *TOYS] if network(name).layout.size < 50_000]


def one_matrix(rows: int, columns: int) -> Layout:
    return Layout.of_shapes({"layer.weight": (rows, columns)})


def entropies(matrix: torch.Tensor) -> list[float]:
    """Both entropies of one matrix."""
    layout = one_matrix(*matrix.shape)
    return [weight_entropy(matrix.flatten(), layout, definition).item() for definition in ("matrix", "histogram")]


def by_numpy(matrix: np.ndarray) -> tuple[float, float, float]:
    """Matrix entropy, histogram entropy and stable rank as one writes them down."""
    matrix = matrix.reshape(len(matrix), -1)
    values = np.linalg.svd(matrix.astype(float), compute_uv=False)
    share = values**2 / sum(values**2)
    share = share[share > 0]
    first = -sum(share * np.log(share)) / np.log(np.linalg.matrix_rank(matrix)) if len(values) > 1 else 0.0
    counts, _ = np.histogram(values**2, bins=len(values), range=(0, values[0] ** 2))
    filled = counts[counts > 0] / len(values)
    second = -sum(filled * np.log(filled)) / np.log(len(values)) if len(values) > 1 else 0.0
    return first, second, sum(values**2) / values[0] ** 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", SMALL)
def test_spectra_equal_numpy_s_matrix_by_matrix(name, dtype, generator):
    layout = network(name).layout
    weights = torch.randn(2, 3, layout.size, generator=generator, dtype=dtype)

    found = spectra(weights, layout)

    assert [spectrum.name for spectrum in found] == matrix_names(layout)
    for spectrum in found:
        assert spectrum.singular_values.dtype == torch.float64
        for place in np.ndindex(2, 3):
            matrix = layout.unflatten(weights[place])[spectrum.name].numpy()
            matrix = matrix.reshape(len(matrix), -1)
            reference = np.linalg.svd(matrix.astype(float), compute_uv=False)
            assert_close(spectrum.singular_values[place].numpy(), reference, rtol=1e-9, atol=1e-9)
            gram = np.linalg.eigvalsh(matrix.astype(float).T @ matrix.astype(float) / max(matrix.shape))[::-1]
            assert_close(spectrum.eigenvalues[place].numpy(), gram[: min(matrix.shape)].copy(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", SMALL)
def test_entropies_and_stable_rank_equal_plain_formulas(name, generator):
    layout = network(name).layout
    weights = torch.randn(2, layout.size, generator=generator)
    rows = [layout.unflatten(row) for row in weights]
    reference = np.array([[by_numpy(row[key].numpy()) for key in matrix_names(layout)] for row in rows])

    assert_close(weight_entropy(weights, layout).numpy(), reference[..., 0], rtol=1e-6, atol=1e-8)
    assert_close(weight_entropy(weights, layout, "histogram").numpy(), reference[..., 1], rtol=1e-6, atol=1e-8)
    assert_close(stable_rank(weights, layout).numpy(), reference[..., 2], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("budget", [1, 5000, 2**26])
def test_spectra_do_not_depend_on_the_budget(budget, generator):
    layout = small_cnn().layout
    weights = torch.randn(5, layout.size, generator=generator)

    assert_close(weight_entropy(weights, layout, budget=budget), weight_entropy(weights, layout), rtol=1e-12, atol=0)


def test_a_strangers_state_dict_has_spectra_of_its_matrices_alone():
    model = nn.Sequential(nn.Conv1d(3, 6, 5), nn.BatchNorm1d(6), nn.Conv3d(2, 4, 3), nn.Linear(7, 2), nn.LayerNorm(7))
    state = model.state_dict() | {"scale": torch.ones(())}
    layout = Layout.from_state_dict(state)
    weights = layout.flatten(state)

    found = {spectrum.name: spectrum.shape for spectrum in spectra(weights, layout)}

    assert found == {"0.weight": (6, 15), "2.weight": (4, 54), "3.weight": (2, 7)}
    for slot in matrix_slots(layout):
        assert torch.equal(weight_matrix(weights, slot), state[slot.name].reshape(state[slot.name].shape[0], -1))


def test_equal_directions_have_entropy_one_and_a_single_direction_zero(generator):
    rank_one = torch.outer(torch.randn(6, generator=generator), torch.randn(9, generator=generator))

    assert entropies(torch.eye(7))[0] == pytest.approx(1)
    assert entropies(torch.eye(7)[:5])[0] == pytest.approx(1)
    assert entropies(rank_one)[0] == pytest.approx(0, abs=1e-6)
    assert entropies(rank_one.double())[0] == pytest.approx(0, abs=1e-12)
    assert entropies(torch.ones(1, 4)) == [0, 0]


def test_histogram_entropy_is_zero_where_eigenvalues_are_equal_and_one_where_each_has_its_bin():
    spread = torch.diag((torch.arange(1, 9) - 0.5).double().sqrt())

    assert entropies(torch.eye(7))[1] == 0
    assert entropies(spread)[1] == pytest.approx(1)


def test_entropy_is_relative_to_the_rank():
    half = torch.zeros(8, 8)
    half[:4, :4] = torch.eye(4)

    assert entropies(half)[0] == pytest.approx(1)


@pytest.mark.parametrize("name", ["small_cnn_1ch", "residual_net"])
@pytest.mark.parametrize("scale", [1e-12, -3.0, 1e12])
def test_entropy_and_stable_rank_do_not_depend_on_the_scale(name, scale, generator):
    layout = network(name).layout
    weights = torch.randn(layout.size, generator=generator)

    for definition in ("matrix", "histogram"):
        before = weight_entropy(weights, layout, definition)
        assert_close(weight_entropy(weights * scale, layout, definition), before, rtol=1e-5, atol=1e-7)
    assert_close(stable_rank(weights * scale, layout), stable_rank(weights, layout), rtol=1e-5, atol=1e-7)


@given(rows=st.integers(2, 9), columns=st.integers(2, 9), seed=st.integers(0, 2**16))
@settings(max_examples=40, deadline=None)
def test_reordered_rows_and_columns_leave_a_spectrum_alone(rows, columns, seed):
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(rows, columns, generator=generator)
    row_order, column_order = (torch.randperm(side, generator=generator) for side in matrix.shape)
    moved = matrix[row_order][:, column_order]

    first, second = (spectra(one.flatten(), one_matrix(rows, columns))[0] for one in (matrix, moved))

    assert_close(first.singular_values, second.singular_values, rtol=1e-7, atol=1e-7)
    assert entropies(matrix)[0] == pytest.approx(entropies(moved)[0], abs=1e-7)


def test_a_matrix_of_zeros_has_no_entropy():
    layout = one_matrix(3, 4)

    for definition in ("matrix", "histogram"):
        assert weight_entropy(torch.zeros(2, 12), layout, definition).isnan().all()
    assert stable_rank(torch.zeros(12), layout).isnan().all()


def test_huge_and_tiny_float64_weights_have_the_entropy_of_their_shape():
    assert entropies(torch.eye(4, dtype=torch.float64) * 1e200)[0] == pytest.approx(1)
    assert entropies(torch.eye(4, dtype=torch.float64) * 1e-200)[0] == pytest.approx(1)


def test_half_precision_counts_no_more_as_zero_than_float32(generator):
    weights = torch.randn(600 * 600, generator=generator).bfloat16()

    (spectrum,) = spectra(weights, one_matrix(600, 600))

    assert spectrum.rank == 600


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_weights_that_are_not_finite_are_refused_by_name(bad):
    layout = network("tetris_mlp").layout
    weights = torch.zeros(2, 3, layout.size)
    weights[1, 1, 85] = bad

    with pytest.raises(ValueError, match="Weight vector 4 has values in fc2.weight that are not finite.*diverged"):
        spectra(weights, layout, budget=1)


def test_weights_of_another_length_are_refused():
    with pytest.raises(ValueError, match="100 weights, but these vectors have 7"):
        weight_entropy(torch.zeros(2, 7), network("tetris_mlp").layout)


def test_a_layout_without_matrices_is_refused():
    with pytest.raises(ValueError, match="holds no weight matrix, only norm.weight"):
        spectra(torch.zeros(4), Layout.of_shapes({"norm.weight": (4,)}))


def test_a_vector_is_no_matrix():
    layout = small_cnn().layout

    with pytest.raises(ValueError, match="conv1.bias has shape \\(8,\\) and is no matrix"):
        weight_matrix(torch.zeros(layout.size), layout["conv1.bias"])


def test_an_unknown_definition_is_refused():
    with pytest.raises(ValueError, match="no entropy 'spectral'; choose one of matrix, histogram"):
        weight_entropy(torch.ones(100), network("tetris_mlp").layout, "spectral")


def test_a_spectrum_says_what_belongs_to_its_matrix(generator):
    (spectrum,) = spectra(torch.randn(12, generator=generator), one_matrix(3, 4))

    assert isinstance(spectrum, Spectrum) and spectrum.aspect == 4 / 3
    assert replace(spectrum, shape=(4, 3)).aspect == 4 / 3
