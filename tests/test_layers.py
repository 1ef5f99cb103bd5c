"""Every kind of layer, for a whole population at once, is the `torch.nn` module that it says it is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close
from toys import TOYS, some_images
from toys import network as network_called

from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.architectures import ARCHITECTURES, digits_cnn
from hyperlib.weightspace.layers import (
    Activation,
    Add,
    AveragePool,
    Conv,
    Flatten,
    GlobalAveragePool,
    Identity,
    Layer,
    LayerNorm,
    Linear,
    MaxPool,
    Norm,
    PadChannels,
    Pass,
    PReLU,
)
from hyperlib.weightspace.work import multiply_adds
from hyperlib.zoos.design import grid
from hyperlib.zoos.engines.choice import resolve_engine, uncovered
from hyperlib.zoos.population import train_population

IMAGE, FLAT = (4, 7, 6), (5,)
LINEAR = {"flat": Linear("x", width=3), "bare": Linear("x", width=3, bias=False)}
KINDS: dict[str, tuple[Layer, tuple[int, ...], nn.Module]] = {  # ours, what it reads, PyTorch's
    "conv": (Conv("x", width=6), IMAGE, nn.Conv2d(4, 6, 3)),
    "conv of a pair": (Conv("x", width=6, kernel=(3, 2)), IMAGE, nn.Conv2d(4, 6, (3, 2))),
    "conv of pairs": (
        Conv("x", width=6, kernel=(1, 3), stride=(2, 1), padding=(0, 2), bias=False),
        IMAGE,
        nn.Conv2d(4, 6, (1, 3), (2, 1), (0, 2), bias=False),
    ),
    "dilated": (Conv("x", width=6, dilation=2, padding=2), IMAGE, nn.Conv2d(4, 6, 3, 1, 2, 2)),
    "dilated by a pair": (Conv("x", width=6, dilation=(3, 1)), IMAGE, nn.Conv2d(4, 6, 3, dilation=(3, 1))),
    "in groups": (Conv("x", width=6, groups=2), IMAGE, nn.Conv2d(4, 6, 3, groups=2)),
    "depthwise": (Conv("x", width=4, padding=1, groups=4), IMAGE, nn.Conv2d(4, 4, 3, padding=1, groups=4)),
    "depthwise, wider": (
        Conv("x", width=8, kernel=(2, 3), stride=2, padding=1, dilation=(2, 1), groups=4, bias=False),
        IMAGE,
        nn.Conv2d(4, 8, (2, 3), 2, 1, (2, 1), 4, bias=False),
    ),
    "linear": (Linear("x", width=3), FLAT, nn.Linear(5, 3)),
    "norm": (Norm("x"), IMAGE, nn.BatchNorm2d(4)),
    "norm of features": (Norm("x"), FLAT, nn.BatchNorm1d(5)),
    "layer norm": (LayerNorm("x"), IMAGE, nn.LayerNorm(IMAGE)),
    "layer norm of features": (LayerNorm("x"), FLAT, nn.LayerNorm(FLAT)),
    "max pool": (MaxPool(), IMAGE, nn.MaxPool2d(2)),
    "max pool with padding": (MaxPool(kernel=3, stride=2, padding=1), IMAGE, nn.MaxPool2d(3, 2, 1)),
    "max pool of pairs": (
        MaxPool(kernel=(2, 3), stride=(1, 2), padding=(1, 0)),
        IMAGE,
        nn.MaxPool2d((2, 3), (1, 2), (1, 0)),
    ),
    "average pool": (AveragePool(), IMAGE, nn.AvgPool2d(2)),
    "average pool with padding": (AveragePool(kernel=3, stride=2, padding=1), IMAGE, nn.AvgPool2d(3, 2, 1)),
    "average pool of pairs": (AveragePool(kernel=(3, 1), padding=(1, 0)), IMAGE, nn.AvgPool2d((3, 1), None, (1, 0))),
    "global pool": (GlobalAveragePool(), IMAGE, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())),
    "flatten": (Flatten(), IMAGE, nn.Flatten()),
    "prelu": (PReLU("x"), IMAGE, nn.PReLU(4)),
    "prelu of features": (PReLU("x"), FLAT, nn.PReLU(5)),
    "shared prelu": (PReLU("x", shared=True), IMAGE, nn.PReLU(1)),
    "identity": (Identity("x"), IMAGE, nn.Identity()),
    "activation": (Activation(), IMAGE, nn.Tanh()),
    "activation of its own": (Activation(kind="relu"), FLAT, nn.ReLU()),
    "padded": (PadChannels("x", width=6, stride=2), IMAGE, nn.ZeroPad3d((0, 0, 0, 0, 0, 2))),
    "padded before": (PadChannels("x", width=6, before=2), IMAGE, nn.ZeroPad3d((0, 0, 0, 0, 2, 0))),
    "padded on both sides": (PadChannels("x", before=2, after=1), IMAGE, nn.ZeroPad3d((0, 0, 0, 0, 2, 1))),
    "padded, said twice": (PadChannels("x", width=7, before=2, after=1), IMAGE, nn.ZeroPad3d((0, 0, 0, 0, 2, 1))),
}


def some_state(module: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
    """Random values for the module's floating-point tensors, in float64; variances are positive."""
    state = {name: value for name, value in module.state_dict().items() if value.is_floating_point()}
    drawn = {name: torch.randn(v.shape, generator=generator, dtype=torch.float64) for name, v in state.items()}
    return {name: value.abs() + 0.5 if "var" in name else value for name, value in drawn.items()}


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(("layer", "inputs", "plain"), KINDS.values(), ids=KINDS)
def test_a_population_computes_what_pytorchs_modules_compute(layer, inputs, plain, shared, generator):
    states = [some_state(plain, generator) for _ in range(3)]
    together = {part: torch.stack([state[part] for state in states]) for part in states[0]}
    x = torch.randn(5, 1 if shared else 3, *inputs, generator=generator, dtype=torch.float64)
    plain, own = plain.double().eval(), layer.module(inputs, "tanh", 0.0).double().eval()
    thinned = x[..., :: layer.stride, :: layer.stride] if isinstance(layer, PadChannels) else x

    found = layer.run(x, together, Pass("tanh"))

    assert tuple(found.shape[2:]) == layer.shape(inputs)
    assert {part: tuple(v.shape) for part, v in states[0].items()} == layer.parameters(inputs)
    assert list(layer.parameters(inputs)) == list(states[0])
    for model, state in enumerate(states):
        plain.load_state_dict(state, strict=False)
        own.load_state_dict(state, strict=False)
        alone = 0 if shared else model
        expected = plain(thinned[:, alone])
        assert_close(found.expand(-1, 3, *layer.shape(inputs))[:, model], expected)
        assert_close(own(x[:, alone]), expected)
    shapes = ({name: value.shape for name, value in net.state_dict().items()} for net in (own, plain))
    assert next(shapes) == next(shapes)


