"""Views compute what the network computes, lose and gain only what they say, and are drawn as published."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from scipy.stats import chisquare, kstest
from toys import TOYS, network

from hyperlib.representations.augment import Augment, erasures, orbit
from hyperlib.weightspace.architectures import ARCHITECTURES
from hyperlib.weightspace.symmetry import orbit_size, permutation_index
from hyperlib.weightspace.tokens import Tokenizer

MOVABLE = [*ARCHITECTURES, *TOYS]


def some_weights(name: str, samples: int, generator: torch.Generator) -> torch.Tensor:
    architecture = network(name)
    weights = torch.randn(samples, architecture.layout.size, generator=generator)
    return torch.where(architecture.layout.learned, weights, weights.abs() + 0.5)  # a variance is positive


# -- permutations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MOVABLE)
def test_permuted_views_compute_the_same_and_differ(name, generator):
    architecture, weights = network(name), some_weights(name, 3, generator)
    images = torch.randn(2, *architecture.image, generator=generator)

    views = Augment().views(architecture, weights, generator)

    assert views.inputs.shape == (2, *weights.shape) and views.targets is views.inputs
    expected = architecture.logits(weights.double(), images.double())
    for view in views.inputs:
        assert not architecture.hidden or not torch.equal(view, weights)
        assert torch.equal(view.sort().values, weights.sort().values)
        torch.testing.assert_close(architecture.logits(view.double(), images.double()), expected)


def test_every_order_is_drawn_equally_often(generator):
    architecture = network("tetris_mlp")
    numbers = torch.arange(100.0).expand(6000, -1)
    for permute in (True, "orbit"):
        drawn = Augment(permute=permute).views(architecture, numbers, generator).inputs.flatten(0, 1)
        counts = drawn.unique(dim=0, return_counts=True)[1]

        assert len(counts) == 120
        assert chisquare(counts.numpy()).pvalue > 1e-3


def test_the_two_views_are_drawn_with_replacement(generator):
    numbers = torch.arange(100.0).expand(6000, -1)

    first, second = Augment(permute="orbit").views(network("tetris_mlp"), numbers, generator).inputs

    same = (first == second).all(-1).float().mean()
    assert 0.5 / 120 < same < 2 / 120


@pytest.mark.parametrize("name", ["tetris_mlp", "odd_residual_net"])
def test_the_orbit_lists_every_order_once_beginning_with_the_networks_own(name, generator):
    architecture, weights = network(name), some_weights(name, 1, generator)
    images = torch.randn(3, *architecture.image, generator=generator).double()

    index = orbit(architecture)

    assert len(index) == len(index.unique(dim=0)) == orbit_size(architecture)
    assert torch.equal(index[0], torch.arange(architecture.layout.size))
    scores = architecture.logits(weights[0].double()[index], images)
    torch.testing.assert_close(scores, scores[:1].expand_as(scores))


def test_the_orbit_of_one_group_is_in_the_order_of_a_dictionary():
    architecture = network("tetris_mlp")
    orders = torch.tensor(list(permutations(range(5))))

    assert torch.equal(orbit(architecture), permutation_index(architecture, {"fc1": orders}))


def test_writing_into_an_orbit_spoils_no_later_view(generator):
    orbit(network("tetris_mlp")).zero_()

    assert torch.equal(orbit(network("tetris_mlp"))[0], torch.arange(100))


@pytest.mark.parametrize(("fixed", "moved"), [(0, [True, True]), (1, [False, True]), (2, [False, False])])
def test_the_first_views_can_keep_the_order_of_aligned_networks(fixed, moved, generator):
    architecture, weights = network("small_cnn_1ch"), some_weights("small_cnn_1ch", 4, generator)

    views = Augment(fixed_views=fixed, multiplicative=0.1).views(architecture, weights, generator)

    assert [not torch.equal(target, weights) for target in views.targets] == moved
    assert all(not torch.equal(view, weights) for view in views.inputs)  # noise is on all views


def test_more_fixed_views_than_views_or_none_permuted_leave_the_order(generator):
    architecture, weights = network("tetris_mlp"), some_weights("tetris_mlp", 4, generator)
    for augment in (Augment(fixed_views=5), Augment(permute=False), Augment(permute="orbit", fixed_views=2)):
        assert torch.equal(augment.views(architecture, weights, generator).inputs, weights.expand(2, -1, -1))


def test_an_orbit_that_is_too_large_is_refused(generator):
    architecture, weights = network("digits_cnn"), some_weights("digits_cnn", 2, generator)

    with pytest.raises(ValueError, match="too many to list; draw them with permute=True"):
        Augment(permute="orbit").views(architecture, weights, generator)


# -- noise -------------------------------------------------------------------------------------------------------------


def test_noise_has_its_deviation_and_is_new_in_every_view(generator):
    architecture, weights = network("small_cnn_1ch"), some_weights("small_cnn_1ch", 20, generator)

    views = Augment(noise=0.05).views(architecture, weights, generator)
    first, second = ((views.inputs - views.targets) / 0.05).flatten(1)

    for noise in (first, second):
        assert kstest(noise[:5000].numpy(), "norm").pvalue > 1e-3
        assert abs(noise.std() - 1) < 0.02 and abs(noise.mean()) < 0.02
    assert abs((first * second).mean()) < 0.02


def test_multiplicative_noise_goes_with_the_weight(generator):
    architecture, weights = network("small_cnn_1ch"), some_weights("small_cnn_1ch", 20, generator)
    weights[:, ::3] = 0

    views = Augment(permute=False, multiplicative=0.1).views(architecture, weights, generator)

    assert not views.inputs[:, :, ::3].any()
    real = weights.expand(2, -1, -1) != 0
    factors = ((views.inputs / views.targets)[real] - 1) / 0.1
    assert abs(factors.std() - 1) < 0.02 and abs(factors.mean()) < 0.02


def test_both_kinds_of_noise_follow_one_another(generator):
    architecture, weights = network("tetris_mlp"), some_weights("tetris_mlp", 5, generator)
    streams = [torch.Generator().manual_seed(7) for _ in range(2)]

    views = Augment(permute=False, multiplicative=0.3, noise=0.2).views(architecture, weights, streams[0])

    first, second = (torch.randn(2, 5, 100, generator=streams[1]) for _ in range(2))
    torch.testing.assert_close(views.inputs, weights * (1 + 0.3 * first) + 0.2 * second)


@pytest.mark.parametrize("name", ["small_cnn_1ch", "residual_net"])
@pytest.mark.parametrize("width", [None, 10])
def test_padding_gets_no_noise(name, width, generator):
    architecture, weights = network(name), some_weights(name, 3, generator)
    tokenizer = Tokenizer(architecture.layout, width)

    tokens = tokenizer.encode(Augment(noise=0.5, multiplicative=0.5).views(architecture, weights, generator).inputs)

    assert (tokens[..., ~tokenizer.mask] == 0).all() and (tokens[..., tokenizer.mask] != 0).all()


# -- erasing -----------------------------------------------------------------------------------------------------------


def erased_by_hand(params: int, probability: float, share: tuple[float, float], draw) -> tuple[int, int]:
    """(first place, length) of one vector's block as the released code draws it."""
    if draw() < probability:
        for _ in range(10):
            length, start = int(params * (share[0] + (share[1] - share[0]) * draw())), int(draw() * params)
            if start + length < params:
                return start, length
    return 0, 0


