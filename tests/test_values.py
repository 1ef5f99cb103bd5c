"""What other people bring: arrays read backwards, in half precision, with gradients; whole numbers of NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import hyperlib
from hyperlib import (
    Augment,
    HyperRep,
    PrincipalComponents,
    Samples,
    Tokenizer,
    Zoo,
    agreement,
    align,
    canonical_index,
    class_scores,
    cosine,
    draw,
    evaluate,
    grid,
    l2,
    layer_statistics,
    load_images,
    small_cnn,
    spectra,
    tetris_mlp,
    train_population,
    verify_symmetry,
)  # fmt: skip
from hyperlib.tasks.barriers import compare_lines, ends_of_lines, some_pairs
from hyperlib.tasks.connectivity import bezier
from hyperlib.tasks.diversity import diversity
from hyperlib.tasks.recovery import planted_recovery
from hyperlib.tasks.spectral_training import eigenvalues_of, entropy_over_training
from hyperlib.tasks.trajectories import reach, recovered_order
from hyperlib.weightspace.randomness import key
from hyperlib.weightspace.similarity import cka
from hyperlib.weightspace.values import as_tensor, is_whole

NETWORK = tetris_mlp()

ODD = {  # the same numbers, in ways in which PyTorch takes no array
    "backwards": lambda values: values[::-1].copy()[::-1],
    "read only": lambda values: np.frombuffer(values.tobytes(), values.dtype).reshape(values.shape),
    "by columns": np.asfortranarray,
    "another byte order": lambda values: values.astype(values.dtype.newbyteorder()),
    "a list": lambda values: torch.from_numpy(values),
}


@pytest.fixture(params=ODD)
def odd(request) -> Callable[[np.ndarray], np.ndarray]:
    return ODD[request.param]


@pytest.fixture
def weights(tiny_zoo) -> np.ndarray:
    return tiny_zoo.weights[:, -1].numpy().copy()


def test_arrays_of_any_kind_are_the_same_numbers(odd, weights):
    taken = as_tensor(odd(weights))
    assert taken.dtype == torch.float32 and np.array_equal(taken.numpy(), weights)


def test_state_dicts_scales_and_images_take_them(odd, weights, tetris_images):
    row = torch.from_numpy(weights[0])
    state = {name: odd(values.numpy()) for name, values in NETWORK.layout.unflatten(row).items()}
    assert torch.equal(NETWORK.layout.flatten(state), row)
    std = np.arange(1.0, 4.0)
    drawn = NETWORK.initialise(odd(np.arange(3)), "normal", std=odd(std), bias=odd(std))
    assert torch.equal(drawn, NETWORK.initialise([0, 1, 2], "normal", std=std.tolist(), bias=std.tolist()))
    parts = ("train_x", "train_y", "test_x", "test_y")
    brought = {name: odd(getattr(tetris_images, name).numpy().copy()) for name in parts}
    assert replace(tetris_images, **brought).checksum == tetris_images.checksum


def test_a_plain_array_is_not_copied(weights):
    as_tensor(weights)[0, 0] = 7
    assert weights[0, 0] == 7


def test_zoos_samples_and_starts_take_them(odd, tiny_zoo, weights, tetris_images):
    zoo = Zoo(NETWORK, odd(tiny_zoo.weights.numpy().copy()), tiny_zoo.table)
    assert torch.equal(zoo.weights, tiny_zoo.weights)
    rows = tiny_zoo.table.iloc[: len(weights)]
    assert torch.equal(Samples(odd(weights), rows, NETWORK).weights, torch.from_numpy(weights))
    design = grid(seeds=len(weights))
    grown = train_population(NETWORK, tetris_images, design, epochs=0, start=odd(weights), progress=False)
    assert torch.equal(grown.weights[:, 0], torch.from_numpy(weights))


@pytest.mark.parametrize("engine", ["sequential", "torch", "numba"])
def test_a_design_read_backwards_grows_the_same_models(engine, tetris_images):
    design = grid(seeds=4, lr=[1e-3, 1e-2])
    backwards = {"epochs": 1, "engine": engine, "progress": False}
    zoo = train_population(NETWORK, tetris_images, design, **backwards)
    other = train_population(NETWORK, tetris_images, design.iloc[::-1], **backwards)
    torch.testing.assert_close(other.weights.flip(0), zoo.weights)


READERS = {
    "align": lambda w, x, y: align(NETWORK, w[0], w).weights,
    "align activations": lambda w, x, y: align(NETWORK, w[0], w, method="activations", images=x).weights,
    "layer_statistics": lambda w, x, y: layer_statistics(w, NETWORK.layout).float(),  # in the type of w
    "l2": lambda w, x, y: l2(w),
    "cosine": lambda w, x, y: cosine(w),
    "cka": lambda w, x, y: cka(NETWORK.logits(w, x)),
    "agreement": lambda w, x, y: agreement(NETWORK.logits(w, x)),
    "spectra": lambda w, x, y: pd.DataFrame(spectra(w, NETWORK.layout)),
    "canonical_index": lambda w, x, y: canonical_index(NETWORK, w),
    "evaluate": lambda w, x, y: evaluate(NETWORK, w, x, y),
    "class_scores": lambda w, x, y: class_scores(NETWORK, w, x),
    "logits": lambda w, x, y: NETWORK.logits(w, x).detach(),
    "reach": lambda w, x, y: reach(w[None]),
    "recovered_order": lambda w, x, y: recovered_order(w[None]),
    "bezier": lambda w, x, y: bezier(NETWORK, w[:2], w[2:4], x, y, steps=2),
    "compare_lines": lambda w, x, y: compare_lines(NETWORK, {"two": (w[:2], w[2:4])}, x, y, points=3)[1],
    "ends_of_lines": lambda w, x, y: compare_lines(
        NETWORK, ends_of_lines(NETWORK, w[:, None], some_pairs(len(w), 1), x, earlier=0), x, y, points=2
    )[0],
}


@pytest.mark.parametrize("kind", ["gradients", "half", "bfloat16", "double"])
@pytest.mark.parametrize("reader", READERS)
def test_weights_of_any_kind_are_read(reader, kind, weights, tetris_images):
    kinds = {"half": torch.float16, "bfloat16": torch.bfloat16, "double": torch.float64}
    brought = torch.from_numpy(weights).to(kinds.get(kind, torch.float32))
    brought.requires_grad_(kind == "gradients")
    found = READERS[reader](brought, tetris_images.test_x, tetris_images.test_y)
    for part in found if isinstance(found, tuple) else [found]:
        assert len(np.asarray(part))  # as a plot, or a table, would take it


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.uint8, torch.int64])
def test_images_of_any_type_are_seen_in_that_of_the_weights(dtype, weights, tetris_images):
    images = (tetris_images.test_x * 3).round().abs()
    seen = NETWORK.logits(torch.from_numpy(weights), images.to(dtype))
    torch.testing.assert_close(seen, NETWORK.logits(torch.from_numpy(weights), images))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32])
def test_labels_of_any_whole_type_are_labels(dtype, weights, tetris_images):
    given = NETWORK, torch.from_numpy(weights), tetris_images.test_x
    ours, theirs = (evaluate(*given, y) for y in (tetris_images.test_y.to(dtype), tetris_images.test_y))
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_half_weights_answer_as_the_same_numbers_in_full(weights, tetris_images):
    half = torch.from_numpy(weights).half()
    assert torch.equal(NETWORK.logits(half, tetris_images.test_x), NETWORK.logits(half.float(), tetris_images.test_x))


@pytest.mark.parametrize("kind", [int, np.int64, np.int8, np.uint16])
def test_whole_numbers_of_any_kind_are_taken(kind, tiny_zoo, tetris_images):
    n, samples = kind(3), tiny_zoo.samples()
    assert is_whole(n, 3) and not is_whole(n, 4)
    sizes = {"latent": n, "width": kind(8), "heads": kind(2), "hidden": n, "depth": kind(1)}
    plan = {"steps": n, "batch_size": kind(8), "per_model": kind(2), "validations": kind(1), "seed": n}
    rep = HyperRep(NETWORK, **sizes, **plan, projection=(kind(1), n, n), augment=Augment(fixed_views=kind(1)))
    plain = HyperRep(NETWORK, **{name: int(value) for name, value in (sizes | plan).items()}, projection=(1, 3, 3),
                     augment=Augment(fixed_views=1))  # fmt: skip
    ours, theirs = (one.fit(samples, groups=samples.table["model"]).embed(samples) for one in (rep, plain))
    assert np.array_equal(ours, theirs)
    assert PrincipalComponents(n).fit(samples).embed(samples).shape == (len(samples), 3)
    assert len(grid(seeds=n)) == len(draw(n, seed=n)) == 3
    parts = zip(tiny_zoo.split(seed=n), tiny_zoo.split(seed=3), strict=True)
    assert all(np.array_equal(part.models, other.models) for part, other in parts)
    assert Tokenizer(NETWORK.layout, width=n).shape == Tokenizer(NETWORK.layout, width=3).shape
    assert load_images("tetris", seed=n).checksum == load_images("tetris", seed=3).checksum
    grown = train_population(NETWORK, tetris_images, grid(), epochs=kind(1), seed=n, batch_size=kind(8), progress=False)
    assert len(grown.epochs) == 2


SEEDED = {
    "pairs": lambda n, w, x, y: some_pairs(n(6), n(3), seed=n(3)),
    "bend": lambda n, w, x, y: bezier(NETWORK, w[:1], w[1:2], x, y, steps=n(2), batch_size=n(8), seed=n(3)),
    "ends": lambda n, w, x, y: ends_of_lines(
        NETWORK, w[:, None], some_pairs(4, 1), x, earlier=n(0), restarts=n(1), seed=n(3)
    )["own copy"][1],
    "recovery": lambda n, w, x, y: planted_recovery([(n(4), n(2))], restarts=[n(1)], trials=n(2), seed=n(3)),
    "symmetry": lambda n, w, x, y: verify_symmetry(NETWORK, x, models=n(2), seed=n(3))["difference"],
    "key": lambda n, w, x, y: key([n(3)], n(2), n(1)),
    "subset": lambda n, w, x, y: load_images("tetris").subset(n(9), n(5)).train_y,
    "architecture": lambda n, w, x, y: small_cnn(n(1)).initialise([n(1)]),
}


@pytest.mark.parametrize("kind", [np.int64, np.int8, np.uint16])
@pytest.mark.parametrize("drawn", SEEDED)
def test_what_is_drawn_depends_on_the_number_and_not_on_its_kind(drawn, kind, weights, tetris_images):
    given = torch.from_numpy(weights), tetris_images.test_x, tetris_images.test_y
    ours, plain = (np.asarray(SEEDED[drawn](number, *given)) for number in (kind, int))
    np.testing.assert_array_equal(ours, plain)


@pytest.mark.parametrize("seed", [1.5, "3", None, True])
@pytest.mark.usefixtures("no_shape_checks")
def test_a_seed_that_is_no_whole_number_is_said(seed):
    with pytest.raises(ValueError, match="A seed is a whole number"):
        some_pairs(4, 2, seed=seed)


@pytest.mark.parametrize("image", [(28, 28), (1, 4.5, 4), (0, 4, 4)])
@pytest.mark.usefixtures("no_shape_checks")
def test_an_image_that_has_no_three_whole_sides_is_said(image):
    with pytest.raises(ValueError, match="reads images of .channels, height, width., not of"):
        replace(NETWORK, image=image)


@pytest.mark.parametrize("value", [True, np.True_, 3.0, np.float64(3), "3", None, 2**63])
def test_what_is_no_whole_number_is_none(value):
    assert not is_whole(value)


@pytest.mark.parametrize(("models", "by"), [(3, "model"), (4, "model"), (5, "model"), (7, "model"), (3, "seed")])
def test_a_split_has_no_empty_part_while_there_are_models_enough(models, by, tiny_zoo):
    parts = tiny_zoo.take(range(models)).split(by=by)
    assert all(len(part.spread(6)) for part in parts) and sum(map(len, parts)) == models


def test_a_split_that_has_no_empty_part_is_that_of_the_released_code(tiny_zoo):
    """Shuffled by Python's generator, cut at 70 and 85 %."""
    import random

    order = list(range(20))
    random.Random(42).shuffle(order)
    cut = [sorted(order[a:b]) for a, b in ((0, 14), (14, 17), (17, 20))]
    assert [part.models.tolist() for part in tiny_zoo.split()] == cut


def test_too_few_models_for_a_split_are_said(tiny_zoo):
    with pytest.raises(ValueError, match="2 different values of 'seed' cannot be split into 3 parts"):
        tiny_zoo.take([0, 1]).split(by="seed")
    assert [len(part) for part in tiny_zoo.take([0, 1]).split((0.5, 0.0, 0.5))] == [1, 0, 1]


def test_a_zoo_without_models_has_no_checkpoints_and_no_error(tiny_zoo):
    none = tiny_zoo.take([])
    assert len(none) == len(none.samples()) == len(none.spread(6)) == len(none.design) == 0
    assert len(entropy_over_training(none.samples())) == len(eigenvalues_of(none.samples(), "fc1")) == 0
    with pytest.raises(ValueError, match="no models"):
        diversity(none, load_images("tetris"))
    assert hyperlib.Zoo.__repr__(none).startswith("Zoo(tetris_mlp: 0 models")
