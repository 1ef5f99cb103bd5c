"""Accuracy over the size of an ensemble, against enumeration, the binomial law and hand-made votes."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.stats import binom

from hyperlib import agreement, class_scores, grid, load_images, tetris_mlp, train_population
from hyperlib.tasks.ensembles import HOW, ensemble_curve


@pytest.fixture
def scores(generator):
    return torch.randn(6, 40, 3, generator=generator) + 1.5 * torch.eye(3)[torch.arange(40) % 3]


LABELS = torch.arange(40) % 3


def one(scores, labels, n, how, generator, **choices):
    table = ensemble_curve(scores, labels, [n], generator, **choices)
    return table.set_index("how").loc[how]


def by_hand(scores: torch.Tensor, members: tuple[int, ...], how: str) -> float:
    """Accuracy of one ensemble, image by image."""
    hits = []
    for image, label in enumerate(LABELS.tolist()):
        rows = scores[list(members), image].double().numpy()
        if how == "probabilities":
            rows = np.exp(rows) / np.exp(rows).sum(1, keepdims=True)
        mean = rows.mean(0)
        if how == "votes":
            votes = np.bincount(rows.argmax(1), minlength=3)
            mean = np.where(votes == votes.max(), mean, -np.inf)
        hits.append(mean.argmax() == label)
    return float(np.mean(hits))


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_the_mean_over_draws_is_that_over_all_ensembles_of_the_size(scores, how, n, generator):
    every = [by_hand(scores, members, how) for members in combinations(range(6), n)]
    row = one(scores, LABELS, n, how, generator, draws=4000)

    assert row["accuracy"] == pytest.approx(np.mean(every), abs=0.005)
    assert row["low"] == pytest.approx(np.quantile(every, 0.025), abs=0.03)
    assert row["high"] == pytest.approx(np.quantile(every, 0.975), abs=0.03)
    assert row["member"] == pytest.approx(np.mean([by_hand(scores, (model,), how) for model in range(6)]), abs=0.005)
    assert row["gain"] == pytest.approx(row["accuracy"] - row["member"])


def test_all_models_are_one_ensemble_whoever_is_drawn(scores, generator):
    table = ensemble_curve(scores, LABELS, [6], generator, draws=7)

    assert list(table["how"]) == list(HOW) and set(table["n"]) == {6}
    assert list(table["accuracy"]) == pytest.approx([by_hand(scores, tuple(range(6)), how) for how in HOW])
    assert np.allclose(table["low"], table["accuracy"]) and np.allclose(table["high"], table["accuracy"])
    pairs = agreement(scores)[*torch.triu_indices(6, 6, 1)]
    assert table["disagreement"].tolist() == pytest.approx([1 - float(pairs.mean())] * 3)


def test_one_member_is_itself_however_combined(scores, generator):
    table = ensemble_curve(scores, LABELS, [1], generator)

    assert table["accuracy"].nunique() == 1 and np.allclose(table["gain"], 0)
    assert table["disagreement"].isna().all()


def test_copies_gain_nothing(scores, generator):
    table = ensemble_curve(scores[:1].repeat(8, 1, 1), LABELS, [1, 2, 5, 8], generator)

    assert np.allclose(table["gain"], 0) and np.allclose(table["accuracy"], by_hand(scores, (0,), "logits"))
    assert (table["disagreement"].dropna() == 0).all()


@pytest.mark.parametrize("n", [1, 3, 7])
def test_votes_of_independent_voters_follow_the_binomial_law(n, generator):
    """Condorcet: two classes, voters right with .6."""
    right = torch.rand(60, 4000, generator=generator) < 0.6
    row = one(torch.stack([right, ~right], -1).double(), torch.zeros(4000, dtype=torch.int64), n, "votes", generator)

    assert row["accuracy"] == pytest.approx(binom.sf(n // 2, n, 0.6), abs=0.01)


def test_equal_votes_are_decided_by_the_mean_score(generator):
    """Two voters, three classes: the surer one wins, and a third class with the best mean but no vote does not."""
    scores = torch.tensor([[[3.0, 0.0, 2.9]], [[0.0, 2.0, 1.9]]])
    for label in range(3):
        found = ensemble_curve(scores, torch.tensor([label]), [2], generator).set_index("how")["accuracy"]
        assert found["votes"] == (label == 0) and found["logits"] == (label == 2)


def test_probabilities_bound_what_one_member_can_say(generator):
    scores = torch.tensor([[[2.0, 0.0]], [[2.0, 0.0]], [[0.0, 10.0]]])
    found = ensemble_curve(scores, torch.tensor([0]), [3], generator).set_index("how")["accuracy"]

    assert dict(found) == {"logits": 0, "probabilities": 1, "votes": 1}


def test_a_size_does_not_depend_on_the_other_sizes(scores):
    several = ([4], [1, 4, 6], range(3, 5))
    curves = [ensemble_curve(scores, LABELS, sizes, torch.Generator().manual_seed(3)) for sizes in several]
    for curve in curves[1:]:
        assert curve[curve["n"] == 4].reset_index(drop=True).equals(curves[0])


def test_an_ensemble_of_a_zoo_beats_its_members():
    images = load_images("tetris")
    zoo = train_population(tetris_mlp(), images, grid(seeds=30, lr=3e-3), epochs=30, progress=False)
    scores = class_scores(tetris_mlp(), zoo.weights[:, -1], images.test_x)
    table = ensemble_curve(scores, images.test_y, [1, 3, 10, 30], torch.Generator().manual_seed(0))
    for _, curve in table.groupby("how"):
        assert curve["accuracy"].is_monotonic_increasing and curve["gain"].iloc[-1] > 0.03
        assert curve["disagreement"].iloc[1:].tolist() == pytest.approx([1 - _mean_agreement(scores)] * 3, abs=0.03)


def _mean_agreement(scores: torch.Tensor) -> float:
    return float(agreement(scores)[*torch.triu_indices(len(scores), len(scores), 1)].mean())


def test_bad_input_is_refused(scores, generator, no_shape_checks):
    for sizes in ([], [0], [7], [1, 2.5], [True]):
        with pytest.raises(ValueError, match="whole numbers from 1 to 6 models"):
            ensemble_curve(scores, LABELS, sizes, generator)
    for draws in (0, 1.5):
        with pytest.raises(ValueError, match="number of draws"):
            ensemble_curve(scores, LABELS, [1], generator, draws=draws)
    for wrong in (LABELS[1:], LABELS[None]):
        with pytest.raises(ValueError, match="a label per image"):
            ensemble_curve(scores, wrong, [1], generator)
    for wrong in (LABELS - LABELS.max() - 1, LABELS + scores.shape[2], LABELS.float()):
        with pytest.raises(ValueError, match="Labels are whole numbers from 0 to"):
            ensemble_curve(scores, wrong, [1], generator)
    for shape in (scores[0], scores[:0]):
        with pytest.raises(ValueError, match="a label per image"):
            ensemble_curve(shape, LABELS, [1], generator)
    with pytest.raises(ValueError, match="finite"):
        ensemble_curve(scores / 0, LABELS, [1], generator)
