"""A store of made things (zoos, representations): made once, and found again by what they are made from.

An entry is a folder `<store>/<kind>/<name>-<key>`, with a key over recipe, engine, code and versions (see
`manifest`): change one and another entry is made, change a comment and nothing is. Its maker works in
`...partial`, which outlives a kill, so long work can resume; a rename at the end makes the entry appear
whole. A lock that the system drops with its process lets several processes share a store. What is found
damaged is set aside as `...damaged-N` and made again; only `python -m hyperlib.store.store clean` deletes.

Source: our choice.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from hyperlib.files import paths
from hyperlib.files.console import shown
from hyperlib.files.ending import command
from hyperlib.files.faults import disk_is_full, megabytes
from hyperlib.files.inventory import inventory, occupied, seal
from hyperlib.files.plain import Unreadable, nameable
from hyperlib.files.reading import read_json
from hyperlib.files.writing import flush_folder, left_aside, left_in, sweep, write_json
from hyperlib.store import fingerprint
from hyperlib.store.manifest import KEYED_PACKAGES, MANIFEST, Begun, Manifest, Order, fault, git_state
from hyperlib.store.shared import Busy, StoreError, beside, explained, full_disk, locked, say

__all__ = ["Store", "StoreError", "main"]

COLUMNS = ["kind", "name", "key", "state", "profile", "seconds", "bytes", "created", "current", "folder"]
_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}"
_FOLDER = re.compile(rf"(?P<name>{_NAME})-(?P<key>[0-9a-f]{{12}})(?P<state>|\.partial|\.damaged-\d+)")


class Store:
    """The entries below one folder; the default is `HYPERLIB_STORE` or `_build/store`.

    Raises ValueError for a name that no folder can have.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        self.folder = nameable(Path(folder if folder is not None else paths.store_folder()).expanduser().absolute())

    def make(
        self,
        kind: str,
        name: str,
        recipe: Any,
        maker: Callable[[Path], None],
        maker_modules: list[str],
        engine: str,
        profile: str | None = None,
    ) -> Path:
        """Folder of the entry, made now if it is not there whole.

        `maker` gets a folder and writes its result there. After a kill it is called again with the same
        folder, at whatever point it was: it may resume from checkpoints, removes them at its end, and must
        bear to find its own finished files. `engine` is the resolved one, never "auto". `recipe` is a dict or
        dataclass of plain values.

        Raises ValueError for names with path characters and recipes with NaN, StoreError (an OSError) if the
        store cannot be written or a disk is full. What the maker raises passes, and its work folder stays.
        """
        for text in (kind, name):
            if not re.fullmatch(_NAME, text):
                raise ValueError(f"{text!r} cannot name an entry of the store: use letters, digits, - and _.")
        code = {module: fingerprint.code_fingerprint(module) for module in sorted(maker_modules)}
        order = Order(
            kind=kind, name=name, recipe=recipe, engine=engine, code=code,
            versions=fingerprint.versions(KEYED_PACKAGES), profile=profile,
        )  # fmt: skip
        entry = self.folder / kind / f"{name}-{order.key[:12]}"
        with explained(entry):
            if _is_whole(entry, order):
                if _has_left(entry):
                    with suppress(Busy, OSError), locked(entry, order.title, wait=False):  # if not now, another time
                        _tidy(entry)
                return entry
        with locked(entry, order.title):
            with explained(entry):
                if _is_whole(entry, order):  # made while this process waited
                    _tidy(entry)
                    return entry
                if os.path.lexists(entry):
                    _set_aside(entry, f"{order.title}: {fault(entry, order.key)}")
                before = _prepare(order, entry)
            _carry_out(order, maker, entry, before)
        return entry

    def entries(self) -> pd.DataFrame:
        """One row per folder of the store: `state` (made, partial, damaged, unreadable), seconds of work, bytes, ...

        `current` says whether today's code and versions give the same key; None for what cannot be read.
        """
        with explained(self.folder / "any" / "entry"):
            found = [folder for kind in _listed(self.folder) for folder in _listed(kind)]
        folders = sorted(folder for folder in found if _FOLDER.fullmatch(folder.name))
        return pd.DataFrame([_row(folder) for folder in folders], columns=COLUMNS)

    def leftovers(self, remove: bool = False) -> list[Path]:
        """What killed processes left beside the entries: half-written things, notes of work that is no more."""
        kinds = [kind for kind in _listed(self.folder) if kind.is_dir() and not kind.is_symlink()]
        found = [path for kind in kinds for path in left_in(kind, remove)]
        for note in [path for kind in kinds for path in kind.glob("*.making.json")]:
            entry = note.with_name(note.name.removesuffix(".making.json"))
            if os.path.lexists(beside(entry, ".partial")):
                continue
            with suppress(Busy), locked(entry, entry.name, wait=False):
                found.append(note)
                if remove:
                    note.unlink(missing_ok=True)
        return sorted(found)

    def remove(self, rows: pd.DataFrame) -> int:
        """Delete these rows of `entries()`, and give the bytes freed. What is being made now stays."""
        freed = 0
        for folder, size in zip(map(Path, rows["folder"]), rows["bytes"], strict=True):
            match = _FOLDER.fullmatch(folder.name)
            if match is None or folder.parent.parent != self.folder:
                raise ValueError(f"{folder} is no entry of the store at {self.folder}.")
            entry = folder.with_name(f"{match['name']}-{match['key']}")
            try:
                with locked(entry, folder.name, wait=False), explained(entry):
                    _delete(folder)
                    freed += int(size)
            except Busy as who:
                say(f"left: {folder}, which another process ({who}) is using")
        return freed


