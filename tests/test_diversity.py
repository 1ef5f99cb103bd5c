"""Diversity of a zoo: performance, behaviour, weights."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.testing import assert_close

from hyperlib import Zoo, grid, load_images, tetris_mlp, train_population
from hyperlib.tasks.diversity import _chance_agreement, diversity, mean_over_pairs


@pytest.fixture(scope="module")
def images():
    return load_images("tetris").subset(train=96, test=60)


@pytest.fixture(scope="module")
def zoo(images):
    design = grid(seeds=3, activation=["tanh", "relu"], lr=3e-2)
    return train_population(tetris_mlp(), images, design, epochs=3, progress=False)


def test_behaviour_is_measured_with_each_models_own_activation(zoo, images):
    answers = [zoo.module(model, 3)(images.test_x).argmax(1) for model in range(len(zoo))]
    same = [float((a == b).double().mean()) for i, a in enumerate(answers) for b in answers[i + 1 :]]

    assert diversity(zoo, images)["agreement"] == pytest.approx(np.mean(same))


def test_weight_measures_equal_a_loop_over_pairs(zoo, images):
    rows = zoo.weights[:, -1].double()
    pairs = [(a, b) for i, a in enumerate(rows) for b in rows[i + 1 :]]
    found = diversity(zoo, images)

    assert found["pairs"] == len(pairs)
    assert found["l2"] == pytest.approx(np.mean([float((a - b).norm()) for a, b in pairs]))
    assert found["cosine"] == pytest.approx(np.mean([float(torch.cosine_similarity(a, b, 0)) for a, b in pairs]))


def test_copies_of_one_model_have_no_diversity(zoo, images):
    one = zoo.take([0])
    table = pd.concat([one.table, one.table.assign(model=99)])  # another name for the same network

    found = diversity(Zoo(zoo.architecture, one.weights.repeat(2, 1, 1), table), images)

    assert (found["agreement"], found["l2"]) == (1.0, 0.0)
    assert_close(torch.tensor([found["cka"], found["cosine"]]), torch.ones(2))


def test_only_some_pairs_are_compared_in_a_large_zoo_and_always_the_same(zoo, images):
    few = diversity(zoo, images, models=3, seed=1)

    assert few["pairs"] == 3
    assert few == diversity(zoo, images, models=3, seed=1)
    assert few["test_accuracy_mean"] == diversity(zoo, images)["test_accuracy_mean"]


def test_models_with_independent_errors_agree_by_chance():
    generator = np.random.default_rng(0)
    truth = generator.integers(4, size=200_000)
    answers = [
        np.where(generator.random(truth.size) < share, truth, (truth + generator.integers(1, 4, truth.size)) % 4)
        for share in (0.9, 0.6)
    ]

    assert _chance_agreement(np.array([0.9, 0.6]), 4) == pytest.approx(np.mean(answers[0] == answers[1]), abs=0.005)


def test_undefined_pairs_are_left_out_of_a_mean():
    matrix = torch.tensor([[1.0, 0.5, torch.nan], [0.5, 1.0, 0.1], [torch.nan, 0.1, 1.0]])

    assert mean_over_pairs(matrix) == pytest.approx(0.3)
