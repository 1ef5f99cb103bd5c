"""What each change of a generator keeps of a network: `python -m hyperlib.study.generator_changes`.

Every representation of `CHANGES` is trained three times (seed and split differ), as long as page 05a trains: 82 minutes
of one core at `laptop` on an AMD EPYC, of which the page has trained a third. The page trains a few of them itself, and
takes its verdict from this table. Trainings are kept in the store, so a stopped run has to judge them again (four
minutes for all) and no more.

Source: our choice.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable

import pandas as pd

from hyperlib.files import paths
from hyperlib.files.ending import command
from hyperlib.store.fingerprint import code_fingerprint
from hyperlib.study.representations import parts_of, representations
from hyperlib.study.study import Study
from hyperlib.tasks.generators import judged
from hyperlib.thesis.book_generators import generator_recipe
from hyperlib.thesis.profiles import PROFILES
from hyperlib.zoos.zoo import Samples

ZOO, ARTEFACT, PART, TRAININGS = "mnist_seed", "ghr-diversity", "changes", 3
CHANGES = {
    "layers": "by layers",
    "answers": "with answers",
    "answers_half": "answers at half weight",
    "answers_4": "4 latents per token",
    "answers_disturbed": "disturbed queries",
    "answers_released": "answers as released",
    "answers_noise": "queries of noise",
    "answers_other": "queries of other images",
    "answers_elsewhere": "another network as target",
}
OF_FLOWS = {"quick": {"flow_steps": 100}}  # others have the usual number


def changed(study: Study, names: Iterable[str], repeat: int = 0) -> pd.DataFrame:
    """A row of `judged` for each generator, by its name among `CHANGES`, trained on one split of the zoo.

    Networks are those of the last epoch that it learned from. Raises ValueError for other names, and for none.
    """
    names = list(names)
    if not names or not {*names} <= {*CHANGES}:
        raise ValueError(f"Name some of the changes {', '.join(CHANGES)}, not {', '.join(names) or 'none'}.")
    recipes = [generator_recipe(name, study.profile) for name in names]
    trained = representations(study, [(recipe, repeat) for recipe in recipes])
    train, _, test = (_ends(part) for part in parts_of(study, recipes[0], repeat))
    images, how = study.recipe(ZOO).images.load(), OF_FLOWS.get(study.profile, {})
    rows = [
        {"representation": CHANGES[name], "repeat": repeat} | judged(rep, images, train, test, **how)
        for name, rep in zip(names, trained, strict=True)
    ]
    return pd.DataFrame(rows)


def _ends(part: Samples) -> Samples:
    return part.take((part.table["epoch"] == part.table["epoch"].max()).to_numpy())


@command
def main(arguments: list[str] | None = None) -> None:
    """The command."""
    started, code = time.perf_counter(), code_fingerprint("hyperlib.study.generator_changes")[:12]
    summary, more = (" ".join(part.split()) for part in __doc__.split("\n\n")[:2])
    parser = argparse.ArgumentParser("python -m hyperlib.study.generator_changes", description=summary, epilog=more)
    parser.add_argument("--profile", choices=PROFILES, default="laptop", help="default: laptop, which the book shows")
    study = Study(parser.parse_args(arguments).profile)
    print(f"{TRAININGS * len(CHANGES)} trainings; each is kept in {study.store.folder}.", flush=True)
    tables = []
    for repeat in range(TRAININGS):
        tables.append(changed(study, CHANGES, repeat))
        print(tables[-1][["representation", "specificity", "accuracy", "kde_accuracy"]].round(3).to_string(index=False))
        print(f"training {repeat + 1} of each is done; {time.perf_counter() - started:.0f} s", flush=True)
    study.publish(ARTEFACT, pd.concat(tables, ignore_index=True).assign(code=code), PART)
    fresh, place = paths.results_folder(study.profile), paths.committed_folder(study.profile)
    print(f"The table is in {fresh}; a commit has it in {place}.")


if __name__ == "__main__":
    sys.exit(main())
