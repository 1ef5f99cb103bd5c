"""Are generated networks new? Populations whose answer is known, and every measure against plain loops."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch.testing import assert_close

from hyperlib import Samples, Zoo, digits_cnn, grid, load_images, tetris_mlp, train_population
from hyperlib.tasks import novelty as tasks
from hyperlib.tasks.estimates import jackknife, mean_of
from hyperlib.tasks.novelty import VERDICTS, aligned, as_samples, novelty, novelty_table, novelty_verdict
from hyperlib.weightspace.symmetry import permutation_index, random_permutations, random_scales, unit_factors

REPLICA, FEW, BROKEN, INTERPOLATION, NEW = VERDICTS
IMAGES = load_images("tetris").subset(train=600, test=300)


def grown(seed: int, models: int = 120, activation: str = "tanh", epochs: int = 30) -> Zoo:
    """A zoo of its own seed after training, with epoch 0 beside it."""
    design = grid(seeds=models, lr=1e-2, activation=activation)
    return train_population(tetris_mlp(), IMAGES, design, epochs=epochs, seed=seed, progress=False)


def split(samples: Samples) -> tuple[Samples, Samples, Samples]:
    """Training models, strangers and others of a zoo, aligned to one reference."""
    samples = aligned(samples, samples.weights[0])
    return samples.take(slice(0, 50)), samples.take(slice(50, 80)), samples.take(slice(80, 120))


@pytest.fixture(scope="module")
def parts():
    return split(grown(0).samples(30))


@pytest.mark.parametrize(("activation", "seed"), [("tanh", 0), ("tanh", 7), ("relu", 1), ("relu", 8)])
def test_every_control_gets_its_verdict(activation, seed, generator):
    zoo = grown(seed, activation=activation)
    train, strangers, others = split(zoo.samples(30))
    weights, untrained = train.weights, aligned(zoo.samples(0), train.weights[0]).weights
    expected = {
        "training models": (weights, REPLICA),
        "with small noise": (tasks.noisy(weights, 0.05, generator), REPLICA),
        "with noise, more than there are": (tasks.noisy(weights.repeat(3, 1), 0.1, generator), REPLICA),
        "means of two, which do not work here": (tasks.means_of_two(weights, 100, generator), BROKEN),
        "mean of all": (tasks.mean_of_all(weights), BROKEN),
        "much noise": (tasks.noisy(weights, 1.0, generator), BROKEN),
        "untrained": (untrained, BROKEN),
        "others of the zoo": (others, NEW),
        "a zoo of its own": (aligned(grown(seed + 20, 40, activation).samples(30), train.weights[0]), NEW),
        "one network many times": (others.weights[:1].repeat(100, 1), FEW),
        "nearly one": (others.weights[:1] + tasks.noisy(weights, 0.1, generator) - weights, FEW),
        "five networks many times": (others.weights[:5].repeat(20, 1), FEW),
        "one training model many times": (weights[:1].repeat(100, 1), REPLICA),
    }

    table = novelty_table({name: case[0] for name, case in expected.items()}, train, strangers, IMAGES)

    assert dict(table[["population", "verdict"]].to_numpy()) == {name: case[1] for name, case in expected.items()}


def test_means_of_two_that_work_are_interpolations(generator):
    """They do where all models go on from one network, with batches of their own."""
    start, design = grown(1, models=1, epochs=20).weights[:1, -1].expand(120, -1).clone(), grid(seeds=120, lr=3e-3)
    zoo = train_population(tetris_mlp(), IMAGES, design, epochs=3, start=start, progress=False)
    train, strangers, others = split(zoo.samples(3))
    unequal = torch.lerp(train.weights[:25], train.weights[25:], 0.35)
    means = {"two": tasks.means_of_two(train.weights, 100, generator), "35 %": unequal, "strangers'": others}
    table = novelty_table(means, train, strangers, IMAGES).set_index("population")

    assert list(table["verdict"]) == [INTERPOLATION, INTERPOLATION, NEW]
    assert table.loc["two", "mixtures"] > 0.8 and table.loc["two", "replicas"] == 0
    assert novelty(tasks.noisy(train.weights, 0.1, generator), train, strangers, IMAGES)["mixtures"] < 0.05


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.slow
def test_networks_of_an_independent_zoo_are_not_called_copies_by_chance(activation):
    """Many splits of several zoos, down to a handful of models."""
    for seed in range(3):
        samples = grown(seed + 40, activation=activation).samples(30)
        samples = aligned(samples, samples.weights[0])
        for (train, strangers, drawn), draw in itertools.product([(50, 30, 40), (20, 10, 20), (10, 4, 10)], range(4)):
            order = np.random.default_rng(draw).permutation(120)
            picked = [samples.take(part) for part in np.split(order, np.cumsum([train, strangers, drawn]))[:3]]
            row = novelty(picked[2], picked[0], picked[1], IMAGES)
            assert novelty_verdict(row) == NEW
            assert max(row["replicas"], row["mixtures"], row["twins"]) <= 0.2


def test_a_replica_in_other_clothes_is_known_by_its_answers(generator):
    """ReLU's units rescaled and reordered: far away in weights, also after alignment, and the same network."""
    train, strangers, _ = split(grown(3, activation="relu").samples(30))
    network, models = tetris_mlp().with_activation("relu"), len(train)
    moved = train.weights * unit_factors(network, random_scales(network, models, generator))
    moved = moved.gather(1, permutation_index(network, random_permutations(network, models, generator)))
    row = novelty(aligned(as_samples(moved, train), train.weights[0]), train, strangers, IMAGES)

    assert row["nearest_l2"] > 0.7 * row["stranger_l2"]
    assert row["near"] > 0.999 and row["nearest_iou"] > 0.99 and row["replicas"] == 1
    assert novelty_verdict(row) == REPLICA


