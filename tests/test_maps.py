"""Maps of checkpoints."""

import numpy as np
import pandas as pd
import pytest
import torch

from hyperlib import Samples, tetris_mlp
from hyperlib.representations.maps import MAP_ROWS, pick_rows, umap_map


def test_picked_rows_keep_their_order_and_do_not_depend_on_the_call():
    samples = Samples(torch.zeros(50, 100), pd.DataFrame({"model": range(50)}), tetris_mlp())

    picked = pick_rows(samples, rows=10)

    assert len(picked) == 10
    assert picked.table["model"].is_monotonic_increasing
    assert picked.table.equals(pick_rows(samples, rows=10).table)
    assert pick_rows(samples, rows=50) is samples


@pytest.mark.slow
def test_a_map_keeps_far_groups_apart_and_is_the_same_for_the_same_seed():
    generator = np.random.default_rng(0)
    groups = np.repeat([0, 1], 40)
    features = generator.normal(size=(80, 6)) + 50 * groups[:, None]

    points = umap_map(features, seed=1)

    assert points.shape == (80, 2)
    assert np.array_equal(points, umap_map(features, seed=1))
    centres = np.array([points[groups == group].mean(0) for group in (0, 1)])
    radius = max(np.linalg.norm(points[groups == group] - centres[group], axis=1).max() for group in (0, 1))
    assert np.linalg.norm(centres[0] - centres[1]) > radius


def test_a_map_of_too_many_rows_is_refused():
    with pytest.raises(ValueError, match=f"at most {MAP_ROWS}"):
        umap_map(np.zeros((MAP_ROWS + 1, 2)))
