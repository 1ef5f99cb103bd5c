"""The behavioural loss: two implementations that agree, known values, gradients, and what is refused."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from elsewhere import elsewhere
from long_training import fit, small, tanh, walks
from toys import network

from hyperlib.files import state as checkpoint
from hyperlib.representations.augment import Augment
from hyperlib.representations.divergence import READINGS, Divergence
from hyperlib.weightspace.bridge.from_module import from_module
from hyperlib.weightspace.layers import ACTIVATIONS
from hyperlib.zoos.zoo import Samples

NAMES = ("tetris_mlp", "digits_cnn", "small_cnn_1ch", "small_cnn_3ch", "unterthiner_cnn_1ch_28", "wide_mlp")


def pair(net, count=3, seed=0):
    """Rebuilt networks, which want a gradient, and their originals."""
    originals = net.initialise(range(seed, seed + count))
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(originals.shape, generator=generator) * originals.std()
    return (originals + noise).requires_grad_(), 2 * originals


def queries(net, count=19, seed=1):
    return torch.randn(count, *net.image, generator=torch.Generator().manual_seed(seed))


def exact(net, reading, rebuilt, originals, images):
    """Value and gradient by PyTorch in float64, where no two scores of a pool are equal by rounding."""
    weights = rebuilt.detach().double().requires_grad_()
    other, mine = (net.logits(part, images.double()).log_softmax(-1) for part in (originals.double(), weights))
    each = {
        "kl": (other.exp() * (other - mine)).sum(-1),
        "squares": (mine.exp() - other.exp()).square().sum(-1) / 2,
    }
    value = each[reading].mean()
    value.backward()
    return value.detach().float(), weights.grad.float()


def check(net, reading, images):
    rebuilt, originals = pair(net)
    divergence = Divergence(net, reading)
    assert divergence.compiled
    value = divergence(rebuilt, originals, images)
    value.backward()
    expected, gradient = exact(net, reading, rebuilt, originals, images)

    torch.testing.assert_close(value.detach(), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(rebuilt.grad, gradient, rtol=1e-4, atol=1e-5 * float(gradient.abs().max()))
    assert gradient.abs().max() > 0


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("name", NAMES)
def test_compiled_code_has_the_value_and_the_gradient_of_pytorch_in_float64(name, reading):
    net = network(name)
    check(net, reading, queries(net))


@pytest.mark.parametrize("kind", ACTIVATIONS)
@pytest.mark.parametrize("count", [1, 15, 16, 17, 300])
def test_it_has_for_every_activation_and_number_of_queries(kind, count):
    net = network("digits_cnn").with_activation(kind)
    check(net, "kl", queries(net, count))


@pytest.mark.parametrize("reading", READINGS)
def test_without_kernels_the_gradient_is_the_same(reading):
    net = network("tetris_mlp")
    rebuilt, originals = pair(net)
    divergence, images = Divergence(net, reading), queries(net)
    divergence.compiled = False
    divergence(rebuilt, originals, images).backward()

    torch.testing.assert_close(rebuilt.grad, exact(net, reading, rebuilt, originals, images)[1], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("compiled", [True, False])
def test_values_are_those_of_pytorchs_own_losses(compiled):
    net = network("tetris_mlp")
    rebuilt, originals = pair(net, 5)
    images = queries(net)
    mine, other = (torch.stack([net.module(row)(images) for row in part.detach()]) for part in (rebuilt, originals))

    expected = {
        "kl": F.kl_div(mine.log_softmax(-1), other.log_softmax(-1), reduction="none", log_target=True).sum(-1).mean(),
        "squares": (mine.softmax(-1) - other.softmax(-1)).square().sum(-1).mean() / 2,
    }
    for reading in READINGS:
        divergence = Divergence(net, reading)
        divergence.compiled = compiled
        torch.testing.assert_close(divergence(rebuilt, originals, images).detach(), expected[reading].detach())


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("compiled", [True, False])
def test_the_same_network_has_no_divergence_and_no_gradient(reading, compiled):
    net = network("digits_cnn")
    weights = net.initialise(range(4)).requires_grad_()
    divergence = Divergence(net, reading)
    divergence.compiled = compiled
    value = divergence(weights, weights.detach(), queries(net))
    value.backward()

    assert abs(float(value.detach())) < 1e-6 and weights.grad.abs().max() < 1e-6


@pytest.mark.parametrize("reading", READINGS)
def test_a_pair_does_not_see_the_others_beside_it(reading):
    net = network("small_cnn_1ch")
    rebuilt, originals = pair(net, 4)
    divergence, images = Divergence(net, reading), queries(net)

    together = divergence(rebuilt, originals, images)
    alone = [divergence(rebuilt[row : row + 1], originals[row : row + 1], images) for row in range(4)]
    torch.testing.assert_close(together, torch.stack(alone).mean())


@pytest.mark.parametrize("compiled", [True, False])
def test_networks_without_a_finite_divergence_are_left_out_of_value_and_gradient(compiled):
    net = network("tetris_mlp")
    rebuilt, originals = pair(net, 3)
    divergence, images = Divergence(net), queries(net)
    divergence.compiled = compiled
    divergence(rebuilt[1:], originals[1:], images).backward()
    for side in (0, 1):
        sides = [rebuilt.detach().clone(), originals.clone()]
        sides[side][0] = torch.nan
        spoiled = sides[0].requires_grad_()
        value = divergence(spoiled, sides[1], images)
        value.backward()

        torch.testing.assert_close(value.detach(), divergence(rebuilt[1:], originals[1:], images).detach())
        torch.testing.assert_close(spoiled.grad[1:], rebuilt.grad[1:])
        assert (spoiled.grad[0] == 0).all()


@pytest.mark.parametrize("compiled", [True, False])
def test_huge_scores_give_a_finite_divergence(compiled):
    net = network("tetris_mlp")
    rebuilt, originals = pair(net, 3)
    divergence = Divergence(net, "squares")
    divergence.compiled = compiled
    weights = (1e3 * rebuilt.detach()).requires_grad_()
    value = divergence(weights, 1e3 * originals, queries(net))
    value.backward()

    assert torch.isfinite(value).all() and torch.isfinite(weights.grad).all()


def test_networks_with_norms_are_refused_because_running_statistics_have_no_gradient():
    with pytest.raises(ValueError, match="small_resnet_1ch has running statistics"):
        Divergence(network("small_resnet_1ch"))


NET = network("tetris_mlp")
IMAGES = queries(NET)


@pytest.mark.parametrize(
    ("rebuilt", "originals", "images", "message"),
    [
        (NET.initialise([0]), NET.initialise([0, 1]), IMAGES, "compared one for one"),
        (NET.initialise([0])[0], NET.initialise([0])[0], IMAGES, "compared one for one"),
        (NET.initialise([]), NET.initialise([]), IMAGES, "at least one"),
        (NET.initialise([0]), NET.initialise([0]), IMAGES[0], "answers images"),
        (NET.initialise([0]), NET.initialise([0]), IMAGES[:0], "answers images"),
        (NET.initialise([0]), NET.initialise([0]), torch.zeros(3, 1, 28, 28), "answers images .* not .3, 1, 28, 28"),
        (NET.initialise([0]), NET.initialise([0]), np.zeros((3, 1, 4, 4)), "not ndarray"),
        (NET.initialise([0]), NET.initialise([0]), IMAGES.round().int(), "finite floating-point"),
        (NET.initialise([0]), NET.initialise([0]), IMAGES / 0, "finite floating-point"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(rebuilt, originals, images, message):
    with pytest.raises(ValueError, match=message):
        Divergence(NET)(rebuilt, originals, images)


def test_an_unknown_reading_is_refused():
    with pytest.raises(ValueError, match="no divergence 'js'; choose from kl, squares"):
        Divergence(NET, "js")


# -- in a training -----------------------------------------------------------------------------------------------------


def behaving(**changes):
    return small(**{"mix": 0.1, "behaviour": 1.0, "asked": (8, 5), "augment": Augment(permute=False)} | changes)


def test_the_loss_is_the_error_of_weights_plus_that_of_answers_and_both_stand_in_the_history():
    history = fit(behaving(behaviour=0.5), tanh(walks()), validation=tanh(walks(seed=1)), queries=IMAGES).history_

    for part in ("", "val_"):
        expected = 0.1 * history[f"{part}contrast"] + 0.9 * (
            history[f"{part}reconstruction"] + 0.5 * history[f"{part}behaviour"]
        )
        np.testing.assert_allclose(history[f"{part}loss"], expected, rtol=1e-5)


@pytest.mark.slow
def test_networks_rebuilt_with_the_behavioural_loss_answer_more_like_their_originals():
    samples, images = tanh(walks(models=6)), queries(NET, 200)
    how = {"steps": 150, "latent": 2, "mix": 0.0, "rate": 1e-2, "validations": 1}
    apart = []
    for behaviour in (0.0, 5.0):
        rep = fit(behaving(**how, behaviour=behaviour), samples, queries=images)
        rebuilt = rep.reconstruct(samples).weights
        apart.append(float(Divergence(NET.with_activation("tanh"))(rebuilt, samples.weights, images)))
    assert apart[1] < 0.7 * apart[0]


def test_squares_are_counted_in_units_of_the_first_step_also_after_a_kill(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", 0)
    arguments = {"queries": IMAGES, "checkpoint": tmp_path / "training"}
    whole = fit(behaving(divergence="squares", validations=6), tanh(walks()), queries=IMAGES)
    first = whole.history_.iloc[0]
    assert first["loss"] == pytest.approx(0.1 * first["contrast"] + 0.9, rel=1e-5)  # (1 + 1) / (1 + behaviour)

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(behaving(divergence="squares", validations=6), tanh(walks()), progress=stop, **arguments)
    seen = []
    arguments["progress"] = lambda done, total: seen.append(done)
    again = fit(behaving(divergence="squares", validations=6), tanh(walks()), **arguments)
    assert seen[0] == 3  # it goes on from the last state before
    assert again.history_.equals(whole.history_)


def embedded():
    return fit(behaving(), tanh(walks()), queries=IMAGES).embed(tanh(walks()))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_in_another_process():
    assert elsewhere(embedded).tobytes() == embedded().tobytes()


@pytest.mark.parametrize(
    ("changes", "samples", "images", "message"),
    [
        ({}, tanh(walks()), None, "give fit.*queries=images"),
        ({}, walks(), IMAGES, "networks of one activation, .* these have none"),
        ({}, tanh(walks()), IMAGES[:, :, :2], "answers images"),
        ({"behaviour": -1.0}, tanh(walks()), IMAGES, "from 0 on, not -1.0"),
        ({"behaviour": float("nan")}, tanh(walks()), IMAGES, "from 0 on, not nan"),
        ({"behaviour": None}, tanh(walks()), IMAGES, "from 0 on, not None"),
        ({"mix": 1.0}, tanh(walks()), IMAGES, "with mix=1 nothing is rebuilt"),
        ({"divergence": "l2"}, tanh(walks()), IMAGES, "no divergence 'l2'"),
        ({"asked": (0, 3)}, tanh(walks()), IMAGES, "asked is .networks, queries."),
        ({"asked": 3}, tanh(walks()), IMAGES, "asked is .networks, queries."),
    ],
)
def test_a_training_with_wrong_settings_is_refused_before_any_step(changes, samples, images, message):
    with pytest.raises(ValueError, match=message):
        fit(behaving(**changes), samples, queries=images)


def test_validation_networks_of_another_activation_are_refused():
    other = walks(seed=1)
    other = Samples(other.weights, other.table.assign(activation="relu"), other.architecture)
    with pytest.raises(ValueError, match="these have tanh, relu"):
        fit(behaving(), tanh(walks()), queries=IMAGES, validation=other)


def test_networks_that_answer_alike_at_the_first_step_leave_nothing_to_count_in():
    images = torch.zeros(1, *NET.image)
    still = Samples(torch.zeros_like(walks().weights), tanh(walks()).table, walks().architecture)
    with pytest.raises(ValueError, match="of the first step"):
        fit(behaving(divergence="squares", normalise=False), still, queries=images)


def test_traced_modules_are_refused_in_words():
    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2))
    network = from_module(module, torch.rand(2, 4))
    table = pd.DataFrame({"model": range(4), "epoch": 0, "activation": ""})
    samples = Samples(network.trial_weights(4).float(), table, network)
    rep = behaving().set_params(architecture=network, augment=Augment(permute=False))
    with pytest.raises(ValueError, match="learned from for lists of layers alone; .* is a traced module"):
        rep.fit(samples, queries=IMAGES)


def test_networks_of_two_activations_are_refused_by_name():
    samples = tanh(walks())
    samples.table.loc[0, "activation"] = "relu"
    with pytest.raises(ValueError, match=re.escape("these have relu, tanh")):
        fit(behaving(), samples, queries=IMAGES)


def test_a_checkpoint_of_other_queries_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", 0)
    fit(behaving(), tanh(walks()), queries=IMAGES, checkpoint=tmp_path)

    with pytest.raises(ValueError, match="another training job"):
        fit(behaving(), tanh(walks()), queries=IMAGES + 1, checkpoint=tmp_path)
