"""Networks that come out of a representation: what is drawn, where a walk leads, and what is refused."""

import numpy as np
import pytest
import torch
from long_training import fit, small, tanh, walks
from toys import some_images

from hyperlib.representations.augment import Augment
from hyperlib.tasks.generation import accuracies, by_bandwidth, disturbed, generate, walk, weights_by_layer
from hyperlib.tasks.sampling import KDE, Gaussian
from hyperlib.thesis.book_generators import GENERATORS, generator_recipe
from hyperlib.zoos.evaluation import evaluate
from hyperlib.zoos.zoo import Samples


@pytest.fixture(scope="module")
def samples():
    return tanh(walks())


@pytest.fixture(scope="module")
def rep(samples):
    return fit(small(augment=Augment(permute=False)), samples)


def test_what_is_drawn_are_decoded_latents_of_the_sampler(rep, samples):
    drawn = generate(rep, Gaussian(), samples, 7, torch.Generator().manual_seed(3))

    latents = Gaussian().fit(rep.latents(samples)).sample(7, torch.Generator().manual_seed(3))
    assert torch.equal(drawn.weights, rep.decode(latents))
    assert set(drawn.table["activation"]) == {"tanh"} and drawn.table["model"].tolist() == list(range(7))
    again = generate(rep, Gaussian(), samples, 7, torch.Generator().manual_seed(3))
    assert torch.equal(drawn.weights, again.weights)


def test_a_sampler_without_width_draws_the_networks_it_has_seen(rep, samples):
    drawn = generate(rep, KDE("joint", 1e-12), samples, 30, torch.Generator().manual_seed(0))

    known = rep.reconstruct(samples).weights
    assert torch.cdist(drawn.weights, known).amin(1).max() < 1e-2


def test_bandwidths_are_judged_on_training_images_and_narrow_ones_draw_what_was_seen(rep, samples):
    net = samples.architecture
    images = some_images(net.image, net.num_classes, train=40, test=5)
    found = by_bandwidth(rep, samples, images, "joint", shares=(1e-9, 0.5), n=12)

    known = rep.reconstruct(samples).weights
    apart = [float(torch.cdist(one.weights, known).amin(1).max()) for one in found.values()]
    assert list(found) == [1e-9, 0.5] and apart[0] < 1e-2 < apart[1]
    for one in found.values():
        _, right = evaluate(one.architecture, one.weights, images.train_x, images.train_y)
        assert one.table["accuracy"].to_numpy() == pytest.approx(right.numpy(), abs=1e-6)
    with pytest.raises(ValueError, match="number above 0"):
        by_bandwidth(rep, samples, images, shares=(0.0,))


def test_a_walk_begins_and_ends_at_what_the_decoder_makes_of_both(rep, samples):
    way = walk(rep, samples, 3, 17, 5)

    ends = rep.reconstruct(samples.take([3, 17])).weights
    torch.testing.assert_close(way.weights[[0, -1]], ends, rtol=1e-4, atol=1e-5)
    assert way.table["place"].tolist() == [0, 0.25, 0.5, 0.75, 1]
    middle = rep.decode(rep.latents(samples.take([3, 17])).mean(0, keepdims=True))
    torch.testing.assert_close(way.weights[2:3], middle, rtol=1e-3, atol=1e-4)


def test_no_noise_is_a_reconstruction_and_more_noise_leads_further_away(rep, samples):
    rebuilt = rep.reconstruct(samples).weights
    apart = []
    for share in (0.0, 0.5, 5.0):
        moved = disturbed(rep, samples, share, torch.Generator().manual_seed(0)).weights
        apart.append(float((moved - rebuilt).norm()))

    assert apart[0] < 1e-3 < apart[1] < apart[2]


def test_accuracies_are_those_of_an_evaluation(samples):
    net = samples.architecture.with_activation("tanh")
    images = some_images(net.image, net.num_classes, train=5, test=80)

    expected = evaluate(net, samples.weights, images.test_x, images.test_y)[1]
    np.testing.assert_allclose(accuracies(samples, images), expected.numpy())


def test_weights_of_every_layer_are_drawn_from_its_own(samples):
    table = weights_by_layer(samples, 50)

    layout = samples.architecture.layout
    assert table["layer"].value_counts().to_dict() == dict.fromkeys(layout.layers, 50)
    for layer, part in table.groupby("layer"):
        slots = [samples.weights[:, slot.start : slot.stop].flatten() for slot in layout if slot.layer == layer]
        assert np.isin(part["weight"].to_numpy(np.float32), torch.cat(slots).numpy()).all()
    assert table.equals(weights_by_layer(samples, 50)) and not table.equals(weights_by_layer(samples, 50, seed=1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rep, s: walk(rep, s, 0, 1, 1), "2 places at least"),
        (lambda rep, s: walk(rep, s, 0, 40), "There are 40 samples to walk between"),
        (lambda rep, s: walk(rep, s, -1, 3), "counted from 0, not -1"),
        (lambda rep, s: disturbed(rep, s, -0.1, torch.Generator()), "from 0 on, not -0.1"),
        (lambda rep, s: disturbed(rep, s.take([0]), 0.1, torch.Generator()), "2 samples or more"),
        (lambda rep, s: generate(rep, Gaussian(), s, 0, torch.Generator()), "whole number from 1 on, not 0"),
        (lambda rep, s: generate(rep, Gaussian(), walks(), 3, torch.Generator()), "lacks the column 'activation'"),
        (lambda rep, s: generate(rep, Gaussian(), tanh(walks("digits_cnn")), 3, torch.Generator()), "fitted on tetris"),
    ],
)
def test_what_cannot_be_generated_is_refused_in_a_sentence(rep, samples, call, message):
    with pytest.raises(ValueError, match=message):
        call(rep, samples)


def test_samples_of_two_activations_give_no_network(rep, samples):
    mixed = Samples(samples.weights, samples.table.copy(), samples.architecture)
    mixed.table.loc[3, "activation"] = "relu"
    with pytest.raises(ValueError, match="these samples have relu, tanh"):
        generate(rep, Gaussian(), mixed, 3, torch.Generator())


@pytest.mark.parametrize("profile", ["quick", "laptop", "paper"])
def test_every_generator_can_be_made_and_differs_from_the_others(profile):
    recipes = [generator_recipe(name, profile) for name in GENERATORS]
    made = {(str(sorted(one.estimator(0).get_params(deep=False).items(), key=str)), one.queries) for one in recipes}

    assert len(made) == len(GENERATORS) == len({one.name for one in recipes})
    with pytest.raises(ValueError, match="no generator 'magic'; there are weights, layers"):
        generator_recipe("magic", profile)
    with pytest.raises(ValueError, match="no generators for the zoo 'digits_seed'"):
        generator_recipe("answers", profile, "digits_seed")
