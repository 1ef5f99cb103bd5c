"""Sparse twins: what is pruned stays pruned, the engines agree, and the method is the one that is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch.nn.utils import prune

import hyperlib
from hyperlib.images.images import Images
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.architectures import architecture
from hyperlib.weightspace.layers import Activation, Add, Conv, Flatten, GlobalAveragePool, Linear, MaxPool, Pass
from hyperlib.weightspace.pruning import layer_sparsity, prunable, prunable_slots, pruned, sparsity
from hyperlib.weightspace.randomness import key
from hyperlib.zoos.engines.sparse import VARIATIONAL
from hyperlib.zoos.engines.trainer import Block
from hyperlib.zoos.engines.variational import (
    KAPPA,
    NOISE_STREAM,
    RATE,
    THRESHOLD,
    divergence,
    kappas,
    log_alpha,
    noise,
    noise_table,
)  # fmt: skip
from hyperlib.zoos.job import checked_job
from hyperlib.zoos.twins import REACH, held_twins, last_weights, magnitude_twins, variational_twins
from hyperlib.zoos.zoo import Zoo

QUIET = {"progress": False}


def small_images() -> Images:
    return hyperlib.load_images("digits").subset(80, 40)


def small_zoo(models: int = 3, **factors: object) -> Zoo:
    design = hyperlib.grid(seeds=models, **{"lr": 3e-3} | factors)
    return hyperlib.train_population(architecture("digits_cnn"), small_images(), design, epochs=2, **QUIET)


def residual() -> Architecture:
    """Padding, strides, a shortcut, pooling of windows that overlap, no bias: all that the compiled engine covers."""
    return Architecture(
        "residual", (1, 8, 8),
        (
            Conv("c1", width=4, kernel=3, padding=1, units="a"), Activation(), MaxPool(kernel=3, stride=2),
            Conv("c2", width=5, kernel=3, padding=1, stride=2, bias=False, units="b"), Activation("bent"),
            Conv("c3", width=5, kernel=1, units="b"), Add("sum", other="bent"), Activation(),
            GlobalAveragePool(), Linear("fc", width=10, units="classes"),
        ),
    )  # fmt: skip


def test_prunable_are_the_weights_of_convolutions_and_linear_layers() -> None:
    network = architecture("small_resnet_1ch")
    names = [slot.name for slot in prunable_slots(network)]
    module = network.module(network.trial_weights(1)[0].float())
    wanted = [n for n, m in module.named_modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert sorted(names) == sorted(f"{name}.weight" for name in wanted)
    assert int(prunable(network).sum()) == sum(slot.size for slot in prunable_slots(network))


@pytest.mark.parametrize("within", ["network", "layer"])
def test_the_smallest_weights_go_as_in_pytorch(within: str) -> None:
    network = architecture("digits_cnn")
    weights = network.trial_weights(3).float() - 1
    ours = pruned(network, weights, torch.tensor([0.3, 0.5, 0.91]), within=within)
    for row, share in enumerate((0.3, 0.5, 0.91)):
        module = network.module(weights[row])
        layers = [m for m in module.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
        if within == "network":
            places = [(layer, "weight") for layer in layers]
            prune.global_unstructured(places, pruning_method=prune.L1Unstructured, amount=share)
        else:
            for layer in layers:
                prune.l1_unstructured(layer, "weight", amount=share)
        for layer in layers:
            prune.remove(layer, "weight")
        torch.testing.assert_close(ours[row], network.layout.flatten(module.state_dict()), rtol=0, atol=0)


def test_shares_per_layer_are_kept_per_layer_and_random_ones_do_not_look_at_sizes() -> None:
    network = architecture("digits_cnn")
    weights = network.trial_weights(2).float()
    shares = torch.tensor([[0.0, 0.25, 0.5, 1.0], [0.5, 0.5, 0.0, 0.1]])
    found = layer_sparsity(network, pruned(network, weights, shares, within="layer"))
    np.testing.assert_allclose(found, shares, atol=0.02)
    any_two = pruned(network, weights, 0.5, by="random"), pruned(network, weights[:1], 0.5, by="random")
    torch.testing.assert_close(any_two[0][:1], any_two[1])
    places = prunable(network)
    kept = any_two[0][:, places] != 0
    left = weights[:, places][kept].abs().mean() / weights[:, places].abs().mean()
    assert 0.9 < left < 1.1
    torch.testing.assert_close(sparsity(network, any_two[0]), torch.full((2,), 0.5).double(), atol=1e-3, rtol=0)


def test_every_wrong_argument_is_answered_in_words() -> None:
    network, zoo = architecture("digits_cnn"), small_zoo()
    weights = network.trial_weights(2).float()
    wrong = [
        (TypeError, "pass the network first, not a Zoo", (zoo, weights, 0.5)),
        (TypeError, "A Zoo has many epochs", (network, zoo, 0.5)),
        (TypeError, "of type NoneType", (network, None, 0.5)),
        (ValueError, "Weights have a row per model", (network, weights[0], 0.5)),
        (TypeError, "not 'half'", (network, weights, "half")),
        (TypeError, "not None", (network, weights, None)),
        (ValueError, r"this is 1.5", (network, weights, [0.1, 1.5])),
        (ValueError, r"one for each of the 2 models; these have the shape \(3,\)", (network, weights, [0.1] * 3)),
    ]
    for kind, told, given in wrong:
        with pytest.raises(kind, match=told):
            pruned(*given)
    with pytest.raises(ValueError, match=r"each of their 4 layers: \(2, 4\)"):
        pruned(network, weights, torch.full((2, 3), 0.5), within="layer")


def test_a_traced_module_is_pruned_too() -> None:
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3), torch.nn.GELU(), torch.nn.Linear(3, 2))
    traced = hyperlib.from_module(module, torch.zeros(2, 1, 2, 2))
    thin = pruned(traced, traced.layout.flatten(module.state_dict())[None], 0.5)
    assert float(sparsity(traced, thin)) == 0.5 and int((thin == 0).sum()) == 9


@pytest.mark.parametrize("within", ["network", "layer"])
def test_weights_that_go_over_epochs_go_as_scheduled_and_stay_away(within: str) -> None:
    zoo, ratio = small_zoo(4), torch.tensor([0.2, 0.5, 0.8, 0.0], dtype=torch.float64)
    zoo.table.loc[zoo.table["model"] == 3, "lr"] = 1e38  # this one diverges beside the others
    how = {"within": within, "over": 3, "epochs": 5}
    fast, plain = (magnitude_twins(zoo, small_images(), ratio, engine=e, **how, **QUIET) for e in ("numba", "torch"))
    for twins in (fast, plain):
        gone = twins.table.pivot(index="model", columns="epoch", values="sparsity").loc[:2].to_numpy()
        wanted = np.outer(ratio[:3], [0, 19 / 27, 26 / 27, 1, 1, 1])  # 1 - (1 - epoch / 3)^3
        np.testing.assert_allclose(gone, wanted, atol=2e-3)
        zeros = twins.weights[:3] == 0
        assert not (zeros[:, :-1] & ~zeros[:, 1:]).any()
        assert twins.table.query("model == 3 and epoch > 0")["diverged"].all()
    assert ((fast.weights[:3] == 0) == (plain.weights[:3] == 0)).float().mean() > 0.995
    assert set(fast.table["pruned_within"]) == {within} and set(fast.table["pruned_over"]) == {3}


def test_a_rate_that_nobody_gives_goes_as_far_in_any_number_of_steps() -> None:
    zoo, images = small_zoo(), small_images()  # 80 images are 3 steps of 32, or 10 of 8
    for batch_size, epochs, steps in ((32, 2, 6), (8, 3, 30)):
        twins = variational_twins(zoo, images, epochs=epochs, batch_size=batch_size, **QUIET)
        np.testing.assert_allclose(twins.table[RATE] * steps, REACH)


def test_bad_shares_names_and_weights_are_refused_in_words() -> None:
    network = architecture("digits_cnn")
    weights = network.trial_weights(2).float()
    for ratio in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 1"):
            pruned(network, weights, ratio)
    with pytest.raises(ValueError, match="within is 'network' or 'layer', not 'block'"):
        pruned(network, weights, 0.5, within="block")
    with pytest.raises(ValueError, match="by is 'size' or 'random', not 'luck'"):
        pruned(network, weights, 0.5, by="luck")
    weights[1, 3] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        pruned(network, weights, 0.5)
    assert torch.isnan(sparsity(network, weights)[1])


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_engines_hold_the_same_weights_at_zero(optimizer: str, dropout: float) -> None:
    zoo = small_zoo(optimizer=optimizer, dropout=dropout, weight_decay=1e-3)
    fast, plain = (
        magnitude_twins(zoo, small_images(), 0.6, epochs=2, engine=engine, **QUIET) for engine in ("numba", "torch")
    )
    torch.testing.assert_close(fast.weights, plain.weights, atol=2e-5, rtol=1e-4)
    zeros = fast.weights == 0
    assert (zeros == zeros[:, :1]).all()
    assert np.allclose(fast.table["sparsity"], 0.6, atol=1e-3)


def test_a_held_twin_trains_as_pytorch_trains_a_pruned_module() -> None:
    zoo, images = small_zoo(1, lr=1e-3), small_images()
    twins = magnitude_twins(zoo, images, 0.5, epochs=2, **QUIET)
    network = zoo.architecture.module(twins.weights[0, 0]).train()
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    for layer in [m for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]:
        prune.custom_from_mask(layer, "weight", (layer.weight != 0).float())
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    block = Block(zoo.architecture, images, zoo.design, 32, 0, torch.device("cpu"))
    for epoch in (1, 2):
        for places in block.order(epoch)[0].split(32):
            optimizer.zero_grad()
            F.cross_entropy(network(images.train_x[places]), images.train_y[places]).backward()
            optimizer.step()
    for layer in [m for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]:
        prune.remove(layer, "weight")
    ours, plain = twins.weights[0, -1], zoo.architecture.layout.flatten(network.state_dict()).detach()
    torch.testing.assert_close(ours, plain, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("network", [architecture("digits_cnn"), residual()], ids=lambda n: n.name)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_engines_agree_on_variational_dropout(network: Architecture, optimizer: str, activation: str) -> None:
    images = small_images()
    design = hyperlib.grid(seeds=3, optimizer=optimizer, activation=activation, lr=3e-3)
    zoo = hyperlib.train_population(network, images, design, epochs=1, **QUIET)
    fast, plain = (
        variational_twins(zoo, images, rate=0.3, epochs=3, batch_size=24, engine=engine, **QUIET)
        for engine in ("numba", "torch")
    )
    torch.testing.assert_close(fast.weights, plain.weights, atol=1e-4, rtol=1e-3)
    np.testing.assert_allclose(fast.table["train_loss"], plain.table["train_loss"], rtol=1e-3)
    assert fast.table["sparsity"].iloc[-1] > 0


def test_noise_is_normal_keyed_and_the_same_for_a_model_in_any_company() -> None:
    keys = key([1, 2, 3], 7)
    some = noise(keys, 50, (4, 6, 7))
    assert some.shape == (50, 3, 4, 6, 7)
    torch.testing.assert_close(noise(keys[1:2], 50, (4, 6, 7))[:, 0], some[:, 1])
    torch.testing.assert_close(noise(keys, 20, (4, 6, 7)), some[:20])
    assert abs(float(some.mean())) < 0.02 and abs(float(some.std()) - 1) < 0.02
    flat = some.flatten(1)
    near = torch.corrcoef(torch.cat([flat, flat.roll(1, 1)]))[:50, 50:].diagonal()
    assert near.abs().mean() < 0.06  # neighbours have nothing to do with each other
    table = noise_table()
    assert abs(table.mean()) < 1e-6 and abs(table.std() - 1) < 1e-5


def test_noisy_outputs_have_the_moments_of_networks_with_drawn_weights() -> None:
    """The local trick: a linear layer's outputs as if its weights had been drawn for every image."""
    network = Architecture("one", (1, 1, 6), (Flatten(), Linear("fc", width=4, units="classes")))
    design = hyperlib.grid(seeds=1, optimizer="sgd").assign(**{RATE: 0.0, KAPPA: 0.0})
    block = Block(network, small_images(), design, 1, 0, torch.device("cpu"))
    weights, x = network.trial_weights(1).float(), torch.linspace(-1, 2, 6).reshape(1, 1, 1, 1, 6)
    trainer = object.__new__(VARIATIONAL.trainers["torch"])  # type: ignore[call-overload]
    trainer.block = block
    variances = torch.full_like(weights, 0.3)
    many = x.expand(4000, -1, -1, -1, -1)
    now = Pass("tanh")
    now.after = trainer._shaking(variances, now, (NOISE_STREAM, 1, 0))
    scores = network.forward(weights, many, now)
    noise_of_weights = torch.randn(4000, 4, 6, generator=torch.Generator().manual_seed(0))
    drawn = weights[0, :24].reshape(4, 6) + 0.3**0.5 * noise_of_weights
    plain = (drawn * x.flatten()).sum(-1) + weights[0, 24:]
    torch.testing.assert_close(scores[:, 0].mean(0), plain.mean(0), atol=0.1, rtol=0)
    torch.testing.assert_close(scores[:, 0].std(0), plain.std(0), atol=0.06, rtol=0)


