"""The counted work is what PyTorch's operations do."""

from math import prod

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode
from toys import padded_net

from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.architectures import mini_alexnet, small_cnn, tetris_mlp
from hyperlib.weightspace.layers import Activation, Add, Conv, Flatten, GlobalAveragePool, Linear, MaxPool, Norm
from hyperlib.weightspace.work import multiply_adds

BATCH = 3
RESIDUAL = Architecture(
    "residual",
    (3, 9, 9),
    (
        MaxPool(),
        Conv("stem", units="stream", width=4, kernel=3, padding=1),
        Norm("norm"),
        Activation(),
        Conv("inner", width=5, kernel=3, stride=2, padding=1),
        Activation(),
        Conv("back", units="stream", width=4, kernel=1),
        Conv("shortcut", source="stem", units="stream", width=4, kernel=1, stride=2),
        Add(source="back", other="shortcut"),
        GlobalAveragePool(),
        Linear("classes", width=6),
    ),
)
NORMED_IMAGES = Architecture(
    "normed_images", (2, 5, 5), (Norm("scale"), Conv("conv", width=3, kernel=2), Flatten(), Linear("classes", width=4))
)


def counted(architecture: Architecture) -> tuple[float, float]:
    """Multiply-adds per image of PyTorch's own operations: evaluation, and training step."""
    network = architecture.module(architecture.initialise([1])[0]).train()
    x = torch.randn(BATCH, *architecture.image, generator=torch.Generator().manual_seed(1))
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        network.eval()(x)
    with FlopCounterMode(display=False) as training:
        F.cross_entropy(network.train()(x), torch.zeros(BATCH, dtype=torch.int64)).backward()
    return forward.get_total_flops() / (2 * BATCH), training.get_total_flops() / (2 * BATCH)


def test_the_count_of_every_zoo_network_is_that_of_its_operations(architecture):
    work = multiply_adds(architecture)

    assert (work.forward, work.training) == counted(architecture)


@pytest.mark.parametrize("network", [RESIDUAL, NORMED_IMAGES, padded_net(), mini_alexnet()], ids=lambda net: net.name)
def test_the_count_holds_with_strides_padding_norms_and_residual_additions(network):
    work = multiply_adds(network)

    assert (work.forward, work.training) == counted(network)


def test_a_network_without_biases_multiplies_each_weight_once_per_image():
    assert multiply_adds(tetris_mlp()).forward == tetris_mlp().num_weights == 100


def test_only_the_first_layer_is_spared_the_gradient_of_its_inputs():
    work = multiply_adds(small_cnn())
    first = next(step for step in small_cnn().steps if step.layer.name == "conv1")

    assert 3 * work.forward - work.training == prod(first.outputs) * 1 * 5**2
