"""What the store knows about one entry: what was ordered, what was written, and whether it is still whole.

An `Order` is everything that decides a result: recipe, engine, the fingerprint of the code and the versions
of the numerical packages. Its key is a hash of exactly that, so a result made by other code is never found by
mistake. A `Manifest` is an order that was carried out, with sizes and checksums of its files; the entry is
whole as long as they agree with what lies on the disk, no file more and none less.

Source: our choice; JSON because a reader can open it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import numbers
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

from hyperlib.files.inventory import checksum, inventory, is_inside
from hyperlib.files.reading import Damaged, as_form, read_json
from hyperlib.files.writing import write_json
from hyperlib.store import fingerprint

FORMAT = 1  # part of every key: a new form of manifest never meets an old one
MANIFEST = "manifest.json"
KEYED_PACKAGES = ("torch", "numpy", "numba", "scikit-learn")  # their versions may change a result
_VERIFIED: dict[str, tuple] = {}  # entries whose checksums this process has seen, with their state on disk


Module = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_]\w*(\.\w+)*\Z")]


@dataclass(frozen=True, kw_only=True)
class Order:
    """All that decides one result, plus the profile for which it was first asked.

    `code` maps maker modules to fingerprints, `versions` maps packages to versions. The profile is no part of
    the key: a recipe that two profiles share is made once.
    """

    kind: str
    name: str
    recipe: dict[str, Any]
    engine: str
    code: dict[Module, str]
    versions: dict[str, str]
    profile: str | None = None

    def __post_init__(self) -> None:
        recipe = plain(self.recipe)
        if not isinstance(recipe, dict):
            raise TypeError(f"A recipe is a dict or a dataclass, not {type(self.recipe).__name__}.")
        object.__setattr__(self, "recipe", recipe)

    @property
    def key(self) -> str:
        """SHA-256 (64 hex digits) over the order as canonical JSON, without the profile."""
        keyed = {package: self.versions.get(package) for package in KEYED_PACKAGES}
        parts = [FORMAT, self.kind, self.name, self.recipe, self.engine, self.code, keyed]
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def title(self) -> str:
        """How messages call it: kind, name and profile."""
        return f"{self.kind} {self.name}" + (f" ({self.profile})" if self.profile else "")

    def is_current(self) -> bool:
        """Whether today's code and versions would give this order the same key."""
        try:
            code = {module: fingerprint.code_fingerprint(module) for module in self.code}
        except (ImportError, OSError, ValueError, SyntaxError):  # its module is no more
            return False
        return dataclasses.replace(self, code=code, versions=fingerprint.versions(KEYED_PACKAGES)).key == self.key


@dataclass(frozen=True, kw_only=True)
class Begun(Order):
    """An order that is being carried out, or was: seconds of work before, and when its process began (unix time)."""

    seconds: float
    started: float | None


@dataclass(frozen=True, kw_only=True)
class Manifest(Order):
    """An order that was carried out: seconds of work over all resumes, date (UTC), commit, and every file.

    `files` maps paths in the entry to `(bytes, sha256)`. `commit` and `dirty` are None outside a git clone.
    """

    seconds: Annotated[float, msgspec.Meta(ge=0)]
    created: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT[\d:.+-]{8,24}\Z")]
    commit: str | None
    dirty: bool | None
    files: dict[str, tuple[int, str]]

    def write(self, folder: Path) -> None:
        """Put `manifest.json` into the folder, whole or not at all."""
        write_json(folder / MANIFEST, {"key": self.key, **dataclasses.asdict(self)})

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest of an entry. Damaged says what is wrong with it, OSError that there is none."""
        content = read_json(folder / MANIFEST, dict[str, Any])
        manifest = as_form(content, cls, MANIFEST)
        if content.get("key") != manifest.key:
            raise Damaged(f"{MANIFEST} contradicts its own key")
        return manifest

    @classmethod
    def find(cls, folder: Path) -> Manifest | None:
        """The manifest of a folder, or None if it has none that can be read."""
        try:
            return cls.read(folder)
        except (OSError, ValueError):
            return None


def fault(folder: Path, key: str) -> str | None:
    """What is wrong with an entry, in a few words, or None if it is the entry of this key and whole.

    Names and sizes are checked at every call, checksums once per process and again if a file's dates changed.
    Only content decides: what cannot be read now is not thereby damaged, and its OSError passes.
    """
    try:
        present = inventory(folder)
        if MANIFEST not in present:
            return f"{MANIFEST} is missing"
        manifest = Manifest.read(folder)
        if manifest.key != key:
            return f"{MANIFEST} belongs to another entry"
        return _difference(present, manifest.files) or _changed(folder, present, manifest.files)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        return str(error)


def plain(value: Any, place: str = "recipe") -> Any:
    """A recipe as plain JSON: dataclasses become dicts with their class, tuples lists, numpy numbers plain.

    The class stays because two layers without fields are still two different layers.
    ValueError for NaN and infinity, TypeError for anything that JSON cannot hold; both name the place.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {"class": type(value).__name__, **plain(fields, place)}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: plain(inner, f"{place}.{key}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner, f"{place}[{i}]") for i, inner in enumerate(value)]
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        if not math.isfinite(value):
            raise ValueError(f"{place} is {value}; a recipe holds finite numbers only, or None.")
        return float(value)
    raise TypeError(
        f"{place} is a {type(value).__name__}; a recipe holds numbers, text, None, lists, dataclasses and "
        "dicts with text keys."
    )


def git_state() -> tuple[str | None, bool | None]:
    """Commit of the clone that holds this library and whether it has changes; None, None outside a clone."""
    folder = Path(__file__).resolve().parents[2]
    command = ["git", "--no-optional-locks", "-C", str(folder)]
    try:
        top, commit = _output([*command, "rev-parse", "--show-toplevel", "HEAD"]).split("\n")
        if Path(top).resolve() != folder:  # installed inside somebody else's repository
            return None, None
        return commit, bool(_output([*command, "status", "--porcelain"]))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None, None


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, timeout=10, check=True, stdin=subprocess.DEVNULL)
    return os.fsdecode(done.stdout).strip()


def _difference(present: dict[str, os.stat_result], files: dict[str, tuple[int, str]]) -> str | None:
    for path, (size, _) in files.items():
        if not is_inside(path):
            return f"{MANIFEST} names a file outside the entry: {path!r}"
        if path not in present:
            return f"{path} is missing"
        if present[path].st_size != size:
            return f"{path} has {present[path].st_size:,} bytes where {size:,} were written"
    foreign = sorted(present.keys() - files.keys() - {MANIFEST})
    return f"{foreign[0]} was not written by its maker" if foreign else None


def _changed(folder: Path, present: dict[str, os.stat_result], files: dict[str, tuple[int, str]]) -> str | None:
    dates = [(path, s.st_ino, s.st_mtime_ns, s.st_ctime_ns) for path, s in present.items() if path != MANIFEST]
    state = (*sorted(dates), *((path, *written) for path, written in files.items()))
    if _VERIFIED.get(str(folder)) != state:
        for path, (_, digest) in files.items():
            if checksum(folder / path) != digest:
                return f"{path} has changed since it was written"
        _VERIFIED[str(folder)] = state
    return None
