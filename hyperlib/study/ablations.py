"""Chapter 4's ablations, trained longer than a page can wait for: `python -m hyperlib.study.ablations`.

Every recipe of the families `augment`, `arch`, `compression` and `ours`, and the thesis's configuration beside them,
has three times its steps at the profile (about an hour of one core at `laptop`), one seed each. Page 04a shows
these tables and takes its verdicts from them, and trains a few of the rows itself. Trainings are kept in the store, so
a stopped run goes on where it was.

Source: grid of Schürholt et al. (2021); lengths and margins are our choice.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from hyperlib.files import paths
from hyperlib.files.ending import command
from hyperlib.representations.hyper_rep import HyperRep
from hyperlib.store.fingerprint import code_fingerprint
from hyperlib.study.representations import Which, representations
from hyperlib.study.study import Study
from hyperlib.tasks.probing import ProbeResult, run_probes
from hyperlib.tasks.reconstruction import reconstruction_table
from hyperlib.thesis.book_representations import RepresentationRecipe, names, representation_recipe
from hyperlib.thesis.profiles import PROFILES

ZOO, TARGETS, TIMES = "tetris_seed", ("test_accuracy", "epoch", "gap"), 3.0
TABLES: dict[str, tuple[str, str | None]] = {  # where the rows of a family are published
    "augment": ("hr-tetris-ablation-augment", None),
    "arch": ("hr-tetris-ablation-arch", None),
    "compression": ("hr-tetris-ablation-compression", None),
    "ours": ("hr-tetris-baselines", "choices"),
}
COLUMNS = ("features", "dimensions", "steps", "passes", "seed", *TARGETS, "latents", "rebuilt", "agreement")
OWN = {"arch": ("thesis",), "compression": ("latent", "mix")}  # columns of one family
THESIS_NAMES = {
    **{"arch_dense": "FF", "arch_weight": "Att_W", "arch_weight_summary": "Att_W+"},
    **{"arch_neuron": "Att_N", "arch_neuron_summary": "Att_N+"},
}
LOSSES = {1.0: "contrast", 0.5: "both", 0.0: "reconstruction"}  # by the contrast's share
DIFFERENCES = ("claim", "case", "value", "low", "high", "freedom", "first", "second")
CURVES = ("features", "step", "val_contrast", "val_reconstruction")


def _grid(word: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Rows of the grid of views with a setting, and those without."""
    grid = [name for name in names("augment") if "_perm_" in name or "_fixed_" in name]
    return tuple(name for name in grid if word in name), tuple(name for name in grid if word not in name)


_BOTH = ("augment_perm_clean_whole",)
_POSITIVES = ("augment", ("augment_positive_intended",), ("augment_positive_released",))
COMPARED = {  # by claim: the family, rows that should score higher, and those that should score lower
    "permuted views help": ("augment", *_grid("_perm_")),
    "both losses beat reconstruction alone": ("augment", _BOTH, ("augment_reconstruction_only",)),
    "noise helps": ("augment", *_grid("_noise_")),
    "erasing helps": ("augment", *_grid("_erase")),
    "both losses beat contrast alone": ("augment", _BOTH, ("augment_contrast_only",)),
    "the intended positive loss beats the released one": _POSITIVES,
    "a summary token helps attention over neurons": ("arch", ("arch_neuron_summary",), ("arch_neuron",)),
    "neurons beat single weights": ("arch", ("arch_neuron",), ("arch_weight",)),
    "attention over neurons beats feed-forward": ("arch", ("arch_neuron",), ("arch_dense",)),
    "statistics of rows help": ("ours", ("ours_with_statistics",), ("ours_as_is",)),
    "pooling beats a summary token": ("ours", ("ours_as_is",), ("ours_summary",)),
}


class Ablated(NamedTuple):
    """Some rows of the tables: representations by row, their probes, and `COLUMNS` of each."""

    reps: dict[str, HyperRep]
    probed: ProbeResult
    table: pd.DataFrame


def ablated(study: Study, recipes: Mapping[str, Which]) -> Ablated:
    """Train recipes, by the name of their row, on the first split of the Tetris zoo; probe and rebuild with each.

    Scores are R² of a linear probe on test models; `passes` is how often the training saw each checkpoint, `rebuilt`
    and `agreement` are as in `reconstruction_table`. Raises ValueError for a name without a recipe.
    """
    trained = representations(study, [(which, 0) for which in recipes.values()])
    reps = dict(zip(recipes, trained, strict=True))
    parts, images = study.parts(ZOO), study.recipe(ZOO).images.load()
    probed = run_probes(reps, *parts, TARGETS)
    scores = probed.table.pivot(index="features", columns="target", values="value")
    rebuilt = reconstruction_table(reps.values(), parts[0], parts[2], images).set_axis(list(reps))
    rows = [
        {"features": row, "dimensions": rep.dimensions_, "steps": rep.steps, "seed": rep.seed}
        | {"passes": rep.steps * rep.batch_size / len(parts[0])}
        for row, rep in reps.items()
    ]
    found = scores.join(rebuilt.rename(columns={"r2": "rebuilt"}))
    return Ablated(reps, probed, pd.DataFrame(rows).join(found, on="features")[list(COLUMNS)])


