"""Losses equal their formulas written as loops, and padding has no part in them."""

from __future__ import annotations

from math import exp, log, nan, sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close
from toys import TOYS, network

from hyperlib.representations.losses import (
    CONTRASTS,
    layerwise_cells,
    mixed,
    nt_xent,
    nt_xent_models,
    positive_intended,
    positive_released,
    real_cells,
    reconstruction,
    reconstruction_r2,
)
from hyperlib.weightspace.architectures import ARCHITECTURES
from hyperlib.weightspace.layout import Layout
from hyperlib.weightspace.tokens import Tokenizer

NAMES = [name for name in (*ARCHITECTURES, *TOYS) if name != "wide_mlp"]


# -- agreement of two views --------------------------------------------------------------------------------------------


def cosine(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum() / ((one * one).sum().sqrt() * (other * other).sum().sqrt())


def nt_xent_by_hand(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """The formula, anchor by anchor."""
    everything = [*first, *second]
    total = torch.zeros((), dtype=first.dtype)
    for anchor, one in enumerate(everything):
        partner = (anchor + len(first)) % len(everything)
        others = [(cosine(one, other) / temperature).exp() for k, other in enumerate(everything) if k != anchor]
        total = total - ((cosine(one, everything[partner]) / temperature).exp() / sum(others)).log()
    return total / len(everything)


def two(batch: int, width: int, generator: torch.Generator, **kind) -> tuple[Tensor, Tensor]:
    kind = {"dtype": torch.float64, "requires_grad": True} | kind
    return tuple(torch.randn(batch, width, generator=generator, **kind) for _ in range(2))


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("batch", [1, 2, 3, 7, 16])
def test_nt_xent_and_its_gradient_are_those_of_the_formula(batch, temperature, generator):
    first, second = two(batch, 5, generator)

    found, expected = nt_xent(first, second, temperature), nt_xent_by_hand(first, second, temperature)

    assert_close(found, expected)
    for one, other in zip(*(torch.autograd.grad(loss, (first, second)) for loss in (found, expected)), strict=True):
        assert_close(one, other)


def test_gradients_agree_with_differences(generator):
    for contrast in CONTRASTS.values():
        assert torch.autograd.gradcheck(lambda a, b, loss=contrast: loss(a, b, 0.3), two(4, 3, generator))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 9), st.integers(1, 6), st.floats(0.05, 5), st.integers(0, 2**16))
def test_nt_xent_does_not_depend_on_lengths_on_order_or_on_which_view_is_first(batch, width, temperature, seed):
    generator = torch.Generator().manual_seed(seed)
    first, second = two(batch, width, generator, requires_grad=False)
    loss, order = nt_xent(first, second, temperature), torch.randperm(batch, generator=generator)
    lengths = 0.1 + 10 * torch.rand(batch, 1, generator=generator, dtype=torch.float64)

    assert_close(nt_xent(second, first, temperature), loss)
    assert_close(nt_xent(first * lengths, second / lengths, temperature), loss)
    assert_close(nt_xent(first[order], second[order], temperature), loss)
    assert_close(loss, nt_xent_by_hand(first, second, temperature))


@pytest.mark.parametrize("models", [[0, 0, 0, 0], [0, 0, 1, 2], [5, 2, 5, 2], [3, 1, 0, 2]])
def test_with_models_all_views_of_a_model_are_partners(models, generator):
    first, second = two(4, 5, generator)
    every, of = [*first, *second], models * 2

    total = torch.zeros((), dtype=first.dtype)
    for anchor, one in enumerate(every):
        shares = {k: (cosine(one, other) / 0.3).exp() for k, other in enumerate(every) if k != anchor}
        partners = [k for k in shares if of[k] == of[anchor]]
        total = total - sum((shares[k] / sum(shares.values())).log() for k in partners) / len(partners)

    assert_close(nt_xent_models(first, second, 0.3, torch.tensor(models)), total / 8)