def test_dead_networks_are_no_copies_of_a_dead_one(parts, generator):
    train, strangers, _ = parts
    weights = train.weights.clone()
    weights[0] = 0
    far = torch.zeros(10, 100)
    far[:, :80] = 9 * torch.randn(10, 80, generator=generator)  # nothing reads these
    train = replace(train, weights=weights)
    row = novelty(far, train, strangers, IMAGES)

    assert row["near"] == 1 and row["replicas"] == 0
    assert novelty_verdict(row) == FEW
    assert novelty(weights[:1], train, strangers, IMAGES)["replicas"] == 1  # by its weights


def test_the_verdict_is_the_first_that_is_true():
    new = {"replicas": 0.0, "mixtures": 0.0, "twins": 0.0, "accuracy": 0.85, "zoo_accuracy": 1.0}
    cases = {
        NEW: [{}, {"replicas": 0.3, "mixtures": 0.1}, {"twins": 0.49}],
        BROKEN: [{"accuracy": 0.849}, {"accuracy": 0.5, "mixtures": 1.0}],
        INTERPOLATION: [{"mixtures": 0.5}, {"mixtures": 0.3, "replicas": 0.2}],
        REPLICA: [{"replicas": 0.5}, {"replicas": 1.0, "twins": 1.0}, {"replicas": 0.3, "mixtures": 0.3}],
        FEW: [{"twins": 0.5}, {"twins": 1.0, "accuracy": 0.1}, {"twins": 1.0, "mixtures": 1.0}],
    }
    for verdict, rows in cases.items():
        assert [novelty_verdict(new | row) for row in rows] == [verdict] * len(rows)


def errors(zoo_like: Samples) -> tuple[list[np.ndarray], list[set[int]]]:
    """What every network chooses, and the images it gets wrong, one PyTorch module at a time."""
    chosen = []
    for weights, activation in zip(zoo_like.weights, zoo_like.table["activation"], strict=True):
        module = zoo_like.architecture.with_activation(activation).module(weights)
        chosen.append(module(IMAGES.test_x).argmax(1).numpy())
    return chosen, [set(np.flatnonzero(one != IMAGES.test_y.numpy())) for one in chosen]