@pytest.mark.parametrize(("layer", "inputs", "plain"), KINDS.values(), ids=KINDS)
def test_what_begins_as_a_constant_begins_as_in_pytorch(layer, inputs, plain):
    fresh = type(plain)(*FRESH[type(plain)]) if type(plain) in FRESH else plain
    for part, value in layer.starts.items():
        assert torch.equal(fresh.state_dict()[part], torch.full(fresh.state_dict()[part].shape, value))
    assert set(layer.starts) <= set(layer.parameters(inputs))


FRESH = {nn.BatchNorm2d: (4,), nn.BatchNorm1d: (5,), nn.LayerNorm: (FLAT,), nn.PReLU: (4,)}


@pytest.mark.parametrize("frequency", [1.0, 30.0, 0.5])
def test_a_sine_has_a_frequency(frequency, generator):
    layer, x = Activation(kind="sine", frequency=frequency), torch.randn(2, 3, 5, generator=generator)

    assert_close(layer.run(x, {}, Pass("tanh")), torch.sin(frequency * x))
    assert_close(layer.module((5,), "tanh", 0.0)(x), torch.sin(frequency * x))


def test_channel_k_goes_to_channel_before_plus_k(generator):
    x = torch.randn(2, 3, *IMAGE, generator=generator)

    padded = PadChannels("x", before=2, after=1).run(x, {}, Pass("tanh"))

    assert torch.equal(padded[:, :, 2:6], x)
    assert not padded[:, :, :2].any() and not padded[:, :, 6:].any()


