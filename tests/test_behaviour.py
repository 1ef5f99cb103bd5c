"""What networks answer at probe inputs: images, noise, and inputs learned from the networks' own answers."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import Ridge
from toys import some_images

from hyperlib import Architecture, Probing, Samples, digits_cnn, permutation_index, random_permutations, tetris_mlp
from hyperlib.representations.behaviour import FLOOR, INPUTS, _loss

quick = partial(Probing, probes=5, steps=4, matched=6, batch_size=8)
learned = partial(quick, inputs="learned")
each = pytest.mark.parametrize("inputs", INPUTS)


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
    assert found.shape == (len(samples), 2 * 7 * 4)
    for row, activation in enumerate(samples.table["activation"]):
        network = samples.architecture.with_activation(activation).module(samples.weights[row])
        with torch.no_grad():
            scores = network(tetris_images.train_x[probing.places_])
        logs, shares = scores.log_softmax(-1).flatten().numpy(), scores.softmax(-1).flatten().numpy()
        np.testing.assert_allclose(found[row], [*logs, *shares], rtol=1e-4, atol=1e-5)


def test_no_log_probability_lies_below_the_floor(samples, tetris_images):
    sure = Samples(1000 * samples.weights, samples.table, samples.architecture)
    logs, shares = np.split(Probing(tetris_images).fit(samples).embed(sure), 2, axis=1)

    assert logs.min() == FLOOR and shares.min() < 1e-9 and logs.max() <= 0
    np.testing.assert_allclose(shares.reshape(len(sure), 32, 4).sum(2), 1, rtol=1e-5)


def test_the_same_weights_with_another_activation_answer_otherwise(samples, tetris_images):
    probing = Probing(tetris_images).fit(samples)
    same = samples.take([9, 9, 9])
    same.table["activation"] = ["tanh", "relu", "tanh"]

    first, second, third = probing.embed(same)

    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_allclose(first, third, rtol=1e-5, atol=1e-6)


@each
def test_what_no_answer_depends_on_changes_nothing(digits, digit_images, generator, inputs):
    probing = quick(digit_images, inputs=inputs).fit(digits)
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
    names, places = list(first.get_feature_names_out()), first.places_
    assert names[:4] == [f"input{places[0]}.class{label}.log" for label in range(4)]
    assert names[4] == f"input{places[1]}.class0.log" and names[40] == f"input{places[0]}.class0.p"


@each
def test_a_vector_depends_on_its_own_network_alone(samples, tetris_images, inputs):
    probing = quick(tetris_images, inputs=inputs).fit(samples)
    order = np.random.default_rng(0).permutation(len(samples))[:30]

    found = probing.embed(samples)

    assert len(set(probing.get_feature_names_out())) == found.shape[1] == 2 * 5 * 4
    np.testing.assert_allclose(probing.embed(samples.take(order)), found[order], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(probing.embed(samples.take(order[:1])), found[order[:1]], rtol=1e-5, atol=1e-6)


def test_another_fit_forgets_what_other_inputs_learned(samples, tetris_images):
    probing = learned(tetris_images).fit(samples)
    bits, held = probing.probes_, [hasattr(probing, name) for name in ("places_", "history_")]
    probing.set_params(inputs="images").fit(samples)

    assert held == [False, True] and hasattr(probing, "places_") and not hasattr(probing, "history_")
    assert torch.equal(probing.set_params(inputs="learned").fit(samples).probes_, bits)
    assert not hasattr(probing, "places_") and probing.get_feature_names_out()[-1] == "input4.class3.p"


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
    with pytest.raises(ValueError, match="Some of the images have NaN or infinite values"):
        Probing(digit_images / 0, inputs="noise").fit(digits)
    with pytest.raises(ValueError, match=r"digits_cnn reads .* but these are torch.float32 \[0, 1, 8, 8\]"):
        Probing(digit_images[:0], inputs="noise").fit(digits)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inputs": "labels"}, "no inputs 'labels'; choose one of images, noise, learned"),
        ({"inputs": "noise", "probes": 0}, "probes is a whole number from 1 on, not 0"),
        ({"inputs": "noise", "seed": -1}, "seed is a whole number from 0 on, not -1"),
        ({"steps": -1}, "steps is a whole number from 0 on, not -1"),
        ({"steps": 2.5}, "steps is a whole number from 0 on, not 2.5"),
        ({"batch_size": 1}, "batch_size is a whole number from 2 on, not 1"),
        ({"matched": 0}, "There are 12 images to match; take matched=1 to 12, not 0"),
        ({"matched": 13}, "There are 12 images to match; take matched=1 to 12, not 13"),
        ({"rate": 0.0}, "rate is a finite number above 0, not 0.0"),
        ({"rate": float("inf")}, "rate is a finite number above 0, not inf"),
        ({"rate": float("nan")}, "rate is a finite number above 0, not nan"),
        ({"rate": 3e36, "steps": 30}, "learned inputs diverged and are not finite; lower rate, which is 3e[+]36"),
    ],
)
def test_settings_out_of_range_are_refused(digits, digit_images, settings, message):
    with pytest.raises(ValueError, match=message):
        learned(digit_images, **settings).fit(digits)


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
    unknown = Samples(digits.weights[:2], table, digits.architecture)
    fitted = Probing(digit_images, probes=2).fit(unknown)

    for look in (fitted.embed, learned(digit_images).fit):
        with pytest.raises(ValueError, match=message):
            look(unknown)


def test_scores_that_are_not_finite_are_refused_by_row(digits, digit_images):
    weights = digits.weights.clone()
    weights[3] = 1e30  # of a relu network

    huge = Samples(weights, digits.table, digits.architecture)

    for look in (Probing(digit_images, probes=2).fit(digits).embed, learned(digit_images).fit):
        with pytest.raises(ValueError, match="Sample 3 gives scores that are not finite"):
            look(huge)


# -- noise -------------------------------------------------------------------------------------------------------


def test_noise_knows_mean_and_deviation_of_the_pixels_and_nothing_else(samples, tetris_images, generator):
    pixels = tetris_images.train_x
    other = torch.rand(70, 1, 4, 4, generator=generator)
    other = (other - other.mean()) / other.std(correction=0) * pixels.std(correction=0) + pixels.mean()
    noise = Probing(pixels, probes=2000, inputs="noise").fit(samples).probes_

    assert noise.shape == (2000, 1, 4, 4) and noise.dtype == torch.float32
    assert noise.mean() == pytest.approx(float(pixels.mean()), abs=0.03)
    assert noise.std() == pytest.approx(float(pixels.std()), rel=0.02)
    again = Probing(other, probes=2000, inputs="noise").fit(samples.take([3])).probes_
    torch.testing.assert_close(again, noise, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(Probing(pixels, probes=2000, inputs="noise", seed=1).fit(samples).probes_, noise)


def test_noise_is_none_of_the_numbers_that_begin_at_its_seed(samples, tetris_images):
    """Toy images do: noise that shares their draws looks like them."""
    noise = Probing(tetris_images, probes=1, inputs="noise").fit(samples).probes_[0]
    drawn = torch.randn(1, 4, 4, generator=torch.Generator().manual_seed(0))

    assert abs(torch.corrcoef(torch.stack([noise.flatten(), drawn.flatten()]))[0, 1]) < 0.9


# -- learned inputs ----------------------------------------------------------------------------------------------


def test_learned_inputs_begin_as_the_noise_of_their_seed(samples, tetris_images):
    noise, start, after = (
        quick(tetris_images, seed=2, **settings).fit(samples)
        for settings in ({"inputs": "noise"}, {"inputs": "learned", "steps": 0}, {"inputs": "learned"})
    )

    assert torch.equal(start.probes_, noise.probes_) and not torch.equal(after.probes_, noise.probes_)
    np.testing.assert_array_equal(start.embed(samples), noise.embed(samples))
    assert start.history_.shape == (0,) and after.history_.shape == (4,)
    assert not after.probes_.requires_grad and after.probes_.shape == (5, 1, 4, 4)


def test_learned_inputs_tell_the_answers_on_images_better_than_noise(tetris_images):
    table = pd.DataFrame({"model": range(600), "activation": ["tanh", "relu"] * 300})
    networks = Samples(tetris_mlp().initialise(range(600), "normal", std=0.25), table, tetris_mlp())
    train, test = networks.take(slice(0, 300)), networks.take(slice(300, 600))
    answers = Probing(tetris_images, probes=40).fit(train)
    shares, unseen = (answers.embed(part)[:, 40 * 4 :] for part in (train, test))
    found = {}
    for inputs in ("noise", "learned"):
        probing = Probing(tetris_images, probes=6, inputs=inputs, steps=150, matched=20).fit(train)
        found[inputs] = Ridge().fit(probing.embed(train), shares).score(probing.embed(test), unseen)

    assert found["learned"] > found["noise"] + 0.1
    assert probing.history_[-10:].mean() < probing.history_[:10].mean() - 0.05


def test_the_loss_is_that_of_a_linear_head_behind_a_batch_norm(generator):
    scores, answers = torch.randn(7, 3, 4, generator=generator), torch.rand(7, 2, 4, generator=generator).softmax(-1)
    head = torch.nn.Linear(12, 8)

    guesses = head(torch.nn.BatchNorm1d(12, affine=False)(scores.log_softmax(-1).reshape(7, 12))).reshape(7, 2, 4)

    expected = -(answers * guesses.log_softmax(-1)).sum(-1).mean()
    torch.testing.assert_close(_loss(scores, [head.weight, head.bias], answers), expected)


def test_a_step_takes_networks_of_one_activation_as_often_as_it_has_networks(samples, tetris_images, monkeypatch):
    rows = np.flatnonzero(samples.table["activation"] == "tanh").tolist()
    rows += np.flatnonzero(samples.table["activation"] == "relu")[:10].tolist()
    mixed, plain, steps = samples.take(rows), Architecture.logits, []

    def spied(self, weights, images):
        if images.requires_grad:
            steps.append(self.activation)
            there = mixed.take(np.flatnonzero(mixed.table["activation"] == self.activation)).weights
            assert len(weights) == 8 and (weights[:, None] == there).all(-1).any(1).all()
        return plain(self, weights, images)

    monkeypatch.setattr(Architecture, "logits", spied)
    learned(tetris_images, steps=200).fit(mixed)

    assert len(steps) == 200 and steps.count("relu") / 200 == pytest.approx(10 / len(mixed), abs=0.08)


def test_no_label_and_no_property_is_looked_at(samples, tetris_images):
    plain = learned(tetris_images).fit(samples, samples.table["test_accuracy"], groups=samples.table["model"])
    order = np.random.default_rng(0).permutation(len(samples))
    shuffled = samples.table.iloc[order].reset_index(drop=True).assign(activation=samples.table["activation"])

    for table in (shuffled, samples.table[["activation"]]):
        other = replace(tetris_images, train_y=tetris_images.train_y.roll(1), test_x=-tetris_images.test_x)
        again = learned(other).fit(Samples(samples.weights, table, samples.architecture))
        assert torch.equal(again.probes_, plain.probes_)
        np.testing.assert_array_equal(again.history_, plain.history_)


@pytest.mark.parametrize("steps", [1, 2, 10, 11, np.int8(12)])  # PyTorch's schedule fails at 10
def test_any_number_of_steps_learns(samples, tetris_images, steps, no_shape_checks):
    sizes = {"probes": np.int8(40), "matched": np.int64(40), "batch_size": np.int16(2)}
    probing = learned(tetris_images, steps=steps, **sizes).fit(samples.take([5]))

    assert len(probing.history_) == steps and np.isfinite(probing.history_).all()
    assert np.isfinite(probing.embed(samples)).all()


def learned_bits() -> str:
    """A digest of inputs that were learned, of their losses, and of what networks answer there."""
    table = pd.DataFrame({"model": range(60), "activation": ["relu", "tanh", "gelu"] * 20})
    samples = Samples(digits_cnn().initialise(range(60)), table, digits_cnn())
    images = some_images(digits_cnn().image, 10, train=50, test=1)
    probing = Probing(images, probes=16, inputs="learned", steps=6, matched=50, batch_size=64).fit(samples)
    parts = (probing.probes_.numpy(), probing.history_, probing.embed(samples))
    return hashlib.sha256(b"".join(values.tobytes() for values in parts)).hexdigest()


@pytest.mark.slow
def test_a_seed_gives_the_same_bits_in_another_process_with_other_threads():
    code = "import torch; torch.set_num_threads(3); import test_behaviour; print(test_behaviour.learned_bits())"
    state = torch.get_rng_state()
    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parent, stdout=subprocess.PIPE) as process:
        here = learned_bits()
        there, _ = process.communicate(timeout=120)

    assert there.decode().strip() == here
    assert torch.equal(torch.get_rng_state(), state)  # nothing was drawn from the global generator