def test_the_divergence_is_near_the_integral_that_it_stands_for() -> None:
    """KL from N(w, alpha w^2) to a log-uniform prior, up to a constant: -1/2 log alpha + E log |e|, e ~ N(1, alpha)."""
    alphas = torch.tensor([1e-3, 1e-2, 0.1, 0.5, 1.0, 3.0, 10.0, 100.0], dtype=torch.float64)
    draws = 1 + alphas.sqrt()[:, None] * torch.from_numpy(np.random.default_rng(0).standard_normal(400_000))
    exact = -0.5 * alphas.log() + draws.abs().log().mean(1)
    ours = divergence(alphas.log())
    torch.testing.assert_close(ours - ours[-1], exact - exact[-1], atol=0.03, rtol=0)
    assert (divergence(torch.tensor([0.0, 3.0, 8.0])).diff() < 0).all()


def test_kappa_grows_as_in_the_released_script() -> None:
    per_epoch = np.array([0.01 / 25, 10.0])
    np.testing.assert_allclose(kappas(per_epoch, 25), [0.01, 1])
    np.testing.assert_allclose(kappas(per_epoch, 5)[0], 0.002)


def test_weights_that_drown_in_noise_are_zero_and_counted() -> None:
    zoo, images = small_zoo(), small_images()
    twins = variational_twins(zoo, images, rate=0.5, epochs=4, **QUIET)
    last = twins.weights[:, -1]
    assert twins.table["sparsity"].iloc[-1] > 0.05
    np.testing.assert_allclose(
        twins.table.loc[twins.table["epoch"] == 4, "sparsity"], sparsity(zoo.architecture, last).numpy()
    )
    assert (twins.table["twin_of"] == twins.table["model"]).all()
    clean = hyperlib.zoos.evaluation.evaluate(zoo.architecture, last, images.test_x, images.test_y)[1]
    np.testing.assert_allclose(twins.table.loc[twins.table["epoch"] == 4, "test_accuracy"], clean, atol=1e-9)
    small, large = log_alpha(torch.tensor([0.01, 1.0]), torch.tensor(-6.0))
    assert small > THRESHOLD > large


