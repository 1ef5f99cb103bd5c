"""The zoo that a browser grows is that of the library, and what it reads off the weights is what the library reads.

In Chromium, whose page holds our scripts and nothing else. Skipped where the extra `browser` or a Chromium is missing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from hyperlib.files.paths import root
from hyperlib.press.pages.browser_zoo import SCRIPTS, recipe_script
from hyperlib.tasks.intervals import score
from hyperlib.tasks.probes import LinearProbe
from hyperlib.thesis.browser_zoo import ENDS, Settings, grown, parts_of
from hyperlib.weightspace.randomness import draws, key, orders
from hyperlib.weightspace.statistics import layer_statistics
from hyperlib.zoos.zoo import Zoo

pytestmark = pytest.mark.slow

STATIC = root() / "book" / "_static"
GROWN = """async (settings) => {
  const zoo = growing.zoo(settings);
  for (const step of zoo.growth());
  return { weights: [...zoo.weights], accuracies: [...zoo.accuracies] };
}"""


@pytest.fixture(scope="module")
def code(chromium):
    """A page that holds nothing but the scripts without the last, which is what draws."""
    page = chromium.new_page()
    for script in (recipe_script(), *((STATIC / name).read_text(encoding="utf-8") for name in SCRIPTS[1:-1])):
        page.add_script_tag(content=script)
    page.add_script_tag(content="const growing = zooGrowing(zooRecipe), reading = zooReading(zooRecipe);")
    yield page
    page.close()


@pytest.fixture(scope="module")
def zoo() -> Zoo:
    return grown(Settings(models=20, epochs=6, rate=1e-2, seed=5))


def in_browser(page: Any, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Weights [models, epochs + 1, params] and accuracies [models, epochs + 1]."""
    found = page.evaluate(GROWN, vars(settings))
    shape = (settings.models, settings.epochs + 1)
    return np.reshape(found["weights"], (*shape, -1)), np.reshape(found["accuracies"], shape)


# -- the same zoo


@pytest.mark.parametrize("seeds", [[0], [1, 2, 77], [2**31, 2**32 - 1], [2**53 - 1]], ids=str)
@pytest.mark.parametrize("count", [1, 2, 5, 1400])
def test_orders_are_those_of_the_library(code, seeds, count):
    for seed in seeds:
        ours = orders(key(key([seed], 3), 2, 9), count)[0].tolist()
        ask = "([seed, count]) => [...growing.orders(growing.key(growing.key(growing.halves(seed), 3), 2, 9), count)]"
        assert code.evaluate(ask, [seed, count]) == ours


def test_orders_are_right_where_the_upper_parts_of_draws_are_equal(code):
    count = 2**19  # which leaves 34 bits to the upper part
    keys = key([4], 1)
    upper = draws(keys, count)[0] // count
    assert len(upper.unique()) < count
    ask = "(count) => growing.orders(growing.key(growing.halves(4), 1), count).join()"
    assert code.evaluate(ask, count) == ",".join(map(str, orders(keys, count)[0].tolist()))


@pytest.mark.parametrize(
    "settings",
    [
        Settings(models=3, epochs=5),
        Settings(models=2, epochs=3, rate=1e-2, seed=1),
        Settings(models=2, epochs=3, rate=1e-1, seed=2**32 - 1),
        Settings(models=2, epochs=2, rate=1e-5, seed=12345),
    ],
    ids=lambda settings: f"seed {settings.seed}",
)
def test_zoo_is_that_of_the_sequential_engine(code, settings):
    weights, accuracies = in_browser(code, settings)
    library = grown(settings, "sequential")

    difference = np.abs(weights - library.weights.numpy()).max((0, 2))
    told = library.table["test_accuracy"].to_numpy().reshape(accuracies.shape)
    print(f"largest difference of a weight, by epoch: {difference}")
    assert difference[0] < 1e-6 and difference.max() < 1e-4
    assert np.abs(accuracies - told).max() < 1e-4
    assert (np.abs(weights[:, -1] - weights[:, 0]).max(1) > 1e-4).all(), "all of them learned"


def test_a_model_is_the_same_in_any_population(code):
    few, many = (in_browser(code, Settings(models=models, epochs=1))[0] for models in (2, 6))
    assert np.array_equal(few, many[:2])


# -- read the same way


def test_statistics_are_those_of_the_library(code, zoo):
    rows = zoo.weights[:, -1]
    ours = layer_statistics(rows.double(), zoo.architecture)
    theirs = code.evaluate(
        "(rows) => rows.map((row) => reading.statistics(Float64Array.from(row)))", rows.double().tolist()
    )
    assert np.abs(np.array(theirs) - ours.numpy()).max() < 1e-12


