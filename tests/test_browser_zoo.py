"""What a browser is told of the zoo that it grows, what the page says of it, and that its tasks come out as it says."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

import hyperlib
from hyperlib.files.paths import root
from hyperlib.press.pages.browser_zoo import SCRIPTS, draw_still, recipe_script
from hyperlib.representations.baselines import LayerStatistics
from hyperlib.tasks.intervals import score
from hyperlib.tasks.probes import LinearProbe
from hyperlib.thesis import browser_zoo
from hyperlib.thesis.browser_zoo import LIMITS, SPREAD, Settings, browser_recipe, covered, grown, parts_of
from hyperlib.thesis.recipes import zoo_recipe

PAGE = root() / "book" / "zoo_in_the_browser.md"
SEED = zoo_recipe("tetris_seed", "quick")


@pytest.mark.parametrize("part", ["train", "test"])
def test_images_arrive_to_the_bit(part):
    images, sent = hyperlib.load_images("tetris"), browser_recipe()[part]
    pixels = np.frombuffer(base64.b64decode(sent["pixels"]), "<f4").reshape(-1, 1, 4, 4)
    labels = np.frombuffer(base64.b64decode(sent["labels"]), np.uint8)
    assert np.array_equal(pixels, getattr(images, f"{part}_x")) and np.array_equal(labels, getattr(images, f"{part}_y"))


def test_the_recipe_is_a_script_and_plain_data():
    start, end = "const zooRecipe = ", ";\n"
    script = recipe_script()
    assert script.startswith(start) and script.endswith(end)
    told = json.loads(script.removeprefix(start).removesuffix(end))
    assert told["settings"] == {"models": 50, "epochs": SEED.epochs, "rate": SEED.design["lr"].iloc[0], "seed": 0}
    assert told["batch"] == SEED.batch_size and told["units"] * told["inputs"] + told["classes"] * told["units"] == 100
    assert all(low <= told["settings"][name] <= high for name, (low, high) in told["limits"].items())
    assert "//" not in re.sub(r'"(?:pixels|labels)":"[^"]*"', "", script), "it names no address"


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (SEED.but(activation="relu"), "activation"),
        (SEED.but(init="normal"), "init"),
        (SEED.but(optimizer="sgd"), "optimizer"),
        (SEED.but(dropout=(0.0, 0.5)), "dropout"),
        (SEED.but(weight_decay=1e-3), "weight_decay"),
        (SEED.but(train_fraction=0.5), "train_fraction"),
        (replace(SEED, architecture_name="digits_cnn"), "two layers without biases"),
        (replace(SEED, architecture_name="wide_mlp"), "two layers without biases"),
    ],
)
def test_a_recipe_that_the_browser_would_half_obey_is_refused(other, named):
    with pytest.raises(ValueError, match=named):
        covered(other)


def test_the_page_shows_the_call_that_grows_this_zoo(monkeypatch):
    calls = []
    for module in (hyperlib, browser_zoo):
        monkeypatch.setattr(module, "train_population", lambda *given, **named: calls.append((given, named)))
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    exec(compile(code, "page", "exec"), {})
    grown(Settings())

    ((network, images, design), named), ((other, others, rows), own) = calls
    assert network == other and images.checksum == others.checksum and design.equals(rows)
    assert {"batch_size": 32, "seed": 0} | named == {name: own[name] for name in ("epochs", "batch_size", "seed")}


@pytest.mark.parametrize("models", [LIMITS["models"][0], 13, 50, LIMITS["models"][1]])
def test_every_part_has_models_and_no_model_is_in_two(models):
    zoo = grown(Settings(models=models, epochs=0))
    parts = parts_of(zoo)
    assert torch.equal(torch.cat([part.weights for part in parts]), zoo.weights) and min(map(len, parts)) > 0


def test_scripts_are_small_and_whole():
    there = {f"zoo/{file.name}" for file in (root() / "book" / "_static" / "zoo").glob("*.js")}
    assert there == {*SCRIPTS} - {"zoo/recipe.js"}
    assert sum((root() / "book" / "_static" / name).stat().st_size for name in there) < 60_000


# -- what the page says of its tasks


def medians(**settings) -> tuple[np.ndarray, float]:
    """Median accuracy of every epoch, and the median variance of the first layer at the end."""
    zoo = grown(replace(Settings(), **settings), "auto")
    accuracy = np.median(zoo.table["test_accuracy"].to_numpy().reshape(len(zoo), -1), axis=0)
    return accuracy, float(zoo.weights[:, -1, :80].var(1, correction=0).median())


def test_the_still_is_the_same_to_the_byte_at_every_build(tmp_path):
    for name in ("a.png", "b.png"):  # a draw at random would go on in the second
        draw_still(tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.slow
def test_ten_times_the_rate_ends_highest_and_a_hundred_times_begins_fastest():
    (usual, narrow), (ten, wider), (hundred, widest) = (medians(rate=rate) for rate in (1e-3, 1e-2, 1e-1))
    assert usual[1] < ten[1] < hundred[1]
    assert usual[-1] < hundred[-1] < ten[-1]
    assert hundred[-1] - hundred[10] < (hundred[-1] - hundred[0]) / 10, "its rise is over within a few epochs"
    assert narrow < wider < widest


@pytest.mark.slow
def test_the_clock_leads_and_inside_an_epoch_statistics_need_many_models():
    scores = {models: probed(grown(Settings(models=models), "auto")) for models in (50, LIMITS["models"][1])}
    for of in scores.values():
        assert of["clock", "all"] > max(of["weights", "all"], of["statistics", "all"])
        assert of["weights", "all"] < 0 and of["weights", "this"] < 0 and of["clock", "this"] <= 0
    assert scores[50]["statistics", "this"] < 0 < scores[LIMITS["models"][1]]["statistics", "this"]


def probed(zoo: hyperlib.Zoo) -> dict[tuple[str, str], float]:
    """R² on held-out models, by what is read and of which epochs."""
    found = {}
    for epochs in ("all", "this"):
        parts = [part.spread(SPREAD) if epochs == "all" else part.samples([part.epochs[-1]]) for part in parts_of(zoo)]
        truth = [part.table["test_accuracy"].to_numpy()[:, None] for part in parts]
        for name, embedder in {"weights": hyperlib.RawWeights(), "statistics": LayerStatistics()}.items():
            rows = [np.asarray(embedder.fit(parts[0]).embed(part), dtype=np.float64) for part in parts]
            probe = LinearProbe().fit(rows[0], truth[0], (rows[1], truth[1]))
            found[name, epochs] = score(truth[2][:, 0], probe.predict(rows[2])[:, 0])
        means = parts[0].table.groupby("epoch")["test_accuracy"].mean()
        found["clock", epochs] = score(truth[2][:, 0], means[parts[2].table["epoch"]].to_numpy())
    return found