@pytest.mark.parametrize("engine", ["numba", "torch"])
@pytest.mark.parametrize("method", ["held", "gradual", "variational"])
def test_twins_do_not_hang_on_company_threads_or_kills(engine: str, method: str, tmp_path) -> None:
    zoo, images = small_zoo(4), small_images()

    def twins(of: Zoo, **more: object) -> Zoo:
        how = {"epochs": 4, "engine": engine} | QUIET | more
        if method != "variational":
            return magnitude_twins(of, images, 0.5, over=3 * (method == "gradual"), **how)
        return variational_twins(of, images, rate=0.3, **how)

    whole = twins(zoo)
    alone = twins(zoo.take([2]))
    torch.testing.assert_close(alone.weights[0], whole.weights[2], atol=0 if engine == "numba" else 2e-4, rtol=0)

    class Killed(Exception):
        pass

    def kill(done: int, total: int) -> None:
        if done > total / 2:
            raise Killed

    with pytest.raises(Killed):
        twins(zoo, checkpoint=tmp_path / "training", progress=kill)
    again = twins(zoo, checkpoint=tmp_path / "training")
    assert torch.equal(again.weights, whole.weights)
    pd.testing.assert_frame_equal(again.table, whole.table)


@pytest.mark.parametrize("engine", ["numba", "torch"])
@pytest.mark.parametrize("models", [2, 3])
def test_a_block_in_which_a_model_diverged_goes_on(engine: str, models: int, tmp_path, capsys) -> None:
    zoo, images = small_zoo(models), small_images()
    zoo.table.loc[zoo.table["model"] == 1, "lr"] = 1e38
    how = {"rate": 0.3, "epochs": 2, "engine": engine, "checkpoint": tmp_path / "training"} | QUIET
    twins = variational_twins(zoo, images, **how)
    assert twins.table["diverged"].any() and not twins.table["diverged"].all()
    again = variational_twins(zoo, images, **how)
    assert "damaged" not in capsys.readouterr().err
    torch.testing.assert_close(again.weights, twins.weights, equal_nan=True, atol=0, rtol=0)


