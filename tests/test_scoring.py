"""Compiled class scores are those of PyTorch, whoever asks and however many cores there are."""

import pytest
import torch
from toys import TOYS, network

from hyperlib.weightspace.architectures import ARCHITECTURES
from hyperlib.weightspace.layers import ACTIVATIONS
from hyperlib.zoos.engines.choice import uncovered
from hyperlib.zoos.engines.scoring import scores
from hyperlib.zoos.evaluation import class_scores

NAMES = [name for name in (*ARCHITECTURES, *TOYS) if name not in ("wide_mlp", "unterthiner_cnn_1ch_32")]


def case(name, models=3, images=21):
    net, generator = network(name), torch.Generator().manual_seed(0)
    weights = net.initialise(range(models))
    return net, weights, torch.randn(images, *net.image, generator=generator)


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_those_of_pytorch(name):
    net, weights, x = case(name)

    torch.testing.assert_close(scores(net, weights, x), class_scores(net, weights, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ACTIVATIONS)
@pytest.mark.parametrize(("models", "images"), [(1, 1), (2, 16), (5, 17), (3, 500)])
def test_they_are_for_every_activation_and_number(kind, models, images):
    net, weights, x = case("digits_cnn", models, images)
    net = net.with_activation(kind)
    assert not uncovered(net)

    torch.testing.assert_close(scores(net, weights, x), class_scores(net, weights, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_a_row_depends_on_nothing_but_its_own_weights(threads):
    net, weights, x = case("digits_cnn", 9)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = scores(net, weights, x)
    finally:
        torch.set_num_threads(before)

    assert all(torch.equal(found[row], scores(net, weights[row : row + 1], x)[0]) for row in range(9))


@pytest.mark.parametrize(("models", "images"), [(0, 3), (3, 0)])
def test_nothing_gives_nothing(models, images):
    net, weights, x = case("tetris_mlp")

    assert scores(net, weights[:models], x[:images]).shape == (models, images, net.num_classes)


def test_what_is_not_of_the_network_is_refused():
    net, weights, x = case("tetris_mlp")
    with pytest.raises(ValueError, match="tetris_mlp"):
        scores(net, weights[:, :-1], x)
    with pytest.raises(ValueError, match="reads images of"):
        scores(net, weights, torch.zeros(3, 1, 28, 28))


def test_networks_that_diverged_have_scores_that_are_not_finite_and_disturb_no_other():
    net, weights, x = case("digits_cnn", 3)
    spoiled = weights.clone()
    spoiled[1] = torch.nan

    found = scores(net, spoiled, x)
    assert not torch.isfinite(found[1]).any() and torch.equal(found[[0, 2]], scores(net, weights[[0, 2]], x))
