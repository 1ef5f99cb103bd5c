"""A traced network as a network: it runs with any weights, is kept, and stands wherever an architecture does."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.testing import assert_close

from hyperlib import Augment, HyperRep, Tokenizer, Zoo, align, from_module, layer_statistics
from hyperlib.weightspace.architectures import tetris_mlp
from hyperlib.weightspace.traced_module import TracedModule

X = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))


def module(seed: int = 0) -> nn.Module:
    """A small network with a norm."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3)).eval()


@pytest.fixture(scope="module")
def network() -> TracedModule:
    return from_module(module(), X)


@pytest.fixture(scope="module")
def weights(network) -> torch.Tensor:
    return torch.stack([network.layout.flatten(module(seed)) for seed in range(4)])


@pytest.fixture(scope="module")
def zoo(network) -> Zoo:
    """12 networks of it at two epochs."""
    drawn = network.trial_weights(24).float().unflatten(0, (12, 2))
    rows = [{"model": m, "epoch": e, "activation": "", "test_accuracy": m / 12} for m in range(12) for e in range(2)]
    return Zoo(network, drawn, pd.DataFrame(rows))


# -- running -----------------------------------------------------------------------------------------------------------


def test_one_network_and_many_answer_as_the_modules_do(network, weights):
    each = torch.stack([module(seed)(X).detach() for seed in range(4)])

    assert_close(network.logits(weights[0], X), each[0])
    assert_close(network.logits(weights, X), each)
    assert network.logits(weights[:1], X).shape == (1, 5, 3)
    assert network.logits(weights[:0], X).shape == (0, 5, 3)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_half_types_are_computed_in_float32_and_others_as_they_are(network, weights, kind):
    given = network.logits(weights.to(kind), X)

    assert given.dtype == (torch.float64 if kind is torch.float64 else torch.float32)
    assert_close(given.float(), network.logits(weights.to(kind).float(), X))


def test_networks_run_one_by_one_where_an_operation_has_no_batched_form():
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(x):
            return 2 * x

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

    class Doubling(nn.Linear):
        def forward(self, x):
            return Doubled.apply(super().forward(x))

    network = from_module(Doubling(4, 6), X)
    weights = network.trial_weights(6).float()
    rows = torch.stack([network.logits(row, X) for row in weights])

    assert_close(network.logits(weights, X), rows)
    assert_close(network.logits(weights, X), rows)  # and once more, now that it is known


def test_weights_have_gradients():
    network = from_module(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)), X)
    one = network.trial_weights(1)[0].requires_grad_()
    network.logits(one, X).sum().backward()

    assert one.grad[network.layout["2.bias"].start] == len(X)


def test_weights_of_a_network_with_norms_have_gradients(network, weights):
    network.logits(weights[0].clone().requires_grad_(), X).sum().backward()


@pytest.mark.parametrize("shape", [(2, 2), ()], ids=["three axes", "none"])
def test_weights_of_other_shapes_are_refused(network, weights, shape):
    given = weights.view(*shape, -1) if shape else weights[0, 0]
    with pytest.raises(ValueError, match="weights"):
        network.logits(given, X)


def test_several_outputs_stand_side_by_side():
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(4, 3), nn.Linear(4, 6)

        def forward(self, x):
            return {"policy": self.one(x), "map": self.two(x).view(-1, 2, 3), "value": self.one(x).sum(-1)}

    heads = Heads()
    network = from_module(heads, X)
    given = network.logits(network.layout.flatten(heads), X)

    assert given.shape == (5, 10) and network.num_classes == 10
    assert_close(given[:, :3], heads(X)["policy"].detach())
    assert_close(given[:, 9], heads(X)["value"].detach())


def test_a_module_that_writes_into_its_buffer_leaves_the_weights():
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Linear(4, 3)
            self.register_buffer("seen", torch.zeros(3))

        def forward(self, x):
            self.seen.add_(1)
            return self.one(x) + self.seen

    network = from_module(Counting(), X)
    weights = torch.zeros(network.layout.size)
    network.logits(weights, X)

    assert not weights.any()


# -- modules -----------------------------------------------------------------------------------------------------------


def test_a_network_becomes_a_module_and_comes_back(network, weights):
    made = network.module(weights[2])

    assert isinstance(made, nn.Sequential) and not made.training
    assert torch.equal(network.layout.flatten(made), weights[2])
    assert_close(made(X), network.logits(weights[2], X))
    made[0].weight.data.zero_()
    assert network.module(weights[2])[0].weight.any()  # each is one's own


def test_a_module_is_one_network(network, weights):
    with pytest.raises(ValueError, match="one row"):
        network.module(weights)