def test_blocks_are_drawn_as_a_loop_draws_them(generator):
    random = torch.rand(200_000, generator=generator).tolist()
    stream = iter(random)
    expected = torch.tensor([erased_by_hand(988, 0.5, (0.02, 0.33), lambda: next(stream)) for _ in range(10_000)])
    starts, lengths = erasures(988, 10_000, 0.5, (0.02, 0.33), generator)

    assert abs((lengths > 0).float().mean() - 0.5) < 0.02
    assert lengths[lengths > 0].min() >= 19 and lengths.max() <= 326 and (starts + lengths)[lengths > 0].max() < 988
    for found, by_hand in ((lengths, expected[:, 1]), (starts, expected[:, 0])):
        found, by_hand = found[lengths > 0].numpy(), by_hand[expected[:, 1] > 0].numpy()
        assert kstest(found, by_hand).pvalue > 1e-3


@pytest.mark.parametrize("name", ["tetris_mlp", "small_cnn_1ch"])
def test_a_view_loses_one_block_of_neighbours_or_nothing(name, generator):
    architecture, weights = network(name), some_weights(name, 200, generator)

    views = Augment(erase=0.5).views(architecture, weights, generator)

    gone = views.inputs != views.targets
    assert not views.inputs[gone].any()
    for row in gone.flatten(0, 1):
        places = row.nonzero()[:, 0]
        if len(places):
            assert 0.01 < len(places) / len(row) <= 0.33
            assert torch.equal(places, torch.arange(int(places[0]), int(places[-1]) + 1))
    assert 0.35 < gone.any(-1).float().mean() < 0.65
    assert (gone.any(-1)[0] != gone.any(-1)[1]).any()  # views are erased independently


@pytest.mark.parametrize("erase", [0.0, 1.0])
def test_erasing_never_and_always(erase, generator):
    architecture, weights = network("tetris_mlp"), some_weights("tetris_mlp", 300, generator)

    views = Augment(erase=erase, erased=(0.1, 0.1)).views(architecture, weights, generator)

    gone = (views.inputs != views.targets).sum(-1)
    assert set(gone.flatten().tolist()) == ({10} if erase else {0})


def test_a_block_that_cannot_be_placed_is_not_erased(generator):
    assert not erasures(100, 50, 1.0, (1.0, 1.0), generator)[1].any()


# -- targets, seeds, shapes --------------------------------------------------------------------------------------------


