"""A network kept as data comes back as it was, and no data can do more than be refused."""

from __future__ import annotations

import copy
import json
import time
import tracemalloc
from dataclasses import dataclass, replace

import numpy as np
import pytest
from toys import TOYS, network

from hyperlib.weightspace import layers as kinds
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.architecture_record import (
    LARGEST_SIDE,
    LAYERS_LIMIT,
    RECORD_LIMIT,
    from_record,
    network_of,
    record_of,
    to_record,
)
from hyperlib.weightspace.architectures import ARCHITECTURES, LARGE_ARCHITECTURES, digits_cnn, resnet18, tetris_mlp
from hyperlib.weightspace.layers import (
    Activation,
    Add,
    AveragePool,
    Conv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Identity,
    Layer,
    LayerNorm,
    Linear,
    MaxPool,
    Norm,
    PadChannels,
    PReLU,
)


def own() -> Architecture:
    """Every kind of layer, and every setting away from its default."""
    layers = (
        Conv("conv.1", units="narrow", width=4, kernel=(3, 2), stride=(1, 2), padding=(1, 0), bias=False, groups=2),
        *(Norm("norm"), PReLU("prelu"), MaxPool(kernel=(2, 3), stride=1, padding=(1, 0)), Dropout(), Identity("fork")),
        Conv("conv.2", units="wide", width=8, dilation=(2, 1), padding=(2, 1)),
        PadChannels("pad", source="fork", units="wide", before=2, after=2),
        *(Add("sum", other="conv.2"), Activation(kind="sine", frequency=30.0), AveragePool(kernel=3, padding=1)),
        *(LayerNorm("layer norm"), PReLU("shared", shared=True), GlobalAveragePool(), Activation("bent", kind="gelu")),
        *(Flatten(), Linear("hidden", width=5, bias=False), Activation(), Linear("größe", units="classes", width=3)),
    )
    return Architecture("own", (2, 9, 16), layers, "relu")


def forked() -> Architecture:
    layers = (Flatten("flat"), Linear("a", width=4), Linear("b", source="flat", width=2))
    return Architecture("forked", (1, 4, 4), layers, heads=("a", "b"))


NETWORKS = {name: make for name, make in (ARCHITECTURES | LARGE_ARCHITECTURES | TOYS).items()}
NETWORKS |= {"own": own, "forked": forked}


# -- there and back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_a_network_comes_back_as_it_was(make):
    net = make()

    back = from_record(json.loads(json.dumps(to_record(net))))

    assert back == net and hash(back) == hash(net) and repr(back) == repr(net)
    assert back.layout == net.layout and back.steps == net.steps
    assert from_record(to_record(net.with_activation("silu"))) == net.with_activation("silu")


def test_every_kind_and_setting_of_a_layer_is_tried_here():
    tried = {type(layer) for layer in own().layers}
    known = {kind for kind in vars(kinds).values() if isinstance(kind, type) and issubclass(kind, Layer)}
    said = {(entry["layer"], setting) for entry in to_record(own())["layers"] for setting in entry}

    assert known - {Layer} == tried
    for kind in (Conv, MaxPool, PadChannels, Activation, PReLU, Linear):
        assert {(kind.__name__, name) for name in kind.later} <= said


def test_a_record_is_plain_data_without_what_goes_without_saying():
    assert to_record(tetris_mlp()) == {
        "kind": "layers",
        "name": "tetris_mlp",
        "image": [1, 4, 4],
        "activation": "tanh",
        "layers": [
            {"layer": "Flatten"},
            {"layer": "Linear", "name": "fc1", "width": 5, "bias": False},
            {"layer": "Activation"},
            {"layer": "Linear", "name": "fc2", "units": "classes", "width": 4, "bias": False},
        ],
    }
    assert to_record(forked())["heads"] == ["a", "b"]


@pytest.mark.usefixtures("no_shape_checks")
def test_numbers_out_of_an_array_are_kept_as_plain_ones():
    layers = (Conv("conv", width=np.int64(3), kernel=(np.int8(2), np.int8(1)), bias=np.bool_(True)), Flatten())
    net = Architecture("own", (1, 4, 4), (*layers, Linear("fc", width=np.uint8(2))))

    assert from_record(json.loads(json.dumps(to_record(net)))) == net


