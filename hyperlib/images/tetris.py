"""Noisy tetrominoes: an image task small enough for networks of 100 weights.

The sources say no more than four tetromino-like classes on grey 4x4 images. The rest is our choice: the
shapes O, T, L and S in one orientation, anywhere they fit with equal chance, values 0 and 1, Gaussian noise
of standard deviation 0.1; 1,400 training and 600 test images with equally many of each class. The place is
random because a fixed one is too easy: a 16-5-4 network then gets everything right within ten epochs. With random
places epochs and models differ over the whole of training, as the page on model zoos shows.
"""

from __future__ import annotations

import numpy as np

NOISE = 0.1
SIDE = 4
SHAPES = {
    "O": ((1, 1), (1, 1)),
    "T": ((1, 1, 1), (0, 1, 0)),
    "L": ((1, 0), (1, 0), (1, 1)),
    "S": ((0, 1, 1), (1, 1, 0)),
}


def tetrominoes(count: int, random: np.random.Generator, noise: float = NOISE) -> tuple[np.ndarray, np.ndarray]:
    """`count` images [count, 4, 4], float32, and their labels, int64, in random order."""
    places = [placements(shape) for shape in SHAPES.values()]
    labels = random.permutation(np.arange(count, dtype=np.int64) % len(places))
    clean = np.stack([places[label][random.integers(len(places[label]))] for label in labels])
    return (clean + noise * random.standard_normal(clean.shape)).astype(np.float32), labels


def placements(shape: tuple[tuple[int, ...], ...]) -> np.ndarray:
    """All images [places, 4, 4] that show the shape whole."""
    cells = np.array(shape, dtype=np.float64)
    down, right = SIDE - cells.shape[0], SIDE - cells.shape[1]
    corners = [(top, left) for top in range(down + 1) for left in range(right + 1)]
    return np.stack([np.pad(cells, ((top, down - top), (left, right - left))) for top, left in corners])