def overlap(one: set[int], other: set[int]) -> float:
    return len(one & other) / len(one | other)


def test_every_column_is_what_loops_over_networks_give(parts):
    train, strangers, others = (part.take(slice(0, 12)) for part in parts)
    row = novelty(others, train, strangers, IMAGES)
    known, known_errors = errors(train)
    sides = ((others, "nearest_l2 near nearest_iou"), (strangers, "stranger_l2 stranger_near stranger_iou"))
    for side, names in sides:
        answers, missed = errors(side)
        l2 = [min(float((one - model).norm()) for model in train.weights) for one in side.weights]
        near = [max(np.mean(one == model) for model in known) for one in answers]
        iou = [max(overlap(one, model) for model in known_errors) for one in missed]
        expected = [np.mean(l2), np.mean(near), np.mean(iou)]
        assert [row[name] for name in names.split()] == pytest.approx(expected, rel=1e-5)
    pairs = list(itertools.combinations(range(12), 2))
    for side, names in ((others, "own iou pair_l2"), (train, "zoo_own zoo_iou zoo_pair_l2")):
        answers, missed = errors(side)
        own = np.mean([np.mean(answers[i] == answers[j]) for i, j in pairs])
        iou = np.mean([overlap(missed[i], missed[j]) for i, j in pairs])
        l2 = np.mean([float((side.weights[i] - side.weights[j]).norm()) for i, j in pairs])
        assert [row[name] for name in names.split()] == pytest.approx([own, iou, l2])
    assert row["pair_share"] == pytest.approx(row["pair_l2"] / row["zoo_pair_l2"])
    accuracy = others.table["test_accuracy"]
    assert (row["accuracy"], row["low"], row["high"], row["freedom"]) == pytest.approx(mean_of(accuracy))
    assert row["zoo_accuracy"] == pytest.approx(train.table["test_accuracy"].mean())
    assert row["networks"] == 12


def test_a_single_network_has_no_pairs(parts):
    row = novelty(parts[2].take([0]), *parts[:2], IMAGES)

    undefined = {name for name, value in row.items() if np.isnan(value)}
    assert undefined == {"low", "high", "own", "iou", "pair_l2", "pair_share"}
    assert row["twins"] == 0 and novelty_verdict(row) == NEW


def test_zoo_samples_and_weights_are_asked_the_same(parts):
    train, strangers, others = parts
    as_zoo = Zoo(others.architecture, others.weights[:, None], others.table)

    assert novelty(as_zoo, train, strangers, IMAGES) == novelty(others, train, strangers, IMAGES)
    assert novelty(others.weights, train, strangers.weights, IMAGES) == novelty(others, train, strangers, IMAGES)


def test_overlap_is_of_sets_and_undefined_without_errors(generator):
    wrong, others = (torch.rand(models, 30, generator=generator) < 0.3 for models in (5, 4))
    sets = [[set(row.nonzero()[:, 0].tolist()) for row in side] for side in (wrong, others)]
    expected = torch.tensor([[overlap(one, other) for other in sets[1]] for one in sets[0]], dtype=torch.float64)

    assert_close(tasks.error_overlap(wrong, others), expected)
    assert (tasks.error_overlap(wrong).diagonal() == 1).all()
    wrong[0] = False
    assert tasks.error_overlap(wrong).isnan().sum() == 1 and (tasks.error_overlap(wrong)[0, 1:] == 0).all()
    with pytest.raises(ValueError, match="30 and 29 images"):
        tasks.error_overlap(wrong, others[:, 1:])


