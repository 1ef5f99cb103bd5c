"""Paths between networks begin and end where they should, and barriers are those of the definition."""

from __future__ import annotations

import pytest
import torch
from test_symmetry import some_weights
from torch import nn
from torch.testing import assert_close
from toys import network, some_images

from hyperlib.tasks import connectivity
from hyperlib.tasks.connectivity import along_curve, along_line, bezier, recalibrated, soup
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.bridge.from_module import from_module
from hyperlib.weightspace.layers import Flatten, Linear
from hyperlib.zoos.design import grid
from hyperlib.zoos.evaluation import evaluate
from hyperlib.zoos.population import train_population


@pytest.fixture(scope="module")
def images():
    return some_images((1, 4, 4), 4, train=60, test=50)


@pytest.fixture(scope="module")
def trained(images):
    """Six small networks after eight epochs."""
    zoo = train_population(
        network("tetris_mlp"), images, grid(seeds=6, lr=0.02), epochs=8, batch_size=8, progress=False
    )
    return zoo.architecture, zoo.weights[:, -1].clone()


def test_a_path_ends_at_the_networks_themselves(trained, images):
    net, weights = trained
    start, end = weights[:3], weights[3:]
    path = along_line(net, start, end, images.test_x, images.test_y, points=5)

    for place, alone in ((0, start), (-1, end)):
        loss, accuracy = evaluate(net, alone, images.test_x, images.test_y)
        assert_close(path.loss[:, place], loss)
        assert_close(path.accuracy[:, place], accuracy)
    halfway = evaluate(net, (start + end) / 2, images.test_x, images.test_y)
    assert_close(path.loss[:, 2], halfway[0], atol=1e-6, rtol=1e-5)


def test_the_barrier_is_the_largest_rise_above_the_ends(trained, images):
    net, weights = trained
    path = along_line(net, weights[:3], weights[3:], images.test_x, images.test_y, points=9)

    for pair in range(3):
        loss, accuracy = path.loss[pair].tolist(), path.accuracy[pair].tolist()
        rises = [loss[k] - ((1 - k / 8) * loss[0] + k / 8 * loss[8]) for k in range(9)]
        losses = [(1 - k / 8) * accuracy[0] + k / 8 * accuracy[8] - accuracy[k] for k in range(9)]
        assert path.barrier[pair].item() == pytest.approx(max(rises))
        assert path.accuracy_barrier[pair].item() == pytest.approx(max(losses))
    assert (path.barrier > 0.01).any()


def test_a_network_and_itself_have_no_barrier(trained, images):
    net, weights = trained
    path = along_line(net, weights, weights, images.test_x, images.test_y)

    assert_close(path.barrier, torch.zeros(6).double(), atol=1e-6, rtol=0)
    assert (path.accuracy_barrier == 0).all()


def test_a_convex_loss_has_no_barrier(images, generator):
    linear = Architecture("linear", (1, 4, 4), (Flatten(), Linear("fc", units="classes", width=4)))
    start, end = (3 * torch.randn(5, linear.layout.size, generator=generator) for _ in range(2))
    path = along_line(linear, start, end, images.test_x, images.test_y)

    assert path.barrier.max() <= 1e-6 and path.loss[:, 12].max() < path.loss[:, [0, -1]].max()


def test_pieces_of_a_path_are_the_path(trained, images, monkeypatch):
    net, weights = trained
    whole = along_line(net, weights[:3], weights[3:], images.test_x, images.test_y)
    monkeypatch.setattr(connectivity, "BUDGET", 1)
    pieces = along_line(net, weights[:3], weights[3:], images.test_x, images.test_y)

    assert_close(whole.loss, pieces.loss, atol=1e-6, rtol=1e-5)


