"""Two-dimensional maps of checkpoints, for looking at.

UMAP (McInnes, Healy and Melville 2018) with the settings of the released generative code: 15 neighbours,
minimal distance 0.01, euclidean. It grows fast with the number of rows, so it is fitted on at most `MAP_ROWS`
of them.
"""

from __future__ import annotations

import numpy as np
import torch

from hyperlib.representations.cores import one_core
from hyperlib.zoos.zoo import Samples

MAP_ROWS = 5000


def pick_rows(samples: Samples, rows: int = MAP_ROWS, seed: int = 0) -> Samples:
    """At most `rows` samples, drawn without order of preference, in their original order."""
    if len(samples) <= rows:
        return samples
    return samples.take(np.sort(np.random.default_rng(seed).permutation(len(samples))[:rows]))


def umap_map(
    features: np.ndarray, *, dimensions: int = 2, neighbours: int = 15, min_dist: float = 0.01, seed: int = 42
) -> np.ndarray:
    """Coordinates `[samples, dimensions]` of feature vectors `[samples, features]`.

    Raises ValueError for more than `MAP_ROWS` rows: choose some with `pick_rows`.
    """
    if len(features) > MAP_ROWS:
        raise ValueError(f"UMAP of {len(features)} rows takes too long; pick at most {MAP_ROWS} with pick_rows.")
    import umap  # takes seconds to import

    mapper = umap.UMAP(n_components=dimensions, n_neighbors=neighbours, min_dist=min_dist, random_state=seed, n_jobs=1)
    with one_core(torch.device("cpu")):  # or Numba's setting of its threads would stay PyTorch's as well
        return np.asarray(mapper.fit_transform(features))