@command
def main(arguments: list[str] | None = None) -> int:
    """What is in the store of zoos and representations, and how to free its space."""
    parser = argparse.ArgumentParser(prog="python -m hyperlib.store.store", description=main.__doc__)
    parser.add_argument("command", choices=["list", "clean"], help="show entries; delete the chosen ones")
    parser.add_argument("--partial", action="store_true", help="work that was begun and not finished")
    parser.add_argument("--damaged", action="store_true", help="entries set aside as not whole")
    parser.add_argument("--stale", action="store_true", help="entries that today's code would not make")
    parser.add_argument("--left", action="store_true", help="what killed processes left here, and in temporary folders")
    parser.add_argument("--yes", action="store_true", help="really delete: without it, clean only shows")
    parser.add_argument("--store", metavar="FOLDER", help="default: HYPERLIB_STORE, or _build/store")
    chosen = parser.parse_args(arguments)
    states = [state for state in ("partial", "damaged") if getattr(chosen, state)]
    if chosen.command == "clean" and not (states or chosen.stale or chosen.left):
        parser.error("say what to clean: --partial, --damaged, --stale, --left, or several of them")
    store = Store(chosen.store)
    if os.path.lexists(store.folder) and not store.folder.is_dir():
        raise ValueError(f"The store {store.folder} is no folder; --store and HYPERLIB_STORE name another.")
    rows = store.entries()
    if states or chosen.stale or chosen.left:
        rows = rows[rows["state"].isin(states) | (chosen.stale & rows["current"].eq(False))]
    if len(rows):
        print(shown(rows.assign(key=rows["key"].str[:12]).drop(columns="folder").to_string(index=False)))
    there = "" if store.folder.is_dir() else " (no such folder)"
    print(f"{len(rows)} entries, {megabytes(rows['bytes'].sum())} in {store.folder}{there}")
    really = chosen.command == "clean" and chosen.yes
    left = [*store.leftovers(really), *left_aside(really)] if chosen.left else []
    for path in left:
        print(shown(f"left by a killed process: {path}"))
    if chosen.command == "clean" and (len(rows) or left):
        freed = f"Freed {megabytes(store.remove(rows))}." if chosen.yes else None
        print(freed or "Nothing deleted yet: --yes deletes the entries above.")
    return 0


def _is_whole(entry: Path, order: Order) -> bool:
    return os.path.lexists(entry) and fault(entry, order.key) is None


def _has_left(entry: Path) -> bool:
    """Whether a kill just after the rename left its note, or the name of the lock's owner, beside an entry.

    A note is that of work begun again where there is such work.
    """
    note, owner, work = (os.path.lexists(beside(entry, end)) for end in (".making.json", ".lock.owner", ".partial"))
    return owner or (note and not work)


def _tidy(entry: Path) -> None:
    """Under the lock, which removes its owner's name itself: the note goes, if it can and has no work."""
    if not os.path.lexists(beside(entry, ".partial")):
        with suppress(OSError):
            beside(entry, ".making.json").unlink(missing_ok=True)


def _prepare(order: Order, entry: Path) -> float:
    """Open the work folder, say what begins, and give the seconds already spent on it."""
    partial = beside(entry, ".partial")
    if os.path.lexists(partial):
        try:
            inventory(partial)
        except ValueError as why:
            _set_aside(partial, f"unfinished {order.title}: {why}")
    partial.mkdir(exist_ok=True)
    (partial / MANIFEST).unlink(missing_ok=True)  # from a kill just before the rename
    sweep(partial)
    before = _seconds_before(entry)
    past = [Manifest.find(folder) for folder in entry.parent.glob(f"{order.name}-*")]
    past = [m for m in past if m and (m.name, m.profile) == (order.name, order.profile)]
    cost = f"; it took {max(past, key=lambda m: m.created).seconds:.1f} s last time" if past else ""
    say(f"resuming {order.title}, {before:.1f} s in{cost}" if before else f"making {order.title}{cost}")
    _record(order, entry, before, started=time.time())
    return before


