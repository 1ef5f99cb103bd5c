"""Agreement of twins, their correlation, and whether they are found again; the figure that thins a population."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import pearsonr

import hyperlib
from hyperlib.figures.thinning import thinning, thinning_still
from hyperlib.study.twins import Twins
from hyperlib.tasks.agreement import correlation, found_again, twin_table
from hyperlib.thesis.book_twins import twin_recipe
from hyperlib.weightspace.architectures import architecture


def few() -> tuple:
    network, images = architecture("digits_cnn"), hyperlib.load_images("digits").subset(20, 60)
    return network, network.initialise(range(5), "normal"), images


def test_a_network_agrees_with_itself_and_as_pytorch_says_with_others() -> None:
    network, weights, images = few()
    table = twin_table(network, weights, weights, images)
    assert (table["agreement"] == 1).all()
    errors = table["wrong_alike"].dropna()
    assert (errors == 1).all() and len(errors)
    plain = torch.stack([network.module(one)(images.test_x).argmax(1) for one in weights])
    np.testing.assert_allclose(table["accuracy"], (plain == images.test_y).double().mean(1))
    with_others = [(plain[k] == plain[j]).double().mean() for k in range(5) for j in range(5) if k != j]
    np.testing.assert_allclose(table["others"].mean(), np.mean(with_others))


def test_what_a_twin_lost_is_seen() -> None:
    network, weights, images = few()
    turned = weights[[1, 2, 3, 4, 0]]
    table = twin_table(network, weights, turned, images)
    np.testing.assert_allclose(table["accuracy"].to_numpy(), table["original_accuracy"].to_numpy()[[1, 2, 3, 4, 0]])
    assert (table["agreement"] < 1).all()


def test_the_correlation_is_pearsons_with_an_interval_that_covers_it() -> None:
    random, hits = np.random.default_rng(0), 0
    for _ in range(200):
        first = random.standard_normal(30)
        second = 0.6 * first + 0.8 * random.standard_normal(30)
        found = correlation(first, second)
        assert np.isclose(found.value, pearsonr(first, second)[0])
        hits += found.low <= 0.6 <= found.high
    assert 180 <= hits <= 199
    assert np.isnan(correlation(first, np.ones(30)).value) and np.isnan(correlation(first[:3], second[:3]).value)


def test_twins_are_found_again_by_what_they_kept() -> None:
    random = np.random.default_rng(0)
    originals = random.standard_normal((40, 50)) + 3
    assert found_again(originals, originals * 1.0).mean() == 1
    assert found_again(originals, (originals - originals.mean(0)) * 0.1 + originals.mean(0)).mean() == 1
    assert found_again(originals, random.standard_normal((40, 50))).mean() < 0.2


def test_the_book_makes_twins_of_some_zoos_and_says_so() -> None:
    paper, laptop = twin_recipe("mnist_seed", "paper"), twin_recipe("mnist_seed", "laptop")
    assert 0.8 < paper.rate * 5000 / (laptop.rate * 125) < 1.25  # as far in an epoch, whatever its number of steps
    with pytest.raises(ValueError, match="no twins of alexnet"):
        twin_recipe("alexnet", "quick")
    with pytest.raises(ValueError, match="profile"):
        twin_recipe("mnist_seed", "huge")


@pytest.mark.slow
def test_a_studys_twins_are_made_once_and_kept(tmp_path, capsys, monkeypatch) -> None:
    whole = hyperlib.Study.recipe
    monkeypatch.setattr(hyperlib.Study, "recipe", lambda self, name: whole(self, name).but(seeds=20, epochs=2))
    study = hyperlib.Study("quick", store=tmp_path)
    twins = Twins(study, "digits_seed", epochs=1)
    assert len(twins.zoo) == 3 and twins.originals.shape == (3, 988)
    first = twins.magnitude(0.5)
    capsys.readouterr()
    again = Twins(study, "digits_seed", epochs=1).magnitude(0.5)
    assert "made" not in capsys.readouterr().err
    assert torch.equal(first.weights, again.weights)
    assert not torch.equal(first.weights, twins.magnitude(0.6).weights)
    assert len(twins.held(twins.originals, 2).epochs) == 3 and len(twins.held(twins.originals, 0).epochs) == 1
    by_torch = Twins(hyperlib.Study("quick", store=tmp_path, engine="torch"), "digits_seed", epochs=1).magnitude(0.5)
    assert "made" in capsys.readouterr().err and not torch.equal(by_torch.weights, first.weights)
    assert twins.variational(strength=2.0).table["kappa_per_epoch"].iloc[0] == pytest.approx(0.02)


def test_the_figure_moves_along_both_panels_and_its_still_shows_the_same() -> None:
    answered = pd.DataFrame({"accuracy": [0.9, 0.5, 0.1], "agreement": [1.0, 0.6, 0.1]}, index=[0.0, 0.5, 1.0])
    layers = pd.DataFrame({"conv1": [0.0, 0.3, 1.0], "fc": [0.0, 0.6, 1.0]}, index=[0.0, 0.5, 1.0])
    live, still = thinning(answered, layers), thinning_still(answered, layers)
    steps = live.layout.sliders[0].steps
    assert [step.label for step in steps] == ["0.00", "0.50", "1.00"]
    data, titles, traces = steps[1].args
    assert data["y"] == [[0.5, 0.6], [0.3, 0.6]] and list(traces) == [4, 5]
    assert "accuracy 0.50" in titles["annotations[0].text"]
    drawn = [line.get_ydata().tolist() for ax in still.axes for line in ax.lines]
    assert drawn == [list(trace.y) for trace in live.data[:4]]
    plt.close(still)
