"""Coloured digits on photographs: 32x32 RGB images in ten classes that need no network.

It stands in for CIFAR-10 where that is not at hand: handwritten digits of scikit-learn, enlarged, in a random colour,
size and place, a little transparent over random crops of scikit-learn's two sample photographs. Colour and background
say nothing about the class, so a network has to find the shape. Digits are divided into training and test part as in
the set `digits` of the same seed; both parts look at the photographs, but at regions that share no pixel.

All of it is our choice. Only whole numbers and single float64 operations are used, in one order, so the bits don't
depend on the machine; the photographs' own pixels are those that pillow decodes from scikit-learn's JPEG files.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8
from sklearn.datasets import load_digits, load_sample_images
from sklearn.model_selection import train_test_split

from hyperlib.images.files import Pixels

SIDE = 32
TRAIN, TEST, TEST_DIGITS = 4000, 1000, 360
MIDDLE = (149, 278)  # rows of the photographs: test crops lie between them, training crops above or below
SIZES = (18, 31)  # side of the enlarged digit in pixels: from, and below
OPACITY = (0.7, 1.0)
ZOOMS = (1, 2, 3)  # every pixel of the photograph, or every second or third
COLOURS = 4  # so many are drawn, and that which differs most from the background is taken
CHUNK = 500


def photo_digits(seed: int) -> Pixels:
    """4,000 training and 1,000 test images with equal classes, in random order, drawn from `seed`."""
    rows, labels = load_digits(return_X_y=True)
    digits = rows.reshape(-1, 8, 8) / 16
    split = train_test_split(np.arange(len(labels)), test_size=TEST_DIGITS, stratify=labels, random_state=seed)
    top, middle, bottom = np.split(np.stack(load_sample_images().images), MIDDLE, axis=1)
    views = np.concatenate([top, bottom]), middle
    parts = {}
    for number, (part, count) in enumerate((("train", TRAIN), ("test", TEST))):
        random = np.random.Generator(np.random.PCG64([seed, number]))
        parts[f"{part}_y"] = random.permutation(np.arange(count) % 10).astype(np.uint8)
        chosen = _of_class(parts[f"{part}_y"], split[number], labels, random)
        chunks = [_blended(digits[some], views[number], random) for some in np.split(chosen, count // CHUNK)]
        parts[f"{part}_x"] = np.concatenate(chunks)
    source = f"digits of scikit-learn on crops of its sample photographs, drawn with seed {seed} (our choice)"
    return Pixels(**parts, source=source)


def _of_class(wanted: np.ndarray, pool: np.ndarray, labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """For each wanted class one digit of the pool, at random."""
    chosen = np.empty(len(wanted), dtype=np.int64)
    for label in range(10):
        places, own = np.flatnonzero(wanted == label), pool[labels[pool] == label]
        chosen[places] = own[random.integers(len(own), size=len(places))]
    return chosen


def _blended(
    digits: Float[np.ndarray, "n 8 8"],
    photographs: UInt8[np.ndarray, "photographs height width 3"],
    random: np.random.Generator,
) -> UInt8[np.ndarray, "n 32 32 3"]:
    """Each digit over a crop of its own."""
    background = _crops(photographs, len(digits), random).astype(np.float64)
    cover = _placed(digits, random) * random.uniform(*OPACITY, len(digits))[:, None, None]
    colour = _colours(background, random)[:, None, None, :]
    return np.rint(background + cover[..., None] * (colour - background)).astype(np.uint8)


def _crops(photographs: np.ndarray, count: int, random: np.random.Generator) -> UInt8[np.ndarray, "n 32 32 3"]:
    """Random places of random photographs, at a random zoom, some of them mirrored."""
    zoom = np.array(ZOOMS)[random.integers(len(ZOOMS), size=count)]
    reach = (SIDE - 1) * zoom
    rows, columns = (
        random.integers(extent - reach)[:, None] + np.arange(SIDE) * zoom[:, None] for extent in photographs.shape[1:3]
    )
    mirrored = random.integers(2, size=count) == 1
    columns[mirrored] = columns[mirrored, ::-1]
    chosen = random.integers(len(photographs), size=count)
    return photographs[chosen[:, None, None], rows[:, :, None], columns[:, None, :]]


def _placed(digits: Float[np.ndarray, "n 8 8"], random: np.random.Generator) -> Float[np.ndarray, "n 32 32"]:
    """The digits enlarged (bilinear) to random sizes at random places; 0 is background, 1 is ink."""
    padded = np.pad(digits, ((0, 0), (1, 2), (1, 2)))
    size = random.integers(*SIZES, size=len(digits))
    which = np.arange(len(digits))[:, None, None]
    lower, part = [], []
    for _ in ("down", "across"):
        offset = random.integers(SIDE - size + 1)
        place = (np.arange(SIDE) - offset[:, None] + 0.5) * 8 / size[:, None] + 0.5  # in the padded digit
        place = np.clip(place, 0, 9)
        lower.append(np.floor(place).astype(np.int64))
        part.append(place - lower[-1])
    (y, x), (down, across) = (lower[0][:, :, None], lower[1][:, None, :]), (part[0][:, :, None], part[1][:, None, :])
    above = padded[which, y, x] * (1 - across) + padded[which, y, x + 1] * across
    below = padded[which, y + 1, x] * (1 - across) + padded[which, y + 1, x + 1] * across
    return above * (1 - down) + below * down


def _colours(background: Float[np.ndarray, "n 32 32 3"], random: np.random.Generator) -> Float[np.ndarray, "n 3"]:
    """Of a few random colours the one that is farthest from the background's mean."""
    mean = np.rint(background.mean((1, 2)))  # whole numbers, whose sums are exact
    colours = random.integers(256, size=(COLOURS, len(background), 3))
    far = np.abs(colours - mean).sum(2).argmax(0)
    return colours[far, np.arange(len(background))].astype(np.float64)
