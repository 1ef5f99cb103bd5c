"""Diversity of a zoo: performance, behaviour, weights."""

import numpy as np
import pandas as pd
import pytest
import torch
from toys import some_images

from hyperlib import Zoo, digits_cnn, grid, load_images, small_resnet, tetris_mlp, train_population
from hyperlib.tasks.diversity import _chance_agreement, diversity, mean_over_pairs
from hyperlib.weightspace.similarity import cka


@pytest.fixture(scope="module")
def images():
    return load_images("tetris").subset(train=96, test=60)


@pytest.fixture(scope="module")
def zoo(images):
    design = grid(seeds=3, activation=["tanh", "relu"], lr=3e-2)
    return train_population(tetris_mlp(), images, design, epochs=3, progress=False)


def drawn(weights: torch.Tensor, architecture=None, **columns) -> Zoo:
    """A zoo of one epoch with these weight vectors."""
    table = {"model": range(len(weights)), "epoch": 0, "activation": "tanh", "test_accuracy": 0.5}
    table |= {"gap": 0.0, "gap_clean": 0.0} | columns
    return Zoo(architecture or tetris_mlp(), weights[:, None], pd.DataFrame(table))


def over_pairs(matrix: torch.Tensor) -> torch.Tensor:
    first, second = torch.triu_indices(len(matrix), len(matrix), 1)
    return matrix[first, second]


# -- behaviour ---------------------------------------------------------------------------------------------------


def test_behaviour_is_measured_with_each_models_own_activation(zoo, images):
    answers = [zoo.module(model, 3)(images.test_x).argmax(1) for model in range(len(zoo))]
    same = [float((a == b).double().mean()) for i, a in enumerate(answers) for b in answers[i + 1 :]]
    found = diversity(zoo, images)

    assert found["agreement"] == pytest.approx(np.mean(same))
    assert found["agreement_std"] == pytest.approx(np.std(same, ddof=1))
    assert found["beyond_chance"] == pytest.approx(found["agreement"] - found["chance"])
    assert found["beyond_chance_low"] < found["beyond_chance"] < found["beyond_chance_high"]
    assert found["beyond_chance_freedom"] == len(zoo) - 1


