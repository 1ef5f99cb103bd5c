"""What a population answers is what each model answers, in however small pieces it was asked."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close
from toys import network

from hyperlib.weightspace.architectures import digits_cnn
from hyperlib.zoos import evaluation
from hyperlib.zoos.evaluation import batch_losses, class_scores, evaluate


@pytest.fixture(params=["one piece", "small pieces"])
def budget(request, monkeypatch):
    """Everything at once, or a few models and images at a time."""
    if request.param == "small pieces":
        monkeypatch.setattr(evaluation, "_BUDGET", 2 * 4 * 7 * 3000)


@pytest.mark.parametrize("name", ["digits_cnn", "branching_net", "tetris_mlp"])
@pytest.mark.usefixtures("budget")
def test_losses_and_accuracies_are_those_of_each_model(name, generator):
    net = network(name)
    weights = net.initialise(range(5))
    x, y = (
        torch.randn(300, *net.image, generator=generator),
        torch.randint(net.num_classes, (300,), generator=generator),
    )

    loss, accuracy = evaluate(net, weights, x, y)

    assert loss.dtype == accuracy.dtype == torch.float64
    for model, row in enumerate(weights):
        scores = net.module(row)(x).detach()
        assert_close(float(loss[model]), float(F.cross_entropy(scores, y)), rtol=1e-5, atol=1e-5)
        assert_close(float(accuracy[model]), float((scores.argmax(1) == y).double().mean()), rtol=0, atol=1e-12)
    assert 0 < float(accuracy.mean()) < 1


@pytest.mark.usefixtures("budget")
def test_scores_are_the_logits(generator):
    net = digits_cnn()
    weights, x = net.initialise(range(4)), torch.randn(290, *net.image, generator=generator)

    assert_close(class_scores(net, weights, x), net.logits(weights, x))


@pytest.mark.parametrize(("models", "images"), [(1, 1), (1, 5000), (700, 3), (33, 1111)])
def test_pieces_cover_every_pair_once_and_keep_the_budget(models, images):
    net = digits_cnn()
    seen = torch.zeros(models, images)
    for some_models, some_images in evaluation._pieces(net, models, images, torch.device("cpu")):
        seen[some_models, some_images] += 1
        size = seen[some_models, some_images].numel()
        assert size * 4 * net.activations_per_input <= evaluation._BUDGET

    assert bool((seen == 1).all())


def test_activations_are_counted_layer_by_layer():
    # flatten 16, linear 5, activation 5, linear 4
    assert network("tetris_mlp").activations_per_input == 30


def test_one_model_that_is_not_finite_leaves_the_others_alone(generator):
    net = digits_cnn()
    weights = net.initialise(range(3))
    x, y = torch.randn(40, *net.image, generator=generator), torch.zeros(40, dtype=torch.int64)
    sound = evaluate(net, weights, x, y)
    weights[1] = torch.nan

    loss, accuracy = evaluate(net, weights, x, y)

    assert bool(loss[1].isnan())
    assert torch.equal(loss[[0, 2]], sound[0][[0, 2]]) and torch.equal(accuracy[[0, 2]], sound[1][[0, 2]])


def test_batch_losses_keep_image_and_model_apart(generator):
    scores = torch.randn(6, 3, 4, generator=generator)
    y = torch.randint(4, (6, 3), generator=generator)

    loss, hits = batch_losses(scores, y)

    for image in range(6):
        for model in range(3):
            one, label = scores[image, model], int(y[image, model])
            assert_close(loss[image, model], torch.logsumexp(one, 0) - one[label])
            assert bool(hits[image, model]) == (int(one.argmax()) == label)
