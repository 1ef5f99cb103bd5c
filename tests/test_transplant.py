"""Networks put into other architectures, and the thesis's three others against what is published and plain PyTorch."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close
from toys import TOYS, some_images

from hyperlib.tasks.transplant import by_name, poured
from hyperlib.thesis import published
from hyperlib.thesis.other_architectures import OTHER_ARCHITECTURES, Crop
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.architectures import small_cnn, tetris_mlp
from hyperlib.weightspace.layers import Flatten, Linear
from hyperlib.weightspace.symmetry import permutation_index, random_permutations
from hyperlib.zoos.design import grid
from hyperlib.zoos.population import train_population

SOURCE = small_cnn()
SEEDS = [1, 2, 3]


@pytest.fixture(params=OTHER_ARCHITECTURES)
def other(request):
    return OTHER_ARCHITECTURES[request.param]()


@pytest.fixture
def networks():
    return SOURCE.initialise(SEEDS, "normal") / 4


@pytest.fixture
def images(generator):
    return torch.randn(5, 1, 28, 28, generator=generator)


def by_hand(name: str, w: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """The three networks, written with functions."""
    first = torch.tanh(F.max_pool2d(F.conv2d(x, w["conv1.weight"], w.get("conv1.bias")), 2))
    if name == "cnn_3conv_resskip":
        second = torch.tanh(F.max_pool2d(F.conv2d(first, w["conv2.weight"], w["conv2.bias"]), 2))
        maps = torch.tanh(F.conv2d(second, w["conv3.weight"])) + F.conv2d(first, w["skip.weight"])[:, :, ::4, ::4]
    else:
        second = torch.tanh(F.conv2d(first, w["conv2.weight"]))
        maps = torch.tanh(F.conv2d(torch.tanh(F.conv2d(second, w["conv3.weight"])), w["conv4.weight"]))
        if name == "cnn_4conv_idskip":
            maps = maps + second[:, :, [1, 3, 5]][..., [1, 3, 5]]
    features = torch.tanh(F.linear(maps.flatten(1), w["fc1.weight"], w.get("fc1.bias")))
    return F.linear(features, w["fc2.weight"], w["fc2.bias"])


# -- the three architectures -------------------------------------------------------------------------------------------


def test_all_have_the_weights_of_the_small_cnn_layer_by_layer_as_published(other):
    record, layers = published.architectures().loc[other.name], published.architecture_layers()
    sizes = {layer: sum(slot.size for slot in other.slots if slot.layer == layer) for layer in other.layout.layers}
    layers = layers[layers["architecture"] == other.name].set_index("name")

    assert other.num_weights == other.layout.size == SOURCE.num_weights == record["params"] == 2464
    assert sizes == layers["params"].to_dict() and list(sizes) == layers.index.tolist()
    for slot in other.slots:
        assert slot.shape[0] == layers.loc[slot.layer, "outputs"]
        assert slot.part != "bias" or layers.loc[slot.layer, "bias"]


def test_their_names_are_the_words_of_the_published_table():
    methods = published.published("ghr-arch-generalisation")["method"]

    assert set(methods.str.replace(r" \((r\.i|gen)\.\)", "", regex=True)) == set(OTHER_ARCHITECTURES)


def test_all_compute_what_is_written_by_hand(other, images, generator):
    weights = torch.randn(3, 2464, generator=generator) / 4
    expected = [by_hand(other.name, other.layout.unflatten(one), images) for one in weights]

    assert_close(other.logits(weights, images), torch.stack(expected))
    assert_close(other.module(weights[0])(images), expected[0])


def test_permuted_networks_compute_the_same(other, images, generator):
    weights = torch.randn(3, 2464, generator=generator) / 4
    moved = weights.gather(-1, permutation_index(other, random_permutations(other, 3, generator)))

    assert not torch.equal(moved, weights)
    assert_close(other.logits(moved, images), other.logits(weights, images))


def test_all_train_as_plain_pytorch_does(other):
    images = some_images((1, 28, 28), 10, train=24, test=10)
    found, plain = (
        train_population(other, images, grid(seeds=2), epochs=1, batch_size=8, engine=engine, progress=False)
        for engine in ("torch", "sequential")
    )
    assert_close(found.weights, plain.weights, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("choice", [{"border": -1}, {"border": 4}, {"stride": 0}])
def test_a_crop_must_leave_pixels(choice):
    with pytest.raises(ValueError, match="Crop cut cannot take"):
        Crop("cut", **choice).shape((3, 8, 8))
    with pytest.raises(ValueError, match="cannot take"):
        Crop("cut").shape((8,))


# -- transplants -------------------------------------------------------------------------------------------------------


def test_poured_networks_keep_every_number_and_run(other, networks, images):
    moved = poured(networks, other)
    assert moved.data_ptr() != networks.data_ptr()

    assert torch.equal(moved, networks)
    assert torch.isfinite(other.logits(moved, images)).all()


@pytest.mark.parametrize("name", TOYS)
def test_by_name_into_the_same_architecture_nothing_changes(name, generator):
    network = TOYS[name]()
    weights = torch.randn(3, network.layout.size, generator=generator)
    moved, copied = by_name(weights, network, network, SEEDS)

    assert torch.equal(moved, weights)
    assert copied == tuple(slot.name for slot in network.slots)


def test_by_name_copies_what_it_says_and_nothing_else(other, networks, images):
    moved, copied = by_name(networks, SOURCE, other, SEEDS, "normal")
    was, now = SOURCE.layout.unflatten(networks), other.layout.unflatten(moved)
    new = other.layout.unflatten(other.initialise(SEEDS, "normal"))

    assert set(copied) < set(now)
    for name, values in now.items():
        assert torch.equal(values, was[name] if name in copied else new[name])
    assert torch.isfinite(other.logits(moved, images)).all()


def test_by_name_loads_what_pytorch_would(other, networks):
    """As a state dict without what does not fit, but for a bias whose weight does not fit."""
    moved, copied = by_name(networks, SOURCE, other, SEEDS)
    start, module = other.initialise(SEEDS), SOURCE.module(networks[1])
    target = other.module(start[1])
    fits = {name: value for name, value in module.state_dict().items() if name in copied}
    target.load_state_dict(fits, strict=False)

    assert_close(other.layout.flatten(target.state_dict()), moved[1])


def test_of_the_small_cnn_one_layer_fits_into_the_deeper_networks_and_all_into_the_residual(networks):
    copied = {name: by_name(networks, SOURCE, net(), SEEDS).copied for name, net in OTHER_ARCHITECTURES.items()}
    residual = OTHER_ARCHITECTURES["3-conv + res-skip"]()

    assert copied["4-conv"] == copied["4-conv + id.-skip"] == ("conv1.weight", "conv1.bias")
    assert {slot.name for slot in residual.slots} - set(copied["3-conv + res-skip"]) == {"skip.weight"}


def test_a_skip_of_zeros_is_no_skip(images):
    """The residual network is the small CNN where the skip's weights and the left out biases are zero."""
    networks = SOURCE.initialise(SEEDS, bias=0.0)
    target = OTHER_ARCHITECTURES["3-conv + res-skip"]()
    moved, _ = by_name(networks, SOURCE, target, SEEDS)
    skip = target.layout["skip.weight"]
    moved[:, skip.start : skip.stop] = 0

    assert_close(target.logits(moved, images), SOURCE.logits(networks, images))


def test_what_does_not_fit_is_refused(networks):
    for weights in (networks[0], networks[:, 1:]):
        with pytest.raises(ValueError, match=r"weights \[networks, 2464\] can be poured into small_cnn_1ch"):
            poured(weights, SOURCE)
    for weights, seeds in ((networks[0], [1]), (networks, [1])):
        with pytest.raises(ValueError, match="a seed for each"):
            by_name(weights, SOURCE, SOURCE, seeds)
    with pytest.raises(ValueError, match="another architecture"):
        by_name(networks[:, 1:], SOURCE, SOURCE, SEEDS)
    with pytest.raises(ValueError, match="nothing of these networks would be left"):
        by_name(networks, SOURCE, tetris_mlp(), SEEDS)
    apart = Architecture("apart", (1, 2, 2), (Flatten(), Linear("other", units="classes", width=10)))
    with pytest.raises(ValueError, match="no layer of the same name and shape"):
        by_name(networks, SOURCE, apart, SEEDS)