def test_another_methods_state_is_refused(tmp_path) -> None:
    zoo, images = small_zoo(), small_images()
    magnitude_twins(zoo, images, 0.0, epochs=1, checkpoint=tmp_path / "training", **QUIET)
    with pytest.raises(ValueError, match="another training job"):
        variational_twins(zoo, images, rate=0.1, epochs=1, checkpoint=tmp_path / "training", **QUIET)


def test_twins_are_a_zoo_that_can_be_saved_and_read(tmp_path) -> None:
    zoo = small_zoo()
    twins = magnitude_twins(zoo.take([2, 0]), small_images(), 0.8, epochs=1, **QUIET)
    assert twins.table["twin_of"].tolist() == [2, 2, 0, 0]
    back = Zoo.load(twins.save(tmp_path / "twins"))
    assert torch.equal(back.weights, twins.weights)
    pd.testing.assert_frame_equal(back.table, twins.table)


def test_what_can_have_no_twins_is_refused_in_words() -> None:
    zoo, images = small_zoo(), small_images()
    lost = Zoo(zoo.architecture, zoo.weights.clone(), zoo.table)
    lost.weights[1, -1, 0] = torch.nan
    with pytest.raises(ValueError, match="1 of the 3 models diverged"):
        last_weights(lost)
    with pytest.raises(ValueError, match="rate of variational dropout"):
        variational_twins(zoo, images, rate=float("nan"), **QUIET)
    for rate in ("fast", [0.1], -1.0):
        with pytest.raises(ValueError, match="rate of variational dropout"):
            variational_twins(zoo, images, rate=rate, **QUIET)
    with pytest.raises(ValueError, match="strength of variational dropout"):
        variational_twins(zoo, images, rate=0.1, strength=-1, **QUIET)
    for engine in ("sequential", "ray:sequential"):
        with pytest.raises(ValueError, match="not by sequential"):
            magnitude_twins(zoo, images, 0.5, engine=engine, **QUIET)
    with pytest.raises(ValueError, match="start has shape"):
        held_twins(zoo, images, zoo.weights[:, -1, 1:], **QUIET)
    bare = Zoo(zoo.architecture, zoo.weights, zoo.table.drop(columns=["lr", "dropout"]))
    with pytest.raises(ValueError, match="does not say its lr, dropout.*zoo.table.assign"):
        magnitude_twins(bare, images, 0.5, **QUIET)
    with pytest.raises(ValueError, match="begin at weights that are not finite"):
        held_twins(zoo, images, lost.weights[:, -1], **QUIET)
    with pytest.raises(TypeError, match="of a Zoo, not of a Tensor"):
        magnitude_twins(zoo.weights, images, 0.5, **QUIET)
    for over in (-1, 26, 1.5):
        with pytest.raises(ValueError, match="over some of these 25"):
            magnitude_twins(zoo, images, 0.5, over=over, **QUIET)
    for ratio, by in ((0.5, "random"), (torch.full((3, 4), 0.5), "size")):
        with pytest.raises(ValueError, match="Over epochs only the smallest"):
            magnitude_twins(zoo, images, ratio, by=by, within="layer", over=2, **QUIET)


@pytest.mark.parametrize("engine", ["auto", "ray"])
def test_where_the_engine_is_free_and_knows_no_twins_torch_trains_them(engine: str, monkeypatch) -> None:
    """As on a card, whose own kernels know none."""
    images, jobs = hyperlib.load_images("tetris").subset(8, 4), []
    zoo = hyperlib.train_population(hyperlib.tetris_mlp(), images, hyperlib.grid(), epochs=1, progress=False)
    monkeypatch.setattr("hyperlib.zoos.twins.checked_job", lambda *given: replace(checked_job(*given), engine="cuda"))
    monkeypatch.setattr("hyperlib.zoos.twins.grown", lambda job, *given: jobs.append(job.engine) or zoo)
    variational_twins(zoo, images, epochs=1, engine=engine, progress=False)
    assert jobs == ["torch"]


def test_values_of_the_noise_are_made_once() -> None:
    assert noise_table() is noise_table()
