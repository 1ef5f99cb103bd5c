"""Initial weights have the published distributions, and a model's are its own."""

from __future__ import annotations

import pytest
import torch
from scipy import stats
from torch import nn
from torch.testing import assert_close
from toys import network

from hyperlib.weightspace.architectures import digits_cnn, small_cnn, tetris_mlp
from hyperlib.weightspace.initialisation import INITIALISATIONS, initial_weight
from hyperlib.weightspace.layout import Slot
from hyperlib.weightspace.randomness import key

SLOTS = {"conv": Slot("conv", "weight", 0, (6, 8, 5, 5)), "linear": Slot("fc", "weight", 0, (20, 36))}
MODELS = 200


def drawn(slot: Slot, how: str, std: float = 1.0, models: int = MODELS) -> torch.Tensor:
    return initial_weight(slot, key(range(models)), how, torch.full((models,), std, dtype=torch.float64))


def bound_of_torch(slot: Slot, how: str) -> tuple[str, tuple[float, float]]:
    """The distribution that `torch.nn.init` documents, found by asking torch for its fans and gains."""
    weight = torch.empty(slot.shape)
    fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(weight)
    if how.startswith("kaiming"):
        std = nn.init.calculate_gain("relu") / fan_in**0.5
    else:
        std = (2.0 / (fan_in + fan_out)) ** 0.5
    return ("uniform", (-(3**0.5) * std, 2 * 3**0.5 * std)) if how.endswith("uniform") else ("norm", (0, std))


@pytest.mark.parametrize("slot", SLOTS.values(), ids=SLOTS)
@pytest.mark.parametrize("how", ["kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal"])
def test_scaled_schemes_are_those_of_torch(slot, how):
    name, arguments = bound_of_torch(slot, how)
    values = drawn(slot, how).flatten()
    theirs = torch.stack([getattr(nn.init, f"{how}_")(torch.empty(slot.shape)) for _ in range(50)])

    assert stats.kstest(values.numpy()[:50_000], name, arguments).pvalue > 1e-3
    assert_close(float(values.std()), float(theirs.std()), rtol=0.02, atol=0)
    if name == "uniform":
        assert_close(float(values.abs().max()), float(theirs.abs().max()), rtol=0.01, atol=0)


def test_uniform_and_normal_have_no_scale():
    slot = SLOTS["conv"]

    assert stats.kstest(drawn(slot, "uniform").flatten()[:50_000].numpy(), "uniform").pvalue > 1e-3
    assert stats.kstest(drawn(slot, "normal").flatten()[:50_000].numpy(), "norm").pvalue > 1e-3


def test_truncated_normal_is_cut_at_two_deviations():
    values = drawn(SLOTS["conv"], "truncated_normal", std=0.3).flatten()

    assert float(values.abs().max()) <= 0.6
    assert stats.kstest(values.numpy()[:50_000], stats.truncnorm(-2, 2, scale=0.3).cdf).pvalue > 1e-3


@pytest.mark.parametrize("shape", [(6, 8, 5, 5), (20, 36), (36, 20), (7, 7)])
def test_orthogonal_rows_or_columns_have_the_gains_length_and_are_at_right_angles(shape):
    slot = Slot("layer", "weight", 0, shape)
    matrices = drawn(slot, "orthogonal", std=1.5, models=4).unflatten(1, (shape[0], -1))
    small = matrices if shape[0] <= matrices.shape[2] else matrices.transpose(1, 2)

    expected = 1.5**2 * torch.eye(small.shape[1], dtype=torch.float64).expand(4, -1, -1)
    assert_close(small @ small.transpose(1, 2), expected)


def test_orthogonal_matrices_are_spread_evenly():
    """Without the sign correction of Saxe et al. a QR factor prefers one half of the rotations."""
    corner = drawn(Slot("layer", "weight", 0, (2, 2)), "orthogonal", models=4000).unflatten(1, (2, 2))
    angles = torch.atan2(corner[:, 1, 0], corner[:, 0, 0])

    assert stats.kstest((angles / (2 * torch.pi) + 0.5).numpy(), "uniform").pvalue > 1e-3


@pytest.mark.parametrize("how", ["normal", "truncated_normal", "orthogonal"])
def test_std_scales_the_schemes_without_a_scale_of_their_own(how):
    assert_close(drawn(SLOTS["linear"], how, std=0.25), 0.25 * drawn(SLOTS["linear"], how))


@pytest.mark.parametrize("how", ["uniform", "kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal"])
def test_std_leaves_the_others_alone(how):
    assert torch.equal(drawn(SLOTS["linear"], how, std=0.25), drawn(SLOTS["linear"], how))


@pytest.mark.parametrize("how", INITIALISATIONS)
def test_a_models_weights_do_not_depend_on_its_neighbours(how):
    net = small_cnn()
    whole = net.initialise(range(10), how)

    assert torch.equal(net.initialise([7, 2], how), whole[[7, 2]])
    assert torch.equal(net.initialise([7], how), whole[[7]])
    assert len(whole.unique(dim=0)) == 10


def test_mixed_schemes_are_each_rows_own():
    net = digits_cnn()
    hows = [*INITIALISATIONS, "uniform"]
    stds = [0.5 + number / 10 for number in range(len(hows))]
    mixed = net.initialise(range(9), hows, std=stds, bias=stds)

    for seed, (how, std) in enumerate(zip(hows, stds, strict=True)):
        assert torch.equal(mixed[[seed]], net.initialise([seed], how, std=std, bias=std))


def test_biases_are_the_constant_of_the_zoos():
    net = small_cnn()
    weights = net.initialise(range(3), "normal")
    for slot in net.slots:
        if slot.part == "bias":
            assert bool((weights[:, slot.start : slot.stop] == 0.01).all())
    assert bool((net.initialise([0], bias=-0.5)[0, -10:] == -0.5).all())


def test_layers_of_equal_shape_begin_differently():
    net = network("residual_net")
    state = net.layout.unflatten(net.initialise([0], "uniform")[0])

    assert not torch.equal(state["conv1.weight"][:2], state["conv2.weight"][:2, :2])


def test_norms_begin_as_the_identity():
    net = network("residual_net")
    state = net.layout.unflatten(net.initialise(range(2), "normal", bias=3.0))

    for norm in ("norm1", "norm2"):
        assert bool((state[f"{norm}.weight"] == 1).all()) and bool((state[f"{norm}.bias"] == 0).all())
        assert bool((state[f"{norm}.running_var"] == 1).all()) and bool((state[f"{norm}.running_mean"] == 0).all())


def test_initial_weights_are_single_precision_whatever_the_default():
    torch.set_default_dtype(torch.float64)
    try:
        assert tetris_mlp().initialise([1]).dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)


def test_no_seeds_give_no_models():
    assert tetris_mlp().initialise([]).shape == (0, 100)


def test_unknown_schemes_and_lists_of_another_length_are_refused():
    net = tetris_mlp()
    with pytest.raises(ValueError, match="no initialisation 'kaiming'; choose one of uniform, normal"):
        net.initialise([1, 2], "kaiming")
    with pytest.raises(ValueError, match="how has 1 values for 2 seeds"):
        net.initialise([1, 2], ["normal"])
    with pytest.raises(ValueError, match="std has 3 values for 2 seeds"):
        net.initialise([1, 2], std=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="bias has 3 values for 2 seeds"):
        net.initialise([1, 2], bias=[1.0, 2.0, 3.0])