def test_a_decoder_is_asked_for_the_clean_weights_or_for_the_view(generator):
    architecture, weights = network("digits_cnn"), some_weights("digits_cnn", 8, generator)
    settings = {"noise": 0.1, "multiplicative": 0.1, "erase": 1.0}

    clean = Augment(**settings).views(architecture, weights, torch.Generator().manual_seed(1))
    view = Augment(**settings, target="view").views(architecture, weights, torch.Generator().manual_seed(1))

    assert view.targets is view.inputs and torch.equal(view.inputs, clean.inputs)
    assert torch.equal(clean.targets.sort().values, weights.expand(2, -1, -1).sort().values)
    assert not torch.equal(clean.targets, clean.inputs)


@pytest.mark.parametrize("settings", [{}, {"permute": False}, {"noise": 0.1}, {"erase": 1.0}, {"multiplicative": 0.1}])
@pytest.mark.parametrize("target", ["clean", "view"])
def test_the_networks_themselves_stay_as_they_are(settings, target, generator):
    architecture, weights = network("tetris_mlp"), some_weights("tetris_mlp", 5, generator)
    before = weights.clone()

    views = Augment(target=target, **settings).views(architecture, weights, generator)
    views.inputs.zero_()
    views.targets.zero_()

    assert torch.equal(weights, before)


def test_a_seed_means_the_same_views_and_another_seed_others(generator):
    architecture, weights = network("small_cnn_1ch"), some_weights("small_cnn_1ch", 6, generator)
    augment = Augment(noise=0.1, multiplicative=0.1, erase=0.5)

    one, same, other = (
        augment.views(architecture, weights, torch.Generator().manual_seed(seed)).inputs for seed in (3, 3, 4)
    )

    assert torch.equal(one, same) and not torch.equal(one, other)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("samples", [0, 1, 4])
@pytest.mark.parametrize("permute", [True, False, "orbit"])
def test_any_number_of_views_of_any_number_of_networks(count, samples, permute, generator):
    architecture, weights = network("tetris_mlp"), some_weights("tetris_mlp", samples, generator).double()
    augment = Augment(permute=permute, fixed_views=1, noise=0.1, multiplicative=0.1, erase=1.0)

    views = augment.views(architecture, weights, generator, count=count)

    assert views.inputs.shape == views.targets.shape == (count, samples, 100)
    assert views.inputs.dtype == torch.float64 and torch.isfinite(views.inputs).all()


def test_views_carry_no_gradient_of_the_weights(generator):
    weights = some_weights("tetris_mlp", 3, generator).requires_grad_()

    assert not Augment(noise=0.1).views(network("tetris_mlp"), weights, generator).inputs.requires_grad


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"permute": "all"}, "permute is True, False or 'orbit', not 'all'"),
        ({"fixed_views": -1}, "fixed_views is a whole number"),
        ({"fixed_views": 1.0}, "fixed_views is a whole number"),
        ({"noise": -0.1}, "noise is a standard deviation from 0 on, not -0.1"),
        ({"noise": float("nan")}, "noise is a standard deviation"),
        ({"multiplicative": float("inf")}, "multiplicative is a standard deviation"),
        ({"erase": 1.1}, "erase is a probability between 0 and 1, not 1.1"),
        ({"erased": (0.3, 0.1)}, "smallest and a largest share"),
        ({"erased": (0.1, 1.1)}, "smallest and a largest share"),
        ({"erased": (0.1,)}, "smallest and a largest share"),
        ({"target": "original"}, "target is 'clean', 'view' or 'other', not 'original'"),
    ],
)
def test_settings_outside_their_ranges_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Augment(**settings)


def test_what_is_no_batch_of_the_network_is_refused(generator, no_shape_checks):
    architecture, augment = network("tetris_mlp"), Augment()

    with pytest.raises(ValueError, match="tetris_mlp has 100 weights, but these vectors have 99"):
        augment.views(architecture, torch.zeros(3, 99), generator)
    with pytest.raises(ValueError, match=r"\[samples, params\], not \[100\]"):
        augment.views(architecture, torch.zeros(100), generator)
    with pytest.raises(ValueError, match="floating-point weights"):
        augment.views(architecture, torch.zeros(3, 100, dtype=torch.int64), generator)
    with pytest.raises(ValueError, match="number of views from 1 on, not 0"):
        augment.views(architecture, torch.zeros(3, 100), generator, count=0)


def test_a_generator_of_another_device_is_refused():
    class Elsewhere:
        device = torch.device("cuda")

    with pytest.raises(ValueError, match="give a generator of the CPU"):
        Augment().views(network("tetris_mlp"), torch.zeros(3, 100), Elsewhere())


def test_another_networks_target_is_its_clean_weights_in_the_same_order(generator):
    net = network("tetris_mlp")
    weights = net.initialise(range(6))
    for permute in (False, True):
        plain, other = (
            Augment(permute=permute, noise=0.1, target=target).views(net, weights, torch.Generator().manual_seed(0))
            for target in ("clean", "other")
        )
        assert torch.equal(plain.inputs, other.inputs)
        assert torch.equal(other.targets, plain.targets.roll(1, 1))