def test_our_own_networks_are_known_by_name_and_others_by_their_record():
    changed = replace(digits_cnn(), layers=own().layers, image=own().image)

    assert record_of(digits_cnn()) is record_of(digits_cnn().with_activation("relu")) is None
    assert network_of("digits_cnn", "relu", None) == digits_cnn().with_activation("relu")
    for net in (own(), changed):
        assert network_of(net.name, net.activation, record_of(net)) == net
    for name, activation in (("digits_cnn", "relu"), ("own", "tanh")):
        with pytest.raises(ValueError, match=f"A file of {name} with {activation} describes own with relu"):
            network_of(name, activation, record_of(own()))


# -- what no file can describe -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Strange(Layer):
    """A kind of the reader's own."""


class Mine(Architecture):
    """A network that may do more than its layers say."""


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: replace(own(), layers=(Strange(), *own().layers)), "kind Strange cannot be described in a file; use"),
        (lambda: replace(own(), name="n" * RECORD_LIMIT), f"characters to describe, and {RECORD_LIMIT} is most"),
        (lambda: replace(own(), layers=(Dropout(),) * LAYERS_LIMIT + own().layers), "of its form"),
        (lambda: replace(own(), name="\ud800"), "cannot be read as JSON"),
        (lambda: replace(tetris_mlp(), layers=(Flatten(), Linear("fc", width=2**31))), "A layer's width is a whole"),
        (lambda: Mine("mine", (1, 4, 4), tetris_mlp().layers), "mine is no list of layers"),
    ],
)
def test_what_could_not_be_read_back_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        to_record(make())


# -- hostile records -------------------------------------------------------------------------------------------------


def changed(**changes):
    return to_record(own()) | changes


def with_layer(place: int = 0, **changes):
    record = copy.deepcopy(to_record(own()))
    record["layers"][place] |= changes
    return record


def of_layers(*layers, image=(1, 4, 4), **more):
    return {"kind": "layers", "name": "x", "image": list(image), "activation": "tanh", "layers": list(layers)} | more


FLATTEN, FC = {"layer": "Flatten"}, {"layer": "Linear", "name": "fc", "width": 2}
HUGE = LARGEST_SIDE - 1
HOSTILE = {
    "nothing": {},
    "a list": [1, 2],
    "text": "digits_cnn",
    "none": None,
    "no kind": {name: value for name, value in to_record(own()).items() if name != "kind"},
    "another kind": changed(kind="python"),
    "code as kind": changed(kind="__import__('os')"),
    "a field more": changed(weights=[1]),
    "name of another type": changed(name=3),
    "no activation": changed(activation=None),
    "unknown activation": changed(activation="swish"),
    "flat image": changed(image=[784]),
    "image of no size": changed(image=[0, 9, 16]),
    "image of truth": changed(image=[True, 9, 16]),
    "huge image": changed(image=[2, 10**30, 16]),
    "no layers": changed(layers=[]),
    "layers by name": changed(layers={"conv": 1}),
    "too many layers": of_layers(FLATTEN, *[{"layer": "Dropout"}] * LAYERS_LIMIT, FC),
    "unknown head": changed(heads=["nobody"]),
    "heads as text": changed(heads="größe"),
    "unknown layer": with_layer(layer="Transformer"),
    "base as layer": with_layer(layer="Layer"),
    "module as layer": with_layer(layer="torch.nn.Conv2d"),
    "a setting more": with_layer(code="1"),
    "setting of another kind": with_layer(1, width=3),
    "a dunder": with_layer(__class__="os"),
    **{f"width {value!r}": with_layer(width=value) for value in (0, -4, 4.0, "4", None, True, [4], [4, 4], 2**31)},
    **{f"kernel {value!r}": with_layer(kernel=value) for value in (0, [3], [3, 2, 1], [3, 0], [3, "2"], 10**40)},
    **{f"groups {value!r}": with_layer(groups=value) for value in (0, 3, [2, 2], None)},
    **{f"padding {value!r}": with_layer(padding=value) for value in (-1, [-1, 0], 0.5, [2**31, 0])},
    "bias as number": with_layer(bias=1),
    **{f"frequency {value!r}": with_layer(9, frequency=value) for value in (0, -1, "30", float("nan"), 10**400, None)},
    "unknown source": with_layer(7, source="nowhere"),
    "itself as source": with_layer(7, source="pad"),
    "no name": with_layer(0, name=""),
    "a name twice": with_layer(1, name="conv.1"),
    "weights without end": of_layers(FLATTEN, FC | {"width": HUGE, "name": "a"}, FC | {"width": HUGE}),
    "places without end": of_layers(
        {"layer": "Conv", "name": "c", "padding": HUGE}, {"layer": "GlobalAveragePool"}, FC
    ),
    "channels without end": of_layers(
        {"layer": "PadChannels", "name": "p", "after": HUGE}, FLATTEN, FC, image=(1, HUGE, HUGE)
    ),
    "norm of an image without end": of_layers({"layer": "LayerNorm", "name": "n"}, FLATTEN, FC, image=(3, HUGE, HUGE)),
}


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize("record", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_record_is_refused_before_it_takes_memory(record):
    before = copy.deepcopy(record)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError) as caught:
            from_record(record)
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()
    assert str(caught.value) and "\n" not in str(caught.value)
    assert repr(record) == repr(before)


