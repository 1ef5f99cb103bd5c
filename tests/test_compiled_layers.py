"""Every layer of the compiled engine, forward and backward, against PyTorch's own modules in double precision.

One step of SGD leaves the loss's gradient in its running mean, so that nothing private has to be called. And the places
that a program gives to values and gradients: what is needed at the same time never shares a place.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor
from toys import network, some_images

from hyperlib.images.images import Images
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.architectures import ARCHITECTURES
from hyperlib.weightspace.layers import (
    ACTIVATIONS,
    Activation,
    Add,
    Conv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    Linear,
    MaxPool,
)
from hyperlib.zoos.design import grid
from hyperlib.zoos.engines.choice import COMPILED_LAYERS, resolve_engine, uncovered
from hyperlib.zoos.engines.compiled import NumbaTrainer
from hyperlib.zoos.engines.kernels.lanes import LANES
from hyperlib.zoos.engines.kernels.program import ADD, AVERAGE, BEND, LAYER_KINDS, LINEAR, PASS_ON, POOL, Program
from hyperlib.zoos.engines.trainer import Block

CLASSES = 3
BATCHES = (1, 3, 10, 32, 33)
MODELS = 2
COVERED = [name for name in ARCHITECTURES if "3ch" not in name and not uncovered(network(name))]


def trainer_of(
    net: Architecture, images: Images, *, models: int = MODELS, batch_size: int = 8, **factors
) -> NumbaTrainer:
    design = grid(**{"seeds": models, "optimizer": "sgd", "activation": net.activation} | factors)
    block = Block(net, images, design, batch_size, 0, torch.device("cpu"))
    return NumbaTrainer(block, block.initial_weights())


def network_of(image: tuple[int, int, int], *layers: Layer, activation: str = "tanh") -> Architecture:
    """Those layers, and a linear one on top that tells every place apart."""
    return Architecture("drawn", image, (*layers, Flatten(), Linear("top", units="classes", width=CLASSES)), activation)


def exact(net: Architecture, weights: Tensor, x: Tensor, y: Tensor) -> tuple[float, Tensor]:
    """Mean loss of one model and its gradient, by `torch.nn` in double precision."""
    module = net.module(weights).double()
    loss = F.cross_entropy(module(x.double()), y)
    loss.backward()
    gradients = {name: parameter.grad for name, parameter in module.named_parameters()}
    gradients = {name: torch.zeros(net.layout[name].shape) if g is None else g for name, g in gradients.items()}
    return float(loss.detach()), torch.cat([gradients[slot.name].flatten().double() for slot in net.slots])


def assert_exact(net: Architecture, batch: int, *, whole: bool = False) -> None:
    """Loss, gradient and margins after one batch; `whole` numbers make ties that are ties in any precision."""
    images = some_images(net.image, CLASSES, train=batch, test=2, seed=batch)
    trainer = trainer_of(net, images, batch_size=batch, lr=0.1)
    if whole:
        images.train_x.round_()
        below = net.layout["below.bias"].stop
        trainer.held[:, :below] = np.random.default_rng(batch).integers(-2, 3, (MODELS, below))
    weights = torch.from_numpy(trainer.held.copy())
    before, _ = trainer.evaluate(images.train_x, images.train_y)
    losses, _ = trainer.train_epoch(1)

    for model in range(MODELS):
        loss, gradient = exact(net, weights[model], images.train_x, images.train_y)
        assert float(losses[model]) == pytest.approx(loss, rel=1e-5, abs=1e-6)
        assert float(before[model]) == pytest.approx(loss, rel=1e-5, abs=1e-6)
        scale = float(gradient.abs().max())
        rounding = 1e-5  # of a probability near 1 in single precision, times inputs and weights that are larger than 1
        np.testing.assert_allclose(trainer.first[model], gradient, rtol=1e-4, atol=1e-5 * scale + rounding)
    assert_margins_are_zero(trainer)


def assert_margins_are_zero(trainer: NumbaTrainer) -> None:
    inside = np.zeros(trainer.program.size // LANES, bool)
    places = regions(trainer.program)
    for region in places:
        inside[region.own] = True
    for region in places:
        margin = region.all[~inside[region.all]]
        assert not trainer.workspace.reshape(-1, LANES)[margin].any()


# -- one kind of layer at a time ---------------------------------------------------------------------------------


@given(
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    channels=st.integers(1, 7),
    width=st.integers(1, 7),
    sides=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    bias=st.booleans(),
    bent=st.booleans(),
    first=st.booleans(),
    batch=st.sampled_from(BATCHES),
)
@settings(max_examples=200, deadline=None)
def test_a_convolution_of_any_shape(kernel, stride, padding, channels, width, sides, bias, bent, first, batch):
    assume(min(sides) + 2 * padding >= kernel)
    below = () if first else (Conv("below", width=channels, kernel=1), *([Activation()] if bent else []))
    conv = Conv("conv", width=width, kernel=kernel, stride=stride, padding=padding, bias=bias)
    assert_exact(network_of((channels if first else 2, *sides), *below, conv, Activation()), batch)


@given(
    kernel=st.integers(1, 4),
    stride=st.sampled_from([None, 1, 2, 3, 5]),
    channels=st.integers(1, 4),
    sides=st.tuples(st.integers(4, 9), st.integers(4, 9)),
    bent=st.booleans(),
    whole=st.booleans(),
    batch=st.sampled_from(BATCHES),
)
@settings(max_examples=120, deadline=None)
def test_a_maximum_over_windows_that_part_overlap_or_leave_gaps(kernel, stride, channels, sides, bent, whole, batch):
    """Among equal values the first one gets the gradient, as in PyTorch."""
    below = (Conv("below", width=channels, kernel=1), *([Activation()] if bent else []))
    net = network_of((2, *sides), *below, MaxPool(kernel=kernel, stride=stride), activation="leaky_relu")
    assert_exact(net, batch, whole=whole)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("widths", [(1, 1), (2, 3), (5, 7), (6, 4), (13, 10), (20, 17)])
def test_linear_layers_of_any_width(widths, bias, batch):
    layers = (Flatten(), Linear("fc1", width=widths[0], bias=bias), Activation(), Linear("fc2", width=widths[1]))
    assert_exact(network_of((1, 5, 3), *layers), batch)


@pytest.mark.parametrize("batch", [1, 10, 33])
@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_every_activation_between_maps_with_margins_and_between_features(kind, batch):
    layers = (Conv("conv1", width=3, kernel=2), Activation(kind=kind), Conv("conv2", width=2, kernel=3, padding=1))
    features = (Activation(kind=kind), Flatten(), Linear("fc", width=5), Activation(kind=kind))
    assert_exact(network_of((2, 6, 5), *layers, *features), batch)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("padding", [0, 2])
def test_the_mean_over_places_with_and_without_margins(padding, batch):
    layers = (Conv("conv1", width=4, kernel=1), Conv("conv2", width=5, kernel=3, padding=padding), GlobalAveragePool())
    assert_exact(network_of((2, 5, 7), *layers, Linear("fc", width=4), Activation()), batch)


def stream(name: str, **settings) -> Conv:
    return Conv(name, units="stream", width=3, kernel=3, padding=1, **settings)


ADDITIONS = {
    "with the image": (Conv("a", units="image", width=2, kernel=3, padding=1), Add("sum", other="image")),
    "the image with a convolution": (
        Conv("a", units="image", width=2, kernel=1),
        Add("sum", source="image", other="a"),
    ),
    "with itself": (stream("a"), Add("sum", other="a")),
    "residual": (stream("a"), Activation("b"), stream("c"), Add("sum", other="b")),
    "residual without activation": (stream("a"), stream("c"), Add("sum", other="a")),
    "of two branches": (stream("a"), Activation("b"), stream("c", source="image"), Add("sum", other="b")),
    "three readers": (
        *(stream("a"), Activation("b"), stream("c"), Add("one", other="b")),
        *(stream("d", source="b"), Add("two", other="one"), Add("three", other="b")),
    ),
    "chain": (stream("a"), stream("b"), Add("one", other="a"), stream("c"), Add("two", other="one")),
}


@pytest.mark.parametrize("batch", [1, 10, 33])
@pytest.mark.parametrize("after", [(), (Activation(),), (MaxPool(kernel=2, stride=1),), (stream("last"),)])
@pytest.mark.parametrize("layers", ADDITIONS.values(), ids=ADDITIONS)
def test_additions_share_the_gradient_among_all_summands(layers, after, batch):
    assert_exact(network_of((2, 5, 4), *layers, *after, activation="silu"), batch)


@pytest.mark.parametrize("batch", [1, 10, 33])
def test_a_map_that_a_padded_convolution_reads_can_be_flattened(batch):
    heads = (Linear("side", units="classes", width=CLASSES), Flatten(source="b"))
    top = (Linear("top", units="classes", width=CLASSES), Add("sum", other="side"))
    layers = (Conv("a", width=3, kernel=2), Activation("b"), stream("c"), GlobalAveragePool(), *heads, *top)
    assert_exact(Architecture("padded", (2, 5, 6), layers), batch)


@pytest.mark.parametrize("batch", [1, 10, 33])
def test_the_image_itself_and_a_bare_convolution_can_be_flattened(batch):
    assert_exact(network_of((2, 5, 6), stream("a"), stream("b")), batch)
    heads = (GlobalAveragePool(), Linear("side", units="classes", width=CLASSES), Flatten(source="image"))
    top = (Linear("top", units="classes", width=CLASSES), Add("sum", other="side"))
    assert_exact(Architecture("image", (2, 5, 6), (stream("a"), *heads, *top)), batch)


# -- networks drawn at random --------------------------------------------------------------------------------------


def read_by(heads: list[Layer], layers: list[Layer]) -> list[Layer]:
    """Those of the layers that the heads depend on; a network has no others."""
    kept: list[Layer] = []
    for layer in reversed(layers):
        if layer.name in {name for after in (*kept, *heads) for name in (after.source, getattr(after, "other", ""))}:
            kept.insert(0, layer)
    return kept


@st.composite
def networks(draw: st.DrawFn) -> Architecture:
    """Layers of every kind that read any earlier map, and one to three rows of scores that are added."""
    maps: dict[str, tuple[tuple[int, ...], str]] = {
        "image": ((2, draw(st.integers(4, 7)), draw(st.integers(4, 7))), "image")
    }
    image, layers = maps["image"][0], []
    for number in range(draw(st.integers(1, 7))):
        name, source = f"m{number}", draw(st.sampled_from(sorted(maps)))
        shape, units = maps[source]
        kind = draw(st.sampled_from(["conv", "same", "pool", "bend", "drop", "add"]))
        others = [other for other, found in maps.items() if found == (shape, units)]
        if kind == "pool" and min(shape[1:]) > 1:
            layer = MaxPool(name, source, kernel=2, stride=draw(st.sampled_from([None, 1])))
        elif kind == "conv":
            kernel, padding = draw(st.integers(1, min(3, *shape[1:]))), draw(st.integers(0, 2))
            sizes = {"kernel": kernel, "padding": padding, "stride": draw(st.integers(1, 2))}
            layer, units = Conv(name, source, units=name, width=draw(st.integers(1, 4)), **sizes), name
        elif kind == "same":
            layer = Conv(name, source, units=units, width=shape[0], kernel=3, padding=1)
        elif kind == "add":
            layer = Add(name, source, other=draw(st.sampled_from(others)))
        elif kind == "drop":
            layer = Dropout(name, source)
        else:
            layer = Activation(name, source, kind=draw(st.sampled_from(["tanh", "silu", "sigmoid"])))
        layers.append(layer)
        maps[name] = (layer.shape(shape), units)
    heads = []
    for number in range(draw(st.integers(1, 3))):
        source = draw(st.sampled_from(sorted(maps)))
        heads.append(draw(st.sampled_from([Flatten, GlobalAveragePool]))(source=source))
        heads.append(Linear(f"scores{number}", units="classes", width=CLASSES))
        if number:
            heads.append(Add(f"sum{number}", other=f"sum{number - 1}" if number > 1 else "scores0"))
    return Architecture("drawn", image, (*read_by(heads, layers), *heads))


@given(net=networks(), batch=st.sampled_from(BATCHES))
@settings(max_examples=150, deadline=None)
@pytest.mark.slow
def test_a_network_drawn_at_random_has_pytorchs_gradient(net, batch):
    assert_exact(net, batch)


# -- places in the workspace ---------------------------------------------------------------------------------------


class Region:
    """The vectors of one value or gradient: `own` are its numbers, `all` also the zeros beside its rows."""

    def __init__(self, start: int, row: int, channels: int, height: int, width: int) -> None:
        rows = start + row * np.arange(channels * height)[:, None]
        margin = (row - width) // 2
        self.own = (rows + np.arange(width)).ravel()
        self.all = (rows - margin + np.arange(row)).ravel()
        self.key = (start, row, channels * height, width)


def regions(program: Program) -> list[Region]:
    """All values and gradients that the steps name, each once."""
    found: dict[tuple, Region] = {}
    for step in program.steps:
        groups, flat = step["groups"], step["layer"] == LINEAR
        sides = (step["channels"], step["height"], step["width"] * groups)
        outs = (step["out_channels"], step["out_height"], step["out_width"] * groups)
        row = groups if flat else step["row"]
        out_row = groups if step["layer"] == PASS_ON else step["out_row"]
        named = [(step["source"], row, *sides), (step["target"], out_row, *outs)]
        if step["learns"]:
            named.append((step["d_target"], out_row, *outs))
            named += [(step["d_source"], row, *sides)] if step["passes"] else []
            if step["layer"] == ADD and step["other_passes"]:
                named.append((step["d_other"], step["other_row"], *sides))
        if step["layer"] == ADD:
            named.append((step["other"], step["other_row"], *sides))
        for numbers in named:
            region = Region(*map(int, numbers))
            found[region.key] = region
    return list(found.values())


def assert_places_are_apart(net: Architecture, batch_size: int, drops: bool) -> None:
    program = Program(net, batch_size, drops)
    places = regions(program)
    for one, other in combinations(places, 2):
        same_numbers = len(one.own) == len(other.own) and set(one.own) == set(other.own)
        assert same_numbers or not np.intersect1d(one.all, other.all).size, (one.key, other.key)
    used = np.unique(np.concatenate([region.all for region in places]))
    factors = [
        np.arange(step["lines"] * step["length"]) + step["factors"]
        for step in program.steps
        if LAYER_KINDS[Dropout] == step["layer"]
    ]
    taken = np.concatenate([used, *factors])
    assert len(np.unique(taken)) == len(taken)
    assert taken.min() >= 0 and (taken.max() + 1) * LANES <= program.size
    own = np.concatenate([region.own for region in places])
    pixels = int(np.prod(net.image))
    assert len(np.unique(program.pixels[:pixels])) == pixels and len(program.pixels) % LANES == 0
    assert np.isin(program.pixels[:pixels], own).all() or not np.isin(program.pixels[:pixels], own).any()
    assert ((program.pixels >= 0) & ((program.pixels + program.groups) * LANES <= program.size)).all()
    for step in program.steps[program.steps["learns"] == 1]:
        if step["layer"] in (BEND, POOL):  # they ask for what they made, when its gradient is already there
            assert step["d_target"] != step["target"]
        overlaps = step["layer"] == POOL and step["stride"] != step["kernel"]
        if step["passes"] and (step["adds"] or overlaps):  # a gradient that grows must not eat the value
            assert step["d_source"] != step["source"]
    readers = [int(step["source"]) for step in program.steps if step["layer"] != AVERAGE]
    readers += [int(step["other"]) for step in program.steps if step["layer"] == ADD]
    for step in program.steps[program.steps["passes"] == 1]:
        if readers.count(int(step["source"])) > 1:  # the value is still needed when its first gradient comes
            assert step["d_source"] != step["source"]


@pytest.mark.parametrize("drops", [False, True])
@pytest.mark.parametrize("batch_size", [1, 32, 200])
@pytest.mark.parametrize("name", [*COVERED, "compiled_net", "odd_residual_net"])
def test_values_needed_at_the_same_time_have_places_of_their_own(name, batch_size, drops):
    assert_places_are_apart(network(name), batch_size, drops)


@given(net=networks(), batch_size=st.integers(1, 100), drops=st.booleans())
@settings(max_examples=100, deadline=None)
def test_values_of_drawn_networks_have_places_of_their_own(net, batch_size, drops):
    assert_places_are_apart(net, batch_size, drops)


def test_the_workspace_does_not_grow_with_the_population():
    net = network("digits_cnn")
    images = some_images(net.image, net.num_classes, train=20, test=5)
    few, many = (trainer_of(net, images, models=models) for models in (1, 300))
    many.train_epoch(1)

    assert few.workspace.size == many.workspace.size == few.program.size
    assert few.workspace.ctypes.data % 64 == 0


def test_the_engine_and_its_kernels_know_the_same_layers():
    assert set(COMPILED_LAYERS) == set(LAYER_KINDS)
    assert sorted(LAYER_KINDS.values()) == list(range(len(LAYER_KINDS)))
    assert resolve_engine("auto", network("compiled_net")) == "numba"
    assert resolve_engine("auto", network("padded_net")) == "torch"
    assert "wide_mlp" in COVERED and "small_resnet_1ch" not in COVERED
    assert {type(step.layer) for step in network("compiled_net").steps} == set(COMPILED_LAYERS)