def test_code_of_another_layout_is_refused(network):
    with pytest.raises(ValueError, match="not laid out"):
        network.with_module(nn.Linear(4, 2))


def test_an_activation_cannot_be_exchanged(network):
    assert network.with_activation("") is network
    with pytest.raises(ValueError, match="exchanged"):
        network.with_activation("gelu")


# -- kept --------------------------------------------------------------------------------------------------------------


def test_a_zoo_is_kept_without_its_code(zoo, network, tmp_path):
    zoo.save(tmp_path / "zoo")
    kept = Zoo.load(tmp_path / "zoo")

    assert torch.equal(kept.weights, zoo.weights)
    assert kept.architecture.layout == network.layout
    assert kept.architecture.structure.pieces == network.structure.pieces
    assert kept.architecture.structure.groups == network.structure.groups == {"0": 6}
    with pytest.raises(ValueError, match=r"loaded without the code of its class torch\.nn\.modules.*with_module"):
        kept.architecture.logits(zoo.weights[0, 0], X)
    again = kept.architecture.with_module(module())
    assert_close(again.logits(zoo.weights[0, 0], X), network.logits(zoo.weights[0, 0], X))


def test_a_stranger_s_zoo_with_another_record_is_refused(zoo, tmp_path):
    zoo.save(tmp_path / "zoo")
    file = tmp_path / "zoo" / "manifest.json"
    manifest = json.loads(file.read_text())
    text = json.dumps(manifest).replace('"traced"', '"other"')
    file.write_text(text)

    with pytest.raises(ValueError):
        Zoo.load(tmp_path / "zoo")


def test_moves_need_no_code(zoo, tmp_path):
    zoo.save(tmp_path / "zoo")
    kept = Zoo.load(tmp_path / "zoo")
    weights = kept.weights[:, 0]
    here, there = (align(one, weights[0], weights) for one in (zoo.architecture, kept.architecture))

    assert torch.equal(here.index, there.index) and (here.distance <= here.distance_before).all()


def test_alignment_of_networks_with_blocks_ends_by_itself():
    torch.manual_seed(0)
    layers = (nn.Conv1d(3, 8, 1), nn.ReLU(), nn.Conv1d(8, 4, 1, groups=2), nn.ReLU(), nn.Conv1d(4, 2, 1))
    network = from_module(nn.Sequential(*layers), torch.zeros(2, 3, 5))
    weights = torch.randn(4, network.layout.size, generator=torch.Generator().manual_seed(0))

    assert (align(network, weights[0], weights[1:], restarts=1).sweeps < 100).all()


# -- in the place of an architecture -----------------------------------------------------------------------------------


def test_statistics_have_a_row_for_every_network(zoo, network):
    table = layer_statistics(zoo.weights[:, 0], network.layout)

    assert len(table) == 12


def test_tokens_hold_every_weight_once(network, weights):
    tokenizer = Tokenizer(network.layout)

    assert_close(tokenizer.decode(tokenizer.encode(weights)), weights)


def test_samples_of_a_zoo_hold_its_networks(zoo, network):
    samples = zoo.samples()

    assert samples.weights.shape == (24, network.layout.size) and len(samples.table) == 24


def test_a_representation_learns_embeds_and_is_kept(zoo, network, tmp_path):
    samples = zoo.samples()
    augment = Augment(permute=True, noise=0.05)
    rep = HyperRep(network, latent=4, augment=augment, steps=3, seed=0, width=16, depth=1)
    rep.fit(samples, groups=samples.table["model"])
    latents = rep.embed(samples)
    rep.save(tmp_path / "rep.safetensors")
    kept = HyperRep.load(tmp_path / "rep.safetensors")

    assert len(latents) == 24
    assert rep.reconstruct(samples).weights.shape == samples.weights.shape
    assert torch.equal(torch.as_tensor(kept.embed(samples)), torch.as_tensor(latents))


def test_a_traced_network_is_no_list_of_layers(network, weights):
    with pytest.raises(ValueError, match="no list of layers"):
        align(network, weights[0], weights, method="activations", images=X)


def test_a_module_of_an_architecture_has_its_weights():
    architecture = tetris_mlp()
    weights = architecture.initialise([0])
    network = from_module(architecture.module(weights[0]), torch.zeros(2, *architecture.image))
    images = torch.randn(3, *architecture.image, generator=torch.Generator().manual_seed(1))

    assert network.layout == architecture.layout
    assert_close(network.logits(weights, images), architecture.logits(weights, images))
    state = network.layout.unflatten(weights[0])
    assert_close(functional_call(architecture.module(weights[0]), state, images), network.logits(weights[0], images))
