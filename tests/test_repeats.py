"""Several splits put together: against one split, against plain means, and against what repeats really vary."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hyperlib.representations.baselines import LayerStatistics, RawWeights
from hyperlib.tasks.intervals import ModelBootstrap, paired_difference, score
from hyperlib.tasks.probing import ProbeResult, run_probes
from hyperlib.tasks.repeats import MEANS, Repeats

ZOO, EPOCHS = 80, 3
GOOD, FAIR, INSIDE = ("good", "linear"), ("fair", "linear"), ("good", "beside the clock")


def one_split(errors: dict[tuple[str, str], np.ndarray], models: np.ndarray, *, target: str = "gap") -> ProbeResult:
    """A result whose predictions miss the truth by these errors; the truth of a model is the same in every split."""
    model, epochs = np.repeat(models, EPOCHS), np.tile(np.arange(EPOCHS), len(models))
    truth = np.random.default_rng(5).normal(size=(ZOO, EPOCHS))[models].ravel() + epochs
    rows, predictions = [], {}
    for (features, probe), error in errors.items():
        said = predictions[features, probe, target] = truth + error
        value, within = score(truth, said), score(truth, said, strata=epochs)
        row = {"features": features, "dimensions": 2, "probe": probe, "target": target, "metric": "r2", "val": value}
        rows.append(row | {"value": value, "tau": 0.5, "within": within, "within_tau": 0.25})
    draws = ModelBootstrap.draw(model, draws=300)
    return ProbeResult(pd.DataFrame(rows), {target: truth}, predictions, draws, model, epochs)


def splits(number: int, *, test: int = 20, seed: int = 0, spread: float = 0.0) -> list[ProbeResult]:
    """Results of several splits: "good" misses by half a deviation, by more or less in a whole repeat with a spread."""
    generator, results = np.random.default_rng(seed), []
    for _ in range(number):
        models = generator.permutation(ZOO)[:test]
        part = np.sqrt(np.clip(0.5 + spread * generator.normal(), 0.02, None))  # the repeat's own
        good, fair = generator.normal(size=(2, test * EPOCHS)) * [[part], [0.9]]
        results.append(one_split({GOOD: good, FAIR: fair, INSIDE: 0.8 * good}, models))
    return results


def inside(result: ProbeResult, reading: tuple[str, str] = GOOD) -> float:
    """The score of a reading inside epochs."""
    return score(result.truth["gap"], result.predictions[(*reading, "gap")], strata=result.epochs)


@pytest.mark.parametrize("within", [False, True])
def test_one_repeat_is_compared_as_its_result_is(within):
    (result,) = splits(1)
    repeats = Repeats.of([result], draws=300)

    found = repeats.compare(GOOD, FAIR, "gap", within=within)
    assert found == result.compare("good", "fair", "gap", within=within)
    assert found.low < found.value < found.high
    turned = repeats.compare(FAIR, GOOD, "gap", within=within)
    assert turned == pytest.approx((-found.value, -found.high, -found.low, np.inf))
    other = Repeats.of([result], draws=3000, seed=9).compare(GOOD, FAIR, "gap", within=within)
    assert other.value == found.value and other != found
    assert (other.low, other.high) == pytest.approx((found.low, found.high), abs=0.25 * (found.high - found.low))


def test_a_score_is_the_mean_over_repeats_and_no_reading_scores_zero():
    results = splits(4)
    repeats = Repeats.of(results)
    good, fair = ([inside(one, reading) for one in results] for reading in (GOOD, FAIR))

    assert repeats.compare(GOOD, FAIR, "gap", within=True).value == pytest.approx(np.mean(good) - np.mean(fair))
    alone, below = (repeats.compare(*sides, "gap", within=True) for sides in ((GOOD, ()), ((), GOOD)))
    assert alone.value == pytest.approx(np.mean(good)) and alone.low < alone.value < alone.high
    assert below == pytest.approx((-alone.value, -alone.high, -alone.low, np.inf))
    assert Repeats.of(results[::-1]).compare(GOOD, (), "gap", within=True).value == pytest.approx(alone.value)
    same = repeats.compare(GOOD, GOOD, "gap", within=True)
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_of_several_readings_the_best_on_validation_samples_counts_in_every_repeat():
    results = splits(3)
    for place, value in enumerate((0.9, 0.1, 0.9)):  # whatever test samples say
        results[place].table.loc[results[place].table["features"] == "fair", "val"] = value
        results[place].table.loc[results[place].table["features"] == "good", "val"] = 0.5
    repeats = Repeats.of(results)

    assert repeats.best([GOOD, FAIR], "gap") == [FAIR, GOOD, FAIR]
    chosen = [inside(result, best) for result, best in zip(results, (FAIR, GOOD, FAIR), strict=True)]
    assert repeats.compare([GOOD, FAIR], (), "gap", within=True).value == pytest.approx(np.mean(chosen))
    assert repeats.compare([GOOD], (), "gap", within=False) == repeats.compare(GOOD, (), "gap", within=False)


def test_the_same_split_several_times_is_no_surer_than_once():
    (result,) = splits(1)
    once, often = (Repeats.of([result] * times).compare(GOOD, FAIR, "gap", within=True) for times in (1, 5))
    assert often == pytest.approx(once)


def test_models_are_drawn_with_all_their_samples_in_all_repeats():
    results = splits(3)
    repeats = Repeats.of(results, draws=40, seed=2)
    names = np.unique(np.concatenate([result.models for result in results]))
    counts = ModelBootstrap.draw(names, draws=40, seed=2).counts
    for draws, result in zip(repeats.draws, results, strict=True):
        np.testing.assert_array_equal(draws.counts, counts)
        np.testing.assert_array_equal(names[draws.model], result.models)


def alone(results: list[ProbeResult]) -> tuple[float, float]:
    """The interval that draws models and lets the repeats be as they are."""
    draws = Repeats.of(results, draws=300).draws
    scores = [
        one.scores(result.truth["gap"], result.predictions[(*GOOD, "gap")], strata=result.epochs)
        for one, result in zip(draws, results, strict=True)
    ]
    return draws[0].interval(np.mean(scores, axis=0))


@pytest.mark.slow
def test_the_interval_covers_what_another_study_with_other_splits_and_seeds_would_find():
    hits, narrow, wider = 0, 0, 0
    truth = np.mean([inside(one) for one in splits(200, test=40, seed=99, spread=0.2)])
    for trial in range(100):
        results = splits(3, test=40, seed=trial, spread=0.2)
        found = Repeats.of(results, draws=300, seed=trial).compare(GOOD, (), "gap", within=True)
        low, high = alone(results)
        hits, narrow = hits + (found.low <= truth <= found.high), narrow + (low <= truth <= high)
        wider += found.high - found.low > high - low

    assert hits >= 87 > 80 > narrow
    assert wider >= 95


@pytest.mark.parametrize("repeats", [2, 3, 5])
def test_repeats_that_differ_make_a_wider_interval_than_their_models_alone(repeats):
    even, uneven = (splits(repeats, test=60, seed=1, spread=spread) for spread in (0.0, 0.4))
    widths = [np.diff(alone(results))[0] for results in (even, uneven)]
    found = [Repeats.of(results).compare(GOOD, (), "gap", within=True) for results in (even, uneven)]

    assert found[1].high - found[1].low > 1.5 * widths[1]
    assert (found[1].high - found[1].low) / widths[1] > (found[0].high - found[0].low) / widths[0]


@pytest.mark.parametrize("shares", [(0.0, 1.0), (0.0, 1.0, 1.0)])
def test_what_models_do_not_vary_varies_as_means_of_so_many_repeats_do(shares):
    results = []
    for result, share in zip(splits(len(shares)), shares, strict=True):  # all words are hit, or none
        said = np.where(share, "yes", "no").repeat(len(result.models)).astype(object)
        told = {(*GOOD, "gap"): said, (*FAIR, "gap"): said}
        results.append(replace(result, truth={"gap": np.full(len(said), "yes", dtype=object)}, predictions=told))
    found, n = Repeats.of(results).compare(GOOD, (), "gap", within=False), len(shares)

    reach = np.sqrt(n / (n - 1))  # the mean of n drawn out of n deviates too little by this
    mean = np.mean(shares)
    assert found.value == pytest.approx(mean)
    assert (found.low, found.high) == pytest.approx((mean - reach * mean, mean + reach * (1 - mean)))


# -- the table, and what was probed in some repeats only -------------------------------------------------------


def without(result: ProbeResult, *readings: tuple[str, str]) -> ProbeResult:
    """The result as if these had not been probed."""
    kept = {key: said for key, said in result.predictions.items() if key[:2] not in readings}
    pairs = pd.MultiIndex.from_frame(result.table[["features", "probe"]])
    return replace(result, table=result.table[~pairs.isin(readings)], predictions=kept)


def test_the_table_holds_means_over_repeats_and_how_far_these_are_apart():
    results = splits(3)
    table = Repeats.of(results).table
    every = [result.table for result in results]

    assert table[["features", "probe"]].agg(tuple, axis=1).tolist() == [GOOD, FAIR, INSIDE]
    assert set(table) == {
        *("features", "probe", "target", "dimensions", "metric", *MEANS, "spread", "within_spread", "repeats")
    }
    assert (table["repeats"] == 3).all() and (table["dimensions"] == 2).all() and (table["metric"] == "r2").all()
    for name in MEANS:
        np.testing.assert_allclose(table[name], np.mean([one[name] for one in every], axis=0))
    for spread, name in (("spread", "value"), ("within_spread", "within")):
        np.testing.assert_allclose(table[spread], np.ptp([one[name] for one in every], axis=0))


def test_what_was_probed_in_some_repeats_is_compared_in_these():
    first, second, third = splits(3)
    repeats = Repeats.of([first, without(second, FAIR), without(third, FAIR, INSIDE)])
    rows = repeats.table.set_index(["features", "probe"])

    assert rows["repeats"].to_dict() == {GOOD: 3, FAIR: 1, INSIDE: 2}
    assert rows.loc[FAIR, "value"] == first.table.set_index(["features", "probe"]).loc[FAIR, "value"]
    assert rows.loc[FAIR, "spread"] == 0
    in_first = first.compare("fair", "good", "gap", within=True).value
    assert repeats.compare(FAIR, GOOD, "gap", within=True).value == pytest.approx(in_first)
    two = Repeats.of([first, second, without(third, INSIDE)]).compare(INSIDE, GOOD, "gap", within=True)
    assert repeats.compare(INSIDE, GOOD, "gap", within=True) == two
    of_two = Repeats.of([first, second]).compare(INSIDE, GOOD, "gap", within=True)
    assert two.value == of_two.value
    assert (two.low, two.high) == pytest.approx((of_two.low, of_two.high), abs=0.25 * (of_two.high - of_two.low))
    assert len(repeats.best([GOOD], "gap")) == 3 and len(repeats.best([GOOD, FAIR], "gap")) == 1
    assert repeats.compare(GOOD, (), "gap", within=True) == Repeats.of([first, second, third]).compare(
        GOOD, (), "gap", within=True
    )


def test_readings_without_a_repeat_in_common_are_not_compared():
    first, second = splits(2)
    repeats = Repeats.of([without(first, GOOD), without(second, FAIR)])
    with pytest.raises(ValueError, match="No repeat has all of good, linear; fair, linear for gap"):
        repeats.compare(GOOD, FAIR, "gap", within=True)
    with pytest.raises(ValueError, match="No repeat has all of good, linear; fair, linear for gap"):
        repeats.compare([GOOD, FAIR], (), "gap", within=True)
    with pytest.raises(ValueError, match="No probe was run for good, trees, gap"):
        repeats.compare(GOOD, ("good", "trees"), "gap", within=True)
    with pytest.raises(ValueError, match="No probe was run for good, linear, epoch"):
        repeats.compare(GOOD, FAIR, "epoch", within=True)
    with pytest.raises(ValueError, match="give readings of one kind"):
        Repeats.of([first]).compare([GOOD, INSIDE], (), "gap", within=True)


def test_repeats_of_nothing_and_of_other_targets_are_refused():
    models = np.arange(20)
    other = one_split({GOOD: np.ones(20 * EPOCHS)}, models, target="epoch")
    for results in ([], [*splits(1), other]):
        with pytest.raises(ValueError, match="results of run_probes for the same targets"):
            Repeats.of(results)


def test_one_model_gives_no_interval():
    generator = np.random.default_rng(0)
    results = [one_split({GOOD: generator.normal(size=EPOCHS)}, np.array([4])) for _ in range(2)]
    found = Repeats.of(results, draws=20).compare(GOOD, (), "gap", within=False)
    assert np.isfinite(found.value) and np.isnan([found.low, found.high]).all()


def test_splits_of_a_real_zoo_are_put_together(tiny_zoo):
    embedders, columns, results = {"W": RawWeights(), "s(W)": LayerStatistics()}, ["test_accuracy", "optimizer"], []
    for seed in range(3):
        parts = [part.samples() for part in tiny_zoo.split((0.6, 0.2, 0.2), seed=seed)]
        results.append(run_probes(embedders, *parts, columns, bootstrap=20))
    repeats = Repeats.of(results, draws=100)

    for target, within in (("test_accuracy", False), ("test_accuracy", True), ("optimizer", False)):
        found = repeats.compare(("s(W)", "linear"), ("W", "linear"), target, within=within)
        rows = repeats.table.query("target == @target").set_index("features")["within" if within else "value"]
        assert found.value == pytest.approx(rows["s(W)"] - rows["W"])
        assert found.low <= found.high
    with pytest.raises(ValueError, match="Only numbers are scored inside epochs"):
        repeats.compare(("s(W)", "linear"), ("W", "linear"), "optimizer", within=True)
    truth, models = results[0].truth["optimizer"], results[0].models
    draws = ModelBootstrap.draw(models, draws=100)
    said = [results[0].predictions[name, "linear", "optimizer"] for name in ("s(W)", "W")]
    one = Repeats.of(results[:1], draws=100).compare(("s(W)", "linear"), ("W", "linear"), "optimizer", within=False)
    assert one == paired_difference(truth, said[:1], said[1:], draws, "accuracy")
