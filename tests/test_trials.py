"""Trials are kept as they come, lost ones too, and none is run twice."""

import dataclasses

import pandas as pd
import pytest
import torch
from sklearn.base import clone
from toys import sweep_here

from hyperlib import HyperRep, Study
from hyperlib.study import trials
from hyperlib.study.trials import Averaged, Canonical
from hyperlib.thesis import recipes
from hyperlib.thesis.book_representations import REPRESENTATIONS
from hyperlib.weightspace.symmetry import permutation_index, random_permutations
from hyperlib.zoos.zoo import Samples

SMALL = {"width": 8, "heads": 1, "depth": 1, "latent": 4, "batch_size": 16, "statistics": False}


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A tiny Tetris zoo and representation, and no trial but one."""
    tiny = recipes.BOOK_ZOOS["tetris_seed"]["quick"].but(batch_size=200, seeds=20, epochs=3)
    monkeypatch.setitem(recipes.BOOK_ZOOS, "tetris_seed", {"quick": tiny})
    monkeypatch.setitem(REPRESENTATIONS, "tetris_seed", ("tetris_seed", SMALL, (2, 2, 2)))
    monkeypatch.setenv("HYPERLIB_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("HYPERLIB_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(trials, "sweep", sweep_here)
    trials._parts.cache_clear()
    return tmp_path / "results" / "quick" / "hr-trials.csv"


def test_every_trial_can_be_made_and_differs_from_the_others(small):
    found = trials.trials(Study("quick"), "tetris_seed")
    settings = {what: f"{type(one)} {sorted(one.get_params().items(), key=str)}" for what, one in found.items()}

    assert len(set(settings.values())) == len(settings) == 24
    assert all(clone(one) is not one for one in found.values())


def test_what_is_in_the_table_is_not_run_again(small, monkeypatch, capsys):
    monkeypatch.setattr(trials, "ANSWERS", {"answers to 3 noise inputs": ("noise", 3)})
    monkeypatch.setattr(trials, "CHANGES", {"ours": {}, "noise of 0.2": {"noise": 0.2}})
    arguments = ["--profile", "quick", "--zoos", "tetris_seed"]
    trials.main(arguments)
    table = pd.read_csv(small)
    said = capsys.readouterr().out.splitlines()
    trials.main(arguments)

    assert len(said) == len(table) == 3 + 2 + 2 + 1 and not capsys.readouterr().out
    assert table[["numbers", "seconds", "test_accuracy", "gap"]].notna().all(axis=None)
    table.iloc[:-1].to_csv(small, index=False)  # as after a kill
    trials.main(arguments)
    pd.testing.assert_frame_equal(pd.read_csv(small).drop(columns="seconds"), table.drop(columns="seconds"))


def test_a_longer_training_and_disturbed_views_are_those_of_ours_changed(small):
    found = trials.trials(Study("quick"), "tetris_seed")
    ours, longer, noisy = (found[name] for name in ("ours", "four times as long", "noise of 0.2"))

    assert longer.steps == 4 * ours.steps and longer.augment == ours.augment
    assert noisy.augment == dataclasses.replace(ours.augment, noise=0.2) and noisy.steps == ours.steps


@pytest.mark.parametrize(
    ("text", "given", "sentence"),
    [
        ("zoo,trial\n", ["--zoos", "nosuch"], "no representation 'nosuch'"),
        ("x,y\n1,2\n", [], "no table of trials; move it away"),
        ("zoo,trial\n", ["--jobs", "0"], "jobs are a whole number from 1 on"),
    ],
)
def test_wrong_input_ends_in_a_sentence(small, capsys, text, given, sentence):
    small.parent.mkdir(parents=True)
    small.write_text(text)
    with pytest.raises(SystemExit):
        trials.main(["--profile", "quick", "--zoos", "tetris_seed", *given])
    assert sentence in capsys.readouterr().err


def moved(samples: Samples, seed: int) -> Samples:
    """The same networks, their hidden units in another order."""
    order = random_permutations(samples.architecture, len(samples), torch.Generator().manual_seed(seed))
    index = permutation_index(samples.architecture, order)
    return Samples(samples.weights.gather(-1, index), samples.table, samples.architecture)


def test_canonical_order_makes_any_encoder_blind_to_the_order_of_units(tiny_zoo):
    samples = tiny_zoo.samples()
    plain = HyperRep(samples.architecture, steps=0, **SMALL)
    canonical = Canonical(plain).fit(samples)
    first, second = (torch.from_numpy(canonical.embed(one)) for one in (samples, moved(samples, 1)))

    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-4)
    plain.fit(samples)
    assert (plain.embed(samples) - plain.embed(moved(samples, 1))).std() > 1e-3


def test_a_mean_over_orders_depends_less_on_the_order(tiny_zoo):
    samples = tiny_zoo.samples()
    plain = HyperRep(samples.architecture, steps=0, **SMALL).fit(samples)
    spread = {}
    for copies in (1, 8):
        mean = Averaged(plain, copies).fit(samples)
        spread[copies] = (mean.embed(samples) - mean.embed(moved(samples, 1))).std()
    assert spread[8] < 0.7 * spread[1]