def longer_recipes(profile: str, times: float = TIMES) -> dict[str, dict[str, RepresentationRecipe]]:
    """For each family its recipes by row, so many times as long; rows of equal settings share one, trained once."""
    first: dict[frozenset, RepresentationRecipe] = {}
    found: dict[str, dict[str, RepresentationRecipe]] = {}
    for family in TABLES:
        rows = {name: name for name in names(family)} | ({"thesis": f"{ZOO}-thesis"} if family == "ours" else {})
        for row, name in rows.items():
            recipe = representation_recipe(name, profile)
            settings = dict(recipe.settings)
            settings["steps"] = max(1, round(times * settings["steps"]))
            longer = replace(recipe, name=f"{name}-longer", settings=tuple(settings.items()))
            found.setdefault(family, {})[row] = first.setdefault(frozenset(settings.items()), longer)
    return found


def differences(family: str, probed: ProbeResult) -> pd.DataFrame:
    """For every claim on a family and every target: the difference of scores with its 95 % interval."""
    rows = [
        {"claim": claim, "case": target, **probed.compare(first, second, target)._asdict()}
        | {"first": ", ".join(first), "second": ", ".join(second)}
        for claim, (where, first, second) in COMPARED.items()
        for target in (TARGETS if where == family else ())
    ]
    return pd.DataFrame(rows, columns=list(DIFFERENCES))


def curves(reps: Mapping[str, HyperRep]) -> pd.DataFrame:
    """Losses on validation models while each row was trained."""
    rows = [rep.history_.assign(features=row)[list(CURVES)] for row, rep in reps.items()]
    return pd.concat(rows, ignore_index=True)


def committed_run(study: Study) -> dict[str, pd.DataFrame]:
    """The tables of the published run: by family, and its `differences` and `curves`.

    All of them are without rows where the run is not committed, or not whole.
    """
    empty = {family: pd.DataFrame(columns=[*COLUMNS, *OWN.get(family, ())]) for family in TABLES}
    empty |= {"differences": pd.DataFrame(columns=list(DIFFERENCES)), "curves": pd.DataFrame(columns=list(CURVES))}
    claimed = dict.fromkeys(family for family, *_ in COMPARED.values())
    try:
        found = {family: study.committed(*place, profile="laptop") for family, place in TABLES.items()}
        told = [study.committed(TABLES[family][0], "differences", profile="laptop") for family in claimed]
        found["differences"] = pd.concat(told, ignore_index=True)
        found["curves"] = study.committed(TABLES["augment"][0], "curves", profile="laptop")
    except FileNotFoundError:
        return empty
    whole = all({*table} <= {*found[what]} for what, table in empty.items())
    return found if whole and _of_one_run(found) else empty


def _of_one_run(tables: Mapping[str, pd.DataFrame]) -> bool:
    """Whether one code made them all, and every claim is among the differences."""
    codes = {code for table in tables.values() for code in table.get("code", ())}
    return len(codes) == 1 and {*COMPARED} == {*tables["differences"]["claim"]}


@command
def main(arguments: list[str] | None = None) -> None:
    """The command; SystemExit, with a sentence, for arguments out of range."""
    started, code = time.perf_counter(), code_fingerprint("hyperlib.study.ablations")[:12]
    parser = argparse.ArgumentParser(prog="python -m hyperlib.study.ablations", description=__doc__.splitlines()[0])
    parser.add_argument("--profile", choices=PROFILES, default="laptop", help="default: laptop, which the book shows")
    parser.add_argument("--times", type=float, default=TIMES, help=f"as long as at the profile (default: {TIMES:g})")
    chosen = parser.parse_args(arguments)
    if not 0 < chosen.times < math.inf:
        parser.error("times is a number above 0, such as 3 for trainings three times as long.")
    study, families = Study(chosen.profile), longer_recipes(chosen.profile, chosen.times)
    print(f"{sum(map(len, families.values()))} rows; each training is kept in {study.store.folder}.", flush=True)
    for family, recipes in families.items():
        found = ablated(study, recipes)
        table, (artefact, part) = _with_own_columns(family, found.table, recipes).assign(code=code), TABLES[family]
        study.publish(artefact, table, part)
        if len(told := differences(family, found.probed)):
            study.publish(artefact, told.assign(code=code), "differences")
        if family == "augment":
            study.publish(artefact, curves(found.reps), "curves")
        print(table[["features", "steps", *TARGETS, "rebuilt"]].round(3).to_string(index=False))
        print(f"{family} is done; {time.perf_counter() - started:.0f} s", flush=True)
    fresh, place = paths.results_folder(chosen.profile), paths.committed_folder(chosen.profile)
    print(f"The tables are in {fresh}; a commit has them in {place}.")


def _with_own_columns(
    family: str, table: pd.DataFrame, recipes: Mapping[str, RepresentationRecipe]
) -> pd.DataFrame:
    """The table with the columns that only this family has."""
    settings = [dict(recipe.settings) for recipe in recipes.values()]
    if family == "arch":
        return table.assign(thesis=table["features"].map(THESIS_NAMES))
    if family == "compression":
        return table.assign(latent=[one["latent"] for one in settings], mix=[LOSSES[one["mix"]] for one in settings])
    return table


if __name__ == "__main__":
    sys.exit(main())
