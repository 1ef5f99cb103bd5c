"""A network described once runs as a population, as one model, and as ordinary PyTorch, and they agree."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close
from toys import NONLINEARITIES, TOYS, by_hand, network

from hyperlib.thesis import published
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.architectures import ARCHITECTURES, LARGE_ARCHITECTURES, mini_alexnet, resnet18, small_resnet
from hyperlib.weightspace.architectures import architecture as by_name
from hyperlib.weightspace.layers import (
    ACTIVATIONS,
    Activation,
    Add,
    Conv,
    Flatten,
    GlobalAveragePool,
    Linear,
    MaxPool,
    Norm,
    PadChannels,
    Pass,
)

EVERY = [*ARCHITECTURES, *TOYS]
PUBLISHED = {
    "tetris_mlp": "tetris_mlp",
    "small_cnn_1ch": "cnn_small_1ch",
    "small_cnn_3ch": "cnn_small_3ch",
    "large_cnn_3ch": "cnn_large_3ch",
    "unterthiner_cnn_1ch_28": "unterthiner_cnn",
    "unterthiner_cnn_1ch_32": "unterthiner_cnn",
    "mini_alexnet": "mini_alexnet",
    "resnet18_10": "resnet18_cifar",
}
OWN_NAMES = ("resnet18_10",)  # named as in torchvision, not as in our record


def some_weights(net: Architecture, models: int, generator: torch.Generator) -> torch.Tensor:
    """Random weights whose running variances are positive."""
    weights = 0.3 * torch.randn(models, net.layout.size, generator=generator)
    for slot in net.slots:
        if slot.part == "running_var":
            weights[:, slot.start : slot.stop] = weights[:, slot.start : slot.stop].abs() + 0.5
    return weights


def outputs_of(module: torch.nn.Module, images: torch.Tensor) -> list[torch.Tensor | None]:
    """What each layer of a module gives, caught by PyTorch's hooks; None for additions, which are no modules."""
    seen: dict[str, torch.Tensor] = {}
    for name, layer in module.named_modules():
        layer.register_forward_hook(lambda _, __, given, name=name: seen.update({name: given}))
    module(images)
    return [seen.get(name) for name in module.names]


# -- one network in four forms -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_a_population_computes_what_each_model_computes_alone(name, generator):
    net = network(name)
    weights = some_weights(net, 3, generator)
    images = torch.randn(5, *net.image, generator=generator)

    together = net.logits(weights, images)

    assert together.shape == (3, 5, net.num_classes)
    for row, scores in zip(weights, together, strict=True):
        assert_close(scores, net.logits(row, images))
        assert_close(scores, net.module(row)(images))
        assert_close(scores, by_hand(name, net.activation).load(net.layout.unflatten(row)).eval()(images))


@pytest.mark.parametrize("name", EVERY)
def test_every_model_can_see_images_of_its_own(name, generator):
    net = network(name)
    weights = some_weights(net, 3, generator)
    images = torch.randn(3, 4, *net.image, generator=generator)

    scores = net.logits(weights, images)

    for row, own, found in zip(weights, images, scores, strict=True):
        assert_close(found, net.logits(row, own))


