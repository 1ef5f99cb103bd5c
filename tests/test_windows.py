"""Windows cover a sequence once, keep their context, and give what the network gives of the whole where it can."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hyperlib.representations.windows import cuts, through


@given(st.integers(1, 200), st.integers(1, 40), st.integers(0, 19))
def test_every_token_is_kept_once_and_with_its_context(tokens, window, halo):
    halo = min(halo, (window - 1) // 2)
    starts, kept = cuts(tokens, window, halo)
    length = min(window, tokens)

    assert kept.shape == (len(starts), length)
    assert starts.min() >= 0 and starts.max() + length <= tokens
    places = (starts[:, None] + torch.arange(length))[kept]
    assert places.tolist() == list(range(tokens))
    for start, own in zip(starts.tolist(), kept, strict=True):  # what is kept has `halo` tokens around it, if there are
        at = own.nonzero()[:, 0]
        assert start == 0 or int(at[0]) >= halo
        assert start + length == tokens or length - 1 - int(at[-1]) >= halo


def test_the_published_haloed_windows():
    """128 tokens and 64 on each side: the first keeps 0 to 128 with double context right, the last the remainder."""
    starts, kept = cuts(1000, 256, 64)

    assert starts.tolist() == [0, 64, 192, 320, 448, 576, 704, 744]
    assert kept.sum(1).tolist() == [128] * 7 + [104]
    assert kept[0].nonzero()[:, 0].tolist() == list(range(128))


@pytest.mark.parametrize(("window", "halo"), [(0, 0), (4, 2), (4, -1), (True, 0), (2.5, 0)])
def test_windows_that_keep_nothing_are_refused(window, halo):
    with pytest.raises(ValueError, match="is a whole number"):
        cuts(10, window, halo)


def test_a_sequence_without_tokens_is_refused():
    with pytest.raises(ValueError, match="1 token at least"):
        cuts(0, 4)


@pytest.mark.parametrize("at_once", [1, 3, 1000])
@pytest.mark.parametrize("fill", [False, True])
def test_a_network_that_reads_within_the_halo_gives_what_it_gives_of_the_whole(at_once, fill):
    def neighbours(values, places):
        padded = torch.nn.functional.pad(values, (0, 0, 2, 2))
        return sum(padded[:, shift : shift + values.shape[1]] for shift in range(5)) + places

    values, places = torch.randn(3, 41, 2), torch.randn(41, 2)
    found = through(neighbours, values, places, window=9, halo=2, at_once=at_once, fill=fill)

    torch.testing.assert_close(found, neighbours(values, places[None]))


def test_gradients_pass():
    values = torch.randn(2, 11, 3, requires_grad=True)
    found = through(lambda part, places: part * 2 + places, values, torch.zeros(11, 3), window=4, halo=1, at_once=2)
    found.sum().backward()

    assert torch.equal(values.grad, torch.full_like(values, 2))