def test_networks_without_errors_have_no_overlap(parts):
    train, strangers, others = (part.take(slice(0, 10)) for part in parts)
    labels = torch.from_numpy(errors(others)[0][0])  # as one network sees them
    row = novelty(others.weights[:1].repeat(2, 1), train, strangers, replace(IMAGES, test_y=labels))
    assert row["accuracy"] == 1 and np.isnan(row["iou"]) and row["nearest_iou"] == 0
    one = others.weights[:1] * (1 + torch.arange(10) / 1000)[:, None]  # longer, and of the same opinion
    row = novelty(one[:1], replace(train, weights=one), strangers, replace(IMAGES, test_y=labels))
    assert np.isnan(row["nearest_iou"]) and row["replicas"] == 1


def test_the_nearest_line_is_found_among_all(generator):
    train, weights = torch.randn(7, 3, generator=generator), torch.randn(20, 3, generator=generator)
    places = torch.linspace(0, 1, 2001)[:, None]
    for one, distance, share in zip(weights, *tasks.to_segments(weights, train), strict=True):
        found = []
        for first, second in itertools.combinations(train, 2):
            away = (torch.lerp(first, second, places) - one).norm(dim=1)
            place = float(places[away.argmin(), 0])
            found.append((float(away.min()), min(place, 1 - place)))
        assert (float(distance), float(share)) == pytest.approx(min(found), abs=1e-3)


def test_a_point_of_a_line_is_on_it_and_a_model_is_its_end(generator):
    train = torch.randn(30, 100, generator=generator)
    distance, share = tasks.to_segments(torch.stack([train[3], torch.lerp(train[4], train[9], 0.3)]), train)
    assert_close(distance, torch.zeros(2, dtype=torch.float64), atol=1e-5, rtol=0)
    assert_close(share, torch.tensor([0.0, 0.3], dtype=torch.float64), atol=1e-5, rtol=0)
    twice = tasks.to_segments(train[:2], train[[0, 0, 1, 1]])  # lines without length
    assert_close(twice[0], torch.zeros(2, dtype=torch.float64), atol=1e-5, rtol=0)
    assert float(twice[1].max()) < 1e-5
    with pytest.raises(ValueError, match="two training models"):
        tasks.to_segments(train, train[:1])


def test_aligned_networks_compute_the_same_and_come_nearer(tiny_zoo, tetris_images):
    samples = tiny_zoo.samples(3)  # tanh and relu
    moved = aligned(samples, samples.weights[0])

    for part in samples.table.groupby("activation").indices.values():
        network = samples.architecture.with_activation(samples.table["activation"][part[0]])
        before, after = (network.logits(one.weights[part], tetris_images.test_x) for one in (samples, moved))
        assert_close(after, before)
    away = [(one.weights - samples.weights[0]).norm(dim=1) for one in (moved, samples)]
    assert (away[0] <= away[1] + 1e-5).all() and (away[0] < away[1] - 0.1).float().mean() > 0.5
    flipped = replace(samples.take([0]), weights=-samples.weights[:1])  # tanh: all units' signs, and so the same
    assert_close(aligned(flipped, samples.weights[0]).weights, samples.weights[:1])


def test_a_perfect_rebuild_has_all_that_is_possible_and_one_network_has_none(generator):
    original = torch.randint(4, (12, 300), generator=generator)
    original[:, :200] = original[0, :200]
    perfect, one = (tasks.specificity(original, made) for made in (original, original[:1].expand(12, -1)))

    assert perfect["specificity"] == pytest.approx(perfect["possible"]) and perfect["agreement"] == 1
    assert one["specificity"] == pytest.approx(0, abs=1e-12) and one["possible"] == perfect["possible"]


