"""A target's verdict follows from the tables of one run, and a missing number is no success."""

import math

import pandas as pd
import pytest

from hyperlib.thesis.targets import targets

CONTESTANTS = {"plain loop": 1.0, "plain loop, same measures": 0.5, "numba": 40.0, "numba, 1 thread": 25.0}
TABLES = {
    "training": pd.DataFrame(
        {"network": "Tetris MLP", "contestant": name, "per_cpu_s": rate, "per_s": rate}
        for name, rate in CONTESTANTS.items()
    ),
    "peak": pd.DataFrame({"cores": [1, 2], "network": "small CNN 28x28", "engine": "numba", "fraction": [0.7, 0.69]}),
    "files": pd.DataFrame({"action": ["write", "load all", "one checkpoint"], "ratio": [50.0, 19.9, 100.0]}),
    "compile": pd.DataFrame(
        {"cache": ["empty", "filled by the same network"], "engine": "numba", "first_s": [30.0, 1.5]}
    ),
    "weight_space": pd.DataFrame(
        {"action": ["permute", "all pairs: l2"], "networks": [500, 300], "ours_s": [0.2, 1.0], "ratio": [9.0, 9.0]}
    ),
    "tokens": pd.DataFrame(
        {
            "network": ["small_cnn_1ch", "small_cnn_1ch", "tetris_mlp"],
            "action": ["two views as tokens", "tokens", "two views as tokens"],
            "ours_per_cpu_s": [14_000.0, 40_000.0, 200_000.0],
        }
    ),
    "training_step": pd.DataFrame(
        {
            "network": ["tetris_mlp", "tetris_mlp", "small_cnn_1ch", "small_cnn_1ch"],
            "contestant": ["ours, float32", "ours, bfloat16", "ours, float32", "ours, bfloat16"],
            "ratio": [1.6, 1.4, 1.3, 1.9],
        }
    ),
    "nodes": pd.DataFrame({"nodes": [0, 1, 2], "speedup": [1.02, 1.0, 1.69]}),
    "memory": pd.DataFrame({"engine": ["numba"], "besides_gib": [0.5]}),
}


@pytest.fixture
def verdicts():
    return targets(TABLES.__getitem__).set_index("target")["verdict"]


@pytest.mark.parametrize(
    ("target", "verdict"),
    [
        ("Tetris MLP: numba over the plain loop, times", "floor reached"),  # 40, floor 30, aim 100
        ("Tetris MLP: numba over as much work, times", "floor reached"),  # 80
        ("Tetris MLP: all cores over one, times", "missed"),  # 1.6
        ("small CNN 28x28: % of the peak on 1 core", "aim reached"),
        ("small CNN 28x28: % of the peak on 2 cores", "missed"),
        ("Ray: two nodes of one core over one, times", "missed"),
        ("files: write, times", "floor reached"),
        ("files: load all, times", "missed"),
        ("seconds to the first result, cache empty", "floor reached"),
        ("seconds to the first result, cache filled by the same network", "missed"),
        ("weight space: seconds, permute, 500 small CNNs", "missed"),
        ("weight space: seconds, all pairs: l2, 300 small CNNs", "floor reached"),
        ("weight space: seconds, align to one reference", "not measured"),
        ("augment and tokenise: small CNNs per second on one core", "missed"),
        ("hyper-representation: training step over the released way, times", "floor reached"),
        ("hyper-representation: training step over the released way with bfloat16 at width >= 800, times", "missed"),
        ("GiB for 500 small CNNs besides the kept weights", "floor reached"),
        ("small CNN 28x28: numba over the plain loop, times", "not measured"),
    ],
)
def test_a_verdict_compares_what_was_measured_with_floor_and_aim(verdicts, target, verdict):
    assert verdicts[target] == verdict


def test_a_ratio_is_of_two_contestants_on_the_same_network():
    table = targets(TABLES.__getitem__).set_index("target")

    assert table.loc["Tetris MLP: numba over as much work, times", "measured"] == 80
    assert table.loc["Tetris MLP: all cores over one, times", "measured"] == 1.6
    assert math.isnan(table.loc["digits CNN 8x8: all cores over one, times", "measured"])


def test_another_engine_does_not_reach_the_targets_of_the_compiled_one():
    other = {name: table.assign(engine="torch") for name, table in TABLES.items()}
    other["training"] = TABLES["training"].replace({"numba": "torch", "numba, 1 thread": "torch, 1 thread"})
    of_no_engine = "target.str.contains('files|Ray|weight space|augment|representation')"
    verdicts = targets(other.__getitem__).query(f"not {of_no_engine}")["verdict"]

    assert set(verdicts) == {"not measured"}
