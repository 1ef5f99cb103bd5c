"""How well accuracy can be known: the ceiling against simulated networks, perfect readers and halves of the images."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from hyperlib.tasks.ceiling import ceiling, kuder_richardson, reliability
from hyperlib.zoos.zoo import Samples

BETA = (20.0, 10.0)  # true accuracies: mean 2/3, standard deviation .085


def hits_of(accuracy: np.ndarray, images: int, random: np.random.Generator) -> np.ndarray:
    return random.random((len(accuracy), images)) < accuracy[:, None]


def expected(images: int) -> float:
    mean = BETA[0] / sum(BETA)
    variance = mean * (1 - mean) / (sum(BETA) + 1)
    return variance / (variance + (mean * (1 - mean) - variance) / images)


def alpha(hits: np.ndarray) -> float:
    return float(kuder_richardson(hits, np.ones((1, len(hits)), dtype=bool))[0])


@pytest.mark.parametrize("images", [30, 100, 300])
def test_the_ceiling_is_the_share_of_true_accuracy_in_the_variance(images):
    random = np.random.default_rng(images)
    accuracy = random.beta(*BETA, size=3000)
    share = accuracy.var() / (accuracy.var() + (accuracy * (1 - accuracy)).mean() / images)

    assert alpha(hits_of(accuracy, images, random)) == pytest.approx(share, abs=0.04)
    assert share == pytest.approx(expected(images), abs=0.04)


@pytest.mark.parametrize("models", [6, 20])
@pytest.mark.parametrize("hard", [0.0, 2.0])
def test_a_reader_that_knows_true_accuracies_scores_what_the_ceiling_says(models, hard):
    """On the mean, also over few models. `hard`: how much images differ; what all networks share is no error."""
    random = np.random.default_rng(models)
    found, scores = [], []
    many = np.linspace(-3, 3, 601)  # images without end
    for _ in range(1500):
        ability = random.normal(size=models)
        drawn = random.choice(many, 60)
        right = 1 / (1 + np.exp(hard * drawn - ability[:, None]))
        hits = random.random(right.shape) < right
        error = hits.mean(1) - (1 / (1 + np.exp(hard * many - ability[:, None]))).mean(1)
        found.append(alpha(hits))
        scores.append(1 - error.var(ddof=1) / hits.mean(1).var(ddof=1))
    assert np.mean(found) == pytest.approx(np.mean(scores), abs=0.03)


def test_it_is_the_mean_over_all_halvings_of_what_one_half_says_of_the_other():
    """By Guttman's formula for unequal halves; Spearman and Brown's, 2 r / (1 + r), differs little."""
    random = np.random.default_rng(0)
    hits = hits_of(random.uniform(0.2, 1, 200), 10, random)
    guttman, brown = [], []
    for half in combinations(range(10), 5):
        one = hits[:, list(half)].sum(1)
        other = hits.sum(1) - one
        guttman.append(4 * np.cov(one, other)[0, 1] / (one + other).var(ddof=1))
        correlation = np.corrcoef(one, other)[0, 1]
        brown.append(2 * correlation / (1 + correlation))

    assert alpha(hits) == pytest.approx(np.mean(guttman), abs=1e-12)
    assert alpha(hits) == pytest.approx(np.mean(brown), abs=0.01)


@pytest.mark.parametrize(("models", "epochs"), [(8, 1), (30, 1), (30, 3)])
def test_the_interval_covers_the_truth_as_often_as_it_says(models, epochs):
    random, covered = np.random.default_rng(models), []
    for _ in range(300):
        accuracy = random.beta(*BETA, size=models)  # kept through the epochs, so that these depend on each other
        hits = [hits_of(accuracy, 100, random) for _ in range(epochs)]
        found = reliability(hits, [np.arange(models)] * epochs)
        covered.append(found.low <= expected(100) <= found.high)
    assert np.mean(covered) >= 0.92


def test_each_model_is_left_out_with_all_its_epochs():
    random = np.random.default_rng(1)
    hits = [hits_of(random.beta(*BETA, size=5), 20, random) for _ in range(2)]
    model = [np.arange(5), np.array([4, 0, 1, 5, 2])]
    without = [np.mean([alpha(h[m != left]) for h, m in zip(hits, model, strict=True)]) for left in range(6)]
    error = np.sqrt(5 / 6 * np.square(without - np.mean(without)).sum())

    found = reliability(hits, model)
    assert found.value == pytest.approx(np.mean([alpha(h) for h in hits])) and found.freedom == 5
    assert (found.high - found.low) / 2 == pytest.approx(2.570582 * error)  # t of 5 degrees


def test_epochs_without_variance_say_nothing():
    random = np.random.default_rng(2)
    hits, constant = hits_of(random.beta(*BETA, size=6), 20, random), np.eye(6, 20, dtype=bool)
    assert reliability([hits, constant], [np.arange(6)] * 2) == reliability([hits], [np.arange(6)])


def test_the_ceiling_of_a_zoo_asks_every_network_on_every_test_image(tiny_zoo, tetris_images):
    samples = tiny_zoo.samples().take(np.random.default_rng(0).permutation(4 * len(tiny_zoo))[:50])
    hits, model = [], []
    for epoch in tiny_zoo.epochs:
        model.append(samples.table.loc[samples.table["epoch"] == epoch, "model"].to_numpy())
        networks = [tiny_zoo.module(int(one), int(epoch)) for one in model[-1]]
        answers = [network(tetris_images.test_x).argmax(-1) == tetris_images.test_y for network in networks]
        hits.append(np.array([answer.numpy() for answer in answers]))

    found = ceiling(samples, tetris_images)
    assert found == pytest.approx(reliability(hits, model))
    assert found.low < found.value < found.high and found.value < 1
    assert found.freedom == samples.table["model"].nunique() - 1


def test_what_has_no_ceiling_is_refused(tiny_zoo, tetris_images):
    samples = tiny_zoo.samples(3)
    table = samples.table.head(5).assign(activation="relu")
    alike = Samples(samples.weights[:1].repeat(5, 1), table, tiny_zoo.architecture)
    with pytest.raises(ValueError, match="all networks have one accuracy"):
        ceiling(alike, tetris_images)
    with pytest.raises(ValueError, match="needs 3 models and 2 images; here are 2 and 30"):
        ceiling(tiny_zoo.take([0, 1]).samples(), tetris_images)
    with pytest.raises(ValueError, match="here are 20 and 1"):
        ceiling(samples, replace(tetris_images, test_x=tetris_images.test_x[:1], test_y=tetris_images.test_y[:1]))
