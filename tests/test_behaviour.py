"""What networks answer on probe images."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from toys import some_images

from hyperlib import Probing, Samples, digits_cnn, permutation_index, random_permutations


@pytest.fixture
def samples(tiny_zoo) -> Samples:
    return tiny_zoo.samples()


@pytest.fixture
def digits() -> Samples:
    """Six small networks with biases, two of each activation."""
    table = pd.DataFrame({"model": range(6), "activation": ["relu", "tanh", "gelu"] * 2})
    return Samples(digits_cnn().initialise(range(6)), table, digits_cnn())


@pytest.fixture
def digit_images() -> torch.Tensor:
    return some_images(digits_cnn().image, 10, train=12, test=1).train_x


def test_a_vector_holds_the_log_probabilities_of_the_network_run_alone(samples, tetris_images):
    probing = Probing(tetris_images, probes=7, seed=3).fit(samples)
    found = probing.embed(samples)

    assert set(samples.table["activation"]) == {"tanh", "relu"}
    assert found.shape == (len(samples), 7 * 4)
    for row, activation in enumerate(samples.table["activation"]):
        network = samples.architecture.with_activation(activation).module(samples.weights[row])
        with torch.no_grad():
            scores = network(tetris_images.train_x[probing.places_])
        np.testing.assert_allclose(found[row], scores.log_softmax(-1).flatten().numpy(), rtol=1e-4, atol=1e-5)


def test_the_same_weights_with_another_activation_answer_otherwise(samples, tetris_images):
    probing = Probing(tetris_images).fit(samples)
    same = samples.take([9, 9, 9])
    same.table["activation"] = ["tanh", "relu", "tanh"]

    first, second, third = probing.embed(same)

    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_allclose(first, third, rtol=1e-5, atol=1e-6)


def test_what_no_answer_depends_on_changes_nothing(digits, digit_images, generator):
    probing = Probing(digit_images, probes=8).fit(digits)
    order = random_permutations(digits.architecture, len(digits), generator)
    moved = digits.weights.gather(-1, permutation_index(digits.architecture, order))
    moved[:, -10:] += 3  # the biases of all classes

    found = probing.embed(Samples(moved, digits.table, digits.architecture))

    assert not torch.equal(moved, digits.weights)
    np.testing.assert_allclose(found, probing.embed(digits), rtol=1e-4, atol=1e-4)


def test_probes_are_training_images_drawn_by_seed_alone(samples, tetris_images):
    first = Probing(tetris_images, probes=10).fit(samples)
    alike = Probing(tetris_images.train_x, probes=10).fit(samples.take([0]))
    other = Probing(tetris_images, probes=10, seed=1).fit(samples)

    assert len(set(first.places_)) == 10
    assert torch.equal(first.probes_, tetris_images.train_x[first.places_])
    np.testing.assert_array_equal(alike.embed(samples), first.embed(samples))
    assert not np.array_equal(other.places_, first.places_)
    assert list(first.get_feature_names_out()[:5]) == [
        *(f"image{first.places_[0]}.class{label}" for label in range(4)),
        f"image{first.places_[1]}.class0",
    ]


def test_a_clone_shares_the_images(tetris_images):
    assert clone(Probing(tetris_images, probes=3)).images is tetris_images


@pytest.mark.parametrize("probes", [0, 13, 2.5])
def test_probes_that_do_not_exist_are_refused(digits, digit_images, probes):
    with pytest.raises(ValueError, match=f"There are 12 images to probe with; take 1 to 12, not {probes}"):
        Probing(digit_images, probes=probes).fit(digits)


def test_what_the_networks_cannot_read_is_refused(digits, digit_images):
    with pytest.raises(TypeError, match="Images or a tensor of them, not on list"):
        Probing([[0.0]]).fit(digits)
    for images in (digit_images[0], digit_images[..., :-1], digit_images.to(torch.uint8)):
        with pytest.raises(ValueError, match=r"digits_cnn reads floating-point images \[images, 1, 8, 8\], but"):
            Probing(images, probes=1).fit(digits)
    with pytest.raises(ValueError, match="Some of the images have NaN or infinite values"):
        Probing(digit_images / 0, probes=12).fit(digits)


@pytest.mark.parametrize(
    ("activation", "message"),
    [
        (None, "lacks the column 'activation'"),
        (["tanh", None], "activation is missing in row 1"),
        (["tanh", "sinus"], "no activation 'sinus'; choose"),
    ],
)
def test_networks_without_a_known_activation_are_refused(digits, digit_images, activation, message):
    table = pd.DataFrame({"model": [0, 1]} | ({} if activation is None else {"activation": activation}))
    fitted = Probing(digit_images, probes=2).fit(digits)

    with pytest.raises(ValueError, match=message):
        fitted.embed(Samples(digits.weights[:2], table, digits.architecture))


def test_scores_that_are_not_finite_are_refused_by_row(digits, digit_images):
    weights = digits.weights.clone()
    weights[3] = 1e30  # of a relu network

    with pytest.raises(ValueError, match="Sample 3 gives scores that are not finite"):
        Probing(digit_images, probes=2).fit(digits).embed(Samples(weights, digits.table, digits.architecture))
