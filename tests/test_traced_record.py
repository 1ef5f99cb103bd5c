"""A traced network as data: it comes back whole, and nothing that a stranger writes does harm."""

from __future__ import annotations

import copy
import json
import random
import time
import tracemalloc

import pytest
import torch
from torch import nn

from hyperlib import from_module
from hyperlib.weightspace.symmetry import (
    permutation_index,
    random_permutations,
    random_scales,
    random_signs,
    unchecked_factors,
)
from hyperlib.weightspace.traced_record import traced_from_record, traced_record

MODULES = {
    "mlp": lambda: (nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3)), torch.zeros(2, 4)),
    "encoder": lambda: (nn.TransformerEncoderLayer(8, 2, 12, batch_first=True), torch.zeros(2, 3, 8)),
    "grouped": lambda: (
        nn.Sequential(nn.Conv1d(3, 8, 1), nn.ReLU(), nn.Conv1d(8, 4, 1, groups=2), nn.ReLU(), nn.Conv1d(4, 2, 1)),
        torch.zeros(2, 3, 5),
    ),
}


@pytest.fixture(scope="module", params=MODULES)
def network(request):
    torch.manual_seed(0)
    return from_module(*MODULES[request.param]())


@pytest.fixture(scope="module")
def record(network):
    """The record as a file holds it."""
    return json.loads(json.dumps(traced_record(network)))


def test_a_network_comes_back_whole(network, record):
    kept = traced_from_record(record)

    assert (kept.name, kept.kind, kept.walls) == (network.name, network.kind, network.walls)
    assert (kept.num_classes, kept.activations_per_input) == (network.num_classes, network.activations_per_input)
    assert kept.layout == network.layout
    assert kept.structure.pieces == network.structure.pieces
    for part in ("size", "groups", "within", "blocks", "refused"):
        assert getattr(kept.structure, part) == getattr(network.structure, part)
    assert traced_record(kept) == traced_record(network)


def test_a_network_whose_inner_groups_were_dropped_comes_back():
    from hyperlib.weightspace.bridge.trying import _without

    network = from_module(*MODULES["encoder"]())
    structure = _without(network.structure, {name: "it was dropped" for name in network.structure.within})
    kept = traced_from_record(traced_record(network.with_structure(structure)))

    assert kept.structure.groups == structure.groups and not kept.structure.within


# -- what contradicts itself -------------------------------------------------------------------------------------------


def a_piece(record):
    """The first piece of the first slot."""
    return next(piece for piece in record["pieces"] if piece[0] == 0)


def overlap(record):
    record["pieces"][1] = copy.deepcopy(record["pieces"][0])


def gap(record):
    record["pieces"].pop()


def outside(record):
    a_piece(record)[1] += 1


def another_slot(record):
    record["pieces"][0][0] = len(record["slots"])


def twice_the_same_place(record):
    a_piece(record)[3][-1] = 0


def a_longer_axis(record):
    a_piece(record)[2][0] += 1


def no_such_group(record):
    next(piece for piece in record["pieces"] if any(piece[4]))[4][:] = ["nobody"] * 9


def no_such_signal(record):
    next(piece for piece in record["pieces"] if piece[7])[7][0][0] = "nobody"


def power_beyond_the_axes(record):
    next(piece for piece in record["pieces"] if piece[7])[7][0][1] = [60]


def huge_power(record):
    next(piece for piece in record["pieces"] if piece[7])[7][0][2] = 10**6


def outer_beyond_the_axes(record):
    piece = next(piece for piece in record["pieces"] if any(piece[4]))
    piece[5] = [63] * len(piece[5])


def group_without_width(record):
    record["groups"] = {name: 0 for name in record["groups"]}


def group_within_nobody(record):
    record["within"] = {name: "nobody" for name in record["groups"]}


def more_blocks(record):
    record["blocks"] = {name: 7 for name in record["blocks"]} | {"nobody": 2}


