"""Drawing many and keeping the good ones: what is kept is the best, and rounds do not make it worse."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from long_training import walks

from hyperlib.images.images import load_images
from hyperlib.tasks.connectivity import recalibrated
from hyperlib.tasks.generation import accuracies
from hyperlib.tasks.refinement import bootstrapped, by_accuracy, conditioned, subsampled
from hyperlib.tasks.sampling import KDE, Gaussian, Prior
from hyperlib.zoos.zoo import Samples


class Plain:
    """Weights are their own latents."""

    def latents(self, samples: Samples) -> np.ndarray:
        return samples.weights.numpy()

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(latents).float()


@pytest.fixture(scope="module")
def prompts() -> Samples:
    samples = walks("tetris_mlp", models=8, epochs=1)
    return Samples(samples.weights, samples.table.assign(activation="tanh"), samples.architecture)


def near_zero(samples: Samples) -> np.ndarray:
    return -samples.weights.square().sum(1).double().numpy()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_subsampling_keeps_the_best_of_what_the_sampler_draws(prompts):
    found = subsampled(Plain(), KDE("joint", 0.2), prompts, near_zero, seeded(), drawn=30, keep=4)
    drawn = KDE("joint", 0.2).fit(prompts.weights).sample(30, seeded())
    best = (-drawn.square().sum(1)).topk(4).indices

    assert torch.equal(found.weights, drawn[best])
    np.testing.assert_allclose(found.table["score"], near_zero(found))
    assert found.table["score"].is_monotonic_decreasing


def test_rounds_never_make_the_best_worse_and_in_the_end_make_it_better(prompts):
    kept = [
        bootstrapped(Plain(), KDE("joint", 0.2), prompts, near_zero, seeded(), rounds=n, drawn=20, keep=5).table
        for n in (1, 2, 4, 8)
    ]
    for before, after in zip(kept[:-1], kept[1:], strict=True):
        assert (after["score"].to_numpy() >= before["score"].to_numpy()).all()
    assert kept[-1]["score"].mean() > kept[0]["score"].mean() + 0.1
    assert kept[-1]["round"].max() > 0 and all(len(table) == 5 for table in kept)


def test_one_round_is_subsampling(prompts):
    one = bootstrapped(Plain(), Gaussian(), prompts, near_zero, seeded(), rounds=1, drawn=20, keep=5)
    other = subsampled(Plain(), Gaussian(), prompts, near_zero, seeded(), drawn=20, keep=5)
    assert torch.equal(one.weights, other.weights)


def test_as_released_it_returns_those_drawn_first_and_rounds_repeat_their_noise(prompts):
    known = {"rounds": 3, "drawn": 12, "keep": 4, "reading": "released"}
    found = bootstrapped(Plain(), KDE("joint", 0.2), prompts, near_zero, seeded(3), **known)

    latents, generator = prompts.weights, seeded(3)
    state = generator.get_state()
    for _ in range(3):
        generator.set_state(state)
        drawn = KDE("joint", 0.2).fit(latents).sample(12, generator)
        latents = drawn[(-drawn.square().sum(1)).topk(4).indices]
    assert torch.equal(found.weights, drawn[:4])
    ours = bootstrapped(Plain(), KDE("joint", 0.2), prompts, near_zero, seeded(3), **known | {"reading": "best"})
    assert ours.table["score"].mean() > found.table["score"].mean()


def test_without_prompts_rounds_begin_at_the_prior(prompts):
    def drawn(like: Samples, rounds: int) -> Samples:
        known = {"rounds": rounds, "drawn": 40, "keep": 5, "first": Prior(3.0)}
        return bootstrapped(Plain(), KDE("joint", 0.5), like, near_zero, seeded(), **known)

    one, many = drawn(prompts, 1), drawn(prompts, 9)
    same = drawn(Samples(prompts.weights + 100, prompts.table, prompts.architecture), 1)

    assert torch.equal(one.weights, same.weights)
    assert one.weights.std() == pytest.approx(3, rel=0.2)
    assert many.table["score"].mean() > one.table["score"].mean()


def test_a_score_that_is_not_a_number_is_the_worst(prompts):
    def odd(samples: Samples) -> np.ndarray:
        return np.where(np.arange(len(samples)) % 2 == 0, np.nan, near_zero(samples))

    found = subsampled(Plain(), KDE("joint", 0.2), prompts, odd, seeded(), drawn=10, keep=6)
    assert found.table["score"].notna().sum() == 5 and found.table["score"][:5].notna().all()


def test_accuracy_is_asked_of_the_images_that_are_named():
    images = load_images("digits")
    samples = walks("digits_cnn", models=5, epochs=1)
    samples.table["activation"] = "tanh"
    np.testing.assert_array_equal(by_accuracy(images, "test")(samples), accuracies(samples, images))
    assert not np.array_equal(by_accuracy(images)(samples), accuracies(samples, images))
    with pytest.raises(ValueError, match="parts train and test, not 'val'"):
        by_accuracy(images, "val")


def test_statistics_are_measured_before_networks_are_judged():
    samples = walks("small_resnet_1ch", models=4, epochs=1)
    samples.table["activation"] = samples.architecture.activation
    images = torch.rand(64, *samples.architecture.image, generator=seeded())
    seen = []

    def score(networks: Samples) -> np.ndarray:
        seen.append(networks.weights)
        return np.zeros(len(networks))

    found = subsampled(
        Plain(), KDE("joint", 0.02), samples, score, seeded(), drawn=6, keep=2, finish=conditioned(images)
    )
    again = recalibrated(samples.architecture, found.weights, images, batch_size=32)
    torch.testing.assert_close(found.weights, again)
    assert torch.equal(found.weights, seen[0][:2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keep": 0}, "some are kept"),
        ({"keep": 21}, "some are kept"),
        ({"drawn": 2.5}, "some are kept"),
        ({"rounds": 0}, "whole rounds from 1 on, not 0"),
        ({"reading": "first"}, "no reading 'first'; choose best or released"),
        ({"keep": 1}, "learns from 2 latents; keep so many, not 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(changes, message, prompts):
    known = {"rounds": 2, "drawn": 20, "keep": 3} | changes
    with pytest.raises(ValueError, match=message):
        bootstrapped(Plain(), KDE("joint", 0.2), prompts, near_zero, seeded(), **known)


def test_scores_of_another_shape_and_prompts_of_several_activations_are_refused(prompts):
    with pytest.raises(ValueError, match=r"one number per network, 4 here, not of shape \(2,\)"):
        subsampled(Plain(), KDE("joint", 0.2), prompts, lambda _: np.zeros(2), seeded(), drawn=4, keep=2)
    mixed = Samples(
        prompts.weights, prompts.table.assign(activation=["tanh", "relu"] * (len(prompts) // 2)), prompts.architecture
    )
    with pytest.raises(ValueError, match="have one activation"):
        subsampled(Plain(), KDE("joint", 0.2), mixed, near_zero, seeded(), drawn=4, keep=2)