@pytest.mark.parametrize("last", [0, 1, 5, 14, 15, 16, 75, 149])
def test_epochs_are_spread_as_in_the_library(code, last):
    weights = torch.zeros(1, last + 1, 100)
    of = grown(Settings(models=1, epochs=0))
    table = of.table.loc[[0] * (last + 1)].reset_index(drop=True).assign(epoch=range(last + 1))
    spread = Zoo(of.architecture, weights, table).spread(16).table["epoch"].tolist()
    assert code.evaluate("(last) => reading.spread(last, 16)", last) == spread


def test_the_plane_is_that_of_the_largest_variance(code, zoo):
    rows = zoo.spread(16).weights.double().numpy()
    ours = PCA(2, svd_solver="full").fit(rows)
    ask = """(rows) => {
      const arrays = rows.map((row) => Float64Array.from(row));
      const plane = reading.plane(arrays);
      const again = reading.plane(arrays, { directions: plane.directions.map((way) => way.map((value) => -value)) });
      return [plane.shares, arrays.map((row) => reading.on(plane, row)), arrays.map((row) => reading.on(again, row))];
    }"""
    shares, points, turned = map(np.array, code.evaluate(ask, rows.tolist()))
    assert np.abs(shares - ours.explained_variance_ratio_).max() < 1e-10
    assert np.abs(np.abs(points) - np.abs(ours.transform(rows))).max() < 1e-6
    assert np.abs(points + turned).max() < 1e-9, "a direction follows the one before"


@pytest.mark.parametrize("of", ["statistics", "weights"])
@pytest.mark.parametrize("epochs", ["all", "last"])
def test_the_probe_is_that_of_the_library(code, zoo, of, epochs):
    parts = [part.spread(16) if epochs == "all" else part.samples([6]) for part in parts_of(zoo)]
    rows = [part.weights.double() for part in parts]
    rows = [(layer_statistics(row, zoo.architecture) if of == "statistics" else row).numpy() for row in rows]
    truth = [part.table["test_accuracy"].to_numpy()[:, None] for part in parts]
    ours = LinearProbe().fit(rows[0], truth[0], (rows[1], truth[1]))
    told = ours.predict(rows[2])[:, 0]

    part = np.repeat([0, 1, 2], [len(row) for row in rows]).tolist()
    ask = "([x, y, part]) => reading.probe(x.map((row) => Float64Array.from(row)), y, part)"
    theirs = code.evaluate(ask, [np.concatenate(rows).tolist(), np.concatenate(truth)[:, 0].tolist(), part])
    assert theirs["penalty"] == ours.penalty_[0]
    assert np.abs(np.array(theirs["guesses"]) - told).max() < 1e-6
    assert theirs["r2"] == pytest.approx(score(truth[2][:, 0], told), abs=1e-5)


def test_the_clock_knows_the_mean_of_the_training_models(code, zoo):
    train, _, test = (part.spread(16).table for part in parts_of(zoo))
    means = train.groupby("epoch")["test_accuracy"].mean()
    ours = score(test["test_accuracy"].to_numpy(), means[test["epoch"]].to_numpy())
    table, sizes = zoo.spread(16).table, [len(part) for part in parts_of(zoo)]
    part = np.repeat([0, 1, 2], sizes)[table["model"]].tolist()
    given = [table["epoch"].tolist(), table["test_accuracy"].tolist(), part]
    assert code.evaluate("(given) => reading.clock(...given)", given) == pytest.approx(ours, abs=1e-12)


@pytest.mark.parametrize("models", [10, 13, 30, 50, 110, 200])
def test_parts_are_those_of_the_library(code, models):
    part = code.evaluate("(models) => reading.parts(models)", models)
    assert [part.count(one) for one in range(len(ENDS))] == [len(p) for p in parts_of(grown(Settings(models, 0)))]


def test_a_permuted_network_moves_and_answers_the_same(code, zoo):
    ask = """(row) => {
      const weights = Float32Array.from(row);
      const moved = growing.permuted(weights, [4, 2, 0, 1, 3]);
      const [before, after] = [weights, moved].map((one) => growing.answers(one));
      return [[...moved], [...before], [...after]];
    }"""
    weights = zoo.weights[0, -1]
    moved, before, after = map(np.array, code.evaluate(ask, weights.tolist()))
    order = [4, 2, 0, 1, 3]
    first, second = weights[:80].reshape(5, 16)[order], weights[80:].reshape(4, 5)[:, order]
    assert np.array_equal(moved, np.concatenate([first.ravel(), second.ravel()]))
    assert np.abs(before - after).max() < 1e-12 and np.abs(before).max() > 0.1


def test_the_order_of_units_is_always_another(code):
    asked = code.evaluate("() => Array.from({ length: 300 }, (_, call) => growing.otherOrder(1, 0, call))")
    assert [0, 1, 2, 3, 4] not in asked and len({*map(tuple, asked)}) > 80
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in asked)