def blocks_of_a_group_within_none(record):
    record["blocks"] = {name: 7 if name not in record["within"] else count for name, count in record["blocks"].items()}


def signal_of_nobody(record):
    record["signals"][0][1] = "nobody"


def signal_twice(record):
    record["signals"].append(record["signals"][0])


def huge_slot(record):
    record["slots"][0][2] = [2**39, 2**39]


def huge_pieces(record):
    record["slots"][0][2] = [2**20, 2**20]
    a_piece(record)[2] = [2**20, 2**20]


def negative_start(record):
    record["pieces"][0][1] = -1


def text_for_a_number(record):
    record["pieces"][0][1] = "0"


def one_part_more(record):
    record["code"] = "import os"


def of_another_kind(record):
    record["kind"] = "layers"


def endless_name(record):
    record["name"] = "n" * 10**5


HOSTILE = [
    *(overlap, gap, outside, another_slot, twice_the_same_place, a_longer_axis, no_such_group, no_such_signal),
    *(power_beyond_the_axes, huge_power, outer_beyond_the_axes, group_without_width, group_within_nobody, more_blocks),
    *(signal_of_nobody, signal_twice, huge_slot, huge_pieces, negative_start, text_for_a_number, one_part_more),
    *(of_another_kind, endless_name),
]


@pytest.mark.parametrize(
    "change",
    [*HOSTILE, blocks_of_a_group_within_none],
    ids=lambda change: change.__name__,
)
def test_a_record_that_contradicts_itself_is_refused(record, change):
    hostile = copy.deepcopy(record)
    change(hostile)

    with pytest.raises(ValueError):
        traced_from_record(hostile)


# -- anything ----------------------------------------------------------------------------------------------------------

ODD = [0, 1, -1, 2, 3, 7, 8, 63, 64, 2**31, 2**39, 2**63, 1.5, float("nan"), "", "0", "nobody", None, True, [], [0], {}]


def mutated(value, rng: random.Random):
    """The value with one part of it changed, left out, doubled or exchanged."""
    if isinstance(value, dict) and value and rng.random() < 0.95:
        name = rng.choice(sorted(value))
        changed = dict(value)
        if rng.random() < 0.05:
            del changed[name]
        else:
            changed[name] = mutated(value[name], rng)
        return changed
    if isinstance(value, list) and value and rng.random() < 0.95:
        changed, place = list(value), rng.randrange(len(value))
        how = rng.random()
        if how < 0.05:
            del changed[place]
        elif how < 0.1:
            changed.insert(place, rng.choice(value))
        elif how < 0.2:
            other = rng.randrange(len(value))
            changed[place], changed[other] = changed[other], changed[place]
        else:
            changed[place] = mutated(value[place], rng)
        return changed
    if isinstance(value, int) and rng.random() < 0.5:
        return value + rng.choice([-1, 1, 2])
    return rng.choice(ODD)


@pytest.mark.slow
def test_thousands_of_changed_records_are_refused_or_describe_a_network(record):
    rng = random.Random(0)
    generator = torch.Generator().manual_seed(0)
    read, start = 0, time.perf_counter()
    tracemalloc.start()
    for _ in range(1500):
        hostile = record
        for _ in range(rng.choice([1, 1, 1, 2, 4])):
            hostile = mutated(hostile, rng)
        try:
            kept = traced_from_record(hostile)
        except ValueError:
            continue
        read += 1
        if read % 10 == 0:  # what was read can be used
            use(kept, generator)
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert 0 < read < 1500
    assert largest < 2**26 and time.perf_counter() - start < 30


def use(network, generator) -> None:
    """Draw and make all moves of a network."""
    orders = random_permutations(network, 2, generator)
    index = permutation_index(network, orders, models=2)
    assert (index.sort().values == torch.arange(network.layout.size)).all()
    for factors in (random_signs(network, 2, generator), random_scales(network, 2, generator)):
        assert torch.isfinite(unchecked_factors(network.structure, factors, 2)).all()