def mutated(value: object, generator: np.random.Generator) -> object:
    """Something else in its place."""
    others = [0, 1, -1, 2, 3, 2**31, 10**30, 1.5, True, None, "", "image", "conv.1", "x" * 50, [], [1, 2], {}, "Conv"]
    return [value, *others][int(generator.integers(len(others) + 1))]


def mutate(record: dict, generator: np.random.Generator) -> None:
    """Change one place of the record."""
    where, entry = record, record["layers"][int(generator.integers(len(record["layers"])))]
    if generator.random() < 0.8 and isinstance(entry, dict) and entry:
        where = entry
    name = sorted(where)[int(generator.integers(len(where)))]
    chance = generator.random()
    if chance < 0.2:
        del where[name]
    elif chance < 0.4:
        settings = ("kernel", "stride", "padding", "dilation", "groups", "before", "after", "source", "other", "kind")
        where[settings[int(generator.integers(len(settings)))]] = mutated(1, generator)
    elif chance < 0.5:
        layers = record["layers"]
        layers.insert(int(generator.integers(len(layers))), layers[int(generator.integers(len(layers)))])
    elif chance < 0.6:
        del record["layers"][int(generator.integers(len(record["layers"])))]
    else:
        where[name] = mutated(where[name], generator)


@pytest.mark.parametrize("make", [own, forked, digits_cnn, lambda: network("padded_net")])
def test_random_changes_of_a_record_make_another_network_or_are_refused(make):
    generator, kept, refused = np.random.default_rng(0), 0, 0
    whole, begun = json.dumps(to_record(make())), time.perf_counter()
    for _ in range(1500):
        record = json.loads(whole)
        for _ in range(int(generator.integers(1, 4))):
            if isinstance(record.get("layers"), list) and record["layers"]:
                mutate(record, generator)
        try:
            net = from_record(record)
        except ValueError as error:
            refused += 1
            assert "\n" not in str(error)
        else:
            kept += 1
            assert from_record(to_record(net)) == net
    assert kept > 20 and refused > 200
    assert time.perf_counter() - begun < 20


def test_the_largest_record_is_read_within_seconds():
    layers = [{"layer": "Linear", "name": f"l{number}", "width": 2} for number in range(LAYERS_LIMIT - 1)]
    times = []
    for _ in range(3):  # the quickest counts: the machine has other work
        begun = time.perf_counter()
        net = from_record(of_layers(FLATTEN, *layers))
        times.append(time.perf_counter() - begun)

    assert len(net.layers) == LAYERS_LIMIT and min(times) < 3, times


def test_a_record_of_a_large_network_is_short():
    assert len(json.dumps(to_record(resnet18()))) < 10_000