def test_with_every_row_a_model_of_its_own_other_epochs_are_negatives_as_before(generator):
    first, second = two(6, 4, generator)

    for models in (None, torch.tensor([4, 0, 9, 1, 7, 2])):
        assert_close(nt_xent_models(first, second, 0.2, models), nt_xent(first, second, 0.2))


def test_nt_xent_of_views_that_tell_nothing_and_of_views_that_tell_all():
    same = torch.ones(8, 3)
    assert_close(float(nt_xent(same, same)), log(15))
    apart = torch.eye(8)
    assert_close(float(nt_xent(apart, apart)), log(1 + 14 * exp(-10)), rtol=1e-4, atol=1e-7)
    assert nt_xent(same[:1], -same[:1]) == 0  # a batch of one has nothing to be told from


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_embeddings_are_compared_in_full(dtype, generator):
    first, second = (view.to(dtype) for view in two(16, 8, generator, requires_grad=False))

    for contrast in CONTRASTS.values():
        found = contrast(first, second, 0.1)

        assert found.dtype == torch.float32
        assert_close(found.double(), contrast(first.double(), second.double(), 0.1), rtol=1e-5, atol=1e-6)


def test_autocast_does_not_round_the_cosines(generator):
    first, second = two(16, 8, generator, dtype=torch.float32)
    expected = nt_xent(first, second)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = nt_xent(first, second)

    assert torch.equal(found, expected)


def test_an_embedding_of_zeros_has_a_finite_loss_and_gradient(generator):
    for contrast in CONTRASTS.values():
        first, second = two(4, 3, generator, dtype=torch.float32, requires_grad=False)
        first[1] = 0
        loss = contrast(first.requires_grad_(), second, 0.1)
        loss.backward()

        assert torch.isfinite(loss) and torch.isfinite(first.grad).all()


def test_both_readings_of_the_positive_loss_are_their_formulas(generator):
    first, second = two(6, 4, generator, requires_grad=False)
    cosines = [float(cosine(one, other)) for one, other in zip(first, second, strict=True)]

    assert_close(float(positive_intended(first, second)), sum(1 - c for c in cosines) / 6)
    released = sum((c / 0.2) ** 2 for c in cosines) / 6 / 12
    assert_close(float(positive_released(first, second, 0.2)), released)


def test_the_intended_reading_pulls_views_together_and_the_released_one_makes_them_orthogonal():
    view, across = torch.eye(3)[:2], torch.eye(3)[1:]

    assert [float(positive_intended(view, other)) for other in (view, across, -view)] == [0, 1, 2]
    found = [float(positive_released(view, other)) for other in (view, across, -view)]
    assert found[1] == 0 and found[0] == found[2] > 0
    assert_close(found[0], 100 / 4)

    moving = torch.tensor([[1.0, 0.5]], requires_grad=True)
    for loss, towards in ((positive_intended, True), (positive_released, False)):
        moving.grad = None
        loss(moving, torch.tensor([[1.0, 0.0]])).backward()
        after = cosine((moving - 1e-4 * moving.grad)[0], torch.tensor([1.0, 0.0]))
        assert (after > cosine(moving[0], torch.tensor([1.0, 0.0]))) == towards


def test_views_that_are_no_pair_are_refused():
    for contrast in CONTRASTS.values():
        for first, second in (
            (torch.ones(3, 2), torch.ones(2, 2)),
            (torch.ones(3), torch.ones(3)),
            (torch.ones(0, 2), torch.ones(0, 2)),
        ):
            with pytest.raises(ValueError, match="two embeddings"):
                contrast(first, second, 0.1)
        for temperature in (0.0, -1.0, nan):
            with pytest.raises(ValueError, match="temperature is above 0"):
                contrast(torch.ones(3, 2), torch.ones(3, 2), temperature)


# -- reconstruction ----------------------------------------------------------------------------------------------------


def tokens_of(name: str, generator: torch.Generator, width: int | None = None) -> tuple[Tokenizer, Tensor, Tensor]:
    """A tokenizer, weights of three networks, and what a decoder says, padding too."""
    tokenizer = Tokenizer(network(name).layout, width)
    weights = torch.randn(3, tokenizer.layout.size, generator=generator, dtype=torch.float64)
    return tokenizer, weights, torch.randn(3, *tokenizer.shape, generator=generator, dtype=torch.float64)