def _carry_out(order: Order, maker: Callable[[Path], None], entry: Path, before: float) -> None:
    partial, begun = beside(entry, ".partial"), time.monotonic()
    try:
        maker(partial)
    except BaseException as error:
        with suppress(OSError):
            _record(order, entry, before + time.monotonic() - begun, started=None)
        if isinstance(error, Exception) and disk_is_full(error, entry.parent):
            raise full_disk(entry, error) from error
        error.add_note(f"Raised while making {order.title}; what is done of it is kept in {partial}.")
        raise
    with explained(entry):
        _finish(order, partial, entry, before + time.monotonic() - begun)


def _finish(order: Order, partial: Path, entry: Path, seconds: float) -> None:
    try:
        found = inventory(partial)
        wrong = f"left its own {MANIFEST}; use a subfolder for it" if found else "wrote nothing"
    except ValueError as error:
        found, wrong = {}, str(error)
    if not found or MANIFEST in found:
        raise ValueError(f"The maker of {order.title} did not end well ({wrong}); see {partial}.")
    created = datetime.now(UTC).isoformat(timespec="seconds")
    commit, dirty = git_state()
    facts = {"seconds": round(seconds, 3), "created": created, "commit": commit, "dirty": dirty, "files": seal(partial)}
    manifest = Manifest(**vars(order), **facts)
    manifest.write(partial)
    flush_folder(partial)
    os.rename(partial, entry)
    flush_folder(entry.parent)
    beside(entry, ".making.json").unlink(missing_ok=True)
    size = sum(size for size, _ in manifest.files.values())
    say(f"made {order.title} in {seconds:.1f} s ({megabytes(size)})")


def _record(order: Order, entry: Path, seconds: float, started: float | None) -> None:
    """What a later process needs to know of unfinished work, beside its folder."""
    begun = Begun(**vars(order), seconds=seconds, started=started)
    write_json(beside(entry, ".making.json"), asdict(begun))


def _seconds_before(entry: Path) -> float:
    """Work already in the partial folder. A killed process counts until the last file it touched."""
    try:
        begun = read_json(beside(entry, ".making.json"), Begun)
        touched = max(state.st_mtime for state in inventory(beside(entry, ".partial")).values())
        touched = min(touched, time.time())  # a date in the future is no work
        return begun.seconds + max(0.0, touched - (touched if begun.started is None else begun.started))
    except (OSError, ValueError):  # none there, or none that can be read
        return 0.0


def _listed(folder: Path) -> list[Path]:
    """What lies in a folder; nothing where there is none, and OSError where nobody may look."""
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _row(folder: Path) -> dict[str, Any]:
    match = _FOLDER.fullmatch(folder.name)
    state = {"": "made", ".p": "partial", ".d": "damaged"}[match["state"][:2]]
    row = dict.fromkeys(COLUMNS) | {"kind": folder.parent.name, "name": match["name"], "key": match["key"]}
    row |= {"state": state, "bytes": occupied(folder), "folder": str(folder)}
    try:
        if state == "partial":
            entry = folder.with_suffix("")
            order, done = read_json(beside(entry, ".making.json"), Begun), _seconds_before(entry)
        else:
            order = Manifest.read(folder)
            done, row["created"] = order.seconds, order.created
    except Unreadable:
        return row | {"state": "unreadable"}
    except (OSError, ValueError):
        return row | {"state": "damaged" if state == "made" else state}
    return row | {"key": order.key, "profile": order.profile, "seconds": done, "current": order.is_current()}


def _set_aside(folder: Path, why: str | None = None) -> Path:
    number, stem = 1, folder.name.removesuffix(".partial")
    while os.path.lexists(aside := folder.with_name(f"{stem}.damaged-{number}")):
        number += 1
    os.rename(folder, aside)
    if why:
        say(f"damaged: {why}; set aside as {aside} and made again")
    return aside


def _delete(folder: Path) -> None:
    if folder.suffix == ".partial":
        folder.with_suffix(".making.json").unlink(missing_ok=True)
    if ".damaged-" not in folder.name:
        folder = _set_aside(folder)  # half deleted, it must not look like an entry
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    else:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