# -- norms -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["residual_net", "branching_net", "small_resnet_1ch"])
def test_statistics_measured_anew_are_those_of_pytorch_without_momentum(name, generator):
    net = network(name)
    weights = some_weights(net, 3, generator).float()
    x = torch.randn(14, *net.image, generator=generator)

    found = recalibrated(net, weights, x, batch_size=5)

    for row, one in zip(weights, found, strict=True):
        module = net.module(row)
        for part in module.modules():
            if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
                part.momentum = None
                part.reset_running_stats()
        module.train()
        with torch.no_grad():
            for first in (0, 5):  # the last four images make no full batch
                module(x[first : first + 5])
        assert_close(one, net.layout.flatten(module.state_dict()), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_networks_of_any_precision_are_recalibrated_as_the_same_numbers(dtype, generator):
    net = network("residual_net")
    weights, x = some_weights(net, 2, generator).to(dtype), torch.randn(10, *net.image, generator=generator)
    weights.requires_grad_()
    found = recalibrated(net, weights, x)
    assert_close(found, recalibrated(net, weights.detach().float(), x), check_dtype=False)


def test_networks_without_norms_are_not_recalibrated(trained, images):
    net, weights = trained

    assert recalibrated(net, weights, images.train_x) is weights


def test_a_path_with_norms_can_be_recalibrated_at_every_point(generator):
    net = network("residual_net")
    start, end = some_weights(net, 2, generator).float().split(1)
    x, y = torch.randn(20, *net.image, generator=generator), torch.randint(3, (20,), generator=generator)

    path = along_line(net, start, end, x, y, points=3, recalibrate=x)

    middle = recalibrated(net, (start + end) / 2, x)
    assert_close(path.loss[:, 1], evaluate(net, middle, x, y)[0], atol=1e-5, rtol=1e-4)
    assert not torch.isclose(path.loss[:, 1], along_line(net, start, end, x, y, points=3).loss[:, 1]).any()


# -- soups and curves --------------------------------------------------------------------------------------------------


def test_a_soup_is_the_mean(generator):
    weights = torch.randn(4, 7, generator=generator)

    assert_close(soup(weights), torch.stack(list(weights)).mean(0))
    with pytest.raises(ValueError, match="leave out diverged models"):
        soup(weights * torch.inf)
    with pytest.raises(ValueError, match="one model at least"):
        soup(weights[:0])


def test_a_learned_bend_lowers_the_loss_between_networks(trained, images):
    net, weights = trained
    start, end = weights[:3], weights[3:]
    data = images.train_x, images.train_y

    bend = bezier(net, start, end, *data, steps=200, seed=1)
    line, curve = along_line(net, start, end, *data), along_curve(net, start, bend, end, *data)

    assert_close(curve.loss[:, [0, -1]], line.loss[:, [0, -1]])
    assert (curve.loss.mean(1) < line.loss.mean(1)).all()
    assert torch.equal(bend, bezier(net, start, end, *data, steps=200, seed=1))
    assert not torch.equal(bend, bezier(net, start, end, *data, steps=200, seed=2))


def test_without_a_step_the_curve_is_the_line(trained, images):
    net, weights = trained
    start, end = weights[:3], weights[3:]
    bend = bezier(net, start, end, images.train_x, images.train_y, steps=0)

    line, curve = (
        along_line(net, start, end, images.test_x, images.test_y, points=5),
        along_curve(net, start, bend, end, images.test_x, images.test_y, points=5),
    )
    assert_close(curve.loss, line.loss, atol=1e-6, rtol=1e-5)


def test_running_statistics_are_not_bent(generator):
    net = network("residual_net")
    start, end = some_weights(net, 2, generator).float().split(1)
    x, y = torch.randn(20, *net.image, generator=generator), torch.randint(3, (20,), generator=generator)

    bend, fixed = bezier(net, start, end, x, y, steps=5), ~net.layout.learned

    assert torch.equal(bend[:, fixed], ((start + end) / 2)[:, fixed])
    assert not torch.equal(bend, (start + end) / 2)


def test_wrong_input_is_refused(trained, images):
    net, weights = trained
    x, y = images.test_x, images.test_y
    for action, message in (
        (lambda: along_line(net, weights[:2], weights[:3], x, y), r"not \[2, 100\] and \[3, 100\]"),
        (lambda: along_line(net, weights[0], weights[1], x, y), r"\[pairs, params\]"),
        (lambda: along_line(net, weights[:, :9], weights[:, :9], x, y), "has 100 weights"),
        (lambda: along_line(net, weights, weights * torch.nan, x, y), "leave out diverged models"),
        (lambda: along_line(net, weights, weights, x, y, points=1), "2 points or more"),
        (lambda: along_curve(net, weights, weights[:2], weights, x, y), r"\[pairs, params\]"),
        (lambda: bezier(net, weights, weights, x, y, steps=-1), "0 or more steps"),
    ):
        with pytest.raises(ValueError, match=message):
            action()


def test_a_traced_network_is_measured_anew_as_the_list_of_layers_that_it_is(generator):
    net = network("residual_net")
    weights = net.initialise(range(2), "kaiming_normal")
    images = torch.randn(40, *net.image, generator=generator)
    traced = from_module(net.module(weights[0]), images[:2])

    assert_close(recalibrated(traced, weights, images), recalibrated(net, weights, images), rtol=1e-4, atol=1e-5)
    labels = torch.zeros(len(images), dtype=torch.int64)
    paths = [along_line(one, weights[:1], weights[1:], images, labels, points=3) for one in (traced, net)]
    assert_close(paths[0].loss, paths[1].loss, rtol=1e-4, atol=1e-5)