def test_specificity_is_what_loops_give_with_one_model_left_out_at_a_time(generator):
    original, rebuilt = torch.randint(3, (2, 8, 50), generator=generator).unbind()
    rebuilt[:, :20] = original[:, :20]

    def value(models: list[int]) -> float:
        same = {(i, j): float((rebuilt[i] == original[j]).double().mean()) for i in models for j in models}
        return np.mean([same[i, i] - np.mean([same[i, j] for j in models if j != i]) for i in models])

    found, everyone = tasks.specificity(original, rebuilt), list(range(8))
    by_hand = jackknife(value(everyone), [value([one for one in everyone if one != left]) for left in everyone])
    assert [found[name] for name in ("specificity", "low", "high", "freedom")] == pytest.approx(by_hand)
    assert found["specificity"] == pytest.approx(found["agreement"] - found["stranger"])
    pairs = [float((original[i] == original[j]).double().mean()) for i, j in itertools.combinations(everyone, 2)]
    assert found["possible"] == pytest.approx(1 - np.mean(pairs))
    for wrong in ((original, rebuilt[1:]), (original[:1], rebuilt[:1]), (original[0], rebuilt[0])):
        with pytest.raises(ValueError, match="Specificity needs"):
            tasks.specificity(*wrong)


def test_noise_is_a_share_of_each_weights_own_spread(generator):
    weights = torch.randn(4000, 3, generator=generator) * torch.tensor([0.0, 1.0, 5.0])
    noise = tasks.noisy(weights, 0.3, generator) - weights

    assert_close(noise.std(0), 0.3 * weights.std(0), rtol=0.05, atol=1e-6)
    assert float(torch.corrcoef(torch.stack([noise[:, 1], weights[:, 1]]))[0, 1]) == pytest.approx(0, abs=0.05)
    assert torch.equal(tasks.noisy(weights, 0, generator), weights)
    again = [tasks.noisy(weights, 0.3, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(*again[:2]) and not torch.equal(*again[1:])


def test_means_of_two_lie_in_the_middle_of_two_different_models(generator):
    weights = torch.eye(6)
    means = tasks.means_of_two(weights, 300, generator)

    assert (means.sort(1).values == torch.tensor([0, 0, 0, 0, 0.5, 0.5])).all()
    assert len(means.unique(dim=0)) == 15  # every pair
    assert_close(tasks.mean_of_all(weights), torch.full((1, 6), 1 / 6))


def test_controls_refuse_bad_input(generator):
    weights = torch.zeros(4, 3)
    for share in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="share of the spread"):
            tasks.noisy(weights, share, generator)
    for n in (0, 2.5, -1):
        with pytest.raises(ValueError, match="number of means"):
            tasks.means_of_two(weights, n, generator)
    for few, control in itertools.product((weights[:1], weights[0]), (tasks.noisy, tasks.means_of_two)):
        with pytest.raises(ValueError, match="2 models at least"):
            control(few, 1, generator)


def test_populations_that_cannot_be_asked_are_refused(parts, no_shape_checks):
    train, strangers, others = parts
    mixed = replace(train, table=train.table.assign(activation=["tanh", "relu"] * 25))
    copies = replace(train, weights=train.weights[:1].repeat(50, 1))
    table = pd.DataFrame({"model": range(3), "epoch": 0, "activation": "relu"})
    foreign = Samples(digits_cnn().initialise(range(3)), table, digits_cnn())
    for case, words in (
        ((grown(0, models=3, epochs=1), train, strangers), "networks of one epoch"),
        ((others.take([]), train, strangers), "networks of one epoch"),
        ((others, train, strangers.take([0])), "2 training models and 2 strangers; here are 50 and 1"),
        ((others, train, train.take([0, 1])), "weights of a training model; split the zoo by model"),
        ((others, train.weights, strangers), "beside models of one activation"),
        ((others.weights, mixed, strangers), "beside models of one activation"),
        ((others.weights * torch.nan, train, strangers), "finite"),
        ((others, copies, strangers), "All training models are one network"),
        ((foreign, train, strangers), "digits_cnn are not comparable with tetris_mlp"),
    ):
        with pytest.raises(ValueError, match=words):
            novelty(*case, IMAGES)
