"""What pages load besides themselves: all of it from installed wheels, nothing from another address."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

MATHJAX = ("tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions")  # 2 MB of its 24


def connect(app: Sphinx) -> None:
    """Register the hooks that bring and take away scripts."""
    app.connect("config-inited", silence_thebe)
    app.connect("build-finished", copy_mathjax)


def silence_thebe(app: Sphinx, *_: Any) -> None:
    """Take out thebe, which Jupyter Book always adds to every page: its script names an address elsewhere."""
    for event in list(app.events.listeners.values()):
        for listener in [one for one in event if one.handler.__module__.startswith("sphinx_thebe")]:
            app.disconnect(listener.id)
    app.registry.css_files = [sheet for sheet in app.registry.css_files if "thebe" not in sheet[0]]


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Copy from the wheel what the pages load; ExtensionError if the wheel is not installed."""
    if error is not None or app.builder.format != "html":
        return
    source = wheel("sphinx-mathjax-offline", "A page with formulas") / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for part in MATHJAX:
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / part, target / part)


def wheel(package: str, what: str) -> Path:
    """Folder of an installed package; ExtensionError, naming what needs it, if it is not installed."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise ExtensionError(f"{what} needs the package {package}; `make env` installs it.")
    return Path(found.origin).parent