def errors_by_hand(tokenizer: Tokenizer, weights: Tensor, output: Tensor) -> dict[int, list[float]]:
    """Squared errors of all real weights, by layer."""
    errors: dict[int, list[float]] = {}
    target, mask = tokenizer.encode(weights).tolist(), tokenizer.mask.tolist()
    layers = tokenizer.positions[:, 1].tolist()
    for said, true in zip(output.tolist(), target, strict=True):
        for token, layer in enumerate(layers):
            for cell, real in enumerate(mask[token]):
                if real:
                    errors.setdefault(layer, []).append((said[token][cell] - true[token][cell]) ** 2)
    return errors


@pytest.mark.parametrize("width", [None, 6])
@pytest.mark.parametrize("name", NAMES)
def test_reconstruction_is_the_mean_over_real_weights(name, width, generator):
    tokenizer, weights, output = tokens_of(name, generator, width)

    found = reconstruction(output, tokenizer.encode(weights), real_cells(tokenizer.mask))

    every = [error for errors in errors_by_hand(tokenizer, weights, output).values() for error in errors]
    assert_close(float(found), sum(every) / len(every), rtol=1e-6, atol=0)
    assert_close(float(found), float(reconstruction(tokenizer.decode(output), weights)), rtol=1e-6, atol=0)


@pytest.mark.parametrize("width", [None, 6])
@pytest.mark.parametrize("name", NAMES)
def test_layerwise_reconstruction_is_the_published_equation_in_both_readings(name, width, generator):
    tokenizer, weights, output = tokens_of(name, generator, width)
    deviation = torch.rand(len(tokenizer.layers), generator=generator, dtype=torch.float64) + 0.1
    errors = errors_by_hand(tokenizer, weights, output)
    scaled = {layer: [e / (float(deviation[layer]) + 1e-4) ** 2 for e in own] for layer, own in errors.items()}
    expected = {
        "global_mean": sum(sum(own) for own in scaled.values()) / sum(len(own) for own in scaled.values()),
        "layer_mean": sum(sum(own) / len(own) for own in scaled.values()) / len(scaled),
    }

    for reduction, value in expected.items():
        on_tokens = layerwise_cells(tokenizer.mask, tokenizer.positions[:, 1:2], deviation, reduction=reduction)
        real = torch.ones(tokenizer.layout.size, dtype=torch.bool)
        on_weights = layerwise_cells(real, tokenizer.layer_of, deviation, reduction=reduction)

        found = reconstruction(output, tokenizer.encode(weights), on_tokens)
        assert_close(float(found), value, rtol=1e-6, atol=0)
        assert_close(float(reconstruction(tokenizer.decode(output), weights, on_weights)), value, rtol=1e-6, atol=0)


@pytest.mark.parametrize("reduction", ["global_mean", "layer_mean"])
def test_layerwise_reconstruction_is_plain_error_of_standardised_weights(reduction, generator):
    tokenizer, weights, _ = tokens_of("digits_cnn", generator)
    scale, said = tokenizer.scale(weights), weights + torch.randn(weights.shape, generator=generator).double()
    real, between = torch.ones(weights.shape[1], dtype=torch.bool), scale.standardise(said) - scale.standardise(weights)

    counts = layerwise_cells(real, tokenizer.layer_of, scale.deviation, reduction=reduction, floor=0)

    squares = between.square().mean(0)
    expected = squares.mean()
    if reduction == "layer_mean":
        expected = torch.stack([squares[tokenizer.layer_of == n].mean() for n in range(4)]).mean()
    assert_close(reconstruction(said, weights, counts), expected)


