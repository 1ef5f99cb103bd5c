"""Correlations over pairs are those of explicit lists of pairs, and copies are counted right."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, spearmanr
from toys import network

from hyperlib.tasks.similarity_curves import (
    READINGS,
    _copies,
    bootstrapped_correlation,
    cosine_against_cka,
    l2_against_cka,
    l2_against_cka_of_runs,
)
from hyperlib.weightspace.similarity import cka, cosine


@pytest.fixture
def some(generator):
    """A network, six models of it and images."""
    net = network("digits_cnn")
    weights = net.initialise(range(6), "kaiming_normal") + 0.1 * torch.randn(6, net.layout.size, generator=generator)
    return net, weights, torch.randn(20, *net.image, generator=generator)


def test_without_copies_the_correlation_is_scipys_over_all_pairs(some):
    net, weights, images = some
    table = l2_against_cka(net, weights, images, permutations=[1], draws=2)
    scores = net.logits(weights, images)
    far, alike = [], []
    for one in range(6):
        for other in range(one + 1, 6):
            far.append(float((weights[one] - weights[other]).norm()))
            alike.append(float(cka(scores[one], scores[other])))

    assert np.allclose(table["pearson"], pearsonr(far, alike).statistic)
    assert np.allclose(table["spearman"], spearmanr(far, alike).statistic)
    assert set(table["reading"]) == set(READINGS) and (table["pairs"] == 15).all()


def test_copies_answer_alike_and_begin_with_the_model_itself(some):
    net, weights, images = some
    copies = _copies(net, weights, 3, [0, 3, 0])

    assert torch.equal(copies[::3], weights) and not torch.equal(copies[1::3], weights)
    answers = net.logits(copies, images).unflatten(0, (6, 3))
    assert torch.allclose(answers, answers[:, :1], atol=1e-4)


def test_with_copies_the_correlation_is_that_of_all_vectors(some):
    net, weights, images = some
    table = l2_against_cka(net, weights, images, permutations=[3], draws=1, seed=5).set_index("reading")
    copies = _copies(net, weights, 3, [5, 3, 0])
    scores = net.logits(copies, images)
    lists = {reading: ([], []) for reading in READINGS}
    for one in range(18):
        for other in range(one + 1, 18):
            pair = float((copies[one] - copies[other]).norm()), float(cka(scores[one], scores[other]))
            for reading in READINGS[: 1 if one // 3 == other // 3 else 2]:
                for values, value in zip(lists[reading], pair, strict=True):
                    values.append(value)

    for reading, (far, alike) in lists.items():
        assert table.loc[reading, "pairs"] == len(far) == (153 if reading == READINGS[0] else 135)
        assert table.loc[reading, "pearson"] == pytest.approx(pearsonr(far, alike).statistic, abs=1e-4)


def test_every_run_is_asked_by_itself(some):
    net, weights, images = some
    table = l2_against_cka_of_runs(net, weights.unflatten(0, (2, 3)), images, permutations=[1, 2], seed=5)

    assert table["run"].tolist() == [0] * 4 + [1] * 4
    alone = l2_against_cka(net, weights[3:], images, permutations=[1, 2], draws=1, seed=6).drop(columns="draw")
    assert table[table["run"] == 1].drop(columns="run").reset_index(drop=True).equals(alone)


@pytest.mark.parametrize("shape", [(6, -1), (0, 3, -1), (3, 2, -1)])
def test_runs_need_an_axis_of_their_own_and_three_checkpoints(some, shape):
    net, weights, images = some
    runs = weights[:0].reshape(0, 3, weights.shape[1]) if shape[0] == 0 else weights.reshape(shape)
    with pytest.raises(ValueError, match="Runs are|Pairs are"):
        l2_against_cka_of_runs(net, runs, images)


def test_subsets_of_all_sizes_are_drawn_from_the_seed(some):
    net, weights, images = some
    table = cosine_against_cka(net, weights, images, sizes=[3, 5, 6], subsets=4, seed=1)

    assert table["models"].tolist() == [3] * 4 + [5] * 4 + [6]
    assert table["pairs"].tolist() == [3] * 4 + [10] * 4 + [15]
    assert table.equals(cosine_against_cka(net, weights, images, sizes=[3, 5, 6], subsets=4, seed=1))
    assert table["pearson"].nunique() > 6
    near, alike = cosine(weights).numpy(), cka(net.logits(weights, images)).numpy()
    upper = np.triu_indices(6, k=1)
    assert table["pearson"].iloc[-1] == pytest.approx(pearsonr(near[upper], alike[upper]).statistic, abs=1e-5)


def test_the_bootstrap_draws_models_and_holds_the_value(generator):
    points = torch.randn(30, 4, generator=generator, dtype=torch.float64)
    near, noise = (points @ points.T).numpy(), torch.randn(30, 30, generator=generator).numpy()
    table = bootstrapped_correlation(near, near + noise + noise.T, draws=200).set_index("statistic")

    assert (table["low"] < table["value"]).all() and (table["value"] < table["high"]).all()
    exact = bootstrapped_correlation(near, 2 * near, draws=20)
    assert np.allclose(exact[["value", "low", "high"]], 1)


def test_a_constant_side_has_no_correlation(some):
    net, weights, images = some
    same = weights[:1].expand(4, -1)

    table = l2_against_cka(net, same, images, permutations=[1, 2], draws=1)

    assert table["pearson"].isna().all()


def test_wrong_input_is_refused(some):
    net, weights, images = some
    for action, message in (
        (lambda: l2_against_cka(net, weights[:2], images), "3 models or more"),
        (lambda: l2_against_cka(net, weights, images, permutations=[0]), "counted from 1 on"),
        (lambda: cosine_against_cka(net, weights, images, sizes=[2]), "Sizes are 3 to 6 models"),
        (lambda: cosine_against_cka(net, weights, images, sizes=[7]), "Sizes are 3 to 6 models"),
    ):
        with pytest.raises(ValueError, match=message):
            action()