@pytest.mark.parametrize("groups", [1, 3])
def test_gradients_of_a_population_are_those_of_its_models(groups, generator):
    layer = Conv("x", width=6, kernel=(2, 3), dilation=(2, 1), groups=groups)
    shape = layer.parameters((3, 7, 6))["weight"]
    weight = torch.randn(2, *shape, generator=generator, dtype=torch.float64, requires_grad=True)
    own = {"weight": weight, "bias": torch.zeros(2, 6, dtype=torch.float64)}
    x = torch.randn(4, 1, 3, 7, 6, generator=generator, dtype=torch.float64)
    layer.run(x, own, Pass("tanh")).square().sum().backward()

    for model in range(2):
        module = layer.module((3, 7, 6), "tanh", 0.0).double()
        module.load_state_dict({part: values[model].detach() for part, values in own.items()})
        module(x[:, 0]).square().sum().backward()
        assert_close(weight.grad[model], module.weight.grad)


# -- as data -----------------------------------------------------------------------------------------------------------


def test_one_number_and_an_equal_pair_are_the_same_layer():
    assert Conv("x", kernel=(3, 3), stride=(2, 2)) == Conv("x", kernel=3, stride=2)
    assert hash(MaxPool(kernel=(2, 2), padding=(1, 1))) == hash(MaxPool(kernel=2, padding=1))
    assert Conv("x", kernel=(3, 2)) != Conv("x", kernel=(2, 3)) != Conv("x", kernel=3)
    assert MaxPool() != AveragePool() and MaxPool() == MaxPool()


def test_stores_know_networks_by_the_same_words_as_before_there_were_these_settings():
    words = repr(digits_cnn())

    assert words.startswith(
        "Architecture(name='digits_cnn', image=(1, 8, 8), layers=("
        "Conv(name='conv1', source=None, units='', width=8, kernel=3, stride=1, padding=0, bias=True), "
        "MaxPool(name='', source=None, kernel=2, stride=None), Activation(name='', source=None, kind=None), "
        "Dropout(name='', source=None), "
    )
    assert words.endswith("bias=True)), activation='tanh')")
    assert repr(PadChannels("p", width=3)) == "PadChannels(name='p', source=None, units='', width=3, stride=1)"
    assert repr(Conv("a", groups=2)).endswith("bias=True, groups=2)")
    assert repr(Activation(kind="sine", frequency=30.0)).endswith("kind='sine', frequency=30.0)")


def test_different_layers_have_different_words():
    layers = [layer for layer, *_ in KINDS.values()]

    assert len({repr(layer) for layer in layers}) == len(set(layers))