def test_the_readings_agree_for_layers_of_one_size_and_not_otherwise(generator):
    for other, agree in ((2, 3), True), ((5,), False):
        tokenizer = Tokenizer(Layout.of_shapes({"a.weight": (3, 2), "b.weight": other}))
        cells = [
            layerwise_cells(tokenizer.mask, tokenizer.positions[:, 1:2], torch.tensor([1.0, 2.0]), reduction=reduction)
            for reduction in ("global_mean", "layer_mean")
        ]
        assert torch.allclose(*cells) == agree


def test_a_layer_whose_weights_are_all_masked_has_no_part(generator):
    tokenizer = Tokenizer(network("residual_net").layout)
    mask = tokenizer.mask & tokenizer.learned[:, None]  # without running statistics
    deviation = torch.ones(len(tokenizer.layers))

    counts = layerwise_cells(mask, tokenizer.positions[:, 1:2], deviation, reduction="layer_mean", floor=0)

    assert_close(float(counts.sum()), 1.0)
    assert torch.equal(counts > 0, mask)


@pytest.mark.parametrize("inside", [nan, float("inf"), 1e30])
@pytest.mark.parametrize("layerwise", [False, True])
def test_padding_has_neither_a_loss_nor_a_gradient(inside, layerwise, generator):
    tokenizer, weights, output = tokens_of("small_cnn_1ch", generator)
    target, mask = tokenizer.encode(weights), tokenizer.mask
    deviation = torch.full((5,), 0.5)
    counts = layerwise_cells(mask, tokenizer.positions[:, 1:2], deviation) if layerwise else real_cells(mask)
    spoiled = torch.where(mask, output, inside).requires_grad_()

    loss = reconstruction(spoiled, target, counts)
    loss.backward()

    assert_close(loss, reconstruction(output, target, counts))
    assert not spoiled.grad[:, ~mask].any() and spoiled.grad[:, mask].all()


def test_the_gradient_of_a_reconstruction_agrees_with_differences(generator):
    tokenizer, weights, output = tokens_of("tetris_mlp", generator)
    target, deviation = tokenizer.encode(weights), torch.tensor([0.5, 2.0], dtype=torch.float64)
    counts = layerwise_cells(tokenizer.mask, tokenizer.positions[:, 1:2], deviation, reduction="layer_mean")

    assert torch.autograd.gradcheck(lambda said: reconstruction(said, target, counts), output.requires_grad_())


def test_without_counts_it_is_the_plain_mean_squared_error(generator):
    output, target = torch.randn(4, 2, 9, generator=generator), torch.randn(4, 2, 9, generator=generator)

    assert_close(reconstruction(output, target), torch.nn.functional.mse_loss(output, target))


def test_leading_axes_are_networks(generator):
    tokenizer, weights, output = tokens_of("tetris_mlp", generator)
    target, counts = tokenizer.encode(weights), real_cells(tokenizer.mask)

    alone = torch.stack([reconstruction(output[n : n + 1], target[n : n + 1], counts) for n in range(3)])

    assert_close(reconstruction(output, target, counts), alone.mean())
    assert_close(reconstruction(output[:, None], target[:, None], counts), alone.mean())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_outputs_are_squared_in_full(dtype, generator):
    tokenizer, weights, output = tokens_of("tetris_mlp", generator)
    output, target = output.to(dtype), tokenizer.encode(weights).to(dtype)

    found = reconstruction(output, target, real_cells(tokenizer.mask))

    assert found.dtype == torch.float32
    error = (output - target).double()[:, tokenizer.mask]
    assert_close(float(found), float(error.square().mean()), rtol=1e-5, atol=0)


def test_explained_share_is_1_for_a_copy_and_0_for_the_mean(generator):
    tokenizer, weights, output = tokens_of("digits_cnn", generator)
    target, mean = tokenizer.encode(weights), tokenizer.encode(weights.mean(0))
    counts = real_cells(tokenizer.mask)

    assert reconstruction_r2(target, target, mean, counts) == 1
    assert reconstruction_r2(mean.expand_as(target), target, mean, counts) == 0
    expected = 1 - sum(
        float(((tokenizer.decode(one) - other) ** 2).sum()) for one, other in zip(output, weights, strict=True)
    ) / float(((weights - weights.mean(0)) ** 2).sum())
    assert_close(reconstruction_r2(output, target, mean, counts), expected, rtol=1e-6, atol=0)
    assert_close(reconstruction_r2(tokenizer.decode(output), weights, weights.mean(0)), expected, rtol=1e-6, atol=0)
    with pytest.raises(ValueError, match="nothing to explain"):
        reconstruction_r2(output, mean.expand_as(target), mean, counts)


