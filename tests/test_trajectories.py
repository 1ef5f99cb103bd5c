"""Paths through weight space: steps and turns of known curves, and what distances alone give back."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from torch import Tensor
from torch.testing import assert_close

from hyperlib.tasks.trajectories import (
    LINKAGES,
    checkpoint_tree,
    curvature,
    merge_heights,
    order_by_path,
    order_by_radius,
    reach,
    reach_of_pairs,
    recovered_models,
    recovered_order,
    step_lengths,
)


def shrinking_paths(models: int, epochs: int, generator: torch.Generator, noise: float = 0.0) -> Tensor:
    """Paths from far-apart starts, each straight ahead with steps that halve."""
    starts = 100 * torch.randn(models, 1, 30, generator=generator, dtype=torch.float64)
    towards = torch.randn(models, 1, 30, generator=generator, dtype=torch.float64)
    travelled = 1 - 0.5 ** torch.arange(epochs, dtype=torch.float64)
    shaken = noise * torch.randn(models, epochs, 30, generator=generator, dtype=torch.float64)
    return starts + travelled[:, None] * towards + shaken


def test_a_straight_line_has_no_curvature_and_a_circle_a_constant_one():
    line = torch.arange(5.0)[None, :, None] * torch.tensor([3.0, 4.0])
    angles = 2 * math.pi * torch.arange(9, dtype=torch.float64) / 12
    circle = torch.stack([angles.cos(), angles.sin()], 1)[None]
    back_and_forth = torch.tensor([0.0, 1.0, 0.0, 1.0])[None, :, None]

    assert_close(step_lengths(line), torch.full((1, 4), 5.0).double())
    assert_close(curvature(line), torch.zeros(1, 3).double())
    assert_close(curvature(circle), torch.full((1, 7), math.pi / 6).double())
    assert_close(curvature(back_and_forth), torch.full((1, 2), math.pi).double())


def test_steps_and_turns_are_those_of_plain_loops(generator):
    weights = torch.randn(3, 6, 7, generator=generator)
    for model, path in enumerate(weights.double().numpy()):
        steps = [path[e + 1] - path[e] for e in range(5)]
        angles = [
            math.acos(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))) for a, b in zip(steps, steps[1:], strict=False)
        ]
        assert np.allclose(step_lengths(weights)[model], [np.linalg.norm(s) for s in steps])
        assert np.allclose(curvature(weights)[model], angles)


def test_a_step_of_length_zero_has_no_angle():
    assert curvature(torch.tensor([0.0, 1.0, 1.0, 2.0])[None, :, None]).isnan().all()


def test_how_far_runs_reach_is_told_by_plain_loops(generator):
    weights = torch.randn(3, 4, 5, generator=generator, dtype=torch.float64)

    table = reach(weights)

    for model, row in table.set_index("model").iterrows():
        own, others = weights[model], weights[[other for other in range(3) if other != model]].flatten(0, 1)
        between = [float((a - b).norm()) for a in own for b in others]
        inside = [float((own[a] - own[b]).norm()) for a in range(4) for b in range(a)]
        assert np.isclose(row["length"], sum(float((own[e + 1] - own[e]).norm()) for e in range(3)))
        assert np.allclose(row[["stray", "apart", "nearest"]], [np.mean(inside), np.mean(between), min(between)])
        ends = [[float((own[end] - weights[m, end]).norm()) for m in range(3) if m != model] for end in (0, -1)]
        assert np.allclose(row[["first_apart", "last_apart"]], np.mean(ends, axis=1))
        assert np.isclose(row["moved"], float((own[-1] - own[0]).norm()))
    pairs = reach_of_pairs(weights)  # every pair once, and in the mean the same
    assert pairs[["first", "second"]].to_numpy().tolist() == [[0, 1], [0, 2], [1, 2]]
    assert np.allclose(pairs[["apart", "length", "stray"]].mean(), table[["apart", "length", "stray"]].mean())
    assert np.isclose(pairs["apart"][1], (weights[0][:, None] - weights[2]).norm(dim=-1).mean())


def test_a_run_is_at_least_as_long_as_it_reaches_and_a_model_alone_has_no_others(generator):
    (row,) = reach(torch.randn(1, 9, 5, generator=generator)).itertuples()

    assert row.length >= row.moved and row.length >= row.stray
    assert np.isnan([row.apart, row.nearest, row.first_apart, row.last_apart]).all()


@pytest.mark.parametrize("method", LINKAGES)
def test_the_tree_is_scipys_on_the_vectors_themselves(method, generator):
    weights = torch.randn(4, 5, 6, generator=generator, dtype=torch.float64)
    tree, reference = checkpoint_tree(weights, method), linkage(weights.flatten(0, 1).numpy(), method)

    assert np.allclose(tree[:, 2], reference[:, 2])
    for parts in range(2, 10):
        assert (_cut(tree, parts) == _cut(reference, parts)).all()


def _cut(tree: np.ndarray, parts: int) -> np.ndarray:
    labels = fcluster(tree, parts, criterion="maxclust")
    return labels[:, None] == labels


@pytest.mark.parametrize("method", LINKAGES)
def test_paths_that_keep_apart_are_recovered_and_mixed_ones_are_not(method, generator):
    apart, mixed = shrinking_paths(6, 8, generator), torch.randn(6, 8, 30, generator=generator)

    assert recovered_models(apart, method) == 1.0
    assert recovered_models(mixed, method) < 0.3


def test_merges_within_models_come_before_those_between(generator):
    heights = merge_heights(checkpoint_tree(shrinking_paths(5, 4, generator)), epochs=4)

    assert len(heights) == 19 and heights["within"].sum() == 15
    assert heights[heights["within"]]["height"].max() < heights[~heights["within"]]["height"].min()


@pytest.mark.parametrize("order", [order_by_radius, order_by_path])
def test_the_order_of_shrinking_steps_is_recovered_whatever_order_they_come_in(order, generator):
    weights = shrinking_paths(4, 9, generator, noise=1e-6)
    shuffled = torch.randperm(9, generator=generator)

    assert (recovered_order(weights, order) == 1).all()
    distances = torch.cdist(weights[0, shuffled], weights[0, shuffled]).numpy()
    assert shuffled[order(distances)].tolist() == list(range(9))


def test_no_order_is_recovered_from_noise(generator):
    taus = recovered_order(torch.randn(200, 10, 40, generator=generator))

    assert abs(taus.mean()) < 4 * taus.std() / len(taus) ** 0.5


def test_wrong_input_is_refused(generator):
    weights = torch.randn(2, 5, 3, generator=generator)
    for action, message in (
        (lambda: step_lengths(weights[0]), r"Paths are \[models, epochs, params\]"),
        (lambda: curvature(weights[:, :2]), "with 3 epochs or more"),
        (lambda: reach(weights[:, :1]), "with 2 epochs or more"),
        (lambda: recovered_order(weights * torch.nan), "leave out diverged models"),
        (lambda: checkpoint_tree(weights, "single"), "no linkage 'single' here; choose one of ward, average"),
        (lambda: checkpoint_tree(weights[:1, :1]), "two checkpoints at least"),
    ):
        with pytest.raises(ValueError, match=message):
            action()
