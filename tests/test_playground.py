"""The playground's copies are one function, each a swap of neighbours away from the next."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from torch.testing import assert_close

from hyperlib.tasks.playground import (
    copies_in_all_orders,
    exchanges,
    points_of_the_plane,
    switching_lines,
)
from hyperlib.weightspace.architecture import Architecture
from hyperlib.weightspace.architectures import tetris_mlp
from hyperlib.weightspace.layers import Activation, Flatten, Linear

HIDDEN = (Flatten(), Linear("fc1", width=4), Activation())
TINY = Architecture("tiny", (2, 1, 1), (*HIDDEN, Linear("fc2", units="classes", width=2)), "relu")


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_exchanges_are_all_orders_each_a_swap_of_neighbours_from_the_last(count):
    orders = exchanges(list(range(count)))
    assert sorted(map(tuple, orders)) == sorted(permutations(range(count)))
    assert orders[0] == list(range(count))
    for one, other in zip(orders, orders[1:], strict=False):
        places = [place for place in range(count) if one[place] != other[place]]
        assert len(places) == 2 and places[1] == places[0] + 1


def test_copies_are_different_vectors_and_one_function():
    weights = TINY.initialise(seeds=[3])[0]
    names, copies, table = copies_in_all_orders(TINY, weights)
    assert len(set(names)) == 24 and names[0] == "1234" and copies[0].equal(weights)
    assert len(copies.unique(dim=0)) == 24
    points = points_of_the_plane(torch.linspace(-1, 1, 5))
    answers = TINY.logits(copies, points)
    assert_close(answers, answers[:1].expand_as(answers))
    far = table.groupby("order", sort=False)["distance"].first()
    assert far.to_numpy() == pytest.approx((copies - weights).norm(dim=1).numpy())


def test_a_weight_keeps_its_unit_wherever_it_stands():
    weights = torch.arange(22.0)  # every weight another number, so it can be recognised
    names, _, table = copies_in_all_orders(TINY, weights)
    for _, rows in table.groupby("value"):
        assert rows["unit"].nunique() == 1 and len(rows) == 24
    slots = {slot.name: slot for slot in TINY.slots}
    for order, rows in table.groupby("order"):
        at = slots["fc1.bias"]
        assert [f"{unit + 1}" for unit in rows["unit"].to_numpy()[at.start : at.stop]] == list(order)
    last = slots["fc2.bias"]
    assert (table["unit"].to_numpy().reshape(24, -1)[:, last.start : last.stop] == -1).all()
    assert (table["unit"] == -1).sum() == 24 * 2


def test_units_switch_on_their_lines():
    weights = TINY.initialise(seeds=[3], bias=0.3)[0]
    lines, state = switching_lines(TINY, weights), TINY.layout.unflatten(weights)
    for line in lines.itertuples():
        for x, y in ((line.x0, line.y0), (line.x1, line.y1)):
            total = state["fc1.weight"][line.unit] @ torch.tensor([x, y], dtype=torch.float32)
            assert float(total + state["fc1.bias"][line.unit]) == pytest.approx(0, abs=1e-4)
        assert abs(line.x0 - line.x1) + abs(line.y0 - line.y1) > 1


def test_points_of_the_plane_go_row_by_row():
    points = points_of_the_plane(torch.tensor([0.0, 1.0, 2.0])).flatten(1)
    assert points[:4].tolist() == [[0, 0], [1, 0], [2, 0], [0, 1]]


def test_other_networks_are_refused():
    with pytest.raises(ValueError, match="one hidden layer"):
        switching_lines(tetris_mlp(), tetris_mlp().initialise(seeds=[1])[0])
