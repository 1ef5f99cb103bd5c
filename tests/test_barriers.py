"""Barriers are asked of the same pairs in every setting, and every moved end is still the same network."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch.testing import assert_close
from toys import some_images

from hyperlib.tasks.barriers import compare_lines, ends_of_lines, quartiles, some_pairs
from hyperlib.weightspace.architectures import digits_cnn, small_resnet, tetris_mlp

IMAGES = some_images((1, 4, 4), 4, train=40, test=30)


@pytest.fixture
def ends():
    network = tetris_mlp()
    weights = network.initialise(seeds=range(8)).unflatten(0, (4, 2))
    pairs = some_pairs(4, 5)
    return network, weights, pairs, ends_of_lines(network, weights, pairs, IMAGES.train_x, earlier=0, restarts=3)


@pytest.mark.parametrize(
    ("models", "count", "pairs", "used"),
    [(20, 10, 10, 20), (40, 10, 10, 20), (6, 10, 10, 5), (6, 99, 15, 6), (2, 1, 1, 2)],
)
def test_pairs_have_no_model_in_common_or_are_all_of_some_models(models, count, pairs, used):
    found = some_pairs(models, count)
    assert len({frozenset(pair) for pair in found.tolist()}) == len(found) == pairs
    assert len(found.unique()) == used and found.max() < models
    assert all(first != second for first, second in found.tolist())
    assert found.equal(some_pairs(models, count))


def test_pairs_hang_on_the_seed():
    assert not some_pairs(20, 10).equal(some_pairs(20, 10, seed=1))
    with pytest.raises(ValueError, match="two models"):
        some_pairs(1, 3)


def test_every_line_starts_at_the_first_model_and_ends_where_the_setting_says(ends):
    _, weights, pairs, found = ends
    assert list(found) == ["one run", "own copy", "two seeds", "aligned", "aligned with signs", "matched activations"]
    for start, _ in found.values():
        assert start.equal(weights[pairs[:, 0], -1])
    assert found["one run"][1].equal(weights[pairs[:, 0], 0])
    assert found["two seeds"][1].equal(weights[pairs[:, 1], -1])


def test_moved_ends_answer_as_the_model_that_was_moved(ends):
    network, weights, pairs, found = ends
    answers = [network.logits(weights[pairs[:, side], -1], IMAGES.test_x) for side in (0, 1)]
    assert_close(network.logits(found["own copy"][1], IMAGES.test_x), answers[0])
    for setting in ("aligned", "aligned with signs", "matched activations"):
        assert_close(network.logits(found[setting][1], IMAGES.test_x), answers[1])
        assert not found[setting][1].equal(found["two seeds"][1])


def test_alignment_is_not_farther_than_before_and_signs_are_not_farther_than_that(ends):
    *_, found = ends
    far, near, nearest = (
        (found[setting][0] - found[setting][1]).norm(dim=1)
        for setting in ("two seeds", "aligned", "aligned with signs")
    )
    assert (near <= far + 1e-6).all() and (nearest.mean() < near.mean())


def test_networks_without_free_signs_are_not_asked_for_them():
    network = digits_cnn().with_activation("relu")
    weights = network.initialise(seeds=[1, 2])[:, None]
    images = torch.randn(6, *network.image, generator=torch.Generator().manual_seed(0))
    found = ends_of_lines(network, weights, some_pairs(2, 1), images, earlier=0)
    assert "aligned with signs" not in found and "aligned" in found


def test_barrier_is_the_largest_excess_over_the_chord_by_hand(ends):
    network, _, pairs, found = ends
    chosen = {setting: found[setting] for setting in ("two seeds", "own copy")}
    lines, heights = compare_lines(network, chosen, IMAGES.test_x, IMAGES.test_y, points=5)
    assert len(lines) == 2 * len(pairs) * 5 and len(heights) == 2 * len(pairs)
    start, end = (vectors[2].double() for vectors in chosen["two seeds"])
    points = [(1 - a) * start + a * end for a in np.linspace(0, 1, 5)]
    scores = [network.logits(weights, IMAGES.test_x.double()) for weights in points]
    by_hand = [float(torch.nn.functional.cross_entropy(answers, IMAGES.test_y)) for answers in scores]
    line = lines.query("setting == 'two seeds' and pair == 2")
    assert line["alpha"].tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert line["loss"].tolist() == pytest.approx(by_hand, abs=1e-5)
    chord = np.linspace(by_hand[0], by_hand[-1], 5)
    one = heights.query("setting == 'two seeds' and pair == 2").iloc[0]
    assert one["barrier"] == pytest.approx(max(np.array(by_hand) - chord), abs=1e-5)
    assert one["loss"] == pytest.approx((by_hand[0] + by_hand[-1]) / 2, abs=1e-5)
    assert one["distance"] == pytest.approx(float((start - end).norm()))


def test_distance_counts_learned_weights_only():
    network = small_resnet(1)
    weights = network.initialise(seeds=[1, 2])
    ends = {"far statistics": (weights[:1], weights[:1].clone())}
    for slot in network.slots:
        if not slot.learned:
            ends["far statistics"][1][:, slot.start : slot.stop] += 1
    images = torch.randn(4, *network.image, generator=torch.Generator().manual_seed(0))
    _, heights = compare_lines(network, ends, images, torch.tensor([0, 1, 2, 3]), points=3)
    assert heights["distance"].tolist() == [0]


def test_quartiles_are_numpys_per_setting():
    table = pd.DataFrame({"setting": ["b"] * 5 + ["a"] * 3, "barrier": [5.0, 1, 2, 4, 3, 7, 7, 7]})
    for column in ("accuracy_barrier", "loss", "accuracy", "distance"):
        table[column] = np.arange(8.0)
    found = quartiles(table, ["setting"])
    assert found["setting"].tolist() == ["b", "a"] and found["pairs"].tolist() == [5, 3]
    assert found.loc[0, ["q25", "median", "q75"]].tolist() == np.percentile([1, 2, 3, 4, 5], [25, 50, 75]).tolist()
    assert found["distance"].tolist() == [2, 6]
