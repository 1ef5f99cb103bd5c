"""The cell with which a chapter brings its library to Google Colab, where nothing but the notebook is.

It stands behind the parameters, does nothing elsewhere, and the pages don't show it. The address of the repository is
that of `_config.yml`: `make sync` writes it into all chapters.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

COLAB = "colab"  # the cell's tag
TAGS = f'["remove-input", "{COLAB}"]'
_CELL = re.compile(rf"^# %% tags={re.escape(TAGS)}\n.*?(?=^# %%|\Z)", re.MULTILINE | re.DOTALL)


def colab_cell(address: str) -> str:
    """The cell's code. Packages that Colab has already imported stay as they are, so no restart is needed."""
    return f"""\
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

if "google.colab" in sys.modules and find_spec("hyperlib") is None:
    address = "{address}"
    git = ["git", "clone", "-q", "--depth=1", address, "companion"]
    if not Path("companion").exists():
        subprocess.run(git, check=True)
    pip = [sys.executable, "-m", "pip", "install", "-q", "-e", "companion"]
    subprocess.run([*pip, "plotly>=6.1,<8"], check=True)
    sys.path.insert(0, str(Path("companion").resolve()))"""


def address_of(root: Path) -> str:
    """Where the repository of this clone is published, as its `_config.yml` says."""
    return yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]


def with_address(source: str, address: str) -> str:
    """A chapter's source with this address in its cell for Colab; as it is where it has no such cell."""
    cell = f"# %% tags={TAGS}\n{colab_cell(address)}\n\n"
    return _CELL.sub(lambda _: cell, source)