def test_what_does_not_fit_a_reconstruction_is_refused():
    ones = torch.ones(2, 9, 16)
    for output, target in ((ones, ones[:1]), (ones[:0], ones[:0])):
        with pytest.raises(ValueError, match="must be alike and not empty"):
            reconstruction(output, target)
    with pytest.raises(ValueError, match=r"Counts \[16, 9\] do not fit"):
        reconstruction(ones, ones, torch.ones(16, 9))
    for mask in (torch.zeros(3, dtype=torch.bool), torch.ones(3)):
        with pytest.raises(ValueError, match="boolean and True somewhere"):
            real_cells(mask)
        with pytest.raises(ValueError, match="boolean and True somewhere"):
            layerwise_cells(mask, torch.zeros(3, dtype=torch.int64), torch.ones(1))


def test_layers_that_do_not_fit_are_refused():
    mask, layers, deviation = torch.ones(3, dtype=torch.bool), torch.tensor([0, 1, 1]), torch.ones(2)

    with pytest.raises(ValueError, match="no reduction 'mean'"):
        layerwise_cells(mask, layers, deviation, reduction="mean")
    for wrong in (layers[:2], layers[:, None], layers + 1, layers - 1):
        with pytest.raises(ValueError, match=r"number the cells \[3\] from 0 to 1"):
            layerwise_cells(mask, wrong, deviation)
    with pytest.raises(ValueError, match="units of 0"):
        layerwise_cells(mask, layers, torch.tensor([1.0, 0.0]), floor=0)


# -- both --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.0, 0.05, 0.5, 1.0])
def test_gamma_is_the_share_of_the_contrast(gamma):
    contrast, rest = torch.tensor(2.0, requires_grad=True), torch.tensor(5.0, requires_grad=True)

    loss = mixed(contrast, rest, gamma)
    loss.backward()

    assert_close(float(loss.detach()), gamma * 2 + (1 - gamma) * 5)
    assert [float(part.grad or 0) for part in (contrast, rest)] == pytest.approx([gamma, 1 - gamma])


def test_a_part_without_weight_need_not_be_there_nor_be_a_number():
    for nothing in (None, torch.tensor(nan)):
        assert mixed(torch.tensor(2.0), nothing, 1.0) == 2 and mixed(nothing, torch.tensor(5.0), 0.0) == 5


def test_a_mix_of_nothing_is_refused():
    for gamma in (-0.1, 1.1, nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            mixed(torch.tensor(1.0), torch.tensor(1.0), gamma)
    with pytest.raises(ValueError, match=r"With gamma 0.5 the contrast counts"):
        mixed(None, torch.tensor(1.0), 0.5)
    with pytest.raises(ValueError, match=r"With gamma 0.0 the reconstruction counts"):
        mixed(torch.tensor(1.0), None, 0.0)


def test_a_decoder_that_always_says_the_layers_mean_has_a_layerwise_loss_of_one(generator):
    tokenizer = Tokenizer(network("small_cnn_1ch").layout)
    weights = torch.randn(50, tokenizer.layout.size, generator=generator) * (tokenizer.layer_of + 1) ** sqrt(2)
    scale = tokenizer.scale(weights)
    counts = layerwise_cells(tokenizer.mask, tokenizer.positions[:, 1:2], scale.deviation, floor=0)

    mean = scale.mean[tokenizer.layer_of].expand(50, -1)
    loss = reconstruction(tokenizer.encode(mean), tokenizer.encode(weights), counts)

    assert_close(float(loss), 1.0, rtol=1e-4, atol=0)
