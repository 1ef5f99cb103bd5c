"""Similarity of networks against naive references, pair by pair."""

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group
from torch.testing import assert_close

from hyperlib.weightspace.similarity import agreement, cka, cosine, l2


def naive_cka(x: np.ndarray, y: np.ndarray) -> float:
    """By centred Gram matrices over samples, the other way to write it."""
    centre = np.eye(len(x)) - 1 / len(x)
    k, m = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre
    return np.trace(k @ m) / np.sqrt(np.trace(k @ k) * np.trace(m @ m))


NAIVE = {
    cka: naive_cka,
    agreement: lambda x, y: np.mean([a.argmax() == b.argmax() for a, b in zip(x, y, strict=True)]),
    l2: lambda x, y: np.sqrt(((x - y) ** 2).sum()),
    cosine: lambda x, y: (x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()),
}
DIAGONAL = {cka: 1.0, agreement: 1.0, l2: 0.0, cosine: 1.0}
measures = pytest.mark.parametrize("measure", NAIVE, ids=lambda measure: measure.__name__)


def population(measure, models: int, seed: int = 0) -> torch.Tensor:
    shape = (models, 30, 4) if measure in (cka, agreement) else (models, 50)
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@measures
@pytest.mark.parametrize("budget", [1, 20_000, 2**28], ids=["one-by-one", "few", "all"])
def test_all_pairs_equal_a_naive_loop_in_blocks_of_any_size(measure, budget):
    models, others = population(measure, 7), population(measure, 5, seed=1)
    expected = [[NAIVE[measure](x, y) for y in others.double().numpy()] for x in models.double().numpy()]

    assert_close(measure(models, others, budget=budget).numpy(), np.array(expected), rtol=1e-10, atol=1e-12)


@measures
@pytest.mark.parametrize("budget", [1, 20_000, 2**28], ids=["one-by-one", "few", "all"])
def test_a_population_with_itself_is_symmetric_with_an_exact_diagonal(measure, budget):
    models = population(measure, 7)

    found = measure(models, budget=budget)

    assert torch.equal(found, found.T)
    assert found.diagonal().tolist() == [DIAGONAL[measure]] * 7
    assert_close(found, measure(models, models.clone()), rtol=1e-10, atol=1e-12)


@measures
def test_single_networks_lose_the_axis_of_models(measure):
    models = population(measure, 3)
    pairs = measure(models)

    assert measure(models[0], models[1]).shape == ()
    assert_close(measure(models[0], models[1]), pairs[0, 1])
    assert_close(measure(models, models[1]), pairs[:, 1])
    assert_close(measure(models[1], models), pairs[1])
    assert measure(models[0]) == DIAGONAL[measure]


@measures
def test_copies_are_as_similar_as_a_network_with_itself(measure):
    models = population(measure, 2)
    twins = torch.cat([models, models])

    found = measure(twins).diagonal(2)

    assert_close(found, torch.full_like(found, DIAGONAL[measure]), rtol=0, atol=1e-12)
    if measure is not cka:
        assert measure(twins, budget=1).diagonal(2).max() <= 1  # never beyond the best


@measures
def test_diverged_networks_are_refused(measure):
    models = population(measure, 3)
    models[1].flatten()[0] = torch.nan

    with pytest.raises(ValueError, match="finite.*diverged"):
        measure(models)
    with pytest.raises(ValueError, match="finite.*diverged"):
        measure(population(measure, 2), models)


@measures
def test_other_numbers_of_images_or_weights_are_refused(measure, no_shape_checks):
    models = population(measure, 3)

    with pytest.raises(ValueError, match=r"The two sides have (30 and 29 images|50 and 49 weights)"):
        measure(models, models[:, :-1])
    with pytest.raises(ValueError, match=r"Similarity compares \[models"):
        measure(models[None, None])
    with pytest.raises(ValueError, match=r"Similarity compares \[models"):
        measure(models[:, :0])


def test_cka_ignores_rotation_scale_and_shift_of_outputs():
    outputs = population(cka, 1)[0].double()
    rotation = torch.from_numpy(ortho_group.rvs(4, random_state=0))

    assert_close(cka(outputs, 3 * outputs @ rotation + 7), torch.tensor(1.0, dtype=torch.float64))
    assert cka(outputs, torch.randn_like(outputs)) < 0.9


def test_cka_compares_layers_of_different_width():
    outputs, hidden = population(cka, 3), torch.randn(2, 30, 9, generator=torch.Generator().manual_seed(1))

    found = cka(outputs, hidden)

    assert_close(found[2, 1].item(), naive_cka(outputs[2].double().numpy(), hidden[1].double().numpy()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_cka_is_undefined_for_a_network_that_ignores_its_input(dtype):
    outputs = population(cka, 40).to(dtype)
    outputs[20:] = torch.rand_like(outputs)[20:, :1]  # the same for every image; their mean need not round to it
    constant = torch.arange(40) >= 20

    assert torch.equal(cka(outputs).isnan(), constant[:, None] | constant)


def test_cosine_is_undefined_for_a_zero_vector_only():
    weights = torch.stack([torch.zeros(5), torch.ones(5), torch.full((5,), 1e-30), -torch.ones(5)])

    found = cosine(weights)

    assert found[0].isnan().all()
    assert_close(found[1:, 1:], torch.tensor([[1.0, 1, -1], [1, 1, -1], [-1, -1, 1]], dtype=torch.float64))


@pytest.mark.parametrize("step", [1e-2, 1e-4, 1e-6, 0.0])
def test_l2_stays_exact_for_networks_that_nearly_coincide(step):
    start = 100 * torch.randn(400, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    path = start + step * torch.arange(4)[:, None]

    expected = (path[:, None] - path[None]).norm(dim=-1)

    assert_close(l2(path), expected, rtol=1e-7, atol=0)


def test_agreement_counts_equal_decisions_whether_right_or_wrong(no_shape_checks):
    decisions = torch.tensor([[0, 1, 2, 0], [0, 1, 1, 1], [2, 2, 0, 1]])
    outputs = torch.nn.functional.one_hot(decisions, 3).float()

    assert agreement(outputs)[0].tolist() == [1.0, 0.5, 0.0]
    with pytest.raises(ValueError, match="same classes; these have 3 and 2"):
        agreement(outputs, outputs[..., :2])


def test_an_empty_population_has_no_pairs():
    assert l2(torch.zeros(0, 5)).shape == (0, 0)


@pytest.mark.parametrize(("ours", "theirs"), [(40, 40), (40, 3), (3, 40), (30, 30)])
@pytest.mark.parametrize("budget", [1, 20_000, 2**28])
def test_cka_is_the_same_whichever_side_is_the_smaller(ours, theirs, budget):
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(4, 30, width, generator=generator) for width in (ours, theirs))
    expected = [[naive_cka(x, y) for y in right.double().numpy()] for x in left.double().numpy()]
    assert_close(cka(left, right, budget=budget).numpy(), np.array(expected), rtol=1e-10, atol=1e-12)
    left[0] = left[0, :1]
    assert cka(left, right).isnan().any(1).tolist() == [True, False, False, False]
    assert cka(left).diagonal()[1:].eq(1).all()


def test_cka_of_very_many_features_keeps_to_its_budget():
    """64 samples x 32,768 features: products of features would take 8 GiB."""
    outputs = torch.randn(2, 64, 32_768, generator=torch.Generator().manual_seed(0))
    with torch.profiler.profile(profile_memory=True) as profile:
        found = cka(outputs)
    assert found.shape == (2, 2) and 0 < found[0, 1] < 1
    assert max(event.self_cpu_memory_usage for event in profile.events()) < 2**27