def outputs_by_hooks(module: torch.nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """What the layers with weights give, [images, features] each, by PyTorch's own means."""
    seen = []
    for part in module.modules():
        if isinstance(part, torch.nn.Conv2d | torch.nn.Linear):
            part.register_forward_hook(lambda _part, _inputs, output: seen.append(output.flatten(1).detach()))
    module(x)
    return seen


@pytest.mark.parametrize(("network", "count"), [(tetris_mlp(), 2), (digits_cnn(), 4), (small_resnet(1), 7)])
def test_cka_is_the_mean_over_the_outputs_of_all_layers_with_weights(network, count):
    images = some_images(network.image, network.num_classes, train=4, test=30)
    zoo = drawn(network.initialise(range(5)), network, activation=["tanh", "relu", "relu", "tanh", "relu"])
    outputs = [outputs_by_hooks(zoo.module(model, 0), images.test_x[:20]) for model in range(5)]
    layers = [over_pairs(cka(torch.stack([seen[place] for seen in outputs]))) for place in range(len(outputs[0]))]

    found = diversity(zoo, images, cka_images=20)

    assert len(layers) == count
    assert found["cka"] == pytest.approx(float(torch.stack(layers).mean()), abs=1e-5)
    assert found["cka_std"] == pytest.approx(float(torch.stack(layers).mean(0).std()), abs=1e-5)
    assert found["cka_last"] == pytest.approx(float(layers[-1].mean()), abs=1e-5)
    assert found["cka_pairs"] == 10


def test_models_that_ignore_the_image_are_left_out_of_cka_and_of_nothing_else(images):
    weights = tetris_mlp().initialise(range(4))
    weights[2] = 0

    found = diversity(drawn(weights), images)

    assert (found["pairs"], found["cka_pairs"], found["models"]) == (6, 3, 4)
    assert 0 < found["cka"] < 1 and 0 < found["cka_last"] < 1


def test_cka_takes_fifty_images_or_all_there_are(zoo, images):
    assert diversity(zoo, images)["cka"] == diversity(zoo, images, cka_images=50)["cka"]
    assert diversity(zoo, images, cka_images=999)["cka"] == diversity(zoo, images, cka_images=60)["cka"]
    for few in (1, 0, 2.5, None):
        with pytest.raises(ValueError, match="CKA compares at least 2 images"):
            diversity(zoo, images, cka_images=few)


def test_models_with_independent_errors_agree_by_chance():
    generator = np.random.default_rng(0)
    truth = generator.integers(4, size=200_000)
    answers = [
        np.where(generator.random(truth.size) < share, truth, (truth + generator.integers(1, 4, truth.size)) % 4)
        for share in (0.9, 0.6)
    ]

    assert _chance_agreement(np.array([0.9, 0.6]), 4)[0, 1] == pytest.approx(
        np.mean(answers[0] == answers[1]), abs=0.005
    )


# -- weights -----------------------------------------------------------------------------------------------------


def test_weight_measures_equal_a_loop_over_pairs(zoo, images):
    rows = zoo.weights[:, -1].double()
    pairs = [(a, b) for i, a in enumerate(rows) for b in rows[i + 1 :]]
    distances = np.array([float((a - b).norm()) for a, b in pairs]) / float(rows.norm(dim=1).mean())
    angles = 1 - np.array([float(torch.cosine_similarity(a, b, 0)) for a, b in pairs])
    found = diversity(zoo, images)

    assert found["pairs"] == len(pairs)
    assert (found["l2"], found["l2_std"]) == pytest.approx((distances.mean(), distances.std(ddof=1)))
    assert found["cosine_distance"] == pytest.approx(angles.mean())
    assert found["cosine_distance_std"] == pytest.approx(angles.std(ddof=1))
    assert (found["weight_mean"], found["weight_std"]) == pytest.approx((float(rows.mean()), float(rows.std())))


def test_distances_of_vectors_of_one_length_follow_from_their_angles(images):
    """As in the published seed zoos, see test_published; with lengths that vary the distance is larger."""
    generator = torch.Generator().manual_seed(0)
    around = torch.randn(40, 100, generator=generator) + 0.5  # a mean of their own: cosine distance below 1
    equal = 7 * torch.nn.functional.normalize(around, dim=1)
    varied = equal * torch.linspace(0.2, 3, 40)[:, None]

    seeds, settings = diversity(drawn(equal), images), diversity(drawn(varied), images)

    assert 0.7 < seeds["cosine_distance"] < 0.9
    assert seeds["l2"] == pytest.approx(seeds["l2_check"], abs=0.003)
    assert seeds["l2_check"] == pytest.approx((2 * seeds["cosine_distance"]) ** 0.5)
    assert settings["cosine_distance"] == pytest.approx(seeds["cosine_distance"], abs=1e-6)
    assert settings["l2"] > settings["l2_check"] + 0.05


def test_normalised_distances_do_not_depend_on_the_unit_of_the_weights(zoo, images):
    found = diversity(zoo, images)
    scaled = diversity(Zoo(zoo.architecture, 4 * zoo.weights, zoo.table), images)

    for name in ("l2", "l2_std", "cosine_distance", "l2_check"):
        assert scaled[name] == pytest.approx(found[name])
    assert scaled["weight_std"] == pytest.approx(4 * found["weight_std"])


# -- which models ------------------------------------------------------------------------------------------------


def test_copies_of_one_model_have_no_diversity(zoo, images):
    one = zoo.take([0])
    table = pd.concat([one.table, one.table.assign(model=99)])  # another name for the same network

    found = diversity(Zoo(zoo.architecture, one.weights.repeat(2, 1, 1), table), images)

    assert (found["agreement"], found["l2"]) == (1.0, 0.0)
    assert (found["cka"], found["cka_last"]) == pytest.approx((1, 1))
    assert found["cosine_distance"] == pytest.approx(0, abs=1e-12)


def test_only_some_pairs_are_compared_in_a_large_zoo_and_always_the_same(zoo, images):
    few = diversity(zoo, images, models=3, seed=1)

    assert few["pairs"] == 3
    assert few == diversity(zoo, images, models=3, seed=1)
    for name in ("test_accuracy_mean", "weight_mean", "weight_std"):
        assert few[name] == diversity(zoo, images)[name]


def test_diverged_models_and_those_beyond_the_bound_are_counted_and_left_out(images):
    weights = tetris_mlp().initialise(range(6))
    weights[1, 3], weights[4, 0] = torch.nan, 8.0
    marked = drawn(weights, diverged=[False] * 5 + [True])

    bounded, all_finite = diversity(marked, images, bound=5), diversity(marked, images)
    kept = diversity(drawn(weights[[0, 2, 3]]), images)

    counts = ("models", "diverged", "beyond_bound", "pairs")
    assert [bounded[name] for name in counts] == [3, 2, 1, 3]
    assert [all_finite[name] for name in counts] == [4, 2, 0, 6]
    assert {name: bounded[name] for name in kept if name not in counts} == {
        name: kept[name] for name in kept if name not in counts
    }
    with pytest.raises(ValueError, match="No model of this zoo is left at epoch 0.*bound=1e-06"):
        diversity(marked, images, bound=1e-6)


def test_one_model_has_no_pairs_and_no_error(images, recwarn):
    found = diversity(drawn(tetris_mlp().initialise([1])), images)

    assert found["pairs"] == found["cka_pairs"] == 0
    assert np.isnan([found["agreement"], found["agreement_std"], found["cka"], found["l2"], found["l2_check"]]).all()
    assert not recwarn.list


def test_undefined_pairs_are_left_out_of_a_mean():
    matrix = torch.tensor([[1.0, 0.5, torch.nan], [0.5, 1.0, 0.1], [torch.nan, 0.1, 1.0]])

    assert mean_over_pairs(matrix) == pytest.approx(0.3)
