"""What engine, files and representations were to reach, set before they were measured, beside what a run measured.

A floor makes the thing worth having, an aim is what we hoped for. Ratios of training are per second of processor time
in one run of the benchmarks: against the plain loop, and against the one that also evaluates the train split and so
does as much work as the engines. A training step of a hyper-representation is set against the released way of writing
it, with dropout at the same places; a network that is augmented and tokenised counts once, for its two views.

Source: our choice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import pandas as pd

from hyperlib.thesis.estimate import benchmark

ENGINE = "numba"
_RATIOS = {  # floor and aim
    "Tetris MLP": (30, 100),
    "digits CNN 8x8": (8, 50),
    "small CNN 28x28": (5, 9),
    "large CNN 32x32x3": (5, None),
}
_BASELINES = {"over the plain loop": "plain loop", "over as much work": "plain loop, same measures"}
_FILES = {"write": 50, "load all": 20, "one checkpoint": 20}
_WEIGHT_SPACE = {  # seconds at most
    "permute": 0.1,
    "align to one reference": 20,
    "all pairs: l2": 30,
    "all pairs: cosine": 30,
    "all pairs: CKA of 1,000 answers": 30,
}
_STEPS = {  # of a hyper-representation: network (which decides the width), contestant, floor
    "": ("tetris_mlp", "ours, float32", 1.5),
    " with bfloat16 at width >= 800": ("small_cnn_1ch", "ours, bfloat16", 2),
}
_VIEWS = 15_000  # small CNNs per second, two views of each
_AT_LEAST, _AT_MOST = "at least", "at most"
Row = tuple[str, str, float | None, float | None, float]


def targets(read: Callable[[str], pd.DataFrame] = benchmark) -> pd.DataFrame:
    """One row per target: `floor` and `aim` (either may be missing), what was `measured`, and the `verdict`.

    read: gives a table of the benchmarks by its name. What a table does not have is "not measured".
    """
    rows = [*_training(read("training")), *_peak(read("peak")), *_files(read("files")), *_first(read("compile"))]
    twice = _one(read("nodes"), "speedup", nodes=2)
    rows.append(("Ray: two nodes of one core over one, times", _AT_LEAST, 1.7, None, twice))
    rows += [*_weight_space(read("weight_space")), *_views(read("tokens")), *_steps(read("training_step"))]
    spare = _one(read("memory"), "besides_gib", engine=ENGINE)
    rows.append(("GiB for 500 small CNNs besides the kept weights", _AT_MOST, 2, None, spare))
    table = pd.DataFrame(rows, columns=["target", "side", "floor", "aim", "measured"])
    table = table.astype({"floor": float, "aim": float, "measured": float})
    return table.assign(verdict=[_verdict(*row) for row in table.drop(columns="target").itertuples(index=False)])


def _training(table: pd.DataFrame) -> Iterator[Row]:
    for words, baseline in _BASELINES.items():
        for network, (floor, aim) in _RATIOS.items():
            ours, theirs = (_one(table, "per_cpu_s", network=network, contestant=name) for name in (ENGINE, baseline))
            yield f"{network}: {ENGINE} {words}, times", _AT_LEAST, floor, aim, ours / theirs
    for network in _RATIOS:
        several, alone = (
            _one(table, "per_s", network=network, contestant=name) for name in (ENGINE, f"{ENGINE}, 1 thread")
        )
        yield f"{network}: all cores over one, times", _AT_LEAST, 1.8, None, several / alone


def _peak(table: pd.DataFrame) -> Iterator[Row]:
    network = "small CNN 28x28"
    for cores in table["cores"].unique():
        reached = 100 * _one(table, "fraction", network=network, cores=cores, engine=ENGINE)
        yield f"{network}: % of the peak on {cores} core{'s' if cores > 1 else ''}", _AT_LEAST, None, 70, reached


def _files(table: pd.DataFrame) -> Iterator[Row]:
    for action, floor in _FILES.items():
        yield f"files: {action}, times", _AT_LEAST, floor, None, _one(table, "ratio", action=action)


def _weight_space(table: pd.DataFrame) -> Iterator[Row]:
    for action, most in _WEIGHT_SPACE.items():
        networks = _one(table, "networks", action=action)
        count = "" if math.isnan(networks) else f", {networks:.0f} small CNNs"
        yield f"weight space: seconds, {action}{count}", _AT_MOST, most, None, _one(table, "ours_s", action=action)


def _views(table: pd.DataFrame) -> Iterator[Row]:
    rate = _one(table, "ours_per_cpu_s", network="small_cnn_1ch", action="two views as tokens")
    yield "augment and tokenise: small CNNs per second on one core", _AT_LEAST, _VIEWS, None, rate


def _steps(table: pd.DataFrame) -> Iterator[Row]:
    for words, (network, contestant, floor) in _STEPS.items():
        ratio = _one(table, "ratio", network=network, contestant=contestant)
        yield f"hyper-representation: training step over the released way{words}, times", _AT_LEAST, floor, None, ratio


def _first(table: pd.DataFrame) -> Iterator[Row]:
    for cache, most in {"empty": 30, "filled by the same network": 1}.items():
        seconds = _one(table, "first_s", cache=cache, engine=ENGINE)
        yield f"seconds to the first result, cache {cache}", _AT_MOST, most, None, seconds


def _one(table: pd.DataFrame, value: str, **where: object) -> float:
    """The value in the one row where columns are as said; NaN if there is none."""
    for column, wanted in where.items():
        table = table[table[column] == wanted]
    return float(table[value].iloc[0]) if len(table) == 1 else math.nan


def _verdict(side: str, floor: float, aim: float, measured: float) -> str:
    if math.isnan(measured):
        return "not measured"
    for word, bound in (("aim", aim), ("floor", floor)):
        if not math.isnan(bound) and (measured >= bound if side == _AT_LEAST else measured <= bound):
            return f"{word} reached"
    return "missed"
