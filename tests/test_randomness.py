"""Random numbers depend on their key alone: not on neighbours, order, process or population size."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy import stats

from hyperlib.weightspace.randomness import draws, key, normal, orders, uniform

WORD = 2**64


class SplitMix64:
    """The generator of Steele, Lea and Flood (2014) in whole numbers of Python."""

    def __init__(self, state: int) -> None:
        self.state = state

    def __call__(self) -> int:
        self.state = (self.state + 0x9E3779B97F4A7C15) % WORD
        return self.mix(self.state)

    @staticmethod
    def mix(bits: int) -> int:
        bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) % WORD
        bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) % WORD
        return bits ^ (bits >> 31)


def test_the_reference_is_splitmix64_as_published():
    stream = SplitMix64(1234567)

    assert [stream() for _ in range(3)] == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize("seed", [0, 1, 1234567, 2**63 - 1, -1, -(2**63)])
def test_draws_are_the_upper_bits_of_splitmix64(seed):
    stream = SplitMix64(seed % WORD)

    assert draws(torch.tensor([seed]), 50)[0].tolist() == [stream() >> 11 for _ in range(50)]


@pytest.mark.parametrize("path", [(), (0,), (2, 7), (3, 50, 12, 4), (2**63,), (-1,)])
def test_keys_are_hashes_of_seed_and_path(path):
    for seed in (0, 5, 2**53 - 1, -3):
        expected = SplitMix64.mix((seed + 0x9E3779B97F4A7C15) % WORD)
        for number in path:
            expected = SplitMix64.mix(expected ^ SplitMix64.mix((number + 1) * 0x9E3779B97F4A7C15 % WORD))
        assert int(key([seed], *path)[0]) % WORD == expected


def test_another_process_draws_the_same():
    code = (
        "from hyperlib.weightspace.randomness import *; k = key([7, 8], 2, 3);"
        "print(draws(k, 3).tolist(), uniform(k, 3).tolist(), orders(k, 5).tolist())"
    )
    keys = key([7, 8], 2, 3)
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()

    assert found == f"{draws(keys, 3).tolist()} {uniform(keys, 3).tolist()} {orders(keys, 5).tolist()}"


@pytest.mark.parametrize("draw", [draws, uniform, normal, orders])
def test_a_row_does_not_depend_on_its_neighbours(draw):
    seeds = list(range(20))
    whole = draw(key(seeds, 1), 33)
    mixed = draw(key([13, 4], 1), 33)

    assert torch.equal(draw(key(seeds[::-1], 1), 33), whole.flip(0))
    torch.testing.assert_close(mixed, whole[[13, 4]], rtol=1e-15, atol=1e-15)
    assert torch.equal(draw(key([13], 1), 33)[0], mixed[0])


def test_fewer_draws_are_the_first_of_more():
    keys = key(range(3))

    assert torch.equal(uniform(keys, 10), uniform(keys, 40)[:, :10])


def test_a_hundred_thousand_seeds_have_as_many_keys():
    keys = torch.cat([key(range(100_000), 1), key(range(100_000), 2), key(range(-100_000, 0), 1)])

    assert len(keys.unique()) == 300_000


def test_every_place_of_the_path_leads_to_another_stream():
    paths = [(a, b, c) for a in range(4) for b in range(12) for c in range(12)]
    first = {path: tuple(draws(key([1, 2], *path), 2).flatten().tolist()) for path in paths}
    shorter = {
        tuple(draws(key([1, 2], *path[:length]), 2).flatten().tolist()) for path in paths for length in (0, 1, 2)
    }

    assert len(set(first.values())) == len(paths)
    assert not shorter & set(first.values())


def test_uniform_is_uniform():
    values = uniform(key(range(200)), 1000)

    assert float(values.min()) >= 0 and float(values.max()) < 1
    assert stats.kstest(values.flatten().numpy(), "uniform").pvalue > 1e-3
    assert abs(float(values.mean()) - 0.5) < 5 * (1 / 12) ** 0.5 / values.numel() ** 0.5


def test_normal_is_normal():
    values = normal(key(range(200)), 1001).flatten().numpy()

    assert np.isfinite(values).all()
    assert stats.kstest(values, "norm").pvalue > 1e-3
    assert abs(values.mean()) < 5 / len(values) ** 0.5 and abs(values.var() - 1) < 5 * (2 / len(values)) ** 0.5


def test_neighbouring_seeds_and_draws_are_uncorrelated():
    values = uniform(key(range(400)), 400) - 0.5
    for other in (values.roll(1, 0), values.roll(1, 1), values.roll((1, 1), (0, 1))):
        assert abs(float((values * other).mean() * 12)) < 5 / 400


def test_orders_are_permutations_and_equally_likely():
    found = orders(key(range(24_000)), 4)

    assert torch.equal(found.sort(1).values, torch.arange(4).expand(24_000, 4))
    numbers = (found * torch.tensor([64, 16, 4, 1])).sum(1)
    counts = np.unique(numbers.numpy(), return_counts=True)[1]
    assert len(counts) == 24 and stats.chisquare(counts).pvalue > 1e-3


def test_every_epoch_has_an_order_of_its_own():
    found = torch.stack([orders(key(range(5), 2, epoch), 50) for epoch in range(6)])

    assert len(found.flatten(0, 1).unique(dim=0)) == 30