@pytest.mark.parametrize("name", ["mini_alexnet", "resnet18_10"])
def test_large_networks_compute_what_each_model_computes_alone(name, generator):
    net = network(name)
    weights, images = some_weights(net, 2, generator), torch.randn(2, *net.image, generator=generator)
    if name == "resnet18_10":
        weights *= 0.1  # so that no sum of 18 layers overflows the tolerance

    for row, scores in zip(weights, net.logits(weights, images), strict=True):
        assert_close(scores, net.module(row)(images), atol=1e-4, rtol=1e-4)
        assert_close(scores, by_hand(name, "relu").load(net.layout.unflatten(row)).eval()(images), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", EVERY)
def test_outputs_are_those_of_every_step_and_the_last_gives_the_scores(name, generator):
    net = network(name)
    weights, images = some_weights(net, 3, generator), torch.randn(4, 1, *net.image, generator=generator)

    outputs = net.outputs(weights, images, Pass(net.activation))

    assert [tuple(output.shape[2:]) for output in outputs] == [step.outputs for step in net.steps]
    assert_close(outputs[-1].expand(-1, 3, -1), net.logits(weights, images[:, 0]).transpose(0, 1))
    for model, row in enumerate(weights):
        for output, alone in zip(outputs, outputs_of(net.module(row), images[:, 0]), strict=True):
            if alone is not None:
                assert_close(output.expand(-1, 3, *output.shape[2:])[:, model], alone)


def test_padding_puts_the_channels_first_and_ties_both_groups(generator):
    net = network("padded_net")
    places = {step.layer.name: place for place, step in enumerate(net.steps)}
    weights, images = some_weights(net, 2, generator), torch.randn(3, 1, *net.image, generator=generator)
    outputs = net.outputs(weights, images, Pass(net.activation))

    padded, source = outputs[places["shortcut"]], outputs[places["act1"]]

    assert padded.shape == (3, 2, 5, 4, 4)
    assert torch.equal(padded[:, :, :3], source[..., ::2, ::2])
    assert not padded[:, :, 3:].any()
    assert net.steps[places["shortcut"]].group == net.steps[places["back"]].group == "wide"
    assert [layer.name for layer in net.layers if layer.ties] == ["shortcut"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", ["digits_cnn", "branching_net"])
def test_the_activation_is_the_named_function(name, activation, generator):
    net = network(name).with_activation(activation)
    weights, images = some_weights(net, 2, generator), torch.randn(4, *net.image, generator=generator)

    for row, scores in zip(weights, net.logits(weights, images), strict=True):
        state = net.layout.unflatten(row)
        assert_close(scores, by_hand(name, activation).load(state).eval()(images), atol=2e-5, rtol=1e-4)
        assert_close(scores, net.module(row)(images))


def test_every_activation_has_a_reference_here():
    assert set(ACTIVATIONS) == set(NONLINEARITIES)


@pytest.mark.parametrize("name", ["residual_net", "branching_net", "small_resnet_1ch"])
def test_norms_in_training_are_those_of_pytorch(name, generator):
    net = network(name)
    weights = some_weights(net, 3, generator)
    images = torch.randn(6, 3, *net.image, generator=generator)
    now = Pass(net.activation, training=True)

    scores = net.forward(weights, images, now)

    assert len(now.statistics) == 2 * sum(isinstance(layer, Norm) for layer in net.layers)
    for model, row in enumerate(weights):
        plain = by_hand(name, net.activation).load(net.layout.unflatten(row)).train()
        assert_close(scores[:, model], plain(images[:, model]), atol=1e-5, rtol=1e-4)
        for slot, value in now.statistics.items():
            assert_close(value[model], plain.state()[slot])
            assert not torch.equal(value[model], net.layout.unflatten(row)[slot])


def test_no_models_and_no_images_give_no_scores(architecture):
    weights = torch.zeros(0, architecture.layout.size)
    images = torch.zeros(0, *architecture.image)

    assert architecture.logits(weights, torch.zeros(2, *architecture.image)).shape == (0, 2, architecture.num_classes)
    assert architecture.logits(torch.zeros(3, architecture.layout.size), images).shape[:2] == (3, 0)


# -- counts and structure ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "published_name"), PUBLISHED.items())
def test_counts_and_layers_are_the_published_ones(name, published_name):
    net, record = by_name(name), published.architectures().loc[published_name]

    assert net.num_weights == record["params"] == net.layout.size - sum(s.size for s in net.slots if not s.learned)
    assert name in OWN_NAMES or ", ".join(net.layout.layers) == record["layers"]
    assert " x ".join(map(str, net.image)) in record["input"].replace(",", "").split(" or ")
    assert net.num_classes == record["output"]


@pytest.mark.parametrize(("name", "published_name"), PUBLISHED.items())
def test_every_layer_has_the_published_size(name, published_name):
    net, layers = by_name(name), published.architecture_layers()
    layers = layers[layers["architecture"] == published_name]
    for own_name, (_, layer) in zip(net.layout.layers, layers.iterrows(), strict=True):
        slots = [slot for slot in net.slots if slot.layer == own_name and slot.learned]
        assert own_name == layer["name"] or name in OWN_NAMES
        assert sum(slot.size for slot in slots) == layer["params"]
        assert slots[0].shape[0] == (layer["units"] if layer["kind"] == "norm" else layer["outputs"])


def test_resnet18_has_the_published_count_for_every_number_of_classes():
    for classes, count in published.architectures().loc["resnet18_cifar", "params_by_classes"].items():
        assert resnet18(classes).num_weights == count


def test_resnet18_is_named_as_by_torchvision():
    names = resnet18().module(torch.zeros(resnet18().layout.size)).state_dict()
    blocks = [f"layer{stage}.{number}" for stage in (1, 2, 3, 4) for number in (0, 1)]
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    wanted = ["conv1.weight", *(f"bn1.{part}" for part in norm)]
    for block in blocks:
        for number in (1, 2):
            wanted += [f"{block}.conv{number}.weight", *(f"{block}.bn{number}.{part}" for part in norm)]
        if block in ("layer2.0", "layer3.0", "layer4.0"):
            wanted += [f"{block}.downsample.0.weight", *(f"{block}.downsample.1.{part}" for part in norm)]

    assert list(names) == [*wanted, "fc.weight", "fc.bias"]


@pytest.mark.parametrize(
    ("name", "count"),
    [("digits_cnn", 988), ("wide_mlp", 269_322), ("small_resnet_1ch", 5_122), ("small_resnet_3ch", 5_266)],
)
def test_networks_of_our_own_have_the_stated_counts(name, count):
    assert by_name(name).num_weights == count


def test_names_lead_back_to_the_architecture():
    assert all(by_name(name).name == name for name in ARCHITECTURES | LARGE_ARCHITECTURES)
    assert not set(ARCHITECTURES) & set(LARGE_ARCHITECTURES)
    with pytest.raises(ValueError, match="no architecture 'resnet'; choose one of tetris_mlp, "):
        by_name("resnet")


def test_running_statistics_are_no_learned_weights():
    net = network("residual_net")
    counted = sum(value.numel() for value in by_hand("residual_net", "relu").parameters())

    assert net.num_weights == counted and net.layout.size == counted + 2 * (4 + 4)


def test_hidden_groups_are_all_units_but_the_images_and_the_classes():
    assert by_name("small_cnn_1ch").hidden == {"conv1": 8, "conv2": 6, "conv3": 4, "fc1": 20}
    assert by_name("tetris_mlp").hidden == {"fc1": 5}
    assert network("residual_net").hidden == {"stream": 4, "conv3": 5}
    assert network("branching_net").hidden == {"stream": 3, "fc1": 7}
    assert network("image_residual_net").hidden == {}
    assert network("padded_net").hidden == {"narrow": 3, "inner": 4, "wide": 5}
    assert small_resnet(1).hidden == {"stream1": 8, "block1.conv1": 8, "block2.conv1": 16, "stream2": 16}
    assert mini_alexnet().hidden == {"conv1": 96, "conv2": 256, "fc1": 384, "fc2": 192}


def test_hidden_units_of_an_mlp_can_change_places(generator):
    net = by_name("tetris_mlp")
    weights, images = torch.randn(net.layout.size, generator=generator), torch.randn(9, *net.image, generator=generator)
    order = torch.randperm(net.hidden["fc1"], generator=generator)
    state = net.layout.unflatten(weights)

    moved = net.layout.flatten({"fc1.weight": state["fc1.weight"][order], "fc2.weight": state["fc2.weight"][:, order]})

    assert not torch.equal(moved, weights)
    assert_close(net.logits(moved, images), net.logits(weights, images))


def test_units_of_a_residual_stream_change_places_together(generator):
    net = network("residual_net")
    weights, images = some_weights(net, 1, generator)[0], torch.randn(9, *net.image, generator=generator)
    order = torch.randperm(net.hidden["stream"], generator=generator)
    state = dict(net.layout.unflatten(weights))
    for name in state:
        if name.split(".")[0] in ("conv1", "conv2", "norm1", "norm2"):
            state[name] = state[name][order]
    for name in ("conv2.weight", "conv3.weight"):
        state[name] = state[name][:, order]

    assert_close(net.logits(net.layout.flatten(state), images), net.logits(weights, images))


def test_equal_architectures_are_equal_and_another_activation_makes_another(architecture):
    assert architecture == by_name(architecture.name) and hash(architecture) == hash(by_name(architecture.name))
    assert architecture.with_activation("gelu") != architecture
    assert architecture.with_activation("gelu").with_activation(architecture.activation) == architecture


# -- the module ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_the_module_has_the_usual_state_dict_and_its_own_memory(name, generator):
    net = network(name)
    weights = some_weights(net, 1, generator)[0]
    before = weights.clone()
    module = net.module(weights)

    assert torch.equal(net.layout.flatten(module.state_dict()), weights)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(1)
    assert torch.equal(weights, before)


def test_the_module_drops_only_in_training(generator):
    net = by_name("digits_cnn")
    module = net.module(some_weights(net, 1, generator)[0], dropout=0.5)
    images = torch.randn(4, *net.image, generator=generator)

    assert torch.equal(module(images), module(images))
    module.train()
    assert not torch.equal(module(images), module(images))


# -- wrong input ---------------------------------------------------------------------------------------------


def test_images_of_another_shape_are_refused(architecture):
    weights = torch.zeros(2, architecture.layout.size)
    for shape in ((3, 9, 9, 9), (*architecture.image,), (1, 1, 2, *architecture.image)):
        with pytest.raises(ValueError, match=f"{architecture.name} reads images of"):
            architecture.logits(weights, torch.zeros(shape))


def test_images_of_another_number_of_models_are_refused(architecture):
    images = torch.zeros(3, 4, *architecture.image)
    for weights in (torch.zeros(2, architecture.layout.size), torch.zeros(architecture.layout.size)):
        with pytest.raises(ValueError, match="Images of 3 models meet weights of shape"):
            architecture.logits(weights, images)


@pytest.mark.usefixtures("no_shape_checks")
def test_weights_with_another_axis_are_refused(architecture):
    with pytest.raises(ValueError, match=r"give \[params\] or \[models, params\]"):
        architecture.logits(torch.zeros(2, 3, architecture.layout.size), torch.zeros(1, *architecture.image))
    with pytest.raises(ValueError, match="take one row"):
        architecture.module(torch.zeros(2, architecture.layout.size))


CLASSES = Linear("fc", units="classes", width=2)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((), "net has no layers"),
        ((Conv("a", width=3, kernel=3),), "ends in shape"),
        ((Conv("a", units="u", width=3, kernel=1), Conv("b", units="u", width=5, kernel=1)), "'u' a width of 5, .* 3"),
        ((Flatten(), Linear("fc", width=2), Linear("fc", width=2)), "called 'fc'"),
        ((Flatten(), Linear(width=2)), "Layer 1 of net has weights or units of its own, so it needs a name"),
        ((Flatten(), Linear("fc", source="a", width=2)), "reads 'a', but the layers before it are image"),
        ((Flatten(), CLASSES, Add("sum", other="later")), "reads 'later', but the layers before it are image, fc"),
        ((CLASSES,), "put Flatten.. before"),
        ((Flatten(), Conv("a")), "Conv a reads channels x height x width, but gets flat features"),
        ((Flatten(), MaxPool()), "MaxPool .*flat features"),
        ((Conv("a", kernel=9),), "a kernel of 9 does not fit into 6x6"),
        ((MaxPool(kernel=7), Flatten(), CLASSES), "a kernel of 7 does not fit into 6x6"),
        ((Conv("a", stride=0), Flatten(), CLASSES), "too small a stride"),
        ((Conv("a", width=0), Flatten(), CLASSES), "too small a width"),
        ((Flatten(), Linear("fc", width=0)), "too small a width"),
        ((MaxPool(stride=0), Flatten(), CLASSES), "too small a stride"),
        ((Conv("a", width=2, kernel=1), Conv("b", width=2, kernel=1), Add("sum", other="a")), "units 'b' and 'a'"),
        ((Conv("a", units="u", width=2), Conv("b", units="u", width=2), Add("sum", other="a")), "adds shapes"),
        ((Conv("a", width=2, kernel=1), Add("sum", other="image")), "units 'a' and 'image'"),
        ((GlobalAveragePool(), Linear("image", width=2)), "called 'image'"),
        ((PadChannels("pad", width=1),), "makes 1 channels out of 2; .* a width of 2 or more"),
        ((PadChannels("pad", width=3, stride=0),), "too small a stride"),
        ((PadChannels(width=3),), "Layer 0 of net has weights or units of its own, so it needs a name"),
        ((Flatten(), PadChannels("pad", width=99)), "PadChannels pad reads channels .* flat features"),
        ((Conv("a", units="u", width=3), PadChannels("pad", units="u", width=4)), "'u' a width of 4, .* 3"),
        ((PadChannels("pad", width=3), Conv("a", width=3, kernel=1), Add("sum", other="pad")), "units 'a' and 'pad'"),
    ],
)
def test_networks_that_contradict_themselves_are_refused(layers, message):
    with pytest.raises(ValueError, match=message):
        Architecture("net", (2, 6, 6), layers)


def test_unknown_activations_are_refused():
    with pytest.raises(ValueError, match="no activation 'swish'; choose one of tanh, relu"):
        by_name("tetris_mlp").with_activation("swish")


def test_an_activation_of_its_own_is_kept():
    own = replace(network("branching_net"), activation="relu")

    assert [type(m).__name__ for m in own.module(torch.ones(own.layout.size)).modules()].count("Sine") == 1
    assert any(isinstance(layer, Activation) and layer.kind == "sine" for layer in own.layers)