# -- settings that cannot be ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    ("make", "inputs", "message"),
    [
        (lambda: Conv("a", width=6, groups=3), IMAGE, "Conv a shares 4 channels and 6 units among 3 groups"),
        (lambda: Conv("a", width=6, groups=4), IMAGE, "6 units among 4 groups; the groups must divide both"),
        (lambda: Conv("a", groups=0), IMAGE, "Conv a has too small a number of groups"),
        (lambda: Conv("a", groups=(2, 2)), IMAGE, r"has \(2, 2\) as its number of groups"),
        (lambda: Conv("a", dilation=0), IMAGE, "too small a dilation"),
        (lambda: Conv("a", dilation=4), IMAGE, r"a kernel of 3 \(dilation 4\) does not fit into 7x6"),
        (lambda: Conv("a", kernel=(2, 7)), IMAGE, r"a kernel of \(2, 7\) does not fit into 7x6"),
        (lambda: Conv("a", kernel=(2, 0)), IMAGE, "too small a kernel"),
        (lambda: Conv("a", padding=-1), IMAGE, "too small a padding"),
        (lambda: Conv("a", padding=(0, -1)), IMAGE, "too small a padding"),
        (lambda: Conv("a", kernel=(1, 2, 3)), IMAGE, r"has \(1, 2, 3\) as its kernel"),
        (lambda: Conv("a", kernel=[3, 2]), IMAGE, r"has \[3, 2\] as its kernel"),
        (lambda: Conv("a", stride=1.5), IMAGE, "has 1.5 as its stride; a layer's sizes are whole numbers"),
        (lambda: Conv("a", width=True), IMAGE, "has True as its width"),
        (lambda: MaxPool(padding=2), IMAGE, "MaxPool has a padding of 2 for a kernel of 2; .* half"),
        (lambda: AveragePool(kernel=(2, 1), padding=(0, 1)), IMAGE, "half of a kernel at most"),
        (lambda: AveragePool(kernel=(8, 1)), IMAGE, r"AveragePool: a kernel of \(8, 1\) does not fit into 7x6"),
        (lambda: AveragePool(stride=0), IMAGE, "too small a stride"),
        (lambda: AveragePool(), FLAT, "AveragePool reads channels x height x width, but gets flat features"),
        (lambda: Activation(frequency=30.0), FLAT, "has a frequency, which only the kind 'sine' knows, not None"),
        (lambda: Activation(kind="tanh", frequency=2.0), FLAT, "only the kind 'sine' knows, not 'tanh'"),
        (lambda: Activation(kind="sine", frequency=0.0), FLAT, "has the frequency 0.0; it is a finite number above 0"),
        (lambda: Activation(kind="sine", frequency=float("nan")), FLAT, "a finite number above 0"),
        (lambda: Activation(kind="swish"), FLAT, "There is no activation 'swish'; choose one of tanh, relu"),
        (lambda: PadChannels("p"), IMAGE, "PadChannels p needs a width, or how many channels of zeros come after"),
        (lambda: PadChannels("p", before=2), IMAGE, "needs a width"),
        (lambda: PadChannels("p", width=5, before=2), IMAGE, "makes 5 channels out of 4; .* give a width of 6 or more"),
        (lambda: PadChannels("p", width=8, before=1, after=1), IMAGE, "makes 8 channels, but 1 before, 4 .* are 6"),
        (lambda: PadChannels("p", before=-1, after=1), IMAGE, "too small a number of zeros before"),
        (lambda: PadChannels("p", after=-1), IMAGE, "too small a number of zeros after"),
        (lambda: PadChannels("p", after=1), FLAT, "PadChannels p reads channels"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, inputs, message):
    with pytest.raises(ValueError, match=message) as caught:
        make().shape(inputs)
    assert "\n" not in str(caught.value)


def test_layers_with_weights_need_a_name():
    for layer in (LayerNorm(), PReLU()):
        with pytest.raises(ValueError, match="has weights or units of its own, so it needs a name"):
            Architecture("net", (1, 2, 2), (layer, Flatten(), Linear("fc", width=2)))


# -- in training ---------------------------------------------------------------------------------------------------


def small(*layers: Layer) -> Architecture:
    """Those layers over images of 2 x 6 x 5, and a linear one on top."""
    return Architecture("small", (2, 6, 5), (*layers, Flatten(), Linear("top", units="classes", width=3)), "tanh")


FIRST = (Conv("first", width=4, kernel=2), Activation())
NEW = {
    "groups": ((Conv("g", width=4, groups=2), Activation()), "a Conv in groups"),
    "depthwise": ((*FIRST, Conv("g", width=4, groups=4), Activation()), "a Conv in groups"),
    "dilation": ((*FIRST, Conv("d", width=3, kernel=2, dilation=2)), "a dilated Conv"),
    "kernel of a pair": ((Conv("k", width=3, kernel=(3, 2), padding=(1, 0)),), "a Conv with unequal sides"),
    "stride of a pair": ((Conv("k", width=3, stride=(1, 2)),), "a Conv with unequal sides"),
    "padding of a pair": ((Conv("k", width=3, padding=(1, 0)),), "a Conv with unequal sides"),
    "pool with padding": ((*FIRST, MaxPool(kernel=3, stride=2, padding=1)), "a MaxPool with padding"),
    "pool of a pair": ((*FIRST, MaxPool(kernel=(2, 1))), "a MaxPool with unequal sides"),
    "stride of a pool": ((*FIRST, MaxPool(kernel=2, stride=(1, 2))), "a MaxPool with unequal sides"),
    "average pool": ((*FIRST, AveragePool(kernel=3, stride=2, padding=1)), "layers of kind AveragePool"),
    "layer norm": ((*FIRST, LayerNorm("n"), Flatten(), LayerNorm("m")), "layers of kind LayerNorm"),
    "prelu": ((*FIRST[:1], PReLU("p"), PReLU("q", shared=True)), "layers of kind PReLU"),
    "frequency": ((*FIRST[:1], Activation(kind="sine", frequency=3.0)), "an Activation with a frequency"),
    "identity": (
        (*FIRST, Identity("skip"), Conv("c", units="first", width=4, padding=1), Add(other="skip")),
        "layers of kind Identity",
    ),
    "channels of zeros": (
        (PadChannels("pad", units="wide", before=1, after=1), Conv("c", units="wide", width=4, padding=1))
        + (Add(other="pad"),),
        "layers of kind PadChannels",
    ),
}


@pytest.mark.parametrize(("layers", "why"), NEW.values(), ids=NEW)
def test_the_compiled_engine_leaves_to_torch_what_it_does_not_know(layers, why, caplog):
    net = small(*layers)

    assert uncovered(net) == f"small has {why}"
    assert resolve_engine("auto", net) == "torch" and not caplog.text
    assert resolve_engine("numba", net) == "torch" and why in caplog.text


def test_equal_pairs_are_compiled():
    layers = (Conv("c", width=3, kernel=(2, 2), padding=(1, 1)), MaxPool(kernel=(2, 2), stride=(1, 1)))

    assert resolve_engine("auto", small(*layers)) == "numba"


@pytest.mark.parametrize("layers", [layers for layers, _ in NEW.values()], ids=NEW)
def test_torch_and_plain_pytorch_train_the_same_models(layers, generator):
    net = small(*layers)
    images = some_images(net.image, net.num_classes, train=20, test=5)
    start = 0.3 * torch.randn(2, net.layout.size, generator=generator)
    design = grid(seeds=2, optimizer="sgd", activation="tanh", lr=0.01)
    one, other = (
        train_population(net, images, design, epochs=1, batch_size=8, start=start, engine=engine, progress=False)
        for engine in ("torch", "sequential")
    )

    assert (one.weights[:, 1] != one.weights[:, 0]).float().mean() > 0.8  # but for weights that read zeros
    assert_close(one.weights, other.weights, atol=1e-5, rtol=1e-4)
    assert one.table["test_loss"].tolist() == pytest.approx(other.table["test_loss"].tolist(), rel=1e-4)


@pytest.mark.parametrize("layers", [layers for layers, _ in NEW.values()], ids=NEW)
def test_work_is_counted_per_weight_and_place(layers):
    net = small(*layers)
    convolutions = [step for step in net.steps if isinstance(step.layer, Conv)]
    counted = sum(
        sum(p.numel() for n, p in step.layer.module(step.inputs, "tanh", 0.0).named_parameters() if n == "weight")
        * step.outputs[1]
        * step.outputs[2]
        for step in convolutions
    )

    assert multiply_adds(net).forward == counted + net.steps[-1].inputs[0] * 3


@pytest.mark.parametrize("name", [*ARCHITECTURES, *TOYS])
def test_networks_with_one_row_of_classes_are_trained(name):
    assert resolve_engine("torch", network_called(name)) == "torch"


def test_a_network_with_several_heads_is_refused(tetris_images):
    layers = (Flatten("flat"), Linear("a", width=4), Linear("b", source="flat", width=4))
    net = Architecture("forked", (1, 4, 4), layers, heads=("a", "b"))

    for engine in ("auto", "torch", "sequential", "numba"):
        with pytest.raises(ValueError, match="forked has the heads a, b, .* cross-entropy of one row of classes"):
            train_population(net, tetris_images, grid(seeds=1), epochs=1, engine=engine, progress=False)
    assert uncovered(net) == "forked names its heads, a, b"
