"""The modelled curve goes through what was measured, and the whole thesis is what was published."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from hyperlib import HyperRep, small_cnn
from hyperlib.thesis import card_cost, published
from hyperlib.thesis.book_representations import REPRESENTATIONS
from hyperlib.thesis.book_sane import SANES
from hyperlib.thesis.card_cost import card_costs, step_operations
from hyperlib.thesis.estimate import estimate, kept_bytes
from hyperlib.thesis.published_zoos import published_recipe
from hyperlib.thesis.scaling import Times, fitted, recipe_blocks, scaling_curve
from hyperlib.thesis.whole_cost import whole_cost, with_total
from hyperlib.weightspace.architectures import ARCHITECTURES, LARGE_ARCHITECTURES, architecture
from hyperlib.weightspace.work import multiply_adds

TIMES = Times(serial=0.5, block=2.0, handing=0.1)
RATES = pd.DataFrame({"architecture": [*ARCHITECTURES, *LARGE_ARCHITECTURES]}).assign(
    evaluate_us=1.0, train_us_batch_32=3.0, train_us_batch_10=7.0
)


@pytest.fixture
def measured() -> pd.DataFrame:
    """A benchmark of eight blocks that obeys the model."""
    empty = TIMES._replace(block=0.0)
    rows = [{"nodes": 0, "blocks": 8, "seconds": 16.0, "empty_s": 0.0, "speedup": 1.1}]
    for nodes in (1, 2):
        seconds = TIMES.of(8, nodes)
        speedup = TIMES.of(8, 1) / seconds
        known = {"nodes": nodes, "blocks": 8, "empty_s": empty.of(8, nodes)}
        rows.append(known | {"seconds": seconds, "speedup": speedup})
    return pd.DataFrame(rows)


def test_times_are_found_again_in_a_benchmark_that_obeys_the_model(measured):
    assert fitted(measured) == pytest.approx(TIMES)


def test_noise_makes_no_time_negative(measured):
    noisy = measured.assign(empty_s=[0.0, 0.2, 0.3])
    assert fitted(noisy).handing == 0 and fitted(noisy).serial == 0.2


def test_the_curve_goes_through_the_measured_dots_and_ends_with_one_block_per_node(measured):
    curve = scaling_curve(measured, {"a zoo": (640, 60.0)}, [1, 2, 4, 8, 16])
    seen, own, zoo = (rows for _, rows in curve.groupby(["job", "how"], sort=False))

    assert own.iloc[:2]["speedup"].tolist() == pytest.approx(seen["speedup"].tolist())
    assert own["speedup"].iloc[3] == own["speedup"].iloc[4] < 8
    assert zoo["speedup"].iloc[4] == pytest.approx(16, rel=0.01)
    assert (curve["speedup"] <= curve["nodes"] + 1e-9).all()


@pytest.mark.parametrize(("blocks", "nodes"), [(0, 1), (3, 0)])
def test_a_job_without_blocks_or_nodes_is_refused(blocks, nodes):
    with pytest.raises(ValueError, match=f"not {blocks} on {nodes}"):
        TIMES.of(blocks, nodes)


def test_blocks_of_a_recipe_share_its_estimate():
    blocks, seconds = recipe_blocks("usps-seed", RATES)
    assert blocks > 1 and blocks * seconds == pytest.approx(estimate(published_recipe("usps-seed"), RATES))


def test_the_whole_thesis_has_the_published_totals():
    table, wanted = whole_cost(RATES), published.published("zoo-generating-factors").set_index("metric")["value"]

    assert len(table) == wanted["zoos"] and table["models"].sum() == wanted["models"]
    assert table["states"].sum() == wanted["model states incl. sparse twins"]
    assert (table.drop(columns="zoo") > 0).all(axis=None)
    total = with_total(table).iloc[-1]
    assert total["zoo"] == "all" and total["bytes"] == table["bytes"].sum()


def test_a_dense_zoo_and_its_twins_cost_what_the_recipe_with_so_many_more_epochs_does():
    row = whole_cost(RATES).set_index("zoo").loc["fmnist-seed"]
    recipe = published_recipe("fmnist-seed")
    longer = recipe.but(epochs=recipe.epochs + 25)

    assert row["core_hours"] * 3600 == pytest.approx(estimate(longer, RATES))
    assert row["bytes"] == kept_bytes(longer)  # both twins' starts and epoch 0 of the dense ones are published states


def test_every_recipe_at_paper_has_a_cost_on_a_card_by_the_assumed_share_or_a_measured_one(monkeypatch):
    monkeypatch.setattr(card_cost, "step_operations", lambda rep: rep.width * rep.batch_size)  # which takes seconds
    assumed = card_costs(40.0).set_index("name")
    assert set(REPRESENTATIONS) < set(assumed.index) and {f"SANE {name}" for name in SANES} < set(assumed.index)
    assert not assumed["measured"].any() and (assumed["minutes"] >= 0).all()
    zoo = assumed.loc["mnist_seed"].query("kind == 'zoo'").iloc[0]
    images = 1000 * 50 * 50_000
    assert zoo["operations"] > 2 * images * multiply_adds(small_cnn()).training

    rates = pd.DataFrame([{"network": "small CNN 28x28", "images": 4000, "engine": "cuda", "per_s": 2000.0}])
    found = card_costs(40.0, rates).query("kind == 'zoo'").set_index("name")
    assert found["measured"].all()
    training = images / 4000 / 2000 / 60
    assert 1.0 < found.loc["mnist_seed", "minutes"] / training < 1.6  # all images are evaluated after each epoch, too


def test_a_step_of_a_representation_costs_three_times_its_forward_products():
    rep = HyperRep(architecture("tetris_mlp"), batch_size=8)
    plain = HyperRep(architecture("tetris_mlp"), batch_size=8, device="cpu")
    plain.build(None)
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        encoded = plain.network_.encode(torch.zeros(16, 100))
        plain.head_(encoded.embedding)
        plain.network_.decode(encoded.latents)
    assert step_operations(rep) == pytest.approx(3 * counted.get_total_flops(), rel=0.05)
    assert step_operations(HyperRep(architecture("tetris_mlp"), batch_size=16)) == 2 * step_operations(rep)
    assert step_operations(HyperRep(architecture("tetris_mlp"), batch_size=8, mix=1.0)) < step_operations(rep)
