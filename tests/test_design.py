"""A design has one row per model, every factor within its range, and says in a sentence what is wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hyperlib.zoos.design import COLUMNS, Between, check_design, draw, grid

WIDE = {
    "init": ["uniform", "normal", "kaiming_uniform", "kaiming_normal"],
    "activation": ["tanh", "relu", "sigmoid", "gelu"],
    "optimizer": ["adam", "sgd"],
    "lr": [1e-3, 1e-4],
    "weight_decay": [0.0, 1e-3],
    "dropout": [0.0, 0.5],
}


# -- grids ---------------------------------------------------------------------------------------------------


def test_a_grid_has_every_combination_with_every_seed():
    design = grid(seeds=10, **WIDE)

    assert list(design) == list(COLUMNS)
    assert len(design) == 4 * 4 * 2 * 2 * 2 * 2 * 10 == 2560
    assert len(design[list(WIDE)].drop_duplicates()) == 256
    assert (design.groupby(list(WIDE)).size() == 10).all()


def test_fixed_seeds_come_back_at_every_point_and_random_ones_never():
    fixed, free = grid(seeds=10, seed_mode="fix", **WIDE), grid(seeds=10, seed_mode="rand", **WIDE)

    assert set(fixed["seed"]) == set(range(1, 11)) and (fixed["seed"].value_counts() == 256).all()
    assert free["seed"].is_unique
    assert not fixed.duplicated().any()


def test_a_factor_may_be_one_value_of_any_number_type():
    design = grid(lr=np.float32(0.5), weight_decay=np.int64(1), dropout=np.array([0.0, 0.25]), activation="relu")

    assert design["lr"].tolist() == [0.5, 0.5] and design["dropout"].tolist() == [0.0, 0.25]
    assert (design["weight_decay"] == 1).all() and (design["activation"] == "relu").all()


# -- draws ---------------------------------------------------------------------------------------------------


def test_draws_lie_within_their_ends_and_fill_them():
    design = draw(4000, seed=0, lr=Between(1e-4, 1e-1, log=True), dropout=Between(0.0, 0.7), init=WIDE["init"])

    assert stats.kstest(np.log10(design["lr"]), "uniform", (-4, 3)).pvalue > 1e-3
    assert stats.kstest(design["dropout"], "uniform", (0, 0.7)).pvalue > 1e-3
    assert stats.chisquare(design["init"].value_counts()).pvalue > 1e-3
    assert design["seed"].tolist() == list(range(1, 4001))


def test_factors_are_drawn_independently_of_each_other():
    one = draw(2000, seed=3, lr=Between(0.1, 1.0), dropout=Between(0.0, 0.9), weight_decay=Between(0.0, 1.0))
    other = draw(2000, seed=3, lr=Between(0.1, 1.0))

    pd.testing.assert_series_equal(one["lr"], other["lr"])
    correlations = one[["lr", "dropout", "weight_decay"]].corr().to_numpy()[np.triu_indices(3, 1)]
    assert (np.abs(correlations) < 4 / 2000**0.5).all()


def test_the_same_seed_draws_the_same_design_and_another_another():
    factors = {"lr": Between(0.1, 1.0), "init": WIDE["init"]}

    pd.testing.assert_frame_equal(draw(50, seed=1, **factors), draw(50, seed=1, **factors))
    assert not draw(50, seed=1, **factors).equals(draw(50, seed=2, **factors))


# -- checks --------------------------------------------------------------------------------------------------


def test_a_checked_design_has_fixed_types_a_fresh_index_and_keeps_other_columns():
    given = grid(seeds=3).assign(lr=1, seed=[3.0, 2.0, 1.0], note="mine").iloc[[2, 0]]
    checked = check_design(given)

    assert checked.index.tolist() == [0, 1] and checked["seed"].tolist() == [1, 3]
    assert checked["seed"].dtype == np.int64 and checked["lr"].dtype == np.float64
    assert checked["note"].tolist() == ["mine", "mine"]
    pd.testing.assert_frame_equal(check_design(checked), checked)


def broken(**values: object) -> pd.DataFrame:
    design = grid(seeds=3).astype(object)
    for name, value in values.items():
        design.loc[1, name] = value
    return design


@pytest.mark.parametrize(
    ("design", "message"),
    [
        (broken(lr=np.nan), "no value for 'lr' in row 1"),
        (broken(init=None), "no value for 'init' in row 1"),
        (broken(seed=pd.NA), "no value for 'seed' in row 1"),
        (grid().drop(columns="dropout"), "lacks the column 'dropout'; it needs seed, init"),
        (broken(activation="swish"), "activation 'swish' is unknown; choose one of tanh"),
        (broken(init="zeros"), "init 'zeros' is unknown; choose one of uniform"),
        (broken(init=3), "init 3 is unknown"),
        (broken(optimizer="adamw"), "optimizer 'adamw' is unknown; choose one of sgd, adam, rmsprop"),
        (broken(dropout=1.0), r"dropout is 1 in row 1; it must lie in \[0, 1\)"),
        (broken(dropout=-0.1), r"dropout is -0.1 in row 1"),
        (broken(lr=-0.1), r"lr is -0.1 in row 1; it must lie in \(0, inf\)"),
        (broken(lr=0.0), "lr is 0 in row 1"),
        (broken(lr=np.inf), "lr is inf in row 1"),
        (broken(bias_init=-np.inf), "bias_init is -inf in row 1"),
        (broken(weight_decay=-1), r"weight_decay is -1 in row 1; it must lie in \[0, inf\)"),
        (broken(train_fraction=0), r"train_fraction is 0 in row 1; it must lie in \(0, 1\]"),
        (broken(train_fraction=1.5), "train_fraction is 1.5 in row 1"),
        (broken(init_std=0), "init_std is 0 in row 1"),
        (broken(lr="fast"), "lr must be a number in every row, not 'fast'"),
        (broken(lr="0.1"), "lr must be a number in every row, not '0.1'"),
        (broken(lr=True), "lr must be a number in every row, not True"),
        (grid().assign(lr="0.1"), "lr must be a number in every row, not '0.1'"),
        (broken(seed="a"), "seed must be a number in every row, not 'a'"),
        (broken(seed=1.5), "seeds must be whole numbers"),
        (broken(seed=2**53), "seeds must be whole numbers below"),
        (grid().iloc[:0], "no rows"),
        (pd.concat([grid(), grid()[["lr"]]], axis=1), "column 'lr' twice"),
    ],
)
def test_wrong_designs_are_refused_in_a_sentence(design, message):
    with pytest.raises(ValueError, match=message) as caught:
        check_design(design)
    assert "\n" not in str(caught.value) and str(caught.value).endswith((".", ")"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: grid(seeds=0), "at least one, not 0"),
        (lambda: grid(seeds=1.5), "at least one, not 1.5"),
        (lambda: grid(seeds=2.0), "at least one, not 2.0"),
        (lambda: grid(seed_mode="same"), "no seed mode 'same'; choose fix or rand"),
        (lambda: grid(lr=[]), "no values"),
        (lambda: grid(lr=Between(0.1, 1)), "is for draw"),
        (lambda: grid(lr=-1), "lr is -1"),
        (lambda: draw(0, seed=1), "at least one, not 0"),
        (lambda: draw(2.5, seed=1), "whole number of models, at least one, not 2.5"),
        (lambda: draw(3, seed=1, init=Between(0, 1)), "init .* is unknown"),
        (lambda: Between(1, 0), "low <= high"),
        (lambda: Between(0, 1, log=True), "0 < low <= high"),
        (lambda: Between(0, np.nan), "finite ends"),
        (lambda: Between(0, np.inf), "finite ends"),
    ],
)
@pytest.mark.usefixtures("no_shape_checks")
def test_wrong_factors_are_refused_in_a_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()
